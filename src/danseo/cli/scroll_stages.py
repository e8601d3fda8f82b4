"""`danseo scroll segment|flatten|render|ink|text`: each stage alone, from anyone's files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from danseo.cli.options import Json

if TYPE_CHECKING:
    from danseo.cli.pace import Pace
    from danseo.scroll import volume as volumes
    from danseo.scroll.reading.stages import Outcome

Volume = Annotated[
    Path, typer.Argument(metavar="VOLUME", help="OME-Zarr, a folder of TIFF slices, or .npy.")
]
VoxelUm = Annotated[
    float | None, typer.Option("--voxel-um", help="Side of a voxel, where the volume cannot say.")
]
Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        metavar="zyx",
        help="Stored axes, slowest first; a minus before one that runs backward.",
    ),
]
Gaps = Annotated[
    bool, typer.Option("--gaps", help="Take a damaged chunk as a gap, and show it as one.")
]
Flips = Annotated[
    bool, typer.Option("--flips/--no-flips", help="Average four mirrored views: surer, slower.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Make it anew, in place of what is there already.")
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N|ADDRESS",
        help="Processes, or a Dask scheduler such as tcp://10.0.0.1:8786 [DANSEO_WORKERS].",
    ),
]
Out = Annotated[Path, typer.Option(help="The folder to write to; an interrupted one goes on.")]

_HOW: Final = {
    "made": "done",
    "resumed": "done, from where it was interrupted",
    "kept": "kept from an earlier run",
    "given": "taken as it was: not danseo's own, or changed since",
}


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    for command in (segment, flatten, render, ink, text):
        group.command(command.__name__)(command)


def segment(
    volume: Volume,
    out: Out,
    voxel_um: VoxelUm = None,
    axes: Axes = None,
    gaps: Gaps = False,
    thickness_um: Annotated[float, typer.Option(help="About how thick a sheet is.")] = 120.0,
    step: Annotated[float, typer.Option(help="Voxels between points of the grid.")] = 4.0,
    begins: Annotated[
        str | None,
        typer.Option(metavar="outside|inside", help="Where the roll begins; found if not given."),
    ] = None,
    umbilicus: Annotated[
        str | None, typer.Option(metavar="X,Y", help="The axis, in voxels; found if not given.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find the sheet of a rolled volume, with its windings: writes a tifxyz folder.

    Example: danseo scroll segment scroll.zarr --out reading/segment
    """

    def work(tell: Pace) -> Outcome:
        from danseo.scroll.reading import stages
        from danseo.scroll.winding.sheets import Options

        options = Options(
            thickness_um=thickness_um,
            step=step,
            sense=_sense(begins),
            umbilicus=_point(umbilicus),
        )
        opened = open_here(volume, voxel_um, axes, gaps)
        return stages.segment(opened, out, options, tell, force=force)

    _do("segment", work, as_json)


