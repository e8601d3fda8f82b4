"""The pairwise jury: ballots of comparisons become weights that together are 10^9.

For what no score can see. A juror says "a is 2^k times better than b". For each juror, least
squares on the log2 scale gives every clue an exponent, and powers of two give weights; over
jurors, the lower median decides. (docs/design/0001, decision 8, says why the weights come before
the median.) All of it in integers: no logarithm, no float, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

from danseo.core.errors import Conflict, Malformed, NotAllowed, NotFound
from danseo.core.reward import UNITS, split_units

MAX_CLUES: Final = 200
"""Clues on one ballot. Two thousand pairs over them are about what one entry can hold."""
MAX_K: Final = 4
_STEP_BITS: Final = 10
"""Exponents are rounded down to 1/1024."""
_SCALE_BITS: Final = 64


@dataclass(frozen=True, slots=True)
class Ballot:
    """One juror's comparisons: each of `pairs` is (a, b, k): a is 2^k times better than b."""

    juror: str
    clues: tuple[int, ...]
    pairs: tuple[tuple[int, int, int], ...]


def check_ballot(ballot: Ballot, candidates: Collection[int], recused: Collection[int]) -> None:
    """Raise a `Refused` where the ballot cannot be counted; `recused` are this juror's own clues.

    >>> check_ballot(Ballot("j", (1, 2), ((1, 2, 3),)), {1, 2}, set())
    >>> check_ballot(Ballot("j", (1, 2), ((1, 2, 3),)), {1, 2}, {2})
    Traceback (most recent call last):
    danseo.core.errors.NotAllowed: The juror is recused from clue 2. Leave out your own clues.
    """
    if not 1 <= len(ballot.clues) <= MAX_CLUES:
        raise Malformed(
            f"The ballot judges {len(ballot.clues)} clues.", f"Judge 1 to {MAX_CLUES} of them."
        )
    if len(set(ballot.clues)) < len(ballot.clues):
        raise Conflict("The ballot names a clue twice.", "Name each clue once.")
    for clue in ballot.clues:
        if clue not in candidates:
            raise NotFound(f"Clue {clue} is no candidate.", "Judge the candidates of this round.")
        if clue in recused:
            raise NotAllowed(f"The juror is recused from clue {clue}.", "Leave out your own clues.")
    _check_pairs(ballot)
    _check_connected(ballot)


def tally(ballots: Sequence[Ballot], recused: Mapping[str, Collection[int]]) -> dict[int, int]:
    """Return q: for each clue judged, its weight; together exactly 10^9, or empty if all are 0.

    `recused` gives for each juror the clues that the juror may not judge: they have no say there,
    while a clue that a juror merely left out counts 0 with that juror. The ballots have passed
    `check_ballot`, one for each juror.
    """
    if len({ballot.juror for ballot in ballots}) < len(ballots):
        raise Conflict("A juror has two ballots.", "Count one ballot for each juror.")
    judged = sorted({clue for ballot in ballots for clue in ballot.clues})
    weights = [(recused.get(ballot.juror, ()), _weights(ballot)) for ballot in ballots]
    medians = [
        _lower_median([given.get(clue, 0) for own, given in weights if clue not in own])
        for clue in judged
    ]
    if not any(medians):
        return {}
    return dict(zip(judged, split_units(UNITS, medians), strict=True))


def _check_pairs(ballot: Ballot) -> None:
    clues, seen = set(ballot.clues), set()
    for a, b, k in ballot.pairs:
        if a == b:
            raise Malformed(f"Clue {a} is compared with itself.", "Compare two different clues.")
        for clue in (a, b):
            if clue not in clues:
                raise NotFound(f"A pair names clue {clue}.", "List it among the ballot's clues.")
        if not -MAX_K <= k <= MAX_K:
            raise Malformed(
                f"Clue {a} is called 2^{k} times better than {b}.",
                f"k lies between -{MAX_K} and {MAX_K}.",
            )
        pair = (min(a, b), max(a, b))
        if pair in seen:
            raise Conflict(f"Clues {a} and {b} are compared twice.", "Compare a pair once.")
        seen.add(pair)


