"""The compiled kernel gives the reference's numbers, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from danseo.core import reward
from danseo.core.errors import Conflict, Malformed, NotCovered, Refused
from danseo.core.reward import UNITS, Node, Rule
from danseo.flows import shares_fast
from danseo.flows.shares_fast import Graph

pytest.importorskip("numba", reason="the fast kernel is the extra `fast`")

RULES = [
    Rule((gn, gd), (tn, td))
    for gd, td in ((1, 1), (2, 2), (1, 4), (4, 1), (3, 1))
    for gn in range(gd + 1)
    for tn in range(td + 1)
]


def random_graph(rng: np.random.Generator, n: int, total: int = UNITS) -> list[Node]:
    sizes = rng.integers(0, 10, n) ** int(rng.integers(0, 6))
    units = reward.split_units(total, [int(s) for s in sizes]) if sizes.any() else [0] * n
    nodes: list[Node] = []
    position = 0
    for i in range(n):
        position += int(rng.random() < 0.8)
        earlier = [k for k in range(max(0, i - 40), i) if nodes[k].position < position]
        targets = rng.permutation(earlier)[: rng.integers(0, 6)].astype(int).tolist()
        whole = int(rng.choice([UNITS, UNITS - 1, rng.integers(10, UNITS)]))
        parts = [int(p) for p in rng.integers(1, 99, len(targets))]
        weights = reward.split_units(whole - len(parts), parts) if parts else []
        cites = tuple((k, w + 1) for k, w in zip(targets, weights, strict=True))
        nodes.append(Node(units[i], position, cites))
    return nodes


@pytest.mark.parametrize("seed", range(40))
def test_kernel_and_reference_agree_bit_for_bit_on_random_graphs(seed):
    rng = np.random.default_rng(seed)
    nodes = random_graph(rng, int(rng.integers(1, 120)))
    reward.check(nodes)
    for rule in (reward.DEFAULT, RULES[seed % len(RULES)]):
        assert shares_fast.shares(Graph.of(nodes), rule).tolist() == reward.shares(nodes, rule)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_kernel_and_reference_agree_at_the_ends_of_64_bits(rule):
    full = ((0, UNITS),)
    for units in (
        [UNITS],
        [1, UNITS - 1],
        [UNITS - 1, 1],
        [0, UNITS],
        [UNITS // 2, UNITS // 2],
        [333_333_333, 333_333_333, 333_333_334],
        [0, 1, UNITS - 1],
        [UNITS - 2, 1, 1],
    ):
        chain = [Node(m, i, ((i - 1, UNITS),) if i else ()) for i, m in enumerate(units)]
        star = [Node(m, min(i, 1), full if i else ()) for i, m in enumerate(units)]
        for nodes in (chain, star):
            assert shares_fast.shares(Graph.of(nodes), rule).tolist() == reward.shares(nodes, rule)


def test_a_long_chain_agrees_and_arrays_turn_back_into_the_same_nodes():
    rng = np.random.default_rng(7)
    nodes = random_graph(rng, 3000)
    assert Graph.of(nodes).nodes() == nodes
    assert shares_fast.shares(Graph.of(nodes)).tolist() == reward.shares(nodes)


def test_an_empty_list_has_no_shares():
    assert shares_fast.shares(Graph.of([])).tolist() == []


@pytest.mark.parametrize(
    ("nodes", "error"),
    [
        ([Node(-1, 0)], Malformed),
        ([Node(0, 1), Node(0, 0)], Conflict),
        ([Node(UNITS, 0), Node(1, 1)], NotCovered),
        ([Node(0, 0), Node(0, 1, ((1, 1),))], Conflict),
        ([Node(0, 0), Node(0, 1, ((-1, 1),))], Conflict),
        ([Node(0, 0), Node(0, 0, ((0, 1),))], Conflict),
        ([Node(0, 0), Node(0, 1, ((0, 1), (0, 1)))], Conflict),
        ([Node(0, 0), Node(0, 1, ((0, 0),))], Malformed),
        ([Node(0, 0), Node(0, 1), Node(0, 2, ((0, UNITS), (1, 1)))], Malformed),
        ([Node(0, 0), Node(0, 1), Node(0, 2, ((0, 2**62), (1, 2**62)))], Malformed),
    ],
)
def test_what_the_reference_refuses_the_kernel_refuses_alike(nodes, error):
    with pytest.raises(Refused) as slow:
        reward.check(nodes)
    with pytest.raises(Refused) as fast:
        shares_fast.shares(Graph.of(nodes))
    assert type(fast.value) is type(slow.value) is error
    assert f"Node {len(nodes) - 1} " in fast.value.message


def test_arrays_that_do_not_fit_together_are_refused():
    good = Graph.of([Node(1, 0), Node(1, 1, ((0, 5),))])
    for bad in (
        replace(good, units=good.units.astype(np.int32)),
        replace(good, position=good.position[:1]),
        replace(good, weights=good.weights[:0]),
        replace(good, starts=np.array([0, 0, 2])),
        replace(good, starts=np.array([0, 5, 1])),
        replace(good, units=good.units.reshape(1, 2)),
    ):
        with pytest.raises(Malformed):
            shares_fast.shares(bad)


def test_without_numba_the_kernel_says_what_to_do():
    script = (
        "import sys; sys.modules['numba'] = None\n"
        "from danseo.flows.shares_fast import warm_up\n"
        "from danseo.core.errors import Unavailable\n"
        "try: warm_up()\n"
        "except Unavailable as error: sys.exit(error.remedy)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )
    assert "core.reward" in done.stderr
    assert "danseo[fast]" in done.stderr
