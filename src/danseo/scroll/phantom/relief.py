"""The faces of the sheet: rough, torn in places, and raised where there is ink or a decoy.

Ink stands proud in plates with cracks between them; a decoy is as high, and whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.scroll.phantom.chance import compiled, mixed, part, smooth2
from danseo.scroll.phantom.recipe import Recipe

Mask = npt.NDArray[np.bool_]

FINE: Final = 2
"""Samples of a face to a voxel: cracks are a voxel wide."""
_TAPER: Final = 2.0


@dataclass(frozen=True, slots=True)
class Masks:
    """What is where on the unrolled sheet, one pixel a voxel: rows v x columns u."""

    ink: Mask
    decoy: Mask
    torn: Mask


def faces(
    recipe: Recipe, masks: Masks, v0: int, rows: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return depth w of the inner and the outer face in voxels, for rows v0.. of the sheet.

    Both are (FINE rows) x (FINE columns). Where the sheet is torn, the inner lies beyond the outer.
    """
    columns = masks.ink.shape[1]
    inner = np.empty((FINE * rows, FINE * columns), dtype=np.float32)
    outer = np.empty_like(inner)
    _fill(
        inner,
        outer,
        _soft(masks.ink, v0, rows),
        _soft(masks.decoy, v0, rows),
        _soft(masks.torn, v0, rows),
        v0,
        recipe.voxel_um,
        recipe.sheet_um,
        recipe.roughness_um,
        np.array(recipe.ink_um),
        np.array([*recipe.plate_um, *recipe.crack_um]),
        recipe.salt("relief"),
    )
    return inner, outer


def reach(recipe: Recipe) -> int:
    """Return the depth in voxels beyond which the sheet never goes, on either side."""
    tallest = recipe.sheet_um / 2 + 3 * recipe.roughness_um + 1.3 * max(recipe.ink_um)
    return int(np.ceil(tallest / recipe.voxel_um)) + 2


def tear(recipe: Recipe, height: int, width: int) -> Mask:
    """Return where the sheet is torn: ragged holes over the part `torn` of it."""
    from scipy.ndimage import gaussian_filter, zoom

    if not recipe.torn:
        return np.zeros((height, width), dtype=np.bool_)
    rng = recipe.rng("torn")
    size = 500.0 / recipe.voxel_um / 4
    coarse = rng.normal(size=(int(height / size) + 9, int(width / size) + 9))
    coarse = gaussian_filter(coarse, 2.0, mode="wrap")
    holes = zoom(coarse / coarse.std(), size, order=1)[:height, :width]
    ragged = gaussian_filter(rng.normal(size=(height, width)), 40.0 / recipe.voxel_um)
    holes = holes + 0.15 * ragged / ragged.std()
    return np.asarray(holes > np.quantile(holes, 1 - recipe.torn))


def _soft(mask: Mask, v0: int, rows: int) -> npt.NDArray[np.float32]:
    """Return rows v0 - 1 .. v0 + rows of a mask with its stairs smoothed.

    Beyond the page its edge goes on.
    """
    from scipy.ndimage import gaussian_filter

    halo = 4
    at = np.clip(np.arange(v0 - halo, v0 + rows + halo), 0, len(mask) - 1)
    soft = gaussian_filter(mask[at].astype(np.float32), 0.8, mode="nearest")
    return np.asarray(soft[halo - 1 : halo + rows + 1])


