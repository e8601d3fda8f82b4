"""How long the shoulders rule takes, beside SourceCred's CredRank on the same graphs.

1. 1,000,000 clues and 10,000,000 citations: the compiled kernel (its checks included, the arrays
   loaded, the loops compiled) and the reference in plain Python; both must agree bit for bit.
2. The same works, authors and citations through CredRank (npm `sourcecred` 0.11.2, its own
   `credrank` call alone, on a graph that is built already): the dependency graph of Deep Funding,
   where it is laid beside the repository, and a made-up one of 100,000 works and 500,000
   citations. Authorship, sizes and weeks are made up in both: 500 authors or 2,000, over a year.

Deep Funding's graph has cycles. The order here is that of its file turned round (it lists who
depends before what is depended on), and edges against that order are left out.

CredRank ranks people by a random walk until it converges; the rule here is one pass. They answer
related questions by different means, so the ratio says what each costs, not which is right.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.harness import WORK, Figure
from danseo import settings
from danseo.core import reward
from danseo.core.reward import UNITS
from danseo.flows import shares_fast
from danseo.flows.shares_fast import Graph

SEED: Final = 20231012
RUNNER: Final = Path(__file__).parent / "credrank" / "run.cjs"
PEER: Final = "sourcecred@0.11.2"
DEEP_FUNDING: Final = Path("credit") / "deepfunding_unweighted_graph.json"
WEEKS: Final = 52

Ints = npt.NDArray[np.int64]


class Skipped(Exception):
    """Why a peer was not measured."""


def run() -> list[Figure]:
    """Return the figures; where a peer cannot run, a figure of ours alone says why."""
    shares_fast.warm_up()
    rng = np.random.default_rng(SEED)
    figures = _million(rng)
    for name, make in (("Deep Funding's graph", _deep_funding), ("a made-up graph", _made_up)):
        figures += _beside_credrank(name, make, rng)
    return figures


def random_graph(rng: np.random.Generator, works: int, cites: int) -> Graph:
    """Return a made-up graph: any work may cite any earlier one, `cites` citations or few less."""
    citer = rng.integers(1, works, cites)
    target = (rng.random(cites) * citer).astype(np.int64)
    return _graph(rng, works, np.unique(citer * works + target))


def _graph(rng: np.random.Generator, works: int, keys: Ints) -> Graph:
    """Return a graph from sorted, distinct keys `citer * works + target`; sizes are made up."""
    citer, target = keys // works, keys % works
    degree = np.bincount(citer, minlength=works)
    weights = UNITS // degree[citer] - rng.integers(0, 1000, len(citer))
    return Graph(
        units=rng.integers(0, 2 * (UNITS // (2 * works)) + 1, works),
        position=np.arange(works),
        starts=np.concatenate([[0], np.cumsum(degree)]),
        targets=target,
        weights=weights,
    )


def _million(rng: np.random.Generator) -> list[Figure]:
    graph = random_graph(rng, 1_000_000, 10_000_000)
    size = f"{len(graph.units):,} clues, {len(graph.targets):,} citations"
    fast, shares = min((_kernel(graph) for _ in range(3)), key=lambda timed: timed[0])
    slow, expected = _reference(graph)
    agree = shares.tolist() == expected
    return [
        Figure(
            f"compiled, {size}",
            fast,
            "s",
            f"plain Python, {slow:.1f} s",
            fast / slow,
            "at most 1 s, bit for bit as plain Python",
            agree and fast <= 1,
        ),
        Figure(f"plain Python, {size}", slow, "s"),
        Figure("differing shares between the two", int((shares != np.array(expected)).sum()), ""),
    ]


def _beside_credrank(
    name: str,
    make: Callable[[np.random.Generator], tuple[Graph, int]],
    rng: np.random.Generator,
) -> list[Figure]:
    try:
        graph, authors = make(rng)
    except Skipped as skipped:
        return [Figure(f"{name} (skipped: {skipped})", 0, "s")]
    size = f"{name}: {len(graph.units):,} works, {len(graph.targets):,} citations"
    fast, _ = min((_kernel(graph) for _ in range(5)), key=lambda timed: timed[0])
    slow, _ = _reference(graph)
    try:
        peer = _credrank(graph, rng.integers(0, authors, len(graph.units)))
    except Skipped as skipped:
        return [Figure(f"{size}, plain Python", slow, "s", f"CredRank skipped: {skipped}")]
    beside = f"CredRank, {peer:.2f} s"
    return [
        Figure(f"{size}, plain Python", slow, "s", beside, slow / peer),
        Figure(f"{size}, compiled", fast, "s", beside, fast / peer),
    ]


def _kernel(graph: Graph) -> tuple[float, Ints]:
    start = time.perf_counter()
    shares = shares_fast.shares(graph)
    return time.perf_counter() - start, shares


def _reference(graph: Graph) -> tuple[float, list[int]]:
    nodes = graph.nodes()
    start = time.perf_counter()
    shares = reward.shares(nodes)
    return time.perf_counter() - start, shares


def _deep_funding(rng: np.random.Generator) -> tuple[Graph, int]:
    data = settings.load().data
    if data is None or not (data / DEEP_FUNDING).is_file():
        raise Skipped(f"{DEEP_FUNDING} is not in the folder DANSEO_DATA")
    record = json.loads((data / DEEP_FUNDING).read_text(encoding="utf-8"))
    works = len(record["nodes"])
    place = {node["id"]: works - 1 - i for i, node in enumerate(record["nodes"])}
    pairs = [(place[link["source"]], place[link["target"]]) for link in record["links"]]
    keys = np.unique(np.array([i * works + k for i, k in pairs if k < i], np.int64))
    return _graph(rng, works, keys), 500


def _made_up(rng: np.random.Generator) -> tuple[Graph, int]:
    return random_graph(rng, 100_000, 500_000), 2_000


def _credrank(graph: Graph, author: Ints) -> float:
    """Return the seconds that CredRank takes on `graph`; raise `Skipped` where it cannot run."""
    node = shutil.which("node")
    if node is None:
        raise Skipped("Node.js is not installed")
    package = _package()
    works = len(graph.units)
    citer = np.repeat(np.arange(works), np.diff(graph.starts))
    path = WORK / "credrank-graph.json"
    path.write_text(
        json.dumps(
            {
                "units": (graph.units + 1).tolist(),  # CredRank wants something to mint
                "author": author.tolist(),
                "week": (np.arange(works) * WEEKS // works).tolist(),
                "cites": np.stack([citer, graph.targets, graph.weights], axis=1).tolist(),
            }
        ),
        encoding="utf-8",
    )
    command = [node, "--max-old-space-size=12000", str(RUNNER), str(package), str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise Skipped(f"CredRank failed: {done.stderr.strip().splitlines()[-1:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _package() -> Path:
    """Return the folder of the unpacked peer, fetched once into benchmarks/work/."""
    folder = WORK / "package"
    if (folder / "dist").is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise Skipped("npm is not installed")
    WORK.mkdir(exist_ok=True)
    done = subprocess.run(
        [npm, "pack", "--silent", PEER], check=False, cwd=WORK, capture_output=True, text=True
    )
    if done.returncode:
        raise Skipped(f"npm could not fetch {PEER}")
    with tarfile.open(WORK / done.stdout.split()[-1]) as archive:
        archive.extractall(WORK, filter="data")
    return folder
