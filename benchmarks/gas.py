"""What the contracts cost, in gas, as the receipts of the embedded chain say.

One pool pays from trees of 1,000 and of 100,000 leaves, by single claims and by batches of 100 and
200 that stand side by side in the tree, as `danseo pool pay` sends them. Proof, calldata, books and
events are included, and the 21,000 of a transaction. In the same run stand a plain transfer of the
same ERC-20, a distributor of the kind that Uniswap published (a bitmap over one root for ever; its
own test reports 78,466 for a claim), and a bare disperse that keeps no books at all. The figures
are exact: gas does not vary.

What is missed is missed for these reasons. A later payee costs a bare disperse 9,300 to 10,400; his
own total in storage is 5,000 more and his own event 1,600, which is 16,000 before anything has been
proved; his leaf and proof are another 1,100 in calldata. ETH to an empty account is 34,300 and a
first total 22,100. An existing holder's claim reads four words of storage that a transfer does not
(root, window, total, and the pool's own balance, which keeps the outflow below its cap) and carries
ten words of proof.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from benchmarks.harness import Figure
from danseo.chain import artefacts
from danseo.chain.abi import Abi
from danseo.chain.artefacts import Artefact
from danseo.chain.evm import CHAIN_ID, FAUCET, TIP, Evm
from danseo.chain.tree import Leaf, Tree
from danseo.chain.wallet import hash_of, sign
from danseo.log.signing import keccak256
from scripts.contracts import MOCKS
from scripts.pages import ROOT

SIZES: Final = (1_000, 100_000)
BATCHES: Final = (100, 200)
BEGIN: Final = 1_800_000_000
WINDOW: Final = 100_000
NOBODY: Final = "0x" + "0" * 40
ETH: Final = NOBODY
SHARE: Final = 10**15
"""What each leaf is owed at first, and again later."""
CLAIM, FIRST, FIRST_ETH, LATER = 56_000, 52_000, 60_000, 16_000


def run() -> list[Figure]:
    """Measure everything at both sizes."""
    figures = []
    for size in SIZES:
        figures += _claims(size) + _batches(size, "ERC-20") + _batches(size, "ETH")
    return [*figures, *_publishing(), _deployment()]


def measure(size: int, batch: int) -> dict[str, int]:
    """Return the gas of each thing that the committed snapshot holds, in a tree of `size`."""
    gas = {}
    for asset in ("ERC-20", "ETH"):
        payer = Payer(size, asset)
        spare, new, *_ = payer.order
        payer.claim(spare)
        gas[f"{asset}: claim, new holder"] = payer.claim(new)
        gas[f"{asset}: batch, first"] = payer.batch(payer.order[-batch:])
        gas[f"{asset}: batch, later"] = payer.batch(payer.known(batch))
        payer.pay([spare, new])
        gas[f"{asset}: publish"] = payer.again()
        gas[f"{asset}: claim, first of a window"] = payer.claim(spare)
        gas[f"{asset}: claim, existing holder"] = payer.claim(new)
    return gas


class Chain:
    """An embedded chain in memory; every call is a transaction of one rich key."""

    def __init__(self) -> None:
        self._evm = Evm(BEGIN)
        self._nonce = 0
        self.now = BEGIN

    def send(self, to: str, data: bytes, value: int = 0) -> int:
        """Send a transaction and return the gas that it used; `RuntimeError` if it failed."""
        return int(self._carry(to, data, value)["gasUsed"], 16)

    def deploy(self, name: str, *args: Any) -> str:
        """Put a contract on the chain and return its address."""
        code = load(name).bytecode + abi_of(name).construct(args)
        return str(self._carry("", code, 0)["contractAddress"]).lower()

    def _carry(self, to: str, data: bytes, value: int) -> dict[str, Any]:
        self.now += 1
        transaction: dict[str, Any] = {
            "from": FAUCET.address,
            "chainId": hex(CHAIN_ID),
            "nonce": hex(self._nonce),
            "maxPriorityFeePerGas": hex(TIP),
            "maxFeePerGas": hex(100 * TIP),
            "gas": hex(29_000_000),
            "value": hex(value),
            "data": "0x" + data.hex(),
        }
        if to:
            transaction["to"] = to
        raw = sign(FAUCET, transaction)
        self._evm.mine([raw], self.now)
        self._nonce += 1
        receipt = self._evm.answer("eth_getTransactionReceipt", ["0x" + hash_of(raw)])["result"]
        if int(receipt["status"], 16) != 1:
            raise RuntimeError(f"A transaction to {to or 'no one'} failed.")
        return dict(receipt)


class Payer:
    """A pool that owes `size` accounts one asset, its roots, and what paying from it costs."""

    def __init__(self, size: int, asset: str) -> None:
        self.chain = Chain()
        self.size = 0
        anchor = self.chain.deploy("MoodyAnchor")
        token = self.chain.deploy("PlainToken")
        self.asset = ETH if asset == "ETH" else token
        rules = (
            address(1), NOBODY, NOBODY, anchor, address(2), 10**17, WINDOW, 10**9, 0, 0, [token],
        )  # fmt: skip
        self.pool = self.chain.deploy("PrizePool", rules)
        total = 10**6 * SHARE
        if self.asset == ETH:
            self.call("fund", ETH, total, value=total)
        else:
            self.token("mint", FAUCET.address, 2 * total)
            self.token("approve", self.pool, total)
            self.call("fund", token, total)
        self.accounts = [address(1000 + n) for n in range(size)]
        self.again()

    def call(self, method: str, *args: Any, value: int = 0) -> int:
        """Call the pool; return the gas."""
        return self.chain.send(self.pool, abi_of("PrizePool").call(method, args), value)

    def token(self, method: str, *args: Any) -> int:
        """Call the token; return the gas."""
        return self.chain.send(self.asset, abi_of("PlainToken").call(method, args))

    def again(self) -> int:
        """Owe everybody one share more, by a new root in effect; return the gas of publishing."""
        self.size += 1
        self.tree, self.order = self._tree(self.size)
        used = self.call("publish", self.size, keccak256(b"log"), self.tree.root, value=10**17)
        self.chain.now += WINDOW
        self.call("activate", self.size)
        return used

    def claim(self, leaf: int) -> int:
        """Return the gas of a claim for a leaf."""
        one, proof = self.tree.leaves[leaf], self.tree.proof(leaf)
        return self.call("claim", one.account, one.asset, one.cumulative, proof)

    def pay(self, leaves: Sequence[int]) -> int:
        """Return the gas of a batch of leaves."""
        order, proof, flags = self.tree.multiproof(leaves)
        plain = [(leaf.account, leaf.asset, leaf.cumulative) for leaf in order]
        return self.call("payBatch", plain, proof, flags)

    def batch(self, leaves: Sequence[int]) -> int:
        """Return the gas of a batch for each payee."""
        return round(self.pay(leaves) / len(leaves))

    def known(self, count: int) -> list[int]:
        """Return leaves that stand side by side under a new root, whose accounts were all paid."""
        _, order = self._tree(self.size + 1)
        leaves = order[:count]
        self.pay(leaves)
        self.again()
        self.claim(order[-1])  # opens the window
        return leaves

    def _tree(self, shares: int) -> tuple[Tree, list[int]]:
        """Return the tree that owes everybody so many shares, and the order of its leaves."""
        tree = Tree(Leaf(who, self.asset, shares * SHARE) for who in self.accounts)
        return tree, sorted(range(len(tree)), key=lambda leaf: tree.leaves[leaf].hash)


@dataclass(frozen=True, slots=True)
class Peers:
    """What the others cost, in gas: each for a new holder and for an existing one."""

    transfer: tuple[int, int]
    bitmap: tuple[int, int]


def _claims(size: int) -> list[Figure]:
    payer, peers = Payer(size, "ERC-20"), _peers(size)
    at = _at(size)
    spare, one, other, *_ = payer.order
    payer.claim(spare)
    new = payer.claim(one)
    payer.token("mint", payer.accounts[other], 1)
    holding = payer.claim(other)
    payer.again()
    opening = payer.claim(spare)
    later = payer.claim(one)
    bitmap = "bitmap distributor, {} holder: {:,}"
    aim = f"at most {CLAIM:,}" if size == SIZES[0] else ""
    return [
        _against(f"claim to a new holder {at}", new, bitmap.format("new", peers.bitmap[0]),
                 peers.bitmap[0]),
        _against(f"first claim of one who holds the token {at}", holding,
                 bitmap.format("existing", peers.bitmap[1]), peers.bitmap[1]),
        _against(f"claim of an existing holder {at}", later,
                 f"plain transfer: {peers.transfer[1]:,}", peers.transfer[1], aim,
                 later <= CLAIM if aim else None),
        Figure(f"the same as the first of a window {at}", opening, "gas"),
    ]  # fmt: skip


def _batches(size: int, asset: str) -> list[Figure]:
    figures = []
    for count in BATCHES:
        payer = Payer(size, asset)
        payer.claim(payer.order[0])  # opens the window
        limit = FIRST_ETH if asset == "ETH" else FIRST
        first = payer.batch(payer.order[-count:])
        later = payer.batch(payer.known(count))
        bare = _disperse(count, asset)
        for when, used, most, peer in (
            ("first-time", first, limit, bare[0]),
            ("later", later, LATER, bare[1]),
        ):
            what = f"batch of {count}, each {when} {asset} payee {_at(size)}"
            beside, aim = f"bare disperse: {peer:,}", f"at most {most:,}"
            figures.append(_against(what, used, beside, peer, aim, used <= most))
    return figures


def _publishing() -> list[Figure]:
    used = [Payer(size, "ERC-20").again() for size in SIZES]
    small, large = (f"{size:,}" for size in SIZES)
    return [
        _against(f"publish a root of {large} leaves", used[1], f"of {small}: {used[0]:,}", used[0],
                 "independent of the leaves", abs(used[1] - used[0]) < 200)
    ]  # fmt: skip


def _deployment() -> Figure:
    chain = Chain()
    parts = ("ProgressCoin", "ChallengeGovernor", "ChallengeTimelock", "LogAnchor", "Stake")
    factory = chain.deploy("ChallengeFactory", *(chain.deploy(part) for part in parts))
    config: tuple[Any, ...] = (
        "Challenge coin", "INK", FAUCET.address, FAUCET.address, [], ETH, 10**17, 432_000, 10**8,
        10**8, BEGIN + 10**7, 10**24, 4 * 10**7, 3600, 86_400, 86_400, 604_800, BEGIN + 10**7,
        86_400, 604_800,
    )  # fmt: skip
    data = abi_of("ChallengeFactory").call("deploy", [bytes(32), config])
    return Figure("deploy a challenge's contracts", chain.send(factory, data), "gas")


@cache
def _peers(size: int) -> Peers:
    chain = Chain()
    token = chain.deploy("PlainToken")
    plain, bitmap = abi_of("PlainToken"), abi_of("BitmapDistributor")
    accounts = [address(1000 + n) for n in range(size)]
    hashes = [
        keccak256(n.to_bytes(32, "big") + bytes.fromhex(who[2:]) + SHARE.to_bytes(32, "big"))
        for n, who in enumerate(accounts)
    ]
    root, proof = _plain_tree(hashes, 300)
    distributor = chain.deploy("BitmapDistributor", token, root)
    chain.send(token, plain.call("mint", [distributor, 10**9 * SHARE]))
    chain.send(token, plain.call("mint", [FAUCET.address, 10**9 * SHARE]))
    transfer = [chain.send(token, plain.call("transfer", [address(9), SHARE])) for _ in range(2)]
    claims = []
    for n in (300, 301):
        proof = _plain_tree(hashes, n)[1]
        if n == 301:  # one who holds the token, in a word of the bitmap that is in use
            chain.send(token, plain.call("mint", [accounts[n], 1]))
        data = bitmap.call("claim", [n, accounts[n], SHARE, proof])
        claims.append(chain.send(distributor, data))
    return Peers((transfer[0], transfer[1]), (claims[0], claims[1]))


@cache
def _disperse(count: int, asset: str) -> tuple[int, int]:
    chain = Chain()
    token, disperse = chain.deploy("PlainToken"), chain.deploy("Disperse")
    plain, many = abi_of("PlainToken"), abi_of("Disperse")
    chain.send(token, plain.call("mint", [FAUCET.address, 10**9 * SHARE]))
    chain.send(token, plain.call("mint", [disperse, 1]))
    chain.send(token, plain.call("approve", [disperse, 2**256 - 1]))
    accounts, amounts = [address(1000 + n) for n in range(count)], [SHARE] * count
    if asset == "ETH":
        data, value = many.call("ether_", [accounts, amounts]), SHARE * count
    else:
        data, value = many.call("token", [token, accounts, amounts]), 0
    first, later = (round(chain.send(disperse, data, value) / count) for _ in range(2))
    return first, later


def _plain_tree(hashes: Sequence[bytes], index: int) -> tuple[bytes, list[bytes]]:
    """Return root and proof of a tree of sorted pairs, leaves in the order given."""
    level, proof = list(hashes), []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        index //= 2
        level = [keccak256(b"".join(sorted(level[n : n + 2]))) if n + 1 < len(level) else level[n]
                 for n in range(0, len(level), 2)]  # fmt: skip
    return level[0], proof


def _at(size: int) -> str:
    return f"at {size:,} leaves"


def _against(
    what: str, used: int, peer: str, peers: int, aim: str = "", holds: bool | None = None
) -> Figure:
    return Figure(what, used, "gas", peer, used / peers, aim, holds)


def address(number: int) -> str:
    """Return somebody's address; like true ones it has hardly a zero byte."""
    return "0x" + keccak256(number.to_bytes(32, "big"))[12:].hex()


@cache
def load(name: str) -> Artefact:
    """Return a contract of the product, or one of the tests' mocks."""
    mock = ROOT / MOCKS / f"{name}.json"
    return artefacts.parse(json.loads(mock.read_bytes())) if mock.exists() else artefacts.load(name)


@cache
def abi_of(name: str) -> Abi:
    """Return its ABI."""
    return Abi(name, load(name).abi)
