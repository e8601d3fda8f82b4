"""The log by command: begun, shown, served, moved on, verified, kept."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from danseo.core.merkle import verify_inclusion
from danseo.flows import reading
from danseo.log.note import Checkpoint
from danseo.log.source import Source
from tests.cli import stage as play
from tests.cli.stage import Stage, run


def test_a_log_begins_with_a_key_and_an_example_that_works(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "new")
    begun = stage.do("init {home} --simulated --start 2030-01-01T09:00:00+09:00 --no-password")
    assert (begun["clock"], begun["chain_id"], begun["time"]) == ("simulated", 31337, 1893456000)
    assert begun["origin"] == "localhost/new"
    assert [k["name"] for k in stage.do("key list")] == ["operator"]
    assert (tmp_path / "new" / "keys" / "operator.json").stat().st_mode & 0o777 == 0o600
    (genesis,) = stage.do("log show")
    assert genesis["kind"] == "log.genesis"


def test_a_log_on_the_systems_clock_is_bound_to_the_main_chain(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    line = "init {home} --origin prizes.example/log --operator host --no-password"
    begun = stage.do(line)
    assert (begun["clock"], begun["chain_id"]) == ("system", 1)
    assert begun["time"] == pytest.approx(time.time(), abs=60)
    assert stage.refuse("clock advance 1d")["error"] == "WrongPhase"


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ("--origin 'No Good'", 3),
        ("--start 2030-01-01", 2),
        ("--people", 2),
        ("--simulated --start soon", 2),
        ("--chain-id -1", 3),
        ("--operator '../x' --no-password", 2),
        ("", 6),
    ],
)
def test_a_log_that_cannot_be_begun_leaves_nothing(tmp_path: Path, extra: str, status: int) -> None:
    assert Stage(tmp_path).refuse(f"init {{home}} {extra}")["status"] == status


def test_a_folder_takes_one_log(begun: Stage) -> None:
    assert begun.refuse("init {home} --simulated --no-password")["status"] == 2


def test_a_published_log_is_not_begun_anew_where_its_host_was_lost(begun: Stage) -> None:
    shutil.rmtree(begun.home / "host")
    refused = begun.refuse("init {home} --simulated --operator other --no-password")
    assert refused["status"] == 2


def test_a_checkpoint_that_was_not_verified_is_not_saved(
    opened: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grown(source: Source) -> tuple[Checkpoint, bytes]:
        head, data = real(source)
        return replace(head, size=head.size + 1), data

    real = reading.checkpoint
    monkeypatch.setattr(reading, "checkpoint", grown)
    ran = opened.run(f"verify {{home}} --save {tmp_path}/saved")
    assert ran.status == 6
    assert not (tmp_path / "saved").exists()


def test_without_a_log_a_command_says_how_to_begin_one(tmp_path: Path) -> None:
    refused = Stage(tmp_path).refuse("challenge list")
    assert (refused["status"], "danseo init" in refused["remedy"]) == (3, True)


def test_the_last_entries_are_listed(opened: Stage) -> None:
    found = opened.do("log show --last 3")
    assert [entry["kind"] for entry in found] == ["score.publish", "clue.commit", "clue.reveal"]
    assert [entry["index"] for entry in found] == [20, 21, 22]
    shown = opened.run("log show --last 3").out
    assert "Publish clue 21 (predictions) under CC-BY-4.0" in shown
    assert "2030-01-01T00:00:00Z" in shown


def test_every_entry_is_shown_with_a_proof_that_holds(opened: Stage) -> None:
    for index in (0, 6, 22):
        found = opened.do(f"log show {index}")
        proof = [bytes.fromhex(node) for node in found["proof"]]
        leaf, root = bytes.fromhex(found["leaf"]), bytes.fromhex(found["root"])
        verify_inclusion(leaf, index, found["size"], proof, root)
        assert found["index"] == index
    assert opened.refuse("log show 23")["error"] == "NotFound"
    assert "Contained in the tree of 23" in opened.run("log show 22").out


def test_proofs_reach_over_more_than_one_tile(begun: Stage) -> None:
    from danseo import app, settings
    from danseo.core.kinds.log import Tick

    with app.desk(settings.load({"DANSEO_HOME": str(begun.home)})) as desk:
        key = app.load_key(settings.load({"DANSEO_HOME": str(begun.home)}), "operator", str)
        for _ in range(600):
            desk.say(key, Tick())
    for index in (0, 255, 256, 300, 511, 605):
        found = begun.do(f"log show {index}")
        assert (found["index"], found["size"]) == (index, 606)
    assert len(begun.do("log show --last 400")) == 400


def test_the_summary_is_signed_in_the_language_chosen(opened: Stage) -> None:
    entry = opened.do("tick --lang ko")
    assert entry["done"] == {"example": []}
    entry = opened.do("challenge fund example donor-1 '9 KRW' --lang ko")["entry"]
    assert "상금 9 KRW" in opened.do(f"log show {entry}")["summary"]
    assert opened.refuse("challenge fund example donor-1 '9 KRW' --lang fr")["status"] == 2


def test_a_simulated_clock_goes_forward_only(opened: Stage) -> None:
    assert opened.do("clock advance 36h")["time"] == 1893456000 + 36 * 3600
    assert opened.do("clock advance --to 2030-01-05")["time"] == 1893456000 + 4 * 86400
    assert opened.refuse("clock advance --to 2030-01-04")["error"] == "OutOfOrder"
    assert opened.refuse("clock advance 0d")["error"] == "OutOfOrder"
    assert opened.refuse("clock advance 1d", "donor-1")["error"] == "NotAllowed"
    assert opened.refuse("clock advance")["status"] == 2
    assert opened.refuse("clock advance 1d --to 2031-01-01")["status"] == 2
    assert opened.refuse("clock advance soon")["status"] == 2


def test_a_tick_does_all_that_anyone_may(settled: Stage) -> None:
    assert settled.do("tick")["done"] == {"example": []}
    assert "Nothing is due" in settled.run("tick").out
    settled.do("clock advance 9d")
    done = settled.do("tick example", "donor-1")["done"]["example"]
    assert done == ["counted jury round 0", "closed the challenge"]
    assert settled.refuse("tick nothing")["error"] == "NotFound"


def test_the_whole_log_verifies_and_says_what_rests_on_whose_word(settled: Stage) -> None:
    found = settled.do("verify {home}")
    assert (found["clock"], found["size"]) == ("simulated", settled.do("log show 0")["size"])
    (one,) = found["challenges"]
    assert (one["settled_by"], one["clues"], one["recomputed"]) == ("truth", 3, 2)
    assert one["attested"] == ["money received and paid: by the organiser"]
    shown = settled.run("verify {home} --no-scores")
    assert "simulated clock" in shown.out
    assert found["root"] in shown.out


def test_a_flipped_byte_is_found_with_the_entry(settled: Stage) -> None:
    size = settled.do("log show 0")["size"]
    tile = settled.home / "log/tile/entries/000.p" / str(size)
    data = bytearray(tile.read_bytes())
    at = data.index(b"Publish clue 17")
    data[at] ^= 1
    tile.write_bytes(data)
    refused = settled.refuse("verify {home}")
    assert (refused["status"], refused["index"]) == (5, 18)
    assert "The first bad entry is 18." in settled.run("verify {home}").err


def test_a_saved_checkpoint_shows_a_rollback(opened: Stage, tmp_path: Path) -> None:
    shutil.copytree(opened.home, tmp_path / "old")
    opened.do("challenge fund example donor-1 '9 KRW'")
    opened.do(f"verify {{home}} --save {tmp_path}/saved")
    opened.do("clock advance 1d")
    found = opened.do(f"verify {{home}} --saved {tmp_path}/saved")
    assert any("saved checkpoint" in check for check in found["checks"])
    rolled_back = run("verify", str(tmp_path / "old"), "--saved", str(tmp_path / "saved"))
    assert rolled_back.status == 5
    assert opened.refuse(f"verify {{home}} --saved {tmp_path}/absent")["status"] == 2
    assert opened.do(f"verify {{home}} --since {tmp_path}/saved")["size"] == found["size"]
    assert opened.refuse(f"verify {{home}} --since {tmp_path}/absent")["status"] == 2


def test_a_bundle_verifies_by_itself(settled: Stage, tmp_path: Path) -> None:
    file = tmp_path / "prize.danseo"
    told = settled.do(f"log export {file}")
    assert told["bytes"] == file.stat().st_size
    assert settled.refuse(f"log export {file}")["status"] == 2
    assert settled.refuse(f"log export {tmp_path}/absent/x")["status"] == 2
    inside = settled.do("verify {home}")
    assert settled.do(f"verify {file}")["root"] == inside["root"]


def test_a_place_without_a_log_is_named(tmp_path: Path) -> None:
    ran = run("verify", str(tmp_path / "nothing"))
    assert ran.status == 3
    assert "nothing" in ran.err


def test_a_withheld_blob_is_gone_and_the_log_still_verifies(opened: Stage) -> None:
    blob = next(iter(opened.do("clue show example 17")["files"].values()))
    line = f"log withhold {blob} --reason 'It names a person.'"
    assert opened.refuse(line, "donor-1")["error"] == "NotAllowed"
    entry = opened.do(line)["entry"]
    assert not (opened.home / "log" / "blobs" / blob[:2] / blob).exists()
    (gone,) = opened.do("verify {home}")["withheld"]
    assert (gone["blob"], gone["entry"]) == (blob, entry)
    assert "Withheld" in opened.run("verify {home}").out
    absent = hashlib.sha256(b"never stored").hexdigest()
    assert opened.refuse(f"log withhold {absent} --reason x")["error"] == "NotFound"
    assert opened.refuse("log withhold 99 --reason x")["status"] == 3


def test_the_logs_key_changes_and_readers_follow(opened: Stage) -> None:
    assert opened.refuse("log rotate", "donor-1")["error"] == "NotAllowed"
    before = (opened.home / "log" / "checkpoint").read_text()
    opened.do("log rotate")
    assert (opened.home / "log" / "checkpoint").read_text() != before
    opened.do("clock advance 1d")
    assert opened.do("verify {home}")["size"] == 25


def test_a_host_serves_other_commands_until_it_is_interrupted(opened: Stage) -> None:
    command = [sys.executable, "-c", "import sys; from danseo.cli import main; sys.exit(main())"]
    host = subprocess.Popen(
        [*command, "log", "host", "--home", str(opened.home)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert host.stdout is not None
        assert "Serving localhost/prize (23 entries)" in host.stdout.readline()
        opened.do("score example --all --everyone")
        play.publish(opened, "counted.csv", "contributor-1")
        (lock,) = [f for f in opened.do("doctor") if f["what"] == "log"]
        assert f"held by process {host.pid}, which serves it" in lock["detail"]
        assert opened.do("verify {home} --no-scores")["size"] == 27
    finally:
        host.send_signal(signal.SIGINT)
        assert host.wait(30) == 0
    opened.do("score example --all --everyone")


def test_a_busy_log_names_the_process_that_holds_it(
    opened: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from danseo.log.lock import Lock

    monkeypatch.setenv("DANSEO_LOCK_TIMEOUT", "0")
    lock = Lock.take(opened.home / "host" / "lock")
    assert lock is not None
    try:
        assert opened.refuse("tick")["status"] == 6
        assert len(opened.do("log show")) == 20
    finally:
        lock.release()


def test_the_doctor_says_what_is_there_and_what_is_unknown(
    opened: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DANSEO_LANGUAGE", "ko")
    found = {f["what"]: f for f in opened.do("doctor")}
    assert found["python"]["state"] == found["sandbox"]["state"] == "ok"
    assert found["DANSEO_HOME"]["detail"] == str(opened.home)
    assert "DANSEO_LANG?" in found["settings"]["detail"]
    assert "held by nobody" in found["log"]["detail"]


def test_the_doctor_fails_where_something_needed_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from danseo.scoring import sandbox

    monkeypatch.setattr(sandbox, "probe", lambda: (False, "There is no bwrap."))
    ran = Stage(tmp_path).run("doctor")
    assert ran.status == 6
    assert "bubblewrap" in ran.out
