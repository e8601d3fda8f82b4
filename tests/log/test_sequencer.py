"""The sequencer: what it admits, what it writes, and that it mends itself."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import stat
import threading

import pytest

from danseo.core import errors
from danseo.core.errors import (
    BadSignature,
    Conflict,
    Invalid,
    Malformed,
    NotAllowed,
    NotFound,
    OutOfOrder,
    Unavailable,
    Usage,
)
from danseo.core.state import apply as core_apply
from danseo.log import keys, note, sequencer, signing, snapshot, tiles, wire
from danseo.log.sequencer import Appended, Sequencer
from tests.log import writing
from tests.log.writing import (
    DOMAIN,
    OPERATOR,
    ORIGIN,
    OTHER,
    START,
    advance,
    check_public,
    tick,
    ticks,
)


def test_a_new_log_begins_with_its_genesis_and_is_public(tmp_path):
    with writing.create(tmp_path) as log:
        assert (log.size, log.state.origin, log.state.operator) == (1, ORIGIN, OPERATOR.address)
        assert log.state.now == START
    state = check_public(tmp_path / "log")
    assert (state.size, state.clock, state.chain_id) == (1, "simulated", 31337)


def test_appended_entries_are_public_at_once(tmp_path):
    with writing.create(tmp_path) as log:
        assert log.append(ticks(1, 3)) == [Appended(i, START) for i in (1, 2, 3)]
        assert check_public(tmp_path / "log") == log.state
        assert log.append([]) == []
        log.append(ticks(4, 300))
        assert check_public(tmp_path / "log") == log.state
        assert log.size == 304


def test_a_refused_entry_stands_in_nobodys_way(tmp_path):
    with writing.create(tmp_path) as log:
        forged = dataclasses.replace(tick(0, OTHER), author=OPERATOR.address, sequence=2)
        float_body = dataclasses.replace(tick(2), body={"x": 0.5})
        results = log.append([tick(1), forged, tick(7), float_body, tick(2), tick(2)])
        assert [type(r) for r in results] == [
            Appended,
            BadSignature,
            OutOfOrder,
            Malformed,
            Appended,
            OutOfOrder,
        ]
        assert check_public(tmp_path / "log") == log.state
        assert log.size == 3


def odd(domain=DOMAIN, kind="tick", body=None, summary="Let time pass"):
    return signing.sign_entry(OPERATOR, domain, kind, "", 1, body or {}, summary)


def high_s(signature):
    """The same signature in its second, malleable form."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (tick(0), OutOfOrder),
        (tick(2), OutOfOrder),
        (dataclasses.replace(tick(1), summary="Let time stand"), BadSignature),
        (dataclasses.replace(tick(1), author=OTHER.address), BadSignature),
        (dataclasses.replace(tick(1), author="someone"), Malformed),
        (dataclasses.replace(tick(1), sequence=-1), Malformed),
        (dataclasses.replace(tick(1), body=[]), Malformed),
        (dataclasses.replace(tick(1), signature=b""), Malformed),
        (
            signing.sign_entry(
                OPERATOR, signing.Domain(1, ORIGIN), "tick", "", 1, {}, "Let time pass"
            ),
            BadSignature,
        ),
        (
            signing.sign_entry(
                OPERATOR, signing.Domain(31337, "log.example/b"), "tick", "", 1, {}, "Let time pass"
            ),
            BadSignature,
        ),
        (signing.sign_entry(OPERATOR, DOMAIN, "tick", "", 1, {}, "Anything"), Malformed),
        (signing.sign_entry(OPERATOR, DOMAIN, "tick", "", 1, {"x": 1}, "Let time pass"), Malformed),
        (signing.sign_entry(OPERATOR, DOMAIN, "nonsense", "", 1, {}, "Let time pass"), Malformed),
        (advance(1, START), OutOfOrder),
        (advance(1, START - 1), OutOfOrder),
    ],
)
def test_what_is_refused_changes_nothing(tmp_path, entry, error):
    with writing.create(tmp_path) as log:
        before = snapshot.encode_state(log.state)
        files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        (result,) = log.append([entry])
        assert type(result) is error
        assert snapshot.encode_state(log.state) == before
        assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files


def test_a_log_opens_again_as_it_was(tmp_path):
    with writing.create(tmp_path, settle=10) as log:
        for i in range(1, 60):
            log.append([tick(i)])
        state, root = log.state, log.root
    with Sequencer(tmp_path) as log:
        assert (log.state, log.root) == (state, root)
        assert log.sequence_of(OPERATOR.address, "") == 60
        assert log.append([tick(60)]) == [Appended(60, START)]
    assert check_public(tmp_path / "log").size == 61


