"""The journal: the last entries of the log, framed and fsynced before anyone hears of them.

    header   magic, size u64 and root of the log before the first record, CRC-32 of these
    record   length u32, CRC-32 u32 of length and leaf, leaf

Everything before the journal lies in fsynced tiles; what the journal holds may be missing from
them, or be torn there. A record counts when it is whole, so a write that was cut short, at any
byte, leaves the records before it. Integers are big-endian.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from danseo.core.entry import MAX_LEAF
from danseo.core.errors import Invalid, NotFound
from danseo.log.files import sync_folders, write_all, write_file

_MAGIC: Final = b"danseo journal 1"
_HEADER: Final = struct.Struct(">16sQ32sI")
_FRAME: Final = struct.Struct(">II")
_LENGTH: Final = struct.Struct(">I")


class Journal:
    """An open journal. `base` and `base_root` are the log's size and root before its records."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, cut off a torn tail, and hold what it records in `leaves`."""
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(
                f"There is no journal at {path}.", "Bring back the host folder."
            ) from None
        try:
            content = path.read_bytes()
            self.base, self.base_root = _read_header(path, content)
            self.leaves, self._end = _read_records(content)
            if self._end < len(content):
                self.cut(self._end)
        except BaseException:
            os.close(self._fd)
            raise

    @classmethod
    def create(cls, path: Path, base: int, root: bytes) -> Journal:
        """Put an empty journal of a log of this size and root in place, at once and durably."""
        head = _HEADER.pack(_MAGIC, base, root, 0)[: -_LENGTH.size]
        replace(path, head + _LENGTH.pack(zlib.crc32(head)))
        return cls(path)

    @property
    def end(self) -> int:
        """Where the next record will start, in bytes."""
        return self._end

    def append(self, leaves: Sequence[bytes]) -> None:
        """Write `leaves` and fsync them. On `OSError` the caller must `cut` back to the old end."""
        data = b"".join(_frames(leaves))
        write_all(self._fd, data, self._end)
        os.fsync(self._fd)
        self._end += len(data)
        self.leaves += leaves

    def cut(self, end: int) -> None:
        """Forget every record from byte `end` on, durably. It takes no space on the disk."""
        os.ftruncate(self._fd, end)
        os.fsync(self._fd)
        self._end = end

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def replace(path: Path, content: bytes) -> None:
    """Give `path` this content, durably: after a crash it has the old or the new one, whole."""
    write_file(path, content, path.parent, durable=True)
    sync_folders([path.parent])


def _frames(leaves: Sequence[bytes]) -> Iterator[bytes]:
    for leaf in leaves:
        length = _LENGTH.pack(len(leaf))
        yield length + _LENGTH.pack(zlib.crc32(leaf, zlib.crc32(length)))
        yield leaf


def _read_header(path: Path, content: bytes) -> tuple[int, bytes]:
    """Return the base's size and root; the header was fsynced whole before it got its name."""
    if len(content) >= _HEADER.size:
        magic, base, root, crc = _HEADER.unpack_from(content)
        if magic == _MAGIC and crc == zlib.crc32(content[: _HEADER.size - _LENGTH.size]):
            return base, root
    raise Invalid(f"{path} is no journal, or a damaged one.", "Bring back the host folder.")


def _read_records(content: bytes) -> tuple[list[bytes], int]:
    """Return the whole records and the byte where the last of them ends."""
    leaves, at = [], _HEADER.size
    while at + _FRAME.size <= len(content):
        length, crc = _FRAME.unpack_from(content, at)
        start = at + _FRAME.size
        leaf = content[start : start + length]
        if not 0 < length <= MAX_LEAF or len(leaf) < length:
            break
        if crc != zlib.crc32(leaf, zlib.crc32(content[at : at + _LENGTH.size])):
            break
        leaves.append(leaf)
        at = start + length
    return leaves, at
