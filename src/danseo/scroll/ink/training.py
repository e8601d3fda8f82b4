"""Training of the ink network: thick ink first and thin ink last, resumable at any step.

A step's batch, its crops and its augmentation depend on (seed, step, rank) alone. So a run that
was interrupted and taken up again from its checkpoint is the run that was not, bit for bit on one
machine, and the checkpoint needs to hold no state of a random generator but the seed.

Under `torchrun` each process takes its share of the batch and gradients are averaged
(DistributedDataParallel); alone, the same code trains on whatever device there is.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from danseo.core.errors import Invalid, Unavailable, Usage
from danseo.scroll.ink import measure, samples
from danseo.scroll.ink.augment import Augmentation, augment
from danseo.scroll.ink.network import STRIDE, Architecture, InkNet
from danseo.scroll.ink.samples import Sample

Progress = Callable[[float, str], None]

CHECKPOINT: Final = "checkpoint.pt"
CURVES: Final = "curves.jsonl"


@dataclass(frozen=True, slots=True)
class Training:
    """How the network is trained.

    `crop` is the side of a crop and `batch` their number in a step, over all processes. Ink must be
    at least `thick_um` high at first; that bound falls linearly to nothing at the part `thin_at` of
    the run. `inked` is the part of crops centred on ink. `ema` is the decay of the weights' mean.
    """

    steps: int = 6000
    batch: int = 16
    crop: int = 128
    rate: float = 2e-3
    decay: float = 0.01
    warmup: float = 0.05
    ema: float = 0.998
    thick_um: float = 16.0
    thin_at: float = 0.4
    inked: float = 0.5
    seed: int = 1
    precision: str = "auto"
    threads: int = 1
    keep_every: int = 200
    validate_every: int = 500
    architecture: Architecture = field(default_factory=Architecture)
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(slots=True)
class Run:
    """All that changes while training: what a checkpoint holds."""

    network: InkNet
    mean: InkNet
    optimiser: torch.optim.AdamW
    step: int = 0


def train(
    options: Training,
    progress: Progress | None = None,
    *,
    data: list[Sample],
    validation: list[Sample],
    out: Path,
    start: InkNet | None = None,
    until: int | None = None,
) -> InkNet:
    """Train on `data`, keep checkpoint and curves in `out`, and return the averaged network.

    Goes on from the checkpoint in `out` where there is one; `start` gives the first weights
    otherwise. `until` stops early, as an interruption would. Raises `Invalid` where the checkpoint
    is of another architecture, recipe or data.
    """
    _check(options, data)
    torch.set_num_threads(options.threads)
    with _processes() as (rank, world, device):
        run = _begin(options, data, out, start, device)
        model: nn.Module = run.network
        if world > 1:
            model = nn.parallel.DistributedDataParallel(run.network)
        last = min(options.steps, until if until is not None else options.steps)
        began, first = time.monotonic(), run.step
        for batch in _batches(options, data, range(run.step, last), rank, world):
            loss = _step(options, run, model, batch, device)
            run.step += 1
            if rank:
                continue
            pace = (time.monotonic() - began) / (run.step - first)
            _record(options, run, loss, pace, validation, out)
            _keep(options, run, data, out, last)
            if progress:
                left = pace * (options.steps - run.step) / 60
                progress(run.step / options.steps, f"loss {loss:.3f}, {left:.0f} minutes left")
        if not rank and (out / CURVES).exists():
            plot_curves(out)
        return run.mean.eval()


def predict_plain(network: InkNet, layers: np.ndarray[Any, Any], device: str = "cpu") -> Any:
    """Return probabilities `[rows, columns]`, float32, for uint8 layers: no tiles, no flips."""
    rows, columns = layers.shape[1:]
    pad = (0, -columns % STRIDE, 0, -rows % STRIDE)
    x = torch.from_numpy(np.array(layers)).to(device, torch.float32)[None] / 255
    with torch.inference_mode():
        logits = network(functional.pad(x, pad, mode="replicate"))
    return torch.sigmoid(logits)[0, :rows, :columns].cpu().numpy()


def loss_of(logits: Tensor, ink: Tensor, valid: Tensor) -> Tensor:
    """Return the mean of cross-entropy and soft Dice over valid pixels; floats of one shape.

    Dice pools the batch, so that a crop without ink does not divide by nothing.
    """
    count = valid.sum().clamp(min=1)
    entropy = functional.binary_cross_entropy_with_logits(logits, ink, reduction="none")
    p = torch.sigmoid(logits) * valid
    dice = 1 - (2 * (p * ink).sum() + 1) / ((p * p).sum() + (ink * valid).sum() + 1)
    return (entropy * valid).sum() / count + 0.5 * dice


def rate_at(options: Training, step: int) -> float:
    """Return the learning rate: linear warm-up, then half a cosine down to nothing."""
    part = step / max(1, options.steps)
    if part < options.warmup:
        return options.rate * (part / options.warmup + 1 / max(1, options.steps))
    return (
        options.rate
        * 0.5
        * (1 + math.cos(math.pi * (part - options.warmup) / (1 - options.warmup)))
    )


def allowed(options: Training, data: list[Sample], step: int) -> list[Sample]:
    """Return the samples that the curriculum shows at `step`; the thickest, if none is so thick."""
    bound = options.thick_um * max(0.0, 1 - step / max(1.0, options.thin_at * options.steps))
    return [s for s in data if s.ink_um >= bound] or [max(data, key=lambda s: s.ink_um)]


def plot_curves(out: Path) -> Path:
    """Draw loss and validation figures from `out/curves.jsonl` into `out/curves.png`."""
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in (out / CURVES).read_text("utf-8").splitlines()]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    losses = [(r["step"], r["loss"]) for r in lines if "loss" in r]
    if losses:
        left.plot(*zip(*losses, strict=True), color="#b4481e", linewidth=1)
    left.set(xlabel="step", ylabel="loss (training)")
    for name in ("auc", "best_f"):
        points = [(r["step"], r[name]) for r in lines if name in r]
        if points:
            right.plot(*zip(*points, strict=True), label=name.replace("best_f", "F0.5"))
    right.set(xlabel="step", ylim=(0, 1), title="validation")
    if right.get_legend_handles_labels()[0]:
        right.legend()
    path = out / "curves.png"
    figure.savefig(path, dpi=110)
    return path


def _check(options: Training, data: list[Sample]) -> None:
    if not data:
        raise Usage("there are no samples to train on.", "Make phantoms first.")
    if options.crop % STRIDE or options.crop < STRIDE:
        raise Usage(f"the crop is {options.crop}.", f"Choose a multiple of {STRIDE}.")
    for sample in data:
        if min(sample.ink.shape) < options.crop:
            raise Usage(
                f"sample {sample.name} is {sample.ink.shape}, a crop {options.crop} wide.",
                "Choose a smaller crop.",
            )
    if options.precision not in {"auto", "float32", "bfloat16"}:
        raise Usage(
            f"precision {options.precision!r} is unknown.", "Choose auto, float32 or bfloat16."
        )


@contextmanager
def _processes() -> Iterator[tuple[int, int, str]]:
    """Yield rank, number of processes, device; join the group that `torchrun` announces."""
    cuda = torch.cuda.is_available()
    if not torch.distributed.is_torchelastic_launched():
        yield 0, 1, "cuda:0" if cuda else "cpu"
        return
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
    # torchrun numbers the processes of one machine one after another.
    device = f"cuda:{rank % torch.cuda.device_count()}" if cuda else "cpu"
    try:
        yield rank, world, device
    finally:
        torch.distributed.destroy_process_group()


def _begin(
    options: Training, data: list[Sample], out: Path, start: InkNet | None, device: str
) -> Run:
    """Return a run at its first step, or where the checkpoint in `out` left it."""
    torch.manual_seed(options.seed)
    network = InkNet(options.architecture).to(device)
    mean = InkNet(options.architecture).to(device).requires_grad_(False)
    if start is not None:
        network.load_state_dict(start.state_dict())
    mean.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=options.decay)
    run = Run(network, mean, optimiser)
    out.mkdir(parents=True, exist_ok=True)
    path = out / CHECKPOINT
    if path.exists():
        _resume(run, path, options, data, device)
    else:
        (out / CURVES).unlink(missing_ok=True)
    return run


def _resume(run: Run, path: Path, options: Training, data: list[Sample], device: str) -> None:
    """Fill `run` from a checkpoint; raise `Invalid` where it belongs to another training."""
    try:
        kept = torch.load(path, map_location=device, weights_only=True)
        asked = _identity(options, data)
        for what, told in asked.items():
            if kept["identity"][what] != told:
                raise Invalid(
                    f"{path} is a checkpoint of another {what}: {kept['identity'][what]}, "
                    f"not {told}.",
                    "Train in another folder, or delete this checkpoint.",
                )
        run.network.load_state_dict(kept["network"])
        run.mean.load_state_dict(kept["mean"])
        run.optimiser.load_state_dict(kept["optimiser"])
        run.step = int(kept["step"])
    except (
        KeyError,
        RuntimeError,
        TypeError,
        EOFError,
        OSError,
        ValueError,
        UnpicklingError,
    ) as error:
        raise Invalid(f"{path} is no checkpoint of a training: {error}.", "Delete it.") from error
    curves = path.parent / CURVES
    if curves.exists():
        lines = curves.read_text("utf-8").splitlines()
        _write(curves, [line for line in lines if json.loads(line)["step"] <= run.step])


def _identity(options: Training, data: list[Sample]) -> dict[str, str]:
    recipe = asdict(options)
    for free in ("threads", "keep_every", "validate_every", "architecture"):
        recipe.pop(free)
    return {
        "architecture": options.architecture.digest(),
        "recipe": json.dumps(recipe, sort_keys=True),
        "data": samples.digest(data),
    }


def _batches(
    options: Training, data: list[Sample], steps: range, rank: int, world: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield each step's share of the batch, two of them made ahead in a thread."""
    with ThreadPoolExecutor(1) as ahead:
        waiting = [ahead.submit(_batch, options, data, step, rank, world) for step in steps[:2]]
        for step in steps:
            batch = waiting.pop(0).result()
            if step + 2 in steps:
                waiting.append(ahead.submit(_batch, options, data, step + 2, rank, world))
            yield batch


