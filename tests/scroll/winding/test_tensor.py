"""Reducing a volume to cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Unfit
from danseo.scroll.winding import tensor
from danseo.scroll.winding.tensor import cell_size, find_window, reduce_volume
from tests.scroll.winding.rolls import save


def _plates(shape: tuple[int, int, int], normal: np.ndarray, pitch: float = 20.0) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    depth = (x * normal[0] + y * normal[1] + z * normal[2]) % pitch - pitch / 2
    sheet = np.clip(7.5 - np.abs(depth) + 0.5, 0, 1)
    noise = np.random.default_rng(0).normal(0, 10, shape)
    return np.clip(60 + 120 * sheet + noise, 0, 255).astype(np.uint8)


def test_normals_are_those_of_the_plates(tmp_path: Path) -> None:
    normal = np.array([0.6, 0.64, 0.48])
    volume = save(tmp_path, _plates((64, 64, 64), normal))
    cells = reduce_volume(volume, 4, find_window(volume))
    cosine = np.abs(np.tensordot(normal, cells.normal / 32767.0, 1))[2:-2, 2:-2, 2:-2]
    assert np.quantile(cosine, 0.05) > np.cos(np.radians(4))
    assert np.median(cells.coherence) > 0.8


def test_tiles_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = save(tmp_path, _plates((72, 72, 72), np.array([0.8, 0.6, 0.0])))
    window = find_window(volume)
    whole = reduce_volume(volume, 4, window)
    monkeypatch.setattr(tensor, "TILE", 7)
    tiled = reduce_volume(volume, 4, window)
    assert np.array_equal(whole.fine, tiled.fine)
    assert np.abs(whole.coherence - tiled.coherence).max() < 1e-4


def test_two_processes_and_a_scratch_folder_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = save(tmp_path, _plates((64, 48, 48), np.array([1.0, 0.0, 0.0])))
    window = find_window(volume)
    alone = reduce_volume(volume, 4, window)
    shared = reduce_volume(volume, 4, window, scratch=tmp_path / "scratch")
    assert np.array_equal(alone.normal, shared.normal)
    monkeypatch.setattr(tensor, "reduce_tile", None)
    again = reduce_volume(volume, 4, window, scratch=tmp_path / "scratch")
    assert np.array_equal(alone.fine, again.fine)


def test_a_cell_is_about_a_quarter_of_a_sheet() -> None:
    assert [cell_size(um, 120.0) for um in (7.91, 3.24, 2.0, 60.0)] == [4, 8, 16, 2]


def test_a_constant_volume_is_refused_with_its_value(tmp_path: Path) -> None:
    volume = save(tmp_path, np.full((32, 32, 32), 77, np.uint8))
    with pytest.raises(Unfit, match="77 wherever"):
        find_window(volume)