def flatten(
    surface: Annotated[Path, typer.Argument(metavar="SURFACE", help="A tifxyz folder.")],
    out: Out,
    step: Annotated[
        float | None,
        typer.Option(help="Voxels between points of the plane; as it is, if not given."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Lay a surface on a plane: equal steps in its grid are then equal lengths on the sheet.

    Example: danseo scroll flatten reading/segment --out reading/flatten
    """

    def work(tell: Pace) -> Outcome:
        from danseo.scroll.flatten import Options
        from danseo.scroll.reading import stages

        return stages.flatten(surface, out, Options(step=step), tell, force=force)

    _do("flatten", work, as_json)


def render(
    volume: Volume,
    surface: Annotated[Path, typer.Argument(metavar="SURFACE", help="A flat tifxyz folder.")],
    out: Out,
    voxel_um: VoxelUm = None,
    axes: Axes = None,
    gaps: Gaps = False,
    layers: Annotated[int, typer.Option(help="How many, one voxel apart, centred.")] = 24,
    cubic: Annotated[bool, typer.Option("--cubic", help="Sample cubic, not trilinear.")] = False,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Sample layers of a volume along a surface's normals: layers.zarr and mask.png.

    Example: danseo scroll render scroll.zarr reading/flatten --out reading/render
    """

    def work(tell: Pace) -> Outcome:
        from danseo.scroll.reading import stages
        from danseo.scroll.render import Options

        return stages.render(
            open_here(volume, voxel_um, axes, gaps),
            surface,
            out,
            Options(layers=layers, order=3 if cubic else 1),
            tell,
            workers=processes(workers),
            force=force,
        )

    _do("render", work, as_json)


def ink(
    rendered: Annotated[
        Path, typer.Argument(metavar="RENDERED", help="A folder of render's, or a layers.zarr.")
    ],
    out: Out,
    mask: Annotated[
        Path | None, typer.Option(help="A picture, white where there is sheet, if not beside it.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of your own training.")] = None,
    flips: Flips = True,
    workers: Workers = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Map how likely ink is on a rendered sheet: ink.tif, 65535 for certain.

    Example: danseo scroll ink reading/render --out reading/ink
    """

    def work(tell: Pace) -> Outcome:
        from danseo.scroll.ink.predict import Prediction
        from danseo.scroll.reading import stages

        layers = rendered / stages.LAYERS if (rendered / stages.LAYERS).exists() else rendered
        return stages.ink(
            layers,
            mask or layers.parent / stages.MASK,
            out,
            Prediction(flips=flips, workers=processes(workers)),
            weights,
            tell,
            force=force,
        )

    _do("ink", work, as_json)


def text(
    probability: Annotated[
        Path,
        typer.Argument(metavar="INK", help="A folder of ink's, its ink.tif, or a grey picture."),
    ],
    out: Out,
    mask: Annotated[
        Path | None, typer.Option(help="A picture, white where there is sheet, if not beside it.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Weights of your own training.")] = None,
    letter_px: Annotated[
        float | None, typer.Option(help="Height of a letter; found if not given.")
    ] = None,
    dot: Annotated[float, typer.Option(help="Letters less sure than this are dots.")] = 0.5,
    lies: Annotated[
        str, typer.Option(metavar="upright|mirrored|turned|upended", help="How the page lies.")
    ] = "upright",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read lines and letters on a map of ink: text.json, and text.txt.

    Example: danseo scroll text reading/ink --out reading/text
    """

    def work(tell: Pace) -> Outcome:
        from danseo.scroll.reading import stages
        from danseo.scroll.text.transcribe import TextOptions

        found = probability / stages.INK if probability.is_dir() else probability
        beside = found.parent / stages.MASK
        known = mask or (beside if probability.is_dir() and beside.exists() else None)
        options = TextOptions(letter_px=letter_px, dot=dot, lies=lies)
        return stages.text(found, known, out, options, weights, tell, force=force)

    _do("text", work, as_json)


# --- what the commands share ---------------------------------------------------------------------


def _do(name: str, work: Callable[[Pace], Outcome], as_json: bool) -> None:
    from danseo.cli import show
    from danseo.cli.extras import extra
    from danseo.cli.pace import pace

    with extra("scroll"), pace(name, silent=as_json) as tell:
        from danseo.scroll.stage import alone  # noqa: F401 - an absent extra shows here

        outcome = work(tell)
    show.result(as_json, outcome.to_json(), told(outcome), *_figures(outcome))


def told(outcome: Outcome) -> str:
    """Return one line on how a stage came about."""
    from danseo.cli.pace import span

    line = f"{outcome.name}: {_HOW[outcome.how]}"
    if outcome.how in ("made", "resumed"):
        line += f", in {span(outcome.seconds or 0)}"
    if outcome.moved is not None:
        line += f"; what answered another question is now {outcome.moved}"
    return f"{line}."


def _figures(outcome: Outcome) -> list[Any]:
    from danseo.cli import show

    rows = [
        (key.replace("_", " "), _plain(value)) for key, value in (outcome.summary or {}).items()
    ]
    return [f"It lies in {outcome.folder}.", show.table("", ("Figure", "Value>"), rows)]


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return "; ".join(_plain(one) for one in value) or "-"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def open_here(volume: Path, voxel_um: float | None, axes: str | None, gaps: bool) -> volumes.Volume:
    """Open a volume; where it cannot say something, name the option that says it."""
    from danseo.core.errors import Usage
    from danseo.scroll.volume import open_volume

    if voxel_um is not None and not 0 < voxel_um < float("inf"):
        raise Usage(f"--voxel-um is {voxel_um}.", "Give a length above 0, in micrometres.")
    return open_volume(volume, voxel_um, axes, gaps)


def processes(text: str | None) -> int | str:
    """Return how many processes may work, or the scheduler that has them."""
    from danseo import settings as configuration
    from danseo.scroll.tiles import parse_workers

    return configuration.load().workers if text is None else parse_workers(text)


def pairs(lines: Sequence[str], option: str) -> dict[str, Path]:
    """Return STAGE=PATH as a mapping; raise `Usage` for anything else."""
    from danseo.core.errors import Unavailable, Usage

    found: dict[str, Path] = {}
    for line in lines:
        name, equals, path = line.partition("=")
        if not equals or not path or name in found:
            raise Usage(
                f"{option} {line!r} is not STAGE=PATH.", "Name each stage once, and a path."
            )
        if not Path(path).exists():
            raise Unavailable(f"{path} is not there.", f"Check the path after {option} {name}=.")
        found[name] = Path(path)
    return found


def _sense(begins: str | None) -> int | None:
    from danseo.core.errors import Usage

    senses = {None: None, "inside": 1, "outside": -1}
    if begins not in senses:
        raise Usage(f"A roll does not begin {begins!r}.", "Say outside or inside, or nothing.")
    return senses[begins]


def _point(text: str | None) -> tuple[float, float] | None:
    from danseo.core.errors import Usage

    if text is None:
        return None
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise Usage(f"--umbilicus {text!r} is no place.", "Write X,Y in voxels.") from None
    return x, y
