"""The jury: who votes when on what, and what a round may award."""

from __future__ import annotations

import pytest

from danseo.core import treasury
from danseo.core.challenge import candidates, granted
from danseo.core.errors import Conflict, Malformed, NotAllowed, NotFound, WrongPhase
from danseo.core.reward import commons, grantable, shares
from tests.core.ledger import (
    DEADLINE,
    PER_STEP,
    REVEAL,
    SILENCE,
    START,
    Ledger,
    address,
    jury_round,
)

EARLY, EARLY_END = START + 1000, START + 2000
LATE, LATE_END = SILENCE, SILENCE + 1000
ROUNDS = [
    jury_round(EARLY, EARLY_END, 50_000_000),
    jury_round(LATE, LATE_END, 150_000_000, 10**18),
]


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open_challenge(rounds=ROUNDS, jurors=[address(f"juror-{i}") for i in (1, 2, 3)])
    return ledger


def close(ledger: Ledger, number: int) -> None:
    ledger.say("stranger", "jury.close", "ink", round=number)


# --- ballots ------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "organiser", "scorer-1"])
def test_only_a_juror_votes(ledger: Ledger, who: str) -> None:
    tool = ledger.publish("contributor-1", form="tool")
    ledger.at(EARLY)
    ledger.refuses(NotAllowed, address(who), ledger.ballot(who, [tool]))


def test_a_ballot_comes_within_its_time(ledger: Ledger) -> None:
    tool = ledger.publish("contributor-1", form="tool")
    ledger.at(EARLY - 1)
    ledger.refuses(WrongPhase, EARLY, ledger.ballot("juror-1", [tool]))
    ledger.at(EARLY)
    ledger.append(ledger.ballot("juror-1", [tool]))
    ledger.at(EARLY_END - 1)
    ledger.append(ledger.ballot("juror-2", [tool]))
    ledger.now = EARLY_END
    ledger.refuses(WrongPhase, EARLY_END, ledger.ballot("juror-3", [tool]))


def test_a_ballot_names_a_round_that_there_is(ledger: Ledger) -> None:
    tool = ledger.publish("contributor-1", form="tool")
    ledger.refuses(NotFound, "round 2", ledger.ballot("juror-1", [tool], number=2))
    ledger.refuses_to(NotFound, "round 7", "stranger", "jury.close", "ink", round=7)


@pytest.mark.parametrize("as_payee", [True, False])
def test_authors_and_payees_are_recused(ledger: Ledger, as_payee: bool) -> None:
    if as_payee:
        mine = ledger.publish("contributor-9", form="tool", payees=[("juror-1", 1)])
    else:
        mine = ledger.publish("juror-1", form="tool")
    other = ledger.publish("contributor-2", form="tool")
    ledger.at(EARLY)
    found = ledger.refuses(
        NotAllowed, f"clue {mine}", ledger.ballot("juror-1", [mine, other], (other, mine, 1))
    )
    assert "recused" in found.message
    ledger.append(ledger.ballot("juror-1", [other]))


def test_only_candidates_are_judged(ledger: Ledger) -> None:
    step = ledger.step("contributor-1", 520_000_000)
    unfit = ledger.step("contributor-1", "unfit")
    tool = ledger.publish("contributor-2", form="tool", submission="the tool")
    copy = ledger.publish("cheat-1", form="tool", submission="the tool")
    gone = ledger.publish("contributor-2", form="predictions")
    ledger.say("contributor-2", "clue.retract", "ink", clue=gone)
    near = ledger.step("contributor-3", "none")
    ledger.at(EARLY)
    for bad in (step, unfit, copy, gone, 0):
        ledger.refuses(NotFound, f"Clue {bad}", ledger.ballot("juror-1", [bad]))
    assert candidates(ledger.challenge(), 0) == [tool, near]


def test_a_clue_committed_after_the_round_opens_waits_for_the_next(ledger: Ledger) -> None:
    ledger.at(EARLY + 1)
    late = ledger.publish("contributor-1", form="tool")
    ledger.refuses(NotFound, f"Clue {late}", ledger.ballot("juror-1", [late]))
    assert candidates(ledger.challenge(), 1) == [late]


