"""A small classifier of Greek majuscules that slides along a line of writing.

For each place it answers three questions: is the middle of a letter here (`where`), which letter
is it (`what`, with one answer more for a shape that is no upright letter), and how far does it
reach (`reach`). It sees about one letter and a half, so it knows nothing of words and cannot
complete them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from danseo.core.errors import Invalid, Unavailable
from danseo.scroll.lettering import LETTERS

LETTER: Final = 32
"""Height of a letter on the strips that the classifier reads, in pixels."""

HEIGHT: Final = 48
"""Height of those strips."""

STRIDE: Final = 2
"""Pixels of the strip from one answer to the next."""

SIGHT: Final = 44
"""Width of what one answer depends on, in pixels of the strip: 1.4 letter heights."""

STRANGE: Final = len(LETTERS)
"""The class of a shape that is no upright letter: mirrored, turned, or false."""

REACHES: Final = ("left", "right", "top", "bottom", "shift", "size")
"""From the middle of the letter to its ink's edges; from the middle of the strip to that of the
line; and the line's height as a logarithm. All in letter heights."""

ARCHITECTURE: Final = "glyphs-1"
_SHIPPED: Final = "glyphs.safetensors"

Float = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Shapes:
    """The classifier's answers along a strip: `where` (n), `what` (25, n), `reach` (6, n)."""

    where: Float
    what: Float
    reach: Float


class GlyphNet(nn.Module):
    """Strips (batch, 1, 48, n) -> logits (batch, 1 + 25 + 6, n / 2): where, what, reach.

    `calibration` is slope and shift of the log-odds of a reading (see `calibration.py`).
    """

    calibration: Tensor

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        a, b, c, d = width, 2 * width, 3 * width, 5 * width
        self.look = nn.Sequential(
            *_layer(1, a),
            nn.MaxPool2d(2),
            *_layer(a, b),
            nn.MaxPool2d((2, 1)),
            *_layer(b, b),
            *_layer(b, c),
            nn.MaxPool2d((2, 1)),
            nn.Conv2d(c, d, (6, 5), padding=(0, 2), bias=False),
            nn.BatchNorm2d(d),
            nn.ReLU(),
        )
        self.think = nn.Sequential(
            nn.Conv1d(d, d, 5, padding=2, bias=False),
            nn.BatchNorm1d(d),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Conv1d(d, d, 5, padding=2, bias=False),
            nn.BatchNorm1d(d),
            nn.ReLU(),
        )
        self.answer = nn.Conv1d(d, 1 + STRANGE + 1 + len(REACHES), 3, padding=1)

    def forward(self, strips: Tensor) -> Tensor:
        seen = self.think(self.look(strips).squeeze(2))
        answer: Tensor = self.answer(seen)
        return answer


def read_strip(net: GlyphNet, strip: Float) -> Shapes:
    """Return the classifier's answers for one strip (48, n), for n / 2 places."""
    even = np.pad(strip, ((0, 0), (0, strip.shape[1] % 2)))
    with torch.inference_mode():
        answer = net(torch.from_numpy(even)[None, None])[0]
    return Shapes(
        where=answer[0].sigmoid().numpy(),
        what=answer[1 : STRANGE + 2].softmax(0).numpy(),
        reach=answer[STRANGE + 2 :].numpy(),
    )


def sure(net: GlyphNet, chance: float) -> float:
    """Return the confidence that a chance of the classifier stands for, by its calibration."""
    slope, shift = (float(value) for value in net.calibration)
    odds = min(max(chance, 1e-4), 1 - 1e-4)
    return float(1 / (1 + np.exp(-(slope * np.log(odds / (1 - odds)) + shift))))


def save_glyphs(net: GlyphNet, path: Path, card: dict[str, Any]) -> None:
    """Write weights as safetensors (half precision), with the card in the file's header."""
    from safetensors.torch import save_file

    halves = {
        name: value.half() if value.is_floating_point() else value
        for name, value in net.state_dict().items()
    }
    # One key alone: the order of several in the file is left to chance.
    header = {"card": json.dumps({"architecture": ARCHITECTURE, **card}, ensure_ascii=False)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(halves, path, metadata=header)


def load_glyphs(path: Path | None = None) -> GlyphNet:
    """Return the classifier of the weights at `path`, or of those that ship with the package.

    Raise `Unavailable` where there is no such file and `Invalid` where it holds another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = shipped() if path is None else path
    if not file.is_file():
        raise Unavailable(
            f"There are no weights at {file}.", "Train them: danseo scroll train --part text."
        )
    try:
        weights = load_file(file)
    except SafetensorError as error:
        raise Invalid(
            f"{file} is no file of weights: {error}.", "Fetch or train it anew."
        ) from error
    kind = read_card(file).get("architecture")
    net = GlyphNet()
    ours = {name: value.shape for name, value in net.state_dict().items()}
    if kind != ARCHITECTURE or {name: w.shape for name, w in weights.items()} != ours:
        raise Invalid(
            f"{file} holds weights of {kind or 'another network'}, not of {ARCHITECTURE}.",
            "Give weights that `danseo scroll train --part text` wrote.",
        )
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise Invalid(f"{file} holds weights that are not numbers.", "Train it anew.")
    net.load_state_dict({n: w.float() if w.is_floating_point() else w for n, w in weights.items()})
    return net.eval()


def read_card(path: Path) -> dict[str, Any]:
    """Return the card of a file of weights: its architecture, what it learnt from, its figures."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        card: dict[str, Any] = json.loads((file.metadata() or {}).get("card", "{}"))
    return card


def shipped() -> Path:
    """Where the weights of this package lie."""
    return Path(str(resources.files("danseo.scroll.text"))) / "weights" / _SHIPPED


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
