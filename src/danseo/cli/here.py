"""Where a command acts: the home, the key in whose name, and what people are called here."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from danseo import app as wiring
from danseo import settings as configuration
from danseo.core.errors import DanseoError, NotAllowed, Unavailable, Usage
from danseo.flows.acting import Desk
from danseo.log import keys
from danseo.log.sequencer import Appended
from danseo.log.signing import Key, checksummed
from danseo.settings import Settings

_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Here:
    """An open log, and who acts on it. `name_of` calls an address by the name of its key here."""

    settings: Settings
    desk: Desk
    name_of: Callable[[str], str]

    def key(self, default: str = "") -> Key:
        """Return the key that was chosen, or the one here that speaks for `default`."""
        name = self.settings.key or next(iter(self._names_for([default])), "")
        return wiring.load_key(self.settings, name, ask_password)

    def key_called(self, name: str) -> Key:
        """Return the key of this name."""
        return wiring.load_key(self.settings, name, ask_password)

    def everyone(self, people: Iterable[str], role: str) -> list[Key]:
        """Return every key here that speaks for one of `people`."""
        found = self._names_for(people)
        if not found:
            raise NotAllowed(f"No key here is that of a {role}.", "Say --key NAME.")
        return [self.key_called(name) for name in found]

    def address(self, who: str) -> str:
        """Return the identity of a key's name, or of an address."""
        return self.desk.state.identity(wiring.address_of(self.settings, who))

    def organiser(self) -> str:
        """Return whom an opening is checked for: the chosen key's owner, or the operator."""
        if self.settings.key:
            return self.address(self.settings.key)
        return self.desk.state.operator

    def who(self, address: str) -> str:
        """Return what to call a person: the name of their key here, or a shortened address."""
        return called(self.name_of, address)

    def people(self, text: str) -> str:
        """Return a text with every address in it called by name."""
        return _ADDRESS.sub(lambda found: self.who(found[0]), text)

    def _names_for(self, people: Iterable[str]) -> list[str]:
        wanted, folder = set(people), wiring.keyring(self.settings)
        state = self.desk.state
        found = {n: keys.show(folder, n).address for n in keys.names(folder)}
        return [
            name
            for name, address in found.items()
            if state.identity(address) in wanted and address not in state.retired
        ]


@contextmanager
def here(
    home: str | None = None, key: str | None = None, lang: str | None = None
) -> Iterator[Here]:
    """Open the log that the options and settings name."""
    settings = chosen(home, key, lang)
    with wiring.desk(settings) as desk:
        yield Here(settings, desk, wiring.name_of(settings))


def chosen(home: str | None = None, key: str | None = None, lang: str | None = None) -> Settings:
    """Return the settings, with the options of this command before the environment."""
    options = {"DANSEO_HOME": home, "DANSEO_KEY": key, "DANSEO_LANG": lang}
    return configuration.load(given={k: v for k, v in options.items() if v is not None})


def called(name_of: Callable[[str], str], address: str) -> str:
    """Return a person's name here, or the address shortened so that it still can be compared."""
    name = name_of(address)
    if name != address or not _ADDRESS.fullmatch(address):
        return name if len(name) < 42 else f"{name[:13]}..."
    full = checksummed(address)
    return f"{full[:8]}..{full[-4:]}"


def named(text: str, home: str | None = None) -> str:
    """Return a text with every address of a key here called by its name, others as they stand."""
    if not _ADDRESS.search(text):
        return text
    try:
        name_of = wiring.name_of(chosen(home))
    except (DanseoError, OSError):  # what went wrong is said already
        return text
    return _ADDRESS.sub(lambda found: name_of(found[0]), text)


def ask_password(name: str) -> str:
    """Ask for a key's password without showing it."""
    import getpass

    if not sys.stdin.isatty():
        raise Unavailable(
            f"The key {name!r} is encrypted, and nobody can be asked for its password.",
            "Put the password into a file and name that in DANSEO_PASSWORD_FILE.",
        )
    return getpass.getpass(f"Password of the key {name}: ")


def new_password(settings: Settings, name: str, none: bool) -> str | None:
    """Return the password for a new key, or None where its owner wants none."""
    if none:
        return None
    if (saved := wiring.saved_password(settings)) is not None:
        return saved
    password = ask_password(name)
    if ask_password(f"{name}, again") != password:
        raise Usage("The two passwords differ.", "Try again.")
    return password


def receipt(entry: Appended) -> dict[str, int]:
    """Return where an entry stands, for JSON."""
    return {"entry": entry.index, "time": entry.time}
