"""The quad mesh of a sheet: its files, which way it faces, and what is said of a bad one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll import surface as module
from danseo.scroll.surface import (
    Surface,
    check,
    handedness,
    normals,
    read_meta,
    read_surface,
    write_surface,
)

REAL = Path(os.environ.get("DANSEO_DATA", "/nowhere")) / "scroll" / "tifxyz"


def cylinder(
    rows: int = 9, columns: int = 40, step: float = 4.0, radius: float = 50.0, turns: float = 0.0
) -> Surface:
    """Return part of a cylinder about z with rows along z and columns along theta."""
    theta = turns * 2 * np.pi + np.arange(columns) * step / radius
    z = np.arange(rows) * step + 3.0
    xyz = np.empty((rows, columns, 3))
    xyz[..., 0] = 200 + radius * np.cos(theta)
    xyz[..., 1] = 150 + radius * np.sin(theta)
    xyz[..., 2] = z[:, None]
    winding = np.broadcast_to(theta / (2 * np.pi), (rows, columns))
    return Surface(xyz.astype(np.float32), winding.astype(np.float32), step, 7.91)


def test_a_surface_is_read_as_it_was_written(tmp_path: Path) -> None:
    before = cylinder()
    before.xyz[2:4, 5:9] = np.nan
    before.winding[2:4, 5:9] = np.nan  # type: ignore[index]
    after = read_surface(write_surface(tmp_path / "sheet", before, {"volume": "abc"}))
    np.testing.assert_array_equal(after.xyz, before.xyz)
    np.testing.assert_array_equal(after.winding, before.winding)
    assert (after.step, after.voxel_um) == (before.step, before.voxel_um)
    assert np.isnan(after.xyz).any()


def test_the_files_are_those_of_volume_cartographer(tmp_path: Path) -> None:
    sheet = cylinder()
    sheet.xyz[0, 0] = np.nan
    folder = write_surface(tmp_path / "sheet", sheet)
    x = tifffile.imread(folder / "x.tif")
    assert (x.dtype, x.shape, x[0, 0]) == (np.float32, sheet.shape, -1)
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["format"] == "tifxyz"
    assert meta["type"] == "seg"
    assert meta["uuid"] == "sheet"
    assert meta["scale"] == [0.25, 0.25]
    low, high = meta["bbox"]
    np.testing.assert_allclose(low, np.nanmin(sheet.xyz, axis=(0, 1)))
    np.testing.assert_allclose(high, np.nanmax(sheet.xyz, axis=(0, 1)))


def test_the_same_surface_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (write_surface(tmp_path / n / "sheet", cylinder()) for n in ("a", "b"))
    names = sorted(p.name for p in one.iterdir())
    assert names == ["meta.json", "winding.tif", "x.tif", "y.tif", "z.tif"]
    assert [(one / n).read_bytes() for n in names] == [(two / n).read_bytes() for n in names]


def test_a_surface_without_winding_leaves_no_older_winding_behind(tmp_path: Path) -> None:
    sheet = cylinder()
    write_surface(tmp_path, sheet)
    write_surface(tmp_path, Surface(sheet.xyz, None, sheet.step, sheet.voxel_um))
    assert read_surface(tmp_path).winding is None


@pytest.mark.parametrize("files", range(5))
def test_a_folder_that_a_crash_left_half_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    write_surface(tmp_path, cylinder())
    done = 0

    def dies(source: Path, target: Path) -> None:
        nonlocal done
        if done == files:
            raise KeyboardInterrupt
        done += 1
        os.rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            write_surface(tmp_path, cylinder(turns=1.0))
    with pytest.raises(Invalid, match="half written"):
        read_surface(tmp_path)
    assert read_surface(write_surface(tmp_path, cylinder())).shape == cylinder().shape


def test_a_folder_without_meta_is_read_and_its_step_measured(tmp_path: Path) -> None:
    write_surface(tmp_path, cylinder(step=6.0))
    (tmp_path / "meta.json").unlink()
    found = read_surface(tmp_path)
    assert found.step == pytest.approx(6.0, rel=1e-3)
    assert np.isnan(found.voxel_um)
    assert read_surface(tmp_path, voxel_um=3.24, step=5.0).voxel_um == 3.24
    assert read_meta(tmp_path) == {}


@pytest.mark.parametrize("filler", [-1.0, 0.0, np.nan, np.inf])
def test_what_others_write_for_no_sheet_is_no_sheet(tmp_path: Path, filler: float) -> None:
    write_surface(tmp_path, cylinder())
    for name in "xyz":
        plane = tifffile.imread(tmp_path / f"{name}.tif")
        plane[:3] = filler
        tifffile.imwrite(tmp_path / f"{name}.tif", plane)
    found = read_surface(tmp_path)
    assert not found.valid[:3].any()
    assert found.valid[3:].all()


def test_a_mask_beside_the_points_is_obeyed(tmp_path: Path) -> None:
    sheet = cylinder()
    mask = np.full(sheet.shape, 255, np.uint8)
    mask[:, 7] = 0
    tifffile.imwrite(write_surface(tmp_path, sheet) / "mask.tif", mask)
    np.testing.assert_array_equal(read_surface(tmp_path).valid, mask > 0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write_surface(tmp_path, cylinder()) / "y.tif").unlink()
    with pytest.raises(Unavailable, match=r"y\.tif is missing"):
        read_surface(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.tif", b"no tiff", "x.tif cannot be read"),
        ("meta.json", b"{", "not JSON"),
        ("meta.json", b"[]", "not a JSON object"),
        ("meta.json", b'{"scale": [0, 1]}', "scale"),
        ("meta.json", b'{"scale": "much"}', "scale"),
        ("meta.json", b'{"voxel_um": -3}', "voxel size"),
        ("meta.json", b'{"voxel_um": true}', "voxel size"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (write_surface(tmp_path, cylinder()) / name).write_bytes(content)
    with pytest.raises(Invalid, match=words):
        read_surface(tmp_path)


@pytest.mark.parametrize("name", ["x.tif", "winding.tif"])
@pytest.mark.parametrize("plane", [np.zeros((3, 3), np.float32), np.zeros((9, 40), np.uint8)])
def test_a_file_of_another_shape_or_type_is_refused(
    tmp_path: Path, name: str, plane: np.ndarray
) -> None:
    tifffile.imwrite(write_surface(tmp_path, cylinder()) / name, plane)
    with pytest.raises(Invalid, match=r"shape"):
        read_surface(tmp_path)


@pytest.mark.parametrize(
    ("shape", "winding", "step", "voxel_um", "words"),
    [
        ((4, 5), None, 1.0, 1.0, "shape"),
        ((0, 5, 3), None, 1.0, 1.0, "shape"),
        ((4, 5, 3), (5, 4), 1.0, 1.0, "winding"),
        ((4, 5, 3), None, 0.0, 1.0, "step"),
        ((4, 5, 3), None, np.nan, 1.0, "step"),
        ((4, 5, 3), None, 1.0, 0.0, "voxel size"),
    ],
)
def test_a_surface_that_makes_no_sense_is_refused(
    shape: tuple[int, ...],
    winding: tuple[int, ...] | None,
    step: float,
    voxel_um: float,
    words: str,
) -> None:
    turns = None if winding is None else np.zeros(winding, np.float32)
    with pytest.raises(Usage, match=words):
        Surface(np.zeros(shape, np.float32), turns, step, voxel_um)


def test_normals_of_a_cylinder_point_outward_and_have_length_one() -> None:
    sheet = cylinder()
    found = normals(sheet.xyz)
    outward = (sheet.xyz - np.array([200, 150, 0], np.float32)) * np.array([1, 1, 0], np.float32)
    outward /= np.linalg.norm(outward, axis=2, keepdims=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1, atol=1e-5)
    assert (found * outward).sum(2).min() > 0.99
    assert (found * outward).sum(2)[1:-1, 1:-1].min() > 0.9999


def test_normals_stand_beside_a_hole_and_not_on_a_lone_point() -> None:
    sheet = cylinder()
    sheet.xyz[3:6, 10:13] = np.nan
    sheet.xyz[4, 11] = (250, 150, 15)
    found = np.isfinite(normals(sheet.xyz)).all(2)
    expected = sheet.valid
    expected[4, 11] = False
    np.testing.assert_array_equal(found, expected)


def test_a_point_whose_rows_and_columns_run_alike_has_no_normal() -> None:
    line = np.arange(12, dtype=np.float32)
    xyz = (line[:4, None] + line[None, :5])[..., None] * np.array([1, 2, 3], np.float32)
    assert np.isnan(normals(xyz)).all()


@pytest.mark.skipif(not REAL.exists(), reason="DANSEO_DATA holds no scroll/tifxyz")
def test_the_real_surface_is_read() -> None:
    found = read_surface(REAL)
    assert found.shape == (129, 129)
    assert found.valid.mean() == pytest.approx(0.8354, abs=1e-4)
    assert found.step == pytest.approx((88.16 * 12.12) ** 0.5, rel=1e-3)


def kinds(surface: Surface, shape: tuple[int, int, int] | None = None) -> set[str]:
    return {fault.kind for fault in check(surface, shape)}


def test_a_sound_surface_has_no_faults() -> None:
    assert check(cylinder(), (60, 400, 400)) == []


def _hole(xyz: np.ndarray) -> None:
    xyz[3:5, 10:12] = np.nan


def _tear(xyz: np.ndarray) -> None:
    xyz[:, 10] = np.nan


def _lone(xyz: np.ndarray) -> None:
    xyz[:3] = np.nan
    xyz[1, 5] = (0, 0, 0)


def _partial(xyz: np.ndarray) -> None:
    xyz[2, 7, 1] = np.nan


def _double(xyz: np.ndarray) -> None:
    xyz[2, 30] = xyz[5, 7]


def _touch(xyz: np.ndarray) -> None:
    xyz[2, 30] = xyz[5, 7] + 0.1


def _squeeze(xyz: np.ndarray) -> None:
    xyz[5] = xyz[4] + np.float32(1e-5)


def _fold(xyz: np.ndarray) -> None:
    xyz[:, 20] = 2 * xyz[:, 19] - xyz[:, 20]


def _turn(xyz: np.ndarray) -> None:
    xyz[:] = xyz[::-1].copy()


def _empty(xyz: np.ndarray) -> None:
    xyz[1:] = np.nan


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (_hole, "holes"),
        (_tear, "islands"),
        (_lone, "lone"),
        (_partial, "partial"),
        (_double, "duplicates"),
        (_touch, "touching"),
        (_squeeze, "degenerate"),
        (_fold, "flips"),
        (_turn, "upside-down"),
        (_empty, "empty"),
    ],
)
def test_each_fault_is_found_and_named(harm: Callable[[np.ndarray], None], kind: str) -> None:
    sheet = cylinder()
    harm(sheet.xyz)
    found = {fault.kind: fault for fault in check(sheet)}
    assert kind in found
    assert found[kind].words.endswith(".")


def test_points_outside_the_volume_are_counted_and_the_first_is_named() -> None:
    (fault,) = check(cylinder(), (30, 400, 400))
    assert (fault.kind, fault.count, fault.at, fault.grave) == ("outside", 80, (7, 0), True)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(1, -1), (-1, 1), (-1, -1), (1, 1)])
def test_a_mirrored_surface_is_told_from_one_that_is_only_turned(
    known: bool, rows: int, columns: int
) -> None:
    sheet = cylinder(columns=60)
    winding = sheet.winding[::rows, ::columns] if known and sheet.winding is not None else None
    seen = Surface(sheet.xyz[::rows, ::columns], winding, sheet.step, sheet.voxel_um)
    assert handedness(seen) == rows * columns
    assert ("mirrored" in kinds(seen)) == (rows * columns < 0)
    assert ("upside-down" in kinds(seen)) == (rows < 0)


def test_a_flat_patch_has_no_handedness() -> None:
    row, column = np.mgrid[:5, :6].astype(np.float32)
    flat = Surface(np.stack([column, 0 * row, row], axis=2), None, 1.0, 7.91)
    assert handedness(flat) == 0


def test_a_jump_of_the_total_angle_is_a_switch_of_the_sheet() -> None:
    sheet = cylinder()
    sheet.winding[:, 20:] += 1  # type: ignore[index]
    sheet.winding[0, 0] = np.nan  # type: ignore[index]
    found = {fault.kind: fault for fault in check(sheet)}
    assert found["switch"].count == sheet.shape[0]
    assert found["switch"].at == (0, 19)
    assert found["unwound"].count == 1


def test_a_step_that_is_not_that_of_the_points_is_told() -> None:
    sheet = cylinder()
    wrong = Surface(sheet.xyz, sheet.winding, 8.0, sheet.voxel_um)
    (fault,) = check(wrong)
    assert fault.kind == "step"
    assert "8" in fault.words
    assert not fault.grave
