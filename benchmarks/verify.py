"""How fast a log of 200,000 signed entries is verified, everything checked, beside bare recovery.

The log (`benchmarks.corpus`) holds real signatures by two hundred people, challenges with a
thousand clues each, and two blobs a clue. The peer recovers the public key of each of the same
signatures over the same digests with `coincurve` and does nothing else. Verification and peer
take turns, and the best of each counts, so that what else the machine does disturbs both alike.
On one core it is processor time that counts, on two cores the time on the wall.

Memory is measured in processes of their own: what `verify` holds at its peak, less what folding
the same entries alone leaves behind.

On one core the aim is missed. Beyond recovery an entry costs some 45 µs of Python: 9 to read it in
its one form and hash it, 3 for what was signed, 12 to fold it, 8 for its blobs, the rest for the
tree, the tiles and the walk. Bare recovery takes 45 µs too, so half the time is the curve's.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import coincurve

from benchmarks.corpus import CHAIN, ORIGIN, log_of
from benchmarks.harness import Figure, write
from danseo.core.state import State, apply
from danseo.log.note import parse_checkpoint, parse_note
from danseo.log.signing import Domain
from danseo.log.source import FolderSource
from danseo.log.tiles import CHECKPOINT, ENTRIES, decode_bundle, tiles_of
from danseo.log.verify import verify
from danseo.log.wire import entry_of, unwrap

SIZE: Final = 200_000
SMALL: Final = 50_000
ROUNDS: Final = 2
_PEER: Final = "bare coincurve recovery of the same signatures"

Signature = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds that something took: of this process's processor time, and on the wall."""

    busy: float
    wall: float


def run() -> list[Figure]:
    """Measure and return the figures."""
    folder, small = log_of(SIZE), log_of(SMALL)
    signatures = list(_signatures(folder))
    bare: list[Taken] = []
    bare_two: list[Taken] = []
    one: list[Taken] = []
    unread: list[Taken] = []
    two: list[Taken] = []
    for _ in range(ROUNDS):
        bare.append(_measure(lambda: _recover(signatures)))
        one.append(_measure(lambda: _verify(folder, 1)))
        unread.append(_measure(lambda: _verify(folder, 1, blobs=False)))
        bare_two.append(_measure(lambda: _recover_on_two(signatures)))
        two.append(_measure(lambda: _verify(folder, 2)))
    busy = min(t.busy for t in bare)
    ratio = busy / min(t.busy for t in one)
    gain, peer_gain = _gain(one, two), _gain(bare, bare_two)
    return [
        Figure(
            "entries verified on one core, everything checked",
            SIZE / min(t.busy for t in one),
            "entries/s",
            f"{_PEER}: {SIZE / busy:,.0f}/s",
            ratio,
            "at least 0.6",
            ratio >= 0.6,
        ),
        Figure(
            "entries verified on one core, blobs left unread",
            SIZE / min(t.busy for t in unread),
            "entries/s",
            f"{_PEER}: {SIZE / busy:,.0f}/s",
            busy / min(t.busy for t in unread),
        ),
        Figure(
            "gain of two cores over one",
            gain,
            "times",
            f"{_PEER} on two cores: {peer_gain:.2f} times",
            gain / peer_gain,
            "at least 0.8",
            gain / peer_gain >= 0.8,
        ),
        *_memory(folder, small),
    ]


def _memory(folder: Path, small: Path) -> list[Figure]:
    """Return what verification holds beyond the state, for a large log and for a small one."""
    state, small_state = _apart(_fold_alone, folder), _apart(_fold_alone, small)
    beyond = _apart(_verify_unread, folder) - state
    small_beyond = _apart(_verify_unread, small) - small_state
    growth = (beyond - small_beyond) / (SIZE - SMALL)
    names = _apart(_verify_alone, folder) - state - beyond
    return [
        Figure("folded state", state / SIZE, "bytes an entry"),
        Figure(
            f"memory beyond the state, {SIZE:,} entries",
            beyond / 2**20,
            "MiB",
            f"{SMALL:,} entries: {small_beyond / 2**20:.1f} MiB",
            beyond / small_beyond,
            "flat: at most 32 bytes more for an entry more",
            growth <= 32,
        ),
        Figure("the names of blobs, on top of it", names / SIZE, "bytes an entry"),
    ]


def _signatures(folder: Path) -> Iterator[Signature]:
    """Yield the digest of each entry, and its signature as `coincurve` takes it."""
    source, domain = FolderSource(folder), Domain(CHAIN, ORIGIN)
    for tile in tiles_of(SIZE):
        if tile.level == ENTRIES:
            for leaf in decode_bundle(source.tile(tile), tile):
                entry, signature, body = unwrap(leaf)
                digest = domain.digest(
                    entry.kind, entry.challenge, entry.summary, body, entry.sequence
                )
                yield digest, signature[:64] + bytes([signature[64] - 27])


def _recover(signatures: list[Signature]) -> int:
    for digest, signature in signatures:
        coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    return len(signatures)


def _recover_on_two(signatures: list[Signature]) -> None:
    parts = [signatures[i : i + 2000] for i in range(0, len(signatures), 2000)]
    with ProcessPoolExecutor(2, get_context("forkserver")) as pool:
        sum(pool.map(_recover, parts))


def _verify(folder: Path, workers: int, *, blobs: bool = True) -> None:
    with FolderSource(folder) as source:
        verify(source, workers=workers, blobs=blobs)


def _measure(act: Callable[[], object]) -> Taken:
    gc.collect()
    busy, wall = time.process_time(), time.perf_counter()
    act()
    return Taken(time.process_time() - busy, time.perf_counter() - wall)


def _gain(one: list[Taken], two: list[Taken]) -> float:
    return min(t.wall for t in one) / min(t.wall for t in two)


def _apart(act: Callable[[Path], int], folder: Path) -> int:
    """Return what `act` says in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(act, folder).result()


def _fold_alone(folder: Path) -> int:
    """Return the bytes of memory that the folded state takes."""
    source, state = FolderSource(folder), State()
    size = parse_checkpoint(parse_note(source.read(CHECKPOINT, 1 << 16)).text).size
    gc.disable()
    before = _resident()
    for tile in tiles_of(size):
        if tile.level == ENTRIES:
            for leaf in decode_bundle(source.tile(tile), tile):
                apply(state, entry_of(leaf))
    return _resident() - before


def _verify_alone(folder: Path) -> int:
    """Return the bytes of memory that verification takes at its peak, the state included."""
    before = _resident()
    _verify(folder, 1)
    return _peak() - before


def _verify_unread(folder: Path) -> int:
    """Return the same with blobs left unread."""
    before = _resident()
    _verify(folder, 1, blobs=False)
    return _peak() - before


def _peak() -> int:
    """Return the most memory that this process held; `getrusage` would count its parent's, too."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    write("verify", run())
    sys.exit()
