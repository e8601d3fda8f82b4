"""What `danseo scroll read` costs: time, memory, growth with the volume, and gain of two workers.

Phantoms of three sizes, which no training saw, are read end to end by the command itself, each in
a process of its own: five stages, four flips, two workers. Memory is the peak of what all
processes of the reading hold together (proportional set size, sampled five times a second).
Growth is taken between the smallest and the largest volume.

Strong scaling is that of the tiles of ink, which take nearly all the time: one worker against two,
on the same layers.

Phantoms and weights lie in `benchmarks/work/read` and are made once.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.harness import WORK, Figure, write

SIDES: Final = (256, 384, 512)
SEED: Final = 300_512
"""Of the seeds that are kept for tests: no training and no calibration draws from them."""
WORKERS: Final = 2
_EVERY: Final = 0.2
_DANSEO: Final = (sys.executable, "-m", "danseo")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one command: seconds on the wall, and the most memory of all its processes, in bytes."""

    seconds: float
    peak: int


def run() -> list[Figure]:
    """Measure and return the figures."""
    costs = {}
    for side in SIDES:
        volume = _phantom(side)
        out = WORK / "read" / f"reading-{side}"
        shutil.rmtree(out, ignore_errors=True)
        costs[side] = _cost("read", str(volume), "--out", str(out), "--workers", str(WORKERS))
    small, large = SIDES[0], SIDES[-1]
    voxels = large**3 - small**3
    growth = (costs[large].peak - costs[small].peak) / voxels
    a_voxel = {side: cost.seconds / side**3 for side, cost in costs.items()}
    minutes = costs[large].seconds / 60
    peak = costs[large].peak / 2**30
    linear = a_voxel[large] / a_voxel[SIDES[1]]
    return [
        Figure(
            f"read {large}^3, {WORKERS} workers, four flips",
            minutes,
            "min",
            aim="at most 15",
            holds=minutes <= 15,
        ),
        Figure(
            f"peak memory of all processes, {large}^3",
            peak,
            "GiB",
            aim="at most 2 GB",
            holds=costs[large].peak <= 2e9,
        ),
        Figure(
            f"memory for a voxel more, {small}^3 to {large}^3",
            growth,
            "bytes",
            aim="at most 1",
            holds=growth <= 1,
        ),
        *(
            Figure(f"read {side}^3", cost.seconds, "s", f"peak {cost.peak / 2**30:.2f} GiB")
            for side, cost in costs.items()
        ),
        Figure(
            f"time a voxel, {large}^3",
            a_voxel[large] * 1e6,
            "us",
            f"{SIDES[1]}^3: {a_voxel[SIDES[1]] * 1e6:.2f} us",
            linear,
            "linear: at most 1.25 times",
            linear <= 1.25,
        ),
        *_scaling(),
    ]


def _scaling() -> list[Figure]:
    """Return the gain of two workers over one, in processes and on a cluster of this machine."""
    layers = WORK / "read" / f"reading-{SIDES[0]}" / "render"
    ways = {"1 worker": "1", "2 workers": "2"}
    seconds = {name: _ink(layers, how) for name, how in ways.items()}
    gain = seconds["1 worker"] / seconds["2 workers"]
    figures = [
        Figure(
            "gain of two processes over one, tiles of ink",
            gain,
            "times",
            f"one process: {seconds['1 worker']:.0f} s",
            gain,
        )
    ]
    with _cluster() as address:
        taken = _ink(layers, address)
    gain = seconds["1 worker"] / taken
    figures.append(
        Figure(
            "gain of two workers of a Dask cluster, tiles of ink",
            gain,
            "times",
            f"one process: {seconds['1 worker']:.0f} s",
            gain,
        )
    )
    return figures


def _ink(layers: Path, workers: str) -> float:
    out = WORK / "read" / "ink"
    shutil.rmtree(out, ignore_errors=True)
    return _cost("ink", str(layers), "--out", str(out), "--workers", workers).seconds


class _cluster:  # noqa: N801 - used as a function
    """A Dask cluster of two single-threaded workers, for as long as it is used."""

    def __enter__(self) -> str:
        from distributed import LocalCluster

        self._made = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
        return str(self._made.scheduler_address)

    def __exit__(self, *_: object) -> None:
        self._made.close()


def _phantom(side: int) -> Path:
    volume = WORK / "read" / f"scroll-{side}.zarr"
    if not volume.exists():
        volume.parent.mkdir(parents=True, exist_ok=True)
        words = ("--size", str(side), "--seed", str(SEED), "--out", str(volume))
        _cost("phantom", *words, "--workers", str(WORKERS))
    return volume


def _cost(*words: str) -> Cost:
    """Run `danseo scroll WORDS`; raise where it fails."""
    begun = time.perf_counter()
    running = subprocess.Popen(
        [*_DANSEO, "scroll", *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "NUMBA_NUM_THREADS": str(WORKERS)},
    )
    peak = 0
    while running.poll() is None:
        peak = max(peak, sum(_held(pid) for pid in _tree(running.pid)))
        time.sleep(_EVERY)
    seconds = time.perf_counter() - begun
    out, err = running.communicate()
    if running.returncode:
        raise RuntimeError(f"danseo scroll {' '.join(words)}: {err.decode()}")
    json.loads(out)
    return Cost(seconds, peak)


def _tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting.extend(int(child) for child in path.read_text().split())
            except OSError:
                continue
    return found


def _held(pid: int) -> int:
    """Return the memory of a process in bytes, its part of what is shared; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


if __name__ == "__main__":
    write("read", run())
