"""Read the arrays and texts of strangers: strict, bounded, and without running anything.

Four formats, told apart by their first bytes: `.npy` (integers and booleans), `.png` (8-bit
greyscale), `.csv` (one integer a line) and, for truths, `.npz`. A header is read and measured
before anything is allocated. Whatever is not exactly right raises `Unfit` with the reason.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.canonical import LIMIT
from danseo.core.errors import Unfit

MAX_ELEMENTS: Final = 2**26
"""Elements or pixels that an array may have: 8192 x 8192."""
MAX_BYTES: Final = 2**29
"""Bytes that a file may have."""
MAX_HEADER: Final = 4096
"""Bytes that the header of a .npy file may have."""
MAX_MAGNITUDE: Final = LIMIT
"""Integers in a submission or truth are smaller than this in magnitude."""
MAX_DIMENSIONS: Final = 8

Array = NDArray[Any]

_NPY: Final = b"\x93NUMPY"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_ZIP: Final = b"PK\x03\x04"
_HEADER: Final = re.compile(
    rb"\{\s*'descr':\s*'(?P<descr>[^']{1,16})'\s*,"
    rb"\s*'fortran_order':\s*(?P<fortran>True|False)\s*,"
    rb"\s*'shape':\s*\((?P<shape>[0-9, ]*)\)\s*,?\s*\}\s*"
)
_DTYPE: Final = re.compile(r"[<>|=]?(b1|[iu][1248])")
_LINE: Final = re.compile(rb"-?[0-9]{1,16}")
_NATIVE: Final = "Write it with numpy.save from an array of integers, allow_pickle=False."


def suffix(data: bytes) -> str:
    """Return the format that the first bytes of `data` tell: .npy, .png, .npz or .csv.

    >>> suffix(b"1\\n2\\n")
    '.csv'
    """
    for magic, name in ((_NPY, ".npy"), (_PNG, ".png"), (_ZIP, ".npz")):
        if data.startswith(magic):
            return name
    return ".csv"


def read(data: bytes) -> Array:
    """Return the array in a .npy, .png or .csv file, as it is told by the first bytes.

    The dtype is bool, int8 to int64 or uint8 to uint64, in native byte order. Raise `Unfit` for
    anything else, before memory is taken for it.
    """
    _measure(data)
    kind = suffix(data)
    if kind == ".npy":
        return read_npy(data)
    if kind == ".png":
        return read_png(data)
    if kind == ".npz":
        raise Unfit("The file is a zip archive or .npz.", "Give one .npy array, not an archive.")
    return read_csv(data)


def read_npy(data: bytes) -> Array:
    """Return the array of integers or booleans in a .npy file; nothing is ever unpickled."""
    descr, fortran, shape, start = _npy_header(data)
    dtype = _integer_dtype(descr)
    count = math.prod(shape)
    if count > MAX_ELEMENTS or len(shape) > MAX_DIMENSIONS:
        raise Unfit(
            f"The array has the shape {shape}, {count} elements.",
            f"It may have {MAX_ELEMENTS} elements in {MAX_DIMENSIONS} dimensions.",
        )
    if count == 0:
        raise Unfit(f"The array is empty: its shape is {shape}.", "Give one with elements.")
    if len(data) - start != count * dtype.itemsize:
        raise Unfit(
            f"The header promises {count * dtype.itemsize} bytes of data, "
            f"the file holds {len(data) - start}.",
            "Write it again: it is cut off or has bytes after its end.",
        )
    if dtype.kind == "b" and np.frombuffer(data, np.uint8, offset=start).max() > 1:
        raise Unfit("The booleans hold bytes other than 0 and 1.", _NATIVE)
    array = np.frombuffer(data, dtype, count, start).reshape(shape, order="F" if fortran else "C")
    return _bounded(array.astype(dtype.newbyteorder("="), copy=False))


def read_png(data: bytes) -> Array:
    """Return the pixels of an 8-bit greyscale PNG, shape (height, width), dtype uint8.

    Size and kind are read from its header and refused before anything unfolds, and no more unfolds
    than the header promises. Chunks other than header, pixels and end are passed over. The decoder
    is this module's own: no image library written in C meets a stranger's bytes beside a truth.
    """
    width, height, packed = _png_chunks(data)
    size = height * (width + 1)
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(packed, size + 1)
    except zlib.error as error:
        raise Unfit(f"The pixels of the PNG do not unfold: {error}.", "Save it again.") from None
    if len(raw) != size or not unpack.eof:
        raise Unfit(
            f"The PNG promises {size} bytes of pixels and holds "
            f"{'fewer' if len(raw) < size else 'more'}.",
            "Save it again.",
        )
    return _unfilter(np.frombuffer(raw, np.uint8).reshape(height, width + 1))


def read_csv(data: bytes) -> Array:
    """Return the integers of a text with one integer a line, shape (n,), dtype int64."""
    _measure(data)
    if data.count(b"\n") > MAX_ELEMENTS:
        raise Unfit(f"The text has over {MAX_ELEMENTS} lines.", "Give fewer.")
    lines = data.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, 1):
        if _LINE.fullmatch(line) is None:
            raise Unfit(
                f"Line {number} is {_show(line)}.",
                "Each line holds one integer, such as -12. Quantise what is not an integer: "
                "multiply by a power of ten and round.",
            )
    return _bounded(np.array([int(line) for line in lines], dtype=np.int64))


def read_npz(data: bytes, names: tuple[str, ...]) -> dict[str, Array]:
    """Return the arrays of a .npz archive: the first of `names`, perhaps the rest, no others."""
    _measure(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            known = [f"{name}.npy" for name in names]
            strange = sorted({m.filename for m in members} - set(known))
            if strange or len({m.filename for m in members}) != len(members):
                raise Unfit(f"The archive holds {strange or 'a name twice'}.", f"Only {known}.")
            if known[0] not in archive.namelist():
                raise Unfit(f"The archive holds no {known[0]}.", "Add it with numpy.savez.")
            return {m.filename[:-4]: read_npy(_unzip(archive, m)) for m in members}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise Unfit(f"The archive does not open: {error}.", "Write it with numpy.savez.") from None


def _unzip(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, refusing before and while unfolding what is over the limit."""
    if member.file_size > MAX_BYTES:
        raise Unfit(f"{member.filename} unfolds to {member.file_size} bytes.", _most())
    with archive.open(member) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unfit(f"{member.filename} unfolds to more than {MAX_BYTES} bytes.", _most())
    return data


