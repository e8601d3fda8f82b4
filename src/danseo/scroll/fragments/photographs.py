"""The real input of *Read the ink*: two fragments of a charred Herculaneum scroll.

A data folder holds, for fragments 2 and 3, a composite of X-ray CT layers and an infrared
photograph that was aligned to it. Ink is plain in infrared and hardly there in CT. Contributors
learn on fragment 2 and predict fragment 3, whose infrared photograph stays hidden.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from danseo.core.errors import Unavailable

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

WIDTH: Final = 640
"""Pixels across a fragment, after resampling from 1280."""
FACTOR_PERCENT: Final = 88
"""Ink is where infrared is darker than this part of its local mean."""
FINE: Final = 3
"""Radius in pixels of the box that evens out the weave and the alignment (3 px at 1280)."""
COARSE: Final = 70
"""Radius in pixels of the box of the local mean: about a line of writing."""
TRAIN: Final = 2
TEST: Final = 3


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment. All arrays are height x width; `mask` is where there is papyrus."""

    ct: Pixels
    mask: Mask
    label: Mask


def folder(data: Path | None) -> Path | None:
    """Return the folder of the fragments inside a data folder, or None where it is not there."""
    if data is None:
        return None
    found = data / "scroll" / "fragments"
    whole = all((found / f"f{n}_{k}.webp").is_file() for n in (2, 3) for k in ("composite", "ir"))
    return found if whole else None


def read(data: Path, number: int, width: int = WIDTH) -> Fragment:
    """Return fragment 2 or 3 at `width` pixels; raise `Unavailable` where its pictures are not."""
    place = folder(data)
    if place is None:
        raise Unavailable(
            f"There are no scroll/fragments/f2_*.webp and f3_*.webp in {data}.",
            "Give the data folder itself, or give none and use the stand-in.",
        )
    composite = _open(place / f"f{number}_composite.webp")
    infrared = _open(place / f"f{number}_ir.webp")
    # Fragment 3's photograph is one row taller than its composite.
    infrared = infrared.crop((0, 0, *composite.size))
    ct, mask = _resample(composite, width)
    light, lit = _resample(infrared, width)
    return Fragment(ct, mask, ink_in_infrared(light, lit) & mask)


def ink_in_infrared(light: Pixels, lit: Mask) -> Mask:
    """Return where ink lies in an infrared photograph (height x width), `lit` being its papyrus.

    Ink: the mean over a fine box is under 88 % of the mean over a coarse one, papyrus alone
    counted. Both sides are sums of integers, so that every machine finds the same pixels.
    """
    weight = lit.astype(np.int64)
    value = light * weight
    fine = box_sum(value, FINE) * box_sum(weight, COARSE)
    coarse = box_sum(value, COARSE) * box_sum(weight, FINE)
    ink: Mask = lit & (100 * fine < FACTOR_PERCENT * coarse)
    return ink


def box_sum(values: npt.NDArray[np.int64], radius: int) -> npt.NDArray[np.int64]:
    """Return for each pixel the sum over the square of 2 * radius + 1 pixels, zeros outside.

    >>> box_sum(np.ones((2, 3), dtype=np.int64), 1).tolist()
    [[4, 6, 4], [4, 6, 4]]
    """
    table = np.pad(values, ((radius + 1, radius), (radius + 1, radius))).cumsum(0).cumsum(1)
    side = 2 * radius + 1
    total: npt.NDArray[np.int64] = (
        table[side:, side:] - table[:-side, side:] - table[side:, :-side] + table[:-side, :-side]
    )
    return total


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as picture:
            return picture.convert("RGBA")
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error}.", "Fetch it again.") from None


def _resample(picture: Image.Image, width: int) -> tuple[Pixels, Mask]:
    """Return brightness and papyrus at `width` pixels.

    Alpha is multiplied in before and divided out after, so that what is transparent does not
    darken the edge.
    """
    height = round(picture.height * width / picture.width)
    small = np.asarray(
        picture.convert("RGBa").resize((width, height), Image.Resampling.BOX)
    ).astype(np.int64)
    alpha = small[..., 3]
    mask = alpha >= 128
    brightness = (small[..., 0] * 255 + alpha // 2) // np.maximum(alpha, 1)
    return np.where(mask, np.minimum(brightness, 255), 0).astype(np.uint8), mask
