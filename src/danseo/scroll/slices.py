"""Volumes in plain files: a folder of TIFF slices, and `.npy`.

Neither says its axes or the size of its voxels; `open_volume` asks its caller. Slices are taken in
the order of the last number in their names (`slice_9.tif` before `slice_10.tif`), and a number that
is left out is a missing slice. Every header is read and checked before the first voxel is.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np

from danseo.core.errors import Invalid, Unfit
from danseo.scroll.volume import Box, Gap, Shape, Stored, Voxels

KEPT: Final = 2**27
"""Bytes of decoded slices that an open folder keeps; one slice at least."""
NUMBER: Final = re.compile(r"(\d+)\D*$")
AGAIN: Final = "Copy it again, or open the volume with gaps allowed to see a gap there."


def open_npy(path: Path) -> Stored:
    """Map an array of `numpy.save` into memory; raise `Unfit` or `Invalid` where it is none."""
    if path.suffix != ".npy":
        raise Unfit(
            f"{path} is a single file, and no .npy.",
            "A volume is an OME-Zarr folder, a folder of TIFF slices, or a .npy file.",
        )
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise Invalid(
            f"{path} cannot be read as .npy: {error}.",
            "Copy it again, or write it by numpy.save without pickled objects.",
        ) from error
    if array.ndim != 3:
        raise Unfit(f"{path} has {array.ndim} axes.", "A volume has three.")
    expected, actual = array.offset + array.nbytes, path.stat().st_size
    if actual != expected:
        raise Invalid(
            f"{path} has {actual} bytes, and its header asks for {expected}.",
            "Copy it again: header and content do not belong together.",
        )
    return Stored(NpySource(path, array))


class NpySource:
    """A mapped array, as `volume.Source`."""

    def __init__(self, path: Path, array: Any) -> None:
        self._path = path
        self._array = array
        self.gaps: list[Gap] = []
        self.dtype = array.dtype.newbyteorder("=")
        self.shapes: tuple[Shape, ...] = (array.shape,)
        self.chunks: tuple[Shape, ...] = (array.shape,)

    def read(self, box: Box, level: int) -> Voxels:
        """Return a box in stored order, in the machine's own byte order."""
        return np.asarray(self._array[box.slices], dtype=self.dtype)

    def absent(self, box: Box, level: int) -> list[Box]:
        """Return nothing: a file of the right length is whole."""
        return []

    def missing(self, level: int) -> int:
        """Return 0."""
        return 0

    def files(self) -> list[tuple[str, Path]]:
        """Return the one file; its name does not matter."""
        return [("npy", self._path)]


def open_slices(path: Path, gaps: bool) -> Stored:
    """Open a folder of TIFF slices; raise where one is missing, truncated or of another kind."""
    numbered = _numbered(path)
    first, last = min(numbered), max(numbered)
    files: list[Path | None] = [numbered.get(number) for number in range(first, last + 1)]
    absent = [number for number in range(first, last + 1) if number not in numbered]
    if absent and not gaps:
        raise Invalid(
            f"{path} lacks slice {absent[0]} ({len(absent)} of {len(files)} are missing), after "
            f"{numbered[absent[0] - 1].name}."
            if absent[0] - 1 in numbered
            else f"{path} lacks slice {absent[0]}.",
            "Copy the slices again, or open the volume with gaps allowed to see gaps there.",
        )
    source = SliceSource(path, files, gaps)
    source.gaps.extend(Gap(f"{path}: slice {number}", "it is not there") for number in absent)
    return Stored(source)


def _numbered(path: Path) -> dict[int, Path]:
    names = sorted(p for p in path.iterdir() if p.suffix.lower() in (".tif", ".tiff"))
    if not names:
        raise Unfit(
            f"{path} holds neither Zarr metadata nor TIFF slices.",
            "A volume is an OME-Zarr folder, a folder of TIFF slices, or a .npy file.",
        )
    root = path.resolve()
    found: dict[int, Path] = {}
    for name in names:
        number = NUMBER.search(name.stem)
        if number is None:
            raise Unfit(f"{name} has no number in its name.", "Number the slices, or move it away.")
        if not name.resolve().is_relative_to(root):
            raise Unfit(
                f"{name} is a link that leads out of the folder.",
                "Copy the slice into the folder: links out of it are not followed.",
            )
        other = found.setdefault(int(number.group(1)), name)
        if other != name:
            raise Unfit(
                f"{other.name} and {name.name} have the same number in {path}.",
                "Keep one of them: the order of slices must be plain.",
            )
    return found


