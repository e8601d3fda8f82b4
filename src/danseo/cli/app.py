"""The Typer application: every command, put together."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from typing import Annotated

import typer

from danseo.cli import (
    chain,
    challenge,
    clue,
    dao,
    demo,
    dispute,
    judge,
    key,
    log,
    look,
    pool,
    scroll,
    stake,
)

app = typer.Typer(
    name="danseo",
    help="Open a hard problem, and pay for every clue.\n\n"
    "Start with `danseo init prize --simulated --people`: it says what to run next.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"danseo {importlib.metadata.version('danseo')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Open a hard problem, and pay for every clue."""


log.register(app)
app.add_typer(key.group, name="key")
app.add_typer(challenge.group, name="challenge")
app.add_typer(clue.group, name="clue")
judge.register(app)
app.add_typer(chain.group, name="chain")
app.add_typer(pool.group, name="pool")
app.add_typer(stake.group, name="stake")
app.add_typer(dao.group, name="dao")
app.add_typer(dispute.group, name="dispute")
look.register(app)
app.add_typer(scroll.group, name="scroll")
demo.register(app)
