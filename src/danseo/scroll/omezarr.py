"""OME-Zarr: read 0.4 (Zarr v2) and 0.5 (Zarr v3), write 0.5 or 0.4 by slabs, with a pyramid.

    writer = create_volume("scroll.zarr", (512, 512, 512), np.uint8, voxel_um=7.91)
    for z in range(0, 512, 128):
        writer.write(z, slab[z])
    writer.finish()

A volume is written into `NAME.partial` beside its place and moved there by `finish`, so that what
bears its name is whole. Every chunk is written, also where all is zero: a chunk that is not on
disk was never written, and `finish` names it.

Metadata: https://ngff.openmicroscopy.org/0.4/ and /0.5/.
"""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from danseo.core.errors import Invalid, Unavailable, Unfit, Usage
from danseo.scroll.chunks import ZarrSource, open_array
from danseo.scroll.volume import DTYPES, Box, Shape, Stored, Triple, Volume, Voxels, box_of

Progress = Callable[[float, str], None]

COARSEST: Final = 128
"""A pyramid ends when no axis is longer than this."""
LEVELS: Final = 3
"""Levels that a pyramid has at least: segmentation works at a quarter."""
METADATA: Final = ("zarr.json", ".zgroup", ".zarray")
MICROMETRES: Final = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}


def is_zarr(path: Path) -> bool:
    """Tell whether a folder holds a Zarr group or array."""
    return any((path / name).is_file() for name in METADATA)


def partial(path: Path) -> Path:
    """Return where a volume lies while it is written."""
    return path.with_name(path.name + ".partial")


# Reading ------------------------------------------------------------------------------------------


def open_zarr(path: Path, gaps: bool) -> Stored:
    """Open an OME-Zarr group, or a bare Zarr array that says less; raise as `open_volume` does."""
    import zarr

    try:
        node = zarr.open(str(path), mode="r")
    except Exception as error:
        raise _damaged(path, f"its metadata cannot be read ({error})") from error
    if isinstance(node, zarr.Array):
        names = getattr(node.metadata, "dimension_names", None)
        known = _letters(names) if names else None
        source = ZarrSource([open_array(path, tuple(range(node.ndim)), path)], gaps)
        return Stored(source, known)
    attributes: dict[str, Any] = dict(node.attrs)
    described = attributes.get("ome", attributes).get("multiscales")
    if not described:
        raise Unfit(
            f"{path} is a Zarr group without OME-Zarr metadata (multiscales).",
            "Name an array inside it, with axes and voxel_um, or write it as OME-Zarr.",
        )
    try:
        return _multiscale(path, described[0], gaps)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise _damaged(path, f"its OME-Zarr metadata are malformed ({error!r})") from error


def _multiscale(path: Path, described: dict[str, Any], gaps: bool) -> Stored:
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in described["axes"]]
    names = [str(axis["name"]).lower() for axis in axes]
    letters = _letters(names)
    if letters is None:
        raise Unfit(f"The axes of {path} are {names}.", "A volume needs axes named x, y and z.")
    places = tuple(number for number, name in enumerate(names) if name in "xyz")
    arrays, scales, moves = [], [], []
    for dataset in described["datasets"]:
        arrays.append(open_array(_inside(path, str(dataset["path"])), places, path))
        steps = [
            *dataset.get("coordinateTransformations", ()),
            *described.get("coordinateTransformations", ()),
        ]
        scale, move = _transformed(path, steps, len(axes))
        scales.append(tuple(scale[place] for place in places))
        moves.append(tuple(move[place] for place in places))
    factors = tuple(_ratio(scale, scales[0]) for scale in scales)
    for number, array in enumerate(arrays):
        shift = _ratio(
            tuple(a - b for a, b in zip(moves[number], moves[0], strict=True)), scales[0]
        )
        _check_level(path, number, (array.shape, arrays[0].shape), factors[number], shift)
    units = [axes[place].get("unit") for place in places]
    source = ZarrSource(arrays, gaps)
    return Stored(
        source, letters, _um(path, scales[0], units), factors, _ratio(moves[0], scales[0])
    )


