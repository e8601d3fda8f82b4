"""How long work shows itself: a bar with the time left, or a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from danseo.cli import show

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Calling it tells the part done, 0..1, and what is going on; `say` prints a line beside it."""

    tell: Progress
    say: Callable[[str], None]

    def __call__(self, part: float, what: str) -> None:
        """Show how far the work is."""
        self.tell(part, what)


_EVERY: Final = 20.0
"""Seconds between two lines where there is no terminal."""
_LEAP: Final = 0.02
"""A part that is done at one blow was kept from an earlier run, and says nothing of the pace."""


class Clock:
    """Estimates the time left from the pace so far; what is skipped does not count as pace."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._begun = self._last = now()
        self._from = self._part = 0.0

    def tell(self, part: float) -> float | None:
        """Note the part done, 0..1, and return the seconds left, None while unknown."""
        now = self._now()
        if part - self._part > _LEAP and now - self._last < 0.5:
            self._begun, self._from = now, part
        self._last, self._part = now, max(part, self._part)
        gained = self._part - self._from
        if gained <= 0.005 or now - self._begun < 1:
            return None
        return (1 - self._part) * (now - self._begun) / gained


@contextmanager
def pace(words: str, *, silent: bool = False) -> Iterator[Pace]:
    """Show progress on stderr, and yield what is to be told of it."""
    if silent:
        yield Pace(lambda part, what: None, lambda line: None)
    elif show.console(error=True).is_terminal:
        with _bar(words) as told:
            yield told
    else:
        yield Pace(_lines(words), lambda line: show.console(error=True).print(show.plain(line)))


@contextmanager
def _bar(words: str) -> Iterator[Pace]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    clock = Clock()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=show.console(error=True),
        transient=True,
    ) as bar:
        task = bar.add_task(words, total=1.0, left="")

        def tell(part: float, what: str) -> None:
            left = clock.tell(part)
            bar.update(
                task,
                completed=part,
                description=f"{words}: {show.plain(what)}" if what else words,
                left="" if left is None else f"{span(left)} left",
            )

        yield Pace(tell, lambda line: bar.console.print(show.plain(line)))


def _lines(words: str) -> Progress:
    clock, last = Clock(time.monotonic), time.monotonic()

    def tell(part: float, what: str) -> None:
        nonlocal last
        left = clock.tell(part)
        if time.monotonic() - last < _EVERY:
            return
        last = time.monotonic()
        rest = "" if left is None else f", {span(left)} left"
        sys.stderr.write(f"{words}: {part:.0%}{rest} ({show.plain(what)})\n")
        sys.stderr.flush()

    return tell


def span(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> span(4.2), span(75), span(3723)
    ('4 s', '1 min 15 s', '1 h 02 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
