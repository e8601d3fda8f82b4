"""A coarse grid of points, made as fine as one pixel a voxel, by Catmull-Rom splines.

The curve passes through the grid's points. Where a neighbour is missing (a hole, the edge) the
line through the two next points stands for it, so that a hole stays as large as it was: a pixel
is there when all corners of its quad are. Formula: R. Keys 1981, with a = -1/2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Doubles = npt.NDArray[np.float64]


def upsample(grid: npt.NDArray[Any], rows: Doubles, columns: Doubles) -> Doubles:
    """Return the grid's values between its points: len(rows) x len(columns) x channels.

    `grid` is (rows, columns, channels), NaN in all channels where there is nothing; `rows` and
    `columns` are places on it, from 0 to its last row or column.
    """
    values = np.ascontiguousarray(grid, np.float64)
    out = np.empty((len(rows), len(columns), values.shape[2]))
    _upsample(values, np.asarray(rows, np.float64), np.asarray(columns, np.float64), out)
    return out


@njit(cache=True, nogil=True)
def _upsample(grid, rows, columns, out):  # type: ignore[no-untyped-def]
    down, across, channels = grid.shape
    line = np.empty(4)
    for i in range(len(rows)):
        row = min(int(np.floor(rows[i])), max(down - 2, 0))
        for j in range(len(columns)):
            column = min(int(np.floor(columns[j])), max(across - 2, 0))
            for channel in range(channels):
                for k in range(4):
                    r = row - 1 + k
                    line[k] = np.nan
                    if 0 <= r < down:
                        line[k] = _between(
                            _at(grid, r, column - 1, channel),
                            _at(grid, r, column, channel),
                            _at(grid, r, column + 1, channel),
                            _at(grid, r, column + 2, channel),
                            columns[j] - column,
                        )
                out[i, j, channel] = _between(line[0], line[1], line[2], line[3], rows[i] - row)


@njit(cache=True, nogil=True)
def _at(grid, row, column, channel):  # type: ignore[no-untyped-def]
    if 0 <= column < grid.shape[1]:
        return grid[row, column, channel]
    return np.nan


@njit(cache=True, nogil=True)
def _between(before, a, b, after, t):  # type: ignore[no-untyped-def]
    """Return the value at t between a (0) and b (1)."""
    if t == 0:
        return a
    if t == 1:
        return b
    if np.isnan(before):
        before = 2 * a - b
    if np.isnan(after):
        after = 2 * b - a
    slope = b - before
    bend = 2 * before - 5 * a + 4 * b - after
    twist = 3 * (a - b) + after - before
    return a + 0.5 * t * (slope + t * (bend + t * twist))
