"""Numbers, amounts and times as people write them, here and back: exact, and never a float.

Scores, weights and units are integers in parts per 10^9, shares in parts per 10^18, times in whole
seconds since 1970, amounts in an asset's smallest unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation, Overflow
from typing import Final

from danseo.core import words
from danseo.core.coin import decimals
from danseo.core.curve import BILLION
from danseo.core.errors import Usage
from danseo.core.reward import SHARES

decimal, money = words.decimal, words.money

LAST: Final = 253_402_300_799
"""The end of the year 9999, in seconds since 1970: the last time that is shown as a date."""
_LONGEST: Final = 100
"""Characters of the longest number that is read."""
_MOST: Final = 10**30
_DURATION: Final = re.compile(r"([0-9]{1,12}) ?([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TOO_FINE: Final = re.compile(r"(\.[0-9]{6})[0-9]+")
_MONEY: Final = re.compile(
    r"([0-9]{1,100}|[0-9]{1,3}(?:,[0-9]{3}){1,30}|[0-9]{1,3}(?:_[0-9]{3}){1,30})"
    r"(?:\.([0-9]{1,30}))? ([A-Z][A-Z0-9.:-]*)"
)
_ONE_COMMA: Final = re.compile(r"[0-9]{1,3},[0-9]{3}")


def billionths(text: str) -> int:
    """Return a decimal in parts per 10^9, exactly; raise `Usage` where it is none, or too fine.

    >>> billionths("0.585")
    585000000
    """
    try:
        exact = Decimal(text if len(text) < _LONGEST else "?") * BILLION
    except (InvalidOperation, Overflow):
        raise Usage(f"{text!r} is no number.", "Write a decimal, as in 0.25.") from None
    if not exact.is_finite() or abs(exact) > _MOST or exact != exact.to_integral_value():
        raise Usage(f"{text!r} is too fine or too large.", "At most nine decimal places are kept.")
    return int(exact)


def percent(part: int, whole: int = SHARES) -> str:
    """Return `part` of `whole` in percent, to hundredths, rounded to the nearest.

    >>> percent(4 * 10**17), percent(1, 3), percent(-5, 1000)
    ('40.00 %', '33.33 %', '-0.50 %')
    """
    hundredths = (2 * 10_000 * abs(part) + whole) // (2 * whole)
    sign = "-" if part < 0 else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d} %"


def short_money(amount: int, asset: str) -> str:
    """Return an amount for a table: whole coins, cut (never rounded up) to six places.

    >>> short_money(1_234_567_890_000_000_000, "ETH:18"), short_money(10_000, "KRW")
    ('1.234567 ETH', '10,000 KRW')
    """
    return _TOO_FINE.sub(r"\1", words.money(amount, asset))


def read_money(text: str, assets: Iterable[str] = ()) -> tuple[int, str]:
    """Return (amount, asset) of a text such as "1.5 ETH"; raise `Usage` for any other.

    The amount is in the smallest unit. Which decimals a short name has, `assets` say: the names
    that the challenge knows. Any other name stands for itself, and has those that it says. A comma
    or an underscore stands between thousands only: "1,5 ETH" is refused rather than guessed, and so
    is "1,500 ETH", which is 1500 to some readers and 1.5 to others.

    >>> read_money("1.5 ETH", ["ETH:18"])
    (1500000000000000000, 'ETH:18')
    >>> read_money("1_000 KRW")
    (1000, 'KRW')
    """
    found = _MONEY.fullmatch(text.strip())
    if found is None:
        raise Usage(f"{text!r} is no amount.", _form(assets))
    whole, part, name = found[1], found[2] or "", found[3]
    meant = sorted({one for one in assets if name in (one, one.rpartition(":")[0])})
    if len(meant) > 1:
        raise Usage(f"{name} can be {' or '.join(meant)}.", "Write the name in full.")
    asset = meant[0] if meant else name
    places = decimals(asset)
    if len(part) > places:
        has = f"{places} decimals" if places else "no decimals"
        raise Usage(f"{text!r} is too fine.", f"{asset} has {has} here.")
    if places and not part and _ONE_COMMA.fullmatch(whole):
        first, last = whole.split(",")
        raise Usage(
            f"{text!r} can be read in two ways.",
            f'Write "{first}{last} {name}", or "{first}.{last} {name}".',
        )
    digits = re.sub("[_,]", "", whole) + part.ljust(places, "0")
    return int(digits), asset


def _form(assets: Iterable[str]) -> str:
    """Return how an amount is written, by the example of an asset that is taken."""
    asset = next(iter(assets), "KRW")
    example = "1.5" if decimals(asset) else "1000"
    name = asset.rpartition(":")[0] or asset
    return f'Write an amount and an asset, as in "{example} {name}", with a point for decimals.'


def instant(seconds: int) -> str:
    """Return a time as ISO 8601 in UTC; '-' for one that has not come, which is below 0.

    What lies beyond the year 9999, as in the terms of a hostile organiser, is shown as its end.

    >>> instant(0)
    '1970-01-01T00:00:00Z'
    """
    if seconds < 0:
        return "-"
    return datetime.fromtimestamp(min(seconds, LAST), UTC).isoformat().replace("+00:00", "Z")


def read_instant(text: str) -> int:
    """Return the time of a date such as "2030-01-31T12:00:00Z"; without a zone, in UTC.

    >>> read_instant("1970-01-02")
    86400
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"{text!r} is no date.", "Write it as 2030-01-31T12:00:00Z.") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def is_duration(text: str) -> bool:
    """Return whether `read_duration` takes this text."""
    return _DURATION.fullmatch(text.strip()) is not None


def read_duration(text: str) -> int:
    """Return the seconds of a duration such as "36h"; raise `Usage` where it is none.

    >>> read_duration("2d")
    172800
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise Usage(f"{text!r} is no duration.", 'Write a number and s, m, h, d or w, as in "36h".')
    return int(found[1]) * _SECONDS[found[2]]
