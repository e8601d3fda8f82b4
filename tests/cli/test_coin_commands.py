"""Commands of the coin that are killed at any moment: run again, they finish what was begun."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from danseo import app as wiring
from danseo.cli import here, main
from danseo.core import treasury
from tests.cli.stage import Stage, publish

PEOPLE = ("contributor-1", "contributor-2")
PATIENCE = 60
"""Seconds after which a command that neither writes nor ends counts as hanging."""


def test_payouts_killed_at_random_moments_pay_everybody_once(coined: Stage) -> None:
    coined.do("stake deposit example '1 ETH'", "contributor-2")
    coined.do("chain observe example")
    publish(coined, "counted.csv", "contributor-2")
    coined.do("score example --everyone")
    before, _ = money(coined)
    chance = random.Random(7)
    kills = 0
    for phase, begin in enumerate((spawned, forked, forked, forked)):
        if phase % 2 == 0:  # up to a root that waits; then from its window's end on
            coined.do("pool fund example '1 ETH'", "donor-1")
        while killed(coined.home, chance, begin):
            kills += 1
        coined.do("clock advance 73h")
    assert kills >= 10
    while coined.do("pool run example", "donor-1")["done"]:
        coined.do("clock advance 73h")
    (chain,) = coined.do("verify {home}/log")["chains"]
    assert chain["alarms"] == []
    assert coined.do("pool show example")["due"] == []
    after, owed = money(coined)
    for who in PEOPLE:
        assert after[who] - before[who] == owed[who].paid > 0
        assert owed[who].payable == 0


def money(stage: Stage) -> tuple[dict[str, int], dict[str, treasury.Owed]]:
    """What contributors hold on chain, and what the log says of their pay."""
    settings = here.chosen(str(stage.home))
    with wiring.desk(settings) as desk, wiring.chain(settings) as client:
        owed = treasury.owed(desk.challenge("example"), "ETH:18")
        of = {who: wiring.address_of(settings, who) for who in PEOPLE}
        held = {who: client.balance(address) for who, address in of.items()}
        nothing = treasury.Owed(0, 0, 0, 0)
        return held, {who: owed.get(address, nothing) for who, address in of.items()}


def forked(home: Path) -> int:
    """Begin a run in a process of its own that has loaded everything already."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
            status = main(("pool", "run", "example", "--home", str(home), "--key", "donor-1"))
        finally:
            os._exit(status)
    return child


def spawned(home: Path) -> int:
    """Begin a run as a user does."""
    words = [sys.executable, "-m", "danseo", "pool", "run", "example"]
    words += ["--home", str(home), "--key", "donor-1"]
    return os.posix_spawn(
        sys.executable,
        words,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)],
    )


def killed(home: Path, chance: random.Random, begin: Callable[[Path], int]) -> bool:
    """Begin a run and kill it a moment after it has written to log or chain; False if it ends."""
    before, began = written(home), time.monotonic()
    child = begin(home)
    wait, grown = chance.randint(1, 2), 0
    while grown < wait:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            return False
        now = written(home)
        grown, before = grown + (now != before), now
        assert time.monotonic() < began + PATIENCE
        time.sleep(0.0005)
    time.sleep(chance.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def written(home: Path) -> list[int]:
    """How much the journals of log and chain hold."""
    found = [*(home / "host").glob("journal*"), *(home / "host" / "chain").glob("journal*")]
    return [path.stat().st_size for path in sorted(found) if path.is_file()]
