"""The five stages, each with its folder: asked once, resumed, or taken from someone else.

A stage's function computes what is missing in `out` and returns an `Outcome`. What one stage hands
to the next are files, so that any of them may be replaced: a surface (tifxyz), layers with their
mask, a map of ink.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll.stage import Stage, code_of, identity, read_record, write_json

if TYPE_CHECKING:
    from danseo.scroll.flatten import Options as FlattenOptions
    from danseo.scroll.ink.predict import Prediction
    from danseo.scroll.render import Options as RenderOptions
    from danseo.scroll.text.transcribe import TextOptions
    from danseo.scroll.volume import Volume
    from danseo.scroll.winding.sheets import Options as SegmentOptions

Progress = Callable[[float, str], None]

STAGES: Final = ("segment", "flatten", "render", "ink", "text")
LAYERS: Final = "layers.zarr"
MASK: Final = "mask.png"
INK: Final = "ink.tif"
TEXT: Final = "text.json"
DISTORTION: Final = "distortion.tif"
GIVEN: Final = "given.json"
SCRATCH: Final = ".cells"
"""Where `segment` keeps what is done until it is all done, inside its folder."""
_SURFACE: Final = ("x.tif", "y.tif", "z.tif", "winding.tif", "meta.json", "mask.tif")
_PACE: Final = ("workers", "threads", "tile", "device", "band", "overlap")
"""Options that say how fast, not what: the answer is the same."""
_CODE: Final = {
    "segment": ("danseo.scroll.winding", "danseo.scroll.surface"),
    "flatten": ("danseo.scroll.flatten", "danseo.scroll.flattening", "danseo.scroll.surface"),
    "render": ("danseo.scroll.render", "danseo.scroll.sampling", "danseo.scroll.upsampling"),
    "ink": ("danseo.scroll.ink.predict", "danseo.scroll.ink.network"),
    "text": (
        "danseo.scroll.text.transcribe",
        "danseo.scroll.text.lines",
        "danseo.scroll.text.glyphs",
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a stage came about.

    `how` is `made`, `resumed` (made, from where an interrupted run stopped), `kept` (computed
    before, for the same question) or `given` (someone else's, taken as it was). `moved` is where
    the answer to another question lies now.
    """

    name: str
    folder: Path
    how: str
    seconds: float | None = None
    summary: dict[str, Any] | None = None
    moved: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        moved = {} if self.moved is None else {"moved": str(self.moved)}
        return {
            "stage": self.name,
            "folder": str(self.folder),
            "how": self.how,
            "seconds": self.seconds,
            "summary": self.summary or {},
            **moved,
        }


def segment(
    volume: Volume,
    out: Path,
    options: SegmentOptions,
    progress: Progress | None = None,
    *,
    workers: int | str = 1,
    force: bool = False,
) -> Outcome:
    """Find the sheet of a volume: a surface with windings."""
    from danseo.scroll.surface import write_surface
    from danseo.scroll.winding.sheets import segment as find

    def work() -> Mapping[str, Any]:
        volume.check()
        scratch = out / SCRATCH
        surface, report = find(volume, options, progress, workers=workers, scratch=scratch)
        write_surface(out, surface, {"volume": volume.path.name})
        shutil.rmtree(scratch)
        return {**report.to_json(), **grid_of(surface), "missing_chunks": volume.missing(0)}

    return _run("segment", out, options, {"volume": volume.identity}, work, force)


def flatten(
    surface: Path,
    out: Path,
    options: FlattenOptions,
    progress: Progress | None = None,
    *,
    force: bool = False,
) -> Outcome:
    """Lay a surface on a plane. `surface` is a tifxyz folder, anyone's."""
    import numpy as np
    import tifffile

    from danseo.scroll.flatten import flatten as lay
    from danseo.scroll.surface import read_meta, read_surface, write_surface

    def work() -> Mapping[str, Any]:
        flat, distortion = lay(read_surface(surface), options, progress)
        meta = {k: v for k, v in read_meta(surface).items() if k == "volume"}
        write_surface(out, flat, meta)
        tifffile.imwrite(out / DISTORTION, np.float32(distortion.excess), compression="zlib")
        figures = {k: v for k, v in distortion.figures().items() if k != "seconds"}
        return {**figures, **grid_of(flat)}

    return _run("flatten", out, options, {"surface": identity(surface)}, work, force)


