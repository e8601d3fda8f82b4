"""Phantoms as input of *Read the ink*: ink is there, and brightness does not give it away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from danseo.scroll.fragments import rolled


def test_a_phantom_becomes_a_fragment_with_ink_that_stands_out_a_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(rolled, "_SIDES", (176, 144, 144))
    found = rolled._fragment(tmp_path / "phantom.zarr", 0, 41)
    assert found.ct.shape == found.mask.shape == found.label.shape
    assert found.ct.shape[0] == 176
    assert 0.02 < found.label.mean() < 0.3
    assert not found.label[~found.mask].any()
    assert (found.ct[found.mask] > 0).all()
    inked, blank = found.ct[found.label], found.ct[found.mask & ~found.label]
    assert inked.mean() < blank.mean()
    overlap = float((np.sort(blank)[:: max(1, len(blank) // 999)] < inked.mean()).mean())
    assert overlap > 0.1, "were no papyrus as dark as ink, one threshold would do"
    assert list(tmp_path.iterdir()) == []
