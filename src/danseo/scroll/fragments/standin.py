"""A made-up pair of fragments, for whoever has no data folder: same shapes, same difficulty.

Papyrus of crossed fibres carries lines of pen strokes in Greek-like capitals. As in real CT, ink
is seen only where it lies thick; stains, cracks, lost flakes and uneven light look like ink.
The second fragment is lit otherwise than the first and its ink is thinner, so that what was
learned on one does not quite fit the other.

Everything is made from whole numbers: raw output of PCG64 (which NumPy keeps stable), box sums
and lines between whole points. The same seed gives the same bytes on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from danseo.scroll.fragments.photographs import WIDTH, Fragment, Mask, box_sum

Grid = npt.NDArray[np.int64]

SEED: Final = 2

_ONE: Final = 256
"""Fixed point: 256 stands for one grey level, and for one standard deviation of a noise."""
_LINE: Final = 84
_LETTER: Final = 52
_STROKE: Final = 9

# Pen strokes of each letter as points in a square of 8 x 8.
_LETTERS: Final[tuple[tuple[tuple[tuple[int, int], ...], ...], ...]] = (
    (((0, 8), (4, 0), (8, 8)), ((2, 5), (6, 5))),  # alpha
    (((0, 8), (4, 0), (8, 8), (0, 8)),),  # delta
    (((7, 1), (4, 0), (1, 2), (0, 4), (1, 6), (4, 8), (7, 7)), ((0, 4), (5, 4))),  # epsilon
    (((1, 0), (1, 8)), ((7, 0), (7, 8)), ((1, 4), (7, 4))),  # eta
    (((4, 0), (4, 8)),),  # iota
    (((1, 0), (1, 8)), ((7, 0), (1, 4), (7, 8))),  # kappa
    (((0, 8), (4, 0), (8, 8)),),  # lambda
    (((0, 8), (1, 0), (4, 6), (7, 0), (8, 8)),),  # mu
    (((1, 8), (1, 0), (7, 8), (7, 0)),),  # nu
    (((4, 0), (1, 2), (0, 4), (1, 6), (4, 8), (7, 6), (8, 4), (7, 2), (4, 0)),),  # omicron
    (((0, 0), (8, 0)), ((1, 0), (1, 8)), ((7, 0), (7, 8))),  # pi
    (((1, 8), (1, 0), (5, 0), (7, 2), (5, 4), (1, 4)),),  # rho
    (((7, 1), (4, 0), (1, 2), (0, 4), (1, 6), (4, 8), (7, 7)),),  # sigma
    (((0, 0), (8, 0)), ((4, 0), (4, 8))),  # tau
    (((0, 0), (4, 4), (8, 0)), ((4, 4), (4, 8))),  # upsilon
    (((0, 0), (8, 8)), ((8, 0), (0, 8))),  # chi
    (((1, 0), (0, 5), (2, 8), (4, 5), (6, 8), (8, 5), (7, 0)),),  # omega
)


@dataclass(frozen=True, slots=True)
class _Scene:
    """How a fragment is lit and worn, in grey levels, or sigma for the thresholds of a noise."""

    base: int
    light: int
    contrast: int
    stains: int


_TRAIN: Final = _Scene(base=158, light=9, contrast=44, stains=30)
_TEST: Final = _Scene(base=150, light=12, contrast=33, stains=26)


def pair(seed: int = SEED, width: int = WIDTH) -> tuple[Fragment, Fragment]:
    """Return the fragment to learn on and the one to predict, each of 3/2 width x width."""
    height = width * 3 // 2
    return (
        _fragment(_Dice(2 * seed), height, width, _TRAIN),
        _fragment(_Dice(2 * seed + 1), height, width, _TEST),
    )


class _Dice:
    """Whole random numbers that no release of NumPy changes."""

    def __init__(self, seed: int) -> None:
        self._source = np.random.PCG64(seed)

    def grid(self, height: int, width: int, sides: int) -> Grid:
        """Return height x width numbers from 0 to sides - 1."""
        raw = self._source.random_raw(height * width).reshape(height, width)
        return ((raw >> np.uint64(40)) % np.uint64(sides)).astype(np.int64)

    def one(self, sides: int) -> int:
        """Return one number from 0 to sides - 1."""
        return int(self.grid(1, 1, sides)[0, 0])

    def noise(self, height: int, width: int, down: int, across: int) -> Grid:
        """Return smooth noise of mean 0 and deviation 256 with spots of `down` x `across`."""
        # Made with a border, so that its spread is the same up to the edge.
        tall, broad = height + 4 * down + 4, width + 4 * across + 4
        field = self.grid(tall, broad, 2**20 + 1) - 2**19
        for _ in range(2):
            field = _box(field, down, across) // ((2 * down + 1) * (2 * across + 1) // 8 + 1)
        field = field[2 * down :, 2 * across :][:height, :width]
        field = field - int(field.sum()) // field.size
        spread = math.isqrt(int((field * field).sum()) // field.size)
        return field * _ONE // max(1, spread)


def _fragment(dice: _Dice, height: int, width: int, scene: _Scene) -> Fragment:
    mask = _outline(dice, height, width)
    written = _writing(dice, height, width)
    # Thick ink absorbs; most of it is thin and hardly darkens the papyrus.
    thick = np.clip(140 + dice.noise(height, width, 16, 24), 0, _ONE)
    worn = 110 + 45 * dice.noise(height, width, 3, 3) // _ONE
    lost = dice.noise(height, width, 5, 9) > 2 * _ONE
    ink = np.where(written & ~lost, scene.contrast * thick * worn // 128, 0)
    grey = _papyrus(dice, height, width, scene) - _soften(ink)
    grey -= _soften(_stains(dice, height, width, scene) + _cracks(dice, height, width))
    grey += 22 * (dice.grid(height, width, 513) - 256)
    ct = np.where(mask, np.clip(grey // _ONE, 1, 255), 0).astype(np.uint8)
    return Fragment(ct, mask, written & ~lost & mask)


def _papyrus(dice: _Dice, height: int, width: int, scene: _Scene) -> Grid:
    """Return blank papyrus in 1/256 grey: two crossed layers of fibres under uneven light."""
    fibres = 5 * dice.noise(height, width, 0, 40) + 4 * dice.noise(height, width, 30, 1)
    return (
        scene.base * _ONE
        + fibres
        + scene.light * dice.noise(height, width, 55, 55)
        + 4 * dice.noise(height, width, 2, 2)
    )


def _stains(dice: _Dice, height: int, width: int, scene: _Scene) -> Grid:
    """Return dark specks in 1/256 grey: sparse points, crowded in some places."""
    crowd = np.clip(50 + 30 * dice.noise(height, width, 30, 30) // _ONE, 0, 120)
    points = dice.grid(height, width, 6000) < crowd
    specks = box_sum(points.astype(np.int64), 1) > 0
    return np.where(specks, scene.stains * _ONE, 0)


def _cracks(dice: _Dice, height: int, width: int) -> Grid:
    """Return dark cracks in 1/256 grey: thin lines that wander along the fibres."""
    sheet = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(sheet)
    for _ in range(height // 32):
        x, y = dice.one(width), dice.one(height)
        for _ in range(6 + dice.one(18)):
            step = (8 + dice.one(9), dice.one(7) - 3)
            pen.line((x, y, x + step[0], y + step[1]), fill=255, width=2)
            x, y = x + step[0], y + step[1]
    return (np.asarray(sheet) > 0).astype(np.int64) * 30 * _ONE


def _outline(dice: _Dice, height: int, width: int) -> Mask:
    """Return where there is papyrus: torn at every side, with two corners lost."""
    y, x = np.mgrid[:height, :width].astype(np.int64)
    edge = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    corner = (x + y - width // 3, (width - x) + (height - y) - width // 4)
    depth = np.minimum(edge, np.minimum(*corner) * 7 // 10) * _ONE
    torn = 9 * dice.noise(height, width, 24, 24) + 2 * dice.noise(height, width, 3, 3)
    mask: Mask = depth - 26 * _ONE + np.clip(torn, -24 * _ONE, 24 * _ONE) > 0
    return mask


def _writing(dice: _Dice, height: int, width: int) -> Mask:
    """Return where the pen went: lines of letters, each a little off."""
    sheet = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(sheet)
    for top in range(_LINE // 2 + dice.one(16), height - _LETTER // 2, _LINE):
        left = dice.one(_LETTER)
        while left < width:
            size = _LETTER - 4 + dice.one(9)
            if dice.one(9):
                _letter(pen, _LETTERS[dice.one(len(_LETTERS))], left, top + dice.one(5), size)
            left += size + 12 + dice.one(8)
    return np.asarray(sheet) > 0


def _letter(
    pen: ImageDraw.ImageDraw,
    strokes: tuple[tuple[tuple[int, int], ...], ...],
    left: int,
    top: int,
    size: int,
) -> None:
    half = _STROKE // 2
    for stroke in strokes:
        points = [(left + x * size * 7 // 64, top + y * size // 8) for x, y in stroke]
        pen.line(points, fill=255, width=_STROKE)
        for x, y in points:
            pen.ellipse((x - half, y - half, x + half, y + half), fill=255)


def _soften(values: Grid) -> Grid:
    """Return `values` blurred as a scanner does, over 3 x 3."""
    return _box(values, 1, 1) // 9


def _box(values: Grid, down: int, across: int) -> Grid:
    """Return the sum over (2 * down + 1) x (2 * across + 1), zeros outside."""
    table = np.pad(values, ((down + 1, down), (0, 0))).cumsum(0)
    rows = table[2 * down + 1 :] - table[: -2 * down - 1]
    table = np.pad(rows, ((0, 0), (across + 1, across))).cumsum(1)
    total: Grid = table[:, 2 * across + 1 :] - table[:, : -2 * across - 1]
    return total
