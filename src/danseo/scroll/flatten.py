"""Flatten a surface: from a quad mesh in the volume to one whose grid is regular on the sheet.

    surface ──triangulate──> mesh ──unroll──> plane ──place──> plane ──resample──> surface

What comes out is a surface again: its points are those of the sheet in the volume, and a step in
its grid is the same length on the sheet everywhere. Rows run down along z and columns with the
growing angle, as the reader of the inner face sees the page; a surface whose columns run against
the angle is turned round first, so that no writing comes out mirrored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from danseo.core.errors import Usage
from danseo.scroll.flattening.bands import unroll
from danseo.scroll.flattening.isometry import Energy
from danseo.scroll.flattening.mesh import Doubles, Mesh, triangulate
from danseo.scroll.flattening.place import index_plane, place
from danseo.scroll.flattening.resample import Grid, resample
from danseo.scroll.surface import Floats, Surface, handedness

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Options:
    """How to flatten.

    `step` is the distance between points of the plane in voxels, None for the surface's own.
    A turn that promises less than `tolerance` of energy ends the search, and so do `turns`.
    `upright` weighs how nearly z runs down the page against true lengths. A low strip bends to one
    side at next to no cost, by small errors in where the sheet was found; 0 lets it.
    `band` is the most points to solve for at once, 300,000 of them need about 0.7 GB; `overlap`
    is how many columns two bands share.
    """

    step: float | None = None
    tolerance: float = 1e-7
    turns: int = 100
    upright: float = 1.0
    band: int = 300_000
    overlap: int = 128

    def __post_init__(self) -> None:
        if self.step is not None and not (np.isfinite(self.step) and self.step > 0):
            raise Usage(f"The plane's step is {self.step} voxels.", "Give a length above zero.")
        if not self.tolerance > 0:
            raise Usage(f"The tolerance is {self.tolerance}.", "Give a number above zero.")
        if not (np.isfinite(self.upright) and self.upright >= 0):
            raise Usage(f"upright is {self.upright}.", "Give a weight of at least zero.")
        for name in ("turns", "band", "overlap"):
            if getattr(self, name) < 1:
                raise Usage(f"{name} is {getattr(self, name)}.", "Give a whole number from 1 up.")


@dataclass(frozen=True)
class Distortion:
    """How far the plane is from the sheet, and what there was to it.

    `energy` is the symmetric Dirichlet energy, a mean over the area; 4 where every length is kept.
    `area_mean` and `area_most` are how much of its area a triangle gains or loses, `angle_mean`
    and `angle_most` how far an angle in it can be off, in degrees; most means all but one in a
    thousand. `flips` counts triangles that lie face down in the plane, `thin` those that had no
    shape, `overlaps` points of the plane where two parts of the sheet lie on each other.
    `mirrored` tells that the surface had its columns against the angle and was turned round.
    `excess` (rows, columns of the plane) is the energy of each point beyond 4, NaN off the sheet.
    """

    energy: float
    area_mean: float
    area_most: float
    angle_mean: float
    angle_most: float
    flips: int
    thin: int
    overlaps: int
    islands: int
    faces: int
    turns: int
    bands: int
    mirrored: bool
    seconds: float
    excess: Floats

    def figures(self) -> dict[str, Any]:
        """Return all but the picture, for a report."""
        return {k: v for k, v in asdict(self).items() if k != "excess"}


def flatten(
    surface: Surface, options: Options | None = None, progress: Progress | None = None
) -> tuple[Surface, Distortion]:
    """Return the surface on a plane, with equal steps on the sheet, and how distorted it is.

    Parts that do not hang together are flattened each, and keep their place by total angle where
    the winding is known, by the grid where not. Holes stay holes. Raises `Usage` where there is no
    whole quad, `Unfit` where the plane would be absurdly large.
    """
    began = time.monotonic()
    options, tell = options or Options(), progress or (lambda _part, _words: None)
    tell(0.0, "Reading the mesh")
    mirrored = handedness(surface) < 0
    if mirrored:
        surface = turned_round(surface)
    mesh = triangulate(surface)
    plane, turns, bands = unroll(
        mesh,
        index_plane(surface, mesh),
        options.tolerance,
        options.turns,
        options.upright,
        options.band,
        options.overlap,
        lambda part, words: tell(0.05 + 0.8 * part, words),
    )
    tell(0.87, "Placing the parts")
    plane = place(surface, mesh, plane)
    large, small = Energy(mesh).stretches(plane)
    tell(0.92, "Laying a regular grid")
    step = options.step or surface.step
    grid = resample(mesh, plane, _held(surface, mesh), step)
    flat = Surface(
        grid.values[..., :3],
        grid.values[..., 3] if surface.winding is not None else None,
        step,
        surface.voxel_um,
    )
    measured = _measure(mesh, large, small, grid)
    tell(1.0, "Flattened")
    return flat, Distortion(
        **measured,
        turns=turns,
        bands=bands,
        mirrored=mirrored,
        seconds=time.monotonic() - began,
    )


def turned_round(surface: Surface) -> Surface:
    """Return a surface with its columns in the other order, and so its normals too."""
    winding = surface.winding
    return Surface(
        surface.xyz[:, ::-1],
        None if winding is None else winding[:, ::-1],
        surface.step,
        surface.voxel_um,
    )


def _held(surface: Surface, mesh: Mesh) -> Floats:
    """Return what the vertices carry to the plane: x, y, z and, where known, the winding."""
    if surface.winding is None:
        return mesh.points.astype(np.float32)
    turns = surface.winding[mesh.row, mesh.column]
    return np.concatenate([mesh.points, turns[:, None]], axis=1).astype(np.float32)


def _measure(mesh: Mesh, large: Doubles, small: Doubles, grid: Grid) -> dict[str, Any]:
    flat = small > 0
    kept = np.where(flat, small, 1.0)
    each = np.where(flat, large**2 + kept**2 + large**-2.0 + kept**-2.0, np.inf)
    area = np.abs(large * small - 1)
    angle = np.degrees(2 * np.arcsin(np.clip((large - small) / (large + small), 0, 1)))
    weight = mesh.areas / mesh.areas.sum()
    excess = np.where(grid.face >= 0, each[grid.face] - 4, np.nan)
    return {
        "energy": float(weight @ each) if flat.all() else float("inf"),
        "area_mean": float(weight @ area),
        "area_most": float(np.quantile(area, 0.999)),
        "angle_mean": float(weight @ angle),
        "angle_most": float(np.quantile(angle, 0.999)),
        "flips": int((~flat).sum()),
        "thin": mesh.thin,
        "overlaps": grid.overlaps,
        "islands": int(mesh.island[-1]) + 1,
        "faces": len(mesh.faces),
        "excess": excess.astype(np.float32),
    }
