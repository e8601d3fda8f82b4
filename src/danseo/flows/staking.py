"""Stakes and bonds on chain: put down, taken out by the log's word, or slowly without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from danseo.core.challenge import Challenge
from danseo.core.coin import ETHER
from danseo.core.errors import NotAllowed, WrongPhase
from danseo.core.kinds.payout import Release
from danseo.core.state import State
from danseo.flows import deploying, payouts
from danseo.flows.acting import Desk
from danseo.flows.deploying import Call, call_of
from danseo.log.sequencer import Appended
from danseo.log.signing import Key

if TYPE_CHECKING:
    from danseo.chain.client import Client


@dataclass(frozen=True, slots=True)
class Held:
    """What the stake contract knows of an account, in the smallest unit of its asset.

    `leaving` can be withdrawn from `leaves_at` on.
    """

    held: int
    taken: int
    lost: int
    leaving: int
    leaves_at: int


def asset_of(challenge: Challenge) -> tuple[str, str]:
    """Return (asset, token) of the stakes; raise `WrongPhase` where the organiser keeps them."""
    asset = challenge.terms.bond.asset
    coin = challenge.terms.coin
    token = coin.token(asset) if coin else ""
    if not token:
        raise WrongPhase(
            f"Bonds and stakes of {challenge.id} are in {asset}, which its contracts do not hold.",
            "Hand it to the organiser: `danseo challenge deposit`.",
        )
    return asset, token


def deposit(
    client: Client, state: State, challenge: Challenge, sender: str, account: str, amount: int
) -> list[Call]:
    """Return the calls by which `sender` puts stake down for an account.

    Refused for whoever has changed keys: the contract knows an address, not a person. It would pay
    back to a key that was given up, or to one for which the log counts nothing as bond or stake.
    """
    _, token = asset_of(challenge)
    if state.identity(account) != account or account in state.retired:
        raise NotAllowed(
            f"{account} belongs to somebody who has changed keys, and a stake goes back to the "
            "address that it was put down for.",
            "Put it down for a key that has not changed.",
        )
    found = deploying.contracts(client, challenge)
    value = amount if token == ETHER else 0
    put = call_of(found, "stake", "deposit", account, amount, value=value)
    return [*payouts.allowance(client, token, sender, found.stake, amount), put]


def release(desk: Desk, key: Key, name: str, amount: int) -> Appended:
    """Ask in the log for a part of one's deposit; the next payout carries it."""
    asset, _ = asset_of(desk.challenge(name))
    return desk.say(key, Release(asset, amount), name)


def accounts(client: Client, challenge: Challenge) -> list[str]:
    """Return everyone for whom something was ever put down, in the chain's order."""
    found = deploying.contracts(client, challenge)
    events = client.events([deploying.part(found, "stake")], found.block, client.head().number)
    return list(dict.fromkeys(e.args["account"] for e in events if e.name == "Deposited"))


def held(client: Client, challenge: Challenge, account: str) -> Held:
    """Return what an account has in the stake contract."""
    found = deploying.contracts(client, challenge)
    return Held(*client.call(deploying.part(found, "stake"), "accounts", account))


def leave(client: Client, challenge: Challenge, amount: int) -> Call:
    """Return the call that asks for one's stake without the log's word."""
    return call_of(deploying.contracts(client, challenge), "stake", "exit", amount)


def withdraw(client: Client, challenge: Challenge) -> Call:
    """Return the call that takes out what was asked for, once the wait is over."""
    return call_of(deploying.contracts(client, challenge), "stake", "withdraw")
