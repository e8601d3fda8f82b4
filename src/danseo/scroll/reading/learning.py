"""From a number of phantoms to weights for ink: make, train, calibrate, save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Usage

if TYPE_CHECKING:
    from danseo.scroll.ink.samples import Sample
    from danseo.scroll.ink.weights import Model

Progress = Callable[[float, str], None]

WEIGHTS: Final = "ink.safetensors"
_MADE: Final = 0.25
"""About which part of the time the phantoms take."""
_STRIPE: Final = 512


@dataclass(frozen=True, slots=True)
class Course:
    """How much to learn from: `phantoms` to train on, `checks` to calibrate with, and `steps`."""

    phantoms: int = 24
    checks: int = 4
    steps: int = 6000
    seed: int = 1
    start: Path | None = None

    def __post_init__(self) -> None:
        if min(self.phantoms, self.checks, self.steps) < 1:
            raise Usage("Phantoms, checks and steps are at least 1.", "Give whole numbers above 0.")


def train_ink(out: Path, course: Course, progress: Progress | None = None) -> Path:
    """Train the ink network on phantoms of its own making; return the file of weights.

    An interrupted course goes on where it was: phantoms that are made, and the last checkpoint.
    """
    from danseo.scroll.ink.phantoms import SEEDS, make_samples
    from danseo.scroll.ink.training import Training, train
    from danseo.scroll.ink.weights import Model, load_model, save_model

    share = progress or (lambda part, words: None)
    if course.phantoms > len(SEEDS["training"]) or course.checks > len(SEEDS["validation"]):
        raise Usage(f"{course} asks for more phantoms than there are seeds.", "Ask for fewer.")
    folder, total = out / "phantoms", course.phantoms + course.checks

    def made(part: str, count: int, before: int) -> list[Sample]:
        def tell(done: float, words: str) -> None:
            share(_MADE * (before + done * count) / total, f"{part}: {words}")

        return make_samples(SEEDS[part][:count], folder, progress=tell)

    data = made("training", course.phantoms, 0)
    checks = made("validation", course.checks, course.phantoms)
    start = None if course.start is None else load_model(course.start).network
    network = train(
        Training(steps=course.steps, seed=course.seed),
        lambda part, words: share(_MADE + (0.98 - _MADE) * part, words),
        data=data,
        validation=checks,
        out=out,
        start=start,
    )
    share(0.98, "calibrating")
    voxel_um = float(data[0].facts["recipe"]["voxel_um"])
    facts = {"phantoms": course.phantoms, "steps": course.steps, "seed": course.seed}
    from danseo.scroll.ink.weights import Calibration

    model = _calibrated(Model(network, voxel_um, Calibration(), 0.5, facts), checks)
    return save_model(out / WEIGHTS, model)


def _calibrated(model: Model, checks: list[Sample]) -> Model:
    """Return the model with calibration and threshold fitted on what training did not see."""
    from danseo.scroll.ink.measure import best_threshold, score
    from danseo.scroll.ink.weights import fit_calibration

    found = [_logits(model, one)[one.valid] for one in checks]
    ink = np.concatenate([one.ink[one.valid] for one in checks])
    logits = np.concatenate(found)
    calibration = fit_calibration(logits, ink)
    probability = 1 / (1 + np.exp(-(calibration.scale * logits + calibration.shift)))
    threshold, _ = best_threshold(np.round(probability * 65535) / 65535, ink)
    figures = score(probability, ink, threshold=threshold)
    facts: dict[str, Any] = {**model.facts, "auc": figures.auc, "f": figures.f, "ece": figures.ece}
    return replace(model, calibration=calibration, threshold=threshold, facts=facts)


def _logits(model: Model, sample: Sample) -> npt.NDArray[np.float32]:
    """Return four views' mean of a sample's logits, cut into stripes that overlap by the reach."""
    from danseo.scroll.ink.network import STRIDE, reach
    from danseo.scroll.ink.predict import logits

    layers = sample.middle(model.depth)
    margin = -(-reach(model.network) // STRIDE) * STRIDE
    rows, columns = layers.shape[1:]
    pads = ((0, 0), (margin, margin + -rows % STRIDE), (margin, margin + -columns % STRIDE))
    padded = np.pad(layers, pads, mode="reflect")
    out = np.empty((rows, columns), np.float32)
    for left in range(0, columns, _STRIPE):
        window = padded[:, :, left : left + _STRIPE + 2 * margin]
        seen = logits(model, window, flips=True).numpy()[margin : margin + rows, margin:]
        wide = min(_STRIPE, columns - left)
        out[:, left : left + wide] = seen[:, :wide]
    return out
