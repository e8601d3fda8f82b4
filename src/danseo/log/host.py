"""One log, several processes: whoever holds the lock may serve the others over a local socket.

`open_log` gives the log either way: as its owner, or as a guest who hands entries to the owner. A
message is its length in four bytes, then JSON; each connection asks, and is answered, in turn.
Only the host's user can reach the socket.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, Self

import msgspec

from danseo.core import errors
from danseo.core.errors import DanseoError, Malformed, NotFound, Refused, Unavailable
from danseo.core.state import State
from danseo.log import snapshot, wire
from danseo.log.lock import Lock, holder
from danseo.log.sequencer import Appended, Hook, Result, Sequencer
from danseo.log.wire import Signed

MAX_REQUEST: Final = 2**26
"""Bytes of the longest question: about a thousand of the longest entries."""
MAX_ANSWER: Final = 2**31
POLL: Final = 0.05
"""Seconds between two looks at a lock that another process holds."""

_LENGTH: Final = 4
_GOOD: Final = b"+"
_BAD: Final = b"-"


class Log(Protocol):
    """What a command needs of a log, be it the owner's or a guest's."""

    @property
    def home(self) -> Path:
        """The host's folder: `log/` in it is public, `host/` private."""

    @property
    def state(self) -> State:
        """The folded state, to be read only."""

    def append(self, entries: Sequence[Signed]) -> list[Result]:
        """Append entries; see `Sequencer.append`."""

    def sequence_of(self, author: str, challenge: str) -> int:
        """Return the sequence number of the author's next entry in `challenge`."""

    def close(self) -> None:
        """Let go of the log."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_log(home: Path, timeout: float = 30.0, *, hooks: Sequence[Hook] = ()) -> Log:
    """Return the log in `home`: owned, or through the process that owns and serves it.

    Where another process owns it and serves nobody, wait for `timeout` seconds, then raise
    `Unavailable` with that process's id. `hooks` are for an owner; a guest's entries meet those of
    its host.
    """
    if not (home / "host" / "journal").exists():
        raise NotFound(f"There is no log in {home}.", "Make one with `danseo init`.")
    path = home / "host" / "lock"
    until = time.monotonic() + timeout
    while True:
        lock = Lock.take(path)
        if lock is not None:
            return Sequencer(home, hooks=hooks, lock=lock)
        guest = _connect(home)
        if guest is not None:
            return Guest(home, guest)
        if time.monotonic() >= until:
            raise Unavailable(
                f"The process {holder(path)} has held the log in {home} for {timeout:g} seconds.",
                "Wait for it, or end it; or let it serve others.",
            )
        time.sleep(POLL)


class Host:
    """Serves a sequencer's log to other processes, in threads of this one, until it is closed."""

    def __init__(self, sequencer: Sequencer) -> None:
        """Listen at `host/sequencer.sock`. The sequencer stays open when the host is closed."""
        self._sequencer = sequencer
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path = sequencer.host / "sequencer.sock"
        with _short(self._path) as name:
            # The lock is held, so a socket that is there belongs to a process that has died.
            self._path.unlink(missing_ok=True)
            self._socket.bind(name)
            self._path.chmod(0o600)
            self._socket.listen(64)
        self._guests: dict[socket.socket, threading.Thread] = {}
        self._thread = threading.Thread(target=self._accept, name="danseo-host", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving. An entry under way still gets into the log, unheard by its author."""
        self._path.unlink(missing_ok=True)
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        for guest, thread in list(self._guests.items()):
            with contextlib.suppress(OSError):
                guest.shutdown(socket.SHUT_RDWR)
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                guest, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(guest,), daemon=True)
            self._guests[guest] = thread
            thread.start()

    def _serve(self, guest: socket.socket) -> None:
        with guest, contextlib.suppress(OSError):
            while (question := _receive(guest, MAX_REQUEST)) is not None:
                _send(guest, self._answer(question))
        self._guests.pop(guest, None)

    def _answer(self, question: bytes) -> bytes:
        try:
            return _GOOD + self._do(msgspec.json.decode(question, type=dict[str, Any]))
        except DanseoError as error:
            return _BAD + msgspec.json.encode(_show(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            bad = Malformed(f"The question is ill-formed: {error!r}.", "Ask as `Guest` does.")
            return _BAD + msgspec.json.encode(_show(bad))

    def _do(self, ask: dict[str, Any]) -> bytes:
        verb = ask["do"]
        if verb == "append":
            entries = [wire.unpack(one.encode()) for one in ask["entries"]]
            return msgspec.json.encode([_show(one) for one in self._sequencer.append(entries)])
        if verb == "sequence":
            found = self._sequencer.sequence_of(ask["author"], ask["challenge"])
            return msgspec.json.encode(found)
        if verb == "state":
            return self._sequencer.read(snapshot.encode_state)
        raise Malformed(f"A host cannot {verb!r}.", "Ask for append, sequence or state.")


class Guest:
    """A log that another process owns: entries and questions go to it over its socket."""

    def __init__(self, home: Path, connection: socket.socket) -> None:
        """Use `open_log`, which finds out whether to be owner or guest."""
        self.home = home
        self._connection = connection
        self._mutex = threading.Lock()

    @property
    def state(self) -> State:
        """The folded state as it was when asked for."""
        return snapshot.decode_state(self._ask({"do": "state"}))

    def append(self, entries: Sequence[Signed]) -> list[Result]:
        """Hand entries to the owner; see `Sequencer.append`."""
        packed = [_pack(one) for one in entries]
        handed = [one for one in packed if isinstance(one, str)]
        answer = msgspec.json.decode(self._ask({"do": "append", "entries": handed}))
        answers = iter(answer)
        return [_result(next(answers)) if isinstance(one, str) else one for one in packed]

    def sequence_of(self, author: str, challenge: str) -> int:
        """Return the sequence number of the author's next entry in `challenge` ('' for none)."""
        question = {"do": "sequence", "author": author, "challenge": challenge}
        return msgspec.json.decode(self._ask(question), type=int)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: dict[str, Any]) -> bytes:
        try:
            with self._mutex:
                _send(self._connection, msgspec.json.encode(question))
                answer = _receive(self._connection, MAX_ANSWER)
        except OSError:
            answer = None
        if answer is None:
            raise Unavailable(
                f"The process that holds the log in {self.home} has gone.",
                "What was handed in may stand: look at the log before you repeat it.",
            )
        if answer[:1] != _GOOD:
            result = _result(msgspec.json.decode(answer[1:]))
            raise result if isinstance(result, DanseoError) else _strange(answer)
        return answer[1:]


