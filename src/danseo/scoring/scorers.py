"""The scorers that ship with danseo: pure functions (submission, truth) -> integer.

A score is an integer in parts per billion of the scorer's unit, rounded down (floor) from the
exact value. Every sum, product, quotient and root is one of integers, so that the result is the
same on every machine. A name ends in a version, and what a name computes never changes.

A submission that cannot be scored raises `Unfit`; a truth or a parameter that makes no sense is
its organiser's fault and raises `Usage`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from danseo.core.canonical import LIMIT
from danseo.core.curve import BILLION
from danseo.core.errors import Unfit, Usage
from danseo.scoring import arrays
from danseo.scoring.arrays import Array

MAX_SCORE: Final = LIMIT - 1
"""What a log can hold. A greater error than this is stated as this."""
MAX_TEXT: Final = 100_000
"""Characters that a text may have."""

Parameters = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A named, versioned measure.

    `higher` tells its direction. `suffixes` are the files that it accepts as submissions,
    `parameters` its parameters and their defaults.
    """

    name: str
    higher: bool
    summary_en: str
    summary_ko: str
    suffixes: tuple[str, ...]
    parameters: Mapping[str, int]
    compute: Callable[[bytes, bytes, Mapping[str, int]], int]

    def score(self, submission: bytes, truth: bytes, parameters: Parameters | None = None) -> int:
        """Return the score of `submission` in parts per billion.

        Raise `Unfit` for a submission that cannot be scored, `Usage` for a bad truth or parameter.
        """
        return self.compute(submission, truth, self._complete(parameters or {}))

    def _complete(self, given: Parameters) -> dict[str, int]:
        """Return all parameters, checked to be known and positive integers below 10^9."""
        for name, value in given.items():
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise Usage(f"{self.name} has no parameter {name!r}.", f"It has: {known}.")
            if type(value) is not int or not 1 <= value <= BILLION:
                raise Usage(
                    f"The parameter {name} is {value!r}.", f"Give an integer from 1 to {BILLION}."
                )
        return {**self.parameters, **given}  # type: ignore[dict-item]


def fbeta(submission: bytes, truth: bytes, parameters: Mapping[str, int]) -> int:
    """Return F-beta of a binary mask over the valid pixels.

    With b^2 = n/d: `F = (n+d) TP / ((n+d) TP + n FN + d FP)` (van Rijsbergen, Information
    Retrieval, 1979, chapter 7; in this form as in scikit-learn's `fbeta_score`).
    """
    label, mask = _label_and_mask(truth)
    marked = _marked(_alike(arrays.read(submission), label), "The mask")[mask]
    wanted = label[mask]
    hits = int(np.count_nonzero(marked & wanted))
    false = int(np.count_nonzero(marked)) - hits
    missed = int(np.count_nonzero(wanted)) - hits
    n, d = parameters["beta2_numerator"], parameters["beta2_denominator"]
    return BILLION * (n + d) * hits // ((n + d) * hits + n * missed + d * false)


def auc(submission: bytes, truth: bytes, parameters: Mapping[str, int]) -> int:
    """Return the area under the ROC curve of quantised predictions, ties counted as half.

    The Mann-Whitney statistic: over all pairs of a positive and a negative, the part in which the
    positive stands higher, `sum_v p_v (2 N_{<v} + n_v) / (2 P N)` (Hanley & McNeil, Radiology 143,
    1982), with p_v and n_v the positives and negatives of value v.
    """
    label, mask = _label_and_mask(truth)
    values = _alike(arrays.read(submission), label)
    if values.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise Unfit(f"The predictions are {values.dtype}.", "Quantise them to uint8 or uint16.")
    values, wanted = values[mask], label[mask]
    high = np.bincount(values[wanted], minlength=2**16)
    low = np.bincount(values[~wanted], minlength=2**16)
    below = np.cumsum(low) - low
    # At most 2^26 elements, so that twice the number of pairs is at most 2^51.
    doubled = int(np.dot(high, 2 * below + low))
    pairs = int(high.sum()) * int(low.sum())
    if pairs == 0:
        raise Usage("The truth has no negative among its valid pixels.", "Give both classes.")
    return BILLION * doubled // (2 * pairs)


