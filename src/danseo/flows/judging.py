"""What a scorer does: open the truth, score the next clue in the sandbox, publish the verdict.

Exact scores stay private to the scorer until the truth is out; only a step's score on the grid is
published, and of a miss nothing but that it is one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from danseo.core.challenge import Challenge, Clue, exact_step, is_withheld, units_of_step
from danseo.core.errors import Unfit, WrongPhase
from danseo.core.kinds.score import PublishScore
from danseo.core.ladder import Step, climb
from danseo.flows import clues, opening
from danseo.flows.acting import Desk
from danseo.flows.notation import decimal
from danseo.log.sequencer import Appended
from danseo.log.signing import Key
from danseo.scoring import environment as environments
from danseo.scoring import method as methods
from danseo.scoring import run

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A scorer's verdict on a clue, as published: `score` is that of a step, on the grid."""

    clue: int
    verdict: str
    score: int | None
    reason: str
    entry: Appended


@dataclass(frozen=True, slots=True)
class Reproduced:
    """How close a rerun of a method came to its published prediction.

    `differing` is the part of elements that differ, in parts per 10^9.
    """

    identical: bool
    differing: int
    seconds: float
    prediction: bytes


def score_next(desk: Desk, key: Key, name: str, cache: Path, tell: Tell) -> Verdict:
    """Score the clue at the head of the queue and publish the verdict.

    Raise `WrongPhase` where no clue waits for this scorer.
    """
    challenge = desk.challenge(name)
    clue = _waiting(challenge, desk.state.identity(key.address))
    truth = opening.truth_of(desk, key, name)
    exact, reason = _exact(desk, key, challenge, clue, truth)
    step = None
    if exact is not None:
        curve = challenge.terms.value_curve()
        step = climb(curve, _best(desk, key, challenge, truth), curve.progress(exact))
        if step is not None and step.after <= challenge.frontier:
            step = None
    reproduced = False
    if exact is not None and clue.form == "method":
        tell(f"rerunning the method of clue {clue.id}")
        compared = (exact, truth) if step else None
        reproduced, reason = _reruns(desk, challenge, clue, compared, cache)
    verdict, score, words = _verdict(challenge, exact, step, reason, reproduced)
    reproduced = reproduced and verdict != "unfit"
    with desk.storing() as store:
        blob = store.put(words.encode())
        entry = desk.say(key, PublishScore(clue.id, verdict, reproduced, blob, score), name)
    return Verdict(clue.id, verdict, score, words, entry)


def reproduce(desk: Desk, name: str, clue_id: int, cache: Path) -> Reproduced:
    """Rerun a published method in the sandbox and compare. Anyone can; it sets nobody's pay."""
    challenge, clue = desk.challenge(name), clues.find(desk, name, clue_id)
    found = clues.content(desk, clue)
    method = clues.method_of(desk, found)
    packages = environments.environment(method.requirements, cache)
    done = methods.reproduce(
        method, packages, public_data(desk, challenge), desk.blobs.get(clue.submission)
    )
    return Reproduced(done.identical, done.differing, done.seconds, done.prediction)


def public_data(desk: Desk, challenge: Challenge) -> dict[str, bytes | Path]:
    """Return the challenge's public files: name -> bytes."""
    files = opening.about(desk.blobs, challenge).files
    return {name: desk.blobs.get(blob) for name, blob in files.items()}


def score_submission(
    desk: Desk, challenge: Challenge, submission: bytes, suffix: str, truth: bytes
) -> int:
    """Return the exact score of a submission, from the sandbox; raise `Unfit` with the reason."""
    terms = challenge.terms
    return run.score(
        terms.scorer,
        submission,
        suffix,
        truth,
        {p.name: p.value for p in terms.parameters},
        desk.blobs.get(terms.code) if terms.code else None,
    )


