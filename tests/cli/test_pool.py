"""Commands of the pool: money in by anyone, money out by what the log owes and nothing else."""

from __future__ import annotations

import pytest

from danseo.core.errors import Conflict, Invalid, NotCovered, Usage, WrongPhase
from tests.cli.stage import Stage, false_root

PAST = "clock advance 73h"
"""Beyond a root's window, and the seconds that blocks took."""
ETH = 10**18


def test_what_the_log_owes_is_paid_by_the_chain(coined: Stage) -> None:
    done = coined.do("pool run example")["done"]
    assert done[0].startswith("declared a payout")
    assert done[1].startswith("published the root")
    coined.do(PAST)
    done = coined.do("pool run example")["done"]
    assert "paid 2 of 2 amounts that were due" in done
    eth, ink = coined.do("pool show example")["assets"]
    assert eth["received"] == str(50 * ETH)
    assert int(eth["holds"]) == 50 * ETH - int(eth["claimed"])
    assert int(eth["claimed"]) == int(eth["declared"]) > ETH
    assert int(ink["claimed"]) == int(ink["minted"]) > 0
    assert coined.do("pool run example")["done"] == []


def test_each_step_is_a_command_of_its_own(coined: Stage) -> None:
    assert coined.refuse("pool publish example")["error"] == WrongPhase.__name__
    size = coined.do("pool declare example", "contributor-2")["size"]
    published = coined.do("pool publish example", "contributor-1")
    assert published["size"] == size
    assert published["transactions"][0]["gas"] > 0
    (root,) = coined.do("pool check example")
    assert (root["size"], root["right"], root["in_effect"]) == (size, True, False)
    assert coined.refuse("pool activate example")["error"] == WrongPhase.__name__
    assert coined.refuse("pool claim example --for contributor-1")["error"] == NotCovered.__name__
    coined.do(PAST)
    coined.do("pool activate example", "contributor-2")
    due = coined.do("pool show example")["due"]
    assert {(d["how"], d["asset"]) for d in due} == {("pay", "ETH:18"), ("pay", "INK:18")}
    claimed = coined.do("pool claim example --for contributor-1", "donor-1")
    shown = coined.do("pool show example")
    assert shown["due"] == []
    assert {(p["asset"], p["amount"]) for p in shown["paid"]} == {
        (d["asset"], d["amount"]) for d in due
    }
    assert {p["tx"] for p in shown["paid"]} == {t["tx"] for t in claimed["transactions"]}
    assert coined.do("pool pay example")["due"] == 0


def test_a_false_root_is_named_and_struck_and_whoever_found_it_is_paid(coined: Stage) -> None:
    size = false_root(coined, "contributor-2")
    checked = coined.run("pool check example --json")
    assert (checked.status, checked.json[0]["right"]) == (Invalid.status, False)
    said = coined.do("pool run example")["done"]
    assert said[0].startswith("reported")
    assert any(line.startswith(f"ALARM: the root of size {size} is FALSE") for line in said)
    assert coined.refuse(f"pool activate example {size}")["error"] == Conflict.__name__
    coined.do(f"pool dispute example {size}", "donor-1")
    coined.do(f"pool veto example {size}", "guardian")
    assert [root["right"] for root in coined.do("pool check example")] == [True]


def test_a_right_root_cannot_be_disputed_by_mistake(coined: Stage) -> None:
    size = coined.do("pool declare example")["size"]
    coined.do("pool publish example")
    assert coined.refuse(f"pool dispute example {size}")["error"] == Conflict.__name__
    assert coined.refuse(f"pool veto example {size}", "guardian")["error"] == Conflict.__name__


@pytest.mark.parametrize(("amount", "error"), [("1 KRW", "NotFound"), ("0 ETH", "Usage")])
def test_the_pool_takes_what_the_terms_list(coined: Stage, amount: str, error: str) -> None:
    assert coined.refuse(f"pool fund example '{amount}'", "donor-1")["error"] == error


def test_a_wallet_elsewhere_can_sign_instead(coined: Stage) -> None:
    ran = coined.run("pool fund example '2 ETH' --unsigned", "donor-1")
    (transaction,) = ran.json
    assert int(transaction["value"], 16) == 2 * ETH
    assert set(transaction) >= {"from", "to", "data", "nonce", "gas", "chainId"}
    assert coined.do("pool show example")["assets"][0]["holds"] == str(50 * ETH)
    assert coined.refuse("pool fund example '2 ETH' --unsigned")["error"] == Usage.__name__


def test_an_account_can_be_held_back_and_freed(coined: Stage) -> None:
    held = coined.do("pool hold example contributor-1 --reason 'Tax form' --evidence 'form 12'")
    assert len(held["salt"]) == 64
    assert coined.refuse("pool declare example")["error"] == NotCovered.__name__
    coined.do("pool free example contributor-1")
    assert coined.do("pool declare example")["size"] > 0


def test_whoever_finds_a_false_root_is_told_how_to_strike_it(coined: Stage) -> None:
    size = false_root(coined, "guardian")
    ran = coined.run("pool check example")
    assert ran.status == 5
    for act in ("pool dispute example", "dao propose example veto", "pool veto example"):
        assert f"danseo {act} {size}" in ran.out


def test_an_amount_with_a_decimal_comma_gives_nothing(coined: Stage) -> None:
    for amount in ("1,5 ETH", "1,500 ETH", "1 eth", "-1 ETH"):
        refused = coined.run(f"pool fund example '{amount}'", "donor-1")
        assert refused.status == 2
        assert "1.5" in refused.err or "1.500" in refused.err
    assert coined.do("pool show example")["assets"][0]["holds"] == str(50 * ETH)
