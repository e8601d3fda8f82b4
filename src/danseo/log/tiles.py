"""The log as static files, in the layout of c2sp.org/tlog-tiles.

    tile/<L>/<N>[.p/<W>]        256 hashes of level L (fewer in a partial tile of width W)
    tile/entries/<N>[.p/<W>]    256 leaves, each after its length in two bytes
    checkpoint                  what the log says of itself (`log.note`), not written here

N is written in groups of three digits, all but the last after an `x`: `x001/x234/067`. A hash of
level L + 1 is the root over a full tile of level L.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from danseo.core.errors import Invalid, Malformed
from danseo.core.merkle import HASH_SIZE, Tree, leaf_hash
from danseo.log.files import sync_files, sync_folders, write_file

WIDTH: Final = 256
"""Hashes in a full tile, and leaves in a full bundle."""
CHECKPOINT: Final = "checkpoint"
MAX_BUNDLE: Final = WIDTH * (2 + 65_535)
"""Bytes that a bundle can have at most."""

ENTRIES: Final = -1
"""The level of a bundle of entries."""

_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)
REPAIR: Final = "Restore the file from a mirror, or let the host rebuild it from its journal."


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One file of the tree. `level` is `ENTRIES` for a bundle; `width` is below 256 if partial."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The file's path below the log's folder or URL."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        return f"tile/{level}/{'/'.join([*(f'x{g}' for g in groups[:-1]), groups[-1]])}{partial}"

    @property
    def first(self) -> int:
        """The index of the first entry that it covers."""
        return self.index << 8 * (max(self.level, 0) + 1)

    def exists_in(self, size: int) -> bool:
        """Return whether a tree of `size` entries has it, be it in full or as it once was."""
        return self.width <= min(WIDTH, (size >> 8 * max(self.level, 0)) - (self.index << 8))


def parse_path(path: str) -> Tile | None:
    """Return the tile that has this path, or None if no tile has."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level, groups, last, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(groups.replace("x", "").replace("/", "") + last),
        int(width or WIDTH),
    )
    # One path a tile: no leading groups of zeros, no `.p/256`, no level beyond 63.
    return tile if tile.path == path and tile.width <= WIDTH and tile.level < 64 else None


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every tile and bundle that a tree of `size` entries must have, bundles first."""
    for level in (ENTRIES, *range((size.bit_length() + 7) // 8)):
        count = size >> 8 * max(level, 0)
        for index in range(count >> 8):
            yield Tile(level, index)
        if count % WIDTH:
            yield Tile(level, count >> 8, count % WIDTH)


def encode_bundle(leaves: Sequence[bytes]) -> bytes:
    """Return the bundle of `leaves`, each after its length in two big-endian bytes."""
    return b"".join(part for leaf in leaves for part in (len(leaf).to_bytes(2, "big"), leaf))


def decode_bundle(data: bytes, tile: Tile) -> list[bytes]:
    """Return the leaves of a bundle; raise `Invalid` unless there are exactly `tile.width`."""
    return list(split_bundle(data, tile))


def split_bundle(data: bytes, tile: Tile) -> Iterator[bytes]:
    """Yield the leaves of a bundle in turn; raise `Invalid` at the first that is not whole."""
    at, size = 0, len(data)
    for i in range(tile.width):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > size or end > size:
            raise Invalid(
                f"{tile.path} ends inside entry {tile.first + i}.", REPAIR, tile.first + i
            )
        yield data[at + 2 : end]
        at = end
    if at != size:
        raise Invalid(
            f"{tile.path} has {size - at} bytes after its {tile.width} entries.",
            REPAIR,
            tile.first + tile.width,
        )


@dataclass(slots=True)
class _Level:
    """The tile of one level that is not full yet."""

    hashes: bytearray = field(default_factory=bytearray)
    tree: Tree = field(default_factory=Tree)


class TileWriter:
    """Appends leaves to the files of a log in a local folder.

    It writes what a tree of the new size must have and touches nothing that a smaller tree needs,
    so a crash at any point leaves the older tree readable: partial tiles go only once the full
    tile stands. It does not write the checkpoint: whoever owns the log signs `root` and `size`.

    With `durable` every file is on the disk when `append` returns. Without it the owner's journal
    is the durable record, and after a crash the owner appends again from its last safe size.
    """

    def __init__(
        self, folder: Path, size: int = 0, *, scratch: Path | None = None, durable: bool = True
    ) -> None:
        """Take up the log of `size` entries in `folder`; raise `Invalid` if its files are broken.

        Drafts are written in `scratch`, on the same file system (by default beside `folder`).
        """
        self.folder = folder
        self._scratch = scratch or folder.parent / f".{folder.name}.scratch"
        self._durable = durable
        self._folders: set[Path] = set()
        self._written: list[Path] = []
        self._levels: list[_Level] = [_Level()]
        self._bundle: list[bytes] = []
        self._size, self._start = 0, size
        for made in (folder, self._scratch):
            made.mkdir(parents=True, exist_ok=True)
        self._load(size)

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._size

    @property
    def root(self) -> bytes:
        """The root over all entries."""
        return self.tree().root()

    def tree(self) -> Tree:
        """Return the tree over all entries, to grow on its own."""
        peaks = [peak for level in reversed(self._levels) for peak in level.tree.peaks]
        return Tree(self._size, peaks)

    def append(self, leaves: Sequence[bytes]) -> None:
        """Append `leaves` and write every file that the tree of the new size adds."""
        for leaf in leaves:
            if len(leaf) > 0xFFFF:
                raise Malformed(f"A leaf of {len(leaf)} bytes.", "A leaf has at most 65,535.")
        touched: set[Path] = set()
        superseded: list[Path] = []
        for leaf in leaves:
            self._bundle.append(leaf)
            if len(self._bundle) == WIDTH:
                self._put(Tile(ENTRIES, self._size >> 8), touched, superseded)
            self._push(0, leaf_hash(leaf), touched, superseded)
            self._size += 1
        if leaves:
            self._put_partial(touched, superseded)
        if self._durable:
            sync_files(self._written)
            sync_folders(sorted(touched))
        self._written.clear()
        for folder in superseded:
            shutil.rmtree(folder, ignore_errors=True)
        if self._durable:  # what was removed must not come back, for it may come back torn
            sync_folders({folder.parent for folder in superseded})

    def _push(self, level: int, node: bytes, touched: set[Path], superseded: list[Path]) -> None:
        """Add one hash to a level; write its tile and feed the level above when it is full."""
        if level == len(self._levels):
            self._levels.append(_Level())
        state = self._levels[level]
        state.hashes += node
        state.tree.append(node)
        if state.tree.size == WIDTH:
            self._put(Tile(level, self._size >> 8 * (level + 1)), touched, superseded)
            root = state.tree.root()
            self._levels[level] = _Level()
            self._push(level + 1, root, touched, superseded)

    def _put(self, tile: Tile, touched: set[Path], superseded: list[Path]) -> None:
        """Write a full or partial tile from what is held in memory."""
        if tile.level == ENTRIES:
            data = encode_bundle(self._bundle)
            if tile.width == WIDTH:
                self._bundle.clear()
        else:
            data = bytes(self._levels[tile.level].hashes)
        path = self.folder / tile.path
        self._make_folder(path.parent, touched)
        if not _holds(path, data):
            # What stands there as it should may be durable, and must not be put at risk.
            write_file(path, data, self._scratch, durable=False)
        self._written.append(path)
        touched.add(path.parent)
        if tile.width == WIDTH:
            partials = path.with_name(f"{path.name}.p")
            if partials.exists() and not self._may_need(tile):
                superseded.append(partials)

    def _may_need(self, tile: Tile) -> bool:
        """Return whether a crash may need this tile's partial one, from which to append again.

        Without `durable` a full tile may still be lost when the partial one has gone.
        """
        count = self._start >> 8 * max(tile.level, 0)
        return not self._durable and bool(count % WIDTH) and tile.index == count >> 8

    def _put_partial(self, touched: set[Path], superseded: list[Path]) -> None:
        """Write the partial tile of each level, as the tree of the present size has it."""
        if self._bundle:
            tile = Tile(ENTRIES, self._size >> 8, len(self._bundle))
            self._put(tile, touched, superseded)
        for level, state in enumerate(self._levels):
            if state.tree.size:
                tile = Tile(level, self._size >> 8 * (level + 1), state.tree.size)
                self._put(tile, touched, superseded)

    def _make_folder(self, folder: Path, touched: set[Path]) -> None:
        if folder in self._folders:
            return
        missing = [folder, *folder.parents]
        missing = missing[: missing.index(self.folder) + 1]
        for child, parent in pairwise(missing):
            # With `durable`, also a folder that a writer without it may have made just now.
            if self._durable or not child.exists():
                touched.add(parent)
        folder.mkdir(parents=True, exist_ok=True)
        self._folders.add(folder)

    def _load(self, size: int) -> None:
        """Read back the tiles that are not full in the tree of `size` entries."""
        self._size = size
        self._levels = []
        for level in range(max(1, (size.bit_length() + 7) // 8)):
            count = size >> 8 * level
            state = _Level()
            if count % WIDTH:
                tile = Tile(level, count >> 8, count % WIDTH)
                data = read_tile(self.folder, tile)
                state.hashes += data
                state.tree.extend(split_hashes(data))
            self._levels.append(state)
        if size % WIDTH:
            tile = Tile(ENTRIES, size >> 8, size % WIDTH)
            self._bundle = decode_bundle(read_tile(self.folder, tile), tile)
            hashes = bytes(self._levels[0].hashes)
            if b"".join(leaf_hash(leaf) for leaf in self._bundle) != hashes:
                raise Invalid(f"{tile.path} does not fit the hashes beside it.", REPAIR)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False


def read_tile(folder: Path, tile: Tile) -> bytes:
    """Return a tile's bytes from a local folder, cut from the full one if only that is there."""
    for path, whole in ((tile.path, True), (Tile(tile.level, tile.index).path, False)):
        try:
            data = (folder / path).read_bytes()
        except FileNotFoundError:
            continue
        return data if whole else cut(data, tile)
    raise Invalid(f"{tile.path} is missing.", REPAIR, tile.first)


