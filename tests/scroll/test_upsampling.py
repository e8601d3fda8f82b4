"""A coarse grid made fine: through its points, smooth between them, holes as large as they were."""

from __future__ import annotations

import numpy as np

from danseo.scroll.upsampling import upsample


def test_a_plane_stays_a_plane_up_to_its_edges() -> None:
    rows, columns = np.arange(0, 4.01, 0.25), np.arange(0, 6.01, 0.25)
    i, j = np.indices((5, 7)).astype(float)
    grid = np.stack([2 * i + 3 * j, i - j], -1)
    out = upsample(grid, rows, columns)
    expected = 2 * rows[:, None] + 3 * columns
    np.testing.assert_allclose(out[..., 0], expected, atol=1e-12)
    np.testing.assert_allclose(out[::4, ::4], grid)


def test_a_curve_is_followed_closer_than_by_straight_lines() -> None:
    turn = np.linspace(0, 2 * np.pi, 25)
    grid = np.stack([np.cos(turn), np.sin(turn)], -1)[None].repeat(3, 0)
    fine = upsample(grid, np.array([1.0]), np.arange(1, 23.01, 0.25))[0]
    assert np.abs(np.hypot(*fine.T) - 1).max() < 1e-3
    halfway = (grid[1, 5] + grid[1, 6]) / 2
    assert abs(np.hypot(*halfway) - 1) > 8e-3  # what straight lines would give


def test_a_hole_stays_as_large_as_it_was() -> None:
    grid = np.random.default_rng(0).random((6, 7, 3))
    grid[2, 3] = np.nan
    rows, columns = np.arange(0, 5.01, 0.25), np.arange(0, 6.01, 0.25)
    hole = np.isnan(upsample(grid, rows, columns)).any(2)
    r, c = rows[:, None], columns[None]
    np.testing.assert_array_equal(hole, (np.abs(r - 2) < 1) & (np.abs(c - 3) < 1))


def test_a_grid_of_a_single_row_is_a_line() -> None:
    grid = np.arange(5.0).reshape(1, 5, 1)
    out = upsample(grid, np.zeros(1), np.array([0, 0.5, 4]))
    np.testing.assert_allclose(out[0, :, 0], [0, 0.5, 4])