def test_settling_empties_the_journal_and_saves_the_state(tmp_path):
    with writing.create(tmp_path, settle=300) as log:
        log.append(ticks(1, 299))
        long = (tmp_path / "host/journal").stat().st_size
        log.append(ticks(300, 1))
        assert (tmp_path / "host/journal").stat().st_size < long / 100
        assert snapshot.read(tmp_path / "host/snapshot").size == 300
        log.append(ticks(301, 300))
        assert (tmp_path / "log/tile/entries/001.p/44").exists()  # a crash may need it
        log.append(ticks(601, 1))
        assert check_public(tmp_path / "log") == log.state
    assert not (tmp_path / "log/tile/0/000.p").exists()
    assert not (tmp_path / "log/tile/entries/001.p").exists()


def test_a_snapshot_is_used_and_a_wrong_one_is_not(tmp_path, monkeypatch):
    with writing.create(tmp_path, settle=5) as log:
        for i in range(1, 12):
            log.append([tick(i)])
        state = log.state
    folded = []
    monkeypatch.setattr(sequencer, "apply", lambda s, e: folded.append(e.index) or core_apply(s, e))
    Sequencer(tmp_path).close()
    assert len(folded) < 6
    path = tmp_path / "host/snapshot"
    good = path.read_bytes()
    wrong = snapshot.read(path)
    snapshot.write(path, dataclasses.replace(wrong, root=bytes(32)))
    for content in (path.read_bytes(), good[:-1], good.replace(b"tick", b"tock"), b"", b"\n{}"):
        path.write_bytes(content)
        folded.clear()
        with Sequencer(tmp_path) as log:
            assert log.state == state
        if content != good:
            assert len(folded) == 12


def test_the_log_key_rotates_and_old_checkpoints_stay_behind(tmp_path):
    with writing.create(tmp_path) as log:
        public = keys.create_log_key(tmp_path / "host")
        body = {"log_key": public}
        summary = f"Rotate the log's key to {public:.16}"
        entry = signing.sign_entry(OPERATOR, DOMAIN, "log.key", "", 1, body, summary)
        assert log.append([entry]) == [Appended(1, START)]
        verifier = note.Verifier(ORIGIN, bytes.fromhex(public))
        assert (
            note.read_checkpoint((tmp_path / "log/checkpoint").read_bytes(), [verifier]).size == 2
        )
    with Sequencer(tmp_path) as log:
        log.append([tick(2)])
    assert check_public(tmp_path / "log").log_key == public


def test_a_log_key_that_the_host_does_not_hold_is_refused(tmp_path):
    with writing.create(tmp_path) as log:
        body = {"log_key": "ab" * 32}
        summary = "Rotate the log's key to abababababababab"
        entry = signing.sign_entry(OPERATOR, DOMAIN, "log.key", "", 1, body, summary)
        (result,) = log.append([entry])
        assert isinstance(result, NotFound)
        assert log.append([tick(1)]) == [Appended(1, START)]


# --- time ---------------------------------------------------------------------------------------


def test_a_clock_that_steps_back_does_not_take_time_back(tmp_path):
    clock = iter([1000.9, 1002.0, 990.0, 1001.5, 1003.0])
    with writing.create(tmp_path, "system", start=None, now=lambda: next(clock)) as log:
        times = [log.append([tick(i)])[0].time for i in (1, 2, 3, 4)]
    assert times == [1002, 1002, 1002, 1003]


def test_a_clock_that_stepped_back_before_opening_does_not_either(tmp_path):
    with writing.create(tmp_path, "system", start=2000, now=lambda: 2000) as log:
        assert log.append([tick(1)]) == [Appended(1, 2000)]
    with Sequencer(tmp_path, clock=lambda: 5) as log:
        assert log.append([tick(2)]) == [Appended(2, 2000)]


def test_a_time_that_only_a_refused_entry_saw_still_counts(tmp_path):
    clock = [1000.0]
    with writing.create(tmp_path, "system", start=1000, now=lambda: clock[0]) as log:
        clock[0] = 2000.0
        # Refused after time has passed: only the operator may withhold a blob.
        body = {"blob": "ab" * 32, "reason": "cd" * 32}
        summary = "Withhold the blob abababababababab"
        entry = signing.sign_entry(OTHER, DOMAIN, "blob.withhold", "", 0, body, summary)
        assert isinstance(log.append([entry])[0], NotAllowed)
        clock[0] = 1500.0
        assert log.append([tick(1)]) == [Appended(1, 2000)]
    assert check_public(tmp_path / "log").now == 2000


