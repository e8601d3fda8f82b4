"""Sealed boxes and the truth's encryption."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core.errors import Invalid, Malformed, Usage
from danseo.log import sealing
from danseo.log.sealing import SealingKey
from danseo.log.signing import Key

ALICE = SealingKey(Key(b"\x01" * 32))
BOB = SealingKey(Key(b"\x02" * 32))


@given(st.binary(max_size=500))
def test_what_is_sealed_opens_for_its_holder_alone(data):
    sealed = sealing.seal(ALICE.public, data)
    assert len(sealed) == 2 * (len(data) + 48)
    assert sealing.unseal(ALICE, sealed) == data
    with pytest.raises(Invalid):
        sealing.unseal(BOB, sealed)


def test_a_damaged_box_does_not_open():
    sealed = sealing.seal(ALICE.public, b"a key")
    flipped = f"{int(sealed[-2:], 16) ^ 1:02x}"
    for bad in (sealed[:-2] + flipped, sealed[:-2], sealed[:-1], "", "zz"):
        with pytest.raises(Invalid):
            sealing.unseal(ALICE, bad)


@pytest.mark.parametrize("public", ["", "00", "zz" * 32, "00" * 33])
def test_a_bad_public_key_is_refused(public):
    with pytest.raises(Malformed):
        sealing.seal(public, b"data")


def test_the_sealing_key_follows_from_the_signing_key():
    assert SealingKey(Key(b"\x01" * 32)).public == ALICE.public
    assert ALICE.public != BOB.public
    assert ALICE.public == "d22ea90c2d8fd923d71177cab5b4f7526c01cf2d4d5366bde3c9f421f2c26868"


def test_hkdf_gives_the_published_vectors():
    # RFC 5869, test cases 1 and 3: the first 32 of 42 bytes.
    first = sealing.hkdf_sha256(
        b"\x0b" * 22,
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"),
        bytes.fromhex("000102030405060708090a0b0c"),
    )
    assert first.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    third = sealing.hkdf_sha256(b"\x0b" * 22, b"")
    assert third.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


@given(st.binary(max_size=2000))
def test_the_truth_opens_with_its_key(truth):
    sealed = sealing.encrypt_truth(truth)
    assert sealing.decrypt_truth(sealed.ciphertext, sealed.key, sealed.plain_hash) == truth


def test_equal_truths_have_unequal_hashes():
    one, two = sealing.encrypt_truth(b"yes"), sealing.encrypt_truth(b"yes")
    assert one.plain_hash != two.plain_hash
    assert one.plain_hash != hashlib.sha256(b"yes").hexdigest()
    assert one.key != two.key


def test_a_wrong_key_hash_or_ciphertext_is_found():
    sealed = sealing.encrypt_truth(b"the truth")
    other = sealing.encrypt_truth(b"another truth")
    flipped = bytes([sealed.ciphertext[0] ^ 1]) + sealed.ciphertext[1:]
    for ciphertext, key, plain_hash in (
        (sealed.ciphertext, other.key, sealed.plain_hash),
        (sealed.ciphertext, sealed.key, other.plain_hash),
        (other.ciphertext, sealed.key, sealed.plain_hash),
        (flipped, sealed.key, sealed.plain_hash),
        (b"", sealed.key, sealed.plain_hash),
        (sealed.ciphertext, sealed.key[:-1], sealed.plain_hash),
    ):
        with pytest.raises(Invalid):
            sealing.decrypt_truth(ciphertext, key, plain_hash)


def test_a_truth_above_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(sealing, "MAX_TRUTH", 4)
    with pytest.raises(Usage, match="has 5 bytes"):
        sealing.encrypt_truth(b"12345")


def test_the_representation_shows_no_secret():
    assert repr(ALICE) == f"SealingKey({ALICE.public})"
