"""Where exactly the sheet's middle is: half-way between its two faces, along rays from the axis.

The phase of the density, which the field is locked to, leans towards the nearer of two unequal
gaps. The faces do not. Where a face touches another sheet it is not seen; then the middle is half
a thickness from the other face, and where neither is seen it stays, but for its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

if TYPE_CHECKING:
    from danseo.scroll.winding.tensor import Bytes, Floats

Doubles = NDArray[np.float64]

ALONG: Final = 1.0
"""Gaussian over profiles along the sheet, in grid points: noise and fibres hide a face."""
SPREAD: Final = 1.5
"""Gaussian over what was found, in grid points."""
FAR: Final = 0.35
"""How far, in thicknesses, a middle may lie from where the field has it."""


def centre(
    radius: Doubles,
    fine: Bytes,
    cell: int,
    rows: Doubles,
    axis: tuple[Doubles, Doubles],
    angles: Doubles,
    thickness: float,
) -> Doubles:
    """Return `radius` (rows x columns, voxels, NaN in holes) moved to the middle between faces.

    `axis` is (x, y) for each row, `angles` are the columns' total angles in turns.
    """
    from scipy.ndimage import gaussian_filter, median_filter

    reach = int(np.ceil(0.95 * thickness))
    there = np.isfinite(radius)
    weight = gaussian_filter(there.astype(np.float32), ALONG) + np.float32(1e-3)
    profile = _profiles(np.nan_to_num(radius), fine, cell, rows, *axis, angles, reach)
    profile *= there
    gaussian_filter(profile, (0, ALONG, ALONG), output=profile)
    profile /= weight
    inner, outer = _faces(profile, 0.2 * thickness)
    both = np.isfinite(inner) & np.isfinite(outer) & there
    if both.sum() < 0.05 * there.sum():
        return radius
    thick = _spread(np.where(both, outer - inner, 0), both.astype(float), 12.0, 0.01, thickness)
    # A face that is much too far is that of the neighbour, beyond a gap that cannot be seen.
    inner[inner < -0.75 * thick] = np.nan
    outer[outer > 0.75 * thick] = np.nan
    middle = np.where(
        np.isfinite(inner) & np.isfinite(outer),
        (inner + outer) / 2,
        np.where(np.isfinite(inner), inner + thick / 2, outer - thick / 2),
    )
    known = np.isfinite(middle) & there & (np.abs(middle) < FAR * thickness)
    sure = np.where(np.isfinite(inner) & np.isfinite(outer), 1.0, 0.5) * known
    moved = _spread(np.where(known, middle, 0), sure, SPREAD, 0.03, 0.0)
    return np.asarray(radius + median_filter(moved, 3, mode="nearest"))


def _spread(
    value: Doubles, weight: Doubles, sigma: float, prior: float, otherwise: float
) -> Doubles:
    """Return the weighted mean over a Gaussian, with `otherwise` at the weight `prior`."""
    from scipy.ndimage import gaussian_filter

    total = gaussian_filter(value * weight, sigma, mode="nearest") + prior * otherwise
    return np.asarray(total / (gaussian_filter(weight, sigma, mode="nearest") + prior))


@njit(parallel=True, cache=True)
def _profiles(
    radius: Doubles,
    fine: Bytes,
    cell: int,
    rows: Doubles,
    x0: Doubles,
    y0: Doubles,
    angles: Doubles,
    reach: int,
) -> Floats:
    """Density at radius - reach ... radius + reach, a voxel apart: (2 reach + 1, rows, columns)."""
    nz, ny, nx = fine.shape
    out = np.zeros((2 * reach + 1, len(rows), len(angles)), np.float32)
    half = cell * 0.5
    shift = (half - 1) / 2
    for r in prange(len(rows)):
        z = min(max((rows[r] - shift) / half, 0.0), nz - 1.001)
        k = int(z)
        c = z - k
        for j in range(len(angles)):
            dx, dy = np.cos(2 * np.pi * angles[j]), np.sin(2 * np.pi * angles[j])
            for s in range(2 * reach + 1):
                along = radius[r, j] + s - reach
                x = min(max((x0[r] + along * dx - shift) / half, 0.0), nx - 1.001)
                y = min(max((y0[r] + along * dy - shift) / half, 0.0), ny - 1.001)
                m, i = int(y), int(x)
                b, a = y - m, x - i
                low = (fine[k, m, i] * (1 - a) + fine[k, m, i + 1] * a) * (1 - b)
                low += (fine[k, m + 1, i] * (1 - a) + fine[k, m + 1, i + 1] * a) * b
                high = (fine[k + 1, m, i] * (1 - a) + fine[k + 1, m, i + 1] * a) * (1 - b)
                high += (fine[k + 1, m + 1, i] * (1 - a) + fine[k + 1, m + 1, i + 1] * a) * b
                out[s, r, j] = (low * (1 - c) + high * c) / 127.5 - 0.5
    return out


@njit(parallel=True, cache=True)
def _faces(profile: Floats, least: float) -> tuple[Doubles, Doubles]:
    """Offsets of the inner and outer face: where density, going outward, first falls below half.

    A face nearer than `least` to the middle of the profile is a hollow, not a face.
    """
    n, rows, columns = profile.shape
    reach = n // 2
    inner, outer = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    for r in prange(rows):
        for c in range(columns):
            for s in range(int(least), reach):
                a, b = profile[reach + s, r, c], profile[reach + s + 1, r, c]
                if a >= 0.5 > b:
                    outer[r, c] = s + (a - 0.5) / (a - b)
                    break
            for s in range(int(least), reach):
                a, b = profile[reach - s, r, c], profile[reach - s - 1, r, c]
                if a >= 0.5 > b:
                    inner[r, c] = -(s + (a - 0.5) / (a - b))
                    break
    return inner, outer
