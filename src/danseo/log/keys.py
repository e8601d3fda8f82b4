"""The keystore: people's keys, one file a name, and the log's own key.

A file is an Ethereum keyfile (version 3, scrypt), which any wallet reads; or, where its owner
chose no password, plain JSON. Either is readable by its owner alone and is never overwritten.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nacl.signing import SigningKey

from danseo.core.errors import Malformed, NotFound, Unavailable, Usage
from danseo.log.files import sync_folders, write_all
from danseo.log.sealing import SealingKey
from danseo.log.signing import Key

SCRYPT_N: Final = 2**18
"""The work to try one password: as much as Ethereum wallets ask, about a second."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_PLAIN: Final = "danseo-plain-1"
_LOG_KEY: Final = "log.key"


@dataclass(frozen=True, slots=True)
class Card:
    """What a key file shows without its password.

    `sealing` is the X25519 public key in hex. `encrypted` says whether loading takes a password.
    """

    name: str
    address: str
    sealing: str
    encrypted: bool


def create(folder: Path, name: str, password: str | None, *, work: int = SCRYPT_N) -> Key:
    """Make a new key called `name`, encrypted under `password`, and return it.

    With None as password the file is *not* encrypted: only for demonstrations and tests, or
    where the disk is. `work` is scrypt's n. Raise `Usage` where the name is taken.
    """
    key = Key.random()
    _save(folder, name, key, password, work)
    return key


def load(folder: Path, name: str, password: str | None = None) -> Key:
    """Return the key called `name`; raise `NotFound`, or `Usage` where the password is wrong."""
    return _open(_read(_path(folder, name), name), name, password)


def show(folder: Path, name: str) -> Card:
    """Return what the key file called `name` tells without its password."""
    file = _read(_path(folder, name), name)
    return Card(name, f"0x{file['address']}", file.get("sealing", ""), "crypto" in file)


def names(folder: Path) -> list[str]:
    """Return the names of the keys in `folder`, in order; none where there is no folder."""
    found = (path.stem for path in folder.glob("*.json"))
    return sorted(name for name in found if _NAME.fullmatch(name))


def backup(folder: Path, name: str, to: Path) -> Path:
    """Copy the key file called `name` to `to` (a new file, or a folder) and return where it is.

    An encrypted key stays encrypted. The one file also gives back the sealing key.
    """
    source = _path(folder, name)
    _read(source, name)
    target = to / source.name if to.is_dir() else to
    write_private(target, source.read_bytes())
    return target


def restore(
    folder: Path, name: str, source: Path, password: str | None, *, work: int = SCRYPT_N
) -> Key:
    """Take up an existing key file (a backup, or a wallet's keyfile) as `name` and return its key.

    It is stored under the same password. Raise `Usage` where the name is taken.
    """
    key = _open(_read(source, name), name, password)
    _save(folder, name, key, password, work)
    return key


def is_encrypted(source: Path, name: str) -> bool:
    """Return whether restoring `name` from this key file takes a password."""
    return "crypto" in _read(source, name)


def create_log_key(host: Path) -> str:
    """Make an Ed25519 key for the log in the host's folder; return its public half in hex.

    The first is `log.key`. A later one signs once an entry `log.key` names it.
    """
    seed = secrets.token_bytes(32)
    public = _public(seed)
    path = host / _LOG_KEY
    if path.exists():
        path = host / f"{_LOG_KEY}.{public[:16]}"
    write_private(path, seed.hex().encode() + b"\n")
    return public


def first_log_key(host: Path) -> str:
    """Return the public half of the log's first key, made on first use."""
    path = host / _LOG_KEY
    return _public(_read_seed(path)) if path.exists() else create_log_key(host)


def load_log_key(host: Path, public: str) -> bytes:
    """Return the 32-byte seed of the log's key that has this public half, or raise `NotFound`."""
    for path in sorted(host.glob(f"{_LOG_KEY}*")):
        seed = _read_seed(path)
        if _public(seed) == public:
            return seed
    raise NotFound(
        f"{host} holds no log key {public!r}.",
        "Make one there before the log names it, or bring it back from a backup.",
    )


