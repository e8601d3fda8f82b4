"""The organiser's books: deposits, gifts to the pool, and payments of what is payable."""

from __future__ import annotations

from dataclasses import dataclass

from danseo.core import treasury
from danseo.core.errors import NotCovered, NotFound
from danseo.core.kinds.money import Deposit, FundPool, Pay, Withdraw
from danseo.flows.acting import Desk
from danseo.log.sequencer import Appended
from danseo.log.signing import Key


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment to make: what is payable to an account, and where its money goes."""

    account: str
    to: str
    asset: str
    amount: int


def deposit(
    desk: Desk, key: Key, name: str, account: str, asset: str, amount: int, evidence: str
) -> Appended:
    """Enter money that someone handed in for bonds or a stake."""
    return desk.say(key, Deposit(account, asset, amount, evidence), name)


def withdraw(
    desk: Desk, key: Key, name: str, account: str, asset: str, amount: int, evidence: str
) -> Appended:
    """Enter that a deposit was handed back."""
    return desk.say(key, Withdraw(account, asset, amount, evidence), name)


def fund(
    desk: Desk, key: Key, name: str, donor: str, asset: str, amount: int, evidence: str
) -> Appended:
    """Enter a gift to the prize pool."""
    return desk.say(key, FundPool(donor, asset, amount, evidence), name)


def due(desk: Desk, name: str) -> list[Payment]:
    """Return every payment that can be made now, in order of account and asset.

    An account without an address yet is left out: its money waits.
    """
    challenge = desk.challenge(name)
    found = []
    for asset in sorted(challenge.received):
        for account, owed in sorted(treasury.owed(challenge, asset).items()):
            to = desk.state.payout_address(account)
            if owed.payable and to:
                found.append(Payment(account, to, asset, owed.payable))
    return found


def pay(desk: Desk, key: Key, name: str, payment: Payment, evidence: str) -> Appended:
    """Enter that a payment was made."""
    body = Pay(payment.account, payment.to, payment.asset, payment.amount, evidence)
    return desk.say(key, body, name)


def payment_to(desk: Desk, name: str, account: str, asset: str, amount: int | None) -> Payment:
    """Return a payment to one account: all that is payable, or `amount` of it."""
    owed = treasury.owed(desk.challenge(name), asset).get(account)
    if owed is None:
        raise NotFound(f"{name} owes {account} no {asset}.", "`danseo shares` lists accounts.")
    if not owed.payable:
        raise NotCovered(f"Nothing in {asset} is payable to {account} now.", "See `danseo shares`.")
    to = desk.state.payout_address(account)
    return Payment(account, to, asset, owed.payable if amount is None else amount)
