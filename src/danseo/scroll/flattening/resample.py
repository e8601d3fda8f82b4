"""A regular grid over a flattened mesh: what the triangles hold at its points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from danseo.core.errors import Unfit
from danseo.scroll.flattening.mesh import Complexes, Doubles, Integers, Mesh
from danseo.scroll.surface import Floats

_PAIRS: Final = 1_000_000
"""Pairs of a triangle and a grid point that are looked at together."""
_SLACK: Final = 1e-4
"""A grid point so far outside a triangle, in parts of its size, still lies in it."""
_LARGEST: Final = 400_000_000
"""A grid of more points is refused: the islands would lie absurdly far apart."""


@dataclass(frozen=True)
class Grid:
    """What lies at the points of a regular grid.

    `values` is (rows, columns, k), NaN outside the mesh. `face` (rows, columns) is the triangle
    that a point lies in, -1 where none. `overlaps` counts points that lie in two.
    """

    values: Floats
    face: Integers
    overlaps: int


def resample(mesh: Mesh, plane: Complexes, values: Floats, step: float) -> Grid:
    """Interpolate values (n, k) of the vertices at points `step` apart; smaller islands give way.

    The first row and the first column lie at the least v and u of the mesh.
    Raises `Unfit` where the grid would be absurdly large.
    """
    low = complex(plane.real.min(), plane.imag.min())
    at = (plane - low) / step
    columns, rows = (int(np.floor(x.max() + _SLACK)) + 1 for x in (at.real, at.imag))
    if columns * rows > _LARGEST:
        raise Unfit(
            f"The flattened surface would need a grid of {rows} x {columns} points.",
            "Give a larger step, or remove points that lie far from all others.",
        )
    face = np.full(rows * columns, -1, np.int64)
    weights = np.zeros((rows * columns, 3))
    covered = np.zeros(rows * columns, np.int32)
    order = np.argsort(-mesh.island[mesh.faces[:, 0]], kind="stable")
    corners = at[mesh.faces]
    for part in _parts(corners, order):
        which, node, weight = _inside(corners, part, rows, columns)
        face[node], weights[node] = which, weight
        covered += np.bincount(node[weight.min(1) > _SLACK], minlength=len(face)).astype(np.int32)
    hit = face >= 0
    held = np.full((len(face), values.shape[1]), np.nan, np.float32)
    held[hit] = np.einsum("pk,pkc->pc", weights[hit], values[mesh.faces[face[hit]]])
    return Grid(
        held.reshape(rows, columns, -1), face.reshape(rows, columns), int((covered > 1).sum())
    )


def _parts(corners: Complexes, order: Integers) -> list[Integers]:
    """Return the triangles in order, in parts that do not meet too many grid points at once."""
    boxes = _boxes(corners[order])
    pairs = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    cuts = np.flatnonzero(np.diff(np.cumsum(pairs) // _PAIRS)) + 1
    return np.split(order, cuts)


def _boxes(corners: Complexes) -> Integers:
    """Return the grid points about each triangle: first column, first row, last column, last."""
    x, y = corners.real, corners.imag
    low = [np.ceil(c.min(1) - _SLACK) for c in (x, y)]
    high = [np.floor(c.max(1) + _SLACK) for c in (x, y)]
    return np.stack([*low, *high], axis=1).astype(np.int64)


def _inside(
    corners: Complexes, part: Integers, rows: int, columns: int
) -> tuple[Integers, Integers, Doubles]:
    """Return triangle, grid point and weights (p, 3) of the corners for each point inside one."""
    box = np.clip(_boxes(corners[part]), 0, [columns - 1, rows - 1, columns - 1, rows - 1])
    wide = np.maximum(box[:, 2] - box[:, 0] + 1, 0)
    count = wide * np.maximum(box[:, 3] - box[:, 1] + 1, 0)
    owner = np.repeat(np.arange(len(part)), count)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    down, right = np.divmod(rank, wide[owner])
    column, row = box[owner, 0] + right, box[owner, 1] + down
    a, b, c = corners[part[owner]].T
    point = column + 1j * row
    whole = _cross(b - a, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        second, third = _cross(point - a, c - a) / whole, _cross(b - a, point - a) / whole
    weight = np.stack([1 - second - third, second, third], axis=1)
    inside = (weight >= -_SLACK).all(axis=1)
    return part[owner[inside]], (row * columns + column)[inside], weight[inside]


def _cross(a: Complexes, b: Complexes) -> Doubles:
    return np.asarray((a.conj() * b).imag)
