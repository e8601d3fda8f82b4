"""From a volume to its sheet: find axis, normals, pitch and winding field, then cut out the sheet.

    surface, report = segment(open_volume("scroll.zarr"), Options())

The surface is one quad mesh: rows along z, columns along the total angle, all windings in a row.
Its points are the roots, on rays from the umbilicus, of w = whole number (see `field`), where
there is papyrus; elsewhere there is a hole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from danseo.core.errors import Unfit, Usage
from danseo.scroll.surface import Surface
from danseo.scroll.winding.faces import centre
from danseo.scroll.winding.field import Field, find_field
from danseo.scroll.winding.pitch import Pitch, find_pitch
from danseo.scroll.winding.presence import present, trilinear
from danseo.scroll.winding.tensor import Cells, cell_size, find_window, reduce_volume
from danseo.scroll.winding.umbilicus import find_umbilicus, straight

if TYPE_CHECKING:
    from danseo.scroll.volume import Volume
    from danseo.scroll.winding.tensor import Floats

Progress = Callable[[float, str], None]

LEAST: Final = 1.5
"""Windings that a roll must have: with fewer, no sheet has a neighbour to be told from."""
ANGLES: Final = 512
"""Samples a turn of the outline that columns are spaced by."""


@dataclass(frozen=True)
class Options:
    """What `segment` may be told.

    `thickness_um` is about how thick a sheet is, within a factor of two. `step` is the distance
    between grid points in voxels. `torn_below` is the share of papyrus, 0..1, below which there is
    no sheet. `sense` and `umbilicus` (x, y in voxels, parallel to z) are found where not given.
    """

    thickness_um: float = 120.0
    step: float = 4.0
    torn_below: float = 0.35
    sense: int | None = None
    umbilicus: tuple[float, float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.thickness_um > 0 or not self.step > 0:
            raise Usage(
                f"A thickness of {self.thickness_um} um and a step of {self.step} make no sense.",
                "Give lengths above zero.",
            )
        if self.sense not in (None, 1, -1):
            raise Usage(f"The sense {self.sense} makes no sense.", "It is +1, -1, or not given.")
        if not 0 < self.torn_below < 1:
            raise Usage(f"torn_below is {self.torn_below}.", "Give a share between 0 and 1.")


@dataclass(frozen=True)
class Report:
    """What was found. Lengths in voxels; `umbilicus` is (x, y) at the first and at the last height.

    `turning` is the sense as measured, `locked` how clearly windings show in the solved field
    (0..1), `single` the share of sheets that touch no other along a normal, `gone` the share of
    the grid, from the first column to the last, where there is no sheet.
    """

    umbilicus: tuple[tuple[float, float], tuple[float, float]]
    agreement: float
    sense: int
    turning: float
    windings: float
    pitch: float
    thickness: float
    single: float
    locked: float
    gone: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return asdict(self)


def segment(
    volume: Volume,
    options: Options | None = None,
    progress: Progress | None = None,
    *,
    workers: int | str = 1,
    scratch: Path | None = None,
) -> tuple[Surface, Report]:
    """Return the sheet of a rolled volume, with total angles, and a report.

    `workers` share the tiles of the first part; in the folder `scratch` they are kept, so that an
    interrupted run goes on. Raises `Unfit` where the volume is constant, shows no sheets, no
    umbilicus inside it, no turning or too few windings; it says what was found.
    """
    options = options or Options()
    tell = progress or (lambda part, what: None)
    tell(0.0, "grey values")
    cells = reduce_volume(
        volume,
        cell_size(volume.voxel_um, options.thickness_um),
        find_window(volume, options.seed),
        _part(tell, 0.02, 0.4),
        workers=workers,
        scratch=scratch,
    )
    tell(0.4, "umbilicus")
    axis = (
        straight(*options.umbilicus, cells)
        if options.umbilicus
        else find_umbilicus(cells, options.seed)
    )
    pitch = find_pitch(cells, options.thickness_um / volume.voxel_um, options.seed)
    field = find_field(cells, axis, pitch, options.sense, _part(tell, 0.45, 0.9))
    tell(0.9, "cutting out the sheet")
    surface = cut(field, cells, pitch.thickness, options, volume)
    tell(1.0, "done")
    return surface, _report(field, pitch, surface)


def _part(tell: Progress, low: float, high: float) -> Progress:
    return lambda part, what: tell(low + (high - low) * part, what)


def _report(field: Field, pitch: Pitch, surface: Surface) -> Report:
    axis = field.umbilicus
    ends = [(float(axis.x[i]), float(axis.y[i])) for i in (0, -1)]
    winding = surface.winding
    spread = 0.0 if winding is None else float(np.nanmax(winding) - np.nanmin(winding))
    return Report(
        (ends[0], ends[1]),
        axis.agreement,
        field.sense,
        field.turning,
        spread,
        pitch.pitch,
        pitch.thickness,
        pitch.single,
        field.locked,
        float(1 - surface.valid.mean()),
    )


def cut(field: Field, cells: Cells, thickness: float, options: Options, volume: Volume) -> Surface:
    """Return the level sets of a field as one surface; `thickness` of a sheet is in voxels.

    Raises `Unfit` where there are fewer than LEAST windings.
    """
    rows = np.arange(0, volume.shape[0] - 0.5, options.step)
    x0, y0 = field.umbilicus.at(rows)
    base, angles = _columns(field, rows, x0, y0, options.step, volume.shape)
    radius = _roots(
        field.values,
        field.weight,
        field.cell,
        field.sense,
        base,
        rows,
        x0,
        y0,
        angles,
        float(np.hypot(volume.shape[1], volume.shape[2])),
    )
    radius = _steady(
        centre(_steady(radius), cells.fine, cells.cell, rows, (x0, y0), angles, thickness)
    )
    radius = present(
        radius, cells.fine, cells.cell, rows, (x0, y0), angles, thickness, options.torn_below
    )
    theta = 2 * np.pi * angles
    xyz = np.stack(
        [
            x0[:, None] + radius * np.cos(theta),
            y0[:, None] + radius * np.sin(theta),
            np.broadcast_to(rows[:, None], radius.shape),
        ],
        axis=-1,
    ).astype(np.float32)
    there = np.isfinite(radius)
    xyz[~there] = np.nan
    kept = np.flatnonzero(there.mean(0) > 0.05)
    if kept.size == 0 or angles[kept[-1]] - angles[kept[0]] < LEAST:
        turns = angles[kept[-1]] - angles[kept[0]] if kept.size else 0.0
        raise Unfit(
            f"The sheet goes round {turns:.1f} times; at least {LEAST} windings are needed.",
            "Give a volume that holds more of the roll.",
        )
    span = slice(int(kept[0]), int(kept[-1]) + 1)
    winding = np.broadcast_to(angles - np.floor(angles[span.start]), there.shape)
    winding = np.where(there, winding, np.nan).astype(np.float32)
    return Surface(xyz[:, span], winding[:, span], options.step, volume.voxel_um)


def _columns(
    field: Field,
    rows: NDArray[np.float64],
    x0: NDArray[np.float64],
    y0: NDArray[np.float64],
    step: float,
    shape: tuple[int, ...],
) -> tuple[int, NDArray[np.float64]]:
    """Return K and the total angles of the columns, so that f = K + sense * angle on the sheet.

    They are spaced by equal lengths of the outline, the median of some rows.
    """
    seen = field.weight > 0.3
    if not seen.any():
        raise Unfit("No cell of the volume looks like a sheet.", "Give a volume with papyrus.")
    low, high = (float(q) for q in np.quantile(field.values[seen], (0.0005, 0.9995)))
    base = 0 if field.sense > 0 else int(np.ceil(high)) + 1
    ends = sorted((field.sense * (low - 0.6 - base), field.sense * (high + 0.6 - base)))
    angles = np.arange(ends[0], ends[1], 1 / ANGLES)
    some = np.linspace(0, len(rows) - 1, min(9, len(rows))).astype(int)
    radius = _roots(
        field.values,
        field.weight,
        field.cell,
        field.sense,
        base,
        rows[some],
        x0[some],
        y0[some],
        angles,
        float(np.hypot(shape[1], shape[2])),
    )
    good = np.isfinite(radius).any(0)
    if good.sum() < ANGLES:
        raise Unfit(
            f"The sheet goes round {good.sum() / ANGLES:.1f} times; at least {LEAST} windings are "
            "needed.",
            "Give a volume that holds more of the roll.",
        )
    line = np.interp(angles, angles[good], np.nanmedian(radius[:, good], axis=0))
    line = np.convolve(np.pad(line, 8, mode="edge"), np.full(17, 1 / 17), mode="valid")
    across = 2 * np.pi * (line[1:] + line[:-1]) / 2 / ANGLES
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(line), across))])
    return base, np.interp(np.arange(0, length[-1], step), length, angles)


def _steady(radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the radii without those that stand off from the median of their neighbours."""
    from scipy.ndimage import median_filter

    filled = np.where(np.isfinite(radius), radius, -1e6)
    middle = median_filter(filled, 5, mode="nearest")
    return np.where(np.abs(radius - middle) < 4.0, radius, np.nan)


