"""Wiring, and nothing else: real logs, blobs and keys, built from the settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from danseo.core.errors import Usage
from danseo.flows import admission, storing
from danseo.flows.acting import Desk
from danseo.log import keys
from danseo.log.blobs import Blobs
from danseo.log.host import Host, open_log
from danseo.log.sequencer import Hook, Sequencer
from danseo.log.signing import Key
from danseo.log.source import FolderSource, Source
from danseo.settings import Settings

if TYPE_CHECKING:
    from danseo.chain.client import Client

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}|site:[0-9a-f]{32}")


def blobs(settings: Settings) -> Blobs:
    """Return the store of blobs: beside the log, or where the settings say."""
    url = settings.blobs or settings.home / "log" / "blobs"
    return Blobs(url, scratch=settings.home / "host" / "scratch")


def _hooks(settings: Settings, store: Blobs) -> tuple[Hook, ...]:
    return admission.hooks(store, lambda: chain(settings))


@contextmanager
def desk(settings: Settings) -> Iterator[Desk]:
    """Open the log of `settings.home` for reading and appending, and close it afterwards."""
    store = blobs(settings)
    with open_log(
        settings.home, float(settings.lock_timeout), hooks=_hooks(settings, store)
    ) as log:
        storing.tidy(log, store, settings.home / "host")
        yield Desk(log, store, settings.home / "host", settings.lang == "ko")


@contextmanager
def serving(settings: Settings) -> Iterator[Desk]:
    """Own the log and serve it to other processes of this machine until the block ends."""
    store = blobs(settings)
    with (
        Sequencer(settings.home, hooks=_hooks(settings, store)) as log,
        Host(log),
    ):
        storing.tidy(log, store, settings.home / "host")
        yield Desk(log, store, settings.home / "host", settings.lang == "ko")


@contextmanager
def chain(settings: Settings, now: int | None = None) -> Iterator[Client]:
    """Open the chain that the settings name, and close it afterwards.

    That is the node of `chain_url`, else the one that was started in the home, else the chain
    within this process, which begins at the time `now` where there is none yet.
    """
    from danseo.chain import anvil, embedded  # late: most commands need no chain
    from danseo.chain.client import Client

    running = None if settings.chain_url else anvil.status(node_folder(settings))
    url = settings.chain_url or (running.url if running else "")
    if url:
        yield Client.at(url, settings.confirmations)
        return
    with embedded.open_chain(chain_folder(settings), now) as own:
        yield Client.on(own)


@contextmanager
def reader_chain(settings: Settings, where: str, place: str) -> Iterator[Client | None]:
    """Open the chain that a reader checks the log at `place` against; None where there is none.

    `where` is a node's URL, or the folder of an embedded chain; empty, it is the node that the
    settings name, else that of the home at `place`, or whose log lies there: one that was started
    there, or its embedded chain.
    """
    from danseo.chain import anvil, embedded  # light: what takes long loads when it is used
    from danseo.chain.client import Client

    homes = (Path(place), Path(place).parent)
    host = next((h / "host" for h in homes if (h / "log").is_dir()), homes[1] / "host")
    where = where or settings.chain_url
    if not where and (running := anvil.status(host / "anvil")):
        where = running.url
    if not where and (host / "chain").is_dir():
        where = str(host / "chain")
    if not where:
        yield None
        return

    if where.startswith(("http://", "https://")):
        yield Client.at(where, settings.confirmations)
        return
    if not Path(where).is_dir():
        raise Usage(f"There is no chain at {where}.", "Give a node's URL, or the chain's folder.")
    with embedded.open_chain(Path(where)) as own:
        yield Client.on(own)


def chain_folder(settings: Settings) -> Path:
    """Return the folder of the chain within this process."""
    return settings.home / "host" / "chain"


def node_folder(settings: Settings) -> Path:
    """Return the folder of the node that `danseo chain up` starts."""
    return settings.home / "host" / "anvil"


def source(settings: Settings) -> Source:
    """Return the public side of the log of `settings.home`, as any reader finds it."""
    store = blobs(settings) if settings.blobs else None
    return FolderSource(settings.home / "log", store)


def keyring(settings: Settings) -> Path:
    """Return the folder of people's keys."""
    return settings.home / "keys"


def load_key(settings: Settings, name: str, ask: Callable[[str], str]) -> Key:
    """Return the key called `name`, or that of the settings; `ask` gets a password."""
    name = name or settings.key
    if not name:
        have = ", ".join(keys.names(keyring(settings))) or "none yet: `danseo key new NAME`"
        raise Usage("No key was chosen to act with.", f"Say --key NAME; there are {have}.")
    password = None
    if keys.show(keyring(settings), name).encrypted:
        password = saved_password(settings) or ask(name)
    return keys.load(keyring(settings), name, password)


def saved_password(settings: Settings) -> str | None:
    """Return the first line of the password's file, or None where the settings name no file."""
    path = settings.password_file
    if path is None:
        return None
    try:
        return path.read_text("utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        raise Usage(f"{path} holds no password.", "Its first line must be the password.") from None


def address_of(settings: Settings, who: str) -> str:
    """Return an address as it stands, or that of the key of this name."""
    if _ADDRESS.fullmatch(who):
        return who.lower()
    return keys.show(keyring(settings), who).address


def name_of(settings: Settings) -> Callable[[str], str]:
    """Return a function that calls an address by the name of its key here, where there is one."""
    folder = keyring(settings)
    known = {keys.show(folder, name).address: name for name in keys.names(folder)}
    return lambda address: known.get(address, address)