def _connect(home: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _short(home / "host" / "sequencer.sock") as name:
            connection.connect(name)
    except OSError:
        connection.close()
        return None
    return connection


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a name of `path` that fits into a socket's address, which holds 107 bytes."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _send(peer: socket.socket, message: bytes) -> None:
    peer.sendall(len(message).to_bytes(_LENGTH, "big") + message)


def _receive(peer: socket.socket, most: int) -> bytes | None:
    """Return the next message, or None where the peer has hung up or sends too much."""
    head = _exactly(peer, _LENGTH)
    if head is None or int.from_bytes(head, "big") > most:
        return None
    return _exactly(peer, int.from_bytes(head, "big"))


def _exactly(peer: socket.socket, size: int) -> bytes | None:
    parts, left = [], size
    while left:
        part = peer.recv(min(left, 2**20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _pack(signed: Signed) -> str | DanseoError:
    try:
        return wire.pack(signed).decode()
    except Refused as refusal:
        return refusal


def _show(result: Result) -> dict[str, Any]:
    if isinstance(result, Appended):
        return {"index": result.index, "time": result.time}
    return {"error": type(result).__name__, "message": result.message, "remedy": result.remedy}


def _result(shown: dict[str, Any]) -> Result:
    if "index" in shown:
        return Appended(shown["index"], shown["time"])
    kind = getattr(errors, shown.get("error", ""), None)
    if not (isinstance(kind, type) and issubclass(kind, DanseoError)):
        raise _strange(shown)
    return kind(shown["message"], shown["remedy"])


def _strange(answer: object) -> Unavailable:
    return Unavailable(f"The host answered {answer!r:.200}.", "Use one version of danseo for both.")
