"""One challenge, played once by commands; each test that changes it gets a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli import stage as play
from tests.cli.stage import Stage


@pytest.fixture(scope="session")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("opened") / "prize"
    stage = play.begin(home)
    play.open_example(stage)
    play.publish(stage, "guess-1.csv", "contributor-1")
    stage.do("score example --everyone")
    play.publish(stage, "guess-2.csv", "contributor-2", "--cite 17")
    return home


@pytest.fixture(scope="session")
def _settled(_opened: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("settled") / "prize"
    shutil.copytree(_opened, home)
    stage = Stage(home)
    stage.do("score example --everyone --all")
    play.publish(stage, "public.csv", "contributor-2", "--form data --cite 17")
    play.settle(stage)
    return home


@pytest.fixture(scope="session")
def _coined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("coined") / "prize"
    play.with_coin(play.begin(home))
    return home


@pytest.fixture
def coined(_coined: Path, tmp_path: Path) -> Stage:
    """An open challenge with contracts: 50 ETH in the pool, and clue 17 a step of contributor-1."""
    return _copy(_coined, tmp_path)


@pytest.fixture
def opened(_opened: Path, tmp_path: Path) -> Stage:
    """An open challenge: clue 17 is a step, clue 21 waits for its scorers."""
    return _copy(_opened, tmp_path)


@pytest.fixture
def settled(_settled: Path, tmp_path: Path) -> Stage:
    """A settled challenge: clues 17 and 21 are steps, clue 25 is data; the jury has not met."""
    return _copy(_settled, tmp_path)


@pytest.fixture
def begun(tmp_path: Path) -> Stage:
    """A log with the example beside it, and nothing opened yet."""
    return play.begin(tmp_path / "prize")


def _copy(home: Path, to: Path) -> Stage:
    shutil.copytree(home, to / "prize")
    return Stage(to / "prize")
