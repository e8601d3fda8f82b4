"""Where islands lie in the plane, and which way is down.

Each island is flattened on its own and may then be moved and turned, never scaled. A guide says
about where every grid point belongs: lengths along columns and rows added up from the quads that
are there, over total angle where the winding is known and over the grid's index where it is not.
Gaps count as long as the sheet beside them. The largest island is laid on the guide, the others,
by size, where those that lie say the guide is off for their total angle.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from danseo.scroll.flattening.mesh import Complexes, Doubles, Integers, Mesh
from danseo.scroll.surface import Floats, Surface

_BINS: Final = 64
"""Bins of a turn, over which lengths are added up."""
_STEEP: Final = 0.5
"""Where z rises less than so much for a length on the sheet, it does not say what is down."""


def guide(surface: Surface, mesh: Mesh) -> tuple[Complexes, Integers]:
    """Return about where each vertex belongs, (n,), and its bin along the sheet, (n,).

    Bins are in order along columns. The guide is a product of one length along columns and one
    along rows, so on the grid's index it has no flip.
    """
    along, numbers = _along(surface, mesh)
    return along + 1j * _lengths(surface, 0)[mesh.row], numbers


def index_plane(surface: Surface, mesh: Mesh) -> Complexes:
    """Return a map without flips: each vertex at the usual length of its column and its row."""
    return np.asarray(
        _lengths(surface, 1)[mesh.column] + 1j * _lengths(surface, 0)[mesh.row], np.complex128
    )


def fit(plane: Complexes, onto: Complexes) -> tuple[complex, complex]:
    """Return the rotation and the shift, a rigid motion, that take points nearest to others.

    The points then lie at `plane * rotation + shift`.
    """
    here, there = plane.mean(), onto.mean()
    product = complex(np.vdot(plane - here, onto - there))
    rotation = product / abs(product) if product else 1.0 + 0.0j
    return rotation, complex(there - here * rotation)


def place(surface: Surface, mesh: Mesh, plane: Complexes) -> Complexes:
    """Return the plane with each island in its place and rows down along z: (n,)."""
    about, numbers = guide(surface, mesh)
    placed = np.empty_like(plane)
    bins = int(numbers.max()) + 1
    total, count = np.zeros(bins, np.complex128), np.zeros(bins)
    # Vertices stand in the order of their islands, so an island is a slice.
    ends = np.flatnonzero(np.diff(mesh.island, append=-1)) + 1
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        here = slice(int(start), int(end))
        known = np.flatnonzero(count)
        off = np.zeros(bins, np.complex128)
        if len(known):
            mean = total[known] / count[known]
            off = np.interp(np.arange(bins), known, mean.real).astype(np.complex128)
            off += 1j * np.interp(np.arange(bins), known, mean.imag)
        rotation, shift = fit(plane[here], about[here] + off[numbers[here]])
        placed[here] = plane[here] * rotation + shift
        miss = placed[here] - about[here]
        count += np.bincount(numbers[here], minlength=bins)
        total += np.bincount(numbers[here], miss.real, bins)
        total += 1j * np.bincount(numbers[here], miss.imag, bins)
    return placed * _upright(mesh, placed)


def _upright(mesh: Mesh, plane: Complexes) -> complex:
    """Return the rotation after which z rises along +v; 1 where the sheet hardly rises along z."""
    largest = mesh.island == 0
    at = plane[largest] - plane[largest].mean()
    z = mesh.points[largest, 2]
    slope, *_ = np.linalg.lstsq(np.stack([at.real, at.imag], axis=1), z - z.mean(), rcond=None)
    rise = complex(slope[0], slope[1])
    return 1j * rise.conjugate() / abs(rise) if abs(rise) >= _STEEP else 1.0 + 0.0j


def _along(surface: Surface, mesh: Mesh) -> tuple[Doubles, Integers]:
    """Return the length along the sheet of each vertex, and the number of its bin."""
    by_index = _lengths(surface, 1)
    winding = surface.winding
    if winding is None:
        return by_index[mesh.column], mesh.column
    turns = winding[mesh.row, mesh.column].astype(np.float64)
    if not np.isfinite(turns).all():
        return by_index[mesh.column], mesh.column
    low = float(turns.min())
    bins = int((float(turns.max()) - low) * _BINS) + 1
    rates = _rates(surface.xyz, winding, low, bins)
    knots = np.concatenate([[0.0], np.cumsum(rates / _BINS)])
    place = (turns - low) * _BINS
    along = np.interp(place, np.arange(bins + 1), knots)
    return along, np.minimum(place.astype(np.int64), bins - 1)


def _rates(xyz: Floats, winding: Floats, low: float, bins: int) -> Doubles:
    """Return the length of sheet for a turn in each bin of total angle, with gaps filled."""
    length = np.linalg.norm(np.diff(xyz, axis=1), axis=2)
    turned = np.diff(winding, axis=1).astype(np.float64)
    middle = (winding[:, 1:] + winding[:, :-1]) / 2
    good = np.isfinite(length) & (turned > 0)
    number = np.clip(((middle[good] - low) * _BINS).astype(np.int64), 0, bins - 1)
    lengths = np.bincount(number, length[good], bins)
    turns = np.bincount(number, turned[good], bins)
    known = np.flatnonzero(turns)
    if not len(known):
        return np.full(bins, float(np.nanmean(length)))
    return np.interp(np.arange(bins), known, lengths[known] / turns[known])


def _lengths(surface: Surface, axis: int) -> Doubles:
    """Return the usual length from the first row (axis 0) or column (axis 1) to each."""
    step = np.linalg.norm(np.diff(surface.xyz, axis=axis), axis=2)
    step = step if axis == 0 else step.T
    usual = np.full(len(step), np.nan)
    there = np.isfinite(step)
    some = there.any(axis=1)
    usual[some] = np.nanmedian(step[some], axis=1)
    known = np.flatnonzero(some & (usual > 0))
    filled = np.interp(np.arange(len(step)), known, usual[known])
    return np.concatenate([[0.0], np.cumsum(filled)])
