"""The challenge of `played`, with a pool, a coin and a DAO on a chain within this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danseo.chain import embedded
from danseo.chain.client import Client
from danseo.core.challenge import Challenge
from danseo.core.coin import ETHER
from danseo.flows import admission, deploying, payouts
from danseo.flows.deploying import Call
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Hook
from tests.flows import played
from tests.flows.played import DAY, NAME, START, Played, key_of

ETH = 10**18
WINDOW = 3 * DAY
PAST = WINDOW + 3600
"""After so long a root that was published now can be activated: blocks take a second each."""
COIN: dict[str, Any] = {
    "symbol": "INK:18",
    "assets": [{"asset": "ETH:18", "token": ETHER}],
    "guardian": key_of("trustee-1").address,
    "bond": str(ETH // 10),
    "window": WINDOW,
    "outflow": 10**9,
    "guarded_until": 5 * 10**8,
    "guardian_term": START + 400 * DAY,
    "threshold": 10**6,
    "quorum": 10**8,
    "voting_delay": 3600,
    "voting_period": DAY,
    "timelock_delay": DAY // 2,
    "exit_delay": 5 * DAY,
    "exits_from": START + 60 * DAY,
    "uptake": DAY,
    "patience": 10 * DAY,
    "hold": 30 * DAY,
}


@dataclass
class Coined:
    """A played challenge and the chain beside it."""

    played: Played
    client: Client

    @property
    def desk(self) -> Any:
        return self.played.desk

    @property
    def challenge(self) -> Challenge:
        return self.desk.challenge(NAME)

    def send(self, role: str, *calls: Call) -> Any:
        """Send calls in a role's name; return the last receipt."""
        deploying.follow(self.desk, self.client)
        receipt = None
        for call in calls:
            receipt = call.send(self.client, key_of(role))
        return receipt

    def carry_on(self, role: str = "donor") -> list[str]:
        """Do all that anyone may do on chain and for it."""
        return payouts.carry_on(self.desk, self.client, key_of(role), NAME)

    def fund(self, amount: int, role: str = "donor") -> None:
        """Give ETH to the pool."""
        sender = key_of(role).address
        self.send(role, *payouts.fund(self.client, self.challenge, sender, "ETH:18", amount))

    def balance(self, role: str) -> int:
        """Return a role's wei."""
        return self.client.balance(key_of(role).address)


@contextmanager
def begin(
    folder: Path, change: Callable[[dict[str, Any]], None] = lambda coin: None, url: str = ""
) -> Iterator[Coined]:
    """Yield the challenge opened, its contracts deployed, and 1,000 ETH for everyone who acts.

    They stand on a chain within this process, or on the node at `url`.
    """

    def with_coin(body: dict[str, Any]) -> None:
        body["coin"] = dict(COIN)
        change(body["coin"])

    with chain(folder / "chain", url) as client:

        def hooks(store: Blobs) -> tuple[Hook, ...]:
            return admission.hooks(store, lambda: again(client))

        coined = Coined(played.begin(folder, with_coin, hooks), client)
        for role in ("organiser", "donor", "trustee-1"):
            client.faucet(key_of(role).address, 1000 * ETH)
        deploying.deploy(coined.desk, client, key_of("donor"), NAME)
        yield coined


@contextmanager
def chain(folder: Path, url: str = "") -> Iterator[Client]:
    """Yield a chain in a folder, or that of the node at `url`."""
    if url:
        yield Client.at(url)
        return
    with embedded.open_chain(folder, START) as held:
        yield Client.on(held)


@contextmanager
def again(client: Client) -> Iterator[Client]:
    """Yield a client that stays open."""
    yield client
