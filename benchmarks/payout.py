"""How long it takes to pay 10,000 people, from the root on the chain to the last of them.

The pool stands on anvil; a block is made whenever transactions wait. A tree of as many leaves
is built, its root is published and put into effect; then everybody is paid, once by claims of their
own, signed and sent in batches of JSON-RPC, and once by the pool's `payBatch` with 150 to a
multiproof. At the end every balance is asked for and held against the tree. Memory is that of the
paying process, at 2,000 payees and at 10,000. The peer sends plain ETH transfers in the same way.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.harness import WORK, Figure
from danseo.chain import anvil, bulk, wallet
from danseo.chain.client import Client, Contract, Receipt
from danseo.chain.node import Fault, Node
from danseo.chain.tree import Leaf, Tree
from danseo.log.signing import Key, keccak256

PAYEES: Final = 10_000
FEW: Final = 2_000
BATCH: Final = 150
SHARE: Final = 10**12
ETH: Final = "0x" + "0" * 40
KEY: Final = Key(b"\x01" * 32)
WINDOW: Final = 3_600
ANCHOR: Final = bytes.fromhex("6004600c60003960046000f360205ff3")
"""A contract that answers every call with zero: no entry is overdue."""


def run() -> list[Figure]:
    """Measure each way in a process of its own, on a node of its own."""
    claims, few = _measured("claims", PAYEES), _measured("claims", FEW)
    batches, less = _measured("batches", PAYEES), _measured("batches", FEW)
    plain = _measured("transfers", PAYEES)
    peer = f"plain transfers: {plain['sent'] / plain['paying']:,.0f}/s"
    rate = claims["sent"] / claims["paying"]
    many = f"{PAYEES:,}"
    return [
        Figure(f"{many} payees, from root to all paid, by claims", _whole(claims), "s"),
        Figure("claims", rate, "transactions/s", peer, rate * plain["paying"] / plain["sent"]),
        Figure(f"{many} payees, from root to all paid, by payBatch", _whole(batches), "s"),
        Figure("payees by payBatch", PAYEES / batches["paying"], "payees/s"),
        Figure("transactions of payBatch", batches["sent"] / batches["paying"], "transactions/s"),
        Figure(f"build the tree of {many} and its root", batches["tree"], "s"),
        _memory("claims", claims, few),
        _memory("payBatch", batches, less),
    ]


def _whole(measured: dict[str, float]) -> float:
    return measured["tree"] + measured["root"] + measured["paying"]


def _memory(how: str, many: dict[str, float], few: dict[str, float]) -> Figure:
    ratio = many["memory"] / few["memory"]
    return Figure(
        f"memory at {PAYEES:,} payees, by {how}",
        many["memory"],
        "MiB",
        f"at {FEW:,}: {few['memory']:.0f} MiB",
        ratio,
        "flat: at most 1.25 times",
        ratio <= 1.25,
    )


def _measured(how: str, payees: int) -> dict[str, float]:
    """Pay in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "benchmarks.payout", how, str(payees)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    measured: dict[str, float] = orjson.loads(answer)
    return measured


def pay(how: str, payees: int) -> dict[str, float]:
    """Start a node, pay everybody on it, check every balance; return seconds, calls and MiB."""
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        folder = Path(name)
        running = anvil.up(folder)
        try:
            return _paid(Client.at(running.url), how, payees)
        finally:
            anvil.down(folder)


def _paid(client: Client, how: str, payees: int) -> dict[str, float]:
    client.faucet(KEY.address, 10**24)
    pool = _pool(client, payees)
    started = time.perf_counter()
    tree = Tree(Leaf(_account(n), ETH, SHARE + n) for n in range(payees))
    treed = time.perf_counter()
    client.send(KEY, pool, "publish", payees, keccak256(b"log"), tree.root)
    client.move_to(client.head().time + WINDOW)
    client.send(KEY, pool, "activate", payees)
    rooted = time.perf_counter()
    ways = {"claims": _claim, "batches": _batch, "transfers": _transfer}
    with _mining(client):
        sent = ways[how](client, pool, tree)
    ended = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _check(client, tree)
    return {
        "tree": treed - started,
        "root": rooted - treed,
        "paying": ended - rooted,
        "sent": sent,
        "memory": memory,
    }


