"""Many calls of one key at once: signed with nonces in a row, sent and asked after in batches.

For calls that stand alone, such as claims for many accounts. None is tried first; what fails in its
contract fails alone and is told in its place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from danseo.chain import refusals, wallet
from danseo.chain.client import Client, Contract, Receipt, turns
from danseo.chain.node import Fault, Request
from danseo.core.errors import Refused, Unavailable
from danseo.log.signing import Key

AT_ONCE: Final = 200
"""Calls that are under way at a time."""

Call = tuple[Contract, str, Sequence[Any]]


def send_all(
    client: Client, key: Key, calls: Iterable[Call], gas: int, at_once: int = AT_ONCE
) -> Iterator[Receipt | Refused]:
    """Send every call with so much `gas`, and yield what came of it, in order.

    No more than `at_once` calls are held in memory. Raise `NotCovered` where the key cannot pay
    for those, and `Unavailable` where the chain does not take them in time.
    """
    waiting = iter(calls)
    while some := list(itertools.islice(waiting, at_once)):
        yield from _carry(client, some, _signed(client, key, some, gas))


def _signed(client: Client, key: Key, calls: Sequence[Call], gas: int) -> list[bytes]:
    offer = client.offer(key.address)
    first, fee = int(offer["nonce"], 16), int(offer["maxFeePerGas"], 16)
    has, needed = client.balance(key.address), len(calls) * gas * fee
    if has < needed:
        raise refusals.too_poor(key.address, has, needed)
    ready = {**offer, "from": key.address, "gas": hex(gas), "value": "0x0"}
    raws = []
    for nonce, (contract, method, args) in enumerate(calls, first):
        data = client.encode(contract, method, args)
        call = {**ready, "to": contract.address, "data": data, "nonce": hex(nonce)}
        raws.append(wallet.sign(key, call))
    return raws


def _carry(
    client: Client, calls: Sequence[Call], raws: Sequence[bytes]
) -> Iterator[Receipt | Refused]:
    """Send a batch, wait until the chain has all of it, and yield what came of each."""
    send: list[Request] = [("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raws]
    client.node.attempt_all(send)
    asked: list[Request] = [
        ("eth_getTransactionReceipt", ("0x" + wallet.hash_of(raw),)) for raw in raws
    ]
    found: list[Any] = [None] * len(raws)
    for turn in turns(client.patience):
        missing = [n for n, one in enumerate(found) if one is None]
        if not missing:
            break
        if turn % 20 == 19:
            client.node.attempt_all([send[n] for n in missing])
        for n, one in zip(
            missing, client.node.attempt_all([asked[n] for n in missing]), strict=True
        ):
            found[n] = None if isinstance(one, Fault) else one
    for (contract, method, _), one in zip(calls, found, strict=True):
        if one is None:
            raise Unavailable(
                f"The chain took a part of {len(raws)} transactions and no more in "
                f"{client.patience:.0f} seconds.",
                "See that nobody else sends with the same key, then do the same again.",
            )
        try:
            yield client.read_receipt(one, contract.name, method)
        except Refused as refusal:
            yield refusal
