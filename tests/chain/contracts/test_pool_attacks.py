"""What people could try to get out of a pool, or to keep in it, and how far they come."""

from __future__ import annotations

import pytest

from benchmarks import theft
from benchmarks.theft import LAST_SIZE, Thief, sleep, watch
from danseo.chain.tree import Leaf, Tree
from tests.chain.contracts.challenge import CAP, DAY, GUARDIAN, PARTS, UNIT, Deployed
from tests.chain.evm import DEPLOYER, ETH, account, refused

WINDOW, BOND = 7 * DAY, UNIT
THIEF, VICTIM = account(50), account(51)

# --- sleepers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("outflow", theft.OUTFLOWS)
@pytest.mark.parametrize("windows", theft.AWAKE)
def test_a_thief_gets_one_part_for_each_window_that_is_slept_through_and_then_no_more(
    outflow: int, windows: int
) -> None:
    loot = sleep(outflow, windows, ETH)
    assert loot.pool == pytest.approx(min(1, (windows + 1) * outflow / 100))
    assert (loot.struck, loot.cost) == (True, 0)


def test_nothing_leaves_once_the_false_root_is_struck_and_a_right_one_still_pays() -> None:
    thief = Thief(10)
    thief.publish()
    thief.activate()
    thief.claim(ETH)
    assert thief.strike()
    thief.world.time += WINDOW
    with refused("NotInTheRoot"):
        thief.c.pool("claim", thief.name, ETH, theft.POOL, thief.tree.proof(0))
    thief.c.owe(VICTIM, ETH, UNIT)
    thief.c.pool("claim", VICTIM, ETH, UNIT, thief.c.proof(VICTIM, ETH))
    assert thief.c.pool("claimed", VICTIM, ETH) == UNIT


def test_a_thief_whom_the_guardian_sees_gets_nothing_and_loses_his_bond() -> None:
    loot = watch(himself=False)
    assert (loot.pool, loot.coin, loot.cost) == (0, 0, BOND)


