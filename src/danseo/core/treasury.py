"""The books of one challenge: what each account is entitled to, was paid, and can be paid now.

All amounts are integers in an asset's smallest unit. `received` is every final receipt of the
pool, forfeited bonds among them. What is payable is always covered (decision 7 of design 0001),
whatever was paid in advance on scores that the truth then took back, and in whatever order
accounts are paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from danseo.core import reward
from danseo.core.errors import Invalid

if TYPE_CHECKING:
    from danseo.core.challenge import Challenge


@dataclass(frozen=True, slots=True)
class Owed:
    """What stands to an account's name in one asset.

    `entitled` is its part of all receipts, `payable` what can be paid out today.
    """

    shares: int
    entitled: int
    paid: int
    payable: int


def account_shares(challenge: Challenge) -> dict[str, int]:
    """Return the shares, grants included, that stand to each account's name, out of 10^18.

    A clue without payees pays its author; with payees, by their parts. Do not change the result.
    """
    return challenge.accounts if challenge.settled_at >= 0 else _account_shares(challenge)


def record_shares(challenge: Challenge) -> None:
    """Write the shares of all accounts down; once settled, they change only by a jury round."""
    challenge.accounts = _account_shares(challenge)


def _account_shares(challenge: Challenge) -> dict[str, int]:
    by_clue = clue_shares(challenge)
    held: dict[str, int] = {}
    for clue_id, share in by_clue.items():
        clue = challenge.clues[clue_id]
        names = [to for to, _ in clue.payees] or [clue.author]
        parts = [part for _, part in clue.payees] or [1]
        for name, part in zip(names, reward.split_units(share, parts), strict=True):
            held[name] = held.get(name, 0) + part
    return held


def clue_shares(challenge: Challenge) -> dict[int, int]:
    """Return for each final clue the shares of all its nodes, and its grants."""
    by_node = reward.shares(challenge.nodes, challenge.terms.rule())
    held = {c.id: by_node[c.node] for c in challenge.clues.values() if c.node >= 0}
    for clue_id, node in award_nodes(challenge):
        held[clue_id] += by_node[node]
    for one in challenge.rounds:
        for clue_id, grant in one.grants.items():
            held[clue_id] += grant
    return held


def award_nodes(challenge: Challenge) -> list[tuple[int, int]]:
    """Return (clue, node) for every award of a jury: the nodes that no clue calls its own."""
    own = {c.node: c.id for c in challenge.clues.values() if c.node >= 0}
    found = []
    for i, node in enumerate(challenge.nodes):
        if i not in own:
            own[i] = own[node.cites[0][0]]
            found.append((own[i], i))
    return found


def granted(challenge: Challenge) -> int:
    """Return the shares of the commons that closed jury rounds have granted."""
    return sum(sum(one.grants.values()) for one in challenge.rounds)


def owed(challenge: Challenge, asset: str) -> dict[str, Owed]:
    """Return what each account is entitled to, was paid, and can be paid now."""
    shares = account_shares(challenge)
    paid = challenge.paid.get(asset, {})
    received = challenge.received.get(asset, 0)
    refunds = challenge.refunds.get(asset, {})
    entitled = {
        name: received * shares.get(name, 0) // reward.SHARES + refunds.get(name, 0)
        for name in [*shares, *(n for n in refunds if n not in shares)]
    }
    for name in paid:
        entitled.setdefault(name, 0)
    whole = challenge.settled_by and not challenge.contested
    advance = reward.UNITS if whole else challenge.terms.advance
    due = {name: one * advance // reward.UNITS for name, one in entitled.items()}
    payable = level(due, paid, available(challenge, asset))
    return {n: Owed(shares.get(n, 0), e, paid.get(n, 0), payable[n]) for n, e in entitled.items()}


def available(challenge: Challenge, asset: str) -> int:
    """Return what the pool still holds: received and slashed, less paid and passed on."""
    return (
        challenge.received.get(asset, 0)
        + challenge.slashed.get(asset, 0)
        - sum(challenge.paid.get(asset, {}).values())
        - challenge.successor.get(asset, 0)
    )


def level(due: dict[str, int], paid: dict[str, int], available: int) -> dict[str, int]:
    """Return what each account can be paid now: all that it lacks of what is due to it, or, where
    that exceeds what is available, as much as brings all alike to one part of what is due.

    Whoever was paid more than that part keeps it and gets no more. So it does not matter in which
    order accounts are paid, or in how many payments.

    >>> level({"a": 30, "b": 10}, {}, 20)
    {'a': 15, 'b': 5}
    >>> level({"a": 30, "b": 10}, {"a": 15}, 5)
    {'a': 0, 'b': 5}
    """
    lacking = {name: one for name, one in due.items() if paid.get(name, 0) < one}
    payable = dict.fromkeys(due, 0)
    pool = whole = sum(lacking.values())
    if whole - sum(paid.get(name, 0) for name in lacking) > available:
        ahead = [""]
        while ahead and lacking:
            pool = available + sum(paid.get(name, 0) for name in lacking)
            whole = sum(lacking.values())
            ahead = [n for n, one in lacking.items() if paid.get(n, 0) * whole >= pool * one]
            for name in ahead:
                del lacking[name]
    if lacking:
        parts = reward.split_units(pool, list(lacking.values()))
        payable.update((n, p - paid.get(n, 0)) for n, p in zip(lacking, parts, strict=True))
    return payable


def slash(challenge: Challenge) -> None:
    """Take from scorers who published too high what was paid too much, by the size of stakes."""
    for asset in challenge.paid:
        entitled = {n: o.entitled for n, o in owed(challenge, asset).items()}
        too_much = sum(max(0, p - entitled[n]) for n, p in challenge.paid[asset].items())
        guilty = [
            s for s in challenge.stakes.values() if s.overstated and s.asset == asset and s.amount
        ]
        taken = min(too_much, sum(s.amount for s in guilty))
        if taken:
            for stake, part in zip(
                guilty, reward.split_units(taken, [s.amount for s in guilty]), strict=True
            ):
                stake.amount -= part
            challenge.slashed[asset] = challenge.slashed.get(asset, 0) + taken


def hold(challenge: Challenge, account: str, asset: str, amount: int) -> None:
    """Move `amount` out of an account's balance: it is locked as a bond or stake."""
    if amount:
        challenge.balances[asset][account] -= amount


