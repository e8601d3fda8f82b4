"""The embedded chain: rebuilt from its journal, the same each time, one process at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from danseo.chain import embedded
from danseo.chain.client import Client, Contract
from danseo.chain.embedded import open_chain
from danseo.chain.evm import CHAIN_ID, Evm
from danseo.core.errors import Invalid, Refused, Unavailable
from danseo.log.lock import Lock
from tests.chain.nodes import ETHER, GENESIS, KEY, OTHER, bell, load


@contextmanager
def opened(folder: Path, genesis: int | None = None, *, anew: bool = True) -> Iterator[Client]:
    """Open the chain, as a process of its own would unless `anew` is false."""
    if anew:
        embedded._shared.pop(folder.resolve(), None)
    with open_chain(folder, genesis) as chain:
        yield Client.on(chain, load=load)


@pytest.fixture
def played(tmp_path: Path) -> tuple[Path, Contract]:
    """A chain with a bell that was rung five times, at different times."""
    folder = tmp_path / "chain"
    with opened(folder, GENESIS) as client:
        contract = bell(client)
        for n in range(5):
            client.send(KEY, contract, "ring", f"stroke {n}", b"")
            client.move_to(client.head().time + 100)
    return folder, contract


def test_a_rebuilt_chain_is_the_same_in_every_block(played: tuple[Path, Contract]) -> None:
    folder, contract = played
    with opened(folder, anew=False) as client:
        before = [header.block for header in client.headers(0, 100)]
        events = client.events([contract], 0, 100)
    with opened(folder) as client:
        assert [header.block for header in client.headers(0, 100)] == before
        assert client.events([contract], 0, 100) == events
        assert len(events) == 5
        assert client.call(contract, "count") == 5
        client.send(KEY, contract, "ring", "", b"")


def test_two_chains_of_the_same_acts_are_the_same(tmp_path: Path) -> None:
    heads = []
    for name in ("one", "two"):
        with opened(tmp_path / name, GENESIS) as client:
            client.send(KEY, bell(client), "peal", 2)
            heads.append(client.head())
    assert heads[0] == heads[1]


def test_what_was_confirmed_survives_a_process_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from danseo.chain.client import Client; from danseo.chain.embedded import open_chain\n"
        f"chain = open_chain(Path({str(tmp_path)!r}), {GENESIS})\n"
        f"Client.on(chain).faucet({OTHER.address!r}, 7)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    with opened(tmp_path) as client:
        assert client.balance(OTHER.address) == 7


def test_a_torn_last_line_is_dropped_and_the_chain_goes_on(played: tuple[Path, Contract]) -> None:
    folder, contract = played
    journal = folder / "journal"
    whole = journal.read_bytes()
    with opened(folder) as client:
        head = client.head()
    for torn in (b"{", b'{"time":1', whole.splitlines()[-1]):
        journal.write_bytes(whole + torn)
        with opened(folder) as client:
            assert client.head() == head
    with opened(folder) as client:
        client.send(KEY, contract, "ring", "", b"")
    with opened(folder) as client:
        assert client.call(contract, "count") == 6


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"hash":"', b'"hash":"0', "and the journal says"),
        (b'"txs":["02', b'"txs":["03', "cannot be replayed"),
        (b'"time":17000', b'"time":16000', "cannot|gives"),
        (b'"txs":[', b'"text":[', "is malformed"),
        (b"}\n", b"\n", "is malformed"),
    ],
)
def test_a_journal_that_gives_another_chain_is_refused(
    played: tuple[Path, Contract], old: bytes, new: bytes, words: str
) -> None:
    folder, _ = played
    journal = folder / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(old, new)
    journal.write_bytes(b"".join(lines))
    with pytest.raises(Invalid, match=rf"Block 2 of the chain.*({words})"):
        open_chain_anew(folder)
    with pytest.raises(Invalid, match="Block 2"):
        open_chain_anew(folder)


def open_chain_anew(folder: Path) -> None:
    with opened(folder):
        pass


def test_a_journal_of_another_version_is_refused(played: tuple[Path, Contract]) -> None:
    folder, _ = played
    journal = folder / "journal"
    journal.write_bytes(journal.read_bytes().replace(b'"version":1', b'"version":9'))
    with pytest.raises(Invalid, match="another version"):
        open_chain_anew(folder)


def test_there_is_no_chain_where_none_was_begun(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="There is no chain"):
        open_chain(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_another_process_must_wait_for_the_chain(tmp_path: Path) -> None:
    with opened(tmp_path / "chain", GENESIS):
        pass
    lock = Lock.take(tmp_path / "chain" / "lock")
    assert lock is not None
    with pytest.raises(Unavailable, match=f"Process {os.getpid()} has held the chain"):
        open_chain(tmp_path / "chain", patience=0.1)
    lock.release()
    open_chain_anew(tmp_path / "chain")


def test_commands_of_one_process_share_one_chain(tmp_path: Path) -> None:
    with open_chain(tmp_path, GENESIS) as one, open_chain(tmp_path) as two:
        assert one is two
        two.make_request("evm_mine", [])
    with open_chain(tmp_path) as three:
        assert three is one
        assert three.evm.number == 1
    with pytest.raises(Unavailable, match="is closed"):
        one.make_request("eth_blockNumber", [])


def test_a_shared_chain_learns_what_other_processes_added(played: tuple[Path, Contract]) -> None:
    folder, contract = played
    elsewhere = folder.with_name("elsewhere")
    shutil.copytree(folder, elsewhere)
    with opened(elsewhere) as client:
        client.send(KEY, contract, "ring", "from elsewhere", b"")
    with (folder / "journal").open("ab") as journal:
        journal.write((elsewhere / "journal").read_bytes().splitlines(keepends=True)[-1])
    with opened(folder, anew=False) as client:
        assert client.call(contract, "count") == 6


def test_a_shared_chain_whose_journal_was_exchanged_is_read_anew(
    played: tuple[Path, Contract],
) -> None:
    folder, contract = played
    lines = (folder / "journal").read_bytes().splitlines(keepends=True)
    (folder / "restored").write_bytes(b"".join(lines[:4]))
    (folder / "restored").rename(folder / "journal")
    with opened(folder, anew=False) as client:
        assert client.head().number == 3
        assert client.call(contract, "count") == 1


def test_a_block_that_cannot_be_written_never_was(
    played: tuple[Path, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, contract = played

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with opened(folder) as client, monkeypatch.context() as broken:
        broken.setattr(embedded.os, "fsync", full)
        with pytest.raises(Unavailable, match="No space left"):
            client.send(KEY, contract, "ring", "", b"")
    with opened(folder, anew=False) as client:
        assert client.call(contract, "count") == 5


def test_a_transaction_that_no_block_can_take_changes_nothing(tmp_path: Path) -> None:
    with open_chain(tmp_path, GENESIS) as chain:
        client = Client.on(chain, load=load)
        client.faucet(KEY.address, ETHER)
        before = (tmp_path / "journal").read_bytes()
        for raw in (b"", b"\x02\x01", b"\x02" + bytes(200)):
            with pytest.raises(Refused):
                client.send_raw(raw)
        assert (tmp_path / "journal").read_bytes() == before
        assert client.head().number == 1
        client.transfer(KEY, OTHER.address, 1)


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The times of all blocks that are made or made again; a chain of any length is shelved."""
    times: list[int] = []
    mine = Evm.mine

    def noted(evm: Evm, transactions: list[bytes], time: int) -> bytes:
        times.append(time)
        return mine(evm, transactions, time)

    monkeypatch.setattr(embedded, "SHELVE_AFTER", 1)
    monkeypatch.setattr(Evm, "mine", noted)
    return times


