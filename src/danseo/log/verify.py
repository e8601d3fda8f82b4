"""Verify a log from its files alone: *verify, don't trust*.

Every bundle of entries is checked by itself (`log.checking`), on all cores; the entries
are then folded in order by one process, which also rebuilds the tree and compares every tile,
checkpoint and blob with it. At most a few bundles are in memory at a time, so what grows with the
log is the folded state and a hash for each blob.

The first failure is raised as `Invalid`, with the index of the first bad entry where one is bad,
and with what to do next. What the entries say of scores is not checked here: `hooks` can.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from danseo.core import state as core_state
from danseo.core.entry import Entry, parse
from danseo.core.errors import Invalid, NotFound, OutOfOrder, Refused
from danseo.core.merkle import HASH_SIZE, Tree, subtree_root
from danseo.core.state import State
from danseo.log.blobcheck import UNNAMED, BlobCheck, Withheld
from danseo.log.blobs import parse_blob_path
from danseo.log.checking import (
    BAD_ENTRY,
    Bundle,
    Checked,
    Fault,
    Terms,
    check_all,
    check_signatures,
    unwrap_at,
)
from danseo.log.note import MAX_NOTE, Checkpoint, Note, Verifier, parse_checkpoint, parse_note
from danseo.log.source import Source
from danseo.log.tiles import (
    CHECKPOINT,
    ENTRIES,
    REPAIR,
    WIDTH,
    Tile,
    cut,
    decode_bundle,
    parse_path,
    split_bundle,
    split_hashes,
)
from danseo.log.wire import entry_of

Fold = Callable[[State, Entry], None]
Hook = Callable[[State, Entry], None]
Progress = Callable[[int, int], None]


_HEIGHT: Final = 8
"""Levels of the tree that a tile spans: 2^8 = `WIDTH`."""
_DO_NOT_RELY: Final = "Do not rely on this log; keep a copy and ask its host for an explanation."
_KEEP: Final = "Keep both checkpoints: together they prove what the host did. Ask for an answer."


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified: every check in `checks` held for all of it."""

    place: str
    origin: str
    size: int
    root: bytes
    time: int
    clock: str
    state: State
    blobs: int
    withheld: tuple[Withheld, ...]
    checks: tuple[str, ...]


