"""A small scroll to read in tests. Its ink network is untrained: it maps noise, always alike."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from danseo.scroll.reading import pipeline
from danseo.scroll.reading.pipeline import Read, Request, read
from danseo.scroll.volume import open_volume


@dataclass(frozen=True)
class Small:
    """Where the scroll, the weights and the reading lie."""

    volume: Path
    weights: Path
    out: Path

    @property
    def truth(self) -> Path:
        """The phantom's truth."""
        return self.volume.with_suffix(".truth")

    def request(self, **more: object) -> Request:
        """What to read, with the weights that are there."""
        from danseo.scroll.ink.predict import Prediction

        options = {"ink": Prediction(flips=False, tile=128)}
        base = Request(self.out, weights={"ink": self.weights}, options=options)
        return replace(base, **more)  # type: ignore[arg-type]

    def read(self, **more: object) -> Read:
        """Read it, or go on."""
        return read(open_volume(self.volume), self.request(**more))

    def copied(self, to: Path) -> Small:
        """The same, elsewhere."""
        shutil.copytree(self.out, to / "reading")
        return replace(self, out=to / "reading")


def make_small(folder: Path) -> Small:
    """Make and read it."""
    import torch

    from danseo.scroll.ink.network import Architecture, InkNet
    from danseo.scroll.ink.weights import Calibration, Model, save_model
    from danseo.scroll.phantom.making import make_phantom
    from danseo.scroll.phantom.recipe import Recipe

    recipe = Recipe(
        shape=(64, 160, 160), windings=3, letter_um=300, decoys=0, torn=0.02, wander_um=0, seed=3
    )
    make_phantom(recipe, "ΑΡΙϹΤΟΝΜΕΝΥΔΩΡ", folder / "scroll.zarr")
    torch.manual_seed(1)
    model = Model(InkNet(Architecture()).eval(), recipe.voxel_um, Calibration(), 0.5, {})
    save_model(folder / "ink.safetensors", model)
    small = Small(folder / "scroll.zarr", folder / "ink.safetensors", folder / "reading")
    small.read()
    return small


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file; of records all but the time that they took."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.name == "stage.json":
                record = json.loads(data)
                del record["seconds"]
                data = json.dumps(record).encode()
            if path.name == "report.html":
                continue  # it says how long each stage took, and which were kept
            found[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()
    return found


def killed(small: Small, moments: dict[str, int]) -> None:
    """Read, and end this process by SIGKILL at the n-th word of progress of a stage."""
    seen: dict[str, int] = {}

    def tell(part: float, words: str) -> None:
        stage = words.partition(":")[0]
        seen[stage] = seen.get(stage, 0) + 1
        if seen[stage] == moments.get(stage):
            os.kill(os.getpid(), signal.SIGKILL)

    pipeline.read(open_volume(small.volume), small.request(), tell)


if __name__ == "__main__":
    volume, weights, out, stage, count = sys.argv[1:]
    killed(Small(Path(volume), Path(weights), Path(out)), {stage: int(count)})
