"""OME-Zarr: what is written comes back, and what is damaged or lies is named."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numcodecs import Blosc, GZip, Zstd
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, ZstdCodec

from danseo.core.errors import Invalid, Unavailable, Unfit, Usage
from danseo.scroll import chunks
from danseo.scroll.omezarr import convert, create_volume, halve, partial
from danseo.scroll.volume import Box, open_volume

SHAPE = (50, 40, 45)
BOX = Box(3, 47, 2, 39, 0, 45)
WHOLE = Box(0, 50, 0, 40, 0, 45)


def content(shape: tuple[int, int, int] = SHAPE, dtype: Any = np.uint16) -> Any:
    """Return smooth voxels with a little noise, different everywhere."""
    noise = np.random.default_rng(0).integers(0, 9, shape)
    return (3 * np.indices(shape).sum(0) + noise).clip(0, 65535).astype(dtype)


def written(path: Path, array: Any, side: int = 16, **how: Any) -> Path:
    """Write an array as a volume and return its path."""
    writer = create_volume(path, array.shape, array.dtype, 7.91, side, **how)
    writer.write(0, array)
    writer.finish()
    return path


@pytest.fixture(params=["tensorstore", "zarr"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read by tensorstore, and once more as if it were not installed."""
    if request.param == "zarr":
        monkeypatch.setattr(chunks, "_tensorstore", lambda path, array: None)
    else:
        pytest.importorskip("tensorstore")
    return str(request.param)


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ome", ["0.4", "0.5"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_comes_back(tmp_path: Path, ome: str, dtype: Any, reader: str) -> None:
    array = content(dtype=dtype)
    volume = open_volume(written(tmp_path / "a.zarr", array, ome=ome))
    assert (volume.shape, volume.dtype, volume.voxel_um) == (SHAPE, np.dtype(dtype), 7.91)
    assert volume.axes == "zyx"
    np.testing.assert_array_equal(volume.read(BOX), array[BOX.slices])
    assert [level.factor for level in volume.levels] == [(1, 1, 1), (2, 2, 2), (4, 4, 4)]
    assert sum(volume.missing(level) for level in range(3)) == 0


def test_each_level_is_the_mean_of_the_one_below(tmp_path: Path) -> None:
    array = content((51, 40, 45))
    volume = open_volume(written(tmp_path / "a.zarr", array))
    half = volume.read(Box(0, 26, 0, 20, 0, 23), 1)
    assert volume.levels[1].shape == half.shape == (26, 20, 23)
    expected = np.rint(array[10:12, 20:22, 30:32].mean() + 1e-9)
    assert half[5, 10, 15] == expected
    assert half[25, 0, 22] == np.floor(array[50, :2, 44].mean() + 0.5)
    np.testing.assert_array_equal(half, halve(array))


@pytest.mark.parametrize("height", [1, 7, 16, 33, 50])
def test_slabs_of_any_height_give_the_same_files(tmp_path: Path, height: int) -> None:
    array = content()
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16)
    for z in range(0, 50, height):
        slab = array[z : z + height].copy()
        writer.write(z, slab)
        slab[:] = 0  # the caller may use its memory again
    writer.finish()
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr").read(WHOLE), array)
    one = open_volume(written(tmp_path / "b.zarr", array))
    assert open_volume(tmp_path / "a.zarr").identity == one.identity


def test_a_half_written_volume_is_no_volume(tmp_path: Path) -> None:
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16)
    writer.write(0, content()[:16])
    with pytest.raises(Unavailable, match="half written"):
        open_volume(tmp_path / "a.zarr")
    with pytest.raises(Usage, match="never written"):
        writer.finish()
    assert not (tmp_path / "a.zarr").exists()


def test_a_volume_that_ends_inside_a_chunk_is_not_finished(tmp_path: Path) -> None:
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16)
    writer.write(0, content()[:40])
    with pytest.raises(Usage, match="inside a chunk"):
        writer.finish()


def test_slabs_out_of_order_are_refused(tmp_path: Path) -> None:
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16)
    with pytest.raises(Usage, match="out of order"):
        writer.write(5, content()[5:20])
    writer.write(0, content()[:10])
    with pytest.raises(Usage, match="z = 10 is due"):
        writer.write(16, content()[16:32])


@pytest.mark.parametrize(
    ("z", "slab"),
    [
        (0, np.zeros((16, 40, 45), np.uint8)),
        (0, np.zeros((16, 40, 44), np.uint16)),
        (48, np.zeros((16, 40, 45), np.uint16)),
        (-16, np.zeros((16, 40, 45), np.uint16)),
        (0, np.zeros((40, 45), np.uint16)),
        (0, np.zeros((0, 40, 45), np.uint16)),
    ],
)
def test_a_slab_that_does_not_fit_is_refused(tmp_path: Path, z: int, slab: Any) -> None:
    with pytest.raises(Usage):
        create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16).write(z, slab)


