"""The money of one challenge: what each account is entitled to, was paid, and can be paid now.

All amounts are integers in an asset's smallest unit, and every movement is one posting in the
challenge's books. What the pool received is every final receipt, forfeited bonds among them. What
is payable is always covered (decision 7 of design 0001), whatever was paid in advance on scores
that the truth then took back, and in whatever order accounts are paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from danseo.core import reward
from danseo.core.books import Fund
from danseo.core.coin import CAP, coin_units
from danseo.core.errors import Invalid

if TYPE_CHECKING:
    from danseo.core.challenge import Challenge
    from danseo.core.entry import Entry

RECEIPTS: Final = ("outside", "bond", "nobody")
"""Where from the pool receives what all are paid of: gifts, forfeited bonds, surplus on chain."""


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
    """Return what each account is entitled to, was paid, and can be paid now.

    Of the coin, accounts are entitled to their units; of anything else, to their shares of all
    receipts, and in full, at any time, to what comes back to them or what a dispute won them.
    """
    extra = dict(challenge.refunds.get(asset, {}))
    for name, amount in challenge.won.get(asset, {}).items():
        extra[name] = extra.get(name, 0) + amount
    if challenge.coin_symbol == asset:
        shares = parts = coin_units(challenge)
    else:
        shares, pot = account_shares(challenge), received(challenge, asset)
        parts = {name: pot * share // reward.SHARES for name, share in shares.items()}
    paid = challenge.books.owners(asset, "paid")
    names = dict.fromkeys([*parts, *extra, *paid])
    entitled = {name: parts.get(name, 0) + extra.get(name, 0) for name in names}
    whole = challenge.settled_by and not challenge.contested
    advance = reward.UNITS if whole else challenge.terms.advance
    due = {n: parts.get(n, 0) * advance // reward.UNITS + extra.get(n, 0) for n in names}
    payable = level(due, paid, available(challenge, asset))
    return {n: Owed(shares.get(n, 0), e, paid.get(n, 0), payable[n]) for n, e in entitled.items()}


def received(challenge: Challenge, asset: str) -> int:
    """Return all that the pool received of an asset, less what never came in after all."""
    books = challenge.books
    came = sum(books.flow(asset, source, "pool") for source in RECEIPTS)
    return came - books.flow(asset, "pool", "nobody") - books.flow(asset, "pool", "reversed")


def available(challenge: Challenge, asset: str) -> int:
    """Return what can still be paid: of the coin what is not minted, else what the pool holds.

    What the pool is due of stakes that lie elsewhere on chain is not there yet.
    """
    if challenge.coin_symbol == asset:
        return CAP - challenge.books.total(asset, "paid")
    held = challenge.books.balance(asset, "pool")
    if challenge.onchain and asset == challenge.terms.bond.asset:
        held -= challenge.onchain.transit()
    return held


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


# --- movements -----------------------------------------------------------------------------------


def fund(challenge: Challenge, donor: str, asset: str, amount: int, entry: Entry) -> None:
    """Book what the pool received; without a donor, from nobody who could get it back."""
    challenge.books.post(asset, "outside" if donor else "nobody", "pool", amount)
    if donor:
        challenge.funds.append(Fund(donor, asset, amount, entry.index, entry.time))


def inherit(challenge: Challenge, before: Challenge, asset: str, amount: int) -> None:
    """Note whose gifts a round before passed on: in the end, what is left of them is theirs."""
    coin, theirs = challenge.terms.coin, before.terms.coin
    token = coin.token(asset) if coin else ""
    called = [one.asset for one in theirs.assets if one.token == token] if theirs else []
    heirs = _heirs(before, called[0]) if called else {}
    if heirs:
        inherited = challenge.inherited.setdefault(asset, {})
        parts = reward.split_units(amount, list(heirs.values()))
        for name, part in zip(heirs, parts, strict=True):
            inherited[name] = inherited.get(name, 0) + part


def ungive(challenge: Challenge, donor: str, asset: str, amount: int, entry: Entry) -> None:
    """Note that a gift never came: the list of gifts is only ever added to."""
    challenge.funds.append(Fund(donor, asset, -amount, entry.index, entry.time))


def deposit(challenge: Challenge, account: str, asset: str, amount: int) -> None:
    """Book what an account can put down as bond or stake."""
    challenge.books.post(asset, "outside", f"free:{account}", amount)


def pay(challenge: Challenge, account: str, asset: str, amount: int) -> None:
    """Book what was paid to an account, or made payable on chain; the coin is made for it."""
    source = "mint" if challenge.coin_symbol == asset else "pool"
    challenge.books.post(asset, source, f"paid:{account}", amount)


def hold(challenge: Challenge, account: str, asset: str, amount: int, what: str) -> None:
    """Lock `amount` of an account's deposit as a `what`: a bond, a stake, a dispute."""
    challenge.books.post(asset, f"free:{account}", f"{what}:{account}", amount)


