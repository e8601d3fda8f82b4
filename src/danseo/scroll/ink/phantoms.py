"""Phantoms to learn from: small, many, each of another recipe, scribe and scanner.

Seeds and fonts are apart: what is trained on, what calibrates, and what is held out for figures
share neither a seed nor, for the last, a font. The surface that layers are rendered from is off
by what segmentation is off: half a voxel, smoothly, and by a slight tilt.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Usage
from danseo.scroll.ink.samples import Sample, read_sample, write_sample
from danseo.scroll.lettering import LETTERS, fonts
from danseo.scroll.phantom.making import make_phantom
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.spiral import Spiral
from danseo.scroll.phantom.truth import Truth
from danseo.scroll.sampling import along
from danseo.scroll.volume import Box, open_volume

Progress = Callable[[float, str], None]
Part = Literal["training", "validation", "test"]

SEEDS: Final = {
    "training": range(100_000, 200_000),
    "validation": range(200_000, 210_000),
    "test": range(300_000, 310_000),
}
HELD_OUT: Final = "Avdira"
"""The font that only test phantoms are written in, where it is there."""

LAYERS: Final = 32
"""Kept around the sheet: the model's 24 and four to either side to be moved in."""

_ERROR_VOXELS: Final = 0.5
_SMOOTH_VOXELS: Final = 40.0


@dataclass(frozen=True, slots=True)
class Kind:
    """Ranges that recipes are drawn from: each even, between two bounds.

    `ink_um` is even in its logarithm, so that there is more thin ink than thick.
    """

    shape: tuple[int, int, int] = (256, 256, 256)
    ink_um: tuple[float, float] = (8.0, 20.0)
    noise: tuple[float, float] = (0.0, 0.25)
    fwhm_voxels: tuple[float, float] = (1.0, 1.7)
    letter_um: tuple[float, float] = (1000.0, 1250.0)
    fixed: dict[str, Any] = field(default_factory=dict)


def draw(seed: int, kind: Kind | None = None) -> tuple[Recipe, str]:
    """Return the recipe and the text of the phantom of `seed`, which says the part."""
    kind = kind or Kind()
    rng = np.random.default_rng([seed, 77])
    there = list(fonts())
    learned = [name for name in there if name != HELD_OUT] or there
    last = HELD_OUT if HELD_OUT in there else there[-1]
    font = last if part_of(seed) == "test" else str(rng.choice(learned))
    height = float(np.exp(rng.uniform(*np.log(kind.ink_um))))
    drawn: dict[str, Any] = {
        "begins": "outside" if rng.random() < 0.5 else "inside",
        "pitch_um": rng.uniform(148, 175),
        "touching": rng.uniform(0, 0.03),
        "torn": rng.uniform(0, 0.03),
        "crush": rng.uniform(0, 0.2),
        "roughness_um": rng.uniform(6, 11),
        "contrast": rng.uniform(0.8, 1.2),
        "decoys": rng.uniform(0.12, 0.36),
        "fringe": rng.uniform(0.2, 0.5),
        "rings": rng.uniform(0, 0.03),
        "beam": rng.uniform(0, 0.06),
        "noise": rng.uniform(*kind.noise),
        "fwhm_voxels": rng.uniform(*kind.fwhm_voxels),
        "letter_um": rng.uniform(*kind.letter_um),
        "ink_um": (height, height),
    }
    drawn = {k: round(v, 4) if isinstance(v, float) else v for k, v in drawn.items()}
    drawn |= {"shape": kind.shape, "seed": seed, "font": font} | kind.fixed
    text = "".join(rng.choice(list(LETTERS), 60))
    return Recipe(**drawn), text


def part_of(seed: int) -> Part:
    """Return which part a seed belongs to; raise `Usage` where it belongs to none."""
    for name, seeds in SEEDS.items():
        if seed in seeds:
            return name  # type: ignore[return-value]
    raise Usage(f"seed {seed} is of no part.", f"Choose one in {SEEDS}.")


def make_samples(
    seeds: Iterable[int], folder: Path, kind: Kind | None = None, progress: Progress | None = None
) -> list[Sample]:
    """Return the samples of `seeds`, making in `folder` those that are not there yet."""
    seeds, made = list(seeds), []
    for number, seed in enumerate(seeds):
        recipe, text = draw(seed, kind)
        final = folder / f"{part_of(seed)}-{seed}"
        if not (final / "facts.json").exists():
            make_sample(recipe, text, final)
        made.append(read_sample(final))
        if progress:
            progress((number + 1) / len(seeds), f"phantom {number + 1} of {len(seeds)}")
    return made


def make_sample(recipe: Recipe, text: str, folder: Path) -> Path:
    """Make a phantom, render its layers along a surface that is a little off, keep only these."""
    volume = folder.with_name(f".{folder.name}.zarr")
    truth_of = folder.with_name(f".{folder.name}.truth")
    truth = make_phantom(recipe, text, volume, force=True)
    opened = open_volume(volume)
    voxels = opened.read(Box(0, opened.shape[0], 0, opened.shape[1], 0, opened.shape[2]))
    layers = render_truth(truth, voxels, np.random.default_rng([recipe.seed, 78]))
    rows, columns = layers.shape[1:]
    valid = ~truth.masks.torn[:rows, :columns] & (layers[LAYERS // 2] > 0)
    facts = {
        "seed": recipe.seed,
        "ink_um": sum(recipe.ink_um) / 2,
        "noise": recipe.noise,
        "fwhm_voxels": recipe.fwhm_voxels,
        "text": truth.text,
        "letters": [[e.char, e.line, list(e.box)] for e in truth.letters],
        "recipe": recipe.to_json(),
    }
    ink = truth.masks.ink[:rows, :columns]
    path = write_sample(folder.parent, Sample(folder.name, layers, ink, valid, facts))
    shutil.rmtree(volume)
    shutil.rmtree(truth_of)
    return path


def render_truth(
    truth: Truth, voxels: npt.NDArray[Any], rng: np.random.Generator, layers: int = LAYERS
) -> npt.NDArray[np.uint8]:
    """Return `[layers, rows, columns]` uint8, one pixel a voxel, along the sheet."""
    spiral: Spiral = truth.spiral
    height, width = truth.masks.ink.shape
    u, v = np.arange(width, dtype=float), np.arange(height, dtype=float)
    normals = spiral.normals(u, v).astype(np.float32)
    error = _smooth(rng, (height, width)) * np.float32(_ERROR_VOXELS)
    points = spiral.points(u, v).astype(np.float32) + error[..., None] * normals
    normals = _tilted(normals, rng)
    offsets = (np.arange(layers) - (layers - 1) / 2).astype(np.float32)
    seen = along(voxels, points, normals, offsets)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def _tilted(normals: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    slopes = np.stack([_smooth(rng, normals.shape[:2]) for _ in range(3)], axis=-1)
    tilted = normals + np.float32(0.02) * slopes
    return np.asarray(tilted / np.linalg.norm(tilted, axis=-1, keepdims=True), np.float32)


def _smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return a smooth random field of unit deviation."""
    from scipy.ndimage import gaussian_filter, zoom

    coarse = 8
    small = rng.normal(size=[n // coarse + 3 for n in shape])
    small = gaussian_filter(small, _SMOOTH_VOXELS / coarse / 2)
    field = zoom(small / small.std(), coarse, order=1)[: shape[0], : shape[1]]
    return np.asarray(field, np.float32)