class SliceSource:
    """A folder of TIFF slices, as `volume.Source`; whole slices are decoded, and some kept."""

    def __init__(self, path: Path, files: list[Path | None], gaps: bool) -> None:
        self._path = path
        self._files = files
        self._allowed = gaps
        self._bad: set[int] = {number for number, file in enumerate(files) if file is None}
        self._slices: OrderedDict[int, Voxels] = OrderedDict()
        self.gaps: list[Gap] = []
        kinds = self._headers()
        (height, width), dtype = kinds
        self.dtype = dtype.newbyteorder("=")
        self.shapes: tuple[Shape, ...] = ((len(files), height, width),)
        self.chunks: tuple[Shape, ...] = ((1, height, width),)
        self._room = max(1, KEPT // max(1, height * width * dtype.itemsize))

    def read(self, box: Box, level: int) -> Voxels:
        """Return a box in stored order; slices that are gaps read as zeros."""
        out = np.zeros(box.shape, self.dtype)
        for row, number in enumerate(range(box.z0, box.z1)):
            page = self._slice(number)
            if page is not None:
                out[row] = page[box.slices[1:]]
        return out

    def absent(self, box: Box, level: int) -> list[Box]:
        """Return the slices that are missing or known to be damaged."""
        _, height, width = self.shapes[0]
        touched = sorted(self._bad.intersection(range(box.z0, box.z1)))
        return [Box(z, z + 1, 0, height, 0, width) for z in touched]

    def missing(self, level: int) -> int:
        """Return how many slices are not there."""
        return sum(file is None for file in self._files)

    def files(self) -> list[tuple[str, Path]]:
        """Return each slice that is there, by its place in the stack."""
        return [(str(n), file) for n, file in enumerate(self._files) if file is not None]

    def _headers(self) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Read every header; return shape and type of all slices."""
        agreed: tuple[tuple[int, int], np.dtype[Any]] | None = None
        first = ""
        for number, file in enumerate(self._files):
            if file is None:
                continue
            try:
                kind = _header(file)
            except Invalid as error:
                self._damage(number, file, error)
                continue
            if agreed is None:
                agreed, first = kind, file.name
            elif kind != agreed:
                raise Unfit(
                    f"{file} is {_told(kind)}, and {first} is {_told(agreed)}.",
                    "All slices of a volume have one size and one type.",
                )
        if agreed is None:
            raise Invalid(f"{self._path} has no slice that can be read.", "Copy the slices again.")
        return agreed

    def _slice(self, number: int) -> Voxels | None:
        page = self._slices.pop(number, None)
        file = self._files[number]
        if page is None:
            if number in self._bad or file is None:
                return None
            try:
                page = _decoded(file)
            except Invalid as error:
                self._damage(number, file, error)
                return None
            while len(self._slices) >= self._room:
                self._slices.popitem(last=False)
        self._slices[number] = page
        return page

    def _damage(self, number: int, file: Path, error: Invalid) -> None:
        if not self._allowed:
            raise error
        self._bad.add(number)
        self.gaps.append(Gap(str(file), error.message))


def _header(file: Path) -> tuple[tuple[int, int], np.dtype[Any]]:
    import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            page = tiff.pages[0]
            count, shape, dtype = len(tiff.pages), page.shape, page.dtype
            end = max(
                offset + length
                for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True)
            )
    except Exception as error:
        raise Invalid(f"{file} is damaged ({error}).", AGAIN) from error
    if count != 1 or len(shape) != 2 or dtype is None:
        raise Unfit(
            f"{file} holds {count} pages of shape {shape}.",
            "A slice is one page of grey values; write a stack of pages as single slices.",
        )
    if end > file.stat().st_size:
        raise Invalid(f"{file} is truncated: {end - file.stat().st_size} bytes are missing.", AGAIN)
    return (shape[0], shape[1]), np.dtype(dtype)


def _decoded(file: Path) -> Voxels:
    import tifffile

    try:
        page = np.asarray(tifffile.imread(file))
    except Exception as error:
        raise Invalid(f"{file} is damaged ({error}).", AGAIN) from error
    return page.astype(page.dtype.newbyteorder("="), copy=False)


def _told(kind: tuple[tuple[int, int], np.dtype[Any]]) -> str:
    return f"{kind[0][0]} x {kind[0][1]} {kind[1]}"
