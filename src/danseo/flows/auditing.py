"""Verify a whole log: all that `log.verify` checks, then the scores and the books.

Nothing is believed but the log's checkpoint key and the copies of checkpoints that the user saved:
every hash, signature, move, share and balance is recomputed, and every exact score is run again in
the sandbox once the truth is out.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from danseo.core import treasury
from danseo.core.challenge import Challenge, is_withheld
from danseo.core.entry import Entry
from danseo.core.errors import Conflict, Invalid
from danseo.core.kinds.score import PublishExact
from danseo.core.state import State
from danseo.flows import proving
from danseo.flows.admission import check_exact
from danseo.flows.proving import ChainAudit
from danseo.log.source import Source
from danseo.log.verify import Progress, Report, verify

if TYPE_CHECKING:
    from danseo.chain.client import Client


@dataclass(frozen=True, slots=True)
class Trust:
    """One challenge after verification: where it stands, and what rests on whose word.

    `recomputed` counts the clues whose exact scores were run again.
    """

    challenge: str
    status: str
    settled_by: str
    clues: int
    recomputed: int
    attested: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of a whole verification: the log's report, and a line for each challenge.

    `chains` tells of each challenge that has contracts.
    """

    log: Report
    challenges: tuple[Trust, ...]
    checks: tuple[str, ...]
    chains: tuple[ChainAudit, ...] = ()

    @property
    def alarms(self) -> list[str]:
        """What a reader must know at once, though the log itself verifies."""
        return [f"{c.challenge}: {alarm}" for c in self.chains for alarm in c.alarms]


def audit(
    source: Source,
    *,
    saved: Sequence[bytes] = (),
    since: bytes | None = None,
    workers: int | None = None,
    scores: bool = True,
    chain: Client | None = None,
    chosen: bool = True,
    progress: Progress | None = None,
) -> Audit:
    """Verify `source`, a log in a folder, at a URL or in a bundle; raise `Invalid` at a fault.

    `saved` are checkpoints that the user kept; from `since`, one of them, on, earlier signatures
    are not checked again. With `scores=False` exact scores are not run again. `chain` is the
    reader's node: without one, what the chain is said to hold stays attested. A node that the
    reader has not `chosen`, as it only lay beside the log, is not asked about other chains.
    """
    stated: list[Entry] = []
    told: list[Entry] = []

    def collect(state: State, entry: Entry) -> None:
        if scores and entry.kind == PublishExact.kind:
            stated.append(entry)
        if entry.kind in proving.KINDS:
            told.append(entry)

    report = verify(
        source, saved=saved, since=since, workers=workers, hooks=[collect], progress=progress
    )
    for entry in stated:  # now that it is known which blobs were withheld later
        try:
            check_exact(source.get, report.state, entry)
        except Conflict as error:
            words = f"Entry {entry.index} is false: {error.message}"
            raise Invalid(words, "Do not rely on the settlement.", entry.index) from None
    for challenge in report.state.challenges.values():
        treasury.audit(challenge)
    checks = [*report.checks, "the money equation and the books of every challenge"]
    if scores:
        checks.append("every exact score, run again in the sandbox on the released truth")
    state = report.state
    if chain is not None and not chosen and _elsewhere(state, chain.chain_id):
        chain = None
    chains = tuple(proving.prove(source, state, told, chain))
    if chains:
        checks.append("every payout root and anchor that the chain was reported to hold")
    if chain is not None and chains:
        checks.append("contracts, events and balances, against the chain itself")
    trusts = tuple(
        _trust(c, scores, state.withheld, chain is not None) for c in state.challenges.values()
    )
    return Audit(report, trusts, tuple(checks), chains)


def _elsewhere(state: State, chain_id: int) -> bool:
    """Say whether some contracts stand on another chain than this."""
    known = (c.onchain.contracts for c in state.challenges.values() if c.onchain is not None)
    return any(contracts.chain_id != chain_id for contracts in known)


def _trust(challenge: Challenge, scores: bool, withheld: Container[str], node: bool) -> Trust:
    attested = []
    known = [c for c in challenge.scorable() if c.exact_known]
    gone = [c for c in known if is_withheld(challenge, c, withheld)]
    if challenge.onchain is not None and not node:
        attested.append(
            "what the chain says: by the log's host; to ask a chain: --chain URL or FOLDER"
        )
    if _by_hand(challenge):
        attested.append("money received and paid: by the organiser")
    if challenge.settled_by == "attested":
        attested.append("every score: by two scorers, for ever, as the trustees stayed silent")
    elif not challenge.settled_by and any(c.verdicts for c in challenge.clues.values()):
        attested.append("scores so far: by two scorers, recomputable once the truth is out")
    if gone:
        which = ", ".join(str(c.id) for c in gone)
        attested.append(f"scores of clues whose files are withheld, for ever: {which}")
    return Trust(
        challenge.id,
        challenge.status,
        challenge.settled_by,
        len(challenge.clues),
        len(known) - len(gone) if scores else 0,
        tuple(attested),
    )


def _by_hand(challenge: Challenge) -> bool:
    """Say whether some of the money came and went by the organiser's word alone."""
    coin = challenge.terms.coin
    assets = {*challenge.received, *challenge.deposited}
    return any(coin is None or not coin.lists(asset) for asset in assets)
