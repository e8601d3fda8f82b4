"""The pairwise jury: what a ballot must be, and what a tally makes of ballots."""

from __future__ import annotations

import random
import time
from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core import ballot as jury
from danseo.core.ballot import Ballot, check_ballot, tally
from danseo.core.errors import Conflict, Malformed, NotAllowed, NotFound
from danseo.core.reward import UNITS, split_units


@st.composite
def ballots(draw: st.DrawFn, juror: str = "juror-1", largest: int = 8) -> Ballot:
    """A ballot that `check_ballot` accepts: a random tree of pairs and a few more."""
    rnd = draw(st.randoms(use_true_random=False))
    n = draw(st.integers(1, largest))
    clues = tuple(rnd.sample(range(20), n))
    pairs = {(rnd.randrange(i), i): rnd.randint(-4, 4) for i in range(1, n)}
    for _ in range(rnd.randint(0, n)):
        a, b = sorted(rnd.sample(range(n), 2)) if n > 1 else (0, 0)
        if a < b:
            pairs[a, b] = rnd.randint(-4, 4)
    return Ballot(juror, clues, tuple((clues[a], clues[b], k) for (a, b), k in pairs.items()))


def least_squares(ballot: Ballot) -> dict[int, Fraction]:
    """The exponents with sum zero, by plain elimination in fractions."""
    clues = ballot.clues
    n = len(clues)
    # Adding 1 to every coefficient of the Laplacian picks the solution whose sum is zero.
    rows = [[Fraction(1)] * n + [Fraction(0)] for _ in clues]
    for a, b, k in ballot.pairs:
        i, j = clues.index(a), clues.index(b)
        for one, other, sign in ((i, j, 1), (j, i, -1)):
            rows[one][one] += 1
            rows[one][other] -= 1
            rows[one][n] += sign * k
    for p in range(n):
        rows[p] = [x / rows[p][p] for x in rows[p]]
        for i in range(n):
            if i != p:
                rows[i] = [x - rows[i][p] * y for x, y in zip(rows[i], rows[p], strict=True)]
    return {clue: row[n] for clue, row in zip(clues, rows, strict=True)}


def one(pairs: list[tuple[int, int, int]], juror: str = "juror-1") -> Ballot:
    clues = tuple(sorted({clue for a, b, _ in pairs for clue in (a, b)}))
    return Ballot(juror, clues, tuple(pairs))


@given(ballots())
def test_the_exponents_are_least_squares_exactly_rounded_down_to_a_1024th(ballot):
    exact = least_squares(ballot)
    assert sum(exact.values()) == 0
    assert jury._exponents(ballot) == [floor(1024 * exact[clue]) for clue in ballot.clues]


@given(ballots())
def test_a_tally_of_one_ballot_follows_its_exponents_and_is_whole(ballot):
    weights = tally([ballot], {})
    assert sum(weights.values()) == UNITS
    exact = least_squares(ballot)
    ranked = sorted(ballot.clues, key=lambda clue: exact[clue])
    assert all(weights[a] <= weights[b] + 1 for a, b in pairwise(ranked))


def test_twice_as_good_gets_twice_the_weight():
    assert tally([one([(1, 2, 1), (2, 3, 1), (1, 3, 2)])], {}) == {
        1: 571_428_571,
        2: 285_714_286,
        3: 142_857_143,
    }


