"""`danseo demo`: the command, and past prizes under the rule; what it plays is in `play`."""

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
    source: Annotated[
        str,
        typer.Option(
            "--input",
            metavar="fragments|phantom",
            help="What is read: real fragments (a stand-in without --data), or phantom scrolls.",
        ),
    ] = "fragments",
    past: Annotated[
        str, typer.Option("--history", help="Show past prizes under the rule instead: vesuvius.")
    ] = "",
    width: Annotated[int, typer.Option(help="Pixels across a fragment; fewer is faster.")] = 640,
    node: Annotated[
        bool, typer.Option("--node", help="Pay on a local anvil node, not the embedded chain.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --history: print one JSON document.")
    ] = False,
) -> None:
    """Play one whole challenge, *Read the ink*, and write a report.

    Example: danseo demo --data ../shared/data
    """
    from danseo.core.errors import Usage

    if past:
        show_history(past, data, as_json)
    elif as_json:
        raise Usage("The demo shows commands as they run.", "Say --json with --history only.")
    elif source not in ("fragments", "phantom"):
        raise Usage(f"There is no input {source!r}.", "Say --input fragments, or --input phantom.")
    else:
        from danseo.cli.play import play

        play(out, data, width, node=node, phantom=source == "phantom")


def show_history(name: str, data: Path | None, as_json: bool) -> None:
    """Print what earlier prizes would have received from later ones."""
    from danseo import settings as configuration
    from danseo.cli import show
    from danseo.core.errors import Unavailable, Usage
    from danseo.flows.history import history

    if name != "vesuvius":
        raise Usage(f"There is no history {name!r}.", "There is one: vesuvius.")
    data = data or configuration.load().data
    if data is None:
        raise Unavailable(
            "The prizes are in a data folder, and none was given.", "Give --data, or DANSEO_DATA."
        )
    found = history(data / "credit" / "vesuvius_prizes_2023-2024.csv")
    rows = [
        (line.award.day, line.award.clue, line.own, line.received, line.owed, line.total)
        for line in found.lines
    ]
    columns = ("day", "clue", "paid", "received", "owed", "total")
    show.result(
        as_json,
        {
            "unit": "cent",
            "awards": [dict(zip(columns, map(str, row), strict=True)) for row in rows],
            "paid": str(found.paid),
            "commons": str(found.commons),
            "notes": list(found.notes),
        },
        show.table(
            "Prizes of the Vesuvius Challenge under the shoulders rule, in dollars",
            ("Date", "Clue", "Paid>", "From later>", "To earlier>", "Would be>"),
            [(day, clue, *map(_dollars, amounts)) for day, clue, *amounts in rows],
        ),
        f"Paid in all {_dollars(found.paid)}; commons {_dollars(found.commons)}.",
        *(f"- {note}" for note in found.notes),
    )


def _dollars(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"
