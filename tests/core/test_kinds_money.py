"""Deposits, donations, withdrawals and payments, as the organiser attests them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from danseo.core import treasury
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotCovered,
    NotFound,
    Refused,
    WrongPhase,
)
from tests.core.ledger import BOND, PRIZE, STAKE, Ledger, address, digest, jury_round

WON = {"asset": "WON", "evidence": "receipt 1"}
KINDS = ("deposit", "withdraw", "fund", "pay")


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open_challenge()
    return ledger


def money(what: str, who: str, amount: int) -> dict[str, Any]:
    """Return the body of an entry about money."""
    name = "donor" if what == "fund" else "account"
    to = {"to": address(who)} if what == "pay" else {}
    return {name: address(who), "amount": str(amount), **to, **WON}


@pytest.mark.parametrize("what", KINDS)
def test_only_the_organiser_attests_money(ledger: Ledger, what: str) -> None:
    ledger.refuses_to(
        NotAllowed, address("scorer-1"), "scorer-1", f"money.{what}", "ink",
        **money(what, "scorer-1", 1),
    )  # fmt: skip


@pytest.mark.parametrize("what", KINDS)
def test_nothing_is_no_amount(ledger: Ledger, what: str) -> None:
    ledger.refuses_to(
        Malformed, "amount is 0", "organiser", f"money.{what}", "ink", **money(what, "a", 0)
    )


def test_no_more_is_withdrawn_than_is_held(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", 250)
    clue = ledger.commit("contributor-1")
    body = money("withdraw", "contributor-1", 250 - BOND + 1)
    ledger.refuses_to(NotCovered, 250 - BOND, "organiser", "money.withdraw", "ink", **body)
    body = money("withdraw", "scorer-1", 1)
    ledger.refuses_to(NotCovered, "has 0", "organiser", "money.withdraw", "ink", **body)
    ledger.say("organiser", "money.withdraw", "ink", **money("withdraw", "contributor-1", 150))
    ledger.reveal("contributor-1", clue)
    ledger.say("organiser", "money.withdraw", "ink", **money("withdraw", "contributor-1", BOND))
    ledger.audit()


def test_a_deposit_is_not_the_pools(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", 10**9)
    assert ledger.challenge().received == {"WON": PRIZE}


def test_before_settlement_only_the_advance_is_paid(ledger: Ledger) -> None:
    ledger.step("contributor-1", 520_000_000)
    entitled = ledger.owed("contributor-1").entitled
    advance = entitled * 3 // 10
    found = ledger.refuses(NotCovered, f"{advance:,}", ledger.payment("contributor-1", advance + 1))
    assert "advance" in found.remedy
    ledger.pay("contributor-1", advance // 2)
    ledger.pay("contributor-1", advance - advance // 2)
    ledger.refuses(NotCovered, "0 WON", ledger.payment("contributor-1", 1))


def test_after_settlement_all_is_paid_and_no_more(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.settle({clue: 520_000_000})
    entitled = ledger.owed("contributor-1").entitled
    assert entitled == PRIZE * 4 // 100
    ledger.refuses(NotCovered, f"{entitled:,}", ledger.payment("contributor-1", entitled + 1))
    ledger.pay("contributor-1", entitled)
    ledger.refuses(NotCovered, "0 WON", ledger.payment("contributor-1", 1))


def test_nothing_is_paid_to_whom_nothing_is_owed(ledger: Ledger) -> None:
    ledger.step("contributor-1", 520_000_000)
    ledger.refuses(NotCovered, "0 WON", ledger.payment("stranger", 1))
    ledger.refuses(NotCovered, "0 ETH", ledger.payment("contributor-1", 1, asset="ETH"))


def test_money_goes_to_the_address_of_its_account(ledger: Ledger) -> None:
    ledger.step("contributor-1", 520_000_000)
    payment = ledger.payment("contributor-1", 1)
    body = {**payment.body, "to": address("thief")}
    ledger.refuses_to(Conflict, address("thief"), "organiser", "money.pay", "ink", **body)
    ledger.say("contributor-1", "key.payout", to=address("wallet"))
    moved = replace(payment, index=payment.index + 1)
    ledger.refuses(Conflict, address("wallet"), moved)
    ledger.pay("contributor-1", 1)


def test_a_late_donation_raises_everybodys_pay_alike(ledger: Ledger) -> None:
    a = ledger.step("contributor-1", 520_000_000)
    b = ledger.step("contributor-2", 600_000_000, cites=[(a, 10**9)])
    ledger.settle({a: 520_000_000, b: 600_000_000})
    before = [ledger.owed(f"contributor-{i}").entitled for i in (1, 2)]
    ledger.pay("contributor-1", before[0])
    ledger.fund("donor-2", 3 * PRIZE)
    assert [ledger.owed(f"contributor-{i}").entitled for i in (1, 2)] == [4 * x for x in before]
    assert ledger.owed("contributor-1").payable == 3 * before[0]
    ledger.audit()


def test_the_order_of_donations_does_not_matter() -> None:
    gifts = [("donor-1", 7), ("donor-2", 10**20), ("contributor-1", 3), ("donor-1", 11)]
    found = []
    for order in (gifts, gifts[::-1]):
        ledger = Ledger()
        ledger.open_challenge(prize=0)
        half = len(order) // 2
        for who, amount in order[:half]:
            ledger.fund(who, amount)
        clue = ledger.step("contributor-1", 520_000_000)
        ledger.settle({clue: 525_000_000})
        for who, amount in order[half:]:
            ledger.fund(who, amount)
        ledger.say("stranger", "challenge.close", "ink")
        ledger.audit()
        found.append({w: ledger.owed(w) for w in ("donor-1", "donor-2", "contributor-1")})
    assert found[0] == found[1]


def test_huge_and_tiny_amounts_are_exact() -> None:
    for amount in (1, 2, 10**77 - 1):
        ledger = Ledger()
        ledger.open_challenge(prize=0)
        ledger.fund("donor-1", amount)
        clue = ledger.step("contributor-1", 520_000_000)
        ledger.settle({clue: 520_000_000})
        assert ledger.owed("contributor-1").entitled == amount * 4 // 100
        ledger.say("stranger", "challenge.close", "ink")
        payable = [ledger.owed(who).payable for who in ("contributor-1", "donor-1")]
        assert sum(payable) == amount
        for who, owed in zip(("contributor-1", "donor-1"), payable, strict=True):
            if owed:
                ledger.pay(who, owed)
        assert treasury.available(ledger.challenge(), "WON") == 0
        ledger.audit()


def test_an_amount_of_78_digits_is_refused(ledger: Ledger) -> None:
    ledger.refuses_to(
        Malformed, "amount", "organiser", "money.fund", "ink", **money("fund", "a", 10**77)
    )


def test_assets_are_kept_apart(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.fund("donor-2", 10**18, asset="ETH")
    ledger.settle({clue: 520_000_000})
    assert ledger.owed("contributor-1", asset="ETH").payable == 4 * 10**16
    ledger.pay("contributor-1", 4 * 10**16, asset="ETH")
    assert ledger.owed("contributor-1").paid == 0
    ledger.say("stranger", "challenge.close", "ink")
    assert ledger.owed("donor-2", asset="ETH").payable == 96 * 10**16
    assert ledger.owed("donor-2").payable == 0
    ledger.audit()


def test_stakes_come_free_at_the_close() -> None:
    ledger = Ledger()
    ledger.open_challenge(rounds=[jury_round(2_000_000, 2_000_001)])
    ledger.release()
    body = money("withdraw", "scorer-1", STAKE)
    ledger.refuses_to(NotCovered, "has 0", "organiser", "money.withdraw", "ink", **body)
    ledger.at(2_000_001)
    ledger.say("stranger", "jury.close", "ink", round=0)
    ledger.say("stranger", "challenge.close", "ink")
    ledger.say("organiser", "money.withdraw", "ink", **body)
    ledger.audit()


# --- fees and reversals ---------------------------------------------------------------------------


def reverse(ledger: Ledger, index: int) -> int:
    return ledger.say("organiser", "money.reverse", "ink", index=index, reason=digest("why"))


def refuse_reversal(ledger: Ledger, error: type[Refused], names: object, index: int) -> None:
    body = {"index": index, "reason": digest("why")}
    ledger.refuses_to(error, names, "organiser", "money.reverse", "ink", **body)


def test_gross_and_fee_are_booked_apart(ledger: Ledger) -> None:
    body = money("fund", "donor-2", 970)
    entry = ledger.entry("organiser", "money.fund", "ink", **body, fee="30")
    assert entry.summary.endswith("for the pool, after a fee of 30 WON")
    ledger.append(entry)
    ledger.say("organiser", "money.deposit", "ink", **money("deposit", "a", 99), fee="1")
    books = ledger.challenge().books
    assert ledger.challenge().received == {"WON": PRIZE + 970}
    assert books.balance("WON", "fee") == 31
    assert ledger.challenge().funds[-1].amount == 970
    ledger.audit()


def test_a_reversed_gift_never_came(ledger: Ledger) -> None:
    body = money("fund", "donor-2", 970)
    gift = ledger.say("organiser", "money.fund", "ink", **body, fee="30")
    undone = reverse(ledger, gift)
    assert ledger.challenge().received == {"WON": PRIZE}
    assert ledger.challenge().books.balance("WON", "fee") == 0
    assert sum(f.amount for f in ledger.challenge().funds) == PRIZE
    ledger.audit()
    refuse_reversal(ledger, Conflict, undone, gift)
    ledger.say("organiser", "challenge.cancel", "ink", reason=digest("why"))
    assert ledger.owed("donor-2").entitled == 0
    assert ledger.owed("donor-1").payable == PRIZE


def test_a_gift_that_has_been_paid_out_cannot_be_reversed() -> None:
    ledger = Ledger()
    ledger.open_challenge(prize=0)
    gift = ledger.fund("donor-1", PRIZE)
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.settle({clue: 520_000_000})
    ledger.pay("contributor-1", 1)
    refuse_reversal(ledger, NotCovered, "10,000,000 WON cannot be taken back", gift)
    ledger.say("stranger", "challenge.close", "ink")
    refuse_reversal(ledger, WrongPhase, "closed", gift)


def test_a_deposit_that_is_locked_cannot_be_reversed(ledger: Ledger) -> None:
    deposit = ledger.deposit("contributor-1", BOND)
    clue = ledger.commit("contributor-1")
    refuse_reversal(ledger, NotCovered, "0 WON is there", deposit)
    ledger.reveal("contributor-1", clue)
    reverse(ledger, deposit)
    assert treasury.balance(ledger.challenge(), address("contributor-1"), "WON") == 0
    ledger.audit()


def test_a_payment_that_came_back_is_payable_again(ledger: Ledger) -> None:
    ledger.step("contributor-1", 520_000_000)
    before = ledger.owed("contributor-1")
    payment = ledger.pay("contributor-1", before.payable)
    assert ledger.owed("contributor-1").payable == 0
    reverse(ledger, payment)
    assert ledger.owed("contributor-1") == before
    ledger.audit()


def test_a_withdrawal_that_never_left_is_free_again(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", 70)
    body = money("withdraw", "contributor-1", 70)
    withdrawal = ledger.say("organiser", "money.withdraw", "ink", **body)
    reverse(ledger, withdrawal)
    assert treasury.balance(ledger.challenge(), address("contributor-1"), "WON") == 70
    ledger.audit()


def test_only_the_organiser_reverses_and_only_entries_of_money(ledger: Ledger) -> None:
    body = {"index": 3, "reason": digest("why")}
    ledger.refuses_to(NotAllowed, "organise", "donor-1", "money.reverse", "ink", **body)
    refuse_reversal(ledger, NotFound, "Entry 3", 3)
