"""The value curve: what progress is worth, in units.

Scores are integers in parts per billion. Progress is how far a score lies beyond the baseline, in
the curve's direction; below the baseline it is none. So only numbers that are not negative are
ever divided, and every machine rounds alike.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from danseo.core.errors import Malformed
from danseo.core.reward import UNITS

BILLION: Final = 10**9
"""A score of 1, in parts per billion."""


@dataclass(frozen=True, slots=True)
class Curve:
    """V, piecewise linear through `points`: (score, units) from the baseline to the goal.

    `eta` is the step grid, in parts per billion; every point lies on it. `higher` says whether a
    higher score is better. Beyond the goal the curve is flat.

    >>> curve = Curve(((500, 0), (700, 1000)), eta=10, higher=True)
    >>> curve.value(curve.grid(curve.progress(557)))
    250
    """

    points: tuple[tuple[int, int], ...]
    eta: int
    higher: bool

    def __post_init__(self) -> None:
        if self.eta < 1:
            raise Malformed(f"The step grid eta is {self.eta}.", "It must be at least 1.")
        if len(self.points) < 2:
            raise Malformed(
                f"The value curve has {len(self.points)} points.",
                "Give at least two: the baseline and the goal.",
            )
        if self.points[0][1] != 0:
            raise Malformed(
                f"The value curve starts at {self.points[0][1]} units.",
                "The baseline is worth 0 units.",
            )
        for before, after in zip(self.points, self.points[1:], strict=False):
            self._check_piece(before, after)
        if self.total > UNITS:
            raise Malformed(f"The goal is worth {self.total} units.", f"At most {UNITS} exist.")

    def _check_piece(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        gain = self._ahead(after[0], before[0])
        if gain <= 0:
            direction = "rise" if self.higher else "fall"
            raise Malformed(
                f"The value curve goes from score {before[0]} to {after[0]}.",
                f"Scores must {direction} from the baseline to the goal.",
            )
        if gain % self.eta:
            raise Malformed(
                f"The point at score {after[0]} lies off the step grid of {self.eta}.",
                "Put every point a multiple of eta from the baseline.",
            )
        if after[1] < before[1]:
            raise Malformed(
                f"The value curve falls from {before[1]} to {after[1]} units.",
                "More progress is never worth less.",
            )

    @property
    def baseline(self) -> int:
        """The score that is worth nothing."""
        return self.points[0][0]

    @property
    def total(self) -> int:
        """Units at the goal: all that steps can mint."""
        return self.points[-1][1]

    def progress(self, score: int) -> int:
        """Return how far `score` lies beyond the baseline; 0 where it does not."""
        return max(0, self._ahead(score, self.baseline))

    def score(self, progress: int) -> int:
        """Return the score that lies `progress` beyond the baseline."""
        return self.baseline + (progress if self.higher else -progress)

    def grid(self, progress: int) -> int:
        """Return `progress` rounded down to the step grid."""
        return progress // self.eta * self.eta

    def value(self, progress: int) -> int:
        """Return V in whole units, rounded down, for a progress of at least 0."""
        if progress < 0:
            raise Malformed(f"Progress is {progress}.", "Progress is never negative.")
        at = [self._ahead(score, self.baseline) for score, _ in self.points]
        i = bisect_right(at, progress) - 1
        if i == len(at) - 1:
            return self.total
        low, high = self.points[i][1], self.points[i + 1][1]
        return low + (high - low) * (progress - at[i]) // (at[i + 1] - at[i])

    def rewards_holding_back(self) -> bool:
        """Say whether the end is more than 1.9 times as steep as the start.

        Such a curve pays later progress more, so that it pays to wait: `challenge check` warns.
        """
        (x0, _), (x1, first), *_ = self.points
        (y0, low), (y1, high) = self.points[-2:]
        # (high - low) / (y1 - y0) > 1.9 * first / (x1 - x0), with all denominators cleared.
        return 10 * (high - low) * abs(x1 - x0) > 19 * first * abs(y1 - y0)

    def _ahead(self, score: int, other: int) -> int:
        return score - other if self.higher else other - score
