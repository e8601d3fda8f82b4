"""Ink on the real fragments 2 and 3: what one lossy picture of them lets anybody find.

One fragment is learned from and the other is judged, both ways; and within each fragment four
bands of rows, each judged by models of the others. 80 rows beside the band that is judged are
used for nothing: no method looks further. Every threshold is the best one on rows of the training
side that the model had not seen. Papyrus is where the alpha mask says so.

The ways are local darkness (as the published clue `local`), boosted trees and a linear model of 30
features, a small U-Net, and the mean rank of all four. *By rank* says that a threshold is a part
of the pixels and not a value, so that it travels between fragments whose light differs. The
interval is of the difference in F0.5 to the peer: 2,000 draws of blocks of 80 x 80 pixels with
replacement, both ways in the same draw. AUC is the mean over the four bands.

The dark marks in these pictures lie on a regular grid, as nothing that absorbs X-rays would. So
they were most likely drawn in by somebody's earlier model, and these figures say how well a
prediction can be cleaned up rather than how well ink is seen. The rows on marks measure that.

The last rows are of the real `cube128`: can brightness, or the ink model that ships, tell the ink
from the sheet it lies on? The label is one stroke, from an animation of few colours, and a pixel's
place alone tells it better than the model does: these rows cannot show that ink is seen.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage, stats
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks import cube_ink
from benchmarks.fragment_learners import REACH, Learner, fragment, line, trees, unet
from benchmarks.harness import Figure
from danseo import settings
from danseo.scroll.fragments import ink, photographs
from danseo.scroll.fragments.methods import local
from danseo.scroll.fragments.photographs import Fragment

NUMBERS: Final = (photographs.TRAIN, photographs.TEST)
BANDS: Final = 4
BLOCK: Final = 80
"""Pixels: about a letter, or a line of writing."""
DRAWS: Final = 2000
MARK: Final = 100
"""Grey levels: what is darker counts as a mark. Papyrus itself is nearly nowhere as dark."""
FAR: Final = 8
"""Pixels: about the width of a stroke."""
LEARNERS: Final[dict[str, Learner]] = {"small U-Net": unet, "trees": trees, "line": line}
PUBLISHED: Final = "combined"

Array = npt.NDArray[Any]
LeftOut = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to find ink: the mean of its parts, as ranks where `ranked`."""

    name: str
    parts: tuple[str, ...]
    ranked: bool


LOCAL: Final = Way("local darkness", ("local",), False)
WAYS: Final = (
    LOCAL,
    Way("boosted trees", ("trees",), False),
    Way("linear model", ("line",), False),
    Way("small U-Net", ("small U-Net",), False),
    Way("small U-Net, by rank", ("small U-Net",), True),
    Way("all four, by rank", ("local", "trees", "line", "small U-Net"), True),
)


@dataclass(frozen=True, slots=True)
class Part:
    """What is judged in one go: a whole other fragment, or the band `held` of the same one."""

    train: int
    test: int
    held: int | None


CASES: Final = {
    **{f"{a} -> {b}": (Part(a, b, None),) for a, b in (NUMBERS, NUMBERS[::-1])},
    **{f"within {n}": tuple(Part(n, n, k) for k in range(BANDS)) for n in NUMBERS},
}


@dataclass(frozen=True, slots=True)
class Job:
    """A model to train: on a fragment without some of its bands, and the gap around them."""

    learner: str
    number: int
    left_out: LeftOut


class Judge:
    """The fragments, and what each model says of each of their pixels."""

    def __init__(self, data: Path, said: dict[Job, dict[int, Array]]) -> None:
        """`said` holds for each job and fragment the scores of the papyrus pixels in row order."""
        self.said = said
        self.ones = {n: fragment(data, n) for n in NUMBERS}
        self.truth = {n: one.label[one.mask] for n, one in self.ones.items()}
        self.band = {
            n: band_of_row(one.mask)[one.mask.nonzero()[0]] for n, one in self.ones.items()
        }
        self.dark = {n: local.darkness(one.ct, one.mask)[one.mask] for n, one in self.ones.items()}
        self.far = {n: far_from_marks(one) for n, one in self.ones.items()}

    def marked(self, way: Way, part: Part) -> tuple[Array, Array, Array]:
        """Return for the judged pixels: their places among the papyrus, scores, and marks."""
        seen, truth, places, score = self._scores(way, part)
        return places, score, score >= local.choose(seen, truth)

    def _scores(self, way: Way, part: Part) -> tuple[Array, Array, Array, Array]:
        """Return scores and truth to choose a threshold by; then places and scores to judge."""
        band = self.band[part.train]
        learned = (
            np.nonzero(band != part.held)[0] if part.held is not None else np.arange(len(band))
        )
        judged = (
            np.arange(len(self.truth[part.test]))
            if part.held is None
            else np.nonzero(band == part.held)[0]
        )
        seen, unseen = np.zeros(len(learned)), np.zeros(len(judged))
        for name in way.parts:
            known, new = self._one(name, part, learned, judged)
            seen += rank(known) if way.ranked else known
            unseen += rank(new) if way.ranked else new
        return seen, self.truth[part.train][learned], judged, unseen

    def _one(self, name: str, part: Part, learned: Array, judged: Array) -> tuple[Array, Array]:
        if name == "local":
            return self.dark[part.train][learned], self.dark[part.test][judged]
        band, held = self.band[part.train], () if part.held is None else (part.held,)
        others = [k for k in range(BANDS) if k not in held]
        known, new = np.zeros(len(band)), np.zeros(len(judged))
        for k in others:
            said = self.said[Job(name, part.train, tuple(sorted((*held, k))))]
            known[band == k] = said[part.train][band == k]
            new += said[part.test][judged] / len(others)
        return known[learned], new


