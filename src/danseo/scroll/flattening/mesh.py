"""Triangles of a quad mesh, each quad unfolded into a plane of its own.

A quad is cut along its shorter diagonal. Its two triangles are laid into one plane, turned so that
its columns run along the real axis; a point of a plane is a complex number, u + iv. Quads that
share an edge belong to one island; a grid point where two islands only touch is a vertex of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Usage
from danseo.scroll.surface import Mask, Surface

Complexes = NDArray[np.complex128]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

THINNEST: Final = 1e-3
"""Base and height of a triangle are at least this part of its quad's size."""


@dataclass(frozen=True)
class Mesh:
    """The triangles of a surface and their true shapes.

    `points` is (n, 3); `row` and `column` (n,) say where each vertex stands in the grid, `island`
    (n,) to which island it belongs, 0 being the largest. `faces` is (f, 3), counter-clockwise with
    columns along u and rows along v; faces k and k + f / 2 are the halves of quad k. `corners`
    (f, 3) are their places in the quad's plane. `pairs` (e, 2) are quads that share an edge, and
    `turns` (e,) how far the plane of the second is turned against that of the first, in radians.
    `thin` counts triangles that had to be widened to have a shape at all.
    """

    points: Doubles
    row: Integers
    column: Integers
    island: Integers
    faces: Integers
    corners: Complexes
    pairs: Integers
    turns: Doubles
    thin: int

    @cached_property
    def areas(self) -> Doubles:
        """The area of each triangle, in square voxels: (f,)."""
        a, b, c = self.corners.T
        return np.asarray(((b - a).conj() * (c - a)).imag / 2)

    def part(self, quads: Integers) -> tuple[Mesh, Integers]:
        """Return the mesh of some quads, with islands of its own, and the vertices it took."""
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import connected_components

        half = len(self.faces) // 2
        number = np.full(half, -1, np.int64)
        number[quads] = np.arange(len(quads))
        pairs = number[self.pairs]
        inside = (pairs >= 0).all(axis=1)
        pairs = pairs[inside]
        joined = coo_matrix((np.ones(len(pairs), bool), pairs.T), shape=(len(quads),) * 2)
        count, label = connected_components(joined, directed=False)
        rank = np.empty(count, np.int64)
        rank[np.argsort(-np.bincount(label, minlength=count), kind="stable")] = np.arange(count)
        both = np.concatenate([quads, quads + half])
        marked = np.tile(rank[label], 2)[:, None] * len(self.points) + self.faces[both]
        found, faces = np.unique(marked, return_inverse=True)
        island, vertices = np.divmod(found, len(self.points))
        piece = Mesh(
            self.points[vertices],
            self.row[vertices],
            self.column[vertices],
            island,
            faces.reshape(-1, 3),
            self.corners[both],
            pairs,
            self.turns[inside],
            self.thin,
        )
        return piece, vertices


def triangulate(surface: Surface) -> Mesh:
    """Return the mesh of all whole quads of a surface; raise `Usage` where there is none."""
    from scipy import ndimage

    quads = surface.quads
    label, count = ndimage.label(quads)
    if not count:
        raise Usage(
            "The surface has no whole quad, so there is nothing to flatten.",
            "Look at its points: all are missing, or they form a single row or column.",
        )
    sizes = np.bincount(label.ravel(), minlength=count + 1)[1:]
    rank = np.empty(count, np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    columns, area = surface.shape[1], surface.shape[0] * surface.shape[1]
    i, j = np.nonzero(quads)
    upper = rank[label[quads] - 1] * area + i * columns + j
    at = np.stack([upper, upper + 1, upper + columns, upper + columns + 1], axis=1)
    vertices, at = np.unique(at, return_inverse=True)
    island, where = np.divmod(vertices, area)
    row, column = np.divmod(where, columns)
    points = surface.xyz[row, column].astype(np.float64)
    at = at.reshape(-1, 4)
    order, places, thin = _unfold(points[at])
    faces, corners = (_halves(np.take_along_axis(q, order, axis=1)) for q in (at, places))
    pairs, turns = _across_edges(quads, places)
    return Mesh(points, row, column, island, faces, corners, pairs, turns, thin)


def _halves(quads: NDArray[Any]) -> NDArray[Any]:
    """Return both triangles (2q, 3) of quads given as from, to, left and right of a diagonal."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [1, 0, 3]]])


def _unfold(quads: Doubles) -> tuple[Integers, Complexes, int]:
    """Return each quad's order along its diagonal, its corners in a plane, and how many were thin.

    `quads` is (q, 4, 3): upper left, upper right, lower left, lower right, and so are the places
    (q, 4). The order (q, 4) names the corners from, to, left and right of the diagonal.
    """
    slash = _length(quads[:, 1] - quads[:, 2]) <= _length(quads[:, 0] - quads[:, 3])
    order = np.where(slash[:, None], [1, 2, 0, 3], [0, 3, 2, 1])
    start, end, left, right = np.moveaxis(np.take_along_axis(quads, order[..., None], 1), 1, 0)
    base = _length(end - start)
    size = np.maximum(base, _length(left - right))
    size[size == 0] = np.median(size) or 1.0
    length = np.maximum(base, THINNEST * size)
    along = (end - start) / length[:, None]
    ordered = np.zeros((len(quads), 4), np.complex128)
    ordered[:, 1] = length
    thin = int((base < length).sum())
    for corner, point, side in ((2, left, 1j), (3, right, -1j)):
        x = ((point - start) * along).sum(1)
        y = _length(np.cross(along, point - start))
        thin += int((y < THINNEST * size).sum())
        ordered[:, corner] = x + side * np.maximum(y, THINNEST * size)
    places = np.empty_like(ordered)
    np.put_along_axis(places, order, ordered, axis=1)
    across = places[:, 1] - places[:, 0] + places[:, 3] - places[:, 2]
    return order, places * np.exp(-1j * np.angle(across))[:, None], thin


def _across_edges(quads: Mask, places: Complexes) -> tuple[Integers, Doubles]:
    """Return pairs of quads that share an edge, and the turn of the second against the first."""
    number = np.full(quads.shape, -1, np.int64)
    number[quads] = np.arange(len(places))
    upper, lower = places[:, 1] - places[:, 0], places[:, 3] - places[:, 2]
    west, east = places[:, 2] - places[:, 0], places[:, 3] - places[:, 1]
    pairs, turns = [], []
    for one, two, leaving, entering in (
        (number[:, :-1], number[:, 1:], east, west),
        (number[:-1], number[1:], lower, upper),
    ):
        both = (one >= 0) & (two >= 0)
        pair = np.stack([one[both], two[both]], axis=1)
        pairs.append(pair)
        turns.append(np.angle(leaving[pair[:, 0]] * entering[pair[:, 1]].conj()))
    return np.concatenate(pairs), np.concatenate(turns)


def _length(vectors: Doubles) -> Doubles:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
