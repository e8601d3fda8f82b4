"""Training learns, shows thin ink last, and goes on from a checkpoint as if never stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll.ink import samples
from danseo.scroll.ink.augment import Augmentation, augment
from danseo.scroll.ink.network import Architecture, InkNet
from danseo.scroll.ink.samples import Sample
from danseo.scroll.ink.training import (
    CHECKPOINT,
    CURVES,
    Training,
    allowed,
    loss_of,
    rate_at,
    train,
    validate,
)
from tests.scroll.ink.texture import texture

TINY = Architecture(half=8, quarter=8, half_blocks=0, quarter_blocks=0)
OPTIONS = Training(
    steps=12,
    batch=2,
    crop=32,
    architecture=TINY,
    keep_every=4,
    validate_every=6,
    precision="float32",
)


@pytest.fixture(scope="module")
def data() -> list[Sample]:
    return [texture(n, (48, 64), height=h) for n, h in enumerate((1.0, 1.6, 2.4))]


def _weights(network: InkNet) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_interrupted_training_ends_as_the_uninterrupted(data: list[Sample], tmp_path: Path) -> None:
    whole = train(OPTIONS, data=data, validation=data[:1], out=tmp_path / "whole")
    train(OPTIONS, data=data, validation=data[:1], out=tmp_path / "parts", until=7)
    parts = train(OPTIONS, data=data, validation=data[:1], out=tmp_path / "parts")
    assert torch.equal(_weights(parts), _weights(whole))
    kept = [torch.load(tmp_path / n / CHECKPOINT, weights_only=True) for n in ("whole", "parts")]
    moments = [k["optimiser"]["state"][0]["exp_avg_sq"] for k in kept]
    assert torch.equal(*moments)
    curves = [
        [{k: v for k, v in json.loads(line).items() if k != "seconds_a_step"} for line in text]
        for text in ((tmp_path / n / CURVES).read_text().splitlines() for n in ("whole", "parts"))
    ]
    assert curves[0] == curves[1]
    assert [line["step"] for line in curves[0]] == [6, 10, 12]


def test_a_kill_between_checkpoints_repeats_no_line_of_the_curves(
    data: list[Sample], tmp_path: Path
) -> None:
    train(OPTIONS, data=data, validation=[], out=tmp_path, until=10)
    kept = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    torch.save({**kept, "step": 8}, tmp_path / CHECKPOINT)
    train(OPTIONS, data=data, validation=[], out=tmp_path)
    steps = [json.loads(line)["step"] for line in (tmp_path / CURVES).read_text().splitlines()]
    assert steps == sorted(set(steps))


def test_curves_are_drawn(data: list[Sample], tmp_path: Path) -> None:
    train(OPTIONS, data=data, validation=data[:1], out=tmp_path)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_checkpoint_of_another_architecture_is_refused(
    data: list[Sample], tmp_path: Path
) -> None:
    train(OPTIONS, data=data, validation=[], out=tmp_path, until=2)
    other = dataclasses.replace(OPTIONS, architecture=Architecture(half=4, quarter=4))
    with pytest.raises(Invalid, match="checkpoint of another architecture") as raised:
        train(other, data=data, validation=[], out=tmp_path)
    assert "another folder" in raised.value.remedy


def test_a_checkpoint_of_other_data_or_another_recipe_is_refused(
    data: list[Sample], tmp_path: Path
) -> None:
    train(OPTIONS, data=data, validation=[], out=tmp_path, until=2)
    with pytest.raises(Invalid, match="another data"):
        train(OPTIONS, data=data[:2], validation=[], out=tmp_path)
    with pytest.raises(Invalid, match="another recipe"):
        train(dataclasses.replace(OPTIONS, rate=1e-4), data=data, validation=[], out=tmp_path)


def test_a_damaged_checkpoint_is_refused(data: list[Sample], tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(Invalid, match=r"checkpoint\.pt is no checkpoint"):
        train(OPTIONS, data=data, validation=[], out=tmp_path)


def test_training_lowers_the_loss_and_ranks_ink_above_papyrus(tmp_path: Path) -> None:
    """Thick, clean ink: a few seconds must be enough to rank well on a piece never seen."""
    pieces = [texture(n, (128, 160), height=3.0, noise=0.01, blur=0.3) for n in range(3)]
    calm = Augmentation(shift=0, wobble=0, gain=0, offset=0, gamma=0, blur=0, noise=0)
    options = Training(
        steps=150,
        batch=4,
        crop=64,
        rate=4e-3,
        architecture=Architecture(half=16, quarter=16),
        augmentation=calm,
        validate_every=1000,
        ema=0.9,
    )
    network = train(options, data=pieces[:2], validation=[], out=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / CURVES).read_text().splitlines()]
    assert lines[-1]["loss"] < 0.8 * lines[0]["loss"]
    assert validate(network, pieces[2:])["auc"] > 0.8


def test_thick_ink_is_shown_first_and_thin_ink_last(data: list[Sample]) -> None:
    options = dataclasses.replace(OPTIONS, steps=100, thick_um=16.0, thin_at=0.5)
    assert [s.name for s in allowed(options, data, 0)] == ["texture-2"]
    assert [s.name for s in allowed(options, data, 15)] == ["texture-1", "texture-2"]
    assert allowed(options, data, 50) == data


def test_the_rate_rises_then_falls_to_nothing() -> None:
    options = Training(steps=1000)
    rates = [rate_at(options, step) for step in range(1001)]
    assert max(rates) == pytest.approx(options.rate, rel=0.01)
    assert 0 < rates[0] < 0.01 * options.rate
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_what_is_not_valid_teaches_nothing() -> None:
    ink = torch.zeros(1, 8, 8)
    ink[:, :, 4:] = 1
    valid = torch.ones(1, 8, 8)
    valid[:, :4] = 0
    one = torch.randn(1, 8, 8)
    other = one.clone()
    other[:, :4] += 5
    assert loss_of(one, ink, valid) == loss_of(other, ink, valid)
    other[:, 4:] += 5
    assert loss_of(one, ink, valid) != loss_of(other, ink, valid)


def test_augmentation_moves_depth_and_keeps_truth_beside_the_layers() -> None:
    """Ink that is a bright column through all layers must stay where the truth says it is."""
    layers = torch.zeros(3, 32, 48, 48)
    ink = torch.zeros(3, 48, 48)
    ink[:, 5:20, 30:40] = 1
    layers[:] = 0.3 + 0.4 * ink[:, None]
    layers *= torch.linspace(0.5, 1, 32)[None, :, None, None]
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x, truth, _ = augment(layers, ink, torch.ones_like(ink), 24, Augmentation(blur=0), rng)
        assert x.shape == (3, 24, 48, 48)
        assert truth.sum() == ink.sum()
        for crop, where in zip(x.mean(1), truth > 0, strict=True):
            assert crop[where].mean() > crop[~where].mean() + 0.1


def test_augmentation_shifts_by_at_most_what_it_says() -> None:
    ramp = torch.arange(32.0)[None, :, None, None].expand(6, 32, 16, 16) / 31
    how = Augmentation(gain=0, offset=0, gamma=0, blur=0, noise=0, shift=2, wobble=1.0)
    flat = torch.ones(6, 16, 16)
    moves = []
    for seed in range(10):
        x, _, _ = augment(ramp, flat, flat, 24, how, np.random.default_rng(seed))
        moves.append((x[:, 12] * 31 - 16).abs())
    found = torch.stack(moves)
    assert 2 < float(found.max()) <= 4.001
    assert float(found.min()) < 0.5


def test_too_few_layers_leave_no_room_to_move() -> None:
    flat = torch.ones(1, 8, 8)
    with pytest.raises(Usage, match="25 layers leave no room"):
        augment(torch.zeros(1, 25, 8, 8), flat, flat, 24, Augmentation(), np.random.default_rng(0))


def test_a_crop_wider_than_a_sample_is_refused(data: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(Usage, match="texture-0 is"):
        train(dataclasses.replace(OPTIONS, crop=64), data=data, validation=[], out=tmp_path)


def test_no_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no samples"):
        train(OPTIONS, data=[], validation=[], out=tmp_path)


def test_a_sample_comes_back_as_it_was_written(data: list[Sample], tmp_path: Path) -> None:
    samples.write_sample(tmp_path, data[0])
    (again,) = samples.read_samples(tmp_path)
    assert np.array_equal(again.layers, data[0].layers)
    assert np.array_equal(again.ink, data[0].ink)
    assert np.array_equal(again.valid, data[0].valid)
    assert (again.name, again.facts) == (data[0].name, data[0].facts)


def test_a_sample_that_lacks_a_file_is_named(data: list[Sample], tmp_path: Path) -> None:
    (samples.write_sample(tmp_path, data[0]) / "truth.npy").unlink()
    with pytest.raises(Invalid, match="texture-0 is no training sample"):
        samples.read_samples(tmp_path)


def test_a_folder_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="holds no training samples"):
        samples.read_samples(tmp_path)


_TOGETHER = """
import hashlib, sys
from pathlib import Path
import torch
from danseo.scroll.ink.training import train
from tests.scroll.ink.test_training import OPTIONS
from tests.scroll.ink.texture import texture
data = [texture(n, (48, 64)) for n in range(2)]
network = train(OPTIONS, data=data, validation=[], out=Path(sys.argv[1]), until=3)
print(hashlib.sha256(b"".join(p.numpy().tobytes() for p in network.parameters())).hexdigest())
"""


def test_two_processes_hold_one_network(tmp_path: Path) -> None:
    """DistributedDataParallel over gloo: both must end with the very same averaged weights."""
    root = Path(__file__).parents[3]
    shared = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(20000 + os.getpid() % 20000),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _TOGETHER, str(tmp_path)],
            env={**os.environ, **shared, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [process.communicate(timeout=120)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert told[0] == told[1] != ""
