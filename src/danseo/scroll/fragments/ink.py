"""The flagship challenge *Read the ink*: its files, its first clues, and pictures of both."""

from __future__ import annotations

import importlib.metadata
import io
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from danseo.core.errors import Unavailable, Unfit
from danseo.scroll.fragments import photographs, standin
from danseo.scroll.fragments.photographs import WIDTH, Fragment

PUBLIC: Final = (
    "train_ct.npy",
    "train_label.npy",
    "train_mask.npy",
    "test_ct.npy",
    "test_mask.npy",
)
TRUTH: Final = "truth.npz"

# What a reader sees over the papyrus. Apart in lightness too, for whoever sees no hue.
HIT: Final = (14, 94, 120)
FALSE: Final = (224, 122, 47)
MISSED: Final = (250, 240, 205)
_GREYS: Final = 24
_ACROSS: Final = 300


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the challenge is opened with. Every array is height x width.

    `public` are uint8 arrays that anyone may read: the training fragment's CT, ink (0 or 1) and
    papyrus (0 or 1), and the test fragment's CT and papyrus. `truth` holds the test fragment's
    ink and papyrus as `label` and `mask`. `source` says where they are from, `licence` is theirs
    as SPDX names it, `baseline` and `goal` are F0.5, at which a reward begins and is full.
    """

    source: str
    licence: str
    public: tuple[Path, ...]
    truth: Path
    baseline: Decimal
    goal: Decimal

    def moves_nothing(self, folder: Path) -> Path:
        """Write a well-formed prediction that finds nothing new: all papyrus is ink."""
        return _save(folder / "prediction.npy", np.load(self.truth.parent / "test_mask.npy"))

    def malformed(self, folder: Path) -> Path:
        """Write a prediction that no scorer can score: the upper half of the fragment."""
        mask = np.load(self.truth.parent / "test_mask.npy")
        return _save(folder / "prediction.npy", mask[: len(mask) // 2])


@dataclass(frozen=True, slots=True)
class Method:
    """A script that comes with the package. `packages` are those that it imports.

    Each is one file that stands alone, as what a contributor publishes must; so they share code.
    """

    name: str
    title: str
    description: str
    packages: tuple[str, ...]

    @property
    def script(self) -> Path:
        """The script's file. It defines `main(data: Path, out: Path)`, unless it is a tool."""
        with resources.as_file(resources.files("danseo.scroll.fragments") / "methods") as folder:
            return folder / f"{self.name}.py"

    def requirements(self) -> tuple[str, ...]:
        """Return the packages as name==version, as they are installed here, sorted."""
        try:
            return tuple(f"{p}=={importlib.metadata.version(p)}" for p in sorted(self.packages))
        except importlib.metadata.PackageNotFoundError as error:
            raise Unavailable(
                f"{self.name} needs the package {error.name}, which is not installed.",
                "Install danseo[demo].",
            ) from None


_LEARNING: Final = ("joblib", "narwhals", "numpy", "scikit-learn", "scipy", "threadpoolctl")

METHODS: Final = (
    Method(
        "darkness",
        "Ink is dark",
        "One threshold on the brightness of the CT picture, chosen on the training fragment.",
        ("numpy",),
    ),
    Method(
        "multiscale",
        "What a pixel's surroundings look like",
        "A tool: 31 features of each papyrus pixel, from the grain to a line of writing.",
        ("numpy", "scipy"),
    ),
    Method(
        "local",
        "Ink is darker than what surrounds it",
        "Brightness less its local mean, evened out within a stroke, with one threshold.",
        ("numpy", "scipy"),
    ),
    Method(
        "learned",
        "Ink is learned",
        "Boosted trees on multi-scale features; the threshold is chosen on rows left out.",
        _LEARNING,
    ),
    Method(
        "combined",
        "Ink is where several views agree",
        "The mean rank of local darkness, boosted trees and a linear model, smoothed.",
        _LEARNING,
    ),
)


