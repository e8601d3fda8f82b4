"""Layers along the normals of a rolled sheet whose every voxel says how deep it lies."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from danseo.core.errors import Invalid, Unfit, Usage
from danseo.scroll import render as rendering
from danseo.scroll.omezarr import create_volume
from danseo.scroll.render import Options, check_outward, local_pitch, render
from danseo.scroll.surface import Surface
from danseo.scroll.volume import Box, Volume, open_volume

SIDE, DEEP, PITCH, STEP = 96, 40, 30.0, 4.0
FIRST, LAST = 0.1, 1.2
"""Turns at which the sheet begins and ends."""


def radius(turns: Any) -> Any:
    return 8 + PITCH * (turns + 0.0)


def scroll(path: Path) -> Volume:
    """Write a volume of 128 + 8 x (depth outward from the sheet), and open it."""
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    theta = np.arctan2(y, x) / (2 * np.pi) % 1
    turns = (np.hypot(x, y) - 8) / PITCH - theta
    depth = (turns - np.round(turns)) * PITCH
    page = np.clip(128 + 8 * depth, 1, 255).astype(np.uint8)
    writer = create_volume(path, (DEEP, SIDE, SIDE), np.uint8, 7.91, 16)
    writer.write(0, np.repeat(page[None], DEEP, 0))
    writer.finish()
    return open_volume(path)


def sheet(end: float = LAST) -> Surface:
    """Return the exact sheet, a point each 4 voxels."""
    turns = np.linspace(FIRST, end, 4000)
    angle = 2 * np.pi * turns
    line = np.stack([np.cos(angle), np.sin(angle)], -1) * radius(turns)[:, None] + SIDE / 2
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    along = np.interp(np.arange(0, length[-1], STEP), length, turns)
    rows = np.arange(0, DEEP, STEP)
    xyz = np.empty((len(rows), len(along), 3), np.float32)
    xyz[..., 0] = radius(along) * np.cos(2 * np.pi * along) + SIDE / 2
    xyz[..., 1] = radius(along) * np.sin(2 * np.pi * along) + SIDE / 2
    xyz[..., 2] = rows[:, None]
    return Surface(xyz, np.tile(along.astype(np.float32), (len(rows), 1)), STEP, 7.91)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Volume:
    return scroll(tmp_path_factory.mktemp("render") / "a.zarr")


SMALL = Options(layers=12, tile=32)


def layers_of(out: Path) -> Any:
    found = open_volume(out / "layers.zarr")
    return found.read(Box(0, found.shape[0], 0, found.shape[1], 0, found.shape[2]))


@pytest.mark.parametrize("order", [1, 3])
def test_layers_are_one_voxel_apart_and_the_innermost_is_first(
    volume: Volume, tmp_path: Path, order: int
) -> None:
    done = render(volume, sheet(), tmp_path, Options(layers=12, order=order, tile=32))
    assert (done.holes, done.outside, done.missing, done.stretched) == (0, 0, 0, 0)
    assert done.pixels == done.height * done.width == 37 * done.width
    layers = layers_of(tmp_path)
    # Away from the inner end, where the sheet bends sharply against its own thickness.
    middle = layers[:, :, 60:].reshape(12, -1).astype(float)
    depth = np.arange(12) - 5.5
    np.testing.assert_allclose(np.median(middle, 1), 128 + 8 * depth, atol=1.5)
    assert np.abs(middle - (128 + 8 * depth)[:, None]).mean() < 2
    assert np.asarray(Image.open(tmp_path / "mask.png")).min() == 255
    assert sorted(p.name for p in tmp_path.iterdir()) == ["layers.zarr", "mask.png"]


def test_a_stack_in_reverse_gives_another_picture(volume: Volume, tmp_path: Path) -> None:
    back = open_volume(volume.path, axes="zy-x")
    render(volume, sheet(), tmp_path / "a", SMALL)
    render(back, sheet(), tmp_path / "b", SMALL)
    assert (layers_of(tmp_path / "a") != layers_of(tmp_path / "b")).mean() > 0.5


@pytest.mark.parametrize("tile", [16, 48, 256])
def test_the_size_of_tiles_does_not_show(volume: Volume, tmp_path: Path, tile: int) -> None:
    render(volume, sheet(), tmp_path / "a", SMALL)
    render(volume, sheet(), tmp_path / "b", Options(layers=12, tile=tile))
    np.testing.assert_array_equal(layers_of(tmp_path / "a"), layers_of(tmp_path / "b"))


def test_processes_give_the_same(volume: Volume, tmp_path: Path) -> None:
    one = render(volume, sheet(), tmp_path / "a", SMALL)
    two = render(volume, sheet(), tmp_path / "b", SMALL, workers=2)
    assert one == two
    np.testing.assert_array_equal(layers_of(tmp_path / "a"), layers_of(tmp_path / "b"))


def test_an_interrupted_render_goes_on_and_ends_equal(
    volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = render(volume, sheet(), tmp_path / "a", SMALL)
    calls: list[Any] = []
    honest = rendering._Task.__call__

    def failing(task: Any, tile: tuple[int, int]) -> Any:
        calls.append(tile)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return honest(task, tile)

    monkeypatch.setattr(rendering._Task, "__call__", failing)
    with pytest.raises(KeyboardInterrupt):
        render(volume, sheet(), tmp_path / "b", SMALL)
    assert not (tmp_path / "b" / "layers.zarr").exists()
    assert render(volume, sheet(), tmp_path / "b", SMALL) == whole
    assert len(calls) == len(set(calls)) + 1
    names = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*"))
    assert names == sorted(p.relative_to(tmp_path / "b") for p in (tmp_path / "b").rglob("*"))
    for name in names:
        if (tmp_path / "a" / name).is_file():
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_render_killed_before_cleaning_is_not_done_again(
    volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(files: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rendering._Files, "clean", killed)
        with pytest.raises(KeyboardInterrupt):
            render(volume, sheet(), tmp_path, SMALL)
    monkeypatch.setattr(rendering._Task, "__call__", killed)
    assert render(volume, sheet(), tmp_path, SMALL).pixels > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["layers.zarr", "mask.png"]


def test_holes_stay_holes(volume: Volume, tmp_path: Path) -> None:
    surface = sheet()
    xyz = surface.xyz.copy()
    xyz[4, 10:12] = np.nan
    done = render(volume, dataclasses.replace(surface, xyz=xyz), tmp_path, SMALL)
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    assert done.holes == (mask == 0).sum() == 7 * 11
    assert not mask[13:20, 37:48].any()
    assert not layers_of(tmp_path)[:, mask == 0].any()


def test_what_leaves_the_volume_is_masked_and_counted(volume: Volume, tmp_path: Path) -> None:
    surface = sheet()
    moved = dataclasses.replace(surface, xyz=surface.xyz + np.float32([0, 0, 20]))
    done = render(volume, moved, tmp_path, SMALL)
    mask = np.asarray(Image.open(tmp_path / "mask.png")) > 0
    assert done.outside == (~mask).sum() > 0
    assert mask[:19, 60:].all()
    assert not mask[21:].any()


def test_a_surface_wholly_outside_is_an_error(volume: Volume, tmp_path: Path) -> None:
    surface = sheet()
    moved = dataclasses.replace(surface, xyz=surface.xyz + np.float32(1000))
    with pytest.raises(Unfit, match="outside of the volume"):
        render(volume, moved, tmp_path, SMALL)
    assert not (tmp_path / "layers.zarr").exists()


def test_an_empty_surface_is_an_error(volume: Volume, tmp_path: Path) -> None:
    nothing = Surface(np.full((5, 6, 3), np.nan, np.float32), None, STEP, 7.91)
    with pytest.raises(Unfit, match="no point at all"):
        render(volume, nothing, tmp_path, SMALL)


def test_missing_chunks_are_masked_and_counted(tmp_path: Path) -> None:
    broken = scroll(tmp_path / "a.zarr")
    before = render(broken, sheet(), tmp_path / "whole", SMALL)
    (tmp_path / "a.zarr" / "0" / "c" / "1" / "3" / "5").unlink()
    done = render(open_volume(tmp_path / "a.zarr"), sheet(), tmp_path / "holed", SMALL)
    assert done.missing > 50
    assert done.pixels + done.missing == before.pixels
    mask = np.asarray(Image.open(tmp_path / "holed" / "mask.png")) > 0
    whole, holed = layers_of(tmp_path / "whole"), layers_of(tmp_path / "holed")
    np.testing.assert_array_equal(whole[:, mask], holed[:, mask])
    assert not holed[:, ~mask].any()


def test_a_damaged_chunk_is_named_or_a_gap(tmp_path: Path) -> None:
    scroll(tmp_path / "a.zarr")
    file = tmp_path / "a.zarr" / "0" / "c" / "1" / "3" / "5"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(Invalid, match="c/1/3/5 is damaged"):
        render(open_volume(tmp_path / "a.zarr"), sheet(), tmp_path / "b", SMALL)
    gapped = open_volume(tmp_path / "a.zarr", gaps=True)
    done = render(gapped, sheet(), tmp_path / "c", SMALL)
    assert done.gaps == (str(file),)
    assert done.missing > 50


def test_a_wild_mesh_is_cut_out_and_counted(volume: Volume, tmp_path: Path) -> None:
    surface = sheet()
    xyz = surface.xyz.copy()
    xyz[:, 20:] += np.float32([0, 0, 30000])
    done = render(volume, dataclasses.replace(surface, xyz=xyz), tmp_path, SMALL)
    mask = np.asarray(Image.open(tmp_path / "mask.png")) > 0
    assert done.stretched > 0
    assert done.outside > 0
    assert mask[:, :70].all()
    assert not mask[:, 76:].any()


def test_a_step_that_is_not_the_grids_is_noticed(volume: Volume, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="too far apart for a step of 1"):
        render(volume, dataclasses.replace(sheet(), step=1.0), tmp_path, SMALL)


def test_large_boxes_are_cut_and_give_the_same(
    volume: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(volume, sheet(), tmp_path / "a", SMALL)
    boxes: list[int] = []
    honest = Volume.read

    def spied(self: Volume, box: Box, level: int = 0) -> Any:
        boxes.append(box.size)
        return honest(self, box, level)

    monkeypatch.setattr(rendering, "LARGEST", 20_000)
    monkeypatch.setattr(Volume, "read", spied)
    render(volume, sheet(), tmp_path / "b", SMALL)
    assert 0 < max(boxes) <= 20_000
    monkeypatch.undo()
    np.testing.assert_array_equal(layers_of(tmp_path / "a"), layers_of(tmp_path / "b"))


def test_other_voxels_are_refused(volume: Volume, tmp_path: Path) -> None:
    with pytest.raises(Usage, match=r"3\.24 um"):
        render(volume, dataclasses.replace(sheet(), voxel_um=3.24), tmp_path, SMALL)


def test_a_surface_that_faces_inward_is_refused() -> None:
    surface = sheet()
    check_outward(surface)
    turned = Surface(surface.xyz[:, ::-1], surface.winding[:, ::-1], STEP, 7.91)  # type: ignore[index]
    with pytest.raises(Unfit, match="point at the middle"):
        check_outward(turned)


def test_the_local_pitch_is_recorded_and_the_depth_held_against_it(
    volume: Volume, tmp_path: Path
) -> None:
    pitch = local_pitch(sheet())
    known = pitch[np.isfinite(pitch)]
    assert 0 < known.size < pitch.size
    np.testing.assert_allclose(known, PITCH, rtol=0.15)
    done = render(volume, sheet(), tmp_path / "a", SMALL)
    assert done.pitch == pytest.approx(PITCH, rel=0.15)
    assert done.too_deep == 0
    deep = render(volume, sheet(), tmp_path / "b", Options(layers=48, tile=64))
    assert deep.too_deep == 1
    unknown = dataclasses.replace(sheet(), winding=None)
    assert render(volume, unknown, tmp_path / "c", SMALL).pitch is None


@pytest.mark.parametrize("wrong", [{"layers": 0}, {"order": 2}, {"tile": 5}, {"stretch": 0.5}])
def test_options_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(Usage):
        Options(**wrong)
