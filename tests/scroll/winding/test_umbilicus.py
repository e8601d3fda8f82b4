"""The axis, and volumes that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Unfit
from danseo.scroll.winding.sheets import Options, segment
from danseo.scroll.winding.tensor import find_window, reduce_volume
from danseo.scroll.winding.umbilicus import find_umbilicus
from tests.scroll.winding.rolls import Roll, save


def test_an_axis_that_is_not_in_the_middle_is_found(rolled) -> None:
    roll, volume = rolled
    axis = find_umbilicus(reduce_volume(volume, 4, find_window(volume)))
    assert np.abs(axis.x - roll.axis[0]).max() < 3
    assert np.abs(axis.y - roll.axis[1]).max() < 3
    assert axis.agreement > 0.95


def test_an_axis_that_wanders_is_followed(tmp_path: Path) -> None:
    slices = [
        Roll(shape=(1, 240, 240), axis=(100 + z / 8, 120), turns=3.0).density(z)[0]
        for z in range(160)
    ]
    volume = save(tmp_path, np.stack(slices))
    axis = find_umbilicus(reduce_volume(volume, 4, find_window(volume)))
    assert axis.x[-5] - axis.x[4] == pytest.approx(31 * 4 / 8, abs=3)


def test_noise_has_no_umbilicus(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 64)).astype(np.uint8)
    with pytest.raises(Unfit, match=r"look like a sheet|No umbilicus|sheets were crossed"):
        segment(save(tmp_path, noise))


def test_flat_sheets_do_not_go_round(tmp_path: Path) -> None:
    x = np.arange(160)
    plates = 60 + 120 * (x % 20 < 15)
    with pytest.raises(Unfit, match=r"go round an umbilicus|No umbilicus"):
        segment(save(tmp_path, np.tile(plates.astype(np.uint8), (48, 160, 1))))


def test_a_volume_beside_the_axis_is_refused_with_where_the_axis_is(tmp_path: Path) -> None:
    beside = Roll(shape=(32, 320, 320)).density()[:, :, 190:]
    with pytest.raises(Unfit, match=r"best axis is at x=-\d+"):
        segment(save(tmp_path, np.ascontiguousarray(beside)))


def test_rings_are_no_roll(tmp_path: Path) -> None:
    y, x = np.mgrid[:256, :256] - 127.5
    r = np.hypot(x, y)
    rings = 60 + 120 * (((r - 36) % 20 < 15) & (r > 36) & (r < 116))
    noise = np.random.default_rng(0).normal(0, 10, (32, 256, 256))
    with pytest.raises(Unfit, match="windings for each time round"):
        segment(save(tmp_path, np.clip(rings + noise, 0, 255).astype(np.uint8)))


def test_a_single_turn_is_too_few(tmp_path: Path) -> None:
    short = Roll(shape=(32, 160, 160), axis=(80.0, 80.0), turns=1.0)
    with pytest.raises(Unfit, match=r"at least|sheets were crossed|each time round"):
        segment(save(tmp_path, short.density()), Options(sense=1))
