"""Text -> ink mask and letter boxes: a page of Greek majuscules as a scribe might write it.

Letters come from fonts that lie on the machine, are normalised to one pen, and vary as a hand does:
in size, slant, baseline, spacing and stroke. Everything is drawn from the generator that is passed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Unavailable, Unfit, Usage

if TYPE_CHECKING:
    from PIL import Image

LETTERS: Final = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡϹΤΥΦΧΨΩ"
"""The 24 letters that a page may hold. Sigma is lunate (U+03F9), as scribes wrote it."""

LINE_PITCH: Final = 1.55
"""From one baseline to the next, in letter heights."""

SMALLEST_LETTER: Final = 12
"""In pixels. Below that a pen stroke is under two pixels wide and letters run together."""

_ANCIENT: Final = Path("/usr/share/fonts/truetype/ancient-scripts")
_FACES: Final = {
    "Analecta": "Analecta_hint.ttf",
    "Avdira": "Avdira_hint.ttf",
    "Anaktoria": "Anaktoria_hint.ttf",
    "Aroania": "Aroania_hint.ttf",
    "Alexander": "Alexander_hint.ttf",
    "Aegean": "Aegean_hint.ttf",
    "Atavyros": "Atavyros.otf",
}
_FALLBACK: Final = {"DejaVu Sans": "DejaVuSans.ttf", "DejaVu Serif": "DejaVuSerif.ttf"}

_DIGRAPHS: Final = {"th": "Θ", "ph": "Φ", "ch": "Χ", "kh": "Χ", "ps": "Ψ", "rh": "Ρ"}
_SINGLES: Final = dict(zip("abgdezikcqlmnxoprstuyfvwj", "ΑΒΓΔΕΖΙΚΚΚΛΜΝΞΟΠΡϹΤΥΥΦΒΩΙ", strict=True))
_MACRON: Final = "\N{COMBINING MACRON}"

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: which, on which line (counted through all columns), and the box of its ink.

    The box is `(u0, v0, u1, v1)` in pixels, u to the right and v down, the ends exclusive.
    """

    char: str
    line: int
    box: Box


@dataclass(frozen=True, slots=True)
class Page:
    """A written page.

    `mask` (height, width) is True where there is ink. `text` is what was written, one row a line
    of writing. `rest` is what found no room, normalised: empty where all was written.
    """

    mask: NDArray[np.bool_]
    letters: tuple[Letter, ...]
    font: str
    text: str
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Hand:
    """How one scribe writes; lengths in letter heights, angles in radians."""

    pen: float
    slant: float
    gap: float
    wander: float
    unsteadiness: float


def fonts() -> dict[str, Path]:
    """Return the fonts that are there, name to file, those closest to a scribe's hand first."""
    import matplotlib

    fallback = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    known = [(name, _ANCIENT / file) for name, file in _FACES.items()]
    known += [(name, fallback / file) for name, file in _FALLBACK.items()]
    return {name: path for name, path in known if path.is_file()}


def normalise(text: str, transliterate: bool = False) -> str:
    """Return `text` as majuscules without accents, spaces or punctuation; line breaks are kept.

    A subscript iota is a letter, and written beside, as scribes did.
    With `transliterate`, Latin letters stand for Greek ones: `th ph ch ps` for theta, phi, chi and
    psi, `ē ō` for eta and omega, and `h` alone is a breathing, which majuscules do not write.
    Raise `Usage` for a character that cannot be written, with its line and place.

    >>> normalise("Μῆνιν ἄειδε, θεά")
    'ΜΗΝΙΝΑΕΙΔΕΘΕΑ'
    """
    lines = []
    for row, line in enumerate(text.splitlines()):
        plain = unicodedata.normalize("NFKD", line)
        if transliterate:
            plain = _greek(plain)
        letters = "".join(_letter(char, row, line) for char in plain)
        if letters:
            lines.append(letters)
    return "\n".join(lines)


def draw_hand(rng: np.random.Generator) -> Hand:
    """Draw a scribe: the pen's width, the slant, and how steady the hand is."""
    return Hand(
        pen=float(rng.uniform(0.10, 0.145)),
        slant=float(rng.normal(0.0, 0.05)),
        gap=float(rng.uniform(0.11, 0.19)),
        wander=float(rng.uniform(0.02, 0.08)),
        unsteadiness=float(rng.uniform(0.5, 1.0)),
    )


