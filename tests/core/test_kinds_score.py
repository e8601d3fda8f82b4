"""Scores: attested in order of commitment by two scorers, exact ones by anyone after the truth."""

from __future__ import annotations

import pytest

from danseo.core.challenge import phase
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotFound,
    OutOfOrder,
    WrongPhase,
)
from tests.core.ledger import (
    BASELINE,
    DEADLINE,
    ETA,
    GOAL,
    PER_STEP,
    REVEAL,
    SCORE,
    START,
    Ledger,
    address,
    digest,
)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open_challenge()
    return ledger


# --- who, when, what ----------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["stranger", "organiser", "trustee-1", "contributor-1"])
def test_only_a_scorer_scores(ledger: Ledger, who: str) -> None:
    clue = ledger.publish("contributor-1")
    ledger.refuses(NotAllowed, address(who), ledger.verdict(who, clue, "none"))


def test_a_score_names_a_clue_that_waits_for_it(ledger: Ledger) -> None:
    ledger.refuses(NotFound, "clue 5", ledger.verdict("scorer-1", 5, "none"))
    clue = ledger.commit("contributor-1")
    ledger.refuses(WrongPhase, f"Clue {clue}", ledger.verdict("scorer-1", clue, "none"))
    ledger.reveal("contributor-1", clue)
    ledger.score("ink", clue, "none")
    ledger.refuses(WrongPhase, "final (none)", ledger.verdict("scorer-1", clue, "none"))


def test_scores_come_in_order_of_commitment(ledger: Ledger) -> None:
    hidden, shown = ledger.commit("contributor-1"), ledger.publish("contributor-2")
    found = ledger.refuses(
        OutOfOrder, f"clue {hidden} (committed)", ledger.verdict("scorer-1", shown, "none")
    )
    assert f"Clue {shown}" in found.message
    ledger.reveal("contributor-1", hidden)
    ledger.refuses(
        OutOfOrder, f"clue {hidden} (revealed)", ledger.verdict("scorer-1", shown, "none")
    )
    ledger.score("ink", hidden, "none")
    ledger.score("ink", shown, "none")


def test_a_lapsed_commitment_holds_nobody_up(ledger: Ledger) -> None:
    ledger.commit("cheat-1")
    shown = ledger.publish("contributor-2")
    ledger.at(START + REVEAL - 1)
    ledger.refuses(OutOfOrder, shown, ledger.verdict("scorer-1", shown, "none"))
    ledger.at(START + REVEAL)
    ledger.score("ink", shown, "none")


