"""What is true of a phantom: its surface, where there is ink, what is written, and from what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Invalid, Unavailable
from danseo.scroll.lettering import Letter
from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.relief import Masks
from danseo.scroll.phantom.spiral import Spiral, make_spiral
from danseo.scroll.surface import Surface, read_surface, write_surface

STEP: Final = 4.0
"""Voxels between points of the surface that is written."""


@dataclass(frozen=True, slots=True)
class Truth:
    """All that is known of one phantom.

    `surface` has a point each STEP voxels: row i is v = STEP i, column j is u = STEP j, lengths on
    the sheet in voxels. The masks have one pixel a voxel, rows v and columns u. `text` is a line
    of writing to a line.
    """

    recipe: Recipe
    surface: Surface
    masks: Masks
    letters: tuple[Letter, ...]
    text: str

    @property
    def spiral(self) -> Spiral:
        """The sheet's exact shape, from the recipe."""
        return make_spiral(self.recipe)


def truth_folder(volume: Path | str) -> Path:
    """Return where the truth of a phantom lies: `NAME.truth` beside `NAME.zarr`."""
    volume = Path(volume)
    return volume.with_name(volume.name.removesuffix(".zarr") + ".truth")


def surface_at(recipe: Recipe, step: float = STEP, spiral: Spiral | None = None) -> Surface:
    """Return the sheet's middle as a surface, a point each `step` voxels of u and v."""
    spiral = make_spiral(recipe) if spiral is None else spiral
    u, v = grid(spiral, step)
    return Surface(
        spiral.points(u, v).astype(np.float32),
        spiral.winding(u, v).astype(np.float32),
        step,
        recipe.voxel_um,
    )


def normals_at(
    recipe: Recipe, step: float = STEP, spiral: Spiral | None = None
) -> npt.NDArray[np.float32]:
    """Return the exact outward normals at the points of `surface_at`."""
    spiral = make_spiral(recipe) if spiral is None else spiral
    return spiral.normals(*grid(spiral, step)).astype(np.float32)


def grid(
    spiral: Spiral, step: float = STEP
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return u of the columns and v of the rows of a surface with `step` voxels between points."""
    return np.arange(0, spiral.width, step), np.arange(0, spiral.height, step)


def write_truth(folder: Path, truth: Truth) -> None:
    """Write all of it but the recipe into `folder`, which the maker has begun."""
    from PIL import Image

    write_surface(folder / "surface", truth.surface, {"source": "phantom"})
    for name in ("ink", "decoy", "torn"):
        mask = getattr(truth.masks, name)
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{name}.png")
    (folder / "text.txt").write_text(truth.text + "\n" if truth.text else "", encoding="utf-8")
    letters = [{"char": e.char, "line": e.line, "box": list(e.box)} for e in truth.letters]
    (folder / "letters.json").write_text(
        json.dumps(letters, ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
    )


def read_recipe(folder: Path | str) -> Recipe:
    """Return the recipe of a phantom from its truth folder."""
    return Recipe.from_json(_json(Path(folder) / "phantom.json")["recipe"])


def read_truth(folder: Path | str) -> Truth:
    """Return what is true of a phantom.

    Raises `Unavailable` where a file is missing, `Invalid` where one is broken.
    """
    folder = Path(folder)
    letters = tuple(
        Letter(e["char"], e["line"], tuple(e["box"])) for e in _json(folder / "letters.json")
    )
    masks = Masks(*(_mask(folder / f"{name}.png") for name in ("ink", "decoy", "torn")))
    text = (folder / "text.txt").read_text(encoding="utf-8").rstrip("\n")
    surface = read_surface(folder / "surface")
    return Truth(read_recipe(folder), surface, masks, letters, text)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise Unavailable(f"{path} is missing.", "Make the phantom again.") from error
    except ValueError as error:
        raise Invalid(f"{path} is not JSON: {error}.", "Make the phantom again.") from error


def _mask(path: Path) -> npt.NDArray[np.bool_]:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L")) > 127
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error}.", "Make the phantom again.") from error
