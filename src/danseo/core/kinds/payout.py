"""Entries of payouts: what becomes payable on chain, what waits, and what comes out of stakes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from danseo.core import onchain, treasury, words
from danseo.core.challenge import Challenge, Hold
from danseo.core.entry import Amount, Asset, Author, Blob, Body, Entry, Hash, kind
from danseo.core.errors import Conflict, Malformed, NotCovered, NotFound, WrongPhase
from danseo.core.kinds.challenge import check_organiser
from danseo.core.state import State


def check_attached(challenge: Challenge) -> onchain.Onchain:
    """Return the record of a challenge's contracts, or raise `WrongPhase` where it has none."""
    if challenge.onchain is None:
        raise WrongPhase(f"{challenge.id} has no contracts.", "Attach them first (chain.attach).")
    return challenge.onchain


@kind("payout.declare")
@dataclass(frozen=True, slots=True)
class Declare(Body):
    """Make payable on chain all that is owed now. Anyone may.

    It is booked as paid, claimed or not: a root that stands can be claimed at any time. At index i
    it makes the payout of size i + 1. Accounts on hold, or without an address, wait.
    """

    english: ClassVar[str] = "Declare payable what this challenge owes"
    korean: ClassVar[str] = "이 챌린지가 지급할 몫을 확정함"

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        check_attached(challenge)
        if not onchain.has_news(state, challenge):
            raise NotCovered(
                f"{challenge.id} owes nothing new.", "Declare when money or scores have come in."
            )

    def apply(self, state: State, entry: Entry) -> None:
        onchain.declare(state, state.challenges[entry.challenge], entry)


@kind("payout.hold")
@dataclass(frozen=True, slots=True)
class HoldPayout(Body):
    """The organiser holds an account's payouts back: a tax or identity check is under way outside.

    The reason is public, the evidence a salted hash. It ends by itself after `terms.coin.hold`
    seconds, and an account can be held once. What is due to it stays covered.
    """

    english: ClassVar[str] = "Hold payouts to {account}"
    korean: ClassVar[str] = "{account}에 대한 지급을 보류함"

    account: Author
    reason: Blob
    evidence: Hash

    def check(self, state: State, entry: Entry) -> None:
        challenge = check_organiser(state, entry)
        coin = challenge.terms.coin
        if coin is None:
            raise WrongPhase(
                f"{challenge.id} pays by its organiser's hand.", "Do not pay what you would hold."
            )
        before = challenge.holds.get(state.identity(self.account))
        if before:
            raise Conflict(
                f"Payouts to {self.account} were held in entry {before.index}.",
                "An account is held once, for a stated time.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        coin = challenge.terms.coin
        until = entry.time + (coin.hold if coin else 0)
        challenge.holds[state.identity(self.account)] = Hold(entry.index, until)


@kind("payout.free")
@dataclass(frozen=True, slots=True)
class FreePayout(Body):
    """The organiser's check is done: payouts to the account go on."""

    english: ClassVar[str] = "Free payouts to {account}"
    korean: ClassVar[str] = "{account}에 대한 지급 보류를 해제함"

    account: Author
    evidence: Hash

    def check(self, state: State, entry: Entry) -> None:
        challenge = check_organiser(state, entry)
        held = challenge.holds.get(state.identity(self.account))
        if held is None:
            raise NotFound(f"Payouts to {self.account} are not held.", "Nothing is left to do.")
        if held.until <= state.now:
            raise WrongPhase(
                f"The hold on {self.account} ended at {held.until}.", "Nothing is left to do."
            )

    def apply(self, state: State, entry: Entry) -> None:
        held = state.challenges[entry.challenge].holds[state.identity(self.account)]
        held.until = entry.time


@kind("stake.release")
@dataclass(frozen=True, slots=True)
class Release(Body):
    """Take a deposit, or a part of it, out of the stake contract: the next payout carries it."""

    english: ClassVar[str] = "Take {money} out of my deposit"
    korean: ClassVar[str] = "내 예치금에서 {money}을(를) 찾음"

    asset: Asset
    amount: Amount

    def summary_fields(self) -> dict[str, Any]:
        return {"money": words.money(self.amount, self.asset)}

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        check_attached(challenge)
        if self.amount == 0:
            raise Malformed("The amount is 0.", "Enter an amount of at least 1.")
        asset, coin = challenge.terms.bond.asset, challenge.terms.coin
        if self.asset != asset or coin is None or not coin.token(asset):
            raise NotFound(
                f"The stake contract of {challenge.id} holds no {self.asset}.",
                f"Bonds and stakes are in {asset}.",
            )
        held = treasury.balance(challenge, who, asset)
        if held < self.amount:
            raise NotCovered(
                f"{who} has {words.money(held, asset)}, not {words.money(self.amount, asset)}.",
                "Bonds and stakes come free when what they stand for is over.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenges[entry.challenge], state.identity(entry.author)
        books = challenge.books
        books.post(self.asset, f"free:{who}", f"released:{who}", self.amount)
