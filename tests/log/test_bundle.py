"""The auditor's bundle: one form, readable where it lies, and without room for tricks."""

from __future__ import annotations

import functools
import random
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from danseo.core import canonical
from danseo.core.errors import Invalid, NotFound, Usage
from danseo.log import bundle as module
from danseo.log import signing
from danseo.log.blobs import blob_path
from danseo.log.bundle import Archive, Member, write_bundle
from danseo.log.source import BundleSource, FolderSource, WebSource
from danseo.log.tiles import CHECKPOINT, Tile, tiles_of
from danseo.log.verify import verify
from tests.log.loglet import Loglet, MemorySource, ten_entries


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Loglet:
    return ten_entries(tmp_path_factory.mktemp("ten"))


@pytest.fixture(scope="module")
def packed(log: Loglet) -> Path:
    path = log.folder.parent / "log.zip"
    assert write_bundle(FolderSource(log.folder), path) == 10
    return path


def test_a_bundle_verifies_as_the_log_does(log: Loglet, packed: Path) -> None:
    with BundleSource(packed) as source:
        report = verify(source, workers=1)
    there = verify(FolderSource(log.folder), workers=1)
    assert (report.root, report.state, report.blobs) == (there.root, there.state, there.blobs)
    assert any("no file" in check for check in report.checks)


def test_ordinary_tools_can_read_it(log: Loglet, packed: Path) -> None:
    content = log.files()
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        assert {i.filename: archive.read(i) for i in archive.infolist()} == {
            path: content[path]
            for path in (
                CHECKPOINT,
                *(t.path for t in tiles_of(10)),
                *(blob_path(n) for n in log.blobs.names()),
            )
        }