def prepare(
    folder: Path, data: Path | None = None, *, width: int = WIDTH, phantom: bool = False
) -> Inputs:
    """Write the files of the challenge into `folder` and return what they are.

    With `phantom`, two scrolls are made, rolled up and unrolled for it. Else the real fragments
    serve where `data` is a folder that holds them, and the stand-in where not.
    Raise `Unavailable` where `data` is given and is no folder.
    """
    if data is not None and not data.is_dir():
        raise Unavailable(f"The data folder {data} is not there.", "Give another, or none.")
    if phantom:
        from danseo.scroll.fragments import rolled

        train, test = rolled.pair(folder / ".rolled")
        source, licence = "two phantom scrolls, unrolled along their true surface", "CC0-1.0"
        baseline, goal = rolled.BASELINE, rolled.GOAL
    elif data is not None and photographs.folder(data) is not None:
        train, test = (
            photographs.read(data, n, width) for n in (photographs.TRAIN, photographs.TEST)
        )
        source, licence = "the real fragments 2 and 3 of a Herculaneum scroll", "CC-BY-NC-4.0"
        baseline, goal = Decimal("0.55"), Decimal("0.65")
    else:
        train, test = standin.pair(width=width)
        source, licence = "a generated stand-in (no real fragments were given)", "CC0-1.0"
        baseline, goal = Decimal("0.3"), Decimal("0.8")
    folder.mkdir(parents=True, exist_ok=True)
    arrays = (train.ct, train.label, train.mask, test.ct, test.mask)
    public = tuple(_save(folder / name, array) for name, array in zip(PUBLIC, arrays, strict=True))
    _save_truth(folder / TRUTH, test)
    return Inputs(source, licence, public, folder / TRUTH, baseline, goal)


def fbeta(prediction: npt.NDArray[Any], label: npt.NDArray[Any], mask: npt.NDArray[Any]) -> float:
    """Return F0.5 = 5 TP / (5 TP + FN + 4 FP) over the pixels of `mask`, for a look.

    What is published comes from the scorer, in whole numbers.
    """
    marked, wanted = prediction[mask > 0] > 0, label[mask > 0] > 0
    hits = int((marked & wanted).sum())
    return 5 * hits / max(1, 4 * int(marked.sum()) + int(wanted.sum()))


def picture(
    ct: npt.NDArray[Any],
    mask: npt.NDArray[Any],
    label: npt.NDArray[Any],
    prediction: npt.NDArray[Any],
    across: int = _ACROSS,
) -> bytes:
    """Return a small PNG: the prediction over the papyrus on the left, the truth on the right.

    On the left found ink is deep blue, false ink orange and missed ink pale; on the right ink is
    deep blue. All arrays are height x width; each half is `across` pixels wide.
    """
    if not ct.shape == mask.shape == label.shape == prediction.shape:
        raise Unfit(
            f"The prediction's shape is {prediction.shape}; the fragment has {ct.shape}.",
            "Draw only what a scorer could score.",
        )
    inside, truth, marked = mask > 0, label > 0, prediction > 0
    hit, false, missed = truth & marked & inside, marked & ~truth & inside, truth & ~marked & inside
    left = _paint(ct, inside, ((missed, 2), (hit, 0), (false, 1)), across)
    right = _paint(ct, inside, ((truth & inside, 0),), across)
    gap = np.full((len(left), max(4, across // 25)), _CLEAR, dtype=np.uint8)
    sheet = Image.fromarray(np.concatenate([left, gap, right], axis=1), "P")
    sheet.putpalette([level for colour in _PALETTE for level in colour])
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True, transparency=_CLEAR)
    return out.getvalue()


_PALETTE: Final = (
    HIT,
    FALSE,
    MISSED,
    *(
        (g, g * 96 // 100, g * 90 // 100)
        for g in (60 + 150 * i // (_GREYS - 1) for i in range(_GREYS))
    ),
    (0, 0, 0),
)
_CLEAR: Final = len(_PALETTE) - 1


def _paint(
    ct: npt.NDArray[Any],
    inside: npt.NDArray[Any],
    layers: tuple[tuple[npt.NDArray[Any], int], ...],
    across: int,
) -> npt.NDArray[np.uint8]:
    """Return palette indices of a picture `across` pixels wide: grey papyrus under `layers`."""
    down = max(1, round(ct.shape[0] * across / ct.shape[1]))
    low, high = np.percentile(ct[inside], (1, 99)) if inside.any() else (0, 255)
    grey = np.clip((ct.astype(float) - low) / max(1.0, float(high - low)), 0, 1)
    paper = _shrink(grey, across, down)
    sheet: npt.NDArray[np.uint8] = (3 + np.rint(paper * (_GREYS - 1))).astype(np.uint8)
    for where, colour in layers:
        sheet[_shrink(where.astype(float), across, down) >= 0.5] = colour
    sheet[_shrink(inside.astype(float), across, down) < 0.5] = _CLEAR
    return sheet


def _shrink(values: npt.NDArray[Any], across: int, down: int) -> npt.NDArray[Any]:
    sheet = Image.fromarray(values.astype(np.float32))
    small: npt.NDArray[Any] = np.asarray(sheet.resize((across, down), Image.Resampling.BOX))
    return small


def _save(path: Path, array: npt.NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array.astype(np.uint8))
    return path


def _save_truth(path: Path, test: Fragment) -> None:
    np.savez_compressed(path, label=test.label.astype(np.uint8), mask=test.mask.astype(np.uint8))
