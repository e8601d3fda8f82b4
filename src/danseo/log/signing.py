"""Signatures of entries: EIP-712 typed data over secp256k1, so that a browser wallet can sign.

The domain is (name "danseo", version "1", chainId and SHA-256 of the log's origin as salt), so a
signature holds for one log only. The message is `Entry(string kind,string challenge,string
summary,bytes32 body,uint64 sequence)`, where `body` is the SHA-256 of the canonical body.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any, Final

import coincurve
import sha3
from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from danseo.core.entry import Entry
from danseo.core.errors import BadSignature, Malformed
from danseo.log import wire
from danseo.log.wire import Signed

NAME: Final = "danseo"
VERSION: Final = "1"

_ENTRY_FIELDS: Final = (
    ("string", "kind"),
    ("string", "challenge"),
    ("string", "summary"),
    ("bytes32", "body"),
    ("uint64", "sequence"),
)
_DOMAIN_FIELDS: Final = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("bytes32", "salt"),
)
_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER: Final = (_ORDER // 2).to_bytes(32, "big")

_CONTEXT = GLOBAL_CONTEXT.ctx
_SIGNATURE = ffi.typeof("secp256k1_ecdsa_recoverable_signature *")
_POINT = ffi.typeof("secp256k1_pubkey *")
_SIZE = ffi.typeof("size_t *")
_UNCOMPRESSED = ffi.typeof("unsigned char[65]")


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 of `data`, as Ethereum uses it (not SHA3-256)."""
    return sha3.keccak_256(data).digest()  # type: ignore[no-any-return]


def _encode_type(name: str, fields: tuple[tuple[str, str], ...]) -> bytes:
    return f"{name}({','.join(f'{kind} {field}' for kind, field in fields)})".encode()


_ENTRY_TYPE: Final = keccak256(_encode_type("Entry", _ENTRY_FIELDS))
_DOMAIN_TYPE: Final = keccak256(_encode_type("EIP712Domain", _DOMAIN_FIELDS))


@functools.lru_cache(maxsize=4096)
def _text_hash(text: str) -> bytes:
    """Return the hash of a kind or a challenge: few of them recur in every entry."""
    return keccak256(text.encode())


class Domain:
    """What a signature is for: the log of this origin, on the chain of this id."""

    __slots__ = ("_prefix", "chain_id", "origin")

    def __init__(self, chain_id: int, origin: str) -> None:
        self.chain_id, self.origin = chain_id, origin
        separator = keccak256(
            _DOMAIN_TYPE
            + keccak256(NAME.encode())
            + keccak256(VERSION.encode())
            + chain_id.to_bytes(32, "big")
            + self.salt
        )
        self._prefix = b"\x19\x01" + separator

    @property
    def salt(self) -> bytes:
        """The SHA-256 of the log's origin: 32 bytes."""
        return hashlib.sha256(self.origin.encode()).digest()

    def digest(
        self, kind: str, challenge: str, summary: str, body_hash: bytes, sequence: int
    ) -> bytes:
        """Return the 32 bytes that the author signs (EIP-712, `encode`).

        `body_hash` is the 32-byte SHA-256 of the canonical body.
        """
        message = (
            _ENTRY_TYPE
            + _text_hash(kind)
            + _text_hash(challenge)
            + keccak256(summary.encode())
            + body_hash
            + sequence.to_bytes(32, "big")
        )
        return keccak256(self._prefix + keccak256(message))

    def typed_data(
        self, kind: str, challenge: str, summary: str, body_hash: bytes, sequence: int
    ) -> dict[str, Any]:
        """Return the same message as the JSON that `eth_signTypedData_v4` of a wallet takes."""
        return {
            "types": {
                "EIP712Domain": [{"name": name, "type": kind} for kind, name in _DOMAIN_FIELDS],
                "Entry": [{"name": name, "type": kind} for kind, name in _ENTRY_FIELDS],
            },
            "primaryType": "Entry",
            "domain": {
                "name": NAME,
                "version": VERSION,
                "chainId": self.chain_id,
                "salt": "0x" + self.salt.hex(),
            },
            "message": {
                "kind": kind,
                "challenge": challenge,
                "summary": summary,
                "body": "0x" + body_hash.hex(),
                "sequence": sequence,
            },
        }


