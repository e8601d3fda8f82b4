"""Every error that danseo raises on purpose.

    DanseoError
    ├── Refused              an entry that the rules do not take; nothing changed
    │   ├── Malformed        it is not a well-formed entry at all
    │   ├── BadSignature     not signed by its author, or not in the one form allowed
    │   ├── OutOfOrder       index, time or sequence is not the next one
    │   ├── NotAllowed       this author may not do this
    │   ├── WrongPhase       not now: too early, too late, or already done
    │   ├── NotFound         it names something that is not there
    │   ├── Conflict         it contradicts what already stands
    │   └── NotCovered       it asks for more money, units or shares than there are
    ├── Unfit                a submission that a scorer cannot score
    ├── Invalid              a log, tile, blob or checkpoint that does not verify
    ├── Unavailable          something outside is missing or busy (a tool, a file, a lock)
    └── Usage                the command or its file asks for something that makes no sense

Each message says what is wrong, with which value; `remedy` says what to do next.
"""

from __future__ import annotations


class DanseoError(Exception):
    """The root of the tree. `message` says what is wrong, `remedy` what to do about it."""

    #: Exit status of the command line for this family of errors.
    status = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class Refused(DanseoError):
    """An entry that the rules do not take. The state is as it was before."""

    status = 3


class Malformed(Refused):
    """Not a well-formed entry: canonical form, fields, types, sizes or summary."""


class BadSignature(Refused):
    """Not signed by the stated author for this log, or in a second, malleable form."""


class OutOfOrder(Refused):
    """The index, the time or the author's sequence is not the next one."""


class NotAllowed(Refused):
    """The author has no right to this act."""


class WrongPhase(Refused):
    """The act has its time, and it is not now."""


class NotFound(Refused):
    """The entry names a challenge, clue, key, round or account that does not exist."""


class Conflict(Refused):
    """The entry contradicts what already stands."""


class NotCovered(Refused):
    """There is less money, fewer units or fewer shares than the entry asks for."""


class Unfit(DanseoError):
    """A submission that a scorer cannot score: its shape, type, size or content is wrong."""

    status = 4


class Invalid(DanseoError):
    """A log, tile, blob, checkpoint or bundle that does not verify.

    `index` is that of the first bad entry, or None where the fault lies in no single entry.
    """

    status = 5

    def __init__(self, message: str, remedy: str = "", index: int | None = None) -> None:
        super().__init__(message, remedy)
        self.index = index


class Unavailable(DanseoError):
    """Something outside is missing, busy or full: a tool, a file, a lock, the disk."""

    status = 6


class Usage(DanseoError):
    """The command, its arguments or its file ask for something that makes no sense."""

    status = 2
