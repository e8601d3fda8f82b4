"""From what the log owes to what the chain has paid: declare, publish, activate, pay.

Every step is worked out from the log and the chain, and nothing is remembered in between: whoever
is cut short runs it again, or somebody else does. `carry_on` does all that can be done now.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from danseo.core import onchain
from danseo.core.challenge import Challenge
from danseo.core.coin import ETHER
from danseo.core.errors import Conflict, NotCovered, NotFound, Usage, WrongPhase
from danseo.core.kinds.payout import Declare, FreePayout, HoldPayout
from danseo.core.onchain import Root, lost_asset
from danseo.core.state import State
from danseo.core.words import money
from danseo.flows import deploying, observing, proving, reading
from danseo.flows.acting import Desk
from danseo.flows.deploying import Call
from danseo.flows.notation import instant, read_money
from danseo.log.sequencer import Appended
from danseo.log.signing import Key
from danseo.log.source import FolderSource, Source

if TYPE_CHECKING:
    from danseo.chain.client import Client, Contract
    from danseo.chain.tree import Leaf, Tree

BATCH: Final = 100
"""Payees of one transaction: with `_GAS` they stay below 2^24, the most that one may take."""
_GAS: Final = 400_000
"""Gas of a batch beside its payees; that of a payee follows: in ETH, and in a token or the coin."""
_GAS_EACH: Final = (70_000, 160_000)
_ASKED: Final = 500
"""Questions to a node in one round trip."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A payout root on chain now, in effect or waiting.

    `effective_at` is from when it can be activated, 0 for the one in effect. `disputer` is empty
    where nobody put a bond against it. `right` says whether it is what the log gives, `void` that
    a root in effect was struck after its window ended, so that it must be published anew.
    """

    size: int
    root: str
    publisher: str
    disputer: str
    effective_at: int
    right: bool
    void: bool = False

    @property
    def active(self) -> bool:
        """Whether it is the one in effect."""
        return self.effective_at == 0


@dataclass(frozen=True, slots=True)
class Due:
    """What the root in effect gives to an account and it has not had.

    `how` is pay, release (out of the stake contract) or slash (from there to the pool). `asset` is
    the log's name, `place` the leaf's index in the tree.
    """

    how: str
    account: str
    asset: str
    amount: int
    place: int


@dataclass(frozen=True, slots=True)
class Purse:
    """An asset of the pool: what it holds now, and what the log knows. In the smallest unit."""

    asset: str
    holds: int
    received: int
    declared: int
    claimed: int


def purses(client: Client, challenge: Challenge) -> list[Purse]:
    """Return what the pool holds of each asset now, and the coin as what is minted."""
    found, record = deploying.contracts(client, challenge), onchain.of(challenge)
    holdings, supply = observing.holdings(client, challenge)
    held = [(one.asset, one.pool) for one in holdings]
    if challenge.terms.coin:
        held.append((challenge.terms.coin.symbol, supply))
    purses = []
    for asset, holds in held:
        token = onchain.token_of(challenge, asset)
        declared = sum(history[-1][1] for history in record.leaves.get(token, {}).values())
        claimed = sum(record.claimed.get(asset, {}).values())
        got = challenge.received.get(asset, 0) if token != found.coin else 0
        purses.append(Purse(asset, holds, got, declared, claimed))
    return purses


def source_of(desk: Desk) -> Source:
    """Return the public side of a desk's log."""
    return FolderSource(desk.log.home / "log", desk.blobs)


# --- money in -------------------------------------------------------------------------------------


def fund(client: Client, challenge: Challenge, sender: str, asset: str, amount: int) -> list[Call]:
    """Return the calls by which `sender` gives an amount to the pool; a token is allowed first."""
    found, token = deploying.contracts(client, challenge), deploying.listed_token(challenge, asset)
    value = amount if token == ETHER else 0
    give = deploying.call_of(found, "pool", "fund", token, amount, value=value)
    return [*allowance(client, token, sender, found.pool, amount), give]


def allowance(client: Client, token: str, owner: str, spender: str, amount: int) -> list[Call]:
    """Return the call that lets `spender` take an amount of a token, if it may not already."""
    from danseo.chain.client import Contract

    if token == ETHER:
        return []
    coin = Contract("ProgressCoin", token)  # any ERC-20 has these two
    if client.call(coin, "allowance", owner, spender) >= amount:
        return []
    return [Call(coin, "approve", (spender, amount))]


