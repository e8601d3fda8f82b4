"""The learners that `fragments` compares: boosted trees, a linear model, a small U-Net.

Each is a function `(train, rows, seed) -> score`: it learns on those rows of one fragment, and
`score(fragment)` gives a number for each papyrus pixel of any fragment, in row order. None looks
further than `REACH` rows up or down from a pixel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from danseo.scroll.fragments import photographs
from danseo.scroll.fragments.methods import multiscale
from danseo.scroll.fragments.photographs import Fragment

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.bool_]
Score = Callable[[int], Floats]
Learner = Callable[[Path, int, Rows, int], Score]

REACH: Final = 80
"""Rows: no learner sees further. A gap as wide parts what is learned from what is judged."""
WIDEST: Final = 8
"""The column of the features that looks further (a blur of 32 pixels): left out here."""
EVERY: Final = 9
"""Each how many-th pixel is learned from: neighbours tell nearly the same."""
STEPS: Final = 90
BATCH: Final = 4
SIDE: Final = 256
"""Pixels: the side of the patches that the U-Net learns from."""
RATE: Final = 6e-3
ENOUGH: Final = 0.25
"""A patch with less papyrus to learn from than this part is drawn again."""


@functools.cache
def fragment(data: Path, number: int) -> Fragment:
    """Return fragment 2 or 3, read once a process."""
    return photographs.read(data, number)


@functools.cache
def table(data: Path, number: int) -> Floats:
    """Return 30 features of each papyrus pixel, each less its mean and by its deviation."""
    one = fragment(data, number)
    found = np.delete(multiscale.features(one.ct, one.mask), WIDEST, axis=1)
    scaled: Floats = ((found - found.mean(axis=0)) / found.std(axis=0)).astype(np.float32)
    return scaled


def trees(data: Path, number: int, rows: Rows, seed: int) -> Score:
    """Learn by gradient boosting, as the published clue `learned` does."""
    model = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=200,
        l2_regularization=10,
        max_bins=63,
        early_stopping=False,
        random_state=seed,
    )
    return _fitted(model, data, number, rows)


def line(data: Path, number: int, rows: Rows, seed: int) -> Score:
    """Learn a linear model of the same features; it has nothing to draw, so `seed` is not used."""
    return _fitted(LogisticRegression(C=0.01, max_iter=200), data, number, rows)


def _fitted(model: Any, data: Path, number: int, rows: Rows) -> Score:
    one = fragment(data, number)
    chosen = np.nonzero(rows[np.nonzero(one.mask)[0]])[0][::EVERY]
    model.fit(table(data, number)[chosen], one.label[one.mask][chosen])

    def score(other: int) -> Floats:
        chance: Floats = model.predict_proba(table(data, other))[:, 1].astype(np.float32)
        return chance

    return score


class UNet(nn.Module):
    """Light, dark marks and papyrus `[B, 3, H, W]` to logits `[B, 1, H, W]`; H, W in eights.

    Three levels, at a half, a quarter and an eighth; 48,417 weights. It reaches 54 pixels.
    """

    def __init__(self, widths: tuple[int, int, int] = (12, 24, 32)) -> None:
        super().__init__()
        a, b, c = widths
        self.at_half = nn.Sequential(_block(3, a, 2), _block(a, a))
        self.at_quarter = nn.Sequential(_block(a, b, 2), _block(b, b))
        self.at_eighth = nn.Sequential(_block(b, c, 2), _block(c, c), nn.Dropout2d(0.2))
        self.to_quarter = nn.Sequential(_block(b + c, b), _block(b, b))
        self.to_half = nn.Sequential(_block(a + b, a), _block(a, a), nn.Conv2d(a, 1, 1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of ink."""
        half = self.at_half(x)
        quarter = self.at_quarter(half)
        deep = self.to_quarter(torch.cat([quarter, _twice(self.at_eighth(quarter))], 1))
        return _twice(self.to_half(torch.cat([half, _twice(deep)], 1)))


def _block(inside: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, out, 3, stride, 1, bias=False), nn.GroupNorm(4, out), nn.ReLU()
    )


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def unet(data: Path, number: int, rows: Rows, seed: int) -> Score:
    """Learn a small U-Net on turned, scaled and mirrored patches, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    one = fragment(data, number)
    told = np.stack([one.label & one.mask, one.mask & rows[:, None]]).astype(np.float32)
    sheet = torch.cat([_input(one), _padded(told)], 1)
    net = UNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-2)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.2)
    for _ in range(STEPS):
        seen, truth, weight = _patches(sheet, rng)
        loss = functional.binary_cross_entropy_with_logits(net(seen), truth, weight)
        optimiser.zero_grad()
        (loss * weight.numel() / weight.sum()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        pace.step()
    net.eval()
    return lambda other: _predict(net, fragment(data, other))


def _patches(sheet: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return a batch: what is seen, the truth, and 1 where the truth may be learned from.

    Hands differ in size, so a patch may be magnified by up to 1.4 to either side; light differs,
    so contrast and level are drawn, too.
    """
    height, width = sheet.shape[-2:]
    found: list[Tensor] = []
    while len(found) < BATCH:
        scale, turn = np.exp(rng.uniform(-0.36, 0.36)), rng.uniform(-0.15, 0.15)
        flip = rng.choice([-1, 1], 2)
        centre = rng.uniform(-1, 1, 2)
        side = scale * SIDE / np.array([width, height])[:, None]
        turned = [
            [np.cos(turn) * flip[0], -np.sin(turn)],
            [np.sin(turn), np.cos(turn) * flip[1]],
        ]
        place = np.concatenate([side * turned, centre[:, None]], axis=1)[None]
        grid = functional.affine_grid(
            torch.tensor(place, dtype=torch.float32), [1, 1, SIDE, SIDE], align_corners=False
        )
        patch = functional.grid_sample(sheet, grid, align_corners=False)
        if patch[:, 4].mean() < ENOUGH:
            continue
        patch[:, 0] = patch[:, 0] * rng.uniform(0.8, 1.25) + rng.normal(0, 0.15)
        found.append(patch)
    batch = torch.cat(found)
    return batch[:, :3], batch[:, 3:4].clamp(0, 1), (batch[:, 4:] > 0.99).float()


def _predict(net: UNet, one: Fragment) -> Floats:
    """Return the mean logit over four flips, for each papyrus pixel."""
    seen = _input(one)
    with torch.no_grad():
        flips: tuple[list[int], ...] = ([], [2], [3], [2, 3])
        mean = sum(torch.flip(net(torch.flip(seen, way)), way) for way in flips) / len(flips)
    height, width = one.mask.shape
    logits: Floats = mean[0, 0, :height, :width].numpy()[one.mask]  # type: ignore[index]
    return logits


def _input(one: Fragment) -> Tensor:
    inside = one.ct[one.mask].astype(np.float32)
    light = np.clip((one.ct - np.median(inside)) / inside.std(), -3, 2)
    marks = ndimage.uniform_filter((one.ct < 70).astype(np.float32), 3)
    return _padded(np.stack([light, marks, np.ones_like(light)]) * one.mask)


def _padded(planes: npt.NDArray[Any]) -> Tensor:
    rows, columns = (-size % 8 for size in planes.shape[1:])
    padded = np.pad(planes, ((0, 0), (0, rows), (0, columns)))
    return torch.tensor(padded[None], dtype=torch.float32)