def verify(
    source: Source,
    *,
    saved: Sequence[bytes] = (),
    since: bytes | None = None,
    workers: int | None = None,
    blobs: bool = True,
    hooks: Sequence[Hook] = (),
    state: State | None = None,
    fold: Fold = core_state.apply,
    progress: Progress | None = None,
) -> Report:
    """Verify the log of `source` and return what it says; raise `Invalid` at the first fault.

    `saved` are checkpoints that the user kept: the log must extend each of them. `since` is one up
    to which the user has verified the log before: signatures before it are not checked again,
    though everything is hashed and folded. `workers` is the number of processes (by default one a
    core; 1 uses none but this one). `blobs=False` leaves blobs unread. `hooks` are asked before
    each entry is folded and refuse it by raising a `Refused`. `progress` is told (done, all).
    """
    run = _Run(source, blobs, hooks, state or State(), fold)
    run.open([*saved, *([since] if since is not None else [])], since)
    count = workers or len(os.sched_getaffinity(0))
    total = run.point.size
    with _no_collections():
        for bundle, found in check_all(source, total, run.terms, count):
            run.take(bundle, found)
            if progress is not None:
                progress(bundle.tile.first + bundle.tile.width, total)
    return run.close()


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep the garbage collector still: the fold makes millions of objects and no cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Run:
    """One verification: what is known so far, in the order of the entries."""

    def __init__(
        self, source: Source, read_blobs: bool, hooks: Sequence[Hook], state: State, fold: Fold
    ) -> None:
        self.source, self.hooks, self.state, self.fold = source, hooks, state, fold
        self.point: Checkpoint
        self.terms: Terms
        self.tree = Tree()
        self._note: Note
        self._saved: list[tuple[Note, Checkpoint]] = []
        self._levels: list[bytearray] = []
        self._withheld: list[Withheld] = []
        self._partials: dict[tuple[int, int], list[int]] | None = None
        self._blobs = BlobCheck(source) if read_blobs else None

    # --- before the entries ---------------------------------------------------------------------

    def open(self, saved: Sequence[bytes], since: bytes | None) -> None:
        """Read the checkpoint and the genesis entry, and see which files are there."""
        tiles = self._list_files()  # before the checkpoint, so that a log may grow meanwhile
        self._note = parse_note(self._read_checkpoint())
        self.point = parse_checkpoint(self._note.text)
        if self.point.size == 0:
            raise Invalid("The log is empty: it has no genesis entry.", _DO_NOT_RELY)
        for data in saved:
            try:
                note = parse_note(data)
                self._saved.append((note, parse_checkpoint(note.text)))
            except Invalid as error:
                raise Invalid(
                    f"A saved checkpoint is damaged: {error.message}", "Use another copy of it."
                ) from None
        for _, point in self._saved:
            self._check_lineage(point)
        self._check_tiles(tiles)
        trusted = parse_checkpoint(parse_note(since).text).size if since is not None else 0
        self.terms = self._read_genesis(trusted)
        if self.terms.origin != self.point.origin:
            raise Invalid(
                f"The checkpoint is of the log {self.point.origin}, the genesis entry of "
                f"{self.terms.origin}.",
                _DO_NOT_RELY,
            )

    def _read_checkpoint(self) -> bytes:
        try:
            return self.source.read(CHECKPOINT, MAX_NOTE)
        except NotFound:
            raise Invalid(
                f"{self.source.place} has no checkpoint.",
                "Is it a log? If so, ask its host, who can sign it anew.",
            ) from None

    def _check_lineage(self, saved: Checkpoint) -> None:
        if saved.origin != self.point.origin:
            raise Invalid(
                f"The saved checkpoint is of {saved.origin}, this log is {self.point.origin}.",
                "Compare it with the log that it came from.",
            )
        if saved.size > self.point.size:
            raise Invalid(
                f"The log was rolled back: the saved checkpoint is of {saved.size} entries, "
                f"and the log has {self.point.size}.",
                _KEEP,
                self.point.size,
            )

    def _list_files(self) -> list[Tile] | None:
        """Return the tiles that are there, None where nothing can be listed; note the blobs."""
        files = self.source.files()
        if files is None:
            return None
        tiles: list[Tile] = []
        found: dict[bytes, int] | None = None
        if self._blobs is not None and self.source.blobs is None:
            found = self._blobs.found
        for path in files:
            blob, tile = parse_blob_path(path), None
            if blob is not None:
                if found is not None:
                    found[bytes.fromhex(blob)] = UNNAMED
            elif (tile := parse_path(path)) is not None:
                tiles.append(tile)
            elif path != CHECKPOINT:
                raise Invalid(f"{path} is no file of a log.", "Remove it.")
        return tiles

    def _check_tiles(self, tiles: list[Tile] | None) -> None:
        """Refuse tiles that no log of this size has; note older partial ones for comparison."""
        if tiles is None:
            return
        self._partials = {}
        for tile in sorted(tiles):
            if not tile.exists_in(self.point.size):
                raise Invalid(
                    f"{tile.path} is no file of a log of {self.point.size} entries.",
                    "Remove it. If the log is being written to just now, verify again.",
                    tile.first,
                )
            self._partials.setdefault((tile.level, tile.index), []).append(tile.width)

    def _read_genesis(self, trusted: int) -> Terms:
        tile = Tile(ENTRIES, 0, min(WIDTH, self.point.size))
        try:
            found = unwrap_at(next(split_bundle(self.source.tile(tile), tile)), 0)
            entry, body = found[0], found[0].body
            if entry.kind != "log.genesis":
                raise OutOfOrder(f"It is of kind {entry.kind}.", "A log begins with its genesis.")
            parse(entry.kind, body)
            terms = Terms(body["chain_id"], body["origin"], body.get("site", ""), trusted)
        except Refused as error:
            raise Invalid(f"Entry 0 is no genesis: {error.message}", _DO_NOT_RELY, 0) from None
        fault = check_signatures([found], terms)
        if fault is not None:
            raise Invalid(fault.message, fault.remedy, fault.index)
        return terms

    # --- the entries ----------------------------------------------------------------------------

    def take(self, bundle: Bundle, found: Checked) -> None:
        """Fold a bundle that was checked, grow the tree by it, and compare the tiles."""
        tile, data, first = bundle.tile, bundle.data, bundle.tile.first
        hashes, fault = found.hashes, found.fault
        differs = _first_difference(hashes, bundle.hashes)
        if differs is not None and (fault is None or first + differs < fault.index):
            fault = Fault(
                first + differs,
                f"Entry {first + differs} does not have the hash that its tile says.",
                REPAIR,
            )
        entries = found.entries or [entry_of(leaf) for leaf in _before(data, tile, fault)]
        try:
            for entry in entries:
                if fault is not None and entry.index >= fault.index:
                    break
                self._fold(entry)
            if fault is not None:
                raise Invalid(fault.message, fault.remedy, fault.index)
        finally:
            if self._blobs is not None:
                self._blobs.look()  # also on a fault: a blob named before it may be the first
        self._grow(first, hashes)
        self._compare_older(tile, data)

    def _fold(self, entry: Entry) -> None:
        try:
            for hook in self.hooks:
                hook(self.state, entry)
            self.fold(self.state, entry)
            if entry.kind == "blob.withhold":
                body = entry.body
                self._withheld.append(
                    Withheld(body["blob"], entry.index, body["reason"], entry.time)
                )
            if self._blobs is not None:
                self._blobs.named(entry)
        except Refused as error:
            raise Invalid(
                f"Entry {entry.index} breaks a rule: {error.message}",
                BAD_ENTRY,
                entry.index,
            ) from error

    def _grow(self, first: int, hashes: bytes) -> None:
        """Append the leaves' hashes to the tree; compare it with checkpoints saved on the way."""
        rows = split_hashes(hashes)
        end = first + len(rows)
        node = subtree_root(rows) if len(rows) == WIDTH else b""
        stops = {p.size for _, p in self._saved if first < p.size <= end}
        if node and not stops - {end}:
            self.tree.append_node(_HEIGHT, node)
        for stop in sorted(stops | {end}):
            self.tree.extend(rows[self.tree.size - first : stop - first])
            for _, point in self._saved:
                if point.size == stop and point.root != self.tree.root():
                    raise Invalid(
                        f"The log was rewritten: its first {stop} entries have another root than "
                        "the saved checkpoint says.",
                        _KEEP,
                    )
        self._push(0, hashes, node)

    def _push(self, level: int, hashes: bytes, node: bytes = b"") -> None:
        """Add hashes to a level of tiles; compare each tile that is full, and its parts.

        `node` is the root over `hashes` where they are a full tile and it is known.
        """
        while level >= len(self._levels):
            self._levels.append(bytearray())
        held = self._levels[level]
        held += hashes
        if len(held) < WIDTH * HASH_SIZE:
            return
        done = bytes(held)
        held.clear()
        self._compare(Tile(level, self.tree.size - 1 >> _HEIGHT * (level + 1)), done)
        self._push(level + 1, node or subtree_root(split_hashes(done)))

    def _compare(self, tile: Tile, data: bytes) -> None:
        """Compare a tile of hashes with what it must be. Those of level 0 were compared before."""
        if tile.level:
            stored = self.source.tile(tile)
            if data != stored:
                raise Invalid(
                    f"{tile.path} differs from the hashes of the tiles below it.",
                    REPAIR,
                    _first_altered(tile, data, stored),
                )
        self._compare_older(tile, data)

    def _compare_older(self, tile: Tile, data: bytes) -> None:
        """Compare the narrower tiles that earlier trees had with the beginning of this one."""
        if self._partials is None:
            return
        for width in self._partials.pop((tile.level, tile.index), []):
            older = Tile(tile.level, tile.index, width)
            if width == tile.width:
                continue
            stored, right = self.source.tile(older), cut(data, older)
            if stored != right:
                raise Invalid(
                    f"{older.path} differs from the tile that it grew to.",
                    REPAIR,
                    _first_altered(older, right, stored),
                )

    # --- after the entries ----------------------------------------------------------------------

    def close(self) -> Report:
        """Compare the last tiles, the root and the checkpoint's signature; report."""
        for level, held in enumerate(self._levels):
            if held:
                index = self.tree.size >> _HEIGHT * (level + 1)
                self._compare(Tile(level, index, len(held) // HASH_SIZE), bytes(held))
        if self.tree.root() != self.point.root:
            raise Invalid(
                f"The checkpoint states another root than its {self.point.size} entries have.",
                _DO_NOT_RELY,
            )
        keys = [Verifier(self.terms.origin, bytes.fromhex(k)) for k in _log_keys(self.state)]
        if keys[-1] not in self._note.signers(keys):
            raise Invalid(
                "The checkpoint is not signed by the key that the log names last.", _DO_NOT_RELY
            )
        for note, point in self._saved:
            if not note.signers(keys):
                raise Invalid(
                    f"No key of this log signed the saved checkpoint of {point.size} entries.",
                    "Was it saved from this log?",
                )
        count, withheld = 0, self._withheld
        if self._blobs is not None:
            count, withheld = self._blobs.close(withheld)
        return Report(
            place=self.source.place,
            origin=self.point.origin,
            size=self.tree.size,
            root=self.point.root,
            time=self.state.now,
            clock=self.state.clock,
            state=self.state,
            blobs=count,
            withheld=tuple(withheld),
            checks=self._checks(),
        )

    def _checks(self) -> tuple[str, ...]:
        checks = [
            "every entry in its one canonical form",
            "every signature by the stated author, for this log",
            "every entry within the rules, in order of index, time and sequence",
            "every tile equal to the one recomputed",
            "the checkpoint's root, origin and signature",
        ]
        if self.terms.trusted:
            checks[1] += f", from entry {self.terms.trusted} on"
        checks += [f"extends the saved checkpoint of {p.size} entries" for _, p in self._saved]
        if self._blobs is not None:
            checks.append("every blob there, and what its name says")
        if self._partials is not None:
            checks.append("no file that the log does not need")
        return tuple(checks)


def _log_keys(state: State) -> list[str]:
    """Return every key that signed checkpoints of this log, the one in force last."""
    return [key for _, key in state.log_keys]


def _first_difference(computed: bytes, stored: bytes) -> int | None:
    """Return the position of the first hash in which the two differ, or None if they are equal."""
    if computed == stored:
        return None
    count = min(len(computed), len(stored)) // HASH_SIZE
    for i in range(count):
        span = slice(i * HASH_SIZE, (i + 1) * HASH_SIZE)
        if computed[span] != stored[span]:
            return i
    return min(count, max(len(computed), len(stored)) // HASH_SIZE - 1)


def _first_altered(tile: Tile, right: bytes, stored: bytes) -> int:
    """Return the index of the first entry in whose part of a tile the two differ."""
    if tile.level != ENTRIES:
        return tile.first + ((_first_difference(right, stored) or 0) << 8 * tile.level)
    equal = next((i for i, (a, b) in enumerate(zip(right, stored, strict=False)) if a != b), -1)
    at, index = 0, tile.first
    for leaf in decode_bundle(right, tile):
        at += 2 + len(leaf)
        if 0 <= equal < at:
            return index
        index += 1
    return index - 1


def _before(data: bytes, tile: Tile, fault: Fault | None) -> Iterator[bytes]:
    """Yield the leaves of a bundle that stand before its fault."""
    count = tile.width if fault is None else fault.index - tile.first
    if count == tile.width:
        yield from decode_bundle(data, tile)
        return
    leaves = split_bundle(data, tile)
    for _ in range(count):
        yield next(leaves)
