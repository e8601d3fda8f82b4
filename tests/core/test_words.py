"""Times in signed lines are those of the calendar."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from danseo.core.words import utc


@given(st.integers(0, 253_402_300_799))
def test_a_time_is_written_as_the_calendar_has_it(seconds: int) -> None:
    assert utc(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_time_beyond_any_calendar_is_still_written() -> None:
    assert utc(2**40).startswith("36812-02-20T")
