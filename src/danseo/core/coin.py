"""The coin of a challenge: the terms that its contracts are deployed with, and everyone's units.

The coin counts in 10^-18 units. A clue's own step and its jury awards are units; a grant is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from danseo.core import reward
from danseo.core.entry import Address, Amount, Asset, Seconds, Time, Units
from danseo.core.errors import Conflict

if TYPE_CHECKING:
    from danseo.core.challenge import Challenge
    from danseo.core.terms import Terms

ETHER: Final = "0x" + "0" * 40
"""The token address that stands for ETH itself."""
UNIT: Final = 10**18
"""One unit in the coin's smallest parts."""
CAP: Final = reward.UNITS * UNIT
"""All coin that a challenge can mint."""
MAX_ASSETS: Final = 8
_DECIMALS: Final = re.compile(r"(.+):([0-9]|[12][0-9]|30)")


@dataclass(frozen=True, slots=True)
class Listed:
    """An asset that the pool takes, and its token; the zero address is ETH."""

    asset: Asset
    token: Address


@dataclass(frozen=True, slots=True)
class Coin:
    """Everything that the contracts of a challenge are deployed with.

    `bond` is a root publisher's, in wei; a root waits `window` seconds. `outflow`, `guarded_until`,
    `threshold` and `quorum` are parts per 10^9, the last three of the cap. The guardian can veto
    until that part is minted or `guardian_term` has come. Stakes can leave from `exits_from` on,
    `exit_delay` after saying so. `uptake` is how long the log has for a submitted entry, `patience`
    how long one that it cannot take may hold payouts up. `hold` is how long a payout may be held.
    """

    symbol: Asset
    assets: tuple[Listed, ...]
    guardian: Address
    bond: Amount
    window: Seconds
    outflow: Units
    guarded_until: Units
    guardian_term: Time
    threshold: Units
    quorum: Units
    voting_delay: Seconds
    voting_period: Seconds
    timelock_delay: Seconds
    exit_delay: Seconds
    exits_from: Time
    uptake: Seconds
    patience: Seconds
    hold: Seconds

    def token(self, asset: str) -> str:
        """Return the token of a listed asset, or an empty string where it is not listed."""
        return next((one.token for one in self.assets if one.asset == asset), "")

    def lists(self, asset: str) -> bool:
        """Return whether the chain, and not the organiser, says what came in of this asset."""
        return asset == self.symbol or any(one.asset == asset for one in self.assets)


def decimals(asset: str) -> int:
    """Return how many decimals the amounts of an asset have: 0 where its name says none.

    >>> decimals("ETH:18"), decimals("KRW")
    (18, 0)
    """
    found = _DECIMALS.fullmatch(asset)
    return int(found[2]) if found else 0


def check_coin(terms: Terms) -> None:
    """Raise a `Conflict` naming the first term of the coin that contradicts another."""
    coin = terms.coin
    if coin is None:
        return
    _check_assets(coin)
    _check_times(coin, terms)
    for name in ("bond", "outflow", "quorum", "voting_period", "uptake", "patience"):
        if getattr(coin, name) < 1:
            raise Conflict(f"terms.coin.{name} is 0.", "Give it a value of at least 1.")
    _check_stakes(coin, terms)


def _check_assets(coin: Coin) -> None:
    names = [one.asset for one in coin.assets]
    tokens = [one.token for one in coin.assets]
    if not 1 <= len(names) <= MAX_ASSETS:
        raise Conflict(
            f"terms.coin.assets lists {len(names)} assets.", f"List 1 to {MAX_ASSETS} of them."
        )
    short = [name.rpartition(":")[0] or name for name in [*names, coin.symbol]]
    for i, (name, token) in enumerate(zip(names, tokens, strict=True)):
        if short[i] in short[:i] or token in tokens[:i]:
            raise Conflict(f"terms.coin.assets lists {name} twice.", "List each asset once.")
        if token == ETHER and name != "ETH:18":
            raise Conflict(
                f"{name} is listed under the zero address.", "That is ETH:18; name a token."
            )
    if short[-1] in short[:-1]:
        raise Conflict(
            f"terms.coin.symbol is {coin.symbol}, a listed asset.", "Give the coin another symbol."
        )
    if decimals(coin.symbol) != 18:
        raise Conflict(
            f"terms.coin.symbol is {coin.symbol}.", "A coin has 18 decimals: write NAME:18."
        )


def _check_times(coin: Coin, terms: Terms) -> None:
    voting = coin.voting_delay + coin.voting_period + coin.timelock_delay
    if coin.window <= voting:
        raise Conflict(
            f"A root waits {coin.window} seconds, and a veto by vote takes {voting}.",
            "Let terms.coin.window exceed voting_delay + voting_period + timelock_delay.",
        )
    if coin.exit_delay <= coin.window:
        raise Conflict(
            f"A stake leaves {coin.exit_delay} seconds after it says so, and a root that takes it "
            f"waits {coin.window}.",
            "Let terms.coin.exit_delay exceed the window.",
        )
    ends = settled_by(terms)
    if coin.exits_from < ends:
        raise Conflict(
            f"Stakes can leave from {coin.exits_from}, and are at risk until {ends}.",
            "Let terms.coin.exits_from be no earlier than that.",
        )


def settled_by(terms: Terms) -> int:
    """Return the latest time by which a challenge is settled and what is disputed is decided."""
    ends = terms.deadline + terms.reveal_window + terms.score_window + 2 * terms.truth_window
    if terms.dispute:
        ends += terms.dispute.window + terms.dispute.answer + terms.dispute.vote
    return ends


def _check_stakes(coin: Coin, terms: Terms) -> None:
    """One stake contract holds one asset, so bonds and stakes are all in one."""
    bond, stake = terms.bond.asset, terms.stake.asset
    if bond != stake:
        raise Conflict(
            f"The bond is in {bond} and the stake in {stake}.", "Take one asset for both."
        )
    if terms.dispute and terms.dispute.bond.asset != bond:
        raise Conflict(
            f"A dispute's bond is in {terms.dispute.bond.asset}, a clue's in {bond}.",
            "Take one asset for both.",
        )
    if bond == coin.symbol:
        raise Conflict(f"The bond is in {bond}, the coin itself.", "Take an asset that it lists.")


def coin_units(challenge: Challenge) -> dict[str, int]:
    """Return the units that stand to each account's name, in 10^-18 units.

    Exact: each clue's units are split over its payees by largest remainder, so that nothing is lost
    or made. Before settlement they can still change.
    """
    units = {c.id: challenge.nodes[c.node].units for c in challenge.clues.values() if c.node >= 0}
    for one in challenge.rounds:
        for clue_id, award in one.units.items():
            units[clue_id] += award
    held: dict[str, int] = {}
    for clue_id, whole in units.items():
        if whole:
            clue = challenge.clues[clue_id]
            names = [to for to, _ in clue.payees] or [clue.author]
            parts = reward.split_units(whole * UNIT, [part for _, part in clue.payees] or [1])
            for name, part in zip(names, parts, strict=True):
                held[name] = held.get(name, 0) + part
    return held
