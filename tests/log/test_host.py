"""Several processes at one log: they hand over, or wait, and never corrupt it."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from danseo.core.errors import BadSignature, Malformed, NotFound, OutOfOrder, Unavailable
from danseo.log import host
from danseo.log.host import Guest, Host, open_log
from danseo.log.sequencer import Appended, Sequencer
from danseo.log.signing import Key
from tests.log import writing
from tests.log.writing import OPERATOR, OTHER, START, check_public, tick, ticks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hosted(tmp_path):
    """(home, the host's sequencer) of a log that is being served."""
    with writing.create(tmp_path) as log, Host(log):
        yield tmp_path, log


def test_a_free_log_is_opened_as_its_owner(tmp_path):
    writing.create(tmp_path).close()
    with open_log(tmp_path) as log:
        assert isinstance(log, Sequencer)
        assert log.append([tick(1)]) == [Appended(1, START)]


def test_a_served_log_takes_entries_over_the_socket(hosted):
    home, owner = hosted
    with open_log(home, 0) as log:
        assert isinstance(log, Guest)
        assert log.append(ticks(1, 300)) == [Appended(i, START) for i in range(1, 301)]
        assert log.sequence_of(OPERATOR.address, "") == 301
        assert log.state == owner.state
        assert check_public(home / "log") == log.state


def test_a_guest_hears_each_refusal_as_an_owner_does(hosted):
    home, owner = hosted
    entries = [
        tick(1),
        tick(9),
        dataclasses.replace(tick(2), author=OTHER.address),
        dataclasses.replace(tick(2), body={"x": 0.5}),
        tick(2),
    ]
    with open_log(home, 0) as guest:
        theirs = guest.append(entries)
    kinds = [Appended, OutOfOrder, BadSignature, Malformed, Appended]
    assert [type(r) for r in theirs] == kinds
    for refused, ours in zip(theirs[1:4], owner.append(entries[1:4]), strict=True):
        assert (type(refused), refused.message[:30]) == (type(ours), ours.message[:30])


def test_hooks_of_the_host_judge_what_guests_hand_in(tmp_path):
    def nobody(state, entry):
        raise NotFound("A blob is missing.", "Publish it first.")

    with writing.create(tmp_path, hooks=[nobody]) as log, Host(log), open_log(tmp_path, 0) as guest:
        (result,) = guest.append([tick(1)])
        assert isinstance(result, NotFound)
        assert (result.message, result.remedy) == ("A blob is missing.", "Publish it first.")


def test_a_held_log_that_is_not_served_names_the_process(tmp_path):
    with writing.create(tmp_path):
        started = time.monotonic()
        with pytest.raises(Unavailable, match=f"process {os.getpid()} has held"):
            open_log(tmp_path, 0.2)
        assert 0.15 < time.monotonic() - started < 5


def test_a_waiting_process_gets_the_log_when_it_is_free(tmp_path):
    code = """
        import sys, time
        from pathlib import Path
        from danseo.log.sequencer import Sequencer
        with Sequencer(Path(sys.argv[1])):
            print("held", flush=True)
            time.sleep(0.3)
    """
    writing.create(tmp_path).close()
    with run(code, tmp_path) as process:
        assert process.stdout.readline() == "held\n"
        with open_log(tmp_path, 20) as log:
            assert isinstance(log, Sequencer)
            assert log.append([tick(1)]) == [Appended(1, START)]


def test_there_is_no_log_to_open_in_an_empty_home(tmp_path):
    with pytest.raises(NotFound, match="init"):
        open_log(tmp_path, 0)


def test_a_dead_hosts_socket_stands_in_nobodys_way(tmp_path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from danseo.log.host import Host
        from danseo.log.sequencer import Sequencer
        host = Host(Sequencer(Path(sys.argv[1])))
        print("serving", flush=True)
        signal.pause()
    """
    writing.create(tmp_path).close()
    with run(code, tmp_path) as process:
        assert process.stdout.readline() == "serving\n"
        guest = open_log(tmp_path, 0)
        assert isinstance(guest, Guest)
        assert guest.append([tick(1)]) == [Appended(1, START)]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(Unavailable, match="has gone"):
            guest.append([tick(2)])
        guest.close()
    assert (tmp_path / "host/sequencer.sock").exists()
    with open_log(tmp_path, 5) as log:
        assert log.size == 2
        with Host(log), open_log(tmp_path, 0) as again:
            assert again.append([tick(2)]) == [Appended(2, START)]


@pytest.mark.parametrize("served", [True, False])
def test_two_processes_append_at_once_and_lose_nothing(tmp_path, served):
    code = """
        import sys
        from pathlib import Path
        from danseo.log.host import open_log
        from danseo.log.signing import Key
        from tests.log.writing import tick
        key = Key(sys.argv[2].encode() * 32)
        for n in range(25):
            with open_log(Path(sys.argv[1]), 60) as log:
                (result,) = log.append([tick(n, key)])
                print(result.index, flush=True)
    """
    log = writing.create(tmp_path)
    serving = Host(log) if served else None
    if not served:
        log.close()
    with run(code, tmp_path, "a") as one, run(code, tmp_path, "b") as two:
        indices = [int(i) for p in (one, two) for i in p.communicate(timeout=60)[0].split()]
    assert sorted(indices) == list(range(1, 51))
    state = check_public(tmp_path / "log")
    for letter in (b"a", b"b"):
        assert state.next_sequence(Key(letter * 32).address, "") == 25
    if serving:
        serving.close()
        log.close()


def test_only_the_owner_can_reach_the_socket(hosted):
    home, _ = hosted
    assert stat.S_IMODE((home / "host/sequencer.sock").stat().st_mode) == 0o600


def test_a_home_with_a_long_name_can_be_served(tmp_path):
    home = tmp_path / ("long" * 25) / ("name" * 25)
    with writing.create(home) as log, Host(log), open_log(home, 0) as guest:
        assert guest.append([tick(1)]) == [Appended(1, START)]


@pytest.mark.parametrize(
    "question",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"do":"drop"}',
        b'{"do":"append"}',
        b'{"do":"append","entries":5}',
        b'{"do":"append","entries":[5]}',
        b'{"do":"append","entries":["{}"]}',
        b'{"do":"sequence","author":[],"challenge":""}',
    ],
)
def test_a_strange_question_is_answered_and_does_no_harm(hosted, question):
    home, log = hosted
    guest = open_log(home, 0)
    host._send(guest._connection, question)
    answer = host._receive(guest._connection, 1000)
    assert answer.startswith(b'-{"error":"Malformed"')
    assert guest.append([tick(1)]) == [Appended(1, START)]
    guest.close()
    assert log.size == 2


def test_a_message_that_is_cut_off_or_too_long_ends_the_connection_only(hosted):
    home, _ = hosted
    for raw in (b"\0\0", b"\0\0\0\x09half", b"\xff\xff\xff\xff"):
        guest = open_log(home, 0)
        guest._connection.sendall(raw)
        guest._connection.shutdown(socket.SHUT_WR)
        assert guest._connection.recv(1) == b""
        guest.close()
    with open_log(home, 0) as guest:
        assert guest.append([tick(1)]) == [Appended(1, START)]


def test_a_closed_host_leaves_the_log_to_its_owner(tmp_path):
    with writing.create(tmp_path) as log:
        serving = Host(log)
        guest = open_log(tmp_path, 0)
        serving.close()
        with pytest.raises(Unavailable):
            guest.sequence_of(OPERATOR.address, "")
        guest.close()
        assert not (tmp_path / "host/sequencer.sock").exists()
        assert log.append([tick(1)]) == [Appended(1, START)]


def run(code: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(home), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