def run() -> list[Figure]:
    """Return the figures; where there is no data folder, one figure says so."""
    data = settings.load().data
    if data is None or photographs.folder(data) is None:
        return [Figure("skipped: scroll/fragments is not in the folder DANSEO_DATA", 0, "")]
    with _workers() as pool:
        jobs = list(_jobs())
        published = [pool.submit(published_clue, data, *pair) for pair in (NUMBERS, NUMBERS[::-1])]
        judge = Judge(data, dict(zip(jobs, pool.map(partial(work, data), jobs), strict=True)))
        clues = dict(zip(CASES, (one.result() for one in published), strict=False))
    return judged(judge, clues, data)


def judged(judge: Judge, clues: dict[str, Array], data: Path) -> list[Figure]:
    """Return the figures of models that are trained; `clues` are the published one's marks."""
    figures = []
    for case, parts in CASES.items():
        figures += _case(judge, case, parts, clues.get(case))
    figures += [f for n in NUMBERS for f in _about_marks(data, judge, n)]
    return figures + cube_ink.figures(data)


def _workers() -> ProcessPoolExecutor:
    # Spawned: a fork of a process that has used threads may hang in torch.
    return ProcessPoolExecutor(
        min(2, len(os.sched_getaffinity(0))),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_one_thread,
    )


def _one_thread() -> None:
    # Sums are then taken in one order, and two workers do not fight for two cores.
    threadpool_limits(1)


def _jobs() -> Iterator[Job]:
    for learner in LEARNERS:
        for number in NUMBERS:
            for k in range(BANDS):
                yield Job(learner, number, (k,))
                yield from (Job(learner, number, (k, other)) for other in range(k + 1, BANDS))


def work(data: Path, job: Job) -> dict[int, Array]:
    """Train one model; return its scores of its own fragment, and of the other where needed."""
    band = band_of_row(fragment(data, job.number).mask)
    rows = allowed(band, job.left_out)
    seed = 100 * job.number + sum(1 << k for k in job.left_out)
    score = LEARNERS[job.learner](data, job.number, rows, seed)
    wanted = NUMBERS if len(job.left_out) == 1 else (job.number,)
    return {n: score(n) for n in wanted}