def _letters(names: Any) -> str | None:
    """Return the spatial axes among `names`, as in "zyx"; None where x, y, z are not all there."""
    letters = "".join(str(name).lower() for name in names if str(name).lower() in ("x", "y", "z"))
    return letters if sorted(letters) == ["x", "y", "z"] else None


def _inside(path: Path, name: str) -> Path:
    found = path / name
    if not found.resolve().is_relative_to(path.resolve()):
        raise Unfit(
            f"{path} refers to {name}, which lies outside of it.",
            "Put the levels of a volume into its own folder; links out of it are not followed.",
        )
    return found


def _transformed(path: Path, steps: list[Any], count: int) -> tuple[list[float], list[float]]:
    scale, move = [1.0] * count, [0.0] * count
    for step in steps:
        kind = step["type"]
        if kind == "identity":
            continue
        if kind not in ("scale", "translation") or kind not in step:
            raise Unfit(
                f"{path} has a coordinate transformation {kind!r} that is not known.",
                "Write scale and translation as lists of numbers, as OME-Zarr 0.4 and 0.5 do.",
            )
        values = [float(value) for value in step[kind]]
        if len(values) != count or not all(map(math.isfinite, values)):
            raise Unfit(
                f"{path} has a {kind} of {values} for {count} axes.",
                "Mend its metadata: one finite number for each axis.",
            )
        if kind == "scale":
            if min(values) <= 0:
                raise Unfit(
                    f"{path} has a scale of {values}.",
                    'Make it positive; say by axes="-zyx" that an axis runs backward.',
                )
            scale = [a * b for a, b in zip(scale, values, strict=True)]
            move = [a * b for a, b in zip(move, values, strict=True)]
        else:
            move = [a + b for a, b in zip(move, values, strict=True)]
    return scale, move


def _ratio(values: tuple[float, ...], base: tuple[float, ...]) -> Triple:
    z, y, x = (a / b for a, b in zip(values, base, strict=True))
    return (z, y, x)


def _um(path: Path, scale: tuple[float, ...], units: list[Any]) -> Triple | None:
    if any(unit is None for unit in units):
        return None
    strange = [unit for unit in units if unit not in MICROMETRES]
    if strange:
        raise Unfit(
            f"{path} measures its axes in {strange[0]!r}.",
            f"Give the unit as one of {', '.join(MICROMETRES)}.",
        )
    z, y, x = (s * MICROMETRES[unit] for s, unit in zip(scale, units, strict=True))
    return (z, y, x)


def _check_level(
    path: Path, number: int, shapes: tuple[Shape, Shape], factor: Triple, shift: Triple
) -> None:
    """Raise `Unfit` where a level is not the finest one at the stated scale and place.

    Writers differ in how they round and whether they state the half-voxel shift of a mean: a
    shape may be off by one voxel, a shift lie anywhere inside the first voxel.
    """
    for side, finest, ratio, moved in zip(*shapes, factor, shift, strict=True):
        if ratio < 0.999 or abs(side * ratio - finest) > ratio + 1e-6:
            raise Unfit(
                f"Level {number} of {path} has {side} voxels where level 0 has {finest}, and a "
                f"scale of {ratio:g}.",
                "Its metadata do not fit its arrays: mend them, or write the pyramid anew.",
            )
        if not -0.51 <= moved <= ratio:
            raise Unfit(
                f"Level {number} of {path} begins {moved:g} voxels beside level 0.",
                "It is off-centre: mend the translation, or write the pyramid anew.",
            )


def _damaged(path: Path, why: str) -> Invalid:
    return Invalid(f"{path}: {why}.", "Copy or download the volume again.")


# Writing ------------------------------------------------------------------------------------------


