"""What `danseo doctor` looks at: the machine, the settings in force, and the log."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from danseo import settings as configuration
from danseo.core.errors import Unavailable
from danseo.log.lock import Lock, holder
from danseo.scoring import run
from danseo.settings import Settings

_OPTIONAL: Final = (
    ("numba", "fast", "the compiled kernel of the shoulders rule cannot run"),
    ("sklearn", "demo", "the demo's learned method cannot run"),
    ("torch", "scroll", "no scroll can be read"),
    ("zarr", "scroll", "no scroll can be opened"),
    ("tensorstore", "fast", "volumes are read by zarr, which is slower"),
    ("distributed", "cluster", "a scroll is read on this machine alone"),
)
_LITTLE: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `state` is ok, note (optional or unusual) or missing (needed)."""

    what: str
    state: str
    detail: str
    remedy: str = ""


def look(settings: Settings) -> list[Finding]:
    """Return everything that there is to say."""
    return [*_machine(settings), _node(settings), *_settings(settings), _log(settings)]


def _machine(settings: Settings) -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    yield Finding(
        "python",
        "ok" if good else "missing",
        platform.python_version(),
        "" if good else "install Python 3.11 or later",
    )
    works, words = run.probe()
    fix = "" if works else "apt install bubblewrap"
    yield Finding("sandbox", "ok" if works else "missing", words, fix)
    for module, extra, loss in _OPTIONAL:
        have = importlib.util.find_spec(module) is not None
        yield Finding(
            module,
            "ok" if have else "note",
            "installed" if have else f"absent: {loss}",
            "" if have else f"pip install 'danseo[{extra}]'",
        )
    yield _fonts()
    free = shutil.disk_usage(settings.home if settings.home.exists() else ".").free
    yield Finding(
        "disk",
        "ok" if free > _LITTLE else "note",
        f"{free / 2**30:.1f} GiB free",
        "" if free > _LITTLE else "make room",
    )


def _fonts() -> Finding:
    """Say in which letters phantom scrolls are written."""
    if importlib.util.find_spec("matplotlib") is None:
        words = "unknown: matplotlib is absent, and no phantom can be written"
        return Finding("fonts", "note", words, "pip install 'danseo[scroll]'")
    from danseo.scroll.lettering import fonts

    found = next(iter(fonts()), "none")
    if found.startswith("DejaVu"):
        words = f"{found}: phantoms do not look like an ancient hand"
        return Finding("fonts", "note", words, "apt install fonts-ancient-scripts")
    return Finding("fonts", "ok", f"{found}, near an ancient hand")


def _node(settings: Settings) -> Finding:
    """Say which chain a command would use, and whether `danseo chain up` can start a node."""
    from danseo.chain import anvil

    if settings.chain_url:
        return Finding("chain", "ok", "the node that DANSEO_CHAIN_URL names")
    try:
        found = anvil.find(settings.anvil)
    except Unavailable as missing:
        words = "the embedded one; absent: anvil, the node of `danseo chain up`"
        return Finding("chain", "note", words, missing.remedy)
    return Finding("chain", "ok", f"the embedded one, or {found} after `danseo chain up`")


def _settings(settings: Settings) -> Iterator[Finding]:
    for setting in configuration.SETTINGS:
        value = getattr(settings, setting.field)
        yield Finding(setting.name, "ok", str(value) if value not in ("", None) else "(unset)")
    for line in configuration.unknown():
        yield Finding("settings", "note", line, "unset it, or correct its name")


def _log(settings: Settings) -> Finding:
    host = settings.home / "host"
    if not (host / "journal").exists():
        return Finding("log", "note", f"none in {settings.home}", "danseo init DIR")
    lock = Lock.take(host / "lock")
    if lock is None:
        served = (host / "sequencer.sock").exists()
        how = "which serves it" if served else "which serves nobody"
        return Finding("log", "ok", f"held by process {holder(host / 'lock')}, {how}")
    lock.release()
    return Finding("log", "ok", f"in {settings.home}, held by nobody")
