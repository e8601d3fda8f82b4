"""The map of a mesh to the plane that keeps lengths as well as it can, without a flip.

The map is a complex function on each triangle: |f_z| + |f_zbar| and |f_z| - |f_zbar| are its
singular values, and the second is negative where the triangle is flipped. What is made small is
the symmetric Dirichlet energy (Smith and Schaefer, "Bijective parameterization with free
boundaries", 2015): the mean over the area of s1^2 + s2^2 + 1 / s1^2 + 1 / s2^2, at least 4.

1. The start is linear. The angle of each quad's plane is sought that fits best what shared edges
   say of two neighbours; then the vertices that fit these rotations best. For a sheet that can be
   unrolled this is the answer already, however far it bends to one side.
2. A few turns of as-rigid-as-possible (Liu, Zhang, Xu, Gotsman and Gortler, "A local/global
   approach to mesh parameterization", 2008): the nearest rotation of each triangle, then a solve.
3. L-BFGS on the energy itself, whose first guess of the inverse Hessian is the same solve (Liu,
   Bouaziz and Kavan, "Quasi-Newton methods for real-time simulation", 2017).

One factorisation of the cotangent matrix, for all islands together, serves every step. Flips in the
start are undone first, under an energy that goes on as a parabola below a small singular value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from danseo.scroll.flattening.mesh import Complexes, Doubles, Integers, Mesh
from danseo.scroll.surface import Mask

Solve = Callable[[Any], Any]
Watch = Callable[[float], None]

FLOOR: Final = 4.0
"""The symmetric Dirichlet energy of a map that keeps every length."""
_BLOCK: Final = 4
"""The angles of quads are bilinear over blocks of so many rows and columns."""
_RIGID_TURNS: Final = 3
_MEMORY: Final = 8
"""How many steps L-BFGS looks back."""
_BENDS: Final = (0.5, 0.25, 0.1)
"""Singular values below which the energy is a parabola, one after the other, to undo flips."""
_UNBENDING_TURNS: Final = 40
_HALVINGS: Final = 40
_HOLD: Final = 1e8
"""The weight of a vertex that is to stay, in usual weights of the matrix."""


class Energy:
    """The symmetric Dirichlet energy of maps of one mesh, and its derivative.

    A map is a complex array (n,). `upright` is the weight of |f_z - d|^2, where d is the rotation
    that lays the way down the sheet along +v. With `bend` above 0 the energy of a singular value
    below it is the parabola that touches it there: finite, and steep, where a triangle is flipped.
    """

    def __init__(self, mesh: Mesh, upright: float = 0.0) -> None:
        from scipy import sparse

        faces, corners = mesh.faces, mesh.corners
        self.areas = mesh.areas
        self.down, self.slant = downward(mesh)
        self._upright = upright * self.slant
        self.whole = float(self.areas.sum())
        opposite = np.roll(corners, -2, axis=1) - np.roll(corners, -1, axis=1)
        hats = 1j * opposite / (4 * self.areas[:, None])
        starts = np.arange(0, faces.size + 1, 3)
        shape = (len(faces), len(mesh.points))
        self._bar = sparse.csr_matrix((hats.ravel(), faces.ravel(), starts), shape=shape)
        self._z = self._bar.conj()
        self._z_back, self._bar_back = self._bar.T.tocsr(), self._z.T.tocsr()

    def derivatives(self, plane: Complexes) -> tuple[Complexes, Complexes]:
        """Return f_z and f_zbar of each triangle."""
        return self._z @ plane, self._bar @ plane

    def stretches(self, plane: Complexes) -> tuple[Doubles, Doubles]:
        """Return the larger and the smaller singular value of each triangle."""
        z, bar = (np.abs(d) for d in self.derivatives(plane))
        return z + bar, z - bar

    def value(self, z: Complexes, bar: Complexes, bend: float = 0.0) -> float:
        """Return the energy for derivatives of a map; infinite where a triangle is flipped."""
        a, b = np.abs(z), np.abs(bar)
        large, small = a + b, a - b
        if bend == 0 and small.min() <= 0:
            return float("inf")
        each = large**2 + small**2 + _inverse_square(large, 0.0) + _inverse_square(small, bend)
        each += self._upright * np.abs(z - self.down) ** 2
        return float(self.areas @ each) / self.whole

    def gradient(self, z: Complexes, bar: Complexes, bend: float = 0.0) -> Complexes:
        """Return the derivative of `value` by each vertex, as du + i dv."""
        a, b = np.abs(z), np.abs(bar)
        large, small = a + b, a - b
        by_large = 2 * large + _inverse_square_slope(large, 0.0)
        by_small = 2 * small + _inverse_square_slope(small, bend)
        weight = self.areas / self.whole
        on_z = weight * (by_large + by_small) * _direction(z, a)
        on_z += weight * 2 * self._upright * (z - self.down)
        on_bar = weight * (by_large - by_small) * _direction(bar, b)
        return np.asarray(self._z_back @ on_z + self._bar_back @ on_bar)

    def pull(self, rotations: Complexes) -> Complexes:
        """Return the right side of the solve that fits a map to a rotation for each triangle."""
        return np.asarray(self._z_back @ (2 * self.areas * rotations))

    def matrix(self) -> Any:
        """Return the cotangent matrix, (n, n) sparse: what `pull` of a map's f_z is linear in."""
        from scipy import sparse

        return 2 * (self._z_back @ sparse.diags(2 * self.areas) @ self._z).real


