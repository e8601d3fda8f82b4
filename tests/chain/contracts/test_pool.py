"""The pool: what it takes, whose word it takes, and what it lets out. Every refusal stands beside
what is allowed."""

from __future__ import annotations

import contextlib

import pytest

from tests.chain.contracts.pool import (
    ANYONE,
    BOND,
    CAP,
    COIN,
    DONOR,
    GUARDIAN,
    LOG_ROOT,
    MOST,
    PARTS,
    PAYEES,
    PUBLISHER,
    STAKE,
    STRANGER,
    TERM,
    TIMELOCK,
    WINDOW,
    Staged,
)
from tests.chain.evm import ETH, Contract, Refusal, abi_of, load, refused

A, B, C, *_ = PAYEES
ROOT = b"\x22" * 32


@pytest.fixture
def stage() -> Staged:
    return Staged()


# What comes in


def test_funding_books_what_arrived_from_whom(stage: Staged) -> None:
    stage.fund(eth=7)
    assert stage.world.events == [("Received", {"donor": DONOR, "asset": ETH, "amount": 7})]
    stage.fund(token=9)
    token = stage.token.address
    assert stage.world.events[-1] == ("Received", {"donor": DONOR, "asset": token, "amount": 9})
    assert (stage.money(), stage.holds(stage.token, stage.pool.address)) == (7, 9)


def test_bare_eth_is_booked_too(stage: Staged) -> None:
    stage.world.pay(DONOR, stage.pool.address, 5)
    assert stage.world.events == [("Received", {"donor": DONOR, "asset": ETH, "amount": 5})]


def test_what_cannot_be_booked_is_refused(stage: Staged) -> None:
    other = stage.world.deploy("PlainToken")
    with refused("NotListed", other):
        stage.pool("fund", other, 5, by=DONOR)
    with refused("NotListed", stage.coin):
        stage.pool("fund", stage.coin, 5, by=DONOR)
    with refused("WrongValue", 4, 5):
        stage.pool("fund", ETH, 5, by=DONOR, value=4)
    with refused("WrongValue", 1, 0):
        stage.pool("fund", stage.token, 5, by=DONOR, value=1)
    with refused("NothingArrived", ETH):
        stage.pool("fund", ETH, 0, by=DONOR)
    with refused("NothingArrived", stage.token):
        stage.pool("fund", stage.token, 0, by=DONOR)
    with refused("NothingArrived", ETH):
        stage.world.pay(DONOR, stage.pool.address, 0)


def test_a_fee_on_the_way_is_not_booked() -> None:
    stage = Staged("FeeToken")
    stage.fund(token=1000)
    assert (
        stage.world.events[-1][1]["amount"] == 990 == stage.holds(stage.token, stage.pool.address)
    )


def test_a_token_that_returns_nothing_is_taken_and_paid() -> None:
    stage = Staged("SilentToken")
    stage.fund(token=1000)
    stage.owe({(A, stage.token.address): 600, (B, stage.token.address): 400})
    assert stage.claim(A, stage.token.address) == 600
    assert stage.batch((B, stage.token.address)) == [("Paid", B, stage.token.address, 400)]
    assert stage.holds(stage.token, A) == 600


def test_more_than_the_books_can_hold_is_refused(stage: Staged) -> None:
    stage.fund(token=MOST)
    with refused("TooMuch", stage.token, MOST + 1):
        stage.fund(token=1)


def test_the_coin_and_the_stake_cannot_be_listed() -> None:
    with refused("NotAnAsset", COIN):
        Staged(assets=[COIN])
    with refused("NotAnAsset", STAKE):
        Staged(assets=[STAKE])


# Roots


def test_a_root_takes_effect_after_its_window_and_the_bond_goes_back(stage: Staged) -> None:
    before = stage.world.balance(PUBLISHER)
    at = stage.publish(3)
    published = {
        "size": 3,
        "root": ROOT,
        "logRoot": LOG_ROOT,
        "publisher": PUBLISHER,
        "effectiveAt": at,
    }
    assert stage.world.events == [("Published", published)]
    assert stage.pool("pending", 3) == (ROOT, PUBLISHER, at, ETH)
    assert stage.world.balance(PUBLISHER) == before - BOND
    stage.world.time = at
    stage.pool("activate", 3, by=ANYONE)
    assert stage.world.events == [("Activated", {"size": 3, "root": ROOT})]
    assert (stage.pool("size"), stage.pool("root")) == (3, ROOT)
    assert stage.world.balance(PUBLISHER) == before
    assert stage.pool("escrow") == 0


