"""The command line as a whole: errors, exit statuses, help, and how fast it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from danseo import cli
from danseo.core import errors
from tests.cli.stage import Stage, run


def test_every_error_of_the_rules_ends_with_the_status_of_its_family(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    families = (errors.Usage, errors.NotFound, errors.Unfit, errors.Invalid, errors.Unavailable)
    seen = []
    for family in families:
        problem = family("It is wrong.", "Mend it.")

        def fail(*_: object, problem: errors.DanseoError = problem) -> None:
            raise problem

        monkeypatch.setattr("danseo.cli.checkup.look", fail)
        ran = Stage(tmp_path).run("doctor")
        seen.append(ran.status)
        assert ran.out == ""
        assert ran.err == "error: It is wrong.\n       Mend it.\n"
    assert seen == [2, 3, 4, 5, 6]


def test_an_error_of_the_code_itself_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("danseo.cli.checkup.look", fail)
    with pytest.raises(ZeroDivisionError):
        Stage(tmp_path).run("doctor")


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("danseo.cli.checkup.look", interrupt)
    ran = Stage(tmp_path).run("doctor")
    assert ran.status == 130
    assert "Traceback" not in ran.err


def test_a_file_that_cannot_be_used_is_named(opened: Stage, tmp_path: Path) -> None:
    refused = opened.refuse(f"challenge check {tmp_path}")
    assert (refused["status"], str(tmp_path) in refused["message"]) == (6, True)


def test_a_reader_that_has_had_enough_ends_the_command(opened: Stage) -> None:
    code = "import sys; from danseo.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "log", "show", "--home", str(opened.home)]
    for extra in ([], ["--json"]):
        reader, writer = os.pipe()
        os.close(reader)
        ran = subprocess.run(
            [*command, *extra], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert ran.returncode != 0
        assert ran.stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chalenge",), "challenge"),
        (("challenge", "open"), "challenge open --help"),
        (("key", "list", "--nothing"), "--nothing"),
        (("clue", "show", "example", "first"), "ID"),
    ],
)
def test_a_command_without_sense_is_a_usage_error(words: tuple[str, ...], said: str) -> None:
    ran = run(*words)
    assert ran.status == 2
    assert ran.err.startswith("error: ")
    assert said in ran.err
    assert run(*words, "--json").error["error"] == "Usage"


def test_alone_it_shows_its_help() -> None:
    ran = run()
    assert "Open a hard problem" in ran.out + ran.err
    assert run("--help").status == 0
    assert run("--version").out.startswith("danseo ")


def test_every_command_teaches_by_an_example_that_exists() -> None:
    silent, wrong = [], []
    for path, command in _commands((), typer.main.get_command(cli.app)):
        if hasattr(command, "commands"):
            continue
        _, found, example = (command.help or "").partition("Example: danseo ")
        if not found:
            silent.append(path)
        elif example.split()[: len(path)] != list(path):
            wrong.append((path, example))
    assert (silent, wrong) == ([], [])


def test_every_command_that_prints_a_result_can_print_json() -> None:
    silent = [
        " ".join(path)
        for path, command in _commands((), typer.main.get_command(cli.app))
        if not hasattr(command, "commands")
        and not any("--json" in parameter.opts for parameter in command.params)
    ]
    assert silent == ["log host"]


def test_plain_commands_load_no_numbers_and_no_wallet(opened: Stage) -> None:
    """`danseo --help` and a look at the log must start at once."""
    heavy = ("numpy", "sklearn", "scipy", "numba", "eth_keyfile", "PIL", "aiohttp")
    code = (
        "import sys; from danseo.cli import main; status = main(sys.argv[1:]); "
        f"print('loaded', status, [m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    home = ["--home", str(opened.home)]
    for words in (
        ["--help"],
        ["log", "show", *home],
        ["clock", "advance", "1d", *home],
        ["challenge", "list", *home],
    ):
        ran = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        assert ran.stderr.splitlines()[-1] == "loaded 0 []", words


def _commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands((*path, name), child)
