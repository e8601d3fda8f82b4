"""Shamir's sharing: any k shares recover, k - 1 say nothing."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core import shamir
from danseo.core.errors import Malformed

elements = st.integers(0, shamir.PRIME - 1)


@st.composite
def sharings(draw: st.DrawFn) -> tuple[int, int, dict[int, int], list[int]]:
    """(secret, k, {x: y}, coefficients) of a random sharing."""
    n = draw(st.integers(1, 9))
    k = draw(st.integers(1, n))
    secret = draw(elements)
    coefficients = draw(st.lists(elements, min_size=k - 1, max_size=k - 1))
    shares = shamir.split(secret, k, n, coefficients)
    return secret, k, dict(enumerate(shares, 1)), coefficients


@given(sharings(), st.randoms(use_true_random=False))
def test_any_k_shares_recover_the_secret(sharing, random):
    secret, k, shares, _ = sharing
    chosen = random.sample(sorted(shares), random.randint(k, len(shares)))
    assert shamir.combine({x: shares[x] for x in chosen}) == secret


@given(sharings(), elements, st.randoms(use_true_random=False))
def test_with_k_minus_one_shares_every_secret_is_possible(sharing, other, random):
    _, k, shares, _ = sharing
    held = {x: shares[x] for x in random.sample(sorted(shares), k - 1)}
    # One polynomial of degree k - 1 runs through any other secret at 0 and the shares held.
    points = {0: other, **held}
    missing = next(x for x in range(1, 256) if x not in held)
    y = _interpolate(points, missing)
    assert shamir.combine({**held, missing: y}) == other


def _interpolate(points: dict[int, int], at: int) -> int:
    total = 0
    for x, y in points.items():
        term = y
        for o in points:
            if o != x:
                term = term * (at - o) * pow(x - o, -1, shamir.PRIME) % shamir.PRIME
        total += term
    return total % shamir.PRIME


@given(sharings())
def test_fewer_than_k_shares_give_another_number(sharing):
    secret, k, shares, coefficients = sharing
    if k > 1 and coefficients[-1] != 0:
        held = {x: shares[x] for x in list(shares)[: k - 1]}
        assert shamir.combine(held) != secret


@given(st.integers(1, 255), elements)
def test_a_share_survives_its_encoding(x, y):
    text = shamir.encode(x, y)
    assert len(text) == 134
    assert shamir.decode(text) == (x, y)


def test_the_commitment_is_the_hash_of_the_bytes():
    share = shamir.encode(3, 2**520 + 7)
    assert shamir.commit(share) == hashlib.sha256(bytes.fromhex(share)).hexdigest()


@pytest.mark.parametrize(
    "share",
    [
        "00" + "0" * 132,
        "01" + f"{shamir.PRIME:0132x}",
        "01" + "f" * 132,
        "01" + "0" * 131,
        "01" + "0" * 133,
        "01" + "A" + "0" * 131,
        "",
    ],
)
def test_a_share_outside_the_field_is_refused(share):
    with pytest.raises(Malformed):
        shamir.decode(share)
    with pytest.raises(Malformed):
        shamir.commit(share)


@pytest.mark.parametrize(
    ("secret", "k", "n", "coefficients"),
    [
        (1, 0, 3, []),
        (1, 4, 3, [1, 2, 3]),
        (1, 2, 256, [1]),
        (1, 2, 3, []),
        (1, 2, 3, [1, 2]),
        (shamir.PRIME, 1, 1, []),
        (-1, 1, 1, []),
        (1, 2, 3, [shamir.PRIME]),
    ],
)
def test_what_is_no_sharing_is_refused(secret, k, n, coefficients):
    with pytest.raises(Malformed):
        shamir.split(secret, k, n, coefficients)


def test_nothing_combines_to_nothing():
    with pytest.raises(Malformed):
        shamir.combine({})


def test_all_255_shares_work():
    shares = shamir.split(2**512 - 1, 2, 255, [12345])
    assert shamir.combine({255: shares[254], 254: shares[253]}) == 2**512 - 1
