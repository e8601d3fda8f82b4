"""Where there is sheet and where it is torn: the papyrus in the middle of the sheet, integrated.

The density at one depth is low wherever a hollow fibre or the gap between two layers of fibres
passes, and that is no tear. The mean over the middle of the thickness is not fooled. Small holes
are closed where the papyrus round about says that the sheet goes on. Specks in a tear are dropped.
Beyond the ends of the sheet the field is only a guess: there islands are dropped, and what runs
into the next winding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

if TYPE_CHECKING:
    from danseo.scroll.winding.tensor import Bytes, Floats

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

CORE: Final = 0.35
"""How far from the middle papyrus is counted, in thicknesses: short of the next sheet's face."""
NEAR: Final = 0.7
"""Gaussian over what was counted, in grid points."""
WIDE: Final = 3.0
"""The same, for what is said of a small hole; and for the radii that are put into it."""
SMALL: Final = 20
"""Grid points of a hole that may be closed, or of a speck that is dropped."""
ISLAND: Final = 0.03
"""An island beyond the ends of the sheet is dropped below this part of the largest piece ..."""
LEAP: Final = 25
"""... where it is farther than so many columns: nearer, a tear may have cut it off."""
APART: Final = 0.75
"""Thicknesses that two sheets are apart, at least; nearer, the one at the end is the other's."""
END: Final = 0.12
"""Turns from either end in which the sheet is looked at so."""
FADE: Final = 2
"""Grid points over which a mesh that runs into its neighbour leaves its own sheet."""
FULL: Final = 1.2
"""Density beyond which a grain counts no more: a bright speck is not two sheets."""


def present(
    radius: Doubles,
    fine: Bytes,
    cell: int,
    rows: Doubles,
    axis: tuple[Doubles, Doubles],
    angles: Doubles,
    thickness: float,
    least: float,
) -> Doubles:
    """Return `radius` (rows x columns, voxels) with NaN where there is no sheet.

    Some that are NaN are filled in, from their neighbours'. `least` is the share of papyrus,
    0..1, below which there is no sheet; `axis` is (x, y) for each row, `angles` are in turns.
    """
    from scipy.ndimage import gaussian_filter

    filled = _filled(radius)
    reach = max(1, round(CORE * thickness))
    mass = _mass(np.nan_to_num(filled), fine, cell, rows, *axis, angles, reach)
    mass[~np.isfinite(filled)] = 0
    there = gaussian_filter(mass, NEAR) > least
    wide = gaussian_filter(mass, WIDE) > least
    holes = _small(~there)
    there |= holes & wide & np.isfinite(filled)
    there = _within(there & ~_small(there))
    _cut_end(there, filled, angles, APART * thickness)
    _cut_end(there[:, ::-1], filled[:, ::-1], -angles[::-1], APART * thickness)
    return np.where(_within(there & ~_small(there)), filled, np.nan)


def _filled(radius: Doubles) -> Doubles:
    """Return the radii with the weighted mean of those near by where there is none."""
    from scipy.ndimage import gaussian_filter

    known = np.isfinite(radius)
    weight = gaussian_filter(known.astype(float), WIDE)
    mean = gaussian_filter(np.where(known, radius, 0), WIDE) / np.maximum(weight, 1e-9)
    return np.where(known, radius, np.where(weight > 1e-3, mean, np.nan))


def _small(there: Mask) -> Mask:
    """Return the pieces of a mask that have at most SMALL points."""
    from scipy.ndimage import label

    pieces, _ = label(there)
    small = np.bincount(pieces.ravel()) <= SMALL
    small[0] = False
    return np.asarray(small[pieces])


def _within(there: Mask) -> Mask:
    """Return the mask without small pieces far beyond the columns of the large ones."""
    from scipy.ndimage import find_objects, label

    pieces, count = label(there)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if not count:
        return there
    spans = [place[1] for place in find_objects(pieces)]
    large = [k for k in range(count) if sizes[k] >= ISLAND * sizes.max()]
    low = min(spans[k].start for k in large)
    high = max(spans[k].stop for k in large)
    outside = [
        k + 1 for k in range(count) if spans[k].stop <= low - LEAP or spans[k].start >= high + LEAP
    ]
    return np.asarray(there & ~np.isin(pieces, outside))


def _cut_end(there: Mask, radius: Doubles, angles: Doubles, apart: float) -> None:
    """Take from `there`, at its first columns, what is nearer than `apart` to the next winding."""
    held = np.flatnonzero(there.any(0))
    if not held.size:
        return
    first = int(held[0])
    last = int(np.searchsorted(angles, min(angles[first] + END, angles[-1] - 1)))
    beside = np.searchsorted(angles, angles[first:last] + 1)
    gap = np.abs(radius[:, first:last] - radius[:, beside])
    fallen = there[:, first:last] & there[:, beside] & (gap < apart)
    for row in np.flatnonzero(fallen.any(1)):
        there[row, : first + int(np.flatnonzero(fallen[row])[-1]) + 1 + FADE] = False


@njit(inline="always")
def trilinear(values: Any, z: float, y: float, x: float) -> Any:
    """Trilinear on the cells; beyond the outermost middles the value stays."""
    nz, ny, nx = values.shape
    z = min(max(z, 0.0), nz - 1.000001)
    y = min(max(y, 0.0), ny - 1.000001)
    x = min(max(x, 0.0), nx - 1.000001)
    k, j, i = int(z), int(y), int(x)
    kk, jj, ii = min(k + 1, nz - 1), min(j + 1, ny - 1), min(i + 1, nx - 1)
    c, b, a = z - k, y - j, x - i
    low = (values[k, j, i] * (1 - a) + values[k, j, ii] * a) * (1 - b)
    low += (values[k, jj, i] * (1 - a) + values[k, jj, ii] * a) * b
    high = (values[kk, j, i] * (1 - a) + values[kk, j, ii] * a) * (1 - b)
    high += (values[kk, jj, i] * (1 - a) + values[kk, jj, ii] * a) * b
    return low * (1 - c) + high * c


@njit(parallel=True, cache=True)
def _mass(
    radius: Doubles,
    fine: Bytes,
    cell: int,
    rows: Doubles,
    x0: Doubles,
    y0: Doubles,
    angles: Doubles,
    reach: int,
) -> Floats:
    """Mean share of papyrus from radius - reach to radius + reach along rays: (rows, columns)."""
    out = np.zeros(radius.shape, np.float32)
    half = cell * 0.5
    shift = (half - 1) / 2
    for r in prange(len(rows)):
        z = (rows[r] - shift) / half
        for j in range(len(angles)):
            dx, dy = np.cos(2 * np.pi * angles[j]), np.sin(2 * np.pi * angles[j])
            total = 0.0
            for s in range(-reach, reach + 1):
                x = x0[r] + (radius[r, j] + s) * dx
                y = y0[r] + (radius[r, j] + s) * dy
                d = trilinear(fine, z, (y - shift) / half, (x - shift) / half) / 127.5 - 0.5
                total += min(max(d, 0.0), FULL)
            out[r, j] = total / (2 * reach + 1)
    return out
