"""Hold the phantom beside a real crop: histogram, autocorrelation along three axes, sheet profile.

    python scripts/calibrate_phantom.py [DATA] [PICTURES]

DATA is the folder that holds `cube128/cube128.npz` (by default that in DANSEO_DATA, its `scroll`),
PICTURES the folder for `phantom-*.png` (by default docs/pictures). Only curves of the real crop are
drawn; its voxels stay where they are. The phantom is looked at through its own 8-bit window.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.scroll.phantom.making import brightness, find_window
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.scanner import digitise
from danseo.scroll.phantom.spiral import Spiral, make_spiral
from danseo.scroll.phantom.truth import normals_at, surface_at
from danseo.scroll.phantom.writing import Sheet, write_sheet

Floats = npt.NDArray[np.float32]

SIDE: Final = 128
RECIPE: Final = Recipe(seed=3, shape=(SIDE, 420, 420), pitch_um=200, letter_um=600)
"""The crop's own windings are wider than the phantom's by default: about 200 um here."""
WRITTEN: Final = Recipe(seed=2, shape=(252, 280, 280), ink_um=(16, 16))
"""A roll that shows one line of letters of the usual size, in ink of middling thickness."""
AXES: Final = ("along the scroll (z)", "across the sheets (y)", "along the sheets (x)")
LAGS: Final = 48
LEVELS: Final = np.arange(0, 257, 8)
"""The real crop was kept in steps of about eight grey levels: finer bins would show a comb."""
REAL: Final = "#b4552d"
MADE: Final = "#2b2a28"


@dataclass(frozen=True, slots=True)
class Curves:
    """What is compared. Brightness in grey levels, lags and depths in voxels."""

    histogram: npt.NDArray[np.float64]
    correlation: npt.NDArray[np.float64]
    profile: npt.NDArray[np.float64]


def main(data: Path, pictures: Path) -> dict[str, Any]:
    """Draw all pictures and return the figures that docs/phantom.md tells."""
    with np.load(data / "cube128" / "cube128.npz") as cube:
        real, label = cube["ct"].astype(np.float32), cube["label_sheet"]
    spiral = make_spiral(RECIPE)
    sheet = write_sheet(RECIPE, "ΜΗΝΙΝΑΕΙΔΕΘΕΑ", SIDE, int(np.ceil(spiral.width)))
    voxels = _digitised(RECIPE, spiral, sheet)
    corner = _corner(spiral)
    made = voxels[:, corner[0] : corner[0] + SIDE, corner[1] : corner[1] + SIDE]
    middle = np.abs(_depths(spiral, corner)) < 5  # as thick as the crop's label
    curves = {"real": measure(real, label), "phantom": measure(made, middle)}
    pictures.mkdir(parents=True, exist_ok=True)
    _draw_curves(curves, pictures / "phantom-calibration.png")
    _draw_slices(made, pictures / "phantom-slices.png")
    _draw_sheet(pictures / "phantom-sheet.png")
    return {name: _told(each) for name, each in curves.items()}


def _digitised(recipe: Recipe, spiral: Spiral, sheet: Sheet) -> Floats:
    """Return the whole volume in grey levels."""
    shown = find_window(recipe, spiral, sheet)
    starts = range(0, spiral.height, 64)
    parts = [brightness(recipe, spiral, sheet, z, min(z + 64, spiral.height)) for z in starts]
    return digitise(recipe, np.concatenate(parts), shown).astype(np.float32)


def measure(voxels: Floats, label: npt.NDArray[np.bool_]) -> Curves:
    """Return the curves of one crop. `label` marks about the inner 10 voxels of sheets."""
    from scipy.ndimage import distance_transform_edt

    histogram = np.histogram(voxels, LEVELS)[0] / voxels.size
    rest = voxels - voxels.mean()
    correlation = np.array(
        [[_shifted(rest, axis, lag) for lag in range(LAGS)] for axis in range(3)]
    )
    inside, outside = distance_transform_edt(label), distance_transform_edt(~label)
    depth = np.where(label, -(inside - 0.5), outside - 0.5)
    profile = [
        voxels[(depth >= k) & (depth < k + 1)].mean() if np.any((depth >= k) & (depth < k + 1))
        else np.nan
        for k in range(-5, 12)
    ]  # fmt: skip
    return Curves(histogram, correlation / rest.var(), np.array(profile))


def _shifted(rest: Floats, axis: int, lag: int) -> float:
    side = rest.shape[axis]
    near = np.take(rest, range(side - lag), axis)
    return float((near * np.take(rest, range(lag, side), axis)).mean())


def _told(curves: Curves) -> Mapping[str, Any]:
    """Return a few figures of the curves: quantiles, the lag of half correlation, the contrast."""
    half = [int(np.argmax(row < 0.5)) for row in curves.correlation]
    return {
        "percentiles 5 50 95": [
            round(float(np.interp(q, np.cumsum(curves.histogram), LEVELS[1:])))
            for q in (0.05, 0.5, 0.95)
        ],
        "correlation at 1, 2 and 4 voxels": curves.correlation[:, [1, 2, 4]].round(2).tolist(),
        "falls below a half at": half,
        "profile": curves.profile.round().tolist(),
    }


def _corner(spiral: Spiral) -> tuple[int, int]:
    """Return y and x of a crop in which sheets lie as in the real one: stacked along y."""
    x, y = spiral.axis(np.array([SIDE / 2.0]))[0]
    return int(y) + 40, int(x) - SIDE // 2


def _depths(spiral: Spiral, corner: tuple[int, int]) -> npt.NDArray[np.float64]:
    z, y, x = np.indices((SIDE, SIDE, SIDE)).reshape(3, -1).astype(float)
    _, _, depth = spiral.locate(np.stack([x + corner[1], y + corner[0], z], axis=-1))
    return depth.reshape(SIDE, SIDE, SIDE)


def _draw_curves(curves: dict[str, Curves], path: Path) -> None:
    plt = _plotting()
    figure, panels = plt.subplots(1, 5, figsize=(15, 3), layout="constrained")
    for name, colour in (("real", REAL), ("phantom", MADE)):
        each = curves[name]
        panels[0].plot(LEVELS[:-1] + 4, 100 * each.histogram, color=colour, label=name)
        for axis in range(3):
            panels[1 + axis].plot(np.arange(LAGS), each.correlation[axis], color=colour)
        panels[4].plot(np.arange(-5, 12), each.profile, color=colour)
    panels[0].set(title="histogram", xlabel="grey level", ylabel="% of voxels")
    panels[0].legend(frameon=False)
    for axis, name in enumerate(AXES):
        panels[1 + axis].set(title=f"correlation {name}", xlabel="voxels", ylim=(-0.5, 1))
    panels[4].set(title="sheet profile", xlabel="voxels from the label's border")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _draw_slices(made: Floats, path: Path) -> None:
    plt = _plotting()
    figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    middle = SIDE // 2
    planes = (made[middle], made[:, middle], made[:, :, middle])
    for panel, plane, name in zip(panels, planes, AXES, strict=True):
        panel.imshow(plane, cmap="gray", vmin=0, vmax=255)
        panel.set_title(f"cut {name}", fontsize=9)
        panel.set_axis_off()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _draw_sheet(path: Path) -> None:
    """Draw the inner face of a stretch of a sheet at two depths, and the truth below."""
    from scipy.ndimage import map_coordinates

    plt = _plotting()
    spiral = make_spiral(WRITTEN)
    sheet = write_sheet(WRITTEN, "ΜΗΝΙΝΑΕΙΔΕΘΕΑ", spiral.height, int(np.ceil(spiral.width)))
    voxels = _digitised(WRITTEN, spiral, sheet)
    part = np.s_[:, 100:900]
    xyz = surface_at(WRITTEN, 1.0, spiral).xyz[part]
    normal = normals_at(WRITTEN, 1.0, spiral)[part]
    rows = []
    for depth in (-9.0, -7.5):
        x, y, z = np.moveaxis(xyz + depth * normal, -1, 0)
        rows.append(map_coordinates(voxels, [z, y, x], order=1, mode="nearest"))
    ink, decoy = sheet.masks.ink[part], sheet.masks.decoy[part]
    rows.append(np.where(ink, 240.0, np.where(decoy, 110.0, 25.0)))
    figure, panels = plt.subplots(3, 1, figsize=(10, 8), layout="constrained")
    titles = ("9 voxels inside the middle", "7.5 voxels inside it", "truth: ink and decoys")
    for panel, row, title in zip(panels, rows, titles, strict=True):
        panel.imshow(row, cmap="gray", vmin=0, vmax=255)
        panel.set_title(title, fontsize=9)
        panel.set_axis_off()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _plotting() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


if __name__ == "__main__":
    root = Path(os.environ.get("DANSEO_DATA", "../shared/data")) / "scroll"
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else root
    there = Path(sys.argv[2]) if len(sys.argv) > 2 else Path("docs/pictures")
    print(json.dumps(main(where, there), indent=1))
