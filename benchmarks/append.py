"""How fast a log grows, durably.

A log of 20,000 real entries (challenges with their clues, scores and citations) is appended anew,
in groups of 256, through the whole of the sequencer: form, rules, journal, fsync, public tiles,
signed checkpoint. The peer, in turn with it on the same disk, writes the same leaves to a file and
fsyncs it for each group. Signatures are checked apart: their cost is that of public-key recovery,
which the benchmark `verify` measures. The same is done one entry at a time, and counted is how
often the disk is waited for.

Where a disk takes a group in half a millisecond, as one behind a cache does, the aim is out of
reach: that is 2 µs an entry, and reading and judging one takes Python some 50 µs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from benchmarks import corpus
from benchmarks.harness import WORK, Figure
from danseo.core.merkle import EMPTY
from danseo.log import keys, signing, tiles, wire
from danseo.log.journal import Journal
from danseo.log.sequencer import Appended, Sequencer
from danseo.log.wire import Signed

SIZE: Final = 20_000
GROUP: Final = 256
SINGLE: Final = 2_000
AIM: Final = 0.5


def run() -> list[Figure]:
    """Measure appends in groups, with and without signature checks, and one by one."""
    folder = corpus.log_of(SIZE)
    grouped = _measure(folder, SIZE, GROUP, check=False)
    checked = _measure(folder, SIZE, GROUP, check=True)
    single = _measure(folder, SINGLE, 1, check=False)
    return [
        grouped.figure(f"append in groups of {GROUP}, signature checks apart", AIM),
        checked.figure(f"append in groups of {GROUP}, signature checks included"),
        single.figure("append one by one, signature checks apart"),
        Figure("CPU time of an entry in a group", grouped.cpu / grouped.entries * 1e6, "µs"),
        Figure("fsyncs for a group", grouped.fsyncs, "fsyncs"),
        Figure("fsyncs for one entry alone", single.fsyncs, "fsyncs"),
        Figure("fsyncs in all, settling the journal included", grouped.all_fsyncs, "fsyncs/group"),
    ]


class _Measured:
    """Seconds that the sequencer and the bare disk took for the same groups."""

    def __init__(self) -> None:
        self.entries = 0
        self.ours = self.bare = self.cpu = 0.0
        self.counts: list[int] = []

    @property
    def fsyncs(self) -> int:
        """How many fsyncs a group needs: what most of them needed."""
        return sorted(self.counts)[len(self.counts) // 2]

    @property
    def all_fsyncs(self) -> float:
        return sum(self.counts) / len(self.counts)

    def figure(self, what: str, aim: float | None = None) -> Figure:
        ratio = self.bare / self.ours
        peer = f"bare write and fsync: {self.entries / self.bare:,.0f} entries/s"
        if aim is None:
            return Figure(what, self.entries / self.ours, "entries/s", peer, ratio)
        value = self.entries / self.ours
        return Figure(what, value, "entries/s", peer, ratio, f"at least {aim}", ratio >= aim)


def _measure(folder: Path, size: int, group: int, *, check: bool) -> _Measured:
    """Append all but the genesis to a fresh log, and the same leaves to a bare file, in turn."""
    measured = _Measured()
    WORK.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=WORK))
    bare = os.open(home / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        leaves = lay(home, folder, 1)[:size]
        entries = [_signed(leaf) for leaf in leaves[1:]]
        times = iter([wire.entry_of(leaf).time for leaf in leaves[1:]])
        with Sequencer(home, clock=lambda: next(times)) as log, _signatures(check):
            for at in range(0, len(entries), group):
                with _counting(measured.counts):
                    started, busy = time.perf_counter(), time.process_time()
                    results = log.append(entries[at : at + group])
                    measured.ours += time.perf_counter() - started
                    measured.cpu += time.process_time() - busy
                if not all(isinstance(result, Appended) for result in results):
                    raise RuntimeError(f"Entries near {at} were refused: {results}")
                data = b"".join(leaves[at + 1 : at + 1 + group])
                started = time.perf_counter()
                os.write(bare, data)
                os.fsync(bare)
                measured.bare += time.perf_counter() - started
            measured.entries = len(entries)
    finally:
        os.close(bare)
        shutil.rmtree(home)
    return measured


def _leaves(folder: Path) -> list[bytes]:
    leaves = []
    for tile in tiles.tiles_of(SIZE):
        if tile.level == tiles.ENTRIES:
            leaves += tiles.decode_bundle(tiles.read_tile(folder, tile), tile)
    return leaves


def _signed(leaf: bytes) -> Signed:
    entry, signature, _ = wire.unwrap(leaf)
    return Signed(
        entry.author,
        entry.kind,
        entry.challenge,
        entry.sequence,
        entry.summary,
        entry.body,
        signature,
    )


def lay(home: Path, folder: Path, size: int) -> list[bytes]:
    """Lay the beginning of `corpus`'s log in `folder` as the log of a host, and return its leaves.

    `size` is how many of its entries the host has at first.
    """
    leaves = _leaves(folder)
    keys.write_private(home / "host" / "log.key", sha256(b"log key").hexdigest().encode())
    journal = Journal.create(home / "host" / "journal", 0, EMPTY)
    journal.append(leaves[:size])
    journal.close()
    return leaves


@contextlib.contextmanager
def _signatures(check: bool) -> Iterator[None]:
    real = signing.check
    if not check:
        signing.check = lambda *_: None
    try:
        yield
    finally:
        signing.check = real


@contextlib.contextmanager
def _counting(counts: list[int]) -> Iterator[None]:
    real, calls = os.fsync, 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]
    try:
        yield
    finally:
        os.fsync = real
        counts.append(calls)
