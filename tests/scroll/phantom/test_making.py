from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import DanseoError, Unavailable
from danseo.scroll.phantom import making
from danseo.scroll.phantom.making import make_phantom
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.truth import Truth, read_truth, truth_folder
from danseo.scroll.volume import Box, open_volume

RECIPE = Recipe(shape=(80, 144, 144), seed=11, core_um=140, letter_um=320, ink_um=(12, 12))
TEXT = "ΑΝΔΡΑΜΟΙΕΝΝΕΠΕ"


def _voxels(path: Path) -> np.ndarray:
    volume = open_volume(path)
    return np.asarray(volume.read(Box(0, *(n for n in volume.shape[:1]), 0, 144, 0, 144)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    out = tmp_path_factory.mktemp("made") / "roll.zarr"
    return out, make_phantom(RECIPE, TEXT, out)


def test_the_truth_that_was_written_is_the_truth_that_is_read(made: tuple[Path, Truth]) -> None:
    out, truth = made
    read = read_truth(truth_folder(out))
    assert read.recipe == RECIPE
    assert read.text == truth.text
    assert read.text
    assert read.letters == truth.letters
    assert np.array_equal(read.surface.xyz, truth.surface.xyz)
    for name in ("ink", "decoy", "torn"):
        assert np.array_equal(getattr(read.masks, name), getattr(truth.masks, name))
    assert read.masks.ink.any()


def test_an_interrupted_phantom_goes_on_and_is_the_same(
    made: tuple[Path, Truth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "again.zarr"
    whole, calls = making.brightness, []

    def stops(*args: object) -> object:
        calls.append(args[-2:])
        if args[-2:] == (64, 80):
            raise KeyboardInterrupt
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(making, "brightness", stops)
    with pytest.raises(KeyboardInterrupt):
        make_phantom(RECIPE, TEXT, out)
    assert not out.exists()
    monkeypatch.setattr(making, "brightness", lambda *args: calls.append(args[-2:]) or whole(*args))
    calls.clear()
    make_phantom(RECIPE, TEXT, out)
    assert (0, 64) not in calls
    assert np.array_equal(_voxels(out), _voxels(made[0]))


def test_another_recipe_or_text_is_refused_and_changes_nothing(made: tuple[Path, Truth]) -> None:
    out, _ = made
    before = _voxels(out)
    with pytest.raises(Unavailable, match="another phantom"):
        make_phantom(Recipe(shape=(80, 144, 144), seed=12), TEXT, out)
    with pytest.raises(Unavailable, match="another phantom"):
        make_phantom(RECIPE, "ΑΛΛΟ", out)
    assert np.array_equal(_voxels(out), before)
    assert read_truth(truth_folder(out)).recipe == RECIPE


def test_a_scroll_without_ink_has_empty_truth_and_keeps_its_decoys(tmp_path: Path) -> None:
    truth = make_phantom(RECIPE, "", tmp_path / "blank.zarr")
    assert truth.text == ""
    assert truth.letters == ()
    assert not truth.masks.ink.any()
    assert truth.masks.decoy.any()


def test_a_missing_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(DanseoError, match=r"letters\.json"):
        read_truth(tmp_path)


def test_ink_stands_on_the_inner_face_where_the_truth_says(made: tuple[Path, Truth]) -> None:
    out, truth = made
    from scipy.ndimage import map_coordinates

    from danseo.scroll.phantom.truth import normals_at, surface_at

    voxels = _voxels(out).astype(np.float32)
    at = surface_at(RECIPE, 1.0).xyz
    normal = normals_at(RECIPE, 1.0)
    ink = truth.masks.ink[: at.shape[0], : at.shape[1]]
    plain = ~(ink | truth.masks.decoy | truth.masks.torn)[: at.shape[0], : at.shape[1]]

    def bright(depth: float) -> np.ndarray:
        x, y, z = np.moveaxis(at + depth * normal, -1, 0)
        return np.asarray(map_coordinates(voxels, [z, y, x], order=1, mode="nearest"))

    edge = RECIPE.thickness / 2 + 0.8
    inner, outer = bright(-edge), bright(edge)
    assert inner[ink].mean() > inner[plain].mean() + 8
    assert abs(outer[ink].mean() - outer[plain].mean()) < 5
