"""Trilinear and cubic sampling of a rolled surface, beside scipy's `map_coordinates`.

65 layers along the normals of 256 x 256 points on a cylinder, in 8-bit voxels that fit a tile's
box. scipy (order 1) runs on one thread and cannot use more; it is given its points as it wants
them (float64, one row a coordinate) outside of the clock. Ours computes the points itself, from
surface, normals and offsets. One thread against one thread is the row to compare; a second row
uses all cores, a third takes explicit points as scipy does. Best of five.

A last pair samples 2,000,000 points in random order anywhere in 384^3 voxels, where memory, not
arithmetic, is the limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from benchmarks.harness import Figure
from danseo.scroll.sampling import along, sample

SEED: Final = 20231012
LAYERS, SIDE = 65, 256
SCATTERED: Final = 2_000_000
ROUNDS: Final = 5
CLOSE: Final = 1e-4
AIM: Final = 15.0


def run() -> list[Figure]:
    """Return the figures."""
    rng = np.random.default_rng(SEED)
    array, points, normals, offsets = _surface(rng)
    full = points + offsets[:, None, None, None] * normals
    places = np.ascontiguousarray(np.moveaxis(full[..., ::-1], -1, 0), np.float64)
    count = LAYERS * SIDE * SIDE / 1e6
    slow, expected = _timed(lambda: map_coordinates(array, places, np.float32, order=1))
    beside = f"scipy, order 1, {count / slow:.1f} Msamples/s on its one thread"
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    fast, found = _timed(lambda: along(array, points, normals, offsets))
    given, again = _timed(lambda: sample(array, full))
    cubic, _ = _timed(lambda: along(array, points, normals, offsets, order=3))
    numba.set_num_threads(threads)
    wide, _ = _timed(lambda: along(array, points, normals, offsets))
    numba.set_num_threads(1)
    apart = float(max(np.abs(found - expected).max(), np.abs(again - expected).max()))
    rows = [
        Figure(
            "layers along normals, trilinear, one thread",
            count / fast,
            "Msamples/s",
            beside,
            slow / fast,
            "at least 15 times scipy, equal to 1e-4",
            slow / fast >= AIM and apart <= CLOSE,
        ),
        Figure(f"the same, {threads} threads", count / wide, "Msamples/s", beside, slow / wide),
        Figure("explicit points, one thread", count / given, "Msamples/s", beside, slow / given),
        Figure("layers, cubic, one thread", count / cubic, "Msamples/s"),
        Figure("largest difference to scipy, of 255", apart, "grey levels"),
        _scattered(rng),
    ]
    numba.set_num_threads(threads)
    return rows


def _surface(rng: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    """Return voxels, points on a cylinder, their normals, and offsets."""
    noise = gaussian_filter(rng.standard_normal((160, 300, 300), np.float32), 1.5)
    array = np.clip(120 + 35 * noise / noise.std(), 0, 255).astype(np.uint8)
    turn = np.linspace(0, 2, SIDE)
    normals = np.zeros((SIDE, SIDE, 3), np.float32)
    normals[..., 0], normals[..., 1] = np.cos(turn), np.sin(turn)
    points = 150 + 64 * normals
    points[..., 2] = (40 + 0.3 * np.arange(SIDE))[:, None]
    offsets = np.arange(LAYERS, dtype=np.float32) - (LAYERS - 1) // 2
    return array, points, normals, offsets


def _scattered(rng: np.random.Generator) -> Figure:
    array = rng.integers(0, 256, (384,) * 3, np.uint8)
    points = (rng.random((SCATTERED, 3)) * 383).astype(np.float32)
    places = np.ascontiguousarray(points[:, ::-1].T, np.float64)
    slow, _ = _timed(lambda: map_coordinates(array, places, np.float32, order=1), 2)
    fast, _ = _timed(lambda: sample(array, points), 2)
    rate = SCATTERED / 1e6 / fast
    beside = f"scipy, {SCATTERED / 1e6 / slow:.1f} Msamples/s"
    return Figure("points in random order, one thread", rate, "Msamples/s", beside, slow / fast)


def _timed(call: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, Any]:
    """Return the least seconds of some calls, after one that compiles, and the last result."""
    call()
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - start)
    return best, result