def _waiting(challenge: Challenge, who: str) -> Clue:
    head = challenge.head_clue()
    if challenge.status != "open" or challenge.key:
        raise WrongPhase(f"{challenge.id} is past scoring.", "Nothing waits for a scorer.")
    if head is None:
        raise WrongPhase("Every clue is final.", "Nothing waits for a scorer.")
    if head.status == "committed":
        raise WrongPhase(
            f"Clue {head.id} is committed and not revealed.",
            "Clues after it wait until it is revealed or lapses.",
        )
    if who in head.verdicts:
        raise WrongPhase(f"You scored clue {head.id}.", "It waits for the other scorer.")
    return head


def _verdict(
    challenge: Challenge, exact: int | None, step: Step | None, reason: str, reproduced: bool
) -> tuple[str, int | None, str]:
    """Return the verdict to publish, the score of a step, and the reason in words."""
    terms, curve = challenge.terms, challenge.terms.value_curve()
    if exact is None:
        return "unfit", None, reason
    if step is None:
        words = f"No step: it does not beat the best so far by {decimal(terms.eta)}."
        return "none", None, f"{words} {reason}".strip()
    score = curve.score(step.after)
    units = max(step.units, units_of_step(challenge, score))
    if units > terms.method_above and not reproduced:
        # How large it is stays hidden: an unfit clue moves nothing, and so could be asked for ever.
        most = decimal(terms.method_above * 100)
        words = f"A step above {most} % of the reward must be a method that reproduces. {reason}"
        return "unfit", None, words.strip()
    words = f"A step to {decimal(score)}, worth {decimal(units * 100)} % of the reward. {reason}"
    return "step", score, words.strip()


def _best(desk: Desk, key: Key, challenge: Challenge, truth: bytes) -> int:
    """Return the exact best progress so far, on the ladder that counts when the truth is out."""
    best = 0
    for clue in challenge.scorable():
        exact, _ = _exact(desk, key, challenge, clue, truth)
        if step := exact_step(challenge, clue, exact, best):
            best = step.best
    return best


def _exact(
    desk: Desk, key: Key, challenge: Challenge, clue: Clue, truth: bytes
) -> tuple[int | None, str]:
    """Return the exact score, or None and why there is none; remembered privately per scorer."""
    if is_withheld(challenge, clue, desk.state.withheld):
        attested = clue.score if clue.verdict == "step" else None
        return attested, "What it takes to score this clue is withheld."
    memory = desk.private / "scores" / key.address / f"{challenge.id}-{clue.id}.json"
    with contextlib.suppress(FileNotFoundError, ValueError):  # torn by a crash: score it again
        exact, reason = json.loads(memory.read_text("utf-8"))
        return exact, reason
    try:
        found = clues.content(desk, clue)
        suffix = Path(found.submission).suffix
        exact, reason = (
            score_submission(desk, challenge, desk.blobs.get(clue.submission), suffix, truth),
            "",
        )
    except Unfit as error:
        exact, reason = None, str(error)
    memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    memory.write_text(json.dumps([exact, reason]), "utf-8")
    return exact, reason


def _reruns(
    desk: Desk,
    challenge: Challenge,
    clue: Clue,
    compared: tuple[int, bytes] | None,
    cache: Path,
) -> tuple[bool, str]:
    """Rerun a method; it reproduces when its own score comes within a step of the published.

    `compared` is the exact score and the truth. Without it, as for a miss, only an identical
    prediction reproduces: whether two scores lie close together would teach its author about the
    truth, as often as he likes, without a step.
    """
    try:
        done = reproduce(desk, challenge.id, clue.id, cache)
        if done.identical:
            return True, "The method reproduces its prediction exactly."
        part = decimal(done.differing)
        if compared is None:
            return False, f"{part} of the elements of a rerun of the method differ."
        exact, truth = compared
        suffix = Path(clues.content(desk, clue).submission).suffix
        again = score_submission(desk, challenge, done.prediction, suffix, truth)
    except Unfit as error:
        return False, f"The method does not reproduce: {error}"
    if abs(again - exact) < challenge.terms.eta:
        return True, f"The method reproduces within a step; {part} of its elements differ."
    return False, f"The method does not reproduce: {part} of its elements differ."
