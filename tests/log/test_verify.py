"""Whatever is done to a log, `verify` says which entry is the first bad one, and what to do."""

from __future__ import annotations

import functools
import os
import random
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from danseo.core import canonical
from danseo.core.entry import Entry
from danseo.core.errors import Conflict, Invalid, Unavailable
from danseo.core.state import State, apply
from danseo.log import checking, signing, tiles
from danseo.log.blobs import Blobs, blob_path
from danseo.log.note import Checkpoint, Signer, parse_checkpoint, parse_note
from danseo.log.source import FolderSource, WebSource
from danseo.log.tiles import CHECKPOINT, ENTRIES, Tile, TileWriter, encode_bundle, tiles_of
from danseo.log.verify import verify
from danseo.log.wire import Signed, unwrap, wrap
from tests.log.loglet import (
    CHAIN,
    ORIGIN,
    SITE,
    SOMEONE,
    Loglet,
    MemorySource,
    key,
    ten_entries,
)

HALF_ORDER_TWICE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Loglet:
    return ten_entries(tmp_path_factory.mktemp("ten"))


@pytest.fixture
def files(ten: Loglet) -> dict[str, bytes]:
    return ten.files()


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Loglet:
    """A log of 600 entries: two full bundles and a part of a third."""
    log = Loglet(tmp_path_factory.mktemp("long"))
    for n in range(599):
        log.tick(key(3 + n % 3))
        if n % 150 == 0:
            log.publish()
    log.publish()
    return log


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recover each signature once: thousands of verifications ask for the same ones."""
    monkeypatch.setattr(signing, "recover", functools.cache(signing.recover))


def fault(content: dict[str, bytes], saved: bytes | None = None, *, listed: bool = True) -> Invalid:
    """Return what `verify` says of these files, which must be that they are not valid."""
    with pytest.raises(Invalid) as caught:
        verify(
            MemorySource(content, listed=listed),
            workers=1,
            saved=[saved] if saved is not None else [],
        )
    assert caught.value.remedy, caught.value.message
    return caught.value


def entry_at(path: str, data: bytes, at: int) -> int | None:
    """Return the index of the entry that byte `at` of a tile belongs to, None for other files."""
    tile = tiles.parse_path(path)
    if tile is None:
        return None
    if tile.level != ENTRIES:
        return at // 32
    for i, leaf in enumerate(tiles.decode_bundle(data, tile)):
        at -= 2 + len(leaf)
        if at < 0:
            return i
    raise AssertionError


# --- a good log -----------------------------------------------------------------------------------


def test_a_good_log_is_reported_whole(ten: Loglet, files: dict[str, bytes]) -> None:
    report = verify(MemorySource(files), workers=1)
    assert report.size == 10
    assert report.origin == ORIGIN
    assert report.clock == "system"
    assert report.time == ten.time
    assert report.root == parse_checkpoint(parse_note(ten.checkpoint).text).root
    assert report.state.size == 10
    assert report.blobs == 1
    assert len(report.checks) == 7


def test_progress_is_told_to_the_end(long: Loglet) -> None:
    told: list[tuple[int, int]] = []
    verify(FolderSource(long.folder), workers=1, progress=lambda done, of: told.append((done, of)))
    assert told == [(256, 600), (512, 600), (600, 600)]


def test_a_log_that_grew_extends_its_older_checkpoints(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    saved = [log.publish()]
    for n in range(300):
        log.tick()
        if n % 50 == 0:
            saved.append(log.publish())
    log.publish()
    report = verify(FolderSource(log.folder), workers=1, saved=saved)
    assert sum("extends the saved checkpoint" in check for check in report.checks) == len(saved)


def test_a_withheld_blob_is_reported_with_its_reason(ten: Loglet, files: dict[str, bytes]) -> None:
    (withheld,) = verify(MemorySource(files), workers=1).withheld
    assert withheld.index == 4
    assert files[blob_path(withheld.reason)] == b"the law demands it"
    assert withheld.attested == unwrap(ten.leaves[4])[0].time


def test_a_withheld_blob_last_stood_when_an_entry_last_named_it(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    reason = log.blobs.put(b"a reason that must go in its turn")
    log.add("blob.withhold", {"blob": "11" * 32, "reason": reason})
    log.time += 100
    log.add("blob.withhold", {"blob": "22" * 32, "reason": reason})
    named = log.time
    log.time += 100
    log.withhold(reason, b"the last word")
    log.blobs.delete(reason)
    log.publish()
    report = verify(FolderSource(log.folder), workers=1)
    assert [w.attested for w in report.withheld if w.blob == reason] == [named]


# --- every byte -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("remembered")
def test_every_flipped_byte_of_every_file_is_found(files: dict[str, bytes]) -> None:
    rng = random.Random(1)
    for path, data in files.items():
        for at in range(len(data)):
            bent = bytearray(data)
            bent[at] ^= 1 << rng.randrange(8)
            error = fault({**files, path: bytes(bent)})
            if path.startswith("tile/"):
                assert error.index == entry_at(path, data, at), (path, at, error.message)
            if path.startswith("blobs/"):
                assert error.index == 4


@pytest.mark.usefixtures("remembered")
def test_every_missing_byte_of_every_file_is_found(files: dict[str, bytes]) -> None:
    for path, data in files.items():
        for at in range(len(data)):
            error = fault({**files, path: data[:at] + data[at + 1 :]})
            first = entry_at(path, data, at)
            if first is not None:
                # A byte like its neighbours is missed where they end: at most in the next entry.
                assert error.index is not None
                assert first <= error.index <= first + 1, (path, at, error.message)


@pytest.mark.usefixtures("remembered")
def test_every_added_byte_of_every_file_is_found(files: dict[str, bytes]) -> None:
    rng = random.Random(2)
    for path, data in files.items():
        for at in range(len(data) + 1):
            fault({**files, path: data[:at] + rng.randbytes(1) + data[at:]})


@pytest.mark.usefixtures("remembered")
def test_random_flips_in_a_longer_log_are_found(long: Loglet) -> None:
    rng = random.Random(3)
    content = long.files()
    paths = sorted(content)
    for _ in range(60):
        path = rng.choice(paths)
        bent = bytearray(content[path])
        bent[rng.randrange(len(bent))] ^= 1 << rng.randrange(8)
        fault({**content, path: bytes(bent)})


# --- files ----------------------------------------------------------------------------------------


def test_every_missing_file_is_found(files: dict[str, bytes]) -> None:
    needed = {CHECKPOINT, *(t.path for t in tiles_of(10)), *(p for p in files if "blobs" in p)}
    for path in needed:
        error = fault({k: v for k, v in files.items() if k != path})
        assert path.rpartition("/")[2] in error.message or "missing" in error.message
        if path.startswith("blobs"):
            assert error.index == 4
        if path.startswith("tile"):
            assert error.index == 0


def test_a_missing_file_of_a_longer_log_is_found(long: Loglet) -> None:
    content = long.files()
    for tile in tiles_of(600):
        error = fault({k: v for k, v in content.items() if k != tile.path})
        assert error.index == tile.first


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt",
        "tile/0/001",
        "tile/0/000",
        "tile/0/000.p/11",
        "tile/entries/000.p/11",
        "tile/1/000.p/1",
        "tile/0/000.p/010",
        "blobs/ab/" + "ab" * 32,
        "blobs/ab/short",
        "blobs/cd/" + "ab" * 32,
        "checkpoint.bak",
        ".hidden",
    ],
)
def test_an_added_file_is_found(files: dict[str, bytes], path: str) -> None:
    error = fault({**files, path: b"x"})
    assert (path.rpartition("/")[2] if "blobs" in path else path) in error.message


def test_an_older_partial_tile_must_be_a_part_of_the_newer(files: dict[str, bytes]) -> None:
    path = "tile/0/000.p/2"
    good = files["tile/0/000.p/10"][:64]
    verify(MemorySource({**files, path: good}), workers=1)
    assert fault({**files, path: good[32:] + good[:32]}).index == 0
    assert fault({**files, path: good[:32] + good[:32]}).index == 1


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    log = ten_entries(tmp_path)
    verify(FolderSource(log.folder), workers=1)
    (log.folder / "link").symlink_to(log.folder / CHECKPOINT)
    with pytest.raises(Invalid, match="link is neither a file nor a folder"):
        verify(FolderSource(log.folder), workers=1)


def test_a_server_that_cannot_be_listed_is_verified_without_that(files: dict[str, bytes]) -> None:
    report = verify(MemorySource({**files, "notes.txt": b"x"}, listed=False), workers=1)
    assert not any("no file" in check for check in report.checks)


# --- entries --------------------------------------------------------------------------------------


def rebuild(home: Path, log: Loglet, leaves: list[bytes]) -> dict[str, bytes]:
    """A host that holds the log's key publishes other entries, with tiles and root to match."""
    folder = home / "forged"
    writer = TileWriter(folder, scratch=home / "scratch", durable=False)
    writer.append(leaves)
    point = Checkpoint(ORIGIN, writer.size, writer.root)
    forged = {t.path: (folder / t.path).read_bytes() for t in tiles_of(writer.size)}
    blobs = {p: d for p, d in log.files().items() if p.startswith("blobs")}
    return {**forged, **blobs, CHECKPOINT: point.sign(log.signer)}


