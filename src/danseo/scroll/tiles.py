"""Run one task over many tiles: here, in processes, or on a Dask cluster; again after a kill.

A task is called with one tile, writes its own output, and may be called twice for the same tile
with the same result. What it returns (a JSON value) is handed back in the order of the tiles.

Tiles that are done stand in a file of marks, one line each. A line is written after its task has
returned, so a run that is killed at any moment repeats at most the tiles that were under way. The
marks outlive the process, not the power: a power cut may keep a mark and lose the output.
"""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, TypeVar

from danseo.core.errors import DanseoError, Unavailable, Usage

Tile = TypeVar("Tile")
Progress = Callable[[float, str], None]

_THREADS: Final = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")
_AHEAD: Final = 2
"""Tiles sent to a cluster for each thread that it has, so that none waits for the next."""
_HEARTBEAT: Final = 2.0
"""Seconds between two words of progress while no tile ends."""
_GRACE: Final = 5.0
"""Seconds that a process may take to end by itself when all is done."""
_PATIENCE: Final = "5s"
"""How long a scheduler may take to answer."""


def run_tiles(
    task: Callable[[Tile], Any],
    tiles: Sequence[Tile],
    *,
    marks: Path | None,
    workers: int | str = 1,
    progress: Progress | None = None,
    retries: int = 2,
) -> list[Any]:
    """Call `task` once for each tile and return what it returned, in the order of `tiles`.

    `marks` is the file that remembers what is done, or None. `workers` is a number of processes
    (1: none but this one) or the address of a Dask scheduler, whose workers must see the same
    files. `task` and the tiles are pickled where they leave this process. `progress` is told the
    part done and how many tiles that is.

    A failed tile is tried again up to `retries` times, after the others; an error that says the
    input is at fault is not. When all others are done, the first failure is raised: of the class
    that it has where it is one of danseo's, else as `Unavailable`. It names the tile.
    """
    names = [tile_name(tile) for tile in tiles]
    if len(set(names)) < len(names):
        raise ValueError("Two tiles have the same name.")
    book = _Book(marks, names)
    run = _Run(task, dict(zip(names, tiles, strict=True)), book, retries, progress)
    run.queue.extend(name for name in names if name not in book.done)
    run.tell()
    if run.queue:
        if isinstance(workers, str):
            _on_cluster(run, workers)
        elif workers > 1:
            _in_processes(run, min(workers, len(run.queue)))
        else:
            _in_process(run)
    if run.failed:
        raise run.failure()
    return [book.done[name] for name in names]


def parse_workers(text: str) -> int | str:
    """Return what `--workers` says: a number of processes, or a scheduler's address.

    >>> parse_workers("4"), parse_workers("tcp://10.0.0.1:8786")
    (4, 'tcp://10.0.0.1:8786')
    """
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 4096:
        return int(text)
    if "://" in text:
        return text
    raise Usage(
        f"--workers {text!r} is no number of processes from 1 to 4096, and no address.",
        "Give a number, or a Dask scheduler as in tcp://127.0.0.1:8786.",
    )


def tile_name(tile: object) -> str:
    """Return what a tile is called in marks and in errors.

    >>> tile_name((0, 12)), tile_name("z0")
    ('0-12', 'z0')
    """
    if isinstance(tile, tuple):
        return "-".join(tile_name(part) for part in tile)
    return tile if isinstance(tile, str) else repr(tile)


# --- what is done --------------------------------------------------------------------------------


class _Book:
    """The marks: a first line that names the set of tiles, then `[name, result]` a line."""

    def __init__(self, path: Path | None, names: Sequence[str]) -> None:
        self.done: dict[str, Any] = {}
        self._path = path
        if path is None:
            return
        digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()
        head = json.dumps({"tiles": digest}) + "\n"
        text = path.read_text("utf-8") if path.exists() else ""
        if text.startswith(head):
            self.done = dict(_whole_lines(text[len(head) :]))
        # Written anew, so that a line that a kill cut short does not swallow the next one.
        whole = head + "".join(json.dumps([k, v]) + "\n" for k, v in self.done.items())
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".part")
        draft.write_text(whole, "utf-8")
        draft.replace(path)

    def mark(self, name: str, result: Any) -> None:
        """Note that a tile is done, and what came of it."""
        self.done[name] = result
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, result]) + "\n")