def test_a_scorer_speaks_once(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1")
    ledger.append(ledger.verdict("scorer-1", clue, "none"))
    ledger.refuses(Conflict, f"clue {clue}", ledger.verdict("scorer-1", clue, 520_000_000))


@pytest.mark.parametrize("verdict", ["none", "unfit"])
def test_a_miss_bears_no_number(ledger: Ledger, verdict: str) -> None:
    clue = ledger.publish("contributor-1")
    ledger.refuses_to(
        Malformed, verdict, "scorer-1", "score.publish", "ink",
        clue=clue, verdict=verdict, score=505_000_000, reproduced=False, reason=digest("why"),
    )  # fmt: skip


def test_a_step_bears_its_number(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1")
    ledger.refuses_to(
        Malformed, "step", "scorer-1", "score.publish", "ink",
        clue=clue, verdict="step", reproduced=False, reason=digest("why"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("score", "error"),
    [
        (520_000_001, Malformed),
        (BASELINE - ETA, Malformed),
        (BASELINE, Conflict),
        (510_000_000, Conflict),
    ],
)
def test_a_step_lies_on_the_grid_and_beyond_the_best(
    ledger: Ledger, score: int, error: type[Malformed] | type[Conflict]
) -> None:
    ledger.step("contributor-1", 510_000_000)
    clue = ledger.publish("contributor-2")
    ledger.refuses(error, score, ledger.verdict("scorer-1", clue, score))
    ledger.append(ledger.verdict("scorer-1", clue, 520_000_000))


def test_what_no_score_can_see_is_not_scored(ledger: Ledger) -> None:
    head = ledger.publish("contributor-1")
    tool = ledger.publish("contributor-2", form="tool")
    ledger.refuses(OutOfOrder, f"Clue {tool}", ledger.verdict("scorer-1", tool, "none"))
    ledger.score("ink", head, "none")
    assert ledger.clue(tool).verdict == "unscored"
    ledger.refuses(WrongPhase, f"Clue {tool}", ledger.verdict("scorer-1", tool, "none"))


def test_a_large_step_must_be_a_method_that_reproduces(ledger: Ledger) -> None:
    most = BASELINE + 20 * ETA  # 400,000,000 units
    clue = ledger.publish("contributor-1")
    found = ledger.refuses(
        NotAllowed, 21 * PER_STEP, ledger.verdict("scorer-1", clue, most + ETA, reproduced=True)
    )
    assert "400000000" in found.message
    ledger.score("ink", clue, "unfit")
    method = ledger.publish("contributor-1", form="method")
    ledger.refuses(NotAllowed, 21 * PER_STEP, ledger.verdict("scorer-1", method, most + ETA))
    ledger.score("ink", method, most + ETA, reproduced=True)
    assert ledger.clue(method).verdict == "step"


def test_a_step_of_just_the_stated_size_may_be_predictions(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", BASELINE + 20 * ETA)
    assert ledger.challenge().nodes[ledger.clue(clue).node].units == 20 * PER_STEP


def test_beyond_the_goal_a_step_mints_nothing() -> None:
    ledger = Ledger()
    ledger.open_challenge(method_above=10**9)
    ledger.step("contributor-1", GOAL)
    beyond = ledger.step("contributor-2", GOAL + ETA)
    assert ledger.clue(beyond).verdict == "step"
    assert ledger.challenge().nodes[1].units == 0
    ledger.audit()


def test_a_lower_score_can_be_the_better_one() -> None:
    ledger = Ledger()
    curve = [{"score": GOAL, "units": 0}, {"score": BASELINE, "units": 800_000_000}]
    ledger.open_challenge(direction="lower", curve=curve)
    clue = ledger.publish("contributor-1")
    ledger.refuses(Conflict, GOAL, ledger.verdict("scorer-1", clue, GOAL))
    ledger.score("ink", clue, GOAL - 5 * ETA, GOAL - 3 * ETA)
    assert ledger.clue(clue).score == GOAL - 3 * ETA
    assert ledger.challenge().nodes[0].units == 3 * PER_STEP


# --- two scorers --------------------------------------------------------------------------------


def test_where_two_scorers_differ_the_lower_counts_and_both_stand(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1")
    ledger.score("ink", clue, 560_000_000, 530_000_000)
    found = ledger.clue(clue)
    assert (found.verdict, found.score) == ("step", 530_000_000)
    assert [v.score for v in found.verdicts.values()] == [560_000_000, 530_000_000]
    assert ledger.challenge().frontier == 3 * ETA
    assert ledger.challenge().nodes[0].units == 3 * PER_STEP


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (560_000_000, "none", "none"),
        ("none", 560_000_000, "none"),
        ("unfit", 560_000_000, "unfit"),
        ("none", "unfit", "unfit"),
    ],
)
def test_a_step_needs_both(
    ledger: Ledger, first: int | str, second: int | str, counts: str
) -> None:
    clue = ledger.publish("contributor-1")
    ledger.score("ink", clue, first, second)
    assert ledger.clue(clue).verdict == counts
    assert ledger.challenge().frontier == 0
    assert ledger.challenge().nodes[0].units == 0


@pytest.mark.parametrize("speaks", [True, False])
def test_a_clue_whose_scorers_are_silent_is_passed_over(ledger: Ledger, speaks: bool) -> None:
    clue = ledger.publish("contributor-1")
    if speaks:
        ledger.append(ledger.verdict("scorer-1", clue, 560_000_000))
    ledger.at(START + SCORE - 1)
    assert ledger.clue(clue).status == "revealed"
    ledger.now = START + SCORE
    ledger.refuses(WrongPhase, "final (passed)", ledger.verdict("scorer-2", clue, 560_000_000))
    assert ledger.challenge().nodes[0].units == 0
    ledger.settle({clue: 565_000_000})
    assert ledger.clue(clue).verdict == "step"
    assert ledger.challenge().nodes[0].units == 6 * PER_STEP
    ledger.audit()


def test_the_scorers_time_runs_from_when_nothing_before_is_hidden(ledger: Ledger) -> None:
    hidden = ledger.commit("contributor-1")
    shown = ledger.publish("contributor-2")
    ledger.at(START + SCORE + 10)
    assert ledger.clue(shown).status == "revealed"
    ledger.reveal("contributor-1", hidden)
    ledger.at(START + SCORE + 10 + SCORE - 1)
    ledger.score("ink", hidden, "none")
    assert ledger.clue(shown).status == "revealed"
    ledger.wait(1)
    assert ledger.clue(shown).verdict == "passed"


def test_slow_scorers_cannot_stretch_the_time_by_the_number_of_clues(ledger: Ledger) -> None:
    ledger.at(DEADLINE - 1)
    clues = [ledger.publish("contributor-1") for _ in range(30)]
    ledger.at(DEADLINE - 2 + SCORE)
    ledger.score("ink", clues[0], "none")
    ledger.at(DEADLINE - 1 + SCORE)
    assert {ledger.clue(clue).verdict for clue in clues[1:]} == {"passed"}
    ledger.at(DEADLINE + REVEAL)
    assert phase(ledger.challenge(), ledger.now) == "truth"


def test_a_silent_scorer_cannot_cost_a_method_its_large_step(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1", form="method")
    ledger.append(ledger.verdict("scorer-1", clue, 800_000_000, reproduced=True))
    ledger.wait(SCORE)
    ledger.settle({clue: 800_000_000})
    assert ledger.challenge().nodes[0].units == 30 * PER_STEP


def test_a_method_that_nobody_reran_makes_no_large_step(ledger: Ledger) -> None:
    """Its author may have asked for packages that no scorer can get, so that both stay silent."""
    clue = ledger.publish("contributor-1", form="method")
    ledger.wait(SCORE)
    ledger.settle({clue: 800_000_000})
    assert ledger.clue(clue).verdict == "none"


def test_a_method_that_one_scorer_could_not_reproduce_makes_no_large_step(
    ledger: Ledger,
) -> None:
    clue = ledger.publish("contributor-1", form="method")
    ledger.append(ledger.verdict("scorer-1", clue, "unfit"))
    ledger.wait(SCORE)
    ledger.settle({clue: 800_000_000})
    assert ledger.clue(clue).verdict == "none"
    assert ledger.challenge().nodes[0].units == 0


# --- exact scores -------------------------------------------------------------------------------


def test_exact_scores_wait_for_the_truth(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.refuses(WrongPhase, "ink", ledger.exact({clue: 525_000_000}))
    ledger.release(trustees=["trustee-1"])
    ledger.refuses(WrongPhase, "ink", ledger.exact({clue: 525_000_000}))


def test_exact_scores_come_in_order_without_gap_or_repetition(ledger: Ledger) -> None:
    a = ledger.step("contributor-1", 520_000_000)
    tool = ledger.publish("contributor-1", form="tool")
    b = ledger.step("contributor-2", 560_000_000)
    ledger.release()
    ledger.refuses(Malformed, "no scores", ledger.exact({}))
    ledger.refuses(OutOfOrder, f"clue {b}", ledger.exact({b: 560_000_000}))
    ledger.refuses(OutOfOrder, f"clue {tool}", ledger.exact({a: 525_000_000, tool: 0}))
    ledger.append(ledger.exact({a: 525_000_000}))
    ledger.refuses(OutOfOrder, f"clue {a}", ledger.exact({a: 525_000_000}))
    ledger.refuses(OutOfOrder, "none", ledger.exact({b: 565_000_000, b + 1: 0}))
    assert ledger.challenge().status == "open"
    ledger.append(ledger.exact({b: 565_000_000}))
    assert ledger.challenge().status == "settled"
    ledger.refuses(WrongPhase, "settled", ledger.exact({b: 565_000_000}))


def test_no_score_is_attested_once_the_truth_is_out(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.release()
    ledger.refuses(WrongPhase, "past scoring", ledger.verdict("scorer-1", clue, "none"))


def test_the_truth_refolds_the_ladder_over_exact_scores(ledger: Ledger) -> None:
    """A step is eta beyond the *exact* best; what is minted is rounded down to the grid."""
    a = ledger.step("contributor-1", 510_000_000)
    b = ledger.step("contributor-2", 520_000_000)
    c = ledger.step("contributor-3", "unfit")
    d = ledger.step("contributor-4", "none")
    ledger.settle({a: 519_000_000, b: 528_000_000, c: None, d: 529_000_000})
    assert [ledger.clue(x).verdict for x in (a, b, c, d)] == ["step", "none", "unfit", "step"]
    assert [node.units for node in ledger.challenge().nodes] == [PER_STEP, 0, 0, PER_STEP]
    assert ledger.clue(d).score == 520_000_000
    assert ledger.challenge().settled_by == "truth"
    ledger.audit()
