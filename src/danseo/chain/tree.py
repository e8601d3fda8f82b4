"""The payout tree: who may have taken how much of what in all, under one root of 32 bytes.

Its shape is that of OpenZeppelin's StandardMerkleTree, so that the `MerkleProof` of their contracts
and anyone's copy of their library agree with it: each leaf is hashed twice, the leaves are sorted
by hash and stand from the end of an array of 2n - 1 nodes, and a pair is hashed smaller one first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from danseo.core.errors import Conflict, Malformed, NotFound
from danseo.log.signing import keccak256

LIMIT: Final = 2**256


@dataclass(frozen=True, slots=True)
class Leaf:
    """`account` may have taken `cumulative` of `asset` since the pool began, in its smallest unit.

    Addresses are lower-case with 0x; ETH is the zero address.
    """

    account: str
    asset: str
    cumulative: int

    @property
    def hash(self) -> bytes:
        """The 32 bytes that stand in the tree: keccak(keccak(abi.encode(the three fields)))."""
        if not 0 <= self.cumulative < LIMIT:
            raise Malformed(
                f"A leaf for {self.account} holds {self.cumulative}.",
                "An amount is 0 or more and below 2^256.",
            )
        encoded = _word(self.account) + _word(self.asset) + self.cumulative.to_bytes(32, "big")
        return keccak256(keccak256(encoded))


class Tree:
    """The tree over some leaves. Indices are those of the leaves as they were given."""

    __slots__ = ("_nodes", "_places", "leaves")

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        """Build it; raise `Malformed` for no leaf at all, `Conflict` for two of one pair."""
        self.leaves = tuple(leaves)
        if not self.leaves:
            raise Malformed("A payout tree has no leaves.", "Publish a root once somebody is owed.")
        seen: set[tuple[str, str]] = set()
        for leaf in self.leaves:
            pair = (leaf.account.lower(), leaf.asset.lower())
            if pair in seen:
                raise Conflict(
                    f"Two leaves stand for account {leaf.account} and asset {leaf.asset}.",
                    "Add them up into one.",
                )
            seen.add(pair)
        self._nodes, self._places = _build([leaf.hash for leaf in self.leaves])

    def __len__(self) -> int:
        return len(self.leaves)

    @property
    def root(self) -> bytes:
        """The 32 bytes that the pool keeps."""
        return self._nodes[0]

    def proof(self, index: int) -> list[bytes]:
        """Return the siblings from leaf `index` up to the root; `NotFound` if there is none."""
        place, proof = self._place(index), []
        while place:
            proof.append(self._nodes[_sibling(place)])
            place = (place - 1) // 2
        return proof

    def multiproof(self, indices: Sequence[int]) -> tuple[list[Leaf], list[bytes], list[bool]]:
        """Return the leaves in the order that `multiProofVerify` needs, the proof and the flags.

        Raise `NotFound` for a leaf that is not there, `Conflict` for one named twice.
        """
        if not indices:
            raise Malformed("A batch names no leaves.", "Name at least one.")
        named = sorted(((self._place(index), index) for index in indices), reverse=True)
        for (place, index), (other, _) in pairwise(named):
            if place == other:
                raise Conflict(f"A batch names leaf {index} twice.", "Name each leaf once.")
        proof, flags = [], []
        queue = deque(place for place, _ in named)
        while queue[0]:
            sibling = _sibling(place := queue.popleft())
            together = bool(queue) and queue[0] == sibling
            flags.append(together)
            if together:
                queue.popleft()
            else:
                proof.append(self._nodes[sibling])
            queue.append((place - 1) // 2)
        return [self.leaves[index] for _, index in named], proof, flags

    def _place(self, index: int) -> int:
        if not 0 <= index < len(self.leaves):
            raise NotFound(
                f"The payout tree has no leaf {index}.", f"It has {len(self.leaves)}, from 0."
            )
        return self._places[index]


def verify(root: bytes, leaf: Leaf, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` leads from `leaf` to `root`, as `MerkleProof.verify` does."""
    node = leaf.hash
    for sibling in proof:
        node = _pair(node, sibling)
    return node == root


def _build(hashes: list[bytes]) -> tuple[list[bytes], list[int]]:
    """Return the array of nodes, root first, and the place in it of each of `hashes`."""
    count = len(hashes)
    nodes, places = [b""] * (2 * count - 1), [0] * count
    for rank, index in enumerate(sorted(range(count), key=hashes.__getitem__)):
        place = len(nodes) - 1 - rank
        nodes[place], places[index] = hashes[index], place
    for place in range(count - 2, -1, -1):
        nodes[place] = _pair(nodes[2 * place + 1], nodes[2 * place + 2])
    return nodes, places


def _pair(a: bytes, b: bytes) -> bytes:
    return keccak256(a + b if a < b else b + a)


def _sibling(place: int) -> int:
    return place + 1 if place % 2 else place - 1


def _word(address: str) -> bytes:
    try:
        raw = bytes.fromhex(address.removeprefix("0x"))
    except ValueError:
        raw = b""
    if len(raw) != 20:
        raise Malformed(f"{address!r} is no address.", "Write 0x and 40 hex digits.")
    return bytes(12) + raw
