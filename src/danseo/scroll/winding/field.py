"""The winding field: a single-valued f whose level sets, with the angle, are the sheets.

Sign convention, stated here once. theta is the angle about the umbilicus, counter-clockwise from x
to y. With the roll's *sense* s (+1: the sheet goes outward as theta grows; -1: inward),

    w = f - s theta / 2 pi          grows outward by one from each winding to the next,
    grad w = n / pitch              with n the outward normal,
    grad f = n / pitch + s grad theta / 2 pi,
    sheets are where w is whole.

f is single-valued in space; w falls by s when one goes round once. Along the sheet w is a
constant whole number k while theta runs on, so f = k + s t for the total angle t = theta / 2 pi +
whole turns. Hence t = s f, but for a constant whole number.

How often w grows by one is not read off the distance between ridges, which touching sheets
double: it is the mass of papyrus that is passed, in masses of one sheet. Where sheets touch no mass
is lost. After a robust least-squares solve the phase of the density in w (its first Fourier
coefficient, smoothed over ever smaller regions) pulls f until sheets lie at whole w.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from danseo.core.errors import Unfit
from danseo.scroll.winding.solve import solve

if TYPE_CHECKING:
    from danseo.scroll.winding.pitch import Pitch
    from danseo.scroll.winding.tensor import Bytes, Cells, Floats
    from danseo.scroll.winding.umbilicus import Umbilicus

Shorts = NDArray[np.int16]
Tell = Callable[[float, str], None]

REACH: Final = 0.8
"""Gaussian over which mass is averaged, in pitches: it must not see single sheets."""
REWEIGHTINGS: Final = 4
LOCKS: Final = (10.0, 7.0, 5.0, 2.5, 1.5)
"""Gaussians over which the phase is averaged, in cells, coarse to fine."""
FLOOR: Final = 1e-3
"""Weight of a cell that says nothing: f runs on smoothly there."""
PULL: Final = 4.0
"""Weight of a phase, times sigma^2, against that of the gradient."""
COARSE: Final = 5.0
"""Phases averaged over so many cells or more are locked at half the resolution."""
SURE: Final = 0.3
"""Amplitude of the first coefficient, over mean density, at which a phase is believed in full."""
SCALE: Final = 32000.0
"""Turns a cell are kept as 16-bit numbers; one turn a cell would be a pitch of a quarter sheet."""
TURN: Final = 65536.0
"""theta / 2 pi is kept as 16-bit numbers, whose differences wrap as angles do."""


@dataclass(frozen=True)
class Field:
    """f (turns, single-valued) on the cells, and what it was found with.

    `weight` (0..1) says where there was sheet to see. `turning` is the sense before it was
    rounded: about +1 or -1 for a roll, 0 for rings. `locked` is the mean amplitude of the phase.
    """

    values: Floats
    weight: Floats
    umbilicus: Umbilicus
    sense: int
    turning: float
    locked: float
    cell: int


@dataclass
class _Problem:
    """What the solves share: weights, outward normals over pitch (turns a cell), angles."""

    weight: Floats
    slope: Shorts
    turn: Shorts


def find_field(
    cells: Cells,
    umbilicus: Umbilicus,
    pitch: Pitch,
    sense: int | None = None,
    tell: Tell = lambda part, what: None,
) -> Field:
    """Return the winding field of a roll; `sense` is found where it is not given.

    Raises `Unfit` where the sheets do not turn: rings, or layers that are not a roll.
    """
    problem = _pose(cells, umbilicus, pitch)
    # Mass is averaged over a pitch, so half the resolution loses nothing until phases are local.
    coarse = _halved(problem, umbilicus, cells.cell)
    tell(0.1, "which way the roll goes")
    rough, turning = _first(coarse, sense)
    sense = sense or int(np.sign(turning))
    for k in range(REWEIGHTINGS):
        tell(0.2 + 0.2 * k / REWEIGHTINGS, f"winding field, robust solve {k + 1}")
        rough = _reweighted(coarse, rough, sense)
    f = _doubled(rough, problem.weight.shape)
    f, locked = _lock(cells, umbilicus, (problem, coarse), f, sense, tell)
    return Field(f, problem.weight, umbilicus, sense, turning, locked, cells.cell)


def _pose(cells: Cells, umbilicus: Umbilicus, pitch: Pitch) -> _Problem:
    from scipy.ndimage import gaussian_filter

    reach = REACH * pitch.pitch / cells.cell
    material = cells.material()
    inside = gaussian_filter((material > 0.4).astype(np.float32), reach) > 0.35
    np.clip(material, 0, 1.5, out=material)
    material *= inside
    mass = gaussian_filter(material, reach)
    mass /= np.maximum(gaussian_filter(inside.astype(np.float32), reach), 0.2)
    mass *= inside * np.float32(cells.cell / pitch.mass)
    np.minimum(material, 1, out=material)
    material *= cells.coherence
    turn, slope = _directions(cells.normal, mass, umbilicus.x, umbilicus.y, cells.cell, material)
    return _Problem(gaussian_filter(material, 0.5), slope, turn)


def _halved(problem: _Problem, umbilicus: Umbilicus, cell: int) -> _Problem:
    """Return the problem on cells of twice the edge."""
    weight = _pooled(problem.weight)
    slope = np.empty((3, *weight.shape), np.int16)
    for axis in range(3):
        two = 2 * _pooled(problem.slope[axis].astype(np.float32))
        slope[axis] = np.clip(two, -SCALE, SCALE)
    middle = (np.arange(weight.shape[0]) + 0.5) * 2 * cell - 0.5
    x, y = (a.astype(np.float32) for a in umbilicus.at(middle))
    turn, _ = _directions(slope, np.zeros_like(weight), x, y, 2 * cell, np.zeros_like(weight))
    return _Problem(weight, slope, turn)


def _pooled(values: Floats) -> Floats:
    """Means of 2 x 2 x 2; an odd last cell is repeated."""
    even = np.pad(values, [(0, n % 2) for n in values.shape], mode="edge")
    z, y, x = (n // 2 for n in even.shape)
    return np.asarray(even.reshape(z, 2, y, 2, x, 2).mean((1, 3, 5), dtype=np.float32))


def _doubled(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Return values at half the cells, trilinear, cut to `shape`."""
    for axis, n in enumerate(shape):
        rows = np.moveaxis(values, axis, 0)
        before = np.concatenate([rows[:1], rows[:-1]])
        after = np.concatenate([rows[1:], rows[-1:]])
        out = np.empty((2 * len(rows), *rows.shape[1:]), np.float32)
        out[::2], out[1::2] = 0.75 * rows + 0.25 * before, 0.75 * rows + 0.25 * after
        values = np.moveaxis(out[:n], 0, axis)
    return np.ascontiguousarray(values)


