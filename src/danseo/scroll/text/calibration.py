"""How sure a reading is: the classifier's answers are held against worn pages, and set right.

The classifier answers two questions softly, and their product says less than it knows. A logistic
curve over the product's log-odds (Platt 1999) makes a confidence of it that is kept: of letters
that are said to be sure by .8, some 80 of 100 are right, on pages like those that it was fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from danseo.scroll.lettering import LETTERS, Letter, page
from danseo.scroll.text.degrade import degrade, draw_wear
from danseo.scroll.text.glyphs import GlyphNet
from danseo.scroll.text.transcribe import Reading, TextOptions, transcribe

_DRAWN: Final = 40
_ENOUGH: Final = 50
"""Fewer readings than this fit no curve, and confidence stays as it is."""


def calibrate(net: GlyphNet, pages: int, seed: int, names: Sequence[str]) -> tuple[float, float]:
    """Fit `net.calibration` on worn pages in the fonts `names`; return its slope and shift."""
    net.eval()
    net.calibration.copy_(torch.tensor([1.0, 0.0]))
    said: list[float] = []
    right: list[bool] = []
    for number in range(pages):
        rng = np.random.default_rng((seed, number, 3))
        text = "".join(rng.choice(list(LETTERS), 100))
        name = names[number % len(names)]
        written = page(text, round(3.15 * _DRAWN), 27 * _DRAWN, _DRAWN, rng, name)
        worn = degrade(written.mask, _DRAWN, draw_wear(rng, float(rng.uniform(0.2, 0.9))), rng)
        options = TextOptions(letter_px=float(_DRAWN), look_around=False)
        for reading in transcribe(worn, None, options, net).letters:
            said.append(reading.confidence)
            right.append(is_right(reading, written.letters))
    if len(said) >= _ENOUGH and 0 < sum(right) < len(right):
        fitted = fit_logistic(np.array(said), np.array(right))
        net.calibration.copy_(torch.tensor(fitted))
    slope, shift = (float(value) for value in net.calibration)
    return slope, shift


def is_right(reading: Reading, letters: Sequence[Letter]) -> bool:
    """Whether a reading names the letter whose box holds its middle."""
    u = (reading.box[0] + reading.box[2]) / 2
    v = (reading.box[1] + reading.box[3]) / 2
    for letter in letters:
        u0, v0, u1, v1 = letter.box
        margin = (v1 - v0) / 2
        if u0 <= u <= u1 and v0 - margin <= v <= v1 + margin:
            return letter.char == reading.char
    return False


def fit_logistic(said: NDArray[Any], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and shift of the log-odds that make `said` true (Newton, lightly damped)."""
    odds = np.clip(said, 1e-3, 1 - 1e-3)
    x = np.stack([np.log(odds / (1 - odds)), np.ones(len(said))], axis=1)
    weights = np.array([1.0, 0.0])
    damp = 0.01 * np.eye(2)
    for _ in range(50):
        chance = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (right - chance) - damp @ (weights - [1.0, 0.0])
        curve = (x * (chance * (1 - chance))[:, None]).T @ x + damp
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0]), float(weights[1])
