"""From a map of ink probability to lines and letters, with confidence.

Lines are found, made straight, and read by a classifier that slides along them and sees about one
letter. Of all ways to lay letters side by side the most likely is kept. There is no dictionary and
no language model: what is not to be seen is not read.

The text follows the papyrologists' habit: a letter that cannot be made out is a dot, and a stretch
where the sheet itself is missing stands in brackets, one dot for each letter that it could hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Usage
from danseo.scroll.lettering import LETTERS, Box
from danseo.scroll.text.lines import (
    Bool,
    Float,
    LineOptions,
    TextLine,
    check_map,
    even_out,
    find_lines,
    letter_heights,
    strip_of,
)

if TYPE_CHECKING:
    from danseo.scroll.text.glyphs import GlyphNet, Shapes

Progress = Callable[[float, str], None]

DOT: Final = "."
_OVERLAP: Final = 0.3
"""How far two letters side by side may reach into each other, as a share of the narrower."""

_FAINT: Final = 0.08
"""The chance of a letter below which a place is not looked at."""

_FEW: Final = 4
"""Fewer letters than this do not say how a page lies."""

LIES: Final = {
    "upright": "as it lies",
    "mirrored": "mirrored",
    "turned": "upside down",
    "upended": "upside down and mirrored",
}
"""The four ways in which a page may lie."""


@dataclass(frozen=True, slots=True)
class TextOptions:
    """How a map is read.

    `letter_px`: the height of a letter in pixels where it is known. `dot`: below this confidence a
    letter is a dot in the text. `lies`: the way in which the page lies; another than "upright" is
    for a page that is known to lie otherwise, and is never chosen by itself. `look_around`: whether
    to ask how well the page would read if it lay another way.
    """

    letter_px: float | None = None
    smallest_px: float = 20.0
    largest_px: float = 480.0
    dot: float = 0.5
    lies: str = "upright"
    look_around: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.dot <= 1:
            raise Usage(f"A confidence of {self.dot} makes no sense.", "Give dot from 0 to 1.")
        if self.lies not in LIES:
            raise Usage(f"A page cannot lie {self.lies!r}.", f"Choose of {', '.join(LIES)}.")


@dataclass(frozen=True, slots=True)
class Reading:
    """One letter: the likeliest, how sure it is, its ink's box, and what else it may be."""

    char: str
    confidence: float
    box: Box
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its box, its letters, its column, and `gaps`, the boxes where there is no sheet."""

    box: Box
    letters: tuple[Reading, ...]
    column: int = 0
    gaps: tuple[Box, ...] = ()

    def text(self, dot: float = 0.5, underdots: bool = False) -> str:
        """Return the line; letters less sure than `dot` are dots, gaps stand in brackets.

        A gap before the first letter or after the last is where the sheet ends: it lost nothing.
        With `underdots`, a letter that is read but not sure (below .85) has a dot below it.
        """
        onward = self.letters[-1].box[0] >= self.letters[0].box[0] if self.letters else True
        wide = self._advance()
        parts = [(reading.box, _sign(reading, dot, underdots)) for reading in self.letters]
        first = min((reading.box[0] for reading in self.letters), default=0)
        last = max((reading.box[2] for reading in self.letters), default=0)
        for gap in self.gaps:
            if gap[2] <= first or gap[0] >= last:
                continue
            parts.append((gap, f"[{DOT * max(1, round((gap[2] - gap[0]) / wide))}]"))
        parts.sort(key=lambda part: part[0][0] + part[0][2], reverse=not onward)
        return "".join(sign for _, sign in parts)

    def _advance(self) -> float:
        """From one letter to the next, in pixels."""
        middles = np.array([(r.box[0] + r.box[2]) / 2 for r in self.letters])
        if len(middles) < 2:
            return 0.9 * (self.box[3] - self.box[1])
        return float(max(1.0, np.median(np.abs(np.diff(middles)))))


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was read. `letter_px` is the height of a letter, 0 where none was found.

    `fits` says for each way to lie which share of the shapes is a letter; `margin` by how much the
    best is above the way in which the page was read (0 where that is the best).
    """

    lines: tuple[Line, ...]
    letter_px: float
    fits: tuple[tuple[str, float], ...]
    margin: float
    dot: float
    warnings: tuple[str, ...] = ()

    def text(self, underdots: bool = False) -> str:
        """Return the text, one row a line; a dot is an illegible letter."""
        return "\n".join(line.text(self.dot, underdots) for line in self.lines)

    @property
    def letters(self) -> tuple[Reading, ...]:
        """All letters, in reading order."""
        return tuple(reading for line in self.lines for reading in line.letters)


