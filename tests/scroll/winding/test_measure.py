"""The measures, on truths that were spoiled by a known amount."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from danseo.core.errors import Usage
from danseo.scroll.surface import Surface, normals
from danseo.scroll.winding.measure import compare
from tests.scroll.winding.rolls import Roll


@pytest.fixture(scope="module")
def true() -> Surface:
    return Roll().surface()


def test_the_truth_itself_is_perfect(true: Surface) -> None:
    match = compare(true, true)
    assert (match.coverage, match.wrong, match.switched, match.stray) == (1.0, 0.0, 0.0, 0.0)
    assert match.median < 1e-4


def test_whole_turns_in_common_do_not_count(true: Surface) -> None:
    match = compare(replace(true, winding=true.winding - 7), true)
    assert (match.wrong, match.switched) == (0.0, 0.0)


def test_a_shift_outward_is_the_distance(true: Surface) -> None:
    shifted = true.xyz + 1.5 * np.nan_to_num(normals(true.xyz))
    match = compare(replace(true, xyz=shifted), true)
    assert match.median == pytest.approx(1.5, abs=0.05)
    assert match.coverage > 0.99


def test_a_shift_by_half_a_pitch_finds_no_sheet(true: Surface) -> None:
    shifted = true.xyz + 10 * np.nan_to_num(normals(true.xyz))
    match = compare(replace(true, xyz=shifted), true)
    assert match.coverage < 0.01
    assert match.stray > 0.99


def test_a_block_that_jumps_to_the_next_winding_is_wrong_and_its_seam_is_switched(
    true: Surface,
) -> None:
    rows, columns = true.shape
    winding = true.winding.copy()
    winding[:, 200:260] += 1
    match = compare(replace(true, winding=winding), true)
    assert match.wrong == pytest.approx(60 / columns, abs=1e-6)
    edges = (rows - 1) * columns + rows * (columns - 1)
    assert match.switched == pytest.approx(2 * rows / edges, abs=1e-6)


def test_a_sheet_that_is_left_out_is_not_covered(true: Surface) -> None:
    xyz = true.xyz.copy()
    xyz[:, : true.shape[1] // 4] = np.nan
    match = compare(replace(true, xyz=xyz), true)
    assert match.coverage == pytest.approx(0.75, abs=0.01)
    assert match.wrong == 0.0


def test_what_is_torn_need_not_be_covered(true: Surface) -> None:
    there = np.ones(true.shape, bool)
    there[:, : true.shape[1] // 4] = False
    xyz = true.xyz.copy()
    xyz[~there] = np.nan
    assert compare(replace(true, xyz=xyz), true, there).coverage > 0.99


def test_surfaces_without_winding_or_points_are_refused(true: Surface) -> None:
    with pytest.raises(Usage, match="total angles"):
        compare(replace(true, winding=None), true)
    with pytest.raises(Usage, match="no point"):
        compare(replace(true, xyz=np.full_like(true.xyz, np.nan)), true)
