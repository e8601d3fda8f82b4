"""The files of the repository, as the tests of this room read them."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "danseo"


@cache
def sources() -> tuple[tuple[Path, ast.Module], ...]:
    """Return (path, syntax tree) for each module of the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


@cache
def tracked() -> tuple[Path, ...]:
    """Return every file that belongs to the repository, also one not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return _walk()
    return tuple(p for p in map(ROOT.joinpath, done.stdout.splitlines()) if p.is_file())


def _walk() -> tuple[Path, ...]:
    """Return what an unpacked archive holds, which has no git to ask."""
    apart = {".git", ".venv", "__pycache__", "demo", "build", "dist", "work", "node_modules"}
    return tuple(
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and not apart.intersection(path.relative_to(ROOT).parts)
        if not any(part.endswith("_cache") for part in path.relative_to(ROOT).parts)
    )


def text_of(path: Path) -> str:
    """Return the text of a file, or "" for a picture or other binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
