"""Entries of a clue: committed, revealed, retracted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from danseo.core import treasury
from danseo.core.challenge import FORMS, Challenge, Clue, commitment_of
from danseo.core.entry import (
    Author,
    Blob,
    Body,
    Entry,
    Field,
    Hash,
    Index,
    Key32,
    Licence,
    Parts,
    kind,
)
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotCovered,
    NotFound,
    WrongPhase,
)
from danseo.core.reward import UNITS
from danseo.core.state import State
from danseo.core.words import money

Form = Annotated[str, Field("form (" + ", ".join(FORMS) + ")", "|".join(FORMS))]
MAX_PAYEES = 16


@dataclass(frozen=True, slots=True)
class Cite:
    """A clue that this one builds on, and how much of what it passes on goes there, per 10^9."""

    clue: Index
    weight: Parts


@dataclass(frozen=True, slots=True)
class Payee:
    """Who is paid for a clue, and in what part of the parts together."""

    to: Author
    parts: Parts


def find_clue(challenge: Challenge, clue_id: int) -> Clue:
    """Return a clue by its id, or raise `NotFound`."""
    clue = challenge.clues.get(clue_id)
    if clue is None:
        raise NotFound(
            f"{challenge.id} has no clue {clue_id}.", "A clue's id is the index of its commitment."
        )
    return clue


def _check_may_win(challenge: Challenge, who: str) -> None:
    role = challenge.role(who)
    if role:
        raise NotAllowed(
            f"{who} is {role} of {challenge.id}.",
            "Organiser, scorers and trustees may know the truth, so they may not win.",
        )


@kind("clue.commit")
@dataclass(frozen=True, slots=True)
class Commit(Body):
    """Commit to a clue without showing it: its place in the order is now fixed.

    The commitment is `core.challenge.commitment_of` its author, its content, its submission and a
    secret salt. The bond is locked until the clue is revealed, and lost if it is not.
    """

    english: ClassVar[str] = "Commit to a clue: {commitment:.16}"
    korean: ClassVar[str] = "단서를 확약함: {commitment:.16}"

    commitment: Hash

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        if challenge.status != "open":
            raise WrongPhase(f"{challenge.id} is {challenge.status}.", "It takes no clues now.")
        if state.now >= challenge.terms.deadline:
            raise WrongPhase(
                f"The deadline of {challenge.id} was {challenge.terms.deadline}; "
                f"the log stands at {state.now}.",
                "It takes no more clues.",
            )
        _check_may_win(challenge, who)
        # Another's commitment cannot be revealed, so repeating it does not keep its author out.
        earlier = challenge.clues.get(challenge.commitments.get(self.commitment, -1))
        if earlier and earlier.author == who:
            raise Conflict(
                f"This commitment stands in entry {earlier.id}.", "Commit with a fresh salt."
            )
        if challenge.terms.rules and who not in challenge.accepted:
            raise NotAllowed(
                f"{who} has not accepted the rules of {challenge.id}.",
                "Accept them first (rules.accept).",
            )
        bond = challenge.terms.bond
        held = treasury.balance(challenge, who, bond.asset)
        if held < bond.amount:
            raise NotCovered(
                f"{who} has {money(held, bond.asset)}, and the bond is "
                f"{money(bond.amount, bond.asset)}.",
                "Deposit the bond first; it returns when you reveal.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenges[entry.challenge], state.identity(entry.author)
        bond = challenge.terms.bond
        treasury.hold(challenge, who, bond.asset, bond.amount, "bond")
        challenge.clues[entry.index] = Clue(entry.index, who, self.commitment, entry.time)
        challenge.commitments[self.commitment] = entry.index
        challenge.queue.append(entry.index)
        state.schedule(
            entry.time + challenge.terms.reveal_window, challenge.id, "lapse", entry.index
        )


@kind("clue.reveal")
@dataclass(frozen=True, slots=True)
class Reveal(Body):
    """Show a clue: what it is, under which licence, and on which clues it builds.

    `content` is the blob of its description. `submission` is the blob of its main file: what a
    scorer scores, or what makes a tool or data set; a later clue with the same one is a copy.
    """

    english: ClassVar[str] = "Publish clue {clue} ({form}) under {licence}"
    korean: ClassVar[str] = "단서 {clue} 공개 ({form}, {licence})"

    clue: Index
    salt: Key32
    content: Blob
    submission: Blob
    form: Form
    licence: Licence
    cites: tuple[Cite, ...]
    payees: tuple[Payee, ...]

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        clue = find_clue(challenge, self.clue)
        if clue.author != who:
            raise NotAllowed(f"Clue {clue.id} is by {clue.author}.", "Reveal your own.")
        if clue.status != "committed":
            until = clue.committed_at + challenge.terms.reveal_window
            raise WrongPhase(
                f"Clue {clue.id} is {clue.status}.",
                f"It could be revealed once, before {until}; commit to another.",
            )
        committed = commitment_of(challenge.id, who, self.content, self.submission, self.salt)
        if committed != clue.commitment:
            raise Conflict(
                f"What is revealed does not match the commitment of clue {clue.id}.",
                "Reveal exactly the content, submission and salt that were committed.",
            )
        self.check_cites(challenge)
        self.check_payees(state, challenge)

    def check_cites(self, challenge: Challenge) -> None:
        """Raise unless every citation is of a published, earlier clue, and the weights fit."""
        seen: set[int] = set()
        for cite in self.cites:
            if cite.clue >= self.clue:
                raise Conflict(
                    f"Clue {self.clue} cites {cite.clue}, which is not earlier.",
                    "Cite clues that were committed before yours.",
                )
            cited = find_clue(challenge, cite.clue)
            if cited.status not in ("revealed", "final"):
                raise NotFound(
                    f"Clue {cite.clue} is {cited.status}.", "Cite clues that are published."
                )
            if cite.clue in seen:
                raise Conflict(f"Clue {cite.clue} is cited twice.", "Add the weights up.")
            seen.add(cite.clue)
        whole = sum(cite.weight for cite in self.cites)
        if whole > UNITS:
            raise NotCovered(
                f"The citations weigh {whole} together.", f"At most {UNITS} is the whole."
            )

    def check_payees(self, state: State, challenge: Challenge) -> None:
        """Raise unless every payee is named once and may win."""
        if len(self.payees) > MAX_PAYEES:
            raise Malformed(
                f"{len(self.payees)} payees are named.", f"At most {MAX_PAYEES} can be."
            )
        names = [state.identity(payee.to) for payee in self.payees]
        for name in names:
            if names.count(name) > 1:
                raise Conflict(f"The payee {name} is named twice.", "Add the parts up.")
        for name in names:
            _check_may_win(challenge, name)

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        clue, bond = challenge.clues[self.clue], challenge.terms.bond
        clue.status, clue.reveal, clue.revealed_at = "revealed", entry.index, entry.time
        clue.content, clue.submission, clue.form = self.content, self.submission, self.form
        clue.licence = self.licence
        clue.cites = tuple((c.clue, c.weight) for c in self.cites)
        clue.payees = tuple((state.identity(p.to), p.parts) for p in self.payees)
        treasury.give(challenge, clue.author, bond.asset, bond.amount, "bond")
        _mark_copies(challenge, clue)
        state.advance(challenge, entry.time)


def _mark_copies(challenge: Challenge, clue: Clue) -> None:
    """Mark a clue as a copy of an earlier committed one with the same submission, or the other
    way round: all but the first of them are copies."""
    first = challenge.submissions.setdefault(clue.submission, clue.id)
    if first < clue.id:
        clue.duplicate_of = first
    elif clue.id < first:
        challenge.clues[first].duplicate_of = clue.id
        challenge.submissions[clue.submission] = clue.id


@kind("clue.retract")
@dataclass(frozen=True, slots=True)
class Retract(Body):
    """Take a clue back before it is final. What was published stays published.

    A commitment that is retracted unseen loses its bond, as one that lapses does.
    """

    english: ClassVar[str] = "Retract clue {clue}"
    korean: ClassVar[str] = "단서 {clue} 철회"

    clue: Index

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        clue = find_clue(challenge, self.clue)
        if clue.author != who:
            raise NotAllowed(f"Clue {clue.id} is by {clue.author}.", "Retract your own.")
        if clue.status not in ("committed", "revealed"):
            raise WrongPhase(f"Clue {clue.id} is {clue.status}.", "It cannot be retracted.")
        if clue.verdicts:
            raise WrongPhase(f"Clue {clue.id} is being scored.", "It cannot be retracted now.")

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        clue = challenge.clues[self.clue]
        if clue.status == "committed":
            treasury.forfeit_bond(challenge, clue.author)
        clue.status = "retracted"
        state.advance(challenge, entry.time)
