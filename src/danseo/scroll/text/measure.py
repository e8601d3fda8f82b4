"""How well a text was read: the character error rate by edit distance, with an interval."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Unfit
from danseo.scroll.text.transcribe import DOT

_DRAWS: Final = 2000
_FEW: Final = 10
"""Below so many lines the interval is Wilson's over letters, else a bootstrap over lines."""

_LOST: Final = re.compile(r"\[[^\]]*\]")
"""A gap in the papyrus, as `Line.text` writes it."""

_Z: Final = 1.959964


@dataclass(frozen=True, slots=True)
class Errors:
    """What an edit script counts on one line: `letters` true ones, and how they were missed.

    `unread` are letters read as a dot; they are errors, and counted in `wrong` as well.
    """

    letters: int
    wrong: int = 0
    missing: int = 0
    extra: int = 0
    unread: int = 0

    @property
    def errors(self) -> int:
        """Edits in all."""
        return self.wrong + self.missing + self.extra


@dataclass(frozen=True, slots=True)
class Score:
    """The character error rate `cer` with its 95 % interval, and what it is made of.

    `right` is the share of the true letters that were read rightly: what the Grand Prize asked of
    its judges. `unread` is the share that became dots.
    """

    letters: int
    cer: float
    low: float
    high: float
    right: float
    unread: float
    lines: tuple[Errors, ...]


def score(truth: Sequence[str], read: Sequence[str], seed: int = 0) -> Score:
    """Compare lines that were written with lines that were read.

    Lines are aligned first, in order, so that a line that was missed or invented costs its letters
    and no more. Spaces do not count, nor do brackets: what is lost with the papyrus was not read,
    so its letters are missing, whatever number of dots stands for them. Raise `Unfit` where no
    letter was written.
    """
    return pooled([errors_of(truth, read)], seed)


def errors_of(truth: Sequence[str], read: Sequence[str]) -> tuple[Errors, ...]:
    """Return the errors of each line of one page; an invented line is a line of no letters."""
    wrote = [line for line in ("".join(line.split()) for line in truth) if line]
    saw = [line for line in ("".join(_LOST.sub("", line).split()) for line in read) if line]
    return tuple(_edits(a, b) for a, b in _aligned(wrote, saw))


def pooled(pages: Sequence[tuple[Errors, ...]], seed: int = 0) -> Score:
    """Return the score over the lines of many pages."""
    lines = tuple(line for page in pages for line in page)
    letters = sum(line.letters for line in lines)
    if not letters:
        raise Unfit("No letter was written: there is nothing to compare with.", "Give the truth.")
    errors = sum(line.errors for line in lines)
    missed = sum(line.wrong + line.missing for line in lines)
    low, high = _interval(lines, np.random.default_rng(seed))
    return Score(
        letters=letters,
        cer=errors / letters,
        low=low,
        high=high,
        right=1 - missed / letters,
        unread=sum(line.unread for line in lines) / letters,
        lines=lines,
    )


def edit_distance(a: str, b: str) -> int:
    """Return how many letters must be changed, left out or put in to make `b` of `a`.

    >>> edit_distance("ΜΗΝΙΝ", "ΜΗΙΝΑ")
    2
    """
    return int(_table(a, b)[-1, -1])


def _table(a: str, b: str) -> NDArray[np.int32]:
    """Edit distances between all beginnings of `a` and `b` (Wagner and Fischer 1974)."""
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=np.int32)
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i, j] = min(
                table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (x != y)
            )
    return table


def _edits(a: str, b: str) -> Errors:
    """The errors of one shortest edit script, letters that are kept or changed preferred."""
    table = _table(a, b)
    i, j = len(a), len(b)
    wrong = missing = extra = unread = 0
    while i or j:
        if i and j and table[i, j] == table[i - 1, j - 1] + (a[i - 1] != b[j - 1]):
            wrong += a[i - 1] != b[j - 1]
            unread += b[j - 1] == DOT
            i, j = i - 1, j - 1
        elif i and table[i, j] == table[i - 1, j] + 1:
            missing, i = missing + 1, i - 1
        else:
            extra, j = extra + 1, j - 1
    return Errors(len(a), wrong, missing, extra, unread)


def _aligned(truth: list[str], read: list[str]) -> list[tuple[str, str]]:
    """Pairs of lines, in order, that cost the fewest edits; a line without its like meets ""."""
    rows, columns = len(truth), len(read)
    cost = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    cost[1:, 0] = np.cumsum([len(line) for line in truth])
    cost[0, 1:] = np.cumsum([len(line) for line in read])
    pair = np.array([[edit_distance(a, b) for b in read] for a in truth]).reshape(rows, columns)
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            cost[i, j] = min(
                cost[i - 1, j - 1] + pair[i - 1, j - 1],
                cost[i - 1, j] + len(truth[i - 1]),
                cost[i, j - 1] + len(read[j - 1]),
            )
    pairs: list[tuple[str, str]] = []
    i, j = rows, columns
    while i or j:
        if i and j and cost[i, j] == cost[i - 1, j - 1] + pair[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs.append((truth[i], read[j]))
        elif i and cost[i, j] == cost[i - 1, j] + len(truth[i - 1]):
            i -= 1
            pairs.append((truth[i], ""))
        else:
            j -= 1
            pairs.append(("", read[j]))
    return pairs[::-1]


def _interval(lines: tuple[Errors, ...], rng: np.random.Generator) -> tuple[float, float]:
    letters = np.array([line.letters for line in lines])
    errors = np.array([line.errors for line in lines])
    if len(lines) < _FEW or not errors.any():
        return wilson(int(errors.sum()), int(letters.sum()))
    drawn = rng.integers(0, len(lines), (_DRAWS, len(lines)))
    rates = errors[drawn].sum(axis=1) / np.maximum(letters[drawn].sum(axis=1), 1)
    low, high = np.percentile(rates, [2.5, 97.5])
    return float(low), float(high)


def wilson(errors: int, letters: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval (1927) of a share; more errors than letters count as all.

    >>> [round(x, 3) for x in wilson(5, 100)]
    [0.022, 0.112]
    """
    share = min(1.0, errors / letters)
    middle = (share + _Z**2 / (2 * letters)) / (1 + _Z**2 / letters)
    half = _Z * np.sqrt(share * (1 - share) / letters + (_Z / (2 * letters)) ** 2)
    half /= 1 + _Z**2 / letters
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
