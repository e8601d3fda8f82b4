"""What a juror does: see what stands in a round, and cast a ballot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from danseo.core import challenge as life
from danseo.core.errors import NotFound, Usage
from danseo.core.kinds.jury import CastBallot, CloseRound, Pair
from danseo.flows.acting import Desk
from danseo.log.sequencer import Appended
from danseo.log.signing import Key

_COMPARISON: Final = re.compile(r"([0-9]{1,16})\s*(>{1,4}|=|<{1,4})\s*([0-9]{1,16})")


def comparison(text: str) -> Pair:
    """Read one comparison: `12 > 7` twice as good, `12 >> 7` four times, `12 = 7` as good.

    >>> comparison("7<<12")
    Pair(better=12, worse=7, doublings=2)
    """
    found = _COMPARISON.fullmatch(text.strip())
    if found is None:
        raise Usage(f"{text!r} is no comparison.", 'Write "12 > 7", "12 >>>> 7" or "12 = 7".')
    left, sign, right = int(found[1]), found[2], int(found[3])
    if sign == "=":
        return Pair(left, right, 0)
    better, worse = (left, right) if sign[0] == ">" else (right, left)
    return Pair(better, worse, len(sign))


def open_round(desk: Desk, name: str) -> int:
    """Return the number of the round that is held now, or raise `NotFound`."""
    challenge = desk.challenge(name)
    for number, terms in enumerate(challenge.terms.rounds):
        if terms.opens <= desk.now < terms.closes:
            return number
    raise NotFound(f"{name} holds no jury round now.", "`danseo challenge show` lists the rounds.")


def shown_round(desk: Desk, name: str) -> int:
    """Return the round that is held now, or the next one to be, or the last one that was."""
    challenge = desk.challenge(name)
    if not challenge.rounds:
        raise NotFound(f"{name} holds no jury rounds.", "Its opening names none.")
    ahead = [n for n, t in enumerate(challenge.terms.rounds) if desk.now < t.closes]
    return ahead[0] if ahead else len(challenge.rounds) - 1


def candidates(desk: Desk, name: str, number: int, juror: str) -> list[int]:
    """Return the clues that a juror may judge in a round."""
    challenge = desk.challenge(name)
    if number >= len(challenge.terms.rounds):
        raise NotFound(f"{name} has no jury round {number}.", "Rounds are counted from 0.")
    mine = life.recused(challenge, juror)
    return [c for c in life.candidates(challenge, number) if c not in mine]


def vote(
    desk: Desk,
    key: Key,
    name: str,
    number: int,
    pairs: Sequence[Pair],
    clues: Sequence[int],
    reason: str,
) -> Appended:
    """Cast a ballot. `clues` adds to those compared: a clue that stands alone needs no pair."""
    named = list(dict.fromkeys([*clues, *(c for p in pairs for c in (p.better, p.worse))]))
    with desk.storing() as store:
        blob = store.put(reason.encode()) if reason else None
        return desk.say(key, CastBallot(number, tuple(named), tuple(pairs), blob), name)


def count(desk: Desk, key: Key, name: str, number: int) -> Appended:
    """Count a round."""
    return desk.say(key, CloseRound(number), name)