class Writer:
    """Writes a volume into `NAME.partial`; make it with `create_volume`.

    It may be pickled: several processes may write blocks that share no chunk, and one of them
    then calls `finish`.
    """

    def __init__(self, path: Path, overwrite: bool, resumed: bool = False) -> None:
        self.path = path
        self._overwrite = overwrite
        self._array = _open_to_write(partial(path) / "0")
        self.shape: Shape = self._array.shape
        self.chunks: Shape = self._array.chunks
        self.dtype = np.dtype(self._array.dtype)
        self.resumed = resumed
        """Whether an interrupted writer's work was found and kept."""
        self._held: list[Voxels] = []
        self._next = 0

    def __reduce__(self) -> tuple[Any, ...]:
        if self._held:
            raise Usage(
                f"Slabs of {self.path} are still held until a layer of chunks is whole.",
                "Write whole layers of chunks before handing the writer to another process.",
            )
        return (Writer, (self.path, self._overwrite, self.resumed))

    def write(self, z0: int, slab: Voxels) -> None:
        """Write the slices from `z0` on: `slab` is depth x height x width, of the volume's type.

        A slab that begins and ends between chunks is written at once. Others must come in order:
        they are held until a layer of chunks is whole.
        """
        self._check(z0, 0, 0, slab)
        if slab.shape[1:] != self.shape[1:]:
            raise Usage(
                f"A slab of {slab.shape[1]} x {slab.shape[2]} does not fit the volume's "
                f"{self.shape[1]} x {self.shape[2]}.",
                "Write whole slices, or blocks by write_block.",
            )
        expected = self._next if self._held else z0 - z0 % self.chunks[0]
        if z0 != expected:
            raise Usage(
                f"The slab at z = {z0} of {self.path} comes out of order: z = {expected} is due.",
                f"Write slabs in order, or beginning at multiples of {self.chunks[0]}.",
            )
        layer = self.chunks[0]
        while len(slab):
            room = min(layer - z0 % layer, self.shape[0] - z0)
            self._held.append(slab[:room].copy() if len(slab) < room else slab[:room])
            z0, slab = z0 + min(room, len(slab)), slab[room:]
            self._next = z0
            if z0 % layer == 0 or z0 == self.shape[0]:
                self._flush(z0)

    def write_block(self, z0: int, y0: int, x0: int, block: Voxels) -> None:
        """Write a block of whole chunks (up to the volume's end) that begins at z0, y0, x0."""
        self._check(z0, y0, x0, block)
        for start, side, chunk, end in zip(
            (z0, y0, x0), block.shape, self.chunks, self.shape, strict=True
        ):
            if start % chunk or ((start + side) % chunk and start + side != end):
                raise Usage(
                    f"The block at {(z0, y0, x0)} of shape {block.shape} cuts a chunk in two.",
                    f"Write blocks of whole chunks of {self.chunks}.",
                )
        self._array[
            z0 : z0 + block.shape[0], y0 : y0 + block.shape[1], x0 : x0 + block.shape[2]
        ] = block

    def read_back(self) -> Voxels:
        """Return all that was written so far; zeros elsewhere. Only for what fits in memory."""
        return np.asarray(self._array[...])

    def finish(self, progress: Progress | None = None) -> None:
        """Build the pyramid, chunk by chunk, and move the volume to its place.

        Raise `Usage` where a part was never written; the rest stays, and may be written still.
        """
        place = partial(self.path)
        self._check_whole()
        voxel_um, ome = _asked(place)
        level, shapes = 0, [self.shape]
        while max(shapes[-1]) > COARSEST or len(shapes) < LEVELS:
            if max(shapes[-1]) == 1:
                break
            level += 1
            shapes.append(_halved(shapes[-1]))
        for number, shape in enumerate(shapes[1:], start=1):
            _make_array(place / str(number), shape, self.dtype, self.chunks, ome)
            _shrink(place, number, len(shapes) - 1, progress)
        _describe(place, self.path.stem, len(shapes), voxel_um, ome)
        if self.path.exists():
            if not self._overwrite:
                raise _in_the_way(self.path)
            shutil.rmtree(self.path)
        place.rename(self.path)
        (self.path / _MARK).unlink()

    def _flush(self, end: int) -> None:
        start = end - sum(len(part) for part in self._held)
        band = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._array[start:end] = band
        self._held.clear()

    def _check(self, z0: int, y0: int, x0: int, block: Voxels) -> None:
        if block.dtype != self.dtype or block.ndim != 3:
            raise Usage(
                f"A block of {block.dtype} with {block.ndim} axes does not fit the volume.",
                f"Write {self.dtype}, indexed [z, y, x].",
            )
        for start, side, end in zip((z0, y0, x0), block.shape, self.shape, strict=True):
            if start < 0 or side < 1 or start + side > end:
                raise Usage(
                    f"A block of shape {block.shape} at {(z0, y0, x0)} leaves the volume's "
                    f"{self.shape}.",
                    "Write inside the shape that was given to create_volume.",
                )

    def _check_whole(self) -> None:
        if self._held:
            raise Usage(
                f"{self.path} ends at z = {self._next}, inside a chunk.",
                f"Write all {self.shape[0]} slices before finish.",
            )
        source = open_array(partial(self.path) / "0", (0, 1, 2), partial(self.path))
        written = source.on_disk()
        for index in itertools.product(*map(range, source.grid)):
            if index not in written:
                part = source.part(index)
                raise Usage(
                    f"{self.path}: the chunk from {part[::2]} to {part[1::2]} was never written.",
                    "Write the whole volume before finish.",
                )


