"""Rolls of a few lines, with a sheet that is known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from danseo.scroll.surface import Surface
from danseo.scroll.volume import Volume, open_volume

VOXEL_UM = 7.91


@dataclass(frozen=True)
class Roll:
    """An Archimedean spiral, r = 36 + 20 tau for 5 turns, 15 voxels thick, off centre."""

    sense: int = 1
    shape: tuple[int, int, int] = (48, 320, 320)
    axis: tuple[float, float] = (150.0, 170.0)
    turns: float = 5.0
    first: float = 36.0
    pitch: float = 20.0
    thickness: float = 15.0

    def density(self, seed: int = 0) -> NDArray[np.uint8]:
        """The volume: air 60, papyrus 180, noise 15."""
        y, x = np.mgrid[: self.shape[1], : self.shape[2]].astype(float)
        x, y = x - self.axis[0], y - self.axis[1]
        turn = (self.sense * np.arctan2(y, x) / (2 * np.pi)) % 1
        tau = np.round((np.hypot(x, y) - self.first) / self.pitch - turn) + turn
        depth = np.abs(np.hypot(x, y) - self.first - self.pitch * tau)
        sheet = np.clip(self.thickness / 2 - depth + 0.5, 0, 1) * ((tau >= 0) & (tau < self.turns))
        noise = np.random.default_rng(seed).normal(0, 15, self.shape)
        return np.clip(60 + 120 * sheet + noise, 0, 255).astype(np.uint8)

    def surface(self, step: float = 4.0) -> Surface:
        """The sheet's middle, columns in the direction of growing angle."""
        radii = np.arange(self.first, self.first + self.pitch * self.turns, 0.1)
        tau = (radii - self.first) / self.pitch
        length = np.concatenate([[0], np.cumsum(2 * np.pi * (radii[1:] + 0.05) * np.diff(tau))])
        tau = np.interp(np.arange(0, length[-1], step), length, tau)[:: self.sense]
        rows = np.arange(0, self.shape[0], step)
        theta = 2 * np.pi * self.sense * tau
        radius = self.first + self.pitch * tau
        flat = np.stack([radius * np.cos(theta), radius * np.sin(theta)], -1) + self.axis
        xyz = np.empty((len(rows), len(tau), 3), np.float32)
        xyz[..., :2], xyz[..., 2] = flat, rows[:, None]
        winding = np.broadcast_to(self.sense * tau, xyz.shape[:2]).astype(np.float32)
        return Surface(xyz, winding, step, VOXEL_UM)


def save(folder: Path, density: NDArray[np.uint8]) -> Volume:
    """Write an array as a volume and open it."""
    np.save(folder / "volume.npy", density)
    return open_volume(folder / "volume.npy", voxel_um=VOXEL_UM, axes="zyx")