def give(challenge: Challenge, account: str, asset: str, amount: int, what: str) -> None:
    """Let `amount` that an account had locked as a `what` be free again."""
    challenge.books.post(asset, f"{what}:{account}", f"free:{account}", amount)


def balance(challenge: Challenge, account: str, asset: str) -> int:
    """Return what an account can put down as bond or stake, or take out.

    What it has asked the stake contract for is on its way out.
    """
    free = challenge.books.balance(asset, f"free:{account}")
    if challenge.onchain:
        free -= challenge.onchain.exiting.get(account, 0)
    return max(0, free)


def staked(challenge: Challenge, scorer: str) -> int:
    """Return what is left of a scorer's stake."""
    return challenge.books.balance(challenge.terms.stake.asset, f"stake:{scorer}")


def lose(challenge: Challenge, account: str, asset: str, amount: int, what: str = "free") -> None:
    """Move to the pool what an account had put down; on chain it takes a payout to get there."""
    challenge.books.post(asset, f"{what}:{account}", "pool", amount)
    if amount and challenge.onchain and on_chain(challenge, asset):
        lost = challenge.onchain.lost
        lost[account] = lost.get(account, 0) + amount


def win(
    challenge: Challenge, loser: str, winner: str, asset: str, amount: int, what: str = "dispute"
) -> None:
    """Let what one account had locked go to another.

    The stake contract pays nobody more than was put down for him. So on chain it goes through the
    pool, which then owes it to the winner.
    """
    if not on_chain(challenge, asset):
        challenge.books.post(asset, f"{what}:{loser}", f"free:{winner}", amount)
        return
    lose(challenge, loser, asset, amount, what)
    won = challenge.won.setdefault(asset, {})
    won[winner] = won.get(winner, 0) + amount


def on_chain(challenge: Challenge, asset: str) -> bool:
    """Say whether the chain, and not the organiser, says what came in of an asset."""
    coin = challenge.terms.coin
    return coin is not None and coin.lists(asset)


def forfeit_bond(challenge: Challenge, account: str) -> None:
    """Pay the bond of an account's lapsed commitment into the pool."""
    lose(challenge, account, challenge.terms.bond.asset, challenge.terms.bond.amount, "bond")


def slash(challenge: Challenge) -> None:
    """Take from scorers who published too high what was paid too much, by the size of stakes."""
    asset = challenge.terms.stake.asset
    paid = {n: (o.paid, o.entitled) for n, o in owed(challenge, asset).items()}
    too_much = sum(max(0, one - entitled) for one, entitled in paid.values())
    staked = challenge.books.owners(asset, "stake")
    guilty = {w: staked[w] for w, s in challenge.stakes.items() if s.overstated and staked.get(w)}
    taken = min(too_much, sum(guilty.values()))
    if taken:
        parts = reward.split_units(taken, list(guilty.values()))
        for who, part in zip(list(guilty), parts, strict=True):
            lose(challenge, who, asset, part, "stake")


def return_stakes(challenge: Challenge) -> None:
    """Give the scorers back what is left of their stakes."""
    asset = challenge.terms.stake.asset
    for who, amount in list(challenge.books.owners(asset, "stake").items()):
        give(challenge, who, asset, amount, "stake")


# --- the end -------------------------------------------------------------------------------------


def wind_up(challenge: Challenge) -> None:
    """Send what no account is entitled to where the opening said: successor or donors.

    Donors share it in proportion to what they gave, to the last unit. A donor who was paid more in
    advance than the truth leaves him keeps that, and gets his part of the rest like the others.
    Run again when something comes in after the end, it sends that on, too.
    """
    for asset in _assets(challenge):
        accounts = owed(challenge, asset)
        rest = available(challenge, asset) - sum(o.payable for o in accounts.values())
        if rest <= 0 or asset == challenge.coin_symbol:
            continue
        if challenge.terms.remainder != "donors":
            challenge.books.post(asset, "pool", "successor", rest)
            continue
        _return_rest(challenge, asset, rest, accounts)


