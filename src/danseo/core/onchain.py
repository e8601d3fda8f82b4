"""What a challenge knows of its contracts: what they did, block by block, and what it owes there.

Reports are gapless, so these books say at any block what the pool and the stake must hold. What
the chain says is booked even where it should not be; `faults` then says what is wrong.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from danseo.core import canonical, treasury
from danseo.core.coin import CAP
from danseo.core.curve import Curve
from danseo.core.errors import Conflict, DanseoError, NotFound
from danseo.core.words import money

if TYPE_CHECKING:
    from danseo.core.challenge import Challenge
    from danseo.core.entry import Entry
    from danseo.core.kinds.chain import Fact, Holding, Report
    from danseo.core.state import State
    from danseo.core.terms import Terms

FLIP: Final = 1
"""XOR of the last bit: it turns the stake's address into the asset of what an account has lost."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """Where a challenge's contracts are, and the block and transaction that deployed them."""

    chain_id: int
    block: int
    tx: str
    factory: str
    pool: str
    coin: str
    governor: str
    timelock: str
    anchor: str
    stake: str


@dataclass(slots=True)
class Root:
    """A payout root: `status` is published, disputed, vetoed or activated."""

    size: int
    root: str
    log_root: str
    publisher: str
    block: int
    status: str = "published"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the DAO decided, in its words and as the log reads it; empty and -1 for what it leaves.

    `index` is that of the entry that reported it.
    """

    index: int
    text: str
    curve: tuple[tuple[int, int], ...] = ()
    scorer: str = ""
    scorers: tuple[str, ...] = ()
    dispute: int = -1
    uphold: bool = False


@dataclass(slots=True)
class Onchain:
    """The folded record of a challenge's contracts.

    The next report begins at `block`, after the fact at `position` in it; `complete` is the last
    block that was reported whole, `block_hash` its hash. Of each asset `received` is what came
    into the pool by its events, `surplus` what it holds beyond that (below 0: lacks), `held` what
    it holds, `claimed` what each address took.

    Of the stake contract: `staked` is what it must hold by its events and `stake_held` what it
    does; by account, `released` and `withdrawn` are what was taken out, `exiting` what was asked
    back, `slashed` what the chain moved to the pool, and `lost` what is to be moved by the log's
    books; `arrived` is how much reached the pool.

    `leaves` holds by token and address the (size, cumulative) of every payout, `declared` all their
    sizes, `passed` what of the successor's part is among them.
    """

    contracts: Contracts
    block: int
    position: int = -1
    complete: int = -1
    block_hash: str = ""
    received: dict[str, int] = field(default_factory=dict)
    surplus: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    claimed: dict[str, dict[str, int]] = field(default_factory=dict)
    supply: int = 0
    unlocked: bool = False
    staked: int = 0
    stake_held: int = 0
    released: dict[str, int] = field(default_factory=dict)
    withdrawn: dict[str, int] = field(default_factory=dict)
    exiting: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    slashed: dict[str, int] = field(default_factory=dict)
    arrived: int = 0
    roots: list[Root] = field(default_factory=list)
    anchored: int = 0
    anchored_root: str = ""
    submitted: dict[str, str] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    leaves: dict[str, dict[str, list[tuple[int, int]]]] = field(default_factory=dict)
    declared: list[int] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)

    def transit(self) -> int:
        """Return what the pool is due of bonds and stakes that still lie in the stake contract."""
        return sum(self.lost.values()) - self.arrived

    def root(self) -> Root | None:
        """Return the root in effect, or None before the first."""
        return next((r for r in reversed(self.roots) if r.status == "activated"), None)


def lost_asset(stake: str) -> str:
    """Return the asset under which the payout tree holds what accounts have lost of their stakes.

    >>> lost_asset("0x" + "0" * 39 + "4")[-1]
    '5'
    """
    return f"0x{int(stake, 16) ^ FLIP:040x}"


# --- reports: what the chain did goes into the books ---------------------------------------------


def book(state: State, challenge: Challenge, report: Report, entry: Entry) -> list[Decision]:
    """Book a report that fits on to the last one; return what the DAO decided in it."""
    record, before = of(challenge), len(of(challenge).decisions)
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


def of(challenge: Challenge) -> Onchain:
    """Return the record of contracts that are known to be attached."""
    if challenge.onchain is None:
        raise TypeError(f"{challenge.id} has no contracts")
    return challenge.onchain


