"""Reports of the chain go into the books: money, stakes, roots, and what the DAO decided.

What the chain says is booked even where it should not be, and never refused: it has happened.
`onchain.faults` then says what is wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from danseo.core import canonical, onchain, treasury
from danseo.core.curve import Curve
from danseo.core.errors import Conflict, DanseoError
from danseo.core.onchain import Decision, Onchain, Root, add

if TYPE_CHECKING:
    from danseo.core.challenge import Challenge
    from danseo.core.entry import Entry
    from danseo.core.kinds.chain import Fact, Holding, Report
    from danseo.core.state import State
    from danseo.core.terms import Terms


def book(state: State, challenge: Challenge, report: Report, entry: Entry) -> list[Decision]:
    """Book a report that fits on to the last one; return what the DAO decided in it."""
    record, before = onchain.of(challenge), len(onchain.of(challenge).decisions)
    for fact in report.facts:
        if fact.what in _POOL:
            _book_pool(state, challenge, record, fact, entry)
        elif fact.what in _STAKE:
            _book_stake(challenge, record, fact)
        else:
            _book_word(challenge, record, fact, entry)
    if report.facts:
        record.position = report.facts[-1].position
    record.block = report.to_block
    if report.complete:
        record.block, record.position = report.to_block + 1, -1
        record.complete, record.block_hash = report.to_block, report.block_hash
        record.supply = report.supply
        for holding in report.holdings:
            _book_holding(challenge, record, holding)
    if challenge.closed_at >= 0:  # what comes in after the end goes where the rest went
        treasury.wind_up(challenge)
    return record.decisions[before:]


_POOL: Final = ("received", "paid", "published", "disputed", "vetoed", "activated", "unlocked")
_STAKE: Final = ("deposited", "released", "slashed", "exiting", "withdrawn")


def _book_pool(
    state: State, challenge: Challenge, record: Onchain, fact: Fact, entry: Entry
) -> None:
    account, amount, asset = fact.account or "", fact.amount or 0, fact.asset or ""
    if fact.what == "received":
        add(record.received, asset, amount)
        if account == record.contracts.stake:
            record.arrived += amount  # the books gave it to the pool when it was lost
        else:
            giver = _owner_of_pool(state, account)
            donor = "" if giver else state.identity(account)
            treasury.fund(challenge, donor, asset, amount, entry)
            if giver and giver is not challenge:
                treasury.inherit(challenge, giver, asset, amount)
    elif fact.what == "paid":
        add(record.claimed.setdefault(asset, {}), account, amount)
    elif fact.what == "published":
        record.roots.append(
            Root(fact.size or 0, fact.root or "", fact.log_root or "", account, fact.block)
        )
    elif fact.what == "unlocked":
        record.unlocked = True
    else:
        root = next((r for r in reversed(record.roots) if r.size == fact.size), None)
        if root:
            root.status = fact.what


def _owner_of_pool(state: State, address: str) -> Challenge | None:
    """Return whose pool an address is: this one's own, for forfeited root bonds, or that of a
    round before, for what it passed on. None where it is no pool."""
    for challenge in state.challenges.values():
        if challenge.onchain and challenge.onchain.contracts.pool == address:
            return challenge
    return None


def _book_stake(challenge: Challenge, record: Onchain, fact: Fact) -> None:
    account, amount = fact.account or "", fact.amount or 0
    asset = challenge.terms.bond.asset
    listed = bool(challenge.terms.coin and challenge.terms.coin.token(asset))
    if fact.what == "exiting":
        record.exiting[account] = amount
        return
    record.staked += amount if fact.what == "deposited" else -amount
    if fact.what == "released":
        add(record.released, account, amount)
    if fact.what == "withdrawn":
        add(record.withdrawn, account, amount)
        record.exiting.pop(account, None)
    if fact.what == "slashed":
        add(record.slashed, account, amount)
    if not listed:
        return  # the contract's asset is not what bonds are in: its owners take it out themselves
    if fact.what == "deposited":
        treasury.deposit(challenge, account, asset, amount)
    elif fact.what == "withdrawn":
        _book_withdrawn(challenge, record, account, asset, amount)
    elif fact.what == "slashed":
        beyond = record.slashed[account] - record.lost.get(account, 0)
        if beyond > 0:  # the DAO took it without the log
            treasury.lose(challenge, account, asset, beyond)


def _book_withdrawn(
    challenge: Challenge, record: Onchain, account: str, asset: str, amount: int
) -> None:
    """Book what left without the log: from what is free, then from what was to be released, and
    where even that is too little, as a debt."""
    books = challenge.books
    asked = books.balance(asset, f"released:{account}") - record.released.get(account, 0)
    free = max(0, books.balance(asset, f"free:{account}"))
    late = max(0, min(amount - free, asked))
    books.post(asset, f"released:{account}", "outside", late)
    books.post(asset, f"free:{account}", "outside", amount - late)


def _book_word(challenge: Challenge, record: Onchain, fact: Fact, entry: Entry) -> None:
    if fact.what == "anchored":
        record.anchored, record.anchored_root = fact.size or 0, fact.log_root or ""
    elif fact.what == "decided":
        curve_of = challenge.terms.eta, challenge.terms.direction == "higher"
        record.decisions.append(read_decision(entry.index, fact.text or "", *curve_of))
    else:
        record.submitted[fact.root or ""] = fact.what


def _book_holding(challenge: Challenge, record: Onchain, holding: Holding) -> None:
    """Book what the pool holds beyond its events as received from nobody, and less as lost."""
    asset = holding.asset
    gone = sum(record.claimed.get(asset, {}).values())
    before = record.surplus.get(asset, 0)
    change = holding.pool - (record.received.get(asset, 0) - gone + before)
    record.held[asset] = holding.pool
    record.surplus[asset] = before + change
    if change > 0:
        challenge.books.post(asset, "nobody", "pool", change)
    else:
        challenge.books.post(asset, "pool", "nobody", -change)
    if asset == challenge.terms.bond.asset:
        record.stake_held = holding.stake


# --- decisions -----------------------------------------------------------------------------------


def read_decision(index: int, text: str, eta: int, higher: bool) -> Decision:
    """Return what the DAO's words say to the log; what it cannot read binds nobody.

    `{"next":{"curve":[{"score":...,"units":...},...]}}`, `{"next":{"scorer":"fbeta-1"}}`,
    `{"next":{"scorers":["0x...","0x..."]}}`, `{"dispute":ID,"uphold":true}`, in canonical JSON.
    """
    try:
        said = canonical.decode(text.encode())
        following = said.get("next", {})
        curve = tuple((p["score"], p["units"]) for p in following.get("curve", ()))
        if curve:
            Curve(curve, eta, higher)
        scorer, scorers = following.get("scorer", ""), tuple(following.get("scorers", ()))
        dispute, uphold = said.get("dispute", -1), said.get("uphold", False)
        well_formed = (
            type(scorer) is str
            and len({*scorers}) == len(scorers)
            and all(type(who) is str and _ADDRESS.fullmatch(who) for who in scorers)
            and type(dispute) is int
            and type(uphold) is bool
        )
    except (DanseoError, ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        well_formed = False
    if not well_formed:
        return Decision(index, text)
    return Decision(index, text, curve, scorer, scorers, dispute, uphold)


_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")


def check_follows(before: Challenge, terms: Terms) -> None:
    """Raise a `Conflict` where the terms of a next round are not what the DAO before it decided.

    Of each thing the latest decision counts.
    """
    decisions = before.onchain.decisions if before.onchain else []
    found: dict[str, tuple[Any, Any, int]] = {}
    for one in decisions:
        if one.curve:
            curve = tuple((p.score, p.units) for p in terms.curve)
            found["curve"] = curve, one.curve, one.index
        if one.scorer:
            found["scorer"] = terms.scorer, one.scorer, one.index
        if one.scorers:
            named = sorted(s.who for s in terms.scorers)
            found["scorers"] = named, sorted(one.scorers), one.index
    for name, (given, decided, index) in found.items():
        if given != decided:
            raise Conflict(
                f"terms.{name} is {given}, and the DAO of {before.id} decided {decided} "
                f"(entry {index}).",
                "Open this round with what it decided, or let it decide anew.",
            )
