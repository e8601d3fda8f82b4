"""The Ladder (Blum & Hardt 2015): which clue makes a step, and what it mints.

A clue makes a step when its *exact* progress beats the *exact* best so far by at least eta. What
is published and minted is rounded down to the grid of eta. Whoever makes no step learns only that,
so guesses at a hidden truth tell little: see `safe_eta`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Final

from danseo.core.curve import BILLION, Curve
from danseo.core.errors import Malformed

_ONE: Final = 10**18
_TERMS: Final = 24
"""Terms of the series for ln: each adds a factor of 1/9, so 24 leave less than 10^-22."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: published progress before and after it, and the units that it mints.

    `best` is the exact progress that the next step must beat by eta. It stays hidden until the
    truth is out.
    """

    before: int
    after: int
    best: int
    units: int


def climb(curve: Curve, best: int, progress: int) -> Step | None:
    """Return the step that a clue of exact `progress` makes over the exact `best`, or None.

    >>> curve = Curve(((0, 0), (100, 1000)), eta=10, higher=True)
    >>> climb(curve, 19, 28) is None
    True
    >>> climb(curve, 19, 35)
    Step(before=10, after=30, best=35, units=200)
    """
    if progress - best < curve.eta:
        return None
    before, after = curve.grid(best), curve.grid(progress)
    return Step(before, after, progress, curve.value(after) - curve.value(before))


def safe_eta(guesses: int, points: int) -> int:
    """Return the least eta, in parts per billion, that keeps a lucky step's chance at 5 %.

    `eta >= sqrt(ln(20 K) / 2n)` for K guesses at a hidden set of n points, where a point moves the
    score by at most 1/n (Hoeffding, and a union over the guesses). Rounded up; for a warning only.

    >>> safe_eta(2000, 2000)
    51469979
    """
    if guesses < 1 or points < 1:
        raise Malformed(
            f"{guesses} guesses at {points} points.", "Both must be at least 1 for this estimate."
        )
    square = -(-(BILLION**2) * _ln_above(20 * guesses) // (2 * points * _ONE))
    root = isqrt(square)
    return root if root * root == square else root + 1


def _ln_above(x: int) -> int:
    """Return ln(x) * 10^18 for an integer x >= 1, rounded up in the last few places."""
    doublings = x.bit_length() - 1
    base = 1 << doublings
    return doublings * _atanh_above(1, 3) + _atanh_above(x - base, x + base)


def _atanh_above(top: int, bottom: int) -> int:
    """Return 2 atanh(top/bottom) * 10^18, rounded up; top/bottom is between 0 and 1/3.

    ln(y) = 2 atanh((y - 1) / (y + 1)), and atanh(z) = z + z^3/3 + z^5/5 + ...
    """
    total, power = 1, 2 * _ONE * top
    over = bottom
    for k in range(_TERMS):
        total -= -power // (over * (2 * k + 1))
        power *= top * top
        over *= bottom * bottom
    return total
