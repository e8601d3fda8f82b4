"""Ink probability of a whole sheet, tile by tile, without seams.

Every tile is read with a margin wider than the network can look, so that it makes no difference
how the sheet is cut. At its own border the sheet is mirrored: continued by its outermost pixels
it would look streaked, and four times as many pixels there would pass for ink. Logits of four
mirrored views are averaged and then calibrated; where the mask says that there is no sheet,
probability is 0.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from danseo.core.errors import Invalid, Unavailable, Unfit, Usage
from danseo.scroll.ink.network import STRIDE, reach
from danseo.scroll.ink.weights import Model, load_model
from danseo.scroll.stage import MARKS
from danseo.scroll.tiles import run_tiles
from danseo.scroll.volume import Box, Volume, open_volume

Mask = npt.NDArray[np.bool_]

MAP: Final = "ink.tif"
MASK: Final = "mask.png"
FULL: Final = 65535
_DRAFT: Final = ".ink.raw"
_SIDE: Final = 256
"""Side of a tile of the TIFF."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """How to predict: `tile` pixels at a time, `workers` processes (or a scheduler's address).

    `threads` are torch's, for each worker. `flips` averages four mirrored views at four times the
    cost. `device` is "cpu", "cuda", or "auto": a GPU where there is one.
    """

    tile: int = 512
    flips: bool = True
    workers: int | str = 1
    threads: int = 1
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class Summary:
    """What came out: pixels of the sheet, the part of them that is valid, and that reads as ink.

    `ink` is the mean probability over valid pixels. `profile` is the mean intensity of each layer
    in parts of the full scale: a sheet that is centred is bright in the middle.
    """

    pixels: int
    valid: float
    ink: float
    profile: tuple[float, ...]


def predict(
    layers: Path | Volume,
    mask: Path,
    weights: Path | None,
    out: Path,
    options: Prediction | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Summary:
    """Write `out/ink.tif` (probability x 65535, uint16, one pixel a voxel) and `out/mask.png`.

    `layers` is a volume whose z counts layers, the innermost first; `mask` an image of its rows
    and columns, bright where there is a sheet; `weights` None takes those of the package. An
    interrupted run goes on where it stopped. Raises `Unfit` where layers, type, voxel size or
    mask are not what the model takes.
    """
    options = options or Prediction()
    model = load_model(weights)
    volume = layers if isinstance(layers, Volume) else open_volume(layers)
    valid = read_mask(mask)
    _check(volume, valid, model, options)
    out.mkdir(parents=True, exist_ok=True)
    draft = out / _DRAFT
    if not draft.exists() or draft.stat().st_size != 2 * valid.size:
        (out / MARKS).unlink(missing_ok=True)
        with draft.open("wb") as file:
            file.truncate(2 * valid.size)
    task = _Task(volume, mask, weights, draft, options)
    question = _question(volume, mask, model, options)
    rows, columns = valid.shape
    tiles = [
        (question, row, column)
        for row in range(0, rows, options.tile)
        for column in range(0, columns, options.tile)
    ]
    told = run_tiles(task, tiles, marks=out / MARKS, workers=options.workers, progress=progress)
    _write_map(out / MAP, draft, valid.shape)
    shutil.copyfile(mask, out / MASK)
    draft.unlink()
    (out / MARKS).unlink(missing_ok=True)
    return _summary(valid, told, model.depth)


def probability(
    model: Model,
    layers: npt.NDArray[Any],
    valid: Mask | None = None,
    *,
    flips: bool = True,
    device: str = "cpu",
) -> npt.NDArray[np.float32]:
    """Return the calibrated probability `[rows, columns]` of layers `[depth, rows, columns]`.

    All at once, in memory: for small sheets. Equal to what `predict` writes, before rounding.
    """
    _check_layers(layers.shape[0], layers.dtype, model)
    margin = _margin(model)
    rows, columns = layers.shape[1:]
    window = np.pad(
        layers,
        ((0, 0), (margin, margin + -rows % STRIDE), (margin, margin + -columns % STRIDE)),
        mode="reflect",
    )
    found = _probability(model, window, flips, device)[margin:, margin:][:rows, :columns]
    return np.where(valid, found, np.float32(0)) if valid is not None else found


def logits(
    model: Model, window: npt.NDArray[Any], flips: bool, device: str = "cpu"
) -> torch.Tensor:
    """Return logits `[rows, columns]` of a window with sides that are multiples of 4."""
    x = torch.from_numpy(np.ascontiguousarray(window)).to(device)[None]
    x = x.to(torch.float32) / (255 if window.dtype == np.uint8 else FULL)
    views: list[list[int]] = [[], [-1], [-2], [-2, -1]] if flips else [[]]
    network = model.network.to(device)
    with torch.inference_mode():
        seen = [torch.flip(network(torch.flip(x, axes)), axes) for axes in views]
    return torch.stack(seen).mean(0)[0]


def read_mask(path: Path) -> Mask:
    """Return a mask as bool `[rows, columns]`; raise where it is missing, unreadable or empty."""
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(path) as image:
            valid = np.asarray(image.convert("L")) > 127
    except FileNotFoundError as error:
        raise Unavailable(f"there is no mask at {path}.", "Run `render` first.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Invalid(f"{path} is no image: {error}.", "Render it anew.") from error
    if not valid.any():
        raise Unfit(
            f"{path} is empty: no pixel of the sheet is valid.",
            "Look at the surface: it may lie outside the volume.",
        )
    return valid


def read_map(path: Path) -> npt.NDArray[np.float32]:
    """Return the probability `[rows, columns]`, 0..1, that `predict` wrote to `path`."""
    import tifffile

    try:
        raw = tifffile.imread(path)
    except FileNotFoundError as error:
        raise Unavailable(f"there is no map at {path}.", "Run `ink` first.") from error
    except (tifffile.TiffFileError, ValueError) as error:
        raise Invalid(f"{path} is no TIFF: {error}.", "Run `ink` anew.") from error
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise Unfit(
            f"{path} is {raw.dtype} {raw.shape}: a map of ink is uint16, rows by columns.",
            "Write probability x 65535.",
        )
    return (raw / np.float32(FULL)).astype(np.float32)


@dataclass(frozen=True)
class _Task:
    """One tile: read, predicted, written into the draft. Pickled where it leaves the process."""

    volume: Volume
    mask: Path
    weights: Path | None
    draft: Path
    options: Prediction

    def __call__(self, tile: tuple[str, int, int]) -> list[Any]:
        """Return the number of valid pixels, the sum of their probability and of each layer."""
        _, row, column = tile
        model = _loaded(self.weights, self.options.threads)
        valid = _mask_of(self.mask)
        target = np.memmap(self.draft, np.uint16, "r+", shape=valid.shape)
        window = (slice(row, row + self.options.tile), slice(column, column + self.options.tile))
        here = valid[window]
        if not here.any():
            target[window] = 0
            return [0, 0.0, [0.0] * model.depth]
        layers = self._read(row, column, here.shape, _margin(model))
        found = _probability(model, layers, self.options.flips, _device(self.options))
        margin = _margin(model)
        found = found[margin:, margin:][: here.shape[0], : here.shape[1]]
        kept = np.where(here, found, 0)
        target[window] = np.round(kept * FULL).astype(np.uint16)
        target.flush()
        inner = layers[:, margin:, margin:][:, : here.shape[0], : here.shape[1]]
        sums = inner[:, here].sum(1, dtype=np.float64) / np.iinfo(layers.dtype).max
        return [int(here.sum()), float(kept.sum(dtype=np.float64)), sums.tolist()]

    def _read(self, row: int, column: int, shape: tuple[int, ...], margin: int) -> Any:
        """Return the tile's layers with a margin, continued past the sheet's border."""
        high, wide = shape
        depth, rows, columns = self.volume.shape
        bottom, right = (
            row + high + -high % STRIDE + margin,
            column + wide + -wide % STRIDE + margin,
        )
        top, left = row - margin, column - margin
        box = Box(0, depth, max(0, top), min(rows, bottom), max(0, left), min(columns, right))
        pads = ((0, 0), (box.y0 - top, bottom - box.y1), (box.x0 - left, right - box.x1))
        return np.pad(self.volume.read(box), pads, mode="reflect")


_CACHE: dict[Any, Any] = {}
"""The model and the mask that this process works with, so that a tile does not read them anew."""


def _loaded(weights: Path | None, threads: int) -> Model:
    torch.set_num_threads(threads)
    stamp = ("model", weights, weights.stat().st_mtime_ns if weights else 0)
    if stamp not in _CACHE:
        _CACHE[stamp] = load_model(weights)
    model: Model = _CACHE[stamp]
    return model


def _mask_of(path: Path) -> Mask:
    stamp = ("mask", path, path.stat().st_mtime_ns)
    if stamp not in _CACHE:
        _CACHE[stamp] = read_mask(path)
    mask: Mask = _CACHE[stamp]
    return mask


def _probability(
    model: Model, window: npt.NDArray[Any], flips: bool, device: str
) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = (
        model.calibration.probability(logits(model, window, flips, device)).cpu().numpy()
    )
    return found


def _margin(model: Model) -> int:
    """Return the margin that hides a tile's edge: the network's reach, a multiple of its stride."""
    return -(-reach(model.network) // STRIDE) * STRIDE


def _device(options: Prediction) -> str:
    if options.device != "auto":
        return options.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check(volume: Volume, valid: Mask, model: Model, options: Prediction) -> None:
    _check_layers(volume.shape[0], volume.dtype, model)
    if volume.shape[1:] != valid.shape:
        raise Unfit(
            f"the mask is {valid.shape}, the layers are {volume.shape[1:]}.",
            "Give the mask that `render` wrote beside these layers.",
        )
    if abs(volume.voxel_um / model.voxel_um - 1) > 0.1:
        raise Unfit(
            f"the layers are {volume.voxel_um:g} um apart, the model learned {model.voxel_um:g}.",
            "Render at the model's voxel size, or train a model for this one.",
        )
    if options.tile < STRIDE or options.tile % STRIDE:
        raise Usage(f"a tile of {options.tile} pixels.", f"Choose a multiple of {STRIDE}.")
    if options.threads < 1:
        raise Usage(f"{options.threads} threads.", "Choose one or more.")
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise Unavailable("there is no CUDA device here.", "Choose the device cpu or auto.")


def _check_layers(depth: int, dtype: np.dtype[Any], model: Model) -> None:
    if depth != model.depth:
        raise Unfit(
            f"there are {depth} layers, and the model takes {model.depth}.",
            f"Render {model.depth} layers, centred on the sheet, the innermost first.",
        )
    if dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise Unfit(f"the layers are {dtype}.", "Render them as uint8 or uint16; NaN has no place.")


def _question(volume: Volume, mask: Path, model: Model, options: Prediction) -> str:
    """Return what tells one prediction from another, so that no mark of another run is believed."""
    digest = hashlib.sha256(volume.identity.encode())
    digest.update(mask.read_bytes())
    asked = asdict(options) | {"workers": 0, "threads": 0}
    digest.update(json.dumps([asked, asdict(model.calibration)], sort_keys=True).encode())
    for tensor in model.network.state_dict().values():
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def _write_map(path: Path, draft: Path, shape: tuple[int, ...]) -> None:
    """Write the tiled TIFF from the draft, a row of tiles in memory at a time."""
    import tifffile

    raw = np.memmap(draft, np.uint16, "r", shape=shape)
    part = path.with_name(f".{path.name}.part")
    tifffile.imwrite(
        part,
        _tiles_of(raw),
        shape=shape,
        dtype=np.uint16,
        tile=(_SIDE, _SIDE),
        compression="zlib",
        photometric="minisblack",
        metadata=None,
    )
    part.replace(path)


def _tiles_of(raw: npt.NDArray[np.uint16]) -> Any:
    for row in range(0, raw.shape[0], _SIDE):
        for column in range(0, raw.shape[1], _SIDE):
            piece = raw[row : row + _SIDE, column : column + _SIDE]
            yield np.pad(piece, [(0, _SIDE - n) for n in piece.shape])


def _summary(valid: Mask, told: list[Any], depth: int) -> Summary:
    count = sum(part[0] for part in told)
    sums = np.sum([part[2] for part in told], axis=0) if told else np.zeros(depth)
    return Summary(
        pixels=valid.size,
        valid=count / valid.size,
        ink=sum(part[1] for part in told) / count,
        profile=tuple(round(float(s / count), 5) for s in sums),
    )
