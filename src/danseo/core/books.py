"""Double entry for each asset: whatever one account gets, another gives, so all add up to nothing.

An account is a name such as `pool`, or a group and an owner: `free:0x...`. Nothing is ever edited:
a mistake is reversed by a posting the other way. Beside the balances the books count what has
moved between groups, so that two counts, kept apart, must agree.

    outside   where money comes from and goes to       stake   of a scorer
    pool      what is there to be paid                 paid    to whom it went, or was declared to
    fee       what a rail kept                         successor  passed on to the next round
    free      a deposit that nothing holds             released   taken out of the stake contract
    bond      of a clue that is not revealed           nobody  the pool's surplus on chain
    mint      where the coin comes from                reversed  what never came in or went out
"""

from __future__ import annotations

from dataclasses import dataclass, field

from danseo.core.errors import Invalid, Malformed


@dataclass(frozen=True, slots=True)
class Fund:
    """One gift to the pool; of less than nothing where an earlier one is reversed."""

    donor: str
    asset: str
    amount: int
    index: int
    time: int


@dataclass(slots=True)
class Books:
    """The books of one challenge.

    `balances` is by asset, group and owner, the owner empty for an account without one; `moved`
    by asset and `source>target`, both groups.
    """

    balances: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    moved: dict[str, dict[str, int]] = field(default_factory=dict)

    def post(self, asset: str, source: str, target: str, amount: int) -> None:
        """Move `amount` of `asset` from one account to another; nothing happens where it is 0.

        >>> books = Books()
        >>> books.post("KRW", "outside", "pool", 5)
        >>> books.balance("KRW", "pool"), books.balance("KRW", "outside")
        (5, -5)
        """
        if amount < 0:
            raise Malformed(
                f"{amount} {asset} cannot move from {source} to {target}.",
                "Post it the other way.",
            )
        if not amount:
            return
        groups = self.balances.setdefault(asset, {})
        giver, _, giver_owner = source.partition(":")
        taker, _, taker_owner = target.partition(":")
        gives = groups.setdefault(giver, {})
        gives[giver_owner] = gives.get(giver_owner, 0) - amount
        takes = groups.setdefault(taker, {})
        takes[taker_owner] = takes.get(taker_owner, 0) + amount
        moved, way = self.moved.setdefault(asset, {}), f"{giver}>{taker}"
        moved[way] = moved.get(way, 0) + amount

    def balance(self, asset: str, account: str) -> int:
        """Return what stands to an account's name."""
        group, _, owner = account.partition(":")
        return self.owners(asset, group).get(owner, 0)

    def owners(self, asset: str, group: str) -> dict[str, int]:
        """Return the balances of a group by owner. Do not change the result."""
        return self.balances.get(asset, {}).get(group, {})

    def total(self, asset: str, group: str) -> int:
        """Return the balance of all accounts of a group together."""
        return sum(self.owners(asset, group).values())

    def flow(self, asset: str, source: str, target: str) -> int:
        """Return all that ever moved from one group to another."""
        return self.moved.get(asset, {}).get(f"{source}>{target}", 0)

    def flows(self, source: str, target: str) -> dict[str, int]:
        """Return by asset all that ever moved from one group to another, where anything did."""
        way = f"{source}>{target}"
        return {asset: moved[way] for asset, moved in self.moved.items() if way in moved}

    def check(self, where: str) -> None:
        """Raise `Invalid` unless the balances add up to nothing and agree with what has moved."""
        for asset in {*self.balances, *self.moved}:
            expected: dict[str, int] = {}
            for way, amount in self.moved.get(asset, {}).items():
                giver, _, taker = way.partition(">")
                expected[giver] = expected.get(giver, 0) - amount
                expected[taker] = expected.get(taker, 0) + amount
            found = {group: self.total(asset, group) for group in self.balances.get(asset, {})}
            if sum(found.values()) != 0 or found != expected:
                raise Invalid(f"The books in {asset} do not add up {where}.", "Report this log.")
