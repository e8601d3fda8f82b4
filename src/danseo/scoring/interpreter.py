"""What a sandbox must see of this Python: its program, its library, and chosen packages.

The interpreter is mounted under a neutral path, so that nothing inside tells whose it is, and
starts without `site`: what it can import is exactly what was mounted for it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from danseo.core.errors import Unavailable

_ROOT = "/python"
FLAGS = ("-s", "-S", "-P", "-B")
"""No user's packages, no site, nothing from the working directory, no bytecode written.

Not `-I`: that would also ignore the fixed PYTHONHASHSEED, which makes a run repeatable.
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """How to start Python inside: the command, what to mount, and the environment to set."""

    argv: tuple[str, ...]
    read_only: dict[str, Path | bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def interpreter(folders: Iterable[Path]) -> Interpreter:
    """Return how to start the running Python inside, with `folders` on its path, in this order."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    base = Path(sys.base_prefix).resolve()
    read_only: dict[str, Path | bytes] = {}
    environment = {}
    if base.is_relative_to("/usr"):
        command = str(program)
    else:
        command = f"{_ROOT}/{program.relative_to(base)}"
        read_only = {f"{_ROOT}/{name}": base / name for name in ("bin", "lib")}
        environment["LD_LIBRARY_PATH"] = f"{_ROOT}/lib"
    paths = []
    for i, folder in enumerate(dict.fromkeys(folders)):
        paths.append(f"/site/{i}")
        read_only[paths[-1]] = folder
    environment["PYTHONPATH"] = ":".join(paths)
    return Interpreter((command, *FLAGS), read_only, environment)


def with_danseo(packages: Iterable[str]) -> Interpreter:
    """Return how to start Python inside with danseo and the folders that hold `packages`."""
    python = interpreter([_home(package).parent for package in packages])
    read_only = {**python.read_only, "/danseo/danseo": _home("danseo")}
    path = f"/danseo:{python.environment['PYTHONPATH']}"
    return Interpreter(python.argv, read_only, {**python.environment, "PYTHONPATH": path})


def _home(package: str) -> Path:
    """Return the folder of an installed package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(f"The package {package} is not installed.", f"pip install {package}")
    return Path(spec.submodule_search_locations[0]).resolve()
