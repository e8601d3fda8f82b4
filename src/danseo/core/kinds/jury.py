"""Entries of the jury: ballots, and the count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from danseo.core import challenge as life
from danseo.core import dispute
from danseo.core.ballot import Ballot, check_ballot
from danseo.core.challenge import Challenge
from danseo.core.entry import Blob, Body, Entry, Index, Range, kind
from danseo.core.errors import Conflict, NotAllowed, NotFound, WrongPhase
from danseo.core.state import State
from danseo.core.terms import Round

RoundNumber = Annotated[int, Range(0, 999)]
Doublings = Annotated[int, Range(-4, 4)]


@dataclass(frozen=True, slots=True)
class Pair:
    """`better` is 2^doublings times better than `worse`."""

    better: Index
    worse: Index
    doublings: Doublings


def _round(challenge: Challenge, number: int) -> Round:
    if number >= len(challenge.terms.rounds):
        raise NotFound(
            f"{challenge.id} has no jury round {number}.",
            f"It has {len(challenge.terms.rounds)}, counted from 0.",
        )
    if challenge.rounds[number].closed:
        raise WrongPhase(f"Jury round {number} is closed.", "Its awards stand.")
    return challenge.terms.rounds[number]


@kind("jury.ballot")
@dataclass(frozen=True, slots=True)
class CastBallot(Body):
    """A juror's comparisons in a round; a later ballot of the same juror replaces it.

    `clues` are those that deserve an award; one left out gets nothing from this juror. The pairs
    must connect them.
    """

    english: ClassVar[str] = "Judge {count} clues in jury round {round}"
    korean: ClassVar[str] = "배심 {round}회차에서 단서 {count}건 평가"

    round: RoundNumber
    clues: tuple[Index, ...]
    pairs: tuple[Pair, ...]
    reason: Blob | None = None

    def summary_fields(self) -> dict[str, Any]:
        return {"count": len(self.clues)}

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        if who not in challenge.terms.jurors:
            raise NotAllowed(f"{who} is no juror of {challenge.id}.", "Only jurors vote here.")
        terms = _round(challenge, self.round)
        if challenge.status not in ("open", "settled"):
            raise WrongPhase(f"{challenge.id} is {challenge.status}.", "No round is held now.")
        if not terms.opens <= state.now < terms.closes:
            raise WrongPhase(
                f"Jury round {self.round} is held from {terms.opens} until {terms.closes}; "
                f"the log stands at {state.now}.",
                "Vote within that time.",
            )
        check_ballot(
            self.ballot(who),
            life.candidates(challenge, self.round),
            life.recused(challenge, who),
        )

    def ballot(self, juror: str) -> Ballot:
        """Return the ballot as the count takes it."""
        pairs = tuple((p.better, p.worse, p.doublings) for p in self.pairs)
        return Ballot(juror, self.clues, pairs)

    def apply(self, state: State, entry: Entry) -> None:
        who = state.identity(entry.author)
        one = state.challenges[entry.challenge].rounds[self.round]
        one.ballots[who] = self.ballot(who)


@kind("jury.close")
@dataclass(frozen=True, slots=True)
class CloseRound(Body):
    """Count a round's ballots and make its awards. Anyone may, once its time is over."""

    english: ClassVar[str] = "Count jury round {round}"
    korean: ClassVar[str] = "배심 {round}회차 개표"

    round: RoundNumber

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        terms = _round(challenge, self.round)
        if challenge.status not in ("open", "settled"):
            raise WrongPhase(f"{challenge.id} is {challenge.status}.", "No round is counted now.")
        if state.now < terms.closes:
            raise WrongPhase(
                f"Jury round {self.round} is held until {terms.closes}; "
                f"the log stands at {state.now}.",
                "Count it after that.",
            )
        if self.round and not challenge.rounds[self.round - 1].closed:
            raise WrongPhase(f"Jury round {self.round - 1} is not counted.", "Count it first.")
        if terms.commons and challenge.status != "settled":
            raise WrongPhase(
                "This round grants commons, and the challenge is not settled.",
                "Commons are granted only after settlement.",
            )
        if terms.commons:  # a citation that is added takes from them
            dispute.check_over(challenge)
        head = challenge.head_clue()
        if head is not None and head.committed_at <= terms.opens:
            raise Conflict(
                f"Clue {head.id} was committed before the round and is not final.",
                "Count the round when every such clue is final or lapsed.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        life.close_round(state.challenges[entry.challenge], self.round)
