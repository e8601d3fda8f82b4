"""The books: who is owed what, what is payable, and an audit that finds every cooked figure."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core import treasury
from danseo.core.challenge import Challenge, JuryRound
from danseo.core.errors import Invalid
from danseo.core.treasury import level
from tests.core.ledger import PRIZE, REVEAL, SILENCE, STAKE, Ledger, address, jury_round

amounts = st.integers(0, 50) | st.integers(0, 10**77)
accounts = st.dictionaries(st.sampled_from("abcdef"), st.tuples(amounts, amounts), max_size=6)


@given(accounts, amounts)
def test_what_is_payable_is_covered_and_leaves_nothing_that_is_lacked(
    books: dict[str, tuple[int, int]], available: int
) -> None:
    due = {name: one for name, (one, _) in books.items()}
    paid = {name: one for name, (_, one) in books.items() if one}
    payable = level(due, paid, available)
    lacking = sum(max(0, due[n] - paid.get(n, 0)) for n in due)
    assert set(payable) == set(due)
    assert all(0 <= payable[n] <= max(0, due[n] - paid.get(n, 0)) for n in due)
    assert sum(payable.values()) == min(available, lacking)


@given(accounts, amounts)
def test_nobody_is_brought_above_another_who_lacks(
    books: dict[str, tuple[int, int]], available: int
) -> None:
    """Whoever is paid now ends at one part of what is due, which nobody who lacks stays below."""
    due = {name: one for name, (one, _) in books.items()}
    paid = {name: one for name, (_, one) in books.items()}
    after = {n: paid[n] + one for n, one in level(due, paid, available).items()}
    for rich, poor in permutations(due, 2):
        if after[rich] > paid[rich] and after[poor] < due[poor]:
            # after[rich] / due[rich] exceeds after[poor] / due[poor] by rounding at most
            assert (after[rich] - 1) * due[poor] <= (after[poor] + 1) * due[rich]


@given(accounts, amounts, st.data())
def test_the_order_and_the_size_of_payments_do_not_matter(
    books: dict[str, tuple[int, int]], available: int, data: st.DataObject
) -> None:
    due = {name: one for name, (one, _) in books.items()}
    paid = {name: one for name, (_, one) in books.items()}
    at_once = {n: paid[n] + one for n, one in level(due, paid, available).items()}
    for _ in range(12):
        payable = {n: one for n, one in level(due, paid, available).items() if one}
        if not payable:
            break
        name = data.draw(st.sampled_from(sorted(payable)))
        amount = data.draw(st.integers(1, payable[name]) | st.just(payable[name]))
        paid[name] += amount
        available -= amount
    assert all(
        abs(paid[n] + one - at_once[n]) <= len(due)
        for n, one in level(due, paid, available).items()
    )


def test_shares_are_written_down_at_settlement_and_after_each_round() -> None:
    ledger = Ledger()
    ledger.open_challenge(rounds=[jury_round(SILENCE, SILENCE + 1, 10**8, 10**16)])
    clue = ledger.step("contributor-1", 600_000_000)
    tool = ledger.publish("contributor-2", form="tool")
    assert ledger.challenge().accounts == {}
    assert treasury.account_shares(ledger.challenge())[address("contributor-1")] > 0
    ledger.settle({clue: 620_000_000})
    before = treasury.account_shares(ledger.challenge())
    assert before is ledger.challenge().accounts
    ledger.at(SILENCE)
    ledger.append(ledger.ballot("juror-1", [tool]))
    ledger.at(SILENCE + 1)
    ledger.say("stranger", "jury.close", "ink", round=0)
    after = treasury.account_shares(ledger.challenge())
    assert after[address("contributor-2")] > before[address("contributor-2")]
    by_clue = treasury.clue_shares(ledger.challenge())
    assert after == {
        address("contributor-1"): by_clue[clue],
        address("contributor-2"): by_clue[tool],
    }


def played() -> Ledger:
    """Return a settled challenge in which every kind of money has moved."""
    ledger = Ledger()
    ledger.open_challenge()
    honest = ledger.step("contributor-1", 600_000_000)
    false = ledger.step("cheat-1", 700_000_000)
    ledger.pay("cheat-1", ledger.owed("cheat-1").payable)
    ledger.commit("contributor-2")
    ledger.wait(REVEAL)
    ledger.commit("contributor-3")
    ledger.wait(REVEAL - 1)
    ledger.deposit("contributor-4", 55)
    ledger.say(
        "organiser", "money.withdraw", "ink",
        account=address("contributor-4"), asset="WON", amount="5", evidence="",
    )  # fmt: skip
    ledger.settle({honest: 600_000_000, false: 500_000_000})
    ledger.audit()
    return ledger


def cook_receipts(c: Challenge) -> None:
    c.books.moved["WON"]["outside>pool"] += 1


def cook_funds(c: Challenge) -> None:
    c.funds[0] = replace(c.funds[0], amount=c.funds[0].amount - 1)


def cook_gifts(c: Challenge) -> None:
    c.books.post("WON", "outside", "pool", 1)


def cook_payments(c: Challenge) -> None:
    c.books.post("WON", "pool", f"paid:{address('cheat-1')}", PRIZE)


def cook_balances(c: Challenge) -> None:
    c.books.balances["WON"]["free"][address("contributor-4")] -= 1


def cook_overdrafts(c: Challenge) -> None:
    c.books.post("WON", f"free:{address('contributor-4')}", "outside", 51)


def cook_stakes(c: Challenge) -> None:
    c.books.post("WON", f"stake:{address('scorer-1')}", "outside", 2 * STAKE)


def cook_assets(c: Challenge) -> None:
    c.books.balances["ETH"] = {"pool": {"": 1}}


def cook_grants(c: Challenge) -> None:
    c.rounds.append(JuryRound(grants={0: 10**18}))


def cook_bonds(c: Challenge) -> None:
    next(x for x in c.clues.values() if x.status == "lapsed").status = "committed"


@pytest.mark.parametrize(
    "cook",
    [
        cook_receipts, cook_funds, cook_gifts, cook_payments, cook_balances, cook_overdrafts,
        cook_stakes, cook_assets, cook_grants, cook_bonds,
    ],
)  # fmt: skip
def test_the_audit_finds_a_cooked_book(cook: Any) -> None:
    ledger = played()
    cook(ledger.challenge())
    with pytest.raises(Invalid, match="challenge ink"):
        treasury.audit(ledger.challenge())
