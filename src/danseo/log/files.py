"""Files that appear whole or not at all, on a local disk.

A file is written in a scratch folder of the same file system, fsynced where that is asked for, and
renamed into place. So a folder that others read never shows half a file, and holds no drafts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_AT_ONCE: Final = 8


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


def sync_files(paths: Sequence[Path]) -> None:
    """Put the content of these files on the disk, many at a time: a disk then waits once."""
    if paths:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(_sync, paths):
                pass


def sync_folders(folders: Iterable[Path]) -> None:
    """Put the names in these folders on the disk."""
    for folder in folders:
        _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