# --- the log's part -------------------------------------------------------------------------------


def declare(desk: Desk, key: Key, name: str) -> Appended:
    """Make payable what is owed now. Anyone may."""
    return desk.say(key, Declare(), name)


def hold(desk: Desk, key: Key, name: str, account: str, reason: str, evidence: str) -> Appended:
    """Hold payouts to an account back; `evidence` is a salted hash of what is known outside."""
    with desk.storing() as store:
        return desk.say(key, HoldPayout(account, store.put(reason.encode()), evidence), name)


def salted(evidence: str) -> tuple[str, str]:
    """Return a new salt and the hash of it with a text that stays private, both in hex."""
    salt = secrets.token_hex(32)
    return salt, hashlib.sha256(f"{salt} {evidence}".encode()).hexdigest()


def free(desk: Desk, key: Key, name: str, account: str, evidence: str) -> Appended:
    """Let payouts to an account go on."""
    return desk.say(key, FreePayout(account, evidence), name)


def tree_of(challenge: Challenge, size: int) -> Tree:
    """Return the payout tree that the log gives at a size; raise `NotFound` where it gives none."""
    from danseo.chain.tree import Leaf, Tree

    return Tree(Leaf(*leaf) for leaf in onchain.leaves_at(challenge, size))


# --- roots ----------------------------------------------------------------------------------------


def roots_of(client: Client, challenge: Challenge, source: Source) -> list[Standing]:
    """Return every root that waits or is in effect, each compared with what the log gives."""
    found = deploying.contracts(client, challenge)
    pool, said = deploying.part(found, "pool"), _published_roots(client, challenge)
    sizes = sorted({size for size, _ in said})
    now = [(pool, "size", ()), (pool, "root", ()), (pool, "struckAt", ())]
    size, active, struck, *pending = client.call_all(
        [*now, *((pool, "pending", (s,)) for s in sizes)]
    )
    standing = []
    for one, (root, publisher, effective_at, disputer) in zip(sizes, pending, strict=True):
        known = said.get((one, root.hex()))
        if known:
            right = proving.is_right(source, challenge, known)
            by = "" if int(disputer, 16) == 0 else disputer
            void = effective_at <= struck
            standing.append(Standing(one, root.hex(), publisher, by, effective_at, right, void))
    if size:
        known = said.get((size, active.hex()))
        right = known is not None and proving.is_right(source, challenge, known)
        by = known.publisher if known else ""
        standing.append(Standing(size, active.hex(), by, "", 0, right))
    return sorted(standing, key=lambda one: one.size)


def _published_roots(client: Client, challenge: Challenge) -> dict[tuple[int, str], Root]:
    """Return by (size, root) all that was ever published, also what is not reported yet.

    What an entry could not name, a size beyond all logs, is read from the chain again.
    """
    found, record = deploying.contracts(client, challenge), onchain.of(challenge)
    said = {(r.size, r.root): r for r in record.roots if r.size < observing.LARGEST}
    spans = [(r.block, r.block) for r in record.roots if r.size >= observing.LARGEST]
    for first, last in [*spans, (record.block, client.head().number)]:
        for event in client.events([deploying.part(found, "pool")], first, last):
            if event.name == "Published":
                args = event.args
                root, log_root = args["root"].hex(), args["logRoot"].hex()
                one = Root(args["size"], root, log_root, args["publisher"], event.block)
                said[(one.size, root)] = one
    return said


def check_roots(desk: Desk, client: Client, name: str) -> list[Standing]:
    """Compare every standing root of a challenge with what the log gives."""
    with source_of(desk) as source:
        return roots_of(client, desk.challenge(name), source)


def publish(desk: Desk, client: Client, name: str) -> Call:
    """Return the call that publishes the newest declared payout, with its bond."""
    challenge = desk.challenge(name)
    found, record = deploying.contracts(client, challenge), onchain.of(challenge)
    if not record.declared:
        raise WrongPhase(
            f"{name} has declared no payout yet.", "Declare one: `danseo pool declare`."
        )
    size = record.declared[-1]
    pool = deploying.part(found, "pool")
    active, bond, (root, *_) = client.call_all(
        [(pool, "size", ()), (pool, "bond", ()), (pool, "pending", (size,))]
    )
    if size <= active:
        raise WrongPhase(f"The payout of size {active} is in effect.", "Declare a new one.")
    tree = tree_of(challenge, size)
    if int.from_bytes(root):
        if root == tree.root:
            raise Conflict(f"The root of size {size} is published.", "Wait for its window.")
        raise Conflict(f"A FALSE root holds the size {size}.", "Dispute it: `danseo pool dispute`.")
    with source_of(desk) as source:
        log_root = reading.root_at(source, size)
    return Call(pool, "publish", (size, log_root, tree.root), bond)


