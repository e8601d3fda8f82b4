"""Ink on held-out phantoms: the network beside gradient boosting and brightness; curves; speed.

Each phantom is made here, of a seed and (where it is installed) a font that no training saw: ink of
8 to 20 um, noise up to .2, rendered along a surface that is half a voxel off. Gradient boosting
(scikit-learn) learns from three phantoms of the validation's seeds, and its threshold comes from a
fourth; it sees all 24 layers of a pixel, and mean and deviation of each over 5 x 5 and 15 x 15
pixels. It is scored
on every third row and column, the network on every pixel. The curves change one parameter of one
scroll. Speed is of one thread, and the peak that it is compared with a matrix product's, measured
in the same run.

`DANSEO_INK_SAMPLES` names a folder where the phantoms are kept from run to run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.harness import WORK, Figure
from danseo.scroll.ink import measure
from danseo.scroll.ink.network import receptive_field
from danseo.scroll.ink.phantoms import SEEDS, Kind, draw, make_sample, make_samples
from danseo.scroll.ink.predict import probability
from danseo.scroll.ink.samples import Sample, read_sample
from danseo.scroll.ink.weights import Model, load_model

Floats = npt.NDArray[np.floating]

HELD_OUT: Final = Kind(noise=(0.0, 0.2))
SMALL: Final = (256, 200, 200)
FIXED: Final = {"ink_um": (10.0, 10.0), "noise": 0.12, "fwhm_voxels": 1.5, "touching": 0.01}
CURVES: Final[list[tuple[str, str, list[Any]]]] = [
    ("ink of {} um", "ink_um", [5.0, 8.0, 12.0, 16.0]),
    ("noise {}", "noise", [0.0, 0.2, 0.3]),
    ("blur {} voxels", "fwhm_voxels", [1.0, 2.0]),
]
_LEARN: Final = 60_000
_STEP: Final = 3


def run() -> list[Figure]:
    """Measure and return all figures; about six minutes."""
    torch.set_num_threads(1)
    model = load_model()
    folder = Path(os.environ.get("DANSEO_INK_SAMPLES", WORK / "ink"))
    learn = make_samples(SEEDS["validation"][50:54], folder / "learn", HELD_OUT)
    test = make_samples(SEEDS["test"][:6], folder / "test", HELD_OUT)
    return [
        *_accuracy(model, folder, learn, test),
        *(_point(model, folder, *point) for point in _points()),
        *_speed(model),
    ]


def _accuracy(
    model: Model, folder: Path, learn: list[Sample], test: list[Sample]
) -> Iterator[Figure]:
    """Yield AUC and F0.5 over all pixels of `test`, beside the peers', and the worst phantom's."""
    maps = [_map(model, sample) for sample in test]
    p, ink = _pooled(maps, test)
    ours = measure.score(p, ink, threshold=model.threshold)
    boosted = _boosting(learn, test)
    letters = sum(len(s.facts["letters"]) for s in test)
    where = f"{len(test)} held-out phantoms, {letters} letters, ink 8-20 um, noise 0-.2"
    yield _aimed(f"ink, AUC ({where})", ours.auc, "AUC", boosted.auc, 0.97)
    yield _aimed("ink, F0.5 at the threshold from validation", ours.f, "F0.5", boosted.f, 0.85)
    worst = min(measure.auc(m, s.ink, s.valid) for m, s in zip(maps, test, strict=True))
    yield Figure("ink, AUC of the worst phantom", worst, "AUC")
    yield Figure("ink, expected calibration error", ours.ece, "")
    yield _blank(model, folder)
    for name, by in _BRIGHTNESS.items():
        there = measure.auc(*_pooled([by(s.middle(24)) for s in test], test))
        told = max(there, 1 - there)
        aim = "at most 0.55"
        yield Figure(f"ink by {name} brightness, AUC", told, "AUC", "", None, aim, told <= 0.55)


def _blank(model: Model, folder: Path) -> Figure:
    """Return which part of a scroll without any ink the threshold calls ink."""
    seed = SEEDS["test"][200]
    place = folder / f"blank-{seed}"
    if not place.exists():
        make_sample(draw(seed, Kind(shape=SMALL, noise=(0.1, 0.1)))[0], "", place)
    sample = read_sample(place)
    said = (_map(model, sample) >= model.threshold)[sample.valid]
    return Figure("ink on a scroll without ink", 100 * float(said.mean()), "% of pixels")


_BRIGHTNESS: Final[dict[str, Callable[[npt.NDArray[np.uint8]], Floats]]] = {
    "mean": lambda layers: layers.mean(0, dtype=np.float32),
    "maximum": lambda layers: layers.max(0).astype(np.float32),
    "integrated": lambda layers: layers[2:22].sum(0, dtype=np.float32),
}


def _aimed(what: str, value: float, unit: str, peer: float, least: float) -> Figure:
    beside = f"gradient boosting {peer:.3f}"
    return Figure(what, value, unit, beside, value / peer, f"at least {least}", value >= least)


def _map(model: Model, sample: Sample) -> Floats:
    found = probability(model, np.ascontiguousarray(sample.middle(model.depth)), sample.valid)
    return np.round(found * 65535) / np.float32(65535)


def _pooled(maps: list[Floats], truth: list[Sample]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return what counts of all maps, and of their truth, as two long arrays."""
    p = np.concatenate([m[s.valid] for m, s in zip(maps, truth, strict=True)])
    return p, np.concatenate([s.ink[s.valid] for s in truth])