def test_a_log_has_one_bundle_whatever_else_lies_beside_it(
    log: Loglet, packed: Path, tmp_path: Path
) -> None:
    write_bundle(MemorySource(log.files(), listed=False), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    with BundleSource(packed) as source:
        write_bundle(source, tmp_path / "third.zip")
    assert (tmp_path / "third.zip").read_bytes() == packed.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.zip", "third.zip"]


def test_the_files_that_a_manifest_names_are_in_it_and_the_withheld_are_not(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    data = log.blobs.put(b"a picture")
    secret = log.blobs.put(b"to be withheld, but not deleted yet")
    files = [{"path": "a.png", "sha256": data}, {"path": "b.png", "sha256": secret}]
    log.withhold(secret, canonical.encode({"files": files}))
    log.publish()
    write_bundle(FolderSource(log.folder), tmp_path / "log.zip")
    with Archive(tmp_path / "log.zip") as archive:
        assert blob_path(data) in archive.members
        assert blob_path(secret) not in archive.members
    with BundleSource(tmp_path / "log.zip") as source:
        verify(source, workers=1)


def test_a_missing_or_spoilt_blob_makes_no_bundle(log: Loglet, tmp_path: Path) -> None:
    content = log.files()
    (name,) = log.blobs.names()
    with pytest.raises(NotFound):
        write_bundle(
            MemorySource({k: v for k, v in content.items() if k != blob_path(name)}),
            tmp_path / "x.zip",
        )
    with pytest.raises(Invalid):
        write_bundle(MemorySource({**content, blob_path(name): b"other"}), tmp_path / "x.zip")
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_byte_of_a_bundle_is_found(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "recover", functools.cache(signing.recover))
    rng = random.Random(1)
    data = packed.read_bytes()
    path = tmp_path / "bent.zip"
    for at in range(len(data)):
        bent = bytearray(data)
        bent[at] ^= 1 << rng.randrange(8)
        path.write_bytes(bent)
        with pytest.raises(Invalid) as caught, BundleSource(path) as source:
            verify(source, workers=1)
        assert caught.value.remedy


@pytest.mark.parametrize("cut", [0, 1, 21, 22, 100, -1, -22, -100])
def test_a_bundle_that_is_cut_short_is_refused(packed: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(packed.read_bytes()[:cut])
    with pytest.raises(Invalid):
        Archive(path)


def pack(path: Path, members: list[tuple[str, bytes]], **kind: int) -> Path:
    """Write an ordinary archive as any tool would."""
    with zipfile.ZipFile(path, "w", **kind) as archive:  # type: ignore[call-overload]
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "members",
    [
        [("../evil", b"x")],
        [("/etc/passwd", b"x")],
        [("a/../b", b"x")],
        [("a\\b", b"x")],
        [("a b", b"x")],
        [("folder/", b"")],
        [("same", b"1"), ("same", b"2")],
        [("b", b"1"), ("a", b"2")],
        [("checkpoint", b"with the times and modes of an ordinary tool")],
    ],
)
def test_any_other_archive_is_refused(tmp_path: Path, members: list[tuple[str, bytes]]) -> None:
    with pytest.raises(Invalid, match="is no bundle"):
        Archive(pack(tmp_path / "x.zip", members))


def test_a_compressed_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    bomb = pack(
        tmp_path / "x.zip", [("checkpoint", bytes(1 << 24))], compression=zipfile.ZIP_DEFLATED
    )
    assert bomb.stat().st_size < 1 << 15
    with pytest.raises(Invalid, match="is no bundle"):
        Archive(bomb)


def archive_of(members: list[Member], contents: list[bytes]) -> bytes:
    """Put an archive together from any headers, true or not."""
    body = b"".join(m.local() + data for m, data in zip(members, contents, strict=True))
    directory = b"".join(m.central() for m in members)
    return body + directory + module._end(len(members), len(body), len(directory))


def test_members_that_overlap_or_repeat_are_refused(tmp_path: Path) -> None:
    data = b"hello"
    crc = zlib.crc32(data)
    first = Member("a", 5, crc, 0)
    step = first.start + 5
    path = tmp_path / "x.zip"
    path.write_bytes(archive_of([first, Member("b", 5, crc, step)], [data, data]))
    with Archive(path) as good:
        assert b"".join(good.chunks("b")) == data
    for second in (
        Member("b", 5, crc, 0),
        Member("a", 5, crc, step),
        Member("b", 6, crc, step),
        Member("b", 4, crc, step),
        Member("b", 5, crc, step + 1),
        Member("..", 5, crc, step),
    ):
        path.write_bytes(archive_of([first, second], [data, data]))
        with pytest.raises(Invalid):
            Archive(path)
    path.write_bytes(archive_of([first, Member("b", 5, crc ^ 1, step)], [data, data]))
    with Archive(path) as archive, pytest.raises(Invalid, match="CRC-32"):
        b"".join(archive.chunks("b"))


def test_absurd_counts_and_sizes_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for count, start, size in ((2**60, 0, 2**62), (2**60, 0, 0), (70_000, 0, 0), (1, 2**40, 46)):
        end = module._end(count, start, size)
        path.write_bytes(bytes(64) + end)
        with pytest.raises(Invalid):
            Archive(path)


def test_the_64_bit_form_is_the_one_that_ordinary_tools_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many members need it; a far offset needs it too, which a small file cannot show."""
    members = 70_000
    path = tmp_path / "many.zip"
    headers, at = [], 0
    for n in range(members):
        member = Member(f"a/{n:06d}", 0, 0, at)
        headers.append(member)
        at = member.start
    path.write_bytes(archive_of(headers, [b""] * members))
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == members
    with Archive(path) as ours:
        assert len(ours.members) == members
    far = Member("a", 0, 0, 2**33).central()
    assert far.endswith(struct.pack("<HHQ", 1, 8, 2**33))


def test_a_member_that_no_size_field_can_state_is_refused(
    log: Loglet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_MEMBER", 100)
    with pytest.raises(Usage, match="a bundle takes 100"):
        write_bundle(FolderSource(log.folder), tmp_path / "x.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_bundle_or_member_is_said_to_be_missing(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Archive(tmp_path / "none.zip")
    with Archive(packed) as archive, pytest.raises(NotFound):
        next(archive.chunks(Tile(0, 5).path))
    assert WebSource.remote
    assert not BundleSource.remote
