"""Can brightness tell the ink of the real `cube128` from the sheet on which it lies?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from benchmarks.harness import Figure

CUBE: Final = Path("scroll") / "cube128" / "cube128.npz"
FACE: Final = 2
BLOCK: Final = 16
"""Voxels: the side of the blocks that are drawn anew for an interval."""
DRAWS: Final = 500
LEVELS: Final = 512
"""Ranks are counted in this many steps, so that an AUC can be drawn anew from counts."""

Array = npt.NDArray[Any]


def figures(data: Path) -> list[Figure]:
    """Return an AUC for each measure of brightness, on the sheets and on the inked sheet alone."""
    if not (data / CUBE).is_file():
        return [Figure(f"cube128 (skipped: {CUBE} is not in the folder DANSEO_DATA)", 0, "")]
    with np.load(data / CUBE) as cube:
        ct, sheet, ink = cube["ct"].astype(np.float32), cube["label_sheet"], cube["label_inner_ink"]
    inked = sheet_of(ink, sheet)
    faces = inked & ~ndimage.binary_erosion(inked, iterations=FACE)
    found = [_figure("brightness, all sheets", ct, ink, sheet)]
    found.append(_figure(f"brightness, the inked sheet's faces ({FACE} voxels)", ct, ink, faces))
    for what, value in measures(ct):
        found.append(_figure(f"{what}, the inked sheet", value, ink, inked))
    return found


def _figure(what: str, value: Array, ink: Array, where: Array) -> Figure:
    area, low, high = auc(value, ink, where)
    peer = f"chance, 0.500: {low:.3f} to {high:.3f} with 95 %"
    return Figure(f"cube128: {what}, AUC", area, "", peer, area / 0.5)


def measures(ct: Array) -> Iterator[tuple[str, Array]]:
    """Yield simple measures of brightness: name, and a value for each voxel."""
    yield "brightness", ct
    for sigma in (1, 2, 4):
        yield f"brightness, blurred by {sigma}", ndimage.gaussian_filter(ct, sigma)
    yield "greatest within 5", ndimage.maximum_filter(ct, 5)
    mean = ndimage.uniform_filter(ct, 5)
    yield "spread within 5", np.maximum(ndimage.uniform_filter(ct * ct, 5) - mean**2, 0)


def sheet_of(ink: Array, sheet: Array) -> Array:
    """Return the connected parts of the labelled sheets that carry ink."""
    parts, _ = ndimage.label(sheet)
    carrying: Array = np.isin(parts, np.unique(parts[ink & sheet])) & sheet
    return carrying


def auc(value: Array, ink: Array, where: Array) -> tuple[float, float, float]:
    """Return the AUC of ink against the rest of `where`, and its middle 95 % over drawn blocks."""
    ranks = stats.rankdata(value[where])
    step = np.minimum(ranks * LEVELS / len(ranks), LEVELS - 1).astype(np.int64)
    z, y, x = (place // BLOCK for place in where.nonzero())
    _, block = np.unique((z * 1000 + y) * 1000 + x, return_inverse=True)
    count = int(block.max()) + 1
    tables = [
        np.bincount(block[kind] * LEVELS + step[kind], minlength=count * LEVELS).reshape(count, -1)
        for kind in (ink[where], ~ink[where])
    ]
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), DRAWS)
    whole = _area(*(table.sum(axis=0, keepdims=True) for table in tables))[0]
    low, high = np.percentile(_area(*(draws @ table for table in tables)), (2.5, 97.5))
    return float(whole), float(low), float(high)


def _area(inked: Array, bare: Array) -> Array:
    """Return the AUC of each row of counts by level (draws x levels)."""
    below = np.cumsum(bare, axis=1) - bare / 2
    area: Array = (inked * below).sum(axis=1) / (inked.sum(axis=1) * bare.sum(axis=1))
    return area