class Key:
    """A person's secp256k1 private key. Its secret is shown only by `secret`, never by `repr`."""

    __slots__ = ("_private", "address")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise Malformed(f"A private key has 32 bytes, not {len(secret)}.", "Copy it whole.")
        try:
            self._private = coincurve.PrivateKey(secret)
        except ValueError:
            raise Malformed(
                "These 32 bytes are no secp256k1 key.", "Use 0 < key < the curve's order."
            ) from None
        self.address = _address(self._private.public_key.format(compressed=False))

    @classmethod
    def random(cls) -> Key:
        """Return a new key from the system's randomness."""
        return cls(coincurve.PrivateKey().secret)

    @property
    def secret(self) -> bytes:
        """The 32 bytes that whoever holds them can sign with."""
        return bytes(self._private.secret)

    def sign(self, digest: bytes) -> bytes:
        """Return the 65 bytes r, s, v of the deterministic (RFC 6979) low-s signature."""
        signature = self._private.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def __repr__(self) -> str:
        return f"Key({self.address})"


def recover(digest: bytes, signature: bytes) -> str:
    """Return the lower-case address that signed `digest` (32 bytes), or raise `BadSignature`.

    `signature` is exactly r, s, v: 65 bytes, v 27 or 28, s in the lower half of the group's
    order. Every other form would be a second signature for the same entry.
    """
    if len(signature) != 65:
        raise BadSignature(f"A signature has 65 bytes, not {len(signature)}.", "Send r, s and v.")
    parity = signature[64] - 27
    if parity not in (0, 1):
        raise BadSignature(f"A signature ends in v = {signature[64]}.", "v must be 27 or 28.")
    if signature[32:64] > _HALF_ORDER:
        raise BadSignature("A signature has a high s.", "Send its low-s form (EIP-2).")
    parsed, point = ffi.new(_SIGNATURE), ffi.new(_POINT)
    if not (
        lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
            _CONTEXT, parsed, signature[:64], parity
        )
        and lib.secp256k1_ecdsa_recover(_CONTEXT, point, parsed, digest)
    ):
        raise BadSignature("No key can have made a signature.", "Sign the entry again.")
    return _address_of(bytes(ffi.buffer(point)))


@functools.lru_cache(maxsize=4096)
def _address_of(raw: bytes) -> str:
    """Return the address of a point in libsecp256k1's own form: few keys sign most entries."""
    point, out, size = ffi.new(_POINT), ffi.new(_UNCOMPRESSED), ffi.new(_SIZE, 65)
    ffi.buffer(point)[:] = raw
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, out, size, point, lib.SECP256K1_EC_UNCOMPRESSED)
    return _address(bytes(ffi.buffer(out)))


def sign_entry(
    key: Key,
    domain: Domain,
    kind: str,
    challenge: str,
    sequence: int,
    body: dict[str, Any],
    summary: str,
    *,
    author: str | None = None,
) -> Signed:
    """Return the entry signed by `key`, in the name of `author` (by default the key's address).

    A site signs with its own key for an author `site:...` who has no wallet.
    """
    digest = domain.digest(kind, challenge, summary, wire.body_hash(body), sequence)
    return Signed(
        author=author or key.address,
        kind=kind,
        challenge=challenge,
        sequence=sequence,
        summary=summary,
        body=body,
        signature=key.sign(digest),
    )


def check(domain: Domain, entry: Entry, body_hash: bytes, signature: bytes, site: str = "") -> None:
    """Raise `BadSignature` unless the author signed `entry` for this log.

    For an author `site:...` the signer must be `site`, the address that the genesis entry names.
    """
    digest = domain.digest(entry.kind, entry.challenge, entry.summary, body_hash, entry.sequence)
    check_signer(entry, digest, signature, site)


def check_signer(entry: Entry, digest: bytes, signature: bytes, site: str = "") -> None:
    """Raise `BadSignature` unless the author of `entry` signed `digest`; see `check`."""
    signer = recover(digest, signature)
    expected = site if entry.author.startswith("site:") else entry.author
    if signer != expected:
        raise BadSignature(
            f"{signer} signed an entry of {entry.author}.",
            "The author must sign it, for this log and this sequence.",
        )


def checksummed(address: str) -> str:
    """Return an address in the mixed case that shows typing errors (EIP-55).

    >>> checksummed("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
    '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
    """
    digits = address[2:].lower()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        d.upper() if int(m, 16) >= 8 else d for d, m in zip(digits, marks, strict=False)
    )


def _address(uncompressed: bytes) -> str:
    """Return the address of a public key: the last 20 bytes of the hash of its 64 bytes."""
    return "0x" + keccak256(uncompressed[1:])[12:].hex()
