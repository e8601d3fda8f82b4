"""A chain's database, kept beside its journal so that the next process need not replay it all.

It can always be thrown away. What is found is used only where its checksum holds and it was made
from just the lines that the journal begins with; whatever came after them is replayed.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

_Record = tuple[int, bytes, dict[bytes, bytes]]


def keep(path: Path, journal: bytes, database: dict[bytes, bytes]) -> None:
    """Store what the lines of `journal` made. Where it cannot be stored, the journal will do."""
    body = msgspec.msgpack.encode((len(journal), sha256(journal).digest(), database))
    new = path.with_suffix(".new")
    with contextlib.suppress(OSError):
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(file, "wb") as out:
            out.write(sha256(body).digest() + body)
        new.replace(path)


def recall(path: Path, journal: bytes) -> tuple[int, dict[bytes, bytes]] | None:
    """Return how many bytes of `journal` are done, and the database that they made; or None."""
    try:
        data = path.read_bytes()
        digest, body = data[:32], data[32:]
        if sha256(body).digest() != digest:
            return None
        record: Any = msgspec.msgpack.decode(body, type=_Record)
    except (OSError, msgspec.MsgspecError):
        return None
    done, prefix, database = record
    if done > len(journal) or sha256(journal[:done]).digest() != prefix:
        return None
    return done, database
