"""Entries of the scorers before the truth is out, and of anyone after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from danseo.core import challenge as life
from danseo.core import dispute
from danseo.core.challenge import Challenge, Clue, Verdict
from danseo.core.entry import Blob, Body, Entry, Field, Index, Score, kind
from danseo.core.errors import Conflict, Malformed, NotAllowed, OutOfOrder, WrongPhase
from danseo.core.kinds.clue import find_clue
from danseo.core.state import State
from danseo.core.words import decimal

Finding = Annotated[str, Field("verdict (step, none or unfit)", r"step|none|unfit")]


@kind("score.publish")
@dataclass(frozen=True, slots=True)
class PublishScore(Body):
    """A scorer's verdict on the next clue in order of commitment.

    `step` with the score rounded to the step grid; `none` without it, so that a miss tells
    nothing; `unfit` for what cannot be scored. The reason is a blob. `reproduced` says that the
    scorer reran the method and came close enough.
    """

    english: ClassVar[str] = "Score clue {clue}: {shown}"
    korean: ClassVar[str] = "단서 {clue} 채점: {shown}"

    clue: Index
    verdict: Finding
    reproduced: bool
    reason: Blob
    score: Score | None = None

    def summary_fields(self) -> dict[str, Any]:
        score = "" if self.score is None else f" {decimal(self.score)}"
        return {"shown": self.verdict + score}

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        if challenge.role(who) != "scorer":
            raise NotAllowed(
                f"{who} is no scorer of {challenge.id}.",
                "Only the two scorers whom the opening names may score.",
            )
        if challenge.status != "open" or challenge.key:
            raise WrongPhase(
                f"{challenge.id} is past scoring.", "Exact scores follow from the truth."
            )
        clue = find_clue(challenge, self.clue)
        _check_turn(challenge, clue, who)
        if (self.verdict == "step") != (self.score is not None):
            raise Malformed(
                f"The verdict {self.verdict!r} {'lacks' if self.score is None else 'has'} a score.",
                "Publish the score of a step, and of nothing else.",
            )
        if self.score is not None:
            self._check_step(challenge, clue, self.score)

    def _check_step(self, challenge: Challenge, clue: Clue, score: int) -> None:
        curve = challenge.terms.value_curve()
        progress = curve.progress(score)
        if score != curve.score(curve.grid(progress)):
            raise Malformed(
                f"The score {score} lies off the grid of {curve.eta} from {curve.baseline}.",
                "Round it to the grid, towards the baseline.",
            )
        if progress <= challenge.frontier:
            raise Conflict(
                f"The score {score} is no step beyond {curve.score(challenge.frontier)}.",
                "Publish 'none' without a score.",
            )
        limit = challenge.terms.method_above
        units = life.units_of_step(challenge, score)
        if units > limit and not (clue.form == "method" and self.reproduced):
            raise NotAllowed(
                f"A step of {units} units must be a method that reproduces (above {limit}).",
                "Publish 'unfit' with this reason, or reproduce the method first.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenges[entry.challenge], state.identity(entry.author)
        challenge.clues[self.clue].verdicts[who] = Verdict(
            self.verdict, self.score or 0, self.reproduced, entry.index
        )
        state.advance(challenge, entry.time)


def _check_turn(challenge: Challenge, clue: Clue, who: str) -> None:
    if clue.status == "final":
        raise WrongPhase(f"Clue {clue.id} is final ({clue.verdict}).", "Score the next one.")
    if clue.status != "revealed":
        raise WrongPhase(f"Clue {clue.id} is {clue.status}.", "Only what is revealed is scored.")
    if who in clue.verdicts:
        raise Conflict(f"{who} has scored clue {clue.id}.", "A verdict stands.")
    head = challenge.head_clue()
    if head is not clue:
        waits = "nothing" if head is None else f"clue {head.id} ({head.status})"
        raise OutOfOrder(
            f"Clue {clue.id} is not next: {waits} comes first.",
            "Score in order of commitment, when every earlier clue is final, lapsed or retracted.",
        )
    if not clue.scored:
        raise Conflict(f"Clue {clue.id} is a {clue.form}.", "No score can see it; a jury can.")


@dataclass(frozen=True, slots=True)
class ExactScore:
    """The exact score of a clue; absent where the submission is unfit, or withheld."""

    clue: Index
    score: Score | None = None


@kind("score.exact")
@dataclass(frozen=True, slots=True)
class PublishExact(Body):
    """Exact scores on the released truth, in order of commitment; anyone may publish them.

    The last one refolds the ladder and settles the challenge. They must be what the scorer gives:
    `verify` runs it.
    """

    english: ClassVar[str] = "Publish {count} exact scores from clue {first} on"
    korean: ClassVar[str] = "단서 {first}부터 정확한 점수 {count}건 공개"

    scores: tuple[ExactScore, ...]

    def summary_fields(self) -> dict[str, Any]:
        first = self.scores[0].clue if self.scores else "?"
        return {"count": len(self.scores), "first": first}

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        if challenge.status != "open" or not challenge.key:
            raise WrongPhase(
                f"The truth of {challenge.id} is not released, or it is settled.",
                "Exact scores come between the two.",
            )
        if not self.scores:
            raise Malformed("There are no scores in this entry.", "Publish at least one.")
        first = challenge.exact_next
        todo = challenge.scorables[first : first + len(self.scores)]
        for i, score in enumerate(self.scores):
            if i >= len(todo) or todo[i] != score.clue:
                expected = f"clue {todo[i]}" if i < len(todo) else "none"
                raise OutOfOrder(
                    f"Exact score {i} is of clue {score.clue}; the next one is of {expected}.",
                    "Publish them in order of commitment, without gaps.",
                )
            clue = challenge.clues[score.clue]
            if score.score is not None and life.is_withheld(challenge, clue, state.withheld):
                raise Conflict(
                    f"What it takes to score clue {score.clue} is withheld.",
                    "State no exact score for it: the attested one stands.",
                )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        exact = [(s.clue, s.score) for s in self.scores]
        life.note_exact(challenge, exact, entry.time, state.withheld)
        if challenge.status == "settled":
            dispute.settled(state, challenge)
