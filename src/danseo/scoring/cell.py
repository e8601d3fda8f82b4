"""What a sandbox is made of: bubblewrap's command line, from limits and inputs.

Everything the program can see or reach is listed here, and nothing else is there.
"""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from danseo.core.errors import Unavailable, Usage
from danseo.scoring import seccomp

INSTALL: Final = "Install it: sudo apt-get install -y bubblewrap util-linux"
READY: Final = b"R"
"""What the gate says when the sandbox stands."""
GO: Final = b"go\n"
"""What the gate waits for; what follows it is the program's standard input."""

_GATE: Final = 'printf R; read -r go; exec "$@"'
_SYSTEM: Final = ("bin", "sbin", "lib", "lib32", "lib64")
_ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "USER": "danseo",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    # One thread, because the order of additions decides the last bits of a float.
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    ),
    "LOKY_MAX_CPU_COUNT": "1",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may use.

    Seconds of wall time; bytes of memory, with what lies in /tmp and /out; processes and threads;
    bytes in /out, and bytes said; files in /out and /tmp.
    """

    seconds: int = 60
    memory_bytes: int = 2 * 2**30
    processes: int = 64
    output_bytes: int = 64 * 2**20
    files: int = 1000

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if getattr(self, name) < 1:
                raise Usage(f"The limit {name} is {getattr(self, name)}.", "Give at least 1.")


def command(
    argv: Sequence[str],
    read_only: Mapping[str, Path | bytes],
    environment: Mapping[str, str],
    limits: Limits,
    held: ExitStack,
) -> tuple[list[str], list[int]]:
    """Return bubblewrap's command, and the files that it must inherit, kept open by `held`.

    `read_only` maps absolute paths inside to a file, a folder or bytes. Inside, a gate waits for
    `GO` before it becomes `argv`, so that nobody runs before the supervisor has hold of him.
    """
    bwrap = _find("bwrap")
    root = os.geteuid() == 0
    options = [*_namespaces(root), *_system()]
    files: list[int] = []
    for inside, source in read_only.items():
        options += _bind(inside, source, root, files, held)
    options += _writable(limits)
    for name, value in {**_ENVIRONMENT, **environment}.items():
        options += ["--setenv", name, value]
    if (rules := seccomp.program()) is not None:
        files.append(_file(rules, held))
        options += ["--seccomp", str(files[-1])]
    # By file, since a program can read the command line of its first process, with our paths.
    files.append(_file(b"".join(option.encode() + b"\0" for option in options), held))
    inner = [*_drop(root), *_limit(limits), "/bin/sh", "-c", _GATE, "gate", *argv]
    return [bwrap, "--args", str(files[-1]), "--", *inner], files


def _namespaces(root: bool) -> list[str]:
    """Return the options that cut the program off.

    Root stays in its user namespace until it has dropped: in one of its own it could not change
    to a user that the fork limit binds.
    """
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    options += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--clearenv"]
    options += ["--hostname", "danseo", "--cap-drop", "ALL"]
    if root:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            options += ["--cap-add", capability]
        return options
    return [*options, "--unshare-user", "--uid", "65534", "--gid", "65534"]


def _system() -> list[str]:
    """Return the options that bind the system's programs and libraries, and nothing else of it."""
    options = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    options += ["--perms", "0755", "--dir", "/etc"]
    for name in ("ld.so.cache", "alternatives"):
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return [*options, "--proc", "/proc", "--dev", "/dev"]


def _writable(limits: Limits) -> list[str]:
    """Return the options for /tmp, shared memory and /out, each bounded, and the rest read-only.

    /out has a little more room than allowed, so that the supervisor can see it overrun.
    """
    options = []
    for path, size in (
        ("/dev/shm", min(limits.memory_bytes, 2**26)),  # noqa: S108
        ("/tmp", limits.memory_bytes),  # noqa: S108
        ("/out", limits.output_bytes + 2**18),
    ):
        options += ["--perms", "1777", "--size", str(size), "--tmpfs", path]
    return [*options, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/out"]


def _bind(
    inside: str, source: Path | bytes, root: bool, files: list[int], held: ExitStack
) -> list[str]:
    """Return the options that put `source` at the path `inside`, readable and read-only."""
    if not inside.startswith("/") or ".." in inside.split("/"):
        raise Usage(f"The path {inside!r} inside is not absolute.", "Give one such as /data/x.")
    # Folders that bubblewrap makes by itself are closed to the user that root becomes.
    folders: list[str] = []
    for parent in reversed(PurePosixPath(inside).parents[:-1]):
        folders += ["--perms", "0755", "--dir", str(parent)]
    if isinstance(source, bytes):
        files.append(_file(source, held))
    else:
        try:
            status = source.stat()
        except OSError as error:
            raise Unavailable(f"{source} cannot be read: {error.strerror}.", "Check it.") from None
        if not (root and stat.S_ISREG(status.st_mode) and not status.st_mode & stat.S_IROTH):
            return [*folders, "--ro-bind", str(source.resolve()), inside]
        # Root may read it and the user that the program becomes may not: hand on a copy.
        files.append(held.enter_context(source.open("rb")).fileno())
    return [*folders, "--perms", "0444", "--ro-bind-data", str(files[-1]), inside]


def _drop(root: bool) -> list[str]:
    """Return the command that gives up every privilege before it goes on to the next."""
    command = [_find("setpriv"), "--no-new-privs"]
    if root:
        user = _stranger()
        command += [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        command += ["--inh-caps=-all", "--bounding-set=-all"]
    return [*command, "--"]


def _stranger() -> int:
    """Return a user id that nobody else has, so that limits by user count this sandbox alone."""
    ids = Path("/proc/self/uid_map").read_text().split()
    whole = len(ids) == 3 and ids[0] == "0" and int(ids[2]) > 2**31
    return 0x64_61_00_00 + secrets.randbelow(2**16) if whole else 65534


def _limit(limits: Limits) -> list[str]:
    """Return the command that sets the limits of each process before it goes on to the next.

    The number of processes is counted for each user; in a user namespace, from Linux 5.14 on, for
    each user in it. A limit that stands lower already stays.
    """
    wanted = {
        "nproc": (resource.RLIMIT_NPROC, limits.processes),
        "cpu": (resource.RLIMIT_CPU, limits.seconds * (os.cpu_count() or 1) + 1),
        "data": (resource.RLIMIT_DATA, limits.memory_bytes),
        "as": (resource.RLIMIT_AS, 2 * limits.memory_bytes + 2**33),
        "fsize": (resource.RLIMIT_FSIZE, limits.memory_bytes),
        "nofile": (resource.RLIMIT_NOFILE, 256),
        "core": (resource.RLIMIT_CORE, 0),
        "memlock": (resource.RLIMIT_MEMLOCK, 65536),
        "msgqueue": (resource.RLIMIT_MSGQUEUE, 0),
    }
    command = [_find("prlimit")]
    for name, (number, value) in wanted.items():
        hard = resource.getrlimit(number)[1]
        lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
        command.append(f"--{name}={lower}")
    return [*command, "--"]


def _find(name: str) -> str:
    found = shutil.which(name, path="/usr/bin:/bin:/usr/local/bin:/usr/sbin:/sbin")
    if found is None:
        raise Unavailable(f"The sandbox needs {name}, which is not installed.", INSTALL)
    return found


def _file(data: bytes, held: ExitStack) -> int:
    """Return a handle, at its start, of a file without a name that holds `data`."""
    file = held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    file.write(data)
    file.flush()
    file.seek(0)
    return file.fileno()
