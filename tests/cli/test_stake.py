"""Commands of stakes: down by a transaction, out by the log's word or slowly without."""

from __future__ import annotations

from danseo.core.errors import NotCovered, Usage, WrongPhase
from tests.cli.stage import Stage

ETH = 10**18


def test_what_is_put_down_is_booked_and_can_be_taken_out_again(coined: Stage) -> None:
    rows = {row["held"] for row in coined.do("stake show example")}
    assert rows == {str(ETH), str(2 * ETH)}
    coined.do("stake deposit example '0.5 ETH' --for contributor-2", "donor-1")
    coined.do("chain observe example")
    assert coined.refuse("stake release example '9 ETH'", "contributor-2")["error"] == (
        NotCovered.__name__
    )
    coined.do("stake release example '0.2 ETH'", "contributor-2")
    coined.do("pool run example")
    coined.do("clock advance 73h")
    coined.do("pool run example")
    (mine,) = [r for r in coined.do("stake show example") if r["taken"] != "0"]
    assert (mine["held"], mine["taken"]) == (str(3 * ETH // 10), str(ETH // 5))
    assert mine["free"] == mine["held"]


def test_a_stake_leaves_without_the_log_but_slowly(coined: Stage) -> None:
    leaving = coined.do("stake exit example '1.5 ETH'", "contributor-1")
    assert coined.refuse("stake withdraw example", "contributor-1")["error"] == WrongPhase.__name__
    coined.do("clock advance 90d")
    coined.do("stake withdraw example", "contributor-1")
    mine = next(r for r in coined.do("stake show example") if r["taken"] != "0")
    assert (mine["taken"], mine["leaving"]) == (str(3 * ETH // 2), "0")
    assert leaving["amount"] == mine["taken"]


def test_stakes_are_in_one_asset(coined: Stage) -> None:
    refused = coined.refuse("stake deposit example '1 INK'", "scorer-1")
    assert refused["error"] in ("NotFound", Usage.__name__)


def test_more_than_one_has_is_not_asked_of_the_contract(coined: Stage) -> None:
    refused = coined.refuse("stake exit example '5 ETH'", "scorer-1")
    assert refused["error"] == "NotCovered"
    assert "has 1 ETH in the stake contract, not 5 ETH" in refused["message"]
    told = coined.run("stake exit example '5 ETH'", "scorer-1").err
    assert "scorer-1 has 1 ETH" in told


def test_no_stake_is_put_down_for_a_key_that_was_changed(coined: Stage) -> None:
    coined.do("key new contributor-9 --no-password")
    coined.do("key rotate contributor-9", "contributor-2")
    coined.do("clock advance 8d")
    coined.do("key rotate contributor-9", "contributor-2")
    coined.do("chain observe example")  # brings the chain to the log's time
    for who in ("contributor-2", "contributor-9"):
        refused = coined.refuse(f"stake deposit example '0.5 ETH' --for {who}", "donor-1")
        assert refused["error"] == "NotAllowed"
    coined.do("stake deposit example '0.5 ETH'", "contributor-1")
