"""What training does to a crop, so that the model bears what segmentation and scanner will do.

Depth moves and wobbles as a surface does that is half a voxel off; the crop is mirrored, since
half a millimetre knows no letters, and never turned, since fibres are not alike in both
directions; intensities are stretched, bent, blurred, and noise is laid over them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from danseo.core.errors import Usage

WOBBLE: Final = 2
"""Voxels on either side of a crop's layers that the smooth wobble may reach into."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far each change goes at most: voxels for depth, parts of the full scale for intensity."""

    shift: int = 2
    wobble: float = 1.0
    gain: float = 0.25
    offset: float = 0.08
    gamma: float = 0.25
    blur: float = 0.8
    noise: float = 0.06


def augment(
    layers: Tensor,
    ink: Tensor,
    valid: Tensor,
    depth: int,
    how: Augmentation,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return changed layers `[B, depth, h, w]`, ink and validity of a batch.

    `layers` is float in 0..1, `[B, D, h, w]` with D the layers kept around the sheet; the middle
    `depth` are what the model would see without any shift. Raises `Usage` where D leaves no room.
    """
    spare = (layers.shape[1] - depth) // 2
    if spare < WOBBLE:
        raise Usage(
            f"{layers.shape[1]} layers leave no room to move {depth} in depth.",
            f"Give samples at least {depth + 2 * WOBBLE} layers.",
        )
    x = _shifted(layers, depth, spare, how, rng)
    x = _recoloured(_blurred(x, how, rng), how, rng)
    x = _noisy(x, how, rng)
    flips = [axis for axis in (-2, -1) if rng.random() < 0.5]
    if flips:
        x, ink, valid = (torch.flip(t, flips) for t in (x, ink, valid))
    return x.clamp_(0, 1), ink, valid


def _shifted(
    layers: Tensor, depth: int, spare: int, how: Augmentation, rng: np.random.Generator
) -> Tensor:
    """Move each crop in depth by whole layers, and by a smooth field on top of that."""
    room = min(how.shift, spare - WOBBLE)
    shifts = rng.integers(-room, room + 1, len(layers))
    low = spare - WOBBLE
    wide = torch.stack(
        [
            crop[low + s : low + s + depth + 2 * WOBBLE]
            for crop, s in zip(layers, shifts, strict=True)
        ]
    )
    coarse = rng.uniform(-1, 1, (len(layers), 1, 3, 3)) * rng.uniform(
        0, how.wobble, (len(layers), 1, 1, 1)
    )
    field = functional.interpolate(
        torch.from_numpy(coarse.astype(np.float32)),
        size=tuple(layers.shape[2:]),
        mode="bicubic",
        align_corners=True,
    ).clamp_(-WOBBLE, WOBBLE)
    moved = torch.zeros_like(wide[:, :depth])
    for k in range(-WOBBLE, WOBBLE + 1):
        weight = (1 - (field - k).abs()).clamp_(min=0)
        moved.addcmul_(wide[:, WOBBLE + k : WOBBLE + k + depth], weight)
    return moved


def _blurred(x: Tensor, how: Augmentation, rng: np.random.Generator) -> Tensor:
    """Mix in a 3x3x3 mean, in a third of the batches."""
    if rng.random() > 1 / 3:
        return x
    flat = functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    soft = flat.clone()
    soft[:, 1:-1] = (flat[:, :-2] + flat[:, 1:-1] + flat[:, 2:]) / 3
    return torch.lerp(x, soft, float(rng.uniform(0, how.blur)))


def _recoloured(x: Tensor, how: Augmentation, rng: np.random.Generator) -> Tensor:
    """Stretch, move and bend the intensities of each crop."""
    several = (len(x), 1, 1, 1)
    gain = np.exp(rng.uniform(-how.gain, how.gain, several)).astype(np.float32)
    offset = rng.uniform(-how.offset, how.offset, several).astype(np.float32)
    x = (x - 0.5) * torch.from_numpy(gain) + torch.from_numpy(offset + 0.5)
    if rng.random() < 0.5:
        x = x.clamp_(min=0) ** float(np.exp(rng.uniform(-how.gamma, how.gamma)))
    return x


def _noisy(x: Tensor, how: Augmentation, rng: np.random.Generator) -> Tensor:
    """Add to each crop a piece of correlated noise of its own strength."""
    bank = _noise_bank()
    for crop in x:
        strength = float(rng.uniform(0, 1)) ** 2 * how.noise
        starts = (rng.integers(0, n - m + 1) for n, m in zip(bank.shape, crop.shape, strict=True))
        piece = tuple(slice(s, s + m) for s, m in zip(starts, crop.shape, strict=True))
        crop.add_(bank[piece], alpha=strength)
    return x


@cache
def _noise_bank() -> Tensor:
    """Return one volume of noise with unit deviation, half white and half of two voxels' grain."""
    generator = torch.Generator().manual_seed(20261124)
    white = torch.randn(64, 320, 320, generator=generator)
    grain = functional.avg_pool3d(
        torch.randn(1, 1, 65, 321, 321, generator=generator), 2, stride=1
    )[0, 0]
    return (white + grain * 8**0.5) / 2**0.5
