"""Chance that depends on the place alone: the same there, whichever slab asks.

Compiled functions for kernels. A whole number of a lattice cell and a salt give a number in
[0, 1); smooth noise is interpolated between such numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """Compile a kernel, once for all runs; without fast mathematics, which would not be exact."""
    return cast("Kernel", njit(cache=True, nogil=True)(function))


@compiled
def mixed(a: int, b: int, c: int, salt: int) -> Any:
    """Return 64 well mixed bits of three whole numbers and a salt (splitmix64's finisher)."""
    h = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15)
    h ^= np.uint64(b) * np.uint64(0xC2B2AE3D27D4EB4F)
    h += np.uint64(c) * np.uint64(0x165667B19E3779F9) + np.uint64(salt)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@compiled
def part(bits: Any, which: int) -> float:
    """Return one of four independent numbers in [0, 1) from 64 bits."""
    return float((bits >> np.uint64(16 * which)) & np.uint64(0xFFFF)) / 65536.0


@compiled
def smooth1(x: float, row: int, salt: int) -> float:
    """Return smooth noise in [-1, 1] along a line, one line for each `row`; period 1."""
    i = int(np.floor(x))
    f = x - i
    f = f * f * (3.0 - 2.0 * f)
    a = part(mixed(i, row, 0, salt), 0)
    b = part(mixed(i + 1, row, 0, salt), 0)
    return 2.0 * (a + (b - a) * f) - 1.0


@compiled
def smooth2(x: float, y: float, salt: int) -> float:
    """Return smooth noise in [-1, 1] in a plane, lattice of side 1."""
    i, j = int(np.floor(x)), int(np.floor(y))
    f, g = x - i, y - j
    f, g = f * f * (3.0 - 2.0 * f), g * g * (3.0 - 2.0 * g)
    a = part(mixed(i, j, 0, salt), 0)
    b = part(mixed(i + 1, j, 0, salt), 0)
    c = part(mixed(i, j + 1, 0, salt), 0)
    d = part(mixed(i + 1, j + 1, 0, salt), 0)
    top, low = a + (b - a) * f, c + (d - c) * f
    return 2.0 * (top + (low - top) * g) - 1.0


@compiled
def smooth3(x: float, y: float, z: float, salt: int) -> float:
    """Return smooth noise in [-1, 1] in space, linear between lattice points of side 1."""
    i, j, k = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    f, g, h = x - i, y - j, z - k
    total = 0.0
    for c in range(2):
        for b in range(2):
            weight = (h if c else 1.0 - h) * (g if b else 1.0 - g)
            p = part(mixed(i, j + b, k + c, salt), 0)
            q = part(mixed(i + 1, j + b, k + c, salt), 0)
            total += weight * (p + (q - p) * f)
    return 2.0 * total - 1.0