def test_only_clock_advance_moves_a_simulated_clock(tmp_path):
    with writing.create(tmp_path, now=lambda: 9e9) as log:
        results = log.append([tick(1), advance(2, START + 86_400), tick(3)])
        assert [r.time for r in results] == [START, START + 86_400, START + 86_400]
    assert check_public(tmp_path / "log").now == START + 86_400


def test_a_real_clock_cannot_be_advanced(tmp_path):
    with writing.create(tmp_path, "system") as log:
        assert isinstance(log.append([advance(1, START * 2)])[0], errors.Refused)


# --- hooks --------------------------------------------------------------------------------------


def test_a_hook_can_refuse_what_the_rules_would_take(tmp_path):
    def no_sealing(state, entry):
        if entry.kind == "key.sealing":
            raise Conflict("No sealing today.", "Come back.")

    with writing.create(tmp_path, hooks=[no_sealing]) as log:
        entry = writing.sealing(0, OTHER, "ab" * 32)
        results = log.append([tick(1), entry, tick(2)])
        assert [type(r) for r in results] == [Appended, Conflict, Appended]
        assert log.state.people == {}
    with Sequencer(tmp_path) as log:
        assert log.append([entry]) == [Appended(3, START)]


def test_a_hook_that_cannot_judge_keeps_out_its_own_entry_only(tmp_path):
    def broken(state, entry):
        if entry.author == OTHER.address:
            raise Unavailable("The blob store does not answer.", "Try again.")

    with writing.create(tmp_path, hooks=[broken]) as log:
        results = log.append([tick(0, OTHER), tick(1)])
        assert [type(r) for r in results] == [Unavailable, Appended]


def test_an_error_in_a_hook_leaves_the_log_as_it_was(tmp_path):
    def bug(state, entry):
        if entry.sequence == 3:
            raise ZeroDivisionError

    with writing.create(tmp_path, hooks=[bug]) as log:
        log.append([tick(1)])
        with pytest.raises(ZeroDivisionError):
            log.append([tick(2), tick(3)])
        assert log.size == 2
        assert check_public(tmp_path / "log") == log.state
        assert log.append([tick(2)]) == [Appended(2, START)]


# --- many callers -------------------------------------------------------------------------------


def test_threads_share_a_group_and_each_gets_its_own_results(tmp_path, monkeypatch):
    people = [signing.Key(bytes([i]) * 32) for i in range(10, 18)]
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(fd) or fsync(fd))
    with writing.create(tmp_path) as log:
        synced.clear()
        results = {}

        def publish(person):
            results[person] = [log.append([tick(n, person)])[0] for n in range(10)]

        threads = [threading.Thread(target=publish, args=(p,)) for p in people]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        indices = sorted(r.index for some in results.values() for r in some)
        assert indices == list(range(1, 81))
        assert len(synced) < 80
        assert check_public(tmp_path / "log") == log.state


def test_one_group_needs_one_fsync(tmp_path, monkeypatch):
    with writing.create(tmp_path) as log:
        synced = []
        fsync = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: synced.append(fd) or fsync(fd))
        log.append(ticks(1, 256))
        assert len(synced) == 1


# --- faults -------------------------------------------------------------------------------------


def caught(log, entries):
    """The error with which `entries` failed, or None."""
    try:
        log.append(entries)
    except Unavailable as error:
        return error
    return None


def fail_once_full(monkeypatch, name, after):
    """Let the call `after` of os.<name> and all later ones fail as on a full disk."""
    real = getattr(os, name)
    calls = [0]

    def full(*args, **kwargs):
        calls[0] += 1
        if calls[0] > after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, full)


@pytest.mark.parametrize("name", ["pwrite", "write", "fsync", "open"])
@pytest.mark.parametrize("after", range(7))
def test_a_full_disk_takes_nothing_and_later_everything(tmp_path, monkeypatch, name, after):
    with writing.create(tmp_path) as log:
        log.append(ticks(1, 250))
        before = log.state.size, log.root
        with monkeypatch.context() as patch:
            fail_once_full(patch, name, after)
            failure = caught(log, ticks(251, 20))
        if failure:
            assert "No space left" in failure.message
            assert log.size == before[0]
            assert writing.leaves_of(tmp_path / "log")[:251]
            log.append(ticks(251, 20))
        assert log.size == 271
        assert check_public(tmp_path / "log") == log.state
    with Sequencer(tmp_path) as log:
        assert log.size == 271


