"""Figures of a map of ink against truth."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from danseo.core.errors import Unfit
from danseo.scroll.ink import measure


@pytest.fixture
def guess() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    ink = rng.random((60, 80)) < 0.2
    p = np.clip(0.3 * ink + 0.7 * rng.random((60, 80)), 0, 1)
    return np.round(p, 2), ink


def test_auc_is_that_of_scikit_learn_with_ties(guess: tuple[np.ndarray, np.ndarray]) -> None:
    p, ink = guess
    assert measure.auc(p, ink) == pytest.approx(metrics.roc_auc_score(ink.ravel(), p.ravel()))


def test_f_is_that_of_scikit_learn(guess: tuple[np.ndarray, np.ndarray]) -> None:
    p, ink = guess
    other = metrics.fbeta_score(ink.ravel(), (p >= 0.5).ravel(), beta=0.5)
    assert measure.f_score(p, ink, threshold=0.5) == pytest.approx(other)


def test_no_threshold_beats_the_best_one(guess: tuple[np.ndarray, np.ndarray]) -> None:
    p, ink = guess
    threshold, best = measure.best_threshold(p, ink)
    assert best == measure.f_score(p, ink, threshold=threshold)
    assert best == max(measure.f_score(p, ink, threshold=t) for t in np.unique(p))


def test_what_is_not_valid_does_not_count(guess: tuple[np.ndarray, np.ndarray]) -> None:
    p, ink = guess
    valid = np.zeros_like(ink)
    valid[:, :40] = True
    wrong = np.where(valid, p, 1 - ink)
    assert measure.auc(wrong, ink, valid) == measure.auc(p[:, :40], ink[:, :40])
    assert measure.auc(wrong, ink) < measure.auc(wrong, ink, valid)


def test_a_calibrated_map_has_little_calibration_error_and_a_bold_one_much() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(200_000)
    ink = rng.random(200_000) < p
    assert measure.score(p, ink, threshold=0.5).ece < 0.01
    bold = np.clip((p - 0.5) * 3 + 0.5, 0, 1)
    assert measure.score(bold, ink, threshold=0.5).ece > 0.1


def test_a_random_map_ranks_no_better_than_chance() -> None:
    rng = np.random.default_rng(2)
    ink = rng.random(100_000) < 0.1
    assert measure.auc(rng.random(100_000), ink) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("ink", [np.zeros((4, 4), bool), np.ones((4, 4), bool)])
def test_a_truth_of_one_kind_measures_nothing(ink: np.ndarray) -> None:
    with pytest.raises(Unfit, match="neither rank nor F"):
        measure.auc(np.zeros((4, 4)), ink)


def test_a_map_of_another_shape_is_refused() -> None:
    with pytest.raises(Unfit, match="not of one sheet"):
        measure.auc(np.zeros((4, 5)), np.eye(4, dtype=bool))


def test_a_map_with_nan_is_refused() -> None:
    p = np.zeros((4, 4))
    p[0, 0] = np.nan
    with pytest.raises(Unfit, match="NaN"):
        measure.auc(p, np.eye(4, dtype=bool))
