"""What the code of the package may not do, held over every module of it."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator

import pytest

import danseo.core
from danseo.core import errors
from tests.repo.tree import PACKAGE, sources

TREE = {name for name, cls in vars(errors).items() if isinstance(cls, type)}
FAULTS = {"TypeError", "ValueError"}
"""A caller's fault in the code itself, which no user can mend."""
EXITS = {"Exit", "Abort", "SystemExit"}
"""How the command line ends."""
ALONE = {"ImportError"}
"""What a file may raise that runs alone in the sandbox, where there is no danseo."""
PURE = {"__future__", "bisect", "collections", "dataclasses", "enum", "fractions", "functools"}
PURE |= {"hashlib", "heapq", "importlib", "itertools", "json", "math", "operator", "pkgutil"}
PURE |= {"re", "string", "types", "typing", "danseo"}
WHOLE = {"isqrt", "comb", "gcd", "lcm", "prod", "factorial", "perm"}
"""What `math` offers that stays in the integers."""


def test_every_raise_uses_the_tree_of_errors() -> None:
    strange = [
        f"{where}: {name}"
        for where, name, _ in _raised()
        if name[:1].isupper() and name not in TREE | FAULTS
        if not (name in EXITS and where.startswith("cli/"))
        if not (name in ALONE and where.startswith("scoring/"))
    ]
    assert strange == []


def test_every_error_says_what_to_do_next() -> None:
    silent = [
        f"{where}: {name}"
        for where, name, call in _raised()
        if name in TREE
        if len(call.args) < 2 and not any(k.arg == "remedy" for k in call.keywords)
    ]
    assert silent == []


def test_every_class_of_errors_stands_in_the_tree() -> None:
    strange = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.name}"
        for path, tree in sources()
        if path.name != "errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        if any(
            _name(base).endswith(("Error", "Exception")) or _name(base) in TREE
            for base in node.bases
        )
    ]
    assert strange == []


def test_the_drawing_of_the_tree_of_errors_is_the_tree() -> None:
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    drawn = [line.strip(" │├└─").partition(" ")[0] for line in drawing.splitlines()]
    assert sorted(drawn) == sorted(TREE)
    for line, name in zip(drawing.splitlines()[1:], drawn[1:], strict=True):
        parent = getattr(errors, name).__mro__[1].__name__
        assert parent == ("Refused" if line.startswith("    │   ") else "DanseoError"), name


def test_no_assert_stands_in_for_a_check() -> None:
    assert _found(lambda node: isinstance(node, ast.Assert)) == []


def test_no_error_is_swallowed_whole() -> None:
    def swallows(node: ast.AST) -> bool:
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or _name(node.type) in {"Exception", "BaseException"}
            return broad and not any(isinstance(n, ast.Raise | ast.Call) for n in ast.walk(node))
        return (
            isinstance(node, ast.Call)
            and _name(node.func) == "suppress"
            and any(_name(a) in {"Exception", "BaseException"} for a in node.args)
        )

    assert _found(swallows) == []


