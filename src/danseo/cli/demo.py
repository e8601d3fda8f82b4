"""`danseo demo`: the command; what it plays is in `play`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo")(demo)


def demo(
    out: Annotated[
        Path, typer.Option(help="The folder to play in; an earlier demo is replaced.")
    ] = Path("demo"),
    data: Annotated[
        Path | None, typer.Option(help="A data folder with the real fragments (DANSEO_DATA).")
    ] = None,
    past: Annotated[
        str, typer.Option("--history", help="Show past prizes under the rule instead: vesuvius.")
    ] = "",
    width: Annotated[int, typer.Option(help="Pixels across a fragment; fewer is faster.")] = 640,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --history: print one JSON document.")
    ] = False,
) -> None:
    """Play one whole challenge, *Read the ink*, and write a report.

    Example: danseo demo --data ../shared/data
    """
    from danseo.cli.play import play, show_history
    from danseo.core.errors import Usage

    if past:
        show_history(past, data, as_json)
    elif as_json:
        raise Usage("The demo shows commands as they run.", "Say --json with --history only.")
    else:
        play(out, data, width)
