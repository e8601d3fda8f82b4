"""How numbers are written: exact, here and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from danseo.flows import notation


@given(st.integers(-(2**53), 2**53))
def test_a_decimal_reads_back_as_what_it_was(parts: int) -> None:
    assert notation.billionths(notation.decimal(parts)) == parts


@given(st.integers(0, 2**37))
def test_an_instant_reads_back_as_what_it_was(seconds: int) -> None:
    assert notation.read_instant(notation.instant(seconds)) == seconds


@given(st.integers(0, 10**18))
def test_a_percentage_is_the_nearest_hundredth(share: int) -> None:
    whole, _, hundredths = notation.percent(share).removesuffix(" %").partition(".")
    shown = (int(whole) * 100 + int(hundredths)) * 10**14
    assert 2 * abs(shown - share) <= 10**14
