"""A node of one's own: anvil, started for a folder, living on after the command that started it.

The folder holds `state.json` (the chain, written by anvil when it ends), `node.json` (process and
URL while it runs) and `anvil.log`. It listens on the loopback address alone, and its chain is for
development: everybody knows the keys of its accounts.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from danseo.core.errors import Conflict, NotFound, Unavailable, Usage
from danseo.log.lock import Lock

CHAIN_ID: Final = 31337
PATIENCE: Final = 30
"""Seconds that a node may take to start or to end."""


@dataclass(frozen=True, slots=True)
class Running:
    """A node that runs: its process and its URL."""

    pid: int
    url: str


def find(given: Path | None = None) -> Path:
    """Return the program anvil: the one given, else that of scripts/setup-anvil, else on PATH."""
    if given is not None:
        if not os.access(given, os.X_OK):
            raise Usage(f"There is no program at {given}.", "Name the program anvil itself.")
        return given
    system = platform.system().lower()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = Path(sys.prefix, "anvil", "node_modules", "@foundry-rs", f"anvil-{system}-{machine}")
    for path in (package / "bin" / "anvil", Path(shutil.which("anvil") or "/nowhere")):
        if os.access(path, os.X_OK):
            return path
    raise Unavailable("There is no anvil here.", "Run scripts/setup-anvil, or set DANSEO_ANVIL.")


def up(
    folder: Path,
    port: int = 0,
    program: Path | None = None,
    genesis_time: int | None = None,
    options: tuple[str, ...] = (),
) -> Running:
    """Start a node for `folder` and wait until it answers; port 0 takes a free one.

    A chain that the folder holds goes on. Raise `Conflict` if its node runs already, and
    `Unavailable` if none can be started.
    """
    binary = find(program)
    folder.mkdir(parents=True, exist_ok=True)
    lock = Lock.take(folder / "lock")
    if lock is None or status(folder) is not None:
        if lock is not None:
            lock.release()
        raise Conflict(f"The node of {folder} runs already.", "Use it, or end it first.")
    try:
        return _start(folder, binary, port, genesis_time, options)
    finally:
        lock.release()


def down(folder: Path) -> None:
    """End the node of `folder` and wait until its chain is written; `NotFound` if none runs."""
    running = status(folder)
    if running is None:
        raise NotFound(f"No node runs for {folder}.", "There is nothing to end.")
    os.kill(running.pid, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while _lives(running.pid, folder):
        if time.monotonic() > until:
            raise Unavailable(
                f"The node of {folder} (process {running.pid}) does not end.", "End it by hand."
            )
        time.sleep(0.02)
    (folder / "node.json").unlink(missing_ok=True)


def status(folder: Path) -> Running | None:
    """Return the node that runs for `folder`, or None."""
    try:
        record = orjson.loads((folder / "node.json").read_bytes())
        running = Running(int(record["pid"]), str(record["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if _lives(running.pid, folder) else None


def _start(
    folder: Path, binary: Path, port: int, genesis_time: int | None, options: tuple[str, ...]
) -> Running:
    port = port or _free_port()
    words = [str(binary), "--host", "127.0.0.1", "--port", str(port)]
    words += ["--chain-id", str(CHAIN_ID), "--state", str(_state(folder))]
    words += ["--preserve-historical-states", "--no-request-size-limit", *options]
    when = _next_time(_state(folder)) or genesis_time
    if when is not None:
        words += ["--timestamp", str(when)]
    with (folder / "anvil.log").open("wb") as log:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={"HOME": str(folder), "NO_COLOR": "1"},
        )
    running = Running(process.pid, f"http://127.0.0.1:{port}")
    until = time.monotonic() + PATIENCE
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            process.wait()
            raise Unavailable(
                f"anvil did not start: {_last_line(folder / 'anvil.log')}",
                f"Read {folder / 'anvil.log'}; name another port if this one is taken.",
            )
        time.sleep(0.02)
    record = orjson.dumps(asdict(running))
    (folder / "node.json").write_bytes(record)
    return running


def _state(folder: Path) -> Path:
    return folder.resolve() / "state.json"


def _next_time(state: Path) -> int | None:
    """Return the second after the newest block of a written chain: its clock goes on there."""
    try:
        block = orjson.loads(state.read_bytes())["block"]
        stamp = block["timestamp"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return 1 + (int(stamp, 16) if isinstance(stamp, str) else int(stamp))


def _lives(pid: int, folder: Path) -> bool:
    """Return whether the process is there and is this folder's anvil, no later one of its id."""
    _reap(pid)
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        words = _words_of(pid)
    return os.fsencode(_state(folder)) in words


def _reap(pid: int) -> None:
    """Let a child that has ended go; one of another process is left alone."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _words_of(pid: int) -> list[bytes]:
    """Return a process's command line where there is no /proc."""
    asked = ["ps", "-o", "command=", "-p", str(pid)]
    try:
        return subprocess.run(asked, capture_output=True, check=False).stdout.split()
    except OSError:
        return []


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_line(log: Path) -> str:
    text = log.read_text("utf-8", "replace").strip()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return plain.splitlines()[-1] if plain else "it said nothing"
