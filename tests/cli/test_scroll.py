"""`danseo scroll`, as a user types it, and as a user mistypes it."""

from __future__ import annotations

import builtins
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stage import run
from tests.scroll.reading.small import Small, make_small


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A phantom of 1.6 Mvoxels, read once from beginning to end."""
    return make_small(tmp_path_factory.mktemp("read"))


@pytest.fixture
def here(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the scroll's reading in it, to work in."""
    shutil.copytree(small.out, tmp_path / "reading")
    for path in (small.volume, small.truth, small.weights):
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def do(line: str) -> Any:
    """Run a command that must succeed, and return its JSON."""
    ran = run(*shlex.split(line), "--json")
    assert ran.status == 0, ran.err
    assert ran.err == ""
    return ran.json


def test_a_phantom_is_made_as_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ode.txt").write_text("Μῆνιν ἄειδε\nθεά", "utf-8")
    line = (
        "scroll phantom --text ode.txt --size 64,160,160 --windings 2 --letter-um 250 --seed 4 "
        "--ink-um 9-15 --set core_um=220 --set repeat=false --workers 1 --out a.zarr"
    )
    found = do(line)
    assert found["shape"] == [64, 160, 160]
    assert found["text"].replace("\n", "").startswith("ΜΗΝΙΝΑΕΙΔΕ"[: found["letters"]])
    recipe = json.loads((tmp_path / "a.truth" / "phantom.json").read_text())["recipe"]
    assert (recipe["ink_um"], recipe["core_um"], recipe["seed"]) == ([9, 15], 220, 4)
    assert do(line) == found
    other = run(*shlex.split(line.replace("--seed 4", "--seed 5")))
    assert other.status == 6
    assert "another phantom" in other.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--size twelve", "--size"),
        ("--size 8", "shape"),
        ("--size 99999999999", "--size"),
        ("--set nothing=1", "NAME=VALUE"),
        ("--set noise", "NAME=VALUE"),
        ("--set noise=loud", "noise"),
        ("--set seed=1", "--set"),
        ("--ink-um thick", "8-20"),
        ("--noise nan", "noise"),
        ("--begins middle", "begins"),
        ("--bits 12", "bits"),
        ("--torn 0.9", "torn"),
        ("--text missing.txt", "missing.txt"),
        ("--text {home}", "{home}"),
        ("--text latin.txt", "Latin"),
        ("--text empty.txt", "empty"),
        ("--text bytes.txt", "UTF-8"),
        ("--blank --text latin.txt", "exclude"),
        ("--workers none", "--workers"),
        ("--workers tcp://127.0.0.1:1", "this machine"),
    ],
)
def test_a_phantom_that_makes_no_sense_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin.txt").write_text("Arma virumque")
    Path("empty.txt").write_text(" \n")
    Path("bytes.txt").write_bytes(b"\xff\xfe\x00")
    words = shlex.split(f"scroll phantom --out a.zarr --size 64,160,160 {options}")
    ran = run(*(word.replace("{home}", str(tmp_path)) for word in words), "--json")
    assert ran.status in (2, 6), ran
    assert said.replace("{home}", str(tmp_path)) in ran.error["message"] + ran.error["remedy"]
    assert not (tmp_path / "a.zarr").exists()


def test_a_reading_goes_on_by_command_and_says_what_it_kept(here: Path) -> None:
    line = "scroll read scroll.zarr --out reading --until render --workers 1"
    assert [one["how"] for one in do(line)["stages"]] == ["kept"] * 3
    ran = run(*shlex.split(line))
    assert ran.status == 0
    assert "segment: kept from an earlier run." in ran.err
    assert ran.out == "Wrote reading/report.html.\n"


def test_the_report_speaks_korean_when_asked(here: Path) -> None:
    do("scroll read scroll.zarr --out reading --until flatten --workers 1 --lang ko")
    page = (here / "reading" / "report.html").read_text("utf-8")
    assert '<html lang="ko">' in page


@pytest.mark.parametrize("stage", ["segment", "flatten", "ink", "text"])
def test_every_stage_that_has_a_truth_is_scored(here: Path, stage: str) -> None:
    found = do(f"scroll eval {stage} reading/{stage} scroll.truth")
    if stage in ("segment", "flatten"):
        assert found["coverage"] > 0.5
        assert found["median"] < 2
    elif stage == "ink":
        assert 0.3 < found["auc"] < 0.7  # the network of this test is untrained
    else:
        assert found["letters"] > 3
        assert found["cer"] >= 0


def test_the_true_ink_scores_as_true(here: Path) -> None:
    line = "scroll eval ink scroll.truth/ink.png scroll.truth --surface scroll.truth/surface"
    assert do(line)["auc"] > 0.97


