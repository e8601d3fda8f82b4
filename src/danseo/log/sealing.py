"""Encryption: sealed boxes to a person (X25519), and the hidden truth of a challenge.

A sealed box (libsodium's `crypto_box_seal`) lets anyone send bytes to a public key that only its
holder opens. The truth is encrypted under a random key of its own (`crypto_secretbox`), and the
log carries the key's shares and the truth's salted hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

import nacl.exceptions
import nacl.public
import nacl.secret

from danseo.core.errors import Invalid, Malformed, Usage
from danseo.log.signing import Key

MAX_TRUTH: Final = 2**30
"""Bytes that a truth may have: it is encrypted in memory, in one piece."""

_INFO: Final = b"danseo sealing key v1"
_SALT_BYTES: Final = 32


class SealingKey:
    """A person's X25519 key. It follows from their signing key, so one backup saves both."""

    __slots__ = ("_private",)

    def __init__(self, key: Key) -> None:
        self._private = nacl.public.PrivateKey(hkdf_sha256(key.secret, _INFO))

    @property
    def public(self) -> str:
        """The key that others seal to: 64 hex digits."""
        return bytes(self._private.public_key).hex()

    def __repr__(self) -> str:
        return f"SealingKey({self.public})"


class SealedTruth(NamedTuple):
    """An encrypted truth: the blob to publish, its 32-byte key, and the hash that commits to it."""

    ciphertext: bytes
    key: bytes
    plain_hash: str


def seal(public: str, data: bytes) -> str:
    """Return `data` sealed to the holder of `public` (64 hex digits), as hex, 48 bytes longer."""
    try:
        box = nacl.public.SealedBox(nacl.public.PublicKey(bytes.fromhex(public)))
        return bytes(box.encrypt(data)).hex()
    except (ValueError, nacl.exceptions.CryptoError):
        raise Malformed(
            f"{public!r} is no X25519 public key.", "Use the 64 hex digits that were registered."
        ) from None


def unseal(key: SealingKey, sealed: str) -> bytes:
    """Return what was sealed to `key`; raise `Invalid` for any other box."""
    try:
        return bytes(nacl.public.SealedBox(key._private).decrypt(bytes.fromhex(sealed)))
    except (ValueError, nacl.exceptions.CryptoError):
        raise Invalid(
            f"The sealed box does not open with the key {key.public}.",
            "It was sealed to another key, or damaged.",
        ) from None


def encrypt_truth(truth: bytes) -> SealedTruth:
    """Encrypt `truth`, at most 2^30 bytes, under a new random key.

    Inside, 32 random bytes stand before the truth and `plain_hash` is the SHA-256 of both, so
    that nobody finds a small truth by hashing guesses.
    """
    if len(truth) > MAX_TRUTH:
        raise Usage(f"The truth has {len(truth)} bytes.", f"It may have {MAX_TRUTH}: compress it.")
    salted = secrets.token_bytes(_SALT_BYTES) + truth
    key = secrets.token_bytes(nacl.secret.SecretBox.KEY_SIZE)
    ciphertext = bytes(nacl.secret.SecretBox(key).encrypt(salted))
    return SealedTruth(ciphertext, key, hashlib.sha256(salted).hexdigest())


def decrypt_truth(ciphertext: bytes, key: bytes, plain_hash: str) -> bytes:
    """Return the truth; raise `Invalid` where key, ciphertext and hash do not fit together."""
    try:
        salted = bytes(nacl.secret.SecretBox(key).decrypt(ciphertext))
    except (ValueError, nacl.exceptions.CryptoError):
        raise Invalid(
            "The truth does not open with this key.", "The shares or the blob are wrong."
        ) from None
    if hashlib.sha256(salted).hexdigest() != plain_hash or len(salted) < _SALT_BYTES:
        raise Invalid(
            f"The truth is not what the opening committed to ({plain_hash}).",
            "The organiser encrypted something else.",
        )
    return salted[_SALT_BYTES:]


def hkdf_sha256(secret: bytes, info: bytes, salt: bytes = b"") -> bytes:
    """Return the first 32 bytes of HKDF-SHA256 (RFC 5869)."""
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")
