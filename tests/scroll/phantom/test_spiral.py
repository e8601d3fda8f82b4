from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from danseo.core.errors import Usage
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.spiral import STEPS, Spiral, make_spiral

RECIPE = Recipe(shape=(160, 320, 320), seed=5, crush=0.2, touching=0.1, wander_um=120)


@pytest.fixture(params=["outside", "inside"])
def spiral(request: pytest.FixtureRequest) -> Spiral:
    begins: Literal["outside", "inside"] = request.param
    return make_spiral(replace(RECIPE, begins=begins))


def _grid(spiral: Spiral) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(5, spiral.width - 5, 7.3), np.arange(0, spiral.height - 1, 9.1)


def test_a_point_of_the_sheet_is_found_again_exactly(spiral: Spiral) -> None:
    u, v = _grid(spiral)
    found_u, found_v, depth = spiral.locate(spiral.points(u, v).reshape(-1, 3))
    expected_u, expected_v = (a.ravel() for a in np.meshgrid(u, v))
    assert np.abs(found_u - expected_u).max() < 1e-6
    assert np.abs(found_v - expected_v).max() < 1e-9
    assert np.abs(depth).max() < 1e-6


def test_each_winding_lies_on_the_last_and_never_within_it(spiral: Spiral) -> None:
    rise = spiral.radius[:, STEPS:] - spiral.radius[:, :-STEPS]
    assert spiral.gap.min() >= 0
    assert np.allclose(rise, RECIPE.thickness + spiral.gap[:, : rise.shape[1]])


def test_about_the_part_asked_for_touches(spiral: Spiral) -> None:
    assert 0.08 < np.mean(spiral.gap[:, :-STEPS] == 0) < 0.14
    assert make_spiral(replace(RECIPE, touching=0)).gap.min() > 0


def test_lengths_along_the_sheet_are_lengths_in_the_volume(spiral: Spiral) -> None:
    u, v = _grid(spiral)
    step = np.linalg.norm(np.diff(spiral.points(u, v), axis=1), axis=-1) / 7.3
    assert abs(np.median(step) - 1) < 0.02
    assert np.percentile(np.abs(step - 1), 99) < 0.2


def test_the_sheet_is_whole_inside_the_volume(spiral: Spiral) -> None:
    u, v = _grid(spiral)
    xyz = spiral.points(u, v)
    assert xyz.min() >= 0
    assert (xyz < np.array(RECIPE.shape[::-1])).all()


def test_columns_run_right_as_the_reader_at_the_axis_sees_it(spiral: Spiral) -> None:
    u, v = _grid(spiral)
    xyz, outward = spiral.points(u, v), spiral.normals(u, v)
    right = np.diff(xyz, axis=1)
    look = xyz[:, :-1] - np.append(spiral.axis(v), np.zeros((v.size, 1)), axis=1)[:, None]
    look[..., 2] = 0
    down = np.array([0.0, 0.0, 1.0])
    # Whoever looks along `look` with `down` below has this to the right.
    assert (np.cross(down, look) * right).sum(-1).min() > 0
    assert (outward[:, :-1] * look).sum(-1).min() > 0


def test_the_winding_is_the_angle_about_the_axis_and_grows_to_the_right(spiral: Spiral) -> None:
    u, v = _grid(spiral)
    winding = spiral.winding(u, v)
    flat = spiral.points(u, v)[..., :2] - spiral.axis(v)[:, None]
    turns = np.arctan2(flat[..., 1], flat[..., 0]) / (2 * np.pi) - winding
    assert np.abs(turns - np.rint(turns)).max() < 1e-9
    assert np.diff(winding, axis=1).min() > 0
    assert winding[0, -1] - winding[0, 0] > 0.9 * spiral.turns


def test_the_sense_says_whether_the_sheet_goes_outward(spiral: Spiral) -> None:
    u, v = _grid(spiral)
    radius = np.linalg.norm(spiral.points(u, v)[..., :2] - spiral.axis(v)[:, None], axis=-1)
    assert np.sign(radius[0, -1] - radius[0, 0]) == spiral.sense


def test_normals_stand_upright_on_the_sheet(spiral: Spiral) -> None:
    u, v = _grid(spiral)
    n = spiral.normals(u, v)
    along = spiral.points(u + 0.05, v) - spiral.points(u - 0.05, v)
    down = spiral.points(u, v + 0.05) - spiral.points(u, v - 0.05)
    assert np.allclose(np.linalg.norm(n, axis=-1), 1)
    assert np.abs((n * down).sum(-1)).max() < 2e-3
    assert np.percentile(np.abs((n * along).sum(-1)), 99) < 5e-3


def test_the_axis_wanders_and_is_not_the_middle_of_the_volume(spiral: Spiral) -> None:
    axis = spiral.axis(np.arange(160.0))
    assert np.linalg.norm(np.ptp(axis, axis=0)) > 2
    assert np.linalg.norm(axis.mean(0) - 159.5) > 2


def test_a_volume_too_small_for_one_winding_is_refused() -> None:
    with pytest.raises(Usage, match="holds no winding"):
        make_spiral(replace(RECIPE, shape=(64, 64, 64)))
