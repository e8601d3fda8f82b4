"""Values between voxels: equal to scipy's, the same on every device, plain at the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from danseo.core.errors import Unavailable, Usage
from danseo.scroll.sampling import along, sample

RNG = np.random.default_rng(0)


def points_in(shape: tuple[int, ...], count: int = 3000, beyond: float = 0.0) -> Any:
    """Return random points (x, y, z) of an array, or up to `beyond` voxels outside of it."""
    ends = np.array(shape[::-1]) - 1
    return (RNG.random((count, 3)) * (ends + 2 * beyond) - beyond).astype(np.float32)


def by_scipy(array: Any, points: Any) -> Any:
    places = points[..., ::-1].reshape(-1, 3).T.astype(np.float64)
    values = map_coordinates(array.astype(np.float64), places, order=1, mode="nearest")
    return values.reshape(points.shape[:-1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_trilinear_equals_scipys(dtype: Any) -> None:
    array = RNG.integers(0, 255, (17, 19, 23)).astype(dtype)
    points = points_in(array.shape)
    values = sample(array, points)
    assert values.std() > 10
    np.testing.assert_allclose(values, by_scipy(array, points), atol=1e-4)


def test_cubic_passes_through_voxels_and_follows_a_parabola() -> None:
    z, y, x = np.indices((12, 13, 14)).astype(np.float32)
    array = 2 * z + 0.5 * (y - 5) ** 2 - x
    whole = np.stack([x, y, z], -1)
    np.testing.assert_allclose(sample(array, whole, 3), array, atol=1e-4)
    points = points_in((6, 7, 8)) + np.float32(2.5)
    expected = 2 * points[:, 2] + 0.5 * (points[:, 1] - 5) ** 2 - points[:, 0]
    np.testing.assert_allclose(sample(array, points, 3), expected, atol=1e-3)
    assert np.abs(sample(array, points, 1) - expected).max() > 0.05


@pytest.mark.parametrize("order", [1, 3])
def test_layers_are_samples_along_the_normal(order: int) -> None:
    array = RNG.integers(0, 255, (20, 21, 22)).astype(np.uint8)
    points = points_in(array.shape, 60).reshape(6, 10, 3)
    normals = RNG.standard_normal(points.shape).astype(np.float32)
    offsets = np.array([-2.5, 0, 3], np.float32)
    layers = along(array, points, normals, offsets, order, fill=-1)
    assert layers.shape == (3, 6, 10)
    for layer, offset in zip(layers, offsets, strict=True):
        expected = sample(array, points + offset * normals, order, fill=-1)
        np.testing.assert_allclose(layer, expected, atol=1e-2)
    assert (layers == -1).any()
    assert (layers != -1).any()


@pytest.mark.parametrize("order", [1, 3])
def test_the_last_half_voxel_is_the_border_and_beyond_it_is_fill(order: int) -> None:
    array = RNG.integers(1, 255, (5, 6, 7)).astype(np.uint8)
    corner = float(array[4, 5, 6])
    points = np.array([[6, 5, 4], [6.4, 5.4, 4.4], [6.6, 5, 4], [6, 5, -0.6]], np.float32)
    np.testing.assert_allclose(sample(array, points, order, fill=-7), [corner, corner, -7, -7])


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_points_that_are_not_finite_or_far_away_are_fill(order: int, device: str) -> None:
    array = np.full((4, 4, 4), 9, np.uint8)
    strange = [np.nan, np.inf, -np.inf, 1e30, -1e30]
    points = np.array([[s, 1, 1] for s in strange] + [[1, 1, s] for s in strange], np.float32)
    np.testing.assert_array_equal(sample(array, points, order, -1, device), -1)


@pytest.mark.parametrize("shape", [(1, 5, 6), (4, 1, 6), (4, 5, 1), (1, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("order", [1, 3])
def test_thin_arrays_are_sampled_too(shape: tuple[int, int, int], order: int) -> None:
    array = RNG.integers(1, 255, shape).astype(np.uint8)
    points = points_in(shape, 200, beyond=0.4)
    values = sample(array, points, order)
    assert (values > 0).all()
    if order == 1:
        np.testing.assert_allclose(values, by_scipy(array, points), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("order", [1, 3])
def test_torch_gives_the_same(dtype: Any, order: int) -> None:
    array = RNG.integers(0, np.iinfo(dtype).max if dtype != np.float32 else 1000, (17, 19, 23))
    array = array.astype(dtype)
    points = points_in(array.shape, beyond=2)
    here = sample(array, points, order, -5)
    there = sample(array, points, order, -5, device="cpu:0")
    np.testing.assert_allclose(there, here, atol=1e-4 * float(array.max()))
    np.testing.assert_array_equal(here == -5, there == -5)
    assert (here == -5).any()


def test_a_device_that_is_not_there_is_told() -> None:
    with pytest.raises(Unavailable, match="torch cannot use"):
        sample(np.ones((3, 3, 3), np.uint8), np.ones((1, 3), np.float32), device="nonsense")


@pytest.mark.parametrize(
    ("array", "points", "order"),
    [
        (np.ones((3, 3), np.uint8), np.ones((1, 3), np.float32), 1),
        (np.ones((3, 3, 3), np.int16), np.ones((1, 3), np.float32), 1),
        (np.ones((0, 3, 3), np.uint8), np.ones((1, 3), np.float32), 1),
        (np.ones((3, 3, 3), np.uint8), np.ones((1, 3), np.float32), 2),
    ],
)
def test_what_cannot_be_sampled_is_refused(array: Any, points: Any, order: int) -> None:
    with pytest.raises(Usage):
        sample(array, points, order)