@njit(parallel=True, cache=True)
def _roots(
    f: Floats,
    weight: Floats,
    cell: int,
    sense: int,
    base: int,
    rows: NDArray[np.float64],
    x0: NDArray[np.float64],
    y0: NDArray[np.float64],
    angles: NDArray[np.float64],
    reach: float,
) -> NDArray[np.float64]:
    """Radius (voxels) where f = base + sense * angle along each ray, (rows, columns), or NaN.

    Of several roots the one with most weight at it is taken: f means little off the sheet.
    """
    ny, nx = f.shape[1], f.shape[2]
    half = (cell - 1) / 2
    out = np.full((len(rows), len(angles)), np.nan)
    for r in prange(len(rows)):
        z = (rows[r] - half) / cell
        for c in range(len(angles)):
            theta = 2 * np.pi * angles[c]
            dx, dy = np.cos(theta) / cell, np.sin(theta) / cell
            px, py = (x0[r] - half) / cell, (y0[r] - half) / cell
            level = base + sense * angles[c]
            before = trilinear(f, z, py + 2 * dy, px + 2 * dx) - level
            best = 0.02
            s = 4.0
            while s < reach:
                x, y = px + s * dx, py + s * dy
                if x < -0.5 or y < -0.5 or x > nx - 0.5 or y > ny - 0.5:
                    break
                here = trilinear(f, z, y, x) - level
                if before < 0.0 <= here:
                    root = s - 2.0 * here / (here - before)
                    w = trilinear(weight, z, py + root * dy, px + root * dx)
                    if w > best:
                        best = w
                        out[r, c] = root
                before = here
                s += 2.0
    return out