def test_nothing_prints_past_the_command_line() -> None:
    assert _found(lambda n: isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print") == []


def test_core_imports_the_pure_part_of_the_standard_library_alone() -> None:
    strange = {
        f"{path.name}: {module}"
        for path, tree in sources()
        if PACKAGE / "core" in path.parents
        for node in ast.walk(tree)
        for module in _imports(node)
        if module.partition(".")[0] not in PURE
    }
    assert strange == set()


def test_core_has_no_floats_and_divides_only_whole() -> None:
    def floats(node: ast.AST) -> bool:
        return (
            (isinstance(node, ast.Constant) and isinstance(node.value, float | complex))
            or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
            or (isinstance(node, ast.Call) and _name(node.func) == "float")
            or (isinstance(node, ast.Attribute) and _name(node.value) == "math")
            or (
                isinstance(node, ast.ImportFrom)
                and node.module == "math"
                and not {alias.name for alias in node.names} <= WHOLE
            )
        )

    assert _found(floats, room="core") == []


def test_no_module_is_called_after_nothing() -> None:
    empty = {"utils", "util", "common", "helpers", "services", "managers", "misc"}
    assert [path for path, _ in sources() if empty.intersection(path.with_suffix("").parts)] == []


def test_every_module_and_public_function_says_what_it_does() -> None:
    silent = []
    for path, tree in sources():
        where = path.relative_to(PACKAGE)
        if not ast.get_docstring(tree):
            silent.append(f"{where}")
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_"
            if public and not ast.get_docstring(node):
                silent.append(f"{where}:{node.lineno}: {node.name}")
    assert silent == []


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (test_every_raise_uses_the_tree_of_errors, "raise RuntimeError('x')"),
        (test_every_raise_uses_the_tree_of_errors, "raise typer.Exit(1)"),
        (test_every_error_says_what_to_do_next, "raise Usage('x')"),
        (test_every_error_says_what_to_do_next, "raise errors.Invalid('x', index=3)"),
        (test_every_class_of_errors_stands_in_the_tree, "class Mine(ValueError): ..."),
        (test_every_class_of_errors_stands_in_the_tree, "class Mine(Refused): ..."),
        (test_no_assert_stands_in_for_a_check, "assert x"),
        (test_no_error_is_swallowed_whole, "try: x\nexcept: pass"),
        (test_no_error_is_swallowed_whole, "try: x\nexcept Exception: y = 1"),
        (test_no_error_is_swallowed_whole, "with contextlib.suppress(Exception): x"),
        (test_nothing_prints_past_the_command_line, "print(1)"),
        (test_core_imports_the_pure_part_of_the_standard_library_alone, "import time"),
        (test_core_imports_the_pure_part_of_the_standard_library_alone, "from os import path"),
        (test_core_has_no_floats_and_divides_only_whole, "x = 0.5"),
        (test_core_has_no_floats_and_divides_only_whole, "x /= 2"),
        (test_core_has_no_floats_and_divides_only_whole, "x = math.log(2)"),
        (test_core_has_no_floats_and_divides_only_whole, "from math import sqrt"),
        (test_no_module_is_called_after_nothing, ""),
        (test_every_module_and_public_function_says_what_it_does, "'Doc.'\ndef f(): ..."),
        (test_every_module_and_public_function_says_what_it_does, "x = 1"),
    ],
)
def test_each_check_above_bites(
    check: Callable[[], None], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = PACKAGE / "core" / "utils.py"
    monkeypatch.setitem(check.__globals__, "sources", lambda: ((planted, ast.parse(code)),))
    with pytest.raises(AssertionError):
        check()


@pytest.mark.parametrize(
    "name",
    ["danseo.settings", "benchmarks.harness"]
    + [m.name for m in pkgutil.walk_packages(danseo.core.__path__, "danseo.core.")],
)
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    module = importlib.import_module(name)
    result = doctest.testmod(module)
    assert result.failed == 0
    assert result.attempted == sum(
        len(found.examples) for found in doctest.DocTestFinder().find(module)
    )


def test_core_has_examples_to_run() -> None:
    modules = [importlib.import_module(f"danseo.core.{n}") for n in ("canonical", "merkle")]
    assert all(">>> " in inspect.getsource(module) for module in modules)


def _raised() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield (where, name of the class, call) for each `raise Name(...)`."""
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                where = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                yield where, _name(node.exc.func), node.exc


def _found(wanted: Callable[[ast.AST], bool], room: str = "") -> list[str]:
    """Return "file:line" of each node that `wanted` holds for, in a room or in all."""
    return [
        f"{path.relative_to(PACKAGE)}:{getattr(node, 'lineno', 0)}"
        for path, tree in sources()
        if not room or PACKAGE / room in path.parents
        for node in ast.walk(tree)
        if wanted(node)
    ]


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
