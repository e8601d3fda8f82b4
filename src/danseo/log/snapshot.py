"""Snapshots of the folded state, so that opening a log does not fold it from the start.

A snapshot is a cache, private to the host: one line of JSON that says what it is of, then the
state as JSON. One that is damaged, of other code, or of another log is as good as none.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

import danseo.core
from danseo.core.state import State
from danseo.log.journal import replace

FORMAT: Final = 1

_decode = msgspec.json.Decoder(State).decode


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    code: str
    size: int
    root: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after the first `size` entries, whose tree has this root."""

    size: int
    root: bytes
    state: State


def write(path: Path, snapshot: Snapshot) -> None:
    """Put the snapshot in place of the last one, whole or not at all. May raise `OSError`."""
    payload = encode_state(snapshot.state)
    header = _Header(
        FORMAT,
        code_version(),
        snapshot.size,
        snapshot.root.hex(),
        hashlib.sha256(payload).hexdigest(),
    )
    replace(path, msgspec.json.encode(header) + b"\n" + payload)


def read(path: Path) -> Snapshot | None:
    """Return the snapshot at `path`, or None where there is none that this code can use.

    Whether it is of the log at hand is for the caller to see, by its size and root.
    """
    try:
        head, _, payload = path.read_bytes().partition(b"\n")
        header = msgspec.json.decode(head, type=_Header)
        if (header.format, header.code) != (FORMAT, code_version()):
            return None
        if hashlib.sha256(payload).hexdigest() != header.sha256:
            return None
        return Snapshot(header.size, bytes.fromhex(header.root), decode_state(payload))
    except (FileNotFoundError, ValueError):
        return None


def encode_state(state: State) -> bytes:
    """Return the state as JSON. Integers keep every digit, and dicts their order."""
    return msgspec.json.encode(state)


def decode_state(data: bytes) -> State:
    """Return the state that `encode_state` wrote; raise `ValueError` for other bytes."""
    return _decode(data)


@functools.cache
def code_version() -> str:
    """Return the hash of the rules' source: a state folded by other rules is not reused."""
    folder = Path(danseo.core.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.hexdigest()
