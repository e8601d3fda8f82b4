"""Read what a log has published: entries with their proofs, texts, and files by their hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from danseo.core.entry import Entry
from danseo.core.errors import Invalid, NotFound, Usage
from danseo.core.merkle import (
    Nodes,
    inclusion_proof,
    leaf_hash,
    range_root,
    subtree_root,
    verify_inclusion,
)
from danseo.log.blobs import Blobs
from danseo.log.note import Checkpoint, parse_checkpoint, parse_note
from danseo.log.source import Source
from danseo.log.tiles import CHECKPOINT, ENTRIES, WIDTH, Tile, decode_bundle, split_hashes
from danseo.log.wire import unwrap

_MAX_TEXT: Final = 1 << 20
_MAX_CHECKPOINT: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry with its author's signature, and the proof that the tree of `size` contains it."""

    entry: Entry
    signature: str
    leaf: bytes
    proof: tuple[bytes, ...]
    size: int
    root: bytes


def checkpoint(source: Source) -> tuple[Checkpoint, bytes]:
    """Return what the log's checkpoint states, and its bytes as they are signed."""
    data = source.read(CHECKPOINT, _MAX_CHECKPOINT)
    return parse_checkpoint(parse_note(data).text), data


def entries(source: Source, first: int, last: int) -> Iterator[Entry]:
    """Yield the entries from index `first` to before `last`."""
    size = checkpoint(source)[0].size
    for number in range(first // WIDTH, -(-min(last, size) // WIDTH)):
        for i, leaf in enumerate(_bundle(source, number, size)):
            if first <= number * WIDTH + i < last:
                yield unwrap(leaf)[0]


def proven(source: Source, index: int, size: int | None = None) -> Proven:
    """Return one entry and its inclusion proof, checked against the checkpoint.

    With `size`, an earlier size of the log, the proof is for the tree of that size.
    """
    head = checkpoint(source)[0]
    within = head.size if size is None else min(size, head.size)
    if not 0 <= index < within:
        raise NotFound(f"There is no entry {index}.", f"The log has {within}, counted from 0.")
    leaf = _bundle(source, index // WIDTH, head.size)[index % WIDTH]
    entry, signature, _ = unwrap(leaf)
    nodes = _nodes(source, head.size)
    root = head.root if within == head.size else range_root(0, within, nodes)
    proof = inclusion_proof(index, within, nodes)
    verify_inclusion(leaf_hash(leaf), index, within, proof, root)
    return Proven(entry, f"0x{signature.hex()}", leaf_hash(leaf), tuple(proof), within, root)


def root_at(source: Source, size: int) -> bytes:
    """Return the root (32 bytes) that the log's tree had when it held `size` entries.

    It is computed from the tiles; whether they are right, `verify` says.
    """
    head = checkpoint(source)[0]
    if not 1 <= size <= head.size:
        raise NotFound(f"The log never had {size} entries.", f"It has {head.size} now.")
    return head.root if size == head.size else range_root(0, size, _nodes(source, head.size))


def _nodes(source: Source, size: int) -> Nodes:
    """Return a reader of the tree's nodes, from the tiles of a log of `size` entries."""
    tiles: dict[Tile, list[bytes]] = {}

    def node(level: int, at: int) -> bytes:
        tile_level, inside = divmod(level, 8)
        number, offset = divmod(at << inside, WIDTH)
        width = min(WIDTH, (size >> 8 * tile_level) - number * WIDTH)
        tile = Tile(tile_level, number, width)
        if tile not in tiles:
            tiles[tile] = split_hashes(source.tile(tile))
        return subtree_root(tiles[tile][offset : offset + (1 << inside)])

    return node


def leaves(source: Source, number: int) -> list[bytes]:
    """Return the leaves of the bundle `number`, each of which holds 256."""
    return _bundle(source, number, checkpoint(source)[0].size)


def text(blobs: Blobs, name: str, withheld: Mapping[str, int]) -> str:
    """Return a text that an entry names, or say that it is withheld."""
    if name in withheld:
        return f"(withheld by entry {withheld[name]})"
    return blobs.get(name, _MAX_TEXT).decode("utf-8", "replace")


def save(blobs: Blobs, files: Mapping[str, str], out: Path) -> list[Path]:
    """Copy blobs to files of these names in the folder `out`, each checked against its hash.

    Nothing is overwritten, and no name leads out of the folder or hides in it: strangers
    choose them, and a shell or an interpreter obeys some hidden files.
    """
    targets = {}
    for name, blob in files.items():
        if name.startswith(".") or not name or "/" in name or not name.isprintable():
            raise Invalid(f"A file is called {name!r}.", "Do not save it: the name is a trap.")
        if (out / name).exists():
            raise Usage(f"{out / name} exists.", "Choose an empty folder.")
        targets[out / name] = blob
    out.mkdir(parents=True, exist_ok=True)
    for path, blob in targets.items():
        blobs.copy_to(blob, path)
    return list(targets)


def _bundle(source: Source, number: int, size: int) -> list[bytes]:
    tile = Tile(ENTRIES, number, min(WIDTH, size - number * WIDTH))
    return decode_bundle(source.tile(tile), tile)