def test_several_writers_fill_one_volume(tmp_path: Path) -> None:
    array = content()
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16)
    other = pickle.loads(pickle.dumps(writer))
    other.write_block(16, 16, 0, array[16:50, 16:])
    other.write_block(0, 16, 0, array[:16, 16:])
    other.write_block(0, 0, 0, array[:, :16])
    with pytest.raises(Usage, match="cuts a chunk"):
        writer.write_block(8, 0, 0, array[8:24, :16])
    writer.finish()
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr").read(WHOLE), array)


def test_a_writer_that_holds_slices_cannot_be_handed_on(tmp_path: Path) -> None:
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16)
    writer.write(0, content()[:3])
    with pytest.raises(Usage, match="still held"):
        pickle.dumps(writer)


def test_an_interrupted_writer_goes_on_where_it_stopped(tmp_path: Path) -> None:
    array = content()
    create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16).write(0, array[:32])
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16, resume=True)
    assert writer.resumed
    writer.write(32, array[32:])
    writer.finish()
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr").read(WHOLE), array)


def test_what_was_begun_otherwise_is_not_gone_on_with(tmp_path: Path) -> None:
    create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 7.91, 16).write(0, content()[:48])
    writer = create_volume(tmp_path / "a.zarr", SHAPE, np.uint16, 3.24, 16, resume=True)
    assert not writer.resumed
    with pytest.raises(Usage, match="never written"):
        writer.finish()


def test_a_volume_in_the_way_is_kept_until_it_is_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", content())
    with pytest.raises(Unavailable, match="there already"):
        create_volume(path, SHAPE, np.uint16, 7.91)
    writer = create_volume(path, SHAPE, np.uint16, 7.91, 16, overwrite=True)
    np.testing.assert_array_equal(open_volume(path).read(WHOLE), content())
    writer.write(0, content() + np.uint16(1))
    writer.finish()
    np.testing.assert_array_equal(open_volume(path).read(WHOLE), content() + 1)
    assert not partial(path).exists()


def test_a_folder_that_is_no_volume_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter.txt").write_text("dear")
    with pytest.raises(Unavailable, match="no Zarr"):
        create_volume(tmp_path / "papers", SHAPE, np.uint16, 7.91, overwrite=True)


