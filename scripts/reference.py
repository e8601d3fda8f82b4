"""Make docs/reference/ from the code: `python -m scripts.reference [--check]`.

The pages are made from what runs, never copied by hand: the commands from the Typer application,
the settings from `SETTINGS`, the kinds of entry from the register, the errors from their classes.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import re
import sys
import types
import typing
from pathlib import Path
from typing import Annotated, Any

import typer.main

from danseo.core import entry, errors
from danseo.settings import SETTINGS
from scripts.pages import publish, table

FOLDER = Path("docs/reference")
NOTE = "This page is made from the code. Do not edit it: run `make docs`.\n"


def settings_page() -> str:
    """Return the page of the settings."""
    rows = [
        (f"`{s.name}`", f"`{s.default}`" if s.default else "", s.allowed, s.help) for s in SETTINGS
    ]
    intro = (
        "Settings are variables of the environment. Every one has a default that works. Where a\n"
        "command has an option for the same thing, the option goes first. A bad value is refused\n"
        "with the name of the variable and what it may be; `danseo doctor` names variables that\n"
        "it does not know.\n"
    )
    headings = ("Variable", "Default", "Must be", "Meaning")
    return f"# Settings\n\n{NOTE}\n{intro}\n{table(headings, rows)}"


def errors_page() -> str:
    """Return the page of the errors: the tree, then each with its exit status."""
    tree = (errors.__doc__ or "").split("\n\n")[1]
    parts = [
        "# Errors\n",
        NOTE,
        "Every error that danseo raises on purpose says what is wrong, with which value, and what\n"
        "to do next. The exit status of a command tells the family; 0 is success, 1 a fault in\n"
        "danseo itself.\n",
        inspect.cleandoc(tree) + "\n" if tree.startswith("#") else _indent(tree),
    ]
    for cls in _descendants(errors.DanseoError):
        doc = inspect.getdoc(cls) or ""
        parts.append(f"## {cls.__name__}\n\nExit status {cls.status}. {doc}\n")
    return "\n".join(parts)


def entries_page() -> str:
    """Return the page of the kinds of entry: fields, who signs what line, and the rule's words."""
    kinds = sorted(entry.KINDS.items())
    parts = [
        "# Kinds of entry\n",
        NOTE,
        "The log holds entries of these kinds and no others. A body is canonical JSON (RFC 8785)\n"
        "with exactly these fields; one marked *optional* may be left out. The summary is the\n"
        "line that the author signs, made from the body by one of the two templates. The scope\n"
        "says what the frame's `challenge` names: an existing challenge, a new one (*opening*),\n"
        "or nothing (*log*).\n",
        table(
            ("Kind", "Scope", "What it says"),
            [(f"[`{k}`](#{_anchor(k)})", c.scope, _first_line(c)) for k, c in kinds],
        ),
    ]
    seen = Seen()
    for name, cls in kinds:
        parts.append(_kind(name, cls, seen))
    done: dict[str, str] = {}
    while rest := set(seen.parts) - set(done):
        name = min(rest)
        done[name] = f"### {name}\n\n{_doc(seen.parts[name])}\n\n{_fields(seen.parts[name], seen)}"
    parts.append("## Parts of bodies\n")
    parts += [done[name] for name in sorted(done)]
    parts.append("## Types of fields\n")
    parts.append(table(("Type", "In JSON"), sorted(seen.types.items())))
    return "\n".join(parts)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the fields of the kinds named so far: further dataclasses, and types of strings."""

    parts: dict[str, type] = dataclasses.field(default_factory=dict)
    types: dict[str, str] = dataclasses.field(default_factory=dict)


def _kind(name: str, cls: type[entry.Body], seen: Seen) -> str:
    lines = [f"## {name}", "", _doc(cls), "", _fields(cls, seen)]
    lines += [f"- Scope: {cls.scope}", f"- English: `{cls.english}`", f"- Korean: `{cls.korean}`"]
    return "\n".join(lines) + "\n"


def _fields(cls: type, seen: Seen) -> str:
    hints = typing.get_type_hints(cls, include_extras=True)
    meanings = _meanings(cls)
    rows = []
    for field in dataclasses.fields(cls):
        kind = _type(hints[field.name], seen)
        if field.default is not dataclasses.MISSING:
            kind += ", *optional*"
            kind += "" if field.default is None else f" (else `{_plain(field.default)}`)"
        rows.append((f"`{field.name}`", kind, meanings.get(field.name, "")))
    if not rows:
        return "It has no fields.\n"
    if not meanings:
        return table(("Field", "Type"), [row[:2] for row in rows])
    return table(("Field", "Type", "Meaning"), rows)


def _type(hint: Any, seen: Seen) -> str:
    """Return the words for a field's annotation, and note in `seen` what it names."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _rule(arguments[1], seen)
    if origin is types.UnionType or origin is typing.Union:
        return " or ".join(_type(a, seen) for a in arguments if a is not type(None))
    if origin is tuple:
        return f"array of {_type(arguments[0], seen)}"
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if seen.parts.setdefault(hint.__name__, hint) is not hint:
            raise TypeError(f"Two parts of bodies are called {hint.__name__}: rename one.")
        return f"[{hint.__name__}](#{_anchor(hint.__name__)})"
    return {bool: "true or false"}.get(hint, str(hint))


