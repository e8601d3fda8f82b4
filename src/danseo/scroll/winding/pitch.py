"""How thick a sheet is and how far it is to the next, measured along normals.

Lines are drawn along the normals through sampled cells. Where density along a line exceeds the
middle between air and papyrus there is a run of papyrus. Most runs are one sheet; touching sheets
make a run of twice the length. So the mode of the runs' lengths is the thickness, the mode of
their masses is the mass of one sheet, and neighbouring runs of one sheet tell the pitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from danseo.core.errors import Unfit

if TYPE_CHECKING:
    from danseo.scroll.winding.tensor import Bytes, Cells

REACH: Final = 64
"""Samples to either side of a cell, half a cell apart."""
LINES: Final = 20_000
SINGLE: Final = 1.4
"""A run longer than this many sheets is more than one."""


@dataclass(frozen=True)
class Pitch:
    """Lengths in voxels. `mass` is thickness times density (share of papyrus) of one sheet.

    `thickness` is the mode of runs, `pitch` the median distance between neighbours of one sheet
    each, `single` the share of runs that are one sheet.
    """

    thickness: float
    pitch: float
    mass: float
    single: float


def find_pitch(cells: Cells, thickness: float, seed: int = 0) -> Pitch:
    """Return the lengths of a volume's sheets; `thickness` (voxels) is what is expected.

    Runs from a third to three times of it are believed. Raises `Unfit` where there are too few.
    """
    weight = cells.coherence * np.clip(cells.material(), 0, 1)
    good = np.flatnonzero(weight > 0.3)
    if good.size > LINES:
        good = np.random.default_rng(seed).choice(good, LINES, replace=False)
    where = np.stack(np.unravel_index(good, cells.shape), axis=1)
    flat = np.ascontiguousarray(cells.normal.reshape(3, -1)[:, good].T / np.float32(32767))
    runs = _runs(cells.fine, where, flat) if good.size else np.zeros((0, 4))
    runs[:, :3] *= cells.cell / 2
    runs = runs[(runs[:, 0] > thickness / 3) & (runs[:, 0] < thickness * 3)]
    if len(runs) < 200:
        raise Unfit(
            f"Only {len(runs)} sheets were crossed by {good.size} lines along the normals.",
            "Give a volume with papyrus in it, and its true voxel size.",
        )
    thick = _mode(runs[:, 0])
    alone = runs[:, 0] < SINGLE * thick
    spaced = alone & np.isfinite(runs[:, 2]) & (runs[:, 2] < 4 * thick)
    pitch = float(np.median(runs[spaced, 2])) if spaced.sum() > 50 else 1.3 * thick
    return Pitch(thick, pitch, _mode(runs[alone, 1]), float(alone.mean()))


def _mode(values: NDArray[Any]) -> float:
    """Half-sample mode (Robertson & Cryer 1974), down to a twentieth of the sample."""
    x = np.sort(values)
    least = max(20, len(x) // 20)
    while len(x) > least:
        half = (len(x) + 1) // 2
        width = x[half - 1 :] - x[: len(x) - half + 1]
        at = int(np.argmin(width))
        x = x[at : at + half]
    return float(x[len(x) // 2])


@njit(cache=True)
def _sample(fine: Bytes, z: float, y: float, x: float) -> Any:
    """Trilinear; -1 outside."""
    nz, ny, nx = fine.shape
    if not (0 <= z < nz - 1 and 0 <= y < ny - 1 and 0 <= x < nx - 1):
        return -1.0
    k, j, i = int(z), int(y), int(x)
    c, b, a = z - k, y - j, x - i
    low = (fine[k, j, i] * (1 - a) + fine[k, j, i + 1] * a) * (1 - b)
    low += (fine[k, j + 1, i] * (1 - a) + fine[k, j + 1, i + 1] * a) * b
    high = (fine[k + 1, j, i] * (1 - a) + fine[k + 1, j, i + 1] * a) * (1 - b)
    high += (fine[k + 1, j + 1, i] * (1 - a) + fine[k + 1, j + 1, i + 1] * a) * b
    return (low * (1 - c) + high * c) / 127.5 - 0.5


@njit(cache=True)
def _runs(fine: Bytes, where: NDArray[np.int64], normals: NDArray[Any]) -> NDArray[np.float64]:
    """Return (runs, 4): length, mass, distance to the next run's middle (or NaN), line number."""
    out = np.empty((len(where) * 8, 4))
    count = 0
    line = np.empty(2 * REACH + 1)
    smooth = np.empty(2 * REACH + 1)
    for n in range(len(where)):
        z, y, x = where[n, 0] * 2 + 0.5, where[n, 1] * 2 + 0.5, where[n, 2] * 2 + 0.5
        for s in range(-REACH, REACH + 1):
            line[s + REACH] = _sample(
                fine, z + s * normals[n, 2], y + s * normals[n, 1], x + s * normals[n, 0]
            )
        for s in range(1, 2 * REACH):
            smooth[s] = 0.25 * line[s - 1] + 0.5 * line[s] + 0.25 * line[s + 1]
        smooth[0], smooth[2 * REACH] = line[0], line[2 * REACH]
        begin, last, previous = -1.0, -1.0, -1
        mass = 0.0
        for s in range(1, 2 * REACH + 1):
            if line[s] < -0.9:
                begin, last, previous = -1.0, -1.0, -1
                continue
            a, b = smooth[s - 1], smooth[s]
            if a < 0.5 <= b:
                begin = s - 1 + (0.5 - a) / (b - a)
                mass = 0.0
            mass += max(0.0, line[s])
            if b < 0.5 <= a and begin >= 0:
                end = s - 1 + (a - 0.5) / (a - b)
                middle = (begin + end) / 2
                if previous >= 0:
                    out[previous, 2] = middle - last
                if count < len(out):
                    out[count, 0], out[count, 1] = end - begin, mass
                    out[count, 2], out[count, 3] = np.nan, n
                    last, previous = middle, count
                    count += 1
                begin = -1.0
    return out[:count]
