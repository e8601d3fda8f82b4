"""A reading: resumed after a kill with an equal result, and taken up from anyone's files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll.reading.pipeline import Request
from danseo.scroll.reading.stages import STAGES
from danseo.scroll.volume import open_volume
from tests.repo.tree import ROOT
from tests.scroll.reading import small as driver
from tests.scroll.reading.small import Small, contents

MOMENTS = (("segment", 5), ("flatten", 3), ("render", 2), ("ink", 4), ("text", 2), ("pictures", 1))


def test_a_reading_is_all_that_was_promised(small: Small) -> None:
    names = {path.name for path in small.out.iterdir()}
    assert names == {*STAGES, "pictures", "report.html", "text.txt"}
    pictures = {path.name for path in (small.out / "pictures").iterdir()}
    assert pictures == {*(f"{stage}.png" for stage in STAGES), "sheet"}
    for stage in STAGES:
        record = json.loads((small.out / stage / "stage.json").read_text())
        assert (record["stage"], record["state"]) == (stage, "done")
        assert record["summary"]


def test_killed_in_any_stage_it_goes_on_to_an_equal_result(small: Small, tmp_path: Path) -> None:
    out = tmp_path / "reading"
    for stage, count in MOMENTS:
        ran = subprocess.run(
            [sys.executable, driver.__file__, small.volume, small.weights, out, stage, str(count)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
            capture_output=True,
        )
        assert ran.returncode == -signal.SIGKILL, (stage, ran.stderr.decode()[-2000:])
    replace(small, out=out).read()
    assert contents(out) == contents(small.out)


def test_asked_again_nothing_is_computed_again(elsewhere: Small) -> None:
    before = {s: (elsewhere.out / s / "stage.json").stat().st_mtime_ns for s in STAGES}
    found = elsewhere.read()
    assert [one.how for one in found.outcomes] == ["kept"] * 5
    assert before == {s: (elsewhere.out / s / "stage.json").stat().st_mtime_ns for s in STAGES}


def test_another_question_is_answered_anew_from_there_on(elsewhere: Small) -> None:
    from danseo.scroll.text.transcribe import TextOptions

    asked = {**elsewhere.request().options, "text": TextOptions(dot=0.9)}
    found = elsewhere.read(options=asked)
    assert [one.how for one in found.outcomes] == ["kept"] * 4 + ["made"]
    assert found.outcomes[-1].moved == elsewhere.out / "text.1"
    assert (elsewhere.out / "text.1" / "stage.json").exists()


def test_what_was_changed_by_hand_is_taken_as_it_is(elsewhere: Small) -> None:
    (elsewhere.out / "ink" / "notes.txt").write_text("retouched")
    found = elsewhere.read()
    assert [one.how for one in found.outcomes] == ["kept", "kept", "kept", "given", "kept"]
    assert (elsewhere.out / "ink" / "notes.txt").exists()


def test_someone_elses_surface_is_read_on_from(elsewhere: Small, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    found = replace(elsewhere, out=out).read(
        use={"segment": elsewhere.truth / "surface"}, last="render"
    )
    assert [one.how for one in found.outcomes] == ["given", "made", "made"]
    again = replace(elsewhere, out=out).read(
        use={"segment": elsewhere.truth / "surface"}, last="render"
    )
    assert [one.how for one in again.outcomes] == ["given", "kept", "kept"]
    assert found.text is None


def test_a_picture_of_ink_alone_is_enough_for_text(small: Small, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    found = replace(small, out=out).read(use={"ink": small.truth / "ink.png"})
    assert [one.how for one in found.outcomes] == ["given", "made"]
    assert (out / "pictures" / "sheet" / "ink" / "0" / "0-0.png").exists()


@pytest.mark.parametrize(
    ("use", "error", "said"),
    [
        ({"segment": "reading"}, Unavailable, "x.tif"),
        ({"ink": "scroll.truth/text.txt"}, Invalid, "no picture"),
        ({"text": "scroll.truth/phantom.json"}, Invalid, "no transcript"),
        ({"segmnt": "scroll.truth"}, Usage, "no stage 'segmnt'"),
    ],
)
def test_what_is_no_output_of_a_stage_is_refused_and_nothing_moved(
    small: Small, tmp_path: Path, use: dict[str, str], error: type[Exception], said: str
) -> None:
    (tmp_path / "mine").mkdir()
    paths = {name: small.volume.parent / place for name, place in use.items()}
    with pytest.raises(error, match=said):
        replace(small, out=tmp_path / "mine").read(use=paths)
    left = [p.name for p in (tmp_path / "mine").iterdir() if not p.name.endswith(".part")]
    assert left == []


def test_without_weights_it_stops_before_ink_and_reports_what_there_is(
    elsewhere: Small, tmp_path: Path
) -> None:
    for name in ("ink", "text"):
        shutil.rmtree(elsewhere.out / name)
    with pytest.raises(Unavailable, match="no trained weights for ink"):
        elsewhere.read(weights={"ink": tmp_path / "none"})
    page = (elsewhere.out / "report.html").read_text("utf-8")
    assert "the reading stopped after 3. Render" in page


def test_a_later_start_needs_what_comes_before_it(small: Small, tmp_path: Path) -> None:
    with pytest.raises(Usage, match="holds no result of render"):
        replace(small, out=tmp_path / "new").read(first="ink")


def test_an_order_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="text comes after ink"):
        Request(tmp_path, first="text", last="ink")


def test_two_processes_give_the_same_as_one(small: Small, tmp_path: Path) -> None:
    for stage in ("segment", "flatten"):
        shutil.copytree(small.out / stage, tmp_path / "two" / stage)
    two = replace(small, out=tmp_path / "two")
    two.read(workers=2, last="ink")
    for stage in ("render", "ink"):
        assert contents(two.out / stage) == contents(small.out / stage)
    assert open_volume(two.out / "render" / "layers.zarr").shape[0] == 24
