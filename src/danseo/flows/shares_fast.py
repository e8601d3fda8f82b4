"""The shoulders rule for millions of clues: the numbers of `core.reward`, in compiled loops.

Exact in 64-bit integers, bit for bit what `core.reward.shares` gives; a test holds them equal.
Needs numba (the extra `fast`). Without it, `core.reward` computes the same, more slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Conflict, Malformed, NotCovered, Unavailable
from danseo.core.reward import DEFAULT, UNITS, Node, Rule

Ints = npt.NDArray[np.int64]

_B: Final = 10**9
_FAULTS: Final[dict[int, tuple[type[Malformed | Conflict | NotCovered], str, str]]] = {
    1: (Malformed, "has units below 0", "Units are never negative."),
    2: (Conflict, "has a position before its forerunner's", "Append in order of finality."),
    3: (NotCovered, "takes the units beyond 10^9", "All units together are at most 10^9."),
    4: (Conflict, "cites a node that is not earlier", "Cite only nodes at an earlier position."),
    5: (Conflict, "cites a node twice", "Add the weights up."),
    6: (Malformed, "cites with a weight below 1", "A weight is at least 1."),
    7: (Malformed, "cites more than the whole", "Weights are at most 10^9 together."),
    8: (Malformed, "has offsets that fall or leave the citations", "Give CSR offsets from 0 to E."),
}


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes as arrays of int64 in order of finality, citations as compressed sparse rows.

    Shapes: `units` (V,), `position` (V,), `starts` (V+1,), `targets` (E,), `weights` (E,). Node i
    cites `targets[starts[i]:starts[i+1]]`. Meanings and limits are those of `core.reward.Node`.
    """

    units: Ints
    position: Ints
    starts: Ints
    targets: Ints
    weights: Ints

    @classmethod
    def of(cls, nodes: Sequence[Node]) -> Graph:
        """Return the arrays of a list of nodes."""
        cites = [cite for node in nodes for cite in node.cites]
        counts = [0, *(len(node.cites) for node in nodes)]
        return cls(
            units=np.array([node.units for node in nodes], np.int64),
            position=np.array([node.position for node in nodes], np.int64),
            starts=np.cumsum(np.array(counts, np.int64)),
            targets=np.array([target for target, _ in cites], np.int64),
            weights=np.array([weight for _, weight in cites], np.int64),
        )

    def nodes(self) -> list[Node]:
        """Return the list of nodes: the inverse of `of`."""
        units, position, starts = self.units.tolist(), self.position.tolist(), self.starts.tolist()
        cites = list(zip(self.targets.tolist(), self.weights.tolist(), strict=True))
        return [
            Node(units[i], position[i], tuple(cites[starts[i] : starts[i + 1]]))
            for i in range(len(units))
        ]


def shares(graph: Graph, rule: Rule = DEFAULT) -> Ints:
    """Return the share of each node, out of 10^18: shape (V,), int64, exact.

    Raises what `core.reward.check` raises for the first bad node, and `Unavailable` where numba
    is missing.
    """
    kernels = _kernels()
    _check_arrays(graph)
    arrays = graph.units, graph.position, graph.starts, graph.targets, graph.weights
    index, fault = kernels.check(*arrays)
    if fault:
        error, what, remedy = _FAULTS[fault]
        raise error(f"Node {index} {what}.", remedy)
    flow = kernels.flow(graph.units, graph.starts, graph.targets, graph.weights)
    result: Ints = kernels.shares(graph.units, graph.position, flow, *rule.gamma, *rule.theta)
    return result


def warm_up() -> None:
    """Compile the loops, or load them from numba's cache, before a call that is timed."""
    shares(Graph.of([Node(1, 0), Node(1, 1, ((0, 1),))]))


