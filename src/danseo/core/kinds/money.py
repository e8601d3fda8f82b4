"""Entries about money, attested by the organiser until a chain says what was received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from danseo.core import treasury
from danseo.core.challenge import Fund
from danseo.core.entry import Address, Amount, Asset, Author, Body, Entry, Line, kind
from danseo.core.errors import Conflict, Malformed, NotCovered, WrongPhase
from danseo.core.kinds.challenge import check_organiser
from danseo.core.state import State


def _check_amount(amount: int) -> None:
    if amount == 0:
        raise Malformed("The amount is 0.", "Enter an amount of at least 1.")


def _check_receipt(state: State, entry: Entry, amount: int) -> None:
    """Raise unless the organiser enters that money came in for a challenge that still runs."""
    challenge = check_organiser(state, entry)
    _check_amount(amount)
    if challenge.status in ("closed", "cancelled"):
        raise WrongPhase(f"{challenge.id} is {challenge.status}.", "It takes no more money.")


@kind("money.deposit")
@dataclass(frozen=True, slots=True)
class Deposit(Body):
    """Someone handed the organiser money to put down as bonds or as a stake. Still theirs."""

    english: ClassVar[str] = "Received {amount:,} {asset} from {account} as deposit"
    korean: ClassVar[str] = "{account}에게서 예치금 {amount:,} {asset} 받음"

    account: Author
    asset: Asset
    amount: Amount
    evidence: Line

    def check(self, state: State, entry: Entry) -> None:
        _check_receipt(state, entry, self.amount)

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        treasury.give(challenge, state.identity(self.account), self.asset, self.amount)
        challenge.deposited[self.asset] = challenge.deposited.get(self.asset, 0) + self.amount


@kind("money.withdraw")
@dataclass(frozen=True, slots=True)
class Withdraw(Body):
    """The organiser handed a deposit, or a part of it, back."""

    english: ClassVar[str] = "Returned {amount:,} {asset} of the deposit of {account}"
    korean: ClassVar[str] = "{account}에게 예치금 {amount:,} {asset} 돌려줌"

    account: Author
    asset: Asset
    amount: Amount
    evidence: Line

    def check(self, state: State, entry: Entry) -> None:
        challenge = check_organiser(state, entry)
        _check_amount(self.amount)
        held = treasury.balance(challenge, self.account, self.asset)
        if self.amount > held:
            raise NotCovered(
                f"{self.account} has {held} {self.asset}, not {self.amount}.",
                "Bonds and stakes come free when what they stand for is over.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        treasury.hold(challenge, self.account, self.asset, self.amount)
        challenge.withdrawn[self.asset] = challenge.withdrawn.get(self.asset, 0) + self.amount


@kind("money.fund")
@dataclass(frozen=True, slots=True)
class FundPool(Body):
    """Someone gave to the prize pool. It raises everybody's pay alike, whenever it comes."""

    english: ClassVar[str] = "Received {amount:,} {asset} from {donor} for the pool"
    korean: ClassVar[str] = "{donor}에게서 상금 {amount:,} {asset} 받음"

    donor: Author
    asset: Asset
    amount: Amount
    evidence: Line

    def check(self, state: State, entry: Entry) -> None:
        _check_receipt(state, entry, self.amount)

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        donor = state.identity(self.donor)
        challenge.funds.append(Fund(donor, self.asset, self.amount, entry.index, entry.time))
        challenge.received[self.asset] = challenge.received.get(self.asset, 0) + self.amount


@kind("money.pay")
@dataclass(frozen=True, slots=True)
class Pay(Body):
    """The organiser paid what is payable to an account, or a part of it.

    `account` is in the books; `to` is where its money goes: the key that signs for it, unless its
    owner said otherwise. Before settlement no more than the advance is payable.
    """

    english: ClassVar[str] = "Paid {amount:,} {asset} to {to} for {account}"
    korean: ClassVar[str] = "{account} 몫 {amount:,} {asset}을(를) {to}에 지급함"

    account: Author
    to: Address
    asset: Asset
    amount: Amount
    evidence: Line

    def check(self, state: State, entry: Entry) -> None:
        challenge = check_organiser(state, entry)
        _check_amount(self.amount)
        address = state.payout_address(self.account)
        if self.to != address:
            goes = address or "nowhere yet: it has no key"
            raise Conflict(
                f"Money for {self.account} goes to {goes}, not to {self.to}.", "Pay it there."
            )
        owed = treasury.owed(challenge, self.asset).get(self.account)
        payable = owed.payable if owed else 0
        if self.amount > payable:
            raise NotCovered(
                f"{payable} {self.asset} is payable to {self.account}, not {self.amount}.",
                "Before settlement only the stated advance is payable."
                if not challenge.settled_by
                else "Pay at most that.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        paid = state.challenges[entry.challenge].paid.setdefault(self.asset, {})
        paid[self.account] = paid.get(self.account, 0) + self.amount