def _npy_header(data: bytes) -> tuple[str, bool, tuple[int, ...], int]:
    """Return dtype, Fortran order, shape, and the offset at which the data starts."""
    if not data.startswith(_NPY) or len(data) < 12:
        raise Unfit("The file is no .npy array.", _NATIVE)
    major = data[6]
    if major not in (1, 2, 3) or data[7] != 0:
        raise Unfit(f"The .npy version is {major}.{data[7]}.", "Write version 1.0, 2.0 or 3.0.")
    width = 2 if major == 1 else 4
    start = 8 + width
    length = int.from_bytes(data[8:start], "little")
    if length > MAX_HEADER:
        raise Unfit(f"The .npy header has {length} bytes.", f"It may have {MAX_HEADER}.")
    match = _HEADER.fullmatch(data[start : start + length])
    if match is None:
        raise Unfit("The .npy header is not that of a plain array.", _NATIVE)
    parts = [p.strip() for p in match["shape"].split(b",")]
    if not parts[-1]:
        parts.pop()
    if not all(p.isdigit() and len(p) < 16 for p in parts):
        raise Unfit(f"The .npy header has the shape ({_show(match['shape'])}).", _NATIVE)
    shape = tuple(int(p) for p in parts)
    return match["descr"].decode("latin-1"), match["fortran"] == b"True", shape, start + length


def _integer_dtype(descr: str) -> np.dtype[Any]:
    """Return the dtype of integers or booleans that `descr` names; say what to do with others."""
    if _DTYPE.fullmatch(descr):
        return np.dtype(descr)
    bare = descr.lstrip("<>|=")
    if bare.startswith("O"):
        raise Unfit("The array holds Python objects (a pickle), which are never loaded.", _NATIVE)
    if bare.startswith(("f", "c")):
        raise Unfit(
            f"The array holds floats ({descr!r}): they differ between machines, and may be "
            "NaN or infinite.",
            "Quantise: a mask as bool or uint8 0/1; a probability p as uint8 round(255 p) or "
            "uint16 round(65535 p); a value as an integer multiple of the challenge's unit.",
        )
    raise Unfit(f"The array has the dtype {descr!r}.", "Use bool or integers of 8 to 64 bits.")


