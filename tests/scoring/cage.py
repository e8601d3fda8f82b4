"""How the attacks are run: as this user, and from root also as an ordinary one."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from danseo.core.errors import Unavailable
from danseo.scoring import sandbox
from danseo.scoring.interpreter import Interpreter, interpreter

NOBODY = 65534
USERS = ["root", "ordinary"] if os.geteuid() == 0 else ["ordinary"]


def python(user: str) -> Interpreter:
    """Return a Python that `user` can start inside."""
    if user == "root" or os.geteuid() != 0 or not _hidden(Path(sys.base_prefix)):
        return interpreter([])
    system = Path("/usr/bin/python3")
    if not system.exists():
        pytest.fail("No Python that an ordinary user can read. Install it: apt-get install python3")
    return Interpreter((str(system), "-S", "-B"))


def attack(user: str, program: str, marker: str = "", **keywords) -> sandbox.Result:
    """Run a Python program in the sandbox, as `user`."""
    inside = python(user)
    read_only = {**inside.read_only, "/attack.py": program.encode(), **keywords.pop("files", {})}
    argv = [*inside.argv, "/attack.py", marker]

    def go() -> sandbox.Result:
        return sandbox.run(argv, read_only=read_only, environment=inside.environment, **keywords)

    if user == "ordinary" and os.geteuid() == 0:
        return _as_nobody(go)
    return go()


def living(marker: str) -> list[int]:
    """Return the processes of this machine that have `marker` in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def wait_until(condition, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def _hidden(path: Path) -> bool:
    """Tell whether an ordinary user cannot reach `path`."""
    return any(not p.stat().st_mode & 0o001 for p in (path, *path.parents))


def _as_nobody(go) -> sandbox.Result:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def child() -> None:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            theirs.send(go())
        except Unavailable as error:
            theirs.send(Unavailable(error.message, error.remedy))

    process = context.Process(target=child)
    process.start()
    theirs.close()
    try:
        result = ours.recv()
    finally:
        process.join(30)
    if isinstance(result, Unavailable):
        pytest.fail(str(result))
    return result
