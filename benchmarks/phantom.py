"""Can brightness alone tell a phantom's ink? And what does a phantom cost?

Fourteen phantoms, each with a seed, a geometry and a page of its own, are looked at along the exact
normals of their true surface: 24 layers a voxel apart, before the 8-bit window. For ink against all
papyrus that is not torn, decoys among it, the area under the ROC curve of four sums is pooled over
all phantoms: mean brightness within the sheet, the highest of the layers, brightness summed over
all layers (which a thicker sheet raises), and the same over the inner half alone, where ink stands.
Beside them stand the same figures with the decoys left out: what decoys are there for.

The cost is that of one phantom of 512 x 512 x 512 voxels, made and written in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.harness import Figure
from danseo.scroll.lettering import LETTERS
from danseo.scroll.phantom.making import brightness
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.spiral import make_spiral
from danseo.scroll.phantom.truth import normals_at, surface_at
from danseo.scroll.phantom.writing import write_sheet

PHANTOMS: Final = 14
SHAPE: Final = (256, 272, 272)
CEILING: Final = 0.55
STEP: Final = 3
SUMS: Final = ("mean within the sheet", "maximum", "sum over the thickness")
INNER: Final = "sum over the inner half"
_SLAB: Final = 64
_BORDER: Final = 4


@dataclass(frozen=True, slots=True)
class Look:
    """What brightness shows of one phantom: sums (4 x points), and what each point is."""

    sums: npt.NDArray[np.float32]
    ink: npt.NDArray[np.bool_]
    decoy: npt.NDArray[np.bool_]
    letters: int


def run() -> list[Figure]:
    """Pool the phantoms, and time one of full size."""
    looks = [look(Recipe(seed=9_000 + k, shape=SHAPE)) for k in range(PHANTOMS)]
    everything, plain = leak(looks), leak(looks, decoys=False)
    figures = [
        Figure("letters looked at", sum(each.letters for each in looks), "letters"),
        Figure("phantoms looked at", len(looks), "phantoms"),
    ]
    for name, value, without in zip((*SUMS, INNER), everything, plain, strict=True):
        what = f"ink by brightness, {name}"
        peer = f"decoys left out: {without:.3f}"
        if name == INNER:
            figures.append(Figure(what, value, "AUC", peer, value / without))
            continue
        aim = f"at most {CEILING}, and no less than {1 - CEILING:.2f}"
        holds = 1 - CEILING <= value <= CEILING
        figures.append(Figure(what, value, "AUC", peer, value / without, aim, holds))
    cost = _cost()
    return [
        *figures,
        Figure("512^3 phantom, one process", cost["cpu"], "CPU s", "", None, "at most 120",
               cost["cpu"] <= 120),
        Figure("the same, on the clock", cost["wall"], "s"),
        Figure("the same, peak memory", cost["mib"], "MiB", "", None, "at most 1,536",
               cost["mib"] <= 1536),
    ]  # fmt: skip


def look(recipe: Recipe) -> Look:
    """Return what brightness shows along the true normals of one phantom, each STEP voxels."""
    from scipy.ndimage import map_coordinates

    spiral = make_spiral(recipe)
    sheet = write_sheet(recipe, LETTERS, spiral.height, int(np.ceil(spiral.width)))
    heights = range(0, spiral.height, _SLAB)
    voxels = np.concatenate(
        [brightness(recipe, spiral, sheet, z, min(z + _SLAB, spiral.height)) for z in heights]
    )
    xyz, normal = surface_at(recipe, STEP, spiral).xyz, normals_at(recipe, STEP, spiral)
    layers = []
    for depth in np.arange(-11.5, 12):
        x, y, z = np.moveaxis(xyz + depth * normal, -1, 0)
        layers.append(map_coordinates(voxels, [z, y, x], order=1, mode="nearest"))
    stack = np.array(layers, dtype=np.float32)
    half = round(recipe.thickness / 2)
    sums = (
        stack[12 - half : 12 + half].mean(0), stack.max(0), stack.sum(0), stack[:12].sum(0)
    )  # fmt: skip
    cut = np.s_[: STEP * stack.shape[1] : STEP, : STEP * stack.shape[2] : STEP]
    ink, decoy, torn = (getattr(sheet.masks, name)[cut] for name in ("ink", "decoy", "torn"))
    seen = ~torn
    seen[:_BORDER] = seen[-_BORDER:] = False
    seen[:, :_BORDER] = seen[:, -_BORDER:] = False
    kept = np.array([each[seen] for each in sums])
    return Look(kept, ink[seen], decoy[seen], len(sheet.letters))


def leak(looks: list[Look], decoys: bool = True) -> list[float]:
    """Return the pooled area under the ROC curve of ink by each of the four sums."""
    ink = np.concatenate([each.ink for each in looks])
    taken = ink | decoys | ~np.concatenate([each.decoy for each in looks])
    sums = np.concatenate([each.sums for each in looks], axis=1)
    return [_area(ink[taken], each[taken]) for each in sums]


def _area(positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float32]) -> float:
    """Return the area under the ROC curve, by ranks (Mann and Whitney); ties count half."""
    from scipy.stats import rankdata

    n = int(np.count_nonzero(positive))
    above = float(rankdata(score)[positive].sum()) - n * (n + 1) / 2
    return above / (n * (positive.size - n))


def _cost() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.phantom", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def _make_one(folder: Path) -> None:
    """Make a phantom of 512^3 and print what it cost; kernels are compiled before the clock."""
    import resource
    import time

    from danseo.scroll.phantom.making import make_phantom

    make_phantom(
        Recipe(shape=(16, 144, 144), core_um=140), "", folder / "small.zarr"
    )  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    make_phantom(Recipe(seed=9_100), LETTERS, folder / "large.zarr")
    cost = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    _make_one(Path(sys.argv[1]))
