"""How the demo runs: every line that it shows is a command, and runs the very same code."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console

from danseo import settings as configuration
from danseo.core.errors import DanseoError, Unavailable, Usage

if TYPE_CHECKING:
    from danseo.chain.client import Client
    from danseo.flows.acting import Desk

MARK: Final = ".danseo-demo"


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set variables for the commands that the demo runs, as its user would by `export`."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@dataclass
class Player:
    """Runs commands in-process, and shows them as they are typed."""

    home: Path
    console: Console

    def fresh_folder(self) -> None:
        """Empty the folder of an earlier demo; refuse one that no demo made."""
        if self.home.exists() and any(self.home.iterdir()):
            if not (self.home / MARK).exists():
                raise Usage(
                    f"{self.home} is not empty, and no demo made it.",
                    "Choose another folder with --out.",
                )
            shutil.rmtree(self.home)
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / MARK).touch()

    def say(self, text: str) -> None:
        """Say something that is not a command."""
        self.console.print(text, soft_wrap=True)

    def head(self, text: str) -> None:
        """Begin a new act."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def run(self, line: str, *, key: str = "", quiet: bool = False) -> None:
        """Show a command and run it; with `quiet`, without what it prints."""
        words = shlex.split(line)
        if key:
            words += ["--key", key]
        self.console.print(f"[dim]$ danseo {shlex.join(words)}[/dim]", soft_wrap=True)
        self._call(words, quiet)

    def refused(self, line: str, *, key: str) -> None:
        """Show a command that the rules refuse, and its refusal; fail where they take it."""
        try:
            self.run(line, key=key)
        except DanseoError as refusal:
            self.console.print(f"refused: {refusal}", soft_wrap=True)
            return
        raise Unavailable(f"`{line}` was not refused.", "Report this: a rule is broken.")

    def compute(self, script: Path, data: Path, out: Path) -> Path:
        """Run a contributor's script on their own machine, as they would, and return its file."""
        self.console.print(
            f"[dim]$ python {script.name}    # by the contributor[/dim]", soft_wrap=True
        )
        code = (
            "import pathlib, runpy, sys; "
            "runpy.run_path(sys.argv[1])['main'](pathlib.Path(sys.argv[2]), "
            "pathlib.Path(sys.argv[3]))"
        )
        command = [sys.executable, "-c", code, str(script), str(data), str(out)]
        with self.console.status(f"{script.stem} computes"):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{script.name} failed: {done.stderr.strip()[-2000:]}", "Report it.")
        return out / "prediction.npy"

    def desk(self) -> contextlib.AbstractContextManager[Desk]:
        """Open the demo's log."""
        from danseo import app as wiring  # late: `danseo --help` opens no log

        return wiring.desk(self._settings())

    def chain(self) -> contextlib.AbstractContextManager[Client]:
        """Open the demo's chain."""
        from danseo import app as wiring

        return wiring.chain(self._settings())

    def _settings(self) -> configuration.Settings:
        return configuration.load(given={"DANSEO_HOME": str(self.home)})

    def _call(self, words: list[str], quiet: bool) -> None:
        from danseo.cli import app

        command = typer.main.get_command(app)
        with contextlib.ExitStack() as stack:
            if quiet:
                stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            command.main(words, prog_name="danseo", standalone_mode=False)