def page(
    text: str,
    height_px: int,
    width_px: int,
    letter_px: int,
    rng: np.random.Generator,
    font: str | None = None,
    *,
    repeat: bool = False,
    column_px: int | None = None,
    hand: Hand | None = None,
    transliterate: bool = False,
) -> Page:
    """Write `text` on a page of (height_px, width_px) in letters `letter_px` high.

    A line break in the text begins a new line of writing, and a line that is too long goes on in
    the next. Lines run along the whole width, or in columns of `column_px`. `repeat` writes the
    text again until the page is full. `font` is a name from `fonts()`, the first where None.
    Raise `Usage` for text that cannot be written and for a page too small for one letter.
    """
    written = normalise(text, transliterate)
    if not written:
        raise Usage("There is no letter in the text.", "Give at least one Greek letter.")
    name, path = _font(font)
    columns, baselines = _layout(height_px, width_px, letter_px, column_px)
    hand = draw_hand(rng) if hand is None else hand
    pen = _Pen(path, letter_px, hand, rng, np.zeros((height_px, width_px), dtype=np.bool_))
    stream = _stream(written, repeat)
    letters: list[Letter] = []
    line = 0
    held = next(stream, "")
    for left, right in columns:
        for baseline in baselines:
            before = len(letters)
            held = pen.line(held, stream, (left, right, baseline), line, letters)
            line += len(letters) > before
    rows = ["" for _ in range(line)]
    for letter in letters:
        rows[letter.line] += letter.char
    rest = "" if repeat else (held + "".join(stream)).strip("\n")
    return Page(pen.mask, tuple(letters), name, "\n".join(rows), rest)


def mask_from_picture(
    path: Path, height_px: int, width_px: int, rng: np.random.Generator, scale: float = 1.0
) -> NDArray[np.bool_]:
    """Return an ink mask cut from a picture of ink (bright on dark), such as a stencil of a hand.

    A place with ink is drawn at random, turned and mirrored at random; a page wider or higher than
    the picture is laid out from several cuts. There are no letters to know: only ink.
    """
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as picture:
            ink = np.asarray(_scaled(picture.convert("L"), scale)) > 127
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read as a picture: {error}.", "Give a PNG or TIFF file."
        ) from error
    if not ink.any():
        raise Unfit(f"{path} holds no ink: no pixel is brighter than 127.", "Give another picture.")
    mask = np.zeros((height_px, width_px), dtype=np.bool_)
    for top in range(0, height_px, ink.shape[0]):
        for left in range(0, width_px, ink.shape[1]):
            room = mask[top : top + ink.shape[0], left : left + ink.shape[1]]
            room[...] = _cut(ink, room.shape[0], room.shape[1], rng)
    return mask


def _letter(char: str, row: int, line: str) -> str:
    upper = char.upper().replace("Σ", "Ϲ")
    if upper in LETTERS:
        return upper
    if unicodedata.category(char)[0] in "MPZC" or unicodedata.category(char) in {"Sk", "Lm"}:
        return ""
    place = f"line {row + 1}, place {max(line.find(char), 0) + 1}"
    if "LATIN" in unicodedata.name(char, ""):
        raise Usage(
            f"{char!r} ({place}) is a Latin letter, and the page is Greek.",
            "Write it in Greek, or ask for transliteration.",
        )
    raise Usage(
        f"{char!r} ({unicodedata.name(char, 'no name')}, {place}) cannot be written.",
        f"Use the 24 letters {LETTERS}.",
    )


def _greek(plain: str) -> str:
    """Latin letters to Greek ones, in a decomposed line; what is not Latin stays as it is."""
    out: list[str] = []
    lower = plain.lower()
    i = 0
    while i < len(lower):
        if lower[i : i + 2] in _DIGRAPHS:
            out.append(_DIGRAPHS[lower[i : i + 2]])
            i += 2
            continue
        long = lower[i + 1 : i + 2] == _MACRON
        if long and lower[i] in "eo":
            out.append("Η" if lower[i] == "e" else "Ω")
        elif lower[i] != "h":
            out.append(_SINGLES.get(lower[i], plain[i]))
        i += 1
    return "".join(out)


