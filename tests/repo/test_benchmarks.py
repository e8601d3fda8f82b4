"""The form of figures: what is written is what is read, shown, and put into the page."""

from __future__ import annotations

import dataclasses
import importlib
import json
import socket
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import harness
from benchmarks.harness import Figure
from scripts import figures
from tests.repo.tree import ROOT, text_of

FORM = {"what", "value", "unit", "peer", "ratio", "aim", "holds"}
MET = Figure("entries a second", 61_234.5, "1/s", "bare recovery", 0.61, "at least 0.6", True)
MISSED = Figure("memory", 3, "MiB", aim="at most 2", holds=False)


def test_a_file_of_results_has_exactly_the_published_form(tmp_path: Path) -> None:
    record = json.loads(harness.write("verify", [MET, MISSED], tmp_path).read_text())
    assert set(record) == {"name", "machine", "figures"}
    assert record["name"] == "verify"
    assert [set(figure) for figure in record["figures"]] == [FORM, FORM]
    assert record["figures"][1] == dataclasses.asdict(MISSED)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = harness.write("verify", [MET, MISSED], tmp_path)
    assert harness.read(path) == ("verify", harness.machine(), [MET, MISSED])


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = harness.write("verify", [MET], tmp_path)
    path.rename(tmp_path / "append.json")
    with pytest.raises(ValueError, match="make bench NAME=append"):
        harness.read(tmp_path / "append.json")


def test_the_machine_is_described_and_not_named() -> None:
    about = harness.machine()
    assert set(about) == {"cpu", "cores", "memory_gib", "python"}
    assert socket.gethostname() not in json.dumps(about)
    assert about["cores"] >= 1
    assert about["memory_gib"] >= 1


@pytest.mark.parametrize(("aim", "holds"), [("at least 1", None), ("", True)])
def test_an_aim_has_a_verdict_and_a_verdict_an_aim(aim: str, holds: bool | None) -> None:
    with pytest.raises(ValueError, match="verdict"):
        Figure("speed", 1.0, "1/s", aim=aim, holds=holds)


def test_the_table_shows_a_missed_aim_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.write("verify", [MET, MISSED], tmp_path)
    shown = capsys.readouterr().out
    assert "at most 2" in shown
    assert "no" in shown.split()


def test_the_page_gives_each_figure_and_the_command_that_measures_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.write("harness", [MET, MISSED], tmp_path)
    page = figures.page(tmp_path)
    assert "    make bench NAME=harness\n" in page
    assert (
        "| entries a second | 61,234 1/s | bare recovery | 0.61 | at least 0.6 | yes |\n"
        "| memory | 3 MiB |  |  | at most 2 | no |\n" in page
    )


def test_a_changed_result_makes_the_page_stale(tmp_path: Path) -> None:
    harness.write("harness", [MET], tmp_path)
    before = figures.page(tmp_path)
    harness.write("harness", [dataclasses.replace(MET, value=1.0)], tmp_path)
    assert figures.page(tmp_path) != before


@pytest.mark.parametrize("name", runner.NAMES)
def test_each_benchmark_can_be_run_and_says_what_it_measures(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert callable(module.run)
    assert module.__doc__


def test_every_benchmark_is_listed() -> None:
    apart = {"__init__", "__main__", "harness"}
    found = {
        path.stem for path in (ROOT / "benchmarks").glob("*.py") if "\ndef run(" in text_of(path)
    }
    assert found - apart == set(runner.NAMES)


def test_an_unknown_benchmark_is_refused_with_the_names_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert runner.main(["nothing"]) == 2
    assert "verify, append, rewards, publish" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(harness.RESULTS.glob("*.json")), ids=lambda p: p.stem)
def test_a_committed_result_has_the_form_and_a_benchmark_behind_it(path: Path) -> None:
    name, machine, found = harness.read(path)
    assert name in runner.NAMES
    assert set(machine) == {"cpu", "cores", "memory_gib", "python"}
    assert found