def _check_arrays(graph: Graph) -> None:
    for name in Graph.__slots__:
        array = getattr(graph, name)
        if array.dtype != np.int64 or array.ndim != 1:
            raise Malformed(
                f"{name} is an array of {array.dtype} with {array.ndim} axes.",
                "Give one axis of int64.",
            )
    v, e = len(graph.units), len(graph.targets)
    if (len(graph.position), len(graph.starts), len(graph.weights)) != (v, v + 1, e):
        raise Malformed(
            f"{v} units, {len(graph.position)} positions, {len(graph.starts)} starts, {e} targets "
            f"and {len(graph.weights)} weights do not fit together.",
            "Give V units, V positions, V+1 starts, E targets and E weights.",
        )
    if graph.starts[0] != 0 or graph.starts[v] != e:
        raise Malformed(
            f"The offsets go from {graph.starts[0]} to {graph.starts[v]}.",
            f"They must go from 0 to {e}.",
        )


@dataclass(frozen=True, slots=True)
class _Kernels:
    check: Callable[..., tuple[int, int]]
    flow: Callable[..., Ints]
    shares: Callable[..., Ints]


@cache
def _kernels() -> _Kernels:
    try:
        from numba import njit
    except ImportError as error:
        raise Unavailable(
            f"The fast kernel needs numba ({error}).",
            "Install danseo[fast], or use core.reward, which gives the same numbers.",
        ) from None
    try:
        compile_ = njit(cache=True, nogil=True)
        return _Kernels(compile_(_check), compile_(_flow), compile_(_shares))
    except RuntimeError:  # nowhere to keep the compiled code: compile anew in each process
        compile_ = njit(nogil=True)
        return _Kernels(compile_(_check), compile_(_flow), compile_(_shares))


# The three functions below are compiled. No product in them leaves 64 bits: M, f, A and Z are at
# most 10^18, weights and units at most 10^9, and D at most 4.


def _check(units: Any, position: Any, starts: Any, targets: Any, weights: Any) -> tuple[int, int]:
    """Return the first bad node and its fault, or (-1, 0)."""
    cited_by = np.full(len(units), -1, np.int64)
    total = 0
    for i in range(len(units)):
        if units[i] < 0:
            return i, 1
        if i > 0 and position[i] < position[i - 1]:
            return i, 2
        if units[i] > UNITS - total:
            return i, 3
        total += units[i]
        if not starts[i] <= starts[i + 1] <= len(targets):
            return i, 8
        whole = 0
        for e in range(starts[i], starts[i + 1]):
            k = targets[e]
            if k < 0 or k >= i or position[k] >= position[i]:
                return i, 4
            if cited_by[k] == i:
                return i, 5
            cited_by[k] = i
            if weights[e] < 1:
                return i, 6
            if weights[e] > UNITS - whole:
                return i, 7
            whole += weights[e]
    return -1, 0


def _flow(units: Any, starts: Any, targets: Any, weights: Any) -> Any:
    """Return f, by `a*w // B = (a//B)*w + (a%B)*w // B`."""
    f = np.zeros(len(units), np.int64)
    for i in range(len(units) - 1, -1, -1):
        passed = units[i] * _B + f[i]
        high = passed // _B
        low = passed - high * _B
        for e in range(starts[i], starts[i + 1]):
            f[targets[e]] += high * weights[e] + low * weights[e] // _B
    return f


def _shares(units: Any, position: Any, flow: Any, gn: int, gd: int, tn: int, td: int) -> Any:
    """Return the shares: `M*X // (D*10^18)` is `m*X // (D*10^9)`, split like the flow."""
    per = gd * td * _B
    whole = per * _B
    total = np.int64(0)
    for i in range(len(units)):
        total += units[i]
    out = np.empty(len(units), np.int64)
    earlier, here, start = np.int64(0), np.int64(0), 0
    for i in range(len(units)):
        if i == start:  # a new position: add up all nodes that share it
            earlier += here
            here = np.int64(0)
            while start < len(units) and position[start] == position[i]:
                here += units[start]
                start += 1
        later = total - earlier - here
        x = whole + gn * ((tn * later - td * earlier) * _B + (td - tn) * flow[i])
        high = x // per
        out[i] = units[i] * high + units[i] * (x - high * per) // per
    return out
