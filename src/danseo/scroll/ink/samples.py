"""Training data: layers of a sheet with the truth beside them, each in a folder of its own.

    NAME/  layers.npy   uint8 [D, rows, columns], more layers than the model takes
           truth.npy    uint8 [rows, columns]: bit 0 ink, bit 1 valid
           facts.json   what the phantom was made with: ink_um, noise, blur, seed, ...

Arrays are mapped, not read: a training set may be larger than memory.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from danseo.core.errors import Invalid, Unavailable, Usage

_INK: Final = 1
_VALID: Final = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One sheet's layers `[D, rows, columns]` uint8, its truth, and the facts of its making."""

    name: str
    layers: npt.NDArray[np.uint8]
    ink: npt.NDArray[np.bool_]
    valid: npt.NDArray[np.bool_]
    facts: dict[str, Any]

    @property
    def ink_um(self) -> float:
        """Height of the ink above the papyrus, in micrometres."""
        return float(self.facts["ink_um"])

    def middle(self, depth: int) -> npt.NDArray[np.uint8]:
        """Return the `depth` layers that a model sees, centred on the sheet."""
        start = (len(self.layers) - depth) // 2
        if start < 0:
            raise Usage(
                f"sample {self.name} has {len(self.layers)} layers, the model takes {depth}.",
                "Render more layers for training.",
            )
        return self.layers[start : start + depth]


def write_sample(folder: Path, sample: Sample) -> Path:
    """Write `sample` into `folder / sample.name`, whole or not at all, and return that folder."""
    for name, array in (("ink", sample.ink), ("valid", sample.valid)):
        if array.shape != sample.layers.shape[1:]:
            raise Usage(
                f"{name} is {array.shape}, the layers are {sample.layers.shape}.",
                "Give one pixel of truth for each pixel of the layers.",
            )
    final = folder / sample.name
    part = folder / f".{sample.name}.part"
    part.mkdir(parents=True, exist_ok=True)
    np.save(part / "layers.npy", sample.layers)
    np.save(part / "truth.npy", (sample.ink * _INK + sample.valid * _VALID).astype(np.uint8))
    (part / "facts.json").write_text(json.dumps(sample.facts, indent=1), encoding="utf-8")
    return part.rename(final)


def read_sample(folder: Path) -> Sample:
    """Return the sample in `folder`; raise `Invalid` where a file is missing or does not fit."""
    try:
        layers = np.load(folder / "layers.npy", mmap_mode="r")
        truth = np.load(folder / "truth.npy")
        facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Invalid(
            f"{folder} is no training sample: {error}.", "Delete it and make it anew."
        ) from error
    if layers.dtype != np.uint8 or layers.ndim != 3 or truth.shape != layers.shape[1:]:
        raise Invalid(
            f"{folder}: layers are {layers.dtype} {layers.shape}, truth is {truth.shape}.",
            "Delete it and make it anew.",
        )
    return Sample(folder.name, layers, (truth & _INK) > 0, (truth & _VALID) > 0, facts)


def read_samples(folder: Path) -> list[Sample]:
    """Return the samples in `folder` by name; raise `Unavailable` where there is none."""
    found = sorted(p.parent for p in folder.glob("[!.]*/facts.json"))
    if not found:
        raise Unavailable(
            f"{folder} holds no training samples.", "Make them first, or name another folder."
        )
    return [read_sample(path) for path in found]


def digest(samples: list[Sample]) -> str:
    """Return 16 hex digits that change when the list of samples, their sizes or facts change."""
    told = [[s.name, s.layers.shape, s.facts] for s in samples]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