def test_an_ill_formed_ballot_is_refused(ledger: Ledger) -> None:
    a, b, c = (ledger.publish(f"contributor-{i}", form="tool") for i in range(3))
    ledger.at(EARLY)
    juror = "juror-1"
    ledger.refuses(Malformed, "0 clues", ledger.ballot(juror, []))
    ledger.refuses(Conflict, "twice", ledger.ballot(juror, [a, a]))
    ledger.refuses(Malformed, "itself", ledger.ballot(juror, [a, b], (a, a, 1)))
    ledger.refuses(Malformed, "doublings is 5", ledger.ballot(juror, [a, b], (a, b, 5)))
    ledger.refuses(NotFound, f"clue {c}", ledger.ballot(juror, [a, b], (a, b, 1), (b, c, 1)))
    ledger.refuses(Conflict, "chain", ledger.ballot(juror, [a, b, c], (a, b, 1)))
    ledger.refuses(Conflict, "compared twice", ledger.ballot(juror, [a, b], (a, b, 1), (b, a, 1)))


def test_a_later_ballot_replaces_the_earlier(ledger: Ledger) -> None:
    a, b = (ledger.publish(f"contributor-{i}", form="tool") for i in (1, 2))
    ledger.at(EARLY)
    ledger.append(ledger.ballot("juror-1", [a]))
    ledger.append(ledger.ballot("juror-1", [b]))
    ledger.at(EARLY_END)
    close(ledger, 0)
    assert ledger.challenge().rounds[0].units == {b: 50_000_000}


# --- the count ----------------------------------------------------------------------------------


def test_a_round_is_counted_after_its_time_and_once(ledger: Ledger) -> None:
    ledger.at(EARLY_END - 1)
    ledger.refuses_to(WrongPhase, EARLY_END, "stranger", "jury.close", "ink", round=0)
    ledger.at(EARLY_END)
    close(ledger, 0)
    ledger.refuses_to(WrongPhase, "closed", "stranger", "jury.close", "ink", round=0)
    ledger.refuses(WrongPhase, "closed", ledger.ballot("juror-1", [1]))


def test_rounds_are_counted_in_order(ledger: Ledger) -> None:
    ledger.at(LATE_END)
    ledger.refuses_to(WrongPhase, "round 0", "stranger", "jury.close", "ink", round=1)
    close(ledger, 0)
    close(ledger, 1)


def test_a_round_waits_for_the_clues_committed_before_it(ledger: Ledger) -> None:
    hidden = ledger.commit("contributor-1")
    ledger.at(EARLY_END)
    ledger.refuses_to(Conflict, f"Clue {hidden}", "stranger", "jury.close", "ink", round=0)
    ledger.at(START + REVEAL)
    close(ledger, 0)


def test_a_clue_committed_just_when_the_round_opens_is_of_it(ledger: Ledger) -> None:
    ledger.at(EARLY)
    tool, hidden = ledger.publish("contributor-1", form="tool"), ledger.commit("contributor-2")
    assert candidates(ledger.challenge(), 0) == [tool]
    ledger.at(EARLY_END)
    ledger.refuses_to(Conflict, f"Clue {hidden}", "stranger", "jury.close", "ink", round=0)


def test_a_clue_committed_after_the_round_opened_holds_it_up_no_longer(ledger: Ledger) -> None:
    ledger.at(EARLY + 1)
    ledger.commit("cheat-1")
    ledger.at(EARLY_END)
    close(ledger, 0)


def test_commons_are_granted_only_after_settlement() -> None:
    ledger = Ledger()
    ledger.open_challenge(rounds=[jury_round(EARLY, EARLY_END, 0, 1000)])
    ledger.at(EARLY_END)
    ledger.refuses_to(WrongPhase, "commons", "stranger", "jury.close", "ink", round=0)
    ledger.at(SILENCE)
    close(ledger, 0)


def test_an_award_is_a_new_node_that_cites_the_old_one_in_full(ledger: Ledger) -> None:
    tool = ledger.publish("contributor-1", form="tool")
    ledger.at(EARLY)
    ledger.append(ledger.ballot("juror-1", [tool]))
    ledger.at(EARLY_END)
    close(ledger, 0)
    assert ledger.challenge().nodes[-1].units == 50_000_000
    assert ledger.challenge().nodes[-1].cites == ((0, 10**9),)
    assert (ledger.clue(tool).node, ledger.clue(tool).newest) == (0, 1)
    citer = ledger.step("contributor-2", 520_000_000, cites=[(tool, 10**9)])
    assert ledger.challenge().nodes[ledger.clue(citer).node].cites == ((1, 10**9),)
    assert ledger.owed("contributor-1").shares > 50_000_000 * 10**9
    ledger.audit()


