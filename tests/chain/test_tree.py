"""The payout tree against the layout of OpenZeppelin's library and its way of checking proofs."""

from __future__ import annotations

import time

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from danseo.chain import wallet
from danseo.chain.client import Client, Contract
from danseo.chain.tree import Leaf, Tree, verify
from danseo.core.errors import Conflict, Malformed, NotFound
from danseo.log.signing import keccak256
from tests.chain.nodes import KEY

ETH = "0x" + "00" * 20
QUIET_ANCHOR = "0x6004600c60003960046000f360205ff3"
"""A contract that answers every call with zero: no entry is overdue."""


def leaves(count: int) -> list[Leaf]:
    return [Leaf(f"0x{n + 1:040x}", ETH, n * 10**18) for n in range(count)]


def pair(a: bytes, b: bytes) -> bytes:
    return keccak256(min(a, b) + max(a, b))


def multi_proof_verify(
    root: bytes, hashes: list[bytes], proof: list[bytes], flags: list[bool]
) -> bool:
    """The loop of `MerkleProof.processMultiProof`, written after its description."""
    if len(hashes) + len(proof) != len(flags) + 1:
        return False
    queue, rest = list(hashes), list(proof)
    for flag in flags:
        a = queue.pop(0)
        queue.append(pair(a, queue.pop(0) if flag else rest.pop(0)))
    return not rest and queue == [root]


def test_a_leaf_is_the_double_hash_of_its_abi_encoding() -> None:
    leaf = Leaf("0x" + "ab" * 20, "0x" + "cd" * 20, 7 * 10**30)
    encoded = encode(["address", "address", "uint256"], [leaf.account, leaf.asset, leaf.cumulative])
    assert leaf.hash == keccak256(keccak256(encoded))


def test_the_root_of_the_example_in_the_manual_of_the_library_is_ours() -> None:
    # The readme of @openzeppelin/merkle-tree gives this root for two (address, uint256) leaves.
    values = [("0x" + "11" * 20, 5 * 10**18), ("0x" + "22" * 20, 25 * 10**17)]
    hashes = [keccak256(keccak256(encode(["address", "uint256"], v))) for v in values]
    assert pair(*hashes).hex() == "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"


def test_one_leaf_is_its_own_root_and_needs_no_proof() -> None:
    (leaf,) = leaves(1)
    tree = Tree([leaf])
    assert tree.root == leaf.hash
    assert tree.proof(0) == []
    assert tree.multiproof([0]) == ([leaf], [], [])


def test_three_leaves_stand_as_the_library_lays_them() -> None:
    tree = Tree(leaves(3))
    a, b, c = sorted(leaf.hash for leaf in tree.leaves)
    assert tree.root == pair(pair(a, b), c)


@given(st.integers(1, 70), st.data())
def test_every_leaf_and_every_batch_can_be_proven(count: int, data: st.DataObject) -> None:
    tree = Tree(leaves(count))
    for index, leaf in enumerate(tree.leaves):
        assert verify(tree.root, leaf, tree.proof(index))
    chosen = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    ordered, proof, flags = tree.multiproof(sorted(chosen))
    assert {tree.leaves.index(leaf) for leaf in ordered} == chosen
    assert multi_proof_verify(tree.root, [leaf.hash for leaf in ordered], proof, flags)


def test_a_proof_is_good_for_no_other_amount_account_or_asset() -> None:
    tree = Tree(leaves(9))
    leaf, proof = tree.leaves[4], tree.proof(4)
    for other in (
        Leaf(leaf.account, leaf.asset, leaf.cumulative + 1),
        Leaf(tree.leaves[5].account, leaf.asset, leaf.cumulative),
        Leaf(leaf.account, "0x" + "01" * 20, leaf.cumulative),
    ):
        assert not verify(tree.root, other, proof)


def test_the_order_in_which_leaves_are_given_does_not_change_the_root() -> None:
    assert Tree(leaves(20)).root == Tree(reversed(leaves(20))).root


def test_what_makes_no_tree_is_refused() -> None:
    with pytest.raises(Malformed, match="no leaves"):
        Tree([])
    with pytest.raises(Conflict, match="Two leaves"):
        Tree([*leaves(2), Leaf(leaves(1)[0].account, ETH, 5)])
    with pytest.raises(Malformed, match="is no address"):
        Tree([Leaf("0x12", ETH, 5)])
    for amount in (-1, 2**256):
        with pytest.raises(Malformed, match="below 2"):
            Tree([Leaf(leaves(1)[0].account, ETH, amount)])


def test_a_proof_of_what_is_not_there_is_refused() -> None:
    tree = Tree(leaves(3))
    for index in (-1, 3):
        with pytest.raises(NotFound, match="no leaf"):
            tree.proof(index)
    with pytest.raises(Conflict, match="twice"):
        tree.multiproof([1, 2, 1])
    with pytest.raises(Malformed, match="no leaves"):
        tree.multiproof([])


def test_a_hundred_thousand_leaves_take_seconds() -> None:
    started = time.perf_counter()
    tree = Tree(leaves(100_000))
    assert time.perf_counter() - started < 10
    assert len(tree.proof(99_999)) in (16, 17)


def test_the_pool_pays_by_our_proofs_and_our_multiproofs(chain: Client) -> None:
    chain.faucet(KEY.address, 10**21)
    ready = {**chain.offer(KEY.address), "from": KEY.address, "gas": hex(100_000), "value": "0x0"}
    quiet = chain.send_raw(wallet.sign(KEY, {**ready, "data": QUIET_ANCHOR})).contract
    rules = (f"0x{1:040x}", ETH, ETH, quiet, f"0x{2:040x}", 0, 100, 10**9, 0, 0, [])
    pool = Contract("PrizePool", chain.deploy(KEY, "PrizePool", rules).contract)
    tree = Tree(Leaf(f"0x{n + 1_000:040x}", ETH, 10**9 + n) for n in range(37))
    total = sum(leaf.cumulative for leaf in tree.leaves)
    chain.send(KEY, pool, "fund", ETH, total, value=total)
    chain.send(KEY, pool, "publish", 1, b"\x01" * 32, tree.root)
    chain.move_to(chain.head().time + 100)
    chain.send(KEY, pool, "activate", 1)
    leaf = tree.leaves[11]
    claim = (leaf.account, leaf.asset, leaf.cumulative)
    with pytest.raises(NotFound, match="NotInTheRoot"):
        chain.send(KEY, pool, "claim", *claim, tree.proof(12))
    chain.send(KEY, pool, "claim", *claim, tree.proof(11))
    for some in (range(10), [12, 36, 20], range(37)):
        ordered, proof, flags = tree.multiproof(some)
        rows = [(one.account, one.asset, one.cumulative) for one in ordered]
        chain.send(KEY, pool, "payBatch", rows, proof, flags)
    assert [chain.balance(leaf.account) for leaf in tree.leaves] == [
        leaf.cumulative for leaf in tree.leaves
    ]
    assert chain.balance(pool.address) == 0
