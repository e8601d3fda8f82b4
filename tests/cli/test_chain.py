"""Commands of the chain: contracts, reports, anchors, and entries that the log must take up."""

from __future__ import annotations

import json

import pytest

from danseo.chain import anvil
from danseo.core.errors import Conflict, Unavailable, Usage, WrongPhase
from tests.cli import stage as play
from tests.cli.stage import Stage


def test_contracts_are_deployed_once(coined: Stage) -> None:
    pool = coined.do("chain status")["challenges"]["example"]["contracts"]["pool"]
    again = coined.do("chain deploy example", "donor-1")
    assert (again["contracts"]["pool"], "entry" in again) == (pool, False)


def test_what_is_reported_is_not_reported_again(coined: Stage) -> None:
    coined.do("pool fund example '1 ETH'", "donor-1")
    assert len(coined.do("chain observe example", "contributor-2")["entries"]) == 1
    assert coined.do("chain observe example")["entries"] == []


def test_a_home_is_verified_against_its_own_chain(coined: Stage) -> None:
    for place in ("{home}", "{home}/log"):
        assert "against the chain itself" in coined.run(f"verify {place}").out


def test_a_challenge_without_a_coin_has_no_contracts(opened: Stage) -> None:
    ran = opened.run("pool check example --json")
    assert (ran.status, ran.error["error"]) == (WrongPhase.status, WrongPhase.__name__)


def test_an_anchor_is_the_operators_and_never_goes_back(coined: Stage) -> None:
    anchored = coined.do("chain anchor example")
    assert coined.do("chain status")["challenges"]["example"]["anchored"] == 0
    coined.do("chain observe example")
    assert coined.do("chain status")["challenges"]["example"]["anchored"] == anchored["size"]
    assert coined.run("chain anchor example", "donor-1").status == 3


def test_an_entry_handed_in_on_chain_is_taken_up_and_proved(coined: Stage) -> None:
    body, out = coined.home / "body.json", coined.home / "entry.json"
    body.write_text(json.dumps({"amount": "1000", "asset": "ETH:18"}))
    line = f"chain sign example stake.release {body} --out {out}"
    coined.do(line, "contributor-1")
    handed = coined.do(f"chain submit example {out}", "contributor-1")
    (one,) = coined.do("chain status")["challenges"]["example"]["submitted"]
    assert (one["hash"], one["status"]) == (handed["hash"], "open")
    coined.do("clock advance 3d")
    (one,) = coined.do("chain status")["challenges"]["example"]["submitted"]
    assert one["status"] == "overdue"
    done = coined.do("chain include example")["done"]
    assert "taken up as entry" in done[0]
    assert "proved to be in the log" in done[1]
    (one,) = coined.do("chain status")["challenges"]["example"]["submitted"]
    assert one["status"] == "included"
    assert coined.refuse(f"chain submit example {out}", "contributor-1")["error"] == (
        Conflict.__name__
    )


def test_a_file_that_is_no_signed_entry_costs_no_bond(coined: Stage) -> None:
    assert coined.refuse("chain submit example {home}/truth.csv", "donor-1")["status"] == 3


def test_no_node_runs_where_none_was_started(coined: Stage) -> None:
    assert coined.refuse("chain down")["error"] == "NotFound"


def test_a_file_of_fields_must_be_json(coined: Stage) -> None:
    line = "chain sign example stake.release {home}/truth.csv --out {home}/x.json"
    (coined.home / "truth.csv").write_text("no json")
    assert coined.refuse(line, "contributor-1")["error"] == Usage.__name__


def test_the_same_commands_run_on_a_node_of_ones_own(begun: Stage) -> None:
    try:
        anvil.find()
    except Unavailable as missing:
        pytest.skip(str(missing))
    node = begun.do("chain up")
    try:
        play.with_coin(begun)
        begun.do("pool run example")
        begun.do("clock advance 73h")
        assert "paid 2 of 2 amounts that were due" in begun.do("pool run example")["done"]
        assert begun.do("chain status")["node"] == node["url"]
        assert begun.refuse("chain up")["error"] == Conflict.__name__
    finally:
        begun.do("chain down")
