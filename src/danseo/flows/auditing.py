"""Verify a whole log: all that `log.verify` checks, then the scores and the books.

Nothing is believed but the log's checkpoint key and the copies of checkpoints that the user saved:
every hash, signature, move, share and balance is recomputed, and every exact score is run again in
the sandbox once the truth is out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from danseo.core import treasury
from danseo.core.challenge import Challenge
from danseo.core.errors import Invalid, NotFound
from danseo.core.kinds.score import ExactScore
from danseo.flows.settling import wrong_exact
from danseo.log.verify import Report, verify

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Trust:
    """What was checked of one challenge, in words, and what rests on whose word."""

    challenge: str
    status: str
    settled_by: str
    clues: int
    recomputed: int
    attested: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of a whole verification: the log's report, and one line for each challenge."""

    log: Report
    challenges: tuple[Trust, ...]
    checks: tuple[str, ...]


def audit(
    source: Any,
    *,
    saved: Sequence[str] = (),
    workers: int | None = None,
    scores: bool = True,
    progress: Progress | None = None,
) -> Audit:
    """Verify `source`, a log in a folder, at a URL or in a bundle; raise `Invalid` at a fault.

    `saved` are checkpoints that the user kept. With `scores=False` exact scores are not run again.
    """
    report = verify(source, saved=saved, workers=workers, progress=progress)
    trusts = []
    for challenge in report.state.challenges.values():
        treasury.audit(challenge)
        recomputed = _recompute(source, challenge) if scores else 0
        trusts.append(_trust(challenge, recomputed))
    checks = [*report.checks, "the money equation and the books of every challenge"]
    if scores:
        checks.append("every exact score, run again in the sandbox on the released truth")
    return Audit(report, tuple(trusts), tuple(checks))


def _recompute(source: Any, challenge: Challenge) -> int:
    """Run the scorer again over everything that the truth settled; return how many clues."""
    if not challenge.key:
        return 0
    known = [c for c in challenge.scorable() if c.exact_known]
    stated = [ExactScore(c.id, c.exact) for c in known]
    try:
        wrong = wrong_exact(source, challenge, stated)
    except NotFound as missing:
        raise Invalid(
            f"The scores of {challenge.id} cannot be recomputed: {missing.message}",
            "Fetch the missing blob from a mirror.",
        ) from None
    if wrong:
        raise Invalid(wrong, "Do not trust what follows from it.")
    return len(known)


def _trust(challenge: Challenge, recomputed: int) -> Trust:
    attested = []
    if challenge.funds or challenge.deposited:
        attested.append("money received and paid: by the organiser")
    if challenge.settled_by == "attested":
        attested.append("every score: by two scorers, for ever, as the trustees stayed silent")
    elif not challenge.settled_by and any(c.verdicts for c in challenge.clues.values()):
        attested.append("scores so far: by two scorers, recomputable once the truth is out")
    return Trust(
        challenge.id,
        challenge.status,
        challenge.settled_by,
        len(challenge.clues),
        recomputed,
        tuple(attested),
    )