def transcribe(
    probability: NDArray[Any],
    mask: NDArray[np.bool_] | None = None,
    options: TextOptions | None = None,
    weights: Path | GlyphNet | None = None,
    progress: Progress | None = None,
) -> Transcript:
    """Read a map of ink probability (height, width), float in 0..1 or uint16 over its range.

    `mask` is True where the map is known. `weights`: a file, a loaded classifier, or None for the
    one that ships. Raise `Unfit` for a map that cannot be read at all, and return a transcript
    without lines, and a warning that says so, where there is no writing.
    """
    from danseo.scroll.text.glyphs import GlyphNet, load_glyphs

    options = options or TextOptions()
    tell = progress or (lambda _done, _what: None)
    values, inside = check_map(probability, mask)
    least = options.letter_px or options.smallest_px
    net = weights if isinstance(weights, GlyphNet) else load_glyphs(weights)
    tell(0.0, "looking for lines")
    sheet = _Sheet(even_out(values, inside), inside, net).lying(options.lies)
    if values.shape[0] < least or values.shape[1] < least:
        return _nothing(options, f"The map, {values.shape}, is smaller than a letter.")
    bounds = LineOptions(options.letter_px, options.smallest_px, options.largest_px)
    heights = letter_heights(sheet.ink, sheet.mask, bounds)
    best = sheet.best(heights, lambda done, what: tell(0.1 + 0.5 * done, what))
    tell(0.6, "reading again along the letters")
    best = sheet.read(tuple(_closer(read) for read in best))
    kept = [read for read in best if read.legible()]
    if not kept:
        return _nothing(options, _why_nothing(sheet, heights, options))
    tell(0.8, "looking at the page from the other sides")
    fits = sheet.fits([read.line for read in kept], options)
    lines = tuple(read.as_line(sheet, options.lies) for read in kept)
    margin = max(fits.values()) - fits[options.lies]
    tell(1.0, f"{sum(len(line.letters) for line in lines)} letters on {len(lines)} lines")
    return Transcript(
        lines=lines,
        letter_px=float(np.median([read.line.letter_px for read in kept])),
        fits=tuple(fits.items()),
        margin=margin,
        dot=options.dot,
        warnings=_warnings(fits, options.lies, sum(len(line.letters) for line in lines)),
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """A line, what was read along it, and where each letter says that the line is (`REACHES`)."""

    line: TextLine
    readings: tuple[Reading, ...]
    shift: Float
    size: Float

    def legible(self) -> bool:
        """Whether this is writing: a third is sure, and three letters are, or one is very."""
        sure = [r.confidence for r in self.readings if r.confidence > 0.5]
        return 3 * len(sure) >= len(self.readings) and (
            len(sure) >= 3 or max(sure, default=0) > 0.8
        )

    def as_line(self, sheet: _Sheet, lies: str) -> Line:
        """The line as it is reported, in the pixels of the map that was given."""
        gaps = _gaps(sheet.mask, self.line, self.readings)
        line = Line(self.line.box, self.readings, self.line.column, gaps)
        return dataclasses.replace(
            line,
            box=_laid(line.box, sheet.mask.shape, lies),
            letters=tuple(
                dataclasses.replace(
                    _calibrated(sheet.net, r), box=_laid(r.box, sheet.mask.shape, lies)
                )
                for r in line.letters
            ),
            gaps=tuple(_laid(gap, sheet.mask.shape, lies) for gap in gaps),
        )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """An evened map, its mask, and who reads it."""

    ink: Float
    mask: Bool
    net: GlyphNet

    def lying(self, lies: str) -> _Sheet:
        """The sheet as it looks once a page that lies so is laid upright."""
        down = -1 if lies in ("turned", "upended") else 1
        across = -1 if lies in ("turned", "mirrored") else 1
        ink = np.ascontiguousarray(self.ink[::down, ::across])
        return _Sheet(ink, np.ascontiguousarray(self.mask[::down, ::across]), self.net)

    def shapes(self, line: TextLine) -> tuple[Shapes, NDArray[np.float64]]:
        """The classifier's answers along a line, and where on the sheet each place is."""
        from danseo.scroll.text.glyphs import HEIGHT, LETTER, STRIDE, read_strip

        strip, u = strip_of(self.ink, line, LETTER, HEIGHT)
        shapes = read_strip(self.net, strip)
        step = line.letter_px / LETTER
        return shapes, u[0] + step * (STRIDE * np.arange(len(shapes.where)) + (STRIDE - 1) / 2)

    def read(self, lines: tuple[TextLine, ...]) -> tuple[_Read, ...]:
        """Read along each of the lines."""
        return tuple(self._read(line) for line in lines)

    def best(self, heights: tuple[float, ...], tell: Progress) -> tuple[_Read, ...]:
        """What is read at the one of `heights` that lets most be read; empty where none does."""
        best: tuple[_Read, ...] = ()
        for k, height in enumerate(heights):
            tell(k / len(heights), f"reading letters of {height:.0f} pixels")
            best = max(best, self.read(find_lines(self.ink, self.mask, height)), key=_covered)
        return best

    def _read(self, line: TextLine) -> _Read:
        shapes, at = self.shapes(line)
        spots = _best_row(shapes, at / line.letter_px)
        readings = tuple(_reading(shapes, k, at[k], line) for k in spots)
        return _Read(line, readings, shapes.reach[4, spots], shapes.reach[5, spots])

    def fits(self, lines: list[TextLine], options: TextOptions) -> dict[str, float]:
        """For each way to lie, the share of the shapes on these lines that are letters."""
        ways = LIES if options.look_around else {options.lies: ""}
        fits = {}
        for lies in ways:
            other = self.lying(options.lies).lying(lies)
            found, letters = 0.0, 0.0
            for line in lines:
                moved = _moved(_moved(line, self.mask.shape, options.lies), self.mask.shape, lies)
                shapes, _ = other.shapes(moved)
                sure = np.where(shapes.where > 0.3, shapes.where, 0)
                found += float(sure.sum())
                letters += float((sure * shapes.what[:-1].max(axis=0)).sum())
            fits[lies] = letters / max(found, 1e-9)
        return fits


def _best_row(shapes: Shapes, at: NDArray[np.float64]) -> list[int]:
    """The likeliest letters side by side, as places in `shapes`; `at` in letter heights.

    Letters that reach into each other cannot both stand. The best choice is found exactly, by
    going from left to right over the ends of letters.
    """
    from scipy.ndimage import maximum_filter1d

    chance = shapes.where * (1 - shapes.what[-1])
    spots = np.flatnonzero((chance >= maximum_filter1d(chance, 5)) & (chance > _FAINT))
    if not len(spots):
        return []
    left = at[spots] - np.clip(shapes.reach[0, spots], 0.05, 0.9)
    right = at[spots] + np.clip(shapes.reach[1, spots], 0.05, 0.9)
    odds = np.clip(chance[spots], 1e-4, 1 - 1e-4)
    score = np.log(odds / (1 - odds)) - np.log(0.25 / 0.75)
    order = np.argsort(right)
    total, before = np.zeros(len(order)), np.full(len(order), -1)
    for i, k in enumerate(order):
        total[i] = score[k]
        for j in range(i - 1, -1, -1):
            other = order[j]
            narrow = min(right[k] - left[k], right[other] - left[other])
            clear = right[other] - left[k] <= _OVERLAP * narrow and left[other] < left[k]
            if clear and total[j] + score[k] > total[i]:
                total[i], before[i] = total[j] + score[k], j
            if right[other] < left[k] - 12:
                break
    row: list[int] = []
    i = int(total.argmax())
    while i >= 0 and total[i] > 0:
        row.append(int(spots[order[i]]))
        i = int(before[i])
    return row[::-1]


def _reading(shapes: Shapes, k: int, at: float, line: TextLine) -> Reading:
    chances = shapes.what[:-1, k] * shapes.where[k]
    best = np.argsort(-chances)[:4]
    left, right, top, bottom = np.clip(shapes.reach[:4, k], 0.02, 1.2) * line.letter_px
    middle = float(line.middle(at))
    return Reading(
        char=LETTERS[best[0]],
        confidence=round(float(chances[best[0]]), 4),
        box=(round(at - left), round(middle - top), round(at + right), round(middle + bottom)),
        alternatives=tuple((LETTERS[b], round(float(chances[b]), 4)) for b in best[1:]),
    )


def _calibrated(net: GlyphNet, reading: Reading) -> Reading:
    """The reading with its confidence set right; the others share what is left as before."""
    from danseo.scroll.text.glyphs import sure

    confidence = sure(net, reading.confidence)
    left = (1 - confidence) / max(1 - reading.confidence, 1e-4)
    others = tuple((char, round(left * chance, 4)) for char, chance in reading.alternatives)
    return dataclasses.replace(reading, confidence=round(confidence, 4), alternatives=others)


def _covered(reads: tuple[_Read, ...]) -> float:
    """How much sure letters make of the sheet: this tells the right letter height.

    Each counts by the side of its box and the square of its chance: at too small a height strokes
    pass for many small letters, at too large a one few letters cover much.
    """
    total = 0.0
    for read in reads:
        if read.legible():
            for chance, (u0, v0, u1, v1) in ((r.confidence, r.box) for r in read.readings):
                total += chance**2 * float(np.sqrt((u1 - u0) * (v1 - v0))) * (chance > 0.5)
    return total


def _closer(read: _Read) -> TextLine:
    """The line as its letters say that it runs; as it was where no letter is sure."""
    line, size = read.line, read.line.letter_px
    sure = np.array([r.confidence > 0.5 for r in read.readings], dtype=np.bool_)
    if not sure.any():
        return line
    at = np.array([(r.box[0] + r.box[2]) / 2 for r in read.readings])[sure]
    shift = np.clip(read.shift[sure], -0.3, 0.3) * size
    tall = size * float(np.exp(np.clip(np.median(read.size[sure]), -0.25, 0.25)))
    near = np.exp(-(((line.u[:, None] - at[None, :]) / (3 * size)) ** 2) / 2) + 1e-6
    return TextLine(line.u, line.v + near @ shift / near.sum(axis=1), tall, line.column)


def _gaps(mask: Bool, line: TextLine, readings: tuple[Reading, ...]) -> tuple[Box, ...]:
    """Where the sheet is missing along the line for more than two thirds of a letter."""
    u = np.arange(max(0, round(line.u[0])), min(mask.shape[1], round(line.u[-1]) + 1))
    v = np.clip(np.rint(line.middle(u.astype(np.float64))).astype(np.intp), 0, mask.shape[0] - 1)
    taken = np.zeros(len(u), dtype=np.bool_)
    for reading in readings:
        taken |= (u >= reading.box[0]) & (u < reading.box[2])
    missing = ~mask[v, u] & ~taken
    edges = np.flatnonzero(np.diff(np.r_[False, missing, False].astype(np.int8))).reshape(-1, 2)
    _, top, _, bottom = line.box
    return tuple(
        (int(u[a]), top, int(u[b - 1]) + 1, bottom)
        for a, b in edges
        if b - a > 0.67 * line.letter_px
    )


def _laid(box: Box, shape: tuple[int, ...], lies: str) -> Box:
    """A box of the upright sheet on the sheet as it lies; the same the other way round."""
    u0, v0, u1, v1 = box
    if lies in ("turned", "mirrored"):
        u0, u1 = shape[1] - u1, shape[1] - u0
    if lies in ("turned", "upended"):
        v0, v1 = shape[0] - v1, shape[0] - v0
    return (u0, v0, u1, v1)


def _moved(line: TextLine, shape: tuple[int, ...], lies: str) -> TextLine:
    """A line of the sheet on the sheet that is laid another way; the same back again."""
    u, v = line.u, line.v
    if lies in ("turned", "mirrored"):
        u, v = (shape[1] - 1 - u)[::-1], v[::-1]
    if lies in ("turned", "upended"):
        v = shape[0] - 1 - v
    return TextLine(u, v, line.letter_px, line.column)


def _sign(reading: Reading, dot: float, underdots: bool) -> str:
    if reading.confidence < dot:
        return DOT
    return reading.char + (
        "\N{COMBINING DOT BELOW}" if underdots and reading.confidence < 0.85 else ""
    )


def _nothing(options: TextOptions, why: str) -> Transcript:
    return Transcript((), 0.0, (), 0.0, options.dot, (why,))


def _why_nothing(sheet: _Sheet, heights: tuple[float, ...], options: TextOptions) -> str:
    """Why nothing was read: there is no writing, or the page lies another way."""
    why = "No writing was found: no shape on the map is surely a letter."
    for lies in LIES if options.look_around else ():
        if lies == options.lies:
            continue
        other = sheet.lying(options.lies).lying(lies)
        found = [read for read in other.best(heights, lambda _done, _what: None) if read.legible()]
        letters = sum(r.confidence > options.dot for read in found for r in read.readings)
        if letters >= _FEW:
            why += f" {LIES[lies].capitalize()} there are {letters}: read it with lies={lies!r}."
    return why


def _warnings(fits: dict[str, float], lies: str, letters: int) -> tuple[str, ...]:
    """A warning where the page surely reads better if it lay another way."""
    best = max(fits, key=lambda way: fits[way])
    margin = fits[best] - fits[lies]
    if margin < max(0.05, 0.5 / np.sqrt(letters)):
        return ()
    said = f"The page reads better {LIES[best]}: {fits[best]:.0%} of its shapes are letters"
    said += f" so, {fits[lies]:.0%} {LIES[lies] if lies != 'upright' else 'as it lies'}."
    if (best in ("mirrored", "upended")) != (lies in ("mirrored", "upended")):
        cause = "A mirrored page mostly comes of a stack of layers or slices in reversed order, or"
        cause += " of a surface seen from its back."
    else:
        cause = "A page is upside down where the volume's z runs up the scroll."
    return (f"{said} {cause} Nothing was turned: read it again with lies={best!r} to check.",)
