"""Awards of the past under the shoulders rule."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from danseo.core.errors import Unavailable, Usage
from danseo.core.reward import Rule
from danseo.flows.history import History, history

HEADER = "award_round,goal,amount_text,amount_usd,clue_and_people,link\n"
REAL = Path("credit/vesuvius_prizes_2023-2024.csv")


def listed(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "awards.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def adds_up(found: History) -> bool:
    return found.paid == sum(line.total for line in found.lines) + found.commons and all(
        line.own + line.received - line.owed == line.total
        and min(line.received, line.owed, line.total) >= 0
        and line.own == line.award.paid * 100
        for line in found.lines
    )


def test_a_later_award_pays_earlier_ones_by_size(tmp_path):
    found = history(
        listed(
            tmp_path,
            '"Third (March, 2024)",,"$500",500,C: contributor-3,',
            '"Second (February 29, 2024)",,"$300",300,B: contributor-2,',
            '"First (December 31, 2023)",,"$200",200,A: contributor-1,',
        )
    )
    assert [line.award.day for line in found.lines] == [
        date(2023, 12, 31),
        date(2024, 2, 29),
        date(2024, 3, 31),
    ]
    # By size alone, 200 gets 1/4 * .2 * (.3 + .5) of 1000 dollars from later ones, and so on.
    assert [(line.own, line.received, line.owed, line.total) for line in found.lines] == [
        (20000, 4000, 0, 24000),
        (30000, 3750, 3000, 30750),
        (50000, 0, 12500, 37500),
    ]
    assert (found.paid, found.commons) == (100000, 7750)
    assert adds_up(found)


def test_awards_of_one_day_owe_each_other_nothing(tmp_path):
    found = history(
        listed(
            tmp_path,
            '"A (May 5, 2023)",,,7,one,',
            '"A (May 5, 2023)",,,11,two,',
            '"B (May 5, 2023)",,,13,three,',
        )
    )
    assert [(line.received, line.owed) for line in found.lines] == [(0, 0)] * 3
    assert [line.award.clue for line in found.lines] == ["one", "two", "three"]


def test_lines_add_up_to_the_cent_whatever_the_amounts_and_the_rule(tmp_path):
    rows = [
        f'"R ({month} {day}, 2023)",,,{(day * 7919) % 9973 + 1},x,'
        for month in ("June", "May")
        for day in range(28, 0, -1)
    ]
    for rule in (Rule(), Rule((1, 1), (1, 1)), Rule((0, 1), (0, 1)), Rule((1, 3), (1, 1))):
        found = history(listed(tmp_path, *rows), rule)
        assert adds_up(found)
        assert found.lines[0].owed == 0
        assert found.lines[-1].received == 0


def test_the_notes_say_that_there_are_no_scores_and_no_citations(tmp_path):
    notes = " ".join(history(listed(tmp_path, '"A (May, 2023)",,,7,one,')).notes)
    assert "no scores" in notes
    assert "no citations" in notes


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ('"A (May, 2023)",,,"$7",one,', "Line 2 has the amount '[$]7'"),
        ('"A (May, 2023)",,,0,one,', "'0'"),
        ('"A (May, 2023)",,,-3,one,', "'-3'"),
        ('"A (May, 2023)",,,,one,', "''"),
        ('"A (May, 2023)",,,2000000000,one,', "2000000000 dollars"),
        ('"A",,,7,one,', "without a date"),
        ('"A (Maius, 2023)",,,7,one,', "without a date"),
        ('"A (February 30, 2023)",,,7,one,', "no such date"),
        ('"A (May, 0000)",,,7,one,', "no such date"),
        ('"A (December, 9999)",,,7,one,', "no such date"),
    ],
)
def test_a_row_that_is_not_an_award_is_refused_with_its_line_and_value(tmp_path, row, named):
    with pytest.raises(Usage, match=named) as caught:
        history(listed(tmp_path, row))
    assert caught.value.remedy


def test_a_list_without_rows_columns_or_text_is_refused(tmp_path):
    path = tmp_path / "awards.csv"
    for content in (b"", HEADER.encode(), b"award_round,amount_usd\n", b"\xff\xfe\x00bad"):
        path.write_bytes(content)
        with pytest.raises(Usage):
            history(path)
    with pytest.raises(Unavailable):
        history(tmp_path / "missing.csv")
    with pytest.raises(Unavailable):
        history(tmp_path)


def test_the_real_list_has_116_awards_that_add_up():
    path = Path(os.environ.get("DANSEO_DATA", "../shared/data")) / REAL
    if not path.is_file():
        pytest.skip(f"{REAL} is not in the folder DANSEO_DATA")
    found = history(path)
    assert len(found.lines) == 116
    assert found.paid == 138_250_000
    assert adds_up(found)
    assert (found.lines[0].award.day, found.lines[-1].award.day) == (
        date(2023, 4, 14),
        date(2024, 9, 30),
    )
    # The first awards gain by all that came later; the last ones only owe.
    assert all(line.total > line.own for line in found.lines[:4])
    assert all(line.received == 0 for line in found.lines[-13:])
