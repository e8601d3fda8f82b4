"""The sequencer: the one process that appends to a log and holds its folded state.

A group of entries is admitted one by one (signature, rules, hooks), then written to the journal
and fsynced; then come the public tiles, then the checkpoint, renamed into place. Only then does
anyone hear that their entries stand. That is one fsync a group: tiles and checkpoint follow from
the journal, byte for byte, and are made again from it after a crash. Threads that append at the
same time share a group.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from danseo.core.entry import Entry, parse
from danseo.core.errors import DanseoError, Invalid, NotFound, Refused, Unavailable, Usage
from danseo.core.merkle import EMPTY, leaf_hash
from danseo.core.state import SIMULATED, State, apply
from danseo.log import keys, note, signing, snapshot, tiles, wire
from danseo.log.files import sync_folders, write_file
from danseo.log.journal import Journal
from danseo.log.lock import Lock, holder
from danseo.log.signing import Domain, Key
from danseo.log.snapshot import Snapshot
from danseo.log.tiles import TileWriter
from danseo.log.wire import Signed

Hook = Callable[[State, Entry], None]
"""A further rule for admission: it raises a `Refused`, and writes nothing."""

_T = TypeVar("_T")

SETTLE: Final = 4096
"""Entries in the journal before they are settled: tiles fsynced, state saved, journal emptied."""
MOST: Final = 16_384
"""The same for a large log, whose state takes longer to save: an eighth of it, at most this."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where an entry stands in the log, and since when."""

    index: int
    time: int


Result = Appended | DanseoError
"""Where an entry stands, or why it does not: a `Refused`, or what kept a hook from judging it."""


@dataclass(slots=True)
class _Ticket:
    """What one caller handed in, and what became of it."""

    entries: Sequence[Signed]
    results: list[Result] = field(default_factory=list)
    error: BaseException | None = None
    done: bool = False