def rmse(submission: bytes, truth: bytes, parameters: Mapping[str, int]) -> int:
    """Return the root of the mean squared error of integers that count 1/scale of the unit.

    `isqrt(10^18 S // (n scale^2))` with S the exact sum of squares: the floor of
    `10^9 sqrt(S/n) / scale`, because the floor of a root is the root of the floor.
    """
    wanted = _truth_array(truth)
    values = _alike(arrays.read(submission), wanted)
    difference = values.astype(np.int64, copy=False) - wanted.astype(np.int64, copy=False)
    total = _sum_of_squares(difference.ravel())
    exact = math.isqrt(BILLION**2 * total // (wanted.size * parameters["scale"] ** 2))
    return min(exact, MAX_SCORE)


def accuracy(submission: bytes, truth: bytes, parameters: Mapping[str, int]) -> int:
    """Return the part of the elements that equal the truth's, `matches / n`."""
    wanted = _truth_array(truth)
    values = _alike(arrays.read(submission), wanted)
    return BILLION * int(np.count_nonzero(values == wanted)) // wanted.size


def cer(submission: bytes, truth: bytes, parameters: Mapping[str, int]) -> int:
    """Return the character error rate: Levenshtein distance / characters of the truth.

    Texts are UTF-8. A byte order mark at the start goes, line ends become LF, those at the very
    end go, and the rest is brought to NFC by the tables of Unicode 3.2, which every Python carries
    unchanged: later tables would make the score depend on the version. Rates above 1 are possible.
    """
    wanted = _truth_text(truth)
    return BILLION * levenshtein(read_text(submission), wanted) // len(wanted)


def levenshtein(a: str, b: str) -> int:
    """Return the least number of insertions, deletions and substitutions from `a` to `b`.

    The bit-parallel form of Myers (J. ACM 46, 1999) as corrected by Hyyro (2003): one column of
    the table is two big integers, the rises and falls from row to row.

    >>> levenshtein("kitten", "sitting")
    3
    """
    if not a or not b:
        return len(a) + len(b)
    where: dict[str, int] = {}
    for i, character in enumerate(a):
        where[character] = where.get(character, 0) | 1 << i
    full, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, distance = full, 0, len(a)
    for character in b:
        same = where.get(character, 0)
        vertical = same | falls
        diagonal = (((same & rises) + rises) ^ rises) | same
        up = falls | (full & ~(diagonal | rises))
        down = rises & diagonal
        distance += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & full
        down = down << 1 & full
        rises = down | (full & ~(vertical | up))
        falls = up & vertical
    return distance


def truth_points(scorer: str, truth: bytes) -> int:
    """Return how many points a truth has: valid pixels, elements or characters.

    Raise `Usage` for a truth that the scorer cannot use.
    """
    if scorer.startswith(("fbeta-", "auc-")):
        return int(_label_and_mask(truth)[1].sum())
    if scorer.startswith("cer-"):
        return len(_truth_text(truth))
    return int(_truth_array(truth).size)


def _label_and_mask(truth: bytes) -> tuple[Array, Array]:
    """Return the label and the valid pixels of a truth, both bool and of one shape."""
    try:
        found = arrays.read_npz(truth, ("label", "mask"))
        label = _marked(found["label"], "The label")
        if "mask" not in found:
            mask = np.ones(label.shape, dtype=np.bool_)
        else:
            mask = _marked(_alike(found["mask"], label), "The mask")
    except Unfit as error:
        raise Usage(f"The truth: {error.message}", error.remedy) from None
    if not np.any(label & mask):
        raise Usage("The truth has no positive among its valid pixels.", "Give both classes.")
    return label, mask


def _truth_array(truth: bytes) -> Array:
    try:
        return arrays.read(truth)
    except Unfit as error:
        raise Usage(f"The truth: {error.message}", error.remedy) from None


def _truth_text(truth: bytes) -> str:
    try:
        wanted = read_text(truth)
    except Unfit as error:
        raise Usage(f"The truth: {error.message}", error.remedy) from None
    if not wanted:
        raise Usage("The truth holds no characters.", "Give a text.")
    return wanted


def _alike(values: Array, wanted: Array) -> Array:
    """Return `values` where its shape is the one wanted."""
    if values.shape != wanted.shape:
        raise Unfit(
            f"The shape is {values.shape}; the truth has {wanted.shape}.",
            "Give one value for each element of the truth, in its shape.",
        )
    return values


def _marked(values: Array, name: str) -> Array:
    """Return a mask as bool: of bool, of 0 and 1, or (as pictures do) of 0 and 255."""
    if values.dtype == np.bool_:
        return values
    top = int(values.max())
    on = top if top == 255 and values.dtype == np.uint8 else 1
    wrong = (values != 0) & (values != on)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise Unfit(
            f"{name} holds {int(values[at])} at {at}.",
            "A mask holds 0 and 1, or 0 and 255 in uint8. Choose a threshold.",
        )
    return np.equal(values, on)


def _sum_of_squares(difference: Array) -> int:
    """Return the exact sum of squares of int64 values below 2^54 in magnitude."""
    widest = max(int(difference.max()), -int(difference.min()))
    if widest**2 * difference.size < 2**63:
        return int(np.dot(difference, difference))
    parts = (difference[at : at + 2**16] for at in range(0, difference.size, 2**16))
    return sum(d * d for part in parts for d in part.tolist())


def read_text(data: bytes) -> str:
    """Return a text of at most `MAX_TEXT` characters, its line ends and NFC made uniform."""
    if not data:
        raise Unfit("The file is empty.", "Give a text.")
    if len(data) > 4 * MAX_TEXT:
        raise Unfit(f"The text has {len(data)} bytes.", f"It may have {MAX_TEXT} characters.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unfit(f"The text is not UTF-8: {error.reason} at byte {error.start}.", "") from None
    text = text.replace("\r\n", "\n").rstrip("\n")
    text = unicodedata.ucd_3_2_0.normalize("NFC", text)
    if len(text) > MAX_TEXT:
        raise Unfit(f"The text has {len(text)} characters.", f"It may have {MAX_TEXT}.")
    return text


_PICTURES: Final = (".npy", ".png")
_LISTS: Final = (".npy", ".csv", ".png")

SCORERS: Final[dict[str, Scorer]] = {
    scorer.name: scorer
    for scorer in (
        Scorer(
            "fbeta-1",
            True,
            "F-beta of a binary mask over the valid pixels; beta 0.5 unless told",
            "유효 화소에서 이진 마스크의 F-베타 (따로 정하지 않으면 베타 0.5)",
            _PICTURES,
            {"beta2_numerator": 1, "beta2_denominator": 4},
            fbeta,
        ),
        Scorer(
            "auc-1",
            True,
            "Area under the ROC curve of predictions quantised to uint8 or uint16",
            "uint8 또는 uint16으로 양자화한 예측의 ROC 곡선 아래 면적",
            _PICTURES,
            {},
            auc,
        ),
        Scorer(
            "rmse-1",
            False,
            "Root mean squared error of integers that count 1/scale of the unit",
            "단위의 1/scale을 세는 정수들의 평균 제곱근 오차",
            _LISTS,
            {"scale": 1},
            rmse,
        ),
        Scorer(
            "accuracy-1",
            True,
            "Part of the elements that equal the truth's",
            "정답과 같은 원소의 비율",
            _LISTS,
            {},
            accuracy,
        ),
        Scorer(
            "cer-1",
            False,
            "Character error rate: edit distance over the characters of the truth",
            "문자 오류율: 편집 거리를 정답의 문자 수로 나눈 값",
            (".txt",),
            {},
            cer,
        ),
    )
}
"""Every scorer that ships with danseo, by its versioned name."""
