"""Dispute a score or a missing citation: open, answer, vote, count, and see where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from danseo.core import dispute as disputes
from danseo.core.challenge import Challenge, Dispute
from danseo.core.errors import Usage
from danseo.core.kinds.dispute import AnswerDispute, CountDispute, OpenDispute, VoteOnDispute
from danseo.core.kinds.log import Tick
from danseo.flows import clues, reading
from danseo.flows.acting import Desk
from danseo.flows.storing import Store
from danseo.log.sequencer import Appended
from danseo.log.signing import Key

_MAX_TEXT: Final = 1 << 16
"""Bytes of evidence that are shown as text."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is published with a dispute or an answer: a text, or a file."""

    text: str = ""
    file: Path | None = None

    def check(self) -> None:
        """Raise `Usage` unless there is just one of the two."""
        if bool(self.text) == (self.file is not None):
            raise Usage("Evidence is a text or a file.", "Say --evidence TEXT, or --file PATH.")
        if self.file is not None and not self.file.is_file():
            raise Usage(f"There is no file {self.file}.", "Check the path.")

    def put(self, store: Store) -> str:
        """Store it and return its name."""
        return store.put_file(self.file) if self.file else store.put(self.text.encode())


@dataclass(frozen=True, slots=True)
class Told:
    """A dispute as people read it. `stage` says what it waits for, or how it ended.

    `for_it` and `against_it` count the votes, `voters` are the jurors who may cast one. Times are
    in seconds since 1970; -1 stands for one that is not known yet.
    """

    record: Dispute
    stage: str
    against: str
    title: str
    target_title: str
    for_it: int
    against_it: int
    voters: tuple[str, ...]
    answer_until: int


def over_score(
    desk: Desk, key: Key, name: str, clue: int, scorer: str, evidence: Evidence
) -> Appended:
    """Put a bond down that a scorer's verdict on a clue is wrong."""
    evidence.check()
    with desk.storing() as store:
        blob = evidence.put(store)
        return desk.say(key, OpenDispute("score", clue, blob, scorer=scorer), name)


def over_citation(
    desk: Desk, key: Key, name: str, clue: int, target: int, weight: int, evidence: Evidence
) -> Appended:
    """Put a bond down that a clue must cite `target` with at least `weight`, per 10^9."""
    evidence.check()
    with desk.storing() as store:
        blob = evidence.put(store)
        return desk.say(key, OpenDispute("citation", clue, blob, target, weight), name)


def answer(desk: Desk, key: Key, name: str, dispute: int, evidence: Evidence) -> Appended:
    """Put an equal bond down for the other side."""
    evidence.check()
    with desk.storing() as store:
        return desk.say(key, AnswerDispute(dispute, evidence.put(store)), name)


def vote(desk: Desk, key: Key, name: str, dispute: int, uphold: bool, reason: str) -> Appended:
    """Say as a juror whether what a dispute claims is right."""
    with desk.storing() as store:
        blob = store.put(reason.encode()) if reason else None
        return desk.say(key, VoteOnDispute(dispute, uphold, blob), name)


def count(desk: Desk, key: Key, name: str, dispute: int) -> Appended:
    """End a dispute on which all have voted, or whose time is over: then any entry does."""
    found = disputes.find(desk.challenge(name), dispute)
    if found.status == "open" and 0 <= found.votes_until <= desk.now:
        return desk.say(key, Tick())
    return desk.say(key, CountDispute(dispute), name)


def told(desk: Desk, name: str) -> list[Told]:
    """Return every dispute of a challenge, in order of opening."""
    challenge = desk.challenge(name)
    return [_tell(desk, challenge, one) for one in challenge.disputes.values()]


def evidence_of(desk: Desk, blob: str) -> str:
    """Return a published text of evidence, or say that it is withheld; empty where there is none.

    What is no short text is shown as the hash of its file.
    """
    if not blob:
        return ""
    if blob not in desk.state.withheld and desk.blobs.size(blob) > _MAX_TEXT:
        return f"(file {blob})"
    text = reading.text(desk.blobs, blob, desk.state.withheld)
    return f"(file {blob})" if "\0" in text or "\ufffd" in text else text


def _tell(desk: Desk, challenge: Challenge, one: Dispute) -> Told:
    until = one.opened_at + disputes.terms_of(challenge).answer
    titles = [
        clues.title(desk, challenge.clues[c]) if c >= 0 else "" for c in (one.clue, one.target)
    ]
    upheld = sum(one.votes.values())
    return Told(
        record=one,
        stage=_stage(challenge, one, desk.now),
        against=disputes.other_side(challenge, one),
        title=titles[0],
        target_title=titles[1],
        for_it=upheld,
        against_it=len(one.votes) - upheld,
        voters=tuple(disputes.voters(challenge, one)),
        answer_until=until,
    )


def _stage(challenge: Challenge, one: Dispute, now: int) -> str:
    """Return what a dispute waits for: answer, truth, vote or count; or how it ended."""
    if one.status != "open":
        return one.status
    if disputes.all_voted(challenge, one) or 0 <= one.votes_until <= now:
        return "count"
    if 0 <= one.votes_from <= now:
        return "vote"
    in_time = now < one.opened_at + disputes.terms_of(challenge).answer
    return "answer" if in_time and not one.answer else "truth" if one.votes_from < 0 else "wait"
