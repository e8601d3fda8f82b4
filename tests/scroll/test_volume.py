"""Opening and reading volumes of every kind: what is asked, what is refused, what is padded."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from danseo.core.errors import Invalid, Unavailable, Unfit, Usage
from danseo.scroll.omezarr import create_volume
from danseo.scroll.volume import Box, open_volume


def smooth(shape: tuple[int, int, int], dtype: Any = np.uint8, seed: int = 0) -> Any:
    """Return a made-up volume that no flip or turn leaves as it is."""
    z, y, x = np.indices(shape)
    noise = np.random.default_rng(seed).integers(0, 9, shape)
    return (3 * z + 2 * y + x + noise).astype(dtype)


@pytest.fixture
def npy(tmp_path: Path) -> tuple[Path, Any]:
    array = smooth((20, 24, 28))
    np.save(tmp_path / "a.npy", array)
    return tmp_path / "a.npy", array


def test_a_box_that_reaches_outside_is_padded_with_zeros(npy: tuple[Path, Any]) -> None:
    path, array = npy
    volume = open_volume(path, 7.91, "zyx")
    block = volume.read(Box(-2, 5, 20, 30, 0, 28))
    assert block.shape == (7, 10, 28)
    np.testing.assert_array_equal(block[2:, :4], array[:5, 20:])
    assert array[:5, 20:].any()
    assert not block[:2].any()
    assert not block[:, 4:].any()
    assert not volume.read(Box(100, 101, 0, 1, 0, 1)).any()


@pytest.mark.parametrize(
    "box", [Box(0, 0, 0, 5, 0, 5), Box(5, 2, 0, 5, 0, 5), Box(*(0, 2**16) * 3)]
)
def test_a_box_that_is_empty_or_too_large_is_refused(npy: tuple[Path, Any], box: Box) -> None:
    with pytest.raises(Usage, match="cannot be read"):
        open_volume(npy[0], 7.91, "zyx").read(box)


def test_a_level_that_is_not_there_is_refused(npy: tuple[Path, Any]) -> None:
    with pytest.raises(Usage, match="level 1"):
        open_volume(npy[0], 7.91, "zyx").read(Box(0, 1, 0, 1, 0, 1), level=1)


@pytest.mark.parametrize(
    ("axes", "stored"),
    [
        ("zyx", lambda a: a),
        ("xyz", lambda a: a.transpose(2, 1, 0)),
        ("yxz", lambda a: a.transpose(1, 2, 0)),
        ("-zyx", lambda a: a[::-1]),
        ("-x-yz", lambda a: a[:, ::-1, ::-1].transpose(2, 1, 0)),
    ],
)
def test_every_order_of_axes_reads_as_the_same_volume(
    tmp_path: Path, axes: str, stored: Any
) -> None:
    array = smooth((20, 24, 28))
    np.save(tmp_path / "a.npy", stored(array))
    volume = open_volume(tmp_path / "a.npy", 7.91, axes)
    assert volume.shape == array.shape
    box = Box(3, 17, 5, 20, 1, 28)
    np.testing.assert_array_equal(volume.read(box), array[box.slices])
    assert volume.read(box).flags.c_contiguous


@pytest.mark.parametrize("axes", ["zy", "zzx", "ZYX", "z-y", "tzyx", ""])
def test_axes_that_make_no_sense_are_refused(npy: tuple[Path, Any], axes: str) -> None:
    with pytest.raises(Usage, match="no order of axes"):
        open_volume(npy[0], 7.91, axes)


def test_what_a_format_cannot_say_is_asked_for(npy: tuple[Path, Any]) -> None:
    with pytest.raises(Usage, match="order of its axes"):
        open_volume(npy[0], 7.91)
    with pytest.raises(Usage, match="how large its voxels"):
        open_volume(npy[0], axes="zyx")


@pytest.mark.parametrize("voxel_um", [0.0, -7.91, float("nan"), float("inf")])
def test_a_voxel_size_that_makes_no_sense_is_refused(
    npy: tuple[Path, Any], voxel_um: float
) -> None:
    with pytest.raises(Usage, match="makes no sense"):
        open_volume(npy[0], voxel_um, "zyx")


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.bool_, np.uint32])
def test_a_type_that_is_no_grey_value_is_refused(tmp_path: Path, dtype: Any) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 4), dtype))
    with pytest.raises(Unfit, match="uint8 or uint16"):
        open_volume(tmp_path / "a.npy", 7.91, "zyx")


def test_a_volume_without_voxels_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((0, 4, 4), np.uint8))
    with pytest.raises((Unfit, Invalid)):
        open_volume(tmp_path / "a.npy", 7.91, "zyx")


def test_a_path_where_nothing_lies_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no volume at"):
        open_volume(tmp_path / "a.zarr")


def test_a_volume_of_one_value_holds_no_sheet(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.full((40, 40, 40), 7, np.uint8))
    with pytest.raises(Unfit, match="no sheet"):
        open_volume(tmp_path / "flat.npy", 7.91, "zyx").check()


def test_a_volume_with_content_passes_the_check(npy: tuple[Path, Any]) -> None:
    open_volume(npy[0], 7.91, "zyx").check()


def test_the_identity_follows_content_and_not_the_place(tmp_path: Path) -> None:
    array = smooth((20, 24, 28))
    for name in ("a", "b", "c"):
        np.save(tmp_path / f"{name}.npy", array)
    array[10, 12, 14] ^= 1
    np.save(tmp_path / "c.npy", array)
    a, b, c = (open_volume(tmp_path / f"{n}.npy", 7.91, "zyx").identity for n in "abc")
    assert a == b
    assert a != c
    assert open_volume(tmp_path / "a.npy", 7.91, "-zyx").identity != a
    assert open_volume(tmp_path / "a.npy", 3.24, "zyx").identity != a


def test_a_volume_is_opened_again_where_it_is_unpickled(tmp_path: Path) -> None:
    array = smooth((20, 24, 28), np.uint16)
    writer = create_volume(tmp_path / "a.zarr", array.shape, array.dtype, 7.91, 16)
    writer.write(0, array)
    writer.finish()
    volume = open_volume(tmp_path / "a.zarr", axes="-zyx")
    again = pickle.loads(pickle.dumps(volume))
    box = Box(1, 19, 2, 20, 3, 28)
    np.testing.assert_array_equal(again.read(box), array[::-1][box.slices])
    assert again.identity == volume.identity


def test_absent_chunks_are_told_in_the_readers_order(tmp_path: Path) -> None:
    array = smooth((32, 16, 16))
    writer = create_volume(tmp_path / "a.zarr", array.shape, array.dtype, 7.91, 16)
    writer.write(0, array)
    writer.finish()
    (tmp_path / "a.zarr" / "0" / "c" / "0" / "0" / "0").unlink()
    whole = Box(0, 32, 0, 16, 0, 16)
    assert open_volume(tmp_path / "a.zarr").absent(whole) == [Box(0, 16, 0, 16, 0, 16)]
    back = open_volume(tmp_path / "a.zarr", axes="-zyx")
    assert back.absent(whole) == [Box(16, 32, 0, 16, 0, 16)]
    assert back.missing() == 1
    assert not back.absent(Box(0, 16, 0, 16, 0, 16))
