"""Signed transactions against eth-account, byte for byte."""

from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from danseo.chain import wallet
from danseo.core.errors import NotAllowed
from danseo.log.signing import Key

NUMBERS = st.integers(0, 2**60)


@given(
    secret=st.binary(min_size=32, max_size=32).filter(
        lambda s: 0 < int.from_bytes(s, "big") < 2**255
    ),
    to=st.one_of(st.none(), st.binary(min_size=20, max_size=20)),
    data=st.binary(max_size=100),
    numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
)
def test_a_signed_transaction_is_that_of_eth_account(
    secret: bytes, to: bytes | None, data: bytes, numbers: tuple[int, ...]
) -> None:
    key = Key(secret)
    names = ("nonce", "gas", "value", "maxPriorityFeePerGas", "maxFeePerGas")
    fields = dict(zip(names, map(hex, numbers), strict=True)) | {"chainId": "0x7a69"}
    asked = {"from": key.address, "data": "0x" + data.hex(), **fields}
    if to is not None:
        asked["to"] = "0x" + to.hex()
    raw = wallet.sign(key, asked)
    theirs = {name: value for name, value in asked.items() if name != "from"}
    if to is not None:
        theirs["to"] = to  # type: ignore[assignment]
    signed = Account.sign_transaction({**theirs, "type": 2}, secret)
    assert raw == bytes(signed.raw_transaction)
    assert wallet.hash_of(raw) == signed.hash.hex().removeprefix("0x")


def test_nobody_signs_for_another() -> None:
    with pytest.raises(NotAllowed, match="cannot sign a transaction of 0x0"):
        wallet.sign(Key(b"\x01" * 32), {"from": "0x" + "00" * 20})
