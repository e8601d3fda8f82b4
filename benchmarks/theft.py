"""What a thief gets out of a pool whose watchers sleep, on the contracts themselves.

He publishes one false root, of the greatest size that there is, which gives him everything: ETH and
coin. Its window ends one second before the pool's count of windows moves on, so that he takes two
windows' parts within two seconds, and one more at the beginning of each window after that. The
guardian wakes in the given window, counted from the one in which the root took effect, after the
thief has claimed in it, and strikes the root; from then on nothing leaves. The guardian's power
ends at 50 % of the coin, as in a challenge that says nothing of it (and lets 20 % leave). Where the
thief was minted that much before he woke, the guardian cannot strike any more, and the coin that
voted the thief down would have to be more than the thief's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.harness import Figure
from danseo.chain.tree import Leaf, Tree
from tests.chain.contracts.challenge import CAP, GUARDIAN, PARTS, UNIT, Deployed
from tests.chain.evm import ETH, Refusal

OUTFLOWS: Final = (10, 20, 50)
"""Percent that may leave in a window."""
AWAKE: Final = (0, 1, 2, 4)
POOL: Final = 1_000 * UNIT
BOND: Final = UNIT
GUARDED: Final = 50
LAST_SIZE: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Loot:
    """What a thief got: parts of the pool and of the coin's cap, and wei that he lost for it."""

    pool: float
    coin: float
    cost: int
    struck: bool


class Thief:
    """A pool of 1,000 ETH, its guardian, and somebody who wants all of it."""

    def __init__(self, outflow: int, guarded: int = GUARDED, pool: int = POOL) -> None:
        """`outflow` and `guarded` are percent."""
        parts = PARTS // 100
        self.c = Deployed(outflow=outflow * parts, guardedUntil=guarded * parts, bond=BOND)
        self.world, self.window = self.c.world, int(self.c.config["window"])
        self.name = self.c.rich(50, 2 * BOND)
        self.bystander = self.c.rich(51, pool)
        self.c.pool("fund", ETH, pool, by=self.bystander, value=pool)
        self.put_in = pool
        self.assets = (ETH, self.c.coin.address)
        self.tree = Tree([Leaf(self.name, ETH, pool), Leaf(self.name, self.assets[1], CAP)])

    def publish(self) -> None:
        """Publish so that the root takes effect in the last second of a window."""
        self.world.time += self.window - self.world.time % self.window - 1
        self.c.pool("publish", LAST_SIZE, bytes(32), self.tree.root, by=self.name, value=BOND)

    def dispute_himself(self) -> None:
        """Take the place of a disputer, so that a veto pays half of the bond back to him."""
        self.c.pool("dispute", LAST_SIZE, by=self.name, value=BOND)

    def activate(self) -> None:
        """Let the window pass, and put the root into effect in the first second that allows it."""
        self.world.time += self.window
        self.c.pool("activate", LAST_SIZE, by=self.name)

    def claim(self, *assets: str) -> None:
        """Take what may leave now."""
        for place, leaf in enumerate(self.tree.leaves):
            if leaf.asset in (assets or self.assets) and self.c.pool("leaving", leaf.asset):
                proof = self.tree.proof(place)
                self.c.pool("claim", leaf.account, leaf.asset, leaf.cumulative, proof)

    def strike(self) -> bool:
        """Have the guardian veto the root; return whether he still can."""
        try:
            self.c.pool("veto", LAST_SIZE, by=GUARDIAN)
        except Refusal:
            return False
        return True

    def loot(self, struck: bool) -> Loot:
        """Return what he has now."""
        ether, coin = (self.c.pool("claimed", self.name, asset) for asset in self.assets)
        cost = 2 * BOND + ether - self.world.balance(self.name)
        return Loot(ether / self.put_in, coin / CAP, cost, struck)


def sleep(outflow: int, windows: int, *assets: str, guarded: int = GUARDED) -> Loot:
    """Return what a thief gets when the guardian wakes `windows` after the root took effect."""
    thief = Thief(outflow, guarded)
    thief.publish()
    thief.activate()
    for later in range(windows + 1):
        thief.world.time += 1 if later == 1 else thief.window if later else 0
        thief.claim(*assets)
    return thief.loot(thief.strike())


def watch(himself: bool) -> Loot:
    """Return what a thief gets, and loses, when the root is vetoed in its window."""
    thief = Thief(OUTFLOWS[0])
    thief.publish()
    if himself:
        thief.dispute_himself()
    return thief.loot(thief.strike())


def run() -> list[Figure]:
    """Play it for each part that may leave, and each window in which the guardian may wake."""
    awake, himself = watch(himself=False), watch(himself=True)
    figures = [
        Figure("pool lost, guardian awake", 100 * awake.pool, "%", aim="0 %", holds=not awake.pool),
        Figure("what that costs the thief", awake.cost / BOND, "bonds"),
        Figure("the same, if he is his own disputer", himself.cost / BOND, "bonds"),
    ]
    for outflow in OUTFLOWS:
        for windows in AWAKE:
            loot = sleep(outflow, windows, ETH)
            most = min(100, (windows + 1) * outflow)
            figures.append(
                Figure(
                    f"pool lost, outflow {outflow} %, guardian wakes {windows} windows later",
                    100 * loot.pool,
                    "%",
                    aim=f"at most {most} %, and then no more",
                    holds=100 * loot.pool <= most and loot.struck,
                )
            )
        both = sleep(outflow, 0)
        figures.append(
            Figure(
                f"coin minted to him in one window, outflow {outflow} %",
                100 * both.coin,
                "% of the cap",
                aim="the guardian can still strike",
                holds=both.struck,
            )
        )
    return figures