def test_a_power_of_two_is_exact_to_seventeen_digits():
    for exponent in range(0, 5 * 1024, 7):
        value = jury._power_of_two(exponent)
        # value / 2^64 = 2^(exponent/1024), so the 1024th power of the one is that of the other.
        high, low = value + 64 * (1 << exponent // 1024), value
        assert low**1024 <= 1 << (64 * 1024 + exponent) <= high**1024


@given(ballots(), st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_direction_of_pairs_matters(ballot, rnd):
    turned = [(b, a, -k) if rnd.random() < 0.5 else (a, b, k) for a, b, k in ballot.pairs]
    rnd.shuffle(turned)
    clues = tuple(rnd.sample(ballot.clues, len(ballot.clues)))
    other = tally([Ballot("juror-1", clues, tuple(turned))], {})
    # Only the largest remainder's ties can go by the order of the ballot's clues.
    assert all(abs(other[c] - w) <= 1 for c, w in tally([ballot], {}).items())


@given(ballots("juror-1"), ballots("juror-2"), ballots("juror-3"))
def test_the_order_of_ballots_does_not_matter(a, b, c):
    assert tally([a, b, c], {}) == tally([c, a, b], {})


def test_the_lower_median_ignores_one_wild_juror_of_three():
    fair = [(1, 2, 0), (2, 3, 0)]
    wild = [(1, 2, 4), (2, 3, 4)]
    alone = tally([one(fair, "juror-1")], {})
    three = tally([one(fair, "juror-1"), one(fair, "juror-2"), one(wild, "juror-3")], {})
    # The wild one drags two clues down to the median of the others, never up beyond it.
    assert three == alone


def test_of_two_jurors_the_lower_weight_counts():
    both = tally([one([(1, 2, 1)], "juror-1"), one([(1, 2, -1)], "juror-2")], {})
    assert both == {1: 500_000_000, 2: 500_000_000}


def test_a_clue_left_out_counts_zero_but_not_with_a_juror_who_is_recused_from_it():
    ballots = [one([(1, 2, 0)], "juror-1"), one([(1, 2, 0), (2, 3, 0)], "juror-2")]
    assert tally(ballots, {})[3] == 0
    assert tally(ballots, {"juror-1": {3}})[3] > 0


def test_a_juror_has_no_say_on_an_own_clue_even_with_a_ballot_that_names_it():
    ballots = [one([(1, 2, 4)], "juror-1"), one([(1, 2, 0)], "juror-2")]
    # Clue 1 is judged by the second alone (1/2), clue 2 by the lower of both (1/17, rounded).
    weights = tally(ballots, {"juror-1": {1}})
    assert [weights[1], weights[2]] == split_units(UNITS, [UNITS // 2, UNITS // 17])
    assert tally(ballots, {"juror-1": {1}, "juror-2": {1}}) == {1: 0, 2: UNITS}


def test_no_ballots_and_medians_that_are_all_zero_give_nothing():
    assert tally([], {}) == {}
    apart = [one([(1, 2, 0)], "juror-1"), one([(3, 4, 0)], "juror-2")]
    assert tally(apart, {}) == {}


def test_two_ballots_of_one_juror_are_refused():
    with pytest.raises(Conflict):
        tally([one([(1, 2, 0)]), one([(1, 2, 1)])], {})


def test_a_full_ballot_is_counted_in_a_few_seconds():
    rnd = random.Random(1)
    pairs = {(rnd.randrange(i), i): rnd.randint(-4, 4) for i in range(1, jury.MAX_CLUES)}
    while len(pairs) < 2000:
        a, b = sorted(rnd.sample(range(jury.MAX_CLUES), 2))
        pairs[a, b] = rnd.randint(-4, 4)
    ballot = one([(a, b, k) for (a, b), k in pairs.items()])
    start = time.process_time()
    assert sum(tally([ballot], {}).values()) == UNITS
    assert time.process_time() - start < 5


@given(ballots())
def test_a_good_ballot_is_accepted(ballot):
    check_ballot(ballot, set(range(20)), set())


@pytest.mark.parametrize(
    ("ballot", "error"),
    [
        (Ballot("j", (), ()), Malformed),
        (Ballot("j", tuple(range(201)), ()), Malformed),
        (Ballot("j", (1, 1), ()), Conflict),
        (Ballot("j", (1, 99), ((1, 99, 0),)), NotFound),
        (Ballot("j", (1, 7), ((1, 7, 0),)), NotAllowed),
        (Ballot("j", (1, 2), ((1, 2, 0), (2, 1, 0))), Conflict),
        (Ballot("j", (1, 2), ((1, 2, 0), (1, 2, 0))), Conflict),
        (Ballot("j", (1, 2), ((1, 1, 0),)), Malformed),
        (Ballot("j", (1, 2), ((1, 3, 0),)), NotFound),
        (Ballot("j", (1, 2), ((1, 2, 5),)), Malformed),
        (Ballot("j", (1, 2), ((1, 2, -5),)), Malformed),
        (Ballot("j", (1, 2), ()), Conflict),
        (Ballot("j", (1, 2, 3, 4), ((1, 2, 0), (3, 4, 0))), Conflict),
    ],
)
def test_a_bad_ballot_is_refused_with_its_own_error_and_a_remedy(ballot, error):
    with pytest.raises(error) as caught:
        check_ballot(ballot, {1, 2, 3, 4, 7}, {7})
    assert caught.value.remedy