def downward(mesh: Mesh) -> tuple[Complexes, Doubles]:
    """Return the rotation of each triangle that lays its way down along +v, and its weight.

    The way down is the derivative of z on the triangle; the weight is its square, 1 where the
    sheet stands along z and 0 where it lies across.
    """
    a, b, c = mesh.corners.T
    za, zb, zc = mesh.points[mesh.faces, 2].T
    slope = ((zb - za) * (c - a) - (zc - za) * (b - a)) * -1j / (2 * mesh.areas)
    steep = np.minimum(np.abs(slope), 1.0)
    return 1j * _direction(slope, np.abs(slope)).conj(), steep**2


def isometry(
    mesh: Mesh,
    start: Complexes,
    tolerance: float,
    turns: int,
    upright: float = 0.0,
    watch: Watch | None = None,
) -> tuple[Complexes, int]:
    """Return the map of a mesh to the plane, complex (n,), and how many turns it took.

    `start` is a map without flips, used where the linear start cannot be freed of them. It ends
    when a turn promises less than `tolerance` of energy, or after so many `turns`. Each island
    has a place and a direction of its own. `watch` is told the turns, as a part of all.
    """
    energy = Energy(mesh, upright)
    solve = _factorise(energy.matrix(), _firsts(mesh.island))
    plane = _solve(solve, energy.pull(np.exp(1j * np.tile(_angles(mesh, upright), 2))))
    for _ in range(_RIGID_TURNS):
        z, _bar = energy.derivatives(plane)
        plane = _solve(solve, energy.pull(_direction(z, np.abs(z))))
    plane, start = (_stand(mesh, energy, p) for p in (plane, start))
    descent = _Descent(energy, solve, watch or (lambda _: None), turns)
    plane = descent.unflip(plane, tolerance)
    if energy.stretches(plane)[1].min() <= 0:
        plane = start
    plane = descent.run(plane, tolerance, turns, 0.0)
    return plane, descent.taken


def relax(
    mesh: Mesh,
    plane: Complexes,
    held: Mask,
    tolerance: float,
    turns: int,
    upright: float = 0.0,
) -> Complexes:
    """Return a better map (n,) with the vertices `held` (n,) where they are.

    It may come back with a flip only where the map given has one.
    """
    energy = Energy(mesh, upright)
    inner = _factorise(energy.matrix(), np.flatnonzero(held), _HOLD)
    free = ~held[:, None]
    descent = _Descent(energy, lambda right: free * inner(free * right), lambda _: None, turns)
    plane = descent.unflip(plane, tolerance)
    if energy.stretches(plane)[1].min() <= 0:
        return plane
    return descent.run(plane, tolerance, turns, 0.0)


def _stand(mesh: Mesh, energy: Energy, plane: Complexes) -> Complexes:
    """Turn each island so that its way down runs along +v on the whole."""
    z, _bar = energy.derivatives(plane)
    pulls = energy.areas * energy.slant * energy.down * _direction(z, np.abs(z)).conj()
    island = mesh.island[mesh.faces[:, 0]]
    turns = np.bincount(island, pulls.real) + 1j * np.bincount(island, pulls.imag)
    return np.asarray(plane * _direction(turns, np.abs(turns))[mesh.island])


