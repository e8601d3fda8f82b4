"""A stage's folder: the same question once, another question never an old answer."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Unavailable, Usage
from danseo.scroll.stage import Stage, alone, code_of, identity, read_record


@dataclass(frozen=True)
class Options:
    """What a stage may be asked."""

    layers: int = 24


def _finished(folder: Path, asked: object = 1, content: str = "layers") -> Stage:
    stage = Stage(folder, "render", {"asked": asked})
    stage.begin()
    (folder / "result").write_text(content)
    stage.finish({"pixels": np.int64(3), "nothing": float("nan")})
    return stage


def test_the_same_question_is_answered_once(tmp_path: Path) -> None:
    folder = tmp_path / "render"
    assert not Stage(folder, "render", {"asked": Options()}).done()
    _finished(folder, Options())
    again = Stage(folder, "render", {"asked": Options()})
    assert again.done()
    record = read_record(folder)
    assert record is not None
    assert record["summary"] == {"pixels": 3, "nothing": None}
    assert record["asked"] == {"asked": {"layers": 24}}


def test_another_question_moves_the_old_answer_aside(tmp_path: Path) -> None:
    folder = tmp_path / "render"
    _finished(folder, Options(24), "24")
    _finished(folder, Options(32), "32")
    other = _finished(folder, Options(40), "40")
    assert other.moved == tmp_path / "render.2"
    kept = [(tmp_path / name / "result").read_text() for name in ("render.1", "render.2", "render")]
    assert kept == ["24", "32", "40"]
    assert Stage(tmp_path / "render.1", "render", {"asked": Options(24)}).done()


def test_a_folder_of_another_stage_is_no_answer(tmp_path: Path) -> None:
    _finished(tmp_path / "x")
    assert Stage(tmp_path / "x", "ink", {"asked": 1}).state == "other"


def test_force_asks_again_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "render"
    _finished(folder)
    stage = Stage(folder, "render", {"asked": 1}, force=True)
    assert not stage.done()
    stage.begin()
    assert not (folder / "result").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["render"]


def test_an_interrupted_stage_goes_on_with_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "render"
    first = Stage(folder, "render", {"asked": 1})
    first.begin()
    first.marks.write_text("half")
    second = Stage(folder, "render", {"asked": 1})
    assert not second.done()
    second.begin()
    assert second.resumed
    assert second.marks.read_text() == "half"
    second.finish({})
    assert not second.marks.exists()


def test_marks_that_a_kill_left_behind_are_removed(tmp_path: Path) -> None:
    stage = _finished(tmp_path / "render")
    stage.marks.write_text("left")
    assert stage.done()
    assert not stage.marks.exists()


@pytest.mark.parametrize("force", [False, True])
def test_what_someone_else_wrote_is_never_touched(tmp_path: Path, force: bool) -> None:
    folder = tmp_path / "render"
    folder.mkdir()
    (folder / "thesis.txt").write_text("dear")
    stage = Stage(folder, "render", {"asked": 1}, force=force)
    assert stage.state == "foreign"
    with pytest.raises(Usage, match="did not write"):
        stage.begin()
    assert (folder / "thesis.txt").read_text() == "dear"


def test_a_result_that_was_changed_by_hand_is_no_longer_ours(tmp_path: Path) -> None:
    stage = _finished(tmp_path / "render")
    (tmp_path / "render" / "result").write_text("better layers")
    assert not stage.done()
    assert stage.state == "foreign"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}'])
def test_a_record_that_is_none_of_ours_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "stage.json").write_text(text)
    with pytest.raises(Usage, match=r"stage\.json is no record"):
        Stage(tmp_path, "render", {"asked": 1}).done()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "render").write_text("")
    with pytest.raises(Usage, match="is a file"):
        Stage(tmp_path / "render", "render", {}).done()


def test_content_is_what_identifies_a_result_and_not_its_place(tmp_path: Path) -> None:
    _finished(tmp_path / "a")
    _finished(tmp_path / "b", asked=2)
    assert identity(tmp_path / "a") == identity(tmp_path / "b")
    (tmp_path / "b" / "result").write_text("layerz")
    assert identity(tmp_path / "a") != identity(tmp_path / "b")
    with pytest.raises(Unavailable, match="nowhere"):
        identity(tmp_path / "nowhere")


def test_code_counts_and_comments_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    found = set()
    for text in ('"""A."""\nX = 1\n', '"""B."""\n# why\nX = 1\n', "X = 2\n"):
        (tmp_path / "some_stage.py").write_text(text)
        found.add(code_of("some_stage"))
    assert len(found) == 2
    assert code_of("danseo.scroll.stage") != code_of("danseo.scroll")


HOLD = """
import sys
from pathlib import Path
from danseo.scroll.stage import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Unavailable, match="at work"), alone(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    with alone(tmp_path):
        assert json.loads("1") == 1
