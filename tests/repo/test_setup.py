"""Set-up on a bare machine: it finds Python, installs where it may, else says the one command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.tree import ROOT


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine's folder of programs, with nothing in it but what every Unix has."""
    for name in ("dirname", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    return tmp_path


def _program(machine: Path, name: str, body: str) -> None:
    path = machine / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def _run(
    machine: Path, script: str, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts" / script), *arguments],
        env={"PATH": str(machine), **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_shim_that_does_not_run_and_an_old_python_are_passed_over(machine: Path) -> None:
    _program(machine, "python3.11", "exit 127")
    _program(machine, "python3.12", 'case "$2" in *version_info*) exit 1;; esac')
    _program(machine, "python3", f'exec {sys.executable} "$@"')
    done = _run(machine, "find-python")
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_without_python_the_message_says_what_to_install(machine: Path) -> None:
    done = _run(machine, "find-python")
    assert done.returncode == 1
    assert "Python 3.11 or later" in done.stderr
    assert "sudo apt-get install python3" in done.stderr


def test_a_python_that_was_named_is_the_only_one_tried(machine: Path) -> None:
    _program(machine, "python3", f'exec {sys.executable} "$@"')
    done = _run(machine, "find-python", PYTHON="python9")
    assert done.returncode == 1
    assert "python9" in done.stderr


def test_root_installs_a_package(machine: Path) -> None:
    _program(machine, "id", "echo 0")
    _program(machine, "apt-get", f'echo "$@" >>{machine}/asked')
    done = _run(machine, "install-package", "bubblewrap", "It is missing.")
    assert done.returncode == 0
    assert "bubblewrap" in (machine / "asked").read_text()


def test_stale_package_lists_are_fetched_once_and_tried_again(machine: Path) -> None:
    _program(machine, "id", "echo 0")
    listed = f"[ -e {machine}/listed ]"
    _program(
        machine,
        "apt-get",
        f'case "$1" in update) echo > {machine}/listed;; *) {listed} || exit 100;; esac',
    )
    assert _run(machine, "install-package", "bubblewrap", "It is missing.").returncode == 0


def test_whoever_may_not_install_is_told_the_one_command(machine: Path) -> None:
    _program(machine, "id", "echo 1000")
    _program(machine, "apt-get", f"echo > {machine}/asked")
    _program(machine, "sudo", "exit 1")
    done = _run(machine, "install-package", "bubblewrap", "It is missing.", CI="true")
    assert done.returncode == 1
    assert "sudo apt-get install bubblewrap" in done.stderr
    assert "It is missing." in done.stderr
    assert not (machine / "asked").exists()


def test_sudo_is_used_by_ci_alone(machine: Path) -> None:
    _program(machine, "id", "echo 1000")
    _program(machine, "apt-get", f"echo >> {machine}/asked")
    _program(machine, "sudo", 'shift; exec "$@"')
    _program(machine, "true", "exit 0")
    assert _run(machine, "install-package", "bubblewrap", "Missing.").returncode == 1
    assert not (machine / "asked").exists()
    assert _run(machine, "install-package", "bubblewrap", "Missing.", CI="true").returncode == 0
    assert (machine / "asked").exists()


def test_a_python_without_venv_is_told_with_the_one_command(machine: Path) -> None:
    shutil.copytree(ROOT / "scripts", machine / "clone" / "scripts")
    answers = (
        f"*ensurepip*) exit 1;; *executable*) echo {machine}/python3.11;; *%d.%d*) echo 3.11;;"
    )
    _program(machine, "python3.11", f'case "$2" in {answers} esac')
    _program(machine, "id", "echo 1000")
    _program(machine, "apt-get", "exit 1")
    done = _run(machine, str(machine / "clone" / "scripts" / "setup-venv"))
    assert done.returncode == 1
    assert "sudo apt-get install python3.11-venv" in done.stderr
    assert not (machine / "clone" / ".venv").exists()


def test_a_missing_sandbox_is_told_and_does_not_stop_the_rest(machine: Path) -> None:
    _program(machine, "id", "echo 1000")
    _program(machine, "apt-get", "exit 1")
    done = _run(machine, "setup-sandbox")
    assert done.returncode == 0
    assert "sudo apt-get install bubblewrap" in done.stderr


def test_a_sandbox_that_may_not_make_namespaces_is_told(machine: Path) -> None:
    _program(machine, "bwrap", "exit 1")
    done = _run(machine, "setup-sandbox")
    assert done.returncode == 0
    assert "danseo doctor" in done.stderr


def test_a_working_sandbox_needs_no_word(machine: Path) -> None:
    _program(machine, "bwrap", "exit 0")
    done = _run(machine, "setup-sandbox")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(
    Path("/usr/share/fonts/truetype/ancient-scripts").exists(), reason="the fonts are there"
)
def test_missing_fonts_are_told_and_do_not_stop_the_rest(machine: Path) -> None:
    _program(machine, "id", "echo 1000")
    _program(machine, "apt-get", "exit 1")
    done = _run(machine, "setup-fonts")
    assert done.returncode == 0
    assert "sudo apt-get install fonts-ancient-scripts" in done.stderr


def test_ci_runs_what_a_person_runs() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make lint", "make test"]


def test_the_hooks_before_a_commit_run_what_lint_runs() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lint = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    program = r"(?:entry: \.venv/bin|\$\(BIN\))/((?:python -m |ruff )?[\w.-]+)"
    assert re.findall(program, hooks) == re.findall(program, lint)
    assert len(re.findall(program, lint)) == 6
