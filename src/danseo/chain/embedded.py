"""A chain in a folder: one process at a time runs it, and rebuilds it from its journal.

The journal holds one line of JSON for the genesis and one for each block: its time, its signed
transactions and the hash that it must have. A line is on the disk before anybody hears of its
block, so that a chain never forgets what it has confirmed, however its process ends. A torn last
line was never confirmed and is dropped. Since a block follows from the journal alone, replaying it
gives each hash again; a journal that gives another one is refused. `shelf` spares most of it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from danseo.chain import shelf
from danseo.chain.evm import CHAIN_ID, FAUCET, TIP, Evm, fault
from danseo.chain.wallet import hash_of, sign
from danseo.core.errors import Invalid, Refused, Unavailable, Usage
from danseo.log import lock
from danseo.log.lock import Lock

VERSION: Final = 1
SHELVE_AFTER: Final = 16
"""New blocks after which the database is stored anew when the chain is closed."""
PATIENCE: Final = 30
"""Seconds to wait for another process to be done with the chain."""

_shared: dict[Path, Embedded] = {}
_sharing = threading.RLock()


class Embedded:
    """A held chain. It answers `make_request` as a provider of web3 does.

    Whoever opened it closes it; within one process all who open a folder share one chain, which
    stays in memory for the next one and then reads only what others have added meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._users = 0
        self._lock: Lock | None = None
        self._journal = -1
        self._read = 0
        self._evm: Evm | None = None
        self._shelved = 0
        self._file = (-1, -1)
        self._busy = threading.RLock()

    @property
    def evm(self) -> Evm:
        """The machine below, while the chain is open."""
        if self._evm is None or self._lock is None:
            raise Unavailable(f"The chain in {self.folder} is closed.", "Open it first.")
        return self._evm

    def close(self) -> None:
        """Let the next process have the chain, once everybody in this one has closed it."""
        with _sharing:
            self._users -= 1
            if self._users == 0:
                self._let_go()

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def make_request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """Answer as a node does. Only what makes blocks stands here; `Evm` knows the rest."""
        with self._busy:
            try:
                if method == "eth_sendRawTransaction":
                    raw = bytes.fromhex(params[0][2:])
                    self._mine([raw], self.evm.time + 1)
                    return {"result": "0x" + hash_of(raw)}
                if method == "evm_mine":
                    wanted = int(params[0], 16) if params else 0
                    self._mine([], max(wanted, self.evm.time + 1))
                    return {"result": "0x0"}
                if method == "danseo_fund":
                    return self._fund(params[0], int(params[1], 16))
                return self.evm.answer(method, params)
            except Refused as error:
                return fault(-32000, error.message)

    def _fund(self, address: str, amount: int) -> dict[str, Any]:
        """Send money from the faucet."""
        state = self.evm.state("latest")
        transaction = {
            "from": FAUCET.address,
            "to": address,
            "chainId": hex(CHAIN_ID),
            "nonce": hex(state.get_nonce(bytes.fromhex(FAUCET.address[2:]))),
            "maxPriorityFeePerGas": hex(TIP),
            "maxFeePerGas": hex(TIP + 2 * int(state.base_fee)),
            "gas": hex(100_000),
            "value": hex(amount),
            "data": "0x",
        }
        raw = sign(FAUCET, transaction)
        self._mine([raw], self.evm.time + 1)
        return {"result": "0x" + hash_of(raw)}

    def _mine(self, transactions: list[bytes], when: int) -> None:
        """Make one block, and have it on the disk before returning."""
        made = self.evm.mine(transactions, when)
        self._write({"time": when, "txs": [raw.hex() for raw in transactions], "hash": made.hex()})

    def _write(self, record: dict[str, Any]) -> None:
        line = orjson.dumps(record) + b"\n"
        try:
            os.pwrite(self._journal, line, self._read)
            os.fsync(self._journal)
        except OSError as error:
            self._evm = None  # it holds a block that no journal does: read it anew
            with contextlib.suppress(OSError):
                os.ftruncate(self._journal, self._read)
            raise Unavailable(
                f"The journal of the chain in {self.folder} cannot be written: {error.strerror}.",
                "Make room on the disk, then do it again.",
            ) from None
        self._read += len(line)

    def _take(self, genesis_time: int | None, patience: float) -> None:
        """Lock the folder and bring the chain up to its journal; see `open_chain`."""
        if genesis_time is None and not self._path.exists():
            raise Unavailable(f"There is no chain in {self.folder}.", "Start one there first.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._wait(patience)
            self._journal = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._catch_up(genesis_time)
        except OSError as error:
            self._let_go()
            raise Unavailable(
                f"The chain in {self.folder} cannot be opened: {error.strerror}.",
                "Act as the user who owns the folder.",
            ) from None
        except BaseException:
            self._let_go()
            raise

    @property
    def _path(self) -> Path:
        return self.folder / "journal"

    def _wait(self, patience: float) -> Lock:
        path, until = self.folder / "lock", time.monotonic() + patience
        while (held := Lock.take(path)) is None:
            if time.monotonic() > until:
                raise Unavailable(
                    f"Process {lock.holder(path)} has held the chain in {self.folder} for "
                    f"{patience} seconds.",
                    "Wait until it is done, or end it.",
                )
            time.sleep(0.02)
        return held

    @property
    def _shelf(self) -> Path:
        return self.folder / "shelf"

    def _let_go(self) -> None:
        if self._journal >= 0:
            if self._evm is not None and self._evm.number >= self._shelved + SHELVE_AFTER:
                shelf.keep(self._shelf, os.pread(self._journal, self._read, 0), self._evm.database)
                self._shelved = self._evm.number
            os.close(self._journal)
            self._journal = -1
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _catch_up(self, genesis_time: int | None) -> None:
        """Apply every line of the journal that this chain has not seen."""
        stat = os.fstat(self._journal)
        file = (stat.st_dev, stat.st_ino)
        if file != self._file or stat.st_size < self._read:
            self._evm, self._read, self._shelved, self._file = None, 0, 0, file
        if self._evm is None:
            self._read = 0
        whole = _whole_lines(os.pread(self._journal, stat.st_size - self._read, self._read))
        if stat.st_size > self._read + len(whole):
            os.ftruncate(self._journal, self._read + len(whole))  # torn: nobody heard of it
        if self._evm is None and not whole:
            self._begin(genesis_time)
        elif self._evm is None:
            whole = whole[self._recall(whole) :]
        for line in whole.splitlines(keepends=True):
            self._replay(line)
            self._read += len(line)

    def _recall(self, journal: bytes) -> int:
        """Take the chain from the shelf, as far as it goes; return how many bytes that saves."""
        found = shelf.recall(self._shelf, journal)
        if found is None:
            return 0
        done, database = found
        lines = journal[:done].splitlines()
        evm = Evm(orjson.loads(lines[0])["time"], database)
        if evm.hash.hex() != orjson.loads(lines[-1])["hash"]:
            return 0
        self._evm, self._read, self._shelved = evm, done, evm.number
        return done

    def _begin(self, genesis_time: int | None) -> None:
        if genesis_time is None:
            raise Invalid(
                f"The journal of the chain in {self.folder} is empty.", "Restore it from a copy."
            )
        self._evm = Evm(genesis_time)
        self._write(
            {
                "version": VERSION,
                "chain": CHAIN_ID,
                "time": genesis_time,
                "hash": self._evm.hash.hex(),
            }
        )

    def _replay(self, line: bytes) -> None:
        number = -1 if self._evm is None else self._evm.number
        try:
            record = orjson.loads(line)
            if self._evm is None:
                if (record["version"], record["chain"]) != (VERSION, CHAIN_ID):
                    raise self._spoilt(number, "is of another version")
                self._evm = Evm(record["time"])
                made = self._evm.hash
            else:
                transactions = [bytes.fromhex(raw) for raw in record["txs"]]
                made = self._evm.mine(transactions, record["time"])
            stated = record["hash"]
        except (ValueError, KeyError, TypeError):
            raise self._spoilt(number, "is malformed") from None
        except (Refused, Usage) as error:
            raise self._spoilt(number, f"cannot be replayed: {error.message}") from None
        if made.hex() != stated:
            raise self._spoilt(number, f"gives {made.hex()}, and the journal says {stated}")

    def _spoilt(self, number: int, how: str) -> Invalid:
        self._evm = None
        return Invalid(
            f"Block {number + 1} of the chain in {self.folder} {how}.",
            "Restore the journal from a copy, with the version of danseo that wrote it.",
        )


def open_chain(
    folder: Path, genesis_time: int | None = None, patience: float = PATIENCE
) -> Embedded:
    """Open the chain in `folder`, or begin one there with a genesis of this time (Unix seconds).

    A chain that stands there keeps its genesis. Raise `Unavailable` where there is none and no
    time is given, or where another process holds it for longer than `patience` seconds, and
    `Invalid` where the journal does not give the blocks that it states.
    """
    key = folder.resolve()
    with _sharing:
        chain = _shared.setdefault(key, Embedded(key))
        if chain._users == 0:
            chain._take(genesis_time, patience)
        chain._users += 1
        return chain


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]
