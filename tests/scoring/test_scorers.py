"""The scorers against other people's implementations, by hand, and at the edges."""

import io
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, fbeta_score, mean_squared_error, roc_auc_score

from danseo.core.curve import BILLION
from danseo.core.errors import Unfit, Usage
from danseo.scoring.scorers import MAX_SCORE, SCORERS, levenshtein, truth_points

seeds = st.integers(0, 2**32 - 1)


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def score(name, submission, truth, **parameters):
    return SCORERS[name].score(submission, truth, parameters)


@given(seeds, st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_fbeta_equals_that_of_scikit_learn(seed, n, d):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 20, 2))
    label, mask = rng.random(shape) < rng.random(), rng.random(shape) < 0.8
    label.flat[0] = mask.flat[0] = True
    guess = rng.random(shape) < rng.random()
    ours = score(
        "fbeta-1", npy(guess), npz(label=label, mask=mask), beta2_numerator=n, beta2_denominator=d
    )
    theirs = fbeta_score(label[mask], guess[mask], beta=math.sqrt(n / d), zero_division=0)
    assert abs(ours / BILLION - theirs) < 2e-9


@given(seeds, st.sampled_from([np.uint8, np.uint16]), st.integers(1, 256))
@settings(max_examples=60, deadline=None)
def test_auc_equals_that_of_scikit_learn_with_ties(seed, dtype, levels):
    rng = np.random.default_rng(seed)
    label = rng.random(rng.integers(2, 200)) < 0.3
    label[0], label[1] = True, False
    guess = rng.integers(0, levels, label.shape).astype(dtype)
    ours = score("auc-1", npy(guess), npz(label=label))
    assert abs(ours / BILLION - roc_auc_score(label, guess)) < 2e-9


def test_auc_is_the_exact_fraction_rounded_down():
    label = np.array([1, 1, 0, 0, 0], dtype=np.uint8)
    guess = np.array([5, 2, 2, 1, 7], dtype=np.uint8)
    # Of six pairs, 5>2, 5>1, 2>1 win and 2=2 is half: 3.5/6.
    assert score("auc-1", npy(guess), npz(label=label)) == Fraction(7, 12) * BILLION // 1


@given(seeds, st.integers(1, 60), st.sampled_from([10, 10**6, 2**53 - 1]))
@settings(max_examples=60, deadline=None)
def test_rmse_is_the_floor_of_the_exact_root(seed, size, top):
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(-top, top + 1, (2, size))
    ours = score("rmse-1", npy(guess), npy(truth))
    square = (
        Fraction(sum((int(a) - int(b)) ** 2 for a, b in zip(truth, guess, strict=True)), size)
        * 10**18
    )
    if ours < MAX_SCORE:
        assert ours**2 <= square < (ours + 1) ** 2
    else:
        assert square >= MAX_SCORE**2
    if top < 2**20:
        assert ours / BILLION == pytest.approx(mean_squared_error(truth, guess) ** 0.5, abs=2e-9)


def test_rmse_counts_in_the_unit_that_scale_names():
    truth, guess = b"1000\n2000\n", b"1030\r\n2040\r\n"
    assert score("rmse-1", guess, truth, scale=1000) == math.isqrt(125 * 10**13)


@given(seeds, st.integers(1, 100))
@settings(max_examples=30, deadline=None)
def test_accuracy_equals_that_of_scikit_learn(seed, size):
    rng = np.random.default_rng(seed)
    truth, guess = rng.integers(0, 3, (2, size))
    text = "\n".join(map(str, guess)).encode()
    ours = score("accuracy-1", text, npy(truth))
    assert ours == Fraction(int((truth == guess).sum()), size) * BILLION // 1
    assert ours / BILLION == pytest.approx(accuracy_score(truth, guess), abs=2e-9)


