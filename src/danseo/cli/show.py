"""How results look: lines, tables and JSON on stdout; progress and errors on stderr."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from danseo.core.errors import DanseoError, Invalid
from danseo.flows.notation import instant

_WIDE: Final = 200
"""Columns where the output is no terminal: a table is then never cut."""
_TIME: Final = re.compile(r"\b(at|until|from|was|before|after) ([1-9][0-9]{9})\b")


def console(*, error: bool = False) -> Console:
    """Return a console that takes text as it stands: what strangers wrote is no markup."""
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def result(as_json: bool, found: Any, *parts: Any) -> None:
    """Print `found` as JSON, or the `parts` (lines and tables) for people."""
    if as_json:
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        sys.stdout.flush()
        return
    out = console()
    for part in parts:
        out.print(plain(part) if isinstance(part, str) else part, soft_wrap=isinstance(part, str))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Return a table. A column whose name ends in `>` stands to the right, as numbers do."""
    made = Table(title=title or None, title_justify="left", title_style="bold")
    for column in columns:
        right = column.endswith(">")
        made.add_column(
            column.removesuffix(">"), justify="right" if right else "left", overflow="fold"
        )
    for row in rows:
        made.add_row(*(plain(str(cell)) for cell in row))
    return made


def error(
    problem: DanseoError, as_json: bool, named: Callable[[str], str] = lambda text: text
) -> None:
    """Print an error on stderr: what is wrong, and what to do next.

    For people, `named` puts names in place of the addresses that it knows.
    """
    index = problem.index if isinstance(problem, Invalid) else None
    if as_json:
        found: dict[str, Any] = {
            "error": type(problem).__name__,
            "message": problem.message,
            "remedy": problem.remedy,
        }
        if index is not None:
            found["index"] = index
        sys.stderr.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    out = console(error=True)
    out.print(f"error: {plain(dated(named(problem.message)))}", style="bold red", soft_wrap=True)
    if index is not None:
        out.print(f"       The first bad entry is {index}.", soft_wrap=True)
    if problem.remedy:
        out.print(f"       {plain(dated(named(problem.remedy)))}", soft_wrap=True)


def dated(text: str) -> str:
    """Return a message of the rules with its times, which count seconds, as people read them."""
    return _TIME.sub(lambda found: f"{found[1]} {instant(int(found[2]))}", text)


@contextmanager
def working(words: str) -> Iterator[Any]:
    """Show a spinner on stderr while something takes long, where it is a terminal."""
    out = console(error=True)
    if not out.is_terminal:
        yield lambda _: None
        return
    with out.status(words) as status:
        yield status.update


@contextmanager
def progress(words: str) -> Iterator[Any]:
    """Show a bar on stderr, told by calls (done, all), where it is a terminal."""
    from rich.progress import Progress

    with Progress(
        console=console(error=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def plain(text: str) -> str:
    """Return a text that cannot steer a terminal: control characters become visible.

    >>> plain("red \\x1b[31m")
    'red \\ufffd[31m'
    """
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") else "\ufffd"
        for c in text
    )
