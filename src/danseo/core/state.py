"""The fold: `apply(state, entry)` writes what an entry changes, or refuses and changes nothing.

Time passes whether or not the entry is accepted (`pass_time`); nothing else does. Passing time in
two steps equals passing it in one, so a refused entry leaves no trace that matters.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass, field
from typing import Final

from danseo.core import challenge as life
from danseo.core import dispute
from danseo.core.challenge import Challenge
from danseo.core.entry import SLUG, Body, Entry, parse
from danseo.core.errors import Conflict, Malformed, NotAllowed, NotFound, OutOfOrder, WrongPhase
from danseo.core.treasury import forfeit_bond

SIMULATED: Final = "simulated"
_is_slug = re.compile(SLUG).fullmatch


@dataclass(slots=True)
class Person:
    """What the log knows of an identity beyond its entries.

    `key` is the one that signs for them now, empty where none has taken over from the first.
    `nexts` are (key, from when it may take over). `adopted` is (address, from when), for a person
    without a wallet; empty and 0 where there is none.
    """

    identity: str
    key: str = ""
    sealing: str = ""
    payout: str = ""
    nexts: list[tuple[str, int]] = field(default_factory=list)
    offered: str = ""
    adopted: tuple[str, int] = ("", 0)


@dataclass(slots=True)
class State:
    """Everything that the log says, folded.

    `keys` maps an address to its identity where a rotation made them differ, for good; `retired`
    the addresses rotated away, with the index of that entry. `due` is a heap of what falls due:
    (time, order, challenge, what, clue or dispute).
    """

    size: int = 0
    now: int = 0
    origin: str = ""
    chain_id: int = 0
    clock: str = ""
    operator: str = ""
    site: str = ""
    log_key: str = ""
    log_keys: list[tuple[int, str]] = field(default_factory=list)
    withheld: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    retired: dict[str, int] = field(default_factory=dict)
    challenges: dict[str, Challenge] = field(default_factory=dict)
    due: list[tuple[int, int, str, str, int]] = field(default_factory=list)
    scheduled: int = 0

    def identity(self, address: str) -> str:
        """Return whose key `address` is: the address that this person first signed with."""
        return self.keys.get(address, address)

    def person(self, identity: str) -> Person:
        """Return the record of `identity`, made on first use. Call it only to write."""
        return self.people.setdefault(identity, Person(identity))

    def payout_address(self, account: str) -> str:
        """Return where money for `account` goes, or an empty string while it must wait.

        Unless its owner said otherwise, that is the key that signs for it now: one rotated away may
        be lost or stolen.
        """
        person = self.people.get(self.identity(account))
        if person and person.payout:
            return person.payout
        if not account.startswith("site:"):
            return person.key if person and person.key else account
        if person and person.adopted[0] and person.adopted[1] <= self.now:
            return person.adopted[0]
        return ""

    def check_operator(self, author: str) -> None:
        """Raise `NotAllowed` unless `author` operates this log."""
        if self.identity(author) != self.operator:
            raise NotAllowed(
                f"{author} does not operate this log.", f"Its operator is {self.operator}."
            )

    def challenge(self, name: str) -> Challenge:
        """Return the challenge called `name`, or raise `NotFound`."""
        found = self.challenges.get(name)
        if found is None:
            known = ", ".join(sorted(self.challenges)) or "none yet"
            raise NotFound(f"There is no challenge {name!r}.", f"This log has: {known}.")
        return found

    def next_sequence(self, author: str, challenge: str) -> int:
        """Return the sequence number of the author's next entry in `challenge` ('' for none)."""
        if not challenge:
            return self.sequences.get(author, 0)
        found = self.challenges.get(challenge)
        return found.sequences.get(author, 0) if found else 0

    def schedule(self, time: int, challenge: str, what: str, clue: int = -1) -> None:
        """Let `what` fall due at `time`."""
        heapq.heappush(self.due, (time, self.scheduled, challenge, what, clue))
        self.scheduled += 1

    def pass_time(self, now: int) -> None:
        """Run what has fallen due by `now`, in order of due time, and set the clock."""
        while self.due and self.due[0][0] <= now:
            time, _, name, what, clue_id = heapq.heappop(self.due)
            challenge = self.challenges[name]
            if what in dispute.DUE:
                dispute.fall_due(challenge, what, clue_id, time)
                continue
            if challenge.status != "open":
                continue
            if what == "lapse":
                clue = challenge.clues[clue_id]
                if clue.status == "committed":
                    clue.status = "lapsed"
                    forfeit_bond(challenge, clue.author)
            elif what == "score":
                life.pass_over(challenge, clue_id, time)
            elif what == "silence":
                if life.silence(challenge, time):
                    self.schedule(time + challenge.terms.truth_window, name, "stall")
            else:
                life.settle_attested(challenge, time)
            if challenge.status == "settled":
                dispute.settled(self, challenge)
            self.advance(challenge, time)
        self.now = now

    def advance(self, challenge: Challenge, now: int) -> None:
        """Let clues at the head of the queue become final, and time those that wait."""
        for clue_id in life.advance(challenge, now):
            self.schedule(now + challenge.terms.score_window, challenge.id, "score", clue_id)


