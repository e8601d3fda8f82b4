"""Signing transactions (EIP-1559). The key signs a hash; its secret goes nowhere."""

from __future__ import annotations

from typing import Any

from danseo.core.errors import NotAllowed
from danseo.log.signing import Key, keccak256

_TYPE = b"\x02"
_NUMBERS = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")


def sign(key: Key, transaction: dict[str, Any]) -> bytes:
    """Return the signed bytes of `transaction`, as `Client.prepare` makes it.

    Raise `NotAllowed` if it is somebody else's. A transaction without `to` makes a contract.
    """
    if transaction["from"] != key.address:
        raise NotAllowed(
            f"{key.address} cannot sign a transaction of {transaction['from']}.",
            "Sign with the key of its sender.",
        )
    import rlp

    fields: list[Any] = [_number(transaction[name]) for name in _NUMBERS]
    fields += [bytes.fromhex(transaction.get("to", "")[2:]), _number(transaction["value"])]
    fields += [bytes.fromhex(transaction["data"][2:]), []]
    signature = key.sign(keccak256(_TYPE + rlp.encode(fields)))
    halves = [int.from_bytes(half, "big") for half in (signature[:32], signature[32:64])]
    return _TYPE + bytes(rlp.encode([*fields, signature[64] - 27, *halves]))


def hash_of(raw: bytes) -> str:
    """Return the 64 hex digits by which the chain knows a signed transaction."""
    return keccak256(raw).hex()


def _number(text: str) -> int:
    return int(text, 16)
