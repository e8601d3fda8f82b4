"""A long sheet is flattened in bands of columns that overlap, so that memory does not grow with it.

Each band is mapped to the plane alone. It is then turned and shifted, rigidly, onto what the bands
before it placed of the quads that both have, and over these columns the two maps are mixed, from
the old to the new along a smooth step. A vertex has one place, so there is no gap at a seam. What
hangs together only by way of a later band lies apart until that band joins it. In the end each
seam, with as many columns on either side, is made better with all around it held fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from danseo.scroll.flattening.isometry import isometry, relax
from danseo.scroll.flattening.mesh import Complexes, Integers, Mesh
from danseo.scroll.flattening.place import fit

Watch = Callable[[float, str], None]


def unroll(
    mesh: Mesh,
    start: Complexes,
    tolerance: float,
    turns: int,
    upright: float,
    band: int,
    overlap: int,
    watch: Watch,
) -> tuple[Complexes, int, int]:
    """Return the map of a mesh to the plane (n,), the turns of the slowest band, and the bands.

    `band` is the most vertices to solve for at once, `overlap` the columns that two bands share.
    `start` is a map without flips. Each island has a place and a direction of its own.
    """
    if len(mesh.points) <= band:
        plane, taken = isometry(
            mesh, start, tolerance, turns, upright, lambda p: watch(p, "Flattening")
        )
        return plane, taken, 1
    cuts = list(_cuts(mesh, band, overlap))
    seams = _Seams(mesh)
    column = mesh.column[mesh.faces[: len(mesh.faces) // 2]].min(axis=1)
    slowest = 0
    for number, (first, last) in enumerate(cuts):
        words = f"Flattening band {number + 1} of {len(cuts)}"
        quads = np.flatnonzero((column >= first) & (column < last))
        if not len(quads):
            continue

        def tell(part: float, done: float = number, words: str = words) -> None:
            watch(0.9 * (done + part) / len(cuts), words)

        piece, vertices = mesh.part(quads)
        plane, taken = isometry(piece, start[vertices], tolerance, turns, upright, tell)
        mixed = np.clip((piece.column - first) / overlap, 0, 1)
        seams.add(quads, piece, vertices, plane, mixed * mixed * (3 - 2 * mixed))
        slowest = max(slowest, taken)
    for number, (first, _last) in enumerate(cuts[1:]):
        watch(0.9 + 0.1 * number / len(cuts), "Smoothing the seams")
        quads = np.flatnonzero((column >= first - overlap) & (column < first + 2 * overlap))
        if len(quads):
            _smooth(mesh, seams.plane, quads, tolerance, turns, upright)
    return seams.plane, slowest, len(cuts)


def _smooth(
    mesh: Mesh, plane: Complexes, quads: Integers, tolerance: float, turns: int, upright: float
) -> None:
    """Better the map of some quads in place, with the vertices that others share held fast."""
    piece, vertices = mesh.part(quads)
    outside = np.ones(len(mesh.faces) // 2, bool)
    outside[quads] = False
    shared = np.zeros(len(mesh.points), bool)
    shared[mesh.faces[np.tile(outside, 2)]] = True
    # A vertex where two parts of the piece only touch is in both, and must not move in either.
    shared |= np.bincount(vertices, minlength=len(shared)) > 1
    held = shared[vertices]
    better = relax(piece, plane[vertices], held, tolerance, turns, upright)
    plane[vertices[~held]] = better[~held]


def _cuts(mesh: Mesh, band: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield the first column of quads of each band and the one after its last."""
    weight = np.cumsum(np.bincount(mesh.column))
    first, end = 0, int(mesh.column.max())
    while True:
        before = int(weight[first - 1]) if first else 0
        last = int(np.searchsorted(weight, before + band, side="right")) - 1
        last = min(end, max(last, first + 2 * overlap))
        yield first, last
        if last >= end:
            return
        first = last - overlap


class _Seams:
    """The plane as far as bands have placed it, in patches that are rigid against each other."""

    def __init__(self, mesh: Mesh) -> None:
        self.plane = np.full(len(mesh.points), np.nan, np.complex128)
        self._vertex_patch = np.full(len(mesh.points), -1, np.int64)
        self._quad_patch = np.full(len(mesh.faces) // 2, -1, np.int64)
        self._mesh = mesh
        self._patches = 0

    def add(
        self,
        quads: Integers,
        piece: Mesh,
        vertices: Integers,
        plane: Complexes,
        weight: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> None:
        """Lay each island of a band onto what it shares with the patches that are there."""
        half = len(quads)
        owner = piece.island[piece.faces[:half, 0]]
        order = np.argsort(owner, kind="stable")
        by_quad = np.split(order, np.flatnonzero(np.diff(owner[order])) + 1)
        ends = np.flatnonzero(np.diff(piece.island, append=-1)) + 1
        for mine, start, end in zip(by_quad, [0, *ends[:-1]], ends, strict=True):
            here = slice(int(start), int(end))
            shared = {
                int(p): self._vertices_of(piece, mine[self._quad_patch[quads[mine]] == p], half)
                for p in np.unique(self._quad_patch[quads[mine]])
                if p >= 0
            }
            patch = self._join(vertices, plane, here, shared)
            old = np.zeros(len(vertices), bool)
            for found in shared.values():
                old[found] = True
            self._mix(vertices, plane, here, old, weight, patch)
            self._quad_patch[quads[mine]] = patch

    def _join(
        self, vertices: Integers, plane: Complexes, here: slice, shared: dict[int, Integers]
    ) -> int:
        """Turn an island of the band onto the patch it shares most with, and others onto it."""
        if not shared:
            self._patches += 1
            return self._patches - 1
        first, *others = sorted(shared, key=lambda p: -len(shared[p]))
        at = shared[first]
        rotation, shift = fit(plane[at], self.plane[vertices[at]])
        plane[here] = plane[here] * rotation + shift
        for other in others:
            at = shared[other]
            rotation, shift = fit(self.plane[vertices[at]], plane[at])
            moved = self._vertex_patch == other
            self.plane[moved] = self.plane[moved] * rotation + shift
            self._vertex_patch[moved] = first
            self._quad_patch[self._quad_patch == other] = first
        return first

    def _mix(
        self,
        vertices: Integers,
        plane: Complexes,
        here: slice,
        old: np.ndarray[tuple[int], np.dtype[np.bool_]],
        weight: np.ndarray[tuple[int], np.dtype[np.float64]],
        patch: int,
    ) -> None:
        mine, new = vertices[here], plane[here]
        fresh = self._vertex_patch[mine] < 0
        both, w = old[here] & ~fresh, weight[here]
        self.plane[mine[both]] = (1 - w[both]) * self.plane[mine[both]] + w[both] * new[both]
        self.plane[mine[fresh]] = new[fresh]
        self._vertex_patch[mine[fresh]] = patch

    @staticmethod
    def _vertices_of(piece: Mesh, quads: Integers, half: int) -> Integers:
        return np.unique(np.concatenate([piece.faces[quads], piece.faces[quads + half]]))