def test_empty_chunks_are_written_and_so_not_missing(tmp_path: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[:10] = 9
    assert open_volume(written(tmp_path / "a.zarr", array)).missing() == 0


def test_other_formats_are_converted(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", content()[::-1])
    convert(open_volume(tmp_path / "a.npy", 3.24, "-zyx"), tmp_path / "a.zarr")
    volume = open_volume(tmp_path / "a.zarr")
    assert volume.voxel_um == 3.24
    np.testing.assert_array_equal(volume.read(WHOLE), content())


# --- other people's stores ------------------------------------------------------------------------


def _v2(**how: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        how.setdefault("compressors", Blosc("lz4"))
        how.setdefault("dtype", "<u2")
        zarr.create_array(str(path), shape=SHAPE, chunks=(16,) * 3, zarr_format=2, **how)[:] = (
            content()
        )

    return make


def _v3(**how: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        how.setdefault("chunks", (16,) * 3)
        zarr.create_array(str(path), shape=SHAPE, dtype="u2", **how)[:] = content()

    return make


STORES = {
    "v2 dots": _v2(chunk_key_encoding={"name": "v2", "separator": "."}),
    "v2 slashes": _v2(chunk_key_encoding={"name": "v2", "separator": "/"}),
    "v2 big-endian": _v2(dtype=">u2"),
    "v2 Fortran": _v2(order="F"),
    "v2 zstd": _v2(compressors=Zstd(3)),
    "v2 gzip": _v2(compressors=GZip(3)),
    "v2 raw": _v2(compressors=None),
    "v3 blosc": _v3(compressors=BloscCodec(cname="lz4")),
    "v3 zstd": _v3(compressors=ZstdCodec()),
    "v3 gzip": _v3(compressors=GzipCodec()),
    "v3 big-endian": _v3(serializer=BytesCodec(endian="big")),
    "v3 dots": _v3(chunk_key_encoding={"name": "default", "separator": "."}),
    "v3 shards": _v3(chunks=(16, 16, 8), shards=(16,) * 3),
}


@pytest.mark.parametrize("name", STORES)
def test_a_store_of_any_make_is_read_and_its_damage_named(
    tmp_path: Path, name: str, reader: str
) -> None:
    path = tmp_path / "a.zarr"
    STORES[name](path)
    volume = open_volume(path, 7.91, "zyx")
    assert volume.dtype == np.dtype(np.uint16)
    assert volume.dtype.isnative
    np.testing.assert_array_equal(volume.read(BOX), content()[BOX.slices])
    key = zarr.open_array(str(path)).metadata.encode_chunk_key((1, 1, 1))
    file = path / key
    data = file.read_bytes()
    for length in (0, len(data) // 2, len(data) - 40):
        file.write_bytes(data[:length])
        with pytest.raises(Invalid, match=f"{key}.* is damaged"):
            open_volume(path, 7.91, "zyx").read(BOX)
    gapped = open_volume(path, 7.91, "zyx", gaps=True)
    expected = content()
    expected[16:32, 16:32, 16:32] = 0
    np.testing.assert_array_equal(gapped.read(BOX), expected[BOX.slices])
    assert [gap.file for gap in gapped.gaps] == [str(file)]
    assert gapped.absent(BOX) == [Box(16, 32, 16, 32, 16, 32)]
    np.testing.assert_array_equal(gapped.read(BOX), expected[BOX.slices])
    assert len(gapped.gaps) == 1
    file.unlink()
    lost = open_volume(path, 7.91, "zyx")
    assert lost.missing() == 1
    np.testing.assert_array_equal(lost.read(BOX), expected[BOX.slices])


def test_a_flipped_bit_is_noticed_in_what_we_wrote(tmp_path: Path, reader: str) -> None:
    path = written(tmp_path / "a.zarr", content())
    file = path / "0" / "c" / "1" / "1" / "1"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)
    with pytest.raises(Invalid, match="c/1/1/1 is damaged"):
        open_volume(path).read(BOX)
    open_volume(path).read(Box(0, 16, 0, 16, 0, 16))


def test_all_chunks_gone_is_an_empty_volume(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", content())
    for level in "012":
        for file in (path / level / "c").rglob("*"):
            if file.is_file():
                file.unlink()
    with pytest.raises(Unfit, match="no chunk on disk"):
        open_volume(path).check()


# --- metadata that lie ----------------------------------------------------------------------------


def told(path: Path, change: Callable[[Any], None]) -> Path:
    """Write a volume whose OME metadata are changed by `change`."""
    written(path, content())
    record = json.loads((path / "zarr.json").read_text())
    change(record["attributes"]["ome"]["multiscales"][0])
    (path / "zarr.json").write_text(json.dumps(record))
    return path


def _set(where: str, value: Any) -> Callable[[Any], None]:
    def change(described: Any) -> None:
        level, key = where.split(".")
        step = {"scale": 0, "translation": 1}[key]
        described["datasets"][int(level)]["coordinateTransformations"][step][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("1.scale", [31.64] * 3), "do not fit its arrays"),
        (_set("0.scale", [7.91, 7.91, 9.0]), "do not fit its arrays|no cubes"),
        (_set("0.scale", [float("nan")] * 3), "one finite number"),
        (_set("0.scale", [-7.91, 7.91, 7.91]), "runs backward"),
        (_set("0.scale", [7.91, 7.91]), "for 3 axes"),
        (_set("1.translation", [40.0, 4.0, 4.0]), "off-centre"),
        (lambda d: d["axes"][0].update(name="t"), "named x, y and z"),
        (lambda d: d["axes"][0].update(unit="furlong"), "furlong"),
        (lambda d: d["datasets"][0].update(path="../b.zarr/0"), "outside of it|cannot be opened"),
        (lambda d: d["datasets"][0].update(path="7"), "cannot be opened"),
        (lambda d: d.pop("datasets"), "malformed"),
        (lambda d: d["datasets"].clear(), "malformed"),
    ],
)
def test_metadata_that_lie_are_refused(
    tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    path = told(tmp_path / "a.zarr", change)
    with pytest.raises((Unfit, Invalid), match=words) as caught:
        open_volume(path)
    assert caught.value.remedy


def test_a_volume_without_units_needs_the_voxel_size_said(tmp_path: Path) -> None:
    path = told(tmp_path / "a.zarr", lambda d: [axis.pop("unit") for axis in d["axes"]])
    with pytest.raises(Usage, match="how large"):
        open_volume(path)
    assert open_volume(path, voxel_um=3.24).voxel_um == 3.24


def test_units_are_turned_into_micrometres(tmp_path: Path) -> None:
    path = told(tmp_path / "a.zarr", lambda d: [a.update(unit="nanometer") for a in d["axes"]])
    assert open_volume(path).voxel_um == pytest.approx(0.00791)


def test_a_claim_against_the_metadata_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", content())
    with pytest.raises(Usage, match=r"7\.91 um, and you say 3\.24"):
        open_volume(path, voxel_um=3.24)
    with pytest.raises(Usage, match="axes are zyx, and you say xyz"):
        open_volume(path, axes="xyz")
    np.testing.assert_array_equal(open_volume(path, axes="-zyx").read(WHOLE), content()[::-1])


def test_chunks_beyond_the_stated_shape_are_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", content())
    record = json.loads((path / "0" / "zarr.json").read_text())
    record["shape"][0] = 20
    (path / "0" / "zarr.json").write_text(json.dumps(record))
    with pytest.raises((Invalid, Unfit), match=r"beyond the shape|do not fit"):
        open_volume(path).check()


@pytest.mark.parametrize("side", [10**9, 2**40])
def test_a_huge_shape_is_refused_before_anything_is_read(tmp_path: Path, side: int) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(side,) * 3, chunks=(64,) * 3, dtype="u1")
    with pytest.raises(Unfit, match="claims"):
        open_volume(tmp_path / "a.zarr", 7.91, "zyx")


def test_a_huge_chunk_is_refused(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(4096,) * 3, chunks=(4096,) * 3, dtype="u1")
    with pytest.raises(Unfit, match="decoded whole"):
        open_volume(tmp_path / "a.zarr", 7.91, "zyx")


def test_a_large_volume_is_read_without_being_loaded(tmp_path: Path) -> None:
    side = 100_000
    zarr.create_array(str(tmp_path / "a.zarr"), shape=(side,) * 3, chunks=(64,) * 3, dtype="u1")
    volume = open_volume(tmp_path / "a.zarr", 7.91, "zyx")
    assert not volume.read(Box(50_000, 50_008, 0, 8, 99_992, 100_000)).any()
    assert volume.missing() == 1563**3


@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_a_type_that_is_no_grey_value_is_refused(tmp_path: Path, dtype: str) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=SHAPE, chunks=(16,) * 3, dtype=dtype)
    with pytest.raises(Unfit, match="uint8 or uint16"):
        open_volume(tmp_path / "a.zarr", 7.91, "zyx")


def test_channels_of_length_one_are_passed_over_and_others_refused(tmp_path: Path) -> None:
    for count in (1, 2):
        path = tmp_path / f"{count}.zarr"
        group = zarr.create_group(str(path), zarr_format=2)
        array = group.create_array("0", shape=(count, *SHAPE), chunks=(1, 16, 16, 16), dtype="u2")
        array[:] = np.stack([content()] * count)
        axes = [{"name": "c", "type": "channel"}]
        axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
        scale = {"type": "scale", "scale": [1, 7.91, 7.91, 7.91]}
        levels = [{"path": "0", "coordinateTransformations": [scale]}]
        group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": levels}]
    volume = open_volume(tmp_path / "1.zarr")
    np.testing.assert_array_equal(volume.read(BOX), content()[BOX.slices])
    with pytest.raises(Unfit, match="three axes"):
        open_volume(tmp_path / "2.zarr")


def test_a_group_without_metadata_is_no_volume(tmp_path: Path) -> None:
    zarr.create_group(str(tmp_path / "a.zarr"))
    with pytest.raises(Unfit, match="multiscales"):
        open_volume(tmp_path / "a.zarr")


def test_broken_metadata_are_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", content())
    (path / "0" / "zarr.json").write_text('{"zarr_format": 3,')
    with pytest.raises(Invalid, match="/0 cannot be opened"):
        open_volume(path)
    (path / "zarr.json").write_text("")
    with pytest.raises(Invalid, match=r"a\.zarr: its metadata"):
        open_volume(path)


def test_a_chunk_that_links_out_of_the_volume_is_refused(tmp_path: Path, reader: str) -> None:
    path = written(tmp_path / "a.zarr", content())
    file = path / "0" / "c" / "1" / "1" / "1"
    file.rename(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", file)
    with pytest.raises(Unfit, match="leads out"):
        open_volume(path).read(BOX)


def test_a_level_that_links_out_of_the_volume_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zarr", content())
    (path / "1").rename(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path / "1")
    with pytest.raises(Unfit, match="outside of it"):
        open_volume(path)


def test_both_readers_give_equal_voxels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorstore")
    path = written(tmp_path / "a.zarr", content())
    fast = open_volume(path)
    monkeypatch.setattr(chunks, "_tensorstore", lambda path, array: None)
    plain = open_volume(path)
    rng = np.random.default_rng(1)
    for _ in range(20):
        low = rng.integers(-8, 40, 3)
        high = low + rng.integers(1, 24, 3)
        box = Box(*(int(n) for pair in zip(low, high, strict=True) for n in pair))
        np.testing.assert_array_equal(fast.read(box), plain.read(box))
