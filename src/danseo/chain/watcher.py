"""Everything that some contracts said, each event once and in order, from final blocks alone.

A watcher is handed no transaction and believes none: it reads the chain from where its caller's
cursor stands. Each stretch is tied to the cursor by the hashes of all blocks between, so that one
read while the chain was changing is dropped and read again; a node that leaves events out is found
by the bloom filters of the blocks. The caller stores events and cursor together, or neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from danseo.chain.client import Block, Client, Contract, Event, Header
from danseo.core.errors import Invalid, NotFound, Unavailable

STRETCH: Final = 500
"""Blocks that one step covers at most."""
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that has been read, and its hash."""

    number: int
    hash: str

    @classmethod
    def at(cls, block: Block) -> Cursor:
        """Return the cursor of a watcher that is to begin after this block."""
        return cls(block.number, block.hash)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The events of all blocks after the old cursor, up to `last`."""

    events: tuple[Event, ...]
    last: Block

    @property
    def cursor(self) -> Cursor:
        """Where to go on once these events are stored."""
        return Cursor.at(self.last)


class Watcher:
    """Reads on from `cursor`, which moves with each stretch that it hands out."""

    def __init__(
        self,
        client: Client,
        contracts: Sequence[Contract],
        cursor: Cursor,
        stretch: int = STRETCH,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._contracts, self.cursor = client, tuple(contracts), cursor
        self._stretch, self._sleep = stretch, sleep

    def step(self) -> Stretch | None:
        """Return what the next final blocks hold, or None while there are none.

        Raise `Invalid` where the cursor's block is no longer on the chain, and `Unavailable` where
        the node is behind, cannot be reached, or contradicts itself.
        """
        for turn in range(TRIES):
            if turn:
                self._sleep(0.05 * 2**turn)
            final = self._final()
            if final is None:
                continue
            if final.number <= self.cursor.number:
                self._check_standing(final)
                return None
            last = min(final.number, self.cursor.number + self._stretch)
            headers = self._client.headers(self.cursor.number, last)
            if len(headers) < last - self.cursor.number + 1 or not _linked(headers):
                continue
            self._check_cursor(headers[0].block)
            events = self._events(headers[1:])
            if events is not None:
                found = Stretch(tuple(events), headers[-1].block)
                self.cursor = found.cursor
                return found
        raise Unavailable(
            f"The node at {self._client.name} changes its blocks while they are read.",
            "Try again in a while, or use another node.",
        )

    def follow(
        self, pause: float = 1, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Stretch]:
        """Yield stretches as their blocks become final, until `stop` says so.

        It waits, `pause` seconds at a time, for new blocks and for a node that is away.
        """
        while not stop():
            try:
                found = self.step()
            except Unavailable:
                found = None
            if found is None:
                self._sleep(pause)
            else:
                yield found

    def _final(self) -> Block | None:
        """Return the newest final block; None where it went while it was looked for."""
        try:
            return self._client.final()
        except NotFound:
            return None

    def _events(self, headers: Sequence[Header]) -> list[Event] | None:
        """Return the events of these blocks; None where they are of other blocks by now."""
        first, last = headers[0].block.number, headers[-1].block.number
        told: dict[str, list[Event]] = {header.block.hash: [] for header in headers}
        for event in self._client.events(self._contracts, first, last):
            if event.block_hash not in told:
                return None
            told[event.block_hash].append(event)
        for header in headers:
            # A node may answer for blocks that it has not indexed yet as if they were empty.
            if not told[header.block.hash] and self._may_speak(header):
                silent = self._client.events_in(self._contracts, header.block.hash)
                if silent is None:
                    return None
                told[header.block.hash] = silent
        return [event for events in told.values() for event in events]

    def _may_speak(self, header: Header) -> bool:
        return any(header.may_hold(contract.address) for contract in self._contracts)

    def _check_standing(self, final: Block) -> None:
        """Refuse a chain that has not come as far as the cursor, or not by this block."""
        if final.number == self.cursor.number:
            self._check_cursor(final)
            return
        head = self._client.head()
        if head.number < self.cursor.number:
            raise Unavailable(
                f"The node at {self._client.name} is at block {head.number}, and block "
                f"{self.cursor.number} has been read before.",
                "Wait until it has caught up; a node that lost its chain must get it back.",
            )
        self._check_cursor(self._client.block(self.cursor.number))

    def _check_cursor(self, block: Block) -> None:
        if block.hash != self.cursor.hash:
            raise Invalid(
                f"Block {block.number} of chain {self._client.chain_id} was {self.cursor.hash} "
                f"when it was read as final, and is {block.hash} now.",
                "What was reported from it may not stand: the chain was reorganised beyond what "
                "counts as final, or the node is on another chain. Compare it with a second node.",
            )


def _linked(headers: Sequence[Header]) -> bool:
    pairs = pairwise(headers)
    return all(later.parent == earlier.block.hash for earlier, later in pairs)
