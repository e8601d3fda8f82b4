"""How long it takes from an entry handed in to a durable, signed checkpoint that covers it.

One contributor after the other hands a clue's commitment to a log of 20,000 entries: signed in
advance, everything else timed. The peer writes and fsyncs as many bytes on the same disk. With
others at it, four processes hand entries to one host over its socket.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from benchmarks import append, corpus
from benchmarks.harness import WORK, Figure
from danseo.log import signing
from danseo.log.host import Host, open_log
from danseo.log.note import parse_checkpoint, parse_note
from danseo.log.sequencer import Appended, Sequencer
from danseo.log.signing import Domain, Key
from danseo.log.wire import Signed

TIMES: Final = 1_000
GUESTS: Final = 4
EACH: Final = 250


def run() -> list[Figure]:
    """Measure one at a time, in process, then several processes through a host."""
    WORK.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=WORK))
    try:
        append.lay(home, corpus.log_of(append.SIZE), append.SIZE)
        with Sequencer(home) as log:
            alone, bare = _alone(log, home)
            shared = _shared(log, home)
    finally:
        shutil.rmtree(home)
    return [
        _figure("publish, median", alone, 50, bare),
        _figure("publish, 99th percentile", alone, 99, bare),
        _figure(f"publish through a host, {GUESTS} at once, median", shared, 50),
        _figure(f"publish through a host, {GUESTS} at once, 99th percentile", shared, 99),
    ]


def _figure(
    what: str, seconds: list[float], percent: int, bare: list[float] | None = None
) -> Figure:
    value = _percentile(seconds, percent) * 1000
    if bare is None:
        return Figure(what, value, "ms")
    peer = _percentile(bare, percent) * 1000
    return Figure(what, value, "ms", f"bare write and fsync: {peer:.2f} ms", value / peer)


def _percentile(seconds: list[float], percent: int) -> float:
    return statistics.quantiles(seconds, n=100)[percent - 1]


def _alone(log: Sequencer, home: Path) -> tuple[list[float], list[float]]:
    """Return seconds for each entry, and for a bare write and fsync of as many bytes."""
    ours, bare = [], []
    entries = _entries("alone", TIMES)
    file = os.open(home / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for entry in entries:
        started = time.perf_counter()
        (result,) = log.append([entry])
        ours.append(time.perf_counter() - started)
        if not isinstance(result, Appended):
            raise result
        started = time.perf_counter()
        os.write(file, bytes(600))
        os.fsync(file)
        bare.append(time.perf_counter() - started)
    os.close(file)
    note = parse_note((home / "log" / "checkpoint").read_bytes())
    if parse_checkpoint(note.text).size != log.size:
        raise RuntimeError("The checkpoint does not cover what was acknowledged.")
    return ours, bare


def _shared(log: Sequencer, home: Path) -> list[float]:
    with Host(log), get_context("spawn").Pool(GUESTS) as pool:
        rounds = pool.starmap(_guest, [(home, f"guest-{n}") for n in range(GUESTS)])
    return [seconds for one in rounds for seconds in one]


def _guest(home: Path, name: str) -> list[float]:
    """Hand in entries one by one, in a process of its own; return the seconds of each."""
    entries, seconds = _entries(name, EACH), []
    with open_log(home) as log:
        for entry in entries:
            started = time.perf_counter()
            (result,) = log.append([entry])
            seconds.append(time.perf_counter() - started)
            if not isinstance(result, Appended):
                raise result
    return seconds


def _entries(name: str, count: int) -> list[Signed]:
    """Return signed entries of one new author: a key to seal to, a new one each time."""
    key, domain = Key(sha256(name.encode()).digest()), Domain(corpus.CHAIN, corpus.ORIGIN)
    entries = []
    for n in range(count):
        public = sha256(f"{name} {n}".encode()).hexdigest()
        body, summary = {"x25519": public}, f"Register the sealing key {public:.16}"
        entries.append(signing.sign_entry(key, domain, "key.sealing", "", n, body, summary))
    return entries