def test_the_window_is_open_to_its_last_second_and_no_longer(stage: Staged) -> None:
    for size, moment in enumerate((-1, 0, 1), 1):
        at = stage.publish(size)
        stage.world.time = at + moment
        if moment < 0:
            with refused("WindowOpen", size, at):
                stage.pool("activate", size)
            stage.pool("dispute", size, by=STRANGER, value=BOND)
            stage.pool("veto", size, by=TIMELOCK)
        else:
            with refused("WindowOver", size, at):
                stage.pool("dispute", size, by=STRANGER, value=BOND)
            with refused("WindowOver", size, at):
                stage.pool("veto", size, by=TIMELOCK)
            stage.pool("activate", size)


def test_a_root_that_cannot_stand_is_not_taken(stage: Staged) -> None:
    with refused("WrongBond", BOND - 1, BOND):
        stage.pool("publish", 3, LOG_ROOT, ROOT, by=PUBLISHER, value=BOND - 1)
    with refused("WrongBond", BOND + 1, BOND):
        stage.pool("publish", 3, LOG_ROOT, ROOT, by=PUBLISHER, value=BOND + 1)
    with refused("NoRoot", 3):
        stage.publish(3, bytes(32))
    with refused("StaleSize", 0, 0):
        stage.publish(0)
    at = stage.publish(3)
    with refused("AlreadyPending", 3, ROOT):
        stage.publish(3, b"\x33" * 32)
    with refused("AlreadyPending", 3, ROOT):
        stage.publish(3)
    stage.world.time = at
    stage.pool("activate", 3)
    for size in (2, 3):
        with refused("StaleSize", size, 3):
            stage.publish(size)
    stage.publish(4)


def test_what_is_not_pending_can_be_neither_disputed_nor_vetoed_nor_activated(
    stage: Staged,
) -> None:
    with refused("NotPending", 3):
        stage.pool("dispute", 3, by=STRANGER, value=BOND)
    with refused("NotPending", 3):
        stage.pool("veto", 3, by=TIMELOCK)
    for method in ("activate", "reclaim"):
        with refused("NotPending", 3):
            stage.pool(method, 3)


def test_a_griefer_who_occupies_sizes_blocks_nobody_and_pays_for_it(stage: Staged) -> None:
    for size in range(1, 20):
        stage.publish(size, by=STRANGER)
    at = stage.publish(20)
    for size in range(1, 20):
        stage.pool("veto", size, by=GUARDIAN)
    assert stage.money() == 19 * BOND
    stage.publish(7)
    stage.world.time = at
    stage.pool("activate", 20)
    assert stage.pool("size") == 20


def test_an_overtaken_root_never_takes_effect_and_its_bond_goes_back(stage: Staged) -> None:
    stage.publish(5, by=STRANGER)
    at = stage.publish(9)
    with refused("WindowOpen", 5, at):
        stage.pool("reclaim", 5)
    stage.world.time = at
    with refused("NotStale", 5, 0):
        stage.pool("reclaim", 5)
    stage.pool("activate", 9)
    with refused("StaleSize", 5, 9):
        stage.pool("activate", 5)
    before = stage.world.balance(STRANGER)
    stage.pool("reclaim", 5, by=ANYONE)
    assert stage.world.events == [("Reclaimed", {"size": 5})]
    assert stage.world.balance(STRANGER) == before + BOND
    assert (stage.pool("root"), stage.pool("escrow")) == (ROOT, 0)


def test_an_overtaken_root_can_still_be_vetoed_in_its_window(stage: Staged) -> None:
    at = stage.publish(9)
    stage.world.time = at - 1
    stage.publish(5, by=STRANGER)
    stage.world.time = at
    stage.pool("activate", 9)
    stage.pool("veto", 5, by=TIMELOCK)
    assert (stage.money(), stage.pool("escrow")) == (BOND, 0)


def test_no_root_takes_effect_while_an_entry_is_overdue(stage: Staged) -> None:
    stage.world.time = stage.publish(3)
    stage.anchor("set", True)
    with refused("EntryOverdue", stage.anchor):
        stage.pool("activate", 3)
    stage.anchor("set", False)
    stage.pool("activate", 3)


# Vetoes and disputes


def test_a_veto_frees_the_size_and_forfeits_the_bond_to_the_pool(stage: Staged) -> None:
    stage.publish(3)
    stage.pool("veto", 3, by=TIMELOCK)
    assert stage.world.events == [
        ("Vetoed", {"size": 3, "by": TIMELOCK}),
        ("Received", {"donor": stage.pool.address, "asset": ETH, "amount": BOND}),
    ]
    assert stage.pool("pending", 3)[0] == bytes(32)
    assert (stage.money(), stage.pool("escrow")) == (BOND, 0)
    stage.publish(3, b"\x33" * 32)


def test_nobody_else_vetoes(stage: Staged) -> None:
    stage.publish(3)
    for who in (STRANGER, PUBLISHER, DONOR):
        with refused("MayNotVeto", who):
            stage.pool("veto", 3, by=who)


