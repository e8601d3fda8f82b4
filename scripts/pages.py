"""Write generated pages, or say which of them are stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent


def publish(pages: dict[Path, str], refresh: str, check: bool) -> int:
    """Write `pages` (path below the root -> text) and return 0.

    With `check`, write nothing; return 1 where a page is stale, and name the command `refresh`.
    """
    stale = [path for path, text in pages.items() if _read(ROOT / path) != text]
    for path in stale:
        if check:
            print(f"{path} is stale: run `{refresh}` and commit it.")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(pages[path], encoding="utf-8")
            print(f"wrote {path}")
    return 1 if check and stale else 0


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table; a bar or a line break in a cell does not break it."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
