"""A crash at any point loses nothing that was acknowledged, and the log opens again."""

from __future__ import annotations

import copy
import os
import random
import signal
import time
from pathlib import Path

import pytest

from danseo.core.errors import NotFound
from danseo.core.merkle import Tree, leaf_hash
from danseo.log import keys, signing, snapshot
from danseo.log.sequencer import Appended, Sequencer
from danseo.log.source import FolderSource
from danseo.log.verify import verify
from tests.log import writing
from tests.log.disk import Disk, Operation, Recorder
from tests.log.writing import DOMAIN, OPERATOR, OTHER, START, check_public, leaves_of, tick, ticks

RULES = [("kill", 0), ("none", 0), ("names", 0), ("some", 1)]


def test_kills_at_random_points_of_200_appends_lose_nothing(tmp_path):
    writing.create(tmp_path, settle=40).close()
    chance = random.Random(1)
    acknowledged = kills = 0
    while acknowledged < 200:
        acknowledged = max(acknowledged, append_until_killed(tmp_path, chance))
        kills += 1
        with Sequencer(tmp_path) as log:
            assert log.size > acknowledged
            acknowledged = log.size - 1
            assert log.root
        assert len(leaves_of(tmp_path / "log")) == acknowledged + 1
    assert kills > 5
    assert check_public(tmp_path / "log").size == acknowledged + 1


def append_until_killed(home: Path, chance: random.Random) -> int:
    """Let a process append one entry after the other; return the last that it heard to stand."""
    reading, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with Sequencer(home, settle=40) as log:
                os.write(writing_end, b"%d\n" % (log.size - 1))
                for n in range(log.size, 201):
                    (result,) = log.append([tick(n)])
                    os.write(writing_end, b"%d\n" % result.index)
        finally:
            os._exit(0)
    os.close(writing_end)
    with os.fdopen(reading, "rb") as pipe:
        heard = [pipe.readline() for _ in range(chance.randint(1, 25))]
        time.sleep(chance.uniform(0, 0.003))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = b"".join([*heard, pipe.read()]).split()
    return int(lines[-1])


def root_of(home: Path, since: bytes) -> bytes:
    """The root of the log in `home`, verified but for signatures up to the checkpoint `since`."""
    with FolderSource(home / "log") as source:
        return verify(source, workers=1, since=since).root


def root_over(leaves: list[bytes]) -> bytes:
    tree = Tree()
    tree.extend(map(leaf_hash, leaves))
    return tree.root()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that fills a tile, settles and rotates the log's key.

    (the disk before it, its file operations, the leaves after it, the checkpoint before it)
    """
    home = tmp_path_factory.mktemp("run") / "home"
    with writing.create(home, settle=200) as log:
        log.append(ticks(1, 249))
        log.append(ticks(250, 1))
    before, since = Disk(home), (home / "log/checkpoint").read_bytes()
    recorder = Recorder(home)
    with recorder.recording():
        log = Sequencer(home, settle=12)
        # An eighth of the log, 34 entries here, is what makes a journal long enough to settle.
        for first, count in ((251, 3), (254, 30), (284, 1)):
            assert all(isinstance(r, Appended) for r in log.append(ticks(first, count)))
            recorder.note("acknowledged", log.size)
        public = keys.create_log_key(home / "host")
        summary = f"Rotate the log's key to {public:.16}"
        body = {"log_key": public}
        log.append([signing.sign_entry(OPERATOR, DOMAIN, "log.key", "", 285, body, summary)])
        recorder.note("acknowledged", log.size)
        for n in range(3):
            log.append([tick(n, OTHER)])
            recorder.note("acknowledged", log.size)
        log.close()
    assert snapshot.read(home / "host/snapshot").size == 285
    return before, recorder.operations, leaves_of(home / "log"), since


@pytest.mark.parametrize(("rule", "seed"), RULES)
def test_a_crash_after_any_file_operation_loses_nothing(tmp_path, run, rule, seed):
    before, operations, leaves, since = run
    disk = copy.deepcopy(before)
    acknowledged = 251
    for n, operation in enumerate(operations):
        if operation[0] == "acknowledged":
            acknowledged = operation[1]
            continue
        disk.do(operation)
        home = tmp_path / f"{n}"
        disk.crash(home, rule, seed * 1000 + n)
        with Sequencer(home) as log:
            assert log.size >= acknowledged, operation
            size = log.size
        assert root_of(home, since) == root_over(leaves[:size]), operation
    assert acknowledged == len(leaves)
    assert len(operations) > 60


@pytest.mark.parametrize(("rule", "seed"), RULES)
def test_a_creation_that_crashes_can_be_repeated(tmp_path, rule, seed):
    home = tmp_path / "home"
    home.mkdir()
    disk, recorder = Disk(home), Recorder(home)
    with recorder.recording():
        writing.create(home).close()
        recorder.note("acknowledged", 1)
        with Sequencer(home) as log:
            log.append([tick(1)])
    acknowledged = False
    for n, operation in enumerate(recorder.operations):
        if operation[0] == "acknowledged":
            acknowledged = True
            continue
        disk.do(operation)
        crashed = tmp_path / f"{n}"
        disk.crash(crashed, rule, seed * 1000 + n)
        try:
            log = Sequencer(crashed)
        except NotFound:
            assert not acknowledged, operation
            log = writing.create(crashed)
        sequence = log.size
        assert log.append([tick(sequence)]) == [Appended(sequence, START)]
        log.close()
        assert check_public(crashed / "log").size == sequence + 1


@pytest.mark.parametrize("first", ["appending", "settling"])
def test_a_crash_while_mending_is_mended_too(tmp_path, run, first):
    """A second crash, at any point of the opening after the first, loses nothing either."""
    before, operations, leaves, since = run
    disk, home = copy.deepcopy(before), tmp_path / "first"
    for operation in operations[: first_crash(operations, first)]:
        if operation[0] != "acknowledged":
            disk.do(operation)
    disk.crash(home, "none")
    again, recorder = Disk(home), Recorder(home)
    with recorder.recording(), Sequencer(home) as log:
        size = log.size
    assert size >= 284
    for n, operation in enumerate(recorder.operations):
        again.do(operation)
        for rule in ("kill", "none", "names", "some"):
            crashed = tmp_path / f"{n}-{rule}"
            again.crash(crashed, rule, n)
            with Sequencer(crashed) as log:
                assert log.size == size
            assert root_of(crashed, since) == root_over(leaves[:size])


def first_crash(operations: list[Operation], first: str) -> int:
    """After an append, or when all is settled but the new journal has not got its name."""
    if first == "appending":
        return operations.index(("acknowledged", 284))
    return next(
        n for n, o in enumerate(operations) if o[0] == "rename" and o[2].endswith("/host/journal")
    )
