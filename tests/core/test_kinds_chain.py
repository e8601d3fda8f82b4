"""What contracts did enters the log without gaps, and whatever the chain says can be booked."""

from __future__ import annotations

from typing import Any

import pytest

from danseo.core import onchain, treasury
from danseo.core.booking import read_decision
from danseo.core.entry import Entry
from danseo.core.errors import Conflict, Malformed, NotAllowed, NotFound, OutOfOrder, WrongPhase
from danseo.core.onchain import Onchain
from tests.core.ledger import (
    BOND,
    DOLLAR,
    ETH,
    ETHER,
    INK,
    PRIZE,
    REVEAL,
    STAKE,
    USDC,
    CoinLedger,
    Ledger,
    address,
    digest,
)  # fmt: skip


@pytest.fixture
def ledger() -> CoinLedger:
    ledger = CoinLedger()
    ledger.open_challenge()
    return ledger


def record(ledger: CoinLedger) -> Onchain:
    found = ledger.challenge().onchain
    assert found is not None
    return found


# --- attach ---------------------------------------------------------------------------------------


def test_contracts_are_attached_once(ledger: CoinLedger) -> None:
    ledger.refuses(Conflict, ledger.part("pool"), ledger.attachment())


def test_only_a_challenge_with_a_coin_has_contracts() -> None:
    ledger = Ledger()
    ledger.open_challenge()
    body = {p: address(p) for p in ("factory", "pool", "coin", "governor", "timelock", "anchor")}
    body["stake"] = address("stake contract")
    ledger.refuses_to(
        WrongPhase, "no coin", "stranger", "chain.attach", "ink",
        chain_id=1, block=1, tx=digest("tx"), **body,
    )  # fmt: skip


def test_two_contracts_have_two_addresses_and_two_challenges_two_pools() -> None:
    ledger = CoinLedger()
    ledger.draft()
    ledger.draft("ink-2", remainder="donors")
    other = CoinLedger()
    other.open_challenge()
    other.state.challenges["ink"].onchain = None
    twice = other.attachment(coin=other.part("pool"))
    other.refuses(Conflict, other.part("pool"), twice)
    ledger.state.challenges["ink-2"].onchain = None
    ledger.refuses(Conflict, "pool of ink", ledger.attachment("ink-2", pool=ledger.part("pool")))


def test_what_is_over_needs_no_contracts(ledger: CoinLedger) -> None:
    ledger.say("organiser", "challenge.cancel", "ink", reason=digest("why"))
    ledger.challenge().onchain = None
    ledger.refuses(WrongPhase, "cancelled", ledger.attachment())


# --- reports follow one another -------------------------------------------------------------------


def test_a_report_needs_contracts() -> None:
    ledger = CoinLedger()
    ledger.open_challenge()
    ledger.challenge().onchain = None
    ledger.refuses(NotFound, "no contracts", ledger.reporting())


@pytest.mark.parametrize("shift", [-1, 1])
def test_reports_have_no_gaps_and_do_not_overlap(ledger: CoinLedger, shift: int) -> None:
    begins = record(ledger).block + shift
    entry = ledger.reporting(from_block=begins, to_block=begins + 5)
    ledger.refuses(OutOfOrder, begins, entry)


def test_a_report_does_not_end_before_it_begins(ledger: CoinLedger) -> None:
    ledger.refuses(OutOfOrder, "to", ledger.reporting(to_block=record(ledger).block - 1))


def fact(block: int, position: int, **more: Any) -> dict[str, Any]:
    return {"block": block, "tx": digest("tx"), "position": position, "what": "unlocked", **more}


@pytest.mark.parametrize(
    "places", [[(0, 5), (0, 5)], [(0, 5), (0, 4)], [(1, 0), (0, 9)], [(4, 0)], [(-1, 0)]]
)
def test_facts_are_in_order_and_inside_the_range(
    ledger: CoinLedger, places: list[tuple[int, int]]
) -> None:
    begins = record(ledger).block
    facts = [fact(begins + b, p) for b, p in places]
    entry = ledger.reporting(facts=facts, to_block=begins + 3)
    ledger.refuses(OutOfOrder, "Fact", entry)


@pytest.mark.parametrize(
    "what", ["received", "paid", "published", "vetoed", "deposited", "anchored"]
)
def test_a_fact_says_what_its_event_says(ledger: CoinLedger, what: str) -> None:
    begins = record(ledger).block
    entry = ledger.reporting(facts=[fact(begins, 0, what=what)], to_block=begins)
    ledger.refuses(Malformed, what, entry)


