"""Score a submission in the sandbox, with a scorer of danseo or an organiser's own.

An organiser's own scorer is one Python file that defines `HIGHER: bool` and
`score(submission: bytes, truth: bytes, parameters: dict) -> int`. It may import numpy and danseo,
and refuses a submission by raising `danseo.core.errors.Unfit`.

Whose fault it is when there is no score is told apart by the error: `Unfit` is the submission's,
`Usage` that of the truth or the parameters, `Unavailable` the scorer's or the machine's.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from danseo.core import canonical
from danseo.core.errors import DanseoError, Unavailable, Unfit, Usage
from danseo.scoring import arrays, sandbox
from danseo.scoring.cell import Limits
from danseo.scoring.interpreter import with_danseo
from danseo.scoring.scorers import SCORERS, Scorer

LIMITS: Final = Limits(
    seconds=60, memory_bytes=4 * 2**30, processes=16, output_bytes=2**22, files=64
)
"""What scoring one submission may use."""

Outcome = int | Unfit | Unavailable
"""A score, the submission's fault, or that of a scorer which failed on it."""

_BATCH: Final = 64
_START: Final = 10
"""Seconds more for Python to start."""


def score(
    scorer: str,
    submission: bytes | Path,
    suffix: str,
    truth: bytes | Path,
    parameters: Mapping[str, int | str],
    code: bytes | None = None,
    limits: Limits = LIMITS,
) -> int:
    """Return the score of `submission`, a file that ends in `suffix`, in parts per billion.

    `code` is an organiser's own scorer; without it, `scorer` names one that ships with danseo.
    Raise `Unfit`, `Usage` or `Unavailable` where there is no score (see above).
    """
    (result,) = score_many(scorer, [(submission, suffix)], truth, parameters, code, limits)
    if isinstance(result, DanseoError):
        raise result
    return result


def score_many(
    scorer: str,
    submissions: Sequence[tuple[bytes | Path, str]],
    truth: bytes | Path,
    parameters: Mapping[str, int | str],
    code: bytes | None = None,
    limits: Limits = LIMITS,
) -> list[Outcome]:
    """Return a score or the reason for none, for each (submission, suffix), in order.

    `Unfit` stands for the submission's fault, `Unavailable` for a scorer that failed on it. What
    concerns all, a limit among it, is raised as by `score`: another machine might do better.
    One sandbox serves up to 64, each in a process of its own. The seconds of `limits` are for each.
    """
    results: dict[int, Outcome] = {}
    fit: list[tuple[int, bytes | Path]] = []
    for i, (submission, suffix) in enumerate(submissions):
        try:
            _check_suffix(scorer, submission, suffix, code)
            fit.append((i, submission))
        except Unfit as error:
            results[i] = error
    for start in range(0, len(fit), _BATCH):
        batch = fit[start : start + _BATCH]
        job = {f"/job/submissions/{n}": data for n, (_, data) in enumerate(batch)}
        job["/job/truth"] = truth
        told = _run(scorer, code, job, len(batch), parameters, limits)["results"]
        for (i, _), one in zip(batch, told, strict=True):
            results[i] = _read(scorer, one)
    return [results[i] for i in range(len(submissions))]


def higher(scorer: str, code: bytes | None = None) -> bool:
    """Return whether a higher score is better, asking the organiser's own file where given."""
    if code is None:
        return _known(scorer).higher
    return bool(_run(scorer, code, {}, 0, {}, LIMITS)["higher"])


def probe() -> tuple[bool, str]:
    """Return whether scoring works here, and one line that says so or what to do.

    Beyond the sandbox this needs that its user can read this Python, numpy and danseo.
    """
    ok, text = sandbox.probe()
    if not ok:
        return ok, text
    try:
        score("accuracy-1", b"1\n", ".csv", b"1\n", {})
    except DanseoError as error:
        return False, str(error)
    return True, text


