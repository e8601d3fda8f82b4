"""The challenge *Read the ink*: its files, who beats whom, and its pictures."""

import ast
import hashlib
import io
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from danseo.core.errors import Unavailable, Unfit
from danseo.scoring import arrays
from danseo.scoring.scorers import SCORERS
from danseo.scroll.fragments import ink

from .played import predict, score

STEP = 0.002
ALLOWED = {"numpy", "scipy", "sklearn", "threadpoolctl", "PIL"} | set(sys.stdlib_module_names)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return ink.prepare(tmp_path_factory.mktemp("files"), width=320)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return ink.prepare(tmp_path_factory.mktemp("small"), width=160)


def test_each_clue_beats_the_one_before_by_a_step(inputs):
    scores = [score(name, inputs) for name in ("darkness", "local", "learned", "combined")]
    assert scores[0] > float(inputs.baseline) + STEP
    assert all(after - before > STEP for before, after in pairwise(scores))
    assert scores[-1] < float(inputs.goal)


def test_a_method_predicts_the_same_twice(small):
    assert np.array_equal(predict("learned", small), predict("learned", small))


@pytest.mark.parametrize("name", ["darkness", "local", "learned", "combined"])
def test_a_prediction_does_not_depend_on_the_truth(name, small, tmp_path):
    before = predict(name, small)
    for path in small.public:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    elsewhere = ink.Inputs("", "", small.public, tmp_path / ink.TRUTH, small.baseline, small.goal)
    assert np.array_equal(predict(name, elsewhere), before)
    assert before.dtype == np.uint8
    assert set(np.unique(before)) <= {0, 1}


@pytest.mark.parametrize("method", ink.METHODS, ids=lambda m: m.name)
def test_a_script_stands_alone(method):
    tree = ast.parse(method.script.read_text("utf-8"))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= ALLOWED
    assert "danseo" not in method.script.read_text("utf-8")


def test_features_are_the_same_in_the_tool_and_in_the_clues_that_cite_it():
    found = set()
    for name in ("multiscale", "learned", "combined"):
        source = next(m for m in ink.METHODS if m.name == name).script.read_text("utf-8")
        functions = {
            node.name: ast.get_source_segment(source, node)
            for node in ast.parse(source).body
            if isinstance(node, ast.FunctionDef)
        }
        found.add((functions["blur"], functions["features"]))
    assert len(found) == 1


def test_every_requirement_is_pinned_to_what_is_installed():
    for method in ink.METHODS:
        assert [r.partition("==")[0] for r in method.requirements()] == sorted(method.packages)
        assert all(r.partition("==")[2] for r in method.requirements())


def test_a_package_that_is_not_installed_is_named():
    method = ink.Method("x", "", "", ("no-such-package-at-all",))
    with pytest.raises(Unavailable, match="no-such-package-at-all"):
        method.requirements()


def test_the_truth_is_no_public_file_and_the_scorer_reads_it(small):
    assert small.truth not in small.public
    assert [p.name for p in small.public] == list(ink.PUBLIC)
    truth = np.load(small.truth)
    guess = predict("darkness", small)
    published = (small.truth.parent / "darkness" / "prediction.npy").read_bytes()
    exact = SCORERS["fbeta-1"].score(published, small.truth.read_bytes())
    assert abs(exact - ink.fbeta(guess, truth["label"], truth["mask"]) * 10**9) <= 1


def test_the_clue_that_moves_nothing_scores_below_the_baseline(small, tmp_path):
    truth = np.load(small.truth)
    guess = np.load(small.moves_nothing(tmp_path / "nothing"))
    assert ink.fbeta(guess, truth["label"], truth["mask"]) < float(small.baseline)


def test_the_malformed_clue_has_another_shape_than_the_truth(small, tmp_path):
    shape = arrays.read(small.malformed(tmp_path / "malformed").read_bytes()).shape
    assert shape != np.load(small.truth)["label"].shape


def test_the_same_files_are_written_twice(small, tmp_path):
    again = ink.prepare(tmp_path, width=160)
    for one, other in zip((*small.public, small.truth), (*again.public, again.truth), strict=True):
        assert digest(one) == digest(other)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_data_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Unavailable, match="nowhere"):
        ink.prepare(tmp_path / "files", tmp_path / "nowhere")


def test_a_data_folder_without_fragments_gives_the_stand_in_and_says_so(tmp_path):
    assert "stand-in" in ink.prepare(tmp_path / "files", tmp_path, width=80).source


def test_a_picture_shows_found_false_and_missed_ink_and_the_truth():
    ct = np.full((60, 60), 150, dtype=np.uint8)
    mask = np.ones((60, 60), dtype=np.uint8)
    mask[:, 50:] = 0
    label, guess = np.zeros_like(mask), np.zeros_like(mask)
    label[0:20], guess[10:30] = 1, 1
    picture = Image.open(io.BytesIO(ink.picture(ct, mask, label, guess, across=60))).convert("RGBA")
    assert picture.getpixel((5, 5)) == (*ink.MISSED, 255)
    assert picture.getpixel((5, 15)) == (*ink.HIT, 255)
    assert picture.getpixel((5, 25)) == (*ink.FALSE, 255)
    assert picture.getpixel((55, 15))[3] == 0
    right = picture.width - 60
    assert picture.getpixel((right + 5, 5)) == (*ink.HIT, 255)
    assert picture.getpixel((right + 5, 25))[:3] not in (ink.HIT, ink.FALSE, ink.MISSED)


def test_colours_of_a_picture_differ_in_lightness_too():
    light = sorted(
        0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (ink.HIT, ink.FALSE, ink.MISSED)
    )
    assert light[0] + 40 < light[1] < light[2] - 40


def test_a_prediction_of_another_shape_is_not_drawn():
    sheet = np.ones((8, 8), dtype=np.uint8)
    with pytest.raises(Unfit, match=r"\(4, 8\)"):
        ink.picture(sheet, sheet, sheet, sheet[:4])
