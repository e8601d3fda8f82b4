"""The contracts of import-linter hold on the real tree, and bite on planted violations."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.tree import PACKAGE, ROOT

LINT = "import sys; from importlinter.cli import lint_imports as l; sys.exit(l(cache_dir=None))"
PLANTED = [
    ("core", "import danseo.log", "Imports run downwards only"),
    ("log", "from danseo import flows", "Imports run downwards only"),
    ("scoring", "import danseo.scroll", "Imports run downwards only"),
    ("flows", "import danseo.app", "Imports run downwards only"),
    ("core", "import time", "The core is pure"),
    ("core", "import random", "The core is pure"),
    ("core", "import numpy", "The core is pure"),
    ("scroll", "import danseo.log", "The scroll knows no log"),
    ("log", "from danseo.settings import load", "Only the wiring knows the settings"),
]


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the contracts and the package that lie in `root`."""
    return subprocess.run(
        [sys.executable, "-c", LINT],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy in which every violation of `PLANTED` was planted."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", copy)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, copy / "src" / "danseo", ignore=ignore)
    for number, (room, line, _) in enumerate(PLANTED):
        module = copy / "src" / "danseo" / room / f"planted_{number}.py"
        module.write_text(f"{line}\n", encoding="utf-8")
    done = _lint(copy)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr
    return done.stdout


def test_the_tree_keeps_its_layers() -> None:
    done = _lint(ROOT)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(("number", "planted"), list(enumerate(PLANTED)))
def test_a_planted_violation_is_found(found: str, number: int, planted: tuple[str, ...]) -> None:
    room, _, contract = planted
    assert f"{contract} BROKEN" in found
    details = found.partition("Broken contracts")[2].partition(f"{contract}\n---")[2]
    assert f"danseo.{room}.planted_{number} -> " in details.partition("\n---")[0]
