"""What a log's operator does: move a simulated clock, change its key, withhold a blob."""

from __future__ import annotations

from pathlib import Path

from danseo.core.errors import NotAllowed, NotFound
from danseo.core.kinds.log import AdvanceClock, RotateLogKey, Withhold
from danseo.flows import reading, storing
from danseo.flows.acting import Desk
from danseo.log import keys
from danseo.log.sequencer import Appended
from danseo.log.signing import Key
from danseo.log.source import FolderSource


def advance_clock(desk: Desk, key: Key, to: int) -> Appended:
    """Move a simulated clock to the time `to`."""
    return desk.say(key, AdvanceClock(to))


def rotate_log_key(desk: Desk, key: Key, host: Path) -> tuple[Appended, str]:
    """Make a new key that signs checkpoints from now on; return also its public half."""
    _check_operator(desk, key)
    public = keys.create_log_key(host)
    return desk.say(key, RotateLogKey(public)), public


def withhold(desk: Desk, key: Key, blob: str, reason: str) -> Appended:
    """Say in public that a blob is no longer served and why; then delete it from the store.

    With a manifest go the files that it alone names. Where a crash came between the entry and the
    deletion, repeating it deletes.
    """
    _check_operator(desk, key)
    if not desk.blobs.has(blob):
        raise NotFound(f"The blob {blob} is not stored here.", "`danseo clue show` lists a clue's.")
    folder = desk.log.home / "log"
    if (index := desk.state.withheld.get(blob)) is None:
        with desk.storing() as store:
            entry = desk.say(key, Withhold(blob, store.put(reason.encode())))
    else:
        (said,) = reading.entries(FolderSource(folder), index, index + 1)
        entry = Appended(index, said.time)
    if alone := set(storing.names_in(desk.blobs, blob)):
        for name in alone - storing.named(folder, desk.blobs, without=blob):
            desk.blobs.delete(name)
    desk.blobs.delete(blob)
    return entry


def _check_operator(desk: Desk, key: Key) -> None:
    """Refuse others before anything is written; the site's key may withhold as well."""
    who = desk.state.identity(key.address)
    if who not in (desk.state.operator, desk.state.site):
        raise NotAllowed(
            f"{key.address} does not operate this log.", f"Its operator is {desk.state.operator}."
        )