class Sequencer:
    """The owner of the log in `home`: `home/log` is public, `home/host` is private."""

    def __init__(
        self,
        home: Path,
        *,
        hooks: Sequence[Hook] = (),
        clock: Callable[[], float] = time.time,
        settle: int = SETTLE,
        lock: Lock | None = None,
    ) -> None:
        """Open the log, mending what a crash left behind.

        `clock` gives seconds since 1970, `settle` is the length of a journal that is settled.
        Raise `NotFound` where there is no log, `Unavailable` where another process holds it, and
        `Invalid` where what is published does not follow from the journal.
        """
        self.home, self.folder, self.host = home, home / "log", home / "host"
        self._hooks, self._clock, self._settle = tuple(hooks), clock, settle
        self._waiting: deque[_Ticket] = deque()
        self._mutex = threading.RLock()
        self._journal: Journal
        self._tiles: TileWriter
        self._root: bytes
        self._state: State
        self._domain: Domain
        self._signer: note.Signer | None = None
        self._signer_of = ""
        # `stale`: what is in memory is not what is on the disk. `behind`: what is public is not
        # all that the journal holds.
        self._stale = self._behind = True
        self._closed = False
        if not (self.host / "journal").exists():
            raise NotFound(f"There is no log in {home}.", "Make one with `danseo init`.")
        self._lock = lock or take_lock(home)
        try:
            self._load()
            with contextlib.suppress(Unavailable):
                # On a full disk a log can be read. The next append tries again, or says why not.
                self._catch_up()
        except OSError as error:
            self._lock.release()
            raise _full(error, home) from None
        except BaseException:
            self._lock.release()
            raise

    @classmethod
    def create(
        cls,
        home: Path,
        *,
        origin: str,
        chain_id: int,
        operator: Key,
        clock: str = "system",
        site: str = "",
        start: int | None = None,
        now: Callable[[], float] = time.time,
        hooks: Sequence[Hook] = (),
        settle: int = SETTLE,
    ) -> Self:
        """Begin a log in `home`, operated by `operator`, and return its open sequencer.

        `clock` is "system" or "simulated", `start` the time of the genesis entry (by default that
        of `now`), `site` the address that signs for people without a wallet. Raise `Usage` where
        there is a log already. A creation that a crash cut short can be repeated.
        """
        host = home / "host"
        try:
            host.mkdir(mode=0o700, parents=True, exist_ok=True)
            (home / "log").mkdir(exist_ok=True)
            sync_folders([home, home.parent])
        except OSError as error:
            raise _full(error, home) from None
        lock = take_lock(home)
        try:
            _check_unused(home)
            public = keys.first_log_key(host)
            body: dict[str, Any] = {
                "origin": origin,
                "chain_id": chain_id,
                "clock": clock,
                "log_key": public,
            }
            if site:
                body["site"] = site
            summary = parse("log.genesis", body).summaries()[0]
            domain = Domain(chain_id, origin)
            genesis = signing.sign_entry(operator, domain, "log.genesis", "", 0, body, summary)
            leaf = wire.wrap(0, int(now()) if start is None else start, genesis)
            apply(State(), wire.unwrap(leaf)[0])
            journal = Journal.create(host / "journal", 0, EMPTY)
            try:
                journal.append([leaf])
            finally:
                journal.close()
        except OSError as error:
            lock.release()
            raise _full(error, home) from None
        except BaseException:
            lock.release()
            raise
        return cls(home, hooks=hooks, clock=now, settle=settle, lock=lock)

    @property
    def state(self) -> State:
        """The folded state. It goes on changing with the log: read it, never write to it."""
        with self._mutex:
            if self._stale:
                self._load()
            return self._state

    def read(self, question: Callable[[State], _T]) -> _T:
        """Return the answer of `question` to the state, during which nobody else appends."""
        with self._mutex:
            return question(self.state)

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.state.size

    @property
    def root(self) -> bytes:
        """The root over all entries: what the checkpoint states."""
        with self._mutex:
            return self._root

    def sequence_of(self, author: str, challenge: str) -> int:
        """Return the sequence number of the author's next entry in `challenge` ('' for none)."""
        return self.state.next_sequence(author, challenge)

    def append(self, entries: Sequence[Signed]) -> list[Result]:
        """Append `entries` in order; return for each where it stands, or why it was refused.

        A refused entry never stands in the way of others. When this returns, the entries are
        durable and the published checkpoint covers them. Raise `Unavailable` where the disk does
        not take them: then none of them is in the log, and it can be tried again.
        """
        ticket = _Ticket(entries)
        self._waiting.append(ticket)
        with self._mutex:
            if not ticket.done:
                group = [self._waiting.popleft() for _ in range(len(self._waiting))]
                self._commit(group)
        if ticket.error is not None:
            raise ticket.error
        return ticket.results

    def close(self) -> None:
        """Release the log. What was appended is safe already."""
        with self._mutex:
            if not self._closed:
                self._closed = True
                self._journal.close()
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- appending ------------------------------------------------------------------------------

    def _commit(self, group: Sequence[_Ticket]) -> None:
        """Admit, write and publish what a group of callers handed in."""
        end = size = -1
        try:
            self._make_ready()
            end, size = self._journal.end, self.size
            leaves: list[bytes] = []
            for ticket in group:
                ticket.results = [self._admit(signed, leaves) for signed in ticket.entries]
            if leaves:
                self._journal.append(leaves)
                self._tiles.append(leaves)
                self._publish()
        except BaseException as error:  # noqa: BLE001 - each caller of the group raises it
            failure = _full(error, self.home) if isinstance(error, OSError) else error
            for ticket in group:
                ticket.error = failure
            if end >= 0:
                self._undo(end, size)
        finally:
            for ticket in group:
                ticket.done = True

    def _make_ready(self) -> None:
        """Mend what the last failure left, and settle a journal that has grown long."""
        if self._closed:
            raise Unavailable(f"The log in {self.home} was closed.", "Open it again.")
        if self._stale:
            self._load()
        if self._behind:
            self._catch_up()
        held = len(self._journal.leaves)
        if held >= max(self._settle, min(self.size // 8, MOST)):
            self._settle_journal()

    def _admit(self, signed: Signed, leaves: list[bytes]) -> Result:
        """Fold one entry into the state and add its leaf, or return why not."""
        state = self._state
        try:
            leaf, entry, signature, body_hash = wire.enter(
                state.size, self._time_of(signed), signed
            )
            signing.check(self._domain, entry, body_hash, signature, state.site)
            if entry.kind == "log.key":
                keys.load_log_key(self.host, entry.body.get("log_key", ""))
            for hook in self._hooks:
                hook(state, entry)
        except DanseoError as reason:
            return reason
        try:
            apply(state, entry)
        except Refused as refusal:
            return refusal
        leaves.append(leaf)
        return Appended(entry.index, entry.time)

    def _time_of(self, signed: Signed) -> int:
        """Return the time that an entry gets: it never goes back, whatever the clock does."""
        now = self._state.now
        if self._state.clock != SIMULATED:
            return max(now, int(self._clock()))
        body = signed.body
        to = body.get("to") if signed.kind == "clock.advance" and isinstance(body, dict) else None
        return to if type(to) is int and to > now else now

    def _publish(self) -> None:
        """Put a signed checkpoint of the present tree in place."""
        root = self._tiles.root
        checkpoint = note.Checkpoint(self._state.origin, self._tiles.size, root)
        if self._signer is None or self._signer_of != self._state.log_key:
            seed = keys.load_log_key(self.host, self._state.log_key)
            self._signer = note.Signer(self._state.origin, seed)
            self._signer_of = self._state.log_key
        content = checkpoint.sign(self._signer)
        write_file(self.folder / tiles.CHECKPOINT, content, self.host / "scratch", durable=False)
        self._root = root

    def _undo(self, end: int, size: int) -> None:
        """Take back a group that failed half-way: the log is again as it was, of `size` entries.

        What a published checkpoint covers stands, whatever went wrong after it.
        """
        self._stale = True
        with contextlib.suppress(OSError, DanseoError):  # the next append tries it again
            published = self._published()
            if published is None or published.size <= size:
                self._journal.cut(end)
            self._journal.close()
            self._load()

    # --- opening --------------------------------------------------------------------------------

    def _load(self) -> None:
        """Read journal, tiles and snapshot, and fold the state. Writes nothing public."""
        self._stale = self._behind = True
        journal = Journal(self.host / "journal")
        try:
            saved = snapshot.read(self.host / "snapshot")
            published = self._published()
            sizes = [s.size for s in (saved, published) if s is not None]
            roots = self._roots(journal, sizes)
            _check_published(published, journal, roots, self.folder)
            self._state = self._fold(journal, saved if _fits(saved, roots) else None)
        except BaseException:
            journal.close()
            raise
        self._domain = Domain(self._state.chain_id, self._state.origin)
        self._journal, self._stale = journal, False

    def _roots(self, journal: Journal, sizes: Sequence[int]) -> dict[int, bytes]:
        """Return the log's roots at its base and at those of `sizes` that the journal reaches."""
        tree = self._writer(journal.base).tree()
        roots = {tree.size: tree.root()}
        for leaf in journal.leaves:
            tree.append(leaf_hash(leaf))
            if tree.size in sizes:
                roots[tree.size] = tree.root()
        self._root = tree.root()
        return roots

    def _published(self) -> note.Checkpoint | None:
        """Return what the checkpoint in place says, or None where there is none to read.

        A power cut can leave it empty, for it is not fsynced: it follows from the journal.
        """
        try:
            content = (self.folder / tiles.CHECKPOINT).read_bytes()
            return note.parse_checkpoint(note.parse_note(content).text)
        except (FileNotFoundError, Invalid):
            return None

    def _fold(self, journal: Journal, saved: Snapshot | None) -> State:
        state = saved.state if saved else State()
        for leaf in self._leaves(journal, state.size):
            index = state.size
            try:
                apply(state, wire.entry_of(leaf))
            except Refused as refusal:
                raise Invalid(
                    f"The rules refuse entry {index} of the log: {refusal.message}",
                    "Open it with the version of danseo that wrote it.",
                    index,
                ) from None
        return state

    def _leaves(self, journal: Journal, start: int) -> Iterator[bytes]:
        """Yield the leaves from `start` on: first from the tiles, then from the journal."""
        for number in range(start >> 8, -(-journal.base // tiles.WIDTH)):
            width = min(tiles.WIDTH, journal.base - (number << 8))
            bundle = tiles.Tile(tiles.ENTRIES, number, width)
            leaves = tiles.decode_bundle(tiles.read_tile(self.folder, bundle), bundle)
            yield from leaves[max(0, start - (number << 8)) :]
        yield from journal.leaves[max(0, start - journal.base) :]

    def _writer(self, size: int, *, durable: bool = False) -> TileWriter:
        return TileWriter(self.folder, size, scratch=self.host / "scratch", durable=durable)

    def _catch_up(self) -> None:
        """Publish what the journal holds: tiles and checkpoint as if nothing had happened."""
        try:
            self._tiles = self._writer(self._journal.base)
            self._tiles.append(self._journal.leaves)
            tiles.clean(self.folder, self._journal.base, self._tiles.size)
            self._publish()
        except OSError as error:
            raise _full(error, self.home) from None
        self._behind = False

    def _settle_journal(self) -> None:
        """Fsync the tiles of what the journal holds, save the state, and begin a new journal.

        A disk that does not take it costs nothing but time: the journal still holds everything.
        """
        old = self._journal
        try:
            settled = self._writer(old.base, durable=True)
            settled.append(old.leaves)
            if settled.root != self._root:
                raise _disagree(f"the first {old.base} entries", self.folder)
            snapshot.write(self.host / "snapshot", Snapshot(self.size, settled.root, self._state))
            self._journal = Journal.create(self.host / "journal", self.size, settled.root)
        except OSError:
            self._settle = len(old.leaves) + SETTLE
            return
        old.close()
        self._tiles = self._writer(self.size)


def take_lock(home: Path) -> Lock:
    """Return the lock of the log in `home`; raise `Unavailable` where another process holds it."""
    path = home / "host" / "lock"
    lock = Lock.take(path)
    if lock is None:
        raise Unavailable(
            f"The process {holder(path)} holds the log in {home}.", "Wait for it, or end it."
        )
    return lock


def _check_unused(home: Path) -> None:
    journal = home / "host" / "journal"
    begun = False
    if journal.exists():
        held = Journal(journal)
        begun = bool(held.base or held.leaves)
        held.close()
    if begun or (home / "log" / tiles.CHECKPOINT).exists():
        raise Usage(f"There is a log in {home} already.", "Choose another folder.")


def _fits(saved: Snapshot | None, roots: dict[int, bytes]) -> bool:
    return saved is not None and roots.get(saved.size) == saved.root


def _check_published(
    published: note.Checkpoint | None, journal: Journal, roots: dict[int, bytes], folder: Path
) -> None:
    """Raise `Invalid` where what is public does not follow from the journal, and vice versa."""
    end = journal.base + len(journal.leaves)
    if not end:
        raise NotFound(f"The log of {folder} was never begun.", "Repeat `danseo init`.")
    if roots[journal.base] != journal.base_root:
        raise _disagree(f"the first {journal.base} entries", folder)
    if published is None:
        return
    if published.size > end:
        raise Invalid(
            f"The checkpoint in {folder} has {published.size} entries, the journal ends at {end}.",
            f"Entries are lost: bring {journal.path.parent} back as it was last.",
        )
    if roots.get(published.size, published.root) != published.root:
        raise _disagree(f"the {published.size} entries of the checkpoint", folder)


def _disagree(what: str, folder: Path) -> Invalid:
    return Invalid(
        f"The tiles in {folder} do not follow from the journal: {what} differ.",
        "Restore both from one backup. Do not append to either.",
    )


def _full(error: OSError, home: Path) -> Unavailable:
    return Unavailable(
        f"The disk does not take the log in {home}: {error.strerror or error}.",
        "Nothing was appended. Make room or mend it, and try again.",
    )
