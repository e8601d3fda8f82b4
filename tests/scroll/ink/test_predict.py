"""Maps of ink have no seams, resume where they stopped, and refuse what they cannot read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from danseo.core.errors import DanseoError, Invalid, Unavailable, Unfit, Usage
from danseo.scroll.ink import predict as prediction
from danseo.scroll.ink.network import Architecture, InkNet
from danseo.scroll.ink.predict import Prediction, predict, probability, read_map
from danseo.scroll.ink.weights import Calibration, Model, load_model, save_model
from danseo.scroll.omezarr import create_volume
from danseo.scroll.volume import open_volume

SHAPE = (150, 203)


class Sheet:
    """Layers, mask and weights as files, all random: seams would show anywhere."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(7)
        self.folder = folder
        self.voxels = rng.integers(0, 256, (24, *SHAPE), np.uint8)
        self.valid = np.ones(SHAPE, bool)
        self.valid[60:90, 40:120] = False
        self.layers = self.written("layers.zarr", self.voxels)
        self.mask = self.masked("mask.png", self.valid)
        torch.manual_seed(2)
        network = InkNet(Architecture(half=8, quarter=8))
        for tensor in network.parameters():
            torch.nn.init.normal_(tensor, std=0.15)
        model = Model(network, 7.91, Calibration(0.7, -0.2), 0.5, {})
        self.weights = save_model(folder / "w.safetensors", model)
        self.model = load_model(self.weights)

    def written(self, name: str, voxels: np.ndarray, voxel_um: float = 7.91) -> Path:
        writer = create_volume(self.folder / name, voxels.shape, voxels.dtype, voxel_um)
        writer.write(0, voxels)
        writer.finish()
        return self.folder / name

    def masked(self, name: str, valid: np.ndarray) -> Path:
        Image.fromarray(valid.astype(np.uint8) * 255).save(self.folder / name)
        return self.folder / name

    def read(self, out: str, **options: object) -> np.ndarray:
        how = Prediction(**options)  # type: ignore[arg-type]
        predict(self.layers, self.mask, self.weights, self.folder / out, how)
        return np.asarray(tifffile.imread(self.folder / out / "ink.tif"))


@pytest.fixture(scope="module")
def sheet(tmp_path_factory: pytest.TempPathFactory) -> Sheet:
    return Sheet(tmp_path_factory.mktemp("sheet"))


@pytest.mark.parametrize("tile", [12, 32, 64, 100])
def test_tiles_leave_no_seam(sheet: Sheet, tile: int) -> None:
    whole = sheet.read(f"whole-{tile}", tile=512)
    tiled = sheet.read(f"tiled-{tile}", tile=tile)
    assert whole.std() > 1000
    assert np.abs(tiled.astype(int) - whole).max() <= 1


def test_in_memory_and_by_tiles_are_the_same_map(sheet: Sheet) -> None:
    there = probability(sheet.model, sheet.voxels, sheet.valid)
    assert there == pytest.approx(sheet.read("same", tile=64) / 65535, abs=1e-4)


def test_what_is_masked_is_zero_and_the_mask_goes_along(sheet: Sheet) -> None:
    found = sheet.read("masked")
    assert not found[~sheet.valid].any()
    assert found[sheet.valid].all()
    assert (sheet.folder / "masked" / "mask.png").read_bytes() == sheet.mask.read_bytes()


def test_the_map_is_a_tiled_tiff_of_sixteen_bits(sheet: Sheet) -> None:
    sheet.read("format")
    with tifffile.TiffFile(sheet.folder / "format" / "ink.tif") as file:
        page = file.pages[0]
        assert (page.is_tiled, page.dtype, page.shape) == (True, np.uint16, SHAPE)


def test_mirrored_layers_give_the_mirrored_map(sheet: Sheet) -> None:
    voxels = sheet.voxels[:, :148, :200]
    plain = probability(sheet.model, voxels)
    mirrored = probability(sheet.model, np.ascontiguousarray(voxels[:, ::-1, ::-1]))
    assert mirrored[::-1, ::-1] == pytest.approx(plain, abs=1e-5)
    assert probability(sheet.model, voxels, flips=False) != pytest.approx(plain, abs=1e-3)


def test_sixteen_bits_say_the_same_as_eight(sheet: Sheet) -> None:
    fine = probability(sheet.model, sheet.voxels.astype(np.uint16) * 257)
    assert fine == pytest.approx(probability(sheet.model, sheet.voxels), abs=1e-5)


