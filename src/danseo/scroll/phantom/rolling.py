"""Rolling the sheet up: the density of each voxel of a slab, free of stairs.

Each voxel is the mean of 2 x 2 x 2 samples, and each sample knows how much of it the sheet covers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.scroll.phantom.chance import compiled
from danseo.scroll.phantom.papyrus import SCALE, stuff
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.relief import FINE, Masks, faces, reach
from danseo.scroll.phantom.spiral import STEPS, Spiral

_QUARTER: Final = 0.25
_DEEP: Final = 3.0
"""So many voxels below a face no crack and no tilt of it is felt."""


def roll(recipe: Recipe, spiral: Spiral, masks: Masks, z0: int, z1: int) -> npt.NDArray[np.float32]:
    """Return the density of slices z0..z1 of the volume (z, y, x): air is 0, papyrus about 1."""
    rows = z1 - z0 + 2
    columns = masks.ink.shape[1]
    deep = reach(recipe)
    density = stuff(recipe, z0 - 1, rows, columns, deep)
    inner, outer = faces(recipe, masks, z0 - 1, rows)
    z = np.repeat(np.arange(z0, z1, dtype=np.float64), 2)
    z += np.tile([-_QUARTER, _QUARTER], z1 - z0)
    out = np.zeros((z1 - z0, *recipe.shape[1:]), dtype=np.float32)
    _fill(
        out,
        spiral.rows(z, spiral.radius),
        spiral.length,
        spiral.axis(z),
        spiral.rows(z, spiral.wobble),
        spiral.shears,
        np.linalg.inv(spiral.stretch),
        spiral.start,
        spiral.sense,
        spiral.turns,
        density,
        inner,
        outer,
        deep,
    )
    return out


@compiled
def _fill(
    out: Any,
    radius: Any,
    length: Any,
    axis: Any,
    wobble: Any,
    shears: Any,
    loosen: Any,
    start: float,
    sense: int,
    turns: float,
    density: Any,
    inner: Any,
    outer: Any,
    reach: int,
) -> None:
    slices, height, width = out.shape
    last = length.size - 1
    near = np.empty(5)
    for s in range(2 * slices):
        row = s // 2
        v = row + 1 - 0.25 + 0.5 * (s % 2)  # within `density`, which begins a row above the slab
        table = radius[s]
        for y in range(height):
            for x in range(width):
                r = _uncrush(x - axis[s, 0], y - axis[s, 1], wobble[s], shears, loosen, near)
                if r < 2.0:
                    continue
                first = sense * (near[0] - start)
                first -= np.floor(first)
                k = _beyond(table, first, r, last)
                # The sheet beyond may be met on its inner face, that before it on its outer.
                tau = first + k
                total, covered = 0.0, 0.0
                for back in range(2):
                    if tau >= back and tau - back < turns:
                        w, u = _depth(table, length, tau - back, r)
                        if abs(w) < reach - 1:
                            cover = _cover(
                                table, length, tau - back, r, near, sense, v, w, u, inner, outer
                            )
                            if cover > 0.0:
                                total += cover * _density(density, v, u, w + reach)
                                covered += cover
                if covered > 0.0:
                    out[row, y, x] += 0.5 * total / max(covered, 1.0)


@compiled
def _uncrush(x: float, y: float, wobble: Any, shears: Any, loosen: Any, near: Any) -> float:
    """Undo the crush at one point; return the radius before it.

    `near` receives the angle in turns, and the derivatives along x and y of the radius and of the
    angle.
    """
    arg = shears[1, 1] * x + wobble[1]
    y -= shears[1, 0] * (np.sin(arg) - np.sin(wobble[1]))
    yx = -shears[1, 0] * shears[1, 1] * np.cos(arg)
    arg = shears[0, 1] * y + wobble[0]
    x -= shears[0, 0] * (np.sin(arg) - np.sin(wobble[0]))
    xy = -shears[0, 0] * shears[0, 1] * np.cos(arg)
    xx = 1.0 + xy * yx
    qx, qy = loosen[0, 0] * x + loosen[0, 1] * y, loosen[1, 0] * x + loosen[1, 1] * y
    ax, ay = loosen[0, 0] * xx + loosen[0, 1] * yx, loosen[0, 0] * xy + loosen[0, 1]
    bx, by = loosen[1, 0] * xx + loosen[1, 1] * yx, loosen[1, 0] * xy + loosen[1, 1]
    r = np.sqrt(qx * qx + qy * qy) + 1e-9
    full = 2.0 * np.pi
    near[0] = np.arctan2(qy, qx) / full
    near[1], near[2] = (qx * ax + qy * bx) / r, (qx * ay + qy * by) / r
    near[3], near[4] = (qx * bx - qy * ax) / (r * r * full), (qx * by - qy * ay) / (r * r * full)
    return float(r)


@compiled
def _beyond(table: Any, first: float, r: float, last: int) -> int:
    """Return the number of windings, of those at `first` + k turns, that lie within radius r."""
    low, high = 0, int(last / STEPS - first) + 1
    while low < high:
        middle = (low + high) // 2
        if table[min(int((first + middle) * STEPS), last)] >= r:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _depth(table: Any, length: Any, tau: float, r: float) -> tuple[float, float]:
    """Return depth w below the winding at `tau`, and u there."""
    at = tau * STEPS
    n = int(at)
    f = at - n
    return r - (table[n] * (1 - f) + table[n + 1] * f), length[n] * (1 - f) + length[n + 1] * f


@compiled
def _cover(
    table: Any,
    length: Any,
    tau: float,
    r: float,
    near: Any,
    sense: int,
    v: float,
    w: float,
    u: float,
    inner: Any,
    outer: Any,
) -> float:
    """Return how much of a voxel's half slice the winding at `tau` fills: the mean of 2 x 2."""
    n = int(tau * STEPS)
    rise = (table[n + 1] - table[n]) * STEPS * sense
    run = (length[n + 1] - length[n]) * STEPS * sense
    iv = int(FINE * (v + 0.5))
    iu = min(int(FINE * (u + 0.5)), inner.shape[1] - 1)
    if w > inner[iv, iu] + _DEEP and w < outer[iv, iu] - _DEEP:
        return 1.0
    wx, wy = near[1] - rise * near[3], near[2] - rise * near[4]
    total = 0.0
    for j in range(2):
        for i in range(2):
            dx, dy = -0.25 + 0.5 * i, -0.25 + 0.5 * j
            ws = w + wx * dx + wy * dy
            us = u + run * (near[3] * dx + near[4] * dy)
            iu = min(max(int(FINE * (us + 0.5)), 0), inner.shape[1] - 1)
            front = min(max((ws - inner[iv, iu]) * 2.0 + 0.5, 0.0), 1.0)
            total += front * min(max((outer[iv, iu] - ws) * 2.0 + 0.5, 0.0), 1.0)
    return 0.25 * total


@compiled
def _density(density: Any, v: float, u: float, w: float) -> float:
    """Return the density at row v, column u and depth index w, between its samples linearly."""
    i, j, k = int(v), min(int(u), density.shape[1] - 2), int(w)
    a, b, c = v - i, u - j, w - k
    total = 0.0
    for di in range(2):
        for dj in range(2):
            weight = (a if di else 1.0 - a) * (b if dj else 1.0 - b)
            low, high = float(density[i + di, j + dj, k]), float(density[i + di, j + dj, k + 1])
            total += weight * (low * (1.0 - c) + high * c)
    return float(total / SCALE)