def _font(name: str | None) -> tuple[str, Path]:
    there = fonts()
    if not there:
        raise Unavailable(
            "There is no font with Greek majuscules.",
            "Install the Debian package fonts-ancient-scripts, or matplotlib.",
        )
    name = next(iter(there)) if name is None else name
    if name not in there:
        raise Usage(f"There is no font {name!r}.", f"There are: {', '.join(there)}.")
    return name, there[name]


def _layout(
    height: int, width: int, letter: int, column: int | None
) -> tuple[list[tuple[int, int]], list[float]]:
    """Columns as (left, right), and the baselines of each, in pixels."""
    if letter < SMALLEST_LETTER:
        raise Usage(
            f"A letter of {letter} pixels is too small to write.",
            f"Give letter_px of {SMALLEST_LETTER} or more.",
        )
    margin = round(0.3 * letter)
    if height < 1.6 * letter or width < 2 * margin + 1.5 * letter:
        raise Usage(
            f"A page of {height} x {width} pixels has no room for a letter of {letter}.",
            "Take smaller letters or a larger page.",
        )
    room = width - 2 * margin
    across = min(room, column or room)
    if across < 1.5 * letter:
        raise Usage(
            f"A column of {column} pixels is narrower than a letter of {letter}.",
            "Give a wider column or smaller letters.",
        )
    gutter = round(1.3 * letter)
    count = 1 + (room - across) // (across + gutter)
    columns = [(margin + k * (across + gutter),) * 2 for k in range(count)]
    lines = 1 + int((height - 1.6 * letter) / (LINE_PITCH * letter))
    top = (height - letter - (lines - 1) * LINE_PITCH * letter) / 2
    baselines = [top + letter + k * LINE_PITCH * letter for k in range(lines)]
    return [(left, left + across) for left, _ in columns], baselines


def _stream(written: str, again: bool) -> Iterator[str]:
    if not again:
        return iter(written)
    once = written + "\n" if "\n" in written else written
    return chain.from_iterable(repeat(once))


@dataclass(frozen=True, slots=True)
class _Pen:
    """A hand that writes with one font onto one mask."""

    path: Path
    letter_px: int
    hand: Hand
    rng: np.random.Generator
    mask: NDArray[np.bool_]

    def line(
        self,
        held: str,
        stream: Iterator[str],
        place: tuple[int, int, float],
        line: int,
        letters: list[Letter],
    ) -> str:
        """Write letters until the line is full or ends; return the first that was not written."""
        left, right, baseline = place
        size, hand, rng = self.letter_px, self.hand, self.rng
        phase, waves = rng.uniform(0, 2 * np.pi), rng.uniform(12, 40) * size
        u = float(left)
        while held and held != "\n":
            glyph = self._glyph(held)
            if u + glyph.shape[1] > right:
                return held
            drift = hand.wander * np.sin(phase + 2 * np.pi * u / waves)
            v = baseline + size * (drift + 0.015 * hand.unsteadiness * rng.normal())
            letters.append(Letter(held, line, self._stamp(glyph, u, v)))
            u += glyph.shape[1] + size * max(
                0.04, hand.gap + 0.04 * hand.unsteadiness * rng.normal()
            )
            held = next(stream, "")
        return next(stream, "") if held == "\n" else ""

    def _stamp(self, glyph: NDArray[np.bool_], u: float, v: float) -> Box:
        """Lay a glyph with its baseline at `v`, whole on the page; return its ink's box."""
        height, width = glyph.shape
        top = round(v) - _ascent(self.letter_px)
        top = int(np.clip(top, -_first(glyph), self.mask.shape[0] - _last(glyph)))
        rows = slice(max(0, -top), min(height, self.mask.shape[0] - top))
        ink = glyph[rows]
        v0, u0 = top + rows.start, round(u)
        self.mask[v0 : v0 + ink.shape[0], u0 : u0 + width] |= ink
        return (u0, v0 + _first(ink), u0 + width, v0 + _last(ink))

    def _glyph(self, char: str) -> NDArray[np.bool_]:
        """One letter as this hand writes it this time, cut to its ink from left to right."""
        from scipy.ndimage import map_coordinates, zoom

        shape = _shape(self.path, char, self.letter_px)
        size, rng, shake = self.letter_px, self.rng, self.hand.unsteadiness
        height, width = shape.outline.shape
        v, u = np.mgrid[0:height, 0:width].astype(np.float32)
        v -= _ascent(size)
        u -= width / 2
        angle, slant = shake * rng.normal(0, 0.02), self.hand.slant + shake * rng.normal(0, 0.02)
        tall, wide = np.exp(shake * rng.normal(0, 0.035, 2))
        # Inverse mapping: where on the font's glyph each pixel of the written one lies.
        bend = [
            zoom(shake * rng.normal(0, 0.012 * size, (4, 4)), (height / 4, width / 4), order=3)
            for _ in "vu"
        ]
        at = (
            (v / tall - angle * u + _ascent(size) + bend[0]).astype(np.float32),
            ((u + slant * v) / wide + angle * v + width / 2 + bend[1]).astype(np.float32),
        )
        pen = self.hand.pen * size * np.exp(shake * rng.normal(0, 0.06))
        grow = np.clip((pen - shape.pen) / 2, -0.3 * shape.pen, 0.08 * size)
        ink = map_coordinates(shape.outline, at, order=1, mode="nearest") > -grow
        # A thin stroke is as much a stroke as a thick one: a reed has no hairlines.
        ink |= map_coordinates(shape.spine, at, order=1, mode="nearest") < 0.37 * pen
        columns = np.flatnonzero(ink.any(axis=0))
        return np.ascontiguousarray(ink[:, columns[0] : columns[-1] + 1])


