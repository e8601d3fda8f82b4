"""`danseo scroll train` and `danseo scroll eval`: learn from phantoms, and score against truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from danseo.cli.options import Json


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command("train")(train)
    group.command("eval")(evaluate)


def train(
    out: Annotated[Path, typer.Option(help="The folder to train in; an interrupted one goes on.")],
    part: Annotated[str, typer.Option(metavar="ink|text", help="What to train.")] = "ink",
    phantoms: Annotated[int, typer.Option(help="ink: phantoms to learn from.")] = 24,
    checks: Annotated[int, typer.Option(help="ink: phantoms more, to calibrate with.")] = 4,
    steps: Annotated[
        int | None, typer.Option(help="Steps of training; 6000 for ink, 1400 for text.")
    ] = None,
    start: Annotated[Path | None, typer.Option(help="Weights to begin with.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other weights.")] = 1,
    as_json: Json = False,
) -> None:
    """Train the ink network on phantoms, or the classifier of letters on worn pages.

    Example: danseo scroll train --part ink --phantoms 24 --out weights
    """
    from danseo.cli import show
    from danseo.cli.extras import extra
    from danseo.cli.pace import pace
    from danseo.core.errors import Usage

    if part not in ("ink", "text"):
        raise Usage(f"There is nothing to train for {part!r}.", "Say --part ink, or --part text.")
    if steps is not None and steps < 1:
        raise Usage(f"--steps is {steps}.", "Give a whole number above 0.")
    with extra("scroll"), pace(f"train {part}", silent=as_json) as tell:
        if part == "ink":
            from danseo.scroll.reading.learning import Course, train_ink

            file = train_ink(out, Course(phantoms, checks, steps or 6000, seed, start), tell)
        else:
            from danseo.scroll.text.training import GlyphTraining, train_glyphs

            asked = GlyphTraining(out, steps=steps or 1400, seed=seed, start=start)
            file = train_glyphs(asked, tell)
    option = f"--{part}-weights {file}"
    show.result(
        as_json,
        {"weights": str(file)},
        f"Wrote {file}.",
        f"Use them: danseo scroll read VOLUME --out reading {option}",
    )


def evaluate(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="segment, flatten, ink or text.")],
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="What the stage wrote.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="A phantom's NAME.truth.")],
    surface: Annotated[
        Path | None,
        typer.Option(help="ink: the flat surface under the map; by default `flatten` beside it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Score what a stage wrote against the truth of a phantom.

    Example: danseo scroll eval segment reading/segment scroll.truth
    """
    from danseo.cli import show
    from danseo.cli.extras import extra
    from danseo.core.errors import Unavailable

    for path in (result, truth):
        if not path.exists():
            raise Unavailable(f"{path} is not there.", "Check the path.")
    with extra("scroll"):
        from danseo.scroll.reading.judge import judge

        found = judge(stage, result, truth, surface=surface)
    rows = [
        (key.replace("_", " "), f"{value:.5g}" if isinstance(value, float) else str(value))
        for key, value in found.items()
    ]
    show.result(as_json, found, show.table(f"{stage} against truth", ("Figure", "Value"), rows))