def render(
    volume: Volume,
    surface: Path,
    out: Path,
    options: RenderOptions,
    progress: Progress | None = None,
    *,
    workers: int | str = 1,
    force: bool = False,
) -> Outcome:
    """Sample layers of a volume along the normals of a flat surface."""
    from danseo.scroll.render import render as sample
    from danseo.scroll.surface import read_surface

    def work() -> Mapping[str, Any]:
        sheet = read_surface(surface)
        return sample(volume, sheet, out, options, progress, workers).summary()

    asked = {"volume": volume.identity, "surface": identity(surface)}
    return _run("render", out, options, asked, work, force)


def ink(
    layers: Path,
    mask: Path,
    out: Path,
    options: Prediction,
    weights: Path | None = None,
    progress: Progress | None = None,
    *,
    force: bool = False,
) -> Outcome:
    """Map the probability of ink on layers that `render`, or someone else, wrote."""
    from danseo.scroll.ink.predict import predict

    def work() -> Mapping[str, Any]:
        return asdict(predict(layers, mask, weights, out, options, progress))

    asked = {
        "layers": identity(layers),
        "mask": identity(mask),
        "weights": identity(_ink_weights(weights)),
    }
    return _run("ink", out, options, asked, work, force)


def text(
    probability: Path,
    mask: Path | None,
    out: Path,
    options: TextOptions,
    weights: Path | None = None,
    progress: Progress | None = None,
    *,
    force: bool = False,
) -> Outcome:
    """Read letters on a map of ink that `ink`, or someone else, wrote."""
    from danseo.scroll.ink.predict import read_mask
    from danseo.scroll.text.record import write_json as write_transcript
    from danseo.scroll.text.record import write_text
    from danseo.scroll.text.transcribe import transcribe

    def work() -> Mapping[str, Any]:
        known = None if mask is None else read_mask(mask)
        found = transcribe(read_ink(probability), known, options, weights, progress)
        write_transcript(found, out / TEXT)
        write_text(found, out / "text.txt")
        letters = found.letters
        sure = sum(letter.confidence >= found.dot for letter in letters)
        mean = sum(letter.confidence for letter in letters) / max(1, len(letters))
        return {
            "lines": len(found.lines),
            "letters": len(letters),
            "unsure": len(letters) - sure,
            "confidence": round(mean, 4),
            "letter_px": found.letter_px,
            "warnings": list(found.warnings),
        }

    asked = {
        "ink": identity(probability),
        "mask": None if mask is None else identity(mask),
        "weights": identity(_text_weights(weights)),
    }
    return _run("text", out, options, asked, work, force)


def kept(name: str, folder: Path) -> Outcome | None:
    """Return what lies in a stage's folder, whatever it answers; None where there is no result."""
    if not folder.is_dir():
        return None
    record = read_record(folder)
    if record is None:
        return Outcome(name, folder, "given") if any(folder.iterdir()) else None
    if record["state"] != "done":
        return None
    return Outcome(name, folder, "kept", record["seconds"], record["summary"])


def grid_of(surface: Any) -> dict[str, Any]:
    """Return rows, columns, step and how many points have sheet."""
    rows, columns = surface.shape
    return {
        "rows": rows,
        "columns": columns,
        "step": surface.step,
        "points": int(surface.valid.sum()),
    }


