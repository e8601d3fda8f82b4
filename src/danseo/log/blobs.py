"""Content of any size, named by its SHA-256: what entries refer to.

Blobs lie at `<first two digits>/<hash>` below a folder or any URL that fsspec knows, so that object
storage is a setting. Whatever is read is hashed again: a blob is what its name says, or an error.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import fsspec

from danseo.core.errors import Invalid, Malformed, NotFound, Unavailable
from danseo.log.files import sync_folders
from danseo.log.wire import read_object

MAX_BLOB: Final = 1 << 32
"""Bytes of a blob that are read into memory at most, where the caller states no smaller limit."""
MAX_MANIFEST: Final = 1 << 20
"""Bytes of a blob that is looked at for the names of further blobs."""
CHUNK: Final = 1 << 18

_HASH = re.compile(r"[0-9a-f]{64}")
_PATH = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_AGAIN: Final = "Fetch the blob again from its publisher or from a mirror."


def blob_path(name: str) -> str:
    """Return where a blob lies below the log's folder: `blobs/ab/ab...`."""
    return f"blobs/{name[:2]}/{name}"


def parse_blob_path(path: str) -> str | None:
    """Return the hash of the blob that has this path, or None if none has."""
    match = _PATH.fullmatch(path)
    return match[2] if match else None


def checked(name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the parts of a blob; raise `Invalid` at the end unless it is what its name says."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    agree(name, digest.hexdigest())


def check_blob(name: str, chunks: Iterable[bytes]) -> int:
    """Read a blob in parts and return its size; raise `Invalid` unless it is what its name says."""
    return sum(len(chunk) for chunk in checked(name, chunks))


def manifest_names(data: bytes) -> list[str]:
    """Return the blobs that a blob names, if it is a manifest.

    A manifest is a canonical JSON object with arrays of objects that have a member `sha256`: the
    description of a clue lists its files so, that of a challenge its data.
    """
    if not data.startswith(b"{") or len(data) > MAX_MANIFEST or b'"sha256":' not in data:
        return []
    try:
        members = read_object(data).values()
    except Malformed:
        return []
    found = [
        one["sha256"]
        for member in members
        if isinstance(member, list)
        for one in member
        if isinstance(one, dict) and isinstance(one.get("sha256"), str)
    ]
    return [name for name in found if _HASH.fullmatch(name)]


class Blobs:
    """A store of blobs at `url`: a local folder, or anything that fsspec opens."""

    def __init__(self, url: str | Path, *, scratch: Path | None = None) -> None:
        """Open the store. On a local disk drafts are written in `scratch` (beside the folder)."""
        self._fs, root = fsspec.core.url_to_fs(str(url))
        self._root: str = root.rstrip("/")
        self._local = Path(self._root) if "file" in _protocols(self._fs) else None
        if self._local is not None:
            self._scratch = scratch or self._local.parent / f".{self._local.name}.scratch"

    def put(self, data: bytes) -> str:
        """Store `data` and return its name. What is there already is left as it is."""
        name = hashlib.sha256(data).hexdigest()
        if not self.has(name):
            if self._local is not None:
                draft = self._draft()
                try:
                    draft.write_bytes(data)
                    self._place(draft, name)
                finally:
                    draft.unlink(missing_ok=True)  # a full disk needs its room
            else:
                self._fs.pipe_file(self._path(name), data)
        return name

    def put_file(self, path: Path) -> str:
        """Store a file of any size, a part at a time, and return its name."""
        if self._local is None:
            name = _hash_of(path)
            if not self.has(name):
                self._fs.put_file(str(path), self._path(name))
            return name
        draft, digest = self._draft(), hashlib.sha256()
        try:
            with path.open("rb") as source, draft.open("wb") as copy:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
            name = digest.hexdigest()
            if not self.has(name):
                self._place(draft, name)
        finally:
            draft.unlink(missing_ok=True)
        return name

    def get(self, name: str, limit: int = MAX_BLOB) -> bytes:
        """Return a blob of at most `limit` bytes; `NotFound` or `Invalid` where there is none."""
        with self._open(name) as file:
            data: bytes = file.read(limit + 1)
        if len(data) > limit:
            raise Invalid(f"The blob {name} has more than {limit} bytes.", "Ask for a larger part.")
        agree(name, hashlib.sha256(data).hexdigest())
        return data

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a blob in parts, unchecked; see `check_blob`."""
        with self._open(name) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def copy_to(self, name: str, path: Path) -> int:
        """Copy a blob to a file, a part at a time, and return its size.

        The file appears once the whole is known to be what its name says.
        """
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("wb") as copy:
                copy.writelines(checked(name, self.chunks(name)))
                size = copy.tell()
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return size

    def has(self, name: str) -> bool:
        """Return whether the blob is stored."""
        if self._local is not None:
            return os.path.isfile(self._path(name))
        return bool(self._fs.isfile(self._path(name)))

    def size(self, name: str) -> int:
        """Return the number of a blob's bytes, or raise `NotFound`."""
        try:
            return int(self._fs.size(self._path(name)))
        except FileNotFoundError:
            raise _missing(name) from None

    def names(self) -> Iterator[str]:
        """Yield the name of every blob that is stored, in order."""
        if self._local is not None and not self._local.exists():
            return
        for path in sorted(self._fs.find(self._root)):
            name = path.rpartition("/")[2]
            if _HASH.fullmatch(name):
                yield name

    def delete(self, name: str) -> None:
        """Remove a blob, as its withholding demands. That it is not there is no error."""
        path = self._path(name)
        if self._local is None:
            if self.has(name):
                self._fs.rm_file(path)
            return
        Path(path).unlink(missing_ok=True)
        if Path(path).parent.exists():
            sync_folders([Path(path).parent])

    def _path(self, name: str) -> str:
        if _HASH.fullmatch(name) is None:
            raise Malformed(f"{name[:80]!r} is no blob's name.", "Use its SHA-256: 64 hex digits.")
        return f"{self._root}/{name[:2]}/{name}"

    def _open(self, name: str) -> IO[bytes]:
        path = self._path(name)
        try:
            file: IO[bytes] = open(path, "rb") if self._local else self._fs.open(path, "rb")  # noqa: SIM115
        except FileNotFoundError:
            raise _missing(name) from None
        except OSError as error:
            raise Unavailable(f"The blob {name} cannot be read: {error}.", "Try again.") from error
        return file

    def _draft(self) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch / f"{secrets.token_hex(8)}.blob"

    def _place(self, draft: Path, name: str) -> None:
        """Put a finished draft in its place, on the disk before its name is."""
        path = Path(self._path(name))
        made = [folder for folder in (path.parent, path.parent.parent) if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folders([path.parent, *(folder.parent for folder in made)])


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def agree(name: str, found: str) -> None:
    """Raise `Invalid` unless the hash `found` of a blob's content is its name."""
    if found != name:
        raise Invalid(f"The blob {name} holds other content: its hash is {found}.", _AGAIN)


def _missing(name: str) -> NotFound:
    return NotFound(f"The blob {name} is not here.", _AGAIN)