def _whole_lines(text: str) -> Iterator[tuple[str, Any]]:
    for line in text.splitlines(keepends=True):
        with suppress(ValueError):
            if line.endswith("\n"):
                name, result = json.loads(line)
                yield name, result


# --- one run -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a call failed: danseo's own error, or the words for any other."""

    words: str
    error: DanseoError | None = None

    @property
    def final(self) -> bool:
        """Whether another try must give the same: the input or the request is at fault."""
        return self.error is not None and not isinstance(self.error, Unavailable)


@dataclass
class _Run:
    """The tiles that wait (by name), how often each failed, and which were given up."""

    task: Callable[[Any], Any]
    tiles: dict[str, Any]
    book: _Book
    retries: int
    progress: Progress | None
    queue: deque[str] = field(default_factory=deque)
    tries: dict[str, int] = field(default_factory=dict)
    failed: dict[str, _Failure] = field(default_factory=dict)

    def succeeded(self, name: str, result: Any) -> None:
        self.book.mark(name, result)
        self.tell()

    def missed(self, name: str, failure: _Failure) -> None:
        """Put a tile back behind the others, or give it up."""
        self.tries[name] = self.tries.get(name, 0) + 1
        if failure.final or self.tries[name] > self.retries:
            self.failed[name] = failure
        else:
            self.queue.append(name)

    def tell(self) -> None:
        if self.progress is not None:
            done, total = len(self.book.done), len(self.tiles)
            self.progress(done / total if total else 1.0, f"{done} of {total} tiles")

    def failure(self) -> DanseoError:
        """Return the error that ends the run: the first tile given up, and why."""
        name, first = next(iter(self.failed.items()))
        more = f" ({len(self.failed)} tiles failed)" if len(self.failed) > 1 else ""
        if first.error is not None:
            # The message and the remedy are the cause's own; the tile is where it was met.
            first.error.message = f"Tile {name}: {first.error.message}{more}"
            return first.error
        kept = f"{len(self.book.done)} of {len(self.tiles)} tiles are done and kept"
        return Unavailable(
            f"Tile {name} failed {self.tries[name]} times: {first.words}{more}.",
            f"Mend the cause and run it again: {kept}.",
        )


