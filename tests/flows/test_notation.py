"""How numbers are written: exact, here and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core.errors import Usage
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


ASSETS = ("ETH:18", "USDC:6", "KRW", "INK:18")


@given(st.integers(0, 10**30), st.sampled_from(ASSETS))
def test_an_amount_reads_back_as_what_it_was_or_is_refused_as_ambiguous(
    amount: int, asset: str
) -> None:
    shown = notation.money(amount, asset)
    if asset != "KRW" and re.fullmatch(r"[0-9]{1,3},[0-9]{3} [A-Z]+", shown):
        with pytest.raises(Usage, match="two ways"):
            notation.read_money(shown, ASSETS)
        shown = shown.replace(",", "")
    assert notation.read_money(shown, ASSETS) == (amount, asset)


@pytest.mark.parametrize(
    ("text", "amount", "asset"),
    [
        ("1.5 ETH", 15 * 10**17, "ETH:18"),
        ("1.5 ETH:18", 15 * 10**17, "ETH:18"),
        ("1,234.50 USDC", 1_234_500_000, "USDC:6"),
        ("7 ETH", 7 * 10**18, "ETH:18"),
        ("10_000 KRW", 10_000, "KRW"),
        ("10,000 KRW", 10_000, "KRW"),
        ("91,200,000 INK", 91_200_000 * 10**18, "INK:18"),
        ("3 BTC", 3, "BTC"),
        ("0.5 BTC:8", 50_000_000, "BTC:8"),
    ],
)
def test_a_short_name_has_the_decimals_that_the_challenge_lists(
    text: str, amount: int, asset: str
) -> None:
    assert notation.read_money(text, ASSETS) == (amount, asset)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1.5 KRW", "too fine"),
        ("0.0000001 USDC", "too fine"),
        ("1.5 BTC", "too fine"),
        ("1. ETH", "no amount"),
        ("-1 ETH", "no amount"),
        ("1e3 ETH", "no amount"),
        ("1,5 ETH", "no amount"),
        ("1_5 ETH", "no amount"),
        ("1,00 KRW", "no amount"),
        ("1 eth", 'as in "1.5 ETH"'),
        ("1,500 ETH", "two ways.*1500 ETH.*1.500 ETH"),
        ("1 X", "X can be X:1 or X:2"),
    ],
)
def test_an_amount_that_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(Usage, match=says):
        notation.read_money(text, [*ASSETS, "X:1", "X:2"])
