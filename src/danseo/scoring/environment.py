"""Give a method the packages that it asks for, without running any of its code.

Every requirement names one version. Where this Python has them all, its own packages serve, so
that a reproduction works offline. Otherwise pip fetches binary wheels, which are unpacked and not
run, into a folder named by what was asked for; later runs find it there.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from danseo.core.errors import Unavailable, Unfit

MAX_REQUIREMENTS: Final = 100
_PIN: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?)==([0-9A-Za-z.!+]{1,40})"
)
_BUILD_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Environment:
    """Folders of packages to mount read-only, and what lies in them, as sorted name==version.

    `built` tells whether pip fetched it; otherwise it is what this Python runs on.
    """

    folders: tuple[Path, ...]
    distributions: tuple[str, ...]
    built: bool


def check_requirements(requirements: Sequence[str]) -> tuple[str, ...]:
    """Return the requirements, sorted; raise `Unfit` for one that is not pinned to a version."""
    if len(requirements) > MAX_REQUIREMENTS:
        raise Unfit(
            f"The method has {len(requirements)} requirements.", f"It may have {MAX_REQUIREMENTS}."
        )
    for requirement in requirements:
        if not isinstance(requirement, str) or _PIN.fullmatch(requirement) is None:
            raise Unfit(
                f"The requirement {requirement!r} is not pinned.",
                "Write name==version: no URL, no range, no extra, no marker.",
            )
    return tuple(sorted(requirements))


def environment(requirements: Sequence[str], cache: Path) -> Environment:
    """Return folders that satisfy `requirements`, building them under `cache` where they must be.

    Pin what your packages need in turn as well: what is not pinned is what pip finds on the day.
    """
    pins = check_requirements(requirements)
    if not pins:
        return Environment((), (), False)
    if all(map(_is_installed, pins)):
        folders = _own_folders()
        return Environment(folders, _distributions(folders), False)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    where = "\n".join((*pins, python, platform.platform(terse=True), platform.machine()))
    target = cache / hashlib.sha256(where.encode()).hexdigest()
    if not target.is_dir():
        _build(pins, target)
    return Environment((target,), _distributions([target]), True)


def _is_installed(pin: str) -> bool:
    name, version = pin.split("==")
    try:
        return importlib.metadata.version(name) == version
    except importlib.metadata.PackageNotFoundError:
        return False


def _own_folders() -> tuple[Path, ...]:
    """Return the folders in which this Python's packages lie."""
    names = {"site-packages", "dist-packages"}
    found = [Path(p).resolve() for p in sys.path if Path(p).name in names and Path(p).is_dir()]
    return tuple(dict.fromkeys(found))


def _distributions(folders: Iterable[Path]) -> tuple[str, ...]:
    found = importlib.metadata.distributions(path=[str(folder) for folder in folders])
    return tuple(sorted({f"{d.metadata['Name']}=={d.version}" for d in found}))


def _build(pins: tuple[str, ...], target: Path) -> None:
    """Unpack the wheels for `pins` into `target`, which appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-") as folder:
        packages = Path(folder, "packages")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--no-compile"]
        command += ["--target", str(packages), *pins]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"pip did not fetch {', '.join(pins)} in {_BUILD_SECONDS} s.", "Try again."
            ) from None
        if done.returncode:
            raise Unavailable(
                f"pip cannot fetch wheels of {', '.join(pins)}: {done.stderr[-800:].strip()}",
                "See that the versions exist for this Python, and that there is a network.",
            )
        shutil.rmtree(packages / "bin", ignore_errors=True)
        Path(folder).chmod(0o755)
        try:
            os.rename(packages, target)
        except OSError:
            if not target.is_dir():  # Otherwise another process has built the same meanwhile.
                raise
