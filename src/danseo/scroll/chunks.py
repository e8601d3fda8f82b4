"""The arrays of a Zarr store, read by chunks: one source of a `Volume`.

tensorstore reads where it is installed, zarr where it is not or cannot (a codec that it lacks);
both give equal voxels. Chunks are kept decoded, up to `CACHE` bytes an array. A chunk that is not
on disk is legal and reads as the fill value, yet counted; one that cannot be decoded is named.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from danseo.core.errors import Invalid, Unfit
from danseo.scroll.volume import Box, Gap, Shape, Voxels, box_of

Index = tuple[int, ...]

CACHE: Final = 2**28
"""Bytes of decoded chunks that each array keeps."""
MAX_CHUNK: Final = 2**29
"""Voxels that a chunk may have: one is decoded whole."""
AGAIN: Final = "Copy or download it again, or open the volume with gaps allowed to see a gap there."


@dataclass
class Chunked:
    """One Zarr array, seen as its three spatial axes in stored order; other axes have length 1."""

    path: Path
    root: Path
    places: tuple[int, ...]
    array: Any
    shape: Shape
    chunks: Shape
    """A file's part: a chunk, or a shard."""
    read: Callable[[Box], Voxels]
    seen: dict[Index, bool] = field(default_factory=dict)
    bad: set[Index] = field(default_factory=set)

    def file(self, index: Index) -> Path:
        """Return the file of a chunk."""
        whole = [0] * self.array.ndim
        for place, number in zip(self.places, index, strict=True):
            whole[place] = number
        return self.path / str(self.array.metadata.encode_chunk_key(tuple(whole)))

    def there(self, index: Index) -> bool:
        """Tell whether a chunk is on disk; refuse a link that leads out of the volume."""
        known = self.seen.get(index)
        if known is None:
            file = self.file(index)
            known = file.exists()
            if known and not Path(os.path.realpath(file)).is_relative_to(self.root):
                raise Unfit(
                    f"{file} is a link that leads out of the volume.",
                    "Copy the chunk into the volume: links out of it are not followed.",
                )
            self.seen[index] = known
        return known

    def indices(self, box: Box) -> Iterator[Index]:
        """Yield the chunks that touch a box."""
        return itertools.product(
            *(
                range(low // side, -(-high // side))
                for low, high, side in zip(box[::2], box[1::2], self.chunks, strict=True)
            )
        )

    def part(self, index: Index) -> Box:
        """Return the box of a chunk, clipped to the array."""
        low = tuple(number * side for number, side in zip(index, self.chunks, strict=True))
        high = tuple(start + side for start, side in zip(low, self.chunks, strict=True))
        return box_of(low, high).clip(self.shape)

    @property
    def grid(self) -> Shape:
        """Chunks along each axis."""
        z, y, x = (-(-side // chunk) for side, chunk in zip(self.shape, self.chunks, strict=True))
        return (z, y, x)

    def on_disk(self) -> set[Index]:
        """List the chunks that are on disk; refuse one that lies beyond the shape."""
        found: set[Index] = set()
        for name in _walk(self.path, ""):
            numbers = [part for part in name.replace(".", "/").split("/") if part != "c"]
            if len(numbers) != self.array.ndim or not all(part.isdecimal() for part in numbers):
                continue
            index = tuple(int(numbers[place]) for place in self.places)
            if any(number >= end for number, end in zip(index, self.grid, strict=True)):
                raise Invalid(
                    f"{self.path / name} lies beyond the shape {self.shape} that the metadata say.",
                    "The metadata and the chunks do not belong together: copy both again.",
                )
            found.add(index)
        return found


class ZarrSource:
    """The levels of an OME-Zarr volume, as `volume.Source`."""

    def __init__(self, arrays: list[Chunked], gaps: bool) -> None:
        self._arrays = arrays
        self._allowed = gaps
        self.gaps: list[Gap] = []
        self.dtype = np.dtype(arrays[0].array.dtype).newbyteorder("=")
        self.shapes = tuple(array.shape for array in arrays)
        self.chunks = tuple(array.chunks for array in arrays)

    def read(self, box: Box, level: int) -> Voxels:
        """Return a box in stored order; a damaged chunk raises, or is recorded and reads as 0."""
        array = self._arrays[level]
        touched = list(array.indices(box))
        for index in touched:
            array.there(index)
        if not array.bad.isdisjoint(touched):
            return self._by_pieces(array, box, touched)
        try:
            return array.read(box)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001
            # Codecs raise what they like. The pieces, read one by one, tell which of them it was.
            return self._by_pieces(array, box, touched)

    def _by_pieces(self, array: Chunked, box: Box, touched: list[Index]) -> Voxels:
        out = np.zeros(box.shape, self.dtype)
        for index in touched:
            piece = array.part(index).meet(box)
            if index not in array.bad:
                self._read_piece(
                    array, index, piece, out[piece.shift(-box[0], -box[2], -box[4]).slices]
                )
        return out

    def _read_piece(self, array: Chunked, index: Index, piece: Box, out: Voxels) -> None:
        try:
            out[...] = array.read(piece)
        except MemoryError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            if not self._allowed:
                raise Invalid(f"{array.file(index)} is damaged ({why}).", AGAIN) from error
            array.bad.add(index)
            self.gaps.append(Gap(str(array.file(index)), why))

    def absent(self, box: Box, level: int) -> list[Box]:
        """Return the chunks touching a box that are not on disk, or are known to be damaged."""
        array = self._arrays[level]
        return [
            array.part(index)
            for index in array.indices(box)
            if index in array.bad or not array.there(index)
        ]

    def missing(self, level: int) -> int:
        """Return how many chunks (or shards) of a level are not on disk."""
        array = self._arrays[level]
        return math.prod(array.grid) - len(array.on_disk())

    def files(self) -> list[tuple[str, Path]]:
        """Return name and path of each chunk of level 0, in order."""
        array = self._arrays[0]
        paths = [array.file(index) for index in sorted(array.on_disk())]
        return [(path.relative_to(array.path).as_posix(), path) for path in paths]


def open_array(path: Path, places: tuple[int, ...], root: Path) -> Chunked:
    """Open an array whose axes lie at `places`, all of whose files stay within `root`."""
    import zarr

    try:
        array = zarr.open_array(str(path), mode="r")
        shape, chunks = array.shape, array.shards or array.chunks
    except Exception as error:
        raise Invalid(
            f"{path} cannot be opened as a Zarr array ({error}).", "Copy or download it again."
        ) from error
    others = [side for place, side in enumerate(shape) if place not in places]
    if len(places) != 3 or max(places) >= len(shape) or any(side != 1 for side in others):
        raise Unfit(
            f"{path} has the shape {shape}, and a volume has three axes.",
            "Take one channel and one time out of it, and write that as a volume.",
        )
    if math.prod(chunks) > MAX_CHUNK:
        raise Unfit(
            f"{path} has chunks of {' x '.join(map(str, chunks))} voxels.",
            f"A chunk is decoded whole: write it with chunks of at most {MAX_CHUNK} voxels.",
        )
    z, y, x = places
    spatial, parts = (shape[z], shape[y], shape[x]), (chunks[z], chunks[y], chunks[x])
    read = _reader(path, array, places)
    return Chunked(path, Path(os.path.realpath(root)), places, array, spatial, parts, read)


def _reader(path: Path, array: Any, places: tuple[int, ...]) -> Callable[[Box], Voxels]:
    def index(box: Box) -> tuple[Any, ...]:
        whole: list[Any] = [0] * array.ndim
        for place, part in zip(places, box.slices, strict=True):
            whole[place] = part
        return tuple(whole)

    fast = _tensorstore(path, array)
    if fast is not None:
        return lambda box: np.asarray(fast[index(box)].read().result())
    kept = _Kept(path, array, places)
    return lambda box: kept.read(box, index)


def _tensorstore(path: Path, array: Any) -> Any | None:
    """Return the array opened by tensorstore, or None where it is not there or cannot."""
    try:
        import tensorstore
    except ImportError:
        return None
    spec = {
        "driver": "zarr3" if array.metadata.zarr_format == 3 else "zarr",
        "kvstore": {"driver": "file", "path": str(path.absolute())},
        "context": {"cache_pool": {"total_bytes_limit": CACHE}},
        "recheck_cached_data": False,
        "recheck_cached_metadata": False,
    }
    try:
        return tensorstore.open(spec, read=True).result()
    except (ValueError, NotImplementedError, OSError):
        return None


class _Kept:
    """Reads by whole chunks through zarr, and keeps the last ones decoded."""

    def __init__(self, path: Path, array: Any, places: tuple[int, ...]) -> None:
        self._array = array
        self._places = places
        self._path = path
        last = array.compressors[-1] if array.compressors and array.shards is None else None
        self._blosc = "blosc" in type(last).__name__.lower()
        self._sides = tuple(array.chunks[place] for place in places)
        self._shape = tuple(array.shape[place] for place in places)
        self._dtype = np.dtype(array.dtype).newbyteorder("=")
        size = math.prod(self._sides) * self._dtype.itemsize
        self._room = max(1, CACHE // size)
        self._chunks: OrderedDict[Index, Voxels] = OrderedDict()

    def read(self, box: Box, index: Callable[[Box], tuple[Any, ...]]) -> Voxels:
        out = np.empty(box.shape, self._dtype)
        ranges = (
            range(low // side, -(-high // side))
            for low, high, side in zip(box[::2], box[1::2], self._sides, strict=True)
        )
        for number in itertools.product(*ranges):
            low = tuple(n * side for n, side in zip(number, self._sides, strict=True))
            high = tuple(
                min(a + side, end)
                for a, side, end in zip(low, self._sides, self._shape, strict=True)
            )
            whole = box_of(low, high)
            chunk = self._chunks.pop(number, None)
            if chunk is None:
                if self._blosc:
                    self._check_length(number)
                chunk = np.asarray(self._array[index(whole)]).astype(self._dtype, copy=False)
                while len(self._chunks) >= self._room:
                    self._chunks.popitem(last=False)
            self._chunks[number] = chunk
            piece = whole.meet(box)
            out[piece.shift(-box[0], -box[2], -box[4]).slices] = chunk[
                piece.shift(-low[0], -low[1], -low[2]).slices
            ]
        return out

    def _check_length(self, number: Index) -> None:
        """Raise `ValueError` where a Blosc chunk is shorter than it says: zarr would not notice."""
        whole = [0] * self._array.ndim
        for place, part in zip(self._places, number, strict=True):
            whole[place] = part
        file = self._path / str(self._array.metadata.encode_chunk_key(tuple(whole)))
        if not file.exists():
            return
        with file.open("rb") as stream:
            head = stream.read(16)
        # Bytes 12 to 15 of a Blosc header are the length of all of it, little-endian.
        if len(head) < 16 or int.from_bytes(head[12:16], "little") != file.stat().st_size:
            raise ValueError(f"its {file.stat().st_size} bytes are not the length that it states")


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                yield prefix + entry.name