def _batch(
    options: Training, data: list[Sample], step: int, rank: int, world: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return augmented layers `[b, depth, crop, crop]`, ink and validity as floats."""
    rng = np.random.default_rng([options.seed, step, rank])
    shown = allowed(options, data, step)
    crops = [_crop(options, shown, rng) for _ in range(max(1, options.batch // world))]
    layers, ink, valid = (torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True))
    return augment(
        layers.float().div_(255),
        ink.float(),
        valid.float(),
        options.architecture.depth,
        options.augmentation,
        rng,
    )


def _crop(options: Training, shown: list[Sample], rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Return one crop, centred near ink in the part `inked` of cases, of a sample by its area."""
    areas = np.array([s.ink.size for s in shown], dtype=float)
    sample = shown[int(rng.choice(len(shown), p=areas / areas.sum()))]
    rows, columns = sample.ink.shape
    side = options.crop
    y, x = int(rng.integers(0, rows - side + 1)), int(rng.integers(0, columns - side + 1))
    if rng.random() < options.inked:
        at = np.flatnonzero(sample.ink)
        if len(at):
            row, column = divmod(int(at[rng.integers(len(at))]), columns)
            y = int(np.clip(row - rng.integers(side), 0, rows - side))
            x = int(np.clip(column - rng.integers(side), 0, columns - side))
    window = (slice(y, y + side), slice(x, x + side))
    return sample.layers[(slice(None), *window)], sample.ink[window], sample.valid[window]


def _step(
    options: Training,
    run: Run,
    model: nn.Module,
    batch: tuple[Tensor, Tensor, Tensor],
    device: str,
) -> float:
    """Take one step of AdamW and move the mean; raise `Invalid` where the loss is not finite."""
    layers, ink, valid = (part.to(device, non_blocking=True) for part in batch)
    for group in run.optimiser.param_groups:
        group["lr"] = rate_at(options, run.step)
    kind = device.partition(":")[0]
    with torch.autocast(kind, torch.bfloat16, enabled=_half(options, kind)):
        logits = model(layers)
    loss = loss_of(logits.float(), ink, valid)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Invalid(
            f"the loss is {value} at step {run.step}.", "Lower the rate, and look at the samples."
        )
    run.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
    run.optimiser.step()
    # The mean follows fast at first, or it would remember the random start.
    decay = min(options.ema, (run.step + 1) / (run.step + 10))
    with torch.no_grad():
        for old, new in zip(run.mean.parameters(), run.network.parameters(), strict=True):
            old.lerp_(new, 1 - decay)
    return value


def _half(options: Training, kind: str) -> bool:
    """Return whether to compute in bfloat16: where told, or where the hardware has it."""
    if options.precision != "auto":
        return options.precision == "bfloat16"
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return "avx512_bf16" in _cpu_flags() or "amx_bf16" in _cpu_flags()


def _cpu_flags() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    return next((line for line in text.splitlines() if line.startswith("flags")), "")


def _record(
    options: Training, run: Run, loss: float, pace: float, validation: list[Sample], out: Path
) -> None:
    """Append a line to the curves every tenth step, with validation figures where they are due."""
    due = run.step % options.validate_every == 0 or run.step == options.steps
    if run.step % 10 and not due:
        return
    line: dict[str, Any] = {
        "step": run.step,
        "loss": round(loss, 5),
        "seconds_a_step": round(pace, 4),
    }
    if due and validation:
        line |= validate(run.mean, validation)
    with (out / CURVES).open("a", encoding="utf-8") as curves:
        curves.write(json.dumps(line) + "\n")


def validate(network: InkNet, validation: list[Sample]) -> dict[str, float]:
    """Return AUC and best F0.5 over all pixels of all `validation` samples together."""
    device = str(next(network.parameters()).device)
    depth = network.architecture.depth
    maps = [predict_plain(network, s.middle(depth), device)[s.valid] for s in validation]
    ink = np.concatenate([s.ink[s.valid] for s in validation])
    # Sixteen bits are what is written; ties that they make are far below what could matter.
    told = np.round(np.concatenate(maps) * 65535) / 65535
    return {
        "auc": round(measure.auc(told, ink), 5),
        "best_f": round(measure.best_threshold(told, ink)[1], 5),
    }


def _keep(options: Training, run: Run, data: list[Sample], out: Path, last: int) -> None:
    """Write the checkpoint where it is due, so that it is whole at any moment."""
    if run.step % options.keep_every and run.step != last:
        return
    part = out / f".{CHECKPOINT}.part"
    try:
        torch.save(
            {
                "identity": _identity(options, data),
                "network": run.network.state_dict(),
                "mean": run.mean.state_dict(),
                "optimiser": run.optimiser.state_dict(),
                "step": run.step,
            },
            part,
        )
    except OSError as error:
        raise Unavailable(
            f"the checkpoint cannot be written to {part}: {error}.", "Free some space there."
        ) from error
    part.replace(out / CHECKPOINT)


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
