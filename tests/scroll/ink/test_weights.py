"""Weights that are written come back as they were; what does not fit is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from danseo.core.errors import Invalid, Unavailable, Unfit
from danseo.scroll.ink.network import Architecture, InkNet
from danseo.scroll.ink.weights import Calibration, Model, fit_calibration, load_model, save_model

SMALL = Architecture(half=8, quarter=8)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(1)
    return Model(InkNet(SMALL), 7.91, Calibration(0.8, -0.3), 0.41, {"steps": 3})


@pytest.fixture
def written(model: Model, tmp_path: Path) -> Path:
    return save_model(tmp_path / "ink.safetensors", model)


def _rewritten(path: Path, **changes: str) -> Path:
    with safe_open(path, "pt") as file:
        told = {**file.metadata(), **changes}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, told)
    return path


def test_a_model_comes_back_as_it_was_saved(model: Model, written: Path) -> None:
    again = load_model(written)
    x = torch.rand(1, 24, 32, 32)
    assert torch.equal(again.network(x), model.network(x))
    assert (again.calibration, again.threshold) == (Calibration(0.8, -0.3), 0.41)
    assert (again.voxel_um, again.depth, again.facts) == (7.91, 24, {"steps": 3})


def test_a_network_that_sees_too_far_is_not_saved(tmp_path: Path) -> None:
    far = Model(InkNet(Architecture(quarter_blocks=3)), 7.91, Calibration(), 0.5, {})
    with pytest.raises(Unfit, match="at most 500 are allowed"):
        save_model(tmp_path / "ink.safetensors", far)


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nowhere\.safetensors"):
        load_model(tmp_path / "nowhere.safetensors")


def test_a_truncated_file_is_refused(written: Path) -> None:
    written.write_bytes(written.read_bytes()[:-100])
    with pytest.raises(Invalid, match="no safetensors file"):
        load_model(written)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(Invalid, match="not of the format"):
        load_model(tmp_path / "other.safetensors")


def test_an_architecture_that_is_not_the_codes_is_refused(written: Path) -> None:
    with pytest.raises(Invalid, match="another architecture"):
        load_model(_rewritten(written, digest="0" * 16))


def test_sizes_that_do_not_fit_the_tensors_are_refused(written: Path) -> None:
    wider = Architecture(half=16, quarter=8)
    sizes = json.dumps(dict(zip(("depth", "half", "quarter"), (24, 16, 8), strict=True)))
    sizes = json.dumps({**json.loads(sizes), "half_blocks": 1, "quarter_blocks": 2})
    with pytest.raises(Invalid, match="does not hold what it says"):
        load_model(_rewritten(written, architecture=sizes, digest=wider.digest()))


def test_weights_that_are_no_numbers_are_refused(model: Model, tmp_path: Path) -> None:
    with torch.no_grad():
        next(model.network.parameters())[0] = float("nan")
    with pytest.raises(Invalid, match="NaN"):
        load_model(save_model(tmp_path / "ink.safetensors", model))


def test_calibration_finds_the_scale_and_shift_that_made_the_data() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, 200_000).astype(np.float32)
    ink = rng.random(200_000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))
    found = fit_calibration(logits, ink)
    assert found.scale == pytest.approx(0.5, abs=0.02)
    assert found.shift == pytest.approx(-1, abs=0.05)


def test_calibration_without_ink_is_refused() -> None:
    with pytest.raises(Unfit, match="nowhere or everywhere"):
        fit_calibration(np.zeros(9, np.float32), np.zeros(9, bool))
