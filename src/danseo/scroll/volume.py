"""A CT volume that is read lazily, whatever it is kept in.

    volume = open_volume("scroll.zarr")
    volume.read(Box(0, 64, 128, 192, 128, 192), level=1)

Three formats are read: OME-Zarr (0.4 on Zarr v2, 0.5 on Zarr v3), a folder of TIFF slices, and
`.npy`. Arrays come back as `[z, y, x]` in C order, uint8 or uint16, whatever the order on disk.
Nothing is guessed: OME-Zarr says its axes and the size of its voxels; for the others, and for a
Zarr array without that metadata, the caller says `axes` and `voxel_um`.

`axes` names the stored axes from the slowest to the fastest, with a minus before one that runs
backward: "zyx" is the usual stack; "-zyx" is one whose first slice is the last along z. A stack
that is reversed and not said to be so is a mirror image: its text reads from right to left.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Unavailable, Unfit, Usage

Voxels = npt.NDArray[Any]
"""uint8 or uint16."""
Shape = tuple[int, int, int]
Triple = tuple[float, float, float]

DTYPES: Final = (np.dtype(np.uint8), np.dtype(np.uint16))
MAX_SIDE: Final = 2**22
"""Voxels along an axis: beyond it, float32 points do not tell a quarter of a voxel."""
MAX_READ: Final = 2**31
"""Voxels that one `read` may ask for."""
CUBE: Final = 1e-3
"""Voxels are cubes when their sides differ by less than this part."""
AXES: Final = re.compile(r"(-?[xyz])(-?[xyz])(-?[xyz])")


class Box(NamedTuple):
    """A box of voxels, half open: z0 <= z < z1, and so on."""

    z0: int
    z1: int
    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> Shape:
        """Voxels along z, y, x; negative where the box is inside out."""
        return (self.z1 - self.z0, self.y1 - self.y0, self.x1 - self.x0)

    @property
    def size(self) -> int:
        """Voxels in the box; 0 where it is empty."""
        return math.prod(max(0, side) for side in self.shape)

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Return the box as an index of a `[z, y, x]` array."""
        return (slice(self.z0, self.z1), slice(self.y0, self.y1), slice(self.x0, self.x1))

    def clip(self, shape: Shape) -> Box:
        """Return the part of the box that lies in an array of `shape`; its `size` may be 0."""
        return self.meet(Box(0, shape[0], 0, shape[1], 0, shape[2]))

    def meet(self, other: Box) -> Box:
        """Return what both boxes share; its `size` may be 0."""
        low = [max(a, b) for a, b in zip(self[::2], other[::2], strict=True)]
        high = [min(a, b) for a, b in zip(self[1::2], other[1::2], strict=True)]
        high = [max(a, b) for a, b in zip(low, high, strict=True)]
        return Box(low[0], high[0], low[1], high[1], low[2], high[2])

    def shift(self, z: int, y: int, x: int) -> Box:
        """Return the box moved by so many voxels."""
        return Box(self.z0 + z, self.z1 + z, self.y0 + y, self.y1 + y, self.x0 + x, self.x1 + x)


def box_of(low: tuple[int, ...], high: tuple[int, ...]) -> Box:
    """Return the box from `low` to `high` (z, y, x)."""
    return Box(low[0], high[0], low[1], high[1], low[2], high[2])


@dataclass(frozen=True, slots=True)
class Gap:
    """A damaged chunk or slice that was read as zeros, because gaps were allowed."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a volume, in `[z, y, x]` order.

    `factor` is how many voxels of level 0 one voxel of this level spans along each axis. The
    centre of voxel i lies at `i * factor + (factor - 1) / 2` in voxels of level 0.
    """

    shape: Shape
    chunks: Shape
    factor: Triple


