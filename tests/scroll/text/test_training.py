"""A training repeats, goes on after an interruption, and learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll.lettering import LETTERS, Letter, page
from danseo.scroll.text.glyphs import STRANGE, GlyphNet, load_glyphs
from danseo.scroll.text.training import (
    GlyphTraining,
    batch_of,
    loss_of,
    sample_of,
    train_glyphs,
    turn,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def small(out: Path, steps: int = 4) -> GlyphTraining:
    return GlyphTraining(
        out, steps=steps, batch=2, pages=2, width=5, save_every=2, calibrate_pages=1
    )


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = train_glyphs(small(tmp_path / "whole"))

    def stop(done: float, _what: str) -> None:
        if done > 0.7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_glyphs(small(tmp_path / "broken"), stop)
    assert not (tmp_path / "broken" / "glyphs.safetensors").exists()
    steps: list[float] = []
    again = train_glyphs(small(tmp_path / "broken"), lambda done, _: steps.append(done))
    assert steps == [0.75, 1.0, 1.0]
    assert again.read_bytes() == whole.read_bytes()
    assert len(json.loads((tmp_path / "broken" / "curve.json").read_text())) == 4


def test_a_folder_of_another_training_is_not_taken_up(tmp_path: Path) -> None:
    train_glyphs(small(tmp_path))
    with pytest.raises(Invalid, match="other options"):
        train_glyphs(replace(small(tmp_path), seed=8))
    (tmp_path / "state.pt").write_bytes(b"no state")
    with pytest.raises(Invalid, match=r"state\.pt is no state"):
        train_glyphs(small(tmp_path))


def test_a_few_steps_lower_the_loss(tmp_path: Path) -> None:
    options = GlyphTraining(tmp_path, steps=16, batch=3, pages=2, width=5, calibrate_pages=1)
    strips, truth = batch_of(options, 1000)
    torch.manual_seed(options.seed)
    with torch.no_grad():
        before = float(loss_of(GlyphNet().eval()(strips), truth)[0])
    net = load_glyphs(train_glyphs(options))
    with torch.no_grad():
        after = float(loss_of(net(strips), truth)[0])
    assert after < 0.8 * before


def test_the_truth_of_a_strip_points_at_its_letters(tmp_path: Path) -> None:
    strips, truth = batch_of(small(tmp_path), 3)
    assert strips.shape == (2, 1, 48, 160)
    assert truth["where"].shape == (2, 80)
    peaks = truth["where"] > 0.9
    assert peaks.any()
    assert truth["near"][peaks].min() == 1
    assert truth["what"][truth["near"] == 0].eq(STRANGE).all()
    assert (truth["reach"][:, 0][peaks] > 0).all()


def test_a_page_turned_twice_is_the_page() -> None:
    written = page("ΑΒ", 60, 120, 30, np.random.default_rng(1), "DejaVu Sans")
    for lies in ("upright", "mirrored", "turned", "upended"):
        there, letters = turn(written.mask, written.letters, lies)
        for letter in letters:
            u0, v0, u1, v1 = letter.box
            assert there[v0:v1, u0:u1].any(axis=0).all()
        back, again = turn(there, letters, lies)
        assert np.array_equal(back, written.mask)
        assert again == written.letters


def test_lines_of_a_sample_follow_its_letters() -> None:
    letters = tuple(
        Letter(LETTERS[k], 0, (100 + 50 * k, 40 + 2 * k, 130 + 50 * k, 80 + 2 * k))
        for k in range(8)
    )
    sample = sample_of(np.zeros((200, 600), np.float32), np.ones((200, 600), np.bool_), letters)
    (line,) = sample.lines
    assert line.letter_px == 40
    assert line.middle(115.0) == pytest.approx(60, abs=3)
    assert line.middle(415.0) == pytest.approx(72, abs=3)


def test_a_true_map_can_be_learnt_from(tmp_path: Path) -> None:
    written = page("ΑΒΓΔΕΖ", 60, 300, 30, np.random.default_rng(1), "DejaVu Sans")
    rows = [{"char": x.char, "line": x.line, "box": x.box} for x in written.letters]
    file = tmp_path / "map.npz"
    np.savez(file, probability=written.mask.astype(np.float32), letters=json.dumps(rows))
    options = replace(small(tmp_path / "out"), predicted=(file,), predicted_share=1.0)
    strips, truth = batch_of(options, 0)
    assert strips.max() > 0.7
    assert truth["what"].min() < STRANGE
    np.savez(file.with_name("other.npz"), probability=np.zeros((3, 3)))
    with pytest.raises(Invalid, match=r"other\.npz is no predicted map"):
        batch_of(replace(options, predicted=(file.with_name("other.npz"),)), 0)
    with pytest.raises(Unavailable, match=r"none\.npz"):
        batch_of(replace(options, predicted=(tmp_path / "none.npz",)), 0)


def test_a_training_of_no_steps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Usage):
        GlyphTraining(tmp_path, steps=0)
