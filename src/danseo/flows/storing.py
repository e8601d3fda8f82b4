"""Blobs on their way into the log: public before their entry stands, gone again if it never does.

A blob must be stored before an entry may name it, and nothing may lie in public that no entry
names: `verify` would find it. So one process at a time stores. It notes in a private file what is
new, before it stores it; whoever comes after a crash takes back what no entry came to name.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from danseo.core.entry import blobs_in
from danseo.core.errors import DanseoError, NotFound
from danseo.flows import reading
from danseo.log.blobs import MAX_MANIFEST, Blobs, manifest_names
from danseo.log.files import write_all
from danseo.log.host import Log
from danseo.log.source import FolderSource

_NOTE: Final = "storing"


@dataclass(frozen=True, slots=True)
class Store:
    """Blobs on their way into `log`. `note` is the open file of what is new."""

    log: Log
    blobs: Blobs
    note: int

    def put(self, data: bytes) -> str:
        """Store `data` and return its name."""
        self._note(hashlib.sha256(data).hexdigest())
        return self.blobs.put(data)

    def put_file(self, path: Path) -> str:
        """Store a file and return its name."""
        with path.open("rb") as file:
            self._note(hashlib.file_digest(file, "sha256").hexdigest())
        return self.blobs.put_file(path)

    def _note(self, name: str) -> None:
        if self.blobs.has(name):
            return
        end = os.fstat(self.note).st_size
        since = "" if end else f"{self.log.state.size}\n"
        write_all(self.note, f"{since}{name}\n".encode(), end)
        os.fsync(self.note)


@contextlib.contextmanager
def storing(log: Log, blobs: Blobs, private: Path) -> Iterator[Store]:
    """Store what an entry is to name; what was new goes again unless an entry came to name it.

    Other processes that store wait: what one takes back, another must not just have named.
    """
    note = _wait_for(private / _NOTE)
    try:
        _tidy(note, log, blobs)
        try:
            yield Store(log, blobs, note)
        except BaseException:
            with contextlib.suppress(DanseoError, OSError):  # then the next one does it
                _tidy(note, log, blobs)
            raise
        os.ftruncate(note, 0)
    finally:
        if not os.fstat(note).st_size:
            (private / _NOTE).unlink(missing_ok=True)
        os.close(note)


def _wait_for(path: Path) -> int:
    """Return the note, locked, once it is the one that stands at `path`: its last user removed it
    where nothing was left to take back."""
    while True:
        note = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(note, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(note), path.stat()):
                return note
        os.close(note)


def tidy(log: Log, blobs: Blobs, private: Path) -> None:
    """Take back what a crash left in public without an entry, unless somebody is storing now."""
    try:
        note = os.open(private / _NOTE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        with contextlib.suppress(DanseoError, OSError):
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _tidy(note, log, blobs)
    finally:
        os.close(note)


def named(folder: Path, blobs: Blobs, first: int = 0, without: str = "") -> set[str]:
    """Return the blobs that entries from index `first` on name, by themselves or by a manifest.

    The manifest `without` is not looked into.
    """
    source, found, opened = FolderSource(folder), set[str](), {without}
    size = reading.checkpoint(source)[0].size
    for entry in reading.entries(source, first, size):
        direct = set(blobs_in(entry.kind, entry.body))
        found |= direct
        for name in direct - opened:
            found.update(names_in(blobs, name))
        opened |= direct
    return found


def names_in(blobs: Blobs, name: str) -> list[str]:
    """Return the blobs that a stored blob names, if it is a manifest; none where it is not here."""
    try:
        if blobs.size(name) > MAX_MANIFEST:
            return []
        return manifest_names(blobs.get(name))
    except NotFound:
        return []


def _tidy(note: int, log: Log, blobs: Blobs) -> None:
    lines = os.pread(note, os.fstat(note).st_size, 0).decode("ascii", "replace").split("\n")
    if len(lines) > 1:
        folder = log.home / "log"
        if reading.checkpoint(FolderSource(folder))[0].size < log.state.size:
            return  # a full disk keeps back what was appended
        kept = named(folder, blobs, int(lines[0]))
        for name in lines[1:-1]:  # a torn last line was not stored
            if name not in kept:
                blobs.delete(name)
    os.ftruncate(note, 0)
