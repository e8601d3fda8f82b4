"""The command line: it reads what was typed, calls one flow, and prints what came of it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

import typer

from danseo.cli.app import app

__all__ = ["app", "main"]

_INTERRUPTED = 130
_PIPE_CLOSED = 141
_NEGATIVE = re.compile(r"No such option:? -[0-9]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: that of the error, where there was one."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = typer.main.get_command(app).main(words, prog_name="danseo", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read us, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except Exception as problem:  # noqa: BLE001 - what is no error of a user's is raised again
        return _tell(problem, words)
    return status if isinstance(status, int) else 0


def _tell(problem: Exception, words: Sequence[str]) -> int:
    """Print what went wrong and return the exit status for it."""
    from danseo.cli import here, show  # late: `danseo --help` has nothing to tell
    from danseo.core.errors import DanseoError, Unavailable, Usage

    if isinstance(problem, typer.TyperException):
        if not problem.format_message():  # nothing was asked for: the help was shown instead
            return Usage.status
        context = getattr(problem, "ctx", None)
        path = context.command_path if context else "danseo"
        said = problem.format_message()
        if _NEGATIVE.search(said):
            problem = Usage("An amount is above 0.", 'Write it as in "1.5 ETH".')
        else:
            problem = Usage(said, f"See `{path} --help`.")
    elif isinstance(problem, OSError):
        where = f"{problem.filename}: " if problem.filename else ""
        problem = Unavailable(
            f"{where}{problem.strerror or problem}.", "Check the path, its rights and the disk."
        )
    if not isinstance(problem, DanseoError):
        raise problem
    show.error(problem, "--json" in words, lambda text: here.named(text, _home(words)))
    return problem.status


def _home(words: Sequence[str]) -> str | None:
    """Return what `--home` was given as, or None."""
    for i, word in enumerate(words):
        if word.startswith("--home="):
            return word.removeprefix("--home=")
        if word == "--home" and i + 1 < len(words):
            return words[i + 1]
    return None
