"""What a volume says of its sheets, on a coarse grid: density, normals, coherence.

The grid is made of *cells*: cubes of `cell` voxels, about a quarter of a sheet thick. Gradients
are taken at half a cell, their outer products averaged in each cell and smoothed (the structure
tensor, Bigün & Granlund 1987; Förstner & Gülch 1987). The eigenvector of the largest eigenvalue is
the sheet's normal, and coherence, (l1 - l2) / (l1 + l2), says how much like a sheet it is.

Everything is done by tiles with a margin, so that no tile shows in the result.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from danseo.core.errors import Unfit
from danseo.scroll.tiles import run_tiles
from danseo.scroll.volume import Box

if TYPE_CHECKING:
    from danseo.scroll.volume import Volume

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Shorts = NDArray[np.int16]
Progress = Callable[[float, str], None]

GRADIENT: Final = 1.0
"""Gaussian before the gradient, in half cells."""
INTEGRATION: Final = 1.5
"""Gaussian over the tensor, in cells."""
MARGIN: Final = 8
"""Cells read around a tile: more than the reach of both filters."""
TILE: Final = 64
"""Edge of a tile in cells."""
_FILES: Final = ("fine.npy", "normal.npy", "coherence.npy")
_TYPES: Final = (np.uint8, np.int16, np.float32)


@dataclass(frozen=True)
class Window:
    """The grey values between which a volume's density lies: air, and solid papyrus."""

    air: float
    papyrus: float


