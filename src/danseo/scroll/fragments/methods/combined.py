"""Ink is where several ways to see it agree: the mean rank of smoothed scores.

Local darkness (`local.py`), boosted trees (`learned.py`) and a linear model on the same features
err in different places. Each score is smoothed within a stroke and turned into its rank among the
fragment's pixels, so that no unit and no fragment's light counts. How much to smooth, and
whether local darkness joins in, is chosen with the threshold, on the training fragment.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Array = Any

AROUND = 141
GRAINS = (1.0, 2.0, 3.0, 4.0)
"""Pixels: the sigmas of smoothing to choose from."""
VIEWS = ((0, 1, 2), (1, 2))
"""Which scores to average, to choose from: 0 local darkness, 1 trees, 2 linear."""
BAND = 80
FOLDS = 3
EVERY = 7


def main(data: Path, out: Path) -> None:
    """Read the public files in `data` and write the mask `prediction.npy` into `out`."""
    ct, mask = np.load(data / "train_ct.npy"), np.load(data / "train_mask.npy") > 0
    truth = np.load(data / "train_label.npy")[mask] > 0
    test, test_mask = np.load(data / "test_ct.npy"), np.load(data / "test_mask.npy") > 0
    with threadpool_limits(1):  # one thread, so that sums are taken in one order
        scores, test_scores = score(ct, mask, truth, test, test_mask)
    ways = []
    for grain in GRAINS:
        ranked = ranks(scores, mask, grain)
        ways += [(*choose(mean(ranked, views), truth), grain, views) for views in VIEWS]
    _, threshold, grain, views = max(ways)
    ink = np.zeros(test.shape, dtype=np.uint8)
    ink[test_mask] = mean(ranks(test_scores, test_mask, grain), views) >= threshold
    np.save(out / "prediction.npy", ink)


def score(
    ct: Array, mask: Array, truth: Array, test: Array, test_mask: Array
) -> tuple[list[Array], list[Array]]:
    """Return three scores for each pixel of the training and of the test fragment."""
    table, unseen = features(ct, mask), features(test, test_mask)
    rows = np.nonzero(mask)[0]
    trees = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=200,
        l2_regularization=10,
        max_bins=63,
        early_stopping=False,
        random_state=0,
    )
    line = LogisticRegression(C=0.01, max_iter=200)
    learned = [learn(model, table, truth, rows, unseen) for model in (trees, line)]
    return (
        [local(ct, mask), *(pair[0] for pair in learned)],
        [local(test, test_mask), *(pair[1] for pair in learned)],
    )


def local(ct: Array, mask: Array) -> Array:
    """Return by how much each papyrus pixel is darker than the papyrus around it."""
    weight = mask.astype(float)
    around = ndimage.uniform_filter(ct * weight, AROUND)
    darker: Array = (around / np.maximum(ndimage.uniform_filter(weight, AROUND), 1e-9) - ct)[mask]
    return darker


def learn(model: Any, table: Array, truth: Array, rows: Array, test: Array) -> tuple[Array, Array]:
    """Return the chance of ink for each training pixel, by a model that has not seen it, and for
    each test pixel."""
    centre, spread = table.mean(axis=0), table.std(axis=0)
    table, test = (table - centre) / spread, (test - centre) / spread
    fold = rows // BAND % FOLDS
    seen, unseen = np.zeros(len(table)), np.zeros(len(test))
    for left_out in range(FOLDS):
        chosen = np.nonzero(fold != left_out)[0][::EVERY]
        model.fit(table[chosen], truth[chosen])
        held = fold == left_out
        seen[held] = model.predict_proba(table[held])[:, 1]
        unseen += model.predict_proba(test)[:, 1] / FOLDS
    return seen, unseen


def ranks(scores: list[Array], mask: Array, grain: float) -> list[Array]:
    """Return for each score the rank of each pixel, from 0 to 1, after smoothing."""
    weight, found = mask.astype(float), []
    for one in scores:
        sheet = np.zeros(mask.shape)
        sheet[mask] = one
        order = np.argsort(blur(sheet, weight, grain)[mask], kind="stable")
        rank = np.empty(len(order))
        rank[order] = np.arange(len(order)) / len(order)
        found.append(rank)
    return found


def mean(ranked: list[Array], views: tuple[int, ...]) -> Array:
    """Return the mean of the ranks that `views` names."""
    return sum(ranked[view] for view in views) / len(views)


def choose(values: Array, truth: Array) -> tuple[float, float]:
    """Return the best F0.5 against `truth`, and the threshold from which on marking gives it."""
    order = np.argsort(-values, kind="stable")
    hits = np.cumsum(truth[order])
    scores = 5 * hits / (4 * np.arange(1, len(hits) + 1) + hits[-1])
    best = int(np.argmax(scores))
    return float(scores[best]), float(values[order[best]])


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
