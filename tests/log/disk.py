"""A disk that remembers: every file operation of a run, and what a crash after each may leave.

POSIX promises little. Until a file is fsynced its new content may be missing, whole or in part;
until a folder is fsynced its new names may be missing, each for itself. `Recorder` notes the
operations that a run makes through `os`; `Disk` plays a part of them back under such a rule.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Operation = tuple[Any, ...]


class Recorder:
    """Notes what a run does to the files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.operations: list[Operation] = []
        self._paths: dict[int, str] = {}

    def note(self, *operation: Any) -> None:
        self.operations.append(operation)

    @contextmanager
    def recording(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("open", "close", "write", "pwrite", "ftruncate", "fsync", "replace"):
                patch.setattr(os, name, getattr(self, f"_{name}")(getattr(os, name)))
            for name in ("rename", "link", "unlink", "mkdir", "rmdir"):
                patch.setattr(os, name, self._name(name, getattr(os, name)))
            yield

    def _at(self, path: Any, folder: int | None = None) -> str:
        base = self._paths[folder] if folder is not None else os.getcwd()
        return os.path.normpath(os.path.join(base, os.fspath(path)))

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            where = self._at(path, dir_fd)
            new = bool(flags & os.O_CREAT) and not os.path.lexists(where)
            fd = real(path, flags, mode, dir_fd=dir_fd)
            self._paths[fd] = where
            if new:
                self.note("create", where)
            elif flags & os.O_TRUNC:
                self.note("truncate", where, 0)
            return fd

        return call

    def _close(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(fd: int) -> None:
            self._paths.pop(fd, None)  # first: another thread may be given the number at once
            real(fd)

        return call

    def _write(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(fd: int, data: Any) -> int:
            at = os.lseek(fd, 0, os.SEEK_CUR)
            done = real(fd, data)
            if fd in self._paths:
                self.note("write", self._paths[fd], bytes(data[:done]), at)
            return done

        return call

    def _pwrite(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(fd: int, data: Any, at: int) -> int:
            done = real(fd, data, at)
            self.note("write", self._paths[fd], bytes(data[:done]), at)
            return done

        return call

    def _ftruncate(self, real: Callable[..., None]) -> Callable[..., None]:
        def call(fd: int, size: int) -> None:
            real(fd, size)
            self.note("truncate", self._paths[fd], size)

        return call

    def _fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(fd: int) -> None:
            real(fd)
            self.note("fsync", self._paths[fd])

        return call

    def _replace(self, real: Callable[..., None]) -> Callable[..., None]:
        return self._name("rename", real)

    def _name(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **kwargs: Any) -> None:
            real(*args, **kwargs)
            folder = kwargs.get("dir_fd")
            paths = args[: 2 if name in ("rename", "link") else 1]
            self.note(name, *(self._at(p, folder) for p in paths))

        return call


class _File:
    """Content as the system shows it, and as it is on the disk for certain."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = self.safe = content


class Disk:
    """What is on the disk after some operations, and what a crash makes of it."""

    def __init__(self, root: Path) -> None:
        """Start from the files below `root`, all of them safe."""
        self.root = str(root.resolve())
        self.names: dict[str, _File | None] = {}  # None: a folder
        for folder, _, files in os.walk(self.root):
            self.names[folder] = None
            for file in files:
                path = os.path.join(folder, file)
                self.names[path] = _File(Path(path).read_bytes())
        self.safe = dict(self.names)
        self.pending: list[tuple[Any, ...]] = []

    def do(self, operation: Operation) -> None:
        """Apply one operation."""
        verb, path, *rest = operation
        if verb == "fsync":
            self._fsync(path)
        elif verb in ("write", "truncate"):
            file = self.names[path]
            assert file is not None
            if verb == "write":
                data, at = rest
                file.content = (
                    file.content[:at].ljust(at, b"\0") + data + file.content[at + len(data) :]
                )
            else:
                file.content = file.content[: rest[0]].ljust(rest[0], b"\0")
        else:
            change = self._change(verb, path, rest)
            _apply(self.names, change)
            self.pending.append(change)

    def _change(self, verb: str, path: str, rest: list[str]) -> tuple[Any, ...]:
        """Return a change of names as (what appears, what it is, what disappears)."""
        if verb == "create":
            return path, _File(), None
        if verb == "mkdir":
            return path, None, None
        if verb == "rename":
            return rest[0], self.names[path], path
        if verb == "link":
            return rest[0], self.names[path], None
        return None, None, path

    def _fsync(self, path: str) -> None:
        file = self.names.get(path)
        if file is not None:
            file.safe = file.content
            return
        kept = []
        for change in self.pending:
            touched = {os.path.dirname(p) for p in (change[0], change[2]) if p}
            if path in touched:
                _apply(self.safe, change)
            else:
                kept.append(change)
        self.pending = kept

    def crash(self, folder: Path, rule: str, seed: int = 0) -> None:
        """Write into `folder` what a crash leaves under `rule`.

        kill: the process died, the system went on. none: nothing survives that was not fsynced.
        names: every new name survives, and no content. some: each change for itself, by chance,
        and of content perhaps a part, or the right length of zeros.
        """
        chance = random.Random(seed)
        names = dict(self.safe)
        for change in self.pending:
            if rule in ("kill", "names") or (rule == "some" and chance.random() < 0.5):
                _apply(names, change)
        folder.mkdir()
        for path in sorted(names):
            file, target = names[path], folder / os.path.relpath(path, self.root)
            if path == self.root or not target.parent.is_dir():
                continue  # the root is made, and what lies in a lost folder is lost
            if file is None:
                target.mkdir()
            else:
                target.write_bytes(_content(file, rule, chance))


def _apply(names: dict[str, _File | None], change: tuple[Any, ...]) -> None:
    appears, what, disappears = change
    if disappears is not None:
        names.pop(disappears, None)
    if appears is not None:
        names[appears] = what


def _content(file: _File, rule: str, chance: random.Random) -> bytes:
    if rule == "kill" or file.content == file.safe:
        return file.content
    if rule != "some":
        return file.safe
    kind = chance.randrange(4)
    if kind == 0:
        return file.safe
    if kind == 1:
        return file.content
    # What was safe and did not change stays; of the rest a part.
    pairs = enumerate(zip(file.safe, file.content, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(file.safe), len(file.content)))
    cut = chance.randint(same, len(file.content))
    return file.content[:cut] if kind == 2 else file.content[:cut] + bytes(len(file.content) - cut)
