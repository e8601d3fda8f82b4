"""The sheet's shape: where each point of the writing lies in the volume, exactly, and back.

The uncrushed sheet is a curve in polar coordinates, r = R(tau, z), tau being the turns counted
from the innermost end: R(tau + 1, z) = R(tau, z) + thickness + gap(tau, z). A stretch and two
shears crush the cross-section; each is inverted in closed form. The axis wanders with z.

A point of the sheet is (u, v): v is z, and u is the length along the sheet at the mean of all
heights, so that a column of writing has one total angle before the crush.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Usage
from danseo.scroll.phantom.recipe import Recipe

Floats = npt.NDArray[np.float64]

STEPS: Final = 512
"""Samples of R to a turn."""
_SMOOTH_UM: Final = 1000.0  # over this length gaps change
_KNOT: Final = 16
_MARGIN: Final = 6.0


@dataclass(frozen=True, slots=True)
class Spiral:
    """The sheet of one roll. Lengths in voxels; `tau` in turns from the innermost end.

    `radius` is heights x samples, R at each of `knots` (z) and each 1/STEPS turn.
    `length` is u at those samples: it grows with the total angle, so falls with tau where
    `sense` is -1. `start` is the total angle (turns) at tau = 0. `stretch` is 2 x 2.
    `shears` holds amplitude and wave number of the shear along x and of that along y.
    `wobble` (knots x 2) are the shears' phases, `centre` (knots x 2) the axis as x, y.
    """

    sense: int
    start: float
    turns: float
    height: int
    knots: Floats
    radius: Floats
    length: Floats
    stretch: Floats
    shears: Floats
    wobble: Floats
    centre: Floats
    gap: Floats

    @property
    def width(self) -> float:
        """Length of the whole sheet in voxels, along u."""
        return float(self.length.max())

    def rows(self, z: Floats, table: Floats) -> Floats:
        """Return `table` (given at the knots) at each height in `z`, by a cubic spline."""
        from scipy.interpolate import CubicSpline

        return np.asarray(CubicSpline(self.knots, table, axis=0)(z), dtype=np.float64)

    def axis(self, z: Floats) -> Floats:
        """Return where the umbilicus is at heights `z`: len(z) x 2, as x, y."""
        return self.rows(z, self.centre)

    def tau(self, u: Floats) -> Floats:
        """Return the turns from the innermost end at each length `u`."""
        samples = np.arange(self.length.size) / STEPS
        if self.sense < 0:
            return np.interp(u, self.length[::-1], samples[::-1])
        return np.interp(u, self.length, samples)

    def points(self, u: Floats, v: Floats) -> Floats:
        """Return the sheet's middle at each v (rows) and each u (columns).

        The result is len(v) x len(u) x 3, as x, y, z in voxels.
        """
        return self._place(self.tau(u), v)

    def normals(self, u: Floats, v: Floats) -> Floats:
        """Return unit normals of the sheet's middle, outward; shaped as `points`."""
        e = 0.25
        tau = self.tau(u)
        along = self._place(tau + e / STEPS, v) - self._place(tau - e / STEPS, v)
        along *= self.sense
        down = self._place(tau, v + e) - self._place(tau, v - e)
        outward = np.cross(along, down)
        return np.asarray(outward / np.linalg.norm(outward, axis=-1, keepdims=True))

    def winding(self, u: Floats, v: Floats) -> Floats:
        """Return the total angle about the axis in turns, as it is after the crush.

        It is theta / 2 pi plus whole turns and grows with u; len(v) x len(u).
        """
        xyz = self.points(u, v)
        flat = xyz[..., :2] - self.axis(v)[:, None]
        theta = np.arctan2(flat[..., 1], flat[..., 0]) / (2 * np.pi)
        before = self.start + self.sense * self.tau(u)
        return before + (theta - before + 0.5) % 1.0 - 0.5

    def locate(self, xyz: Floats) -> tuple[Floats, Floats, Floats]:
        """Return u, v and depth of points (n x 3): the sheet nearest along the radius.

        Depth is measured before the crush, in voxels, positive outward. Where no winding is at
        that angle, all three are NaN.
        """
        local = self._uncrush(xyz)
        r = np.hypot(local[:, 0], local[:, 1])
        turn = np.arctan2(local[:, 1], local[:, 0]) / (2 * np.pi)
        first = (self.sense * (turn - self.start)) % 1.0
        heights, row = np.unique(xyz[:, 2], return_inverse=True)
        table = self.rows(heights, self.radius)
        best = np.full(len(xyz), np.nan)
        depth = np.full(len(xyz), np.inf)
        for k in range(int(np.ceil(self.turns)) + 1):
            tau = first + k
            distance = r - _lookup(table, tau, row)
            nearer = (tau <= self.turns) & (np.abs(distance) < np.abs(depth))
            best[nearer], depth[nearer] = tau[nearer], distance[nearer]
        lost = np.isnan(best)
        depth[lost] = np.nan
        u = np.interp(best, np.arange(self.length.size) / STEPS, self.length)
        return u, np.where(lost, np.nan, xyz[:, 2]), depth

    def _place(self, tau: Floats, z: Floats) -> Floats:
        r = _lookup(self.rows(z, self.radius), tau[None], np.arange(z.size)[:, None])
        theta = 2 * np.pi * (self.start + self.sense * tau)
        flat = np.stack([r * np.cos(theta), r * np.sin(theta)], axis=-1)
        flat = crush(flat, self.stretch, self.shears, self.rows(z, self.wobble)[:, None])
        flat += self.axis(z)[:, None]
        return np.concatenate([flat, np.broadcast_to(z[:, None, None], (*r.shape, 1))], axis=-1)

    def _uncrush(self, xyz: Floats) -> Floats:
        z = xyz[:, 2]
        phase = self.rows(z, self.wobble)
        x, y = (xyz[:, :2] - self.axis(z)).T
        y = y - _shear(x, self.shears[1], phase[:, 1])
        x = x - _shear(y, self.shears[0], phase[:, 0])
        return np.asarray(np.stack([x, y], axis=-1) @ np.linalg.inv(self.stretch).T)