@compiled
def _fill(
    inner: Any,
    outer: Any,
    ink: Any,
    decoy: Any,
    torn: Any,
    v0: int,
    um: float,
    sheet: float,
    rough: float,
    ink_um: Any,
    plates: Any,
    salt: int,
) -> None:
    rows, columns = inner.shape
    plate = 0.5 * (plates[0] + plates[1])
    for i in range(rows):
        v = v0 + (i + 0.5) / FINE - 0.5
        for j in range(columns):
            u = (j + 0.5) / FINE - 0.5
            height = (ink_um[0] + (ink_um[1] - ink_um[0]) * j / columns) / um
            face = -0.5 * sheet - rough * _roughness(u * um, v * um, salt)
            back = 0.5 * sheet + rough * _roughness(u * um, v * um, salt + 20)
            up = 0.0
            at_v, at_u = v - v0 + 1, u
            inked = _ramp(_at(ink, at_v, at_u))
            whole = _ramp(_at(decoy, at_v, at_u))
            if inked > 0.0:
                up = (
                    inked * height * _plates(u * um, v * um, plate, plates[2], plates[3], salt + 40)
                )
            if whole > 0.0:
                swell = 1.0 + 0.15 * smooth2(u * um / 60.0, v * um / 60.0, salt + 60)
                up = max(up, whole * height * swell)
            hole = _ramp(_at(torn, at_v, at_u))
            near, far = face / um - up, back / um
            inner[i, j] = near + (_TAPER - near) * hole
            outer[i, j] = far + (-_TAPER - far) * hole


@compiled
def _roughness(u: float, v: float, salt: int) -> float:
    """Return an uneven face of standard deviation about 1: ridges of fibres, and broad swells."""
    broad = smooth2(u / 700.0, v / 700.0, salt)
    strokes = smooth2(u / 240.0, v / 170.0, salt + 1)
    ridges = smooth2(u / 400.0, v / 45.0, salt + 2)
    return 1.7 * broad + 1.7 * strokes + 1.0 * ridges


@compiled
def _plates(u: float, v: float, size: float, thin: float, wide: float, salt: int) -> float:
    """Return the height of cracked ink, 0 in a crack, about 1 on a plate.

    Plates are the cells of a jittered lattice; a crack is where the border between the nearest two
    seeds is nearer than half the crack's width.
    """
    i0, j0 = int(np.floor(u / size)), int(np.floor(v / size))
    first, second = 1e9, 1e9
    u1, v1, u2, v2 = 0.0, 0.0, 0.0, 0.0
    bits = mixed(0, 0, 0, salt)
    for i in range(i0 - 2, i0 + 3):
        for j in range(j0 - 2, j0 + 3):
            cell = mixed(i, j, 0, salt)
            du = u - (i + 0.5 + 0.85 * (part(cell, 0) - 0.5)) * size
            dv = v - (j + 0.5 + 0.85 * (part(cell, 1) - 0.5)) * size
            distance = du * du + dv * dv
            if distance < first:
                second, u2, v2 = first, u1, v1
                first, u1, v1, bits = distance, du, dv, cell
            elif distance < second:
                second, u2, v2 = distance, du, dv
    apart = np.sqrt((u1 - u2) ** 2 + (v1 - v2) ** 2)
    border = (second - first) / (2.0 * apart + 1e-9)
    half = 0.5 * (thin + (wide - thin) * (0.5 + 0.5 * smooth2(u / 70.0, v / 70.0, salt + 1)))
    if border < half:
        return 0.0
    tilt = (part(bits, 2) - 0.5) * u1 + (part(bits, 3) - 0.5) * v1
    return 0.9 + 0.2 * part(bits, 2) + 0.3 * tilt / size


@compiled
def _ramp(x: float) -> float:
    """Return 0 below a quarter, 1 above three quarters, and a slope between."""
    return min(max(2.0 * x - 0.5, 0.0), 1.0)


@compiled
def _at(plane: Any, v: float, u: float) -> float:
    """Return `plane` between its samples, linearly; at its edge the edge."""
    v = min(max(v, 0.0), plane.shape[0] - 1.001)
    u = min(max(u, 0.0), plane.shape[1] - 1.001)
    i, j = int(v), int(u)
    f, g = v - i, u - j
    top = plane[i, j] * (1 - g) + plane[i, j + 1] * g
    low = plane[i + 1, j] * (1 - g) + plane[i + 1, j + 1] * g
    return float(top * (1 - f) + low * f)