def _check_connected(ballot: Ballot) -> None:
    near: dict[int, list[int]] = {clue: [] for clue in ballot.clues}
    for a, b, _ in ballot.pairs:
        near[a].append(b)
        near[b].append(a)
    reached, todo = {ballot.clues[0]}, [ballot.clues[0]]
    while todo:
        fresh = [clue for clue in near[todo.pop()] if clue not in reached]
        reached.update(fresh)
        todo.extend(fresh)
    if len(reached) < len(near):
        apart = min(set(near) - reached)
        raise Conflict(
            f"No chain of pairs joins clue {apart} with clue {ballot.clues[0]}.",
            "Compare across the groups until all clues hang together.",
        )


def _weights(ballot: Ballot) -> dict[int, int]:
    """Return the juror's weight for each clue on the ballot, together 10^9."""
    exponents = _exponents(ballot)
    low = min(exponents) >> _STEP_BITS
    powers = [_power_of_two(e - (low << _STEP_BITS)) for e in exponents]
    return dict(zip(ballot.clues, split_units(UNITS, powers), strict=True))


def _exponents(ballot: Ballot) -> list[int]:
    """Return the least-squares exponents with sum zero, in 1/1024, each rounded down."""
    n = len(ballot.clues)
    place = {clue: i for i, clue in enumerate(ballot.clues)}
    rows = [[0] * (n + 1) for _ in range(n)]  # the graph's Laplacian, and the pairs' sums beside it
    for a, b, k in ballot.pairs:
        i, j = place[a], place[b]
        for one, other, sign in ((i, j, 1), (j, i, -1)):
            rows[one][one] += 1
            rows[one][other] -= 1
            rows[one][n] += sign * k
    # The last clue is held at 0, which makes the matrix regular; the mean comes off afterwards.
    tops, bottom = _solve([[*row[: n - 1], row[n]] for row in rows[: n - 1]])
    tops.append(0)
    total = sum(tops)
    return [((n * top - total) << _STEP_BITS) // (n * bottom) for top in tops]


def _solve(rows: list[list[int]]) -> tuple[list[int], int]:
    """Solve a symmetric, positive definite system [A | b] of integers: x = tops / bottom.

    Elimination without fractions (Bareiss 1968): every division is exact and every number is a
    minor of [A | b], so none grows beyond a determinant. What is left stays symmetric, so the
    upper triangle will do. 200 clues with 2,000 pairs take about half a second.
    """
    n, previous = len(rows), 1
    rows = [row[i:] for i, row in enumerate(rows)]
    for p in range(n):
        pivot, *head = rows[p]
        for i in range(p + 1, n):
            factor = head[i - p - 1]
            rows[i] = [
                (pivot * x - factor * y) // previous
                for x, y in zip(rows[i], head[i - p - 1 :], strict=True)
            ]
        previous = pivot
    tops: list[int] = []  # from the last to the first
    for row in reversed(rows):
        known = sum(x * top for x, top in zip(row[-2:0:-1], tops, strict=True))
        tops.append((previous * row[-1] - known) // row[0])
    return tops[::-1], previous


def _roots() -> tuple[int, ...]:
    """Return floor(2^64 * 2^(1/2^i)) for i = 1..10, by repeated square roots."""
    roots, root = [], 2 << _SCALE_BITS
    for _ in range(_STEP_BITS):
        root = isqrt(root << _SCALE_BITS)
        roots.append(root)
    return tuple(roots)


def _power_of_two(exponent: int) -> int:
    """Return 2^64 * 2^(exponent / 1024), rounded down at each factor; exponent >= 0."""
    value = 1 << _SCALE_BITS
    for i, root in enumerate(_ROOTS):
        if exponent >> (_STEP_BITS - 1 - i) & 1:
            value = value * root >> _SCALE_BITS
    return value << (exponent >> _STEP_BITS)


_ROOTS: Final = _roots()


def _lower_median(values: list[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2] if values else 0