def _first(problem: _Problem, sense: int | None) -> tuple[Floats, float]:
    """Solve without the angle, and for the angle alone: how much of it does the first lack?

    With residuals r1 and r2 of the two solves, slope + s turn comes nearest to a gradient at
    s = - <r1, r2> / <r2, r2>, in the weights of the faces.
    """
    weight = problem.weight + np.float32(FLOOR)
    data = np.full_like(weight, 1e-7)
    zero = np.zeros_like(weight)
    plain = solve(weight, data, _right(weight, problem.slope, problem.turn, 1.0, 0.0), zero, 1e-3)
    round_ = solve(weight, data, _right(weight, problem.slope, problem.turn, 0.0, 1.0), zero, 1e-3)
    cross, square = _lack(weight, problem.slope, problem.turn, plain, round_)
    turning = -cross / max(square, 1e-12)
    if sense is None and abs(turning) < 0.3:
        raise Unfit(
            f"The sheets turn by {turning:+.2f} windings for each time round; a roll turns by one.",
            "Check that the umbilicus is right and that this is a roll; or give the sense.",
        )
    return plain + np.float32(sense or np.sign(turning)) * round_, turning


def _reweighted(problem: _Problem, f: Floats, sense: int) -> Floats:
    """Solve again, with weights that trust less where the last solution does not fit (Cauchy)."""
    misfit = _misfit(f, problem.slope, problem.turn, sense)
    seen = problem.weight > 0.3
    scale = 2 * 1.4826 * float(np.median(misfit[seen])) if seen.any() else 1.0
    weight = problem.weight / (1 + (misfit / np.float32(max(scale, 1e-6))) ** 2)
    weight += np.float32(FLOOR)
    data = np.full_like(weight, 1e-7)
    return solve(weight, data, _right(weight, problem.slope, problem.turn, 1.0, sense), f, 1e-3)


