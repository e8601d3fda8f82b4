"""Values of a volume between its voxels: trilinear and cubic, at points and along normals.

A voxel's centre lies at whole numbers, so an array of n voxels covers -0.5 to n - 0.5. There the
value at a point is interpolated from the nearest 2^3 or 4^3 voxels, the outermost voxel standing
for those beyond it. Anywhere else, and at NaN, it is `fill`.

Cubic is Catmull-Rom (R. Keys 1981, "Cubic convolution interpolation", a = -1/2): it passes through
the voxels and needs no more than 4^3 of them, so that tiles have no seams. It may overshoot.

On the CPU loops compiled by numba do the work, on its own number of threads; on another device
(`device="cuda"`) torch does, with the same result to 1e-4 of the largest value.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from danseo.core.errors import Unavailable, Usage

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]

ORDERS: Final = (1, 3)
ROW: Final = 1024
"""Points that `sample` hands to a thread at a time."""
DTYPES: Final = ("uint8", "uint16", "float32")


def sample(
    array: Array, points: Floats, order: int = 1, fill: float = 0.0, device: str = "cpu"
) -> Floats:
    """Return the values of `array` at `points`, float32 of the shape of `points` without its last.

    `array` is `[z, y, x]`, uint8, uint16 or float32; `points` is (..., 3), as (x, y, z) in voxels
    of the array. `order` is 1 (trilinear) or 3 (cubic). Raise `Usage` for other input.
    """
    points = np.ascontiguousarray(points, np.float32)
    count = points.size // 3
    # Rows of equal length for the threads to share; NaN points fill the last one up.
    flat = np.full((-(-count // ROW), ROW, 3), np.nan, np.float32)
    flat.reshape(-1, 3)[:count] = points.reshape(-1, 3)
    offsets, still = np.zeros(1, np.float32), np.zeros_like(flat)
    values = along(array, flat, still, offsets, order, fill, device)
    return values.reshape(-1)[:count].reshape(points.shape[:-1])


def along(
    array: Array,
    points: Floats,
    normals: Floats,
    offsets: Floats,
    order: int = 1,
    fill: float = 0.0,
    device: str = "cpu",
) -> Floats:
    """Return the values at `points + offset * normals` for each offset: layers x rows x columns.

    `points` and `normals` are (rows, columns, 3), as (x, y, z) in voxels of the array, and
    `offsets` (layers,) in voxels. The rest is as in `sample`.
    """
    array = np.ascontiguousarray(array)
    points, normals, offsets = (
        np.ascontiguousarray(a, np.float32) for a in (points, normals, offsets)
    )
    _check(array, points, normals, order)
    if device != "cpu":
        return _by_torch(array, points, normals, offsets, order, fill, device)
    out = np.empty((len(offsets), *points.shape[:2]), np.float32)
    kernel = _linear if order == 1 else _cubic
    kernel(array, points, normals, offsets, np.float32(fill), out)
    return out


def _check(array: Array, points: Floats, normals: Floats, order: int) -> None:
    if array.ndim != 3 or not array.size or array.dtype.name not in DTYPES:
        raise Usage(
            f"An array of {array.dtype} and shape {array.shape} cannot be sampled.",
            f"Give three axes [z, y, x] of {', '.join(DTYPES)}.",
        )
    if points.ndim != 3 or points.shape[2] != 3 or normals.shape != points.shape:
        raise Usage(
            f"Points of shape {points.shape} with normals of shape {normals.shape}.",
            "Give both as (rows, columns, 3), in the order x, y, z.",
        )
    if order not in ORDERS:
        raise Usage(f"There is no interpolation of order {order}.", "Take 1 or 3.")


@njit(cache=True, nogil=True, parallel=True)
def _linear(array, points, normals, offsets, fill, out):  # type: ignore[no-untyped-def]
    rows, columns = points.shape[:2]
    for row in prange(rows):
        rays = _rays(points[row], normals[row])
        base, part = np.empty((3, columns), np.int32), np.empty((3, columns), np.float32)
        inside = np.empty(columns, np.bool_)
        for layer in range(offsets.size):
            _place(array.shape, rays, offsets[layer], np.int32(2), base, part, inside)
            _mix(array, base, part, inside, fill, out[layer, row])


@njit(cache=True, nogil=True, parallel=True)
def _cubic(array, points, normals, offsets, fill, out):  # type: ignore[no-untyped-def]
    rows, columns = points.shape[:2]
    for row in prange(rows):
        rays = _rays(points[row], normals[row])
        base, part = np.empty((3, columns), np.int32), np.empty((3, columns), np.float32)
        inside = np.empty(columns, np.bool_)
        for layer in range(offsets.size):
            _place(array.shape, rays, offsets[layer], np.int32(1), base, part, inside)
            _curve(array, base, part, inside, fill, out[layer, row])


@njit(cache=True, nogil=True)
def _rays(points, normals):  # type: ignore[no-untyped-def]
    """Return points and normals of a row by coordinate, which the loops run through in order."""
    rays = np.empty((2, 3, len(points)), np.float32)
    for column in range(len(points)):
        for axis in range(3):
            rays[0, axis, column] = points[column, axis]
            rays[1, axis, column] = normals[column, axis]
    return rays


# No fastmath here: a fused multiply-add would move the point itself, by up to 1e-5 of a voxel.
@njit(cache=True, nogil=True)
def _place(shape, rays, offset, taps, base, part, inside):  # type: ignore[no-untyped-def]
    """Find the voxel before each point, at least `taps` from the end, the rest, and what is in."""
    half, nought = np.float32(0.5), np.float32(0)
    inside[:] = True
    for axis in range(3):
        end = np.float32(shape[2 - axis] - 1)
        last = np.int32(max(shape[2 - axis] - taps, 0))
        for column in range(inside.size):
            at = rays[0, axis, column] + offset * rays[1, axis, column]
            # NaN fails every comparison, and so counts as outside.
            fits = (at >= -half) & (at <= end + half)
            inside[column] &= fits
            at = min(max(at, nought), end) if fits else nought
            low = min(np.int32(at), last)
            base[axis, column] = low
            part[axis, column] = at - np.float32(low)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _mix(array, base, part, inside, fill, out):  # type: ignore[no-untyped-def]
    """Interpolate linearly between the eight voxels around each point."""
    depth, height, width = array.shape
    flat = array.reshape(-1)
    # Unsigned, so that no index is looked at for being negative.
    right = np.uint64(1 if width > 1 else 0)
    down = np.uint64(width if height > 1 else 0)
    deeper = np.uint64(width * height if depth > 1 else 0)
    for column in range(inside.size):
        fx, fy, fz = part[0, column], part[1, column], part[2, column]
        slab = np.int64(base[2, column]) * height + base[1, column]
        at = np.uint64(slab * width + base[0, column])
        a, b = np.float32(flat[at]), np.float32(flat[at + right])
        c, d = np.float32(flat[at + down]), np.float32(flat[at + down + right])
        at += deeper
        e, f = np.float32(flat[at]), np.float32(flat[at + right])
        g, h = np.float32(flat[at + down]), np.float32(flat[at + down + right])
        a += fx * (b - a)
        c += fx * (d - c)
        e += fx * (f - e)
        g += fx * (h - g)
        a += fy * (c - a)
        e += fy * (g - e)
        out[column] = a + fz * (e - a) if inside[column] else fill


@njit(cache=True, nogil=True, fastmath={"contract"})
def _curve(array, base, part, inside, fill, out):  # type: ignore[no-untyped-def]
    """Interpolate by Catmull-Rom between the 64 voxels around each point, repeated at the ends."""
    depth, height, width = array.shape
    flat = array.reshape(-1)
    xs, weights = np.empty(4, np.uint64), np.empty((3, 4), np.float32)
    for column in range(inside.size):
        if not inside[column]:
            out[column] = fill
            continue
        for axis in range(3):
            _weigh(part[axis, column], weights[axis])
        for tap in range(4):
            xs[tap] = np.uint64(min(max(base[0, column] + tap - 1, 0), width - 1))
        total = np.float32(0)
        for k in range(4):
            z = min(max(base[2, column] + k - 1, 0), depth - 1)
            plane = np.float32(0)
            for j in range(4):
                y = min(max(base[1, column] + j - 1, 0), height - 1)
                at = np.uint64((z * height + y) * width)
                line = weights[0, 0] * np.float32(flat[at + xs[0]])
                line += weights[0, 1] * np.float32(flat[at + xs[1]])
                line += weights[0, 2] * np.float32(flat[at + xs[2]])
                line += weights[0, 3] * np.float32(flat[at + xs[3]])
                plane += weights[1, j] * line
            total += weights[2, k] * plane
        out[column] = total


@njit(cache=True, nogil=True)
def _weigh(t, weights):  # type: ignore[no-untyped-def]
    """Set the weights of the voxels at -1, 0, 1 and 2 for a point at t."""
    half, one, two = np.float32(0.5), np.float32(1), np.float32(2)
    weights[0] = half * t * (t * (two - t) - one)
    weights[1] = one + t * t * (np.float32(1.5) * t - np.float32(2.5))
    weights[2] = half * t * (one + t * (np.float32(4) - np.float32(3) * t))
    weights[3] = half * t * t * (t - one)


def _by_torch(
    array: Array,
    points: Floats,
    normals: Floats,
    offsets: Floats,
    order: int,
    fill: float,
    device: str,
) -> Floats:
    """Do the same by gathers in torch: grid_sample's scaled coordinates lose float32 precision."""
    import torch

    try:
        where = torch.device(device)
        # torch cannot index by all kinds of uint16: 16 unsigned bits go as signed 32.
        whole = array.astype(np.int32) if array.dtype == np.uint16 else array
        values = torch.from_numpy(whole).to(where).reshape(-1)
    except (RuntimeError, AssertionError) as error:
        raise Unavailable(f"torch cannot use {device!r}: {error}.", 'Take device="cpu".') from error
    place, normal = torch.from_numpy(points).to(where), torch.from_numpy(normals).to(where)
    out = np.empty((len(offsets), *points.shape[:2]), np.float32)
    for layer, offset in enumerate(offsets):
        at = place + float(offset) * normal
        out[layer] = _gathered(values, array.shape, at, order, fill).cpu().numpy()
    return out


