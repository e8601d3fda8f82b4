"""What people mistype, and what strangers make of it: refused with a reason, never a traceback."""

from __future__ import annotations

import pytest

from danseo.flows import notation
from tests.cli.stage import Stage

LONG = "9" * 5000


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (f"challenge fund example donor-1 '{LONG} KRW'", ""),
        ("challenge fund example donor-1 '1.5 KRW'", ""),
        ("simulate example 1e999999", ""),
        ("simulate example nan", ""),
        (f"clock advance {LONG}d", ""),
        (f"clue publish example {{home}}/guess-1.csv --title t --cite {LONG}", "contributor-1"),
        ("clue publish example {home}/guess-1.csv --title t --cite 17:1e999999", "contributor-1"),
        (f"clue publish example {{home}}/guess-1.csv --title t --payee a:{LONG}", "contributor-1"),
        ("clue publish example {home} --title t", "contributor-1"),
        (f"jury vote example '{LONG} > 17' --round 0", "juror-1"),
        ("jury vote example '99 > 17' --round 0", "juror-1"),
        ("challenge show ../../etc", ""),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_and_changes_nothing(
    opened: Stage, line: str, key: str
) -> None:
    refused = opened.refuse(line, key)
    assert refused["status"] in (2, 3)
    assert refused["message"]


def test_a_time_beyond_the_calendar_is_shown_as_its_end() -> None:
    assert notation.instant(2**40) == "9999-12-31T23:59:59Z"
