"""A pool on a chain of its own, for tests: money in it, roots over it, and who is owed what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from danseo.chain.tree import Leaf, Tree
from tests.chain.evm import BEGIN, ETH, Contract, World, account

PARTS, CAP, MOST = 10**9, 10**27, 2**104 - 1
BOND, WINDOW, TERM = 10**17, 1000, BEGIN + 50_000
TIMELOCK, GUARDIAN, STAKE, COIN = account(1), account(2), account(3), account(4)
DONOR, PUBLISHER, STRANGER, ANYONE = account(11), account(12), account(13), account(14)
PAYEES = [account(100 + n) for n in range(8)]
LOG_ROOT = b"\x11" * 32
RICH = 2**127


class Staged:
    """A pool that lists one token, with a coin, an anchor and money in people's hands."""

    def __init__(self, token: str = "PlainToken", **changes: Any) -> None:
        self.world = World()
        for who in (DONOR, PUBLISHER, STRANGER):
            self.world.give(who, RICH)
        self.anchor = self.world.deploy("MoodyAnchor")
        self.token = self.world.deploy(token)
        coin = self.world.deploy("ProgressCoin")
        rules = {
            "coin": COIN,
            "timelock": TIMELOCK,
            "guardian": GUARDIAN,
            "anchor": self.anchor.address,
            "stake": STAKE,
            "bond": BOND,
            "window": WINDOW,
            "outflow": PARTS,
            "guardedUntil": PARTS // 10,
            "guardianTerm": TERM,
            "assets": [self.token.address],
        } | changes
        self.pool = self.world.deploy("PrizePool", tuple(rules.values()))
        self.coin = self.world.clone("ProgressCoin", coin, COIN)
        self.coin("initialize", "scroll-1", "INK", self.pool, TIMELOCK)
        self.token("mint", DONOR, RICH)
        self.token("approve", self.pool, RICH, by=DONOR)
        self.size = 0
        self.tree = Tree([Leaf(ANYONE, ETH, 0)])

    def fund(self, eth: int = 0, token: int = 0) -> None:
        if eth:
            self.pool("fund", ETH, eth, by=DONOR, value=eth)
        if token:
            self.pool("fund", self.token, token, by=DONOR)

    def publish(self, size: int, root: bytes = b"\x22" * 32, by: str = PUBLISHER) -> int:
        """Publish a root; return when it can take effect."""
        self.pool("publish", size, LOG_ROOT, root, by=by, value=BOND)
        return self.world.time + WINDOW

    def owe(self, owed: Mapping[tuple[str, str], int]) -> None:
        """Bring a root into effect under which these accounts may have had so much of an asset."""
        self.size += 1
        self.tree = Tree(Leaf(who, asset, total) for (who, asset), total in owed.items())
        self.world.time = self.publish(self.size, self.tree.root)
        self.pool("activate", self.size)

    def index(self, who: str, asset: str) -> int:
        pairs = [(leaf.account, leaf.asset) for leaf in self.tree.leaves]
        return pairs.index((who, asset))

    def claim(self, who: str, asset: str, by: str = ANYONE) -> int:
        """Claim what the tree holds for somebody; return what was paid."""
        index = self.index(who, asset)
        total, proof = self.tree.leaves[index].cumulative, self.tree.proof(index)
        return int(self.pool("claim", who, asset, total, proof, by=by))

    def batch(self, *pairs: tuple[str, str], gas: int | None = None) -> list[tuple[Any, ...]]:
        """Pay some leaves, or all; return (event, account, asset, amount) for each it speaks of."""
        indices = [self.index(*pair) for pair in pairs] or list(range(len(self.tree)))
        leaves, proof, flags = self.tree.multiproof(indices)
        plain = [(leaf.account, leaf.asset, leaf.cumulative) for leaf in leaves]
        self.pool("payBatch", plain, proof, flags, by=ANYONE, gas=gas)
        return [
            (name, args["account"], args["asset"], args["amount"])
            for name, args in self.world.events
            if name in ("Paid", "PaymentFailed")
        ]

    def money(self) -> int:
        """Return what the pool has of ETH, bonds apart."""
        return self.world.balance(self.pool.address) - int(self.pool("escrow"))

    def holds(self, contract: Contract, who: str) -> int:
        return int(contract("balanceOf", who))
