"""A challenge whose money is all on chain: bonds and stakes in ETH, and whoever acts a stranger.

`begin` opens it on either chain, embedded or anvil. From then on the organiser has not a wei to
send anything with, and only moves the simulated clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from danseo.chain import anvil, embedded
from danseo.chain.client import Client, Contract
from danseo.chain.tree import Leaf, Tree
from danseo.core import onchain
from danseo.core.coin import ETHER
from danseo.core.errors import Unavailable
from danseo.flows import (
    admission,
    deploying,
    governing,
    observing,
    opening,
    payouts,
    settling,
    staking,
)
from danseo.flows.deploying import Call
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Hook
from tests.chain.evm import load
from tests.flows import played
from tests.flows.coined import COIN, ETH, PAST, Coined, again
from tests.flows.played import DAY, NAME, ROLES, START, key_of, shifted

CHAINS = ("embedded", "anvil")
FEE = "FEE:6"
BOND, STAKE = ETH // 100, ETH
ROOT_BOND = int(COIN["bond"])
STRANGERS = ROLES[8:]


@dataclass
class Living(Coined):
    """A challenge on chain, and what its life takes."""

    tokens: dict[str, str] = field(default_factory=dict)
    heirs: dict[str, str] = field(default_factory=dict)
    """Role whose key took another's over, by that other."""

    @property
    def record(self) -> onchain.Onchain:
        return onchain.of(self.challenge)

    def wait(self, seconds: int) -> None:
        """Let time pass in the log, and so on its chain."""
        self.played.wait(seconds)
        deploying.follow(self.desk, self.client)

    def part(self, name: str) -> Contract:
        """One of the challenge's contracts."""
        return deploying.part(self.record.contracts, name)

    def fund_token(self, amount: int, role: str) -> None:
        """Give the token that takes a fee to the pool: a hundredth part is lost on the way."""
        sender = key_of(role).address
        self.send(role, Call(Contract("FeeToken", self.tokens[FEE]), "mint", (sender, amount)))
        self.send(role, *payouts.fund(self.client, self.challenge, sender, FEE, amount))

    def token_of(self, address: str) -> int:
        """What an address holds of that token."""
        return int(self.client.call(Contract("FeeToken", self.tokens[FEE]), "balanceOf", address))

    def earn(self, role: str, off: int, *cites: int) -> int:
        """Publish a clue and let both scorers score it."""
        clue = self.played.publish(role, shifted(off), *cites)
        self.played.score_both()
        return clue

    def pay(self, role: str = "watcher", times: int = 1) -> list[str]:
        """Let a stranger do all that anyone may, a window later again, so often."""
        said = self.carry_on(role)
        for _ in range(times):
            self.wait(PAST)
            said += self.carry_on(role)
        return said

    def steal(self, role: str = "thief", ahead: int = 0) -> int:
        """Publish a root that pays a thief everything; return its size."""
        size = self.desk.state.size + ahead
        root = Tree([Leaf(key_of(role).address, ETHER, 10**24)]).root
        self.send(role, Call(self.part("pool"), "publish", (size, b"\1" * 32, root), ROOT_BOND))
        return size

    def vote_through(self, voters: tuple[str, ...], *acts: tuple[str, ...]) -> None:
        """Let the DAO do something by its whole procedure; the last move is the relayer's."""
        found, first = self.record.contracts, len(self.proposals())
        self.wait(60)  # votes count as they were a second ago, and a node's blocks may share one
        for act in acts:
            call = governing.action(found, act, lambda who: key_of(who).address)
            self.send(
                voters[0], governing.propose(found, key_of(voters[0]).address, call, " ".join(act))
            )
        self.wait(3700)
        for one in self.proposals()[first:]:
            for voter in voters:
                self.send(voter, governing.vote(found, one, "for"))
        for wait, method in ((DAY + 3600, "queue"), (DAY // 2 + 60, "execute")):
            self.wait(wait)
            for one in self.proposals()[first:]:
                self.send("relayer", governing.act_on(found, one, method))

    def proposals(self) -> list[governing.Proposal]:
        """Every proposal so far."""
        return governing.proposals(self.client, self.record.contracts)

    def settle(self) -> None:
        """Let the deadline pass, two trustees release the truth, and a stranger settle."""
        self.until(11 * DAY + 3600)
        self.played.release("trustee-2", "trustee-3")
        settling.move_on(self.desk, key_of("watcher"), NAME)

    def close(self) -> None:
        """Let the jury's time pass and a stranger close."""
        self.until(25 * DAY + 3600)
        settling.move_on(self.desk, key_of("watcher"), NAME)
        assert self.challenge.status == "closed"

    def until(self, day: int) -> None:
        """Let time pass until so many seconds after the opening."""
        self.wait(max(0, START + day - self.desk.now) or 1)

    def take_stakes(self) -> None:
        """Let everybody ask for what is left of bonds and stakes."""
        asset = self.challenge.terms.bond.asset
        for who, amount in list(self.challenge.books.owners(asset, "free").items()):
            role = next(r for r in ROLES if key_of(r).address == who)
            if amount:
                signer = key_of(self.heirs.get(role, role))
                staking.release(self.desk, signer, NAME, amount)

    def left(self) -> dict[str, int]:
        """What pool and stake hold at last, by name of contract and asset."""
        found = self.record.contracts
        held = {
            "pool ETH": self.client.balance(found.pool),
            "stake ETH": self.client.balance(found.stake),
        }
        for asset in self.tokens:
            held[f"pool {asset}"] = self.token_of(found.pool)
        return held


@contextmanager
def begin(
    kind: str,
    folder: Path,
    change: Callable[[dict[str, Any]], None] = lambda body: None,
    *,
    token: bool = False,
    opened: bool = True,
) -> Iterator[Living]:
    """Yield a challenge with bonds and stakes in ETH, on a chain of a kind.

    With `token`, its pool takes a token with a fee as well. Unless `opened`, nobody has taken a
    role up yet.
    """
    with chain_of(kind, folder) as client:
        tokens = {}
        for role in ROLES[1:]:
            client.faucet(key_of(role).address, 1000 * ETH)
        if token:
            tokens[FEE] = client.deploy(key_of("donor"), "FeeToken").contract

        def with_coin(body: dict[str, Any]) -> None:
            assets = [*COIN["assets"], *({"asset": a, "token": t} for a, t in tokens.items())]
            body["coin"] = {**COIN, "assets": assets}
            body["bond"] = {"asset": "ETH:18", "amount": str(BOND)}
            body["stake"] = {"asset": "ETH:18", "amount": str(STAKE)}
            change(body)

        def hooks(store: Blobs) -> tuple[Hook, ...]:
            return admission.hooks(store, lambda: again(client))

        stage = Living(
            played.draw_up(folder, with_coin, hooks, key_of("site").address), client, tokens
        )
        deploying.deploy(stage.desk, client, key_of("relayer"), NAME)
        if opened:
            take_roles(stage)
        yield stage
        stage.desk.log.close()


def take_roles(stage: Living) -> None:
    """Let scorers and contributors put their stakes down on chain, and the challenge open."""
    for roles, amount in ((ROLES[1:3], STAKE), (ROLES[8:11], 10 * BOND)):
        for role in roles:
            who = key_of(role).address
            stage.send(
                role,
                *staking.deposit(stage.client, stage.desk.state, stage.challenge, who, who, amount),
            )
    observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
    for role in ROLES[1:6]:
        opening.acknowledge(stage.desk, key_of(role), NAME)


@contextmanager
def chain_of(kind: str, folder: Path) -> Iterator[Client]:
    """Yield an empty chain that begins when the log does, with the mocks' artefacts known."""
    if kind == "embedded":
        with embedded.open_chain(folder / "chain", START) as held:
            yield Client.on(held, load=load)
        return
    try:
        program = anvil.find()
    except Unavailable as missing:
        pytest.skip(str(missing))
    running = anvil.up(folder / "anvil", program=program, genesis_time=START)
    try:
        yield Client.at(running.url, load=load)
    finally:
        anvil.down(folder / "anvil")
