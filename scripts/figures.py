"""Make docs/figures.md from benchmarks/results/: `python -m scripts.figures [--check]`."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, Figure, read, show, verdict
from scripts.pages import ROOT, publish, table

HEAD = """# Figures

Every figure below is measured by a script in [benchmarks/](../benchmarks/) that anyone can run,
and so is the peer that it stands beside, in the same run. `make bench` measures all of them anew.
A figure that falls short of its aim is written down as it is. What was tried on the way stands in
[lab.md](lab.md).

This page is made from `benchmarks/results/`. Do not edit it: run `make figures`.
"""


def page(results: Path = RESULTS) -> str:
    """Return the text of docs/figures.md for the files in `results`."""
    parts = [HEAD]
    for path in sorted(results.glob("*.json")):
        parts.append(_section(*read(path)))
    if len(parts) == 1:
        parts.append("Nothing has been measured yet.\n")
    return "\n".join(parts)


def _section(name: str, machine: dict[str, Any], figures: list[Figure]) -> str:
    rows = [
        (
            f.what,
            f"{show(f.value)} {f.unit}".strip(),
            f.peer,
            "" if f.ratio is None else show(f.ratio),
            f.aim,
            verdict(f),
        )
        for f in figures
    ]
    cells = table(("Figure", "Value", "Peer", "Ratio", "Aim", "Holds"), rows)
    seen_on = (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}"
    )
    return f"## {name}\n\n{_docstring(name)}\n\n    make bench NAME={name}\n\n{cells}\n{seen_on}.\n"


def _docstring(name: str) -> str:
    """Return what the benchmark says of itself, without running it."""
    source = (ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source)) or ""


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say whether it is stale."""
    return publish({Path("docs/figures.md"): page()}, "make figures", "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
