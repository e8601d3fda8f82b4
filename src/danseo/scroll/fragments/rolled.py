"""A pair of phantoms as input of *Read the ink*: rolled sheets of papyrus with known ink.

Each phantom is rolled up, crushed and scanned, then unrolled along its true surface. The picture is
the mean of the layers just inside the written face, dark where something stands proud of it: ink,
whose brightness is that of papyrus, shows only as cracked relief. So do fibres, and strokes
without cracks that are no ink. The second phantom has another seed, and another hand where the
fonts for it are there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from danseo.scroll.fragments.photographs import Fragment

Progress = Callable[[float, str], None]

SEEDS: Final = (41, 42)
BASELINE: Final = Decimal("0.2")
"""F0.5 at which a reward begins: about what calling all papyrus ink gives."""
GOAL: Final = Decimal("0.8")
_SIDES: Final = (320, 208, 208)
_FACE: Final = slice(4, 9)
"""Of 32 layers, the innermost first, those about the written face: 11.5 to 7.5 voxels inward of
the sheet's middle, which lies 7.6 below the face."""


def pair(folder: Path, progress: Progress | None = None) -> tuple[Fragment, Fragment]:
    """Return the phantom to learn on and the one to predict, about 320 rows of 1,300 pixels each.

    `folder` is needed while they are made. Each takes a quarter of a minute on one core.
    """
    tell = progress or (lambda part, words: None)
    made = []
    for number, seed in enumerate(SEEDS):
        tell(number / 2, f"phantom {number + 1} of 2")
        made.append(_fragment(folder / f"phantom-{number + 1}.zarr", number, seed))
    shutil.rmtree(folder, ignore_errors=True)
    return made[0], made[1]


def _fragment(place: Path, number: int, seed: int) -> Fragment:
    from danseo.scroll.ink.phantoms import render_truth
    from danseo.scroll.lettering import LETTERS, fonts
    from danseo.scroll.phantom.making import make_phantom
    from danseo.scroll.phantom.recipe import Recipe
    from danseo.scroll.phantom.truth import truth_folder
    from danseo.scroll.volume import Box, open_volume

    hands = list(fonts())
    recipe = Recipe(
        shape=_SIDES,
        seed=seed,
        windings=3.2,
        letter_um=800.0,
        ink_um=(18.0, 14.0) if number == 0 else (15.0, 12.0),
        decoys=0.06,
        noise=0.08 if number == 0 else 0.10,
        font=hands[min(number, len(hands) - 1)],
    )
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(list(LETTERS), 60))
    truth = make_phantom(recipe, text, place, force=True)
    volume = open_volume(place)
    voxels = volume.read(Box(0, volume.shape[0], 0, volume.shape[1], 0, volume.shape[2]))
    layers = render_truth(truth, voxels, rng)
    rows, columns = layers.shape[1:]
    mask = ~truth.masks.torn[:rows, :columns] & (layers[len(layers) // 2] > 0)
    relief = 255 - layers[_FACE].astype(np.float32).mean(0)
    low, high = np.percentile(relief[mask], (0.5, 99.5))
    ct = np.clip(1 + (relief - low) * (254 / max(1.0, high - low)), 1, 255)
    shutil.rmtree(place)
    shutil.rmtree(truth_folder(place))
    return Fragment(
        np.where(mask, np.rint(ct), 0).astype(np.uint8),
        mask,
        truth.masks.ink[:rows, :columns] & mask,
    )
