"""Tiles: each once, again after a failure, and nothing twice after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll.tiles import parse_workers, run_tiles
from tests.repo.tree import ROOT
from tests.scroll.tile_tasks import DiesAtFirst, Fails, FailsAtFirst, FindsBadInput, Square

TILES = [(i, j) for i in range(3) for j in range(3)]
SQUARES = [i * j for i, j in TILES]
EACH = pytest.mark.parametrize("workers", [1, 2])


@EACH
def test_what_came_of_each_tile_is_returned_in_order(tmp_path: Path, workers: int) -> None:
    told: list[tuple[float, str]] = []
    found = run_tiles(
        Square(tmp_path),
        TILES,
        marks=None,
        workers=workers,
        progress=lambda part, words: told.append((part, words)),
    )
    assert found == SQUARES
    assert sorted(Square(tmp_path).calls()) == sorted(str(t) for t in TILES)
    assert told[0] == (0.0, "0 of 9 tiles")
    assert told[-1] == (1.0, "9 of 9 tiles")


def test_tiles_that_are_done_are_not_asked_for_again(tmp_path: Path) -> None:
    task, marks = Square(tmp_path), tmp_path / "marks"
    run_tiles(task, TILES, marks=marks)
    assert run_tiles(task, TILES, marks=marks, workers=2) == SQUARES
    assert len(task.calls()) == 9


def test_a_mark_that_a_kill_cut_short_is_done_again_and_swallows_no_other(tmp_path: Path) -> None:
    task, marks = Square(tmp_path), tmp_path / "marks"
    run_tiles(task, TILES, marks=marks)
    marks.write_bytes(marks.read_bytes()[:-2])
    assert run_tiles(task, TILES, marks=marks) == SQUARES
    assert task.calls()[9:] == ["(2, 2)"]
    assert run_tiles(task, TILES, marks=marks) == SQUARES
    assert len(task.calls()) == 10


def test_marks_of_other_tiles_count_for_nothing(tmp_path: Path) -> None:
    task, marks = Square(tmp_path), tmp_path / "marks"
    run_tiles(task, TILES, marks=marks)
    run_tiles(task, TILES[:4], marks=marks)
    assert len(task.calls()) == 13


@EACH
def test_a_failed_tile_is_tried_again_after_the_others(tmp_path: Path, workers: int) -> None:
    task = FailsAtFirst(tmp_path)
    assert run_tiles(task, TILES, marks=None, workers=workers) == SQUARES
    assert len(task.calls()) == 18


@EACH
def test_a_tile_that_always_fails_is_named_when_the_others_are_done(
    tmp_path: Path, workers: int
) -> None:
    task, marks = Fails(tmp_path), tmp_path / "marks"
    with pytest.raises(Unavailable, match="Tile 1-1 failed 3 times: OSError: no luck") as caught:
        run_tiles(task, TILES, marks=marks, workers=workers)
    assert "8 of 9 tiles are done and kept" in caught.value.remedy
    assert task.calls().count("(1, 1)") == 3
    assert run_tiles(Square(tmp_path), TILES, marks=marks) == SQUARES
    assert task.calls().count("(2, 2)") == 1


@EACH
def test_bad_input_is_told_as_it_is_and_tried_once(tmp_path: Path, workers: int) -> None:
    task = FindsBadInput(tmp_path)
    with pytest.raises(Invalid, match="Tile 1-1: chunk 0/1 is cut short") as caught:
        run_tiles(task, TILES, marks=None, workers=workers)
    assert caught.value.remedy == "Fetch it again."
    assert len(task.calls()) == 9


def test_a_process_that_is_killed_is_replaced_and_its_tile_done_again(tmp_path: Path) -> None:
    task = DiesAtFirst(tmp_path)
    assert run_tiles(task, TILES, marks=None, workers=2) == SQUARES
    assert task.calls().count("(1, 1)") == 2


def test_a_tile_that_kills_every_process_is_blamed_alone(tmp_path: Path) -> None:
    task = DiesAtFirst(tmp_path, always=True)
    with pytest.raises(Unavailable, match=r"Tile 1-1 failed 2 times.*SIGKILL.*memory"):
        run_tiles(task, TILES, marks=None, workers=2, retries=1)
    assert len(set(task.calls())) == 9


SLOW = """
import signal
import sys
from pathlib import Path
from danseo.scroll.tiles import run_tiles
from tests.scroll.tile_tasks import Square
if __name__ == "__main__":
    # What a shell starts in the background is told to take no notice of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(sys.argv[1])
    tiles = [(i, j) for i in range(3) for j in range(3)]
    run_tiles(Square(folder, 0.3), tiles, marks=folder / "marks", workers=int(sys.argv[2]))
"""


@EACH
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_goes_on_where_it_stopped(
    tmp_path: Path, workers: int, how: signal.Signals
) -> None:
    program, task = tmp_path / "slow.py", Square(tmp_path)
    program.write_text(SLOW)
    running = subprocess.Popen(
        [sys.executable, str(program), str(tmp_path), str(workers)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    while len(task.calls()) < 3:
        time.sleep(0.02)
        assert running.poll() is None
    running.send_signal(how)
    running.communicate()
    time.sleep(0.5)  # what the worker processes had under way would be written by now
    before = len(task.calls())
    assert before < 9
    assert run_tiles(task, TILES, marks=tmp_path / "marks") == SQUARES
    assert len(task.calls()) <= 9 + workers
    assert len(set(task.calls())) == 9


def test_a_cluster_does_the_same_and_survives_a_lost_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    task = DiesAtFirst(tmp_path)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        found = run_tiles(task, TILES, marks=tmp_path / "marks", workers=address)
        with pytest.raises(Unavailable, match="Tile 1-1 failed 1 times: OSError: no luck"):
            run_tiles(Fails(tmp_path), TILES, marks=None, workers=address, retries=0)
    assert found == SQUARES
    assert run_tiles(task, TILES, marks=tmp_path / "marks") == SQUARES


def test_a_scheduler_that_is_not_there_is_named() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(Unavailable, match=r"tcp://127\.0\.0\.1:1"):
        run_tiles(str, ["a"], marks=None, workers="tcp://127.0.0.1:1")


@pytest.mark.parametrize("text", ["0", "-1", "two", "", "4097", "1.5", "²"])
def test_workers_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Usage, match="--workers"):
        parse_workers(text)


def test_two_tiles_of_one_name_are_a_fault() -> None:
    with pytest.raises(ValueError, match="same name"):
        run_tiles(str, ["a", "a"], marks=None)
