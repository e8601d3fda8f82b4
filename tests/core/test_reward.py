"""The shoulders rule: each of its properties, and each of its known limits as a bound."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core import reward, treasury
from danseo.core.challenge import Challenge
from danseo.core.curve import Curve
from danseo.core.entry import parse
from danseo.core.errors import Conflict, Malformed, NotCovered, Refused
from danseo.core.ladder import climb
from danseo.core.reward import SHARES, UNITS, Node, Rule
from tests.core.ledger import terms

if TYPE_CHECKING:
    from danseo.core.kinds.challenge import OpenChallenge

RULES = [
    Rule((gn, gd), (tn, td))
    for gd in (1, 2, 3, 4)
    for td in (1, 2, 3, 4)
    if gd * td <= 4
    for gn in range(gd + 1)
    for tn in range(td + 1)
]
rules = st.one_of(st.just(reward.DEFAULT), st.sampled_from(RULES))
seeds = st.randoms(use_true_random=False)


@st.composite
def dags(draw: st.DrawFn, largest: int = 9) -> list[Node]:
    """A list that `check` accepts; neighbours may share a position, as the awards of a round do."""
    rnd = draw(seeds)
    n = draw(st.integers(1, largest))
    total = draw(st.sampled_from([UNITS, UNITS, UNITS - 1, 10**6, 7]))
    sizes = [draw(st.sampled_from([0, 1, 1, 2, 3, 50])) * rnd.randint(1, 10) for _ in range(n)]
    units = reward.split_units(total, sizes) if any(sizes) else sizes
    nodes: list[Node] = []
    position = 0
    for i in range(n):
        position += i > 0 and rnd.random() < 0.8
        earlier = [k for k in range(i) if nodes[k].position < position]
        nodes.append(Node(units[i], position, some_cites(rnd, earlier)))
    return nodes


def some_cites(rnd: random.Random, earlier: list[int]) -> tuple[tuple[int, int], ...]:
    targets = rnd.sample(earlier, rnd.randint(0, min(3, len(earlier))))
    if not targets:
        return ()
    whole = rnd.choice([UNITS, UNITS, UNITS - 1, rnd.randint(len(targets), UNITS)])
    weights = reward.split_units(whole - len(targets), [rnd.randint(1, 9) for _ in targets])
    return tuple((t, w + 1) for t, w in zip(targets, weights, strict=True))


def size(node: Node) -> int:
    return node.units * 10**9


# The formulas


def test_the_default_rule_gives_the_shares_that_a_hand_computes():
    nodes = [
        Node(400_000_000, 0),
        Node(300_000_000, 1, ((0, UNITS // 2),)),
        Node(100_000_000, 2, ((0, UNITS // 4), (1, UNITS // 2))),
    ]
    # f_1 = .05, f_0 = .025 + (.3 + .05)/2 = .2; share = M (4 + Z + f - 2A) / 4
    assert reward.flow(nodes) == [2 * 10**17, 5 * 10**16, 0]
    assert reward.shares(nodes) == [
        4 * 10**17 * (40 + 4 + 2) // 40,
        3 * 10**17 * (400 + 10 + 5 - 80) // 400,
        10**17 * (40 - 14) // 40,
    ]


@given(dags(), rules)
def test_a_list_that_check_accepts_has_flows_within_what_stands_later(nodes, rule):
    reward.check(nodes)
    later = [sum(size(o) for o in nodes if o.position > n.position) for n in nodes]
    assert all(0 <= f <= z for f, z in zip(reward.flow(nodes), later, strict=True))


@given(dags(), rules)
def test_shares_are_the_published_formula(nodes, rule):
    (gn, gd), (tn, td) = rule.gamma, rule.theta
    whole = gd * td * 10**18
    for node, f, share in zip(nodes, reward.flow(nodes), reward.shares(nodes, rule), strict=True):
        a = sum(size(o) for o in nodes if o.position < node.position)
        z = sum(size(o) for o in nodes if o.position > node.position)
        assert share == size(node) * (whole + gn * (tn * z + (td - tn) * f - td * a)) // whole


@given(dags(), rules)
def test_a_breakdown_adds_up_and_no_part_is_negative(nodes, rule):
    gn, gd = rule.gamma
    parts = reward.breakdown(nodes, rule)
    assert [p.share for p in parts] == reward.shares(nodes, rule)
    for node, part in zip(nodes, parts, strict=True):
        earlier = sum(size(o) for o in nodes if o.position < node.position)
        assert part.own == size(node)
        assert part.own + part.received - part.owed == part.share
        assert part.received >= 0
        assert 0 <= part.owed * gd * SHARES - gn * part.own * earlier < gd * SHARES


# The properties


@given(dags(), rules, st.integers(0, 100))
def test_the_money_equation_holds_with_any_grants_that_are_grantable(nodes, rule, percent):
    shares = reward.shares(nodes, rule)
    grants = reward.grantable(nodes, shares, 0) * percent // 100
    c = reward.commons(nodes, shares)
    unminted = 10**9 * (10**9 - sum(n.units for n in nodes))
    assert sum(shares) + grants + (c - grants) + unminted == SHARES
    assert reward.equation(nodes, shares, grants)


@given(dags(), rules)
def test_the_equation_fails_for_shares_or_grants_beyond_what_there_is(nodes, rule):
    shares = reward.shares(nodes, rule)
    c = reward.commons(nodes, shares)
    assert reward.equation(nodes, shares, c)
    assert not reward.equation(nodes, shares, c + 1)
    assert not reward.equation(nodes, shares, -1)
    assert not reward.equation(nodes, [shares[0] + c + 1, *shares[1:]], 0)
    assert not reward.equation(nodes, [*shares, -1], 0)


@given(dags(), rules)
def test_commons_are_never_negative(nodes, rule):
    assert reward.commons(nodes, reward.shares(nodes, rule)) >= 0


@given(dags(), rules, seeds)
def test_grants_stay_covered_however_the_list_grows(nodes, rule, rnd):
    granted = 0
    for end in range(1, len(nodes) + 1):
        shares = reward.shares(nodes[:end], rule)
        assert reward.commons(nodes[:end], shares) >= granted
        free = reward.grantable(nodes[:end], shares, granted)
        granted += rnd.choice([0, free, rnd.randint(0, free)])
        assert reward.equation(nodes[:end], shares, granted)


def test_commons_can_shrink_by_rounding_and_the_margin_covers_that():
    rnd = random.Random(5)
    shrank = 0
    for _ in range(1500):
        nodes: list[Node] = []
        units = reward.split_units(rnd.randint(5, UNITS), [rnd.randint(1, 9) for _ in range(5)])
        for i, m in enumerate(units):
            nodes.append(Node(m, i, some_cites(rnd, list(range(i)))))
        prefixes = [nodes[:k] for k in range(1, 6)]
        for before, after in pairwise(prefixes):
            shares = reward.shares(before)
            later = reward.commons(after, reward.shares(after))
            shrank += later < reward.commons(before, shares)
            assert reward.grantable(before, shares, 0) <= later
    assert shrank  # else the margin would be idle


@given(dags(), rules)
def test_no_share_ever_falls_when_the_list_grows(nodes, rule):
    before = [0] * len(nodes)
    for end in range(1, len(nodes) + 1):
        shares = reward.shares(nodes[:end], rule)
        assert all(new >= old for new, old in zip(shares, before, strict=False))
        before = shares


@given(dags(), rules)
def test_a_share_lies_within_gamma_of_its_step(nodes, rule):
    gn, gd = rule.gamma
    for node, share in zip(nodes, reward.shares(nodes, rule), strict=True):
        assert size(node) * (gd - gn) // gd <= share
        assert share * gd <= size(node) * (gd + gn)


def split(nodes: list[Node], i: int, first: int) -> list[Node]:
    """Node i by one owner as two: the second cites the first in full, later citers the second."""
    node = nodes[i]
    moved = [
        replace(
            n,
            position=2 * n.position,
            cites=tuple((k + (k >= i), w) for k, w in n.cites),
        )
        for n in nodes
    ]
    second = Node(node.units - first, 2 * node.position + 1, ((i, UNITS),))
    return [*moved[:i], replace(moved[i], units=first), second, *moved[i + 1 :]]


@given(dags(), rules, seeds)
def test_a_split_changes_nobody_elses_share_and_the_owners_by_at_most_one(nodes, rule, rnd):
    alone = [i for i, n in enumerate(nodes) if [o.position for o in nodes].count(n.position) == 1]
    if not alone:
        return
    i = rnd.choice(alone)
    parts = split(nodes, i, rnd.randint(0, nodes[i].units))
    reward.check(parts)
    whole, halves = reward.shares(nodes, rule), reward.shares(parts, rule)
    assert halves[:i] + halves[i + 2 :] == whole[:i] + whole[i + 1 :]
    assert whole[i] - 1 <= halves[i] + halves[i + 1] <= whole[i]


@given(dags(), rules, seeds)
def test_citing_is_neutral_to_the_citer(nodes, rule, rnd):
    i = rnd.randrange(len(nodes))
    earlier = [k for k in range(i) if nodes[k].position < nodes[i].position]
    other = [*nodes[:i], replace(nodes[i], cites=some_cites(rnd, earlier)), *nodes[i + 1 :]]
    assert reward.shares(other, rule)[i] == reward.shares(nodes, rule)[i]


@given(dags(), rules)
def test_within_a_jury_round_the_order_of_awards_does_not_matter(nodes, rule):
    order = sorted(range(len(nodes)), key=lambda i: (nodes[i].position, -i))
    place = {old: new for new, old in enumerate(order)}
    turned = [
        replace(nodes[i], cites=tuple((place[k], w) for k, w in nodes[i].cites)) for i in order
    ]
    reward.check(turned)
    shares, after = reward.shares(nodes, rule), reward.shares(turned, rule)
    assert [after[place[i]] for i in range(len(nodes))] == shares


def pool(shares: list[int]) -> Challenge:
    """A settled challenge in which each share stands to an account of its own."""
    accounts = {f"contributor-{i}": share for i, share in enumerate(shares)}
    opening = cast("OpenChallenge", parse("challenge.open", {"terms": terms()}))
    return Challenge(
        "c", "host", opening.terms, 0, 0, settled_by="truth", settled_at=1, accounts=accounts
    )


def pay_out(challenge: Challenge, rnd: random.Random, waiting: set[str]) -> dict[str, int]:
    """Pay, in any order, what is payable to all who do not wait; return all that was paid."""
    for name in rnd.sample(sorted(challenge.accounts), len(challenge.accounts)):
        if name not in waiting:
            treasury.pay(challenge, name, "KRW", treasury.owed(challenge, "KRW")[name].payable)
    return {name: challenge.books.balance("KRW", f"paid:{name}") for name in challenge.accounts}


@given(dags(), rules, st.lists(st.integers(0, 10**24), max_size=5), seeds)
def test_the_order_of_donations_does_not_matter_nor_does_waiting_for_them(nodes, rule, gifts, rnd):
    shares = reward.shares(nodes, rule)
    for order in (gifts, rnd.sample(gifts, len(gifts))):
        challenge = pool(shares)
        for gift in order:
            challenge.books.post("KRW", "outside", "pool", gift)
            pay_out(challenge, rnd, {n for n in challenge.accounts if rnd.random() < 0.5})
        paid = pay_out(challenge, rnd, set())
        assert paid == {
            f"contributor-{i}": owed(sum(gifts), share) for i, share in enumerate(shares)
        }


def owed(received: int, share: int) -> int:
    return received * share // SHARES


# A random adversary against a challenge


@dataclass(frozen=True)
class Act:
    """A clue in order of commitment: whose, its exact progress in grid cells, what it cites.

    `praise` is the weight of its citation to the adversary's newest clue; the rest of its
    citations (`cites`, ids of earlier honest clues) are its own affair.
    """

    name: str
    cells: int
    praise: int
    cites: tuple[tuple[str, int], ...]


ADVERSARY = "adversary"
CELLS = 40


def play(curve: Curve, acts: list[Act], rule: Rule) -> dict[str, int]:
    """Fold acts through the Ladder and the rule; return the sum of shares for each name."""
    nodes: list[Node] = []
    newest: dict[str, int] = {}
    owners: list[str] = []
    best = 0
    for act in acts:
        step = climb(curve, best, act.cells * curve.eta)
        best = best if step is None else step.best
        cites = [(newest[name], w) for name, w in act.cites if name in newest]
        if act.praise and ADVERSARY in newest:
            cites.append((newest[ADVERSARY], act.praise))
        nodes.append(Node(0 if step is None else step.units, len(nodes), tuple(cites)))
        newest[act.name] = len(nodes) - 1
        owners.append(act.name)
    reward.check(nodes)
    total = dict.fromkeys(owners, 0)
    for name, share in zip(owners, reward.shares(nodes, rule), strict=True):
        total[name] += share
    return total


@st.composite
def contests(draw: st.DrawFn) -> tuple[Curve, list[Act], int]:
    """A curve, acts in order, and the place of the adversary's one honest act among them."""
    rnd = draw(seeds)
    n = draw(st.integers(1, 7))
    mid = rnd.randint(1, CELLS - 1)
    low = rnd.randint(0, UNITS)
    curve = Curve(((0, 0), (mid * 7, low), (CELLS * 7, UNITS)), eta=7, higher=True)
    his = rnd.randrange(n)
    acts: list[Act] = []
    for i in range(n):
        honest = [act.name for act in acts if act.name != ADVERSARY]
        chosen = rnd.sample(honest, rnd.randint(0, min(2, len(honest))))
        weights = [w + 1 for w in reward.split_units(UNITS - 4, [rnd.randint(1, 5)] * 3)]
        cites = tuple(zip(chosen, weights, strict=False))
        name = ADVERSARY if i == his else f"contributor-{i}"
        praise = 0 if i == his else rnd.choice([0, weights[2]])
        acts.append(Act(name, rnd.randint(0, CELLS + 5), praise, cites))
    return curve, acts, his