def create_volume(
    path: Path | str,
    shape: Shape,
    dtype: Any,
    voxel_um: float,
    chunks: int | Shape = 128,
    overwrite: bool = False,
    resume: bool = False,
    ome: str = "0.5",
) -> Writer:
    """Begin an OME-Zarr volume of `shape` (z, y, x), uint8 or uint16, and return its writer.

    Nothing stands at `path` until `Writer.finish`. What an earlier, interrupted writer left is
    removed, or kept with `resume` where it was begun with the same arguments. A volume that
    stands at `path` is refused, or with `overwrite` replaced by `finish`. `ome` is "0.5" (Zarr
    v3) or "0.4" (Zarr v2). Chunks are compressed by Blosc with LZ4, and
    in Zarr v3 have a checksum (CRC32C).
    """
    place = Path(path)
    kind = np.dtype(dtype)
    if kind not in DTYPES or ome not in ("0.4", "0.5"):
        raise Usage(f"A volume of {kind} in OME-Zarr {ome}.", "Take uint8 or uint16; 0.4 or 0.5.")
    if len(shape) != 3 or min(shape) < 1 or not (math.isfinite(voxel_um) and voxel_um > 0):
        raise Usage(
            f"A volume of shape {shape} with voxels of {voxel_um} um makes no sense.",
            "Give three positive sides and the side of a voxel in um.",
        )
    if place.exists() and not overwrite:
        raise _in_the_way(place)
    if place.exists() and not is_zarr(place):
        raise Unavailable(
            f"{place} is in the way, and it is no Zarr volume.", "Move it away, or choose a name."
        )
    sides = (chunks,) * 3 if isinstance(chunks, int) else chunks
    parts = tuple(min(side, length) for side, length in zip(sides, shape, strict=True))
    asked = {
        "shape": list(shape),
        "dtype": kind.name,
        "voxel_um": float(voxel_um),
        "chunks": list(parts),
        "ome": ome,
    }
    half = partial(place)
    resumed = resume and _marked(half) == asked
    if not resumed:
        shutil.rmtree(half, ignore_errors=True)
        _begin(half, asked)
    return Writer(place, overwrite, resumed)


def convert(
    volume: Volume, path: Path | str, progress: Progress | None = None, overwrite: bool = False
) -> None:
    """Write a volume of any format as OME-Zarr 0.5, a layer of chunks at a time."""
    writer = create_volume(path, volume.shape, volume.dtype, volume.voxel_um, overwrite=overwrite)
    depth, height, width = volume.shape
    for z in range(0, depth, writer.chunks[0]):
        end = min(depth, z + writer.chunks[0])
        writer.write(z, volume.read(Box(z, end, 0, height, 0, width)))
        if progress:
            progress(0.9 * end / depth, f"slices up to {end} of {depth}")
    writer.finish(progress and (lambda part, what: progress(0.9 + 0.1 * part, what)))


_MARK: Final = "unfinished.json"


def _begin(half: Path, asked: dict[str, Any]) -> None:
    import zarr

    zarr.create_group(str(half), zarr_format=3 if asked["ome"] == "0.5" else 2)
    _make_array(
        half / "0",
        tuple(asked["shape"]),
        np.dtype(asked["dtype"]),
        tuple(asked["chunks"]),
        asked["ome"],
    )
    (half / _MARK).write_text(json.dumps(asked) + "\n", encoding="utf-8")


