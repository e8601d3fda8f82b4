"""How good a found surface is, against one that is true.

Each found point is compared with the nearest true point. Total angles are known but for a constant
of whole turns, which is removed first. Distances are along the true normal: the grids' points
need not lie opposite each other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Usage
from danseo.scroll.surface import normals

if TYPE_CHECKING:
    from danseo.scroll.surface import Surface

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Match:
    """What `compare` measures. Shares are 0..1, lengths in voxels.

    `coverage`: true points with found sheet within `within` voxels, of those that are there.
    `wrong`: found points whose total angle is half a turn or more from the truth's.
    `switched`: edges of the found grid between whose ends found minus true jumps by whole turns.
    `stray`: found points with no true sheet within `within` voxels; they are in no other figure
    but coverage. `median`, `p95`: distance along the normal of the rest.
    """

    coverage: float
    wrong: float
    switched: float
    stray: float
    median: float
    p95: float
    points: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return asdict(self)


def compare(found: Surface, true: Surface, there: Mask | None = None, within: float = 4.0) -> Match:
    """Measure `found` against `true`; both have windings.

    `there` (the true grid's shape) says where the true sheet really is: false where it is torn.
    Raises `Usage` where one of them has no point or no winding.
    """
    from scipy.spatial import cKDTree

    if found.winding is None or true.winding is None:
        raise Usage("A surface without total angles cannot be compared.", "Give its winding.tif.")
    real = true.valid & np.isfinite(true.winding)
    if there is not None:
        real &= there
    mine = found.valid & np.isfinite(found.winding)
    if not real.any() or not mine.any():
        raise Usage("One of the surfaces has no point.", "Look whether the files hold a sheet.")
    points, target = found.xyz[mine].astype(float), true.xyz[real].astype(float)
    reach = max(within, 0.0) + 1.5 * max(true.step, found.step)

    normal = normals(true.xyz).astype(np.float64)
    # The truth without its torn parts for coverage, with them for what was found.
    whole = true.valid & np.isfinite(true.winding)
    every = true.xyz[whole].astype(float)
    near, at = cKDTree(every).query(points, distance_upper_bound=reach)
    hit = np.isfinite(near)
    off = np.full(len(points), np.nan)
    off[hit] = _along(points[hit], every[at[hit]], normal[whole][at[hit]])
    close = hit & (np.abs(off) <= within)
    slip = np.full(len(points), np.nan)
    slip[close] = found.winding[mine][close] - true.winding[whole][at[close]]
    if not close.any():
        return Match(0.0, 0.0, 0.0, 1.0, float("nan"), float("nan"), len(points))
    slip -= np.round(np.nanmedian(slip))
    return Match(
        _coverage(points, target, normal[real], within, reach),
        float((np.abs(slip[close]) >= 0.5).mean()),
        _switched(mine, slip),
        float((~close).mean()),
        float(np.median(np.abs(off[close]))),
        float(np.quantile(np.abs(off[close]), 0.95)),
        len(points),
    )


def _along(points: Doubles, feet: Doubles, normal: Doubles) -> Doubles:
    """Return the distance along the normal at `feet`, plain where there is no normal."""
    apart = points - feet
    along = (apart * normal).sum(1)
    return np.asarray(np.where(np.isfinite(along), along, np.linalg.norm(apart, axis=1)))


def _coverage(
    points: Doubles, target: Doubles, normal: Doubles, within: float, reach: float
) -> float:
    from scipy.spatial import cKDTree

    near, at = cKDTree(points).query(target, distance_upper_bound=reach)
    hit = np.isfinite(near)
    covered = np.zeros(len(target), bool)
    covered[hit] = np.abs(_along(points[at[hit]], target[hit], normal[hit])) <= within
    return float(covered.mean())


def _switched(mine: Mask, slip: Doubles) -> float:
    """Return the share of edges whose ends differ by whole turns, of edges with both ends known."""
    whole = np.full(mine.shape, np.nan)
    whole[mine] = slip
    edges, jumps = 0, 0
    for axis in (0, 1):
        step = np.diff(whole, axis=axis)
        known = np.isfinite(step)
        edges += int(known.sum())
        jumps += int((np.abs(step[known]) >= 0.5).sum())
    return jumps / max(edges, 1)
