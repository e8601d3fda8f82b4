"""What a scanner makes of densities: fringe, blur, noise, rings, an uneven beam, 8 or 16 bits.

Phase contrast brightens both sides of an edge, and Paganin's filter smooths it away but for a rim:
here the difference of two Gaussians is added. All chance depends on the slice alone, so that
slabs join without a seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.scroll.phantom.recipe import Recipe

Slab = npt.NDArray[np.float32]

HALO: Final = 6
"""Slices of density needed above and below those that are wanted."""

_WIDE: Final = 2.0  # Paganin's smoothing, as sigma in voxels
_CLUMP: Final = 0.8  # over which noise hangs together in a slice, as sigma in voxels
_PERCENTILES: Final = (0.02, 99.98)
_SPARE: Final = (0.30, 0.10)
"""What a window leaves below and above, as parts of its width: a real one is set by the darkest
streak and the brightest mineral of a whole scroll."""


@dataclass(frozen=True, slots=True)
class Window:
    """Brightness that becomes 0 and brightness that becomes the highest number."""

    low: float
    high: float


def scan(recipe: Recipe, density: Slab, z0: int) -> Slab:
    """Return the brightness of a slab; `density` has HALO slices more on either side.

    `z0` is the number of the first slice that is returned. Air is about 0 and papyrus about 1.
    """
    seen = _blurred(recipe, density)[HALO:-HALO]
    seen += _noise(recipe, z0, seen.shape)
    fan = _beam(recipe)
    radius = _distance(recipe)
    for i in range(len(seen)):
        seen[i] += _ring(recipe, z0 + i)[radius]
    seen *= fan
    return seen


def window(recipe: Recipe, sample: npt.NDArray[np.float32]) -> Window:
    """Return the window for a volume of which `sample` is a fair part."""
    low, high = np.percentile(sample, _PERCENTILES)
    wide = max(float(high - low), 1e-6)
    return Window(float(low) - _SPARE[0] * wide, float(high) + _SPARE[1] * wide)


def digitise(recipe: Recipe, seen: Slab, shown: Window) -> npt.NDArray[Any]:
    """Return brightness as whole numbers of `bits` bits."""
    top = 2**recipe.bits - 1
    scaled = (seen - shown.low) * (top / (shown.high - shown.low))
    dtype = np.uint8 if recipe.bits == 8 else np.uint16
    np.rint(scaled, out=scaled)
    return np.asarray(np.clip(scaled, 0, top), dtype=dtype)


def _blurred(recipe: Recipe, density: Slab) -> Slab:
    from scipy.ndimage import gaussian_filter

    sigma = recipe.fwhm_voxels / 2.3548
    sharp = gaussian_filter(density, sigma, mode="nearest", truncate=3.5)
    if not recipe.fringe:
        return np.asarray(sharp)
    wide = gaussian_filter(density, _WIDE, mode="nearest", truncate=3.0)
    wide -= sharp
    wide *= -recipe.fringe
    sharp += wide
    return np.asarray(sharp)


def _noise(recipe: Recipe, z0: int, shape: tuple[int, ...]) -> Slab:
    """Return noise that is correlated over about a voxel, of standard deviation `noise`."""
    from scipy.ndimage import gaussian_filter

    rows = [_white(recipe, z0 + i, shape[1:]) for i in range(-1, shape[0] + 1)]
    fine = np.stack([gaussian_filter(plane, _CLUMP, mode="wrap") for plane in rows])
    mixed = 0.5 * fine[:-2] + fine[1:-1] + 0.5 * fine[2:]
    # What both filters leave of the standard deviation is known.
    mixed *= recipe.noise / (_gain(_CLUMP) * np.sqrt(1.5))
    return np.asarray(mixed, dtype=np.float32)


def _white(recipe: Recipe, z: int, shape: tuple[int, ...]) -> Slab:
    rng = np.random.default_rng([recipe.seed, 0x6E6F6973, z + 1024])
    return rng.standard_normal(shape, dtype=np.float32)


def _gain(sigma: float) -> float:
    """Return the standard deviation that a Gaussian filter in a plane leaves of white noise."""
    at = np.arange(-8, 9)
    kernel = np.exp(-0.5 * (at / sigma) ** 2)
    kernel /= kernel.sum()
    return float((kernel**2).sum())


def _ring(recipe: Recipe, z: int) -> npt.NDArray[np.float32]:
    """Return the rings of slice z: brightness for each half voxel of distance from the axis."""
    size = int(np.hypot(*recipe.shape[1:])) * 2 + 4
    common = np.random.default_rng([recipe.seed, 0x72696E67]).standard_normal(size)
    here = np.random.default_rng([recipe.seed, 0x72696E67, z]).standard_normal(size)
    profile = 0.8 * common + 0.6 * here
    profile[1:-1] = (profile[:-2] + 2 * profile[1:-1] + profile[2:]) / 2.4495
    # A ring near the axis is short, and a scanner's correction leaves more of it.
    return np.asarray(recipe.rings * profile, dtype=np.float32)


def _distance(recipe: Recipe) -> npt.NDArray[np.intp]:
    """Return twice the distance of each pixel from the axis of rotation, the volume's middle."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in recipe.shape[1:])
    return np.asarray(np.rint(2 * np.hypot(y[:, None], x[None])), dtype=np.intp)


def _beam(recipe: Recipe) -> npt.NDArray[np.float32]:
    """Return a factor for each pixel: a slope across the field, and a fall towards the border."""
    rng = recipe.rng("beam")
    angle = rng.uniform(0, 2 * np.pi)
    y, x = (np.linspace(-1, 1, n) for n in recipe.shape[1:])
    slope = np.cos(angle) * x[None] + np.sin(angle) * y[:, None]
    cup = 0.5 - 0.5 * (x[None] ** 2 + y[:, None] ** 2)
    return np.asarray(1 + recipe.beam * (0.7 * slope + cup), dtype=np.float32)
