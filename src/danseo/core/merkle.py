"""The Merkle tree of RFC 9162: roots, proofs of inclusion and of consistency.

A tree over n leaves splits at the largest power of two below n. Its *complete* subtrees, those of
2^level leaves at a multiple of 2^level, never change as it grows; a *node* is the hash of one,
addressed by (level, index). `Tree` keeps only the complete subtrees that cover its leaves from the
left (the *peaks*), so it holds log2(n) hashes and appends in constant time on average.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from danseo.core.errors import Invalid

HASH_SIZE: Final = 32
"""Bytes of a hash."""
EMPTY: Final = sha256().digest()
"""The root of a tree without leaves."""

Nodes = Callable[[int, int], bytes]
"""`nodes(level, index)`: the hash of the complete subtree of 2^level leaves at index * 2^level."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of 0x00 and the leaf."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees: SHA-256 of 0x01, the left hash and the right one."""
    return sha256(b"\1" + left + right).digest()


class Tree:
    """An appendable tree that keeps its peaks only.

    >>> tree = Tree()
    >>> tree.append(leaf_hash(b"clue"))
    >>> tree.size, tree.root() == leaf_hash(b"clue")
    (1, True)
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Start from the `peaks` of a tree of `size` leaves, largest first (a snapshot)."""
        if len(peaks) != size.bit_count() or any(len(p) != HASH_SIZE for p in peaks):
            raise Invalid(
                f"A tree of {size} leaves has {size.bit_count()} peaks of 32 bytes, not these.",
                "Rebuild the tree from its leaves.",
            )
        self._size = size
        self._peaks = list(peaks)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The hashes of the complete subtrees that cover the leaves, largest first."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Append one leaf by its hash."""
        size, peaks = self._size, self._peaks
        self._size = size + 1
        while size & 1:
            leaf = sha256(b"\1" + peaks.pop() + leaf).digest()
            size >>= 1
        peaks.append(leaf)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaves by their hashes."""
        for leaf in leaves:
            self.append(leaf)

    def append_node(self, level: int, node: bytes) -> None:
        """Append a complete subtree of 2^level leaves; the size must be a multiple of that."""
        size = self._size >> level
        if size << level != self._size:
            raise ValueError(f"{self._size} leaves are no multiple of 2^{level}")
        self._size += 1 << level
        while size & 1:
            node = sha256(b"\1" + self._peaks.pop() + node).digest()
            size >>= 1
        self._peaks.append(node)

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self._peaks:
            return EMPTY
        root = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            root = node_hash(peak, root)
        return root

    def copy(self) -> Tree:
        """Return a tree that grows on its own."""
        return Tree(self._size, self._peaks)


def subtree_root(nodes: Sequence[bytes]) -> bytes:
    """Return the root over `nodes`, hashes of one level, in the shape of RFC 9162."""
    if not nodes:
        return EMPTY
    row = list(nodes)
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=False)
        above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
        if len(row) % 2:
            above.append(row[-1])  # no sibling: it is the subtree's root one level up, too
        row = above
    return row[0]


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Return the nodes of the tree over `leaves` (hashes), each computed when asked for."""

    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


def range_root(begin: int, end: int, nodes: Nodes) -> bytes:
    """Return the root over the leaves [begin, end), a subtree of RFC 9162's recursion."""
    n = end - begin
    if n == 0:
        return EMPTY
    if n & (n - 1) == 0:
        level = n.bit_length() - 1
        return nodes(level, begin >> level)
    middle = begin + _split(n)
    return node_hash(range_root(begin, middle, nodes), range_root(middle, end, nodes))


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves (section 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    begin, end, proof = 0, size, []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(range_root(middle, end, nodes))
            end = middle
        else:
            proof.append(range_root(begin, middle, nodes))
            begin = middle
    return proof[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise `Invalid` unless `proof` shows leaf hash `leaf` at `index` (section 2.1.3.2)."""
    bad = Invalid(
        f"The proof does not show entry {index} in the tree of {size}.",
        "Ask the log for the proof again; if it persists, do not rely on this entry.",
        index=index,
    )
    if not 0 <= index < size:
        raise bad
    number, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise bad
        if number & 1 or number == last:
            node = node_hash(sibling, node)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        number >>= 1
        last >>= 1
    if last or node != root:
        raise bad


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the tree of `old` leaves is a prefix of that of `new` (2.1.4.1)."""
    if not 0 < old <= new:
        raise ValueError(f"no proof from {old} to {new} leaves")
    begin, end, whole, proof = 0, new, True, []
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            proof.append(range_root(middle, end, nodes))
            end = middle
        else:
            proof.append(range_root(begin, middle, nodes))
            begin, whole = middle, False
    if not whole:
        proof.append(range_root(begin, end, nodes))
    return proof[::-1]


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Raise `Invalid` unless `proof` leads from the old root to the new one (2.1.4.2).

    Every tree extends the empty one, and a tree extends itself; both need no proof.
    """
    bad = Invalid(
        f"The tree of {new} entries does not extend the tree of {old}.",
        "Keep both checkpoints: together they show that the log was rewritten.",
    )
    if not 0 <= old <= new or (old in (0, new) and proof):
        raise bad
    if old in (0, new):
        if old_root != (EMPTY if old == 0 else new_root):
            raise bad
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise bad
    number, last = old - 1, new - 1
    while number & 1:
        number >>= 1
        last >>= 1
    first = second = path[0]
    for node in path[1:]:
        if last == 0:
            raise bad
        if number & 1 or number == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not number & 1 and number:
                number >>= 1
                last >>= 1
        else:
            second = node_hash(second, node)
        number >>= 1
        last >>= 1
    if last or first != old_root or second != new_root:
        raise bad


def _split(n: int) -> int:
    """Return the largest power of two below n, for n > 1."""
    return 1 << ((n - 1).bit_length() - 1)
