"""Weights of the ink network as safetensors, with what they are and how sure they may be.

The file's metadata say the architecture, the voxel size and layers it was trained for, the
calibration of its logits and the threshold for a yes or no. A file that does not fit is refused:
safetensors hold no code, and what they say of themselves is checked against their tensors.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from danseo.core.errors import Invalid, Unavailable, Unfit
from danseo.scroll.ink.network import LIMIT_UM, Architecture, InkNet, receptive_field

FORMAT: Final = "danseo ink 1"
SHIPPED: Final = "ink.safetensors"
_MAX_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Calibration:
    """What makes a logit a probability: `sigmoid(scale * logit + shift)`, fitted on validation."""

    scale: float = 1.0
    shift: float = 0.0

    def probability(self, logits: torch.Tensor) -> torch.Tensor:
        """Return calibrated probabilities, of the shape of `logits`."""
        return torch.sigmoid(self.scale * logits + self.shift)


@dataclass(frozen=True, slots=True)
class Model:
    """A network with its calibration, and what it was made for.

    `voxel_um` is the side of a voxel, `threshold` the probability from which a pixel counts as
    ink, chosen on validation data; `facts` tell of its training and are for readers only.
    """

    network: InkNet
    voxel_um: float
    calibration: Calibration
    threshold: float
    facts: dict[str, Any]

    @property
    def depth(self) -> int:
        """The number of layers that the network takes."""
        return self.network.architecture.depth


def save_model(path: Path, model: Model) -> Path:
    """Write `model` to `path`, whole or not at all. Raise `Unfit` where it sees too far."""
    width = receptive_field(model.network) * model.voxel_um
    if width > LIMIT_UM:
        raise Unfit(
            f"the network sees {width:.0f} um, and at most {LIMIT_UM:.0f} are allowed.",
            "Give it fewer blocks: what sees a letter can invent one.",
        )
    architecture = model.network.architecture
    metadata = {
        "format": FORMAT,
        "architecture": json.dumps(asdict(architecture)),
        "digest": architecture.digest(),
        "voxel_um": repr(model.voxel_um),
        "calibration": json.dumps(asdict(model.calibration)),
        "threshold": repr(model.threshold),
        "facts": json.dumps(model.facts),
    }
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.network.state_dict().items()}
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, part, metadata)
    return part.replace(path)


def load_model(path: Path | None = None) -> Model:
    """Return the model in `path`, or the one that comes with the package.

    Raises `Unavailable` where there is no file, and `Invalid` where it is damaged, of another
    architecture than it says, or holds weights that are no numbers.
    """
    if path is not None:
        return _load(path)
    with resources.as_file(resources.files("danseo.scroll.ink") / "shipped" / SHIPPED) as shipped:
        return _load(shipped)


def fit_calibration(logits: npt.NDArray[np.float32], ink: npt.NDArray[np.bool_]) -> Calibration:
    """Return scale and shift of least cross-entropy (Platt 1999), by Newton's method.

    `logits` and `ink` are one-dimensional, of one length, from validation data. Raises `Unfit`
    where there is only ink or none.
    """
    if not ink.any() or ink.all():
        raise Unfit("the validation data have ink nowhere or everywhere.", "Take other phantoms.")
    x = np.stack([logits.astype(np.float64), np.ones(len(logits))])
    theta = np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(theta @ x, -40, 40)))
        gradient = x @ (p - ink) / len(ink)
        curvature = (x * (p * (1 - p))) @ x.T / len(ink) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        theta -= np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-7:
            break
    return Calibration(float(theta[0]), float(theta[1]))


def _load(path: Path) -> Model:
    if not path.is_file():
        raise Unavailable(f"there are no weights at {path}.", "Train them, or mend the path.")
    if path.stat().st_size > _MAX_BYTES:
        raise Invalid(f"{path} is too large for ink weights.", "Name a file that training wrote.")
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise Invalid(
            f"{path} is no safetensors file: {error}.", "Fetch or train it anew."
        ) from error
    if told.get("format") != FORMAT:
        raise Invalid(
            f"{path} is not of the format {FORMAT!r}, but {told.get('format')!r}.",
            "Name weights that `danseo scroll train` wrote.",
        )
    try:
        return _model(path, told, tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise Invalid(
            f"{path} does not hold what it says: {error}.", "Fetch or train it anew."
        ) from error


def _model(path: Path, told: dict[str, str], tensors: dict[str, torch.Tensor]) -> Model:
    sizes = json.loads(told["architecture"])
    if set(sizes) != {f.name for f in fields(Architecture)} or not all(
        isinstance(n, int) and 0 <= n <= 1024 for n in sizes.values()
    ):
        raise ValueError(f"architecture {sizes}")
    architecture = Architecture(**sizes)
    if architecture.digest() != told["digest"]:
        raise Invalid(
            f"{path} is of another architecture: {told['digest']}, not {architecture.digest()}.",
            "Use the version of danseo that trained it, or train anew.",
        )
    network = InkNet(architecture).eval().requires_grad_(False)
    network.load_state_dict(tensors)
    numbers = [float(told["voxel_um"]), float(told["threshold"])]
    calibration = Calibration(**{k: float(v) for k, v in json.loads(told["calibration"]).items()})
    numbers += [calibration.scale, calibration.shift]
    if not all(map(math.isfinite, numbers)) or not all(
        bool(t.isfinite().all()) for t in tensors.values()
    ):
        raise ValueError("some of its numbers are NaN or infinite")
    return Model(network, numbers[0], calibration, numbers[1], json.loads(told["facts"]))