@dataclass(frozen=True, slots=True)
class _Shape:
    """A font's glyph. Distances in pixels; the baseline lies at row `_ascent(letter_px)`.

    `outline` is the signed distance to the outline, positive inside; `spine` the distance to the
    middle of the strokes; `pen` the width of the font's upright stroke.
    """

    outline: NDArray[np.float32]
    spine: NDArray[np.float32]
    pen: float


@lru_cache(maxsize=512)
def _shape(path: Path, char: str, letter_px: int) -> _Shape:
    from scipy.ndimage import distance_transform_edt, maximum_filter

    size = _font_size(path, letter_px)
    ink = _drawn(path, char, size, letter_px)
    inside = distance_transform_edt(ink)
    outline = inside - distance_transform_edt(~ink)
    spine = distance_transform_edt(~(ink & (inside >= maximum_filter(inside, 3))))
    middle = _ascent(letter_px) - letter_px // 2
    pen = float(max(1, _drawn(path, "Ι", size, letter_px)[middle].sum()))
    return _Shape(outline.astype(np.float32), spine.astype(np.float32), pen)


def _drawn(path: Path, char: str, size: float, letter_px: int) -> NDArray[np.bool_]:
    """A glyph on a canvas 2.2 letters high, a third of a letter of room on either side."""
    from PIL import Image, ImageDraw, ImageFont

    face = ImageFont.truetype(str(path), size)
    left, _, right, _ = face.getbbox(char, anchor="ls")
    pad, up = round(0.33 * letter_px), _ascent(letter_px)
    canvas = Image.new("L", (round(right - left) + 2 * pad, round(2.2 * letter_px)))
    ImageDraw.Draw(canvas).text((pad - left, up), char, fill=255, font=face, anchor="ls")
    return np.asarray(canvas) > 127


def _ascent(letter_px: int) -> int:
    """Rows of a glyph's canvas above the baseline; a letter's height and room for a taller one."""
    return round(1.5 * letter_px)


@lru_cache(maxsize=64)
def _font_size(path: Path, letter_px: int) -> float:
    """The size at which the font's eta is `letter_px` high."""
    from PIL import ImageFont

    _, top, _, bottom = ImageFont.truetype(str(path), 1000).getbbox("Η", anchor="ls")
    return 1000 * letter_px / (bottom - top)


def _first(ink: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(ink.any(axis=1))[0])


def _last(ink: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(ink.any(axis=1))[-1]) + 1


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    if scale == 1.0:
        return picture
    return picture.resize((round(picture.width * scale), round(picture.height * scale)))


def _cut(
    ink: NDArray[np.bool_], height: int, width: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A cut of the given size; of a dozen places the first with 2 % of ink, else the best."""
    best = np.zeros((height, width), dtype=np.bool_)
    for _ in range(12):
        top = int(rng.integers(0, ink.shape[0] - height + 1))
        left = int(rng.integers(0, ink.shape[1] - width + 1))
        cut = ink[top : top + height, left : left + width]
        if cut.sum() > best.sum():
            best = cut
        if best.mean() > 0.02:
            break
    return best[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))].copy()
