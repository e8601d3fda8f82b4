"""Ink is learned: boosted trees on the multi-scale features of `multiscale.py`.

Three models each leave out every third band of rows, and predict it. So the threshold is chosen
on predictions of rows that a model has not seen; the test fragment gets the mean of the three.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Array = Any

BAND = 80
"""Rows in a band: about a line of writing."""
FOLDS = 3
EVERY = 7
"""Each how many-th pixel is learned from: neighbours tell nearly the same."""


def main(data: Path, out: Path) -> None:
    """Read the public files in `data` and write the mask `prediction.npy` into `out`."""
    ct, mask = np.load(data / "train_ct.npy"), np.load(data / "train_mask.npy") > 0
    truth = np.load(data / "train_label.npy")[mask] > 0
    test, test_mask = np.load(data / "test_ct.npy"), np.load(data / "test_mask.npy") > 0
    with threadpool_limits(1):  # one thread, so that sums are taken in one order
        seen, unseen = learn(
            features(ct, mask), truth, np.nonzero(mask)[0], features(test, test_mask)
        )
    ink = np.zeros(test.shape, dtype=np.uint8)
    ink[test_mask] = unseen >= choose(seen, truth)
    np.save(out / "prediction.npy", ink)


def learn(table: Array, truth: Array, rows: Array, test: Array) -> tuple[Array, Array]:
    """Return the chance of ink for each training pixel, by a model that has not seen it, and for
    each test pixel."""
    centre, spread = table.mean(axis=0), table.std(axis=0)
    table, test = (table - centre) / spread, (test - centre) / spread
    fold = rows // BAND % FOLDS
    seen, unseen = np.zeros(len(table)), np.zeros(len(test))
    for left_out in range(FOLDS):
        chosen = np.nonzero(fold != left_out)[0][::EVERY]
        model = HistGradientBoostingClassifier(
            max_iter=60,
            learning_rate=0.1,
            max_leaf_nodes=8,
            min_samples_leaf=200,
            l2_regularization=10,
            max_bins=63,
            early_stopping=False,
            random_state=0,
        ).fit(table[chosen], truth[chosen])
        held = fold == left_out
        seen[held] = model.predict_proba(table[held])[:, 1]
        unseen += model.predict_proba(test)[:, 1] / FOLDS
    return seen, unseen


def choose(values: Array, truth: Array) -> float:
    """Return the threshold from which on marking gives the best F0.5 against `truth`."""
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(truth[order])
    return float(values[order[np.argmax(5 * hits / (4 * np.arange(1, len(hits) + 1) + hits[-1]))]])


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
