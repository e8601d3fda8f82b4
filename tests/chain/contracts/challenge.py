"""A deployed challenge for tests of its contracts: factory, set, and the ways through it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from danseo.chain.tree import Leaf, Tree
from danseo.log.signing import keccak256
from tests.chain.evm import BEGIN, ETH, Contract, World, account

CAP, UNIT, PARTS = 10**27, 10**18, 10**9
HOUR, DAY = 3600, 86_400
ID = sha256(b"a challenge").digest()
OPERATOR, GUARDIAN, ANYONE = account(1), account(2), account(3)
KINDS = {
    "pool": "PrizePool",
    "coin": "ProgressCoin",
    "governor": "ChallengeGovernor",
    "timelock": "ChallengeTimelock",
    "anchor": "LogAnchor",
    "stake": "Stake",
}
PENDING, ACTIVE, CANCELED, DEFEATED, SUCCEEDED, QUEUED, EXPIRED, EXECUTED = range(8)
AGAINST, FOR, ABSTAIN = range(3)


def config(**changes: Any) -> dict[str, Any]:
    """Return a config; voting and timelock take 5 days of a window of 7."""
    return {
        "name": "scroll-1",
        "symbol": "INK",
        "operator": OPERATOR,
        "guardian": GUARDIAN,
        "assets": [],
        "stakeAsset": ETH,
        "bond": UNIT,
        "window": 7 * DAY,
        "outflow": PARTS,
        "guardedUntil": PARTS // 10,
        "guardianTerm": BEGIN + 100 * DAY,
        "threshold": CAP // 1000,
        "quorum": PARTS // 20,
        "votingDelay": DAY,
        "votingPeriod": 3 * DAY,
        "timelockDelay": DAY,
        "exitDelay": 10 * DAY,
        "exitsFrom": BEGIN + 30 * DAY,
        "uptake": 2 * DAY,
        "patience": 5 * DAY,
    } | changes


def make_factory(world: World) -> Contract:
    kinds = ("ProgressCoin", "ChallengeGovernor", "ChallengeTimelock", "LogAnchor", "Stake")
    return world.deploy("ChallengeFactory", *(world.deploy(kind).address for kind in kinds))


class Deployed:
    """A challenge's contracts on a chain of their own."""

    pool: Contract
    coin: Contract
    governor: Contract
    timelock: Contract
    anchor: Contract
    stake: Contract

    def __init__(self, world: World | None = None, **changes: Any) -> None:
        self.world = world or World()
        self.config = config(**changes)
        self.factory = make_factory(self.world)
        self.addresses = self.factory("deploy", ID, self.config)
        for (name, kind), address in zip(KINDS.items(), self.addresses, strict=True):
            setattr(self, name, self.world.at(kind, address))
        self.leaves: dict[tuple[str, str], int] = {}
        self.tree = Tree([Leaf(ANYONE, ETH, 0)])
        self._size = 0

    @property
    def last_event(self) -> tuple[str, dict[str, Any]]:
        return self.world.events[-1]

    def rich(self, number: int, wei: int = 10**6 * UNIT) -> str:
        """Return an account with ETH."""
        who = account(number)
        self.world.give(who, wei)
        return who

    def owe(self, who: str, asset: str, cumulative: int) -> None:
        """Put a leaf into the root in effect: publish, wait, activate."""
        self.leaves[who, asset] = cumulative
        self.tree = Tree([Leaf(*pair, amount) for pair, amount in self.leaves.items()])
        self._size += 10
        bond = self.config["bond"]
        self.world.give(OPERATOR, bond)
        root = self.tree.root
        self.pool("publish", self._size, bytes(32), root, by=OPERATOR, value=bond)
        self.world.time += self.config["window"]
        self.pool("activate", self._size)

    def proof(self, who: str, asset: str) -> list[bytes]:
        return self.tree.proof(list(self.leaves).index((who, asset)))

    def mint(self, who: str, units: int) -> None:
        """Pay coin out, through the pool; it votes from the next second on."""
        coin = self.coin.address
        total = self.leaves.get((who, coin), 0) + units
        self.owe(who, coin, total)
        self.pool("claim", who, coin, total, self.proof(who, coin))
        self.world.time += 1

    def data(self, contract: Contract, method: str, *args: Any) -> bytes:
        return contract.abi.call(method, args)

    def propose(self, actions: Sequence[tuple[Contract, bytes]], text: str, by: str) -> Proposal:
        """Propose calls of contracts, as some account."""
        proposal = Proposal(self, actions, text)
        proposal.id = self.governor("propose", *proposal.calls, text, by=by)
        return proposal

    def carry(self, contract: Contract, method: str, *args: Any, by: str) -> None:
        """Have the DAO do something, by one account's votes. `events` are then of its execution."""
        text = f"{method} at {self.world.time}"
        proposal = self.propose([(contract, self.data(contract, method, *args))], text, by)
        proposal.vote(by, FOR)
        proposal.queue()
        self.world.time += self.config["timelockDelay"]
        proposal.execute()


class Proposal:
    """A proposal and its way through the Governor."""

    def __init__(
        self, challenge: Deployed, actions: Sequence[tuple[Contract, bytes]], text: str
    ) -> None:
        targets = [contract.address for contract, _ in actions]
        self.calls = (targets, [0] * len(actions), [data for _, data in actions])
        self.named = (*self.calls, keccak256(text.encode()))
        self.challenge, self.governor, self.id = challenge, challenge.governor, 0

    @property
    def state(self) -> int:
        return int(self.governor("state", self.id))

    def vote(self, by: str, support: int) -> None:
        """Vote in the first second in which one can."""
        world = self.challenge.world
        world.time = max(world.time, self.governor("proposalSnapshot", self.id) + 1)
        self.governor("castVote", self.id, support, by=by)

    def close(self) -> None:
        """Go to the first second after the vote."""
        self.challenge.world.time = self.governor("proposalDeadline", self.id) + 1

    def queue(self) -> None:
        self.close()
        self.governor("queue", *self.named)

    def execute(self) -> None:
        self.governor("execute", *self.named)
