"""Files that appear whole or not at all, on a local disk.

A file is written in a scratch folder of the same file system, fsynced where that is asked for, and
renamed into place. So a folder that others read never shows half a file, and holds no drafts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def write_file(path: Path, data: bytes, scratch: Path, *, durable: bool) -> None:
    """Put `data` at `path`, replacing what stood there. Both folders must exist.

    With `durable` the content is on the disk before the name is; the name itself is once
    `sync_folders` was called for its folder.
    """
    draft = scratch / f"{os.getpid()}.draft"
    try:
        _write(draft, data, durable)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # a full disk needs its room
        raise


def _write(path: Path, data: bytes, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, at: int = 0) -> None:
    """Write all of `data` at byte `at` of an open file: the system may take it in pieces."""
    rest = memoryview(data)
    while rest:
        done = os.pwrite(descriptor, rest, at)
        at, rest = at + done, rest[done:]


def sync_folders(folders: Iterable[Path]) -> None:
    """Put the names in these folders on the disk."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
