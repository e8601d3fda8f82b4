"""One picture a stage, and the unrolled sheet as tiles to zoom into.

Arrays of the sheet are rows x columns, one pixel a voxel. A gap is drawn as a gap: slate with
stripes, never as papyrus. Every picture is the same, byte for byte, for the same input.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from danseo.scroll.reading.page import Letter, Sheet
from danseo.scroll.surface import Surface
from danseo.scroll.volume import Box, Volume

if TYPE_CHECKING:
    Picture = Image.Image

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

TILE: Final = 512
_WIDE: Final = 1400
"""Pixels across a picture of the sheet in rows; of height it may have as much and a half."""
_BAND: Final = 512
_GAP: Final = (92, 107, 120)
_STRIPE: Final = (120, 136, 150)
_INK: Final = (138, 31, 15)
_MARK: Final = (11, 93, 115)
_CYCLE: Final = 4.0
"""Turns after which the colours of windings come again: neighbours are a quarter apart."""
_LONGEST: Final = 16_000
"""Pixels across the one long picture; a JPEG cannot have more than 65,535."""


# --- the roll ------------------------------------------------------------------------------------


def draw_sections(volume: Volume, surface: Surface, out: Path, side: int = 1000) -> None:
    """Draw three cross-sections with the sheet over them: a large one, and two to its right."""
    depth = volume.shape[0]
    small = (side - 8) // 2
    sheet = Image.new("RGBA", (side + 8 + small, side), (0, 0, 0, 0))
    places = ((depth // 2, side, (0, 0)), (depth // 6, small, (side + 8, 0)))
    for z, across, corner in (*places, (depth * 5 // 6, small, (side + 8, small + 8))):
        sheet.paste(_section(volume, surface, z, across), corner)
    _save(sheet, out)


def crossing(surface: Surface, z: float) -> tuple[Floats, Floats]:
    """Return where each column meets the plane of height z: (columns, 2) of x, y, and the winding.

    NaN where a column does not reach it. Of several crossings the first down the page counts.
    """
    heights = surface.xyz[..., 2]
    with np.errstate(invalid="ignore"):
        crosses = (heights[:-1] <= z) & (heights[1:] > z)
    row = crosses.argmax(axis=0)
    column = np.arange(heights.shape[1])
    above, below = heights[row, column], heights[np.minimum(row + 1, len(heights) - 1), column]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(crosses.any(axis=0), (z - above) / (below - above), np.nan)

    def between(values: Floats) -> Any:
        weight = part if values.ndim == 2 else part[:, None]
        return values[row, column] * (1 - weight) + values[row + 1, column] * weight

    unknown = np.full(heights.shape, np.nan, np.float32)
    winding = between(surface.winding if surface.winding is not None else unknown)
    return between(surface.xyz[..., :2]), winding


def _section(volume: Volume, surface: Surface, z: int, across: int) -> Picture:
    level = 0
    while level + 1 < len(volume.levels) and max(volume.levels[level + 1].shape[1:]) >= across:
        level += 1
    there = volume.levels[level]
    at = min(there.shape[0] - 1, round(z / there.factor[0]))
    plane = volume.read(Box(at, at + 1, 0, there.shape[1], 0, there.shape[2]), level)[0]
    picture = Image.fromarray(_stretched(plane, 0.55)).convert("RGB")
    scale = across / max(there.shape[1:])
    size = (round(there.shape[2] * scale), round(there.shape[1] * scale))
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    points, winding = crossing(surface, float(z))
    shift = [(factor - 1) / 2 for factor in there.factor[:0:-1]]
    places = ((points - shift) / there.factor[:0:-1] + 0.5) * scale
    colours = _colours(winding)
    # A step far beyond the usual is a tear, or the next piece of the sheet.
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    longest = 4 * max(surface.step, float(np.nanmedian(steps)) if np.isfinite(steps).any() else 0)
    with np.errstate(invalid="ignore"):
        joined = np.flatnonzero(steps <= longest)
    width = 2 if across >= 700 else 1
    for i in joined:
        line = (*places[i].tolist(), *places[i + 1].tolist())
        pen.line(line, fill=tuple(colours[i].tolist()), width=width)
    square = Image.new("RGB", (across, across), (0, 0, 0))
    square.paste(picture, ((across - size[0]) // 2, (across - size[1]) // 2))
    return square


def _colours(winding: Floats) -> Bytes:
    """Return a colour for each total angle, (..., 3): equal again after four turns."""
    phase = np.nan_to_num(winding, nan=0.0)[..., None] / _CYCLE - np.arange(3) / 3
    bright = 0.62 + 0.38 * np.cos(2 * np.pi * phase)
    known = np.isfinite(winding)[..., None]
    return np.where(known, np.rint(255 * bright), 255).astype(np.uint8)


# --- the sheet -----------------------------------------------------------------------------------


def composite(layers: Volume, first: int, last: int) -> Bytes:
    """Return the mean of layers first <= i < last, rows x columns, stretched to 8 bits.

    Read in bands of columns, so that no more than the result and one band is held.
    """
    depth, rows, columns = layers.shape
    first, last = max(0, first), min(depth, last)
    top = float(np.iinfo(layers.dtype).max)
    sheet = np.empty((rows, columns), np.uint16)
    for left in range(0, columns, _BAND):
        right = min(columns, left + _BAND)
        band = layers.read(Box(first, last, 0, rows, left, right)).astype(np.float32).mean(0)
        sheet[:, left:right] = np.rint(band * (65535 / top))
    return _stretched(sheet)


def _stretched(values: npt.NDArray[Any], top: float = 1.0) -> Bytes:
    """Return values with their 0.5th and 99.5th percentile at 0 and `top` x 255; 0 is left out."""
    known = values[values > 0]
    if not known.size:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(known[:: max(1, known.size // 1_000_000)], (0.5, 99.5))
    scale = 255 * top / max(1.0, float(high) - float(low))
    stretched: Bytes = np.clip((values.astype(np.float32) - low) * scale, 0, 255 * top).astype(
        np.uint8
    )
    return stretched


def papyrus(grey: Bytes, mask: Mask) -> Bytes:
    """Return the sheet as RGB, (rows, columns, 3): warm grey, and where there is none, stripes."""
    warm = np.arange(256)[:, None] * np.array([1.0, 0.94, 0.85]) + np.array([0, 4, 10])
    picture: Bytes = np.clip(np.rint(warm), 0, 255).astype(np.uint8)[grey]
    row, column = np.nonzero(~mask)
    stripe = ((row + column) // 6 % 4 == 0)[:, None]
    picture[row, column] = np.where(stripe, _STRIPE, _GAP)
    return picture


def inked(picture: Bytes, probability: Bytes) -> Bytes:
    """Return RGB with ink laid over it, as opaque as it is probable (0..255)."""
    alpha = _OPAQUE[probability][..., None].astype(np.uint16)
    mixed = (picture * (255 - alpha) + np.array(_INK, np.uint16) * alpha + 127) // 255
    return np.asarray(mixed, np.uint8)


# Below a quarter nothing is drawn: a veil over blank papyrus would look like a finding.
_OPAQUE: Final = np.clip((np.arange(256) - 64) * (230 / 191), 0, 230).astype(np.uint8)


def draw_rows(picture: Bytes, out: Path, letters: Sequence[Letter] = ()) -> None:
    """Draw the sheet cut into rows of a page's width, shrunk until it is no poster.

    `letters` are drawn over it: a box around each and its letter above.
    """
    rows, columns = picture.shape[:2]
    scale = min(1.0, _WIDE * 1.5 * _WIDE / (rows * columns)) ** 0.5
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    sheet = Image.fromarray(picture).resize(size, Image.Resampling.BOX)
    if letters:
        _mark(sheet, letters, scale)
    count = -(-size[0] // _WIDE)
    pitch = size[1] + 10
    # Between the rows, and behind the last one's end, the page shows through.
    made = Image.new("RGBA", (min(_WIDE, size[0]), count * pitch - 10), (0, 0, 0, 0))
    for i in range(count):
        part = sheet.crop((i * _WIDE, 0, min(size[0], (i + 1) * _WIDE), size[1]))
        made.paste(part, (0, i * pitch))
    _save(made, out)


def _mark(sheet: Picture, letters: Sequence[Letter], scale: float) -> None:
    from danseo.scroll.lettering import fonts

    pen = ImageDraw.Draw(sheet)
    heights = [one.box[3] - one.box[1] for one in letters]
    size = max(12, round(0.55 * scale * float(np.median(heights))))
    there = fonts()
    face = ImageFont.truetype(there.get("DejaVu Sans") or next(iter(there.values())), size)
    for one in letters:
        x0, y0, x1, y1 = (scale * place for place in one.box)
        pen.rectangle((x0, y0, x1, y1), outline=_MARK, width=2 if one.sure else 1)
        pen.text(
            ((x0 + x1) / 2, max(0.8 * size, y0 - 2)),
            one.char,
            fill=_MARK,
            font=face,
            anchor="ms",
            stroke_width=2,
            stroke_fill=(251, 248, 241),
        )


def draw_map(values: Floats, out: Path, top: float) -> None:
    """Draw a map of values 0..top, rows x columns, from pale to dark; NaN as a gap."""
    known = np.isfinite(values)
    part = np.clip(np.nan_to_num(values) / max(top, 1e-12), 0, 1)[..., None]
    stops = np.array([[247, 241, 228], [240, 178, 110], [173, 63, 23], [58, 18, 40]], np.float32)
    place = part * (len(stops) - 1)
    low = np.minimum(place.astype(int), len(stops) - 2)[..., 0]
    picture = stops[low] + (stops[low + 1] - stops[low]) * (place - low[..., None])
    picture[~known] = _GAP
    factor = max(1, round(min(_WIDE / 2, 512) / max(1, len(values))))
    scaled = np.rint(picture).astype(np.uint8).repeat(factor, 0).repeat(factor, 1)
    draw_rows(scaled, out)


def draw_ink(probability: Bytes, mask: Mask, out: Path) -> None:
    """Draw ink as dark as it is probable (0..255), on paper."""
    draw_rows(ink_on_paper(probability, mask), out)


def ink_on_paper(probability: Bytes, mask: Mask) -> Bytes:
    """Return probability (0..255) as RGB: dark on pale, gaps striped."""
    return papyrus((250 - probability.astype(np.int16) * 225 // 255).astype(np.uint8), mask)


# --- tiles ---------------------------------------------------------------------------------------


def write_sheet(
    folder: Path, name: str, picture: Bytes, probability: Bytes | None, um: float
) -> Sheet:
    """Write the tiles of a sheet (RGB) and of its ink (0..255) into `folder`; return what they are.

    `name` is the folder as seen from the page. Level l shrinks by 2^l; the last fits one tile's
    height or is a few tiles long. Tiles are written whole or not at all.
    """
    rows, columns = picture.shape[:2]
    levels = 1
    while max(rows, columns) > TILE * 2 ** (levels - 1) and levels < 12:
        levels += 1
    _pyramid(folder / "papyrus", Image.fromarray(picture), levels, "jpg")
    suffix = {"papyrus": "jpg"}
    shown = picture
    if probability is not None:
        _pyramid(folder / "ink", Image.fromarray(probability), levels, "png")
        suffix["ink"] = "png"
        shown = inked(picture, probability)
    long = Image.fromarray(shown)
    if columns > _LONGEST:
        long = long.resize((_LONGEST, max(1, rows * _LONGEST // columns)), Image.Resampling.BOX)
    _save(long, folder / "long.jpg")
    return Sheet(name, columns, rows, TILE, levels, um, suffix, f"{name}/long.jpg")


def _pyramid(folder: Path, picture: Picture, levels: int, suffix: str) -> None:
    for level in range(levels):
        place = folder / str(level)
        for top in range(0, picture.height, TILE):
            for left in range(0, picture.width, TILE):
                right, bottom = min(picture.width, left + TILE), min(picture.height, top + TILE)
                tile = picture.crop((left, top, right, bottom))
                _save(
                    tile if suffix == "jpg" else _glaze(tile),
                    place / f"{top // TILE}-{left // TILE}.{suffix}",
                )
        picture = picture.reduce(2)


def _glaze(tile: Picture) -> Picture:
    """Return probability as a colour that is opaque where it is high."""
    made = Image.frombytes("P", tile.size, tile.tobytes())
    made.putpalette(list(_INK) * 256)
    made.info["transparency"] = _OPAQUE.tobytes()
    return made


def _save(picture: Picture, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    if path.suffix == ".jpg":
        picture.save(draft, "JPEG", quality=86)
    else:
        picture.save(draft, "PNG")
    draft.replace(path)