def test_a_complete_report_says_what_is_held_of_every_listed_asset(ledger: CoinLedger) -> None:
    entry = ledger.reporting()
    ledger.refuses(Malformed, "what is held", ledger.reporting(holdings=entry.body["holdings"][:1]))
    ledger.refuses(Malformed, "what is held", ledger.reporting(complete=False, facts=[]))


def test_a_report_that_breaks_off_is_carried_on_in_the_same_block(ledger: CoinLedger) -> None:
    begins = record(ledger).block

    def some(*positions: int, **more: Any) -> Entry:
        facts = [fact(begins + 1, p) for p in positions]
        whole = {"facts": facts, "to_block": begins + 1, "holdings": [], "complete": False}
        return ledger.reporting(**{**whole, **more})

    ledger.refuses(Malformed, "breaks off", some())
    ledger.refuses(Malformed, "breaks off", some(0, 1, to_block=begins + 2))
    ledger.append(some(0, 1))
    assert (record(ledger).block, record(ledger).position) == (begins + 1, 1)
    assert record(ledger).complete == begins - 1
    ledger.refuses(OutOfOrder, "Fact 0", some(1, 2, from_block=begins + 1))
    ledger.append(some(2, from_block=begins + 1))
    ledger.append(ledger.reporting(facts=[], to_block=begins + 1))
    assert (record(ledger).block, record(ledger).complete) == (begins + 2, begins + 1)
    ledger.audit()


# --- money ----------------------------------------------------------------------------------------


def test_what_the_chain_received_is_booked_to_its_donor(ledger: CoinLedger) -> None:
    ledger.fund("donor-2", 7)
    ledger.fund("donor-2", 5 * 10**6, asset=USDC)
    assert ledger.challenge().received == {ETH: PRIZE + 7, USDC: 5 * 10**6}
    gifts = [(f.donor, f.asset, f.amount) for f in ledger.challenge().funds]
    assert gifts[1:] == [
        (address("donor-2"), ETH, 7),
        (address("donor-2"), USDC, 5 * 10**6),
    ]
    ledger.audit()


def test_nobody_attests_what_the_chain_says(ledger: CoinLedger) -> None:
    for asset in (ETH, USDC, INK):
        for what in ("fund", "deposit", "withdraw", "pay"):
            who = "donor" if what == "fund" else "account"
            to = {"to": address("a")} if what == "pay" else {}
            ledger.refuses_to(
                NotAllowed, asset, "organiser", f"money.{what}", "ink",
                asset=asset, amount="1", evidence="", **{who: address("a")}, **to,
            )  # fmt: skip
    Ledger.fund(ledger, "donor-1", 10_000, asset="KRW")
    assert ledger.challenge().received["KRW"] == 10_000


def test_a_bond_is_put_down_on_chain_and_nowhere_else(ledger: CoinLedger) -> None:
    ledger.deposit("contributor-1", BOND)
    clue = ledger.commit("contributor-1")
    assert treasury.balance(ledger.challenge(), address("contributor-1"), ETH) == 0
    ledger.reveal("contributor-1", clue)
    assert treasury.balance(ledger.challenge(), address("contributor-1"), ETH) == BOND
    ledger.audit()


def test_a_surplus_is_received_from_nobody_and_a_shortfall_is_lost(ledger: CoinLedger) -> None:
    ledger.held["ink"][ETH] += 500
    ledger.report()
    assert ledger.challenge().received[ETH] == PRIZE + 500
    assert len(ledger.challenge().funds) == 1
    ledger.report()
    assert ledger.challenge().received[ETH] == PRIZE + 500, "it is booked once"
    ledger.audit()
    ledger.held["ink"][ETH] -= 600
    ledger.report()
    assert ledger.challenge().received[ETH] == PRIZE - 100
    treasury.audit(ledger.challenge())
    assert onchain.faults(ledger.challenge()) == [
        "The pool lacks 0.0000000000000001 ETH that its events say it holds."
    ]


def test_a_bond_of_whoever_published_a_false_root_is_nobodys_gift(ledger: CoinLedger) -> None:
    ledger.happen("received", account=ledger.part("pool"), asset=ETH, amount=9)
    ledger.report()
    assert ledger.challenge().received[ETH] == PRIZE + 9
    assert len(ledger.challenge().funds) == 1
    ledger.audit()