def _attempt(task: Callable[[Any], Any], tile: Any) -> tuple[bool, Any]:
    """Return (True, result), or (False, why not)."""
    try:
        return True, task(tile)
    except DanseoError as error:
        return False, _Failure(error.message, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the run tells it with its tile
        return False, _Failure(f"{type(error).__name__}: {error}")


def _in_process(run: _Run) -> None:
    while run.queue:
        name = run.queue.popleft()
        good, found = _attempt(run.task, run.tiles[name])
        (run.succeeded if good else run.missed)(name, found)


# --- processes of this machine -------------------------------------------------------------------


@dataclass
class _Worker:
    """A process, our end of its pipe, and the tile that it works on ("" for none)."""

    process: multiprocessing.process.BaseProcess
    pipe: Connection
    name: str = ""


def _in_processes(run: _Run, count: int) -> None:
    """Keep `count` processes busy. A process that dies costs its own tile one try, no other."""
    blob = pickle.dumps(run.task)
    threads = max(1, (os.cpu_count() or 1) // count)
    workers: list[_Worker] = []
    try:
        workers.extend(_start(blob, threads) for _ in range(count))
        _keep_busy(run, workers, functools.partial(_start, blob, threads))
        for worker in workers:
            worker.pipe.close()  # the end of its pipe is the end of its work
        for worker in workers:
            worker.process.join(_GRACE)
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.pipe.close()
        for worker in workers:
            worker.process.join()


def _keep_busy(run: _Run, workers: list[_Worker], start: Callable[[], _Worker]) -> None:
    while True:
        for i in (i for i, worker in enumerate(workers) if not worker.name and run.queue):
            if not workers[i].process.is_alive():
                workers[i] = start()
            _give(run, workers[i])
        busy = [worker for worker in workers if worker.name]
        if not busy:
            return
        ready = wait([worker.pipe for worker in busy], _HEARTBEAT)
        for worker in busy:
            if worker.pipe in ready:
                _collect(run, worker)
        if not ready:
            run.tell()


def _start(blob: bytes, threads: int) -> _Worker:
    # Spawned, not forked: numerical libraries do not survive a fork of their threads.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, blob, threads), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _give(run: _Run, worker: _Worker) -> None:
    worker.name = run.queue.popleft()
    # That a process has died just now shows when its answer is awaited.
    with suppress(OSError):
        worker.pipe.send(run.tiles[worker.name])


def _collect(run: _Run, worker: _Worker) -> None:
    name, worker.name = worker.name, ""
    try:
        good, found = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode or 0
        if code < 0:
            reason = f"its process was ended by {signal.Signals(-code).name}"
            reason += " (often: memory is short)" if -code == signal.SIGKILL else ""
        else:
            reason = f"its process ended with status {code}"
        good, found = False, _Failure(reason)
    (run.succeeded if good else run.missed)(name, found)


def _serve(pipe: Connection, blob: bytes, threads: int) -> None:
    """Work on what comes through the pipe until it closes. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in _THREADS:
        os.environ[name] = str(threads)
    try:
        task = pickle.loads(blob)  # noqa: S301 - our own parent's
    except Exception as error:  # noqa: BLE001 - told for each tile, as what it is
        task = functools.partial(_refuse, f"{type(error).__name__}: {error}")
    with suppress(EOFError, OSError):
        while True:
            pipe.send(_attempt(task, pipe.recv()))


def _refuse(words: str, _: object) -> None:
    raise ValueError(f"the task could not be loaded: {words}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# --- a cluster -----------------------------------------------------------------------------------


def _on_cluster(run: _Run, address: str) -> None:
    """Run on a Dask cluster. Its scheduler moves the tiles of a lost worker to another."""
    try:
        import distributed
    except ImportError:
        raise Unavailable(
            "A cluster needs the package distributed, which is not installed.",
            "pip install 'danseo[cluster]'",
        ) from None
    try:
        client: Any = distributed.Client(  # type: ignore[no-untyped-call]
            address, timeout=_PATIENCE, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"No Dask scheduler answers at {address}: {error}.",
            "Start one with `dask scheduler`, or give a number of workers.",
        ) from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise Unavailable(
                f"The scheduler at {address} has no workers.",
                f"Start some with `dask worker {address}`.",
            )
        try:
            _feed(run, client, pickle.dumps(run.task))
        except distributed.client.FutureCancelledError as error:
            kept = f"{len(run.book.done)} of {len(run.tiles)} tiles are done and kept"
            raise Unavailable(
                f"The cluster at {address} was lost: {error}.", f"Start it, run again: {kept}."
            ) from None


def _feed(run: _Run, client: Any, blob: bytes) -> None:
    from distributed import as_completed

    under_way: dict[Any, str] = {}
    arriving: Any = as_completed(loop=client.loop)  # type: ignore[no-untyped-call]
    while run.queue or under_way:
        ahead = _AHEAD * max(1, sum(client.nthreads().values()))
        while run.queue and len(under_way) < ahead:
            name = run.queue.popleft()
            future = client.submit(_attempt_pickled, blob, run.tiles[name], pure=False)
            under_way[future] = name
            arriving.add(future)
        future = next(arriving)
        name = under_way.pop(future)
        try:
            good, found = future.result()
        except DanseoError:
            raise
        except Exception as error:
            if future.cancelled():
                raise
            # The scheduler gave up: the tile's workers died under it, time and again.
            good, found = False, _Failure(f"{type(error).__name__}: {error}")
        (run.succeeded if good else run.missed)(name, found)


def _attempt_pickled(blob: bytes, tile: Any) -> tuple[bool, Any]:
    return _attempt(_unpickled(blob), tile)


@functools.lru_cache(maxsize=4)
def _unpickled(blob: bytes) -> Callable[[Any], Any]:
    """Return the task, the same object for every tile: it may keep a volume open."""
    task: Callable[[Any], Any] = pickle.loads(blob)  # noqa: S301 - sent by our own client
    return task
