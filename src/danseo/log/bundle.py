"""The auditor's bundle: a whole log and its blobs in one file that needs no network.

It is a zip archive in one fixed form: members in the order of their names, stored, without times,
comments or gaps. So a log has one bundle, byte for byte, ordinary tools can unpack it, and
`verify` reads it where it lies. The reader takes that form only: every byte outside the members is
recomputed and compared, so there is no room for a second member of a name, for overlaps, or for
anything that unpacks to more than it is.
"""

from __future__ import annotations

import re
import secrets
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from danseo.core.entry import blobs, parse
from danseo.core.errors import Invalid, NotFound, Usage
from danseo.log.blobs import CHUNK, MAX_MANIFEST, blob_path, checked, manifest_names
from danseo.log.note import parse_checkpoint, parse_note
from danseo.log.tiles import CHECKPOINT, ENTRIES, decode_bundle, tiles_of
from danseo.log.wire import unwrap

if TYPE_CHECKING:
    from danseo.log.source import Source

MAX_MEMBER: Final = 0xFFFF_FFFE
"""Bytes of a member at most: beyond it the fixed form has no size field."""
MAX_DIRECTORY: Final = 1 << 30

_AGAIN: Final = "Ask for the bundle again; if it stays so, do not rely on it."
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*")
_DATE: Final = 0x21  # 1980-01-01, the first that a zip archive can say
_MODE: Final = 0o100644 << 16
_FULL16: Final = 0xFFFF
_FULL32: Final = 0xFFFF_FFFF
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_OFFSET64 = struct.Struct("<HHQ")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR = struct.Struct("<IIQI")
_END = struct.Struct("<IHHHHIIH")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive: where its bytes begin, how many, and their CRC-32."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def start(self) -> int:
        """The offset of the first byte of its content."""
        return self.offset + _LOCAL.size + len(self.name)

    def local(self) -> bytes:
        """Return the header that stands before the content."""
        name = self.name.encode()
        fields = (0x04034B50, 20, 0, 0, 0, _DATE, self.crc, self.size, self.size, len(name), 0)
        return _LOCAL.pack(*fields) + name

    def central(self) -> bytes:
        """Return the record of the directory at the archive's end."""
        name = self.name.encode()
        far = self.offset >= _FULL32
        extra = _OFFSET64.pack(1, 8, self.offset) if far else b""
        head = (0x02014B50, 3 << 8 | 45, 45 if far else 20, 0, 0, 0, _DATE)
        sizes = (self.crc, self.size, self.size, len(name), len(extra), 0, 0, 0)
        place = (_MODE, _FULL32 if far else self.offset)
        return _CENTRAL.pack(*head, *sizes, *place) + name + extra


