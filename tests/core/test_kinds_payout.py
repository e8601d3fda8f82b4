"""What is declared payable, what is held back, and what comes out of stakes: leaf by leaf."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from danseo.core import onchain, treasury
from danseo.core.coin import CAP, UNIT
from danseo.core.errors import Conflict, Malformed, NotAllowed, NotCovered, NotFound, WrongPhase
from danseo.core.onchain import Onchain
from tests.core.ledger import (
    BASELINE,
    BOND,
    DAY,
    ETA,
    ETH,
    ETHER,
    INK,
    PRIZE,
    REVEAL,
    SCORERS,
    SILENCE,
    STAKE,
    TRUTH,
    USDC,
    CoinLedger,
    Ledger,
    address,
    coin,
    digest,
    site_person,
    terms,
)

ADVANCE = 3
"""Tenths that are payable before settlement."""


@pytest.fixture
def ledger() -> CoinLedger:
    ledger = CoinLedger()
    ledger.open_challenge()
    return ledger


def record(ledger: CoinLedger, name: str = "ink") -> Onchain:
    found = ledger.challenge(name).onchain
    assert found is not None
    return found


def open_later() -> dict[str, Any]:
    """Return the terms of a round after this one."""
    money = {"asset": ETH, "amount": str(BOND)}
    return terms(coin=coin(exits_from=4 * SILENCE), bond=money, stake=money, deadline=2 * SILENCE)


def leaf(ledger: CoinLedger, size: int, who: str, token: str) -> int:
    """Return what a payout holds for an address."""
    leaves = onchain.leaves_at(ledger.challenge(), size)
    return sum(total for a, t, total in leaves if (a, t) == (address(who), token))


# --- declare --------------------------------------------------------------------------------------


def test_only_the_advance_is_declared_before_settlement_the_coin_included(
    ledger: CoinLedger,
) -> None:
    clue = ledger.step("contributor-1", 600_000_000)
    size = ledger.declare()
    ink = ledger.part("coin")
    assert leaf(ledger, size, "contributor-1", ETHER) == PRIZE * 20 // 100 * ADVANCE // 10
    assert leaf(ledger, size, "contributor-1", ink) == 200_000_000 * UNIT * ADVANCE // 10
    ledger.settle({clue: 600_000_000})
    after = ledger.declare()
    assert leaf(ledger, after, "contributor-1", ETHER) == PRIZE * 20 // 100
    assert leaf(ledger, after, "contributor-1", ink) == 200_000_000 * UNIT
    assert leaf(ledger, size, "contributor-1", ETHER) < PRIZE * 20 // 100, "the past stands"
    ledger.claim_all(after)
    ledger.audit()


def test_nothing_new_is_not_declared_and_what_comes_in_is(ledger: CoinLedger) -> None:
    ledger.refuses_to(NotCovered, "nothing new", "stranger", "payout.declare", "ink")
    ledger.step("contributor-1", 600_000_000)
    ledger.declare()
    ledger.refuses_to(NotCovered, "nothing new", "stranger", "payout.declare", "ink")
    ledger.fund("donor-2", 1_000, asset=USDC)
    ledger.declare()
    ledger.audit()


def test_a_challenge_without_contracts_declares_nothing() -> None:
    ledger = Ledger()
    ledger.open_challenge()
    ledger.step("contributor-1", 600_000_000)
    ledger.refuses_to(WrongPhase, "no contracts", "stranger", "payout.declare", "ink")


def test_leaves_are_by_address_and_only_ever_grow(ledger: CoinLedger) -> None:
    clue = ledger.step("contributor-1", 600_000_000)
    ledger.say("contributor-2", "key.payout", to=address("contributor-1"))
    other = ledger.step("contributor-2", 700_000_000)
    first = ledger.declare()
    ledger.say("contributor-1", "key.payout", to=address("wallet"))
    ledger.settle({clue: 600_000_000, other: 700_000_000})
    second = ledger.declare()
    before = {(a, t): n for a, t, n in onchain.leaves_at(ledger.challenge(), first)}
    after = {(a, t): n for a, t, n in onchain.leaves_at(ledger.challenge(), second)}
    assert all(after[key] >= n for key, n in before.items())
    paid = ledger.challenge().books.total(ETH, "paid")
    assert sum(n for (_, t), n in after.items() if t == ETHER) == paid
    assert after[address("wallet"), ETHER] > 0
    found = onchain.leaves_at(ledger.challenge(), second)
    assert found == sorted(found)


def test_no_payout_has_a_size_that_nobody_declared(ledger: CoinLedger) -> None:
    with pytest.raises(NotFound, match="size 9"):
        onchain.leaves_at(ledger.challenge(), 9)


def test_whoever_has_no_address_waits_and_misses_nothing(ledger: CoinLedger) -> None:
    someone = site_person("someone")
    ledger.step("contributor-1", 600_000_000, payees=[("contributor-1", 1), (someone, 1)])
    ledger.declare()
    assert ledger.owed(someone).paid == 0
    assert ledger.owed(someone).payable == PRIZE * 10 // 100 * ADVANCE // 10
    ledger.say(someone, "key.offer", address=address("new wallet"))
    ledger.say("new wallet", "key.adopt", person=someone)
    ledger.wait(8 * DAY)
    due = ledger.owed(someone).payable
    assert leaf(ledger, ledger.declare(), "new wallet", ETHER) == due == PRIZE * 10 // 100


def test_no_more_coin_is_declared_than_the_cap_whatever_was_minted_too_much() -> None:
    ledger = CoinLedger()
    ledger.open_challenge(advance=10**9, method_above=10**9)
    false = ledger.step("cheat-1", 890_000_000)
    ledger.claim_all(ledger.declare())
    right = ledger.step("contributor-1", 900_000_000)
    ledger.settle({false: 500_000_000, right: 900_000_000})
    due = ledger.owed("contributor-1", asset=INK)
    minted = ledger.owed("cheat-1", asset=INK).paid
    assert due.entitled == 800_000_000 * UNIT > CAP - minted
    assert due.payable == CAP - minted
    ledger.claim_all(ledger.declare())
    assert ledger.minted["ink"] == CAP
    ledger.audit()


# --- holds ----------------------------------------------------------------------------------------


def hold_body(who: str = "contributor-1") -> dict[str, str]:
    return {"account": address(who), "reason": digest("why"), "evidence": digest("salted")}


def test_what_is_held_is_not_declared_but_stays_covered(ledger: CoinLedger) -> None:
    ledger.step("contributor-1", 600_000_000)
    ledger.step("contributor-2", 700_000_000)
    ledger.say("organiser", "payout.hold", "ink", **hold_body())
    size = ledger.declare()
    assert leaf(ledger, size, "contributor-1", ETHER) == 0
    assert leaf(ledger, size, "contributor-2", ETHER) > 0
    assert ledger.owed("contributor-1").payable > 0
    ledger.audit()
    ledger.say(
        "organiser", "payout.free", "ink",
        account=address("contributor-1"), evidence=digest("done"),
    )  # fmt: skip
    due = ledger.owed("contributor-1").payable
    assert leaf(ledger, ledger.declare(), "contributor-1", ETHER) == due


def test_a_hold_ends_by_itself_and_is_not_renewed(ledger: CoinLedger) -> None:
    ledger.step("contributor-1", 600_000_000)
    since = ledger.say("organiser", "payout.hold", "ink", **hold_body())
    ledger.refuses_to(NotCovered, "nothing new", "stranger", "payout.declare", "ink")
    ledger.wait(coin()["hold"] - 1)
    ledger.refuses_to(Conflict, since, "organiser", "payout.hold", "ink", **hold_body())
    ledger.wait(1)
    ledger.refuses_to(Conflict, since, "organiser", "payout.hold", "ink", **hold_body())
    ledger.refuses_to(
        WrongPhase, "ended", "organiser", "payout.free", "ink",
        account=address("contributor-1"), evidence=digest("done"),
    )  # fmt: skip
    ledger.declare()


def test_only_the_organiser_holds_and_frees(ledger: CoinLedger) -> None:
    ledger.refuses_to(NotAllowed, "scorer-1"[:0], "scorer-1", "payout.hold", "ink", **hold_body())
    free = {"account": address("contributor-1"), "evidence": digest("done")}
    ledger.refuses_to(NotAllowed, "does not organise", "a", "payout.free", "ink", **free)
    ledger.refuses_to(NotFound, "not held", "organiser", "payout.free", "ink", **free)
    plain = Ledger()
    plain.open_challenge()
    plain.refuses_to(WrongPhase, "hand", "organiser", "payout.hold", "ink", **hold_body())


# --- stakes ---------------------------------------------------------------------------------------


def test_a_deposit_comes_out_by_the_next_payout(ledger: CoinLedger) -> None:
    ledger.deposit("contributor-1", 300)
    clue = ledger.commit("contributor-1")
    take = {"asset": ETH, "amount": "201"}
    ledger.refuses_to(NotCovered, "ETH", "contributor-1", "stake.release", "ink", **take)
    ledger.reveal("contributor-1", clue)
    ledger.say("contributor-1", "stake.release", "ink", **take)
    assert treasury.balance(ledger.challenge(), address("contributor-1"), ETH) == 99
    size = ledger.declare()
    assert leaf(ledger, size, "contributor-1", ledger.part("stake")) == 201
    ledger.claim_all(size)
    ledger.audit()


def test_what_left_without_the_log_counts_in_the_leaf(ledger: CoinLedger) -> None:
    """The stake contract's totals count withdrawals, and so must the leaf."""
    who = address("contributor-1")
    ledger.deposit("contributor-1", 300)
    ledger.say("contributor-1", "stake.release", "ink", asset=ETH, amount="100")
    ledger.happen("withdrawn", account=who, amount=250)
    ledger.report()
    books = ledger.challenge().books
    assert books.balance(ETH, f"free:{who}") == 0
    assert books.balance(ETH, f"released:{who}") == 50
    size = ledger.declare()
    assert leaf(ledger, size, "contributor-1", ledger.part("stake")) == 300
    ledger.claim_all(size)
    ledger.audit()


