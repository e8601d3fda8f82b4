"""One suite over a local folder and over an object store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core import canonical
from danseo.core.errors import Invalid, Malformed, NotFound
from danseo.log.blobs import (
    CHUNK,
    Blobs,
    blob_path,
    check_blob,
    manifest_names,
    parse_blob_path,
)


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    if request.param == "folder":
        yield Blobs(tmp_path / "log/blobs", scratch=tmp_path / "scratch")
    else:
        yield Blobs("memory://store/blobs")
        fsspec.filesystem("memory").store.clear()


def spoil(blobs: Blobs, name: str, data: bytes) -> None:
    """Write other content under a blob's name."""
    blobs._fs.pipe_file(f"{blobs._root}/{name[:2]}/{name}", data)


def test_what_is_put_comes_back_under_its_hash(blobs: Blobs, tmp_path: Path) -> None:
    data = "잉크".encode()
    name = blobs.put(data)
    assert name == name_of(data)
    assert blobs.get(name) == data
    assert blobs.has(name)
    assert blobs.size(name) == len(data)
    assert b"".join(blobs.chunks(name)) == data
    assert blobs.copy_to(name, tmp_path / "copy") == len(data)
    assert (tmp_path / "copy").read_bytes() == data
    assert blobs.put(data) == name
    assert list(blobs.names()) == [name]


def test_a_large_file_is_stored_a_part_at_a_time(blobs: Blobs, tmp_path: Path) -> None:
    data = os.urandom(CHUNK) + b"tail"
    (tmp_path / "large").write_bytes(data)
    name = blobs.put_file(tmp_path / "large")
    assert name == name_of(data)
    assert [len(c) for c in blobs.chunks(name)] == [CHUNK, 4]
    assert check_blob(name, blobs.chunks(name)) == CHUNK + 4
    assert blobs.put_file(tmp_path / "large") == name
    assert list(blobs.names()) == [name]


def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    assert blobs.get(blobs.put(b"")) == b""


def test_a_missing_blob_is_named_as_missing(blobs: Blobs, tmp_path: Path) -> None:
    name = name_of(b"never stored")
    assert not blobs.has(name)
    assert list(blobs.names()) == []
    for act in (
        lambda: blobs.get(name),
        lambda: blobs.size(name),
        lambda: blobs.copy_to(name, tmp_path / "copy"),
        lambda: check_blob(name, blobs.chunks(name)),
    ):
        with pytest.raises(NotFound, match=name):
            act()
    assert list(tmp_path.glob("*copy*")) == []


def test_spoilt_content_is_never_handed_out(blobs: Blobs, tmp_path: Path) -> None:
    name = blobs.put(b"right")
    spoil(blobs, name, b"wrong")
    for act in (
        lambda: blobs.get(name),
        lambda: blobs.copy_to(name, tmp_path / "copy"),
        lambda: check_blob(name, blobs.chunks(name)),
    ):
        with pytest.raises(Invalid, match="holds other content"):
            act()
    assert list(tmp_path.glob("*copy*")) == []


def test_a_blob_above_the_limit_is_not_read(blobs: Blobs) -> None:
    name = blobs.put(b"12345")
    assert blobs.get(name, limit=5) == b"12345"
    with pytest.raises(Invalid, match="more than 4 bytes"):
        blobs.get(name, limit=4)


def test_a_withheld_blob_can_be_deleted_twice(blobs: Blobs) -> None:
    name = blobs.put(b"must go")
    blobs.delete(name)
    assert not blobs.has(name)
    blobs.delete(name)
    blobs.delete(name_of(b"was never here"))


@pytest.mark.parametrize(
    "name", ["", "ab", "../../etc/passwd", "A" * 64, "a" * 65, "a" * 63 + "\n"]
)
def test_only_a_hash_is_a_name(blobs: Blobs, name: str) -> None:
    for act in (blobs.get, blobs.has, blobs.delete, blobs.size):
        with pytest.raises(Malformed):
            act(name)


def test_a_folder_of_blobs_shows_finished_blobs_only(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "log/blobs", scratch=tmp_path / "scratch")
    (tmp_path / "file").write_bytes(b"two")
    names = {
        blobs.put(b"one"),
        blobs.put_file(tmp_path / "file"),
        blobs.put_file(tmp_path / "file"),
    }
    found = {p.relative_to(tmp_path / "log").as_posix() for p in tmp_path.rglob("log/blobs/*/*")}
    assert found == {blob_path(name) for name in names}
    assert {parse_blob_path(p) for p in found} == names
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_blob_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        order.append("sync " + os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2])
        real_sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        order.append("place")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    name = Blobs(tmp_path / "blobs", scratch=tmp_path).put(b"x")
    assert order[0].endswith(".blob")
    assert order[1:3] == ["place", f"sync {name[:2]}"]
    assert "sync blobs" in order


@pytest.mark.parametrize(
    "path",
    [
        "blobs/ab/cd" + "0" * 62,
        "blobs/ab" + "0" * 62,
        "blobs/ab/ab" + "0" * 61,
        "blobs/AB/AB" + "0" * 62,
        "blobs/ab/../ab/ab" + "0" * 62,
        "blobs/ab/ab" + "0" * 62 + "\n",
    ],
)
def test_a_path_that_no_blob_has_is_refused(path: str) -> None:
    assert parse_blob_path(path) is None


def test_a_manifest_names_the_blobs_of_its_lists() -> None:
    one, two = "1" * 64, "2" * 64
    manifest = {
        "title": "a clue",
        "files": [{"path": "a.png", "sha256": one, "size": 3}, {"path": "none"}],
        "data": [{"sha256": two}, {"sha256": "short"}, "text"],
        "sha256": "3" * 64,
    }
    assert sorted(manifest_names(canonical.encode(manifest))) == [one, two]
    assert manifest_names(canonical.encode(manifest) + b"\n") == []


@given(st.binary(max_size=60).map(lambda tail: b"{" + tail))
def test_content_that_is_no_manifest_names_nothing(data: bytes) -> None:
    assert manifest_names(data) == []
