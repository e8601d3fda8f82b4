"""From a sheet in the volume to the plane: lengths, the reader's view, holes, parts and bands."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core.errors import Usage
from danseo.scroll.flatten import Distortion, Options, flatten, turned_round
from danseo.scroll.surface import Surface, check, handedness, read_surface

REAL = Path(os.environ.get("DANSEO_DATA", "/nowhere")) / "scroll" / "tifxyz"
TRUE_LENGTHS = Options(upright=0)


def roll(rows: int = 24, columns: int = 120, step: float = 4.0, cone: float = 0.0) -> Surface:
    """Return a spiral about z with points at equal steps along it; `cone` widens it downwards."""
    tau = np.linspace(0, 12 * np.pi, 60_001)
    radius = 30 + 3 * tau
    x, y = radius * np.cos(tau), radius * np.sin(tau)
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    at = np.interp(np.arange(columns) * step, length, tau)
    r = (30 + 3 * at) * (1 + cone * np.arange(rows)[:, None] * step)
    z = np.broadcast_to(np.arange(rows)[:, None] * step, r.shape)
    xyz = np.stack([200 + r * np.cos(at), 200 + r * np.sin(at), z], axis=2)
    winding = np.broadcast_to(at / (2 * np.pi), r.shape)
    return Surface(xyz.astype(np.float32), winding.astype(np.float32), step, 7.91)


def bumpy(size: float, rows: int = 40, columns: int = 100) -> Surface:
    """Return a roll that no plane can hold: pushed in and out in waves."""
    sheet = roll(rows, columns)
    turn = sheet.winding * 2 * np.pi  # type: ignore[operator]
    i, j = np.mgrid[:rows, :columns]
    push = size * np.sin(i / 6) * np.sin(j / 7)
    xyz = sheet.xyz + np.stack([push * np.cos(turn), push * np.sin(turn), 0 * push], axis=2)
    return Surface(xyz.astype(np.float32), sheet.winding, sheet.step, sheet.voxel_um)


def steps(surface: Surface) -> np.ndarray:
    """Return the distances between neighbours of a grid, both ways."""
    ways = [np.linalg.norm(np.diff(surface.xyz, axis=a), axis=2).ravel() for a in (0, 1)]
    found = np.concatenate(ways)
    return found[np.isfinite(found)]


def test_a_roll_comes_out_on_the_grid_that_it_was_made_on() -> None:
    sheet = roll()
    flat, distortion = flatten(sheet)
    assert distortion.energy == pytest.approx(4, abs=1e-6)
    assert flat.shape[0] == sheet.shape[0]
    assert abs(flat.shape[1] - sheet.shape[1]) <= 1
    width = flat.shape[1]
    np.testing.assert_allclose(flat.xyz, sheet.xyz[:, :width], atol=0.3)
    np.testing.assert_allclose(flat.winding, sheet.winding[:, :width], atol=2e-3)  # type: ignore[index]
    assert (distortion.flips, distortion.islands, distortion.overlaps) == (0, 1, 0)


def test_steps_of_the_plane_are_equal_lengths_on_the_sheet() -> None:
    sheet = roll(cone=0.003)
    flat, distortion = flatten(sheet, Options(step=3.0, upright=0))
    assert flat.step == 3.0
    assert distortion.energy < 4 + 1e-4
    assert len(steps(flat)) > 2000
    np.testing.assert_allclose(steps(flat), 3.0, rtol=0.03)
    assert np.median(np.abs(steps(flat) / 3 - 1)) < 1e-3
    assert steps(sheet).std() > 10 * steps(flat).std()


@settings(max_examples=8, deadline=None)
@given(
    st.floats(0, 0.004),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.floats(-500, 500),
)
def test_moving_the_sheet_about_its_axis_changes_nothing_in_the_plane(
    cone: float, turn: tuple[float, float, float], shift: float
) -> None:
    sheet = dataclasses.replace(roll(16, 60, cone=cone), winding=None)
    angle = turn[0]
    about_z = np.array(
        [[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    moved = Surface(
        (sheet.xyz @ about_z + [shift, *turn[1:]]).astype(np.float32), None, sheet.step, 7.91
    )
    here, one = flatten(sheet, TRUE_LENGTHS)
    there, two = flatten(moved, TRUE_LENGTHS)
    assert one.energy == pytest.approx(two.energy, abs=1e-6)
    assert one.energy < 4 + 1e-4
    rows, columns = (min(a, b) for a, b in zip(here.shape, there.shape, strict=True))
    expected = here.xyz[:rows, :columns] @ about_z + [shift, *turn[1:]]
    off = np.linalg.norm(there.xyz[:rows, :columns] - expected, axis=2)
    assert np.isfinite(off).mean() > 0.6
    assert np.nanmax(off) < 0.01


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("known", [True, False])
def test_the_page_is_never_mirrored_nor_upside_down(rows: int, columns: int, known: bool) -> None:
    sheet = roll(cone=0.002)
    winding = sheet.winding[::rows, ::columns] if known and sheet.winding is not None else None
    flat, distortion = flatten(Surface(sheet.xyz[::rows, ::columns], winding, 4.0, 7.91))
    assert distortion.mirrored == (rows * columns < 0)
    assert handedness(flat) == 1
    assert np.nanmean(np.diff(flat.xyz[..., 2], axis=0)) > 3.7


def test_a_low_strip_runs_straight_though_it_could_bend_for_less() -> None:
    sheet = roll(16, 240)
    turn = sheet.winding * 2 * np.pi  # type: ignore[operator]
    rows = np.arange(16)[:, None] - 7.5
    # The lower rows are longer than the upper here, and shorter there.
    push = 0.3 * rows * np.sin(np.arange(240) / 40)
    xyz = sheet.xyz + np.stack([push * np.cos(turn), push * np.sin(turn), 0 * push], axis=2)
    bent = Surface(xyz.astype(np.float32), sheet.winding, sheet.step, sheet.voxel_um)
    straight, held = flatten(bent)
    free, loose = flatten(bent, TRUE_LENGTHS)
    assert straight.shape[0] <= 17
    assert free.shape[0] >= straight.shape[0] + 3
    assert loose.energy < held.energy < 4.01


def test_a_sheet_that_no_plane_can_hold_is_flattened_without_a_flip() -> None:
    flat, distortion = flatten(bumpy(6.0))
    assert distortion.flips == 0
    assert 4.001 < distortion.energy < 4.1
    assert distortion.area_most >= distortion.area_mean > 0
    assert distortion.angle_most >= distortion.angle_mean > 0
    assert np.nanmean(distortion.excess) == pytest.approx(distortion.energy - 4, rel=0.1)
    assert distortion.excess.shape == flat.shape
    np.testing.assert_array_equal(np.isfinite(distortion.excess), flat.valid)


@pytest.mark.parametrize("noise", [0.8, 2.0])
def test_a_wildly_noisy_mesh_still_has_no_flip(noise: float) -> None:
    sheet = roll()
    rough = sheet.xyz + np.random.default_rng(3).normal(0, noise, sheet.xyz.shape)
    _flat, distortion = flatten(dataclasses.replace(sheet, xyz=rough.astype(np.float32)))
    assert distortion.flips == 0
    assert np.isfinite(distortion.energy)


def test_a_hole_stays_a_hole_of_its_size() -> None:
    sheet = roll()
    sheet.xyz[8:15, 40:60] = np.nan
    flat, distortion = flatten(sheet)
    assert distortion.energy < 4 + 1e-5
    missing = ~flat.valid[:, : flat.shape[1] - 1]
    assert missing.sum() == pytest.approx(7 * 20, abs=8)
    assert missing[8:15, 41:59].all()


@pytest.mark.parametrize("known", [True, False])
def test_parts_keep_their_place_along_the_sheet(known: bool) -> None:
    whole = roll()
    torn = roll()
    torn.xyz[:, 50:58] = np.nan
    torn.xyz[11:13, 58:] = np.nan
    torn = dataclasses.replace(torn, winding=torn.winding if known else None)
    flat, distortion = flatten(torn)
    assert distortion.islands == 3
    assert distortion.overlaps == 0
    assert flat.shape[0] == whole.shape[0]
    assert abs(flat.shape[1] - whole.shape[1]) <= 1
    off = np.linalg.norm(flat.xyz - whole.xyz[:, : flat.shape[1]], axis=2)
    assert np.isfinite(off).mean() > 0.8
    assert np.nanmedian(off) < 0.3
    assert np.nanmax(off) < 3.0


def test_parts_of_a_shifted_grid_are_placed_by_total_angle() -> None:
    whole = roll()
    xyz = np.full((whole.shape[0], whole.shape[1] + 20, 3), np.nan, np.float32)
    winding = np.full(xyz.shape[:2], np.nan, np.float32)
    xyz[:, :70], winding[:, :70] = whole.xyz[:, :70], whole.winding[:, :70]  # type: ignore[index]
    xyz[:, 90:], winding[:, 90:] = whole.xyz[:, 70:], whole.winding[:, 70:]  # type: ignore[index]
    flat, distortion = flatten(Surface(xyz, winding, whole.step, whole.voxel_um))
    assert distortion.islands == 2
    assert abs(flat.shape[1] - whole.shape[1]) <= 2


@pytest.mark.parametrize("make", [roll, lambda: bumpy(3.0), lambda: bumpy(8.0)])
def test_bands_give_what_one_solve_gives(make: Callable[[], Surface]) -> None:
    sheet = make()
    sheet.xyz[5:9, 40:44] = np.nan
    one, whole = flatten(sheet)
    many, banded = flatten(sheet, Options(band=1000, overlap=16))
    assert whole.bands == 1
    assert banded.bands > 2
    assert banded.islands == 1
    assert banded.flips == 0
    assert banded.energy - 4 < 1.1 * (whole.energy - 4) + 1e-6
    rows, columns = (min(a, b) for a, b in zip(one.shape, many.shape, strict=True))
    off = np.linalg.norm(one.xyz[:rows, :columns] - many.xyz[:rows, :columns], axis=2)
    assert np.nanmedian(off) < 0.5


def test_what_hangs_together_only_in_a_later_band_is_joined_there() -> None:
    sheet = roll()
    sheet.xyz[11:13, :90] = np.nan
    _flat, distortion = flatten(sheet, Options(band=1000, overlap=16))
    assert distortion.bands > 2
    assert distortion.islands == 1
    assert distortion.energy < 4 + 1e-4


def test_progress_runs_from_nothing_to_done() -> None:
    told: list[float] = []
    flatten(bumpy(3.0), progress=lambda part, words: told.append(part) if words else None)
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1
    assert len(told) > 5


def test_the_same_surface_gives_the_same_plane() -> None:
    (one, a), (two, b) = flatten(bumpy(5.0)), flatten(bumpy(5.0))
    np.testing.assert_array_equal(one.xyz, two.xyz)
    assert dict(a.figures(), seconds=0) == dict(b.figures(), seconds=0)


def _fold(xyz: np.ndarray) -> None:
    xyz[:, 60] = 2 * xyz[:, 59] - xyz[:, 60]


def _merge(xyz: np.ndarray) -> None:
    xyz[5:7, 30:33] = xyz[5, 30]


def _touch(xyz: np.ndarray) -> None:
    xyz[:, 100] = xyz[:, 20]


def _pepper(xyz: np.ndarray) -> None:
    xyz[np.random.default_rng(0).random(xyz.shape[:2]) < 0.3] = np.nan


@pytest.mark.parametrize("harm", [_fold, _merge, _touch, _pepper])
def test_a_bad_mesh_gives_a_plane_without_flips_or_a_stated_fault(
    harm: Callable[[np.ndarray], None],
) -> None:
    sheet = roll()
    harm(sheet.xyz)
    assert check(sheet) != []
    flat, distortion = flatten(sheet)
    assert distortion.flips == 0
    assert np.isfinite(distortion.energy)
    assert flat.valid.any()


def test_triangles_without_a_shape_are_counted() -> None:
    sheet = roll()
    _merge(sheet.xyz)
    assert flatten(sheet)[1].thin >= 4
    assert flatten(roll())[1].thin == 0


def test_a_winding_that_is_unknown_here_and_there_is_unknown_there() -> None:
    sheet = roll()
    sheet.winding[:, 30:40] = np.nan  # type: ignore[index]
    flat, _distortion = flatten(sheet)
    assert flat.winding is not None
    assert np.isnan(flat.winding[:, 31:39]).all()
    assert np.isfinite(flat.winding[:, 42:-1]).all()


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (1, 1)])
def test_a_single_row_or_column_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(Usage, match="no whole quad"):
        flatten(Surface(np.zeros((*shape, 3), np.float32), None, 1.0, 7.91))


def test_a_surface_without_a_point_is_refused() -> None:
    with pytest.raises(Usage, match="nothing to flatten"):
        flatten(Surface(np.full((5, 5, 3), np.nan, np.float32), None, 1.0, 7.91))


@pytest.mark.parametrize(
    "options",
    [
        {"step": 0.0},
        {"step": np.nan},
        {"tolerance": 0.0},
        {"turns": 0},
        {"band": 0},
        {"upright": -1},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(Usage):
        Options(**options)  # type: ignore[arg-type]


def test_turning_round_twice_is_the_surface_again() -> None:
    sheet = roll()
    np.testing.assert_array_equal(turned_round(turned_round(sheet)).xyz, sheet.xyz)
    assert handedness(turned_round(sheet)) == -1


@pytest.mark.skipif(not REAL.exists(), reason="DANSEO_DATA holds no scroll/tifxyz")
def test_the_real_surface_is_flattened_to_4_0010_without_a_flip() -> None:
    flat, distortion = flatten(read_surface(REAL), TRUE_LENGTHS)
    assert isinstance(distortion, Distortion)
    assert distortion.energy <= 4.0010
    assert distortion.flips == distortion.overlaps == 0
    assert flat.valid.mean() > 0.8
