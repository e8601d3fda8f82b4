"""Where a log is read from: a folder, a web server, or a bundle.

All three hold the same files under the same paths. Nothing read here is verified: `log.verify` and
`log.blobs` do that. Every read has a limit, so that a hostile server cannot fill the memory.
"""

from __future__ import annotations

import gzip
import http.client
import os
import time
import urllib.error
import urllib.request
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from danseo.core.errors import Invalid, NotFound, Unavailable
from danseo.core.merkle import HASH_SIZE
from danseo.log.blobs import CHUNK, MAX_BLOB, Blobs, blob_path, checked
from danseo.log.bundle import Archive
from danseo.log.tiles import ENTRIES, MAX_BUNDLE, REPAIR, Tile, cut

TIMEOUT: Final = 30.0
"""Seconds that a server may be silent."""
TRIES: Final = 3

_T = TypeVar("_T")


class Source(ABC):
    """One log to read from. `place` says where, `remote` whether each read has to travel."""

    remote = False

    def __init__(self, place: str, blobs: Blobs | None = None) -> None:
        """Take the log at `place`. Its blobs lie beside it, unless `blobs` is another store."""
        self.place = place
        self.blobs = blobs

    @abstractmethod
    def parts(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file; raise `NotFound` or `Unavailable` where there are none."""

    @abstractmethod
    def files(self) -> Iterator[str] | None:
        """Yield the path of every file; None where they cannot be listed."""

    def close(self) -> None:  # noqa: B027 - most sources hold nothing open
        """Let go of whatever is open."""

    def read(self, path: str, limit: int) -> bytes:
        """Return a file's bytes; raise `Invalid` if there are more than `limit`."""
        return _gather(path, self.parts(path), limit)

    def tile(self, tile: Tile) -> bytes:
        """Return the bytes of a tile, cut from the full one where only that is left.

        Raise `Invalid`, with the index of the first entry that it covers, if there is neither.
        """
        limit = MAX_BUNDLE if tile.level == ENTRIES else tile.width * HASH_SIZE
        full = Tile(tile.level, tile.index)
        try:
            try:
                return self.read(tile.path, limit)
            except NotFound:
                if tile == full:
                    raise
                whole = MAX_BUNDLE if tile.level == ENTRIES else full.width * HASH_SIZE
                return cut(self.read(full.path, whole), tile)
        except NotFound:
            raise Invalid(f"{tile.path} is missing.", REPAIR, tile.first) from None
        except Invalid as error:
            raise Invalid(error.message, REPAIR, tile.first) from None

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a blob in parts, unchecked."""
        if self.blobs is not None:
            return self.blobs.chunks(name)
        return self.parts(blob_path(name))

    def get(self, name: str, limit: int = MAX_BLOB) -> bytes:
        """Return a blob of at most `limit` bytes, checked against its name."""
        return _gather(f"The blob {name}", checked(name, self.chunks(name)), limit)

    def head(self, name: str, size: int) -> bytes:
        """Return at most the first `size` bytes of a blob, unchecked."""
        found = bytearray()
        for chunk in self.chunks(name):
            found += chunk
            if len(found) >= size:
                break
        return bytes(found[:size])

    def has(self, name: str) -> bool:
        """Return whether the blob is there."""
        try:
            next(self.chunks(name), b"")
        except NotFound:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_FIRST: Final = 1 << 13
"""Bytes of the first read of a file: asking for more than a small one has costs a mapping."""


class FolderSource(Source):
    """A log in a local folder."""

    def __init__(self, folder: Path, blobs: Blobs | None = None) -> None:
        super().__init__(str(folder), blobs)

    def parts(self, path: str) -> Iterator[bytes]:
        # Plain descriptors: a log can name a hundred thousand small blobs.
        try:
            descriptor = os.open(f"{self.place}/{path}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                asked = _FIRST
                while chunk := os.read(descriptor, asked):
                    yield chunk
                    if len(chunk) < asked:
                        break  # a short read of a file is its last
                    asked = CHUNK
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"{self.place} holds no {path}.", REPAIR) from None
        except OSError as error:
            raise Unavailable(f"{self.place}/{path} cannot be read: {error}.", "") from error

    def files(self) -> Iterator[str]:
        return _walk(self.place, "")


class BundleSource(Source):
    """A log in an auditor's bundle, read where it lies."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._archive = Archive(path)

    def parts(self, path: str) -> Iterator[bytes]:
        return self._archive.chunks(path)

    def files(self) -> Iterator[str]:
        return iter(self._archive.members)

    def close(self) -> None:
        self._archive.close()


class WebSource(Source):
    """A log on a web server, or on whatever serves static files over HTTP."""

    remote = True

    def __init__(self, url: str, blobs: Blobs | None = None) -> None:
        super().__init__(url.rstrip("/"), blobs)

    def parts(self, path: str) -> Iterator[bytes]:
        return self._stream(path, self._patiently(lambda: self._open(path)))

    def files(self) -> None:
        return None

    def read(self, path: str, limit: int) -> bytes:
        return self._patiently(lambda: _gather(path, self._stream(path, self._open(path)), limit))

    def _stream(self, path: str, response: Any) -> Iterator[bytes]:
        """Yield the bytes of an answer; raise `Unavailable` if it breaks off."""
        packed = response.headers.get("Content-Encoding", "identity") == "gzip"
        with closing(response):
            body = gzip.GzipFile(fileobj=response) if packed else response
            try:
                while chunk := body.read(CHUNK):
                    yield chunk
            except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:
                raise self._unavailable(path, error) from error
            if response.length and not packed:
                raise self._unavailable(path, f"it breaks off {response.length} bytes early")

    def _open(self, path: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 - `open_source` takes http and https only
            f"{self.place}/{path}", headers={"Accept-Encoding": "gzip, identity"}
        )
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                raise NotFound(f"{self.place} serves no {path}.", REPAIR) from None
            raise self._unavailable(path, error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unavailable(path, error) from error

    def _patiently(self, act: Callable[[], _T]) -> _T:
        """Do `act`, again after a moment where the network failed it."""
        for attempt in range(TRIES - 1):
            try:
                return act()
            except Unavailable:
                time.sleep(0.2 * 2**attempt)
        return act()

    def _unavailable(self, path: str, error: object) -> Unavailable:
        return Unavailable(
            f"{self.place}/{path} cannot be read: {error}.", "Check the address and try again."
        )


def open_source(place: str | Path, blobs: Blobs | None = None) -> Source:
    """Return the log at `place`: a folder, a bundle's path, or an http(s) address.

    A host's home folder stands for the `log` folder in it.
    """
    text = str(place)
    if text.startswith(("http://", "https://")):
        return WebSource(text, blobs)
    path = Path(text)
    if path.is_dir():
        inner = path / "log"
        return FolderSource(inner if inner.is_dir() and not _is_log(path) else path, blobs)
    if path.is_file():
        return BundleSource(path)
    raise NotFound(f"There is no log at {text}.", "Name a folder, a bundle or an http address.")


def _is_log(folder: Path) -> bool:
    return (folder / "checkpoint").exists() or (folder / "tile").exists()


def _walk(folder: str, prefix: str) -> Iterator[str]:
    """Yield each file below `folder`; raise `Invalid` for a link, a pipe or the like."""
    with os.scandir(folder) as found:
        for one in found:
            path = prefix + one.name
            if one.is_dir(follow_symlinks=False):
                yield from _walk(one.path, f"{path}/")
            elif one.is_file(follow_symlinks=False):
                yield path
            else:
                raise Invalid(f"{path} is neither a file nor a folder.", "Remove it.")


def _gather(what: str, parts: Iterator[bytes], limit: int) -> bytes:
    found = bytearray()
    for part in parts:
        found += part
        if len(found) > limit:
            raise Invalid(f"{what} has more than the {limit} bytes that it may have.", REPAIR)
    return bytes(found)