class _Descent:
    """L-BFGS with backtracking, begun from the inverse of the cotangent matrix."""

    def __init__(self, energy: Energy, solve: Solve, watch: Watch, turns: int) -> None:
        self.energy, self.solve, self.watch, self.turns = energy, solve, watch, turns
        self.taken = 0

    def unflip(self, plane: Complexes, tolerance: float) -> Complexes:
        """Undo flips, as far as that can be done."""
        for bend in _BENDS:
            if self.energy.stretches(plane)[1].min() > 0:
                break
            plane = self.run(plane, tolerance, _UNBENDING_TURNS, bend)
        return plane

    def run(self, plane: Complexes, tolerance: float, turns: int, bend: float) -> Complexes:
        """Descend; with `bend`, only until no triangle is flipped."""
        energy = self.energy
        z, bar = energy.derivatives(plane)
        value, slope = energy.value(z, bar, bend), energy.gradient(z, bar, bend)
        past: deque[tuple[Complexes, Complexes, float]] = deque(maxlen=_MEMORY)
        for turn in range(turns):
            if bend and (np.abs(z) > np.abs(bar)).all():
                break
            step = self._direction(slope, past)
            promised = _dot(slope, step)
            if promised <= tolerance:
                break
            by_z, by_bar = energy.derivatives(step)
            size, reached = 1.0, float("inf")
            for _ in range(_HALVINGS):
                reached = energy.value(z - size * by_z, bar - size * by_bar, bend)
                if reached <= value - 1e-4 * size * promised:
                    break
                size /= 2
            else:
                break
            z, bar, value = z - size * by_z, bar - size * by_bar, reached
            plane = plane - size * step
            before, slope = slope, energy.gradient(z, bar, bend)
            change = slope - before
            curvature = -size * _dot(step, change)
            if curvature > 0:
                past.append((-size * step, change, curvature))
            self.taken += 1
            self.watch(min(1.0, turn / self.turns))
        return plane

    def _direction(
        self, slope: Complexes, past: deque[tuple[Complexes, Complexes, float]]
    ) -> Complexes:
        """Return the two-loop product of the inverse Hessian, as it is known, with a gradient."""
        q = slope.copy()
        parts = []
        for step, change, curvature in reversed(past):
            part = _dot(step, q) / curvature
            parts.append(part)
            q -= part * change
        # Near a map that keeps lengths the energy is 4 |f|^2 across rotations and flat along them,
        # so its Hessian is at most 8 times the matrix, and a half of that is the better guess.
        q = _solve(self.solve, q) * (self.energy.whole / 4)
        for (step, change, curvature), part in zip(past, reversed(parts), strict=True):
            q += step * (part - _dot(change, q) / curvature)
        return q


def _angles(mesh: Mesh, upright: float) -> Doubles:
    """Return how far the plane of each quad is to be turned, (q,) in radians.

    Least squares over shared edges, and over what says which way is down: in a strip of h rows
    a turn between neighbours costs h^2 / 3 of stretch, against which `upright` weighs. The angles
    are bilinear over blocks of quads: what is finer is soon found by the turns that follow, and
    the system stays small.
    """
    from scipy import sparse

    count, pairs = len(mesh.faces) // 2, mesh.pairs
    row, column = _place_of_quads(mesh)
    blocks, spread = _bilinear(mesh.island[mesh.faces[:count, 0]], row, column)
    ends = np.arange(0, pairs.size + 1, 2)
    difference = sparse.csr_matrix(
        (np.tile([-1.0, 1.0], len(pairs)), pairs.ravel(), ends), shape=(len(pairs), count)
    )
    weight = sparse.diags(_dual_weights(mesh, row))
    across = (difference @ spread).tocsr()
    normal = across.T @ weight @ across
    small = 1e-9 * max(float(normal.diagonal().mean()), 1e-30)
    right = across.T @ (weight @ mesh.turns)
    down, slant = downward(mesh)
    # Rows may run up; angles are then about the half turn.
    sense = 1.0 if float((slant * down.real).sum()) >= 0 else -1.0
    high = count / (np.ptp(column) + 1)
    hold = spread.T @ sparse.diags(3 * upright * slant[:count] / high**2)
    solve = _factorise(normal + hold @ spread + small * sparse.eye(blocks), np.zeros(0, np.int64))
    return np.asarray(spread @ solve(right + hold @ np.angle(sense * down[:count])))