def _marked(half: Path) -> Any:
    try:
        return json.loads((half / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _asked(half: Path) -> tuple[float, str]:
    asked = _marked(half)
    if asked is None:
        raise Unavailable(f"{half} is not there any more, or not begun.", "Begin the volume again.")
    return asked["voxel_um"], asked["ome"]


def _make_array(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], chunks: tuple[int, ...], ome: str
) -> None:
    import numcodecs
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    parts = tuple(min(side, length) for side, length in zip(chunks, shape, strict=True))
    if ome == "0.5":
        shuffle: Any = "noshuffle" if dtype.itemsize == 1 else "shuffle"
        # Blosc alone would not notice a flipped bit.
        compressor: Any = (BloscCodec(cname="lz4", clevel=5, shuffle=shuffle), Crc32cCodec())
        keys, names, version = {"name": "default", "separator": "/"}, ("z", "y", "x"), 3
    else:
        compressor = numcodecs.Blosc("lz4", 5, int(dtype.itemsize > 1))
        keys, names, version = {"name": "v2", "separator": "/"}, None, 2
    zarr.create_array(
        str(path),
        shape=shape,
        chunks=parts,
        dtype=dtype,
        compressors=compressor,
        fill_value=0,
        zarr_format=version,  # type: ignore[arg-type]
        chunk_key_encoding=keys,  # type: ignore[arg-type]
        dimension_names=names,
        overwrite=True,
    )


def _open_to_write(path: Path) -> Any:
    import zarr

    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(str(path), mode="r+")


def _halved(shape: Shape) -> Shape:
    return ((shape[0] + 1) // 2, (shape[1] + 1) // 2, (shape[2] + 1) // 2)


def _shrink(place: Path, number: int, last: int, progress: Progress | None) -> None:
    """Fill level `number` by means of 2 x 2 x 2 voxels of the level below, a chunk at a time."""
    finer = open_array(place / str(number - 1), (0, 1, 2), place)
    out = _open_to_write(place / str(number))
    grid = [range(0, side, chunk) for side, chunk in zip(out.shape, out.chunks, strict=True)]
    blocks = list(itertools.product(*grid))
    for done, low in enumerate(blocks):
        ends = zip(low, out.chunks, out.shape, strict=True)
        high = tuple(min(start + chunk, side) for start, chunk, side in ends)
        fine = box_of(tuple(2 * n for n in low), tuple(2 * n for n in high)).clip(finer.shape)
        out[box_of(low, high).slices] = halve(finer.read(fine))
        if progress:
            progress((number - 1 + (done + 1) / len(blocks)) / last, f"pyramid, level {number}")


def halve(block: Voxels) -> Voxels:
    """Return the means of 2 x 2 x 2 voxels, rounded; an odd end counts its own voxels alone."""
    total: Any = block.astype(np.uint32)
    count = 1
    for axis, side in enumerate(block.shape):
        if side % 2:
            last = [(0, 1 if a == axis else 0) for a in range(3)]
            total = np.pad(total, last, mode="edge")
        low = tuple(slice(0, None, 2) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None, 2) if a == axis else slice(None) for a in range(3))
        total = total[low] + total[high]
        count *= 2
    means: Voxels = ((total + count // 2) // count).astype(block.dtype)
    return means


def _describe(place: Path, name: str, levels: int, voxel_um: float, ome: str) -> None:
    """Write the OME metadata, last of all."""
    import zarr

    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    datasets: list[Any] = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [voxel_um * 2**level] * 3},
                {"type": "translation", "translation": [voxel_um * (2**level - 1) / 2] * 3},
            ],
        }
        for level in range(levels)
    ]
    scales: dict[str, Any] = {"name": name, "axes": axes, "datasets": datasets, "type": "mean"}
    group = zarr.open_group(str(place), mode="r+")
    if ome == "0.5":
        group.attrs["ome"] = {"version": "0.5", "multiscales": [scales]}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **scales}]


def _in_the_way(path: Path) -> Unavailable:
    return Unavailable(f"{path} is there already.", "Choose another name, or allow overwriting.")
