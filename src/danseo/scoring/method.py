"""Rerun a published method, and say how close it comes to the prediction it was published with.

A method is a Python script that defines `main(data: Path, out: Path) -> None`, or a wheel of pure
Python with such a function. It reads the challenge's public files from `data`, writes its
prediction into `out`, and never sees the truth. A manifest says how to run it:

    {"entry": "main", "output": "prediction.npy", "requirements": ["numpy==2.3.5"], "seconds": 300}

A reproduction is evidence. By itself it never sets anybody's pay.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from danseo.core.curve import BILLION
from danseo.core.errors import Unavailable, Unfit
from danseo.scoring import arrays, harness, sandbox
from danseo.scoring.cell import Limits
from danseo.scoring.environment import Environment, check_requirements
from danseo.scoring.interpreter import interpreter
from danseo.scoring.sandbox import Progress, Result
from danseo.scoring.scorers import levenshtein, read_text

LIMITS: Final = Limits(
    seconds=600, memory_bytes=4 * 2**30, processes=64, output_bytes=2**28, files=1000
)
"""What a method may use, where the runner says nothing else."""
MAX_SCRIPT: Final = 2**24

_FUNCTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MODULE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}:[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_OUTPUTS: Final = (".npy", ".png", ".csv", ".txt")


@dataclass(frozen=True, slots=True)
class Method:
    """A script or wheel, and how to run it. `output` is the file that it writes, `seconds` what
    its author says it may take."""

    script: bytes
    entry: str
    requirements: tuple[str, ...]
    output: str
    seconds: int

    @property
    def is_wheel(self) -> bool:
        """Tell whether `script` is a wheel."""
        return self.script.startswith(b"PK\x03\x04")


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came out of a rerun, and how it differs from what was published.

    `identical` tells whether every element is equal. `differing` is the part of the elements that
    are not, rounded up, in parts per billion; `furthest` the greatest difference between two
    elements (0 for texts, whose `differing` is their edit distance by length).
    """

    prediction: bytes
    identical: bool
    differing: int
    furthest: int
    seconds: float


def method(script: bytes, manifest: Mapping[str, Any]) -> Method:
    """Return the method that a script and its manifest describe, or raise `Unfit`."""
    wanted = {"entry": str, "output": str, "requirements": list, "seconds": int}
    if set(manifest) != set(wanted):
        raise Unfit(
            f"The manifest has the fields {sorted(manifest)}.", f"It has exactly {sorted(wanted)}."
        )
    for name, kind in wanted.items():
        if type(manifest[name]) is not kind:
            raise Unfit(f"{name} in the manifest is {manifest[name]!r}.", f"Give {kind.__name__}.")
    if not 0 < len(script) <= MAX_SCRIPT:
        raise Unfit(f"The script has {len(script)} bytes.", f"It may have 1 to {MAX_SCRIPT}.")
    found = Method(
        script,
        manifest["entry"],
        check_requirements(manifest["requirements"]),
        manifest["output"],
        manifest["seconds"],
    )
    form, example = (_MODULE, "package.module:main") if found.is_wheel else (_FUNCTION, "main")
    if form.fullmatch(found.entry) is None:
        raise Unfit(f"The entry is {found.entry!r}.", f"Give one such as {example}.")
    if not _NAME.fullmatch(found.output) or not found.output.endswith(_OUTPUTS):
        raise Unfit(
            f"The output is {found.output!r}.", f"Give a file name in {', '.join(_OUTPUTS)}."
        )
    if not 1 <= found.seconds <= 10**6:
        raise Unfit(f"The method asks for {found.seconds} s.", "Give 1 to 1,000,000.")
    return found


def reproduce(
    method: Method,
    packages: Environment,
    data: Mapping[str, Path | bytes],
    published: bytes,
    limits: Limits = LIMITS,
    progress: Progress | None = None,
) -> Reproduction:
    """Rerun `method` on the public files `data` (name -> file) and compare with `published`.

    Raise `Unfit` where the method fails, passes a limit or writes no fit prediction.
    """
    result = _rerun(method, packages, data, limits, progress)
    prediction = result.outputs.get(method.output)
    if prediction is None:
        lay = sorted(result.outputs) + [f"{n} ({why})" for n, why in result.refused.items()]
        raise Unfit(
            f"The method wrote no {method.output}; it wrote {lay or 'nothing'}.",
            "Write the prediction into the folder that the second argument names.",
        )
    compare = _compare_texts if method.output.endswith(".txt") else _compare_arrays
    differing, furthest = compare(prediction, published)
    return Reproduction(prediction, differing == 0, differing, furthest, result.seconds)


def _rerun(
    method: Method,
    packages: Environment,
    data: Mapping[str, Path | bytes],
    limits: Limits,
    progress: Progress | None,
) -> Result:
    path = "/method/method.whl" if method.is_wheel else "/method/method.py"
    python = interpreter(packages.folders)
    read_only: dict[str, Path | bytes] = dict(python.read_only)
    read_only[path] = method.script
    read_only["/method/harness.py"] = Path(harness.__file__).read_bytes()
    if not data:
        read_only["/data/.none"] = b""  # So that the folder is there.
    for name, source in data.items():
        if not _NAME.fullmatch(name):
            raise Unavailable(f"A data file is named {name!r}.", "Name it with letters and digits.")
        read_only[f"/data/{name}"] = source
    limits = dataclasses.replace(limits, seconds=min(limits.seconds, method.seconds))
    result = sandbox.run(
        [*python.argv, "/method/harness.py", path, method.entry],
        read_only=read_only,
        environment=python.environment,
        limits=limits,
        progress=progress,
    )
    if result.stopped:
        raise Unfit(
            f"The method passed its limit of {result.stopped} and was stopped after "
            f"{result.seconds:.1f} s, {result.memory} bytes of memory.",
            f"It may use {limits}.",
        )
    if result.code:
        raise Unfit(
            f"The method ended with status {result.code}: {result.stderr.strip()[-2000:]}",
            "Run it yourself with the same requirements, and mend it.",
        )
    return result


def _compare_arrays(prediction: bytes, published: bytes) -> tuple[int, int]:
    """Return the differing part, rounded up, and the greatest difference."""
    ours, theirs = arrays.read(prediction), arrays.read(published)
    if ours.shape != theirs.shape:
        raise Unfit(
            f"The rerun gives the shape {ours.shape}, what was published has {theirs.shape}.",
            "Publish what the method writes.",
        )
    wrong = ours != theirs
    count = int(np.count_nonzero(wrong))
    if not count:
        return 0, 0
    furthest = np.abs(ours[wrong].astype(np.int64) - theirs[wrong].astype(np.int64)).max()
    return -(-BILLION * count // ours.size), int(furthest)


def _compare_texts(prediction: bytes, published: bytes) -> tuple[int, int]:
    ours, theirs = read_text(prediction), read_text(published)
    longest = max(len(ours), len(theirs), 1)
    return -(-BILLION * levenshtein(ours, theirs) // longest), 0
