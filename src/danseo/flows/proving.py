"""Compare what a log says of a challenge's contracts with what it computed, and with the chain.

From the log alone: every payout root and every anchor that the chain was reported to hold is
recomputed. With a node, also that the contracts are the right ones, that nothing was reported which
the chain does not say, that nothing was left out, and that pool and stake hold what the books say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from danseo.core import onchain
from danseo.core.challenge import Challenge
from danseo.core.entry import Entry, parse
from danseo.core.errors import DanseoError, Invalid, NotFound, Refused
from danseo.core.kinds.chain import Attach, Fact, Report
from danseo.core.onchain import Root
from danseo.core.state import State
from danseo.flows import reading
from danseo.log.source import Source

if TYPE_CHECKING:
    from danseo.chain.client import Client

KINDS = (Attach.kind, Report.kind)
"""The kinds of entries that `prove` needs, in the log's order."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as the chain made it. `amount` counts in the asset's smallest unit."""

    account: str
    asset: str
    amount: int
    block: int
    tx: str
    entry: int


@dataclass(frozen=True, slots=True)
class RootCheck:
    """A payout root: whether leaves and log root are what the log gives at that size."""

    size: int
    root: str
    status: str
    right: bool


@dataclass(frozen=True, slots=True)
class ChainAudit:
    """What was found of one challenge's contracts.

    `block` is the last one that was reported whole, -1 where none was. `node` says whether a node
    was asked. `alarms` are what a reader must know at once: a false root that stands, a claim
    beyond what was owed.
    """

    challenge: str
    chain_id: int
    pool: str
    block: int
    facts: int
    payments: tuple[Payment, ...]
    roots: tuple[RootCheck, ...]
    anchors: int
    node: bool
    alarms: tuple[str, ...]


def prove(
    source: Source, state: State, entries: Sequence[Entry], client: Client | None
) -> list[ChainAudit]:
    """Check every challenge that has contracts; raise `Invalid` where the log says what is false.

    `entries` are those of `KINDS`, in order; `state` is the folded state after the last.
    """
    if client is not None:
        _ask(client, state, entries)
    found = []
    for challenge in state.challenges.values():
        if challenge.onchain is not None:
            mine = [e for e in entries if e.challenge == challenge.id]
            found.append(_audit(source, challenge, challenge.onchain, mine, client is not None))
    return found


def payments(entries: Sequence[Entry]) -> tuple[Payment, ...]:
    """Return every payment that the entries of `KINDS` report, in the chain's order."""
    found = []
    for entry in entries:
        for fact in _facts(entry):
            if fact.what == "paid":
                found.append(
                    Payment(
                        fact.account or "",
                        fact.asset or "",
                        fact.amount or 0,
                        fact.block,
                        fact.tx,
                        entry.index,
                    )
                )
    return tuple(found)


def is_right(source: Source, challenge: Challenge, root: Root) -> bool:
    """Say whether a payout root is what the log gives at its size: its leaves and its own root."""
    from danseo.chain.tree import Leaf, Tree  # late: only challenges with contracts need it

    record = challenge.onchain
    if record is None or root.size not in record.declared:
        return False
    try:
        log_root = reading.root_at(source, root.size).hex()
    except NotFound:
        return False
    leaves = [Leaf(*leaf) for leaf in onchain.leaves_at(challenge, root.size)]
    return bool(leaves) and root.log_root == log_root and Tree(leaves).root.hex() == root.root


def _ask(client: Client, state: State, entries: Sequence[Entry]) -> None:
    """Raise `Invalid` at the first entry that says of the chain what the node denies."""
    from danseo.flows import deploying, observing

    positions: dict[str, int] = {}  # of the last fact, where a report broke off within its block
    for entry in entries:
        try:
            if entry.kind == Attach.kind:
                deploying.check_attach(client, state, entry)
            else:
                position = positions.get(entry.challenge, -1)
                observing.check_report(client, state, entry, position)
                body: Any = parse(entry.kind, entry.body)
                positions[entry.challenge] = -1 if body.complete else body.facts[-1].position
        except (Refused, Invalid) as error:
            raise Invalid(
                f"Entry {entry.index} is not what the chain says: {error.message}",
                f"{error.remedy} Do not rely on what this log says of the chain; ask another node "
                "to be sure.",
                entry.index,
            ) from None


def _audit(
    source: Source,
    challenge: Challenge,
    record: onchain.Onchain,
    entries: Sequence[Entry],
    node: bool,
) -> ChainAudit:
    facts = [fact for entry in entries for fact in _facts(entry)]
    anchored = [f for f in facts if f.what == "anchored"]
    for fact in anchored:
        _check_anchor(source, fact)
    roots = tuple(
        RootCheck(r.size, r.root, r.status, is_right(source, challenge, r)) for r in record.roots
    )
    alarms = [
        f"The payout root of size {r.size} is FALSE and "
        + ("in effect." if r.status == "activated" else "waits to take effect: dispute it.")
        for r in roots
        if not r.right and r.status != "vetoed"
    ]
    return ChainAudit(
        challenge=challenge.id,
        chain_id=record.contracts.chain_id,
        pool=record.contracts.pool,
        block=record.complete,
        facts=len(facts),
        payments=payments(entries),
        roots=roots,
        anchors=len(anchored),
        node=node,
        alarms=(*alarms, *onchain.faults(challenge)),
    )


def _check_anchor(source: Source, fact: Fact) -> None:
    """Raise `Invalid` unless the log had this root at this size: else one of the two was forked."""
    size = fact.size or 0
    try:
        root = reading.root_at(source, size).hex()
    except DanseoError as error:
        raise Invalid(
            f"The chain holds an anchor of size {size}: {error.message}",
            "The log was rolled back, or its operator anchored what never was. Keep both.",
        ) from None
    if root != fact.log_root:
        raise Invalid(
            f"The chain holds the root {fact.log_root} for size {size}; this log has {root}.",
            "The log was forked, or its operator anchored a false root. Keep both.",
        )


def _facts(entry: Entry) -> tuple[Fact, ...]:
    body: Any = parse(entry.kind, entry.body) if entry.kind == Report.kind else None
    return body.facts if body else ()
