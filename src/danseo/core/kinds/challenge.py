"""Entries that open a challenge, take its roles up, and end it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from danseo.core import booking, dispute, treasury
from danseo.core.challenge import Challenge, JuryRound, Stake
from danseo.core.entry import Blob, Body, Entry, Hash, kind
from danseo.core.errors import Conflict, NotAllowed, NotCovered, NotFound, WrongPhase
from danseo.core.state import State
from danseo.core.terms import Terms, check_terms
from danseo.core.words import money, utc


def check_organiser(state: State, entry: Entry) -> Challenge:
    """Return the challenge, or raise `NotAllowed` unless its organiser signed."""
    challenge = state.challenge(entry.challenge)
    if state.identity(entry.author) != challenge.organiser:
        raise NotAllowed(
            f"{entry.author} does not organise {challenge.id}.",
            f"Its organiser is {challenge.organiser}.",
        )
    return challenge


@kind("challenge.open")
@dataclass(frozen=True, slots=True)
class OpenChallenge(Body):
    """Publish a challenge with all its terms. It opens when every scorer and trustee has agreed."""

    scope: ClassVar[str] = "opening"
    english: ClassVar[str] = "Publish this challenge: scored by {scorer}, open until {deadline}"
    korean: ClassVar[str] = "이 챌린지를 공고함: 채점 {scorer}, 마감 {deadline}"

    terms: Terms

    def summary_fields(self) -> dict[str, Any]:
        return {"scorer": self.terms.scorer, "deadline": utc(self.terms.deadline)}

    def check(self, state: State, entry: Entry) -> None:
        check_terms(self.terms, state.identity(entry.author), state.now)
        if self.terms.follows is not None:
            booking.check_follows(state.challenge(self.terms.follows), self.terms)
        if self.terms.remainder == f"successor:{entry.challenge}":
            raise Conflict("The challenge names itself as its successor.", "Name another one.")
        for who in self.terms.roles():
            person = state.people.get(who)
            if person is None or not person.sealing:
                raise NotFound(
                    f"{who} has registered no sealing key.",
                    "Let every scorer and trustee register one first (key.sealing).",
                )

    def apply(self, state: State, entry: Entry) -> None:
        organiser = state.identity(entry.author)
        state.challenges[entry.challenge] = Challenge(
            id=entry.challenge,
            organiser=organiser,
            terms=self.terms,
            index=entry.index,
            created_at=entry.time,
            roles={organiser: "organiser", **self.terms.roles()},
            rounds=[JuryRound() for _ in self.terms.rounds],
        )


@kind("challenge.acknowledge")
@dataclass(frozen=True, slots=True)
class Acknowledge(Body):
    """A scorer or trustee takes the role up: what was sealed to them opens and fits its hash.

    A scorer's stake is locked by it. The last one opens the challenge.
    """

    english: ClassVar[str] = "Take up my role in this challenge"
    korean: ClassVar[str] = "이 챌린지에서 맡은 역할을 수락함"

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        role = challenge.terms.roles().get(who)
        if role is None:
            raise NotAllowed(
                f"{who} is neither scorer nor trustee of {challenge.id}.",
                "Only those whom the opening names acknowledge it.",
            )
        if who in challenge.acknowledged:
            raise Conflict(f"{who} acknowledged it already.", "Nothing is left to do.")
        if challenge.status != "draft":
            raise WrongPhase(f"{challenge.id} is {challenge.status}.", "Nothing is left to do.")
        if state.now >= challenge.terms.deadline:
            raise WrongPhase(
                f"The deadline of {challenge.id} has passed before it opened.",
                "Let the organiser cancel it and open another.",
            )
        stake = challenge.terms.stake
        held = treasury.balance(challenge, who, stake.asset)
        if role == "scorer" and held < stake.amount:
            raise NotCovered(
                f"{who} has {money(held, stake.asset)} and must stake "
                f"{money(stake.amount, stake.asset)}.",
                "Deposit the stake first: `danseo challenge show` says how.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenges[entry.challenge], state.identity(entry.author)
        terms = challenge.terms
        challenge.acknowledged[who] = entry.index
        if terms.roles()[who] == "scorer":
            treasury.hold(challenge, who, terms.stake.asset, terms.stake.amount, "stake")
            challenge.stakes[who] = Stake()
        if len(challenge.acknowledged) == len(terms.roles()):
            challenge.status, challenge.opened_at = "open", entry.time
            all_final_by = terms.deadline + terms.reveal_window + terms.score_window
            state.schedule(all_final_by + terms.truth_window, challenge.id, "silence")


@kind("rules.accept")
@dataclass(frozen=True, slots=True)
class AcceptRules(Body):
    """A contributor accepts the rules and the licence that the opening names, before a clue."""

    english: ClassVar[str] = "Accept the rules of this challenge: {rules:.16}"
    korean: ClassVar[str] = "이 챌린지의 규칙에 동의함: {rules:.16}"

    rules: Hash

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        if challenge.terms.rules is None:
            raise NotFound(f"{challenge.id} has no rules to accept.", "Commit to a clue at once.")
        if self.rules != challenge.terms.rules:
            raise Conflict(
                f"The rules of {challenge.id} are {challenge.terms.rules}, not {self.rules}.",
                "Read and accept those.",
            )
        if who in challenge.accepted:
            raise Conflict(
                f"{who} accepted them in entry {challenge.accepted[who]}.", "Nothing is left to do."
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenges[entry.challenge], state.identity(entry.author)
        challenge.accepted[who] = entry.index


@kind("challenge.cancel")
@dataclass(frozen=True, slots=True)
class Cancel(Body):
    """The organiser calls the challenge off, before anyone has committed to a clue.

    One that has not opened by its deadline never will: then anyone may, so that donors get theirs.
    """

    english: ClassVar[str] = "Cancel this challenge"
    korean: ClassVar[str] = "이 챌린지를 취소함"

    reason: Blob

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        if challenge.status != "draft" or state.now < challenge.terms.deadline:
            check_organiser(state, entry)
        if challenge.status not in ("draft", "open"):
            raise WrongPhase(f"{challenge.id} is {challenge.status}.", "It cannot be cancelled.")
        if challenge.clues:
            first = next(iter(challenge.clues))
            raise WrongPhase(
                f"Someone committed to a clue in entry {first}.",
                "A challenge can be cancelled only before the first commitment.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        challenge.settled_by = "cancelled"
        treasury.return_stakes(challenge)
        treasury.wind_up(challenge)
        challenge.status, challenge.closed_at = "cancelled", entry.time


@kind("challenge.close")
@dataclass(frozen=True, slots=True)
class Close(Body):
    """End a settled challenge after its last jury round. Anyone may."""

    english: ClassVar[str] = "Close this challenge"
    korean: ClassVar[str] = "이 챌린지를 종료함"

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        if challenge.status != "settled":
            raise WrongPhase(
                f"{challenge.id} is {challenge.status}.", "Only a settled challenge can be closed."
            )
        for number, one in enumerate(challenge.rounds):
            if not one.closed:
                raise WrongPhase(
                    f"Jury round {number} is not closed.", "Close it first (jury.close)."
                )
        dispute.check_over(challenge)

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        treasury.return_stakes(challenge)
        treasury.wind_up(challenge)
        challenge.status, challenge.closed_at = "closed", entry.time
