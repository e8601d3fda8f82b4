"""A person's act becomes an entry: signed with their key, handed to the log.

`Desk` is where acts arrive: the log, its blobs, and a folder for what stays private.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from danseo.core.challenge import Challenge
from danseo.core.entry import Body, to_body
from danseo.core.errors import OutOfOrder
from danseo.core.state import SIMULATED, State
from danseo.flows import storing
from danseo.flows.storing import Store
from danseo.log.blobs import Blobs
from danseo.log.host import Log
from danseo.log.sequencer import Appended
from danseo.log.signing import Domain, Key, sign_entry

_TRIES: Final = 5


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

    def storing(self) -> AbstractContextManager[Store]:
        """Store what an entry is to name; where the entry is refused, what was new goes again."""
        return storing.storing(self.log, self.blobs, self.private)

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
