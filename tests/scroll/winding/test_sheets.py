"""The whole way from a volume to its sheet."""

from __future__ import annotations

import numpy as np

from danseo.scroll.surface import normals
from danseo.scroll.winding.measure import compare
from danseo.scroll.winding.sheets import segment


def test_an_undisturbed_spiral_is_found_whole(rolled) -> None:
    roll, volume = rolled
    surface, report = segment(volume)
    match = compare(surface, roll.surface())
    assert report.sense == roll.sense
    assert match.coverage > 0.98
    assert match.wrong == 0.0
    assert match.switched == 0.0
    assert match.median < 0.4
    assert abs(report.windings - roll.turns) < 0.15


def test_columns_grow_with_the_angle_and_normals_point_outward(rolled) -> None:
    roll, volume = rolled
    surface, _ = segment(volume)
    outward = surface.xyz[..., :2] - np.array(roll.axis, np.float32)
    theta = np.arctan2(outward[..., 1], outward[..., 0]) / (2 * np.pi)
    assert np.nanmax(np.abs((surface.winding - theta + 0.5) % 1 - 0.5)) < 0.02
    assert np.nanmin(np.diff(surface.winding, axis=1)) > 0
    cosine = (normals(surface.xyz)[..., :2] * outward).sum(-1) / np.linalg.norm(outward, axis=-1)
    # The very ends of the sheet bend a little: there is papyrus on one side only.
    assert np.nanmin(cosine) > 0.6
    assert np.nanquantile(cosine, 0.01) > 0.95
