"""How fast a volume is read from disk, beside `vesuvius` 0.2.4 in the same run.

The volume has 640^3 voxels of 8 bits: smooth blobs, as papyrus and air are, under noise of half a
grey level. Its chunks of 128^3 are compressed by Blosc with LZ4 (level 5, no shuffle), as
OME-Zarr 0.4, which all three read; the ratio is a figure of its own. Three readers: ours through
tensorstore, ours through zarr 3 alone, and `vesuvius` in a virtual environment of its own (it
needs zarr 2). Each reads the same boxes, and checksums must agree:

1. *random*: 96 patches of 96^3 anywhere. Each touches up to eight chunks. Ours keeps up to 256 MiB
   of decoded chunks, which is all of this volume; `vesuvius` keeps none. So the first 16 of them
   are told apart: they begin with nothing kept, and on a volume far larger it stays like that.
2. *full*: the whole volume once, in slabs of 128 slices.

The files are in the system's page cache for all. Best of three, each opened anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.harness import WORK, Figure
from danseo.scroll import chunks
from danseo.scroll.omezarr import create_volume
from danseo.scroll.volume import Box, open_volume

SEED: Final = 20231012
SIDE: Final = 640
PATCH: Final = 96
PATCHES: Final = 96
COLD: Final = 16
ROUNDS: Final = 3
PEER: Final = "vesuvius==0.2.4"
SCRIPT: Final = Path(__file__).parent / "vesuvius" / "read.py"
AIM: Final = 5.0
NOISE: Final = 0.5
"""Grey levels. With more, LZ4 finds nothing to compress, and only copies are measured."""

Job = list[Box]


def run() -> list[Figure]:
    """Return the figures; where the peer cannot be installed, a figure of ours alone says why."""
    path, ratio = _volume()
    names = ("random patches", f"the first {COLD} of them", "the whole")
    patches = _patches()
    jobs = [patches, patches[:COLD], _slabs()]
    fast, plain = _ours(path, jobs, fast=True), _ours(path, jobs, fast=False)
    peer = _peer(path, jobs)
    figures = [Figure("size of the voxels against their size on disk", ratio, "times")]
    for number, name in enumerate(names):
        voxels = sum(box.size for box in jobs[number]) / 1e6
        theirs = None if isinstance(peer, str) else voxels / peer[number][0]
        beside = f"vesuvius, {theirs:.0f} Mvoxel/s" if theirs else f"vesuvius skipped: {peer}"
        for how, mine in (("tensorstore", fast), ("zarr alone", plain)):
            if mine is None:
                continue
            if not isinstance(peer, str) and mine[number][1] != peer[number][1]:
                raise RuntimeError(f"{how} and the peer read other voxels: {name}")
            rate = voxels / mine[number][0]
            figures.append(
                Figure(
                    f"{name}, ours through {how}",
                    rate,
                    "Mvoxel/s",
                    beside,
                    rate / theirs if theirs else None,
                    "at least 5 times vesuvius" if theirs else "",
                    rate >= AIM * theirs if theirs else None,
                )
            )
    return figures


def _volume() -> tuple[Path, float]:
    """Make the volume, once, and return it with how far it was compressed."""
    path = WORK / f"volume-{SIDE}.zarr"
    if not path.exists():
        rng = np.random.default_rng(SEED)
        side = SIDE // 4
        smooth = gaussian_filter(rng.standard_normal((side,) * 3, np.float32), 6, mode="wrap")
        smooth *= 6 / smooth.std()
        writer = create_volume(path, (SIDE,) * 3, np.uint8, 7.91, ome="0.4")
        page = np.tile(smooth + 120, (1, 4, 4))
        for z in range(0, SIDE, side):
            noise = rng.random(page.shape, np.float32) * NOISE
            writer.write(z, np.clip(page + noise, 0, 255).astype(np.uint8))
        writer.finish()
    stored = sum(file.stat().st_size for file in (path / "0").rglob("*") if file.is_file())
    return path, SIDE**3 / stored


def _patches() -> Job:
    corners = np.random.default_rng(SEED).integers(0, SIDE - PATCH, (PATCHES, 3)).tolist()
    return [Box(z, z + PATCH, y, y + PATCH, x, x + PATCH) for z, y, x in corners]


def _slabs() -> Job:
    return [Box(z, z + 128, 0, SIDE, 0, SIDE) for z in range(0, SIDE, 128)]


def _ours(path: Path, jobs: list[Job], fast: bool) -> list[tuple[float, int]] | None:
    """Return seconds and checksum of each job, the best of some rounds; None without the reader."""
    honest = chunks._tensorstore
    if fast:
        try:
            import tensorstore  # noqa: F401
        except ImportError:
            return None
    else:
        chunks._tensorstore = lambda path, array: None
    try:
        return [min(_read(path, job) for _ in range(ROUNDS)) for job in jobs]
    finally:
        chunks._tensorstore = honest


def _read(path: Path, job: Job) -> tuple[float, int]:
    volume = open_volume(path)
    check, spent = 0, 0.0
    for box in job:
        start = time.perf_counter()
        block = volume.read(box)
        spent += time.perf_counter() - start
        check = zlib.crc32(block.tobytes(), check)
    return spent, check


def _peer(path: Path, jobs: list[Job]) -> list[tuple[float, int]] | str:
    """Return the same of the peer, or why it could not run."""
    python = WORK / "vesuvius" / "bin" / "python"
    try:
        ready = WORK / "vesuvius" / ".ready"
        if not ready.exists():
            _quiet(sys.executable, "-m", "venv", "--clear", str(WORK / "vesuvius"))
            _quiet(str(python), "-m", "pip", "install", "--quiet", PEER)
            ready.touch()
        wanted = WORK / "volume-jobs.json"
        wanted.write_text(json.dumps(jobs))
        rounds = [
            _quiet(str(python), str(SCRIPT), str(path / "0"), str(wanted)) for _ in range(ROUNDS)
        ]
    except (subprocess.CalledProcessError, OSError) as error:
        return str(getattr(error, "stderr", "") or error).strip().splitlines()[-1][:100]
    timed: list[list[Any]] = [[json.loads(line) for line in text.splitlines()] for text in rounds]
    return [min((s, c) for s, c in job) for job in zip(*timed, strict=True)]


def _quiet(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    return done.stdout
