"""Weighted least squares on a grid of cells: the f whose differences come nearest to given ones.

Minimises, over cells a and faces (a, b),

    sum of c_ab (f_b - f_a - d_ab)^2 + sum of l_a (f_a - t_a)^2

with conductance c_ab the harmonic mean of the two cells' weights and no flow through the outer
faces. Conjugate gradients, preconditioned by one multigrid V-cycle (coarse cells are averages of
2 x 2 x 2, prolongation is constant, coarse conductances are halved, as for a Laplacian
discretised anew; Briggs, Henson & McCormick, *A Multigrid Tutorial*, ch. 7). All arrays are
float32 [z, y, x].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

if TYPE_CHECKING:
    from danseo.scroll.winding.tensor import Floats

COARSEST: Final = 4
"""No level has fewer cells along its longest side, halved, than this."""


def solve(
    weight: Floats, data: Floats, right: Floats, start: Floats, tolerance: float, most: int = 60
) -> Floats:
    """Return f with A f = right, where A is the normal matrix of the sum above.

    `weight` is positive in each cell, `data` (l above) is at least zero and somewhere positive.
    Stops when the residual, in the preconditioner's norm, has fallen to `tolerance` of `right`'s.
    """
    levels = _levels(weight, data)
    f = start.copy()
    r = _residual(weight, data, f, right)
    z = _cycle(levels, 0, r)
    p = z.copy()
    rz = _dot(r, z)
    goal = tolerance**2 * _dot(right, _cycle(levels, 0, right))
    for _ in range(most):
        if rz <= goal:
            break
        ap = _apply(weight, data, p, 1.0)
        step = rz / _dot(p, ap)
        _add(f, p, step)
        _add(r, ap, -step)
        z = _cycle(levels, 0, r)
        before, rz = rz, _dot(r, z)
        _scale_add(p, z, rz / before)
    return f


def _residual(weight: Floats, data: Floats, f: Floats, right: Floats) -> Floats:
    r = _apply(weight, data, f, 1.0)
    np.subtract(right, r, out=r)
    return r


def _levels(weight: Floats, data: Floats) -> list[tuple[Floats, Floats, float]]:
    levels = [(weight, data, 1.0)]
    while max(levels[-1][0].shape) > COARSEST:
        w, d, scale = levels[-1]
        levels.append((_restrict(w) * np.float32(0.125), _restrict(d), scale * 2))
    return levels


def _cycle(levels: list[tuple[Floats, Floats, float]], level: int, right: Floats) -> Floats:
    weight, data, scale = levels[level]
    f = np.zeros_like(right)
    sweeps = 1 if level + 1 < len(levels) else 8
    for _ in range(sweeps):
        _sweep(weight, data, f, right, scale, 0)
        _sweep(weight, data, f, right, scale, 1)
    if level + 1 < len(levels):
        r = _apply(weight, data, f, scale)
        np.subtract(right, r, out=r)
        _prolong(_cycle(levels, level + 1, _restrict(r)), f)
    for _ in range(sweeps):
        _sweep(weight, data, f, right, scale, 1)
        _sweep(weight, data, f, right, scale, 0)
    return f


def _dot(a: Floats, b: Floats) -> float:
    return float(_inner(a.ravel(), b.ravel()).sum())


@njit(parallel=True, cache=True, fastmath=True)
def _inner(a: Floats, b: Floats) -> NDArray[np.float64]:
    # Sums of fixed blocks in a fixed order: the result does not depend on the number of threads.
    size = 1 << 16
    blocks = (a.size + size - 1) // size
    part = np.zeros(blocks)
    for k in prange(blocks):
        total = 0.0
        for i in range(k * size, min(a.size, (k + 1) * size)):
            total += float(a[i]) * float(b[i])
        part[k] = total
    return part


@njit(parallel=True, cache=True, fastmath=True)
def _add(f: Floats, p: Floats, step: float) -> None:
    for z in prange(f.shape[0]):
        f[z] += np.float32(step) * p[z]


@njit(parallel=True, cache=True, fastmath=True)
def _scale_add(p: Floats, z_: Floats, factor: float) -> None:
    for z in prange(p.shape[0]):
        p[z] = z_[z] + np.float32(factor) * p[z]


@njit(parallel=True, cache=True, fastmath=True)
def _apply(w: Floats, d: Floats, f: Floats, scale: float) -> Floats:
    nz, ny, nx = f.shape
    out = np.empty_like(f)
    s = np.float32(2 * scale)
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                a, v = w[z, y, x], f[z, y, x]
                total = np.float32(0)
                if x > 0:
                    b = w[z, y, x - 1]
                    total += a * b / (a + b) * (v - f[z, y, x - 1])
                if x < nx - 1:
                    b = w[z, y, x + 1]
                    total += a * b / (a + b) * (v - f[z, y, x + 1])
                if y > 0:
                    b = w[z, y - 1, x]
                    total += a * b / (a + b) * (v - f[z, y - 1, x])
                if y < ny - 1:
                    b = w[z, y + 1, x]
                    total += a * b / (a + b) * (v - f[z, y + 1, x])
                if z > 0:
                    b = w[z - 1, y, x]
                    total += a * b / (a + b) * (v - f[z - 1, y, x])
                if z < nz - 1:
                    b = w[z + 1, y, x]
                    total += a * b / (a + b) * (v - f[z + 1, y, x])
                out[z, y, x] = s * total + d[z, y, x] * v
    return out


@njit(parallel=True, cache=True, fastmath=True)
def _sweep(w: Floats, d: Floats, f: Floats, right: Floats, scale: float, colour: int) -> None:
    """One half of a red-black Gauss-Seidel sweep, in place."""
    nz, ny, nx = f.shape
    s = np.float32(2 * scale)
    for z in prange(nz):
        for y in range(ny):
            for x in range((z + y + colour) & 1, nx, 2):
                a = w[z, y, x]
                diagonal, total = np.float32(0), np.float32(0)
                if x > 0:
                    b = w[z, y, x - 1]
                    c = a * b / (a + b)
                    diagonal += c
                    total += c * f[z, y, x - 1]
                if x < nx - 1:
                    b = w[z, y, x + 1]
                    c = a * b / (a + b)
                    diagonal += c
                    total += c * f[z, y, x + 1]
                if y > 0:
                    b = w[z, y - 1, x]
                    c = a * b / (a + b)
                    diagonal += c
                    total += c * f[z, y - 1, x]
                if y < ny - 1:
                    b = w[z, y + 1, x]
                    c = a * b / (a + b)
                    diagonal += c
                    total += c * f[z, y + 1, x]
                if z > 0:
                    b = w[z - 1, y, x]
                    c = a * b / (a + b)
                    diagonal += c
                    total += c * f[z - 1, y, x]
                if z < nz - 1:
                    b = w[z + 1, y, x]
                    c = a * b / (a + b)
                    diagonal += c
                    total += c * f[z + 1, y, x]
                full = s * diagonal + d[z, y, x]
                if full > 0:
                    f[z, y, x] = (right[z, y, x] + s * total) / full


@njit(parallel=True, cache=True, fastmath=True)
def _restrict(fine: Floats) -> Floats:
    """Sums of 2 x 2 x 2; an odd last cell stands alone."""
    nz, ny, nx = fine.shape
    out = np.zeros(((nz + 1) // 2, (ny + 1) // 2, (nx + 1) // 2), np.float32)
    for z in prange(out.shape[0]):
        for k in range(2 * z, min(nz, 2 * z + 2)):
            for j in range(ny):
                for i in range(nx):
                    out[z, j // 2, i // 2] += fine[k, j, i]
    return out


@njit(parallel=True, cache=True, fastmath=True)
def _prolong(coarse: Floats, f: Floats) -> None:
    for z in prange(f.shape[0]):
        for y in range(f.shape[1]):
            for x in range(f.shape[2]):
                f[z, y, x] += coarse[z // 2, y // 2, x // 2]