@dataclass(frozen=True)
class Cells:
    """A volume reduced to cells. All arrays are indexed [z, y, x].

    `cell` is the edge in voxels; cell i holds voxels i*cell ... (i+1)*cell - 1. `fine` is the
    density at half a cell, as bytes: 0 at or below air - half the contrast, 255 at or above
    papyrus + half of it. `normal` is (3, z, y, x), a unit vector (x, y, z) of either
    sign times 32767. `coherence` is 0..1. `window` gives back grey values.
    """

    cell: int
    fine: Bytes
    normal: Shorts
    coherence: Floats
    window: Window

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells along z, y, x."""
        z, y, x = self.coherence.shape
        return z, y, x

    def material(self) -> Floats:
        """The share of papyrus in each cell, about 0..1: (z, y, x)."""
        return _material(self.fine)


def cell_size(voxel_um: float, thickness_um: float) -> int:
    """Return the edge of a cell in voxels: a power of two, about a quarter of a sheet.

    >>> cell_size(7.91, 120.0), cell_size(3.24, 120.0)
    (4, 8)
    """
    quarter = thickness_um / voxel_um / 4
    return max(2, int(2 ** round(float(np.log2(max(quarter, 1.0))))))


def find_window(volume: Volume, seed: int = 0) -> Window:
    """Return the grey levels of air and papyrus, by Otsu's threshold over sampled blocks.

    Raises `Usage` where a volume is constant,
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    blocks = []
    edges = [min(32, n) for n in volume.shape]
    for _ in range(48):
        corner = [int(rng.integers(0, n - e + 1)) for n, e in zip(volume.shape, edges, strict=True)]
        block = _read(volume, corner, edges).astype(np.float32)
        blocks.append(gaussian_filter(block, 1.0)[::2, ::2, ::2].ravel())
    values = np.concatenate(blocks)
    low, high = (float(q) for q in np.quantile(values, (0.002, 0.998)))
    if not high > low:
        raise Unfit(
            f"The volume is {low:g} wherever it was looked at, so it shows no sheet.",
            "Give a CT volume that has papyrus in it, or cut it elsewhere.",
        )
    counts, at = np.histogram(values, bins=256, range=(low, high))
    middle = (at[1:] + at[:-1]) / 2
    below = np.cumsum(counts)
    first = np.cumsum(counts * middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_low = first / below
        mean_high = (first[-1] - first) / (below[-1] - below)
        between = below * (below[-1] - below) * (mean_high - mean_low) ** 2
    cut = int(np.nanargmax(between))
    return Window(float(mean_low[cut]), float(mean_high[cut]))


def reduce_volume(
    volume: Volume,
    cell: int,
    window: Window,
    progress: Progress | None = None,
    *,
    workers: int | str = 1,
    scratch: Path | None = None,
) -> Cells:
    """Reduce a volume to cells, tile by tile. What does not fill a last cell is left out.

    Tiles are shared by `workers` (see `danseo.scroll.tiles`). In the folder `scratch` the arrays
    are kept in files, and tiles that are done there are not done again.
    """
    shape = tuple(n // cell for n in volume.shape)
    tiles = list(_tiles(shape))
    if workers != 1 and scratch is None:
        with tempfile.TemporaryDirectory() as folder:
            kept = reduce_volume(
                volume, cell, window, progress, workers=workers, scratch=Path(folder)
            )
            return replace(
                kept,
                fine=kept.fine.copy(),
                normal=kept.normal.copy(),
                coherence=kept.coherence.copy(),
            )
    arrays = _arrays(shape) if scratch is None else None
    if scratch is not None:
        question = repr((volume.identity, cell, window)).encode()
        scratch = scratch / hashlib.sha256(question).hexdigest()[:16]
        if not (scratch / "tiles.done").exists():
            _create(scratch, shape)
    task = _Reduction(volume, cell, window, arrays, scratch)
    marks = None if scratch is None else scratch / "tiles.done"
    tell = None if progress is None else lambda part, what: progress(part, f"normals, {what}")
    run_tiles(task, tiles, marks=marks, workers=workers, progress=tell)
    fine, normal, coherence = arrays or _opened(scratch or Path())
    return Cells(cell, fine, normal, coherence, window)


@dataclass(frozen=True)
class _Reduction:
    """The work on one tile: called with its ends, it fills its part of the arrays."""

    volume: Volume
    cell: int
    window: Window
    arrays: tuple[Bytes, Shorts, Floats] | None
    scratch: Path | None

    def __call__(self, tile: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        start, stop = tile
        fine, normal, coherence = self.arrays or _opened(self.scratch or Path())
        one = reduce_tile(self.volume, self.cell, self.window, start, stop)
        z, y, x = (slice(a, b) for a, b in zip(start, stop, strict=True))
        fine[tuple(slice(2 * a, 2 * b) for a, b in zip(start, stop, strict=True))] = one[0]
        normal[:, z, y, x] = one[1]
        coherence[z, y, x] = one[2]


def _arrays(shape: tuple[int, ...]) -> tuple[Bytes, Shorts, Floats]:
    return (
        np.zeros(tuple(2 * n for n in shape), np.uint8),
        np.zeros((3, *shape), np.int16),
        np.zeros(shape, np.float32),
    )


def _create(folder: Path, shape: tuple[int, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fine = tuple(2 * n for n in shape)
    for name, dtype, size in zip(_FILES, _TYPES, (fine, (3, *shape), shape), strict=True):
        np.lib.format.open_memmap(folder / name, mode="w+", dtype=dtype, shape=size).flush()


def _opened(folder: Path) -> tuple[Bytes, Shorts, Floats]:
    fine, normal, coherence = (np.asarray(np.load(folder / n, mmap_mode="r+")) for n in _FILES)
    return fine, normal, coherence


def reduce_tile(
    volume: Volume, cell: int, window: Window, start: tuple[int, ...], stop: tuple[int, ...]
) -> tuple[Bytes, Shorts, Floats]:
    """Return density (half cells, bytes), normals and coherence of the cells start ... stop."""
    from scipy.ndimage import gaussian_filter

    limit = [n // cell for n in volume.shape]
    low = [max(0, a - MARGIN) for a in start]
    high = [min(n, b + MARGIN) for n, b in zip(limit, stop, strict=True)]
    raw = _read(
        volume, [a * cell for a in low], [(b - a) * cell for a, b in zip(low, high, strict=True)]
    )
    half = _pool(raw, cell // 2)
    half = (half - window.air) / (window.papyrus - window.air)
    tensor = _outer(gaussian_filter(half, GRADIENT, truncate=3.0))
    for part in tensor:
        gaussian_filter(part, INTEGRATION, output=part, truncate=3.0)
    inner = tuple(slice(a - b, c - b) for a, b, c in zip(start, low, stop, strict=True))
    normal, coherence = _eigen(np.ascontiguousarray(tensor[(slice(None), *inner)]))
    core = half[tuple(slice(2 * s.start, 2 * s.stop) for s in inner)]
    return np.clip((core + 0.5) * 127.5, 0, 255).astype(np.uint8), normal, coherence


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    for corner in np.ndindex(*(-(-n // TILE) for n in shape)):
        start = tuple(i * TILE for i in corner)
        yield start, tuple(min(n, a + TILE) for n, a in zip(shape, start, strict=True))


def _read(volume: Volume, corner: list[int], edges: list[int]) -> NDArray[Any]:
    z, y, x = corner
    dz, dy, dx = edges
    return volume.read(Box(z, z + dz, y, y + dy, x, x + dx), 0)


def _pool(block: NDArray[Any], by: int) -> Floats:
    if by == 1:
        return block.astype(np.float32)
    z, y, x = (n // by for n in block.shape)
    return np.asarray(
        block.reshape(z, by, y, by, x, by).mean(axis=(1, 3, 5), dtype=np.float32), np.float32
    )


@njit(parallel=True, cache=True, fastmath=True)
def _material(fine: Bytes) -> Floats:
    nz, ny, nx = fine.shape[0] // 2, fine.shape[1] // 2, fine.shape[2] // 2
    out = np.empty((nz, ny, nx), np.float32)
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                total = 0.0
                for k in range(8):
                    v = fine[2 * z + (k >> 2), 2 * y + ((k >> 1) & 1), 2 * x + (k & 1)]
                    total += v / 127.5 - 0.5
                out[z, y, x] = total / 8
    return out


@njit(parallel=True, cache=True, fastmath=True)
def _outer(half: Floats) -> Floats:
    """Products of central differences, averaged over the eight half cells of each cell."""
    hz, hy, hx = half.shape
    out = np.zeros((6, hz // 2, hy // 2, hx // 2), np.float32)
    for z in prange(hz // 2):
        for dz in range(2):
            k = 2 * z + dz
            ka, kb = max(k - 1, 0), min(k + 1, hz - 1)
            for j in range(hy // 2 * 2):
                ja, jb = max(j - 1, 0), min(j + 1, hy - 1)
                for i in range(hx // 2 * 2):
                    ia, ib = max(i - 1, 0), min(i + 1, hx - 1)
                    gx = half[k, j, ib] - half[k, j, ia]
                    gy = half[k, jb, i] - half[k, ja, i]
                    gz = half[kb, j, i] - half[ka, j, i]
                    y, x = j // 2, i // 2
                    out[0, z, y, x] += gx * gx
                    out[1, z, y, x] += gy * gy
                    out[2, z, y, x] += gz * gz
                    out[3, z, y, x] += gx * gy
                    out[4, z, y, x] += gx * gz
                    out[5, z, y, x] += gy * gz
    return out


@njit(parallel=True, cache=True)
def _eigen(tensor: Floats) -> tuple[Shorts, Floats]:
    """First eigenvector and coherence, by the closed form of the eigenvalues of a 3x3 matrix.

    Smith, *Eigenvalues of a symmetric 3x3 matrix*, CACM 1961. The vector is the longest row of
    (T - l2 I)(T - l3 I), every row of which is parallel to it.
    """
    _, nz, ny, nx = tensor.shape
    normal = np.zeros((3, nz, ny, nx), np.int16)
    coherence = np.zeros((nz, ny, nx), np.float32)
    for z in prange(nz):
        for y in range(ny):
            for x in range(nx):
                a, b, c = tensor[0, z, y, x], tensor[1, z, y, x], tensor[2, z, y, x]
                d, e, f = tensor[3, z, y, x], tensor[4, z, y, x], tensor[5, z, y, x]
                q = (a + b + c) / 3.0
                spread = (a - q) ** 2 + (b - q) ** 2 + (c - q) ** 2 + 2 * (d * d + e * e + f * f)
                p = np.sqrt(spread / 6.0)
                if p < 1e-9:
                    continue
                aa, bb, cc = (a - q) / p, (b - q) / p, (c - q) / p
                dd, ee, ff = d / p, e / p, f / p
                det = aa * (bb * cc - ff * ff) - dd * (dd * cc - ff * ee) + ee * (dd * ff - bb * ee)
                phi = np.arccos(min(1.0, max(-1.0, det / 2))) / 3.0
                l1 = q + 2 * p * np.cos(phi)
                l3 = q + 2 * p * np.cos(phi + 2.0943951023931953)
                l2 = 3 * q - l1 - l3
                best = 0.0
                for row in range(3):
                    if row == 0:
                        u0, u1, u2 = a - l3, d, e
                    elif row == 1:
                        u0, u1, u2 = d, b - l3, f
                    else:
                        u0, u1, u2 = e, f, c - l3
                    v0 = u0 * (a - l2) + u1 * d + u2 * e
                    v1 = u0 * d + u1 * (b - l2) + u2 * f
                    v2 = u0 * e + u1 * f + u2 * (c - l2)
                    size = v0 * v0 + v1 * v1 + v2 * v2
                    if size > best:
                        best = size
                        s = 32767.0 / np.sqrt(size)
                        normal[0, z, y, x] = np.int16(np.round(v0 * s))
                        normal[1, z, y, x] = np.int16(np.round(v1 * s))
                        normal[2, z, y, x] = np.int16(np.round(v2 * s))
                coherence[z, y, x] = (l1 - l2) / (l1 + l2 + 1e-12)
    return normal, coherence