def _run(
    scorer: str,
    code: bytes | None,
    job: dict[str, Path | bytes],
    submissions: int,
    parameters: Mapping[str, int | str],
    limits: Limits,
) -> dict[str, Any]:
    """Return what the harness wrote, or raise `Unavailable` where it wrote nothing good."""
    what: dict[str, Any] = {"parameters": dict(parameters), "submissions": submissions}
    what["seconds"] = limits.seconds
    if code is None:
        what["scorer"] = _known(scorer).name
    else:
        job["/job/scorer.py"] = code
    job["/job/job.json"] = json.dumps(what).encode()
    python = with_danseo(["numpy"])
    result = sandbox.run(
        [*python.argv, "-m", "danseo.scoring.inner"],
        read_only={**python.read_only, **job},
        environment=python.environment,
        limits=dataclasses.replace(limits, seconds=limits.seconds * max(1, submissions) + _START),
    )
    if result.stopped:
        raise _stopped(scorer, result.stopped)
    if not result.ended_well or "result.json" not in result.outputs:
        raise _broken(scorer, f"It ended with status {result.code}. {result.stderr[-2000:]}")
    return _parse(scorer, result.outputs["result.json"], submissions)


def _parse(scorer: str, data: bytes, submissions: int) -> dict[str, Any]:
    """Return the results, checked: an organiser's scorer could have written the file itself."""
    try:
        told = json.loads(data) if canonical.depth(data) < 16 else None
    except ValueError:
        raise _broken(scorer, "Its result is not JSON.") from None
    if isinstance(told, dict) and isinstance(told.get("fault"), str):
        raise _broken(scorer, told["fault"])
    if (
        not isinstance(told, dict)
        or not isinstance(told.get("higher"), bool)
        or not isinstance(told.get("results"), list)
        or len(told["results"]) != submissions
    ):
        raise _broken(scorer, "Its result has another form than the harness writes.")
    return told


def _read(scorer: str, one: Any) -> Outcome:
    """Return the score or the refusal that one result tells."""
    if isinstance(one, dict) and len(one) == 1:
        ((name, value),) = one.items()
        if name == "score" and type(value) is int and abs(value) < canonical.LIMIT:
            return value
        if name == "fault" and isinstance(value, str):
            return _broken(scorer, value)
        if name == "stopped":
            raise _stopped(scorer, "time")
        if isinstance(value, list) and len(value) == 2 and all(type(v) is str for v in value):
            if name == "unfit":
                return Unfit(value[0], value[1])
            raise Usage(value[0], value[1])
    raise _broken(scorer, "Its result has another form than the harness writes.")


def _stopped(scorer: str, limit: str) -> Unavailable:
    return Unavailable(
        f"The scorer {scorer} passed its limit of {limit} and was stopped.",
        "Nothing is said of the submission. Give the scorer more, or mend it.",
    )


def _broken(scorer: str, words: str) -> Unavailable:
    return Unavailable(
        f"The scorer {scorer} failed: {words.strip()}",
        "Nothing is said of the submission. Mend the scorer, or report it to its organiser.",
    )


def _known(scorer: str) -> Scorer:
    if scorer not in SCORERS:
        raise Usage(f"There is no scorer {scorer!r}.", f"There are: {', '.join(SCORERS)}.")
    return SCORERS[scorer]


def _check_suffix(scorer: str, submission: bytes | Path, suffix: str, code: bytes | None) -> None:
    """Raise `Unfit` for a suffix that the scorer does not take, or that the content belies."""
    if code is not None:
        return
    accepted = _known(scorer).suffixes
    if suffix not in accepted:
        raise Unfit(
            f"The submission is a {suffix or 'file without a suffix'}.",
            f"{scorer} takes {', '.join(accepted)}.",
        )
    if isinstance(submission, bytes):
        head = submission[:8]
    else:
        try:
            with submission.open("rb") as file:
                head = file.read(8)
        except OSError as error:
            raise Unavailable(
                f"{submission} cannot be read: {error.strerror}.", "Check the path."
            ) from None
    held = arrays.suffix(head)
    if head and held != (".csv" if suffix == ".txt" else suffix):
        raise Unfit(
            f"The submission is named {suffix} and holds "
            f"{'something else' if held == '.csv' else held}.",
            "Give it the suffix of what it holds.",
        )
