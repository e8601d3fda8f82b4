"""What people mistype, and what strangers make of it: refused with a reason, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from danseo.core.errors import Invalid
from danseo.flows import notation, reading
from danseo.log.blobs import Blobs
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


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", "1e999999"),
        ("step", "nan"),
        ("deadline", "0001-01-01T00:00:00+23:59"),
        ("data", "[1]"),
        ("commons", "1e400000"),
    ],
)
def test_a_challenge_file_with_an_absurd_value_is_refused(
    begun: Stage, key: str, value: str
) -> None:
    file = begun.home / "challenge.toml"
    lines = [
        f"{key} = {value}" if line.startswith(f"{key} = ") else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines))
    assert begun.refuse("challenge check {home}/challenge.toml")["status"] in (2, 3)


@pytest.mark.parametrize("name", [".bashrc", "../x", "/etc/x", "a\x1b[31m", ".", ""])
def test_no_file_is_saved_under_a_name_that_is_a_trap(tmp_path: Path, name: str) -> None:
    blobs = Blobs(tmp_path / "blobs")
    with pytest.raises(Invalid, match="trap"):
        reading.save(blobs, {name: blobs.put(b"trap")}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
