"""A flat piece of papyrus for tests: cracked plates of ink beside smooth decoys as high."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from danseo.scroll.ink.samples import Sample

MIDDLE = 15.5


def texture(
    seed: int,
    shape: tuple[int, int] = (160, 320),
    depth: int = 32,
    height: float = 2.0,
    noise: float = 0.05,
    blur: float = 0.5,
) -> Sample:
    """Return a sample with round blots, half of them ink; `height` in voxels."""
    rng = np.random.default_rng(seed)
    ink, decoy = _blots(rng, shape), _blots(rng, shape)
    decoy &= ~ndimage.binary_dilation(ink, iterations=6)
    grain = ndimage.gaussian_filter(rng.normal(size=shape), 8)
    face = MIDDLE - 7.5 + grain / grain.std() * 0.5
    face -= height * (ink & ~_cracks(rng, shape)) + height * decoy
    z = np.arange(depth)[:, None, None]
    inside = np.clip(z - face + 0.5, 0, 1) * np.clip(MIDDLE + 7.5 - z + 0.5, 0, 1)
    fibres = ndimage.gaussian_filter(rng.normal(size=(depth, *shape)), (1, 1, 3))
    volume = inside * (0.6 + 0.15 * fibres / fibres.std())
    volume = ndimage.gaussian_filter(volume, blur) + rng.normal(0, noise, volume.shape)
    layers = np.clip(volume * 255, 0, 255).astype(np.uint8)
    facts = {"ink_um": height * 7.91, "seed": seed}
    return Sample(f"texture-{seed}", layers, ink, np.ones(shape, bool), facts)


def _blots(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    field = ndimage.gaussian_filter(rng.normal(size=shape), 10)
    return np.asarray(field > np.quantile(field, 0.8))


def _cracks(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Where the nearest two of scattered points are about equally near: edges of plates."""
    from scipy.spatial import cKDTree

    count = shape[0] * shape[1] // 45
    points = rng.uniform((0, 0), shape, (count, 2))
    grid = np.indices(shape).reshape(2, -1).T
    near, _ = cKDTree(points).query(grid, k=2)
    return np.asarray((near[:, 1] - near[:, 0] < 1.0).reshape(shape))