def _gathered(values: Any, shape: tuple[int, ...], at: Any, order: int, fill: float) -> Any:
    """Return the values at the points `at` (torch, rows x columns x 3) of a flattened array."""
    import torch

    taps = (0, 1) if order == 1 else (-1, 0, 1, 2)
    last = torch.tensor(shape[::-1], device=at.device) - 1
    inside = ((at >= -0.5) & (at <= last + 0.5)).all(-1)
    at = torch.minimum(at.nan_to_num().clamp(min=0), last.to(at.dtype))
    base = at.floor().long()
    part = at - base
    places = [torch.minimum((base + tap).clamp(min=0), last) for tap in taps]
    if order == 1:
        weights = [1 - part, part]
    else:
        weights = [
            0.5 * part * (part * (2 - part) - 1),
            1 + part * part * (1.5 * part - 2.5),
            0.5 * part * (1 + part * (4 - 3 * part)),
            0.5 * part * part * (part - 1),
        ]
    total = torch.zeros_like(part[..., 0])
    for z, wz in zip(places, weights, strict=True):
        for y, wy in zip(places, weights, strict=True):
            row = (z[..., 2] * shape[1] + y[..., 1]) * shape[2]
            for x, wx in zip(places, weights, strict=True):
                weight = wz[..., 2] * wy[..., 1] * wx[..., 0]
                total += weight * values[row + x[..., 0]]
    return torch.where(inside, total, torch.full_like(total, fill))
