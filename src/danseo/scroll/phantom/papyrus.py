"""The stuff of the sheet: two crossed layers of fibres, hollow ones among them, grain and specks.

The sheet is unrolled here: u along the writing, v down the page, w through it, inner face first.
Fibres of the inner, written half run along u, those of the outer half along v. Ink and decoys are
raised stuff of the same kind: nothing in the density knows of them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.scroll.phantom.chance import compiled, mixed, part, smooth1, smooth2, smooth3
from danseo.scroll.phantom.recipe import Recipe

SCALE: Final = 160.0
"""Steps of a byte to the mean density of papyrus, which is 1."""

_FIBRE_UM: Final = 66.0  # from fibre to fibre
_BEND_UM: Final = 700.0  # over this length a fibre swerves
_GRAIN_UM: Final = 20.0
_PATCHES_UM: Final = (900.0, 260.0)  # patches of denser and of looser stuff
_SPLIT_UM: Final = 12.0  # half of what is loose where the layers part
_SPECK_UM: Final = 90.0  # a lattice in which one cell in 60 holds a speck


def stuff(recipe: Recipe, v0: int, rows: int, columns: int, reach: int) -> npt.NDArray[np.uint8]:
    """Return the density of rows v0.. of the unrolled sheet: rows x columns x (2 reach + 1).

    One sample a voxel; w goes from -reach to +reach, in voxels. Density is in steps of 1/SCALE.
    """
    out = np.empty((rows, columns, 2 * reach + 1), dtype=np.uint8)
    _fill(out, v0, reach, recipe.voxel_um, recipe.contrast, recipe.salt("papyrus"))
    return out


@compiled
def _fill(out: Any, v0: int, reach: int, um: float, contrast: float, salt: int) -> None:
    rows, columns, deep = out.shape
    for i in range(rows):
        v = (v0 + i) * um
        for j in range(columns):
            u = j * um
            seam = 9.0 * smooth2(u / 160.0, v / 160.0, salt + 1)
            patch = 0.36 * smooth2(u / _PATCHES_UM[0], v / _PATCHES_UM[0], salt + 2)
            patch += 0.36 * smooth2(u / _PATCHES_UM[1], v / _PATCHES_UM[1], salt + 12)
            split = min(max(2.0 * smooth2(u / 500.0, v / 500.0, salt + 22), 0.0), 1.0)
            for k in range(deep):
                w = (k - reach) * um
                fibres = _fibre(v, w, u, salt + 3) if w < seam else _fibre(u, w, v, salt + 4)
                grain = 0.13 * smooth3(u / _GRAIN_UM, v / _GRAIN_UM, w / _GRAIN_UM, salt + 5)
                loose = fibres + patch + grain + _speck(u, v, w, salt + 6)
                loose -= 0.5 * split * max(1.0 - abs(w - seam) / _SPLIT_UM, 0.0)
                density = (1.0 + contrast * loose) * SCALE
                out[i, j, k] = np.uint8(min(max(density, 0.0), 255.0))


@compiled
def _fibre(a: float, b: float, along: float, salt: int) -> float:
    """Return what fibres across (a, b) and running `along` add to the density, about 0 on average.

    The nearest of nine jittered fibres counts: a bright wall, and a dark core in a hollow one.
    """
    i0, j0 = int(np.floor(a / _FIBRE_UM)), int(np.floor(b / _FIBRE_UM))
    best, bits = 1e9, mixed(0, 0, 0, salt)
    for i in range(i0 - 1, i0 + 2):
        for j in range(j0 - 1, j0 + 2):
            cell = mixed(i, j, 0, salt)
            at = along / _BEND_UM + 7.0 * part(cell, 2)
            sway = 0.35 * smooth1(at, i * 64 + j, salt + 11)
            da = a - (i + 0.5 + 0.35 * (2 * part(cell, 0) - 1) + sway) * _FIBRE_UM
            db = b - (j + 0.5 + 0.45 * (2 * part(cell, 1) - 1)) * _FIBRE_UM
            distance = da * da + db * db
            if distance < best:
                best, bits = distance, cell
    kind, size = part(bits, 3), part(bits, 2)
    r = np.sqrt(best) / (_FIBRE_UM * (0.30 + 0.22 * size))
    if kind < 0.38:
        core = min(max((r - 0.35) / 0.4, 0.0), 1.0)
        rim = min(max((1.5 - r) / 0.5, 0.0), 1.0)
        return float(-0.75 + 1.08 * core + 0.48 * (rim - 1.0))
    return float(max(0.36 * (1.1 - r), -0.18) + 0.3 * (kind - 0.65))


@compiled
def _speck(u: float, v: float, w: float, salt: int) -> float:
    """Return the density of mineral specks: few, small and bright."""
    i, j, k = (
        int(np.floor(u / _SPECK_UM)),
        int(np.floor(v / _SPECK_UM)),
        int(np.floor(w / _SPECK_UM)),
    )
    cell = mixed(i, j, k, salt)
    if part(cell, 3) > 1.0 / 60.0:
        return 0.0
    x = u / _SPECK_UM - i - 0.2 - 0.6 * part(cell, 0)
    y = v / _SPECK_UM - j - 0.2 - 0.6 * part(cell, 1)
    z = w / _SPECK_UM - k - 0.2 - 0.6 * part(cell, 2)
    return 0.5 if x * x + y * y + z * z < 0.02 else 0.0
