"""Whether a watcher ever books money that is not there, while the chain is reorganised under it.

One thousand random schedules, each on a pool of its own: donors fund it, blocks pass, and at random
1, 3 or 12 blocks are undone, and what they held with them. A watcher that counts a block as final
after 12 more runs all the while in a thread of its own. At the end its sum for each donor is held
against the chain's events, and the sum of all against the pool's balance. Beside it runs one that
reads the newest blocks by their number alone. The node is anvil.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.harness import WORK, Figure
from danseo.chain import anvil, artefacts
from danseo.chain.abi import Abi
from danseo.chain.client import Block, Client, Contract, Event
from danseo.chain.node import Node
from danseo.chain.watcher import Cursor, Watcher
from danseo.core.errors import Unavailable
from danseo.log.signing import Key

SCHEDULES: Final = 1_000
DEPTHS: Final = (1, 3, 12)
FINAL: Final = 12
A_NODE: Final = 10
DONORS: Final = 4
ETH: Final = "0x" + "0" * 40
KEY: Final = Key(b"\x01" * 32)
PATIENCE: Final = 10

Sums = Counter[str]


def run(schedules: int = SCHEDULES) -> list[Figure]:
    """Play all schedules, some on each node: anvil forgets the states of a long chain."""
    wrong = naive = undone = events = 0
    started = time.perf_counter()
    for first in range(0, schedules, A_NODE):
        for played in _played(range(first, min(first + A_NODE, schedules))):
            wrong += played.wrong
            naive += played.naive
            undone += played.undone
            events += played.events
    took = time.perf_counter() - started
    return [
        Figure(
            f"wrong balances in {schedules:,} schedules of reorganisations",
            wrong,
            "balances",
            f"by number alone, up to the newest block: {naive:,} schedules wrong",
            aim="0",
            holds=wrong == 0,
        ),
        Figure("reorganisations of 1, 3 or 12 blocks in them", undone, "reorganisations"),
        Figure("donations that stood at the end", events, "donations"),
        Figure("a schedule, from the first donation to the last check", took / schedules, "s"),
    ]


def _played(seeds: range) -> list[Played]:
    """Play these schedules one after another on a new node."""
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        running = anvil.up(Path(folder))
        try:
            stage = Stage(running.url)
            return [stage.play(random.Random(seed)) for seed in seeds]
        finally:
            anvil.down(Path(folder))


class Played:
    """What one schedule came to."""

    def __init__(self) -> None:
        self.wrong = self.undone = self.events = 0
        self.naive = False


class Stage:
    """A node, a pool for each schedule, and some donors whose accounts the node unlocks."""

    pool: Contract

    def __init__(self, url: str) -> None:
        self.url, self.node = url, Node.at(url)
        self.client = Client(self.node, FINAL)
        self.donors = self.node.ask("eth_accounts")[:DONORS]
        self.client.faucet(KEY.address, 10**20)
        self.abi = Abi("PrizePool", artefacts.load("PrizePool").abi)

    def play(self, chance: random.Random) -> Played:
        """Play one random schedule under a running watcher."""
        played, start = Played(), self._settle()
        seen: list[Event] = []
        quick: list[Event] = []
        done = threading.Event()
        watching = Watcher(Client(Node.at(self.url), FINAL), [self.pool], Cursor.at(start))
        threads = [
            threading.Thread(target=_follow, args=(watching, seen, done), daemon=True),
            threading.Thread(target=self._by_number, args=(start.number, quick, done), daemon=True),
        ]
        for thread in threads:
            thread.start()
        for _ in range(chance.randint(6, 14)):
            played.undone += self._act(chance)
        for _ in range(FINAL):
            self.node.ask("evm_mine")
        self._await(watching)
        done.set()
        for thread in threads:
            thread.join()
        last = watching.cursor.number
        truth = self.client.events([self.pool], start.number + 1, last)
        played.events = len(truth)
        sums = _sums(seen)
        played.wrong = sum(sums[who] != _sums(truth)[who] for who in self.donors)
        # The newest blocks are empty, and anvil mixes up older states after a reorganisation.
        played.wrong += sums.total() != self.client.balance(self.pool.address)
        played.naive = _sums(quick) != _sums(truth)
        return played

    def _settle(self) -> Block:
        """Deploy a new pool, so deep that no reorganisation reaches it; return a block before."""
        rules: tuple[object, ...] = (ETH, ETH, ETH, ETH, KEY.address, 0, 1, 10**9, 0, 0, [])
        self.pool = Contract("PrizePool", self.client.deploy(KEY, "PrizePool", rules).contract)
        start = self.client.head()
        for _ in range(FINAL):
            self.node.ask("evm_mine")
        return start

    def _act(self, chance: random.Random) -> int:
        """Let one thing happen; return 1 if it was a reorganisation."""
        match chance.choice(("fund", "fund", "fund", "mine", "reorg")):
            case "fund":
                for _ in range(chance.randint(1, 3)):
                    self._fund(chance.choice(self.donors), chance.randint(1, 10**18))
            case "mine":
                self.node.ask("evm_mine")
            case "reorg":
                self.node.ask("anvil_reorg", chance.choice(DEPTHS), [])
                return 1
        return 0

    def _fund(self, donor: str, amount: int) -> None:
        data = "0x" + self.abi.call("fund", [ETH, amount]).hex()
        call = {"from": donor, "to": self.pool.address, "value": hex(amount), "data": data}
        sent = self.node.ask("eth_sendTransaction", call)
        # anvil mines in the background, and a reorganisation meanwhile leaves a hole in its chain.
        while self.node.ask("eth_getTransactionReceipt", sent) is None:
            time.sleep(0.001)

    def _await(self, watching: Watcher) -> None:
        until = time.monotonic() + PATIENCE
        while watching.cursor.number < self.client.final().number:
            if time.monotonic() > until:
                raise RuntimeError(f"The watcher stands at {watching.cursor}.")
            time.sleep(0.002)

    def _by_number(self, last: int, seen: list[Event], done: threading.Event) -> None:
        """Read what has a number that was not read yet, and never look back."""
        client = Client(Node.at(self.url))
        while not done.is_set():
            head = client.head().number
            with suppress(Unavailable):  # the chain is shorter for a moment
                if head > last:
                    seen += client.events([self.pool], last + 1, head)
                    last = head
            time.sleep(0.002)


def _follow(watching: Watcher, seen: list[Event], done: threading.Event) -> None:
    for stretch in watching.follow(pause=0.002, stop=done.is_set):
        seen += stretch.events


def _sums(events: Iterable[Event]) -> Sums:
    sums: Sums = Counter()
    for event in events:
        if event.name == "Received":
            sums[event.args["donor"]] += event.args["amount"]
    return sums