def _book_pool(
    state: State, challenge: Challenge, record: Onchain, fact: Fact, entry: Entry
) -> None:
    account, amount, asset = fact.account or "", fact.amount or 0, fact.asset or ""
    if fact.what == "received":
        _add(record.received, asset, amount)
        if account == record.contracts.stake:
            record.arrived += amount  # the books gave it to the pool when it was lost
        else:
            donor = "" if _is_pool(state, account) else state.identity(account)
            treasury.fund(challenge, donor, asset, amount, entry)
    elif fact.what == "paid":
        _add(record.claimed.setdefault(asset, {}), account, amount)
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


def _is_pool(state: State, address: str) -> bool:
    """Say whether money comes from a pool: this one's own forfeited root bonds, or what a round
    before passed on. Nobody gave it that could get a rest of it back."""
    records = (challenge.onchain for challenge in state.challenges.values())
    return any(record and record.contracts.pool == address for record in records)


def _book_stake(challenge: Challenge, record: Onchain, fact: Fact) -> None:
    account, amount = fact.account or "", fact.amount or 0
    asset = challenge.terms.bond.asset
    listed = bool(challenge.terms.coin and challenge.terms.coin.token(asset))
    if fact.what == "exiting":
        record.exiting[account] = amount
        return
    record.staked += amount if fact.what == "deposited" else -amount
    if fact.what == "released":
        _add(record.released, account, amount)
    if fact.what == "withdrawn":
        _add(record.withdrawn, account, amount)
        record.exiting.pop(account, None)
    if fact.what == "slashed":
        _add(record.slashed, account, amount)
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


def _add(sums: dict[str, int], key: str, amount: int) -> None:
    sums[key] = sums.get(key, 0) + amount


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


# --- payouts -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payout:
    """What a declaration makes payable: to whose account, where, and how much."""

    asset: str
    account: str
    address: str
    amount: int


def payouts(state: State, challenge: Challenge) -> list[Payout]:
    """Return what can be declared now: all that is payable to accounts that have an address and
    are not on hold."""
    coin = challenge.terms.coin
    if coin is None:
        return []
    found = []
    for asset in [*(one.asset for one in coin.assets), coin.symbol]:
        for account, owed in sorted(treasury.owed(challenge, asset).items()):
            address = state.payout_address(account)
            if owed.payable and address and not on_hold(challenge, account, state.now):
                found.append(Payout(asset, account, address, owed.payable))
    return found


def on_hold(challenge: Challenge, account: str, now: int) -> bool:
    """Say whether payouts to an account are held back."""
    held = challenge.holds.get(account)
    return held is not None and now < held.until


def has_news(state: State, challenge: Challenge) -> bool:
    """Say whether a declaration would make anything payable that is not yet."""
    record = of(challenge)
    if payouts(state, challenge) or _passing(state, challenge) or _orphaned(state, challenge):
        return True
    return any(_last(record, *leaf) != total for leaf, total in _stake_totals(challenge).items())


def declare(state: State, challenge: Challenge, entry: Entry) -> None:
    """Book as paid all that can be declared, and write the leaves of the payout of this size."""
    record, size = of(challenge), entry.index + 1
    for asset, amount in _orphaned(state, challenge):
        treasury.disinherit(challenge, asset, amount)
    for one in payouts(state, challenge):
        treasury.pay(challenge, one.account, one.asset, one.amount)
        _write(record, token_of(challenge, one.asset), one.address, size, one.amount)
    for asset, address, amount in _passing(state, challenge):
        _add(record.passed, asset, amount)
        _write(record, token_of(challenge, asset), address, size, amount)
    for (token, account), total in _stake_totals(challenge).items():
        _write(record, token, account, size, total - _last(record, token, account))
    record.declared.append(size)


def token_of(challenge: Challenge, asset: str) -> str:
    """Return the token address of an asset: of a listed one, or of the challenge's own coin."""
    coin = challenge.terms.coin
    if coin and asset == coin.symbol:
        return of(challenge).contracts.coin
    return coin.token(asset) if coin else ""


def _passing(state: State, challenge: Challenge) -> list[tuple[str, str, int]]:
    """Return (asset, pool, amount) of what goes to the successor's pool and is not declared yet."""
    successor = state.challenges.get(challenge.terms.remainder.partition(":")[2])
    if successor is None or successor.onchain is None or successor.terms.coin is None:
        return []
    pool, theirs = successor.onchain.contracts.pool, successor.terms.coin
    return [
        (asset, pool, amount)
        for asset, amount in _unpassed(challenge)
        if theirs.token(asset) == token_of(challenge, asset)
    ]


