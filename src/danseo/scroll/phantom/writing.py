"""What is on the sheet before it is rolled up: ink, decoys and tears."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from danseo.scroll.lettering import LETTERS, Letter, mask_from_picture, page
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.relief import Mask, Masks, tear

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_KEPT: Final = 0.7
"""A letter with less of its ink than this left by tears is no letter that one could read."""
_HAND_UM: Final = 3500.0
"""About how high a letter is in a picture of handwriting at one pixel for 7.91 um."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The unrolled sheet: masks (rows v x columns u, one pixel a voxel), letters, and text."""

    masks: Masks
    letters: tuple[Letter, ...]
    text: str


def write_sheet(recipe: Recipe, text: str | Path, height: int, width: int) -> Sheet:
    """Write `text` on a sheet of height x width voxels, or the ink of a picture if it is a path.

    Without text there is no ink; decoys and tears are there all the same. Letters that a tear has
    taken are not in the truth.
    """
    torn = tear(recipe, height, width)
    ink: Mask = np.zeros((height, width), dtype=np.bool_)
    letters: tuple[Letter, ...] = ()
    letter_px = round(recipe.letter_um / recipe.voxel_um)
    if isinstance(text, Path):
        scale = recipe.letter_um / _HAND_UM * 7.91 / recipe.voxel_um
        ink = mask_from_picture(text, height, width, recipe.rng("writing"), scale)
    elif text.strip():
        column = None if recipe.column_um is None else round(recipe.column_um / recipe.voxel_um)
        written = page(
            text,
            height,
            width,
            letter_px,
            recipe.rng("writing"),
            recipe.font,
            repeat=recipe.repeat,
            column_px=column,
        )
        ink, letters = (
            written.mask,
            tuple(e for e in written.letters if _stands(e, written.mask, torn)),
        )
    decoy = draw_decoys(recipe, height, width, letter_px) & ~ink
    return Sheet(Masks(ink, decoy, torn), letters, _rows(letters))


def draw_decoys(recipe: Recipe, height: int, width: int, letter_px: int) -> Mask:
    """Return raised strokes that are no writing, over about the part `decoys` of the sheet.

    Some are letters, turned and anywhere; most are free strokes as wide as a pen's.
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (width, height))
    pen = ImageDraw.Draw(canvas)
    rng = recipe.rng("decoys")
    glyphs = _glyphs(letter_px, rng) if recipe.decoys else []
    wanted = recipe.decoys * width * height
    batch = max(1, round(wanted / (0.15 * letter_px**2) / 12))
    while np.count_nonzero(np.asarray(canvas)) < wanted:
        for _ in range(batch):
            at = rng.uniform((0, 0), (width, height))
            if glyphs and rng.uniform() < 0.35:
                glyph = glyphs[rng.integers(len(glyphs))].rotate(
                    float(rng.uniform(0, 360)), expand=True
                )
                corner = (int(at[0]) - glyph.width // 2, int(at[1]) - glyph.height // 2)
                canvas.paste(255, corner, glyph)
            else:
                _stroke(pen, at, letter_px, rng)
    return np.asarray(canvas) > 127


def _stroke(
    pen: ImageDraw.ImageDraw, at: npt.NDArray[np.float64], letter_px: int, rng: np.random.Generator
) -> None:
    """Draw one bent stroke from `at`, with a pen of a tenth of a letter or so."""
    wide = letter_px * rng.uniform(0.09, 0.17)
    long = letter_px * rng.uniform(0.3, 1.1)
    turn, bend = rng.uniform(0, 2 * math.pi), rng.normal(0, 1.2)
    steps = np.linspace(0, 1, 12)
    angle = turn + bend * steps
    path = at + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], -1), axis=0) * long / 12
    pen.line([tuple(p) for p in path], fill=255, width=max(1, round(wide)), joint="curve")
    for x, y in (path[0], path[-1]):
        r = wide / 2
        pen.ellipse((x - r, y - r, x + r, y + r), fill=255)


def _glyphs(letter_px: int, rng: np.random.Generator) -> list[Image.Image]:
    from PIL import Image

    written = page("".join(LETTERS), 2 * letter_px, 40 * letter_px, letter_px, rng)
    boxes = (e.box for e in written.letters)
    return [
        Image.fromarray(written.mask[v0:v1, u0:u1].astype(np.uint8) * 255)
        for u0, v0, u1, v1 in boxes
    ]


def _stands(letter: Letter, ink: Mask, torn: Mask) -> bool:
    u0, v0, u1, v1 = letter.box
    here, gone = ink[v0:v1, u0:u1], torn[v0:v1, u0:u1]
    return bool(np.count_nonzero(here & ~gone) >= _KEPT * np.count_nonzero(here))


def _rows(letters: tuple[Letter, ...]) -> str:
    rows = [""] * (1 + max((e.line for e in letters), default=-1))
    for letter in letters:
        rows[letter.line] += letter.char
    return "\n".join(rows)