def read_ink(path: Path) -> Any:
    """Return a map of ink, uint16 or uint8 rows x columns: ours, or a grey picture of anyone's."""
    import numpy as np
    from PIL import Image

    if path.suffix.lower() in (".tif", ".tiff"):
        from danseo.scroll.ink.predict import read_map

        return read_map(path)
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as picture:
            grey = picture if picture.mode.startswith("I") else picture.convert("L")
            values = np.asarray(grey)
    except FileNotFoundError:
        raise Unavailable(f"There is no map of ink at {path}.", "Check the path.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise Invalid(f"{path} is no picture: {error}.", "Give a grey PNG or TIFF.") from None
    top = 255 if values.dtype == np.uint8 else 65535
    return (values / np.float32(top)).astype(np.float32)


# --- someone else's output -----------------------------------------------------------------------


def take(name: str, source: Path, folder: Path) -> Outcome:
    """Copy someone else's output of a stage into its folder, whole or not at all.

    `source` is a folder as the stage would write it; for `render` also a volume of layers alone,
    for `ink` a grey picture, for `text` a transcript. What lay in the folder is moved aside,
    unless it is this very output.
    """
    digest = identity(source)
    note = folder / GIVEN
    if note.exists() and json.loads(note.read_text("utf-8")).get("digest") == digest:
        return Outcome(name, folder, "given")
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _COPY[name](source, draft)
    write_json(draft / GIVEN, {"stage": name, "source": source.name, "digest": digest})
    moved = None
    if folder.exists():
        from danseo.scroll.stage import aside

        moved = aside(folder)
    draft.rename(folder)
    return Outcome(name, folder, "given", moved=moved)


def _copy_surface(source: Path, draft: Path) -> None:
    from danseo.scroll.surface import read_surface

    read_surface(source)
    for name in _SURFACE:
        if (source / name).exists():
            shutil.copyfile(source / name, draft / name)


def _copy_layers(source: Path, draft: Path) -> None:
    from danseo.scroll.volume import open_volume

    layers = source / LAYERS if (source / LAYERS).exists() else source
    volume = open_volume(layers)
    mask = source / MASK
    if mask.exists():
        shutil.copyfile(mask, draft / MASK)
    else:
        write_mask(volume, draft / MASK)
    shutil.copytree(layers, draft / LAYERS)


def _copy_ink(source: Path, draft: Path) -> None:
    import numpy as np
    import tifffile
    from PIL import Image

    found = source / INK if source.is_dir() else source
    values = read_ink(found)
    tifffile.imwrite(draft / INK, np.rint(values * 65535).astype(np.uint16), compression="zlib")
    mask = found.parent / MASK
    if source.is_dir() and mask.exists():
        shutil.copyfile(mask, draft / MASK)
    else:
        Image.fromarray(np.full(values.shape, 255, np.uint8)).save(draft / MASK)


def _copy_text(source: Path, draft: Path) -> None:
    from danseo.scroll.text.record import read_json

    found = source / TEXT if source.is_dir() else source
    read_json(found)
    shutil.copyfile(found, draft / TEXT)


_COPY: Final[dict[str, Callable[[Path, Path], None]]] = {
    "segment": _copy_surface,
    "flatten": _copy_surface,
    "render": _copy_layers,
    "ink": _copy_ink,
    "text": _copy_text,
}


def write_mask(layers: Volume, path: Path) -> None:
    """Write where layers that came without a mask have sheet: not all of them are 0."""
    import numpy as np
    from PIL import Image

    from danseo.scroll.volume import Box

    depth, rows, columns = layers.shape
    mask = np.zeros((rows, columns), np.uint8)
    for top in range(0, rows, 512):
        end = min(rows, top + 512)
        mask[top:end] = 255 * (layers.read(Box(0, depth, top, end, 0, columns)) > 0).any(0)
    Image.fromarray(mask).save(path)


# --- small things --------------------------------------------------------------------------------


def _run(
    name: str,
    out: Path,
    options: Any,
    inputs: Mapping[str, Any],
    work: Callable[[], Mapping[str, Any]],
    force: bool,
) -> Outcome:
    asked = {"options": _question(options), **inputs, "code": code_of(*_CODE[name])}
    stage = Stage(out, name, asked, force=force)
    if stage.done():
        found = kept(name, out)
        if found is not None:
            return found
    stage.begin()
    summary = work()
    stage.finish(summary)
    record = read_record(out) or {}
    how = "resumed" if stage.resumed else "made"
    return Outcome(name, out, how, record["seconds"], record["summary"], stage.moved)


def _question(options: Any) -> dict[str, Any]:
    """Return the options that the answer depends on."""
    if not is_dataclass(options) or isinstance(options, type):
        raise TypeError(f"{options!r} are no options.")
    return {k: v for k, v in asdict(options).items() if k not in _PACE}


def _ink_weights(path: Path | None) -> Path:
    from importlib import resources

    from danseo.scroll.ink.weights import SHIPPED

    shipped = resources.files("danseo.scroll.ink") / "shipped" / SHIPPED
    return _there(path or Path(str(shipped)), "ink")


def _text_weights(path: Path | None) -> Path:
    from danseo.scroll.text.glyphs import shipped

    return _there(path or shipped(), "text")


def _there(path: Path, part: str) -> Path:
    if not path.is_file():
        raise Unavailable(
            f"There are no trained weights for {part} at {path}.",
            f"Train them: danseo scroll train --part {part} --out weights.",
        )
    return path


def stage_named(name: str) -> str:
    """Return the name of a stage; raise `Usage` where there is none of that name."""
    if name not in STAGES:
        raise Usage(f"There is no stage {name!r}.", f"There are: {', '.join(STAGES)}.")
    return name
