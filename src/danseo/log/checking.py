"""Check bundles of entries by themselves: their form, their signatures, their place.

That is most of the work of verifying a log, and no bundle needs another for it, so it is done on
all cores. Bundles are handed on in order; at most a few are in memory at a time.
"""

from __future__ import annotations

import functools
import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final, NoReturn

from danseo.core.entry import Entry
from danseo.core.errors import DanseoError, Invalid, OutOfOrder, Refused, Unavailable
from danseo.core.merkle import leaf_hash
from danseo.log.signing import Domain, check_signer
from danseo.log.source import Source
from danseo.log.tiles import ENTRIES, WIDTH, Tile, split_bundle, tiles_of
from danseo.log.wire import unwrap

FEW: Final = 32 * WIDTH
"""Entries up to which starting processes would take longer than it saves."""
FETCHERS: Final = 8
"""Files that are fetched from a server at the same time."""
BAD_ENTRY: Final = (
    "Fetch the log again from its host or a mirror; if it stays so, do not rely on anything from "
    "this entry on."
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a process must know to check a bundle: the log's domain, its site, what is trusted."""

    chain_id: int
    origin: str
    site: str
    trusted: int


@dataclass(frozen=True, slots=True)
class Fault:
    """The first bad entry of a bundle."""

    index: int
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle of entries as it was read, with the tile of hashes beside it."""

    tile: Tile
    data: bytes
    hashes: bytes


@dataclass(slots=True)
class Checked:
    """What was found in one bundle: the hashes of its leaves, and its first fault if any.

    `entries` are those before the fault; a process leaves them out, since decoding them again is
    cheaper than sending them.
    """

    hashes: bytes
    fault: Fault | None
    entries: list[Entry] = field(default_factory=list)


# --- one bundle ---------------------------------------------------------------------------------


Unwrapped = tuple[Entry, bytes, bytes]


def _check_bundle(data: bytes, tile: Tile, terms: Terms) -> Checked:
    """Check a bundle by itself: form, signatures, and that each entry has its own index.

    First every leaf is unwrapped, then every signature checked: the tables of the curve and the
    decoder would drive each other out of the processor's cache.
    """
    hashes, fault = bytearray(), None
    found: list[Unwrapped] = []
    index = tile.first
    try:
        for leaf in split_bundle(data, tile):
            hashes += leaf_hash(leaf)
            found.append(unwrap_at(leaf, index))
            index += 1
    except Invalid as error:  # the bundle itself is broken
        fault = Fault(index, error.message, error.remedy)
    except Refused as error:
        fault = _invalid(index, error)
    return Checked(bytes(hashes), check_signatures(found, terms) or fault, [f[0] for f in found])


def unwrap_at(leaf: bytes, index: int) -> Unwrapped:
    """Unwrap a leaf; raise a `Refused` for a bad form, or if it says that it stands elsewhere."""
    found = unwrap(leaf)
    if found[0].index != index:
        raise OutOfOrder(f"It says that it is entry {found[0].index}.", BAD_ENTRY)
    return found


def check_signatures(found: Sequence[Unwrapped], terms: Terms) -> Fault | None:
    """Return the first entry that its author did not sign for this log, if there is one."""
    digest = Domain(terms.chain_id, terms.origin).digest
    signed = [
        (entry, digest(entry.kind, entry.challenge, entry.summary, body, entry.sequence), signature)
        for entry, signature, body in found
        if entry.index >= terms.trusted
    ]
    for entry, hashed, signature in signed:
        try:
            check_signer(entry, hashed, signature, terms.site)
        except Refused as error:
            return _invalid(entry.index, error)
    return None


def _invalid(index: int, error: Refused) -> Fault:
    return Fault(index, f"Entry {index} is not valid: {error.message}", BAD_ENTRY)


# --- all of them --------------------------------------------------------------------------------

_worker_terms: Terms


def check_all(
    source: Source, size: int, terms: Terms, workers: int
) -> Iterator[tuple[Bundle, Checked]]:
    """Yield every bundle, checked, in order; at most a few of them are in memory.

    What goes wrong in reading ahead is raised when its turn comes, so that the first fault counts.
    """
    bundles = (tile for tile in tiles_of(size) if tile.level == ENTRIES)
    fetched = _fetch_ahead(source, bundles) if source.remote else _fetch(source, bundles)
    if workers <= 1 or size <= FEW:
        for get in fetched:
            bundle = get()
            yield bundle, _check_bundle(bundle.data, bundle.tile, terms)
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(workers, context, _start, (terms,))
    waiting: deque[Callable[[], tuple[Bundle, Checked]]] = deque()
    try:
        for get in fetched:
            waiting.append(_submit(pool, get))
            if len(waiting) > 2 * workers:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()
    except BrokenProcessPool:
        raise Unavailable(
            "A process that checked entries was killed.",
            "Was memory short? Verify again with one worker.",
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor, get: Callable[[], Bundle]
) -> Callable[[], tuple[Bundle, Checked]]:
    """Let a process check a bundle; return what waits for it, or raises what reading it raised."""
    try:
        bundle = get()
    except DanseoError as error:
        return functools.partial(_raise, error)
    future = pool.submit(_check_in_process, bundle.data, bundle.tile)
    return lambda: (bundle, future.result())


def _raise(error: DanseoError) -> NoReturn:
    raise error


def _start(terms: Terms) -> None:
    global _worker_terms  # noqa: PLW0603 - what a pool gives its processes
    _worker_terms = terms
    gc.disable()


def _check_in_process(data: bytes, tile: Tile) -> Checked:
    found = _check_bundle(data, tile, _worker_terms)
    found.entries = []
    return found


def _read(source: Source, tile: Tile) -> Bundle:
    return Bundle(tile, source.tile(tile), source.tile(Tile(0, tile.index, tile.width)))


def _fetch(source: Source, bundles: Iterable[Tile]) -> Iterator[Callable[[], Bundle]]:
    for tile in bundles:
        yield functools.partial(_read, source, tile)


def _fetch_ahead(source: Source, bundles: Iterable[Tile]) -> Iterator[Callable[[], Bundle]]:
    """Read bundles from a server, several at a time; what is yielded waits for its own."""
    pool = ThreadPoolExecutor(FETCHERS)
    waiting: deque[Future[Bundle]] = deque()
    try:
        for tile in bundles:
            waiting.append(pool.submit(_read, source, tile))
            if len(waiting) > FETCHERS:
                yield waiting.popleft().result
        while waiting:
            yield waiting.popleft().result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
