"""Check the blobs that a log's entries name: each is there, or withheld, and is what it says."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256

from danseo.core.entry import Entry, blobs_in
from danseo.core.errors import Invalid, NotFound
from danseo.log.blobs import MAX_MANIFEST, agree, manifest_names
from danseo.log.checking import FETCHERS
from danseo.log.source import Source

# What is known of a blob: it is there, it is what its name says, it was looked at as a manifest.
UNNAMED, _READ, _OPENED = range(3)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A blob that the log no longer serves: since which entry, why, and when it last stood.

    `reason` is the blob with the reason. `attested` is the time of the last entry that named it, or
    that of its withholding where no entry could be seen to name it.
    """

    blob: str
    index: int
    reason: str
    attested: int


class BlobCheck:
    """The blobs that entries name: each is read once, when it is first named."""

    def __init__(self, source: Source) -> None:
        self.found: dict[bytes, int] = {}
        """What is known of each blob: first those that are listed, and nobody has named."""
        self._source = source
        self._missing: dict[str, tuple[int, int]] = {}  # index of the first, time of the last name
        self._named: list[tuple[str, Entry]] = []
        self._threads = ThreadPoolExecutor(FETCHERS) if source.remote else None

    def named(self, entry: Entry) -> None:
        """Take note of the blobs that an entry names; `look` reads them."""
        for name in blobs_in(entry.kind, entry.body):
            self._named.append((name, entry))

    def look(self) -> None:
        """Check the blobs that were named since the last look, and those that these name."""
        named, self._named = self._named, []
        further: list[tuple[str, Entry]] = []
        for entry, names in self._look_at(named, manifests=True):
            further += [(name, entry) for name in names]
        for _ in self._look_at(further, manifests=False):
            pass  # what they name is not followed

    def _look_at(
        self, named: Sequence[tuple[str, Entry]], *, manifests: bool
    ) -> Iterator[tuple[Entry, Sequence[str]]]:
        """Read each blob that was not seen before; yield what those that are manifests name."""
        todo: dict[str, Entry] = {}
        stage = _OPENED if manifests else _READ
        for name, entry in named:
            if self.found.get(bytes.fromhex(name), UNNAMED) < stage:
                todo.setdefault(name, entry)
        wanted = [name for name in todo if name not in self._missing]
        read = functools.partial(self._read, manifest=manifests)
        outcomes = self._threads.map(read, wanted) if self._threads else map(read, wanted)
        for name, outcome in zip(wanted, outcomes, strict=True):
            entry = todo[name]
            if isinstance(outcome, NotFound):
                self._missing[name] = (entry.index, entry.time)
                continue
            if isinstance(outcome, Invalid):
                message = f"{outcome.message} Entry {entry.index} names it."
                raise Invalid(message, outcome.remedy, entry.index)
            self.found[bytes.fromhex(name)] = stage
            yield entry, outcome
        for name, entry in named:
            if name in self._missing:
                self._missing[name] = (self._missing[name][0], entry.time)

    def _read(self, name: str, *, manifest: bool) -> Sequence[str] | NotFound | Invalid:
        """Read a blob; return the names in it if it is a manifest, or what is wrong with it."""
        head, digest = b"", sha256()
        try:
            for chunk in self._source.chunks(name):
                digest.update(chunk)
                if manifest and len(head) <= MAX_MANIFEST:
                    head += chunk
            agree(name, digest.hexdigest())
        except (NotFound, Invalid) as error:
            return error
        return manifest_names(head) if manifest else ()

    def close(self, withheld: Sequence[Withheld]) -> tuple[int, list[Withheld]]:
        """Return the number of blobs checked, and the withheld ones with when they last stood.

        Raise `Invalid` for a blob that is missing though nobody withheld it, or that nobody names.
        """
        if self._threads:
            self._threads.shutdown()
        gone = {one.blob for one in withheld}
        for name, (index, _) in self._missing.items():
            if name not in gone:
                raise Invalid(
                    f"The blob {name}, which entry {index} names, is missing.",
                    "Restore it from a mirror; if it had to go, let the host withhold it.",
                    index,
                )
        for raw, stage in self.found.items():
            if stage == UNNAMED and raw.hex() not in gone:
                raise Invalid(
                    f"No entry names the blob {raw.hex()}.",
                    "Remove it. If the log is being written to just now, verify again.",
                )
        return sum(stage != UNNAMED for stage in self.found.values()), [
            replace(one, attested=self._missing[one.blob][1]) if one.blob in self._missing else one
            for one in withheld
        ]