def crush(flat: Floats, stretch: Floats, shears: Floats, phase: Floats) -> Floats:
    """Return the crushed cross-section of points `flat` (... x 2); the origin stays where it is."""
    x, y = np.moveaxis(flat @ stretch.T, -1, 0)
    x = x + _shear(y, shears[0], phase[..., 0])
    y = y + _shear(x, shears[1], phase[..., 1])
    return np.stack([x, y], axis=-1)


def make_spiral(recipe: Recipe) -> Spiral:
    """Return the sheet that the recipe asks for, with as many windings as the volume holds.

    Raises `Usage` where not even one winding fits.
    """
    depth = recipe.shape[0]
    knots = np.linspace(-_KNOT, depth - 1 + _KNOT, max(4, round(depth / _KNOT) + 3))
    rng = recipe.rng("crush")
    stretch = _stretch(recipe.crush, rng)
    reach = recipe.core_um / recipe.voxel_um + recipe.pitch * recipe.windings
    shears = np.stack([_wave(recipe.crush, reach, rng) for _ in range(2)])
    wobble = _smooth_path(knots, 2, 0.25, rng) + rng.uniform(0, 2 * np.pi, 2)
    wander = _smooth_path(knots, 2, recipe.wander_um / recipe.voxel_um, recipe.rng("axis"))
    start = float(recipe.rng("start").uniform())

    last = round(recipe.windings * STEPS)
    for _ in range(2):  # what touches is a part of the sheet that fits, known after a first fit
        gap = _gap(recipe, knots, last)
        radius = _radius(recipe, gap)
        samples = np.arange(radius.shape[1]) / STEPS
        theta = 2 * np.pi * (start + recipe.sense * samples)
        flat = np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=-1)
        flat = crush(flat, stretch, shears, wobble[:, None]) + wander[:, None]
        last, centre = _fit(recipe, flat, recipe.rng("place"))

    radius, gap = radius[:, : last + 1], gap[:, : last + 1]
    steps = np.linalg.norm(np.diff(flat[:, : last + 1], axis=1), axis=-1).mean(axis=0)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    if recipe.sense < 0:
        length = length[-1] - length
    return Spiral(
        recipe.sense,
        start,
        last / STEPS,
        depth,
        knots,
        radius,
        length,
        stretch,
        shears,
        wobble,
        wander + centre,
        gap,
    )


def _fit(recipe: Recipe, flat: Floats, rng: np.random.Generator) -> tuple[int, Floats]:
    """Return the last sample that stays in the volume, and an axis that is not its centre."""
    room = np.array(recipe.shape[:0:-1], dtype=float) - 1 - 2 * _MARGIN - recipe.thickness
    low = np.minimum.accumulate(flat.min(axis=0), axis=0)
    high = np.maximum.accumulate(flat.max(axis=0), axis=0)
    fits = np.all(high - low <= room, axis=1)
    last = min(int(np.count_nonzero(fits)) - 1, round(recipe.windings * STEPS))
    if last < STEPS:
        raise Usage(
            f"A volume of {recipe.shape} voxels holds no winding of this roll.",
            "Make the volume wider, or core_um smaller.",
        )
    inset = _MARGIN + recipe.thickness / 2
    slack = room - (high - low)[last]
    return last, inset - low[last] + slack * rng.uniform(0.15, 0.85, 2)


