"""Every parameter of a phantom, with its unit."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from danseo.core.errors import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a phantom is made from. The same recipe and the same text give the same bytes.

    Lengths end in `_um` (micrometres) or `_voxels`; the rest are fractions or whole numbers.
    """

    shape: tuple[int, int, int] = (512, 512, 512)  # z, y, x
    voxel_um: float = 7.91
    seed: int = 0

    # The roll.
    begins: Literal["outside", "inside"] = "outside"  # where the first column of writing lies
    windings: float = 10.0  # at most; fewer where the volume holds fewer
    core_um: float = 240.0  # mean radius of the innermost winding
    sheet_um: float = 120.0  # mean thickness of the sheet
    pitch_um: float = 158.0  # mean distance from winding to winding
    pitch_variation: float = 0.35  # standard deviation of the gap's logarithm
    touching: float = 0.01  # part of the sheet that lies on its neighbour
    torn: float = 0.01  # part of the sheet that is not there
    crush: float = 0.10  # 0 a round roll; 0.3 badly squeezed and sheared
    deform: float = 0.04  # unroundness of each winding, as a part of its radius
    wander_um: float = 60.0  # how far the axis strays from a straight line

    # The papyrus.
    roughness_um: float = 9.0  # standard deviation of each face about its mean
    contrast: float = 1.0  # of fibres, hollows, grain and specks; 0 is a plain sheet

    # The writing.
    letter_um: float = 1200.0  # height of a letter
    font: str | None = (
        None  # as danseo.scroll.lettering names it; None is the closest to a scribe's
    )
    repeat: bool = True  # write the text again until the sheet is full
    column_um: float | None = None  # width of a column; None for lines along the whole sheet
    ink_um: tuple[float, float] = (8.0, 20.0)  # how proud the ink stands, at the first u and last
    plate_um: tuple[float, float] = (30.0, 80.0)  # size of the plates between cracks
    crack_um: tuple[float, float] = (6.0, 12.0)  # width of the cracks
    decoys: float = 0.32  # part of the sheet under raised strokes without cracks

    # The scanner.
    fwhm_voxels: float = 1.5  # point spread
    fringe: float = 0.25  # strength of the phase-contrast edge
    noise: float = 0.12  # standard deviation, as a part of the papyrus' brightness over air
    rings: float = 0.02  # the same, of the rings
    beam: float = 0.04  # brightness gained or lost towards the border of the field
    bits: Literal[8, 16] = 8

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 16:
            raise Usage(f"shape is {self.shape}.", "Give z, y and x, each at least 16 voxels.")
        for name in ("voxel_um", "sheet_um", "letter_um", "windings", "core_um", "fwhm_voxels"):
            if not getattr(self, name) > 0:
                raise Usage(f"{name} is {getattr(self, name)}.", "Give a number above 0.")
        for name in ("touching", "torn", "decoys"):
            if not 0 <= getattr(self, name) <= 0.6:
                raise Usage(f"{name} is {getattr(self, name)}.", "Give a part from 0 to 0.6.")
        for name in ("noise", "rings", "fringe", "crush", "deform", "wander_um", "roughness_um"):
            if not 0 <= getattr(self, name) < math.inf:
                raise Usage(f"{name} is {getattr(self, name)}.", "Give 0 or more.")
        if self.crush > 0.4:
            raise Usage(f"crush is {self.crush}.", "Above 0.4 the shears would fold: give less.")
        if self.pitch_um <= self.sheet_um:
            raise Usage(
                f"pitch_um is {self.pitch_um}, and the sheet alone {self.sheet_um}.",
                "Let the pitch be above the thickness.",
            )
        if self.begins not in ("outside", "inside") or self.bits not in (8, 16):
            raise Usage(
                f"begins is {self.begins!r} and bits is {self.bits}.",
                "A roll begins outside or inside; a voxel has 8 or 16 bits.",
            )

    @property
    def sense(self) -> int:
        """+1 where the sheet goes outward as theta grows, -1 where it goes inward."""
        return 1 if self.begins == "inside" else -1

    @property
    def thickness(self) -> float:
        """Mean thickness of the sheet in voxels."""
        return self.sheet_um / self.voxel_um

    @property
    def pitch(self) -> float:
        """Mean distance between windings in voxels."""
        return self.pitch_um / self.voxel_um

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the generator for one purpose: what one part draws, no other part feels."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])

    def salt(self, purpose: str) -> int:
        """Return 31 bits of seed for a kernel that hashes places."""
        return int(self.rng(purpose).integers(2**31 - 1))

    def to_json(self) -> dict[str, Any]:
        """Return plain values that `from_json` takes."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Recipe:
        """Return the recipe that `to_json` wrote; raise `Usage` on a name that is not known."""
        known = {f.name for f in fields(cls)}
        if strange := sorted(set(record) - known):
            raise Usage(
                f"A recipe has no parameter {', '.join(strange)}.",
                f"Choose among {', '.join(sorted(known))}.",
            )
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in record.items()
        }
        return cls(**values)