def _lock(
    cells: Cells,
    umbilicus: Umbilicus,
    problems: tuple[_Problem, _Problem],
    f: Floats,
    sense: int,
    tell: Tell,
) -> tuple[Floats, float]:
    """Pull f until the density's phase in w is zero: everywhere at once, then ever more locally."""
    problem, coarse = problems
    f = f - np.float32(_phase_of_all(cells, umbilicus, problem.weight, f, sense))
    locked = 0.0
    for k, sigma in enumerate(LOCKS):
        tell(0.4 + 0.6 * k / len(LOCKS), f"winding field, phase lock over {sigma:g} cells")
        off, amplitude = _offset(cells, umbilicus, problem.weight, f, sense, sigma)
        locked = float(np.average(amplitude, weights=problem.weight))
        data = np.minimum(1, amplitude / np.float32(SURE)) ** 2 * problem.weight
        if sigma >= COARSE:
            # What is smooth over so many cells is solved for at half the resolution.
            before = _pooled(f)
            target = before - _pooled(off * data) / (_pooled(data) + np.float32(1e-6))
            after = _pulled(coarse, before, target, _pooled(data), sense, sigma / 2)
            f += _doubled(after - before, f.shape)
        else:
            f = _pulled(problem, f, f - off, data, sense, sigma)
    return f, locked


def _pulled(
    problem: _Problem, f: Floats, target: Floats, sure: Floats, sense: int, sigma: float
) -> Floats:
    """Solve for the slopes and, with the trust `sure` (0..1), for values `target`."""
    weight = problem.weight + np.float32(FLOOR)
    data = sure * np.float32(PULL / sigma**2) + np.float32(1e-7)
    right = _right(weight, problem.slope, problem.turn, 1.0, sense)
    right += data * target
    return solve(weight, data, right, f, 1e-3)


def _phase_of_all(
    cells: Cells, umbilicus: Umbilicus, weight: Floats, f: Floats, sense: int
) -> float:
    real, imaginary = _phase(cells.fine, f, umbilicus.x, umbilicus.y, cells.cell, sense)
    return float(np.arctan2((imaginary * weight).sum(), (real * weight).sum()) / (2 * np.pi))


def _offset(
    cells: Cells, umbilicus: Umbilicus, weight: Floats, f: Floats, sense: int, sigma: float
) -> tuple[Floats, Floats]:
    """Return by how many turns w is off, from -0.5 to 0.5, and how clearly that is seen."""
    from scipy.ndimage import gaussian_filter

    real, imaginary = _phase(cells.fine, f, umbilicus.x, umbilicus.y, cells.cell, sense)
    gaussian_filter(real, sigma, output=real, truncate=3.0)
    gaussian_filter(imaginary, sigma, output=imaginary, truncate=3.0)
    amplitude = np.hypot(real, imaginary)
    amplitude /= gaussian_filter(weight, sigma, truncate=3.0) + np.float32(0.05)
    off = (np.arctan2(imaginary, real) / np.float32(2 * np.pi)).astype(np.float32)
    return off, amplitude.astype(np.float32)


@njit(parallel=True, cache=True, fastmath=True)
def _directions(
    normal: Shorts, mass: Floats, x0: Floats, y0: Floats, cell: int, weight: Floats
) -> tuple[Shorts, Shorts]:
    """Return theta / 2 pi, and outward normals times turns a cell. Fades `weight` at the axis."""
    _, nz, ny, nx = normal.shape
    turn = np.empty((nz, ny, nx), np.int16)
    slope = np.empty((3, nz, ny, nx), np.int16)
    half = (cell - 1) / 2
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                px, py = x * cell + half - x0[z], y * cell + half - y0[z]
                turn[z, y, x] = np.int16(np.floor(np.arctan2(py, px) / (2 * np.pi) * 65535.9))
                a, b, c = normal[0, z, y, x], normal[1, z, y, x], normal[2, z, y, x]
                m = mass[z, y, x] * SCALE / 32767.0
                if a * px + b * py < 0:
                    m = -m
                slope[0, z, y, x] = np.int16(min(max(a * m, -SCALE), SCALE))
                slope[1, z, y, x] = np.int16(min(max(b * m, -SCALE), SCALE))
                slope[2, z, y, x] = np.int16(min(max(c * m, -SCALE), SCALE))
                near = (px * px + py * py) / (16.0 * cell * cell)
                weight[z, y, x] *= min(1.0, near)
    return turn, slope


@njit(inline="always")
def _wrapped(a: Any, b: Any) -> Any:
    """b - a in turns, of two angles kept as 16-bit numbers."""
    d = (np.int64(b) - np.int64(a)) & 65535
    if d >= 32768:
        d -= 65536
    return np.float32(d / TURN)


@njit(parallel=True, cache=True, fastmath=True)
def _right(w: Floats, slope: Shorts, turn: Shorts, plain: float, round_: float) -> Floats:
    """Right side of the normal equations for differences plain * slope + round_ * theta / 2 pi."""
    nz, ny, nx = w.shape
    out = np.empty_like(w)
    p, r = np.float32(plain * 0.5 / SCALE), np.float32(round_)
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                total = np.float32(0)
                a = w[z, y, x]
                for k in range(6):
                    axis, s = k >> 1, 1 if k & 1 else -1
                    kk, jj, ii = z + s * (axis == 2), y + s * (axis == 1), x + s * (axis == 0)
                    if kk < 0 or kk >= nz or jj < 0 or jj >= ny or ii < 0 or ii >= nx:
                        continue
                    b = w[kk, jj, ii]
                    along = np.float32(slope[axis, z, y, x]) + np.float32(slope[axis, kk, jj, ii])
                    d = s * p * along + r * _wrapped(turn[z, y, x], turn[kk, jj, ii])
                    total -= 2 * a * b / (a + b) * d
                out[z, y, x] = total
    return out


