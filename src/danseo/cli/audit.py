"""What `danseo verify` prints: what was checked, what was recomputed, what rests on a word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from danseo import app as wiring
from danseo.cli import show
from danseo.core.errors import Unavailable, Usage
from danseo.flows import auditing, notation, reading
from danseo.flows.auditing import Audit
from danseo.flows.proving import ChainAudit
from danseo.log.source import Source, open_source
from danseo.settings import Settings


def read_saved(path: Path) -> bytes:
    """Return the bytes of a checkpoint that the user saved."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}.", "Give a saved file.") from None


def run(
    place: str,
    saved: Sequence[bytes],
    save: Path | None,
    *,
    since: bytes | None = None,
    scores: bool,
    settings: Settings,
    chain: str = "",
) -> Audit:
    """Verify the log at `place`, and save the checkpoint that was verified where `save` says.

    `chain` names a node, or the folder of an embedded chain, to compare the log with.
    """
    with (
        wiring.reader_chain(settings, chain, place) as client,
        open_source(place) as source,
        show.progress("verifying") as tell,
    ):
        found = auditing.audit(
            source,
            saved=saved,
            since=since,
            workers=settings.workers,
            scores=scores,
            chain=client,
            chosen=bool(chain or settings.chain_url),
            progress=tell,
        )
        if save:
            _save(source, found, save)
    return found


def _save(source: Source, audit: Audit, path: Path) -> None:
    head, data = reading.checkpoint(source)
    if (head.size, head.root) != (audit.log.size, audit.log.root):
        raise Unavailable("The log grew while it was verified.", "Verify and save it again.")
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.", "Name another.") from None


def found(audit: Audit) -> dict[str, Any]:
    """Return the result for JSON."""
    log = audit.log
    return {
        "place": log.place,
        "origin": log.origin,
        "size": log.size,
        "root": log.root.hex(),
        "time": log.time,
        "clock": log.clock,
        "blobs": log.blobs,
        "withheld": [
            {"blob": w.blob, "entry": w.index, "reason": w.reason, "attested": w.attested}
            for w in log.withheld
        ],
        "checks": list(audit.checks),
        "challenges": [
            {
                "challenge": t.challenge,
                "status": t.status,
                "settled_by": t.settled_by,
                "clues": t.clues,
                "recomputed": t.recomputed,
                "attested": list(t.attested),
            }
            for t in audit.challenges
        ],
        "chains": [
            {
                "challenge": c.challenge,
                "chain_id": c.chain_id,
                "pool": c.pool,
                "block": c.block,
                "facts": c.facts,
                "payments": len(c.payments),
                "anchors": c.anchors,
                "compared_with_a_node": c.node,
                "roots": [
                    {"size": r.size, "root": r.root, "status": r.status, "right": r.right}
                    for r in c.roots
                ],
                "alarms": list(c.alarms),
            }
            for c in audit.chains
        ],
    }


def lines(audit: Audit, save: Path | None) -> list[str]:
    """Return the result for people."""
    log = audit.log
    told = ["Checked:", *(f"  {check}" for check in audit.checks)]
    for one in audit.challenges:
        told.append(f"{one.challenge}: {one.status}, {_some(one.clues, 'clue')}")
        if one.recomputed:
            told.append(f"  recomputed  the exact scores of {_some(one.recomputed, 'clue')}")
        told += [f"  attested    {words}" for words in one.attested]
        told += [
            f"  {line}" for c in audit.chains if c.challenge == one.challenge for line in _chain(c)
        ]
    for gone in log.withheld:
        told.append(
            f"Withheld: blob {gone.blob} by entry {gone.index}; last attested at "
            f"{notation.instant(gone.attested)}."
        )
    if log.clock == "simulated":
        told.append("Note: this log runs on a simulated clock. Its times and money are play.")
    told.append(f"{log.origin}: {log.size} entries, {log.blobs} blobs, root {log.root.hex()}")
    told.append(f"Verified as of {notation.instant(log.time)}.")
    if save:
        told.append(f"Saved the checkpoint. Next time: danseo verify ... --saved {save}")
    return told


def _chain(found: ChainAudit) -> list[str]:
    """Return what was found of a challenge's contracts, for people."""
    right = sum(r.right for r in found.roots)
    vetoed = sum(r.status == "vetoed" for r in found.roots if not r.right)
    how = "compared   " if found.node else "reported   "
    told = [
        f"{how} chain {found.chain_id} up to block {found.block}: {found.facts} events, "
        f"{_some(len(found.payments), 'payment')}, {_some(found.anchors, 'anchor')}",
        f"recomputed  {_some(right, 'payout root')}"
        + (f"; {_some(vetoed, 'false one')} vetoed" if vetoed else ""),
    ]
    return [*told, *(f"ALARM       {alarm}" for alarm in found.alarms)]


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