def test_awards_of_a_round_share_one_position(ledger: Ledger) -> None:
    tools = [ledger.publish(f"contributor-{i}", form="tool") for i in range(3)]
    ledger.at(EARLY)
    a, b, c = tools
    ledger.append(ledger.ballot("juror-1", tools, (a, b, 1), (b, c, 1)))
    ledger.at(EARLY_END)
    close(ledger, 0)
    assert {node.position for node in ledger.challenge().nodes[3:]} == {3}
    units = ledger.challenge().rounds[0].units
    assert units[a] > units[b] > units[c] > 0
    assert sum(units.values()) <= 50_000_000
    ledger.step("contributor-5", 520_000_000)
    ledger.audit()


def test_a_round_grants_no_more_than_the_commons_hold(ledger: Ledger) -> None:
    step = ledger.step("contributor-1", 600_000_000)
    more = ledger.step("contributor-2", 700_000_000)
    tool = ledger.publish("contributor-3", form="tool")
    ledger.settle({step: 600_000_000, more: 700_000_000})
    ledger.at(LATE)
    ledger.append(ledger.ballot("juror-1", [tool], number=1))
    ledger.at(LATE_END)
    close(ledger, 0)
    found = ledger.challenge()
    free = grantable(found.nodes, shares(found.nodes), 0)
    assert 0 < free < 10**18
    close(ledger, 1)
    assert found.rounds[1].grants == {tool: free}
    assert granted(found) <= commons(found.nodes, shares(found.nodes))
    assert ledger.owed("contributor-3").shares == treasury.clue_shares(found)[tool]
    ledger.audit()


def test_a_round_without_ballots_awards_nothing(ledger: Ledger) -> None:
    ledger.publish("contributor-1", form="tool")
    ledger.at(EARLY_END)
    close(ledger, 0)
    assert ledger.challenge().rounds[0].units == {}
    ledger.audit()


def test_one_juror_of_three_awards_little_against_two(ledger: Ledger) -> None:
    """The lower median over all who may judge: a lone friend is outvoted."""
    good = ledger.publish("contributor-1", form="tool")
    bad = ledger.publish("cheat-1", form="tool")
    ledger.at(EARLY)
    ledger.append(ledger.ballot("juror-1", [good]))
    ledger.append(ledger.ballot("juror-2", [good]))
    ledger.append(ledger.ballot("juror-3", [bad]))
    ledger.at(EARLY_END)
    close(ledger, 0)
    assert ledger.challenge().rounds[0].units == {good: 50_000_000}


def test_a_settlement_during_a_round_voids_no_ballot(ledger: Ledger) -> None:
    """A clue that the truth makes a step keeps its step; what is said of others stands."""
    near = ledger.step("contributor-1", "none")
    tool = ledger.publish("contributor-2", form="tool")
    ledger.at(EARLY_END)
    close(ledger, 0)
    ledger.at(DEADLINE + REVEAL)
    ledger.release()
    ledger.at(LATE)
    ledger.append(ledger.ballot("juror-1", [near, tool], (near, tool, 0), number=1))
    ledger.append(ledger.exact({near: 520_000_000}))
    assert ledger.clue(near).verdict == "step"
    ledger.at(LATE_END)
    close(ledger, 1)
    assert ledger.challenge().rounds[1].units == {tool: 75_000_000}
    assert [node.units for node in ledger.challenge().nodes] == [2 * PER_STEP, 0, 75_000_000]
    ledger.audit()


def test_units_minted_before_settlement_survive_the_refold(ledger: Ledger) -> None:
    step = ledger.step("contributor-1", 600_000_000)
    tool = ledger.publish("contributor-2", form="tool")
    ledger.at(EARLY)
    ledger.append(ledger.ballot("juror-1", [tool]))
    ledger.at(EARLY_END)
    close(ledger, 0)
    ledger.settle({step: 500_000_000})
    assert [node.units for node in ledger.challenge().nodes] == [0, 0, 50_000_000]
    assert ledger.owed("contributor-1").shares == 0
    ledger.audit()


def test_no_vote_is_taken_on_what_was_cancelled_or_never_opened() -> None:
    ledger = Ledger()
    ledger.draft(rounds=ROUNDS)
    ledger.at(EARLY_END)
    ledger.refuses_to(WrongPhase, "ink is draft", "stranger", "jury.close", "ink", round=0)
    ledger.refuses(WrongPhase, "ink is draft", ledger.ballot("juror-1", [1]))
