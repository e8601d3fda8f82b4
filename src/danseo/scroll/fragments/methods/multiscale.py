"""A tool: what a pixel's surroundings look like at many scales, as numbers to learn from.

    table = features(ct, mask)      # one row for each papyrus pixel

It predicts nothing by itself, so no score can see it.
"""

from typing import Any

import numpy as np
from scipy import ndimage

Array = Any


def blur(values: Array, weight: Array, sigma: float | tuple[float, float]) -> Array:
    """Return the Gaussian mean of `values` over the papyrus alone (`weight` 1, elsewhere 0)."""
    spread = ndimage.gaussian_filter(weight, sigma)
    return ndimage.gaussian_filter(values * weight, sigma) / np.maximum(spread, 1e-6)


def features(ct: Array, mask: Array) -> Array:
    """Return 31 features of each papyrus pixel, as (pixels of `mask` in row order) x 31.

    Brightness about the fragment's median, in its deviations: as it is and blurred at eight
    scales, its spread at three, spots and ridges of stroke width at three, how much darkness is
    near at four, and blurs along and across the fibres.
    """
    weight = mask.astype(float)
    inside = ct[mask].astype(float)
    z = np.where(mask, (ct - np.median(inside)) / inside.std(), 0)
    found = [z] + [blur(z, weight, sigma) for sigma in (1, 2, 3, 5, 8, 12, 20, 32)]
    for sigma in (2, 4, 8):
        square = blur(z * z, weight, sigma) - blur(z, weight, sigma) ** 2
        found.append(np.sqrt(np.maximum(square, 0)))
    for width in (1.5, 3.0, 6.0):
        across = ndimage.gaussian_filter(z, width, (0, 2))
        down = ndimage.gaussian_filter(z, width, (2, 0))
        slant = ndimage.gaussian_filter(z, width, (1, 1))
        half, root = (across + down) / 2, np.sqrt((across - down) ** 2 / 4 + slant**2)
        found += [half * 2 * width**2, half + root, half - root]
    dark = np.clip(-z - 1, 0, 3)
    found += [blur(dark, weight, sigma) for sigma in (3, 6, 10, 16)]
    for fibre in ((1, 6), (6, 1), (2, 12), (12, 2), (3, 40), (6, 80)):
        found.append(blur(z, weight, fibre))
    return np.stack([one[mask] for one in found], axis=-1)