def _rule(rule: entry.Field | entry.Range, seen: Seen) -> str:
    if isinstance(rule, entry.Field):
        seen.types[rule.name] = f"string that matches `{rule.pattern}`"
        return rule.name
    name = _RANGES.get(rule)
    if name is None:
        return f"integer, {rule.low} to {rule.high}"
    seen.types[name] = f"integer from {rule.low} to {rule.high}"
    return name


_RANGES = {
    typing.get_args(hint)[1]: name.lower()
    for name, hint in vars(entry).items()
    if typing.get_origin(hint) is Annotated and isinstance(typing.get_args(hint)[1], entry.Range)
}
"""The ranges that `core.entry` gives a name."""


def _meanings(cls: type) -> dict[str, str]:
    """Return the string below each field, or the comment beside it: what the field means."""
    try:
        lines = inspect.getsource(cls).splitlines()
    except (OSError, TypeError):
        return {}
    names = {field.name for field in dataclasses.fields(cls)}
    found: dict[str, str] = {}
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        name = line.strip().partition(":")[0]
        if name not in names or name in found:
            continue
        below = following.strip()
        if "  # " in line:
            found[name] = line.partition("  # ")[2]
        elif below.startswith('"""'):
            rest = lines[lines.index(following) :]
            text = " ".join(part.strip() for part in rest).removeprefix('"""')
            found[name] = text.partition('"""')[0]
    return found


def commands_page(root: Any = None) -> str:
    """Return the page of the commands below `root`, in the order that `--help` lists them."""
    if root is None:
        root = typer.main.get_command(importlib.import_module("danseo.cli.app").app)
    parts = [
        "# Commands\n",
        NOTE,
        "`danseo --help` lists them, `danseo COMMAND --help` explains one.\n",
    ]
    for path, command in _leaves("danseo", root):
        parts.append(_command(path, command))
    return "\n".join(parts)


def _leaves(path: str, command: Any) -> list[tuple[str, Any]]:
    """Return (path, command) for each command below, a group before its own commands."""
    found = [(path, command)]
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            found += _leaves(f"{path} {name}", child)
    return found


def _command(path: str, command: Any) -> str:
    text = _plain_text(inspect.cleandoc(command.help or ""))
    lines = [f"## {path}", "", text, ""]
    parameters = [p for p in command.params if not getattr(p, "hidden", False)]
    rows = [_parameter(p) for p in parameters if p.name not in _COMPLETION]
    if rows:
        lines.append(table(("Argument or option", "Default", "Meaning"), rows))
    return "\n".join(lines)


_COMPLETION = {"install_completion", "show_completion", "help"}


def _parameter(parameter: Any) -> tuple[str, str, str]:
    if parameter.param_type_name == "argument":
        name = parameter.name.upper()
        dots = "..." if parameter.nargs != 1 else ""
        shown = f"`{name}{dots}`" if parameter.required else f"`[{name}{dots}]`"
    else:
        names = [*parameter.opts, *parameter.secondary_opts]
        shown = ", ".join(f"`{name}`" for name in names)
    default = parameter.default
    if parameter.required:
        said = "required"
    elif callable(default) or default in (None, False, (), []):
        said = ""
    else:
        said = f"`{_plain(default)}`"
    return shown, said, _plain_text(getattr(parameter, "help", None) or "")


def _plain_text(help_text: str) -> str:
    """Return a help text without the marks that only a terminal understands."""
    return re.sub(r"\[/?[a-z ]*\]", "", help_text.replace("\b\n", "").replace("\f", ""))


def _plain(value: Any) -> str:
    value = getattr(value, "value", value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _doc(cls: type) -> str:
    # A dataclass without a docstring gets its signature for one: that tells a reader nothing.
    doc = inspect.cleandoc(cls.__doc__ or "")
    return "" if doc.startswith(f"{cls.__name__}(") else doc


def _first_line(cls: type) -> str:
    return _doc(cls).partition("\n\n")[0]


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "").replace(" ", "-")


def _indent(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _descendants(cls: type[errors.DanseoError]) -> list[type[errors.DanseoError]]:
    found = [cls]
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            found += _descendants(child)
    return found


def pages() -> dict[Path, str]:
    """Return every page of the reference: path below the root -> text."""
    importlib.import_module("danseo.core.kinds")  # fills the register of kinds
    found = {
        FOLDER / "settings.md": settings_page(),
        FOLDER / "errors.md": errors_page(),
        FOLDER / "entries.md": entries_page(),
    }
    if importlib.util.find_spec("danseo.cli.app"):
        found[FOLDER / "commands.md"] = commands_page()
    return found


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say which are stale."""
    return publish(pages(), "make docs", "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
