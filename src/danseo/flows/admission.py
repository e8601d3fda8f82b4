"""What the host asks of an entry beyond the rules of `core`, before it appends it.

Every blob that it names must be stored, with what that names if it is a manifest, and exact scores
must be what the scorer gives: `core` reads no blobs and runs no scorer. `verify` asks the same of
every entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from danseo.core.entry import Entry, blobs, parse
from danseo.core.errors import Conflict, NotFound
from danseo.core.kinds.score import PublishExact
from danseo.core.state import State
from danseo.flows.storing import names_in
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Hook

if TYPE_CHECKING:
    from danseo.flows.settling import Get


def hooks(store: Blobs) -> tuple[Hook, ...]:
    """Return the rules of admission over a store of blobs."""

    def blobs_are_stored(state: State, entry: Entry) -> None:
        for blob in blobs(parse(entry.kind, entry.body)):
            _check_stored(state, store, blob)
            for inner in names_in(store, blob):
                _check_stored(state, store, inner)

    return blobs_are_stored, exact_scores_are_right(store.get)


def _check_stored(state: State, store: Blobs, blob: str) -> None:
    if blob in state.withheld:
        raise Conflict(
            f"The blob {blob} is withheld since entry {state.withheld[blob]}.",
            "What had to go does not come back: name another.",
        )
    if not store.has(blob):
        raise NotFound(f"The blob {blob} is not stored here.", "Store it first.")


def exact_scores_are_right(get: Get) -> Hook:
    """Return the rule that exact scores are what the scorer gives, reading blobs by `get`."""

    def check(state: State, entry: Entry) -> None:
        if entry.kind == PublishExact.kind:
            check_exact(get, state, entry)

    return check


def check_exact(get: Get, state: State, entry: Entry) -> None:
    """Raise `Conflict` where an entry states exact scores that the scorer does not give."""
    from danseo.flows.settling import wrong_exact  # late: most commands run no scorer

    body = parse(entry.kind, entry.body)
    challenge = state.challenge(entry.challenge)
    if isinstance(body, PublishExact) and challenge.key:
        stated = [s for s in body.scores if s.clue in challenge.clues]
        if wrong := wrong_exact(get, challenge, stated, state.withheld):
            raise Conflict(wrong, "Publish what the scorer gives on the released truth.")
