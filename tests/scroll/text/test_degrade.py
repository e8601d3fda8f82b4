"""Worn maps are as poor as an ink network's, and no poorer than asked."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from danseo.scroll.lettering import page
from danseo.scroll.text.degrade import degrade, draw_wear


def test_harder_wear_gives_poorer_maps() -> None:
    sheet = page("ΑΒΓΔΕΖΗΘΙΚΛΜ", 120, 500, 40, np.random.default_rng(1), "DejaVu Sans")

    def auc(hardness: float) -> float:
        rngs = [np.random.default_rng(seed) for seed in range(8)]
        maps = [degrade(sheet.mask, 40, draw_wear(rng, hardness), rng) for rng in rngs]
        assert all(m.dtype == np.float32 and m.min() >= 0 and m.max() <= 1 for m in maps)
        return float(np.mean([roc_auc_score(sheet.mask.ravel(), m.ravel()) for m in maps]))

    clear, poor = auc(0.0), auc(1.0)
    assert clear > 0.99
    assert 0.85 < poor < 0.97


def test_the_same_seed_wears_alike() -> None:
    mask = np.zeros((40, 60), np.bool_)
    one, two = (
        degrade(mask, 20, draw_wear(rng), rng)
        for rng in (np.random.default_rng(4), np.random.default_rng(4))
    )
    assert np.array_equal(one, two)
    assert float(one.mean()) == pytest.approx(0, abs=0.5)