def dispute(desk: Desk, client: Client, name: str, size: int) -> Call:
    """Return the call that puts a bond down against a root; refuse it for one that is right."""
    one = _waiting(check_roots(desk, client, name), size)
    if one.right:
        raise Conflict(
            f"The root of size {size} is what the log gives.",
            "Whoever disputes a right root loses the bond.",
        )
    pool = deploying.part(deploying.contracts(client, desk.challenge(name)), "pool")
    return Call(pool, "dispute", (size,), client.call(pool, "bond"))


def veto(desk: Desk, client: Client, name: str, size: int) -> Call:
    """Return the call by which the guardian strikes a false root, one in effect as well.

    The DAO proposes its own.
    """
    roots = check_roots(desk, client, name)
    one = next((r for r in roots if r.size == size and r.active), None) or _waiting(roots, size)
    if one.right:
        raise Conflict(
            f"The root of size {size} is what the log gives.", "Leave it: people wait for it."
        )
    found = deploying.contracts(client, desk.challenge(name))
    return deploying.call_of(found, "pool", "veto", size)


def standing(desk: Desk, client: Client, name: str, size: int) -> Standing:
    """Return the root of a size that waits or is in effect; raise `NotFound` for any other."""
    roots = check_roots(desk, client, name)
    for one in roots:
        if one.size == size:
            return one
    sizes = ", ".join(str(r.size) for r in roots) or "none"
    raise NotFound(f"No root of size {size} stands.", f"There are: {sizes}.")


def activate(desk: Desk, client: Client, name: str, size: int | None = None) -> Call:
    """Return the call that puts a root into effect: of a size, or the greatest that may be."""
    roots = check_roots(desk, client, name)
    now = client.head().time
    if size is None:
        ready = _ready(roots, now)
        if not ready:
            raise WrongPhase(
                "No right root is past its window.", _then(roots) or "Publish one first."
            )
        size = ready[-1].size
    elif not _waiting(roots, size).right:
        raise Conflict(f"The root of size {size} is FALSE.", "Dispute it: `danseo pool dispute`.")
    found = deploying.contracts(client, desk.challenge(name))
    return deploying.call_of(found, "pool", "activate", size)


def _waiting(roots: Sequence[Standing], size: int) -> Standing:
    for one in roots:
        if one.size == size and not one.active:
            return one
    sizes = ", ".join(str(r.size) for r in roots if not r.active) or "none"
    raise NotFound(f"No root of size {size} waits.", f"Waiting: {sizes}.")


def _ready(roots: Sequence[Standing], now: int) -> list[Standing]:
    """Return the right roots whose window is over at `now`, by size."""
    return [r for r in roots if r.right and not r.active and not r.void and r.effective_at <= now]


def _then(roots: Sequence[Standing]) -> str:
    times = [r.effective_at for r in roots if not r.active and r.right]
    return f"The next one can be activated at {instant(min(times))}." if times else ""


# --- money out ------------------------------------------------------------------------------------


def dues(client: Client, state: State, challenge: Challenge) -> list[Due]:
    """Return what the root in effect gives and nobody has had: slashes, releases, then payments.

    Empty while no root that the log knows is in effect.
    """
    found, record = deploying.contracts(client, challenge), onchain.of(challenge)
    pool, stake = deploying.part(found, "pool"), deploying.part(found, "stake")
    size = client.call(pool, "size")
    if size not in record.declared:
        return []
    leaves = tree_of(challenge, size).leaves
    asked: list[tuple[Contract, str, Sequence[Any]]] = [
        (stake, "accounts", (leaf.account,))
        if leaf.asset in (found.stake, lost_asset(found.stake))
        else (pool, "claimed", (leaf.account, leaf.asset))
        for leaf in leaves
    ]
    answers: list[Any] = []
    for i in range(0, len(asked), _ASKED):
        answers += client.call_all(asked[i : i + _ASKED])
    names = _names(challenge)
    pending = [
        _due(names, found.stake, leaf, place, answer)
        for place, (leaf, answer) in enumerate(zip(leaves, answers, strict=True))
    ]
    order = {"slash": 0, "release": 1, "pay": 2}
    # By hash, so that a batch takes neighbours of the tree, whose proof is short.
    return sorted(
        (d for d in pending if d.amount > 0), key=lambda d: (order[d.how], leaves[d.place].hash)
    )


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that the pool made, in the asset's smallest unit, and the transaction of it."""

    account: str
    asset: str
    amount: int
    block: int
    tx: str