def disinherit(challenge: Challenge, asset: str, amount: int) -> None:
    """Give back to donors what was meant for a successor that never came."""
    accounts = owed(challenge, asset)
    challenge.books.post(asset, "successor", "pool", amount)
    _return_rest(challenge, asset, amount, accounts)


def _return_rest(challenge: Challenge, asset: str, rest: int, accounts: dict[str, Owed]) -> None:
    heirs = _heirs(challenge, asset)
    if heirs:
        refunds = challenge.refunds.setdefault(asset, {})
        parts = reward.split_units(rest, list(heirs.values()))
        for name, part in zip(heirs, parts, strict=True):
            refunds[name] = refunds.get(name, 0) + part + _overpaid(accounts.get(name))


def _heirs(challenge: Challenge, asset: str) -> dict[str, int]:
    """Return who shares the rest by what weight: the donors, those of a round before among them;
    without any, all accounts by their shares; without those, whoever lost a bond."""
    gave = dict(challenge.inherited.get(asset, {}))
    for fund in challenge.funds:
        if fund.asset == asset:
            gave[fund.donor] = gave.get(fund.donor, 0) + fund.amount
    heirs = {donor: amount for donor, amount in gave.items() if amount}
    if not heirs:
        heirs = {n: share for n, share in account_shares(challenge).items() if share}
    if not heirs:
        heirs = dict.fromkeys(_losers(challenge), 1)
    return heirs


def has_heirs(challenge: Challenge, asset: str) -> bool:
    """Say whether there is anybody to whom a rest could go back."""
    return bool(_heirs(challenge, asset))


def _losers(challenge: Challenge) -> list[str]:
    return [
        c.author
        for c in challenge.clues.values()
        if c.reveal < 0 and c.status in ("lapsed", "retracted")
    ]


def _overpaid(owed: Owed | None) -> int:
    return max(0, owed.paid - owed.entitled) if owed else 0


def _assets(challenge: Challenge) -> list[str]:
    return sorted(challenge.books.balances)


# --- audit ---------------------------------------------------------------------------------------


def audit(challenge: Challenge) -> None:
    """Raise `Invalid` where the books do not balance: the money equation and each asset's sums.

    What the chain says is booked even where it contradicts the log; `onchain.faults` tells that.
    """
    where = f"in challenge {challenge.id}"
    by_node = reward.shares(challenge.nodes, challenge.terms.rule())
    reward.check(challenge.nodes)
    if not reward.equation(challenge.nodes, by_node, granted(challenge)):
        raise Invalid(f"The money equation does not hold {where}.", "Report this log.")
    challenge.books.check(where)
    for asset in _assets(challenge):
        _audit_asset(challenge, asset, where)


def _audit_asset(challenge: Challenge, asset: str, where: str) -> None:
    books = challenge.books
    donated = sum(f.amount for f in challenge.funds if f.asset == asset)
    came = books.flow(asset, "outside", "pool") - books.flow(asset, "pool", "reversed")
    if donated != came:
        raise Invalid(f"Receipts in {asset} do not add up {where}.", "Report this log.")
    for group, expected in _locked(challenge, asset).items():
        if {who: n for who, n in books.owners(asset, group).items() if n} != expected:
            raise Invalid(f"What is locked as {group} in {asset} is wrong {where}.", "Report it.")
    lowest = [min(books.owners(asset, g).values(), default=0) for g in ("stake", "paid", "fee")]
    if not on_chain(challenge, asset):
        lowest += [min(books.owners(asset, g).values(), default=0) for g in ("pool", "free")]
    if min(lowest) < 0:
        raise Invalid(f"More {asset} went out than came in {where}.", "Report this log.")


def _locked(challenge: Challenge, asset: str) -> dict[str, dict[str, int]]:
    """Return by group and account what must be locked by the state of clues and disputes."""
    bonds: dict[str, int] = {}
    if challenge.terms.bond.asset == asset and challenge.terms.bond.amount:
        for clue in challenge.clues.values():
            if clue.status == "committed":
                bonds[clue.author] = bonds.get(clue.author, 0) + challenge.terms.bond.amount
    disputed: dict[str, int] = {}
    terms = challenge.terms.dispute
    if terms and terms.bond.asset == asset and challenge.disputing:
        for one in challenge.disputes.values():
            if one.status == "open":
                other = one.scorer or challenge.clues[one.clue].author
                for who in [one.by, other] if one.answer else [one.by]:
                    disputed[who] = disputed.get(who, 0) + terms.bond.amount
    return {"bond": bonds, "dispute": disputed}