def _png_chunks(data: bytes) -> tuple[int, int, bytes]:
    """Return width, height, and the compressed pixels of a PNG, its header checked."""
    pixels: list[bytes] = []
    at, width, height = len(_PNG), 0, 0
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise Unfit(f"The PNG is damaged in its chunk {ascii(name)[1:]}.", "Save it again.")
        if (at == len(_PNG)) != (name == b"IHDR"):
            raise Unfit("The PNG does not start with its one header.", "Save it again.")
        if name == b"IHDR":
            width, height = _png_header(data[at + 8 : end - 4])
        elif name == b"IDAT":
            pixels.append(data[at + 8 : end - 4])
        elif name == b"IEND":
            if end != len(data):
                raise Unfit(f"{len(data) - end} bytes follow the end of the PNG.", "Save it again.")
            return width, height, b"".join(pixels)
        at = end
    raise Unfit("The PNG is cut off.", "Save it again.")


def _png_header(header: bytes) -> tuple[int, int]:
    """Return width and height, or raise `Unfit` for a picture that is not plain or too large."""
    if len(header) != 13:
        raise Unfit(f"The PNG header has {len(header)} bytes.", "Save it again.")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if (depth, colour, interlaced) != (8, 0, 0):
        raise Unfit(
            f"The PNG has bit depth {depth}, colour type {colour}, interlacing {interlaced}.",
            "Save it as 8-bit greyscale (mode L): no palette, colour, alpha or interlacing.",
        )
    if not 1 <= width * height <= MAX_ELEMENTS:
        raise Unfit(
            f"The picture is {width} x {height} pixels.", f"It may have 1 to {MAX_ELEMENTS}."
        )
    return width, height


def _unfilter(rows: Array) -> Array:
    """Return the pixels of filtered rows (W3C, Portable Network Graphics, section 9)."""
    pixels = np.zeros((rows.shape[0] + 1, rows.shape[1] - 1), np.uint8)
    for y, row in enumerate(rows):
        kind, line, above = int(row[0]), row[1:], pixels[y]
        if kind == 0:
            pixels[y + 1] = line
        elif kind == 1:
            pixels[y + 1] = np.cumsum(line, dtype=np.uint8)
        elif kind == 2:
            pixels[y + 1] = line + above
        elif kind in (3, 4):
            predict = _average if kind == 3 else _paeth
            pixels[y + 1] = predict(line.tolist(), above.tolist())
        else:
            raise Unfit(f"Row {y} of the PNG has the filter {kind}.", "Save it again.")
    return pixels[1:]


def _average(line: list[int], above: list[int]) -> list[int]:
    left, out = 0, []
    for value, up in zip(line, above, strict=True):
        left = (value + (left + up) // 2) & 255
        out.append(left)
    return out


def _paeth(line: list[int], above: list[int]) -> list[int]:
    left, corner, out = 0, 0, []
    for value, up in zip(line, above, strict=True):
        to_left, to_up, to_corner = (
            abs(up - corner),
            abs(left - corner),
            abs(left + up - 2 * corner),
        )
        if to_left <= to_up and to_left <= to_corner:
            best = left
        else:
            best = up if to_up <= to_corner else corner
        left, corner = (value + best) & 255, up
        out.append(left)
    return out


def _bounded(array: Array) -> Array:
    """Return `array`, or raise `Unfit` where an integer is beyond 2^53."""
    if array.dtype.itemsize == 8:
        low, high = int(array.min()), int(array.max())
        if low <= -MAX_MAGNITUDE or high >= MAX_MAGNITUDE:
            worst = low if -low > high else high
            raise Unfit(f"The array holds {worst}.", "Integers must be below 2^53 in magnitude.")
    return array


def _measure(data: bytes) -> None:
    if not data:
        raise Unfit("The file is empty.", "Give one with content.")
    if len(data) > MAX_BYTES:
        raise Unfit(f"The file has {len(data)} bytes.", _most())


def _most() -> str:
    return f"It may have {MAX_BYTES}."


def _show(line: bytes) -> str:
    text = ascii(line[:40].decode("latin-1"))
    return text if len(line) <= 40 else f"{text[:-1]}...'"
