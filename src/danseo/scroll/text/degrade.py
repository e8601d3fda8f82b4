"""From an ink mask to the map that a mediocre ink network would predict of it.

Ink networks fail in the same few ways: strokes are broken by cracks and fade over whole stretches,
edges are blurred, papyrus fibres and decoys light up as strokes that are none, and everything is
mixed with noise whose grain is that of the network's receptive field. Each is drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Wear:
    """How a map is spoilt. Lengths in letter heights, the rest as shares or in units of clear ink.

    `blur`: of edges. `faded`: share of the ink that is lost in patches of size `patch`. `cracks`:
    share lost in thin cracks. `noise`: of grain `grain`. `strokes`: false strokes a letter's area.
    `fibres`: strength of false parallel fibres. `gain`: how steep the network's answer is.
    """

    blur: float
    faded: float
    patch: float
    cracks: float
    noise: float
    grain: float
    strokes: float
    fibres: float
    gain: float
    bias: float


def draw_wear(rng: np.random.Generator, hardness: float = 1.0) -> Wear:
    """Draw a wear; `hardness` 0 leaves a clear map, 1 goes down to maps of AUC .88."""
    return Wear(
        blur=float(rng.uniform(0.01, 0.06)),
        faded=float(hardness * rng.beta(1.2, 3.0) * 0.45),
        patch=float(rng.uniform(0.08, 0.35)),
        cracks=float(hardness * rng.uniform(0, 0.2)),
        noise=float(hardness * rng.beta(1.5, 2.0) * 0.5),
        grain=float(rng.uniform(0.02, 0.10)),
        strokes=float(hardness * rng.exponential(0.12)),
        fibres=float(hardness * rng.beta(1.0, 4.0) * 0.4),
        gain=float(rng.uniform(3, 12)),
        bias=float(rng.uniform(0.35, 0.75)),
    )


def degrade(
    mask: NDArray[np.bool_], letter_px: float, wear: Wear, rng: np.random.Generator
) -> Float:
    """Return the map (height, width), float32 in 0..1, of an ink mask as `wear` spoils it."""
    from scipy.ndimage import gaussian_filter

    shape = mask.shape
    strength: Float = mask.astype(np.float32)
    strength *= _level(_grain(shape, wear.patch * letter_px, rng), wear.faded)
    cracks = np.abs(_grain(shape, 0.07 * letter_px, rng))
    strength *= cracks > np.quantile(cracks, wear.cracks)
    strength = np.maximum(strength, _false_strokes(shape, letter_px, wear.strokes, rng))
    soft = gaussian_filter(strength, wear.blur * letter_px)
    grain = _grain(shape, wear.grain * letter_px, rng)
    coarse = _grain(shape, 3 * wear.grain * letter_px, rng)
    soft += wear.noise * (0.8 * grain + 0.4 * coarse)
    soft += wear.fibres * _fibres(shape, letter_px, rng)
    return np.asarray(1 / (1 + np.exp(-wear.gain * (soft - wear.bias))), dtype=np.float32)


def _grain(shape: tuple[int, ...], size: float, rng: np.random.Generator) -> Float:
    """Smooth noise of unit spread, its grain `size` pixels."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), max(size, 0.3))
    return np.asarray(noise / max(float(noise.std()), 1e-6), dtype=np.float32)


def _level(noise: Float, lost: float) -> Float:
    """A factor of 0..1 that is low over a share `lost` of the map, with soft edges."""
    edge = np.quantile(noise, min(lost, 0.95))
    return np.asarray(np.clip((noise - edge) * 3 + 0.5, 0, 1), dtype=np.float32)


def _fibres(shape: tuple[int, ...], letter_px: float, rng: np.random.Generator) -> Float:
    """Streaks along the page's two axes, as papyrus fibres are."""
    from scipy.ndimage import gaussian_filter

    thin, long = 0.03 * letter_px, rng.uniform(0.5, 2.0) * letter_px
    sizes = (thin, long) if rng.random() < 0.5 else (long, thin)
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sizes)
    return np.asarray(noise / max(float(noise.std()), 1e-6), dtype=np.float32)


def _false_strokes(
    shape: tuple[int, ...], letter_px: float, count: float, rng: np.random.Generator
) -> Float:
    """Strokes of a pen's width that belong to no letter, `count` of them a letter's area."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(rng.poisson(count * shape[0] * shape[1] / letter_px**2))):
        at = rng.uniform((0, 0), (shape[1], shape[0]))
        turn, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.5)
        points = [tuple(at)]
        for _ in range(4):
            at = at + rng.uniform(0.05, 0.2) * letter_px * np.array([np.cos(turn), np.sin(turn)])
            turn += bend
            points.append(tuple(at))
        draw.line(points, fill=int(rng.uniform(80, 255)), width=max(1, round(0.1 * letter_px)))
    return np.asarray(canvas, dtype=np.float32) / 255