@settings(max_examples=400)
@given(contests(), rules, seeds)
def test_an_adversary_who_splits_hides_copies_and_waits_never_gains(contest, rule, rnd):
    """He knows `mine.cells` from his place on; he may publish any of it, in any number of clues.

    Each further clue of his cites his newest in full. Splitting, holding back, waiting, copying
    what others published, and clues without a step are all of this form. Every clue can gain him
    at most one share by rounding; there are 10^18.
    """
    curve, acts, his = contest
    mine = acts[his]
    honest = play(curve, acts, rule)[ADVERSARY]
    deviant, published = acts[:his], 0
    for place, act in enumerate([None, *acts[his + 1 :]]):
        known = max([mine.cells, *(a.cells for a in acts[his + 1 : his + place + 1])])
        deviant += [act] if act is not None else []
        for _ in range(rnd.choice([0, 0, 1, 2, 3])):
            copied = rnd.random() < 0.2
            cells = known if copied else rnd.randint(0, mine.cells)
            cites = mine.cites if published == 0 else ()
            praise = UNITS if published else 0
            deviant.append(Act(ADVERSARY, cells, praise, cites))
            published += 1
    assert play(curve, deviant, rule).get(ADVERSARY, 0) <= honest + published


@given(contests(), rules, seeds)
def test_a_copy_earns_nothing_and_changes_nothing(contest, rule, rnd):
    curve, acts, _ = contest
    before = play(curve, acts, rule)
    place = rnd.randrange(len(acts))
    original = acts[place]
    copy = Act("copier", original.cells, rnd.choice([0, UNITS]), ())
    after = play(curve, [*acts[: place + 1], copy, *acts[place + 1 :]], rule)
    assert after.pop("copier") == 0
    assert after == before


