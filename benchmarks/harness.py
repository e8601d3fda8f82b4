"""The form of every published figure: what was measured, beside which peer, against which aim.

A benchmark is a module of this package with a docstring that says what it measures and how, and
`run() -> list[Figure]`. `python -m benchmarks NAME` runs it, prints the table and writes
`benchmarks/results/NAME.json`. `docs/figures.md` is made from those files.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"
WORK: Final = Path(__file__).parent / "work"
"""Where a benchmark may leave what is dear to make, such as a log of 200,000 entries."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    `value` is in `unit`. `peer` says what it is compared with, measured in the same run, and
    `ratio` is value against that peer. `aim` states the aim in words ("at least 0.6"); `holds`
    says whether it is met, None where there is no aim. A figure that falls short is kept as it is.
    """

    what: str
    value: float
    unit: str
    peer: str = ""
    ratio: float | None = None
    aim: str = ""
    holds: bool | None = None

    def __post_init__(self) -> None:
        if bool(self.aim) != (self.holds is not None):
            raise ValueError(f"{self.what!r}: an aim needs a verdict, and a verdict an aim.")


def write(name: str, figures: list[Figure], folder: Path = RESULTS) -> Path:
    """Print the table of `figures`, write `folder/name.json`, and return its path."""
    record = {"name": name, "machine": machine(), "figures": [asdict(f) for f in figures]}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    Console().print(_table(name, figures))
    return path


def read(path: Path) -> tuple[str, dict[str, Any], list[Figure]]:
    """Return name, machine and figures of a file of results; raise `ValueError` if malformed."""
    record = json.loads(path.read_text(encoding="utf-8"))
    if set(record) != {"name", "machine", "figures"} or record["name"] != path.stem:
        raise ValueError(f"{path} is no file of results: run `make bench NAME={path.stem}`.")
    return record["name"], record["machine"], [Figure(**figure) for figure in record["figures"]]


def machine() -> dict[str, Any]:
    """Return what a reader must know of this machine; nothing that names it or its owner."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
    }


def show(value: float) -> str:
    """Return a number as a table shows it: three digits that mean something, no exponent.

    >>> show(1234567.8), show(12.345), show(0.98765), show(0.0000226), show(3), show(0.0)
    ('1,234,568', '12.3', '0.988', '0.0000226', '3', '0')
    """
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return format(Decimal(f"{value:.3g}"), "f")


def verdict(figure: Figure) -> str:
    """Return "yes", "no" or "" for a figure: does its aim hold?"""
    return {True: "yes", False: "no", None: ""}[figure.holds]


def _table(name: str, figures: list[Figure]) -> Table:
    table = Table("Figure", title=f"benchmark {name}")
    for heading, justify in (
        ("Value", "right"),
        ("Unit", "left"),
        ("Peer", "left"),
        ("Ratio", "right"),
        ("Aim", "left"),
        ("Holds", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for f in figures:
        ratio = "" if f.ratio is None else show(f.ratio)
        table.add_row(f.what, show(f.value), f.unit, f.peer, ratio, f.aim, verdict(f))
    return table


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