def band_of_row(mask: Array) -> Array:
    """Return for each row of a mask which of `BANDS` bands with equal papyrus it lies in."""
    papyrus = np.cumsum(mask.sum(axis=1))
    found: Array = np.minimum((papyrus - 1) * BANDS // papyrus[-1], BANDS - 1).clip(0)
    return found


def allowed(band: Array, left_out: LeftOut, gap: int = REACH) -> npt.NDArray[np.bool_]:
    """Return the rows that may be learned from: at least `gap` rows from every band left out."""
    out = np.isin(band, left_out)
    near: npt.NDArray[np.bool_] = ndimage.binary_dilation(out, np.ones(2 * gap + 1, bool))
    return ~near


def published_clue(data: Path, train: int, test: int) -> Array:
    """Return what the clue `combined` that comes with the package marks on the test fragment."""
    method = next(one for one in ink.METHODS if one.name == PUBLISHED)
    a, b = fragment(data, train), fragment(data, test)
    arrays = (a.ct, a.label, a.mask, b.ct, b.mask)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, array in zip(ink.PUBLIC, arrays, strict=True):
            np.save(folder / file, array.astype(np.uint8))
        runpy.run_path(str(method.script))["main"](folder, folder)
        marked: Array = np.load(folder / "prediction.npy")[b.mask] > 0
    return marked


def _case(judge: Judge, case: str, parts: tuple[Part, ...], clue: Array | None) -> list[Figure]:
    number = parts[0].test
    truth, blocks = judge.truth[number], _blocks(judge.ones[number].mask)
    marks: dict[str, Array] = {} if clue is None else {PUBLISHED: clue}
    areas: dict[str, float] = {}
    for way in WAYS:
        found = [judge.marked(way, part) for part in parts]
        marks[way.name] = np.zeros(len(truth), bool)
        for places, _, mark in found:
            marks[way.name][places] = mark
        each = [auc(score, truth[places]) for places, score, _ in found]
        if float(np.mean(each)) not in areas.values():  # ranks alone change no AUC
            areas[way.name] = float(np.mean(each))
    beside = [(LOCAL.name, name) for name in marks]
    if clue is not None:
        beside.append((PUBLISHED, WAYS[-1].name))
    figures = [
        _figure(f"{case}: {name}", marks[name], marks[peer], peer, truth, blocks)
        for peer, name in beside
    ]
    figures += [Figure(f"{case}: {name}, AUC", area, "") for name, area in areas.items()]
    if clue is not None:
        figures.append(_away(judge, f"{case}: {WAYS[-1].name}", number, found[0][1]))
    return figures


def _figure(
    what: str, ours: Array, theirs: Array, peer: str, truth: Array, blocks: Array
) -> Figure:
    value, beside = fbeta(ours, truth), fbeta(theirs, truth)
    if ours is theirs:
        return Figure(what, value, "F0.5")
    low, high = interval(ours, theirs, truth, blocks)
    words = f"{peer}, {beside:.3f}: {low:+.3f} to {high:+.3f} with 95 %"
    return Figure(what, value, "F0.5", words, value / beside)


def _away(judge: Judge, what: str, number: int, score: Array) -> Figure:
    far = judge.far[number]
    area = auc(score[far], judge.truth[number][far])
    return Figure(f"{what}, over {FAR} pixels from a dark mark, AUC", area, "")


def _blocks(mask: Array) -> Array:
    """Return for each papyrus pixel the number of its block, numbers without gaps."""
    row, column = mask.nonzero()
    _, found = np.unique(row // BLOCK * mask.shape[1] + column // BLOCK, return_inverse=True)
    return found


def interval(ours: Array, theirs: Array, truth: Array, blocks: Array) -> tuple[float, float]:
    """Return the middle 95 % of the difference in F0.5 when whole blocks are drawn anew."""
    rng = np.random.default_rng(0)
    count = int(blocks.max()) + 1
    draws = rng.multinomial(count, np.full(count, 1 / count), DRAWS)
    wanted = draws @ np.bincount(blocks, truth, count)
    scores = []
    for mark in (ours, theirs):
        hits = draws @ np.bincount(blocks, mark & truth, count)
        scores.append(5 * hits / (4 * (draws @ np.bincount(blocks, mark, count)) + wanted))
    low, high = np.percentile(scores[0] - scores[1], (2.5, 97.5))
    return float(low), float(high)


def fbeta(mark: Array, truth: Array) -> float:
    """Return F0.5 = 5 TP / (5 TP + FN + 4 FP) of marks, both 0 or 1 for each pixel."""
    return ink.fbeta(mark, truth, np.ones_like(truth))


def auc(score: Array, truth: Array) -> float:
    """Return the chance that an ink pixel scores higher than another one (ties count half)."""
    ranks = stats.rankdata(score)
    wanted = int(truth.sum())
    above = ranks[truth].sum() - wanted * (wanted + 1) / 2
    return float(above / (wanted * (len(truth) - wanted)))


def far_from_marks(one: Fragment) -> Array:
    """Return for each papyrus pixel whether it is over `FAR` pixels from every dark mark."""
    # What is transparent is black in the array, and no mark.
    bright = (one.ct >= MARK) | ~one.mask
    away: Array = ndimage.distance_transform_edt(bright)[one.mask] > FAR
    return away


def rank(score: Array) -> Array:
    """Return for each score the part of all that lies below it, ties at their mean."""
    found: Array = (stats.rankdata(score) - 0.5) / len(score)
    return found


def _about_marks(data: Path, judge: Judge, number: int) -> list[Figure]:
    far, truth = judge.far[number], judge.truth[number]
    strong, faint = (regularity(data, number, *span) for span in ((60, 255), (15, 35)))
    return [
        Figure(
            f"fragment {number}: ink that is over {FAR} pixels from every dark mark",
            100 * float((far & truth).sum() / truth.sum()),
            "%",
        ),
        Figure(
            f"fragment {number}: how far strong edges lie on one grid (0 none, 1 all)",
            strong,
            "",
            f"faint edges, {faint:.3f}",
            strong / faint,
        ),
    ]


def regularity(data: Path, number: int, low: float, high: float) -> float:
    """Return the greatest resultant of where brightness steps by `low` to `high`, over all periods.

    Of the picture as it is stored, over periods of 2.05 to 6 pixels; the mean of rows and columns.
    """
    stored = photographs.read(data, number, width=2 * photographs.WIDTH)
    light = np.where(stored.mask, stored.ct, 128).astype(float)
    waves = 1 / np.linspace(2.05, 6, 4000)
    found = []
    for axis in (0, 1):
        step = np.abs(np.diff(light, axis=axis))
        count = ((step > low) & (step <= high)).sum(axis=1 - axis).astype(float)
        uneven = count - ndimage.uniform_filter1d(count, 25)
        turned = np.exp(-2j * np.pi * np.outer(waves, np.arange(len(count))))
        found.append(np.abs(turned @ uneven).max() / count.sum())
    return float(np.mean(found))
