"""The classifier sees no further than a letter, and takes no weights but its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from danseo.core.errors import Invalid, Unavailable
from danseo.scroll.lettering import LETTERS
from danseo.scroll.text.glyphs import (
    HEIGHT,
    LETTER,
    SIGHT,
    STRIDE,
    GlyphNet,
    load_glyphs,
    read_card,
    read_strip,
    save_glyphs,
    shipped,
)


def test_an_answer_depends_on_one_letter_and_a_half_at_most() -> None:
    torch.manual_seed(1)
    net = GlyphNet().double().eval()
    strip = torch.rand(1, 1, HEIGHT, 240, dtype=torch.float64, requires_grad=True)
    net(strip)[0, :, 60].sum().backward()
    assert strip.grad is not None
    seen = np.flatnonzero(strip.grad[0, 0].abs().sum(0).numpy())
    middle = 60 * STRIDE + (STRIDE - 1) / 2
    assert abs(seen - middle).max() <= SIGHT / 2
    assert SIGHT <= 1.5 * LETTER


def test_the_shipped_weights_are_small_and_say_what_they_are() -> None:
    assert shipped().stat().st_size < 1_000_000
    card = read_card(shipped())
    assert card["architecture"] == "glyphs-1"
    assert card["letters"] == LETTERS
    assert card["held_out"]
    assert not set(card["held_out"]) & set(card["fonts"])


def test_weights_come_back_as_they_were_kept(tmp_path: Path) -> None:
    net = load_glyphs()
    save_glyphs(net, tmp_path / "new" / "glyphs.safetensors", {"note": "ἀλφα"})
    again = load_glyphs(tmp_path / "new" / "glyphs.safetensors")
    strip = np.random.default_rng(1).random((HEIGHT, 101), dtype=np.float32)
    one, two = read_strip(net, strip), read_strip(again, strip)
    assert one.where.shape == (51,)
    assert np.array_equal(one.what, two.what)
    assert np.allclose(one.what.sum(axis=0), 1, atol=1e-5)
    assert read_card(tmp_path / "new" / "glyphs.safetensors")["note"] == "ἀλφα"


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"look.0.weight": torch.zeros(3)}, other)
    with pytest.raises(Invalid, match=r"other\.safetensors holds weights of another network"):
        load_glyphs(other)
    save_glyphs(GlyphNet(width=8), other, {})
    with pytest.raises(Invalid, match="not of glyphs-1"):
        load_glyphs(other)


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="There are no weights at"):
        load_glyphs(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(shipped().read_bytes()[:1000])
    with pytest.raises(Invalid, match=r"broken\.safetensors is no file of weights"):
        load_glyphs(broken)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    net = GlyphNet()
    with torch.no_grad():
        net.answer.weight[0] = float("nan")
    save_glyphs(net, tmp_path / "nan.safetensors", {})
    with pytest.raises(Invalid, match="not numbers"):
        load_glyphs(tmp_path / "nan.safetensors")
