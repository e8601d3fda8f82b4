"""From chain to log: what a challenge's contracts did up to a final block becomes entries.

A report that does not fit into one entry is cut within the chain's order: all but the last piece
are incomplete, and only the last says what pool and stake hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from danseo.core import canonical
from danseo.core.challenge import Challenge
from danseo.core.coin import ETHER, Coin
from danseo.core.entry import MAX_BODY, Entry, parse, to_body
from danseo.core.errors import Conflict
from danseo.core.kinds.chain import Fact, Holding, Report
from danseo.core.onchain import Contracts, Onchain
from danseo.core.state import State
from danseo.flows import deploying
from danseo.flows.acting import Desk
from danseo.flows.deploying import PARTS
from danseo.log.sequencer import Appended
from danseo.log.signing import Key

if TYPE_CHECKING:
    from danseo.chain.client import Client, Event

ETH: Final = "ETH:18"
LARGEST: Final = 2**53 - 1
"""The largest size that an entry can name. A root of a larger one is reported as of this one."""
_ROOM: Final = MAX_BODY - 4_000
"""Bytes of a body for facts; the rest is for the frame and the holdings."""
_LONGEST_TEXT: Final = 4_000


def observe(desk: Desk, client: Client, key: Key, name: str) -> list[Appended]:
    """Append what the contracts of a challenge did since the last report, up to a final block.

    Nothing is appended where nothing has changed. Anyone may do it.
    """
    deploying.follow(desk, client)
    done = []
    while (report := next_report(client, desk.challenge(name))) is not None:
        done.append(desk.say(key, report, name))
    return done


def next_report(client: Client, challenge: Challenge) -> Report | None:
    """Return the next report as an entry's body, or None where there is nothing to report."""
    found, record = deploying.contracts(client, challenge), challenge.onchain
    coin, final = challenge.terms.coin, client.final()
    if record is None or coin is None:
        return None
    _check_standing(client, record, final.number)
    if final.number < record.block:
        return None
    facts = _facts(client, found, coin, record.block, final.number, record.position)
    kept: list[Fact] = []
    size = 0
    for fact in facts:
        size += len(canonical.encode(to_body(fact))) + 1
        if kept and size > _ROOM:
            last = kept[-1].block
            return Report(record.block, last, client.block(last).hash, False, tuple(kept), (), 0)
        kept.append(fact)
    holdings = _holdings(client, found, coin, final.number)
    supply = _supply(client, found, final.number)
    held = {one.asset: one.pool for one in holdings}
    staked = {one.asset: one.stake for one in holdings}.get(challenge.terms.bond.asset, 0)
    before = (record.held, record.stake_held, record.supply)
    if not kept and record.complete >= 0 and (held, staked, supply) == before:
        return None
    return Report(record.block, final.number, final.hash, True, tuple(kept), holdings, supply)


def check_report(client: Client, state: State, entry: Entry, position: int | None = None) -> None:
    """Raise `Conflict` unless a report says what the chain says: all of it, and nothing else.

    `position` is that of the last fact reported in the report's first block, -1 for none; without
    it, that of `state`.
    """
    body = parse(entry.kind, entry.body)
    challenge = state.challenge(entry.challenge)
    coin, record = challenge.terms.coin, challenge.onchain
    if not isinstance(body, Report) or coin is None or record is None:
        return
    deploying.check_clock(client, state)
    found = deploying.contracts(client, challenge)
    if body.to_block > client.final().number:
        raise Conflict(f"Block {body.to_block} is not final at this node.", "Report once it is.")
    if client.block(body.to_block).hash != body.block_hash:
        raise Conflict(
            f"Block {body.to_block} has another hash than {body.block_hash}.",
            "Report what this chain has.",
        )
    if position is None:
        _check_standing(client, record, body.to_block)
        position = record.position
    facts = _facts(client, found, coin, body.from_block, body.to_block, position)
    _check_facts(body, tuple(facts))
    if body.complete:
        _check_holdings(client, found, coin, body)


def _check_standing(client: Client, record: Onchain, last: int) -> None:
    """Raise `Conflict` where the chain up to block `last` has no longer what was reported of it."""
    if not 0 <= record.complete <= last:
        return
    now = client.block(record.complete).hash
    if now != record.block_hash:
        raise Conflict(
            f"Block {record.complete} of chain {client.chain_id} was {record.block_hash} when it "
            f"was reported as final, and is {now} at {client.name}.",
            "The node lost its chain or is on another one: compare it with a second node.",
        )


def _check_facts(body: Report, facts: tuple[Fact, ...]) -> None:
    if body.complete and len(facts) > len(body.facts) == _same(body.facts, facts):
        left = facts[len(body.facts)]
        raise Conflict(
            f"The report leaves out that {left.what} in block {left.block} at {left.position}.",
            "Report everything.",
        )
    same = _same(body.facts, facts)
    if same < len(body.facts):
        fact = body.facts[same]
        raise Conflict(
            f"Fact {same} ({fact.what} in block {fact.block} at {fact.position}) is not what the "
            "chain says.",
            "Report what the contracts' events say.",
        )


