"""The value curve."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core.curve import Curve
from danseo.core.errors import Malformed
from danseo.core.reward import UNITS


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    eta = draw(st.integers(1, 10**7))
    higher = draw(st.booleans())
    baseline = draw(st.integers(-(10**12), 10**12))
    gaps = draw(st.lists(st.integers(1, 50), min_size=1, max_size=5))
    gains = draw(st.lists(st.integers(0, UNITS // 5), min_size=len(gaps), max_size=len(gaps)))
    points, score, units = [(baseline, 0)], baseline, 0
    for gap, gain in zip(gaps, gains, strict=True):
        score += gap * eta if higher else -gap * eta
        units += gain
        points.append((score, units))
    return Curve(tuple(points), eta, higher)


progresses = st.integers(0, 10**10)


@given(curves(), progresses, progresses)
def test_more_progress_is_never_worth_less(curve, a, b):
    low, high = sorted((a, b))
    assert 0 <= curve.value(low) <= curve.value(high) <= curve.total


@given(curves())
def test_the_curve_runs_through_its_points(curve):
    for score, units in curve.points:
        progress = curve.progress(score)
        assert curve.value(progress) == units
        assert curve.grid(progress) == progress
        assert curve.score(progress) == score
    assert curve.value(curve.progress(curve.points[-1][0]) + 10**9) == curve.total


@given(curves(), progresses)
def test_between_points_the_value_is_the_line_rounded_down(curve, progress):
    at = [(curve.progress(score), units) for score, units in curve.points]
    for (x0, y0), (x1, y1) in pairwise(at):
        if x0 <= progress < x1:
            assert curve.value(progress) == floor(
                y0 + Fraction((y1 - y0) * (progress - x0), x1 - x0)
            )


@given(curves(), st.lists(progresses, min_size=2, max_size=6))
def test_steps_telescope_however_the_way_is_divided(curve, stops):
    way = sorted(stops)
    parts = [curve.value(b) - curve.value(a) for a, b in pairwise(way)]
    assert sum(parts) == curve.value(way[-1]) - curve.value(way[0])


def test_below_the_baseline_there_is_no_progress_in_either_direction():
    up = Curve(((-50, 0), (50, 10)), 10, higher=True)
    down = Curve(((50, 0), (-50, 10)), 10, higher=False)
    assert [up.progress(s) for s in (-60, -50, -45, 50)] == [0, 0, 5, 100]
    assert [down.progress(s) for s in (60, 50, 45, -50)] == [0, 0, 5, 100]
    assert up.grid(19) == 10
    with pytest.raises(Malformed):
        up.value(-1)


@pytest.mark.parametrize(
    ("last", "warns"), [(100, False), (190, False), (191, True), (695, True), (50, False)]
)
def test_a_curve_that_is_steeper_at_the_end_rewards_holding_back(last, warns):
    for higher in (True, False):
        sign = 1 if higher else -1
        points = ((0, 0), (sign * 100, 100), (sign * 200, 300), (sign * 300, 300 + last))
        assert Curve(points, 10, higher).rewards_holding_back() is warns


def test_a_curve_that_starts_flat_rewards_holding_back():
    assert Curve(((0, 0), (10, 0), (20, 1)), 10, higher=True).rewards_holding_back()


@pytest.mark.parametrize(
    ("points", "eta", "higher"),
    [
        (((0, 0), (10, 5)), 0, True),
        (((0, 0),), 1, True),
        (((0, 1), (10, 5)), 1, True),
        (((0, 0), (0, 5)), 1, True),
        (((0, 0), (-10, 5)), 1, True),
        (((0, 0), (10, 5)), 1, False),
        (((0, 0), (15, 5)), 10, True),
        (((0, 0), (10, 5), (20, 4)), 10, True),
        (((0, 0), (10, UNITS + 1)), 10, True),
    ],
)
def test_a_curve_that_breaks_a_rule_is_refused_with_a_remedy(points, eta, higher):
    with pytest.raises(Malformed) as caught:
        Curve(points, eta, higher)
    assert caught.value.remedy