def test_each_stage_runs_alone(here: Path) -> None:
    made = [
        do("scroll segment scroll.zarr --out a/segment"),
        do("scroll flatten a/segment --out a/flatten"),
        do("scroll render scroll.zarr a/flatten --out a/render --workers 1"),
        do("scroll ink a/render --out a/ink --weights ink.safetensors --no-flips --workers 1"),
        do("scroll text a/ink --out a/text"),
    ]
    assert [one["how"] for one in made] == ["made"] * 5
    assert made[0]["summary"]["windings"] > 1.5
    again = run(*shlex.split("scroll text a/ink --out a/text"))
    assert "text: kept from an earlier run." in again.out
    anew = do("scroll text a/ink --out a/text --dot 0.9")
    assert anew["moved"] == "a/text.1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("scroll read nowhere.zarr --out r", "nowhere.zarr"),
        ("scroll read scroll.truth/ink.png --out r", "ink.png"),
        ("scroll read scroll.zarr --out r --axes zxx", "zxx"),
        ("scroll read scroll.zarr --out r --axes xyz", "axes"),
        ("scroll read scroll.zarr --out r --voxel-um 3", "7.91"),
        ("scroll read scroll.zarr --out r --voxel-um nan", "--voxel-um"),
        ("scroll read scroll.zarr --out r --from inc", "inc"),
        ("scroll read scroll.zarr --out r --from text --until ink", "comes after"),
        ("scroll read scroll.zarr --out r --from text", "no result of"),
        ("scroll read scroll.zarr --out r --use ink", "STAGE=PATH"),
        ("scroll read scroll.zarr --out r --use ink=nowhere", "nowhere"),
        ("scroll read scroll.zarr --out r --use pink=scroll.truth", "pink"),
        ("scroll read scroll.zarr --out r --workers 0", "--workers"),
        ("scroll read scroll.zarr --out r --lang la", "la"),
        ("scroll segment scroll.zarr --out r --begins left", "left"),
        ("scroll segment scroll.zarr --out r --umbilicus 5", "X,Y"),
        ("scroll segment scroll.zarr --out r --step 0", "step"),
        ("scroll flatten scroll.zarr --out r", "x.tif"),
        ("scroll flatten nowhere --out r", "nowhere"),
        ("scroll flatten reading/segment --out r --step -1", "step"),
        ("scroll render scroll.zarr nowhere --out r", "nowhere"),
        ("scroll render scroll.zarr reading/flatten --out r --layers 0", "layers"),
        ("scroll ink nowhere --out r", "nowhere"),
        ("scroll ink reading/render --out r --weights scroll.truth/text.txt", "text.txt"),
        ("scroll text nowhere.png --out r", "nowhere.png"),
        ("scroll text reading/ink --out r --dot 7", "dot"),
        ("scroll text reading/ink --out r --lies down", "down"),
        ("scroll eval render reading/render scroll.truth", "no truth for"),
        ("scroll eval segment reading/segment nowhere", "nowhere"),
        ("scroll eval segment reading/segment reading", "missing"),
        ("scroll eval text reading/ink scroll.truth", "text.json"),
        ("scroll train --part both --out r", "both"),
        ("scroll train --steps 0 --out r", "--steps"),
        ("scroll train --phantoms 0 --out r", "Phantoms"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_and_why(here: Path, line: str, said: str) -> None:
    ran = run(*shlex.split(line), "--json")
    assert ran.status in (2, 4, 5, 6), ran
    assert ran.error["remedy"]
    assert said in ran.error["message"] + ran.error["remedy"]
    left = list((here / "r").rglob("*")) if (here / "r").exists() else []
    assert not any(path.name in ("report.html", "text.json", "x.tif") for path in left)


def test_what_lies_in_the_way_is_never_overwritten(here: Path) -> None:
    (here / "thesis").mkdir()
    (here / "thesis" / "chapter.txt").write_text("dear")
    ran = run(*shlex.split("scroll segment scroll.zarr --out thesis --force"))
    assert ran.status == 2
    assert "did not write" in ran.err
    assert (here / "thesis" / "chapter.txt").read_text() == "dear"


@pytest.mark.parametrize("module", ["torch", "zarr", "scipy", "numba"])
def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    whole = builtins.__import__

    def lacking(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "danseo" and name.startswith("danseo.scroll"):
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", lacking)
    ran = run("scroll", "eval", "segment", str(tmp_path), str(tmp_path), "--json")
    assert ran.status == 6
    assert module in ran.error["message"]
    assert ran.error["remedy"] == "pip install 'danseo[scroll]'"
