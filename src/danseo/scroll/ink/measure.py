"""How good a map of ink is: ranking, decision, calibration. Every figure here is over pixels.

All functions take `probability` (any float array) and `ink` (bool, same shape), and `valid` (bool)
where some pixels do not count. An empty or one-sided truth raises `Unfit`: it measures nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Unfit

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

BETA: Final = 0.5
"""F of this beta: a false stroke costs more than a missed one, since it invents letters."""

_BINS: Final = 15


@dataclass(frozen=True, slots=True)
class Score:
    """What one map scores against truth at one threshold, and how well it is calibrated.

    `auc` and `best_f` do not depend on the threshold; `ece` is the expected calibration error
    over fifteen bins of equal width, `brier` the mean square error; `pixels`, `ink` are counts.
    """

    auc: float
    f: float
    threshold: float
    best_f: float
    brier: float
    ece: float
    pixels: int
    ink: int


def score(
    probability: Floats, ink: Bools, valid: Bools | None = None, *, threshold: float
) -> Score:
    """Return every figure of a map at `threshold`, which must come from other data."""
    p, y = _pair(probability, ink, valid)
    return Score(
        auc=auc(p, y),
        f=f_score(p, y, threshold=threshold),
        threshold=threshold,
        best_f=best_threshold(p, y)[1],
        brier=float(np.mean((p - y) ** 2, dtype=np.float64)),
        ece=_calibration_error(p, y),
        pixels=p.size,
        ink=int(y.sum()),
    )


def auc(probability: Floats, ink: Bools, valid: Bools | None = None) -> float:
    """Return the chance that an ink pixel ranks above another, ties counting half. Exact.

    >>> round(auc(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True])), 3)
    0.875
    """
    p, y = _pair(probability, ink, valid)
    with_ink, without = _counts(p, y)
    below = np.cumsum(without) - without
    wins = float(np.sum(with_ink * (below + 0.5 * without)))
    return wins / (float(with_ink.sum()) * float(without.sum()))


def f_score(
    probability: Floats, ink: Bools, valid: Bools | None = None, *, threshold: float
) -> float:
    """Return F0.5 of `probability >= threshold`."""
    p, y = _pair(probability, ink, valid)
    said = p >= threshold
    hits = int(np.count_nonzero(said & y))
    return float(_f(np.array(hits), np.array(said.sum()), int(y.sum())))


def best_threshold(
    probability: Floats, ink: Bools, valid: Bools | None = None
) -> tuple[float, float]:
    """Return the threshold of the highest F0.5, and that F0.5. Use it on validation data only."""
    p, y = _pair(probability, ink, valid)
    levels = np.unique(p)
    with_ink, without = _counts(p, y)
    hits = np.cumsum(with_ink[::-1])[::-1]
    said = hits + np.cumsum(without[::-1])[::-1]
    f = _f(hits, said, int(y.sum()))
    best = int(np.argmax(f))
    return float(levels[best]), float(f[best])


def reliability(
    probability: Floats, ink: Bools, valid: Bools | None = None
) -> list[tuple[float, float, int]]:
    """Return mean probability, share of ink and count of each bin that holds pixels."""
    p, y = _pair(probability, ink, valid)
    which = np.minimum((p * _BINS).astype(np.int64), _BINS - 1)
    count = np.bincount(which, minlength=_BINS)
    said = np.bincount(which, weights=p, minlength=_BINS)
    true = np.bincount(which, weights=y, minlength=_BINS)
    return [
        (float(said[i] / count[i]), float(true[i] / count[i]), int(count[i]))
        for i in range(_BINS)
        if count[i]
    ]


def _calibration_error(p: Floats, y: Bools) -> float:
    table = reliability(p, y)
    return sum(abs(said - true) * n for said, true, n in table) / p.size


def _pair(probability: Floats, ink: Bools, valid: Bools | None) -> tuple[Floats, Bools]:
    """Return both as flat arrays of what counts; raise `Unfit` where they measure nothing."""
    if probability.shape != ink.shape or (valid is not None and valid.shape != ink.shape):
        raise Unfit(
            f"the map is {probability.shape}, the truth {ink.shape}: they are not of one sheet.",
            "Measure a map against the truth of the same surface, one pixel a voxel.",
        )
    p, y = (probability.ravel(), ink.ravel())
    if valid is not None:
        p, y = p[valid.ravel()], y[valid.ravel()]
    if not np.isfinite(p).all():
        raise Unfit("the map holds NaN or infinity.", "Predict it anew.")
    if not y.any() or y.all():
        raise Unfit(
            "the truth holds no ink, or nothing else: neither rank nor F can be measured.",
            "Take a truth with both.",
        )
    return p, y.astype(bool)


def _counts(p: Floats, y: Bools) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many ink and other pixels stand at each distinct level, ascending."""
    _, which = np.unique(p, return_inverse=True)
    total = np.bincount(which)
    with_ink = np.bincount(which[y], minlength=len(total))
    return with_ink, total - with_ink


def _f(
    hits: npt.NDArray[np.int64], said: npt.NDArray[np.int64], true: int
) -> npt.NDArray[np.float64]:
    """Return F of beta from hits, positives said and positives true: (1+b2) h / (b2 t + s)."""
    squared = BETA**2
    return np.asarray((1 + squared) * hits / (squared * true + said))