def clean(folder: Path, safe: int, size: int) -> None:
    """Remove what no tree up to `size` entries has: an append was undone, or a crash tore it.

    The files that a tree of `safe` entries needs and those that `size` entries need must be right.
    """
    for level in (ENTRIES, *range(8)):
        count, first = size >> 8 * max(level, 0), safe >> 8 * (max(level, 0) + 1)
        last, width = count >> 8, count % WIDTH
        _paths(folder, level, last)[0].unlink(missing_ok=True)
        for index in {first, last}:
            _clean_partials(folder, Tile(level, index, WIDTH if index < last else width))
        beyond = last + 1
        while any(path.exists() for path in _paths(folder, level, beyond)):
            full, partials = _paths(folder, level, beyond)
            full.unlink(missing_ok=True)
            shutil.rmtree(partials, ignore_errors=True)
            beyond += 1


def _clean_partials(folder: Path, right: Tile) -> None:
    """Remove the partial tiles that are wider than `right` or not its beginning."""
    partials = _paths(folder, right.level, right.index)[1]
    found = [p for p in partials.glob("*") if p.name.isdecimal()]
    if found and right.width:
        content = (folder / right.path).read_bytes()
    for path in found:
        narrow = Tile(right.level, right.index, int(path.name))
        if narrow.width > right.width or path.read_bytes() != cut(content, narrow):
            path.unlink()


def _paths(folder: Path, level: int, index: int) -> tuple[Path, Path]:
    full = folder / Tile(level, index).path
    return full, full.with_name(f"{full.name}.p")


def cut(data: bytes, tile: Tile) -> bytes:
    """Return the part of a full (or wider) tile that the narrower `tile` holds."""
    if tile.level != ENTRIES:
        if len(data) % HASH_SIZE or len(data) < tile.width * HASH_SIZE:
            raise Invalid(f"{tile.path} has {len(data)} bytes.", REPAIR, tile.first)
        return data[: tile.width * HASH_SIZE]
    at = 0
    for i in range(tile.width):
        if at + 2 > len(data):
            raise Invalid(f"{tile.path} has too few entries.", REPAIR, tile.first + i)
        at += 2 + int.from_bytes(data[at : at + 2], "big")
    return data[:at]


def split_hashes(data: bytes) -> list[bytes]:
    """Return the hashes that stand in a tile one after the other."""
    return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]
