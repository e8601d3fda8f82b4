"""Shamir's secret sharing over the prime 2^521 - 1: any k of n shares give the secret, fewer none.

The shares are the values at x = 1..n of a polynomial of degree k - 1 whose constant term is the
secret (Shamir, *How to share a secret*, 1979). The caller brings the random coefficients, so that
the module stays pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

from danseo.core.errors import Malformed

PRIME: Final = 2**521 - 1
"""The field: a Mersenne prime, above any 512-bit secret."""
MAX_SHARES: Final = 255
"""Shares that one secret can have: x travels as one byte and is never 0."""

_Y_BYTES: Final = 66
_SHARE = re.compile(r"[0-9a-f]{134}")


def split(secret: int, k: int, n: int, coefficients: Sequence[int]) -> tuple[int, ...]:
    """Return the n shares of `secret`, those at x = 1..n; any k of them give it back.

    `coefficients` are k - 1 numbers below `PRIME`, uniformly random and never used again: whoever
    learns one of them needs a share less. Raise `Malformed` for numbers outside these bounds.

    >>> split(42, 2, 3, [5])
    (47, 52, 57)
    """
    if not 1 <= k <= n <= MAX_SHARES:
        raise Malformed(f"{k} of {n} shares is no sharing.", f"Choose 1 <= k <= n <= {MAX_SHARES}.")
    if len(coefficients) != k - 1:
        raise Malformed(
            f"There are {len(coefficients)} coefficients.", f"{k} of {n} shares need {k - 1}."
        )
    polynomial = [secret, *coefficients]
    if not all(0 <= a < PRIME for a in polynomial):
        raise Malformed(
            "The secret or a coefficient lies outside the field.", "Use 0 <= value < 2^521 - 1."
        )
    return tuple(_value(polynomial, x) for x in range(1, n + 1))


def combine(shares: Mapping[int, int]) -> int:
    """Return the secret whose shares at x are y, for `{x: y}`: the polynomial's value at 0.

    With fewer than k shares, or a wrong one, the result is some other number and nothing shows
    it: compare it with a hash of the secret. Raise `Malformed` for a share outside the field.

    >>> combine({1: 47, 3: 57})
    42
    """
    if not shares:
        raise Malformed("There is no share to combine.", "Bring at least k shares.")
    for x, y in shares.items():
        _check(x, y)
    return sum(y * _weight(x, shares) for x, y in shares.items()) % PRIME


def encode(x: int, y: int) -> str:
    """Return a share as 134 hex digits: one byte of x, 66 bytes of y."""
    _check(x, y)
    return f"{x:02x}{y:0132x}"


def decode(share: str) -> tuple[int, int]:
    """Return (x, y) of a share in its 134 hex digits, or raise `Malformed`."""
    if not _SHARE.fullmatch(share):
        raise Malformed("A share is not 134 hex digits.", "Copy it whole, in lower case.")
    x, y = int(share[:2], 16), int(share[2:], 16)
    _check(x, y)
    return x, y


def commit(share: str) -> str:
    """Return the hash that binds a trustee to a share: SHA-256 of its 67 bytes, in hex."""
    x, y = decode(share)
    return hashlib.sha256(bytes([x]) + y.to_bytes(_Y_BYTES, "big")).hexdigest()


def _value(polynomial: Sequence[int], x: int) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * x + coefficient) % PRIME
    return value


def _weight(x: int, others: Mapping[int, int]) -> int:
    """Return Lagrange's weight at 0 of the share at x: the product of o / (o - x), o others."""
    above, below = 1, 1
    for other in others:
        if other != x:
            above = above * other % PRIME
            below = below * (other - x) % PRIME
    return above * pow(below, -1, PRIME) % PRIME


def _check(x: int, y: int) -> None:
    if not 1 <= x <= MAX_SHARES:
        raise Malformed(f"A share is at x = {x}.", f"Shares are at 1 <= x <= {MAX_SHARES}.")
    if not 0 <= y < PRIME:
        raise Malformed(f"The share at x = {x} lies outside the field.", "Copy it again.")