@njit(parallel=True, cache=True, fastmath=True)
def _lack(
    w: Floats, slope: Shorts, turn: Shorts, plain: Floats, round_: Floats
) -> tuple[float, float]:
    """Sums over faces of weight * r1 * r2 and weight * r2 * r2, r being target minus difference."""
    nz, ny, nx = w.shape
    cross, square = np.zeros(nz), np.zeros(nz)
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                a = w[z, y, x]
                for axis in range(3):
                    kk, jj, ii = z + (axis == 2), y + (axis == 1), x + (axis == 0)
                    if kk >= nz or jj >= ny or ii >= nx:
                        continue
                    c = a * w[kk, jj, ii] / (a + w[kk, jj, ii])
                    along = np.float32(slope[axis, z, y, x]) + np.float32(slope[axis, kk, jj, ii])
                    r1 = 0.5 * along / SCALE - (plain[kk, jj, ii] - plain[z, y, x])
                    r2 = _wrapped(turn[z, y, x], turn[kk, jj, ii])
                    r2 -= round_[kk, jj, ii] - round_[z, y, x]
                    cross[z] += c * r1 * r2
                    square[z] += c * r2 * r2
    return cross.sum(), square.sum()


@njit(parallel=True, cache=True, fastmath=True)
def _misfit(f: Floats, slope: Shorts, turn: Shorts, sense: int) -> Floats:
    """|grad w - slope| in turns a cell, by central differences."""
    nz, ny, nx = f.shape
    out = np.empty_like(f)
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                square = np.float32(0)
                for axis in range(3):
                    total, count = np.float32(0), 0
                    for s in (-1, 1):
                        kk, jj, ii = z + s * (axis == 2), y + s * (axis == 1), x + s * (axis == 0)
                        if kk < 0 or kk >= nz or jj < 0 or jj >= ny or ii < 0 or ii >= nx:
                            continue
                        d = f[kk, jj, ii] - f[z, y, x]
                        total += s * (d - sense * _wrapped(turn[z, y, x], turn[kk, jj, ii]))
                        count += 1
                    if count:
                        lack = total / count - slope[axis, z, y, x] / SCALE
                        square += lack * lack
                out[z, y, x] = np.sqrt(square)
    return out


@njit(parallel=True, cache=True, fastmath=True)
def _phase(
    fine: Bytes, f: Floats, x0: Floats, y0: Floats, cell: int, sense: int
) -> tuple[Floats, Floats]:
    """Mean over each cell's eight halves of density times cos and sin of 2 pi w."""
    nz, ny, nx = f.shape
    real, imaginary = np.empty_like(f), np.empty_like(f)
    full = np.float32(2 * np.pi)
    half = cell * 0.5
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                a, b = np.float32(0), np.float32(0)
                for k in range(8):
                    dz, dy, dx = k >> 2, (k >> 1) & 1, k & 1
                    kk = min(max(z + 2 * dz - 1, 0), nz - 1)
                    jj = min(max(y + 2 * dy - 1, 0), ny - 1)
                    ii = min(max(x + 2 * dx - 1, 0), nx - 1)
                    # Trilinear at a quarter of a cell from the middle.
                    near = 0.5625 * f[z, y, x] + 0.1875 * (f[z, y, ii] + f[z, jj, x])
                    near += 0.0625 * f[z, jj, ii]
                    far = 0.5625 * f[kk, y, x] + 0.1875 * (f[kk, y, ii] + f[kk, jj, x])
                    far += 0.0625 * f[kk, jj, ii]
                    px = (2 * x + dx) * half + (half - 1) * 0.5 - x0[z]
                    py = (2 * y + dy) * half + (half - 1) * 0.5 - y0[z]
                    angle = full * (0.75 * near + 0.25 * far) - sense * np.arctan2(py, px)
                    d = np.float32(fine[2 * z + dz, 2 * y + dy, 2 * x + dx]) / 127.5 - 0.5
                    a += d * np.cos(angle)
                    b += d * np.sin(angle)
                real[z, y, x] = a / 8
                imaginary[z, y, x] = b / 8
    return real, imaginary
