"""The shoulders rule: steps and citations become exact shares of 10^18.

The rule knows no money. A node of m units counts M = m * 10^9. It owes a part gamma of itself to
what stood before it: theta of that to all earlier nodes by size, the rest along citations. What
nobody claims is the commons. (docs/design/0001; section 4 of the plan gives the formulas and the
known limits, and tests/core/test_reward.py holds each property and each limit.)

Every function but `check` takes nodes that `check` has accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from danseo.core.errors import Conflict, Malformed, NotCovered

UNITS: Final = 10**9
"""All units that a challenge can mint; also the whole of a clue's citations."""
SHARES: Final = 10**18
"""All shares that there are."""
_PER_UNIT: Final = SHARES // UNITS
_MAX_DENOMINATOR: Final = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """gamma: the part that a step owes to what stood before it. theta: how much of that part goes
    to all earlier steps by size, and not along citations. Both as (numerator, denominator).

    The denominators' product is at most 4, so that the kernel in `flows.shares_fast` stays within
    64 bits.
    """

    gamma: tuple[int, int] = (1, 2)
    theta: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        for name, (top, bottom) in (("gamma", self.gamma), ("theta", self.theta)):
            if not 0 <= top <= bottom or bottom < 1:
                raise Malformed(
                    f"{name} is {top}/{bottom}.", "It must lie between 0 and 1, both allowed."
                )
        if self.denominator > _MAX_DENOMINATOR:
            raise Malformed(
                f"The denominators of gamma and theta give {self.denominator}.",
                f"Their product may be at most {_MAX_DENOMINATOR}: use halves, or one third or "
                "quarter beside a whole.",
            )

    @property
    def denominator(self) -> int:
        """D: the product of both denominators."""
        return self.gamma[1] * self.theta[1]


DEFAULT: Final = Rule()


