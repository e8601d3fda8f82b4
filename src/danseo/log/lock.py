"""The lock of a host's folder: whoever holds it is the one process that owns the log."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from danseo.core.errors import Unavailable


class Lock:
    """A held lock. It goes when it is released or its process ends, however it ends."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> Lock | None:
        """Take the lock at `path` and note this process there, or return None if it is held.

        Raise `Unavailable` where the file cannot be opened.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(
                f"The lock {path} cannot be opened: {error.strerror}.",
                "Act as the user who owns the log.",
            ) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        with contextlib.suppress(OSError):  # on a full disk the lock holds, only without a name
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
        return cls(fd)

    def release(self) -> None:
        """Let the next process take it."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)  # also where a forked child holds the file open
        os.close(self._fd)


def holder(path: Path) -> str:
    """Return the id of the process that holds the lock, as far as its file tells."""
    try:
        return path.read_text("ascii").strip() or "unknown"
    except (OSError, ValueError):
        return "unknown"