class Archive:
    """A bundle, open for reading."""

    def __init__(self, path: Path) -> None:
        """Open the bundle; raise `Invalid` unless it has the one form that a bundle has."""
        self.path = path
        try:
            self._file: IO[bytes] = path.open("rb")
        except FileNotFoundError:
            raise NotFound(f"There is no bundle at {path}.", "Name an existing file.") from None
        try:
            self.members = {m.name: m for m in self._read_directory()}
        except BaseException:
            self._file.close()
            raise

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a member in parts; raise `NotFound`, or `Invalid` if its CRC-32 is another."""
        member = self.members.get(name)
        if member is None:
            raise NotFound(f"{self.path} holds no {name}.", _AGAIN)
        at, left, crc = member.start, member.size, 0
        while left:
            chunk = self._read(at, min(CHUNK, left))
            crc = zlib.crc32(chunk, crc)
            at, left = at + len(chunk), left - len(chunk)
            yield chunk
        if crc != member.crc:
            raise Invalid(f"{name} in {self.path} is damaged: its CRC-32 is another.", _AGAIN)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(size)
        if len(data) != size:
            raise self._broken(f"it ends at {at + len(data)}")
        return data

    def _read_directory(self) -> Iterator[Member]:
        count, start, size = self._read_end()
        directory = self._read(start, size)
        at, offset, last = 0, 0, ""
        for _ in range(count):
            member, length = self._read_member(directory[at : at + (1 << 10)], offset)
            if member.central() != directory[at : at + length] or member.name <= last:
                raise self._broken(f"the record of {member.name!r} is not in the fixed form")
            if self._read(offset, member.start - offset) != member.local():
                raise self._broken(f"the header of {member.name!r} differs from its record")
            yield member
            at, offset, last = at + length, member.start + member.size, member.name
        if at != size or offset != start:
            raise self._broken("there are bytes between its members and its directory")

    def _read_end(self) -> tuple[int, int, int]:
        """Return number of members, start and size of the directory."""
        whole = self._file.seek(0, 2)
        if whole < _END.size:
            raise self._broken("it is too short")
        _, _, _, _, count, size, start, _ = _END.unpack(self._read(whole - _END.size, _END.size))
        if count == _FULL16 or _FULL32 in (size, start):
            before = whole - _END.size - _LOCATOR.size - _END64.size
            if before < 0:
                raise self._broken("it is too short")
            *_, count, size, start = _END64.unpack(self._read(before, _END64.size))
        if size > MAX_DIRECTORY or start + size > whole:
            raise self._broken("its directory does not lie inside it")
        if self._read(start + size, whole - start - size) != _end(count, start, size):
            raise self._broken("its end is not in the fixed form")
        return count, start, size

    def _read_member(self, record: bytes, offset: int) -> tuple[Member, int]:
        """Return the member at the head of `record`, and the length of its record."""
        if len(record) < _CENTRAL.size:
            raise self._broken("its directory is cut short")
        fields = _CENTRAL.unpack_from(record)
        crc, size, name_size, extra_size = fields[7], fields[8], fields[10], fields[11]
        raw = record[_CENTRAL.size : _CENTRAL.size + name_size]
        name = raw.decode("ascii", "replace")
        if _NAME.fullmatch(name) is None or size > MAX_MEMBER:
            raise self._broken(f"it has a member {name[:80]!r} of {size} bytes")
        return Member(name, size, crc, offset), _CENTRAL.size + name_size + extra_size

    def _broken(self, why: str) -> Invalid:
        return Invalid(f"{self.path} is no bundle: {why}.", _AGAIN)


def write_bundle(source: Source, path: Path) -> int:
    """Write the log of `source` and every blob that it names to `path`; return the log's size.

    Withheld blobs stay out. What is copied is not verified here, except that each blob is what its
    name says: the reader of the bundle verifies. Raise `NotFound` for a blob that is neither there
    nor withheld. The file appears once it is whole.
    """
    head = source.read(CHECKPOINT, 1 << 16)
    size = parse_checkpoint(parse_note(head).text).size
    tiles = {tile.path: tile for tile in tiles_of(size)}
    named = _named(source, size)
    names = sorted([CHECKPOINT, *tiles, *(blob_path(name) for name in named)])
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("wb") as out:
            members: list[Member] = []
            for name in names:
                if name == CHECKPOINT:
                    content = iter([head])
                elif name in tiles:
                    content = iter([source.tile(tiles[name])])
                else:
                    blob = name.rpartition("/")[2]
                    content = checked(blob, source.chunks(blob))
                members.append(_write_member(out, name, content))
            start = out.tell()
            out.writelines(member.central() for member in members)
            out.write(_end(len(members), start, out.tell() - start))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return size


def _write_member(out: IO[bytes], name: str, content: Iterator[bytes]) -> Member:
    offset, size, crc = out.tell(), 0, 0
    out.write(Member(name, 0, 0, offset).local())
    for chunk in content:
        out.write(chunk)
        size, crc = size + len(chunk), zlib.crc32(chunk, crc)
    if size > MAX_MEMBER:
        raise Usage(f"{name} has {size} bytes; a bundle takes {MAX_MEMBER}.", "Publish a mirror.")
    member = Member(name, size, crc, offset)
    out.seek(offset)
    out.write(member.local())
    out.seek(0, 2)
    return member


def _end(count: int, start: int, size: int) -> bytes:
    """Return what stands after the directory, with 64-bit fields only where they are needed."""
    far = count >= _FULL16 or start >= _FULL32 or size >= _FULL32
    extra = b""
    if far:
        at = start + size
        extra = _END64.pack(0x06064B50, 44, 3 << 8 | 45, 45, 0, 0, count, count, size, start)
        extra += _LOCATOR.pack(0x07064B50, 0, at, 1)
        count, start, size = min(count, _FULL16), min(start, _FULL32), min(size, _FULL32)
    return extra + _END.pack(0x06054B50, 0, 0, count, count, size, start, 0)


def _named(source: Source, size: int) -> set[str]:
    """Return every blob that the entries name, and those that these name, less the withheld."""
    direct: set[str] = set()
    withheld: set[str] = set()
    for tile in tiles_of(size):
        if tile.level != ENTRIES:
            continue
        for leaf in decode_bundle(source.tile(tile), tile):
            entry, _, _ = unwrap(leaf)
            direct.update(blobs(parse(entry.kind, entry.body)))
            if entry.kind == "blob.withhold":
                withheld.add(entry.body["blob"])
    named = set(direct)
    for name in direct - withheld:
        named.update(manifest_names(source.head(name, MAX_MANIFEST + 1)))
    return named - withheld
