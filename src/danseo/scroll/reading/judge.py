"""Score what a stage wrote against the truth of a phantom."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Usage
from danseo.scroll.reading.stages import INK, MASK, TEXT, read_ink

if TYPE_CHECKING:
    from danseo.scroll.phantom.truth import Truth
    from danseo.scroll.surface import Surface

Doubles = npt.NDArray[np.float64]

JUDGED: Final = ("segment", "flatten", "ink", "text")
_NEAR: Final = 6.0
"""Voxels off the true sheet up to which a pixel shows this place of it, and no other."""


def judge(
    stage: str, result: Path, truth_folder: Path, *, surface: Path | None = None
) -> dict[str, Any]:
    """Return the figures of a stage's result; shares are 0..1, lengths in voxels.

    `result` is the stage's folder, or someone else's file for `ink` and `text`. A map of ink lies
    on a flat `surface`; by default that of the folder `flatten` beside it.
    """
    from danseo.scroll.phantom.truth import read_truth

    if stage not in JUDGED:
        raise Usage(
            f"There is no truth for {stage!r}.",
            f"There is one for: {', '.join(JUDGED)}. Layers are judged by the surface under them.",
        )
    truth = read_truth(truth_folder)
    if stage == "ink":
        return _ink(result, truth, surface)
    if stage == "text":
        return _text(result, truth)
    return _surface(result, truth)


def places(surface: Surface, truth: Truth) -> tuple[Doubles, Doubles, Doubles]:
    """Return where each grid point lies on the true sheet: u, v and depth, (rows, columns) each.

    NaN where the surface has no point, or the true sheet none at its angle.
    """
    spiral = truth.spiral
    found = [np.full(surface.shape, np.nan) for _ in range(3)]
    for row in range(surface.shape[0]):
        known = np.flatnonzero(surface.valid[row])
        points = surface.xyz[row, known].astype(np.float64)
        # Heights are looked up one by one; a quarter voxel tells the sheet apart well enough.
        points[:, 2] = np.round(points[:, 2] * 4) / 4
        for values, place in zip(spiral.locate(points), found, strict=True):
            place[row, known] = values
    return found[0], found[1], found[2]


def _surface(result: Path, truth: Truth) -> dict[str, Any]:
    from danseo.scroll.surface import read_surface
    from danseo.scroll.winding.measure import compare

    found = read_surface(result)
    rows, columns = truth.surface.shape
    side = round(truth.surface.step)
    torn = truth.masks.torn[::side, ::side][:rows, :columns]
    there = ~np.pad(torn, [(0, rows - torn.shape[0]), (0, columns - torn.shape[1])], mode="edge")
    return compare(found, truth.surface, there).to_json()


def _ink(result: Path, truth: Truth, surface: Path | None) -> dict[str, Any]:
    from danseo.scroll.ink import measure
    from danseo.scroll.ink.predict import read_mask
    from danseo.scroll.surface import read_surface

    found = result / INK if result.is_dir() else result
    probability = read_ink(found)
    flat = read_surface(surface or found.parent.parent / "flatten")
    u, v, depth = (_at_pixels(one, flat.step, probability.shape) for one in places(flat, truth))
    mask = found.parent / MASK
    valid = np.isfinite(u) & (np.abs(depth) < _NEAR)
    if mask.exists():
        valid &= read_mask(mask)
    rows, columns = truth.masks.ink.shape
    row = np.clip(np.rint(np.nan_to_num(v)), 0, rows - 1).astype(np.intp)
    column = np.clip(np.rint(np.nan_to_num(u)), 0, columns - 1).astype(np.intp)
    valid &= ~truth.masks.torn[row, column]
    ink = truth.masks.ink[row, column]
    return asdict(measure.score(probability, ink, valid, threshold=_threshold()))


def _threshold() -> float:
    """Return the threshold that came with the package's weights, a half where there are none."""
    from danseo.core.errors import Unavailable
    from danseo.scroll.ink.weights import load_model

    try:
        return load_model().threshold
    except Unavailable:
        return 0.5


def _at_pixels(values: Doubles, step: float, shape: tuple[int, ...]) -> Doubles:
    """Return values of a grid at each pixel: linear between its points, NaN beside a hole."""
    from scipy.ndimage import map_coordinates

    places = np.meshgrid(*(np.arange(side) / step for side in shape), indexing="ij")
    found: Doubles = map_coordinates(values, places, order=1, cval=np.nan)
    return found


def _text(result: Path, truth: Truth) -> dict[str, Any]:
    from danseo.scroll.text.measure import score
    from danseo.scroll.text.record import read_json

    found = result / TEXT if result.is_dir() else result
    plain = found.suffix == ".txt"
    read = found.read_text("utf-8") if plain else read_json(found).text()
    figures = asdict(score(truth.text.splitlines(), read.splitlines()))
    return {**{k: v for k, v in figures.items() if k != "lines"}, "truth": truth.text, "read": read}