def test_an_interrupt_after_the_checkpoint_leaves_what_it_covers(tmp_path, monkeypatch):
    with writing.create(tmp_path) as log:
        publish = log._publish

        def interrupted():
            publish()
            raise KeyboardInterrupt

        monkeypatch.setattr(log, "_publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            log.append([tick(1)])
        monkeypatch.undo()
        assert log.size == 2
        assert log.append([tick(2)]) == [Appended(2, START)]
        assert check_public(tmp_path / "log") == log.state


def test_a_tile_changed_under_an_open_log_is_found_when_it_settles(tmp_path):
    with writing.create(tmp_path, settle=40) as log:
        log.append(ticks(1, 40))
        log.append(ticks(41, 40))
        for name in ("0", "entries"):
            other = tmp_path / f"log/tile/{name}/000.p"
            content = (other / "81").read_bytes()
            if name == "entries":
                leaves = tiles.decode_bundle(content, tiles.Tile(tiles.ENTRIES, 0, 81))
                changed = tiles.encode_bundle([b"{}", *leaves[1:41]])
            else:
                changed = writing.leaf_hash(b"{}") + content[32 : 41 * 32]
            (other / "41").write_bytes(changed)
        with pytest.raises(Invalid, match="do not follow"):
            log.append([tick(81)])


def test_an_undone_append_leaves_no_file_behind(tmp_path, monkeypatch):
    with writing.create(tmp_path) as log:
        log.append(ticks(1, 250))
        with monkeypatch.context() as patch:
            patch.setattr(log, "_publish", lambda: (_ for _ in ()).throw(OSError(28, "full")))
            with pytest.raises(Unavailable):
                log.append(ticks(251, 600))
        assert (tmp_path / "log/tile/0/002").exists()
        # A tree of another future grows where the undone one was.
        log.append(ticks(0, 3, OTHER))
        assert check_public(tmp_path / "log") == log.state
        assert log.size == 254


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs mount")
def test_a_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=256k tmpfs {disk} 2>/dev/null") != 0:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        with writing.create(disk) as log:
            (disk / "ballast").write_bytes(bytes(60_000))
            sequence = 1
            while not (failure := caught(log, ticks(sequence, 20))):
                sequence += 20
            assert "No space left" in failure.message
            assert log.size == sequence
            writing.leaves_of(disk / "log")
            (disk / "ballast").unlink()
            log.append(ticks(sequence, 20))
            assert check_public(disk / "log") == log.state
        with Sequencer(disk) as log:
            assert log.size == sequence + 20
    finally:
        os.system(f"umount {disk}")


def test_a_journal_that_does_not_settle_still_holds_everything(tmp_path, monkeypatch):
    with writing.create(tmp_path, settle=4) as log:
        monkeypatch.setattr(
            snapshot, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
        )
        for i in range(1, 20):
            log.append([tick(i)])
        assert not (tmp_path / "host/snapshot").exists()
        assert check_public(tmp_path / "log") == log.state
    with Sequencer(tmp_path) as log:
        assert log.size == 20


# --- what does not fit together -----------------------------------------------------------------


@pytest.fixture
def grown(tmp_path):
    """The home of a log whose first 301 entries are settled; 9 more are in the journal."""
    with writing.create(tmp_path, settle=300) as log:
        log.append(ticks(1, 300))
        log.append(ticks(301, 9))
    return tmp_path


def test_a_lost_public_file_is_made_again_from_the_journal(grown):
    public = grown / "log"
    good = {p: p.read_bytes() for p in public.rglob("*") if p.is_file()}
    for path in (
        public / "checkpoint",
        public / "tile/0/001.p/54",
        public / "tile/entries/001.p/54",
    ):
        path.unlink()
        Sequencer(grown).close()
        assert path.read_bytes() == good[path]
    (public / "checkpoint").write_bytes(b"")
    Sequencer(grown).close()
    assert {p: p.read_bytes() for p in public.rglob("*") if p.is_file()} == good


@pytest.mark.parametrize("path", ["tile/0/001.p/45", "tile/1/000.p/1", "tile/entries/001.p/45"])
def test_a_changed_tile_under_the_journal_is_refused(grown, path):
    content = bytearray((grown / "log" / path).read_bytes())
    content[5] ^= 1
    (grown / "log" / path).write_bytes(content)
    with pytest.raises(Invalid):
        Sequencer(grown)


def test_a_missing_tile_under_the_journal_is_refused(grown):
    (grown / "log/tile/0/001.p/45").unlink()
    with pytest.raises(Invalid, match="missing"):
        Sequencer(grown)


def test_an_older_journal_than_what_is_published_is_refused(grown):
    journal = grown / "host/journal"
    journal.write_bytes(journal.read_bytes()[:-1])
    with pytest.raises(Invalid, match="310 entries, the journal ends at 309"):
        Sequencer(grown)


def test_a_checkpoint_of_another_log_is_refused(grown, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    with writing.create(other) as log:
        log.append(ticks(0, 304, OTHER))
    shutil.copy(other / "log/checkpoint", grown / "log/checkpoint")
    with pytest.raises(Invalid, match="do not follow"):
        Sequencer(grown)


def test_a_damaged_journal_header_is_refused(grown):
    journal = grown / "host/journal"
    content = journal.read_bytes()
    for at in (0, 20, 30, 59):
        bad = bytearray(content)
        bad[at] ^= 1
        journal.write_bytes(bad)
        with pytest.raises(Invalid):
            Sequencer(grown)
    journal.write_bytes(b"")
    with pytest.raises(Invalid):
        Sequencer(grown)


def test_a_log_that_the_rules_no_longer_take_is_refused_with_the_index(grown, monkeypatch):
    (grown / "host/snapshot").unlink()

    def stricter(state, entry):
        if entry.index == 304:
            raise Conflict("Not any more.", "")
        core_apply(state, entry)

    monkeypatch.setattr(sequencer, "apply", stricter)
    with pytest.raises(Invalid, match="entry 304") as caught:
        Sequencer(grown)
    assert caught.value.index == 304


# --- the home -----------------------------------------------------------------------------------


def test_there_is_no_log_in_an_empty_home(tmp_path):
    with pytest.raises(NotFound, match="init"):
        Sequencer(tmp_path)


def test_a_log_is_begun_once(tmp_path):
    writing.create(tmp_path).close()
    before = (tmp_path / "log/checkpoint").read_bytes()
    with pytest.raises(Usage, match="already"):
        writing.create(tmp_path)
    assert (tmp_path / "log/checkpoint").read_bytes() == before
    shutil.rmtree(tmp_path / "host")
    with pytest.raises(Usage, match="already"):
        writing.create(tmp_path)


@pytest.mark.parametrize(
    "options", [{"origin": "No Origin"}, {"clock": "sundial"}, {"chain_id": -1}]
)
def test_a_log_that_cannot_be_begun_can_be_begun_right(tmp_path, options):
    base = {"origin": ORIGIN, "chain_id": 31337, "clock": "simulated", "operator": OPERATOR}
    with pytest.raises(Malformed):
        Sequencer.create(tmp_path, **(base | options))
    with writing.create(tmp_path) as log:
        assert log.size == 1


def test_the_owner_alone_can_read_the_host_folder(tmp_path):
    with writing.create(tmp_path):
        assert stat.S_IMODE((tmp_path / "host").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "log/checkpoint").stat().st_mode) & 0o044 == 0o044


def test_the_lock_is_held_until_close(tmp_path):
    log = writing.create(tmp_path)
    with pytest.raises(Unavailable, match=str(os.getpid())):
        Sequencer(tmp_path)
    log.close()
    log.close()
    Sequencer(tmp_path).close()
    with pytest.raises(Unavailable, match="closed"):
        log.append([tick(1)])


def test_a_child_that_lives_on_does_not_hold_the_lock(tmp_path):
    log = writing.create(tmp_path)
    reading, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing_end)
        os.read(reading, 1)  # until the parent hangs up
        os._exit(0)
    log.close()
    Sequencer(tmp_path).close()
    os.close(writing_end)
    os.close(reading)
    os.waitpid(child, 0)


def test_the_site_signs_for_people_without_a_wallet(tmp_path):
    with writing.create(tmp_path, site=OTHER.address) as log:
        person = "site:" + "0a" * 16
        entry = signing.sign_entry(OTHER, DOMAIN, "tick", "", 0, {}, "Let time pass", author=person)
        assert log.append([entry]) == [Appended(1, START)]
        assert log.sequence_of(person, "") == 1


def test_what_is_stored_is_the_canonical_leaf(tmp_path):
    with writing.create(tmp_path) as log:
        log.append([tick(1)])
    leaf = writing.leaves_of(tmp_path / "log")[1]
    assert leaf == wire.wrap(1, START, tick(1))
    bundle = (tmp_path / "log/tile/entries/000.p/2").read_bytes()
    assert tiles.decode_bundle(bundle, tiles.Tile(tiles.ENTRIES, 0, 2))[1] == leaf