def _boosting(learn: list[Sample], test: list[Sample]) -> measure.Score:
    """Return what gradient boosting scores on every third row and column of `test`."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(3)
    x, y = _features(learn[:-1])
    chosen = rng.permutation(len(y))[:_LEARN]
    trees = HistGradientBoostingClassifier(max_iter=200, learning_rate=0.1, random_state=3)
    trees.fit(x[chosen], y[chosen])
    threshold, _ = measure.best_threshold(*_guessed(trees, learn[-1:]))
    return measure.score(*_guessed(trees, test), threshold=threshold)


def _guessed(trees: Any, samples: list[Sample]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    x, y = _features(samples)
    return trees.predict_proba(x)[:, 1], y


def _features(samples: list[Sample]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return 120 features for each third pixel: layers, and means and deviations around them."""
    x, y = [], []
    for sample in samples:
        valid = sample.valid[::_STEP, ::_STEP]
        layers = sample.middle(24).astype(np.float32)
        seen = [layers]
        for width in (5, 15):
            mean = ndimage.uniform_filter(layers, (0, width, width))
            square = ndimage.uniform_filter(layers**2, (0, width, width))
            seen += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
        x.append(np.concatenate([part[:, ::_STEP, ::_STEP][:, valid] for part in seen]).T)
        y.append(sample.ink[::_STEP, ::_STEP][valid])
    return np.concatenate(x), np.concatenate(y)


def _points() -> Iterator[tuple[str, str, Any]]:
    for title, name, values in CURVES:
        for value in values:
            yield title.format(f"{value:g}"), name, value


def _point(model: Model, folder: Path, title: str, name: str, value: Any) -> Figure:
    """Return the AUC on the one scroll of the curves, with one parameter of its recipe changed."""
    fixed = FIXED | {name: (value, value) if name == "ink_um" else value}
    place = folder / f"{name}-{value:g}"
    (sample,) = make_samples(SEEDS["test"][100:101], place, Kind(shape=SMALL, fixed=fixed))
    found = _map(model, sample)
    f = measure.f_score(found, sample.ink, sample.valid, threshold=model.threshold)
    auc = measure.auc(found, sample.ink, sample.valid)
    return Figure(f"{title}: AUC (F0.5 {f:.3f})", auc, "AUC")


def _speed(model: Model) -> Iterator[Figure]:
    """Yield pixels a second of one thread, with one view and with four, and the share of peak."""
    window = np.random.default_rng(1).integers(0, 256, (model.depth, 512, 512), np.uint8)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.network(torch.zeros(1, model.depth, 512, 512))
    work = counter.get_total_flops() / 512**2
    once = 512**2 / _fastest(lambda: probability(model, window, flips=False))
    four = 512**2 / _fastest(lambda: probability(model, window))
    a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
    peak = 2 * 1024**3 / _fastest(lambda: torch.mm(a, b))
    yield Figure(
        "ink inference, one thread, one view", once / 1e6, "Mpixel/s", "prototype 0.09", once / 9e4
    )
    yield Figure("ink inference, one thread, four views", four / 1e6, "Mpixel/s")
    yield Figure(
        "ink inference, share of the peak of a float32 matrix product", work * once / peak, ""
    )
    yield Figure("receptive field", receptive_field(model.network) * model.voxel_um / 1e3, "mm")


def _fastest(call: Callable[[], object], times: int = 5) -> float:
    """Return the seconds of the fastest of some calls, after one that warms up."""
    call()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)