class Source(Protocol):
    """Where voxels lie: boxes and shapes are in the stored order of axes."""

    dtype: np.dtype[Any]
    shapes: tuple[Shape, ...]
    chunks: tuple[Shape, ...]
    gaps: list[Gap]

    def read(self, box: Box, level: int) -> Voxels:
        """Return the voxels of a box that lies inside the level."""

    def absent(self, box: Box, level: int) -> list[Box]:
        """Return the chunks that touch the box and are not on disk, or are damaged."""

    def missing(self, level: int) -> int:
        """Return how many chunks of the level are not on disk."""

    def files(self) -> list[tuple[str, Path]]:
        """Return name and path of each file that holds voxels of level 0, in order."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a format says of itself, in the stored order of axes; None where it cannot say."""

    source: Source
    axes: str | None = None
    voxel_um: Triple | None = None
    factors: tuple[Triple, ...] = ((1.0, 1.0, 1.0),)
    origin: Triple = (0.0, 0.0, 0.0)


class Volume:
    """A lazy volume; make it with `open_volume`. It may be pickled: it is opened again there."""

    def __init__(
        self, path: Path, stored: Stored, axes: str, voxel_um: float, asked: tuple[Any, ...]
    ) -> None:
        self.path = path
        self.axes = axes
        self.voxel_um = voxel_um
        """Side of a voxel of level 0, in um."""
        self._source = stored.source
        self._asked = asked
        letters = axes.replace("-", "")
        self._order = tuple(letters.index(letter) for letter in "zyx")
        self._back = tuple(f"-{letter}" in axes for letter in "zyx")
        self.origin: Triple = self._turned(stored.origin)
        """Where the centre of voxel (0, 0, 0) lies, in voxels (z, y, x), in a larger scan."""
        self.levels = tuple(
            Level(self._turned(shape), self._turned(chunks), self._turned(factor))
            for shape, chunks, factor in zip(
                self._source.shapes, self._source.chunks, stored.factors, strict=True
            )
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (_reopen, self._asked)

    def __repr__(self) -> str:
        return f"Volume({str(self.path)!r}, {self.shape}, {self.dtype}, {self.voxel_um} um)"

    @property
    def shape(self) -> Shape:
        """Voxels of level 0 along z, y, x."""
        return self.levels[0].shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 or uint16, in the machine's own byte order."""
        return self._source.dtype

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Damaged chunks or slices met so far by this process; empty unless gaps are allowed."""
        return tuple(self._source.gaps)

    def read(self, box: Box, level: int = 0) -> Voxels:
        """Return the voxels of `box` (`[z, y, x]`, C order) at a level.

        The result always has the shape of the box: what lies outside the volume is zero. Chunks
        that are not on disk read as the store's fill value; `missing` and `absent` tell of them.
        Raise `Usage` for a box that is empty or too large, `Invalid` for a damaged chunk.
        """
        if box.size == 0 or box.size > MAX_READ:
            raise Usage(
                f"A box of {' x '.join(map(str, box.shape))} voxels cannot be read at once.",
                f"Ask for a box of 1 to {MAX_READ} voxels, with its end behind its beginning.",
            )
        shape = self._level(level).shape
        inside = box.clip(shape)
        if inside == box:
            return self._read_inside(box, level)
        out = np.zeros(box.shape, self.dtype)
        if inside.size:
            place = inside.shift(-box.z0, -box.y0, -box.x0)
            out[place.slices] = self._read_inside(inside, level)
        return out

    def missing(self, level: int = 0) -> int:
        """Return how many chunks of a level are not on disk (a store may leave empty ones out)."""
        self._level(level)
        return self._source.missing(level)

    def absent(self, box: Box, level: int = 0) -> list[Box]:
        """Return, for each chunk of `box` that is not on disk or is damaged, its part of the box.

        A damaged chunk is known only once it was read, with gaps allowed.
        """
        inside = box.clip(self._level(level).shape)
        if not inside.size:
            return []
        boxes = self._source.absent(self._to_stored(inside, level), level)
        return [self._from_stored(gone, level).meet(inside) for gone in boxes]

    @cached_property
    def identity(self) -> str:
        """A digest (hex) that tells whether this is the same volume as before.

        It covers shapes, type, axes and voxel size; names and lengths of all files of level 0;
        and bytes from the beginning, middle and end of up to 4096 of these files. It does not
        depend on where the volume lies, and changes when it is compressed in another way.
        """
        digest = hashlib.sha256()
        facts = [self.axes, self.voxel_um, str(self.dtype), self.origin]
        digest.update(json.dumps([facts, [repr(level) for level in self.levels]]).encode())
        _fingerprint(digest, self._source.files())
        return digest.hexdigest()

    def check(self) -> None:
        """Raise `Unfit` where the volume cannot hold a sheet: no chunk is there, or all is equal.

        Reads a sample of at most 27 boxes of the coarsest level.
        """
        level = len(self.levels) - 1
        last = self.levels[level]
        total = math.prod(
            -(-side // chunk) for side, chunk in zip(last.shape, last.chunks, strict=True)
        )
        if self.missing(level) >= total:
            raise Unfit(
                f"{self.path} has no chunk on disk at level {level}: it is empty.",
                "Copy or download the volume again; its metadata alone hold no voxels.",
            )
        parts = [self.read(box, level) for box in _sample(last.shape)]
        low, high = min(int(p.min()) for p in parts), max(int(p.max()) for p in parts)
        if low == high:
            raise Unfit(
                f"{self.path} holds no sheet: every voxel looked at is {low}.",
                "Check that this is the volume you meant, and the window that made it 8 bits.",
            )

    def _level(self, level: int) -> Level:
        if not 0 <= level < len(self.levels):
            raise Usage(
                f"{self.path} has no level {level}.", f"It has levels 0 to {len(self.levels) - 1}."
            )
        return self.levels[level]

    def _read_inside(self, box: Box, level: int) -> Voxels:
        stored = self._source.read(self._to_stored(box, level), level)
        turned = stored.transpose(self._order)
        turned = turned[tuple(slice(None, None, -1 if back else 1) for back in self._back)]
        return np.ascontiguousarray(turned)

    def _turned(self, stored: tuple[Any, ...]) -> Any:
        return tuple(stored[place] for place in self._order)

    def _to_stored(self, box: Box, level: int) -> Box:
        turned = self._mirrored(box, level)
        low, high = [0, 0, 0], [0, 0, 0]
        for mine, place in enumerate(self._order):
            low[place], high[place] = turned[2 * mine], turned[2 * mine + 1]
        return box_of(tuple(low), tuple(high))

    def _from_stored(self, box: Box, level: int) -> Box:
        low = tuple(box[2 * place] for place in self._order)
        high = tuple(box[2 * place + 1] for place in self._order)
        return self._mirrored(box_of(low, high), level)

    def _mirrored(self, box: Box, level: int) -> Box:
        ends = list(box)
        for axis, back in enumerate(self._back):
            if back:
                side = self.levels[level].shape[axis]
                ends[2 * axis], ends[2 * axis + 1] = side - box[2 * axis + 1], side - box[2 * axis]
        return Box(*ends)


def open_volume(
    path: Path | str, voxel_um: float | None = None, axes: str | None = None, gaps: bool = False
) -> Volume:
    """Open a volume; nothing but its metadata is read.

    `voxel_um` and `axes` must be said where the format cannot say them, and must agree with it
    where it can (a minus may be added: no format says that an axis runs backward). With `gaps`,
    a damaged chunk or slice reads as zeros and is recorded in `Volume.gaps`; without, it raises.

    Raise `Unavailable` where there is no volume, `Usage` where `axes` or `voxel_um` is not known
    or contradicts the file, `Unfit` for a type or shape that cannot be a volume, and `Invalid`
    for files that are damaged.
    """
    folder = Path(path)
    stored = _find(folder, gaps)
    _check_arrays(folder, stored.source)
    order = _decide_axes(folder, stored.axes, axes)
    side = _decide_voxel(folder, stored.voxel_um, voxel_um)
    return Volume(folder, stored, order, side, (str(folder), voxel_um, axes, gaps))


def _reopen(path: str, voxel_um: float | None, axes: str | None, gaps: bool) -> Volume:
    return open_volume(path, voxel_um, axes, gaps)


def _find(path: Path, gaps: bool) -> Stored:
    from danseo.scroll import omezarr, slices

    if not path.exists():
        half = omezarr.partial(path)
        if half.exists():
            raise Unavailable(
                f"{path} is only half written: it still lies in {half.name}.",
                "Run the command that writes it again until it ends.",
            )
        raise Unavailable(f"There is no volume at {path}.", "Check the path.")
    if path.is_file():
        return slices.open_npy(path)
    if omezarr.is_zarr(path):
        return omezarr.open_zarr(path, gaps)
    return slices.open_slices(path, gaps)


def _check_arrays(path: Path, source: Source) -> None:
    if source.dtype not in DTYPES:
        raise Unfit(
            f"{path} holds {source.dtype}, and a volume is uint8 or uint16.",
            "Window it to 8 or 16 unsigned bits first; mind that NaN has no place there.",
        )
    for shape in source.shapes:
        if not all(0 < side <= MAX_SIDE for side in shape):
            raise Unfit(
                f"{path} claims {' x '.join(map(str, shape))} voxels.",
                f"A volume has 1 to {MAX_SIDE} voxels along each axis: check its metadata.",
            )


def _decide_axes(path: Path, stored: str | None, asked: str | None) -> str:
    if asked is not None:
        found = AXES.fullmatch(asked)
        if not found or sorted(asked.replace("-", "")) != ["x", "y", "z"]:
            raise Usage(
                f"{asked!r} is no order of axes.",
                'Name x, y and z once each, slowest first, as in "zyx" or "-zyx".',
            )
    if stored is None and asked is None:
        raise Usage(
            f"{path} cannot say the order of its axes.",
            'Say it: axes="zyx" for a stack of slices, "-zyx" where the first slice is the last.',
        )
    if stored is not None and asked is not None and asked.replace("-", "") != stored:
        raise Usage(
            f"{path} says that its axes are {stored}, and you say {asked}.",
            "Leave axes out, or mend the metadata of the volume if they are wrong.",
        )
    return asked or stored or ""


def _decide_voxel(path: Path, stored: Triple | None, asked: float | None) -> float:
    if asked is not None and not (math.isfinite(asked) and asked > 0):
        raise Usage(f"A voxel of {asked} um makes no sense.", "Give its side in um, as in 7.91.")
    if stored is None:
        if asked is None:
            raise Usage(
                f"{path} cannot say how large its voxels are.",
                "Say it in micrometres, as in voxel_um=7.91.",
            )
        return float(asked)
    if max(stored) - min(stored) > CUBE * max(stored):
        raise Unfit(
            f"The voxels of {path} are {' x '.join(f'{s:g}' for s in stored)} um: no cubes.",
            "Resample the volume to cubes first.",
        )
    if asked is not None and abs(asked - stored[0]) > CUBE * stored[0]:
        raise Usage(
            f"{path} says that its voxels are {stored[0]:g} um, and you say {asked:g} um.",
            "Leave voxel_um out, or mend the metadata of the volume if they are wrong.",
        )
    return stored[0]


def _sample(shape: Shape, side: int = 32) -> list[Box]:
    """Return up to 27 boxes of at most `side`^3, spread evenly over an array of `shape`."""
    starts = [sorted({0, max(0, (n - side) // 2), max(0, n - side)}) for n in shape]
    return [
        Box(z, z + side, y, y + side, x, x + side).clip(shape)
        for z in starts[0]
        for y in starts[1]
        for x in starts[2]
    ]


def _fingerprint(digest: Any, files: list[tuple[str, Path]], budget: int = 2**26) -> None:
    """Add names, lengths and a sample of at most about `budget` bytes of `files` to a digest."""
    step = max(1, -(-len(files) // 4096))
    piece = max(1024, budget // 3 // max(1, len(files) // step))
    for number, (name, path) in enumerate(files):
        length = path.stat().st_size
        digest.update(f"{name} {length}\n".encode())
        if number % step:
            continue
        with path.open("rb") as stream:
            for start in sorted({0, max(0, (length - piece) // 2), max(0, length - piece)}):
                stream.seek(start)
                digest.update(stream.read(piece))