def _gap(recipe: Recipe, knots: Floats, last: int) -> Floats:
    """Return gap(tau, z) in voxels (heights x samples), zero on the `touching` part of the sheet.

    A lognormal field, pressed to exactly zero, with a smooth shoulder, where a second field is
    lowest. Its mean over the sheet is pitch - thickness. Of the sheet counts what ends at sample
    `last` and has another winding outside it.
    """
    columns = int(np.ceil(recipe.windings)) * STEPS + 1
    counted = max(last - STEPS, STEPS // 4)
    spread = _field(recipe, "gap", knots, columns)
    weight = 1 + np.arange(columns) / STEPS * recipe.pitch_um / recipe.core_um
    gap = np.exp(recipe.pitch_variation * spread)
    if recipe.touching:
        press = _field(recipe, "touching", knots, columns)
        known = press[:, :counted].ravel()
        order = np.argsort(known)
        share = np.cumsum(np.broadcast_to(weight[:counted], (knots.size, counted)).ravel()[order])
        edge = known[order[np.searchsorted(share / share[-1], recipe.touching)]]
        x = np.clip((press - edge) / 0.5, 0, 1)
        gap *= x * x * (3 - 2 * x)
    mean = np.average(gap[:, :counted].mean(0), weights=weight[:counted])
    return np.asarray(gap * (recipe.pitch - recipe.thickness) / mean)


def _radius(recipe: Recipe, gap: Floats) -> Floats:
    """Return R(tau, z): a first winding that closes smoothly, and each other laid upon the last."""
    tau = np.arange(STEPS) / STEPS
    rng = recipe.rng("deform")
    core = recipe.core_um / recipe.voxel_um
    order = np.arange(2, 6)
    waves = rng.normal(size=4) / order**1.5
    waves *= recipe.deform * core / max(float(np.linalg.norm(waves)), 1e-9) * np.sqrt(2)
    phase = rng.uniform(0, 2 * np.pi, 4)
    unround = (waves[:, None] * np.cos(2 * np.pi * order[:, None] * tau + phase[:, None])).sum(0)
    # A parabola whose rise and whose change of slope over the turn are those of the next winding.
    slope = (gap[:, 1:2] - gap[:, :1]) * STEPS
    rise = recipe.thickness + gap[:, :1]
    first = core + unround + (rise - slope / 2) * tau + slope / 2 * tau**2
    turns = [first]
    for k in range(gap.shape[1] // STEPS):
        turns.append(turns[-1] + recipe.thickness + gap[:, k * STEPS : (k + 1) * STEPS])
    return np.concatenate(turns, axis=1)[:, : gap.shape[1]]


def _field(recipe: Recipe, purpose: str, knots: Floats, columns: int) -> Floats:
    """Return a smooth normal field, heights x samples, `_SMOOTH_UM` wide along the sheet and z."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    cell = _SMOOTH_UM / recipe.voxel_um / 4
    tau = np.arange(columns) / STEPS
    # The length of a round spiral up to tau; its own unevenness matters little here.
    along = 2 * np.pi * (recipe.core_um * tau + recipe.pitch_um * tau**2 / 2) / recipe.voxel_um
    at = (knots[:, None] - knots[0]) / cell + 4, along[None] / cell + 4
    size = tuple(int(axis.max()) + 9 for axis in at)
    coarse = gaussian_filter(recipe.rng(purpose).normal(size=size), 2.0, mode="wrap")
    coarse = (coarse - coarse.mean()) / coarse.std()
    return np.asarray(map_coordinates(coarse, np.broadcast_arrays(*at), order=3, mode="reflect"))


def _smooth_path(knots: Floats, n: int, size: float, rng: np.random.Generator) -> Floats:
    """Return n smooth functions of z at the knots, of standard deviation about `size`."""
    span = max(float(knots[-1] - knots[0]), 400.0)
    where = knots[:, None] / span
    waves = [
        rng.normal(size=n) * np.cos(2 * np.pi * (k * where + rng.uniform(size=n))) / k
        for k in (0.6, 1.0, 1.7)
    ]
    return np.asarray(size * np.sum(waves, axis=0) / 1.5)


def _stretch(crush_: float, rng: np.random.Generator) -> Floats:
    """Return a 2 x 2 stretch, longer along one axis and shorter across by the factor 1 + crush."""
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    long = np.sqrt(1 + crush_)
    return np.asarray(turn @ np.diag([long, 1 / long]) @ turn.T)


def _wave(crush_: float, reach: float, rng: np.random.Generator) -> Floats:
    """Return amplitude (voxels) and wave number of a shear whose slope stays below 2 crush."""
    number = rng.uniform(2.0, 4.5) / reach
    return np.array([crush_ * rng.uniform(0.8, 1.6) / number, number])


def _shear(s: Floats, wave: Floats, phase: Floats) -> Floats:
    return np.asarray(wave[0] * (np.sin(wave[1] * s + phase) - np.sin(phase)))


def _lookup(table: Floats, tau: Floats, row: npt.NDArray[np.intp]) -> Floats:
    """Return rows `row` of `table` at `tau` turns, between its samples linearly."""
    at = np.clip(tau * STEPS, 0, table.shape[1] - 1 - 1e-9)
    i = at.astype(np.intp)
    f = at - i
    return np.asarray(table[row, i] * (1 - f) + table[row, i + 1] * f)