def test_a_lost_bond_is_payable_once_it_has_come_from_the_stake_contract(
    ledger: CoinLedger,
) -> None:
    ledger.commit("contributor-2")
    ledger.wait(REVEAL)
    found = ledger.challenge()
    assert found.received[ETH] == PRIZE + BOND
    assert treasury.available(found, ETH) == PRIZE
    size = ledger.declare()
    lost = onchain.lost_asset(ledger.part("stake"))
    assert (address("contributor-2"), lost, BOND) in onchain.leaves_at(found, size)
    ledger.claim_all(size)
    assert treasury.available(found, ETH) == PRIZE + BOND
    assert len(found.funds) == 1, "nobody gave it"
    ledger.audit()


def test_what_the_dao_takes_of_a_stake_is_booked_without_a_leaf(ledger: CoinLedger) -> None:
    stake = ledger.part("stake")
    ledger.deposit("contributor-1", 300)
    ledger.happen("slashed", account=address("contributor-1"), amount=120)
    ledger.happen("received", account=stake, asset=ETH, amount=120)
    ledger.report()
    found = ledger.challenge()
    assert treasury.balance(found, address("contributor-1"), ETH) == 180
    assert treasury.available(found, ETH) == PRIZE + 120
    size = ledger.declare()
    lost = onchain.lost_asset(stake)
    assert (address("contributor-1"), lost, 120) in onchain.leaves_at(found, size)
    ledger.audit()


def test_what_is_leaving_the_stake_contract_cannot_be_put_down(ledger: CoinLedger) -> None:
    who = address("contributor-1")
    ledger.deposit("contributor-1", 300)
    ledger.happen("exiting", account=who, amount=250)
    ledger.report()
    assert treasury.balance(ledger.challenge(), who, ETH) == 50
    ledger.happen("exiting", account=who, amount=100)
    ledger.report()
    assert treasury.balance(ledger.challenge(), who, ETH) == 200, "asking again replaces"
    ledger.happen("withdrawn", account=who, amount=100)
    ledger.report()
    assert treasury.balance(ledger.challenge(), who, ETH) == 200
    ledger.audit()


def test_whoever_leaves_with_a_locked_bond_owes_it(ledger: CoinLedger) -> None:
    who = address("contributor-1")
    clue = ledger.commit("contributor-1")
    ledger.happen("exiting", account=who, amount=BOND)
    ledger.happen("withdrawn", account=who, amount=BOND)
    ledger.report()
    books = ledger.challenge().books
    assert books.balance(ETH, f"free:{who}") == -BOND
    assert treasury.balance(ledger.challenge(), who, ETH) == 0
    ledger.reveal("contributor-1", clue)
    assert books.balance(ETH, f"free:{who}") == 0
    ledger.audit()


def test_a_deposit_for_a_key_that_was_rotated_away_bonds_nobody(ledger: CoinLedger) -> None:
    ledger.say("contributor-1", "key.next", next=address("new key"))
    ledger.wait(30 * 86_400)
    before = treasury.balance(ledger.challenge(), address("contributor-1"), ETH)
    ledger.deposit("new key", 77)
    assert treasury.balance(ledger.challenge(), address("contributor-1"), ETH) == before


def test_a_claim_beyond_what_was_declared_is_booked_and_told(ledger: CoinLedger) -> None:
    ledger.happen("paid", account=address("thief"), asset=ETH, amount=1_000)
    ledger.report()
    treasury.audit(ledger.challenge())
    (said,) = onchain.faults(ledger.challenge())
    assert address("thief") in said
    assert "false root" in said


def test_coin_that_nobody_claimed_and_a_stake_that_lacks_are_told(ledger: CoinLedger) -> None:
    ledger.minted["ink"] = 5
    ledger.staked["ink"] -= 1
    ledger.report()
    minted, stake = onchain.faults(ledger.challenge())
    assert "5 of the coin exist" in minted
    assert "stake contract lacks" in stake


def test_huge_amounts_and_odd_facts_can_be_booked(ledger: CoinLedger) -> None:
    whale, name = address("whale"), digest("an entry")
    ledger.happen("received", account=whale, asset=USDC, amount=2**256 - 1)
    ledger.happen("received", account=whale, asset="ODD:9", amount=3)
    ledger.happen("paid", account=whale, asset="ODD:9", amount=4)
    ledger.happen("vetoed", size=99)
    ledger.happen("activated", size=98)
    ledger.happen("included", root=name)
    ledger.happen("decided")
    ledger.happen("decided", text="\x00 \U0001f4dc " * 900)
    ledger.report()
    treasury.audit(ledger.challenge())
    assert ledger.challenge().received[USDC] == 2**256 - 1


