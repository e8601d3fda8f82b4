"""The peer of the text benchmark: letters by normalised correlation with those of known fonts.

Lines and the height of letters are those that the text stage found, so that only the reading of
letters is compared. Each place along a line takes the template that it resembles most, and the
best row of templates side by side is chosen, as the text stage does with its classifier's answers.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from danseo.scroll.lettering import LETTERS, Hand, fonts, page
from danseo.scroll.text.lines import TextLine, check_map, even_out, find_lines, strip_of
from danseo.scroll.text.training import HELD_OUT

_LETTER: Final = 24
_HEIGHT: Final = 34
_STEADY: Final = Hand(pen=0.12, slant=0.0, gap=0.3, wander=0.0, unsteadiness=0.0)
_ENOUGH: Final = 0.55
"""The correlation from which on a shape is worth a letter; chosen on the training fonts."""

Float = NDArray[np.floating[Any]]


def read_by_templates(probability: Float, valid: NDArray[np.bool_], letter_px: float) -> list[str]:
    """Return the lines that templates read on a map whose letters are `letter_px` high."""
    if not letter_px:
        return []
    values, inside = check_map(probability, valid)
    ink = even_out(values, inside)
    return [_read(ink, line) for line in find_lines(ink, inside, letter_px)]


def _read(ink: Float, line: TextLine) -> str:
    strip, _ = strip_of(ink, line, _LETTER, _HEIGHT + 8)
    strip = gaussian_filter(np.clip(strip, 0, 1), 0.7)
    best = np.full(strip.shape[1], -1.0)
    char = np.zeros(strip.shape[1], dtype=np.intp)
    half = np.zeros(strip.shape[1])
    for index, template in templates():
        likeness = _correlation(strip, template)
        better = likeness > best
        best[better], char[better] = likeness[better], index
        half[better] = (template.shape[1] - 6) / 2
    return "".join(LETTERS[char[k]] for k in _row(best, half))


def _correlation(strip: Float, template: Float) -> Float:
    """The highest normalised correlation of a template at each column, over shifts up and down."""
    flat = template - template.mean()
    ones = np.ones_like(template)
    dot = fftconvolve(strip, flat[::-1, ::-1], mode="valid")
    total = fftconvolve(strip, ones, mode="valid")
    square = fftconvolve(strip**2, ones, mode="valid")
    spread = np.sqrt(np.maximum(square - total**2 / template.size, 0.02 * template.size))
    ncc = (dot / spread / np.sqrt((flat**2).sum())).max(axis=0)
    left = (template.shape[1] - 1) // 2
    right = strip.shape[1] - len(ncc) - left
    return np.pad(ncc, (left, max(0, right)), constant_values=-1.0)[: strip.shape[1]]


def _row(score: Float, half: Float) -> list[int]:
    """The places of the best row of letters that do not reach into each other."""
    gain = (score - _ENOUGH) * half
    reach = np.zeros(len(score) + 1)
    taken = np.full(len(score) + 1, -1)
    for k in range(1, len(score) + 1):
        reach[k], taken[k] = reach[k - 1], -1
        for middle in range(max(0, k - 1 - 24), k):
            if int(middle + 0.9 * half[middle]) + 1 == k and gain[middle] > 0:
                before = max(0, int(middle - 0.9 * half[middle]))
                if reach[before] + gain[middle] > reach[k]:
                    reach[k], taken[k] = reach[before] + gain[middle], middle
    row: list[int] = []
    k = len(score)
    while k > 0:
        if taken[k] < 0:
            k -= 1
            continue
        row.append(int(taken[k]))
        k = max(0, int(taken[k] - 0.9 * half[taken[k]]))
    return row[::-1]


@cache
def templates() -> tuple[tuple[int, Float], ...]:
    """Each letter of each font that the classifier learned from, with its number."""
    made = []
    for name in fonts():
        if name in HELD_OUT:
            continue
        for index, char in enumerate(LETTERS):
            written = page(char, 2 * _LETTER, 3 * _LETTER, _LETTER, np.random.default_rng(0), name,
                           hand=_STEADY)  # fmt: skip
            u0, v0, u1, v1 = written.letters[0].box
            middle = (v0 + v1) // 2
            cut = written.mask[
                max(0, middle - _HEIGHT // 2) : middle + _HEIGHT // 2, u0 - 3 : u1 + 3
            ]
            made.append((index, gaussian_filter(cut.astype(np.float32), 0.7)))
    return tuple(made)
