"""The documents: nothing is left out, links resolve, commands in them exist.

That the generated pages are fresh is checked by `make lint`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from danseo.core.entry import KINDS
from danseo.settings import SETTINGS
from tests.repo.tree import PACKAGE, ROOT, text_of, tracked

PAGES = [path for path in tracked() if path.suffix == ".md"]
TARGETS = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
ELSEWHERE = [
    re.compile(pattern)
    for pattern in (
        r"(?<![\w.}])/work/",
        r"(?<![\w.}])/root/",
        r"/tmp/(clone|bash)",
        r"\bpy" + r"pi\.org|python" + r"hosted|registry\.npm" + r"js|/opt/py" + r"pi",
    )
]


def test_every_setting_is_documented() -> None:
    page = text_of(ROOT / "docs/reference/settings.md")
    assert [s.name for s in SETTINGS if f"`{s.name}`" not in page] == []


def test_every_kind_of_entry_is_documented() -> None:
    page = text_of(ROOT / "docs/reference/entries.md")
    assert KINDS
    assert [name for name in KINDS if f"## {name}\n" not in page] == []


def test_every_command_is_documented() -> None:
    page = text_of(ROOT / "docs/reference/commands.md")
    names = [" ".join(path) for path in _commands() if path]
    assert [name for name in names if f"## danseo {name}\n" not in page] == []


def test_the_design_names_every_room_and_its_modules() -> None:
    page = "".join(text_of(path) for path in sorted((ROOT / "docs/design").glob("*.md")))
    rooms = ("core", "log", "chain", "scoring", "scroll", "flows")
    modules = [
        path.relative_to(PACKAGE).with_suffix("")
        for room in rooms
        for path in sorted((PACKAGE / room).glob("**/*.py" if room == "scroll" else "*.py"))
        if path.stem != "__init__" and path.parent.name != "methods"
    ]
    assert len(modules) > len(rooms)
    named = set(re.findall(r"`([a-z_.]+)`", page))
    assert [str(m) for m in modules if not {m.stem, ".".join(m.parts)} & named] == []
    faces = {name for name in named if name.partition(".")[0] in rooms and "." in name}
    faces -= set(KINDS)  # `chain.report` is an entry
    assert [
        name for name in faces if not (PACKAGE / name.replace(".", "/")).with_suffix(".py").exists()
    ] == []


def test_every_command_option_and_argument_has_help() -> None:
    silent = []
    for path, command in _commands().items():
        if not command.help:
            silent.append(" ".join(path))
        silent += [
            f"{' '.join(path)} {parameter.name}"
            for parameter in command.params
            if not getattr(parameter, "help", None) and parameter.name != "help"
        ]
    assert silent == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _outside_code(text_of(page))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_in_a_document_exists(page: Path) -> None:
    wrong = []
    for line in _code_lines(text_of(page)):
        words = line.split(" # ")[0].split()
        if words[:1] == ["make"] and len(words) > 1 and words[1] not in TARGETS:
            wrong.append(line)
        if words[:1] and words[0].rpartition("/")[2] == "danseo":
            wrong += [f"{line} ({fault})" for fault in _faults(words[1:])]
    assert wrong == []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("demo --no-such-option", 1),
        ("chalenge open", 1),
        ("challenge check", 0),
        ("verify demo/log", 0),
        ("key new --no-such-option x", 1),
    ],
)
def test_the_check_above_tells_right_from_wrong(line: str, count: int) -> None:
    assert len(_faults(line.split())) == count


def test_no_file_speaks_of_one_machine_or_of_where_packages_come_from() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path != Path(__file__)
        for pattern in ELSEWHERE
        for match in pattern.finditer(text_of(path))
    ]
    assert found == []


def test_every_document_is_in_the_index() -> None:
    index = text_of(ROOT / "docs/README.md")
    apart = {"README.md", "0001-promises.md", "0002-promises.md", "0003-promises.md"}
    pages = [page.relative_to(ROOT / "docs") for page in PAGES if ROOT / "docs" in page.parents]
    assert [str(p) for p in pages if p.name not in apart and f"({p})" not in index] == []


@cache
def _commands() -> dict[tuple[str, ...], Any]:
    """Return every command and group by its path, the root under ()."""
    from danseo.cli.app import app

    found: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], command: Any) -> None:
        found[path] = command
        for name, child in getattr(command, "commands", {}).items():
            walk((*path, name), child)

    walk((), typer.main.get_command(app))
    return found


def _faults(words: list[str]) -> list[str]:
    """Return what is wrong with `danseo WORDS`: no such command, no such option."""
    path: tuple[str, ...] = ()
    faults = []
    options = {"--help"}
    for word in words:
        if (*path, word) in _commands():
            path = (*path, word)
        elif hasattr(_commands()[path], "commands") and not word.startswith("-"):
            return [f"no command {word}"]
        command = _commands()[path]
        options |= {o for p in command.params for o in [*p.opts, *p.secondary_opts]}
        name = word.partition("=")[0]
        if re.match(r"--?[a-z]", word) and name not in options:
            faults.append(f"no option {name}")
    return faults


def _code_lines(text: str) -> list[str]:
    """Return the command lines of a page: indented or fenced ones, and `danseo ...` inline."""
    fenced = "\n".join(re.findall(r"^```(?:sh|console|bash)?\n(.*?)^```", text, re.M | re.S))
    indented = "\n".join(re.findall(r"^    (.*)$", text, re.MULTILINE))
    inline = "\n".join(re.findall(r"`((?:danseo|make) [a-z][^`\n]*)`", text))
    lines = "\n".join((fenced, indented, inline)).replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in lines]


def _outside_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`(?!\])", "", text, flags=re.S)


@cache
def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
