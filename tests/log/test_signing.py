"""Signatures: equal to eth-account's, and nothing but the one canonical form is taken."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core import canonical
from danseo.core.errors import BadSignature, Malformed
from danseo.log import signing, wire
from danseo.log.signing import Domain, Key

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

secrets = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32, "big"))
messages = st.tuples(
    st.text(max_size=30),
    st.text(max_size=30),
    st.text(max_size=200),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**53 - 1),
)
domains = st.builds(Domain, st.integers(0, 2**53 - 1), st.text(max_size=40))
KEY = Key(b"\x11" * 32)
DOMAIN = Domain(31337, "log.example/danseo")
BODY = {"text": "단서", "n": 5}


def signed(**changes):
    fields = {
        "kind": "clue.commit",
        "challenge": "read-the-ink",
        "sequence": 3,
        "body": BODY,
        "summary": "Commit to a clue",
    }
    return signing.sign_entry(KEY, DOMAIN, **(fields | changes))


@settings(max_examples=60)
@given(secrets, domains, messages)
def test_digest_signature_and_signer_equal_those_of_eth_account(secret, domain, message):
    key = Key(secret)
    digest = domain.digest(*message)
    # Through JSON, as a browser wallet would get it.
    oracle = encode_typed_data(full_message=json.loads(json.dumps(domain.typed_data(*message))))
    assert digest == _hash_eip191_message(oracle)
    theirs = Account.sign_message(oracle, secret)
    assert key.sign(digest) == bytes(theirs.signature)
    assert key.address == Account.from_key(secret).address.lower()
    assert signing.recover(digest, bytes(theirs.signature)) == key.address


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=65, max_size=65))
def test_a_random_signature_recovers_as_eth_account_does_or_is_refused(digest, signature):
    signature = signature[:64] + bytes([27 + signature[64] % 2])
    try:
        ours = signing.recover(digest, signature)
    except BadSignature:
        return
    assert ours == Account._recover_hash(digest, signature=signature).lower()


def test_the_high_s_twin_of_a_signature_is_refused():
    digest = DOMAIN.digest("k", "c", "s", bytes(32), 0)
    signature = KEY.sign(digest)
    s = ORDER - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
    assert Account._recover_hash(digest, signature=twin).lower() == KEY.address
    with pytest.raises(BadSignature, match="high s"):
        signing.recover(digest, twin)


def test_exactly_one_form_of_a_signature_is_taken():
    digest = DOMAIN.digest("k", "c", "s", bytes(32), 0)
    signature = KEY.sign(digest)
    rs, v = signature[:64], signature[64]
    for other in (
        rs,
        rs + bytes([v - 27]),
        rs + bytes([v + 2]),
        rs + bytes([v + 8]),
        signature + b"\0",
        b"\0" + signature,
        b"",
        bytes(64) + b"\x1b",
        b"\xff" * 32 + signature[32:],
        rs[:32] + bytes(32) + bytes([v]),
        bytes(32) + signature[32:],
    ):
        with pytest.raises(BadSignature):
            signing.recover(digest, other)


def test_every_half_of_the_order_is_on_the_right_side():
    digest = bytes(32)
    half = ORDER // 2
    r = KEY.sign(digest)[:32]
    for s, low in ((half, True), (half + 1, False)):
        signature = r + s.to_bytes(32, "big") + b"\x1b"
        if low:
            assert signing.recover(digest, signature).startswith("0x")
        else:
            with pytest.raises(BadSignature, match="high s"):
                signing.recover(digest, signature)


def check(domain, entry, site=""):
    wrapped, signature, body_hash = wire.unwrap(wire.wrap(7, 1000, entry))
    signing.check(domain, wrapped, body_hash, signature, site)


def test_a_signed_entry_checks():
    entry = signed()
    assert entry.author == KEY.address
    check(DOMAIN, entry)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("author", Key(b"\x12" * 32).address),
        ("kind", "clue.reveal"),
        ("challenge", "other"),
        ("sequence", 4),
        ("summary", "Commit to a Clue"),
        ("body", {"text": "단서", "n": 6}),
        ("signature", bytes(65)),
    ],
)
def test_a_forged_member_is_found(field, value):
    with pytest.raises(BadSignature):
        check(DOMAIN, dataclasses.replace(signed(), **{field: value}))


@pytest.mark.parametrize(
    "domain", [Domain(1, "log.example/danseo"), Domain(31337, "log.example/other")]
)
def test_a_signature_for_another_chain_or_log_is_refused(domain):
    with pytest.raises(BadSignature):
        check(domain, signed())


def test_a_site_signs_for_people_without_a_wallet_and_nobody_else_does():
    author = "site:" + "ab" * 16
    entry = signed(author=author)
    check(DOMAIN, entry, site=KEY.address)
    for site in ("", Key(b"\x12" * 32).address):
        with pytest.raises(BadSignature):
            check(DOMAIN, entry, site=site)
    with pytest.raises(BadSignature):
        check(DOMAIN, signed(author=Key(b"\x12" * 32).address), site=KEY.address)


def test_the_body_is_signed_as_the_hash_of_its_canonical_bytes():
    entry = signed()
    body_hash = hashlib.sha256(canonical.encode(BODY)).digest()
    digest = DOMAIN.digest(entry.kind, entry.challenge, entry.summary, body_hash, entry.sequence)
    assert signing.recover(digest, entry.signature) == KEY.address


@given(secrets)
def test_a_checksummed_address_equals_the_oracles(secret):
    address = Key(secret).address
    assert signing.checksummed(address) == to_checksum_address(address)


def test_keccak_is_not_sha3():
    assert signing.keccak256(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )


def test_a_key_hides_its_secret():
    assert KEY.secret.hex() not in f"{KEY!r} {KEY}"
    assert KEY.address in repr(KEY)


def test_random_keys_differ():
    assert Key.random().secret != Key.random().secret


@pytest.mark.parametrize("secret", [b"", bytes(32), b"\xff" * 32, b"\x01" * 31, b"\x01" * 33])
def test_what_is_no_private_key_is_refused(secret):
    with pytest.raises(Malformed):
        Key(secret)