def apply(state: State, entry: Entry) -> None:
    """Fold `entry` into `state`, in place.

    Raise a `Refused` where the rules do not take it; then only the time has passed. The caller
    has checked the signature.
    """
    body = parse(entry.kind, entry.body)
    _check_frame(state, entry, body)
    if state.now != entry.time:
        state.pass_time(entry.time)
    body.check(state, entry)
    body.apply(state, entry)
    state.size += 1
    owner = state.challenges[entry.challenge] if entry.challenge else state
    owner.sequences[entry.author] = entry.sequence + 1


def _check_frame(state: State, entry: Entry, body: Body) -> None:
    """Check all that does not depend on what time brings."""
    if not body.says(entry.summary):
        raise Malformed(
            f"The summary {entry.summary!r} does not say what the body does.",
            f"Sign {body.summaries()[0]!r}.",
        )
    if entry.index != state.size:
        raise OutOfOrder(
            f"The entry has index {entry.index}.", f"The next index of this log is {state.size}."
        )
    if (entry.kind == "log.genesis") != (entry.index == 0):
        raise OutOfOrder(
            f"Entry {entry.index} is of kind {entry.kind}.",
            "A log begins with its genesis entry, and has only one.",
        )
    _check_scope(state, entry, body)
    _check_time(state, entry)
    if entry.author in state.retired:
        raise NotAllowed(
            f"The key {entry.author} was rotated away in entry {state.retired[entry.author]}.",
            "Sign with the key that took its place.",
        )
    expected = state.next_sequence(entry.author, entry.challenge)
    if entry.sequence != expected:
        raise OutOfOrder(
            f"The entry has sequence {entry.sequence} of {entry.author}.",
            f"The next one is {expected}: sign it anew.",
        )


def _check_scope(state: State, entry: Entry, body: Body) -> None:
    if body.scope == "log":
        if entry.challenge:
            raise Malformed(
                f"{entry.kind} names the challenge {entry.challenge!r}.",
                "It concerns the whole log: leave the challenge empty.",
            )
    elif body.scope == "opening":
        if not _is_slug(entry.challenge):
            raise Malformed(
                f"A challenge cannot be called {entry.challenge[:80]!r}.",
                "Use up to 64 small letters, digits and inner hyphens.",
            )
        if entry.challenge in state.challenges:
            raise Conflict(
                f"There is already a challenge {entry.challenge!r}.", "Choose another name."
            )
    else:
        state.challenge(entry.challenge)


def _check_time(state: State, entry: Entry) -> None:
    if entry.time < state.now:
        raise OutOfOrder(
            f"The entry's time is {entry.time}, and the log stands at {state.now}.",
            "Time never goes back.",
        )
    if entry.index and state.clock == SIMULATED and entry.kind != "clock.advance":
        if entry.time != state.now:
            raise OutOfOrder(
                f"The entry's time is {entry.time}, and the simulated clock stands at {state.now}.",
                "Only clock.advance moves it.",
            )
    elif entry.kind == "clock.advance":
        if state.clock != SIMULATED:
            raise WrongPhase(
                "This log runs on the system's clock.", "Only a simulated log can be advanced."
            )
        # Before time passes: a simulated clock must not move by an entry that is then refused.
        state.check_operator(entry.author)
        if entry.time != entry.body["to"] or entry.time <= state.now:
            raise OutOfOrder(
                f"The clock stands at {state.now} and would go to {entry.body['to']}.",
                "Advance it to a later time, and let the entry bear that time.",
            )