def give(challenge: Challenge, account: str, asset: str, amount: int) -> None:
    """Move `amount` to an account's balance."""
    if amount:
        of_asset = challenge.balances.setdefault(asset, {})
        of_asset[account] = of_asset.get(account, 0) + amount


def balance(challenge: Challenge, account: str, asset: str) -> int:
    """Return what an account can put down as bond or stake, or withdraw."""
    return challenge.balances.get(asset, {}).get(account, 0)


def forfeit_bond(challenge: Challenge) -> None:
    """Pay a lapsed commitment's bond into the pool."""
    asset, amount = challenge.terms.bond.asset, challenge.terms.bond.amount
    if amount:
        challenge.forfeited[asset] = challenge.forfeited.get(asset, 0) + amount
        challenge.received[asset] = challenge.received.get(asset, 0) + amount


def return_stakes(challenge: Challenge) -> None:
    """Give the scorers back what is left of their stakes."""
    for who, stake in challenge.stakes.items():
        if stake.held:
            give(challenge, who, stake.asset, stake.amount)
            stake.held = False


def wind_up(challenge: Challenge) -> None:
    """Send what no account is entitled to where the opening said: successor or donors.

    Donors share it in proportion to what they gave, to the last unit; where nobody donated (the
    pool holds forfeited bonds only), it stays. A donor who was paid more in advance than the truth
    leaves him keeps that, and gets his part of the rest like the others.
    """
    for asset in sorted({*challenge.received, *challenge.slashed}):
        accounts = owed(challenge, asset)
        rest = available(challenge, asset) - sum(o.payable for o in accounts.values())
        if rest <= 0:
            continue
        if challenge.terms.remainder != "donors":
            challenge.successor[asset] = rest
            continue
        gave: dict[str, int] = {}
        for fund in challenge.funds:
            if fund.asset == asset:
                gave[fund.donor] = gave.get(fund.donor, 0) + fund.amount
        if gave:
            parts = reward.split_units(rest, list(gave.values()))
            challenge.refunds[asset] = {
                donor: part + _overpaid(accounts.get(donor))
                for donor, part in zip(gave, parts, strict=True)
            }


def _overpaid(owed: Owed | None) -> int:
    return max(0, owed.paid - owed.entitled) if owed else 0


def disputed(challenge: Challenge, asset: str) -> int:
    """Return what open disputes hold of an asset: one bond of each, two where it was answered."""
    terms = challenge.terms.dispute
    if terms is None or terms.bond.asset != asset or not challenge.disputing:
        return 0
    held = [1 + bool(d.answer) for d in challenge.disputes.values() if d.status == "open"]
    return terms.bond.amount * sum(held)


def audit(challenge: Challenge) -> None:
    """Raise `Invalid` where the books do not balance: the money equation and each asset's sums."""
    where = f"in challenge {challenge.id}"
    by_node = reward.shares(challenge.nodes, challenge.terms.rule())
    reward.check(challenge.nodes)
    if not reward.equation(challenge.nodes, by_node, granted(challenge)):
        raise Invalid(f"The money equation does not hold {where}.", "Report this log.")
    for asset in {*challenge.received, *challenge.deposited, *challenge.paid}:
        _audit_asset(challenge, asset, where)


def _audit_asset(challenge: Challenge, asset: str, where: str) -> None:
    donated = sum(f.amount for f in challenge.funds if f.asset == asset)
    received = challenge.received.get(asset, 0)
    if donated + challenge.forfeited.get(asset, 0) != received:
        raise Invalid(f"Receipts in {asset} do not add up {where}.", "Report this log.")
    if available(challenge, asset) < 0:
        raise Invalid(f"More {asset} was paid than received {where}.", "Report this log.")
    locked = 0
    if challenge.terms.bond.asset == asset:
        locked += challenge.terms.bond.amount * sum(
            c.status == "committed" for c in challenge.clues.values()
        )
    locked += sum(s.amount for s in challenge.stakes.values() if s.held and s.asset == asset)
    locked += disputed(challenge, asset)
    held = sum(challenge.balances.get(asset, {}).values())
    left = challenge.withdrawn.get(asset, 0) + challenge.forfeited.get(asset, 0)
    left += challenge.slashed.get(asset, 0)
    if held + locked + left != challenge.deposited.get(asset, 0):
        raise Invalid(f"Deposits in {asset} do not add up {where}.", "Report this log.")
