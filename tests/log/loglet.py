"""Small logs for tests: real keys, real files, the rules of `core`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from danseo.core.entry import parse
from danseo.core.errors import NotFound
from danseo.log.blobs import Blobs
from danseo.log.note import Checkpoint, Signer
from danseo.log.signing import Domain, Key, sign_entry
from danseo.log.source import Source
from danseo.log.tiles import CHECKPOINT, TileWriter
from danseo.log.wire import wrap

ORIGIN = "danseo.example/log"
CHAIN = 31337


def key(number: int) -> Key:
    return Key(number.to_bytes(32, "big"))


OPERATOR, SITE, SOMEONE = key(1), key(2), key(3)


class Loglet:
    """A log that grows in `home/log`, an entry at a time; `publish` writes what is new."""

    def __init__(self, home: Path, origin: str = ORIGIN, chain_id: int = CHAIN) -> None:
        self.folder = home / "log"
        self.domain = Domain(chain_id, origin)
        self.signer = Signer(origin, bytes(range(32)))
        self.blobs = Blobs(self.folder / "blobs", scratch=home / "scratch")
        self.leaves: list[bytes] = []
        self.time = 1_700_000_000
        self._writer = TileWriter(self.folder, scratch=home / "scratch", durable=False)
        self._sequences: dict[str, int] = {}
        self.add(
            "log.genesis",
            {
                "origin": origin,
                "chain_id": chain_id,
                "clock": "system",
                "log_key": self.signer.verifier.public.hex(),
                "site": SITE.address,
            },
        )

    def leaf(self, kind: str, body: dict[str, Any], by: Key = OPERATOR, author: str = "") -> bytes:
        """Return the next leaf without adding it."""
        who = author or by.address
        summary = parse(kind, body).summaries()[0]
        sequence = self._sequences.get(who, 0)
        signed = sign_entry(
            by, self.domain, kind, "", sequence, body, summary, author=author or None
        )
        return wrap(len(self.leaves), self.time, signed)

    def add(self, kind: str, body: dict[str, Any], by: Key = OPERATOR, author: str = "") -> None:
        self.leaves.append(self.leaf(kind, body, by, author))
        who = author or by.address
        self._sequences[who] = self._sequences.get(who, 0) + 1

    def tick(self, by: Key = SOMEONE) -> None:
        self.time += 10
        self.add("tick", {}, by)

    def withhold(self, blob: str, reason: bytes) -> None:
        self.add("blob.withhold", {"blob": blob, "reason": self.blobs.put(reason)})

    def rotate_log_key(self) -> None:
        self.signer = Signer(self.signer.name, bytes(31) + bytes([len(self.leaves)]))
        self.add("log.key", {"log_key": self.signer.verifier.public.hex()})

    @property
    def checkpoint(self) -> bytes:
        """The signed checkpoint of what was published."""
        point = Checkpoint(self.domain.origin, self._writer.size, self._writer.root)
        return point.sign(self.signer)

    def publish(self) -> bytes:
        self._writer.append(self.leaves[self._writer.size :])
        data = self.checkpoint
        (self.folder / CHECKPOINT).write_bytes(data)
        return data

    def files(self) -> dict[str, bytes]:
        return {
            p.relative_to(self.folder).as_posix(): p.read_bytes()
            for p in sorted(self.folder.rglob("*"))
            if p.is_file()
        }


class MemorySource(Source):
    """The files of a log in a dictionary."""

    def __init__(self, content: dict[str, bytes], *, listed: bool = True) -> None:
        super().__init__("memory")
        self.content = content
        self.listed = listed

    def parts(self, path: str) -> Iterator[bytes]:
        if path not in self.content:
            raise NotFound(f"There is no {path}.")
        yield self.content[path]

    def files(self) -> Iterator[str] | None:
        return iter(self.content) if self.listed else None


def ten_entries(home: Path) -> Loglet:
    """A log of ten entries in three steps, with blobs, a withheld one, and a rotated key."""
    log = Loglet(home)
    log.tick()
    log.add("key.sealing", {"x25519": "ab" * 32}, SOMEONE)
    log.publish()
    log.add("tick", {}, SITE, author="site:" + "5e" * 16)
    gone = log.blobs.put(b"must go")
    log.withhold(gone, b"the law demands it")
    log.blobs.delete(gone)
    log.tick()
    log.publish()
    log.rotate_log_key()
    log.tick(OPERATOR)
    log.add("key.payout", {"to": key(9).address}, SOMEONE)
    log.tick()
    log.publish()
    assert len(log.leaves) == 10
    return log