def test_a_release_names_an_amount_of_what_the_contract_holds(ledger: CoinLedger) -> None:
    def refuse(error: Any, names: str, **body: str) -> None:
        ledger.refuses_to(error, names, "scorer-1", "stake.release", "ink", **body)

    refuse(Malformed, "amount is 0", asset=ETH, amount="0")
    refuse(NotFound, USDC, asset=USDC, amount="1")
    refuse(NotCovered, "0 ETH", asset=ETH, amount="1")
    plain = Ledger()
    plain.open_challenge()
    plain.refuses_to(
        WrongPhase, "no contracts", "a", "stake.release", "ink", asset="WON", amount="1"
    )


def test_stakes_pay_through_the_chain_for_what_was_paid_too_much(ledger: CoinLedger) -> None:
    honest = ledger.step("contributor-1", 600_000_000)
    false = ledger.step("cheat-1", 700_000_000)
    ledger.claim_all(ledger.declare())
    paid = ledger.owed("cheat-1").paid
    assert paid > 2 * STAKE
    ledger.settle({honest: 600_000_000, false: 500_000_000})
    lost = onchain.lost_asset(ledger.part("stake"))
    size = ledger.declare()
    assert [leaf(ledger, size, who, lost) for who in SCORERS] == [STAKE, STAKE]
    ledger.claim_all(size)
    ledger.audit()
    assert ledger.owed("cheat-1").paid == paid, "an advance is never reclaimed"
    assert ledger.challenge().slashed == {ETH: 2 * STAKE}


