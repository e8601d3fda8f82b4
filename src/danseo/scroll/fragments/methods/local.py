"""Ink is darker than its surroundings: take away the local mean, even out the grain, threshold."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

Array = Any

AROUND = 141
"""Pixels across the box of the local mean: more than a line of writing is high."""
GRAIN = 2.0
"""Pixels: the sigma of the smoothing, well below the width of a stroke."""


def main(data: Path, out: Path) -> None:
    """Read the public files in `data` and write the mask `prediction.npy` into `out`."""
    mask = np.load(data / "train_mask.npy") > 0
    truth = np.load(data / "train_label.npy")[mask] > 0
    threshold = choose(darkness(np.load(data / "train_ct.npy"), mask)[mask], truth)
    test_mask = np.load(data / "test_mask.npy") > 0
    dark = darkness(np.load(data / "test_ct.npy"), test_mask)
    np.save(out / "prediction.npy", ((dark >= threshold) & test_mask).astype(np.uint8))


def darkness(ct: Array, mask: Array) -> Array:
    """Return by how many grey levels each pixel is darker than the papyrus around it."""
    weight = mask.astype(float)
    around = ndimage.uniform_filter(ct * weight, AROUND)
    mean = around / np.maximum(ndimage.uniform_filter(weight, AROUND), 1e-9)
    smooth = ndimage.gaussian_filter((mean - ct) * weight, GRAIN)
    return smooth / np.maximum(ndimage.gaussian_filter(weight, GRAIN), 1e-9)


def choose(values: Array, truth: Array) -> float:
    """Return the threshold from which on marking gives the best F0.5 against `truth`."""
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(truth[order])
    return float(values[order[np.argmax(5 * hits / (4 * np.arange(1, len(hits) + 1) + hits[-1]))]])
