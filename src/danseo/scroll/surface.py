"""The surface of a sheet: a quad mesh on a grid of points, as tifxyz files hold it.

Rows run down the page along z, columns to the right with growing angle about the umbilicus. Then
the derivative along columns crossed with that along rows points outward, away from the written
face. Points are (x, y, z) in voxels of the finest level; where there is no sheet all three are NaN.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from danseo.core.errors import Invalid, Unavailable, Usage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

AXES: Final = ("x", "y", "z")
INVALID: Final = -1.0
"""What stands in all three files where there is no sheet."""
_UNFINISHED: Final = ".unfinished"
"""A file that is in the folder while it is written; a crash leaves it there."""


@dataclass(frozen=True)
class Surface:
    """A sheet as a grid of points, rows down the page and columns to the right.

    `xyz` is (rows, columns, 3), in voxels, NaN where there is no sheet. `winding` is the total
    angle in turns, (rows, columns), NaN where unknown, or None where it is known nowhere. `step`
    is the nominal distance between grid points in voxels. `voxel_um` is NaN where nobody told it.
    Raises `Usage` where the shapes do not fit each other or a length is not positive.
    """

    xyz: Floats
    winding: Floats | None
    step: float
    voxel_um: float

    def __post_init__(self) -> None:
        xyz = np.ascontiguousarray(self.xyz, dtype=np.float32)
        if xyz.ndim != 3 or xyz.shape[2] != 3 or xyz.size == 0:
            raise Usage(
                f"A surface's points have the shape {xyz.shape}.",
                "Give an array (rows, columns, 3) with at least one point.",
            )
        object.__setattr__(self, "xyz", xyz)
        if self.winding is not None:
            winding = np.ascontiguousarray(self.winding, dtype=np.float32)
            if winding.shape != xyz.shape[:2]:
                raise Usage(
                    f"The winding has the shape {winding.shape}, the grid {xyz.shape[:2]}.",
                    "Give one total angle for each grid point, NaN where it is unknown.",
                )
            object.__setattr__(self, "winding", winding)
        if not (np.isfinite(self.step) and self.step > 0):
            raise Usage(
                f"The step of a surface is {self.step} voxels.", "Give a length above zero."
            )
        if not self.voxel_um > 0 and not np.isnan(self.voxel_um):
            raise Usage(
                f"The voxel size is {self.voxel_um} um.", "Give a length above zero, or NaN."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        rows, columns = self.xyz.shape[:2]
        return rows, columns

    @property
    def valid(self) -> Mask:
        """Where there is sheet: (rows, columns), true where all three coordinates are finite."""
        return np.asarray(np.isfinite(self.xyz).all(axis=2))

    @property
    def quads(self) -> Mask:
        """Which quads have all four corners: (rows - 1, columns - 1)."""
        v = self.valid
        return v[:-1, :-1] & v[1:, :-1] & v[:-1, 1:] & v[1:, 1:]


def write_surface(
    folder: Path | str, surface: Surface, meta: Mapping[str, Any] | None = None
) -> Path:
    """Write a surface as tifxyz into a folder, beside what else lies there, and return the folder.

    `meta` goes into meta.json beside what is always there, such as `volume`, which says of which
    volume this is a surface. Until all is written the folder holds a mark, and `read_surface`
    refuses it. Raises `Unavailable` where the folder cannot be written.
    """
    folder = Path(folder)
    mark = folder / _UNFINISHED
    points = np.where(surface.valid[..., None], surface.xyz, np.float32(INVALID))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
        for axis, name in enumerate(AXES):
            _write_tiff(folder / f"{name}.tif", points[..., axis])
        if surface.winding is None:
            (folder / "winding.tif").unlink(missing_ok=True)
        else:
            _write_tiff(folder / "winding.tif", surface.winding)
        text = json.dumps(_meta(folder, surface, meta or {}), indent=2, ensure_ascii=False)
        _replace(folder / "meta.json", (text + "\n").encode())
        mark.unlink()
    except OSError as error:
        raise Unavailable(
            f"The surface cannot be written to {folder}: {error.strerror or error}.",
            "Make room there, or name a folder that may be written.",
        ) from error
    return folder


def read_surface(
    folder: Path | str, *, step: float | None = None, voxel_um: float | None = None
) -> Surface:
    """Read a tifxyz folder, also one that another program wrote.

    There is no sheet where all three coordinates are -1 or all are 0, where one is not finite, and
    where a mask.tif of the grid's shape is 0. Where meta.json is absent or does not tell them,
    `step` is measured on the grid and `voxel_um` is NaN; an argument goes before either.
    Raises `Unavailable` where a file is missing and `Invalid` where one cannot be what it should.
    """
    folder = Path(folder)
    if (folder / _UNFINISHED).exists():
        raise Invalid(
            f"{folder} was left half written.", "Run again the stage that writes it, then read it."
        )
    planes = [_read_tiff(folder / f"{name}.tif") for name in AXES]
    shapes = {p.shape for p in planes}
    if len(shapes) > 1:
        raise Invalid(
            f"x.tif, y.tif and z.tif of {folder} differ in shape: {[p.shape for p in planes]}.",
            "Take the three files of one surface.",
        )
    xyz = np.stack(planes, axis=-1)
    xyz[~_sheet(folder, xyz)] = np.nan
    meta = read_meta(folder)
    told = _scale_step(folder, meta)
    return Surface(
        xyz,
        _read_winding(folder, planes[0].shape),
        step or told or spacing(xyz),
        voxel_um or _told_size(folder, meta),
    )


def read_meta(folder: Path | str) -> dict[str, Any]:
    """Return what meta.json of a folder says, {} where there is none; raise `Invalid` if broken."""
    path = Path(folder) / "meta.json"
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Invalid(f"{path} is not JSON: {error}.", "Mend it, or remove it.") from error
    if not isinstance(found, dict):
        raise Invalid(f"{path} is not a JSON object.", "Mend it, or remove it.")
    return found


def spacing(xyz: Floats) -> float:
    """Return the side of a square as large as the usual quad, in voxels.

    That is the root of the median distance along rows times that along columns; of one alone where
    the grid is a single line. Raises `Usage` where no two neighbours are valid.
    """
    apart = [np.linalg.norm(np.diff(xyz, axis=axis), axis=2).ravel() for axis in (0, 1)]
    known = [d[np.isfinite(d) & (d > 0)] for d in apart]
    medians = [float(np.median(d)) for d in known if d.size]
    if not medians:
        raise Usage(
            "A surface has no two neighbouring points, so its step cannot be measured.",
            "Look whether the files hold a sheet at all, or give the step.",
        )
    return float(np.exp(np.mean(np.log(medians))))


def normals(xyz: ArrayLike) -> Floats:
    """Return unit normals, (rows, columns, 3): outward, away from the written inner face.

    They are central differences along columns crossed with those along rows, one-sided at edges
    and beside holes. NaN where a point or all its neighbours along either way are missing, or
    where the two ways are parallel.
    """
    points = np.asarray(xyz, dtype=np.float32)
    across, down = _derivative(points, 1), _derivative(points, 0)
    normal = np.cross(across, down)
    length = np.linalg.norm(normal, axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = normal / length
    flat = length <= 1e-6 * (
        np.linalg.norm(across, axis=2, keepdims=True) * np.linalg.norm(down, axis=2, keepdims=True)
    )
    return np.where(flat, np.float32(np.nan), unit).astype(np.float32)


def _derivative(points: Floats, axis: int) -> Floats:
    """Return the mean of the differences to the neighbours that are there; NaN without any."""
    ahead = np.full_like(points, np.nan)
    behind = np.full_like(points, np.nan)
    step = np.diff(points, axis=axis)
    if axis == 0:
        ahead[:-1], behind[1:] = step, step
    else:
        ahead[:, :-1], behind[:, 1:] = step, step
    mean = (ahead + behind) / 2
    return np.where(np.isfinite(mean), mean, np.where(np.isfinite(ahead), ahead, behind))


def _meta(folder: Path, surface: Surface, more: Mapping[str, Any]) -> dict[str, Any]:
    points = surface.xyz[surface.valid]
    found: dict[str, Any] = {"type": "seg", "uuid": folder.name, **more, "format": "tifxyz"}
    found["scale"] = [1 / surface.step, 1 / surface.step]
    if len(points):
        found["bbox"] = [points.min(0).tolist(), points.max(0).tolist()]
    if not np.isnan(surface.voxel_um):
        found["voxel_um"] = surface.voxel_um
    return found


def _sheet(folder: Path, xyz: Floats) -> Mask:
    there = np.isfinite(xyz).all(2) & ~(xyz == INVALID).all(2) & ~(xyz == 0).all(2)
    path = folder / "mask.tif"
    if path.exists():
        mask = _read_tiff(path, np.dtype(np.float32))
        if mask.shape == there.shape:
            there &= mask > 0
    return np.asarray(there)


def _scale_step(folder: Path, meta: Mapping[str, Any]) -> float | None:
    scale = meta.get("scale")
    if scale is None:
        return None
    try:
        across, down = (float(s) for s in scale)
    except (TypeError, ValueError):
        across = down = 0.0
    if not (across > 0 and down > 0):
        raise Invalid(
            f"{folder / 'meta.json'} gives the scale {scale!r}.",
            "It is two numbers above zero: grid points a voxel along columns and rows.",
        )
    return float((across * down) ** -0.5)


def _told_size(folder: Path, meta: Mapping[str, Any]) -> float:
    told = meta.get("voxel_um")
    if told is None:
        return float("nan")
    if isinstance(told, bool) or not isinstance(told, int | float) or not told > 0:
        raise Invalid(
            f"{folder / 'meta.json'} gives the voxel size {told!r}.",
            "It is a length in micrometres, above zero.",
        )
    return float(told)


def _read_winding(folder: Path, shape: tuple[int, ...]) -> Floats | None:
    path = folder / "winding.tif"
    if not path.exists():
        return None
    winding = _read_tiff(path)
    if winding.shape != shape:
        raise Invalid(
            f"{path} has the shape {winding.shape}, the points {shape}.",
            "Take the winding of the same surface, or remove the file.",
        )
    return winding


def _read_tiff(path: Path, dtype: np.dtype[Any] | None = None) -> Floats:
    import tifffile

    try:
        found = tifffile.imread(path)
    except FileNotFoundError as error:
        raise Unavailable(
            f"{path} is missing.", "A tifxyz folder holds x.tif, y.tif and z.tif; name such a one."
        ) from error
    except (OSError, ValueError, tifffile.TiffFileError) as error:
        raise Invalid(f"{path} cannot be read as TIFF: {error}.", "Write it anew.") from error
    if found.ndim != 2 or (dtype is None and found.dtype.kind != "f"):
        raise Invalid(
            f"{path} holds {found.dtype} of the shape {found.shape}.",
            "Each file of a tifxyz folder is one picture of float32.",
        )
    return np.asarray(found, dtype=np.float32)


def _write_tiff(path: Path, plane: Floats) -> None:
    import tifffile

    part = path.with_suffix(".tif.part")
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    tifffile.imwrite(part, plane, metadata=None, software=False, photometric="minisblack")
    os.replace(part, path)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def handedness(surface: Surface) -> int:
    """Return 1 where columns grow with the angle, -1 where against it, 0 where it cannot be told.

    The total angle says so where it is known; otherwise the sense in which rows wind in the plane
    across z, if they turn by more than a quarter. A surface whose rows run up is seen upside down,
    which changes both.
    """
    down = np.diff(surface.xyz[..., 2], axis=0)
    down = down[np.isfinite(down)]
    upright = 1 if down.size and down.mean() >= 0 else -1
    if surface.winding is not None:
        turned = np.diff(surface.winding, axis=1)
        turned = turned[np.isfinite(turned)]
        if turned.size and np.median(turned) != 0:
            return int(np.sign(np.median(turned))) * upright
    along = np.diff(surface.xyz[..., :2].astype(np.float64), axis=1)
    heading = along[..., 0] + 1j * along[..., 1]
    bends = np.angle(heading[:, 1:] * heading[:, :-1].conj())
    there = np.isfinite(bends)
    rows = np.where(there, bends, 0).sum(axis=1)[there.any(axis=1)]
    winds = float(np.median(rows)) / (2 * np.pi) if rows.size else 0.0
    return int(np.sign(winds)) * upright if abs(winds) > 0.25 else 0


@dataclass(frozen=True)
class Fault:
    """Something wrong with a surface, or worth knowing of it.

    `kind` is one word, `count` how many, `at` row and column of the first, None where there is no
    place. `grave` faults give a wrong picture; the others leave a gap or nothing at all.
    """

    kind: str
    count: int
    words: str
    at: tuple[int, int] | None
    grave: bool


def check(surface: Surface, shape: tuple[int, int, int] | None = None) -> list[Fault]:
    """Return what is wrong with a surface, the grave first; [] where nothing is.

    `shape` is that of the volume, (z, y, x), in voxels of the finest level.
    """
    found = [*_gaps(surface), *_places(surface, shape)]
    if surface.quads.any():
        found += [*_quads(surface), *_senses(surface)]
    return sorted(found, key=lambda fault: not fault.grave)


def _fault(kind: str, words: str, where: Mask, grave: bool) -> list[Fault]:
    """Return one fault for a picture of where it is, none where it is nowhere."""
    count = int(where.sum())
    if not count:
        return []
    row, column = np.argwhere(where)[0].tolist()
    return [Fault(kind, count, words.format(count), (row, column), grave)]


def _gaps(surface: Surface) -> list[Fault]:
    from scipy import ndimage

    valid, quads = surface.valid, surface.quads
    if not quads.any():
        return [Fault("empty", 0, "There is no whole quad: no sheet at all.", None, True)]
    label, islands = ndimage.label(quads)
    gaps, holes = ndimage.label(~valid, np.ones((3, 3)))
    edge = np.unique(np.concatenate([gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]]))
    inner = ~np.isin(np.arange(holes + 1), [0, *edge])
    used = np.zeros_like(valid)
    for rows, columns in ((0, 0), (0, 1), (1, 0), (1, 1)):
        used[rows : rows + quads.shape[0], columns : columns + quads.shape[1]] |= quads
    found = []
    if inner.any():
        row, column = np.argwhere(inner[gaps])[0].tolist()
        words = f"{int(inner.sum())} holes in the sheet, {int(inner[gaps].sum())} points in all."
        found.append(Fault("holes", int(inner.sum()), words, (row, column), False))
    if islands > 1:
        row, column = np.argwhere(label == 2)[0].tolist()
        words = f"The sheet is in {islands} parts that do not hang together."
        found.append(Fault("islands", islands, words, (row, column), False))
    found += _fault("lone", "{} points belong to no whole quad.", valid & ~used, False)
    partial = ~valid & ~np.isnan(surface.xyz).all(axis=2)
    return found + _fault("partial", "{} points lack one or two coordinates.", partial, False)


def _places(surface: Surface, shape: tuple[int, int, int] | None) -> list[Fault]:
    from scipy.spatial import cKDTree

    valid, found = surface.valid, []
    if shape is not None:
        with np.errstate(invalid="ignore"):
            beyond = (surface.xyz < -0.5) | (surface.xyz > np.array(shape[::-1]) - 0.5)
        words = f"{{}} points lie outside the volume of {shape} voxels."
        found += _fault("outside", words, valid & beyond.any(axis=2), True)
    at = np.argwhere(valid)
    points = surface.xyz[valid]
    _, first, count = np.unique(points, axis=0, return_index=True, return_counts=True)
    double = np.zeros_like(valid)
    double[tuple(at[first[count > 1]].T)] = True
    found += _fault("duplicates", "{} places in the volume have several points.", double, True)
    pairs = cKDTree(points).query_pairs(surface.step / 4, output_type="ndarray")
    apart = np.abs(at[pairs[:, 0]] - at[pairs[:, 1]]).max(axis=1, initial=0) > 3
    touching = np.zeros_like(valid)
    touching[tuple(at[pairs[apart, 0]].T)] = True
    words = "At {} points the sheet lies on another part of itself: a quarter step apart or less."
    return found + _fault("touching", words, touching & ~double, True)


def _quads(surface: Surface) -> list[Fault]:
    from scipy import ndimage

    quads, xyz = surface.quads, surface.xyz.astype(np.float64)
    a, b, c, d = xyz[:-1, :-1], xyz[:-1, 1:], xyz[1:, :-1], xyz[1:, 1:]
    upper, lower = np.cross(b - a, c - a), np.cross(c - d, b - d)
    area = (np.linalg.norm(upper, axis=2) + np.linalg.norm(lower, axis=2)) / 2
    thin = quads & (area < 1e-3 * np.median(area[quads]))
    face = np.where(quads[..., None], upper + lower, 0)
    around = np.stack([ndimage.uniform_filter(face[..., k], 3) for k in range(3)], axis=2)
    folded = quads & ~thin & (((upper * lower).sum(2) < 0) | ((face * around).sum(2) < 0))
    return [
        *_fault("degenerate", "{} quads have next to no area.", thin, True),
        *_fault("flips", "{} quads are folded, or face against those around them.", folded, True),
    ]


def _senses(surface: Surface) -> list[Fault]:
    found = []
    if handedness(surface) < 0:
        words = "Columns run against the angle: the page is seen mirrored, from behind."
        found.append(Fault("mirrored", 1, words, None, True))
    down = np.diff(surface.xyz[..., 2], axis=0)
    if np.nanmean(down) < 0:
        found.append(
            Fault("upside-down", 1, "Rows run against z: the page hangs head down.", None, True)
        )
    usual = spacing(surface.xyz)
    if not 2 / 3 < usual / surface.step < 3 / 2:
        words = f"The step is said to be {surface.step:g} voxels and is {usual:.3g}."
        found.append(Fault("step", 1, words, None, False))
    if surface.winding is not None:
        unknown = surface.valid & ~np.isfinite(surface.winding)
        found += _fault("unwound", "{} points have no total angle.", unknown, False)
        with np.errstate(invalid="ignore"):
            jump = np.abs(np.diff(surface.winding, axis=1)) > 0.5
        words = "At {} points the total angle jumps by over half a turn: the sheet was switched."
        found += _fault("switch", words, jump, True)
    return found
