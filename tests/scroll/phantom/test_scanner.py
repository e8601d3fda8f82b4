from dataclasses import replace

import numpy as np

from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.scanner import HALO, Window, digitise, scan, window

QUIET = Recipe(shape=(24, 64, 64), seed=3, noise=0, rings=0, beam=0, fringe=0, fwhm_voxels=1.5)


def _empty(slices: int = 12) -> np.ndarray:
    return np.zeros((slices + 2 * HALO, 64, 64), dtype=np.float32)


def test_a_point_is_spread_to_the_width_that_was_asked_for() -> None:
    density = _empty()
    density[HALO + 6, 32, 32] = 1
    seen = scan(QUIET, density, 0)
    line = seen[6, 32]
    at = np.arange(64) - 32
    sigma = np.sqrt((line * at**2).sum() / line.sum())
    assert abs(2.3548 * sigma - 1.5) < 0.1
    assert abs(seen.sum() - 1) < 1e-3


def test_the_fringe_brightens_the_inner_side_of_an_edge_and_darkens_the_outer() -> None:
    density = _empty()
    density[:, :, 32:] = 1
    plain, rim = (scan(replace(QUIET, fringe=f), density, 0)[6, 32] for f in (0.0, 0.5))
    assert plain.max() < 1.001
    assert rim[33:37].max() > 1.03
    assert rim[27:31].min() < -0.03


def test_noise_has_the_strength_that_was_asked_for_and_neighbours_share_it() -> None:
    seen = scan(replace(QUIET, noise=0.2), _empty(), 0)
    assert abs(seen.std() - 0.2) < 0.01
    for axis in range(3):
        near = np.take(seen, range(seen.shape[axis] - 1), axis)
        beside = np.take(seen, range(1, seen.shape[axis]), axis)
        assert 0.3 < np.corrcoef(near.ravel(), beside.ravel())[0, 1] < 0.9


def test_slabs_join_without_a_seam() -> None:
    recipe = replace(QUIET, noise=0.1, rings=0.1, beam=0.1, fringe=0.3)
    density = np.random.default_rng(0).uniform(size=_empty(12).shape).astype(np.float32)
    whole = scan(recipe, density, 5)
    part = scan(recipe, density[4:], 9)
    assert np.allclose(whole[4:], part, atol=1e-5)


def test_rings_go_round_the_middle_of_the_volume() -> None:
    seen = scan(replace(QUIET, rings=0.1), _empty(), 0)[6]
    assert seen.std() > 0.05
    assert np.allclose(seen, seen[::-1], atol=1e-6)
    assert np.allclose(seen, np.rot90(seen), atol=1e-6)


def test_the_beam_is_brighter_on_one_side() -> None:
    density = _empty()
    density[:] = 1
    seen = scan(replace(QUIET, beam=0.2), density, 0)[6]
    assert np.ptp(seen) > 0.1
    assert abs(seen.mean() - 1) < 0.1


def test_whole_numbers_fill_the_window_and_stop_at_its_ends() -> None:
    shown = Window(-1.0, 2.0)
    seen = np.array([[[-5.0, -1.0, 0.5, 2.0, 9.0]]], dtype=np.float32)
    assert digitise(QUIET, seen.copy(), shown).ravel().tolist() == [0, 0, 128, 255, 255]
    deep = digitise(replace(QUIET, bits=16), seen.copy(), shown)
    assert deep.dtype == np.uint16
    assert deep.max() == 65535
    found = window(QUIET, np.linspace(0, 1, 1000, dtype=np.float32))
    assert found.low < 0
    assert found.high > 1
