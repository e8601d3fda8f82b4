"""Errors are counted letter by letter, whatever became of the lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core.errors import Unfit
from danseo.scroll.text.measure import edit_distance, errors_of, pooled, score, wilson

WORDS = st.text("ΑΒΓ", max_size=7)


def slow_distance(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(
        slow_distance(a[1:], b) + 1,
        slow_distance(a, b[1:]) + 1,
        slow_distance(a[1:], b[1:]) + (a[0] != b[0]),
    )


@given(WORDS, WORDS)
@settings(max_examples=60, deadline=None)
def test_the_distance_is_that_of_the_definition(a: str, b: str) -> None:
    assert edit_distance(a, b) == slow_distance(a, b)


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
@settings(max_examples=60, deadline=None)
def test_edits_add_up_to_the_difference_in_length(truth: list[str], read: list[str]) -> None:
    errors = errors_of(truth, read)
    assert sum(e.letters for e in errors) == len("".join(truth))
    assert sum(e.extra - e.missing for e in errors) == len("".join(read)) - len("".join(truth))


def test_a_perfect_reading_has_no_error() -> None:
    result = score(["ΜΗΝΙΝ", "ΑΕΙΔΕ"], ["ΜΗΝΙΝ", "ΑΕΙΔΕ"])
    assert (result.letters, result.cer, result.right, result.unread) == (10, 0, 1, 0)
    assert result.low == 0
    assert 0.1 < result.high < 0.35


def test_each_kind_of_error_is_counted_once() -> None:
    (line,) = errors_of(["ΜΗΝΙΝΑΕΙΔΕ"], ["ΜΗΚΙ.ΑΙΔΕΕ"])
    assert (line.letters, line.wrong, line.missing, line.extra, line.unread) == (10, 2, 1, 1, 1)


def test_a_missed_line_costs_its_letters_and_moves_no_other() -> None:
    errors = errors_of(["ΑΑΑ", "ΒΒΒΒ", "ΓΓΓ"], ["ΑΑΑ", "ΓΓΓ"])
    assert [e.errors for e in errors] == [0, 4, 0]


def test_an_invented_line_costs_its_letters() -> None:
    result = score(["ΑΑΑ"], ["ΞΞ", "ΑΑΑ"])
    assert result.cer == pytest.approx(2 / 3)
    assert result.right == 1


def test_an_empty_reading_misses_every_letter() -> None:
    result = score(["ΑΒ", "ΓΔ"], [])
    assert (result.cer, result.right) == (1, 0)


def test_more_errors_than_letters_are_still_a_rate() -> None:
    result = score(["Α"], ["ΞΞΞΞ"])
    assert result.cer == 4
    assert 0 < result.low <= result.high == 1


def test_nothing_written_cannot_be_scored() -> None:
    with pytest.raises(Unfit, match="No letter was written"):
        score(["", " "], ["Α"])


def test_the_interval_narrows_with_the_letters() -> None:
    page = errors_of(["ΑΒΓΔΕΖΗΘΙΚ"], ["ΑΒΓΔΕΖΗΘΙΛ"])
    clean = errors_of(["ΑΒΓΔΕΖΗΘΙΚ"], ["ΑΒΓΔΕΖΗΘΙΚ"])
    few, many = pooled([page, clean] * 2), pooled([page, clean] * 40)
    assert few.cer == many.cer == 0.05
    assert many.low < 0.05 < many.high
    assert many.high - many.low < few.high - few.low


def test_wilson_agrees_with_its_published_values() -> None:
    # Newcombe 1998, table I: 81/263 and 0/20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=2e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=2e-4)


def test_what_is_lost_with_the_papyrus_counts_as_missing_not_as_read() -> None:
    (line,) = errors_of(["ΜΗΝΙΝΑΕΙΔΕ"], ["ΜΗΝ[......]ΔΕ"])
    assert (line.missing, line.extra, line.wrong) == (5, 0, 0)
