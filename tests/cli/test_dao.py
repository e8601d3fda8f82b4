"""Commands of the DAO: holders of coin decide, and the log reads what they decided."""

from __future__ import annotations

import pytest

from danseo.core.errors import NotFound, Usage
from tests.cli.stage import Stage, false_root


@pytest.fixture
def voting(coined: Stage) -> Stage:
    """A challenge whose first coin is minted: contributor-1 holds it all."""
    coined.do("pool run example")
    coined.do("clock advance 73h")
    coined.do("pool run example")
    return coined


def decide(stage: Stage, words: str, why: str = "It is right.") -> dict[str, str]:
    """Propose something, vote for it, queue and execute it; return the proposal at the end."""
    number = stage.do(f"dao propose example {words} --why '{why}'", "contributor-1")["number"]
    stage.do("clock advance 5h")
    stage.do(f"dao vote example {number} for --reason 'I checked it.'", "contributor-1")
    stage.do("clock advance 25h")
    stage.do(f"dao queue example {number}", "donor-1")
    stage.do("clock advance 13h")
    stage.do(f"dao execute example {number}", "donor-1")
    return stage.do(f"dao show example {number}")  # type: ignore[no-any-return]


def test_what_is_decided_stands_in_the_log(voting: Stage) -> None:
    done = decide(voting, "next-curve '[[1.0, 0], [0.2, 0.8]]'")
    assert (done["state"], done["why"]) == ("executed", "It is right.")
    assert done["does"].startswith("LogAnchor.decide(")
    voting.do("chain observe example")
    (last,) = voting.do("log show --last 1")
    (fact,) = [f for f in last["body"]["facts"] if f["what"] == "decided"]
    assert '"units":800000000' in fact["text"]


def test_the_dao_strikes_a_false_root_within_its_window(voting: Stage) -> None:
    size = false_root(voting, "contributor-2")
    voting.do(f"pool dispute example {size}", "donor-1")
    assert decide(voting, f"veto {size}")["state"] == "executed"
    assert [root["right"] for root in voting.do("pool check example")] == [True]


def test_the_dao_changes_its_own_rules(voting: Stage) -> None:
    decide(voting, "voting-period 12h")
    decide(voting, "unlock")
    assert voting.do("dao show example")["rules"]["voting_period"] == str(12 * 3600)


def test_a_proposal_can_be_taken_back_before_voting_begins(voting: Stage) -> None:
    voting.do("dao propose example decide 'A text' --why 'A mistake'", "contributor-1")
    voting.do("dao cancel example 1", "contributor-1")
    assert voting.do("dao show example 1")["state"] == "cancelled"


def test_votes_can_be_lent(voting: Stage) -> None:
    (before,) = voting.do("dao show example")["votes"].items()
    voting.do("dao delegate example contributor-2", "contributor-1")
    (after,) = voting.do("dao show example")["votes"].items()
    assert (before[0] != after[0], before[1]) == (True, after[1])


def test_the_guardian_is_bound_by_the_same_timelock(coined: Stage) -> None:
    one = coined.do("dao guard example decide 'The data has moved.'", "guardian")
    assert one["status"] == "waiting"
    assert coined.refuse("dao guard example --execute 1", "donor-1")["status"] == 3
    coined.do("clock advance 13h")
    assert coined.do("dao guard example --execute 1", "donor-1")["status"] == "done"
    again = coined.do("dao guard example decide 'Another.'", "guardian")
    assert coined.do(f"dao guard example --cancel {again['number']}", "guardian")["status"] == (
        "unknown"
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [("nonsense", Usage), ("veto", Usage), ("veto x", Usage), ("next-curve no", Usage)],
)
def test_what_cannot_be_proposed_is_refused_with_what_can(
    coined: Stage, words: str, error: type
) -> None:
    refused = coined.refuse(f"dao propose example {words} --why x", "contributor-1")
    assert refused["error"] == error.__name__


def test_an_unknown_proposal_is_refused(coined: Stage) -> None:
    assert coined.refuse("dao vote example 7 for", "contributor-1")["error"] == NotFound.__name__


def test_a_veto_of_a_root_that_is_none_is_not_proposed(coined: Stage) -> None:
    coined.do("pool run example")
    refused = coined.refuse("dao propose example veto 999 --why Slip", "contributor-1")
    assert (refused["error"], refused["message"]) == ("NotFound", "No root of size 999 stands.")