def test_two_processes_write_the_same_bytes(sheet: Sheet) -> None:
    alone = sheet.read("alone", tile=64)
    assert np.array_equal(sheet.read("pair", tile=64, workers=2), alone)
    files = [sheet.folder / name / "ink.tif" for name in ("alone", "pair")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_an_interrupted_map_goes_on_and_is_the_same(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sheet.read("uninterrupted", tile=64)
    asked: list[object] = []
    original = prediction._probability

    def stopping(*args: object) -> object:
        asked.append(args)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(prediction, "_probability", stopping)
    with pytest.raises(KeyboardInterrupt):
        sheet.read("again", tile=64)
    again = sheet.read("again", tile=64)
    assert np.array_equal(again, whole)
    assert len(asked) == 4 + 12 - 3
    assert {p.name for p in (sheet.folder / "again").iterdir()} == {"ink.tif", "mask.png"}


def test_marks_of_another_question_are_not_believed(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prediction, "_write_map", stopping)
        with pytest.raises(KeyboardInterrupt):
            sheet.read("changed", flips=False)
    assert np.array_equal(sheet.read("changed"), sheet.read("fresh"))


def test_progress_reaches_its_end(sheet: Sheet) -> None:
    told: list[float] = []
    predict(
        sheet.layers,
        sheet.mask,
        sheet.weights,
        sheet.folder / "progress",
        Prediction(tile=64),
        lambda part, _: told.append(part),
    )
    assert told[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)


def test_the_summary_tells_the_profile_of_the_layers(sheet: Sheet) -> None:
    summary = predict(sheet.layers, sheet.mask, sheet.weights, sheet.folder / "summary")
    assert summary.valid == pytest.approx(sheet.valid.mean())
    true = sheet.voxels[:, sheet.valid].mean(1) / 255
    assert summary.profile == pytest.approx(true, abs=1e-4)
    assert 0 < summary.ink < 1


def test_a_map_that_was_written_is_read_as_parts_of_one(sheet: Sheet) -> None:
    raw = sheet.read("back")
    assert read_map(sheet.folder / "back" / "ink.tif") == pytest.approx(raw / 65535)


def _too_few(sheet: Sheet) -> tuple[Path, Path]:
    return sheet.written("few.zarr", sheet.voxels[:20]), sheet.mask


def _other_voxels(sheet: Sheet) -> tuple[Path, Path]:
    return sheet.written("fine.zarr", sheet.voxels, 3.24), sheet.mask


def _empty(sheet: Sheet) -> tuple[Path, Path]:
    return sheet.layers, sheet.masked("empty.png", np.zeros(SHAPE, bool))


def _small(sheet: Sheet) -> tuple[Path, Path]:
    return sheet.layers, sheet.masked("small.png", np.ones((20, 20), bool))


def _no_mask(sheet: Sheet) -> tuple[Path, Path]:
    return sheet.layers, sheet.folder / "nowhere.png"


def _no_image(sheet: Sheet) -> tuple[Path, Path]:
    (sheet.folder / "text.png").write_text("no image")
    return sheet.layers, sheet.folder / "text.png"


def _floats(sheet: Sheet) -> tuple[Path, Path]:
    np.save(sheet.folder / "floats.npy", np.full((24, *SHAPE), np.nan, np.float32))
    return sheet.folder / "floats.npy", sheet.mask


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (_too_few, Unfit, "there are 20 layers, and the model takes 24"),
        (_other_voxels, Unfit, "3.24 um apart, the model learned 7.91"),
        (_empty, Unfit, r"empty\.png is empty"),
        (_small, Unfit, r"the mask is \(20, 20\), the layers are"),
        (_no_mask, Unavailable, r"no mask at .*nowhere\.png"),
        (_no_image, Invalid, r"text\.png is no image"),
        (_floats, Unfit, "float32"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    sheet: Sheet,
    spoil: Callable[[Sheet], tuple[Path, Path]],
    error: type[DanseoError],
    says: str,
) -> None:
    layers, mask = spoil(sheet)
    with pytest.raises(error, match=says) as raised:
        predict(layers, mask, sheet.weights, sheet.folder / "refused")
    assert raised.value.remedy
    assert not (sheet.folder / "refused").exists()


@pytest.mark.parametrize(
    "options", [Prediction(tile=30), Prediction(tile=0), Prediction(threads=0)]
)
def test_options_that_make_no_sense_are_refused(sheet: Sheet, options: Prediction) -> None:
    with pytest.raises(Usage):
        predict(sheet.layers, sheet.mask, sheet.weights, sheet.folder / "refused", options)


def test_a_volume_may_be_given_that_is_open_already(sheet: Sheet) -> None:
    predict(open_volume(sheet.layers), sheet.mask, sheet.weights, sheet.folder / "opened")
    assert np.array_equal(
        tifffile.imread(sheet.folder / "opened" / "ink.tif"), sheet.read("opened-not")
    )