@given(contests(), rules, seeds)
def test_an_outsiders_sybils_never_gain(contest, rule, rnd):
    """Clues without a step, however many and however they cite, earn nothing by themselves."""
    curve, acts, _ = contest
    before = play(curve, acts, rule)
    mixed: list[Act] = []
    for act in acts:
        names = sorted({a.name for a in mixed if a.name != ADVERSARY})
        for _ in range(rnd.randint(0, 2)):
            cites = tuple((name, UNITS // 4) for name in rnd.sample(names, min(3, len(names))))
            mixed.append(Act(f"sybil-{len(mixed)}", 0, UNITS // 4, cites))
        mixed.append(act)
    after = play(curve, mixed, rule)
    assert {name: s for name, s in after.items() if not name.startswith("sybil")} == before
    assert sum(s for name, s in after.items() if name.startswith("sybil")) == 0


@given(dags(), rules, seeds)
def test_a_step_divided_among_sybils_who_cite_as_they_like_never_gains(nodes, rule, rnd):
    """They come one after another, and later citers divide their citation among them at will."""
    places = [node.position for node in nodes]
    alone = [i for i, node in enumerate(nodes) if places.count(node.position) == 1]
    if not alone:
        return
    i, parts = rnd.choice(alone), rnd.randint(1, 4)
    weights = [rnd.randint(0, 3) for _ in range(parts - 1)] + [1]
    sybils = [
        Node(m, nodes[i].position * 9 + j, some_cites(rnd, list(range(i + j))))
        for j, m in enumerate(reward.split_units(nodes[i].units, weights))
    ]
    moved = [replace(n, position=n.position * 9) for n in nodes[:i]] + sybils
    for n in nodes[i + 1 :]:
        cites = [(k + (parts - 1) * (k > i), w) for k, w in n.cites if k != i]
        for praise in (w for k, w in n.cites if k == i):
            divided = reward.split_units(praise, [rnd.randint(1, 9) for _ in range(parts)])
            cites += [(i + j, w) for j, w in enumerate(divided) if w]
        moved.append(replace(n, position=n.position * 9, cites=tuple(cites)))
    reward.check(moved)
    gained = sum(reward.shares(moved, rule)[i : i + parts])
    assert gained <= reward.shares(nodes, rule)[i]


@given(dags(), rules, st.integers(0, 10**24), st.integers(0, 10**24), seeds)
def test_donating_to_oneself_never_pays(nodes, rule, others, own, rnd):
    """Not even for one who owns most of the nodes."""
    shares = reward.shares(nodes, rule)
    his = {name for name in pool(shares).accounts if rnd.random() < 0.7}

    def gets(received: int) -> int:
        challenge = pool(shares)
        challenge.books.post("KRW", "outside", "pool", received)
        accounts = treasury.owed(challenge, "KRW")
        return sum(accounts[name].payable for name in his)

    # Each of his accounts is rounded down by less than one unit of money.
    assert gets(others + own) - own < gets(others) + max(1, len(his))


# The known limits, as bounds


@given(dags(), rules, seeds)
def test_redirecting_a_citation_moves_no_more_than_the_stated_bound(nodes, rule, rnd):
    """At most gamma (1 - theta) M_k (M_i + f_i) / P, and one share of rounding."""
    (gn, gd), (tn, td) = rule.gamma, rule.theta
    i = rnd.randrange(len(nodes))
    earlier = [k for k in range(i) if nodes[k].position < nodes[i].position]
    if not earlier:
        return
    k = rnd.choice(earlier)
    before, f = reward.shares(nodes, rule), reward.flow(nodes)
    redirected = [*nodes[:i], replace(nodes[i], cites=((k, UNITS),)), *nodes[i + 1 :]]
    gain = reward.shares(redirected, rule)[k] - before[k]
    bound = gn * (td - tn) * size(nodes[k]) * (size(nodes[i]) + f[i])
    assert (gain - 1) * gd * td * SHARES < bound or gain <= 0
    assert gain <= -(-bound // (gd * td * SHARES))


@given(dags(), rules)
def test_all_citations_together_move_at_most_an_eighth(nodes, rule):
    """gamma (1 - theta) / 2 of all shares: 12.5 % by default."""
    (gn, gd), (tn, td) = rule.gamma, rule.theta
    uncited = [replace(node, cites=()) for node in nodes]
    moved = sum(reward.shares(nodes, rule)) - sum(reward.shares(uncited, rule))
    assert (moved - len(nodes)) * 2 * gd * td <= gn * (td - tn) * SHARES


def test_the_bound_on_all_citations_is_nearly_reached_by_a_long_chain():
    units = [UNITS // 200] * 200
    chain = [Node(m, i, ((i - 1, UNITS),) if i else ()) for i, m in enumerate(units)]
    uncited = [replace(node, cites=()) for node in chain]
    moved = sum(reward.shares(chain)) - sum(reward.shares(uncited))
    assert SHARES * 124 // 1000 < moved <= SHARES // 8


@given(contests(), rules, st.integers(1, CELLS))
def test_a_planted_baseline_gains_at_most_what_its_steps_allow(contest, rule, cells):
    """An organiser's second identity that is first with progress b gets at most (1+gamma) V(b)."""
    curve, acts, _ = contest
    gn, gd = rule.gamma
    plant = Act("plant", cells, 0, ())
    gain = play(curve, [plant, *acts], rule)["plant"]
    assert gain * gd <= (gd + gn) * curve.value(cells * curve.eta) * 10**9


def test_hiding_less_than_a_grid_cell_can_let_a_later_clue_step_over_one():
    """A limit of the Ladder: exact progress 19 keeps 28 from stepping, 15 does not. One cell."""
    curve = Curve(((0, 0), (100, UNITS)), eta=10, higher=True)
    assert climb(curve, 19, 28) is None
    step = climb(curve, 15, 28)
    assert step is not None
    assert step.units == UNITS // 10


# What is refused


@pytest.mark.parametrize(
    ("nodes", "error", "named"),
    [
        ([Node(-1, 0)], Malformed, "Node 0"),
        ([Node(0, 1), Node(0, 0)], Conflict, "Node 1"),
        ([Node(UNITS, 0), Node(1, 1)], NotCovered, "node 1"),
        ([Node(0, 0), Node(0, 1, ((1, 1),))], Conflict, "node 1"),
        ([Node(0, 0), Node(0, 1, ((2, 1),))], Conflict, "node 2"),
        ([Node(0, 0), Node(0, 1, ((-1, 1),))], Conflict, "node -1"),
        ([Node(0, 0), Node(0, 0, ((0, 1),))], Conflict, "node 0"),
        ([Node(0, 0), Node(0, 1, ((0, 1), (0, 1)))], Conflict, "twice"),
        ([Node(0, 0), Node(0, 1, ((0, 0),))], Malformed, "weight 0"),
        ([Node(0, 0), Node(0, 1), Node(0, 2, ((0, UNITS), (1, 1)))], Malformed, str(UNITS + 1)),
    ],
)
def test_a_list_that_breaks_a_rule_is_refused_by_name(nodes, error, named):
    with pytest.raises(error, match=named) as caught:
        reward.check(nodes)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("gamma", "theta"),
    [((3, 2), (1, 2)), ((-1, 2), (1, 2)), ((1, 0), (1, 2)), ((1, 3), (1, 2)), ((1, 2), (1, 4))],
)
def test_a_rule_outside_its_range_is_refused(gamma, theta):
    with pytest.raises(Malformed):
        Rule(gamma, theta)


@given(st.integers(0, SHARES), st.lists(st.integers(0, UNITS), min_size=1, max_size=8))
def test_a_split_by_largest_remainder_is_whole_and_within_one_of_the_exact_part(total, weights):
    if not any(weights):
        with pytest.raises(Refused):
            reward.split_units(total, weights)
        return
    parts = reward.split_units(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    assert all(abs(p * whole - total * w) < whole for p, w in zip(parts, weights, strict=True))


def test_the_largest_remainder_goes_first_and_of_equal_ones_the_first():
    assert reward.split_units(10, [3, 3, 1]) == [4, 4, 2]
    assert reward.split_units(3, [1, 1]) == [2, 1]
    assert reward.split_units(5, [1, 3]) == [1, 4]
