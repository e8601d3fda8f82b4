"""Rolling the sheet up: the density of each voxel of a slab, free of stairs.

Each voxel is the mean of 2 x 2 x 2 samples, and each sample knows how much of it the sheet covers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from danseo.scroll.phantom.chance import compiled
from danseo.scroll.phantom.papyrus import SCALE, stuff
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.relief import FINE, Masks, faces, reach
from danseo.scroll.phantom.spiral import STEPS, Spiral

_QUARTER = 0.25


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
    full = 2.0 * np.pi
    last = length.size - 1
    for s in range(2 * slices):
        row = s // 2
        v = row + 1 - 0.25 + 0.5 * (s % 2)  # within `density`, which begins a row above the slab
        table = radius[s]
        cx, cy = axis[s, 0], axis[s, 1]
        p0, p1 = wobble[s, 0], wobble[s, 1]
        sin0, sin1 = np.sin(p0), np.sin(p1)
        for y in range(height):
            for x in range(width):
                # Undo the shears and the stretch, and keep the derivatives of that.
                px = x - cx
                arg = shears[1, 1] * px + p1
                py = y - cy - shears[1, 0] * (np.sin(arg) - sin1)
                yx = -shears[1, 0] * shears[1, 1] * np.cos(arg)
                arg = shears[0, 1] * py + p0
                px -= shears[0, 0] * (np.sin(arg) - sin0)
                slope = -shears[0, 0] * shears[0, 1] * np.cos(arg)
                xx, xy = 1.0 + slope * yx, slope
                qx = loosen[0, 0] * px + loosen[0, 1] * py
                qy = loosen[1, 0] * px + loosen[1, 1] * py
                r = np.sqrt(qx * qx + qy * qy)
                if r < 2.0:
                    continue
                turn = np.arctan2(qy, qx) / full
                frac = sense * (turn - start)
                frac -= np.floor(frac)
                # The innermost winding that lies beyond this radius, by halving.
                k = _beyond(table, frac, r, last)
                at = int((frac + k) * STEPS)
                if k == 0 and table[at] - r > reach + 1:
                    continue
                ax = loosen[0, 0] * xx + loosen[0, 1] * yx
                ay = loosen[0, 0] * xy + loosen[0, 1]
                bx = loosen[1, 0] * xx + loosen[1, 1] * yx
                by = loosen[1, 0] * xy + loosen[1, 1]
                rx, ry = (qx * ax + qy * bx) / r, (qx * ay + qy * by) / r
                tx = sense * (qx * bx - qy * ax) / (r * r * full)
                ty = sense * (qx * by - qy * ay) / (r * r * full)
                total = 0.0
                for j in range(2):
                    dy = -0.25 + 0.5 * j
                    for i in range(2):
                        dx = -0.25 + 0.5 * i
                        rr = r + rx * dx + ry * dy
                        tau = frac + k + tx * dx + ty * dy
                        # The sheet beyond may be met on its inner face, that before on its outer.
                        here = _sample(
                            table, length, tau, rr, turns, v, density, inner, outer, reach
                        )
                        before = _sample(
                            table, length, tau - 1.0, rr, turns, v, density, inner, outer, reach
                        )
                        total += max(here, before)
                out[row, y, x] += 0.125 * total


@compiled
def _beyond(table: Any, frac: float, r: float, last: int) -> int:
    low, high = 0, int(last / STEPS - frac) + 1
    while low < high:
        middle = (low + high) // 2
        at = min(int((frac + middle) * STEPS), last)
        if table[at] >= r:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _sample(
    table: Any,
    length: Any,
    tau: float,
    r: float,
    turns: float,
    v: float,
    density: Any,
    inner: Any,
    outer: Any,
    reach: int,
) -> float:
    """Return density times cover at one sample, by the winding at `tau`; 0 off the sheet."""
    if tau < 0.0 or tau >= turns:
        return 0.0
    at = tau * STEPS
    n = int(at)
    f = at - n
    w = r - (table[n] * (1 - f) + table[n + 1] * f)
    if w < -reach + 1 or w > reach - 1:
        return 0.0
    u = length[n] * (1 - f) + length[n + 1] * f
    iu = int(FINE * (u + 0.5))
    iv = int(FINE * (v + 0.5))
    iu = min(iu, inner.shape[1] - 1)
    near, far = inner[iv, iu], outer[iv, iu]
    cover = min(max((w - near) * 2.0 + 0.5, 0.0), 1.0)
    cover *= min(max((far - w) * 2.0 + 0.5, 0.0), 1.0)
    if cover == 0.0:
        return 0.0
    i, j, k = int(v), min(int(u), density.shape[1] - 2), int(w + reach)
    a, b, c = v - i, u - j, w + reach - k
    total = 0.0
    for di in range(2):
        wi = a if di else 1.0 - a
        for dj in range(2):
            wj = wi * (b if dj else 1.0 - b)
            total += wj * (
                density[i + di, j + dj, k] * (1.0 - c) + density[i + di, j + dj, k + 1] * c
            )
    return float(cover * total / SCALE)