@dataclass(frozen=True, slots=True)
class Node:
    """One final clue, or one award of a jury, in the list in order of finality.

    `units` is m. `position` is the place in the order; the awards of one jury round share one.
    `cites` holds (index of an earlier node, weight in parts per 10^9), weights together at most
    10^9.
    """

    units: int
    position: int
    cites: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Where a share comes from: `share = own + received - owed`, exactly.

    `owed` is rounded up to a whole share, so that `received` is never negative.
    """

    own: int
    received: int
    owed: int
    share: int


def check(nodes: Sequence[Node]) -> None:
    """Raise `Malformed`, `Conflict` or `NotCovered` at the first node that the rule cannot take.

    >>> check([Node(5, 0), Node(7, 1, ((0, UNITS),))])
    >>> check([Node(5, 0), Node(7, 1, ((1, UNITS),))])
    Traceback (most recent call last):
    danseo.core.errors.Conflict: Node 1 cites node 1. Cite only nodes at an earlier position.
    """
    total, before = 0, 0
    for index, node in enumerate(nodes):
        if node.units < 0:
            raise Malformed(f"Node {index} has {node.units} units.", "Units are never negative.")
        if index and node.position < before:
            raise Conflict(
                f"Node {index} has position {node.position}, after {before}.",
                "Positions never go back: append in order of finality.",
            )
        before = node.position
        total += node.units
        if total > UNITS:
            raise NotCovered(
                f"Units reach {total} with node {index}.", f"All together are at most {UNITS}."
            )
        check_cites(nodes, index)


def check_cites(nodes: Sequence[Node], index: int) -> None:
    """Raise where the citations of node `index` are no distinct earlier nodes or weigh too much."""
    node = nodes[index]
    seen: set[int] = set()
    whole = 0
    for target, weight in node.cites:
        if not 0 <= target < index or nodes[target].position >= node.position:
            raise Conflict(
                f"Node {index} cites node {target}.", "Cite only nodes at an earlier position."
            )
        if target in seen:
            raise Conflict(f"Node {index} cites node {target} twice.", "Add the weights up.")
        if weight < 1:
            raise Malformed(
                f"Node {index} cites node {target} with weight {weight}.", "A weight is at least 1."
            )
        seen.add(target)
        whole += weight
    if whole > UNITS:
        raise Malformed(
            f"The citations of node {index} weigh {whole} together.",
            f"At most {UNITS} is the whole.",
        )


def flow(nodes: Sequence[Node]) -> list[int]:
    """Return f: what reaches each node along citations from all later ones, in shares.

    In reverse order, `f_k += (M_i + f_i) * w // 10^9`. So f_k is at most the sum of later M.
    """
    f = [0] * len(nodes)
    for i in range(len(nodes) - 1, -1, -1):
        node = nodes[i]
        if node.cites:
            passed = node.units * _PER_UNIT + f[i]
            for target, weight in node.cites:
                f[target] += passed * weight // UNITS
    return f


def shares(nodes: Sequence[Node], rule: Rule = DEFAULT) -> list[int]:
    """Return the share of each node, out of 10^18.

    With A and Z the sums of M at strictly earlier and strictly later positions:
    `M * (D*10^18 + gn*(tn*Z + (td-tn)*f - td*A)) // (D*10^18)`.

    >>> shares([Node(400_000_000, 0), Node(100_000_000, 1, ((0, UNITS),))])
    [420000000000000000, 80000000000000000]
    """
    (gn, _), (tn, td) = rule.gamma, rule.theta
    whole = rule.denominator * SHARES
    return [
        node.units * _PER_UNIT * (whole + gn * (tn * later + (td - tn) * f - td * earlier)) // whole
        for node, f, (earlier, later) in zip(nodes, flow(nodes), _around(nodes), strict=True)
    ]


def breakdown(
    nodes: Sequence[Node], rule: Rule = DEFAULT, known: Sequence[int] | None = None
) -> list[Breakdown]:
    """Return for each node its own step, what later ones pay it, what it owes, and its share.

    `known` are the shares where a kernel has computed them.
    """
    gn, gd = rule.gamma
    out = []
    all_shares = shares(nodes, rule) if known is None else known
    for node, share, (earlier, _) in zip(nodes, all_shares, _around(nodes), strict=True):
        own = node.units * _PER_UNIT
        owed = -(-own * gn * earlier // (gd * SHARES))
        out.append(Breakdown(own, share - own + owed, owed, share))
    return out


def commons(nodes: Sequence[Node], shares: Sequence[int]) -> int:
    """Return C, what nobody claims: the sum of M less the sum of shares. Never negative."""
    return sum(node.units for node in nodes) * _PER_UNIT - sum(shares)


def grantable(nodes: Sequence[Node], shares: Sequence[int], earlier_grants: int) -> int:
    """Return F, what a jury round may still grant from the commons: max(0, C - earlier - V - E).

    Each of V shares and E citations is rounded down by less than one, and only that part of the
    commons can shrink as the list grows; so what is granted within F stays covered for ever.
    """
    rounding = len(nodes) + sum(len(node.cites) for node in nodes)
    return max(0, commons(nodes, shares) - earlier_grants - rounding)


def equation(nodes: Sequence[Node], shares: Sequence[int], grants: int) -> bool:
    """Say whether the money equation holds with no term below zero; `grants` is their sum.

    `10^18 = sum share + sum grants + (C - sum grants) + 10^9 * (10^9 - sum m)`.
    """
    minted = sum(node.units for node in nodes)
    terms = (
        sum(shares),
        grants,
        commons(nodes, shares) - grants,
        _PER_UNIT * (UNITS - minted),
    )
    return min(*terms, *shares, 0) == 0 and sum(terms) == SHARES


def split_units(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` by `weights` into whole numbers that add up to it: largest remainder.

    Equal remainders go to the lower index. Weights are never negative and not all zero.

    >>> split_units(10, [1, 1, 1])
    [4, 3, 3]
    """
    whole = sum(weights)
    if total < 0 or whole < 1 or min(weights) < 0:
        raise Malformed(
            f"{total} cannot be split by weights that add up to {whole}.",
            "Give weights of at least 0, not all 0, and a total of at least 0.",
        )
    parts = [total * weight // whole for weight in weights]
    left = total - sum(parts)
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in order[:left]:
        parts[i] += 1
    return parts


def _around(nodes: Sequence[Node]) -> Iterable[tuple[int, int]]:
    """Yield (A, Z) for each node: the sums of M at strictly earlier and later positions."""
    total = sum(node.units for node in nodes) * _PER_UNIT
    earlier = 0
    for _, group in groupby(nodes, key=lambda node: node.position):
        level = list(group)
        here = sum(node.units for node in level) * _PER_UNIT
        for _ in level:
            yield earlier, total - earlier - here
        earlier += here