def test_what_is_on_the_shelf_need_not_be_replayed(
    replayed: list[int], played: tuple[Path, Contract]
) -> None:
    folder, contract = played
    with opened(folder, anew=False) as client:
        head, events = client.head(), client.events([contract], 0, 100)
    replayed.clear()
    with opened(folder) as client:
        assert replayed == []
        assert client.head() == head
        assert client.events([contract], 0, 100) == events
        assert client.receipt(events[0].tx).events == (events[0],)  # type: ignore[union-attr]
        client.send(KEY, contract, "ring", "", b"")
    (folder / "shelf").unlink()
    with opened(folder) as client:
        assert len(replayed) == client.head().number + 1
        assert client.call(contract, "count") == 6


def test_lines_after_those_of_the_shelf_are_replayed(
    replayed: list[int], played: tuple[Path, Contract]
) -> None:
    folder, contract = played
    shelf = (folder / "shelf").read_bytes()
    with opened(folder) as client:
        client.send(KEY, contract, "ring", "", b"")
    (folder / "shelf").write_bytes(shelf)
    replayed.clear()
    with opened(folder) as client:
        assert len(replayed) == 1
        assert client.call(contract, "count") == 6


@pytest.mark.usefixtures("replayed")
def test_a_damaged_or_foreign_shelf_is_not_believed(
    tmp_path: Path, played: tuple[Path, Contract]
) -> None:
    folder, contract = played
    with opened(tmp_path / "foreign", GENESIS) as client:
        client.faucet(KEY.address, 1)
    whole = (folder / "shelf").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for bad in (bytes(flipped), whole[:-1], b"", (tmp_path / "foreign" / "shelf").read_bytes()):
        (folder / "shelf").write_bytes(bad)
        with opened(folder) as client:
            assert client.call(contract, "count") == 5


def test_the_journal_says_which_chain_it_is_of(played: tuple[Path, Contract]) -> None:
    folder, _ = played
    first = orjson.loads((folder / "journal").read_bytes().splitlines()[0])
    assert (first["chain"], first["time"]) == (CHAIN_ID, GENESIS)
    assert CHAIN_ID < 2**53
    assert (folder / "journal").stat().st_mode & 0o077 == 0