def test_every_removed_doubled_or_swapped_entry_is_found(tmp_path: Path, ten: Loglet) -> None:
    leaves = ten.leaves
    for i in range(10):
        removed = rebuild(tmp_path / f"r{i}", ten, leaves[:i] + leaves[i + 1 :])
        doubled = rebuild(tmp_path / f"d{i}", ten, leaves[: i + 1] + leaves[i:])
        assert fault(doubled).index == i + 1
        if i < 9:
            assert fault(removed).index == i
            swapped = [*leaves[:i], leaves[i + 1], leaves[i], *leaves[i + 2 :]]
            assert fault(rebuild(tmp_path / f"s{i}", ten, swapped)).index == i


def test_a_signed_entry_cannot_be_moved_replayed_or_put_at_another_time(
    tmp_path: Path, ten: Loglet
) -> None:
    def resign(index: int, change: Callable[[Entry], tuple[int, int]]) -> list[bytes]:
        entry, signature, _ = unwrap(ten.leaves[index])
        at, time = change(entry)
        signed = Signed(
            entry.author,
            entry.kind,
            entry.challenge,
            entry.sequence,
            entry.summary,
            entry.body,
            signature,
        )
        return [*ten.leaves[:at], wrap(at, time, signed), *ten.leaves[at + 1 :]]

    replayed = fault(rebuild(tmp_path / "a", ten, resign(1, lambda e: (5, e.time + 30))))
    assert replayed.index == 5
    assert "sequence" in replayed.message
    earlier = fault(rebuild(tmp_path / "b", ten, resign(5, lambda e: (5, e.time - 1000))))
    assert earlier.index == 5
    assert "time" in earlier.message


