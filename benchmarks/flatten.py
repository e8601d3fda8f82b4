"""How true a flattened sheet is, and how soon, beside SLIM.

Three surfaces: a spiral of 94,000 triangles, crushed and widened downwards, which a plane can hold
very nearly; the same with bumps, which none can; and the traced surface of a real scroll, 27,000
triangles, where DANSEO_DATA holds it. The peer is SLIM (Rabinovich and others, 2017) as libigl has
it, in the same run, on the same triangles, from the same start: lengths along columns and along
rows added up. Both end where a turn wins less than 1e-7 of energy, and SLIM at the latest after a
minute. Time is processor time: for SLIM the factorisations and turns,
for ours everything from the grid to the regular plane.

SLIM knows no way down, so ours is measured without it; what holding the rows straight adds, as
`flatten` does by itself, is given beside.

The energy is symmetric Dirichlet, a mean over the area: 4 is a map that keeps every length.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.harness import Figure
from danseo.scroll.flatten import Options, flatten, turned_round
from danseo.scroll.flattening.isometry import Energy
from danseo.scroll.flattening.mesh import triangulate
from danseo.scroll.flattening.place import index_plane
from danseo.scroll.surface import Surface, handedness, read_surface

ROUNDS: Final = 3
PATIENCE: Final = 60.0
ENOUGH: Final = 1e-7
_PEER: Final = "SLIM (libigl) on the same triangles"


@dataclass(frozen=True)
class Reached:
    """An energy and the processor seconds that it took."""

    energy: float
    seconds: float


def run() -> list[Figure]:
    """Measure and return the figures."""
    figures: list[Figure] = []
    for name, surface in _surfaces():
        figures += _figures(name, surface)
    return figures


def _figures(name: str, surface: Surface) -> list[Figure]:
    slim = _slim(surface)
    ours = []
    for _ in range(ROUNDS):
        began = time.process_time()
        _flat, distortion = flatten(surface, Options(upright=0))
        ours.append(time.process_time() - began)
    _flat, held = flatten(surface)
    best = min(ours)
    real = name.startswith("the real")
    below = distortion.energy <= slim.energy and (not real or distortion.energy <= 4.0010)
    return [
        Figure(
            f"energy beyond 4, {name}",
            distortion.energy - 4,
            "",
            f"{_PEER}: {slim.energy - 4:.3g}",
            (distortion.energy - 4) / (slim.energy - 4),
            "at most SLIM's, and .0010" if real else "at most SLIM's",
            bool(below),
        ),
        Figure(
            f"time to flatten, {name}",
            best,
            "s",
            f"{_PEER}: {slim.seconds:.3g} s",
            best / slim.seconds,
            "at most 0.1 of SLIM's",
            best <= 0.1 * slim.seconds,
        ),
        Figure(f"flips, {name}", distortion.flips, "", aim="none", holds=distortion.flips == 0),
        Figure(f"area gained or lost, {name}", 100 * distortion.area_mean, "%"),
        Figure(f"angles off, {name}", distortion.angle_mean, "degrees"),
        Figure(f"energy beyond 4 with rows held straight, {name}", held.energy - 4, ""),
    ]


def _slim(surface: Surface) -> Reached:
    """Run SLIM until it wins no more."""
    import igl

    if handedness(surface) < 0:
        surface = turned_round(surface)
    mesh = triangulate(surface)
    start, energy = index_plane(surface, mesh), Energy(mesh)
    columns: Any = np.asfortranarray
    began = time.process_time()
    data = igl.slim_precompute(
        columns(mesh.points),
        columns(mesh.faces.astype(np.int32)),
        columns(np.stack([start.real, start.imag], axis=1)),
        igl.SYMMETRIC_DIRICHLET,
        np.zeros(0, np.int32),
        columns(np.zeros((0, 2))),
        0.0,
    )
    spent, reached = time.process_time() - began, float("inf")
    while spent < PATIENCE:
        began = time.process_time()
        found = igl.slim_solve(data, 1)
        spent += time.process_time() - began
        before, reached = reached, energy.value(*energy.derivatives(found[:, 0] + 1j * found[:, 1]))
        if before - reached < ENOUGH:
            break
    return Reached(reached, spent)


def _surfaces() -> Iterator[tuple[str, Surface]]:
    yield "a spiral", roll(128, 372)
    yield "a spiral with bumps", roll(218, 218, bumps=10.0)
    real = Path(os.environ.get("DANSEO_DATA", "")) / "scroll" / "tifxyz"
    if (real / "x.tif").exists():
        yield "the real surface", read_surface(real)


def roll(rows: int, columns: int, bumps: float = 0.0, step: float = 4.0) -> Surface:
    """Return a roll of equal steps, a cone of .05 and crushed by a third, with bumps on it."""
    from scipy.ndimage import gaussian_filter

    tau = np.linspace(0, 24 * np.pi, 400_001)
    radius = 40 + 20 * tau / (2 * np.pi)
    length = np.concatenate(
        [[0], np.cumsum(np.hypot(np.diff(radius * np.cos(tau)), np.diff(radius * np.sin(tau))))]
    )
    at = np.interp(np.arange(columns) * step, length, tau)
    z = np.arange(rows)[:, None] * step
    r = (40 + 20 * at / (2 * np.pi)) * (1 + 0.05 * z / (rows * step))
    push = gaussian_filter(np.random.default_rng(0).normal(size=(rows, columns)), 25)
    r = r + bumps * push / push.std()
    xyz = np.stack([1.15 * r * np.cos(at), r * np.sin(at) / 1.15, z + 0 * r], axis=2) + 600
    winding = np.broadcast_to(at / (2 * np.pi), r.shape)
    return Surface(xyz.astype(np.float32), winding.astype(np.float32), step, 7.91)
