"""What is torn, what only looks so, and what is not the sheet."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from danseo.scroll.winding.presence import present

RADIUS, THICKNESS, CELL = 120.0, 15.0, 4
ROWS = np.arange(0, 96, 4.0)
ANGLES = np.arange(0, 1, 1 / 188)


def ring() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radius and angle (turns) of each half cell of a volume with its axis in the middle."""
    y, x = (np.mgrid[:140, :140] * 2 + 0.5) - 140.0
    return np.hypot(x, y), (np.arctan2(y, x) / (2 * np.pi)) % 1


def volume() -> NDArray[np.float64]:
    """The share of papyrus, at half cells, of one round sheet."""
    radius, _ = ring()
    sheet = np.abs(radius - RADIUS) < THICKNESS / 2
    return np.repeat(sheet[None].astype(float), 48, axis=0)


def found(
    share: NDArray[np.float64],
    radius: NDArray[np.float64] | None = None,
    angles: NDArray[np.float64] = ANGLES,
) -> NDArray[np.float64]:
    """What `present` says of a sheet about which the field is right."""
    fine = np.clip((share + 0.5) * 127.5, 0, 255).astype(np.uint8)
    if radius is None:
        radius = np.full((len(ROWS), len(angles)), RADIUS)
    axis = np.full(len(ROWS), 140.0), np.full(len(ROWS), 140.0)
    return present(radius, fine, CELL, ROWS, axis, angles, THICKNESS, 0.35)


def test_layers_that_part_are_no_tear() -> None:
    share = volume()
    radius, angle = ring()
    share[10:34, (np.abs(radius - RADIUS) < 2.5) & (np.abs(angle - 0.5) < 0.06)] = 0
    assert np.isfinite(found(share)).all()


def test_a_tear_is_a_hole_of_its_size() -> None:
    share = volume()
    share[12:36, np.abs(ring()[1] - 0.5) < 0.05] = 0
    hole = ~np.isfinite(found(share))
    assert hole[9:15, 88:100].all()
    assert abs(hole.sum() / (12 * 18.8) - 1) < 0.2


def test_points_that_were_not_found_on_papyrus_are_put_between_their_neighbours() -> None:
    radius = np.full((len(ROWS), len(ANGLES)), RADIUS)
    radius[10:13, 50:54] = np.nan
    assert np.abs(found(volume(), radius) - RADIUS).max() < 0.01


@pytest.mark.parametrize(("at", "kept"), [(0.55, True), (0.85, False)])
def test_an_island_far_beyond_the_end_is_not_the_sheet(at: float, kept: bool) -> None:
    share = volume()
    angle = ring()[1]
    island = np.abs(angle - at) < 0.018
    share[:, (angle > 0.5) & ~island] = 0
    share[:16, island] = 0
    share[32:, island] = 0
    column = round(at * 188)
    assert np.isfinite(found(share)[12, column]) == kept
    assert np.isfinite(found(share)[:, 5:90]).all()


def test_an_end_that_runs_into_the_next_winding_is_cut_off() -> None:
    angles = np.arange(0, 2, 1 / 188)
    radius = np.tile(90 + 20 * angles, (len(ROWS), 1))
    radius[:, -15:] -= 14
    share = np.ones((48, 140, 140))
    for mirrored in (False, True):
        if mirrored:
            radius, angles = radius[:, ::-1], -angles[::-1]
        there = np.isfinite(found(share, radius, angles))
        there = there[:, ::-1] if mirrored else there
        assert not there[:, -15:].any()
        assert there[:, :-18].all()