def payments(client: Client, challenge: Challenge) -> list[Paid]:
    """Return every payment that the pool has made, as the chain tells it, in its order."""
    found, names = deploying.contracts(client, challenge), _names(challenge)
    events = client.events([deploying.part(found, "pool")], found.block, client.head().number)
    return [
        Paid(e.args["account"], names.get(e.args["asset"], e.args["asset"]), e.args["amount"],
             e.block, e.tx)
        for e in events
        if e.name == "Paid"
    ]  # fmt: skip


def _names(challenge: Challenge) -> dict[str, str]:
    coin, found = challenge.terms.coin, onchain.of(challenge).contracts
    listed = {one.token: one.asset for one in coin.assets} if coin else {}
    staked = challenge.terms.bond.asset
    symbol = coin.symbol if coin else ""
    return {**listed, found.coin: symbol, found.stake: staked, lost_asset(found.stake): staked}


def _due(names: dict[str, str], stake: str, leaf: Leaf, place: int, answer: Any) -> Due:
    asset = names.get(leaf.asset, leaf.asset)
    if leaf.asset == stake:
        held, taken, *_ = answer
        amount = min(held, leaf.cumulative - taken)
        return Due("release", leaf.account, asset, amount, place)
    if leaf.asset == lost_asset(stake):
        held, _, lost, *_ = answer
        amount = min(held, leaf.cumulative - lost)
        return Due("slash", leaf.account, asset, amount, place)
    return Due("pay", leaf.account, asset, leaf.cumulative - answer, place)


def claim(client: Client, state: State, challenge: Challenge, account: str) -> list[Call]:
    """Return the calls that pay one account what it is due. Anyone may send them."""
    address = state.payout_address(account)
    mine = [d for d in dues(client, state, challenge) if d.account in (address, account)]
    if not mine:
        raise NotCovered(
            f"The root in effect gives {account} nothing that it has not had.",
            "`danseo pool show` says what is under way.",
        )
    found = deploying.contracts(client, challenge)
    tree = tree_of(challenge, client.call(deploying.part(found, "pool"), "size"))
    return [_single(challenge, tree, one) for one in mine]


def _single(challenge: Challenge, tree: Tree, due: Due) -> Call:
    found = onchain.of(challenge).contracts
    leaf, proof = tree.leaves[due.place], tree.proof(due.place)
    if due.how == "pay":
        args = (leaf.account, leaf.asset, leaf.cumulative, proof)
        return deploying.call_of(found, "pool", "claim", *args)
    return deploying.call_of(found, "stake", due.how, leaf.account, leaf.cumulative, proof)


def pay(client: Client, state: State, challenge: Challenge) -> list[Call]:
    """Return the calls that pay everybody what is due: slashes, releases, then batches.

    An asset of which no more may leave in this window waits for the next.
    """
    waiting = dues(client, state, challenge)
    if not waiting:
        return []
    found = deploying.contracts(client, challenge)
    pool = deploying.part(found, "pool")
    tree = tree_of(challenge, client.call(pool, "size"))
    calls = [_single(challenge, tree, one) for one in waiting if one.how != "pay"]
    tokens = sorted({tree.leaves[one.place].asset for one in waiting if one.how == "pay"})
    left = client.call_all([(pool, "leaving", (token,)) for token in tokens]) if tokens else []
    shut = {token for token, amount in zip(tokens, left, strict=True) if not amount}
    places = [
        one.place
        for one in waiting
        if one.how == "pay" and tree.leaves[one.place].asset not in shut
    ]
    for i in range(0, len(places), BATCH):
        leaves, proof, flags = tree.multiproof(places[i : i + BATCH])
        rows = [(leaf.account, leaf.asset, leaf.cumulative) for leaf in leaves]
        gas = _GAS + sum(_GAS_EACH[leaf.asset != ETHER] for leaf in leaves)
        calls.append(Call(pool, "payBatch", (rows, proof, flags), least_gas=gas))
    return calls


