"""What the host asks of an entry beyond the rules of `core`, before it appends it.

Every blob that it names must be stored, with what that names if it is a manifest, exact scores must
be what the scorer gives, and what an entry says of the chain must be what the host's node says:
`core` reads no blobs, runs no scorer and asks no node. `verify` asks the same of every entry.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from danseo.core.entry import Entry, blobs, parse
from danseo.core.errors import Conflict, NotAllowed, NotFound
from danseo.core.kinds.chain import Attach, Report
from danseo.core.kinds.score import PublishExact
from danseo.core.state import State
from danseo.flows.storing import names_in
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Hook

if TYPE_CHECKING:
    from danseo.chain.client import Client
    from danseo.flows.settling import Get

OpenChain = Callable[[], "AbstractContextManager[Client]"]
"""Opens the host's chain for one look."""


def hooks(store: Blobs, chain: OpenChain | None = None) -> tuple[Hook, ...]:
    """Return the rules of admission over a store of blobs; `chain` is asked what it says.

    A host without a chain takes nothing that entries say of one.
    """

    def blobs_are_stored(state: State, entry: Entry) -> None:
        for blob in blobs(parse(entry.kind, entry.body)):
            _check_stored(state, store, blob)
            for inner in names_in(store, blob):
                _check_stored(state, store, inner)

    return blobs_are_stored, exact_scores_are_right(store.get), chain_says_so(chain)


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


def chain_says_so(chain: OpenChain | None) -> Hook:
    """Return the rule that what an entry says of the chain is what the host's node says."""

    def check(state: State, entry: Entry) -> None:
        if entry.kind not in (Attach.kind, Report.kind):
            return
        if chain is None:
            raise NotAllowed(
                "This host asks no chain, so it takes no word of one.",
                "Let it be wired to a chain; DANSEO_CHAIN_URL names a node.",
            )
        from danseo.flows import deploying, observing  # late: most commands need no chain

        # First what costs nothing: nobody makes a host read its chain for what it will not take.
        parse(entry.kind, entry.body).check(state, entry)
        with chain() as client:
            if entry.kind == Attach.kind:
                deploying.check_attach(client, state, entry)
            else:
                observing.check_report(client, state, entry)

    return check
