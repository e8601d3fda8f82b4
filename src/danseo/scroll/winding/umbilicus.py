"""The umbilicus: the axis that the windings go round, found for each height.

Normals of a roll point away from its axis. In each cross-section the axis is the point c that
makes the angles between the normals n and the rays from c small: the sum of
w (n x (p - c))^2 / |p - c|^2, robustly (iteratively reweighted least squares, Cauchy).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Unfit

if TYPE_CHECKING:
    from danseo.scroll.winding.tensor import Cells, Floats

Doubles = NDArray[np.float64]

ANGLE: Final = 0.25
"""Scale of the Cauchy weights: the sine of an angle that is still likely."""
SECTORS: Final = 24
"""Directions in which there must be sheets."""
SLAB: Final = 8
"""Cells along z that share one estimate before it is smoothed."""


@dataclass(frozen=True)
class Umbilicus:
    """The axis: `x` and `y` in voxels for each cell along z, and how well normals agree with it.

    `agreement` is the weighted mean of the squared cosine between normals and rays: 1 for rings
    about the axis, 0.5 for normals at random. `sectors` is the share of directions with sheets.
    """

    x: Floats
    y: Floats
    cell: int
    agreement: float
    sectors: float

    def at(self, z: NDArray[np.floating]) -> tuple[Doubles, Doubles]:
        """Return x and y of the axis at heights `z` (voxels); beyond the ends it stays."""
        middle = np.arange(len(self.x)) * self.cell + (self.cell - 1) / 2
        return np.interp(z, middle, self.x), np.interp(z, middle, self.y)


def straight(x: float, y: float, cells: Cells) -> Umbilicus:
    """Return a given axis parallel to z, which may lie outside the volume (x, y in voxels)."""
    n = cells.shape[0]
    full = np.full(n, 1.0, np.float32)
    return Umbilicus(full * np.float32(x), full * np.float32(y), cells.cell, 1.0, 1.0)


def find_umbilicus(cells: Cells, seed: int = 0) -> Umbilicus:
    """Return the axis of the roll.

    Raises `Unfit` where normals do not go round a point inside the volume: flat sheets, a volume
    cut beside the axis, or no sheets at all.
    """
    points, normals, weights = _sample(cells, seed)
    whole = _fit(points, normals, weights, _start(points, normals, weights, cells))
    agreement, sectors = _quality(points, normals, weights, whole)
    _check(whole, agreement, sectors, cells)
    axis = _along_z(points, normals, weights, whole, cells)
    return Umbilicus(
        axis[:, 0].astype(np.float32), axis[:, 1].astype(np.float32), cells.cell, agreement, sectors
    )


def _sample(cells: Cells, seed: int, most: int = 100_000) -> tuple[Doubles, Doubles, Doubles]:
    """Return points (x, y, z), in-plane normals and weights of cells that look like sheet."""
    weight = cells.coherence * np.clip(cells.material(), 0, 1)
    good = np.flatnonzero(weight > 0.2)
    if good.size < 500:
        raise Unfit(
            f"Only {good.size} cells of {weight.size} look like a sheet.",
            "Give a volume with papyrus in it, at the voxel size that it was scanned at.",
        )
    if good.size > most:
        good = np.random.default_rng(seed).choice(good, most, replace=False)
    z, y, x = np.unravel_index(good, cells.shape)
    points = (np.stack([x, y, z], axis=1) * cells.cell + (cells.cell - 1) / 2).astype(np.float64)
    flat = cells.normal.reshape(3, -1)[:, good].T / 32767.0
    size = np.hypot(flat[:, 0], flat[:, 1])
    weights = (weight.ravel()[good] * size).astype(np.float64)
    flat = flat[:, :2] / np.maximum(size, 1e-6)[:, None]
    return points, flat.astype(np.float64), weights


def _start(points: Doubles, normals: Doubles, weights: Doubles, cells: Cells) -> Doubles:
    """Return the best of a grid of candidates: least squares alone is misled by lines far away."""
    _, ny, nx = (n * cells.cell for n in cells.shape)
    few = slice(None, None, max(1, len(points) // 5_000))
    best, at = -1.0, np.zeros(2)
    for y in np.linspace(-0.5, 1.5, 33) * ny:
        for x in np.linspace(-0.5, 1.5, 33) * nx:
            here = np.array([x, y])
            score = _agreement(points[few], normals[few], weights[few], here)
            if score > best:
                best, at = score, here
    return at


def _agreement(points: Doubles, normals: Doubles, weights: Doubles, axis: Doubles) -> float:
    ray = points[:, :2] - axis
    cosine2 = (ray * normals).sum(1) ** 2 / np.maximum((ray**2).sum(1), 1.0)
    return float((weights * cosine2).sum() / weights.sum())


def _fit(
    points: Doubles, normals: Doubles, weights: Doubles, axis: Doubles, rounds: int = 30
) -> Doubles:
    across = np.stack([-normals[:, 1], normals[:, 0]], axis=1)
    offset = (across * points[:, :2]).sum(1)
    for _ in range(rounds):
        ray2 = np.maximum(((points[:, :2] - axis) ** 2).sum(1), 16.0)
        sine2 = (offset - across @ axis) ** 2 / ray2
        w = weights / ray2 / (1 + sine2 / ANGLE**2)
        matrix = (across * w[:, None]).T @ across
        moved = np.linalg.lstsq(matrix, (across * w[:, None]).T @ offset, rcond=None)[0]
        if np.hypot(*(moved - axis)) < 0.01:
            return np.asarray(moved)
        axis = moved
    return axis


def _quality(
    points: Doubles, normals: Doubles, weights: Doubles, axis: Doubles
) -> tuple[float, float]:
    ray = points[:, :2] - axis
    sector = ((np.arctan2(ray[:, 1], ray[:, 0]) / (2 * np.pi)) % 1 * SECTORS).astype(int) % SECTORS
    counts = np.bincount(sector, minlength=SECTORS)
    return _agreement(points, normals, weights, axis), float((counts > len(ray) / 500).mean())


def _check(axis: Doubles, agreement: float, sectors: float, cells: Cells) -> None:
    _, ny, nx = (n * cells.cell for n in cells.shape)
    inside = 0 <= axis[0] < nx and 0 <= axis[1] < ny
    if agreement < 0.7:
        raise Unfit(
            f"No umbilicus was found: normals agree with the best axis by {agreement:.2f} "
            "(0.5 is chance).",
            "Check that z runs along the roll's axis (give `axes`), and that there are sheets.",
        )
    if not inside or sectors < 0.75:
        raise Unfit(
            f"The sheets do not go round an umbilicus in this volume: the best axis is at "
            f"x={axis[0]:.0f}, y={axis[1]:.0f}, with sheets in {sectors:.0%} of all directions.",
            "Give a volume that holds the whole cross-section of the roll, or give the axis.",
        )


def _along_z(
    points: Doubles, normals: Doubles, weights: Doubles, whole: Doubles, cells: Cells
) -> Doubles:
    """Return (cells along z, 2): an estimate for each slab, smoothed, the whole's where too few."""
    from scipy.ndimage import gaussian_filter1d

    nz = cells.shape[0]
    slab = (points[:, 2] / cells.cell / SLAB).astype(int)
    count = int(slab.max()) + 1
    found = np.full((count, 2), np.nan)
    for k in range(count):
        here = slab == k
        if here.sum() > 300:
            found[k] = _fit(points[here], normals[here], weights[here], whole)
    far = np.abs(found - np.nanmedian(found, axis=0)).max(1)
    found[~(far < 0.2 * min(cells.shape[1:]) * cells.cell)] = np.nan
    good = np.isfinite(found[:, 0])
    if not good.any():
        return np.tile(whole, (nz, 1))
    middle = (np.arange(count) + 0.5) * SLAB - 0.5
    rows = np.arange(nz)
    # A straight axis that leans is kept to the ends; only what strays from it is smoothed.
    degree = 1 if good.sum() >= 4 else 0
    line = np.polynomial.polynomial.polyfit(middle[good], found[good], degree)
    trend = np.polynomial.polynomial.polyval(rows, line).T
    strays = found[good] - np.polynomial.polynomial.polyval(middle[good], line).T
    each = [np.interp(rows, middle[good], strays[:, k]) for k in range(2)]
    smooth = gaussian_filter1d(np.stack(each, axis=1), SLAB, axis=0, mode="nearest")
    return np.asarray(trend + smooth)
