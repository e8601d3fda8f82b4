"""How long it takes from a person's act to a durable, signed checkpoint that covers it.

First the entry alone: entries signed in advance are handed one by one to a log of 20,000, and all
the rest is timed. The peer writes and fsyncs as many bytes on the same disk. With others at it,
four processes hand entries to one host over its socket. Then all of `clue publish`: the draft with
its salt, the commitment, the files stored as blobs, the reveal; once as the use case in a running
process, and once as the command, with Python's start.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from benchmarks import append, corpus
from benchmarks.harness import WORK, Figure
from danseo import app as wiring
from danseo import settings as configuration
from danseo.flows import clues
from danseo.flows.clues import Making
from danseo.log import signing
from danseo.log.host import Host, open_log
from danseo.log.note import parse_checkpoint, parse_note
from danseo.log.sequencer import Appended, Sequencer
from danseo.log.signing import Domain, Key
from danseo.log.wire import Signed

TIMES: Final = 1_000
GUESTS: Final = 4
EACH: Final = 250
CLUES: Final = 200
COMMANDS: Final = 10


def run() -> list[Figure]:
    """Measure one at a time, in process, then several processes through a host."""
    WORK.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=WORK))
    try:
        append.lay(home, corpus.log_of(append.SIZE), append.SIZE)
        with Sequencer(home) as log:
            alone, bare = _alone(log, home)
            shared = _shared(log, home)
        whole, command = _clues(home / "prize")
    finally:
        shutil.rmtree(home)
    return [
        _figure("publish, median", alone, 50, bare),
        _figure("publish, 99th percentile", alone, 99, bare),
        _figure(f"publish through a host, {GUESTS} at once, median", shared, 50),
        _figure(f"publish through a host, {GUESTS} at once, 99th percentile", shared, 99),
        _figure("clue publish, as a use case, median", whole, 50),
        _figure("clue publish, as a use case, 99th percentile", whole, 99),
        _figure("clue publish, as a command with Python's start, median", command, 50),
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


def _clues(home: Path) -> tuple[list[float], list[float]]:
    """Return seconds for each `clue publish`: as the use case, and as the command."""
    _danseo("init", str(home), "--simulated", "--people")
    _danseo("challenge", "open", str(home / "challenge.toml"), "--home", str(home))
    _danseo("challenge", "acknowledge", "example", "--everyone", "--home", str(home))
    settings = configuration.load({"DANSEO_HOME": str(home)})
    key = wiring.load_key(settings, "contributor-1", str)
    guess = home / "guess.csv"
    whole, command = [], []
    with wiring.desk(settings) as desk:
        for n in range(CLUES):
            guess.write_text(f"{n}\n" * 60)
            made = Making(f"Guess {n}", "All alike.", "predictions", "CC0-1.0", guess)
            started = time.perf_counter()
            clues.publish(desk, key, "example", made)
            whole.append(time.perf_counter() - started)
    for n in range(COMMANDS):
        guess.write_text(f"{-n}\n" * 60)
        words = ["clue", "publish", "example", str(guess), "--title", f"Guess {-n}"]
        started = time.perf_counter()
        _danseo(*words, "--home", str(home), "--key", "contributor-1")
        command.append(time.perf_counter() - started)
    return whole, command


def _danseo(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "danseo", *words], check=True, stdout=subprocess.DEVNULL)


def _entries(name: str, count: int) -> list[Signed]:
    """Return signed entries of one new author: a key to seal to, a new one each time."""
    key, domain = Key(sha256(name.encode()).digest()), Domain(corpus.CHAIN, corpus.ORIGIN)
    entries = []
    for n in range(count):
        public = sha256(f"{name} {n}".encode()).hexdigest()
        body, summary = {"x25519": public}, f"Register the sealing key {public:.16}"
        entries.append(signing.sign_entry(key, domain, "key.sealing", "", n, body, summary))
    return entries