def altered(log: Loglet, index: int, **changes: object) -> list[bytes]:
    """The log's leaves with one entry changed and its signature kept."""
    entry, signature, _ = unwrap(log.leaves[index])
    fields = {f: getattr(entry, f) for f in Signed.__dataclass_fields__ if f != "signature"}
    signed = Signed(**{**fields, "signature": signature, **changes})  # type: ignore[arg-type]
    return [*log.leaves[:index], wrap(index, entry.time, signed), *log.leaves[index + 1 :]]


def test_forged_and_malleable_signatures_are_found(tmp_path: Path, ten: Loglet) -> None:
    _, signature, _ = unwrap(ten.leaves[8])
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    high = r + (HALF_ORDER_TWICE - s).to_bytes(32, "big") + bytes([55 - v])
    for name, forged, says in (
        ("high", high, "high s"),
        ("v", signature[:64] + bytes([v - 27]), "v ="),
        ("other", signature[:64] + bytes([55 - v]), "signed an entry of|No key"),
        ("zero", bytes(64) + b"\x1b", "No key"),
        ("stolen", unwrap(ten.leaves[1])[1], "signed an entry of|No key"),
    ):
        error = fault(rebuild(tmp_path / name, ten, altered(ten, 8, signature=forged)))
        assert error.index == 8
        assert any(part in error.message for part in says.split("|"))


