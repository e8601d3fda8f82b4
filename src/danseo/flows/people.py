"""What people do about themselves: where their money goes, and which key speaks for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from danseo.core.kinds.identity import DELAY, RegisterNext, Rotate, SetPayout
from danseo.flows.acting import Desk
from danseo.log.sequencer import Appended
from danseo.log.signing import Key


@dataclass(frozen=True, slots=True)
class Rotation:
    """One of the two steps of a rotation. `since` is when the next key may take over."""

    entry: Appended
    rotated: bool
    since: int


def set_payout(desk: Desk, key: Key, address: str) -> Appended:
    """Say where one's money goes from now on."""
    return desk.say(key, SetPayout(address))


def rotate(
    desk: Desk, key: Callable[[], Key], who: str, following: str, take: Callable[[], Key]
) -> Rotation:
    """Register `following` as the next key of `who`; once seven days have passed, let it take over.

    `key` gives the key that signs for `who` now, `take` the following one: each is asked for only
    in its own step. In between the rules refuse it.
    """
    person = desk.state.people.get(desk.state.identity(who))
    since = min((t for next_, t in person.nexts if next_ == following), default=0) if person else 0
    if not since:
        entry = desk.say(key(), RegisterNext(following))
        return Rotation(entry, False, entry.time + DELAY)
    return Rotation(desk.say(take(), Rotate(desk.state.identity(who))), True, since)


def rights(desk: Desk, address: str, sealing: str) -> list[str]:
    """Return in words what the key of `address` may do in the log."""
    state = desk.state
    who = state.identity(address)
    person = state.people.get(who)
    if address in state.retired:
        return [f"rotated away in entry {state.retired[address]}: it can do nothing more"]
    found = ["operates this log"] if who == state.operator else []
    if who != address:
        found.append(f"speaks for {who}")
    for name, challenge in state.challenges.items():
        role = challenge.role(who)
        found += [f"{role} of {name}"] if role else []
        found += [f"juror of {name}"] if who in challenge.terms.jurors else []
    published = bool(person and person.sealing == sealing)
    found.append(f"sealing key {'registered' if published else 'not registered'} in the log")
    if person and person.payout:
        found.append(f"money goes to {person.payout}")
    found += [f"the key {key} may take over" for key, _ in person.nexts] if person else []
    return found