def test_a_thief_who_disputes_himself_loses_half_a_bond_to_the_pool() -> None:
    """So a false root costs something, whoever is the first to dispute it."""
    loot = watch(himself=True)
    assert (loot.pool, loot.coin, loot.cost) == (0, 0, BOND // 2)


def test_coin_that_a_thief_is_minted_can_end_the_guardian_s_power() -> None:
    """Let more coin leave in a window than ends the guardian's power, and he must not sleep."""
    assert not sleep(10, 0, guarded=10).struck
    assert sleep(10, 0, guarded=11).struck
    assert not sleep(10, 1, guarded=20).struck


def test_inflating_the_peak_gains_a_thief_nothing() -> None:
    """With money of his own he raises what may leave; he gets no more than his own back sooner."""
    plain, rich = Thief(10), Thief(10)
    rich.c.pool("fund", ETH, theft.POOL, by=rich.c.rich(60), value=theft.POOL)
    gains = []
    for thief, spent in ((plain, 0), (rich, theft.POOL)):
        thief.publish()
        thief.activate()
        thief.claim(ETH)
        gains.append(int(thief.c.pool("claimed", thief.name, ETH)) - spent)
    assert gains[1] < gains[0] == theft.POOL // 10


def test_a_griefer_opens_a_window_early_and_delays_money_by_one_window_at_most() -> None:
    c = Deployed(outflow=PARTS // 2, bond=BOND)
    c.world.give(THIEF, 100)
    c.pool("fund", ETH, 100, by=THIEF, value=100)
    c.owe(THIEF, ETH, 1)
    c.owe(VICTIM, ETH, 1_000)
    c.pool("claim", THIEF, ETH, 1, c.proof(THIEF, ETH))
    c.pool("fund", ETH, 10_000, by=c.rich(60), value=10_000)
    assert c.pool("claim", VICTIM, ETH, 1_000, c.proof(VICTIM, ETH)) == 49
    c.world.time += WINDOW
    assert c.pool("claim", VICTIM, ETH, 1_000, c.proof(VICTIM, ETH)) == 951


# --- guardians ------------------------------------------------------------------------------------


def test_a_guardian_who_vetoes_everything_delays_until_his_term_ends_and_no_longer() -> None:
    c = Deployed(guardianTerm=1_800_000_000 + 20 * DAY)
    c.pool("fund", ETH, UNIT, by=c.rich(60), value=UNIT)
    tree = Tree([Leaf(VICTIM, ETH, UNIT)])
    publisher, vetoes = c.rich(61), 0
    while c.pool("guarded"):
        c.pool("publish", 1, bytes(32), tree.root, by=publisher, value=BOND)
        c.world.time += WINDOW - 1
        if c.pool("guarded"):
            c.pool("veto", 1, by=GUARDIAN)
            vetoes += 1
    with refused("MayNotVeto", GUARDIAN):
        c.pool("veto", 1, by=GUARDIAN)
    c.world.time += 1
    c.pool("activate", 1)
    c.pool("claim", VICTIM, ETH, UNIT, [])
    assert vetoes == 2
    assert c.pool("claimed", VICTIM, ETH) == UNIT


def test_a_guardian_with_an_accomplice_takes_half_publishers_bonds_and_nothing_of_the_pool() -> (
    None
):
    """Half a bond for each right root, half to the pool: whoever publishes next must trust the
    guardian that far."""
    c = Deployed()
    c.pool("fund", ETH, UNIT, by=c.rich(60), value=UNIT)
    publisher, accomplice = c.rich(61), c.rich(62, BOND)
    c.pool("publish", 1, bytes(32), b"\x01" * 32, by=publisher, value=BOND)
    c.pool("dispute", 1, by=accomplice, value=BOND)
    c.pool("veto", 1, by=GUARDIAN)
    assert c.world.balance(accomplice) == BOND + BOND // 2
    assert c.world.balance(c.pool.address) == UNIT + BOND // 2


# --- proofs and sizes -----------------------------------------------------------------------------


def test_false_roots_of_the_greatest_size_lock_nothing() -> None:
    thief = Thief(100)
    thief.publish()
    thief.activate()
    assert thief.strike()
    c = thief.c
    c.pool("publish", LAST_SIZE, bytes(32), b"\x01" * 32, by=c.rich(52), value=BOND)
    c.owe(VICTIM, ETH, theft.POOL)
    c.pool("claim", VICTIM, ETH, theft.POOL, c.proof(VICTIM, ETH))
    assert c.pool("leaving", ETH) == 0


def test_the_same_leaf_in_many_roots_pays_once() -> None:
    c = Deployed()
    c.pool("fund", ETH, 3 * UNIT, by=c.rich(60), value=3 * UNIT)
    for _ in range(3):
        c.owe(VICTIM, ETH, UNIT)
        if not c.pool("claimed", VICTIM, ETH):
            c.pool("claim", VICTIM, ETH, UNIT, c.proof(VICTIM, ETH))
        with refused("NothingToClaim", VICTIM, ETH, UNIT):
            c.pool("claim", VICTIM, ETH, UNIT, c.proof(VICTIM, ETH))
    assert c.world.balance(c.pool.address) == 2 * UNIT


def test_a_proof_for_another_account_asset_or_amount_proves_nothing() -> None:
    c = Deployed()
    c.pool("fund", ETH, UNIT, by=c.rich(60), value=UNIT)
    c.owe(VICTIM, ETH, UNIT)
    proof = c.proof(VICTIM, ETH)
    for leaf in ((THIEF, ETH, UNIT), (VICTIM, c.coin, UNIT), (VICTIM, ETH, UNIT + 1)):
        with refused("NotInTheRoot"):
            c.pool("claim", *leaf, proof)


def test_stakes_and_losses_are_never_paid_by_the_pool_nor_payments_by_the_stake() -> None:
    """The flipped address is nobody's: a leaf under it moves a stake to the pool, and no more."""
    c = Deployed()
    lost = f"0x{int(c.stake.address, 16) ^ 1:040x}"
    c.pool("fund", ETH, UNIT, by=c.rich(60), value=UNIT)
    c.stake("deposit", VICTIM, 100, by=c.rich(61), value=100)
    for asset in (c.stake.address, lost):
        c.owe(VICTIM, asset, 100)
        with refused(""):
            c.pool("claim", VICTIM, asset, 100, c.proof(VICTIM, asset))
    with refused("NotInTheRoot"):
        c.stake("release", VICTIM, 100, c.proof(VICTIM, lost))
    c.stake("slash", VICTIM, 100, c.proof(VICTIM, lost))
    assert c.world.balance(c.pool.address) == UNIT + 100
    assert c.world.balance(VICTIM) == 0


def test_a_root_for_one_challenge_is_worth_nothing_in_another_of_the_same_terms() -> None:
    """Leaves name no pool: what keeps challenges apart is that each has roots of its own."""
    one = Deployed()
    one.pool("fund", ETH, UNIT, by=one.rich(60), value=UNIT)
    one.owe(VICTIM, ETH, UNIT)
    addresses = one.factory("deploy", b"\x07" * 32, one.config)
    other = one.world.at("PrizePool", addresses[0])
    other("fund", ETH, UNIT, by=account(60), value=UNIT)
    with refused("NotInTheRoot"):
        other("claim", VICTIM, ETH, UNIT, one.proof(VICTIM, ETH))


@pytest.mark.parametrize("amount", [2**104 - 1, 2**104, 2**112, 2**128 - 1, 2**128, 2**256 - 1])
def test_amounts_at_the_limits_of_packing_pay_what_there_is(amount: int) -> None:
    c = Deployed()
    c.pool("fund", ETH, 5, by=c.rich(60), value=5)
    c.owe(VICTIM, ETH, amount)
    assert c.pool("claim", VICTIM, ETH, amount, c.proof(VICTIM, ETH)) == 5
    c.owe(VICTIM, c.coin.address, amount)
    paid = c.pool("claim", VICTIM, c.coin, amount, c.proof(VICTIM, c.coin.address))
    assert paid == min(amount, CAP) == c.coin("totalSupply")


# --- running ahead --------------------------------------------------------------------------------


def test_who_runs_ahead_of_an_activation_or_a_claim_only_pays_its_gas() -> None:
    c = Deployed()
    c.pool("fund", ETH, UNIT, by=c.rich(60), value=UNIT)
    publisher = c.rich(61, BOND)
    tree = Tree([Leaf(VICTIM, ETH, UNIT)])
    c.pool("publish", 1, bytes(32), tree.root, by=publisher, value=BOND)
    c.world.time += WINDOW
    c.pool("activate", 1, by=THIEF)
    c.pool("claim", VICTIM, ETH, UNIT, [], by=THIEF)
    assert [c.world.balance(who) for who in (publisher, VICTIM, THIEF)] == [BOND, UNIT, 0]


def test_who_runs_ahead_of_a_publication_occupies_one_size_and_not_the_next() -> None:
    c = Deployed()
    c.pool("publish", 10, bytes(32), b"\x01" * 32, by=c.rich(50), value=BOND)
    honest = c.rich(51)
    with refused("AlreadyPending"):
        c.pool("publish", 10, bytes(32), b"\x02" * 32, by=honest, value=BOND)
    c.pool("publish", 11, bytes(32), b"\x02" * 32, by=honest, value=BOND)
    c.world.time += WINDOW
    c.pool("activate", 11, by=honest)
    with refused("StaleSize", 10, 11):
        c.pool("activate", 10)


def test_who_deploys_a_challenge_first_deploys_the_right_one_or_another() -> None:
    c = Deployed()
    with refused("AlreadyDeployed"):
        c.factory("deploy", b"\x00" * 32, c.config)
        c.factory("deploy", b"\x00" * 32, c.config, by=THIEF)
    crooked = c.factory("deploy", b"\x00" * 32, c.config | {"guardian": THIEF}, by=THIEF)
    assert set(crooked).isdisjoint(c.factory("predict", b"\x00" * 32, c.config))


# --- blocking -------------------------------------------------------------------------------------


def test_a_chain_of_garbage_holds_payouts_up_at_one_bond_for_each_patience() -> None:
    """Entries that no log can take, each due as the one before stops to count; nobody dismisses."""
    c = Deployed(guardianTerm=0, bond=BOND)
    griefer, tree, entries = c.rich(50), Tree([Leaf(VICTIM, ETH, 5 * BOND)]), 5
    uptake, patience = c.config["uptake"], c.config["patience"]
    c.pool("publish", 1, bytes(32), tree.root, by=c.rich(60), value=BOND)
    begin = c.world.time + WINDOW
    due = [begin + n * patience - 1 for n in range(entries)]
    handed_in = [(at - uptake, b"garbage %d" % n) for n, at in enumerate(due)]
    asked = [(at + late, b"") for at in due for late in (1, patience)]
    for time, entry in sorted(handed_in + asked):
        c.world.time = time
        if entry:
            c.anchor("submit", entry, by=griefer, value=BOND)
        else:
            with refused("EntryOverdue"):
                c.pool("activate", 1)
    c.world.time = begin + entries * patience
    c.anchor("settle", entries)
    c.pool("activate", 1)
    c.pool("claim", VICTIM, ETH, entries * BOND, [], by=DEPLOYER)
    assert c.world.balance(VICTIM) == entries * BOND
