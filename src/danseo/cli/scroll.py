"""`danseo scroll`: phantoms with known truth, and a reading from volume to text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from danseo.cli import scroll_learning, scroll_stages
from danseo.cli.options import Json
from danseo.cli.scroll_stages import (
    Axes,
    Flips,
    Force,
    Gaps,
    Volume,
    VoxelUm,
    Workers,
    open_here,
    pairs,
    processes,
)

if TYPE_CHECKING:
    from danseo.scroll.phantom.recipe import Recipe
    from danseo.scroll.phantom.truth import Truth

group = typer.Typer(help="Read a charred scroll: CT volume in, text out.", no_args_is_help=True)

SAMPLE: Final = (
    "ἄριστον μὲν ὕδωρ, ὁ δὲ χρυσὸς αἰθόμενον πῦρ ἅτε διαπρέπει νυκτὶ μεγάνορος ἔξοχα πλούτου· "
    "εἰ δ’ ἄεθλα γαρύεν ἔλδεαι, φίλον ἦτορ, μηκέτ’ ἀελίου σκόπει ἄλλο θαλπνότερον ἐν ἁμέρᾳ "
    "φαεννὸν ἄστρον ἐρήμας δι’ αἰθέρος, μηδ’ Ὀλυμπίας ἀγῶνα φέρτερον αὐδάσομεν"
)
"""Pindar, the opening of the first Olympian ode (476 BC): in the public domain for long."""


_MOST: Final = 16_384
"""Voxels along a side of a phantom; more than a mistyped size should start."""


@group.command("phantom")
def phantom(
    out: Annotated[Path, typer.Option(help="The volume to write, NAME.zarr.")],
    text: Annotated[
        Path | None,
        typer.Option(help="A file with Greek text; without it, the opening of a Pindar ode."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="A picture of ink, bright on dark, instead of text.")
    ] = None,
    blank: Annotated[bool, typer.Option("--blank", help="Write nothing: no ink at all.")] = False,
    lines: Annotated[
        bool, typer.Option("--lines", help="Begin a new line of writing at each line break.")
    ] = False,
    size: Annotated[
        str, typer.Option(metavar="N|Z,Y,X", help="Voxels along each axis; z is the roll's.")
    ] = "512",
    seed: Annotated[int, typer.Option(help="Another seed, another scroll.")] = 0,
    voxel_um: Annotated[float | None, typer.Option(help="Side of a voxel.")] = None,
    windings: Annotated[float | None, typer.Option(help="Turns of the roll, at most.")] = None,
    pitch_um: Annotated[float | None, typer.Option(help="From winding to winding.")] = None,
    touching: Annotated[
        float | None, typer.Option(help="Part of the sheet that lies on its neighbour.")
    ] = None,
    torn: Annotated[float | None, typer.Option(help="Part of the sheet that is gone.")] = None,
    crush: Annotated[float | None, typer.Option(help="0 a round roll, 0.4 a flat one.")] = None,
    begins: Annotated[
        str | None,
        typer.Option(metavar="outside|inside", help="Where the first column of writing lies."),
    ] = None,
    letter_um: Annotated[float | None, typer.Option(help="Height of a letter.")] = None,
    ink_um: Annotated[
        str | None,
        typer.Option(metavar="UM|FROM-TO", help="How proud the ink stands, first to last."),
    ] = None,
    decoys: Annotated[
        float | None, typer.Option(help="Part of the sheet under raised strokes without ink.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Of the scanner, as a part of papyrus over air.")
    ] = None,
    bits: Annotated[int | None, typer.Option(metavar="8|16", help="Bits of a voxel.")] = None,
    more: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other parameter of the recipe."),
    ] = None,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a scroll whose truth is known: a volume, and NAME.truth beside it.

    Without --text it carries the opening of Pindar's first Olympian ode.

    Example: danseo scroll phantom --size 256 --seed 7 --out scroll.zarr
    """
    from danseo.cli import show
    from danseo.cli.extras import extra
    from danseo.cli.pace import pace

    given: dict[str, Any] = {
        "voxel_um": voxel_um,
        "windings": windings,
        "pitch_um": pitch_um,
        "touching": touching,
        "torn": torn,
        "crush": crush,
        "begins": begins,
        "letter_um": letter_um,
        "decoys": decoys,
        "noise": noise,
        "bits": bits,
    }
    if ink_um is not None:
        given["ink_um"] = _range(ink_um)
    with extra("scroll"):
        from danseo.scroll.phantom.making import make_phantom

        recipe = _recipe(size, seed, {k: v for k, v in given.items() if v is not None}, more or [])
        written = _writing(text, picture, blank, lines)
        with pace("phantom", silent=as_json) as tell:
            truth = make_phantom(recipe, written, out, tell, workers=_alone(workers), force=force)
        found = _phantom(out, truth)
    show.result(as_json, found, *_told(found))