def test_roots_submissions_and_anchors_are_kept(ledger: CoinLedger) -> None:
    size, publisher = 40, address("publisher")
    for root in ("first", "second"):
        ledger.happen(
            "published", account=publisher, size=size, root=digest(root), log_root=digest("log")
        )
        if root == "first":
            ledger.happen("disputed", account=address("stranger"), size=size)
            ledger.happen("vetoed", size=size)
    ledger.happen("activated", size=size)
    ledger.happen("anchored", size=size, log_root=digest("log"))
    ledger.happen("submitted", account=address("stranger"), root=digest("an entry"))
    ledger.happen("unlocked")
    ledger.report()
    found = record(ledger)
    assert [r.status for r in found.roots] == ["vetoed", "activated"]
    standing = found.root()
    assert standing is not None
    assert (standing.size, standing.root, standing.publisher) == (size, digest("second"), publisher)
    assert (found.anchored, found.anchored_root) == (size, digest("log"))
    assert found.submitted == {digest("an entry"): "submitted"}
    assert found.unlocked


# --- decisions ------------------------------------------------------------------------------------

CURVE = '{"next":{"curve":[{"score":500000000,"units":0},{"score":900000000,"units":800000000}]}}'


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "7", '"next"', '{"next":7}', '{"next":{"curve":7}}', '{"next": {}}',
        '{"next":{"curve":[{"score":1}]}}', '{"next":{"curve":[{"score":"a","units":0}]}}',
        '{"next":{"curve":[{"score":500000000,"units":9},{"score":1,"units":0}]}}',
        '{"next":{"scorer":7}}', '{"next":{"scorers":[7]}}', '{"next":{"scorers":["0x1"]}}',
        '{"next":{"scorers":[{}]}}', '{"dispute":"7","uphold":true}', '{"dispute":7,"uphold":1}',
        "[" * 400, "\x00", "9" * 5_000,
    ],
)  # fmt: skip
def test_words_that_cannot_be_read_are_kept_and_bind_nobody(text: str) -> None:
    found = read_decision(7, text, 10_000_000, higher=True)
    assert (found.index, found.text) == (7, text)
    assert (found.curve, found.scorer, found.scorers, found.dispute) == ((), "", (), -1)


def test_a_decision_says_what_binds_the_next_round() -> None:
    found = read_decision(7, CURVE, 10_000_000, higher=True)
    assert found.curve == ((500_000_000, 0), (900_000_000, 800_000_000))
    found = read_decision(7, '{"dispute":9,"uphold":true}', 10_000_000, higher=True)
    assert (found.dispute, found.uphold) == (9, True)


def test_the_round_that_follows_is_opened_as_the_dao_decided(ledger: CoinLedger) -> None:
    for text in (
        '{"next":{"scorer":"auc-1"}}',
        CURVE.replace("900000000", "800000000", 1),
        CURVE.replace("900000000", "950000000", 1),
        '{"next":{"scorers":["' + address("scorer-2") + '","' + address("scorer-1") + '"]}}',
        '{"next":{"curve":"nonsense"}}',
    ):
        ledger.happen("decided", text=text)
    index = ledger.report()

    def open_next(**changes: Any) -> Entry:
        from tests.core.ledger import coin, terms

        bond = {"asset": ETH, "amount": "1"}
        usual = {"coin": coin(), "bond": bond, "stake": bond, "follows": "ink"}
        return ledger.entry(
            "organiser", "challenge.open", "ink-2", terms=terms(**{**usual, **changes})
        )

    right = [{"score": 500_000_000, "units": 0}, {"score": 950_000_000, "units": 800_000_000}]
    ledger.refuses(Conflict, "terms.scorer is fbeta-1", open_next())
    wrong = open_next(scorer="auc-1")
    found = ledger.refuses(Conflict, "terms.curve", wrong)
    assert f"entry {index}" in found.message
    ledger.refuses(NotFound, "ink-0", open_next(follows="ink-0"))
    ledger.append(open_next(scorer="auc-1", curve=right))


def test_the_tokens_of_the_tests_are_what_the_terms_list(ledger: CoinLedger) -> None:
    tokens = [onchain.token_of(ledger.challenge(), asset) for asset in (ETH, USDC, INK, "KRW")]
    assert tokens == [ETHER, DOLLAR, ledger.part("coin"), ""]
    assert treasury.staked(ledger.challenge(), address("scorer-1")) == STAKE
