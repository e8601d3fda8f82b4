"""How a score and a time stand in a line that people sign."""

from __future__ import annotations

from typing import Final

from danseo.core.coin import decimals
from danseo.core.curve import BILLION

_DAY: Final = 86_400


def decimal(parts: int) -> str:
    """Return parts per 10^9 as a decimal, without trailing zeros.

    >>> decimal(585_000_000)
    '0.585'
    """
    sign = "-" if parts < 0 else ""
    whole, part = divmod(abs(parts), BILLION)
    return f"{sign}{whole}.{part:09d}".rstrip("0").rstrip(".")


def money(amount: int, asset: str) -> str:
    """Return an amount of an asset in whole coins, every digit kept.

    >>> money(1_500_000_000_000_000_000, "ETH:18"), money(10_000, "KRW")
    ('1.5 ETH', '10,000 KRW')
    """
    places = decimals(asset)
    if not places:
        return f"{amount:,} {asset}"
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 10**places)
    text = f"{sign}{whole:,}.{part:0{places}d}".rstrip("0").rstrip(".")
    return f"{text} {asset.rpartition(':')[0]}"


def utc(seconds: int) -> str:
    """Return a time in seconds since 1970 as ISO 8601 writes it, in UTC.

    The date follows from the days by the calendar's 400-year cycle, counted from 1 March of year 0
    so that a leap day is the last of its year.

    >>> utc(0), utc(1_893_456_000)
    ('1970-01-01T00:00:00Z', '2030-01-01T00:00:00Z')
    """
    days, second = divmod(seconds, _DAY)
    cycle, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month = month + 3 if month < 10 else month - 9
    year += 400 * cycle + (month <= 2)
    hour, second = divmod(second, 3600)
    return f"{year:04d}-{month:02d}-{day + 1:02d}T{hour:02d}:{second // 60:02d}:{second % 60:02d}Z"
