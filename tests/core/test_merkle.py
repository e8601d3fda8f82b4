"""The tree against certificate transparency's reference vectors, and against its definition."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core.errors import Invalid
from danseo.core.merkle import (
    EMPTY,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    nodes_of,
    range_root,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [
    bytes.fromhex(h)
    for h in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(h)
    for h in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION = {  # (index, size): the published path
    (0, 8): ("96a296d2", "5f083f0a", "6b47aaf2"),
    (5, 8): ("bc1a0643", "ca854ea1", "d37ee418"),
    (2, 3): ("fac54203",),
    (1, 5): ("6e340b9c", "5f083f0a", "bc1a0643"),
}
CONSISTENCY = {
    (1, 8): ("96a296d2", "5f083f0a", "6b47aaf2"),
    (6, 8): ("0ebc5d34", "ca854ea1", "d37ee418"),
    (2, 5): ("5f083f0a", "bc1a0643"),
}
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def mth(hashes: list[bytes]) -> bytes:
    """The definition of RFC 9162, section 2.1.1, word by word."""
    n = len(hashes)
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return hashes[0]
    k = max(1 << i for i in range(n.bit_length()) if 1 << i < n)
    return sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def some_hashes(n: int) -> list[bytes]:
    return [leaf_hash(i.to_bytes(4, "big")) for i in range(n)]


@pytest.mark.parametrize("n", range(9))
def test_the_roots_are_the_published_ones(n: int) -> None:
    tree = Tree()
    tree.extend(HASHES[:n])
    assert (tree.size, tree.root()) == (n, ROOTS[n])
    assert range_root(0, n, nodes_of(HASHES)) == ROOTS[n]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_the_inclusion_proofs_are_the_published_ones(index: int, size: int) -> None:
    proof = inclusion_proof(index, size, nodes_of(HASHES))
    assert tuple(p.hex()[:8] for p in proof) == INCLUSION[index, size]
    verify_inclusion(HASHES[index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize(("old", "new"), CONSISTENCY)
def test_the_consistency_proofs_are_the_published_ones(old: int, new: int) -> None:
    proof = consistency_proof(old, new, nodes_of(HASHES))
    assert tuple(p.hex()[:8] for p in proof) == CONSISTENCY[old, new]
    verify_consistency(old, new, proof, ROOTS[old], ROOTS[new])


@given(st.integers(0, 300))
def test_appending_gives_the_root_of_the_definition(n: int) -> None:
    hashes = some_hashes(n)
    assert subtree_root(hashes) == mth(hashes)


@given(st.integers(1, 100).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))))
def test_every_leaf_has_a_proof_and_no_other_index_takes_it(case: tuple[int, int]) -> None:
    n, index = case
    hashes = some_hashes(n)
    root = mth(hashes)
    proof = inclusion_proof(index, n, nodes_of(hashes))
    verify_inclusion(hashes[index], index, n, proof, root)
    for other in range(n):
        if other != index:
            with pytest.raises(Invalid):
                verify_inclusion(hashes[index], other, n, proof, root)


@given(
    st.integers(1, 80).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))),
    st.data(),
)
def test_a_consistency_proof_holds_and_any_change_breaks_it(
    case: tuple[int, int], data: st.DataObject
) -> None:
    new, old = case
    hashes = some_hashes(new)
    proof = consistency_proof(old, new, nodes_of(hashes))
    old_root, new_root = mth(hashes[:old]), mth(hashes)
    verify_consistency(old, new, proof, old_root, new_root)
    with pytest.raises(Invalid):
        verify_consistency(old, new, [*proof, new_root], old_root, new_root)
    with pytest.raises(Invalid):
        verify_consistency(old, new, proof, bytes(32), new_root)
    with pytest.raises(Invalid):
        verify_consistency(old, new, proof, old_root, bytes(32))
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        with pytest.raises(Invalid):
            verify_consistency(old, new, proof[:at] + proof[at + 1 :], old_root, new_root)
        bent = [*proof[:at], bytes(32), *proof[at + 1 :]]
        with pytest.raises(Invalid):
            verify_consistency(old, new, bent, old_root, new_root)


def test_only_the_empty_root_is_consistent_with_nothing() -> None:
    verify_consistency(0, 8, [], EMPTY, ROOTS[8])
    with pytest.raises(Invalid):
        verify_consistency(0, 8, [], ROOTS[1], ROOTS[8])
    with pytest.raises(Invalid):
        verify_consistency(8, 7, [], ROOTS[8], ROOTS[7])


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_tree_goes_on_from_its_peaks_and_leaves_the_first_alone(n: int, more: int) -> None:
    tree = Tree()
    tree.extend(some_hashes(n))
    before = tree.root()
    grown = Tree(tree.size, tree.peaks)
    grown.extend(some_hashes(n + more)[n:])
    assert grown.root() == mth(some_hashes(n + more))
    assert tree.root() == before
    assert tree.copy().peaks == tree.peaks


@given(st.integers(0, 5), st.integers(0, 15))
def test_a_complete_subtree_is_appended_as_its_leaves_would_be(full: int, rest: int) -> None:
    hashes = some_hashes(16 * full + rest)
    tree = Tree()
    for i in range(full):
        tree.append_node(4, mth(hashes[16 * i : 16 * i + 16]))
    tree.extend(hashes[16 * full :])
    assert (tree.size, tree.root()) == (len(hashes), mth(hashes))
    if rest:
        with pytest.raises(ValueError, match="multiple"):
            tree.append_node(4, bytes(32))


def test_peaks_that_do_not_fit_the_size_are_refused() -> None:
    with pytest.raises(Invalid, match="3 leaves has 2 peaks"):
        Tree(3, [bytes(32)])


def test_a_leaf_cannot_pass_for_a_node() -> None:
    left, right = HASHES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
