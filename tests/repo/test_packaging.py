"""The package: one version, pinned dependencies, licences that allow Apache-2.0, nothing lost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest

import danseo
from tests.repo.tree import PACKAGE, ROOT, sources, text_of, tracked

PROJECT = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
PINS = dict(
    line.split("==")
    for line in text_of(ROOT / "constraints.txt").splitlines()
    if line and not line.startswith("#")
)


def test_there_is_one_version() -> None:
    assert danseo.__version__ == PROJECT["version"]


def test_the_changelog_has_a_place_for_what_is_new() -> None:
    changelog = text_of(ROOT / "CHANGELOG.md")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == "Unreleased"


def test_every_dependency_is_pinned_with_all_that_it_brings() -> None:
    pinned = {_plain(name) for name in PINS}
    assert _closure({"demo", "fast", "scroll", "cluster", "dev"}) - pinned == set()


def test_the_pins_are_sorted_and_say_how_to_refresh_them() -> None:
    lines = text_of(ROOT / "constraints.txt").splitlines()
    assert "make constraints" in lines[0]
    names = [line for line in lines if not line.startswith("#")]
    assert names == sorted(names, key=lambda line: (line.lower().encode(), line))


def test_nothing_that_runs_is_under_the_gpl() -> None:
    found = {name: _licence(name) for name in _closure({"demo", "fast", "scroll", "cluster"})}
    assert {n: text for n, text in found.items() if re.search(r"\bA?GPL|Affero", text)} == {}
    assert sum(bool(text) for text in found.values()) > len(found) * 0.8, "licences were read"


def test_every_import_is_a_declared_dependency() -> None:
    declared = {_plain(_name(r)) for r in PROJECT["dependencies"]}
    for extra in ("demo", "fast", "scroll", "cluster"):
        declared |= {_plain(_name(r)) for r in PROJECT["optional-dependencies"][extra]}
    providers = metadata.packages_distributions()
    stray = {
        f"{path.relative_to(PACKAGE)}: {module}"
        for path, tree in sources()
        for module in _imported(tree)
        if module not in sys.stdlib_module_names and module != "danseo"
        if not declared.intersection(_plain(name) for name in providers.get(module, []))
    }
    assert stray == set()


def test_importing_the_package_needs_no_extra() -> None:
    heavy = ["sklearn", "scipy", "numba", "torch"]
    program = f"import sys, danseo.settings, danseo.core; print(set(sys.modules) & set({heavy}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_no_file_of_the_package_is_ignored_and_so_left_out() -> None:
    files = [p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert set(files) - set(tracked()) == set()


@pytest.mark.parametrize("path", [p for p in tracked() if text_of(p)[:2] == "#!"], ids=str)
def test_what_starts_with_a_hash_bang_can_be_run(path: object) -> None:
    assert (ROOT / str(path)).stat().st_mode & 0o111


def _closure(extras: set[str]) -> set[str]:
    """Return all that danseo with `extras` brings, as pip would install it here."""
    wanted, found = [("danseo", frozenset(extras | {""}))], set()
    while wanted:
        name, chosen = wanted.pop()
        for line in metadata.requires(name) or []:
            requirement, _, marker = line.partition(";")
            extra = re.search(r"extra == ['\"]([\w.-]+)['\"]", marker)
            if (extra[1] if extra else "") not in chosen:
                continue
            child = _plain(_name(requirement))
            if child != "danseo" and child not in found and _installed(child):
                found.add(child)
                wanted.append((child, frozenset({""})))
    return found


def _installed(name: str) -> bool:
    """Return whether `name` is here: a marker for another system leaves it out."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _licence(name: str) -> str:
    about = metadata.metadata(name)
    classifiers = [c for c in about.get_all("Classifier") or [] if c.startswith("License")]
    # Some put the whole text into the field: its first line names it.
    first = (about.get("License") or "").strip().partition("\n")[0]
    return " ".join([about.get("License-Expression") or first, *classifiers]).strip()


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement.strip())
    return found[0] if found else ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