def test_an_entry_signed_for_another_log_or_chain_is_found(tmp_path: Path, ten: Loglet) -> None:
    for name, origin, chain in (("log", "other.example/log", CHAIN), ("chain", ORIGIN, 1)):
        stranger = signing.Domain(chain, origin)
        entry, _, digest = unwrap(ten.leaves[8])
        hashed = stranger.digest(entry.kind, entry.challenge, entry.summary, digest, entry.sequence)
        leaves = altered(ten, 8, signature=SOMEONE.sign(hashed))
        error = fault(rebuild(tmp_path / name, ten, leaves))
        assert error.index == 8
        assert "signed an entry of" in error.message


def test_an_altered_author_summary_or_body_is_found(tmp_path: Path, ten: Loglet) -> None:
    for name, change in (
        ("author", {"author": key(77).address}),
        ("summary", {"summary": "Send nothing"}),
        ("body", {"body": {"to": key(78).address}}),
        ("sequence", {"sequence": 9}),
    ):
        assert fault(rebuild(tmp_path / name, ten, altered(ten, 8, **change))).index == 8


def test_a_person_without_wallet_is_signed_for_by_the_site_alone(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    log.add("tick", {}, SITE, author="site:" + "5e" * 16)
    log.publish()
    verify(FolderSource(log.folder), workers=1)
    log.add("tick", {}, SOMEONE, author="site:" + "5e" * 16)
    log.publish()
    assert fault(log.files()).index == 2


def test_an_entry_that_breaks_a_rule_is_found_and_names_the_rule(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    log.tick()
    log.add("log.key", {"log_key": "ab" * 32}, SOMEONE)  # only the operator may
    log.publish()
    error = fault(log.files())
    assert error.index == 2
    assert "does not operate this log" in error.message


def test_the_first_of_two_faults_is_reported(ten: Loglet, files: dict[str, bytes]) -> None:
    path = "tile/entries/000.p/10"
    at = [i for i in range(len(files[path])) if entry_at(path, files[path], i) in (3, 7)]
    bent = bytearray(files[path])
    bent[at[-1]] ^= 1
    assert fault({**files, path: bytes(bent)}).index == 7
    bent[at[0]] ^= 1
    assert fault({**files, path: bytes(bent)}).index == 3


def test_a_log_must_begin_with_its_genesis(tmp_path: Path, ten: Loglet) -> None:
    error = fault(rebuild(tmp_path, ten, ten.leaves[1:]))
    assert error.index == 0
    assert "genesis" in error.message


def test_an_empty_log_is_none(ten: Loglet) -> None:
    empty = Checkpoint(ORIGIN, 0, tiles.Tree().root()).sign(ten.signer)
    assert "no genesis" in fault({CHECKPOINT: empty}).message


def test_a_further_rule_can_refuse_an_entry(files: dict[str, bytes]) -> None:
    def hook(state: State, entry: Entry) -> None:
        assert state.size == entry.index
        if entry.kind == "key.payout":
            raise Conflict("This score is not what the scorer gives.", "Run it.")

    with pytest.raises(Invalid, match="not what the scorer gives") as caught:
        verify(MemorySource(files), workers=1, hooks=[hook])
    assert caught.value.index == 8


# --- checkpoints ----------------------------------------------------------------------------------


def test_a_rollback_to_an_older_signed_checkpoint_is_found_by_a_saved_one(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    log.tick()
    log.publish()
    old = log.files()
    log.tick()
    saved = log.publish()
    verify(MemorySource(old), workers=1)
    error = fault(old, saved)
    assert "rolled back" in error.message
    assert error.index == 2


def test_a_rewritten_log_is_found_by_a_saved_checkpoint(tmp_path: Path) -> None:
    log, other = Loglet(tmp_path / "a"), Loglet(tmp_path / "b")
    log.tick()
    saved = log.publish()
    other.time += 5
    other.tick()
    other.tick()
    other.publish()
    verify(MemorySource(other.files()), workers=1)
    assert "rewritten" in fault(other.files(), saved).message


def test_a_saved_checkpoint_of_another_log_or_damaged_is_told_from_a_rewritten_log(
    tmp_path: Path, ten: Loglet, files: dict[str, bytes]
) -> None:
    stranger = Loglet(tmp_path, origin="other.example/log").publish()
    assert "is of other.example/log" in fault(files, stranger).message
    point = parse_checkpoint(parse_note(ten.checkpoint).text)
    unknown = point.sign(Signer(ORIGIN, bytes(32)))
    assert "No key of this log" in fault(files, unknown).message
    damaged = ten.checkpoint.replace(b"\n10\n", b"\nten\n")
    assert "saved checkpoint is damaged" in fault(files, damaged).message


def test_a_checkpoint_by_a_key_that_is_no_longer_in_force_is_found(
    ten: Loglet, files: dict[str, bytes]
) -> None:
    first = Signer(ORIGIN, bytes(range(32)))
    point = parse_checkpoint(parse_note(files[CHECKPOINT]).text)
    assert "key that the log names last" in fault({**files, CHECKPOINT: point.sign(first)}).message
    verify(MemorySource({**files, CHECKPOINT: point.sign(first, ten.signer)}), workers=1)
    stranger = Signer("witness.example", bytes(32))
    verify(MemorySource({**files, CHECKPOINT: point.sign(ten.signer, stranger)}), workers=1)


def test_a_checkpoint_of_another_root_size_or_origin_is_found(
    ten: Loglet, files: dict[str, bytes]
) -> None:
    point = parse_checkpoint(parse_note(files[CHECKPOINT]).text)
    for changed, listed in (
        (Checkpoint(ORIGIN, 10, bytes(32)), True),
        (Checkpoint(ORIGIN, 6, point.root), True),
        (Checkpoint(ORIGIN, 6, point.root), False),
        (Checkpoint(ORIGIN, 11, point.root), False),
        (Checkpoint(ORIGIN, 10**15, point.root), False),
        (Checkpoint("other.example/log", 10, point.root), True),
    ):
        fault({**files, CHECKPOINT: changed.sign(ten.signer)}, listed=listed)


def test_from_a_saved_checkpoint_signatures_before_it_are_not_asked_again(
    long: Loglet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = checking.check_signer

    def count(entry: Entry, digest: bytes, signature: bytes, site: str) -> None:
        asked.append(entry.index)
        real(entry, digest, signature, site)

    monkeypatch.setattr(checking, "check_signer", count)
    writer = TileWriter(long.folder.parent / "older", durable=False)
    writer.append(long.leaves[:550])
    since = Checkpoint(ORIGIN, 550, writer.root).sign(long.signer)
    report = verify(FolderSource(long.folder), workers=1, since=since)
    assert asked == list(range(550, 600))
    assert report.state.size == 600
    assert any("from entry 550 on" in check for check in report.checks)
    wrong = Checkpoint(ORIGIN, 550, bytes(32)).sign(long.signer)
    with pytest.raises(Invalid, match="rewritten"):
        verify(FolderSource(long.folder), workers=1, since=wrong)


# --- blobs ----------------------------------------------------------------------------------------


def test_the_files_that_a_manifest_names_are_checked_too(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    data = log.blobs.put(b"a picture")
    manifest = canonical.encode({"files": [{"path": "a.png", "sha256": data, "size": 9}]})
    log.withhold("33" * 32, manifest)
    log.publish()
    good = log.files()
    assert verify(MemorySource(good), workers=1).blobs == 2
    assert fault({k: v for k, v in good.items() if k != blob_path(data)}).index == 1
    assert fault({**good, blob_path(data): b"another"}).index == 1


def test_blobs_can_be_left_unread_or_lie_in_another_store(tmp_path: Path) -> None:
    log = ten_entries(tmp_path)
    store = Blobs(tmp_path / "store", scratch=tmp_path / "scratch")
    for name in log.blobs.names():
        store.put(log.blobs.get(name))
        log.blobs.delete(name)
    assert verify(FolderSource(log.folder), workers=1, blobs=False).blobs == 0
    assert verify(FolderSource(log.folder, store), workers=1).blobs == 1
    with pytest.raises(Invalid, match="is missing"):
        verify(FolderSource(log.folder), workers=1)


# --- processes and networks -----------------------------------------------------------------------


@pytest.fixture
def served(long: Loglet) -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(long.folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_log_is_verified_over_http(served: str, long: Loglet) -> None:
    report = verify(WebSource(served), workers=1)
    assert (report.size, report.place) == (600, served)


def test_a_fault_is_found_over_http_in_its_turn(served: str, long: Loglet) -> None:
    tile = long.folder / Tile(ENTRIES, 0).path
    other = long.folder / Tile(ENTRIES, 1).path
    good = tile.read_bytes()
    hidden = other.with_name("hidden")
    other.rename(hidden)
    try:
        tile.write_bytes(good[:40_000] + b"!" + good[40_001:])
        with pytest.raises(Invalid) as caught:
            verify(WebSource(served), workers=1)
        assert caught.value.index == entry_at(Tile(ENTRIES, 0).path, good, 40_000)
        tile.write_bytes(good)
        with pytest.raises(Invalid, match="missing") as caught:
            verify(WebSource(served), workers=1)
        assert caught.value.index == 256
    finally:
        tile.write_bytes(good)
        hidden.rename(other)


def test_a_log_is_verified_by_several_processes_as_by_one(
    long: Loglet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "FEW", 0)
    one = verify(FolderSource(long.folder), workers=1)
    two = verify(FolderSource(long.folder), workers=2)
    assert (one.root, one.state, one.checks) == (two.root, two.state, two.checks)
    content = long.files()
    path = Tile(ENTRIES, 1).path
    bent = bytearray(content[path])
    bent[30_000] ^= 1
    with pytest.raises(Invalid) as caught:
        verify(MemorySource({**content, path: bytes(bent)}), workers=2)
    assert caught.value.index == 256 + entry_at(Tile(ENTRIES, 0).path, content[path], 30_000)  # type: ignore[operator]


def test_a_killed_process_is_reported_as_that(
    long: Loglet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "FEW", 0)
    monkeypatch.setattr(checking, "_start", _die)
    with pytest.raises(Unavailable, match="was killed"):
        verify(FolderSource(long.folder), workers=1 + 1)


def _die(_: object) -> None:
    os._exit(1)


def test_a_fold_of_ones_own_can_be_given(files: dict[str, bytes]) -> None:
    seen: list[str] = []

    def fold(state: State, entry: Entry) -> None:
        seen.append(entry.kind)
        apply(state, entry)

    state = State()
    report = verify(MemorySource(files), workers=1, state=state, fold=fold)
    assert report.state is state
    assert len(seen) == 10


def test_a_bundle_that_repeats_a_valid_entry_is_not_taken_for_a_longer_log(
    ten: Loglet, files: dict[str, bytes]
) -> None:
    path = "tile/entries/000.p/10"
    more = files[path] + encode_bundle([ten.leaves[-1]])
    assert fault({**files, path: more}).index == 10
