"""Can brightness tell the ink of the real `cube128` from the sheet on which it lies?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats

from benchmarks.harness import Figure
from danseo.core.errors import Unavailable
from danseo.scroll.sampling import along, sample
from danseo.scroll.surface import normals

CUBE: Final = Path("scroll") / "cube128" / "cube128.npz"
FACE: Final = 2
BLOCK: Final = 16
"""Voxels: the side of the blocks that are drawn anew for an interval."""
DRAWS: Final = 500
MOVE: Final = 16
"""Voxels: how far a label is moved at least, round the edges of the sheet."""
MOVES: Final = 200
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
    return found + by_the_model(ct, ink, inked)


def by_the_model(ct: Array, ink: Array, inked: Array) -> list[Figure]:
    """Return the AUC of the ink model that ships, layers read one way and the other.

    Nobody told which face of this sheet is written, so both ways stand here.
    """
    from danseo.scroll.ink.predict import probability
    from danseo.scroll.ink.weights import load_model

    try:
        model = load_model(None)
    except Unavailable:
        return [
            Figure("cube128: the ink model (skipped: no weights ship with this version)", 0, "")
        ]
    xyz = middle_of(inked)
    seen = np.asarray(np.isfinite(xyz).all(axis=2))
    offsets = np.arange(model.depth) - (model.depth - 1) / 2
    layers = along(ct, xyz, normals(xyz), offsets.astype(np.float32))
    truth = sample(ink.astype(np.float32), xyz) > 0.5
    scores = {
        f"the ink model, layers {way}": probability(
            model, np.clip(stack, 0, 255).astype(np.uint8), seen
        )
        for way, stack in (("towards smaller y", layers), ("towards greater y", layers[::-1]))
    }
    # Columns along x and rows along z: the normal points to smaller y.
    half = model.depth // 2
    scores["brightness of the layers at greater y"] = layers[:half].mean(axis=0)
    scores["brightness of the layers at smaller y"] = layers[half:].mean(axis=0)
    scores["place along z and nothing else"] = np.indices(truth.shape)[0]
    return [_beside_moved(what, value, truth, seen) for what, value in scores.items()]


def _beside_moved(what: str, value: Array, truth: Array, where: Array) -> Figure:
    """Return an AUC beside the middle 95 % of those against the same label, moved at random.

    Blocks drawn anew would flatter here: there is one stroke, so there is one observation.
    """
    rng = np.random.default_rng(0)
    moves = rng.integers(MOVE, np.array(truth.shape) - MOVE, (MOVES, 2))
    moved = [_plain(value[where], np.roll(truth, tuple(move), (0, 1))[where]) for move in moves]
    low, high = np.percentile(moved, (2.5, 97.5))
    area = _plain(value[where], truth[where])
    peer = f"the label moved at random: {low:.3f} to {high:.3f}"
    return Figure(f"cube128: {what}, AUC", area, "", peer)


def _plain(value: Array, ink: Array) -> float:
    ranks, count = stats.rankdata(value), int(ink.sum())
    return float((ranks[ink].sum() / count - (count + 1) / 2) / (len(ink) - count))


def middle_of(sheet: Array) -> npt.NDArray[np.float32]:
    """Return the middle of the largest part of a sheet across y: rows z, columns x.

    A column where that part is missing or breaks in two is NaN. Sides are multiples of four.
    """
    parts, count = ndimage.label(sheet)
    largest = parts == 1 + np.argmax(ndimage.sum_labels(sheet, parts, np.arange(1, count + 1)))
    depth = largest.sum(axis=1)
    y = np.arange(sheet.shape[1])[None, :, None]
    mean = (largest * y).sum(axis=1) / np.maximum(depth, 1)
    span = sheet.shape[1] - np.argmax(largest[:, ::-1], axis=1) - np.argmax(largest, axis=1)
    whole = (depth > 0) & (span == depth)
    smooth = ndimage.gaussian_filter(mean * whole, 2) / np.maximum(
        ndimage.gaussian_filter(whole.astype(float), 2), 1e-6
    )
    z, x = np.indices(mean.shape)
    points = np.stack([x, smooth, z], axis=-1).astype(np.float32)
    return np.where(whole[..., None], points, np.float32(np.nan))


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
    cells = np.stack([place // BLOCK for place in where.nonzero()])
    _, block = np.unique(cells, axis=1, return_inverse=True)
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
