"""A person's act becomes an entry: signed with their key, handed to the log.

`Desk` is where acts arrive: the log, its blobs, and a folder for what stays private.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from danseo.core.challenge import Challenge
from danseo.core.entry import Body, to_body
from danseo.core.errors import DanseoError, OutOfOrder, Unavailable
from danseo.core.state import SIMULATED, State
from danseo.log.blobs import Blobs
from danseo.log.host import Log
from danseo.log.sequencer import Appended
from danseo.log.signing import Domain, Key, sign_entry

_TRIES: Final = 5


@dataclass(slots=True)
class Store:
    """Blobs on their way into the log; `new` are those that were not stored before."""

    blobs: Blobs
    new: list[str] = field(default_factory=list)

    def put(self, data: bytes) -> str:
        """Store `data` and return its name."""
        name = hashlib.sha256(data).hexdigest()
        self._note(name)
        return self.blobs.put(data)

    def put_file(self, path: Path) -> str:
        """Store a file and return its name."""
        with path.open("rb") as file:
            self._note(hashlib.file_digest(file, "sha256").hexdigest())
        return self.blobs.put_file(path)

    def _note(self, name: str) -> None:
        if not self.blobs.has(name):
            self.new.append(name)


@dataclass(frozen=True, slots=True)
class Desk:
    """A log that this machine can append to, with its blobs.

    `private` is a folder that is never published: drafts of clues, scores that are not out yet.
    `korean` chooses the language of the line that people sign.
    """

    log: Log
    blobs: Blobs
    private: Path
    korean: bool = False

    @property
    def state(self) -> State:
        """The state after the last entry."""
        return self.log.state

    @property
    def now(self) -> int:
        """The log's time: that of a simulated clock, or of this machine's."""
        state = self.state
        return state.now if state.clock == SIMULATED else max(state.now, int(time.time()))

    def challenge(self, name: str) -> Challenge:
        """Return the folded record of a challenge, or raise `NotFound`."""
        return self.state.challenge(name)

    @contextmanager
    def storing(self) -> Iterator[Store]:
        """Store what an entry is to name; where the entry is refused, what was new goes again.

        Nothing may stay in public that no entry names: `verify` would find it.
        """
        store = Store(self.blobs)
        try:
            yield store
        except DanseoError as error:
            # Where the host has gone, the entry may stand all the same.
            for name in () if isinstance(error, Unavailable) else store.new:
                self.blobs.delete(name)
            raise

    def say(self, key: Key, body: Body, challenge: str = "") -> Appended:
        """Sign `body` with `key`, append it, and return where it stands; raise what refuses it.

        Where another process of the same author came first, it is signed anew.
        """
        for _ in range(_TRIES - 1):
            try:
                return self._say(key, body, challenge)
            except OutOfOrder:
                continue
        return self._say(key, body, challenge)

    def _say(self, key: Key, body: Body, challenge: str) -> Appended:
        state = self.state
        signed = sign_entry(
            key,
            Domain(state.chain_id, state.origin),
            body.kind,
            challenge,
            self.log.sequence_of(key.address, challenge),
            to_body(body),
            body.summaries()[int(self.korean)],
        )
        (result,) = self.log.append([signed])
        if isinstance(result, Exception):
            raise result
        return result
