"""Begin a log, and lay an example beside it that works as it is.

The example is a toy: for each of a few numbers, say how many primes divide it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from danseo.core.entry import parse
from danseo.core.errors import Usage
from danseo.core.kinds.log import Genesis
from danseo.flows import admission, opening, spec
from danseo.flows.acting import Desk
from danseo.log import keys
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Sequencer
from danseo.log.signing import Key

NAME: Final = "example"
"""What the example's challenge is called."""
PEOPLE: Final = (
    *("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3"),
    *("juror-1", "contributor-1", "contributor-2", "donor-1"),
)
"""Whose keys an example needs: those that its file names, and who publishes and gives."""

_NUMBERS: Final = tuple(range(30, 90))
_SMALL: Final = (2, 3, 5, 7, 11, 13, 17)
_TITLE: Final = "How many primes divide each number?"
_ABOUT: Final = (
    "public.csv holds 60 whole numbers, one a line. Hand in a file with 60 lines: how many "
    "different primes divide each number. The score is the root mean squared error."
)


def check_new(
    home: Path, origin: str, chain_id: int, simulated: bool, start: int | None = None
) -> None:
    """Refuse before anything is written what could not become a log."""
    if start is not None and not simulated:
        raise Usage("Only a simulated clock starts when you say.", "Add --simulated.")
    if (home / "log" / "checkpoint").exists() or (home / "host" / "journal").exists():
        raise Usage(f"There is a log in {home} already.", "Choose another folder.")
    parse(Genesis.kind, _genesis(origin, chain_id, simulated))


def begin(
    home: Path,
    store: Blobs,
    operator: Key,
    *,
    origin: str,
    chain_id: int,
    simulated: bool,
    start: int | None = None,
) -> Sequencer:
    """Begin the log in `home` and return it, open; `start` is a simulated clock's first time."""
    check_new(home, origin, chain_id, simulated, start)
    return Sequencer.create(
        home,
        origin=origin,
        chain_id=chain_id,
        operator=operator,
        clock="simulated" if simulated else "system",
        start=start,
        hooks=admission.hooks(store),
    )


def example_people(desk: Desk, keyring: Path) -> list[str]:
    """Make a key without a password for each person of the example, and register those sealed to.

    Names that exist are left as they are.
    """
    made = []
    for name in PEOPLE:
        if name in keys.names(keyring):
            continue
        key = keys.create(keyring, name, None)
        made.append(name)
        if name.startswith(("scorer", "trustee")):
            opening.register_sealing(desk, key)
    return made


def write_example(home: Path) -> list[Path]:
    """Write a challenge's file, its public data, its truth and two guesses; keep what is there."""
    guesses = {
        "guess-1.csv": lambda n: 1 + (n % 2 == 0),
        "guess-2.csv": lambda n: max(1, sum(n % p == 0 for p in _SMALL)),
    }
    files = {
        "challenge.toml": _example_file(),
        "public.csv": _lines(_NUMBERS, lambda n: n),
        "truth.csv": _lines(_NUMBERS, _prime_divisors),
        **{name: _lines(_NUMBERS, guess) for name, guess in guesses.items()},
    }
    written = []
    for name, text in files.items():
        path = home / name
        if not path.exists():
            path.write_text(text, "utf-8")
            written.append(path)
    return written


def _example_file() -> str:
    text = spec.EXAMPLE.format(name=NAME)
    text = text.replace("Say in one line what is hard", _TITLE)
    return text.replace("What is asked, what the data is, what counts as a clue.", _ABOUT)


def _genesis(origin: str, chain_id: int, simulated: bool) -> dict[str, object]:
    clock = "simulated" if simulated else "system"
    return {"origin": origin, "chain_id": chain_id, "clock": clock, "log_key": "0" * 64}


def _lines(numbers: Sequence[int], value: Callable[[int], int]) -> str:
    return "".join(f"{value(n)}\n" for n in numbers)


def _prime_divisors(number: int) -> int:
    """Return how many different primes divide `number`."""
    found, factor = 0, 2
    while number > 1:
        if number % factor == 0:
            found += 1
            while number % factor == 0:
                number //= factor
        factor += 1
    return found