# --- the end --------------------------------------------------------------------------------------


def test_the_rest_goes_back_to_donors_and_what_comes_later_too(ledger: CoinLedger) -> None:
    clue = ledger.step("contributor-1", 600_000_000)
    ledger.settle({clue: 600_000_000})
    ledger.say("stranger", "challenge.close", "ink")
    ledger.claim_all(ledger.declare())
    assert ledger.owed("donor-1").paid == PRIZE * 80 // 100
    ledger.fund("donor-2", 1_000_003)
    ledger.claim_all(ledger.declare())
    assert treasury.available(ledger.challenge(), ETH) == 0
    assert ledger.held["ink"][ETH] == 0, "emptied to the last wei"
    ledger.audit()


def test_the_rest_goes_to_the_pool_of_the_successor_once_it_has_one() -> None:
    ledger = CoinLedger()
    ledger.open_challenge(remainder="successor:ink-2")
    clue = ledger.step("contributor-1", 600_000_000)
    ledger.settle({clue: 600_000_000})
    ledger.say("stranger", "challenge.close", "ink")
    size = ledger.declare()
    assert sum(n for _, t, n in onchain.leaves_at(ledger.challenge(), size) if t == ETHER) == (
        PRIZE * 20 // 100
    )
    ledger.refuses_to(NotCovered, "nothing new", "stranger", "payout.declare", "ink")
    ledger.say("organiser", "challenge.open", "ink-2", terms=open_later())
    ledger.attach("ink-2")
    size = ledger.declare()
    pool = ledger.part("pool", "ink-2")
    assert (pool, ETHER, PRIZE * 80 // 100) in onchain.leaves_at(ledger.challenge(), size)
    ledger.refuses_to(NotCovered, "nothing new", "stranger", "payout.declare", "ink")
    ledger.claim_all(size)
    ledger.fund(ledger.part("pool"), PRIZE * 80 // 100, "ink-2")
    assert ledger.challenge("ink-2").received[ETH] == PRIZE * 80 // 100
    assert ledger.challenge("ink-2").funds == [], "a pool is no donor"
    assert ledger.held["ink"][ETH] == 0
    ledger.audit()


def test_the_rest_goes_back_to_donors_where_no_successor_comes() -> None:
    ledger = CoinLedger()
    ledger.open_challenge(remainder="successor:ink-2")
    clue = ledger.step("contributor-1", 600_000_000)
    ledger.settle({clue: 600_000_000})
    ledger.say("stranger", "challenge.close", "ink")
    ledger.claim_all(ledger.declare())
    ledger.wait(coin()["patience"] - 1)
    ledger.refuses_to(NotCovered, "nothing new", "stranger", "payout.declare", "ink")
    ledger.wait(1)
    ledger.claim_all(ledger.declare())
    assert ledger.owed("donor-1").paid == PRIZE * 80 // 100
    assert ledger.held["ink"][ETH] == 0
    ledger.audit()


# --- whatever happens -----------------------------------------------------------------------------

WHO = ("contributor-1", "contributor-2", "cheat-1")
amounts = st.integers(1, 50) | st.integers(1, 10**24)


class AnyPayout(RuleBasedStateMachine):
    """Clues, gifts, declarations, claims and stakes in no sensible order."""

    @initialize(advance=st.sampled_from([0, 300_000_000, 10**9]))
    def open(self, advance: int) -> None:
        self.ledger = CoinLedger()
        self.ledger.open_challenge(advance=advance)

    @rule(who=st.sampled_from(WHO), ahead=st.integers(1, 5))
    def step(self, who: str, ahead: int) -> None:
        found = self.ledger.challenge()
        if found.status == "open" and not found.key and self.ledger.now < SILENCE - 30_000:
            score = found.terms.value_curve().score(found.frontier) + ahead * ETA
            if score < BASELINE + 40 * ETA:
                self.ledger.step(who, score, payees=[(who, 2), ("contributor-3", 1)])

    @rule(who=st.sampled_from(WHO))
    def lapse(self, who: str) -> None:
        found = self.ledger.challenge()
        if found.status == "open" and self.ledger.now < SILENCE - 60_000:
            self.ledger.commit(who)
            self.ledger.wait(REVEAL)

    @rule(who=st.sampled_from(("donor-1", "donor-2", "contributor-1")), amount=amounts,
          asset=st.sampled_from([ETH, USDC]))  # fmt: skip
    def fund(self, who: str, amount: int, asset: str) -> None:
        self.ledger.fund(who, amount, asset=asset)

    @rule(amount=amounts, asset=st.sampled_from([ETH, USDC]))
    def send_past(self, amount: int, asset: str) -> None:
        held = self.ledger.held["ink"]
        held[asset] = held.get(asset, 0) + amount
        self.ledger.report()

    @rule(who=st.sampled_from(WHO), amount=st.integers(1, 500))
    def put_down_and_take_out(self, who: str, amount: int) -> None:
        self.ledger.deposit(who, amount)
        free = treasury.balance(self.ledger.challenge(), address(who), ETH)
        self.ledger.say(who, "stake.release", "ink", asset=ETH, amount=str(-(-free // 2)))

    @rule(claim=st.booleans())
    def declare(self, claim: bool) -> None:
        found = self.ledger.challenge()
        if onchain.has_news(self.ledger.state, found):
            size = self.ledger.declare()
            if claim:
                self.ledger.claim_all(size)
        else:
            self.ledger.refuses_to(NotCovered, "nothing new", "a", "payout.declare", "ink")

    @rule(lower=st.sampled_from([0, 0, 1, 3]))
    def settle(self, lower: int) -> None:
        found = self.ledger.challenge()
        if found.status == "open" and found.head == len(found.queue) and len(found.queue) > 2:
            exact = {c.id: max(BASELINE, c.score - lower * ETA) for c in found.scorable()}
            self.ledger.settle(exact)

    @rule()
    def close(self) -> None:
        if self.ledger.challenge().status == "settled":
            self.ledger.say("stranger", "challenge.close", "ink")

    @invariant()
    @precondition(lambda self: hasattr(self, "ledger"))
    def all_is_covered(self) -> None:
        self.ledger.audit()
        found, books = self.ledger.challenge(), self.ledger.challenge().books
        assert books.total(INK, "paid") <= CAP
        for asset in (ETH, USDC):
            assert books.total(asset, "paid") <= sum(
                books.flow(asset, source, "pool")
                for source in ("outside", "nobody", "bond", "stake")
            )
            assert books.balance(asset, "pool") >= 0
        held = sum(
            books.total(ETH, group) for group in ("free", "bond", "stake", "dispute", "released")
        )
        chain = record(self.ledger)
        assert chain.staked == held + chain.transit() - sum(chain.released.values())
        assert found.received.get(ETH, 0) >= PRIZE

    def teardown(self) -> None:
        """Nothing is ever locked: what the pool holds goes out to the last wei."""
        if not hasattr(self, "ledger") or self.ledger.challenge().status != "closed":
            return
        for _ in range(4):
            if onchain.has_news(self.ledger.state, self.ledger.challenge()):
                self.ledger.declare()
            if sizes := record(self.ledger).declared:
                self.ledger.claim_all(sizes[-1])
        assert [n for n in self.ledger.held["ink"].values() if n] == []
        self.ledger.audit()


AnyPayout.TestCase.settings = settings(max_examples=25, stateful_step_count=30)
TestAnyPayout = AnyPayout.TestCase


def test_what_nobody_could_inherit_waits_and_is_not_declared_again_and_again() -> None:
    ledger = CoinLedger()
    ledger.open_challenge(prize=0, remainder="successor:nowhere")
    ledger.held["ink"][ETH] = 500
    ledger.report()
    ledger.at(SILENCE + TRUTH)
    ledger.say("stranger", "challenge.close", "ink")
    ledger.report()
    ledger.wait(11 * DAY)
    ledger.refuses_to(NotCovered, "nothing new", "stranger", "payout.declare", "ink")
    assert ledger.challenge().successor == {ETH: 500}