def _orphaned(state: State, challenge: Challenge) -> list[tuple[str, int]]:
    """Return (asset, amount) of what no successor's pool has come to take within the patience that
    the opening stated: nothing is ever locked."""
    coin = challenge.terms.coin
    if coin is None or challenge.closed_at < 0 or state.now < challenge.closed_at + coin.patience:
        return []
    passing = {asset for asset, _, _ in _passing(state, challenge)}
    return [(asset, amount) for asset, amount in _unpassed(challenge) if asset not in passing]


def _unpassed(challenge: Challenge) -> list[tuple[str, int]]:
    """Return (asset, amount) of what is the successor's and is not declared yet."""
    record, coin = of(challenge), challenge.terms.coin
    found = []
    for one in coin.assets if coin else ():
        kept = challenge.books.balance(one.asset, "successor")
        if kept > record.passed.get(one.asset, 0):
            found.append((one.asset, kept - record.passed.get(one.asset, 0)))
    return found


def _stake_totals(challenge: Challenge) -> dict[tuple[str, str], int]:
    """Return by (asset in the tree, account) all that it may take out of the stake contract, and
    all that it has lost to the pool."""
    record, asset = of(challenge), challenge.terms.bond.asset
    stake, totals = record.contracts.stake, dict(record.withdrawn)
    for account, amount in challenge.books.owners(asset, "released").items():
        _add(totals, account, amount)
    found = {(stake, account): total for account, total in totals.items() if total}
    lost = lost_asset(stake)
    found.update({(lost, account): total for account, total in record.lost.items()})
    return found


def _last(record: Onchain, token: str, address: str) -> int:
    history = record.leaves.get(token, {}).get(address)
    return history[-1][1] if history else 0


def _write(record: Onchain, token: str, address: str, size: int, more: int) -> None:
    """Add to a leaf; one that is written twice for a size keeps the last total alone."""
    if not more:
        return
    history = record.leaves.setdefault(token, {}).setdefault(address, [])
    total = (history[-1][1] if history else 0) + more
    if history and history[-1][0] == size:
        history.pop()
    history.append((size, total))


def leaves_at(challenge: Challenge, size: int) -> list[tuple[str, str, int]]:
    """Return the leaves (account, asset's address, cumulative) of the payout of a size, sorted.

    Every leaf ever declared is in every later payout. Raise `NotFound` where none was declared.
    """
    record = of(challenge)
    if size not in record.declared:
        raise NotFound(
            f"{challenge.id} has declared no payout of size {size}.",
            f"It has: {', '.join(map(str, record.declared[-5:])) or 'none yet'}.",
        )
    found = []
    for token, addresses in record.leaves.items():
        for address, history in addresses.items():
            place = bisect_right(history, size, key=lambda one: one[0])
            if place:
                found.append((address, token, history[place - 1][1]))
    return sorted(found)


# --- what must hold ------------------------------------------------------------------------------


def faults(challenge: Challenge) -> list[str]:
    """Return what is wrong between chain and log at the last complete report, one line each.

    Each asset's pool = received - claimed (+ surplus); declared >= claimed for each account; the
    stake contract holds all deposits; the coin stays below its cap. Empty where all is well.
    """
    record, coin = challenge.onchain, challenge.terms.coin
    if record is None or coin is None:
        return []
    found = _overclaimed(challenge, record)
    for asset, surplus in sorted(record.surplus.items()):
        if surplus < 0:
            found.append(f"The pool lacks {money(-surplus, asset)} that its events say it holds.")
        left = challenge.books.balance(asset, "pool")
        if left < 0:
            found.append(f"{money(-left, asset)} more was declared than the pool got.")
    if record.supply > CAP:
        found.append(f"{money(record.supply, coin.symbol)} are minted, above the cap.")
    if record.complete + 1 != record.block:
        return found  # a report broke off: what is held is not known for the same moment
    minted = sum(record.claimed.get(coin.symbol, {}).values())
    if record.supply != minted:
        found.append(f"{record.supply} of the coin exist, and {minted} were claimed.")
    asset = challenge.terms.bond.asset
    if coin.token(asset) and record.stake_held < record.staked:
        found.append(f"The stake contract lacks {money(record.staked - record.stake_held, asset)}.")
    return found


def _overclaimed(challenge: Challenge, record: Onchain) -> list[str]:
    found = []
    for asset, claimed in sorted(record.claimed.items()):
        token = token_of(challenge, asset)
        for address, amount in sorted(claimed.items()):
            declared = _last(record, token, address)
            if amount > declared:
                found.append(
                    f"{address} claimed {money(amount, asset)}; {money(declared, asset)} were "
                    "declared: a false root took effect."
                )
    return found