def _pool(client: Client, payees: int) -> Contract:
    ready = client.offer(KEY.address)
    made = {**ready, "from": KEY.address, "gas": hex(100_000), "value": "0x0"}
    anchor = client.send_raw(wallet.sign(KEY, {**made, "data": "0x" + ANCHOR.hex()})).contract
    rules: tuple[Any, ...] = (
        _account(-1), ETH, ETH, anchor, _account(-2), 0, WINDOW, 10**9, 0, 0, [],
    )  # fmt: skip
    pool = Contract("PrizePool", client.deploy(KEY, "PrizePool", rules).contract)
    total = payees * (SHARE + payees)
    client.send(KEY, pool, "fund", ETH, total, value=total)
    return pool


def _claim(client: Client, pool: Contract, tree: Tree) -> int:
    def calls() -> Iterator[bulk.Call]:
        for n, leaf in enumerate(tree.leaves):
            yield pool, "claim", (leaf.account, leaf.asset, leaf.cumulative, tree.proof(n))

    return _all(client, calls(), gas=140_000)


def _batch(client: Client, pool: Contract, tree: Tree) -> int:
    places = sorted(range(len(tree)), key=lambda n: tree.leaves[n].hash)

    def calls() -> Iterator[bulk.Call]:
        for start in range(0, len(places), BATCH):
            leaves, proof, flags = tree.multiproof(places[start : start + BATCH])
            rows = [(leaf.account, leaf.asset, leaf.cumulative) for leaf in leaves]
            yield pool, "payBatch", (rows, proof, flags)

    return _all(client, calls(), gas=15_000_000, at_once=10)


def _all(client: Client, calls: Iterator[bulk.Call], gas: int, at_once: int = bulk.AT_ONCE) -> int:
    sent = 0
    for outcome in bulk.send_all(client, KEY, calls, gas, at_once):
        if not isinstance(outcome, Receipt):
            raise outcome
        sent += 1
    return sent


def _transfer(client: Client, _: Contract, tree: Tree) -> int:
    """Send everybody plain ETH, in batches of the same size, receipts and all."""
    for start in range(0, len(tree), bulk.AT_ONCE):
        ready = client.offer(KEY.address)
        raws = []
        for n, leaf in enumerate(tree.leaves[start : start + bulk.AT_ONCE]):
            nonce = hex(int(ready["nonce"], 16) + n)
            made = {"from": KEY.address, "to": leaf.account, "value": hex(leaf.cumulative)}
            made |= {"nonce": nonce, "gas": hex(21_000), "data": "0x"}
            raws.append(wallet.sign(KEY, {**ready, **made}))
        sent = client.node.attempt_all(
            [("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raws]
        )
        waiting = [tx for tx in sent if not isinstance(tx, Fault)]
        while waiting:
            got = client.node.attempt_all([("eth_getTransactionReceipt", (tx,)) for tx in waiting])
            waiting = [tx for tx, one in zip(waiting, got, strict=True) if one is None]
    return len(tree)


@contextmanager
def _mining(client: Client) -> Iterator[None]:
    """Make a block as soon as something waits for one, in place of one for each transaction."""
    ended = threading.Event()
    node = Node.at(client.node.name)

    def mine() -> None:
        while not ended.wait(0.005):
            if int(node.ask("txpool_status")["pending"], 16):
                node.ask("evm_mine")

    thread = threading.Thread(target=mine)
    node.ask("evm_setAutomine", False)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        node.ask("evm_setAutomine", True)


def _check(client: Client, tree: Tree) -> None:
    for start in range(0, len(tree), 500):
        leaves = tree.leaves[start : start + 500]
        held = client.node.attempt_all(
            [("eth_getBalance", (leaf.account, "latest")) for leaf in leaves]
        )
        if [int(one, 16) for one in held] != [leaf.cumulative for leaf in leaves]:
            raise RuntimeError("Somebody was not paid what the tree says.")


def _account(number: int) -> str:
    return "0x" + keccak256(b"payee %d" % number)[12:].hex()


if __name__ == "__main__":
    os.write(1, orjson.dumps(pay(sys.argv[1], int(sys.argv[2]))))
