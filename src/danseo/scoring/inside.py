"""What the supervisor holds of a running sandbox: its processes and its file systems.

The three directories are opened once, before the stranger's program starts, through the root of
the sandbox's first process. A held directory outlives its mount, so that outputs are read from it
when every process is dead, and nothing can change under the reader.
"""

from __future__ import annotations

import os
import select
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_UNREADABLE: Final = "it cannot be read"
_MAX_DEPTH: Final = 8
_FREE: Final = 32
"""Open files of a process that are not counted as memory."""
_BUFFER: Final = 2**18
"""What one open socket or pipe can hold: the kernel's default of 212,992 bytes, and some."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a sandbox uses at one moment. Seconds of wall time; memory and output in bytes."""

    seconds: float
    memory: int
    processes: int
    output: int
    files: int


@dataclass(slots=True)
class Outputs:
    """The regular files of /out by relative path, and why others were left there."""

    files: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class Inside:
    """Handles on a sandbox whose first process is `pid`, as this process sees it."""

    def __init__(self, pid: int) -> None:
        self._handles: list[int] = []
        try:
            self._first = self._hold(os.pidfd_open(pid))
            self._out = self._open(pid, "out")
            self._proc = self._open(pid, "proc")
            self._scratch = [self._open(pid, "tmp"), self._open(pid, "dev/shm")]
        except OSError:
            self.close()
            raise

    def kill(self) -> None:
        """Kill every process of the sandbox, and return when the last one is dead.

        The kernel lets the first process of a PID namespace end only after all others have.
        """
        try:
            signal.pidfd_send_signal(self._first, signal.SIGKILL)
        except ProcessLookupError:
            return
        dead = select.poll()
        dead.register(self._first, select.POLLIN)
        dead.poll()

    def load(self, seconds: float, ceiling: int) -> Load:
        """Return what the sandbox uses now.

        Memory is what the processes hold, what lies in /tmp, /out and shared memory, and what the
        kernel could hold for sockets and pipes beyond the first few. Resident pages count shared
        ones many times; where that sum passes `ceiling`, each page is divided by its number of
        sharers instead (PSS), which is dearer to ask for.
        """
        processes = [name for name in os.listdir(self._proc) if name.isdigit()]
        held = sum(_used(handle)[0] for handle in (self._out, *self._scratch))
        held += sum(map(self._buffered, processes))
        memory = held + sum(map(self._resident, processes))
        if memory > ceiling:
            memory = held + sum(map(self._proportional, processes))
        output, files = self.written()
        # The first process is bubblewrap's own.
        return Load(seconds, memory, len(processes) - 1, output, files)

    def written(self) -> tuple[int, int]:
        """Return the bytes of /out, and the number of files and folders in all of the sandbox."""
        used = [_used(handle) for handle in (self._out, *self._scratch)]
        return used[0][0], sum(files for _, files in used)

    def outputs(self, size: int, count: int) -> Outputs | None:
        """Return the files of /out, or None where there are over `count`, or over `size` bytes.

        Call it after `kill`. Only regular files are read; no link is followed.
        """
        found = Outputs()
        left = size
        for seen, (path, directory, status) in enumerate(self._walk(self._out, "", 0, found)):
            left -= status.st_size
            if seen >= count or left < 0:
                return None
            data = _read(path.rpartition("/")[2], directory)
            if data is None:
                found.refused[path] = _UNREADABLE
            else:
                found.files[path] = data
        return found

    def close(self) -> None:
        """Let go of every handle; what the sandbox wrote is gone then."""
        while self._handles:
            os.close(self._handles.pop())

    def _hold(self, handle: int) -> int:
        self._handles.append(handle)
        return handle

    def _open(self, pid: int, name: str) -> int:
        path = f"/proc/{pid}/root/{name}"
        return self._hold(os.open(path, _FOLDER))

    def _resident(self, process: str) -> int:
        try:
            with open(f"{process}/statm", "rb", opener=self._opener) as file:
                return int(file.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0  # It has ended since it was listed.

    def _proportional(self, process: str) -> int:
        try:
            with open(f"{process}/smaps_rollup", "rb", opener=self._opener) as file:
                for line in file:
                    if line.startswith(b"Pss:"):
                        return int(line.split()[1]) * 1024
        except PermissionError:
            return self._resident(process)
        except OSError:
            pass  # It has ended since it was listed.
        return 0

    def _buffered(self, process: str) -> int:
        """Return the bytes that a process could park in buffers of the kernel, as an upper bound.

        No account of a process shows them.
        """
        try:
            count = os.stat(f"{process}/fd", dir_fd=self._proc).st_size
            if not count:  # Linux before 6.2 does not tell.
                count = len(os.listdir(f"/proc/self/fd/{self._proc}/{process}/fd"))
        except OSError:
            return 0  # It has ended since it was listed.
        return max(0, count - _FREE) * _BUFFER

    def _opener(self, path: str, flags: int) -> int:
        return os.open(path, flags, dir_fd=self._proc)

    def _walk(
        self, directory: int, prefix: str, depth: int, found: Outputs
    ) -> Iterator[tuple[str, int, os.stat_result]]:
        """Yield (path, directory handle, status) of each regular file, in order."""
        for name in sorted(os.listdir(directory)):
            path = f"{prefix}{name}"
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
                if not path.isprintable():
                    found.refused[ascii(path)] = "its name is not plain text"
                elif stat.S_ISREG(status.st_mode):
                    yield path, directory, status
                elif not stat.S_ISDIR(status.st_mode):
                    found.refused[path] = "it is not a regular file"
                elif depth == _MAX_DEPTH:
                    found.refused[path] = f"it is nested deeper than {_MAX_DEPTH}"
                else:
                    inner = os.open(name, _FOLDER, dir_fd=directory)
                    try:
                        yield from self._walk(inner, f"{path}/", depth + 1, found)
                    finally:
                        os.close(inner)
            except PermissionError:
                found.refused[path] = _UNREADABLE


def _used(handle: int) -> tuple[int, int]:
    """Return the bytes and the inodes, apart from its root, that a file system holds."""
    space = os.fstatvfs(handle)
    return (space.f_blocks - space.f_bfree) * space.f_frsize, space.f_files - space.f_ffree - 1


def _read(name: str, directory: int) -> bytes | None:
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except PermissionError:
        return None
    with open(handle, "rb") as file:
        return file.read()
