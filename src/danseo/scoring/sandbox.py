"""Run what a stranger wrote: in bubblewrap, under limits, watched, and never in any other way.

The program sees a fresh root: the system's libraries, the inputs it was given, /tmp and /out. It
has no network, no environment, no capabilities, nobody else's processes and nobody else's user.
As root, bubblewrap binds first and the program then becomes a user that nobody else is, so that
the fork limit binds it; as an ordinary user it lives in a user namespace.

The kernel holds the limits on each process, on /tmp and on /out. A supervisor watches wall time,
the memory of all processes together and all output, and kills the whole tree when one is passed.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from danseo.core.errors import Unavailable
from danseo.scoring import cell, seccomp
from danseo.scoring.cell import Limits
from danseo.scoring.inside import Inside, Load, Outputs

__all__ = ["Limits", "Load", "Progress", "Result", "probe", "run"]

TAIL: Final = 16_384
"""Bytes kept of the end of standard output and of standard error, each."""

_TICK: Final = 0.02
_REPORT: Final = 0.5
_START: Final = 20.0

Progress = Callable[[Load], None]


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended.

    `code` is the exit status (128 + n for signal n). `stopped` says which limit was passed, or is
    empty. `outputs` are the regular files of /out by relative path, `refused` what else lay there
    and why it was left. `seconds` are of wall time; `memory` (bytes) and `processes` are the most
    that was seen at one moment.
    """

    code: int
    stopped: str
    outputs: Mapping[str, bytes]
    refused: Mapping[str, str]
    stdout: str
    stderr: str
    seconds: float
    memory: int
    processes: int

    @property
    def ended_well(self) -> bool:
        """Tell whether the program ended by itself, with status 0, within its limits."""
        return self.code == 0 and not self.stopped