def test_the_guardian_vetoes_before_his_term_ends_and_not_after(stage: Staged) -> None:
    stage.world.time = TERM - 1
    assert stage.pool("guarded")
    stage.publish(3)
    stage.pool("veto", 3, by=GUARDIAN)
    stage.publish(4)
    for moment in (TERM, TERM + 1):
        stage.world.time = moment
        assert not stage.pool("guarded")
        with refused("MayNotVeto", GUARDIAN):
            stage.pool("veto", 4, by=GUARDIAN)
    stage.pool("veto", 4, by=TIMELOCK)


def test_the_guardian_vetoes_until_enough_coin_is_minted(stage: Staged) -> None:
    stage.owe({(A, COIN): CAP // 10 - 1, (B, COIN): 1})
    stage.claim(A, COIN)
    stage.publish(3)
    stage.pool("veto", 3, by=GUARDIAN)
    stage.publish(3)
    stage.claim(B, COIN)
    with refused("MayNotVeto", GUARDIAN):
        stage.pool("veto", 3, by=GUARDIAN)


def test_a_stranger_who_disputes_a_false_root_is_paid_half_its_bond(stage: Staged) -> None:
    stage.publish(3)
    before = stage.world.balance(STRANGER)
    with refused("WrongBond", BOND - 1, BOND):
        stage.pool("dispute", 3, by=STRANGER, value=BOND - 1)
    stage.pool("dispute", 3, by=STRANGER, value=BOND)
    assert stage.world.events == [("Disputed", {"size": 3, "disputer": STRANGER})]
    with refused("AlreadyDisputed", 3, STRANGER):
        stage.pool("dispute", 3, by=DONOR, value=BOND)
    stage.pool("veto", 3, by=GUARDIAN)
    assert stage.world.events == [
        ("Vetoed", {"size": 3, "by": GUARDIAN}),
        ("Received", {"donor": stage.pool.address, "asset": ETH, "amount": BOND // 2}),
    ]
    assert stage.world.balance(STRANGER) == before + BOND // 2
    assert (stage.money(), stage.pool("escrow")) == (BOND // 2, 0)


@pytest.mark.parametrize("bond", [0, 1, 2, 7])
def test_of_a_lost_bond_the_odd_wei_is_the_pool_s(bond: int) -> None:
    stage = Staged(bond=bond)
    stage.pool("publish", 3, LOG_ROOT, ROOT, by=PUBLISHER, value=bond)
    stage.pool("dispute", 3, by=STRANGER, value=bond)
    before = stage.world.balance(STRANGER)
    stage.pool("veto", 3, by=GUARDIAN)
    assert stage.world.balance(STRANGER) == before + bond + bond // 2
    assert (stage.money(), stage.pool("escrow")) == (bond - bond // 2, 0)


def test_half_a_bond_that_arrives_in_an_open_window_does_not_leave_in_it(stage: Staged) -> None:
    stage.fund(eth=100)
    stage.owe({(A, ETH): 10 * BOND})
    stage.publish(7)
    stage.pool("dispute", 7, by=STRANGER, value=BOND)
    assert stage.claim(A, ETH) == 100
    stage.pool("veto", 7, by=TIMELOCK)
    assert (stage.money(), stage.pool("leaving", ETH)) == (BOND // 2, 0)
    stage.world.time += WINDOW
    assert stage.claim(A, ETH) == BOND // 2


def test_a_disputed_root_that_is_not_vetoed_stands_and_its_publisher_is_paid(
    stage: Staged,
) -> None:
    before = stage.world.balance(PUBLISHER)
    stage.world.time = stage.publish(3) - 1
    stage.pool("dispute", 3, by=STRANGER, value=BOND)
    stage.world.time += 1
    stage.pool("activate", 3)
    assert stage.world.balance(PUBLISHER) == before + BOND
    assert (stage.money(), stage.pool("escrow"), stage.pool("size")) == (0, 0, 3)


def test_a_publisher_who_takes_no_eth_blocks_nothing_and_is_paid_later(stage: Staged) -> None:
    puppet = stage.world.deploy("Puppet")
    data = abi_of("PrizePool").call("publish", [3, LOG_ROOT, ROOT])
    puppet("act", stage.pool, data, by=STRANGER, value=BOND)
    puppet("set", True, False)
    stage.world.time += WINDOW
    stage.pool("activate", 3)
    assert ("Credited", {"account": puppet.address, "amount": BOND}) in stage.world.events
    assert (stage.pool("credit", puppet), stage.pool("escrow"), stage.money()) == (BOND, BOND, 0)
    with refused("PaymentRefused", puppet, ETH, BOND):
        stage.pool("collect", puppet)
    with refused("NothingToCollect", STRANGER):
        stage.pool("collect", STRANGER)
    puppet("set", False, False)
    stage.pool("collect", puppet, by=ANYONE)
    assert stage.world.events == [("Collected", {"account": puppet.address, "amount": BOND})]
    assert stage.world.balance(puppet.address) == BOND
    assert (stage.pool("credit", puppet), stage.pool("escrow")) == (0, 0)
    with refused("NothingToCollect", puppet):
        stage.pool("collect", puppet)


def test_bonds_are_no_money_of_the_pool(stage: Staged) -> None:
    stage.fund(eth=100)
    stage.owe({(A, ETH): 10 * BOND})
    stage.publish(7, by=STRANGER)
    assert stage.pool("leaving", ETH) == 100
    assert stage.claim(A, ETH) == 100
    with refused("OverOutflow", ETH, 10 * BOND - 100, 0):
        stage.claim(A, ETH)
    stage.world.time += WINDOW
    stage.pool("activate", 7)
    assert stage.world.balance(stage.pool.address) == 0


# A root in effect that turns out false


def test_the_root_in_effect_can_be_struck_and_then_nothing_is_paid(stage: Staged) -> None:
    stage.fund(eth=100)
    stage.owe({(A, ETH): 40, (B, ETH): 60})
    stage.claim(A, ETH)
    with refused("MayNotVeto", STRANGER):
        stage.pool("veto", stage.size, by=STRANGER)
    stage.pool("veto", stage.size, by=TIMELOCK)
    assert stage.world.events == [("Vetoed", {"size": 1, "by": TIMELOCK})]
    assert (stage.pool("size"), stage.pool("root")) == (0, bytes(32))
    with refused("NotInTheRoot", B, ETH, 60):
        stage.claim(B, ETH)
    with refused("BatchNotInTheRoot"):
        stage.batch()
    stage.size = 0
    stage.owe({(B, ETH): 60})
    assert stage.claim(B, ETH) == 60


def test_a_false_root_of_the_greatest_size_does_not_lock_the_pool_up(stage: Staged) -> None:
    stage.world.time = stage.publish(2**64 - 1, by=STRANGER)
    stage.pool("activate", 2**64 - 1)
    with refused("StaleSize", 5, 2**64 - 1):
        stage.publish(5)
    stage.pool("veto", 2**64 - 1, by=TIMELOCK)
    stage.world.time = stage.publish(5)
    stage.pool("activate", 5)
    assert stage.pool("size") == 5


def test_what_had_ended_its_window_when_a_root_was_struck_is_void(stage: Staged) -> None:
    stage.publish(5, by=STRANGER)
    at = stage.publish(9)
    stage.world.time = at
    stage.pool("activate", 9)
    late = stage.publish(10)
    stage.pool("veto", 9, by=TIMELOCK)
    with refused("Overtaken", 5, at):
        stage.pool("activate", 5)
    stage.pool("reclaim", 5)
    with refused("NotStale", 10, 0):
        stage.world.time = late
        stage.pool("reclaim", 10)
    stage.pool("activate", 10)
    assert (stage.pool("size"), stage.pool("escrow")) == (10, 0)


# What goes out


def test_anyone_claims_for_anyone_what_he_has_not_had(stage: Staged) -> None:
    stage.fund(eth=100, token=100)
    token = stage.token.address
    stage.owe({(A, ETH): 30, (A, token): 40, (B, ETH): 50})
    assert stage.claim(A, ETH, by=STRANGER) == 30
    assert stage.world.events == [("Paid", {"account": A, "asset": ETH, "amount": 30})]
    assert stage.claim(A, token) == 40
    assert (stage.world.balance(A), stage.holds(stage.token, A)) == (30, 40)
    with refused("NothingToClaim", A, ETH, 30):
        stage.claim(A, ETH)
    stage.owe({(A, ETH): 45, (A, token): 39})
    assert stage.claim(A, ETH) == 15
    with refused("NothingToClaim", A, token, 40):
        stage.claim(A, token)
    assert stage.pool("claimed", A, ETH) == 45


def test_coin_is_minted_at_its_claim(stage: Staged) -> None:
    stage.owe({(A, COIN): 5, (B, COIN): 6})
    assert stage.claim(A, COIN) == 5
    assert stage.batch() == [("Paid", B, COIN, 6)]
    assert (stage.holds(stage.coin, A), stage.coin("totalSupply")) == (5, 11)


def test_a_claim_that_is_not_in_the_root_is_refused(stage: Staged) -> None:
    stage.fund(eth=100)
    stage.owe({(A, ETH): 30, (B, ETH): 50, (C, ETH): 20})
    proof = stage.tree.proof(0)
    assert stage.pool("prove", A, ETH, 30, proof) is None
    for leaf in ((B, ETH, 30), (A, stage.token.address, 30), (A, ETH, 31)):
        with refused("NotInTheRoot", *leaf):
            stage.pool("claim", *leaf, proof)
        with refused("NotInTheRoot", *leaf):
            stage.pool("prove", *leaf, proof)
    for wrong in ([], proof[:-1], [*proof, bytes(32)], stage.tree.proof(1)):
        with refused("NotInTheRoot"):
            stage.pool("claim", A, ETH, 30, wrong)
    assert stage.claim(A, ETH) == 30


def test_before_the_first_root_nothing_is_proved(stage: Staged) -> None:
    stage.fund(eth=100)
    with refused("NotInTheRoot"):
        stage.pool("claim", A, ETH, 30, [])
    with refused("BatchNotInTheRoot"):
        stage.pool("payBatch", [(A, ETH, 30)], [], [])


def test_a_proof_for_another_pool_proves_nothing_here(stage: Staged) -> None:
    other = Staged()
    other.owe({(A, ETH): 30, (B, ETH): 50})
    stage.fund(eth=100)
    stage.owe({(A, ETH): 10, (B, ETH): 50})
    with refused("NotInTheRoot"):
        stage.pool("claim", A, ETH, 30, other.tree.proof(0))


def test_a_proof_of_an_earlier_root_proves_nothing(stage: Staged) -> None:
    stage.fund(eth=100)
    stage.owe({(A, ETH): 30, (B, ETH): 50})
    old = stage.tree.proof(0)
    stage.owe({(A, ETH): 20, (B, ETH): 50})
    with refused("NotInTheRoot"):
        stage.pool("claim", A, ETH, 30, old)


def test_the_stake_s_leaves_pay_nobody(stage: Staged) -> None:
    flipped = f"0x{int(STAKE, 16) ^ 1:040x}"
    stage.fund(eth=100)
    stage.owe({(A, STAKE): 30, (A, flipped): 20, (B, ETH): 1})
    for asset in (STAKE, flipped):
        with refused(""):
            stage.claim(A, asset)
    assert stage.pool("prove", A, STAKE, 30, stage.tree.proof(0)) is None


def test_amounts_beyond_what_there_can_be_pay_what_there_is(stage: Staged) -> None:
    stage.fund(eth=100, token=MOST)
    token = stage.token.address
    owed = {(A, ETH): 2**128, (B, ETH): 2**256 - 1, (A, token): 2**128, (B, COIN): 2**255}
    stage.owe(owed)
    assert stage.claim(A, token) == MOST
    assert stage.claim(A, ETH) == 100
    assert stage.claim(B, COIN) == CAP
    with refused("OverOutflow", ETH, 2**256 - 1, 0):
        stage.claim(B, ETH)
    assert sorted(what for what, *_ in stage.batch()) == ["PaymentFailed"] * 4
    assert stage.money() == 0


def test_a_balance_beyond_the_books_leaves_in_turn(stage: Staged) -> None:
    token = stage.token.address
    stage.token("mint", stage.pool, 2**107)
    stage.owe({(A, token): 2**107})
    paid = stage.claim(A, token)
    while paid < 2**107:
        stage.world.time += WINDOW
        paid += stage.claim(A, token)
    assert stage.holds(stage.token, A) == 2**107


# Batches


def test_a_batch_pays_all_at_once_and_passes_over_who_was_paid(stage: Staged) -> None:
    stage.fund(eth=1000, token=1000)
    token = stage.token.address
    owed = {(who, asset): 10 + n for n, who in enumerate(PAYEES) for asset in (ETH, token, COIN)}
    stage.owe(owed)
    stage.claim(A, ETH)
    stage.claim(B, token)
    assert {(who, asset): n for _, who, asset, n in stage.batch()} == {
        pair: n for pair, n in owed.items() if pair not in ((A, ETH), (B, token))
    }
    assert stage.batch() == []
    assert [stage.world.balance(who) for who in PAYEES] == list(range(10, 18))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_any_part_of_any_tree_can_be_a_batch(count: int) -> None:
    stage = Staged()
    stage.fund(eth=1000)
    stage.owe({(who, ETH): 10 for who in PAYEES[:count]})
    for mask in range(1, 2**count):
        chosen = [(who, ETH) for n, who in enumerate(PAYEES[:count]) if mask >> n & 1]
        stage.batch(*chosen)
    assert [stage.pool("claimed", who, ETH) for who in PAYEES[:count]] == [10] * count


def test_a_batch_under_a_wrong_proof_pays_nobody(stage: Staged) -> None:
    stage.fund(eth=1000)
    stage.owe({(who, ETH): 10 for who in PAYEES})
    leaves, proof, flags = stage.tree.multiproof([0, 3, 5])
    plain = [(leaf.account, leaf.asset, leaf.cumulative) for leaf in leaves]

    def pay(plain: list[tuple[str, str, int]], proof: list[bytes], flags: list[bool]) -> None:
        stage.pool("payBatch", plain, proof, flags)

    richer = [(who, asset, total + 1) for who, asset, total in plain]
    for wrong in (richer, plain[::-1], [plain[0], *plain[:2]]):
        with refused("BatchNotInTheRoot"):
            pay(wrong, proof, flags)
    for at in range(len(proof)):
        with refused("BatchNotInTheRoot"):
            pay(plain, [*proof[:at], b"\x55" * 32, *proof[at + 1 :]], flags)
    for at in range(len(flags)):
        turned = [flag ^ (n == at) for n, flag in enumerate(flags)]
        with refused("MalformedBatch", 3, len(proof), len(flags)):
            pay(plain, proof, turned)
    for short in ((plain[:2], proof, flags), (plain, proof[:-1], flags), (plain, proof, flags[1:])):
        with refused("MalformedBatch"):
            pay(*short)
    with refused("MalformedBatch", 0, 1, 0):
        pay([], [stage.tree.root], [])
    with refused("MalformedBatch", 0, 0, 0):
        pay([], [], [])
    pay(plain, proof, flags)


def test_an_inner_node_does_not_pass_for_a_leaf(stage: Staged) -> None:
    """Its two halves, read as a leaf's fields, hash to another value than the node's."""
    stage.fund(eth=1000)
    stage.owe({(A, ETH): 10, (B, ETH): 20})
    left, right = sorted(leaf.hash for leaf in stage.tree.leaves)
    with refused(""):  # no address has 32 bytes
        data = abi_of("PrizePool").call("claim", [A, ETH, int.from_bytes(right, "big"), []])
        forged = data[:4] + left + data[36:]
        stage.world.message(stage.pool.abi, ANYONE, stage.pool.address, forged, 0, None)


@pytest.mark.parametrize("kind", ["Refuser", "Burner", "Bomb"])
def test_who_takes_no_eth_fails_alone(kind: str, stage: Staged) -> None:
    bad = stage.world.deploy(kind)
    stage.fund(eth=1000)
    stage.owe({(A, ETH): 10, (bad.address, ETH): 20, (B, ETH): 30})
    said = set(stage.batch(gas=1_000_000))
    assert said == {
        ("Paid", A, ETH, 10),
        ("PaymentFailed", bad.address, ETH, 20),
        ("Paid", B, ETH, 30),
    }
    assert stage.world.evm.result.gas_used < 400_000
    assert stage.pool("claimed", bad, ETH) == 0
    with refused("PaymentRefused", bad, ETH, 20):
        if kind == "Burner":
            leaf = stage.index(bad.address, ETH)
            proof = stage.tree.proof(leaf)
            stage.pool("claim", bad, ETH, 20, proof, gas=5_000_000)
        stage.claim(bad.address, ETH)
    assert stage.money() == 960


@pytest.mark.parametrize("mood", range(1, 6), ids=["False", "Reverts", "Burns", "Bombs", "Two"])
def test_a_token_that_says_no_to_one_payee_says_it_to_him_alone(mood: int) -> None:
    stage = Staged("MoodyToken")
    token = stage.token.address
    stage.fund(token=1000)
    stage.owe({(A, token): 10, (B, token): 20, (C, token): 30})
    stage.token("setMood", B, mood)
    said = set(stage.batch(gas=3_000_000))
    assert said == {("Paid", A, token, 10), ("PaymentFailed", B, token, 20), ("Paid", C, token, 30)}
    assert stage.pool("claimed", B, token) == 0
    stage.token("setMood", B, 0)
    assert stage.batch() == [("Paid", B, token, 20)]


@pytest.mark.parametrize("mood", [1, 2, 4, 5], ids=["False", "Reverts", "Bombs", "Two"])
def test_a_claim_that_the_token_refuses_changes_nothing(mood: int) -> None:
    stage = Staged("MoodyToken")
    token = stage.token.address
    stage.fund(token=1000)
    stage.owe({(A, token): 10, (B, token): 20})
    stage.token("setMood", B, mood)
    with refused("PaymentRefused", B, token, 20):
        stage.claim(B, token)
    assert stage.pool("claimed", B, token) == 0


def test_a_batch_that_runs_short_of_gas_loses_nobody_anything(stage: Staged) -> None:
    stage.fund(eth=1000)
    stage.owe({(who, ETH): 10 for who in PAYEES})
    for gas in range(60_000, 500_000, 20_000):
        with contextlib.suppress(Refusal):
            stage.batch(gas=gas)
        paid = [stage.pool("claimed", who, ETH) for who in PAYEES]
        assert paid == [stage.world.balance(who) for who in PAYEES]
    stage.batch()
    assert [stage.world.balance(who) for who in PAYEES] == [10] * 8


@pytest.mark.parametrize("paid_in", ["ETH", "a token", "the coin"])
def test_a_batch_pays_everybody_or_nobody_whatever_gas_it_has(paid_in: str) -> None:
    """Each payee of ETH is a contract that needs more gas than comes with the money."""
    stage = Staged()
    stage.fund(eth=1000, token=1000)
    asset = {"ETH": ETH, "a token": stage.token.address, "the coin": COIN}[paid_in]
    payees = [stage.world.deploy("Puppet").address for _ in range(3)]
    stage.owe({(who, asset): 10 for who in payees})
    refusals = set()
    for gas in range(60_000, 1_000_000, 10_000):
        try:
            said = stage.batch(gas=gas)
        except Refusal as refusal:
            refusals.add(refusal.name)
            assert [stage.pool("claimed", who, asset) for who in payees] == [0] * 3
        else:
            assert [what for what, *_ in said] == ["Paid"] * 3
            break
    assert [stage.pool("claimed", who, asset) for who in payees] == [10] * 3
    assert "NotEnoughGas" in refusals


def test_a_payee_of_a_batch_gets_his_gas_to_the_last_unit(stage: Staged) -> None:
    """With the least gas that a batch works with, who needs nearly all of his share is paid."""
    payee = stage.world.deploy("Glutton").address
    stage.fund(eth=1000)
    stage.owe({(payee, ETH): 10})
    low, high = 60_000, 300_000
    while high - low > 1:
        middle = (low + high) // 2
        here = stage.world.evm.snapshot()
        try:
            stage.batch(gas=middle)
            high = middle
        except Refusal:
            low = middle
        stage.world.evm.revert(here)
    assert stage.batch(gas=high) == [("Paid", payee, ETH, 10)]


# Reentrancy


def test_a_payee_cannot_claim_again_while_he_is_paid(stage: Staged) -> None:
    thief = stage.world.deploy("Reenterer")
    stage.fund(eth=1000)
    stage.owe({(thief.address, ETH): 10, (B, ETH): 30})
    proof = stage.tree.proof(0)
    leaf = (thief.address, ETH, 10)
    calls = {
        "claim": [*leaf, proof],
        "payBatch": [[leaf], proof, [False]],
        "fund": [ETH, 5],
        "collect": [thief.address],
        "activate": [1],
    }
    for method, args in calls.items():
        data = abi_of("PrizePool").call(method, args)
        value = 5 if method == "fund" else 0
        before = stage.world.evm.snapshot()
        thief("plan", stage.pool, data, value, by=DONOR, value=value)
        stage.claim(thief.address, ETH)
        assert thief("called")
        assert not thief("worked"), method
        stage.world.evm.revert(before)
    assert stage.claim(thief.address, ETH) == 10


def test_a_payee_cannot_claim_within_a_batch(stage: Staged) -> None:
    thief = stage.world.deploy("Reenterer")
    stage.fund(eth=1000)
    stage.owe({(thief.address, ETH): 10, (B, ETH): 30})
    data = abi_of("PrizePool").call("claim", [B, ETH, 30, stage.tree.proof(1)])
    thief("plan", stage.pool, data, 0)
    assert len([1 for what, *_ in stage.batch() if what == "Paid"]) == 2
    assert (thief("called"), thief("worked"), stage.world.balance(B)) == (True, False, 30)


def test_a_payee_may_give_back_while_he_is_paid(stage: Staged) -> None:
    giver = stage.world.deploy("Reenterer")
    stage.fund(eth=1000)
    stage.owe({(giver.address, ETH): 10, (B, ETH): 30})
    giver("plan", stage.pool, b"", 4)
    stage.claim(giver.address, ETH)
    assert giver("worked")
    assert (stage.money(), stage.pool("leaving", ETH)) == (994, 990)


def test_a_token_with_hooks_cannot_be_booked_twice() -> None:
    stage = Staged("HookToken")
    data = abi_of("PrizePool").call("fund", [stage.token.address, 10])
    stage.token("plan", stage.pool, data)
    stage.fund(token=10)
    assert [args["amount"] for name, args in stage.world.events if name == "Received"] == [10]
    assert not stage.token("worked")


# What may leave in a window


def test_a_window_lets_out_its_part_of_the_peak_and_no_more() -> None:
    stage = Staged(outflow=PARTS // 10)
    stage.fund(eth=1000)
    stage.owe({(A, ETH): 70, (B, ETH): 70, (C, ETH): 70})
    assert stage.pool("leaving", ETH) == 100
    assert stage.claim(A, ETH) == 70
    assert stage.pool("leaving", ETH) == 30
    assert stage.claim(B, ETH) == 30
    with refused("OverOutflow", ETH, 40, 0):
        stage.claim(B, ETH)
    said = stage.batch((B, ETH), (C, ETH))
    assert sorted(what for what, *_ in said) == ["PaymentFailed", "PaymentFailed"]
    assert stage.money() == 900


def test_a_window_ends_on_the_second() -> None:
    stage = Staged(outflow=PARTS // 10)
    stage.fund(eth=1000)
    stage.owe({(A, ETH): 1000})
    start = stage.world.time // WINDOW * WINDOW + WINDOW
    for moment, paid in ((start, 100), (start + WINDOW - 1, 0), (start + WINDOW, 100)):
        stage.world.time = moment
        assert stage.pool("leaving", ETH) == paid
        if paid:
            assert stage.claim(A, ETH) == paid
        else:
            with refused("OverOutflow", ETH, 900, 0):
                stage.claim(A, ETH)
    stage.world.time = start + WINDOW + 1
    assert stage.pool("leaving", ETH) == 0


def test_what_comes_in_while_a_window_runs_does_not_leave_in_it() -> None:
    stage = Staged(outflow=PARTS // 10)
    token = stage.token.address
    stage.fund(eth=1000, token=1000)
    stage.owe({(A, ETH): 50, (A, token): 50})
    stage.claim(A, ETH)
    stage.claim(A, token)
    stage.fund(eth=5000, token=5000)
    stage.world.pay(DONOR, stage.pool.address, 500)
    stage.publish(7)
    stage.pool("veto", 7, by=TIMELOCK)
    assert (stage.pool("leaving", ETH), stage.pool("leaving", token)) == (50, 50)
    stage.world.time += WINDOW
    assert stage.pool("leaving", token) == 595


@pytest.mark.parametrize("outflow", [1, PARTS // 3, PARTS // 10])
def test_a_pool_is_emptied_to_the_last_wei(outflow: int) -> None:
    stage = Staged(outflow=outflow)
    token = stage.token.address
    total = 7 if outflow == 1 else 10**18 + 1
    stage.fund(eth=total, token=total)
    stage.owe({(A, ETH): total, (B, token): total})
    for _ in range(12):
        stage.world.time += WINDOW
        stage.batch()
    assert (stage.money(), stage.holds(stage.token, stage.pool.address)) == (0, 0)
    assert (stage.world.balance(A), stage.holds(stage.token, B)) == (total, total)
    assert stage.world.balance(stage.pool.address) == 0


def test_coin_has_its_own_ceiling_in_each_window() -> None:
    stage = Staged(outflow=PARTS // 10)
    stage.owe({(A, COIN): CAP // 20, (B, COIN): CAP})
    assert stage.pool("leaving", COIN) == CAP // 10
    assert stage.claim(A, COIN) == CAP // 20
    assert stage.claim(B, COIN) == CAP // 20
    with refused("OverOutflow", COIN, CAP - CAP // 20, 0):
        stage.claim(B, COIN)
    for _ in range(9):
        stage.world.time += WINDOW
        stage.claim(B, COIN)
    stage.world.time += WINDOW
    assert stage.pool("leaving", COIN) == 0
    assert stage.coin("totalSupply") == CAP


def test_money_that_comes_past_fund_breaks_nothing(stage: Staged) -> None:
    token = stage.token.address
    stage.fund(eth=100, token=100)
    # A contract that destroys itself in favour of the pool, in its own creation.
    stage.world.give(ANYONE, 50)
    code = bytes.fromhex("73" + stage.pool.address[2:] + "ff")
    stage.world.evm.deploy(ANYONE, code, 50)
    stage.token("transfer", stage.pool, 50, by=DONOR)
    assert stage.money() == 150
    stage.owe({(A, ETH): 150, (A, token): 150})
    assert len(stage.batch()) == 2
    assert (stage.money(), stage.holds(stage.token, stage.pool.address)) == (0, 0)


def test_a_token_that_was_sent_by_mistake_can_be_paid_on(stage: Staged) -> None:
    lost = stage.world.deploy("PlainToken")
    lost("mint", stage.pool, 50)
    stage.owe({(A, lost.address): 50, (B, ETH): 1})
    assert stage.claim(A, lost.address) == 50


def test_nobody_but_a_root_moves_money(stage: Staged) -> None:
    """Every function that changes anything is known, and none takes an owner's word for money."""
    changing = {
        described["name"]
        for described in _described(stage.pool)
        if described["type"] == "function" and described["stateMutability"] not in ("view", "pure")
    }
    assert changing == {
        "fund", "publish", "dispute", "veto", "activate", "reclaim", "collect", "claim", "payBatch",
    }  # fmt: skip


def _described(contract: Contract) -> list[dict[str, str]]:
    return list(load(contract.abi.name).abi)
