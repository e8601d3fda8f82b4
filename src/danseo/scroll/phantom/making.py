"""Make a phantom: slabs in, a volume and its truth out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from danseo.core.errors import Unavailable
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.rolling import roll
from danseo.scroll.phantom.scanner import HALO, Slab, Window, digitise, scan, window
from danseo.scroll.phantom.spiral import Spiral, make_spiral
from danseo.scroll.phantom.truth import Truth, surface_at, truth_folder, write_truth
from danseo.scroll.phantom.writing import Sheet, write_sheet
from danseo.scroll.tiles import run_tiles

if TYPE_CHECKING:
    from danseo.scroll.omezarr import Writer

Progress = Callable[[float, str], None]

SLAB: Final = 64
"""Slices made at once, and the side of the volume's chunks."""
_VERSION: Final = 3
"""Of what a recipe means: a phantom begun under another one is not gone on with."""
_PROBES: Final = 3


def make_phantom(
    recipe: Recipe,
    text: str | Path,
    out: Path | str,
    progress: Progress | None = None,
    *,
    workers: int = 1,
    force: bool = False,
) -> Truth:
    """Write a phantom's volume to `out` (OME-Zarr) and its truth to `NAME.truth`; return the truth.

    `text` is what is written on it, "" for a scroll without ink, or the path of a picture of ink.
    `workers` processes share the work. An interrupted phantom goes on where it was, and is the
    same, byte for byte. Raises `Unavailable` where another phantom is in the way, unless `force`.
    """
    from danseo.scroll.omezarr import create_volume

    out, tell = Path(out), progress or (lambda part, what: None)
    folder = truth_folder(out)
    whole = _claim(out, folder, _question(recipe, text), force)
    tell(0.0, "shape of the roll")
    spiral = make_spiral(recipe)
    sheet = write_sheet(recipe, text, spiral.height, int(np.ceil(spiral.width)))
    truth = Truth(recipe, surface_at(recipe, spiral=spiral), sheet.masks, sheet.letters, sheet.text)
    if whole:
        return truth
    write_truth(folder, truth)
    tell(0.03, "window of the scanner")
    slab = _Slab(recipe, spiral, sheet, find_window(recipe, spiral, sheet), None)
    dtype = np.uint8 if recipe.bits == 8 else np.uint16
    writer = create_volume(
        out, recipe.shape, dtype, recipe.voxel_um, chunks=SLAB, overwrite=force, resume=True
    )
    slab = _Slab(recipe, spiral, sheet, slab.shown, writer)
    run_tiles(
        slab,
        list(range(0, recipe.shape[0], SLAB)),
        marks=folder / "slabs.done",
        workers=workers,
        progress=lambda part, what: tell(0.08 + 0.84 * part, f"slabs: {what}"),
    )
    writer.finish(lambda part, what: tell(0.92 + 0.08 * part, what))
    (folder / "slabs.done").unlink(missing_ok=True)
    tell(1.0, "done")
    return truth


def brightness(recipe: Recipe, spiral: Spiral, sheet: Sheet, z0: int, z1: int) -> Slab:
    """Return what the scanner sees of slices z0..z1, before its window: air 0, papyrus about 1."""
    density = roll(recipe, spiral, sheet.masks, z0 - HALO, z1 + HALO)
    return scan(recipe, density, z0)


@dataclass(frozen=True, slots=True)
class _Slab:
    """The work on one slab: called with its first slice, it makes and writes it."""

    recipe: Recipe
    spiral: Spiral
    sheet: Sheet
    shown: Window
    writer: Writer | None

    def __call__(self, z0: int) -> None:
        z1 = min(z0 + SLAB, self.recipe.shape[0])
        seen = brightness(self.recipe, self.spiral, self.sheet, z0, z1)
        if self.writer is not None:
            self.writer.write(z0, digitise(self.recipe, seen, self.shown))


def find_window(recipe: Recipe, spiral: Spiral, sheet: Sheet) -> Window:
    """Return the scanner's window for a phantom, from a few slices at even heights."""
    depth = recipe.shape[0]
    heights = sorted({int(depth * (k + 0.5) / _PROBES) for k in range(_PROBES)})
    sample = [brightness(recipe, spiral, sheet, z, z + 1) for z in heights]
    return window(recipe, np.concatenate(sample))


def _question(recipe: Recipe, text: str | Path) -> dict[str, Any]:
    """Return all that the phantom depends on, as it stands in phantom.json."""
    written = text.read_bytes() if isinstance(text, Path) else text.encode()
    kind = "picture" if isinstance(text, Path) else "text"
    digest = hashlib.sha256(written).hexdigest()
    return {"version": _VERSION, "recipe": recipe.to_json(), kind: digest}


def _claim(out: Path, folder: Path, question: dict[str, Any], force: bool) -> bool:
    """Begin the truth's folder, or go on with it; return whether the phantom is there already."""
    begun = folder / "phantom.json"
    asked = json.dumps(question, indent=2) + "\n"
    if begun.exists() and begun.read_text(encoding="utf-8") == asked:
        return out.exists()
    if not force and (begun.exists() or out.exists()):
        raise Unavailable(
            f"{out} or {folder} holds another phantom: its recipe or its text differs.",
            "Choose another name, or allow overwriting.",
        )
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    folder.mkdir(parents=True)
    begun.write_text(asked, encoding="utf-8")
    return False
