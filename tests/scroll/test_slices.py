"""Folders of TIFF slices and .npy files: order, gaps, damage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from danseo.core.errors import Invalid, Unfit
from danseo.scroll.volume import Box, open_volume


def stack(folder: Path, depth: int = 12, dtype: Any = np.uint16, **how: Any) -> Any:
    """Write slices slice_1.tif, slice_2.tif, ... and return what they hold."""
    array = np.random.default_rng(0).integers(0, 250, (depth, 30, 40)).astype(dtype)
    folder.mkdir()
    for number, page in enumerate(array, start=1):
        tifffile.imwrite(folder / f"slice_{number}.tif", page, **how)
    return array


@pytest.mark.parametrize(
    "how", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"byteorder": ">"}]
)
def test_slices_are_read_in_the_order_of_their_numbers(tmp_path: Path, how: Any) -> None:
    array = stack(tmp_path / "s", **how)
    volume = open_volume(tmp_path / "s", 7.91, "zyx")
    assert volume.shape == array.shape
    assert volume.dtype.isnative
    box = Box(1, 12, 3, 29, 5, 40)
    np.testing.assert_array_equal(volume.read(box), array[box.slices])


def test_a_missing_slice_is_named(tmp_path: Path) -> None:
    stack(tmp_path / "s")
    (tmp_path / "s" / "slice_5.tif").unlink()
    with pytest.raises(Invalid, match=r"lacks slice 5 .*slice_4\.tif"):
        open_volume(tmp_path / "s", 7.91, "zyx")


def test_a_missing_slice_is_a_gap_where_gaps_are_allowed(tmp_path: Path) -> None:
    array = stack(tmp_path / "s")
    (tmp_path / "s" / "slice_5.tif").unlink()
    volume = open_volume(tmp_path / "s", 7.91, "zyx", gaps=True)
    block = volume.read(Box(0, 12, 0, 30, 0, 40))
    assert not block[4].any()
    np.testing.assert_array_equal(np.delete(block, 4, 0), np.delete(array, 4, 0))
    assert volume.missing() == 1
    assert "slice 5" in volume.gaps[0].file
    assert volume.absent(Box(0, 12, 0, 30, 0, 40)) == [Box(4, 5, 0, 30, 0, 40)]


@pytest.mark.parametrize("part", [0.0, 0.5, 0.95])
def test_a_truncated_slice_is_named(tmp_path: Path, part: float) -> None:
    array = stack(tmp_path / "s")
    file = tmp_path / "s" / "slice_7.tif"
    data = file.read_bytes()
    file.write_bytes(data[: int(part * len(data))])
    with pytest.raises(Invalid, match=r"slice_7\.tif"):
        open_volume(tmp_path / "s", 7.91, "zyx")
    volume = open_volume(tmp_path / "s", 7.91, "zyx", gaps=True)
    assert not volume.read(Box(6, 7, 0, 30, 0, 40)).any()
    np.testing.assert_array_equal(volume.read(Box(7, 8, 0, 30, 0, 40))[0], array[7])
    assert "slice_7.tif" in volume.gaps[0].file


def test_a_damaged_compressed_slice_is_named_when_it_is_read(tmp_path: Path) -> None:
    stack(tmp_path / "s", compression="zlib")
    file = tmp_path / "s" / "slice_7.tif"
    data = bytearray(file.read_bytes())
    with tifffile.TiffFile(file) as tiff:
        start = tiff.pages[0].dataoffsets[0]
    data[start + 2 : start + 200] = bytes(198)
    file.write_bytes(data)
    volume = open_volume(tmp_path / "s", 7.91, "zyx")
    with pytest.raises(Invalid, match=r"slice_7\.tif is damaged"):
        volume.read(Box(0, 12, 0, 30, 0, 40))


@pytest.mark.parametrize(
    "page",
    [np.zeros((30, 41), np.uint16), np.zeros((30, 40), np.uint8), np.zeros((30, 40, 3), "u2")],
)
def test_a_slice_of_another_kind_is_named(tmp_path: Path, page: Any) -> None:
    stack(tmp_path / "s")
    tifffile.imwrite(tmp_path / "s" / "slice_9.tif", page)
    with pytest.raises(Unfit, match=r"slice_9\.tif"):
        open_volume(tmp_path / "s", 7.91, "zyx")


def test_two_slices_of_one_number_are_refused(tmp_path: Path) -> None:
    stack(tmp_path / "s")
    tifffile.imwrite(tmp_path / "s" / "slice_09.tif", np.zeros((30, 40), np.uint16))
    with pytest.raises(Unfit, match="the same number"):
        open_volume(tmp_path / "s", 7.91, "zyx")


def test_a_slice_without_a_number_is_refused(tmp_path: Path) -> None:
    stack(tmp_path / "s")
    tifffile.imwrite(tmp_path / "s" / "mask.tif", np.zeros((30, 40), np.uint16))
    with pytest.raises(Unfit, match=r"mask\.tif has no number"):
        open_volume(tmp_path / "s", 7.91, "zyx")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    stack(tmp_path / "s")
    outside = tmp_path / "secret.tif"
    tifffile.imwrite(outside, np.zeros((30, 40), np.uint16))
    os.symlink(outside, tmp_path / "s" / "slice_13.tif")
    with pytest.raises(Unfit, match="leads out"):
        open_volume(tmp_path / "s", 7.91, "zyx")


def test_a_folder_without_slices_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="neither Zarr"):
        open_volume(tmp_path, 7.91, "zyx")


@pytest.mark.parametrize("change", [-1, -1000, 1])
def test_an_npy_file_of_another_length_is_refused(tmp_path: Path, change: int) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones((10, 20, 30), np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[:change] if change < 0 else data + b"x")
    with pytest.raises(Invalid, match=r"a\.npy"):
        open_volume(path, 7.91, "zyx")


@pytest.mark.parametrize(("order", "dtype"), [("F", "<u2"), ("C", ">u2"), ("F", ">u2")])
def test_an_npy_file_of_any_order_reads_the_same(tmp_path: Path, order: Any, dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 60000, (6, 7, 8)).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    volume = open_volume(tmp_path / "a.npy", 7.91, "zyx")
    assert volume.dtype.isnative
    np.testing.assert_array_equal(volume.read(Box(1, 6, 0, 7, 2, 8)), array[1:, :, 2:])


def test_a_pickled_or_flat_npy_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "flat.npy", np.zeros((4, 4), np.uint8))
    with pytest.raises(Invalid, match="object"):
        open_volume(tmp_path / "object.npy", 7.91, "zyx")
    with pytest.raises(Unfit, match="2 axes"):
        open_volume(tmp_path / "flat.npy", 7.91, "zyx")


def test_real_layers_open_where_they_are_laid() -> None:
    data = os.environ.get("DANSEO_DATA")
    path = Path(data or "", "scroll", "surface_volume", "layers_40x156x156_u8.npy")
    if not data or not path.is_file():
        pytest.skip("DANSEO_DATA names no folder with scroll/surface_volume")
    volume = open_volume(path, 7.91, "zyx")
    volume.check()
    assert volume.shape == (40, 156, 156)
    assert volume.read(Box(10, 12, 0, 156, 0, 156)).std() > 5
