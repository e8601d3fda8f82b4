"""Train the classifier of letters on pages that are worn down to maps of ink, or on true maps.

Every batch is drawn from the seed and its number alone, so a training that was interrupted goes on
from its last state and ends with the same weights.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll.lettering import LETTERS, Letter, fonts, page
from danseo.scroll.text.calibration import calibrate
from danseo.scroll.text.degrade import degrade, draw_wear
from danseo.scroll.text.glyphs import (
    HEIGHT,
    LETTER,
    REACHES,
    STRANGE,
    STRIDE,
    GlyphNet,
    save_glyphs,
)
from danseo.scroll.text.lines import TextLine, even_out, strip_of

Progress = Callable[[float, str], None]
Float = NDArray[np.floating[Any]]

HELD_OUT: Final = ("Anaktoria",)
"""Fonts that training never sees, so that a benchmark can ask how it does on a new hand."""

_DRAWN: Final = 40
"""Height of letters on the pages that training draws, in pixels."""

_UNTURNED: Final = {
    "upright": LETTERS,
    "mirrored": "ΑΔΗΘΙΛΜΞΟΠΤΥΦΧΨΩ",
    "turned": "ΖΗΘΙΝΞΟΦΧ",
    "upended": "ΒΕΗΘΙΚΞΟϹΦΧ",
}
"""The letters that stay themselves on a page that lies so."""


@dataclass(frozen=True, slots=True)
class GlyphTraining:
    """How the classifier is trained. `out` receives weights, state and curve.

    `pages`: how many pages are drawn; each is worn anew whenever it is shown. `width`: of a strip
    in letter heights. `predicted`: `.npz` files of true maps, each with `probability`, `letters`
    (JSON as in a phantom's truth), and perhaps `mask`; a share `predicted_share` of the strips.
    `calibrate_pages`: how many worn pages confidence is set right on, at the end.
    """

    out: Path
    steps: int = 1400
    batch: int = 16
    pages: int = 320
    width: int = 12
    rate: float = 3e-3
    seed: int = 7
    predicted: tuple[Path, ...] = ()
    predicted_share: float = 0.5
    start: Path | None = None
    save_every: int = 50
    calibrate_pages: int = 24

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.pages, self.width, self.save_every) < 1:
            raise Usage(
                "One of steps, batch, pages, width and save_every is below 1.",
                "Give each at least 1.",
            )


@dataclass(frozen=True, slots=True)
class Sample:
    """A map with its letters, to cut strips from; `same` are those that count as letters here."""

    ink: Float
    lines: tuple[TextLine, ...]
    letters: tuple[tuple[Letter, ...], ...]
    same: str = LETTERS


def train_glyphs(options: GlyphTraining, progress: Progress | None = None) -> Path:
    """Train, and return the file of weights, `glyphs.safetensors` in `options.out`.

    An interrupted training goes on where its last state was kept. Raise `Invalid` where the folder
    holds the state of a training with other options.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    net = GlyphNet()
    if options.start is not None:
        from danseo.scroll.text.glyphs import load_glyphs

        net = load_glyphs(options.start)
    optimiser = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, total_steps=options.steps + 1, pct_start=0.15
    )
    curve = _resume(options, net, optimiser, schedule)
    net.train()
    for step in range(len(curve), options.steps):
        strips, targets = batch_of(options, step)
        torch.manual_seed(options.seed * 1_000_003 + step)
        loss, parts = loss_of(net(strips), targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        curve.append(parts)
        if (step + 1) % options.save_every == 0 or step + 1 == options.steps:
            _keep(options, net, optimiser, schedule, curve)
        if progress is not None:
            named = ", ".join(f"{name} {value:.3f}" for name, value in parts.items())
            progress((step + 1) / options.steps, f"step {step + 1}: {named}")
    if progress is not None:
        progress(1.0, "setting confidence right on worn pages")
    slope, shift = calibrate(net, options.calibrate_pages, options.seed, _learned())
    file = options.out / "glyphs.safetensors"
    save_glyphs(net, file, {**card_of(options, curve), "calibration": [slope, shift]})
    return file


def batch_of(options: GlyphTraining, step: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Return batch number `step`: strips (batch, 1, 48, n) and what is true of them."""
    rng = np.random.default_rng((options.seed, step))
    width = options.width * LETTER
    strips: list[Float] = []
    truths: list[dict[str, NDArray[Any]]] = []
    while len(strips) < options.batch:
        sample = _draw(options, rng)
        for k in rng.permutation(len(sample.lines))[: min(3, options.batch - len(strips))]:
            strip, truth = _cut(sample, int(k), width, rng)
            strips.append(strip)
            truths.append(truth)
    stacked = {
        name: torch.from_numpy(np.stack([truth[name] for truth in truths])) for name in truths[0]
    }
    return torch.from_numpy(np.stack(strips))[:, None], stacked


def loss_of(answer: Tensor, truth: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of answers (batch, 32, n) against the truth, and its parts by name."""
    where = functional.binary_cross_entropy_with_logits(answer[:, 0], truth["where"])
    near = truth["near"]
    count = near.sum().clamp(min=1)
    what = functional.cross_entropy(
        answer[:, 1 : STRANGE + 2], truth["what"], reduction="none", label_smoothing=0.02
    )
    what = (what * near).sum() / count
    reach = (answer[:, STRANGE + 2 :] - truth["reach"]).abs().mean(dim=1)
    reach = (reach * near).sum() / count
    total = 4 * where + what + 2 * reach
    right = ((answer[:, 1 : STRANGE + 2].argmax(1) == truth["what"]) * near).sum() / count
    return total, {
        "where": float(where.detach()),
        "what": float(what.detach()),
        "reach": float(reach.detach()),
        "right": float(right),
    }


def sample_of(
    probability: Float, mask: NDArray[np.bool_], letters: tuple[Letter, ...], same: str = LETTERS
) -> Sample:
    """Return a map and its true letters as a sample, with lines that follow the letters."""
    rows: dict[int, list[Letter]] = {}
    for letter in letters:
        rows.setdefault(letter.line, []).append(letter)
    lines = [_true_line(row) for row in rows.values()]
    return Sample(even_out(probability, mask), tuple(lines), tuple(map(tuple, rows.values())), same)


def card_of(options: GlyphTraining, curve: list[dict[str, float]]) -> dict[str, Any]:
    """Return the card of a training: what it learnt from, and where it ended."""
    last = curve[-100:]
    return {
        "letters": LETTERS,
        "training": _asked(options),
        "fonts": _learned(),
        "held_out": list(HELD_OUT),
        "loss_at_end": {name: float(np.mean([c[name] for c in last])) for name in last[0]},
    }


def _draw(options: GlyphTraining, rng: np.random.Generator) -> Sample:
    """A true map or a drawn page worn anew; one in ten without ink; some lie the wrong way."""
    if options.predicted and rng.random() < options.predicted_share:
        return _predicted(options.predicted[int(rng.integers(len(options.predicted)))])
    mask, letters = _page(options.seed, int(rng.integers(options.pages)))
    if rng.random() < 0.1:
        mask, letters = np.zeros_like(mask), tuple(_hidden(letter) for letter in letters)
    lies = str(rng.choice(list(_UNTURNED), p=(0.8, 0.1, 0.05, 0.05)))
    mask, letters = turn(mask, letters, lies)
    hard = float(rng.choice((0.4, 0.8, 1.0, 1.2)))
    worn = degrade(mask, _DRAWN, draw_wear(rng, hard), rng)
    return sample_of(worn, np.ones_like(mask), letters, _UNTURNED[lies])


def turn(
    mask: NDArray[Any], letters: tuple[Letter, ...], lies: str
) -> tuple[NDArray[Any], tuple[Letter, ...]]:
    """Return a page as it looks mirrored, turned by half a circle, or upended (both)."""
    height, width = mask.shape
    across, down = lies in ("mirrored", "turned"), lies in ("turned", "upended")
    moved = []
    for letter in letters:
        u0, v0, u1, v1 = letter.box
        if across:
            u0, u1 = width - u1, width - u0
        if down:
            v0, v1 = height - v1, height - v0
        moved.append(Letter(letter.char, letter.line, (u0, v0, u1, v1)))
    return mask[:: -1 if down else 1, :: -1 if across else 1], tuple(moved)


def _hidden(letter: Letter) -> Letter:
    return Letter("", letter.line, letter.box)


@lru_cache(maxsize=2048)
def _page(seed: int, number: int) -> tuple[NDArray[np.bool_], tuple[Letter, ...]]:
    """A page of three lines of random letters in a random font that is not held out."""
    rng = np.random.default_rng((seed, number, 1))
    names = _learned()
    text = "".join(rng.choice(list(LETTERS), 90))
    name = names[int(rng.integers(len(names)))]
    written = page(text, round(4.8 * _DRAWN), 15 * _DRAWN, _DRAWN, rng, name)
    return written.mask, written.letters


@lru_cache(maxsize=64)
def _predicted(path: Path) -> Sample:
    """A true map from a file, with its letters."""
    if not path.is_file():
        raise Unavailable(f"There is no predicted map at {path}.", "Predict it first.")
    try:
        with np.load(path) as file:
            probability = np.asarray(file["probability"], dtype=np.float32)
            mask = file["mask"] > 0 if "mask" in file else np.ones(probability.shape, np.bool_)
            rows = json.loads(str(file["letters"]))
        letters = tuple(Letter(r["char"], r["line"], tuple(r["box"])) for r in rows)
    except (KeyError, ValueError, OSError) as error:
        raise Invalid(
            f"{path} is no predicted map with letters: {error}.",
            "Give .npz files with `probability` and `letters`.",
        ) from error
    return sample_of(probability, mask, letters)


def _true_line(row: list[Letter]) -> TextLine:
    """The line through letters: its middle is theirs, smoothed; descenders do not count."""
    row = sorted(row, key=lambda letter: letter.box[0])
    plain = [letter for letter in row if letter.char not in set("ΦΨΞΔΡΥ")] or row
    tall = float(np.median([letter.box[3] - letter.box[1] for letter in plain]))
    u = np.array([(letter.box[0] + letter.box[2]) / 2 for letter in plain])
    v = np.array([(letter.box[1] + letter.box[3]) / 2 for letter in plain])
    knots = np.arange(row[0].box[0], row[-1].box[2] + tall / 2, tall / 2)
    near = np.exp(-(((knots[:, None] - u[None, :]) / (2 * tall)) ** 2) / 2) + 1e-9
    return TextLine(knots, near @ v / near.sum(axis=1), tall)


def _cut(
    sample: Sample, number: int, width: int, rng: np.random.Generator
) -> tuple[Float, dict[str, NDArray[Any]]]:
    """One strip of `width` pixels along a line, somewhat off its middle and size, and its truth."""
    true = sample.lines[number]
    size = true.letter_px * float(np.exp(rng.normal(0, 0.07)))
    shift = true.letter_px * float(np.clip(rng.normal(0, 0.07), -0.2, 0.2))
    tilt = float(rng.normal(0, 0.01)) * (true.u - true.u.mean())
    line = TextLine(true.u, true.v + shift + tilt, size)
    strip, u = strip_of(sample.ink, line, LETTER, HEIGHT)
    begin = int(rng.integers(0, max(1, len(u) - width)))
    strip, u = strip[:, begin : begin + width], u[begin : begin + width]
    if len(u) < width:
        strip = np.pad(strip, ((0, 0), (0, width - strip.shape[1])))
        u = u[0] + (u[1] - u[0]) * np.arange(width)
    strip = strip * np.float32(rng.uniform(0.75, 1.3))
    return strip, _truth(sample.letters[number], sample.same, line, true, u)


def _truth(
    letters: tuple[Letter, ...], same: str, line: TextLine, true: TextLine, u: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """What is true at each place of a strip whose columns lie at `u` on the page."""
    count = len(u) // STRIDE
    at = u[0] + (u[1] - u[0]) * (STRIDE * np.arange(count) + (STRIDE - 1) / 2)
    size = line.letter_px
    where, near = np.zeros(count, np.float32), np.zeros(count, np.float32)
    what, reach = np.full(count, STRANGE), np.zeros((len(REACHES), count), np.float32)
    for letter in letters:
        if not letter.char:
            continue
        u0, v0, u1, v1 = letter.box
        middle, away = line.middle((u0 + u1) / 2), at - (u0 + u1) / 2
        where = np.maximum(where, np.exp(-((away / (0.07 * size)) ** 2) / 2).astype(np.float32))
        here = np.abs(away) < 0.13 * size
        near[here] = 1
        what[here] = LETTERS.index(letter.char) if letter.char in same else STRANGE
        reach[0, here], reach[1, here] = (at[here] - u0) / size, (u1 - at[here]) / size
        reach[2:, here] = np.array(
            [
                (middle - v0) / size,
                (v1 - middle) / size,
                (true.middle((u0 + u1) / 2) - middle) / size,
                np.log(true.letter_px / size),
            ]
        )[:, None]
    return {"where": where, "near": near, "what": what, "reach": reach}


def _learned() -> list[str]:
    """The fonts to learn from."""
    return [name for name in fonts() if name not in HELD_OUT]


def _asked(options: GlyphTraining) -> dict[str, Any]:
    """The options that decide what weights come out."""
    asked = dataclasses.asdict(options)
    for name in ("out", "save_every"):
        del asked[name]
    asked["predicted"] = [path.name for path in options.predicted]
    asked["start"] = None if options.start is None else options.start.name
    return asked


def _keep(
    options: GlyphTraining,
    net: GlyphNet,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    curve: list[dict[str, float]],
) -> None:
    """Keep the state, whole or not at all."""
    state = {
        "asked": json.dumps(_asked(options)),
        "net": net.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "curve": curve,
    }
    part = options.out / "state.part"
    torch.save(state, part)
    part.replace(options.out / "state.pt")
    (options.out / "curve.json").write_text(json.dumps(curve), encoding="utf-8")


def _resume(
    options: GlyphTraining,
    net: GlyphNet,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> list[dict[str, float]]:
    """Take up the kept state, and return the curve so far; empty where there is none."""
    file = options.out / "state.pt"
    if not file.is_file():
        return []
    try:
        state = torch.load(file, weights_only=True)
    except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise Invalid(f"{file} is no state of a training.", "Delete it.") from error
    if state["asked"] != json.dumps(_asked(options)):
        raise Invalid(
            f"{options.out} holds a training with other options.",
            "Give another folder, or delete its state.pt.",
        )
    net.load_state_dict(state["net"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    curve: list[dict[str, float]] = state["curve"]
    return curve