@group.command("read")
def read(
    volume: Volume,
    out: Annotated[Path, typer.Option(help="The folder to write to; an interrupted one goes on.")],
    voxel_um: VoxelUm = None,
    axes: Axes = None,
    gaps: Gaps = False,
    first: Annotated[
        str, typer.Option("--from", metavar="STAGE", help="Take what lies before it as it is.")
    ] = "segment",
    last: Annotated[str, typer.Option("--until", metavar="STAGE", help="Stop after it.")] = "text",
    use: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE=PATH", help="Take someone else's output for a stage."),
    ] = None,
    flips: Flips = True,
    ink_weights: Annotated[
        Path | None, typer.Option(help="Weights for ink, not those of the package.")
    ] = None,
    text_weights: Annotated[
        Path | None, typer.Option(help="Weights for letters, not those of the package.")
    ] = None,
    workers: Workers = None,
    lang: Annotated[
        str | None, typer.Option(metavar="en|ko", help="Language of the report [DANSEO_LANG].")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read a scroll: find its sheet, lay it flat, look for ink, read letters.

    Stages: segment, flatten, render, ink, text. What is done is kept, and an answer to another
    question is moved aside.

    Example: danseo scroll read scroll.zarr --out reading
    """
    from danseo.cli import show
    from danseo.cli.extras import extra
    from danseo.cli.here import chosen
    from danseo.cli.pace import pace
    from danseo.cli.scroll_stages import told

    language = chosen(lang=lang).lang
    with extra("scroll"), pace("read", silent=as_json) as tell:
        from danseo.scroll.ink.predict import Prediction
        from danseo.scroll.reading.pipeline import Request
        from danseo.scroll.reading.pipeline import read as run

        weights = {"ink": ink_weights, "text": text_weights}
        request = Request(
            out,
            first,
            last,
            pairs(use or [], "--use"),
            options={"ink": Prediction(flips=flips)},
            weights={k: v for k, v in weights.items() if v is not None},
            workers=processes(workers),
            force=force,
            language=language,
            said=_said(flips, use or [], first, last),
        )
        opened = open_here(volume, voxel_um, axes, gaps)
        found = run(opened, request, tell, lambda outcome: tell.say(told(outcome)))
    show.result(
        as_json,
        {
            "stages": [outcome.to_json() for outcome in found.outcomes],
            "report": str(found.report),
            "text": found.text,
        },
        *([found.text] if found.text else []),
        f"Wrote {found.report}" + ("." if found.text is None else f" and {out / 'text.txt'}."),
    )


def _said(flips: bool, use: list[str], first: str, last: str) -> dict[str, str]:
    """Return the options that were set, for the report; of paths only the names."""
    said = {f"--use {one.partition('=')[0]}": Path(one).name for one in use}
    said |= {} if first == "segment" else {"--from": first}
    said |= {} if last == "text" else {"--until": last}
    return said if flips else {**said, "--no-flips": ""}


def _recipe(size: str, seed: int, given: dict[str, Any], more: list[str]) -> Recipe:
    """Return the recipe that the options ask for; raise `Usage` for what makes no sense."""
    from danseo.core.errors import Usage
    from danseo.scroll.phantom.recipe import Recipe

    base = Recipe().to_json()
    for line in more:
        name, equals, value = line.partition("=")
        if not equals or name not in base or name in ("shape", "seed"):
            names = ", ".join(k for k in base if k not in ("shape", "seed"))
            raise Usage(f"--set {line!r} names no parameter.", f"Write NAME=VALUE, of: {names}.")
        given[name] = _value(name, value, base[name])
    return Recipe.from_json({**base, **given, "shape": _size(size), "seed": seed})


def _value(name: str, text: str, like: object) -> Any:
    """Return a parameter's value of the kind that it has by default."""
    from danseo.core.errors import Usage

    try:
        if isinstance(like, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(like, list):
            return _range(text)
        if isinstance(like, str) or name == "font":
            return text
        return int(text) if isinstance(like, int) else float(text)
    except (KeyError, ValueError):
        raise Usage(f"--set {name}: {text!r} is no value for it.", f"By default: {like}.") from None


def _size(text: str) -> list[int]:
    from danseo.core.errors import Usage

    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (1, 3) or not all(p.isascii() and p.isdigit() for p in parts):
        raise Usage(f"--size {text!r} is no size.", "Write voxels: 512, or 512,400,400 as z,y,x.")
    sides = [int(part[:9]) for part in parts]
    if max(sides) > _MOST:
        raise Usage(f"--size {text!r} is beyond {_MOST} voxels a side.", "Make a smaller phantom.")
    return sides * 3 if len(sides) == 1 else sides


def _range(text: str) -> list[float]:
    """Return "8" as 8 to 8, and "8-20" as 8 to 20."""
    from danseo.core.errors import Usage

    first, dash, last = text.partition("-")
    try:
        return [float(first), float(last) if dash else float(first)]
    except ValueError:
        raise Usage(f"{text!r} is no length and no range.", "Write 12, or 8-20.") from None


def _writing(text: Path | None, picture: Path | None, blank: bool, lines: bool) -> str | Path:
    """Return what to write: a text, or the path of a picture of ink."""
    from danseo.core.errors import Usage

    if sum((text is not None, picture is not None, blank)) > 1:
        raise Usage("--text, --picture and --blank exclude each other.", "Give one of them.")
    if picture is not None:
        return picture
    if blank:
        return ""
    if text is None:
        return SAMPLE
    try:
        found = text.read_text("utf-8")
    except UnicodeDecodeError:
        raise Usage(f"{text} is no text in UTF-8.", "Save it as UTF-8.") from None
    if not found.strip():
        raise Usage(f"{text} is empty.", "Write Greek into it, or say --blank.")
    return found if lines else " ".join(found.split())


def _phantom(out: Path, truth: Truth) -> dict[str, Any]:
    """Return what was made, for JSON."""
    from danseo.scroll.phantom.truth import truth_folder

    rows, columns = truth.masks.ink.shape
    side = truth.recipe.voxel_um / 1000
    return {
        "volume": str(out),
        "truth": str(truth_folder(out)),
        "shape": list(truth.recipe.shape),
        "voxel_um": truth.recipe.voxel_um,
        "sheet_mm": [round(columns * side, 2), round(rows * side, 2)],
        "letters": len(truth.letters),
        "ink": round(float(truth.masks.ink.mean()), 4),
        "text": truth.text,
    }


def _told(found: dict[str, Any]) -> list[str]:
    long, high = found["sheet_mm"]
    shape = " x ".join(str(side) for side in found["shape"])
    return [
        f"Wrote {found['volume']}: {shape} voxels of {found['voxel_um']} um.",
        f"Wrote {found['truth']}: {found['letters']} letters on a sheet of {long} x {high} mm.",
        f"Read it: danseo scroll read {found['volume']} --out reading",
    ]


def _alone(text: str | None) -> int:
    """Return how many processes of this machine were asked for; no cluster serves here."""
    from danseo.core.errors import Usage

    asked = processes(text)
    if isinstance(asked, str):
        raise Usage("A phantom is made on this machine alone.", "Give a number of --workers.")
    return asked


scroll_stages.register(group)
scroll_learning.register(group)