def by_the_table(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@given(st.text("ab단서", max_size=80), st.text("ab단서c", max_size=80))
@settings(max_examples=200, deadline=None)
def test_the_edit_distance_equals_that_of_the_table(a, b):
    assert levenshtein(a, b) == by_the_table(a, b)


def test_a_text_is_the_same_composed_or_decomposed_and_with_any_line_end():
    truth = "πορφύρα\n단서".encode()
    assert score("cer-1", "πορφυ\u0301ρα\r\n단서\r\n".encode(), truth) == 0
    assert score("cer-1", b"\xef\xbb\xbf" + truth + b"\n\n", truth) == 0
    assert score("cer-1", "πορφυρα\n단서".encode(), truth) == BILLION // 10


def test_a_text_with_more_errors_than_letters_scores_above_one():
    assert score("cer-1", b"abcdef", b"x") == 6 * BILLION


def test_only_valid_pixels_count():
    label, mask = np.array([1, 0, 1, 0]), np.array([1, 1, 0, 0])
    guess = np.array([1, 0, 0, 1], dtype=np.uint8)
    assert score("fbeta-1", npy(guess), npz(label=label, mask=mask)) == BILLION
    assert score("auc-1", npy(guess), npz(label=label, mask=mask)) == BILLION


def test_a_mask_without_a_mark_scores_zero():
    assert score("fbeta-1", npy(np.zeros(3, np.uint8)), npz(label=np.array([1, 0, 1]))) == 0


@pytest.mark.parametrize(
    ("name", "submission", "words"),
    [
        ("fbeta-1", b"", "is empty"),
        ("fbeta-1", npy(np.zeros((3, 2), bool)), r"shape is \(3, 2\)"),
        ("fbeta-1", npy(np.array([[0, 1, 2], [0, 0, 0]])), r"holds 2 at \(0, 2\)"),
        ("fbeta-1", npy(np.array([[0, 1, 255], [0, 0, 0]], np.uint8)), r"holds 1 at \(0, 1\)"),
        ("fbeta-1", npy(np.full((2, 3), np.nan)), "floats"),
        ("fbeta-1", npy(np.full((2, 3), np.inf, np.float32)), "floats"),
        ("fbeta-1", b"1\n0\nnan\n", "Line 3 is 'nan'"),
        ("auc-1", npy(np.zeros((2, 3), np.int32)), "are int32"),
        ("auc-1", npy(np.zeros((2, 3), np.float16)), "uint16 round"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_reason(name, submission, words):
    truth = npz(label=np.array([[0, 1, 1], [0, 0, 1]]))
    with pytest.raises(Unfit, match=words):
        score(name, submission, truth)


def test_a_list_of_another_length_is_refused():
    with pytest.raises(Unfit, match=r"shape is \(2,\); the truth has \(3,\)"):
        score("accuracy-1", b"1\n2\n", b"1\n2\n3\n")


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"x" * 500_000, b"x" * 100_001])
def test_a_text_that_is_none_or_too_long_is_refused(text):
    with pytest.raises(Unfit):
        score("cer-1", text, b"x")


def test_a_long_text_is_measured_in_time():
    assert levenshtein("단서" * 10_000, "서단" * 10_000) == 2


@pytest.mark.parametrize(
    ("name", "truth", "parameters"),
    [
        ("fbeta-1", npz(label=np.zeros((2, 2), bool)), {}),
        ("fbeta-1", npz(other=np.ones((2, 2), bool)), {}),
        ("fbeta-1", npz(mask=np.ones((2, 2), bool)), {}),
        ("fbeta-1", npz(label=np.ones((2, 2), bool), mask=np.ones(4, bool)), {}),
        ("fbeta-1", npz(label=np.array([[None, 1]])), {}),
        ("fbeta-1", b"PK\x03\x04", {}),
        ("auc-1", npz(label=np.ones((2, 2), bool)), {}),
        ("fbeta-1", npz(label=np.ones((2, 2), bool)), {"beta2_numerator": 0}),
        ("fbeta-1", npz(label=np.ones((2, 2), bool)), {"beta": 1}),
        ("fbeta-1", npz(label=np.ones((2, 2), bool)), {"beta2_numerator": True}),
    ],
)
def test_a_bad_truth_or_parameter_is_not_the_submissions_fault(name, truth, parameters):
    with pytest.raises(Usage):
        score(name, npy(np.ones((2, 2), np.uint8)), truth, **parameters)


def test_the_points_of_a_truth_are_those_that_count():
    label = np.array([[1, 0, 1], [0, 0, 1]])
    assert truth_points("fbeta-1", npz(label=label, mask=label)) == 3
    assert truth_points("auc-1", npz(label=label)) == 6
    assert truth_points("rmse-1", b"1\n2\n") == 2
    assert truth_points("cer-1", "단서\n".encode()) == 2
    for name, truth in (("fbeta-1", b""), ("rmse-1", b"x"), ("cer-1", b"\xff"), ("cer-1", b"\n")):
        with pytest.raises(Usage):
            truth_points(name, truth)


def test_every_scorer_is_named_with_a_version_and_summarised_in_two_languages():
    for name, scorer in SCORERS.items():
        assert name == scorer.name
        assert name.rsplit("-", 1)[1].isdigit()
        assert scorer.summary_en.isascii()
        assert not scorer.summary_ko.isascii()
