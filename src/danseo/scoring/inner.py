"""The harness that runs inside the sandbox: reads a job, scores, writes the results.

The job lies in /job, read-only. The results go to /out/result.json and nowhere else, so that
whatever a scorer says on its standard output can never be taken for a score.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from danseo.core.canonical import LIMIT
from danseo.core.errors import Unfit, Usage

_JOB: Final = Path("/job")
_OUT: Final = Path("/out/result.json")


def main() -> None:
    """Score every submission of the job, each by itself."""
    job = json.loads((_JOB / "job.json").read_bytes())
    try:
        higher, score = _scorer(job)
    except BaseException:  # noqa: BLE001 - whatever an organiser's file does when it is loaded
        _write({"fault": traceback.format_exc(limit=-3)})
        return
    truth = (_JOB / "truth").read_bytes() if job["submissions"] else b""

    def one(number: int) -> dict[str, Any]:
        submission = (_JOB / "submissions" / str(number)).read_bytes()
        return _one(score, submission, truth, job["parameters"])

    results = [_apart(one, i, job["seconds"]) for i in range(job["submissions"])]
    _write({"higher": higher, "results": results})


def _scorer(job: dict[str, Any]) -> tuple[bool, Callable[..., Any]]:
    if "scorer" in job:
        from danseo.scoring.scorers import SCORERS

        scorer = SCORERS[job["scorer"]]
        return scorer.higher, scorer.score
    module = ModuleType("scorer")
    code = (_JOB / "scorer.py").read_bytes()
    exec(compile(code, "scorer.py", "exec"), module.__dict__)  # noqa: S102 - in the sandbox
    if type(module.__dict__.get("HIGHER")) is not bool or not callable(
        module.__dict__.get("score")
    ):
        raise TypeError("The file must define HIGHER (True or False) and score(...).")
    return module.HIGHER, module.score


def _apart(one: Callable[[int], dict[str, Any]], number: int, seconds: int) -> dict[str, Any]:
    """Return what `one(number)` gives in a process of its own.

    So a submission on which a scorer dies or hangs, or whose state it keeps, touches no other.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writer, json.dumps(one(number)).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(writer)
    said, end = b"", time.monotonic() + seconds
    while not said.endswith(b"\n"):
        if not select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
            break
        data = os.read(reader, 2**16)
        if not data:
            break
        said += data
    os.close(reader)
    late = time.monotonic() >= end
    os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if said.endswith(b"\n"):
        return dict(json.loads(said))
    return {"stopped": "time"} if late else {"fault": f"It ended with status {status}."}


def _one(
    score: Callable[..., Any], submission: bytes, truth: bytes, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Return {"score"}, or {"unfit"}, {"usage"} or {"fault"}, by whose fault there is none."""
    try:
        value = score(submission, truth, dict(parameters))
    except Unfit as error:
        return {"unfit": [error.message, error.remedy]}
    except Usage as error:
        return {"usage": [error.message, error.remedy]}
    except BaseException:  # noqa: BLE001 - a scorer's crash is a result, told as such
        return {"fault": traceback.format_exc(limit=-3)}
    if type(value) is not int or abs(value) >= LIMIT:
        shown = repr(value)[:80]
        return {"fault": f"It returned {shown}, which is not an integer below 2^53."}
    return {"score": value}


def _write(result: dict[str, Any]) -> None:
    _OUT.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
