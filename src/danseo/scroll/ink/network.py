"""The ink network: 24 layers in, one logit a pixel out, and never a look beyond half a millimetre.

Depth is folded into channels by the first convolution, which also halves the resolution: cracks
one voxel wide keep a phase in its channels, and all that follows costs a quarter. A detour at
quarter resolution looks further for little. There is no normalisation layer: nothing in the
network depends on more of the image than the receptive field, in training as in use.

`receptive_field` walks the very layers that `forward` runs, so that it cannot drift from them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final

import torch
from torch import Tensor, nn

from danseo.core.errors import Usage

LIMIT_UM: Final = 500.0
"""The widest window, in micrometres, that a model that ships may see."""

STRIDE: Final = 4
"""Height and width of the input must be multiples of this."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of an `InkNet`: layers taken, channels at half and quarter resolution, blocks."""

    depth: int = 24
    half: int = 32
    quarter: int = 64
    half_blocks: int = 1
    quarter_blocks: int = 2

    def digest(self) -> str:
        """Return 16 hex digits that name this architecture and the code's form of it."""
        form = json.dumps({"form": "fold-detour-2", **asdict(self)}, sort_keys=True)
        return hashlib.sha256(form.encode()).hexdigest()[:16]


class InkNet(nn.Module):
    """`[B, depth, H, W]` of intensities in 0..1 to logits `[B, H, W]`; H, W multiples of 4."""

    def __init__(self, architecture: Architecture | None = None) -> None:
        super().__init__()
        self.architecture = a = architecture or Architecture()
        self.body = nn.Sequential(
            nn.Conv2d(a.depth, a.half, 4, stride=2, padding=1),
            nn.ReLU(),
            *(Residual(a.half) for _ in range(a.half_blocks)),
            Detour(
                nn.Conv2d(a.half, a.quarter, 2, stride=2),
                nn.ReLU(),
                *(Residual(a.quarter) for _ in range(a.quarter_blocks)),
                nn.Conv2d(a.quarter, a.half, 1),
                nn.Upsample(scale_factor=2, mode="bilinear"),
            ),
            nn.ReLU(),
            nn.Conv2d(2 * a.half, a.half, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(a.half, 1, 1),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, layers: Tensor) -> Tensor:
        """Return the logits of ink; raise `Usage` where the shape is not the network's."""
        if layers.ndim != 4 or layers.shape[1] != self.architecture.depth:
            raise Usage(
                f"the ink network takes [batch, {self.architecture.depth}, rows, columns], "
                f"not {list(layers.shape)}.",
                "Render that many layers, or load the weights that belong to these.",
            )
        if layers.shape[2] % STRIDE or layers.shape[3] % STRIDE:
            raise Usage(
                f"rows and columns must be multiples of {STRIDE}, not {list(layers.shape[2:])}.",
                "Pad the tile.",
            )
        centred = ((layers - 0.5) * 4).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.body(centred)[:, 0]
        return logits


class Residual(nn.Module):
    """Two 3x3 convolutions added to what came in; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        """Return a rectified sum, of the shape of `x`."""
        return torch.relu(x + self.body(x))


class Detour(nn.Sequential):
    """What came in, and beside it as further channels what the layers here make of it."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, C + C', H, W]` for `[B, C, H, W]`."""
        return torch.cat([x, super().forward(x)], dim=1)  # type: ignore[no-untyped-call]


Span = tuple[int, int]


def reach(network: InkNet) -> int:
    """Return how many pixels to any side of a pixel the network looks, at most.

    Spans of outputs are carried backwards through the layers; all phases of the strides are tried.
    """
    far = 0
    for pixel in range(STRIDE * 8, STRIDE * 9):
        low, high = _seen(network.body, (pixel, pixel))
        far = max(far, pixel - low, high - pixel)
    return far


def receptive_field(network: InkNet) -> int:
    """Return the width in pixels of the centred square that a prediction can depend on."""
    return 2 * reach(network) + 1


def _seen(layer: nn.Module, span: Span) -> Span:
    """Return the span of a layer's input that the span of its output depends on."""
    low, high = span
    match layer:
        case Detour():
            inner = _through(layer, span)
            return min(low, inner[0]), max(high, inner[1])
        case nn.Sequential():
            return _through(layer, span)
        case Residual():
            return _seen(layer.body, span)
        case nn.Conv2d():
            if not isinstance(layer.padding[0], int):  # pragma: no cover
                raise TypeError(f"padding {layer.padding!r}")
            start = -layer.padding[0]
            extent = (layer.kernel_size[0] - 1) * layer.dilation[0]
            return low * layer.stride[0] + start, high * layer.stride[0] + start + extent
        case nn.Upsample():
            # Bilinear, corners not aligned: output i lies at (i - 1/2) / 2 of the input.
            return (low - 1) // 2, (high - 1) // 2 + 1
        case nn.ReLU():
            return span
    raise TypeError(f"no rule for what a {type(layer).__name__} sees")


def _through(layers: nn.Sequential, span: Span) -> Span:
    for layer in reversed(layers):
        span = _seen(layer, span)
    return span
