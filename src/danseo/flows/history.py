"""What the shoulders rule would have done with prizes that were given in the past.

Reads a list of awards, newest first, and takes each as a step whose size is the amount paid. Such
a list has no scores and no citations, so only that part of the rule speaks that goes to all
earlier steps by size. Everything stays in memory: the names in the list are real, and never enter
a log.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from danseo.core import reward
from danseo.core.errors import Unavailable, Usage
from danseo.core.reward import DEFAULT, UNITS, Node, Rule

COLUMNS: Final = ("award_round", "amount_usd", "clue_and_people")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DATE: Final = re.compile(rf"\(({'|'.join(_MONTHS)})(?: (\d{{1,2}}))?, (\d{{4}})\)\s*$")
_CENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Award:
    """One award as the list gives it. `paid` is in whole dollars. `day` is the round's last day:
    the end of the month where the list names no day."""

    day: date
    round: str
    clue: str
    paid: int


@dataclass(frozen=True, slots=True)
class Line:
    """What an award would have become, in cents: `total = own + received - owed`, exactly.

    `own` is the amount paid; `received` comes from later awards; `owed` went to earlier ones or,
    for the part that only citations would have passed on, to the commons.
    """

    award: Award
    own: int
    received: int
    owed: int
    total: int


@dataclass(frozen=True, slots=True)
class History:
    """All awards, oldest first. `paid` and `commons`, in cents, add up: paid = totals + commons."""

    lines: tuple[Line, ...]
    paid: int
    commons: int
    rule: Rule
    notes: tuple[str, ...]


def history(csv_path: Path, rule: Rule = DEFAULT) -> History:
    """Return what earlier awards of the list would have received from later ones.

    Raise `Unavailable` where the file cannot be read, and `Usage` where a row is not as expected.
    """
    awards = _read(csv_path)
    nodes = _nodes(awards)
    parts = reward.breakdown(nodes, rule)
    paid = sum(award.paid for award in awards) * _CENTS
    spread = [part.share for part in parts]
    *totals, commons = reward.split_units(paid, [*spread, reward.commons(nodes, spread)])
    whole = sum(part.own for part in parts)
    lines = tuple(
        _line(award, part.received * paid // whole, total)
        for award, part, total in zip(awards, parts, totals, strict=True)
    )
    return History(lines, paid, commons, rule, _notes(rule))


def _line(award: Award, received: int, total: int) -> Line:
    """Return the line that adds up, whichever way its total in cents was rounded."""
    own = award.paid * _CENTS
    owed = max(0, own + received - total)
    return Line(award, own, total - own + owed, owed, total)


def _nodes(awards: list[Award]) -> list[Node]:
    """Return one node for each award, as many units for each dollar as go into 10^9.

    Awards of one day share one position: nothing says which was earlier.
    """
    paid = sum(award.paid for award in awards)
    if paid > UNITS:
        raise Usage(f"The awards add up to {paid} dollars.", f"At most {UNITS} can be counted.")
    days = sorted({award.day for award in awards})
    place = {day: position for position, day in enumerate(days)}
    return [Node(award.paid * (UNITS // paid), place[award.day]) for award in awards]


def _read(path: Path) -> list[Award]:
    """Return the awards, oldest day first; those of one day stay in the list's order."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            awards = list(_awards(csv.DictReader(file)))
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}.", "Give the path of a list of awards."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Usage(f"{path} is no CSV file in UTF-8: {error}.", "Save it as such.") from None
    if not awards:
        raise Usage(f"{path} lists no awards.", "Give at least one row below the header.")
    return sorted(awards, key=lambda award: award.day)


def _awards(rows: csv.DictReader[str]) -> Iterator[Award]:
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise Usage(
            f"The list of awards lacks the column {missing[0]!r}.",
            f"Its header must name {', '.join(COLUMNS)}.",
        )
    for row in rows:
        place = f"Line {rows.line_num}"
        name, amount, clue = (row[column] or "" for column in COLUMNS)
        if not re.fullmatch(r"[1-9][0-9]{0,11}", amount):
            raise Usage(
                f"{place} has the amount {amount[:40]!r}.", "Give whole dollars, digits only."
            )
        yield Award(_day(name, place), name, clue, int(amount))


def _day(name: str, place: str) -> date:
    """Return the date at the end of a round's name: "(October 12, 2023)" or "(June, 2024)"."""
    found = _DATE.search(name)
    if found is None:
        raise Usage(
            f"{place} names a round without a date: {name[:60]!r}.",
            "End it with (Month, year) or (Month day, year), in English.",
        )
    month, year = _MONTHS.index(found[1]) + 1, int(found[3])
    try:
        return date(year, month, int(found[2] or _last_day(year, month)))
    except ValueError as error:
        raise Usage(f"{place} has no such date: {error}.", "Correct the round's date.") from None


def _last_day(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - date.resolution).day


def _notes(rule: Rule) -> tuple[str, ...]:
    (gn, gd), (tn, td) = rule.gamma, rule.theta
    owed, by_size = _percent(gn, gd), _percent(gn * tn, gd * td)
    return (
        "The list has no scores: each award counts as a step whose size is the amount paid.",
        "The list has no citations: what would follow them stays in the commons.",
        f"A step owes up to {owed} of itself to earlier ones, {by_size} of it by size alone.",
        "Awards of one day stand side by side: none of them is earlier than another.",
        "Nothing here was paid or is owed to anyone: it says what the rule would have done.",
    )


def _percent(top: int, bottom: int) -> str:
    tenths = (1000 * top + bottom // 2) // bottom
    return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"
