"""What a challenge knows of its contracts: what they did, block by block, and what it owes there.

`core.booking` writes what reports say into it. Reports are gapless, so it says at any block what
the pool and the stake must hold; `faults` says where chain and log disagree.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from danseo.core import treasury
from danseo.core.coin import CAP
from danseo.core.errors import NotFound
from danseo.core.words import money

if TYPE_CHECKING:
    from danseo.core.challenge import Challenge
    from danseo.core.entry import Entry
    from danseo.core.state import State

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


def of(challenge: Challenge) -> Onchain:
    """Return the record of contracts that are known to be attached."""
    if challenge.onchain is None:
        raise TypeError(f"{challenge.id} has no contracts")
    return challenge.onchain


def add(sums: dict[str, int], key: str, amount: int) -> None:
    """Add `amount` to what `sums` holds under `key`."""
    sums[key] = sums.get(key, 0) + amount


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
        add(record.passed, asset, amount)
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
    """Return (asset, pool, amount) of what goes to the successor's pool and is not declared yet.

    Anyone can take the successor's name, so it counts only where the same organiser opened it.
    """
    successor = state.challenges.get(challenge.terms.remainder.partition(":")[2])
    if successor is None or successor.onchain is None or successor.terms.coin is None:
        return []
    if successor.organiser != challenge.organiser:
        return []
    pool, theirs = successor.onchain.contracts.pool, successor.terms.coin
    return [
        (asset, pool, amount)
        for asset, amount in _unpassed(challenge)
        if theirs.token(asset) == token_of(challenge, asset)
    ]


def _orphaned(state: State, challenge: Challenge) -> list[tuple[str, int]]:
    """Return (asset, amount) of what no successor's pool has come to take within the patience that
    the opening stated: nothing is ever locked. Where nobody could inherit, it waits on."""
    coin = challenge.terms.coin
    if coin is None or challenge.closed_at < 0 or state.now < challenge.closed_at + coin.patience:
        return []
    passing = {asset for asset, _, _ in _passing(state, challenge)}
    return [
        (asset, amount)
        for asset, amount in _unpassed(challenge)
        if asset not in passing and treasury.has_heirs(challenge, asset)
    ]


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
        add(totals, account, amount)
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
