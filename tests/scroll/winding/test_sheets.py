"""The whole way from a volume to its sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Usage
from danseo.scroll.surface import normals
from danseo.scroll.volume import open_volume
from danseo.scroll.winding.measure import compare
from danseo.scroll.winding.sheets import Options, segment
from tests.scroll.winding.rolls import Roll, save


def test_an_undisturbed_spiral_is_found_whole(rolled, found) -> None:
    roll, _ = rolled
    surface, report = found
    match = compare(surface, roll.surface())
    assert report.sense == roll.sense
    assert match.coverage > 0.98
    assert match.wrong == 0.0
    assert match.switched == 0.0
    assert match.median < 0.4
    assert abs(report.windings - roll.turns) < 0.15


def test_columns_grow_with_the_angle_and_normals_point_outward(rolled, found) -> None:
    roll, _ = rolled
    surface, _ = found
    outward = surface.xyz[..., :2] - np.array(roll.axis, np.float32)
    theta = np.arctan2(outward[..., 1], outward[..., 0]) / (2 * np.pi)
    assert np.nanmax(np.abs((surface.winding - theta + 0.5) % 1 - 0.5)) < 0.02
    assert np.nanmin(np.diff(surface.winding, axis=1)) > 0
    cosine = (normals(surface.xyz)[..., :2] * outward).sum(-1) / np.linalg.norm(outward, axis=-1)
    # The very ends of the sheet bend a little: there is papyrus on one side only.
    assert np.nanmin(cosine) > 0.6
    assert np.nanquantile(cosine, 0.01) > 0.95


def test_a_reversed_stack_that_says_so_gives_the_same_bytes(rolled, found, tmp_path: Path) -> None:
    roll, _ = rolled
    surface, report = found
    np.save(tmp_path / "back.npy", roll.density()[::-1])
    back, told = segment(open_volume(tmp_path / "back.npy", voxel_um=7.91, axes="-zyx"))
    assert told.sense == report.sense
    assert surface.xyz.tobytes() == back.xyz.tobytes()


def test_a_mirrored_stack_turns_the_other_way(rolled, tmp_path: Path) -> None:
    roll, _ = rolled
    _, report = segment(save(tmp_path, np.ascontiguousarray(roll.density()[:, :, ::-1])))
    assert report.sense == -roll.sense


def test_a_torn_piece_is_a_hole_of_that_size(tmp_path: Path) -> None:
    roll = Roll()
    density = roll.density()
    # The outermost turn is torn from the upper half, in a wedge.
    y, x = np.mgrid[:320, :320].astype(float)
    x, y = x - roll.axis[0], y - roll.axis[1]
    wedge = (np.abs(np.arctan2(y, x) - 1.5) < 0.25) & (np.hypot(x, y) > 95)
    density[:24, wedge] = 60
    surface, _ = segment(save(tmp_path, density))
    match = compare(surface, roll.surface())
    hole = surface.valid[:5].mean(), surface.valid[-5:].mean()
    assert hole[1] > 0.99
    assert 0.93 < hole[0] < 0.98
    assert match.wrong == 0.0


def test_options_that_make_no_sense_are_refused() -> None:
    for wrong in ({"thickness_um": 0.0}, {"sense": 2}, {"torn_below": 1.5}, {"step": -1.0}):
        with pytest.raises(Usage):
            Options(**wrong)
