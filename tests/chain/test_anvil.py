"""A node of one's own: it outlives who started it, keeps its chain, and is found again."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from danseo.chain import anvil
from danseo.chain.client import Client
from danseo.core.errors import Conflict, NotFound, Unavailable, Usage
from tests.chain.nodes import GENESIS, KEY, bell, load

pytestmark = pytest.mark.usefixtures("anvil_url")


def test_a_node_keeps_its_chain_and_its_clock_over_a_restart(tmp_path: Path) -> None:
    running = anvil.up(tmp_path, genesis_time=GENESIS)
    client = Client.at(running.url, load=load)
    contract = bell(client)
    client.send(KEY, contract, "ring", "", b"")
    client.move_to(GENESIS + 10**8)
    head, events = client.head(), client.events([contract], 0, 10)
    anvil.down(tmp_path)
    assert anvil.status(tmp_path) is None
    again = anvil.up(tmp_path)
    try:
        client = Client.at(again.url, load=load)
        assert client.head() == head
        assert client.events([contract], 0, 10) == events
        assert client.call(contract, "count", block=head.number - 2) == 0
        number = client.send(KEY, contract, "ring", "", b"").block
        assert head.time < client.block(number).time < head.time + 1_000
    finally:
        anvil.down(tmp_path)


def test_a_node_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    program = "from pathlib import Path; from danseo.chain import anvil; "
    program += f"anvil.up(Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", program], check=True)
    running = anvil.status(tmp_path)
    assert running is not None
    try:
        assert running.url.startswith("http://127.0.0.1:")
        assert Client.at(running.url).chain_id == anvil.CHAIN_ID
    finally:
        anvil.down(tmp_path)


def test_a_second_node_for_one_folder_is_refused(tmp_path: Path) -> None:
    anvil.up(tmp_path)
    try:
        with pytest.raises(Conflict, match="runs already"):
            anvil.up(tmp_path)
    finally:
        anvil.down(tmp_path)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="did not start"):
            anvil.up(tmp_path, port=taken.getsockname()[1])
    assert anvil.status(tmp_path) is None


def test_a_node_that_does_not_run_cannot_be_ended(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No node runs"):
        anvil.down(tmp_path)


def test_another_process_of_the_same_id_is_not_taken_for_the_node(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        record = {"pid": stranger.pid, "url": "http://127.0.0.1:1"}
        (tmp_path / "node.json").write_bytes(orjson.dumps(record))
        assert anvil.status(tmp_path) is None
        with pytest.raises(NotFound):
            anvil.down(tmp_path)
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_a_torn_note_of_a_node_is_no_node(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_bytes(b'{"pid":')
    assert anvil.status(tmp_path) is None


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no program"):
        anvil.find(tmp_path / "anvil")


def test_what_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(anvil.sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="scripts/setup-anvil"):
        anvil.find()