def _same(one: tuple[Fact, ...], other: tuple[Fact, ...]) -> int:
    """Return how many facts agree from the beginning on."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _check_holdings(client: Client, found: Contracts, coin: Coin, body: Report) -> None:
    for said, holds in zip(
        body.holdings, _holdings(client, found, coin, body.to_block), strict=True
    ):
        if said != holds:
            raise Conflict(
                f"The report says that pool and stake hold {said.pool} and {said.stake} "
                f"{said.asset}; it is {holds.pool} and {holds.stake}.",
                "Report what they hold at its last block.",
            )
    supply = _supply(client, found, body.to_block)
    if body.supply != supply:
        raise Conflict(
            f"The report says that {body.supply} of the coin exist; it is {supply}.",
            "Report the supply at its last block.",
        )


def holdings(client: Client, challenge: Challenge) -> tuple[tuple[Holding, ...], int]:
    """Return what pool and stake hold now, and how much of the coin there is."""
    found, coin = deploying.contracts(client, challenge), challenge.terms.coin
    head = client.head().number
    held = _holdings(client, found, coin, head) if coin else ()
    return held, _supply(client, found, head)


def _holdings(client: Client, found: Contracts, coin: Coin, block: int) -> tuple[Holding, ...]:
    """Return what pool and stake hold of each listed asset after a block; bonds apart."""
    from danseo.chain.client import Contract

    escrow = client.call(deploying.part(found, "pool"), "escrow", block=block)
    holdings = []
    for one in coin.assets:
        if one.token == ETHER:
            pool = client.balance(found.pool, block) - escrow
            stake = client.balance(found.stake, block)
        else:
            token = Contract("ProgressCoin", one.token)  # any ERC-20 answers `balanceOf`
            pool = client.call(token, "balanceOf", found.pool, block=block)
            stake = client.call(token, "balanceOf", found.stake, block=block)
        holdings.append(Holding(one.asset, pool, stake))
    return tuple(holdings)


def _supply(client: Client, found: Contracts, block: int) -> int:
    return int(client.call(deploying.part(found, "coin"), "totalSupply", block=block))


def _facts(
    client: Client, found: Contracts, coin: Coin, first: int, last: int, position: int
) -> Iterator[Fact]:
    """Yield the facts of blocks first to last, those of the first one after `position`."""
    parts = {getattr(found, name): name for name in PARTS}
    assets = {one.token: one.asset for one in coin.assets} | {found.coin: coin.symbol}
    assets.setdefault(ETHER, ETH)
    for event in _events(client, found, first, last):
        if event.block == first and event.position <= position:
            continue
        make = _FACTS.get((parts[event.address], event.name))
        if make is not None:
            what, fields = make(event.args, assets)
            yield Fact(event.block, event.tx, event.position, what, **fields)


def _events(client: Client, found: Contracts, first: int, last: int) -> Iterator[Event]:
    """Yield all events of a challenge's contracts in final blocks, as a watcher reads them."""
    from danseo.chain.watcher import Cursor, Watcher

    before = Cursor.at(client.block(first - 1))
    watcher = Watcher(client, [deploying.part(found, name) for name in PARTS], before)
    while watcher.cursor.number < last and (stretch := watcher.step()) is not None:
        yield from (event for event in stretch.events if event.block <= last)


_Make = Callable[[dict[str, Any], dict[str, str]], tuple[str, dict[str, Any]]]


def _moved(what: str, account: str) -> _Make:
    def make(args: dict[str, Any], assets: dict[str, str]) -> tuple[str, dict[str, Any]]:
        asset, amount = assets[args["asset"]], args["amount"]
        return what, {"account": args[account], "asset": asset, "amount": amount}

    return make


def _sized(what: str, account: str = "", **more: str) -> _Make:
    def make(args: dict[str, Any], _: dict[str, str]) -> tuple[str, dict[str, Any]]:
        fields: dict[str, Any] = {"size": min(args["size"], LARGEST)}
        if account:
            fields["account"] = args[account]
        fields.update((name, args[given].hex()) for name, given in more.items())
        return what, fields

    return make


def _staked(what: str) -> _Make:
    def make(args: dict[str, Any], _: dict[str, str]) -> tuple[str, dict[str, Any]]:
        return what, {"account": args["account"], "amount": args["amount"]}

    return make


def _hashed(what: str, account: str = "") -> _Make:
    def make(args: dict[str, Any], _: dict[str, str]) -> tuple[str, dict[str, Any]]:
        by = {"account": args[account]} if account else {}
        return what, {"root": args["hash"].hex(), **by}

    return make


def _decided(args: dict[str, Any], _: dict[str, str]) -> tuple[str, dict[str, Any]]:
    text = args["text"]
    fits = len(text) <= _LONGEST_TEXT and "\0" not in text
    return "decided", {"text": text} if fits else {}


def _unlocked(_: dict[str, Any], __: dict[str, str]) -> tuple[str, dict[str, Any]]:
    return "unlocked", {}


_FACTS: Final[dict[tuple[str, str], _Make]] = {
    ("pool", "Received"): _moved("received", "donor"),
    ("pool", "Paid"): _moved("paid", "account"),
    ("pool", "Published"): _sized("published", "publisher", root="root", log_root="logRoot"),
    ("pool", "Disputed"): _sized("disputed", "disputer"),
    ("pool", "Vetoed"): _sized("vetoed"),
    ("pool", "Activated"): _sized("activated"),
    ("coin", "Unlocked"): _unlocked,
    ("anchor", "Anchored"): _sized("anchored", log_root="root"),
    ("anchor", "Submitted"): _hashed("submitted", "by"),
    ("anchor", "Included"): _hashed("included"),
    ("anchor", "Dismissed"): _hashed("dismissed"),
    ("anchor", "Decided"): _decided,
    ("stake", "Deposited"): _staked("deposited"),
    ("stake", "Released"): _staked("released"),
    ("stake", "Slashed"): _staked("slashed"),
    ("stake", "ExitStarted"): _staked("exiting"),
    ("stake", "Withdrawn"): _staked("withdrawn"),
}
"""Which fact an event becomes; what is not here says nothing that the log books."""
