"""Entries of a dispute: opened, answered, voted on, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from danseo.core import dispute as disputes
from danseo.core import treasury
from danseo.core.challenge import Challenge, Clue, Dispute
from danseo.core.entry import Author, Blob, Body, Entry, Field, Index, Parts, kind
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotCovered,
    NotFound,
    WrongPhase,
)
from danseo.core.kinds.clue import find_clue
from danseo.core.state import State
from danseo.core.words import decimal, money

About = Annotated[str, Field("subject of a dispute (score or citation)", r"score|citation")]


def _check_bond(challenge: Challenge, who: str) -> None:
    """Raise unless `who` can put the bond of a dispute down."""
    bond = disputes.terms_of(challenge).bond
    held = treasury.balance(challenge, who, bond.asset)
    if held < bond.amount:
        raise NotCovered(
            f"{who} has {money(held, bond.asset)}, and the bond of a dispute is "
            f"{money(bond.amount, bond.asset)}.",
            "Deposit it first; it returns unless the other side is found right.",
        )


def _find_open(challenge: Challenge, dispute_id: int) -> Dispute:
    dispute = disputes.find(challenge, dispute_id)
    if dispute.status != "open":
        raise WrongPhase(f"Dispute {dispute.id} is {dispute.status}.", "It is over.")
    return dispute


@kind("dispute.open")
@dataclass(frozen=True, slots=True)
class OpenDispute(Body):
    """Put down a bond against a score, or against a clue that lacks a citation, with evidence.

    A score names the clue and the scorer whose verdict is wrong. A citation names the clue, the
    clue that it builds on (`target`), and the `weight` that it should have at least.
    """

    english: ClassVar[str] = "Put down a bond that {claim}"
    korean: ClassVar[str] = "보증금을 걸고 이의를 제기함: {claim_in_korean}"

    about: About
    clue: Index
    evidence: Blob
    target: Index | None = None
    weight: Parts | None = None
    scorer: Author | None = None

    def summary_fields(self) -> dict[str, Any]:
        if self.about == "score":
            return {
                "claim": f"the verdict of {self.scorer} on clue {self.clue} is wrong",
                "claim_in_korean": f"단서 {self.clue}에 대한 {self.scorer}의 판정이 틀림",
            }
        weight = decimal(self.weight or 0)
        return {
            "claim": f"clue {self.clue} builds on clue {self.target}, by {weight} at least",
            "claim_in_korean": f"단서 {self.clue}이(가) 단서 {self.target}에 {weight} 이상 기댐",
        }

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        self._check_form()
        terms = disputes.terms_of(challenge)
        if challenge.status not in ("open", "settled"):
            raise WrongPhase(f"{challenge.id} is {challenge.status}.", "Nothing is disputed now.")
        if challenge.settled_at >= 0 and state.now >= disputes.opened_until(challenge):
            raise WrongPhase(
                f"{challenge.id} could be disputed until {disputes.opened_until(challenge)}.",
                f"Disputes are opened within {terms.window} seconds after the settlement.",
            )
        clue = find_clue(challenge, self.clue)
        if self.about == "score":
            self._check_score(challenge, clue, who, state.identity(self.scorer or ""))
        else:
            self._check_citation(challenge, clue, who, self.target or 0, self.weight or 0)
        if challenge.disputing.get(who, 0) >= disputes.MAX_OPEN:
            raise NotAllowed(
                f"{who} has {disputes.MAX_OPEN} disputes open.", "Wait until one is decided."
            )
        _check_bond(challenge, who)

    def _check_form(self) -> None:
        needed = {"scorer"} if self.about == "score" else {"target", "weight"}
        for name in ("scorer", "target", "weight"):
            given = getattr(self, name) is not None
            if given != (name in needed):
                raise Malformed(
                    f"A dispute about a {self.about} {'has' if given else 'lacks'} {name!r}.",
                    f"It names {' and '.join(sorted(needed))}.",
                )

    def _check_score(self, challenge: Challenge, clue: Clue, who: str, scorer: str) -> None:
        if scorer not in clue.verdicts:
            raise NotFound(
                f"{scorer} has published no verdict on clue {clue.id}.",
                f"Its verdicts are by: {', '.join(clue.verdicts) or 'nobody yet'}.",
            )
        if who == scorer:
            raise NotAllowed(f"The verdict is by {who}.", "Nobody disputes himself.")
        for earlier in _of(challenge, clue):
            if earlier.scorer == scorer and earlier.status != "undecided":
                raise Conflict(
                    f"Dispute {earlier.id} is about this verdict ({earlier.status}).",
                    "A verdict is disputed once.",
                )

    def _check_citation(
        self, challenge: Challenge, clue: Clue, who: str, target: int, weight: int
    ) -> None:
        cited = find_clue(challenge, target)
        for one in (cited, clue):
            if one.status != "final":
                raise WrongPhase(f"Clue {one.id} is {one.status}.", "Wait until it is final.")
        if not 0 <= cited.reveal < clue.id:
            raise Conflict(
                f"Clue {target} was published in entry {cited.reveal}, after clue {clue.id} was "
                f"committed.",
                "A clue builds only on what was published before it.",
            )
        if who == clue.author:
            raise NotAllowed(f"Clue {clue.id} is by {who}.", "Nobody disputes himself.")
        present = dict(clue.cites).get(target, 0)
        if present >= weight:
            raise Conflict(
                f"Clue {clue.id} cites clue {target} with weight {present} of 10^9.",
                "Claim a citation that it lacks, or a larger weight.",
            )
        for earlier in _of(challenge, clue):
            if earlier.target == target:
                _check_not_twice(earlier, who, weight)

    def apply(self, state: State, entry: Entry) -> None:
        dispute = Dispute(
            id=entry.index,
            by=state.identity(entry.author),
            about=self.about,
            clue=self.clue,
            evidence=self.evidence,
            opened_at=entry.time,
            scorer=state.identity(self.scorer) if self.scorer else "",
            target=-1 if self.target is None else self.target,
            weight=self.weight or 0,
        )
        disputes.begin(state, state.challenges[entry.challenge], dispute)


def _of(challenge: Challenge, clue: Clue) -> list[Dispute]:
    return [challenge.disputes[i] for i in challenge.disputes_of.get(clue.id, [])]


def _check_not_twice(earlier: Dispute, who: str, weight: int) -> None:
    """Raise where the same is claimed already, or was found wrong for as little.

    A claim for more than is right, which its author's friend may raise so that it is rejected,
    bars nobody from claiming less.
    """
    if earlier.status == "open" and (earlier.weight == weight or earlier.by == who):
        raise Conflict(
            f"Dispute {earlier.id} is about this citation (open).", "Wait until it is decided."
        )
    if earlier.status == "rejected" and weight >= earlier.weight:
        raise Conflict(
            f"Dispute {earlier.id} found a weight of {earlier.weight} of 10^9 to be too much.",
            "Nobody is tried twice for the same; a smaller weight can be claimed.",
        )


@kind("dispute.answer")
@dataclass(frozen=True, slots=True)
class AnswerDispute(Body):
    """The other side puts down an equal bond, and says why it is right.

    That is the scorer of the disputed verdict, or the author of the clue.
    """

    english: ClassVar[str] = "Answer dispute {dispute} with a bond as large"
    korean: ClassVar[str] = "분쟁 {dispute}에 같은 보증금을 걸고 답변함"

    dispute: Index
    evidence: Blob

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        dispute = _find_open(challenge, self.dispute)
        other = disputes.other_side(challenge, dispute)
        if who != other:
            raise NotAllowed(f"Dispute {dispute.id} is against {other}.", "Only they answer it.")
        if dispute.answer:
            raise Conflict(f"Dispute {dispute.id} is answered.", "Nothing is left to do.")
        until = dispute.opened_at + disputes.terms_of(challenge).answer
        if state.now >= until:
            raise WrongPhase(
                f"Dispute {dispute.id} could be answered until {until}.", "It goes on without."
            )
        _check_bond(challenge, who)

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        disputes.answer(challenge, challenge.disputes[self.dispute], self.evidence)


@kind("dispute.vote")
@dataclass(frozen=True, slots=True)
class VoteOnDispute(Body):
    """A juror says whether a disputed claim is right; a later vote replaces it.

    The question is the fact, not how well either side argued.
    """

    english: ClassVar[str] = "Vote in dispute {dispute}: the claim is {shown}"
    korean: ClassVar[str] = "분쟁 {dispute} 투표: 주장이 {shown_in_korean}"

    dispute: Index
    uphold: bool
    reason: Blob | None = None

    def summary_fields(self) -> dict[str, Any]:
        return {
            "shown": "right" if self.uphold else "wrong",
            "shown_in_korean": "맞음" if self.uphold else "틀림",
        }

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        dispute = _find_open(challenge, self.dispute)
        if who not in disputes.voters(challenge, dispute):
            juror = who in challenge.terms.jurors
            raise NotAllowed(
                f"{who} is {'recused' if juror else 'no juror of ' + challenge.id}.",
                "Jurors vote who have no part in the dispute.",
            )
        if dispute.votes_from < 0:
            raise WrongPhase(
                f"Dispute {dispute.id} is about a score before the settlement.",
                "The truth decides it; jurors do only where it cannot.",
            )
        if not dispute.votes_from <= state.now < dispute.votes_until:
            raise WrongPhase(
                f"Jurors vote on dispute {dispute.id} from {dispute.votes_from} until "
                f"{dispute.votes_until}; the log stands at {state.now}.",
                "Vote within that time.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        dispute = state.challenges[entry.challenge].disputes[self.dispute]
        dispute.votes[state.identity(entry.author)] = self.uphold


@kind("dispute.count")
@dataclass(frozen=True, slots=True)
class CountDispute(Body):
    """End a dispute as soon as every juror who may vote has. Anyone may.

    Nobody needs to: once the time for votes is over, the next entry of any kind ends it.
    """

    english: ClassVar[str] = "Count dispute {dispute}"
    korean: ClassVar[str] = "분쟁 {dispute} 개표"

    dispute: Index

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        dispute = _find_open(challenge, self.dispute)
        if not disputes.all_voted(challenge, dispute):
            able = disputes.voters(challenge, dispute)
            raise WrongPhase(
                f"{len(dispute.votes)} of {len(able)} jurors have voted in dispute {dispute.id}.",
                "Count it when all have voted; once their time is over, it counts itself.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        disputes.count(challenge, challenge.disputes[self.dispute], entry.time)
