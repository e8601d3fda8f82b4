"""Render: layers of a volume along the normals of a sheet's surface, one pixel a voxel.

    rendering = render(volume, surface, Path("reading/render"))

writes `layers.zarr` (OME-Zarr; layers x height x width, of the volume's type, layer 0 innermost)
and `mask.png` (255 where every layer of a pixel was read). The surface lies on a plane: equal
steps in its grid are equal lengths on the sheet, and pixel i lies `i / step` rows down the grid.

What cannot be read is masked, zero in all layers, and counted by its reason: a hole of the
surface, a stretch where neighbours lie too far apart, a layer outside of the volume, a chunk that
is not on disk. Tiles are rendered one by one, in any order and in several processes; a tile reads
only the box of voxels that it needs.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Unfit, Usage
from danseo.scroll.omezarr import Writer, create_volume, partial
from danseo.scroll.surface import Surface, normals
from danseo.scroll.tiles import run_tiles
from danseo.scroll.volume import Box, Volume

Progress = Callable[[float, str], None]
Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

DEPTH: Final = 0.6
"""Layers shall reach no further than this part of the local pitch to either side."""
LARGEST: Final = 2**25
"""Voxels that a tile's box may have."""
SPARSE: Final = 6
"""A tile is cut in two while its box has more than this many voxels for each sample."""
SMALLEST: Final = 32
"""Pixels along a side below which a tile is cut only where its box is too large."""
MARGIN: Final = 3
"""Grid points around a tile that its spline and its normals look at."""
SAME_SIZE: Final = 1e-3
"""Voxel sizes of surface and volume are equal when they differ by less than this part."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to render: `order` 1 is trilinear and 3 cubic; `tile` is in pixels.

    Where two neighbours of the grid lie more than `stretch` steps apart, there is no sheet
    between them.
    """

    layers: int = 24
    order: int = 1
    tile: int = 256
    stretch: float = 3.0

    def __post_init__(self) -> None:
        if not (1 <= self.layers <= 256 and self.order in (1, 3) and self.stretch > 1):
            raise Usage(
                f"{self} makes no sense.", "Take 1 to 256 layers, order 1 or 3, stretch above 1."
            )
        if not 16 <= self.tile <= 4096:
            raise Usage(f"A tile of {self.tile} pixels.", "Take 16 to 4096.")


