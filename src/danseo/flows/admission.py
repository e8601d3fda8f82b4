"""What the host asks of an entry beyond the rules of `core`, before it appends it.

Every blob that it names must be stored, and exact scores must be what the scorer gives: `core`
reads no blobs and runs no scorer. `verify` asks the same of every entry.
"""

from __future__ import annotations

from danseo.core.entry import Entry, blobs, parse
from danseo.core.errors import Conflict, NotFound
from danseo.core.kinds.score import PublishExact
from danseo.core.state import State
from danseo.flows.settling import wrong_exact
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Hook


def hooks(store: Blobs) -> tuple[Hook, ...]:
    """Return the rules of admission over a store of blobs."""

    def blobs_are_stored(state: State, entry: Entry) -> None:
        for blob in blobs(parse(entry.kind, entry.body)):
            if blob not in state.withheld and not store.has(blob):
                raise NotFound(f"The blob {blob} is not stored here.", "Store it first.")

    def exact_scores_are_right(state: State, entry: Entry) -> None:
        body = parse(entry.kind, entry.body)
        if isinstance(body, PublishExact):
            challenge = state.challenge(entry.challenge)
            unknown = [s.clue for s in body.scores if s.clue not in challenge.clues]
            if (
                challenge.key
                and not unknown
                and (wrong := wrong_exact(store, challenge, body.scores))
            ):
                raise Conflict(wrong, "Publish what the scorer gives on the released truth.")

    return blobs_are_stored, exact_scores_are_right