def run(
    argv: Sequence[str],
    *,
    read_only: Mapping[str, Path | bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run `argv` in a sandbox and return how it ended, when all of its processes are dead.

    `read_only` maps absolute paths inside to a file, a folder or bytes. The working directory is
    /out, the only place besides /tmp that can be written. Raise `Unavailable` where there can be
    no sandbox: nothing runs without one.
    """
    limits = limits or Limits()
    with ExitStack() as held:
        command, files = cell.command(argv, read_only or {}, environment or {}, limits, held)
        process, inside = _start(command, files, held)
        watch = _Watch(process, inside, limits, progress)
        stopped = watch.until_the_end(stdin)
        inside.kill()
        code = process.wait()
        watch.drain()
        outputs = inside.outputs(limits.output_bytes, limits.files)
        return Result(
            code,
            stopped or watch.overrun() or ("" if outputs else "output"),
            (outputs or Outputs()).files,
            (outputs or Outputs()).refused,
            _plain(watch.tails["stdout"]),
            _plain(watch.tails["stderr"]),
            watch.seconds,
            watch.memory,
            watch.processes,
        )


def probe() -> tuple[bool, str]:
    """Return whether a sandbox works here, and one line that says so or what to do."""
    try:
        result = run(["/bin/true"], limits=Limits(seconds=20))
    except Unavailable as error:
        return False, str(error)
    if not result.ended_well:
        return False, f"A sandbox starts, but /bin/true fails in it: {result.stderr.strip()}"
    kind = "as root, dropping to an unprivileged user" if os.geteuid() == 0 else "as a user"
    extra = "" if seccomp.program() else "; no filter of system calls for this processor"
    return True, f"The sandbox works, {kind}{extra}."


def _start(
    command: list[str], files: list[int], held: ExitStack
) -> tuple[subprocess.Popen[bytes], Inside]:
    """Start bubblewrap, and return when the program waits at the gate, held by us.

    The environment is empty from the start: the first process inside shows what it was given.
    """
    reader, writer = os.pipe()
    told = held.enter_context(os.fdopen(reader, "rb", buffering=0))
    with open(writer, "wb"):
        try:
            process = subprocess.Popen(
                [command[0], "--info-fd", str(writer), *command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=[*files, writer],
                bufsize=0,
            )
        except OSError as error:
            raise _no_sandbox(str(error)) from None
    held.callback(_end, process)
    if _first_byte(process) != cell.READY:
        process.kill()
        raise _no_sandbox(_plain(_stream(process.stderr).read(TAIL)).strip())
    try:
        inside = Inside(json.loads(told.read(4096))["child-pid"])
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"The sandbox cannot be watched: {error}.", "It needs Linux 5.3 and a readable /proc."
        ) from None
    held.callback(inside.close)
    held.callback(inside.kill)
    return process, inside


def _first_byte(process: subprocess.Popen[bytes]) -> bytes:
    stdout = _stream(process.stdout)
    with selectors.DefaultSelector() as chooser:
        chooser.register(stdout, selectors.EVENT_READ)
        return stdout.read(1) if chooser.select(_START) else b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill bubblewrap, which takes its first process and so the whole sandbox with it."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        _stream(stream).close()


def _no_sandbox(words: str) -> Unavailable:
    """Return the error for a bubblewrap that did not start, with the most likely way out."""
    if "Unknown option" in words:
        remedy = "Install bubblewrap 0.7 or later."
    elif "amespace" in words or "ermission" in words or "not permitted" in words:
        remedy = (
            "This machine or container forbids user namespaces. On Ubuntu: sudo sysctl -w "
            "kernel.apparmor_restrict_unprivileged_userns=0. In Docker: run with "
            "--security-opt seccomp=unconfined --security-opt systempaths=unconfined, "
            "or with --privileged."
        )
    else:
        remedy = "Run danseo doctor on another machine, or report this line."
    return Unavailable(f"bubblewrap cannot make a sandbox: {words or 'it says nothing'}.", remedy)


class _Watch:
    """The supervisor of one run."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        inside: Inside,
        limits: Limits,
        progress: Progress | None,
    ) -> None:
        self.tails = {"stdout": b"", "stderr": b""}
        self.memory = self.processes = 0
        self._process, self._inside = process, inside
        self._limits, self._progress = limits, progress
        self._spoken = 0
        self._started = self._reported = time.monotonic()
        self._streams = {"stdout": _stream(process.stdout), "stderr": _stream(process.stderr)}
        for stream in self._streams.values():
            os.set_blocking(stream.fileno(), False)

    @property
    def seconds(self) -> float:
        """Return the seconds since the program was let go."""
        return time.monotonic() - self._started

    def until_the_end(self, stdin: bytes) -> str:
        """Let the program go, and return when it ends ("") or passes a limit (which)."""
        ended = os.pidfd_open(self._process.pid)
        feed = _stream(self._process.stdin)
        os.set_blocking(feed.fileno(), False)
        left = memoryview(cell.GO + stdin)
        with selectors.DefaultSelector() as chooser, open(ended, "rb"):
            chooser.register(ended, selectors.EVENT_READ, "end")
            chooser.register(feed, selectors.EVENT_WRITE, "stdin")
            for name, stream in self._streams.items():
                chooser.register(stream, selectors.EVENT_READ, name)
            due = 0.0
            while True:
                for key, _ in chooser.select(_TICK):
                    if key.data == "end":
                        return ""
                    if key.data == "stdin":
                        left = self._feed(feed, left)
                        if not left:
                            chooser.unregister(feed)
                            feed.close()
                    elif not self._listen(key.data):
                        chooser.unregister(key.fileobj)
                if self.seconds >= due:
                    due = self.seconds + _TICK
                    if stopped := self._passed():
                        return stopped

    def drain(self) -> None:
        """Take what is still in the pipes; every writer is dead."""
        for name in self._streams:
            while self._listen(name):
                pass

    def overrun(self) -> str:
        """Return which limit on what lies in the sandbox or was said is passed, or nothing."""
        output, files = self._inside.written()
        if max(output, self._spoken) > self._limits.output_bytes:
            return "output"
        return "files" if files > self._limits.files else ""

    def _passed(self) -> str:
        """Return which limit is passed now, or nothing; tell the progress."""
        load = self._inside.load(self.seconds, self._limits.memory_bytes)
        self.memory = max(self.memory, load.memory)
        self.processes = max(self.processes, load.processes)
        if self._progress and time.monotonic() - self._reported > _REPORT:
            self._reported = time.monotonic()
            self._progress(load)
        if load.seconds > self._limits.seconds:
            return "time"
        if load.memory > self._limits.memory_bytes:
            return "memory"
        if load.processes > self._limits.processes:
            return "processes"
        return self.overrun()

    def _listen(self, name: str) -> bool:
        """Take what a stream says, keep its end, and return whether more may come."""
        try:
            data = os.read(self._streams[name].fileno(), 2**18)
        except BlockingIOError:
            return False
        self._spoken += len(data)
        self.tails[name] = (self.tails[name] + data)[-TAIL:]
        return bool(data)

    @staticmethod
    def _feed(stream: IO[bytes], left: memoryview) -> memoryview:
        try:
            return left[os.write(stream.fileno(), left[: 2**16]) :]
        except BrokenPipeError:
            return left[:0]
        except BlockingIOError:
            return left


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise Unavailable("A pipe to the sandbox is missing.", "Report this line.")
    return stream


def _plain(data: bytes) -> str:
    """Return text that is safe to show on a terminal."""
    text = data.decode("utf-8", "replace")
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
