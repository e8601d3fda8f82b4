"""Confidence is set right: of letters said to be sure by .8, some 80 of 100 are right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from danseo.scroll.lettering import Letter
from danseo.scroll.text.calibration import calibrate, fit_logistic, is_right
from danseo.scroll.text.glyphs import GlyphNet, load_glyphs, sure
from danseo.scroll.text.transcribe import Reading


def test_the_curve_that_made_the_data_is_found() -> None:
    rng = np.random.default_rng(1)
    said = rng.uniform(0.02, 0.98, 20_000)
    odds = np.log(said / (1 - said))
    right = rng.random(20_000) < 1 / (1 + np.exp(-(1.7 * odds + 0.8)))
    assert fit_logistic(said, right) == pytest.approx((1.7, 0.8), abs=0.08)


def test_answers_that_are_all_right_give_a_curve_that_is_finite() -> None:
    slope, shift = fit_logistic(np.linspace(0.1, 0.9, 60), np.ones(60, np.bool_))
    assert np.isfinite([slope, shift]).all()


def test_a_network_that_reads_nothing_keeps_its_confidence() -> None:
    torch.manual_seed(1)
    net = GlyphNet()
    net.calibration.copy_(torch.tensor([3.0, 1.0]))
    assert calibrate(net, 1, 1, ["DejaVu Sans"]) == (1.0, 0.0)
    assert sure(net, 0.3) == pytest.approx(0.3)


def test_confidence_grows_with_chance() -> None:
    net = load_glyphs()
    values = [sure(net, chance) for chance in (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)]
    assert values == sorted(values)
    assert 0 < values[0] < values[-1] < 1


def test_a_reading_is_right_where_its_middle_is_in_the_letters_box() -> None:
    letters = (Letter("Α", 0, (0, 0, 20, 20)), Letter("Β", 0, (30, 0, 50, 20)))
    assert is_right(Reading("Β", 1.0, (28, 2, 50, 22), ()), letters)
    assert not is_right(Reading("Α", 1.0, (28, 2, 50, 22), ()), letters)
    assert not is_right(Reading("Β", 1.0, (60, 2, 80, 22), ()), letters)