def _place_of_quads(mesh: Mesh) -> tuple[Integers, Integers]:
    """Return row and column of the upper left corner of each quad."""
    half = len(mesh.faces) // 2
    corners = np.concatenate([mesh.faces[:half], mesh.faces[half:]], axis=1)
    return mesh.row[corners].min(1), mesh.column[corners].min(1)


def _bilinear(island: Integers, row: Integers, column: Integers) -> tuple[int, Any]:
    """Return how many knots there are, and the matrix that spreads their values over quads."""
    from scipy import sparse

    i, y = np.divmod((row + 0.5) / _BLOCK, 1)
    j, x = np.divmod((column + 0.5) / _BLOCK, 1)
    wide, high = int(j.max()) + 2, int(i.max()) + 2
    upper = (island * high + i.astype(np.int64)) * wide + j.astype(np.int64)
    knots = np.stack([upper, upper + 1, upper + wide, upper + wide + 1], axis=1)
    weights = np.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x], axis=1)
    found, number = np.unique(knots, return_inverse=True)
    starts = np.arange(0, weights.size + 1, 4)
    shape = (len(row), len(found))
    return len(found), sparse.csr_matrix((weights.ravel(), number.ravel(), starts), shape=shape)


def _dual_weights(mesh: Mesh, row: Integers) -> Doubles:
    """Return the weight of each pair of quads: length of the edge over the distance across it."""
    a, b, c = mesh.corners.T
    half = len(a) // 2
    box = np.stack([a, b, c])
    wide = (np.ptp(box.real, axis=0)[:half] + np.ptp(box.real, axis=0)[half:]) / 2
    high = (np.ptp(box.imag, axis=0)[:half] + np.ptp(box.imag, axis=0)[half:]) / 2
    shape = float(np.median(wide / high))
    below = row[mesh.pairs[:, 0]] != row[mesh.pairs[:, 1]]
    return np.where(below, shape, 1 / shape)


def _factorise(matrix: Any, pinned: Integers, weight: float = 1.0) -> Solve:
    """Return the solve of a symmetric positive matrix whose null vectors the pins take away.

    A pin adds weight to a vertex. Where it is the only one of an island, moving that costs
    nothing, so the solution puts the vertex at 0 and is otherwise the same.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    extra = np.zeros(matrix.shape[0])
    extra[pinned] = weight * matrix.diagonal().mean()
    # Minimum degree on the symmetric pattern: three fifths of the fill of the default order.
    factors = splu(
        (matrix + sparse.diags(extra)).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return factors.solve  # type: ignore[no-any-return]


def _firsts(island: Integers) -> Integers:
    return np.unique(island, return_index=True)[1]


def _solve(solve: Solve, right: Complexes) -> Complexes:
    found = solve(np.stack([right.real, right.imag], axis=1))
    return np.asarray(found[:, 0] + 1j * found[:, 1])


def _inverse_square(s: Doubles, bend: float) -> Doubles:
    """Return s^-2, and below `bend` the parabola that has its value and two derivatives there."""
    if bend == 0:
        return np.asarray(s**-2.0)
    past = s - bend
    low = bend**-2 - 2 * bend**-3 * past + 3 * bend**-4 * past**2
    return np.where(past > 0, np.maximum(s, bend) ** -2.0, low)


def _inverse_square_slope(s: Doubles, bend: float) -> Doubles:
    if bend == 0:
        return np.asarray(-2 * s**-3.0)
    past = s - bend
    return np.where(past > 0, -2 * np.maximum(s, bend) ** -3.0, -2 * bend**-3 + 6 * bend**-4 * past)


def _direction(z: Complexes, size: Doubles) -> Complexes:
    """Return z / |z|, and 1 where z is 0."""
    return np.where(size > 0, z / np.where(size > 0, size, 1), 1)


def _dot(a: Complexes, b: Complexes) -> float:
    return float(a.real @ b.real + a.imag @ b.imag)
