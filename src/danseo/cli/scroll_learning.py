"""`danseo scroll train` and `danseo scroll eval`: learn from phantoms, and score against truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from danseo.cli.options import Json


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command("eval")(evaluate)


def evaluate(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="segment, flatten, ink or text.")],
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="What the stage wrote.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="A phantom's NAME.truth.")],
    as_json: Json = False,
) -> None:
    """Score what a stage wrote against the truth of a phantom.

    Example: danseo scroll eval segment reading/segment scroll.truth
    """
