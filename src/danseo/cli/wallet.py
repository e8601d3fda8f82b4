"""Where a command acts on chain: it sends a transaction, or prints it for a wallet elsewhere.

No command takes a private key. With `--unsigned` each transaction is printed as JSON instead of
being sent, so that a hardware or browser wallet can sign it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from danseo import app as wiring
from danseo.cli import show
from danseo.cli.here import Here, here
from danseo.core.errors import Usage
from danseo.log.signing import Key

if TYPE_CHECKING:
    from danseo.chain.client import Client
    from danseo.core.challenge import Challenge
    from danseo.core.onchain import Contracts
    from danseo.flows.deploying import Call


@dataclass
class Wallet:
    """An open log, the chain beside it, and whose transactions are made."""

    at: Here
    client: Client
    unsigned: bool = False
    made: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def key(self) -> Key:
        """The key that signs: the chosen one, or the operator's."""
        return self.at.key(self.at.desk.state.operator)

    @cached_property
    def address(self) -> str:
        """The address whose transactions these are; it needs no password."""
        if not self.unsigned:
            return self.key.address
        if not self.at.settings.key:
            raise Usage("Whose transaction it is was not said.", "Say --key NAME, or an address.")
        return wiring.address_of(self.at.settings, self.at.settings.key)

    def challenge(self, name: str) -> Challenge:
        """Return the folded record of a challenge."""
        return self.at.desk.challenge(name)

    def contracts(self, name: str) -> Contracts:
        """Return where the contracts of a challenge are on this chain."""
        from danseo.flows import deploying

        return deploying.contracts(self.client, self.challenge(name))

    def do(self, *calls: Call) -> None:
        """Send the calls in order, or keep them to be printed."""
        for call in calls:
            if self.unsigned:
                self.made.append(call.prepare(self.client, self.address))
            else:
                sent = call.send(self.client, self.key)
                self.made.append({"tx": sent.tx, "block": sent.block, "gas": sent.gas})

    def tell(self, as_json: bool, found: dict[str, Any], *lines: str) -> None:
        """Print what came of it: the unsigned transactions, or where those that were sent stand."""
        if self.unsigned:
            show.result(True, self.made)
            return
        where = [f"  transaction 0x{one['tx']} in block {one['block']}" for one in self.made]
        show.result(as_json, {**found, "transactions": self.made}, *lines, *where)


@contextmanager
def wallet(
    home: str | None, key: str | None = None, lang: str | None = None, unsigned: bool = False
) -> Iterator[Wallet]:
    """Open the log and the chain that the options and settings name."""
    from danseo.flows import deploying

    with here(home, key, lang) as at, wiring.chain(at.settings, at.desk.now) as client:
        deploying.follow(at.desk, client)
        yield Wallet(at, client, unsigned)