@dataclass(frozen=True, slots=True)
class Rendering:
    """What was rendered: sizes in pixels, counts of pixels, lengths in voxels.

    `pixels` were read in all layers. `pitch` is the median distance to the next winding,
    `pitch_low` its 5th percentile, and `too_deep` the part of the sheet where the layers reach
    beyond 0.6 of it; None where the surface does not tell its winding. `gaps` are damaged chunks.
    """

    layers: int
    height: int
    width: int
    pixels: int
    holes: int
    stretched: int
    outside: int
    missing: int
    gaps: tuple[str, ...]
    pitch: float | None
    pitch_low: float | None
    too_deep: float | None

    def summary(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {**dataclasses.asdict(self), "gaps": list(self.gaps)}


def render(
    volume: Volume,
    surface: Surface,
    out: Path,
    options: Options | None = None,
    progress: Progress | None = None,
    workers: int | str = 1,
) -> Rendering:
    """Write `layers.zarr` and `mask.png` into `out`; go on where an interrupted call stopped.

    Raise `Usage` where surface and volume have different voxels, `Unfit` where the surface faces
    the wrong way, is wild, or has no pixel inside the volume, `Invalid` for a damaged chunk.
    """
    options = options or Options()
    _check_size(volume, surface)
    check_outward(surface)
    out.mkdir(parents=True, exist_ok=True)
    height, width = (int((n - 1) * surface.step) + 1 for n in surface.shape)
    side = options.tile
    tiles = [(r, c) for r in range(-(-height // side)) for c in range(-(-width // side))]
    digest = _digest(volume, surface, options)
    files = _Files(out, digest)
    task: Callable[[tuple[int, int]], Any]
    if files.layers.exists() and files.marks.exists():
        # All tiles were done when the layers were moved to their place: only cleaning was left.
        task = _never
    else:
        task = _begin(volume, surface, files, options, (height, width))
    share = progress and (lambda part, what: progress(0.95 * part, what))
    counts = run_tiles(task, tiles, marks=files.marks, workers=workers, progress=share)
    rendering = _gather(counts, (height, width), surface, options)
    if not rendering.pixels:
        raise _nothing(volume, surface, rendering)
    if isinstance(task, _Task):
        _write_mask(task.mask, files.picture)
        task.layers.finish(progress and (lambda part, what: progress(0.95 + 0.05 * part, what)))
    files.clean()
    return rendering


@dataclass(frozen=True)
class _Files:
    out: Path
    digest: str

    @property
    def layers(self) -> Path:
        return self.out / "layers.zarr"

    @property
    def picture(self) -> Path:
        return self.out / "mask.png"

    @property
    def mask(self) -> Path:
        """Where the tiles write their parts of the mask; it is never finished."""
        return self.out / ".mask"

    @property
    def points(self) -> Path:
        return self.out / ".points.npy"

    @property
    def marks(self) -> Path:
        """Named by the question, so that no answer to another one is taken for this one's."""
        return self.out / f".tiles-{self.digest}"

    def clean(self) -> None:
        shutil.rmtree(partial(self.mask), ignore_errors=True)
        for path in (self.points, self.marks):
            path.unlink(missing_ok=True)


def _begin(
    volume: Volume, surface: Surface, files: _Files, options: Options, size: tuple[int, int]
) -> _Task:
    side = options.tile
    layers = create_volume(
        files.layers,
        (options.layers, *size),
        volume.dtype,
        volume.voxel_um,
        (options.layers, side, side),
        resume=True,
    )
    mask = create_volume(
        files.mask, (1, *size), np.uint8, volume.voxel_um, (1, side, side), resume=True
    )
    if not (layers.resumed and mask.resumed):
        files.marks.unlink(missing_ok=True)
    points = np.where(surface.valid[..., None], surface.xyz, np.float32(np.nan))
    np.save(files.points, points)
    return _Task(volume, layers, mask, files.points, surface.step, options)


def _never(tile: tuple[int, int]) -> Any:
    raise ValueError(f"tile {tile} was done, and is asked for again")


@dataclass
class _Task:
    """Renders one tile, (row, column) of tiles, and returns counts of its pixels by reason."""

    volume: Volume
    layers: Writer
    mask: Writer
    points: Path
    step: float
    options: Options

    def __call__(self, tile: tuple[int, int]) -> dict[str, Any]:
        side = self.options.tile
        top, left = tile[0] * side, tile[1] * side
        _, height, width = self.layers.shape
        rows = np.arange(top, min(top + side, height)) / self.step
        columns = np.arange(left, min(left + side, width)) / self.step
        place, normal, stretched = self._plane(rows, columns)
        there = np.isfinite(place).all(2) & np.isfinite(normal).all(2)
        good = there & ~stretched
        part = _Part(
            place,
            normal,
            good,
            np.zeros((self.options.layers, len(rows), len(columns)), self.volume.dtype),
            np.zeros(good.shape, np.uint8),
        )
        known = len(self.volume.gaps)
        self._fill(part)
        self.layers.write_block(0, top, left, part.layers)
        self.mask.write_block(0, top, left, np.where(part.found == READ, 255, 0)[None].astype("u1"))
        return {
            "pixels": int((part.found == READ).sum()),
            "holes": int((~there).sum()),
            "stretched": int((there & stretched).sum()),
            "outside": int((part.found == OUTSIDE).sum()),
            "missing": int((part.found == MISSING).sum()),
            "gaps": [gap.file for gap in self.volume.gaps[known:]],
        }

    @functools.cached_property
    def _grid(self) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = np.load(self.points, mmap_mode="r")
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_grid"}

    def _plane(self, rows: Doubles, columns: Doubles) -> tuple[Doubles, Doubles, Mask]:
        """Return points and unit normals of the pixels, and where the grid is stretched."""
        from danseo.scroll.upsampling import upsample

        window = []
        for places, count in ((rows, self._grid.shape[0]), (columns, self._grid.shape[1])):
            low = max(0, int(places[0]) - MARGIN)
            window.append((low, min(count, int(places[-1]) + 2 + MARGIN)))
        (r0, r1), (c0, c1) = window
        patch = np.asarray(self._grid[r0:r1, c0:c1])
        rows, columns = rows - r0, columns - c0
        place = upsample(patch, rows, columns)
        normal = upsample(normals(patch), rows, columns)
        with np.errstate(invalid="ignore", divide="ignore"):
            normal /= np.linalg.norm(normal, axis=2, keepdims=True)
        far = _stretched(patch, self.options.stretch * self.step)
        r, c = (
            np.minimum(places.astype(int), max(0, count - 1))
            for places, count in zip((rows, columns), far.shape, strict=True)
        )
        return place, normal, far[np.ix_(r, c)]

    def _fill(self, part: _Part) -> None:
        """Sample a part of a tile, or cut it in two where its box is too large for it."""
        if not part.good.any():
            return
        reach = (self.options.layers - 1) / 2
        box = part.box(reach, 1 + self.options.order).clip(self.volume.shape)
        if not box.size:
            part.found[part.good] = OUTSIDE
            return
        longest = max(part.good.shape)
        sparse = box.size > SPARSE * part.layers.size
        if (sparse and longest > SMALLEST) or (box.size > LARGEST and longest > 1):
            for half in part.halves():
                self._fill(half)
            return
        self._sample(part, box, reach)

    def _sample(self, part: _Part, box: Box, reach: float) -> None:
        from danseo.scroll.sampling import along

        voxels = self.volume.read(box)
        offsets = np.arange(self.options.layers, dtype=np.float32) - np.float32(reach)
        place = (part.place - (box.x0, box.y0, box.z0)).astype(np.float32)
        normal = part.normal.astype(np.float32)
        values = along(voxels, place, normal, offsets, self.options.order, fill=np.nan)
        outside: Mask = np.asarray(np.isnan(values).any(0))
        missing: Mask = np.zeros(part.good.shape, np.bool_)
        absent = self.volume.absent(box)
        if absent:
            gone = np.zeros(box.shape, np.uint8)
            for lost in absent:
                gone[lost.shift(-box.z0, -box.y0, -box.x0).slices] = 1
            missing |= (along(gone, place, normal, offsets) > 0).any(0)
        part.found[part.good] = READ
        part.found[part.good & missing] = MISSING
        part.found[part.good & outside] = OUTSIDE
        top = np.iinfo(part.layers.dtype).max
        values[:, part.found != READ] = 0
        part.layers[...] = np.clip(np.rint(values), 0, top)


READ: Final = 1
OUTSIDE: Final = 2
MISSING: Final = 3


@dataclass(frozen=True)
class _Part:
    """Pixels of a tile: where they lie, which have sheet, and views of what is to be filled."""

    place: Doubles
    normal: Doubles
    good: Mask
    layers: npt.NDArray[Any]
    found: npt.NDArray[np.uint8]

    def box(self, reach: float, margin: int) -> Box:
        """Return the voxels that the layers need, up to `reach` voxels along the normals."""
        place, way = self.place[self.good], np.abs(self.normal[self.good]) * reach
        low = np.floor((place - way).min(0)).astype(int) - margin
        high = np.ceil((place + way).max(0)).astype(int) + margin + 1
        return Box(*(int(n) for axis in (2, 1, 0) for n in (low[axis], high[axis])))

    def halves(self) -> tuple[_Part, _Part]:
        """Cut the longer side in two."""
        rows, columns = self.good.shape
        if rows >= columns:
            cuts = [np.s_[: rows // 2, :], np.s_[rows // 2 :, :]]
        else:
            cuts = [np.s_[:, : columns // 2], np.s_[:, columns // 2 :]]
        first, second = (
            _Part(
                self.place[cut],
                self.normal[cut],
                self.good[cut],
                self.layers[(slice(None), *cut)],
                self.found[cut],
            )
            for cut in cuts
        )
        return first, second


def _stretched(patch: npt.NDArray[np.float32], most: float) -> Mask:
    """Return the quads (rows - 1, columns - 1) with a side longer than `most`, or beside one.

    The spline looks one quad further, and would ripple beside a jump.
    """
    from scipy.ndimage import binary_dilation

    with np.errstate(invalid="ignore"):
        across = np.linalg.norm(np.diff(patch, axis=1), axis=2) > most
        down = np.linalg.norm(np.diff(patch, axis=0), axis=2) > most
    quads = across[:-1] | across[1:] | down[:, :-1] | down[:, 1:]
    if not quads.size:
        return np.zeros((max(1, quads.shape[0]), max(1, quads.shape[1])), np.bool_)
    return np.asarray(binary_dilation(quads, np.ones((3, 3), np.bool_)))


def local_pitch(surface: Surface) -> npt.NDArray[np.float32]:
    """Return how far the next winding lies along the normal, in voxels: (rows, columns).

    It is the smaller of the distances to the windings one turn on and one turn back in the same
    row; NaN where the surface does not tell or has neither.
    """
    pitch = np.full(surface.shape, np.nan, np.float32)
    if surface.winding is None:
        return pitch
    outward = normals(surface.xyz)
    known = surface.valid & np.isfinite(surface.winding) & np.isfinite(outward).all(2)
    for row in np.flatnonzero(known.sum(1) > 1):
        columns = np.flatnonzero(known[row])
        turns = surface.winding[row, columns].astype(np.float64)
        order = np.argsort(turns)
        points = surface.xyz[row, columns].astype(np.float64)
        apart = np.full((2, len(columns)), np.nan)
        for side, turn in enumerate((-1, 1)):
            there = [
                np.interp(turns + turn, turns[order], points[order, axis], np.nan, np.nan)
                for axis in range(3)
            ]
            apart[side] = np.abs(((np.stack(there, 1) - points) * outward[row, columns]).sum(1))
        pitch[row, columns] = np.fmin(*apart)
    return pitch


def check_outward(surface: Surface) -> None:
    """Raise `Unfit` where the normals of a sheet that goes around at least once point inward.

    Then rows or columns run the wrong way, or the stack is a mirror image, and the text would be
    one, too. "Inward" is towards the middle of each row's points, for most points.
    """
    if surface.winding is None or not np.isfinite(surface.winding).any():
        return
    if np.nanmax(surface.winding) - np.nanmin(surface.winding) < 1:
        return
    outward = normals(surface.xyz)
    known: Mask = np.asarray(np.isfinite(outward).all(2))
    points = np.where(known[..., None], surface.xyz, np.nan)[known.any(1)]
    away = points - np.nanmean(points, axis=1, keepdims=True)
    facing = (away * outward[known.any(1)])[..., :2].sum(2)
    share = float((facing[np.isfinite(facing)] > 0).mean()) if facing.size else 1.0
    if share < 0.5:
        raise Unfit(
            f"The normals of {1 - share:.0%} of the surface point at the middle of the scroll.",
            "Rows run down along z and columns with growing angle: turn the surface, or check "
            "whether the volume is a stack in reverse.",
        )


def _check_size(volume: Volume, surface: Surface) -> None:
    if abs(surface.voxel_um - volume.voxel_um) > SAME_SIZE * volume.voxel_um:
        raise Usage(
            f"The surface was traced in voxels of {surface.voxel_um:g} um, and those of "
            f"{volume.path} are {volume.voxel_um:g} um.",
            "Take the surface of this volume, or scale its points and say so.",
        )


def _digest(volume: Volume, surface: Surface, options: Options) -> str:
    digest = hashlib.sha256(volume.identity.encode())
    digest.update(json.dumps([dataclasses.asdict(options), surface.shape, surface.step]).encode())
    digest.update(surface.xyz.tobytes())
    return digest.hexdigest()[:16]


def _gather(
    counts: list[dict[str, Any]], size: tuple[int, int], surface: Surface, options: Options
) -> Rendering:
    total = {
        name: sum(count[name] for count in counts)
        for name in ("pixels", "holes", "stretched", "outside", "missing")
    }
    gaps = tuple(sorted({file for count in counts for file in count["gaps"]}))
    pitch = local_pitch(surface)
    known = pitch[np.isfinite(pitch)]
    middle = low = deep = None
    if known.size:
        middle, low = (round(float(np.percentile(known, part)), 3) for part in (50, 5))
        deep = round(float((DEPTH * known < (options.layers - 1) / 2).mean()), 4)
    return Rendering(
        options.layers, *size, **total, gaps=gaps, pitch=middle, pitch_low=low, too_deep=deep
    )


def _nothing(volume: Volume, surface: Surface, rendering: Rendering) -> Unfit:
    points = surface.xyz[surface.valid]
    if not len(points):
        return Unfit("The surface has no point at all.", "Look what the stage before has found.")
    span = [
        f"{low:.0f}..{high:.0f}" for low, high in zip(points.min(0), points.max(0), strict=True)
    ]
    return Unfit(
        f"No pixel of the surface could be read: {rendering.outside} lie outside of the volume, "
        f"{rendering.missing} in missing chunks, {rendering.stretched} where neighbours are too "
        f"far apart for a step of {surface.step:g}.",
        f"Its x, y, z span {', '.join(span)}, the volume's z, y, x are {volume.shape}: check that "
        "they belong together, and the surface's step.",
    )


def _write_mask(mask: Writer, picture: Path) -> None:
    from PIL import Image

    draft = picture.with_name(picture.name + ".part")
    Image.fromarray(mask.read_back()[0]).save(draft, format="PNG")
    draft.replace(picture)
