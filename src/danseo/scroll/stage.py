"""A stage's folder: what was asked, how far it is, what came out.

`stage.json` is written first of all with state `begun` and last of all, atomically, with state
`done`. So a folder without one is none of ours: someone else's output, which is never touched.

The digest covers all that a result depends on, paths aside: options, the content of inputs, and
the code. The same question is never computed twice. What answers another question is moved
aside, not overwritten, unless the user forces it.
"""

from __future__ import annotations

import ast
import dataclasses
import fcntl
import hashlib
import importlib.util
import json
import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from danseo.core.errors import Unavailable, Usage

FILE: Final = "stage.json"
MARKS: Final = ".tiles"
_FORMAT: Final = "danseo stage 1"


class Stage:
    """One stage in its folder.

        stage = Stage(out / "render", "render", {"options": options, "surface": identity(...)})
        if not stage.done():
            stage.begin()
            run_tiles(task, tiles, marks=stage.marks)
            stage.finish({"pixels": 10})

    `asked` holds JSON values, dataclasses and paths' identities, never paths themselves.
    """

    def __init__(
        self, folder: Path, name: str, asked: Mapping[str, Any], *, force: bool = False
    ) -> None:
        self.folder = folder
        self.name = name
        self.asked = _plain(asked)
        self.digest = _digest(self.asked | {"stage": name})
        self.force = force
        self.moved: Path | None = None
        self.resumed = False
        self._begun = 0.0

    @property
    def marks(self) -> Path:
        """The file for `run_tiles` to keep its marks in. It is removed at the end."""
        return self.folder / MARKS

    @property
    def state(self) -> str:
        """What the folder holds.

        `new` (nothing), `begun` and `done` (this question), `other` (another question), or
        `foreign`: no work of ours, or changed since we finished it.
        """
        if not self.folder.exists():
            return "new"
        if not self.folder.is_dir():
            raise Usage(f"{self.folder} is a file.", "Name a folder for the stage.")
        record = read_record(self.folder)
        if record is None:
            return "foreign" if any(self.folder.iterdir()) else "new"
        if record["state"] == "done" and record["wrote"] != _wrote(self.folder):
            return "foreign"
        if (record["stage"], record["digest"]) != (self.name, self.digest):
            return "other"
        return "done" if record["state"] == "done" else "begun"

    def done(self) -> bool:
        """Return whether the folder answers just this question. `force` makes it ask again."""
        if self.force or self.state != "done":
            return False
        self.marks.unlink(missing_ok=True)  # a kill may have come between the last two steps
        return True

    def begin(self) -> None:
        """Make the folder ready: anew, or where an interrupted run of the same question stopped.

        `resumed` says which, and `moved` where an older result of another question lies now.
        Raise `Usage` where the folder holds what danseo did not write.
        """
        state = self.state
        self.resumed = state == "begun" and not self.force
        if state == "foreign":
            raise Usage(
                f"{self.folder} holds files that this stage did not write, or that were changed.",
                "Name another folder, or move them away.",
            )
        if self.force and state != "new":
            shutil.rmtree(self.folder)
        elif state == "other":
            self.moved = aside(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._begun = time.monotonic()
        if not self.resumed:
            self._write({"state": "begun"})

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write `stage.json` with the summary, atomically, and forget the marks."""
        self._write(
            {
                "state": "done",
                "seconds": round(time.monotonic() - self._begun, 2),
                "summary": _plain(summary),
                "wrote": _wrote(self.folder),
            }
        )
        self.marks.unlink(missing_ok=True)

    def _write(self, more: Mapping[str, Any]) -> None:
        record = {"format": _FORMAT, "stage": self.name, "digest": self.digest, "asked": self.asked}
        write_json(self.folder / FILE, {**record, **more})


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return what `stage.json` says, or None where there is none.

    Raise `Usage` where the file is not one of ours: what lies there must not be taken for a result.
    """
    path = folder / FILE
    try:
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, ValueError):
        record = None
    needed = {"format", "stage", "state", "digest", "asked"}
    if not isinstance(record, dict) or not needed <= set(record) or record["format"] != _FORMAT:
        raise Usage(f"{path} is no record of a stage.", f"Move {folder} away and run again.")
    return record


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file so that it is there whole or not at all."""
    draft = path.with_name(path.name + ".part")
    with draft.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; raise `Unavailable` while another holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(
                f"Another danseo is at work in {folder}.", "Wait for it, or name another folder."
            ) from None
        yield
    finally:
        os.close(handle)


def identity(path: Path) -> str:
    """Return a digest of the content of a file or of a stage's folder, its own notes aside."""
    if not path.exists():
        raise Unavailable(f"{path} is not there.", "Give the path of what a stage wrote.")
    total = hashlib.sha256()
    for file in _files(path):
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        total.update(f"{file.relative_to(path).as_posix()} {found}\n".encode())
    return total.hexdigest()


def code_of(*modules: str) -> str:
    """Return a digest of the code of modules and packages; comments and docstrings do not count."""
    total = hashlib.sha256()
    for name in sorted(modules):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise ValueError(f"There is no module {name}.")
        origin = Path(found.origin)
        package = found.submodule_search_locations is not None
        for file in sorted(origin.parent.rglob("*.py")) if package else (origin,):
            total.update(ast.dump(_without_docstrings(file.read_bytes())).encode())
    return total.hexdigest()


def _without_docstrings(source: bytes) -> ast.Module:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                line
                for line in node.body
                if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
    return tree


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in found if file.name not in (FILE, f"{FILE}.part", MARKS))


def _wrote(folder: Path) -> dict[str, int]:
    """Return how many files there are and how long, to see that nobody changed them since."""
    files = _files(folder)
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def aside(folder: Path) -> Path:
    """Move a folder to the first free name beside it, and return that."""
    number = 1
    while (place := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    folder.rename(place)
    return place


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: dataclasses as objects, a number that is none as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # a number of NumPy's
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{value!r} cannot be part of a stage's record.")
