"""Entries about money, attested by the organiser: of every asset whose chain the log cannot read.

What a challenge's contracts hold (`terms.coin`) is not attested but reported (chain.report).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from danseo.core import treasury, words
from danseo.core.challenge import Attested, Challenge
from danseo.core.entry import Address, Amount, Asset, Author, Blob, Body, Entry, Index, Line, kind
from danseo.core.errors import Conflict, Malformed, NotAllowed, NotCovered, NotFound, WrongPhase
from danseo.core.kinds.challenge import check_organiser
from danseo.core.state import State


def _check_attested(state: State, entry: Entry, asset: str, amount: int) -> Challenge:
    """Return the challenge, or raise unless its organiser may attest this movement."""
    challenge = check_organiser(state, entry)
    if amount == 0:
        raise Malformed("The amount is 0.", "Enter an amount of at least 1.")
    if treasury.on_chain(challenge, asset):
        raise NotAllowed(
            f"{asset} of {challenge.id} is in its contracts.",
            "The chain says what moves there; report it (chain.report).",
        )
    return challenge


def _check_receipt(state: State, entry: Entry, asset: str, amount: int) -> None:
    """Raise unless the organiser enters that money came in for a challenge that still runs."""
    challenge = _check_attested(state, entry, asset, amount)
    if challenge.status in ("closed", "cancelled"):
        raise WrongPhase(f"{challenge.id} is {challenge.status}.", "It takes no more money.")


def _kept(fee: int | None, asset: str, template: str) -> str:
    return template.format(words.money(fee, asset)) if fee else ""


def _book_fee(challenge: Challenge, asset: str, fee: int | None) -> None:
    challenge.books.post(asset, "outside", "fee", fee or 0)


@kind("money.deposit")
@dataclass(frozen=True, slots=True)
class Deposit(Body):
    """Someone handed the organiser money to put down as bonds or as a stake. Still theirs.

    `fee` is what the rail kept of what they gave; `amount` is what arrived.
    """

    english: ClassVar[str] = "Received {money} from {account} as deposit{kept}"
    korean: ClassVar[str] = "{account}에게서 예치금 {money} 받음{kept_in_korean}"

    account: Author
    asset: Asset
    amount: Amount
    evidence: Line
    fee: Amount | None = None

    def summary_fields(self) -> dict[str, Any]:
        return {
            "money": words.money(self.amount, self.asset),
            "kept": _kept(self.fee, self.asset, ", after a fee of {}"),
            "kept_in_korean": _kept(self.fee, self.asset, " (수수료 {} 제외)"),
        }

    def check(self, state: State, entry: Entry) -> None:
        _check_receipt(state, entry, self.asset, self.amount)

    def apply(self, state: State, entry: Entry) -> None:
        challenge, account = state.challenges[entry.challenge], state.identity(self.account)
        treasury.deposit(challenge, account, self.asset, self.amount)
        _book_fee(challenge, self.asset, self.fee)
        challenge.attested[entry.index] = Attested(
            self.asset, "outside", f"free:{account}", self.amount, self.fee or 0
        )


@kind("money.withdraw")
@dataclass(frozen=True, slots=True)
class Withdraw(Body):
    """The organiser handed a deposit, or a part of it, back."""

    english: ClassVar[str] = "Returned {money} of the deposit of {account}"
    korean: ClassVar[str] = "{account}에게 예치금 {money} 돌려줌"

    account: Author
    asset: Asset
    amount: Amount
    evidence: Line

    def summary_fields(self) -> dict[str, Any]:
        return {"money": words.money(self.amount, self.asset)}

    def check(self, state: State, entry: Entry) -> None:
        challenge = _check_attested(state, entry, self.asset, self.amount)
        held = treasury.balance(challenge, self.account, self.asset)
        if self.amount > held:
            raise NotCovered(
                f"{self.account} has {words.money(held, self.asset)}, not "
                f"{words.money(self.amount, self.asset)}.",
                "Bonds and stakes come free when what they stand for is over.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        source = f"free:{self.account}"
        challenge.books.post(self.asset, source, "outside", self.amount)
        challenge.attested[entry.index] = Attested(self.asset, source, "outside", self.amount)


@kind("money.fund")
@dataclass(frozen=True, slots=True)
class FundPool(Body):
    """Someone gave to the prize pool. It raises everybody's pay alike, whenever it comes.

    `fee` is what the rail kept of the gift; `amount` is what the pool received.
    """

    english: ClassVar[str] = "Received {money} from {donor} for the pool{kept}"
    korean: ClassVar[str] = "{donor}에게서 상금 {money} 받음{kept_in_korean}"

    donor: Author
    asset: Asset
    amount: Amount
    evidence: Line
    fee: Amount | None = None

    def summary_fields(self) -> dict[str, Any]:
        return {
            "money": words.money(self.amount, self.asset),
            "kept": _kept(self.fee, self.asset, ", after a fee of {}"),
            "kept_in_korean": _kept(self.fee, self.asset, " (수수료 {} 제외)"),
        }

    def check(self, state: State, entry: Entry) -> None:
        _check_receipt(state, entry, self.asset, self.amount)

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        donor = state.identity(self.donor)
        treasury.fund(challenge, donor, self.asset, self.amount, entry)
        _book_fee(challenge, self.asset, self.fee)
        challenge.attested[entry.index] = Attested(
            self.asset, "outside", "pool", self.amount, self.fee or 0, donor
        )


@kind("money.pay")
@dataclass(frozen=True, slots=True)
class Pay(Body):
    """The organiser paid what is payable to an account, or a part of it.

    `account` is in the books; `to` is where its money goes: the key that signs for it, unless its
    owner said otherwise. Before settlement no more than the advance is payable.
    """

    english: ClassVar[str] = "Paid {money} to {to} for {account}"
    korean: ClassVar[str] = "{account} 몫 {money}을(를) {to}에 지급함"

    account: Author
    to: Address
    asset: Asset
    amount: Amount
    evidence: Line

    def summary_fields(self) -> dict[str, Any]:
        return {"money": words.money(self.amount, self.asset)}

    def check(self, state: State, entry: Entry) -> None:
        challenge = _check_attested(state, entry, self.asset, self.amount)
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
                f"{words.money(payable, self.asset)} is payable to {self.account}, not "
                f"{words.money(self.amount, self.asset)}.",
                "Before settlement only the stated advance is payable."
                if not challenge.settled_by
                else "Pay at most that.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        treasury.pay(challenge, self.account, self.asset, self.amount)
        challenge.attested[entry.index] = Attested(
            self.asset, "pool", f"paid:{self.account}", self.amount
        )


@kind("money.reverse")
@dataclass(frozen=True, slots=True)
class Reverse(Body):
    """The organiser undoes an entry about money that was wrong, or that a bank took back.

    It is posted the other way, once; the entry itself stays as it is. What has been put down or
    paid out since cannot be taken back.
    """

    english: ClassVar[str] = "Reverse what entry {index} says of money"
    korean: ClassVar[str] = "항목 {index}의 금전 기록을 취소함"

    index: Index
    reason: Blob

    def check(self, state: State, entry: Entry) -> None:
        challenge = check_organiser(state, entry)
        found = challenge.attested.get(self.index)
        if found is None:
            raise NotFound(
                f"Entry {self.index} attests no money of {challenge.id}.",
                "Name a money.* entry of this challenge.",
            )
        if found.reversed_by >= 0:
            raise Conflict(
                f"Entry {self.index} was reversed in entry {found.reversed_by}.",
                "What is reversed stays so; enter anew what did happen.",
            )
        if found.donor and challenge.closed_at >= 0:
            raise WrongPhase(
                f"{challenge.id} is {challenge.status}.", "Its gifts have gone where they go."
            )
        left = self.left(challenge, found)
        if left < found.amount:
            raise NotCovered(
                f"{words.money(found.amount, found.asset)} cannot be taken back: "
                f"{words.money(left, found.asset)} is there.",
                "Wait until bonds come free, or book what was lost as it is.",
            )

    def left(self, challenge: Challenge, found: Attested) -> int:
        """Return how much the account that got the money still has."""
        if found.target.startswith("free:"):
            return treasury.balance(challenge, found.target.removeprefix("free:"), found.asset)
        if found.target == "pool":
            return treasury.available(challenge, found.asset)
        return found.amount

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        found, books = challenge.attested[self.index], challenge.books
        back = "reversed" if found.source == "outside" else found.source
        source = "reversed" if found.target == "outside" else found.target
        books.post(found.asset, source, back, found.amount)
        books.post(found.asset, "fee", "reversed", found.fee)
        if found.donor:
            treasury.ungive(challenge, found.donor, found.asset, found.amount, entry)
        found.reversed_by = entry.index