def _public(seed: bytes) -> str:
    return bytes(SigningKey(seed).verify_key).hex()


def _read_seed(path: Path) -> bytes:
    try:
        seed = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        seed = b""
    if len(seed) != 32:
        raise Malformed(f"{path} is no log key.", "It must hold 64 hex digits: use a backup.")
    return seed


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that its owner alone can read, whole or not at all, and fsync it.

    Raise `Usage` where the file exists and `Unavailable` where it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
            _link(draft, path)
        finally:
            os.close(descriptor)
            draft.unlink()
        sync_folders([path.parent])
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be written: {error.strerror}.", "Make room there."
        ) from None


def _link(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)  # unlike a rename, a link replaces nothing
    except FileExistsError:
        raise Usage(f"{path} exists.", "Choose another name, or move the file away.") from None


def _path(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise Usage(
            f"{name!r} is no name for a key.",
            "Use 1 to 64 of a-z, 0-9 and -, beginning and ending with a letter or digit.",
        )
    return folder / f"{name}.json"


def _save(folder: Path, name: str, key: Key, password: str | None, work: int) -> None:
    path = _path(folder, name)
    if path.exists():  # before scrypt's second of work; write_private makes sure
        raise Usage(f"There is a key called {name!r} already.", "Choose another name.")
    file: dict[str, Any]
    if password is None:
        file = {"version": _PLAIN, "address": key.address[2:], "secret": key.secret.hex()}
    elif not password:
        raise Usage("The password is empty.", "Choose one, or say that you want none.")
    else:
        import eth_keyfile  # late: it takes seconds to import, and plain commands need none of it

        file = eth_keyfile.create_keyfile_json(
            key.secret, password.encode(), kdf="scrypt", iterations=work, salt_size=32
        )
        file["address"] = key.address[2:]
    file["sealing"] = SealingKey(key).public
    write_private(path, json.dumps(file, indent=2).encode() + b"\n")


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        file = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        have = ", ".join(names(path.parent)) or "none"
        raise NotFound(
            f"There is no key called {name!r} at {path}.", f"The keys there are: {have}."
        ) from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}.", "") from None
    except ValueError:
        file = None
    if isinstance(file, dict) and isinstance(file.get("address"), str):
        file["address"] = file["address"].lower().removeprefix("0x")
        if file.get("version") == _PLAIN or (file.get("version") == 3 and "crypto" in file):
            return file
    raise Malformed(f"{path} is no key file.", "Use an Ethereum keyfile of version 3.")


def _open(file: dict[str, Any], name: str, password: str | None) -> Key:
    if "crypto" not in file:
        key = Key(_hex(file.get("secret"), name))
    elif password is None:
        raise Usage(f"The key {name!r} is encrypted.", "Give its password.")
    else:
        key = Key(_decrypt(file, name, password))
    if key.address != f"0x{file['address']}":
        raise Malformed(
            f"The key {name!r} is not that of 0x{file['address']}.", "The file was damaged."
        )
    return key


def _decrypt(file: dict[str, Any], name: str, password: str) -> bytes:
    import eth_keyfile  # late, as above

    try:
        return bytes(eth_keyfile.decode_keyfile_json(file, password.encode()))
    except ValueError as error:
        if "MAC" in str(error):
            raise Usage(f"The password of the key {name!r} is wrong.", "Try again.") from None
        raise Malformed(f"The key {name!r} does not open: {error}.", "Use a backup.") from None
    except (KeyError, TypeError, NotImplementedError) as error:
        raise Malformed(f"The key {name!r} does not open: {error!r}.", "Use a backup.") from None


def _hex(value: Any, name: str) -> bytes:
    with contextlib.suppress(ValueError, TypeError):
        return bytes.fromhex(value)
    raise Malformed(f"The key {name!r} holds no secret in hex.", "The file was damaged.")