# --- all of it ------------------------------------------------------------------------------------


def carry_on(desk: Desk, client: Client, key: Key, name: str) -> list[str]:
    """Do all that can be done now, in order; return what was done and what is waited for, in words.

    Run it as often as you like: nobody is paid twice, and nobody is left out.
    """
    deploying.follow(desk, client)
    said = list(_observed(desk, client, key, name))
    roots = check_roots(desk, client, name)
    said += [_alarm(one) for one in roots if not one.right]
    waiting = [r for r in roots if r.right and not r.active and not r.void]
    if not waiting and onchain.has_news(desk.state, desk.challenge(name)):
        said.append(f"declared a payout (entry {declare(desk, key, name).index})")
    said += _published(desk, client, key, name, roots)
    said += _activated(desk, client, key, name)
    said += _paid(desk, client, key, name)
    said += _observed(desk, client, key, name)
    return said


def _observed(desk: Desk, client: Client, key: Key, name: str) -> Iterator[str]:
    for entry in observing.observe(desk, client, key, name):
        block = onchain.of(desk.challenge(name)).block - 1
        yield f"reported the chain up to block {block} (entry {entry.index})"


def _alarm(one: Standing) -> str:
    if one.active:
        return f"ALARM: the root of size {one.size} in effect is FALSE"
    return (
        f"ALARM: the root of size {one.size} is FALSE; dispute and veto it before "
        f"{instant(one.effective_at)}"
    )


def _published(
    desk: Desk, client: Client, key: Key, name: str, roots: Sequence[Standing]
) -> Iterator[str]:
    record = onchain.of(desk.challenge(name))
    newest = record.declared[-1] if record.declared else 0
    if newest > max((r.size for r in roots if r.active or r.size == newest), default=0):
        receipt = publish(desk, client, name).send(client, key)
        yield f"published the root of size {newest} (transaction 0x{receipt.tx})"


def _activated(desk: Desk, client: Client, key: Key, name: str) -> Iterator[str]:
    """Put the greatest root that may be into effect, and give overtaken publishers' bonds back."""
    found = deploying.contracts(client, desk.challenge(name))
    now, roots = client.head().time, check_roots(desk, client, name)
    ready = _ready(roots, now)
    if ready and client.call(deploying.part(found, "anchor"), "overdue"):
        yield "waits for the log to take up an entry that is overdue: `danseo chain status`"
        return
    active = max((r.size for r in roots if r.active), default=0)
    if ready and ready[-1].size > active:
        active = ready[-1].size
        receipt = deploying.call_of(found, "pool", "activate", active).send(client, key)
        yield f"put the root of size {active} into effect (transaction 0x{receipt.tx})"
    for one in roots:
        if not one.active and one.effective_at <= now and (one.void or one.size < active):
            deploying.call_of(found, "pool", "reclaim", one.size).send(client, key)
            yield f"gave the bond of the overtaken root of size {one.size} back"
    late = [r for r in roots if r.right and r.effective_at > now and r.size > active]
    if late:
        size, when = late[0].size, instant(late[0].effective_at)
        yield f"waits for the root of size {size} until {when}"


def _paid(desk: Desk, client: Client, key: Key, name: str) -> Iterator[str]:
    challenge = desk.challenge(name)
    before = dues(client, desk.state, challenge)
    for call in pay(client, desk.state, challenge):
        call.send(client, key)
    if before:
        after = dues(client, desk.state, challenge)
        yield f"paid {len(before) - len(after)} of {len(before)} amounts that were due"
        pool = deploying.part(deploying.contracts(client, challenge), "pool")
        shut = {
            asset
            for asset in {d.asset for d in after if d.how == "pay"}
            if not client.call(pool, "leaving", onchain.token_of(challenge, asset))
        }
        for one in after:
            waits = one.how == "pay" and one.asset in shut
            why = "waits: no more may leave in this window" if waits else "cannot be paid now"
            yield f"{money(one.amount, one.asset)} to {one.account} {why}"


def read_amount(challenge: Challenge, text: str) -> tuple[str, int]:
    """Return (asset, amount) of a text such as "1.5 ETH", in a listed asset's smallest unit."""
    coin = challenge.terms.coin
    amount, asset = read_money(text, [one.asset for one in coin.assets] if coin else [])
    deploying.listed_token(challenge, asset)
    if not amount:
        raise Usage(f"{text!r} is nothing.", "Give an amount above 0.")
    return asset, amount
