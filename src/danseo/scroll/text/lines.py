"""Where lines of writing are: from a map of ink probability to lines, however they slope.

A line is a band of ink between two bands without. At each height of letter that is possible, the
map is compared with such a band; the height that explains most of the map, beyond what it explains
once the columns are shuffled up and down, is the letter height. Lines are then followed from the
strongest place to both sides, so that they may slope and bend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Unfit, Usage

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

_STEP: Final = 1.1
"""From one letter height that is tried to the next."""

_FLANK: Final = 0.3
"""Height of the bands above and below a line that should be empty, in letter heights."""

_WINDOW: Final = 5.0
"""Width over which ink is averaged along a line, in letter heights."""

_GUTTER: Final = 1.1
"""The narrowest gap between two columns, in letter heights."""


@dataclass(frozen=True, slots=True)
class LineOptions:
    """What is known of the writing. `letter_px`: the height of a letter in pixels, None: find it.

    `smallest_px` and `largest_px` bound the search; the largest is also bounded by the map.
    """

    letter_px: float | None = None
    smallest_px: float = 20.0
    largest_px: float = 480.0

    def __post_init__(self) -> None:
        if self.smallest_px < 8 or self.largest_px < self.smallest_px:
            raise Usage(
                f"Letters of {self.smallest_px} to {self.largest_px} pixels make no sense.",
                "Give a smallest height of 8 pixels or more, and a largest above it.",
            )
        if self.letter_px is not None and self.letter_px < 8:
            raise Usage(f"A letter of {self.letter_px} pixels cannot be read.", "Give 8 or more.")


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line: its middle is at height `v` where along the page it is at `u` (knots, in pixels).

    `letter_px` is the height of its letters; `column` counts columns from the left.
    """

    u: NDArray[np.float64]
    v: NDArray[np.float64]
    letter_px: float
    column: int = 0

    def middle(self, u: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return the height of the line's middle at `u`."""
        return np.asarray(np.interp(u, self.u, self.v))

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The line's bounds (u0, v0, u1, v1) in whole pixels."""
        half = self.letter_px / 2
        return (
            round(self.u[0]),
            round(self.v.min() - half),
            round(self.u[-1]),
            round(self.v.max() + half),
        )


def check_map(probability: NDArray[Any], mask: Bool | None) -> tuple[Float, Bool]:
    """Return the map as float32 in 0..1 and its mask; raise `Unfit` for what is no such map.

    Takes float in 0..1, or uint8 and uint16 over their whole range.
    """
    if probability.ndim != 2:
        raise Unfit(
            f"A map of ink has two axes; this has shape {probability.shape}.",
            "Give one probability for each pixel of the sheet.",
        )
    if probability.dtype in (np.uint8, np.uint16):
        values = probability.astype(np.float32) / np.iinfo(probability.dtype).max
    elif np.issubdtype(probability.dtype, np.floating):
        values = probability.astype(np.float32)
    else:
        raise Unfit(
            f"A map of ink is float in 0..1, uint8 or uint16, not {probability.dtype}.",
            "Convert it first.",
        )
    inside = np.ones(values.shape, np.bool_) if mask is None else np.asarray(mask) > 0
    if inside.shape != values.shape:
        raise Unfit(
            f"The mask is {inside.shape}, and the map {values.shape}.", "Give the map's own mask."
        )
    if not inside.any():
        raise Unfit("The mask is empty: no place of the map is valid.", "Look at the surface.")
    known = values[inside]
    if not np.isfinite(known).all():
        raise Unfit(
            f"{int((~np.isfinite(known)).sum())} values of the map are not numbers.",
            "Mask the places that are not known.",
        )
    if known.min() < 0 or known.max() > 1:
        raise Unfit(
            f"Probabilities lie in 0..1; these in {known.min():.3g}..{known.max():.3g}.",
            "Give the map as probability, not as logit or grey value.",
        )
    return np.where(inside, values, 0).astype(np.float32), inside


def even_out(values: Float, mask: Bool) -> Float:
    """Return the map scaled so that its background is 0 and its clear ink 1; 0 outside the mask.

    Networks differ in how sure they are: the median is background, the brightest half per cent ink.
    """
    known = values[mask]
    low, high = np.percentile(known, [50, 99.5])
    scaled = np.clip((values - low) / max(float(high - low), 0.02), -0.5, 1.25)
    return np.where(mask, scaled, 0).astype(np.float32)


def letter_heights(ink: Float, mask: Bool, options: LineOptions) -> tuple[float, ...]:
    """Return the letter heights, in pixels, that explain an evened map, the best first.

    They are at most four, and apart: the first is mostly right, and a reader that knows letters
    can tell. Empty where no lines explain more than chance.
    """
    if options.letter_px is not None:
        return (options.letter_px,)
    rng = np.random.default_rng(0)
    largest = min(options.largest_px, ink.shape[0] / 1.05)
    count = 1 + int(max(0.0, np.log(largest / options.smallest_px)) / np.log(_STEP))
    heights = options.smallest_px * _STEP ** np.arange(count)
    gains = np.empty(count)
    level, sums = 0, _Sums(ink, mask.astype(np.float32))
    for k, height in enumerate(heights):
        factor = max(1, int(height // 12))
        if factor >= 2 * level:
            level = factor
            sums = _Sums(*_reduce(ink, mask, factor))
        gains[k] = _gain(sums, height / max(level, 1), options.smallest_px / max(level, 1), rng)
    best: list[float] = []
    for k in np.argsort(-gains):
        apart = all(abs(np.log(heights[k] / other)) > 0.3 for other in best)
        if apart and gains[k] > max(0.15 * gains.max(), 0) and len(best) < 4:
            best.append(float(heights[k]))
    return tuple(best)


def find_lines(ink: Float, mask: Bool, letter_px: float) -> tuple[TextLine, ...]:
    """Return the lines of letters of this height on an evened map, in reading order.

    Columns are read from the left, and each from the top. Empty where there are none.
    """
    factor = max(1, int(letter_px // 12))
    small = _Sums(*_reduce(ink, mask, factor))
    height = letter_px / factor
    lines = _follow(small, height)
    return tuple(_grow(line, factor) for line in _extent(small, lines, height))


def strip_of(
    ink: Float, line: TextLine, letter: int, height: int
) -> tuple[Float, NDArray[np.float64]]:
    """Return a straight strip (height, columns) along a line, its letters `letter` pixels high.

    Also return where along the page each column lies, in pixels. The strip begins and ends one
    letter height outside the line.
    """
    from scipy.ndimage import map_coordinates

    scale = line.letter_px / letter
    factor = max(1, int(scale))
    u = np.arange(line.u[0] - line.letter_px, line.u[-1] + line.letter_px, scale)
    rows = (np.arange(height) - (height - 1) / 2) * scale
    v = line.middle(u)[None, :] + rows[:, None]
    top = max(0, int(v.min()) - 2 * factor)
    part = ink[top : max(top + factor, int(v.max()) + 2 * factor + 1)]
    small, _ = _reduce(part, np.ones(part.shape, np.bool_), factor)
    at = ((v - top + 0.5) / factor - 0.5, np.broadcast_to((u + 0.5) / factor - 0.5, v.shape))
    return map_coordinates(small, at, order=1, mode="constant").astype(np.float32), u


def _reduce(ink: Float, mask: Bool, factor: int) -> tuple[Float, Float]:
    """Block means of the ink inside the mask, and the share of each block that is inside."""
    if factor == 1:
        return ink, mask.astype(np.float32)
    height, width = (-(-n // factor) * factor for n in ink.shape)
    pad = ((0, height - ink.shape[0]), (0, width - ink.shape[1]))
    blocks = (height // factor, factor, width // factor, factor)
    weight = np.pad(mask, pad).astype(np.float32).reshape(blocks).mean(axis=(1, 3))
    total = np.pad(ink, pad).reshape(blocks).mean(axis=(1, 3))
    return (total / np.maximum(weight, 1e-3)).astype(np.float32), weight


class _Sums:
    """Means of a map over boxes of any size, each for the price of four look-ups."""

    def __init__(self, ink: Float, weight: Float) -> None:
        self.ink, self.weight = ink, weight
        self.shape = ink.shape
        self._total = _table(ink * weight)
        self._area = _table(weight)

    def both(self, v0: Float, v1: Float, u0: Float, u1: Float) -> tuple[Float, Float]:
        """Sum over rows v0..v1 and columns u0..u1 (broadcast), and the area that is known."""
        bounds = [
            np.clip(np.rint(x).astype(np.intp), 0, n)
            for x, n in zip((v0, v1, u0, u1), np.repeat(self.shape, 2), strict=True)
        ]
        return _box(self._total, *bounds), _box(self._area, *bounds)

    def mean(self, v0: Float, v1: Float, u0: Float, u1: Float) -> Float:
        """Mean over rows v0..v1 and columns u0..u1 (broadcast); 0 where that is off the map."""
        total, area = self.both(v0, v1, u0, u1)
        return np.where(area > 0.5, total / np.maximum(area, 0.5), 0)

    def shuffled(self, block: int, rng: np.random.Generator) -> _Sums:
        """The same map, blocks of columns rolled up or down at random: no lines are left."""
        ink, weight = self.ink.copy(), self.weight.copy()
        for left in range(0, self.shape[1], block):
            roll = int(rng.integers(self.shape[0]))
            part = slice(left, left + block)
            ink[:, part] = np.roll(ink[:, part], roll, axis=0)
            weight[:, part] = np.roll(weight[:, part], roll, axis=0)
        return _Sums(ink, weight)


def _table(values: Float) -> NDArray[np.float64]:
    return np.pad(values.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _box(
    table: NDArray[np.float64],
    v0: NDArray[np.intp],
    v1: NDArray[np.intp],
    u0: NDArray[np.intp],
    u1: NDArray[np.intp],
) -> NDArray[np.float64]:
    return np.asarray(table[v1, u1] - table[v0, u1] - table[v1, u0] + table[v0, u0])


def _contrast(sums: _Sums, height: float, v: Float, u: Float, wide: float) -> Float:
    """How much more ink a line of this height at v, u has than the bands above and below it.

    Both are means over a stretch `wide` pixels long. Rows are v, columns u.
    """
    left, right = (u - wide / 2)[None, :], (u + wide / 2)[None, :]
    top, bottom = (v - height / 2)[:, None], (v + height / 2)[:, None]
    flank = _FLANK * height
    above, room_above = sums.both(top - flank, top, left, right)
    below, room_below = sums.both(bottom, bottom + flank, left, right)
    beside = (above + below) / np.maximum(room_above + room_below, 0.5)
    # With next to nothing beside it, anything would pass for a line: the whole map would.
    seen = (room_above + room_below) > 0.4 * flank * np.minimum(wide, sums.shape[1])
    return np.where(seen, sums.mean(top, bottom, left, right) - beside, 0)


def _gain(sums: _Sums, height: float, smallest: float, rng: np.random.Generator) -> float:
    """What bands of this height explain beyond chance."""
    nulls = [sums.shuffled(max(1, round(height / 3)), rng) for _ in range(2)]
    wide = max(_WINDOW * height, 20 * smallest)
    return _explained(sums, height, wide) - float(
        np.mean([_explained(null, height, wide) for null in nulls])
    )


def _explained(sums: _Sums, height: float, wide: float) -> float:
    """The part of the map's energy that bands of this height explain, on average over columns."""
    v = np.arange(0, sums.shape[0], height / 10)
    u = np.arange(min(wide, sums.shape[1]) / 2, sums.shape[1], wide / 2)
    contrast = np.maximum(_contrast(sums, height, v, u, wide), 0)
    return float((_peaks(contrast, 12) ** 2).sum() * height / sums.shape[0] / len(u))


def _peaks(contrast: Float, apart: int) -> Float:
    """`contrast` where it is highest within `apart` rows to either side, else 0."""
    from scipy.ndimage import maximum_filter1d

    return np.where(contrast >= maximum_filter1d(contrast, 2 * apart + 1, axis=0), contrast, 0)


def _follow(sums: _Sums, height: float) -> list[TextLine]:
    """Lines from edge to edge, each followed from its strongest place; the strongest first."""
    v = np.arange(0, sums.shape[0], height / 16)
    u = np.arange(height / 2, max(sums.shape[1], height), height / 2)
    contrast = _contrast(sums, height, v, u, _WINDOW * height)
    null = sums.shuffled(max(1, round(height / 3)), np.random.default_rng(1))
    chance = _contrast(null, height, v, u, _WINDOW * height)
    floor = max(0.02, float(np.percentile(chance, 99.5)))
    lines: list[TextLine] = []
    strength = contrast.copy()
    strongest = float(contrast.max())
    while strength.max() > max(floor, 0.3 * strongest):
        row, start = map(int, np.unravel_index(int(strength.argmax()), strength.shape))
        after = _path(strength[:, start:], row, 0.04 * strongest)
        before = _path(strength[:, start::-1], row, 0.04 * strongest)
        rows = np.r_[before[:0:-1], after]
        for k, middle in enumerate(rows):
            strength[max(0, middle - 12) : middle + 13, k] = 0
        lines.append(TextLine(u, _smooth(v[rows]), height))
    return _apart(lines, height)


def _path(strength: Float, row: int, price: float) -> NDArray[np.intp]:
    """The rows of the strongest way from `row` in the first column to the last.

    A way goes up or down by at most a row a column, and pays for it.
    """
    count = strength.shape[0]
    total = np.full(count, -np.inf)
    total[row] = 0.0
    moves = np.zeros(strength.shape, dtype=np.int8)
    for k in range(1, strength.shape[1]):
        higher = np.r_[-np.inf, total[:-1]] - price
        lower = np.r_[total[1:], -np.inf] - price
        choices = np.stack([total, higher, lower])
        best = choices.argmax(axis=0)
        total = choices.max(axis=0) + strength[:, k]
        moves[:, k] = np.array([0, -1, 1])[best]
    rows = np.empty(strength.shape[1], dtype=np.intp)
    rows[-1] = int(total.argmax())
    for k in range(strength.shape[1] - 1, 0, -1):
        rows[k - 1] = rows[k] + moves[rows[k], k]
    return rows


def _smooth(v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Straightened over eight letters, to the very ends."""
    from scipy.signal import savgol_filter

    window = min(17, len(v) - 1 + len(v) % 2)
    return v if window < 3 else np.asarray(savgol_filter(v, window, 1, mode="interp"))


def _apart(lines: list[TextLine], height: float) -> list[TextLine]:
    """Without lines that run into a stronger one over most of their length."""
    kept: list[TextLine] = []
    for line in lines:
        if all(np.median(np.abs(line.v - other.v)) > 0.9 * height for other in kept):
            kept.append(line)
    return kept


def _extent(sums: _Sums, lines: list[TextLine], height: float) -> list[TextLine]:
    """Lines cut to where their ink is and at the gutters between columns, in reading order."""
    if not lines:
        return []
    u = np.arange(0, sums.shape[1], max(1.0, height / 12))
    ink = np.array([_along(sums, line, u, 0.0, height) for line in lines])
    beside = [_along(sums, line, u, side * 0.72 * height, 0.2 * height) for line in lines
              for side in (-1, 1)]  # fmt: skip
    low, high = float(np.median(beside)), float(np.percentile(ink, 75))
    known = _along(_Sums(sums.weight, np.ones_like(sums.weight)), lines[0], u, 0.0, height) > 0.3
    found: list[tuple[int, float, TextLine]] = []
    cut = low + 0.25 * (high - low)
    gutters = _runs((ink.mean(axis=0) < low + 0.15 * (high - low)) & known)
    step = u[1] - u[0]
    gutters = [(a, b) for a, b in gutters if (b - a) * step > (_GUTTER - 0.6) * height]
    for column, (left, right) in enumerate(_between(gutters, len(u))):
        for line, density in zip(lines, ink, strict=True):
            runs = _runs(density[left:right] > cut)
            runs = [run for run in runs if (run[1] - run[0]) * step > 0.3 * height]
            if not runs:
                continue
            first, last = u[left + runs[0][0]], u[left + runs[-1][1] - 1]
            knots = np.arange(first, last + height / 2, height / 2)
            cut_line = TextLine(knots, line.middle(knots), height, column)
            found.append((column, float(cut_line.v.mean()), cut_line))
    return [line for _, _, line in sorted(found, key=lambda item: item[:2])]


def _along(
    sums: _Sums, line: TextLine, u: NDArray[np.float64], offset: float, height: float
) -> Float:
    """Mean ink along a line, over a window 0.6 letters wide and `height` high."""
    v = line.middle(u) + offset
    half = 0.3 * line.letter_px
    return sums.mean(v - height / 2, v + height / 2, u - half, u + half)


def _runs(flags: Bool) -> list[tuple[int, int]]:
    """Where `flags` is True: beginnings and ends (exclusive)."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _between(gutters: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The stretches that `gutters` leave."""
    starts = [0] + [b for _, b in gutters]
    ends = [a for a, _ in gutters] + [length]
    return [(a, b) for a, b in zip(starts, ends, strict=True) if b > a]


def _grow(line: TextLine, factor: int) -> TextLine:
    """A line of the reduced map, in pixels of the whole one."""
    middle = (factor - 1) / 2
    return TextLine(
        line.u * factor + middle,
        line.v * factor + middle,
        line.letter_px * factor,
        line.column,
    )
