"""The files of a log, against the specification's examples and against the tree itself."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core.errors import Invalid, Malformed
from danseo.core.merkle import EMPTY, leaf_hash, subtree_root
from danseo.log.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileWriter,
    cut,
    decode_bundle,
    encode_bundle,
    parse_path,
    read_tile,
    split_hashes,
    tiles_of,
)


def some_leaves(n: int, start: int = 0) -> list[bytes]:
    return [b"leaf %d " % i + bytes(i % 7) for i in range(start, start + n)]


def root_of(n: int) -> bytes:
    return subtree_root([leaf_hash(leaf) for leaf in some_leaves(n)])


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(5, 999, 17), "tile/5/999.p/17"),
        (Tile(ENTRIES, 1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_a_path_is_what_the_specification_says(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.one_of(st.just(ENTRIES), st.integers(0, 63)), st.integers(0, 10**15), st.integers(1, 256))
def test_every_tile_has_one_path(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../0/000",
        "tile/0/00\u0663",
        "tile/data/000",
        "tile/0/000\n",
        "checkpoint",
    ],
)
def test_a_path_that_no_tile_has_is_refused(path: str) -> None:
    assert parse_path(path) is None


def test_the_tiles_of_a_tree_are_those_of_the_specifications_example() -> None:
    tiles = list(tiles_of(70_000))
    count = {level: [t.width for t in tiles if t.level == level] for level in (ENTRIES, 0, 1, 2)}
    assert count[0] == count[ENTRIES] == [256] * 273 + [112]
    assert count[1] == [256, 17]
    assert count[2] == [1]
    assert [t.path for t in tiles_of(256)] == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 1 << 20))
def test_a_tree_has_the_tiles_that_exist_in_it(size: int) -> None:
    for tile in tiles_of(size):
        assert tile.exists_in(size)
        wider = Tile(tile.level, tile.index, tile.width + 1)
        assert not wider.exists_in(size)
        assert not Tile(tile.level, tile.index + 1, 1).exists_in(size) or tile.width == WIDTH


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_a_bundle_comes_back_as_it_was(leaves: list[bytes]) -> None:
    tile = Tile(ENTRIES, 3, len(leaves))
    data = encode_bundle(leaves)
    assert decode_bundle(data, tile) == leaves
    for width in range(1, len(leaves) + 1):
        assert cut(data, Tile(ENTRIES, 3, width)) == encode_bundle(leaves[:width])
    with pytest.raises(Invalid, match="after its"):
        decode_bundle(data + b"x", tile)
    with pytest.raises(Invalid, match="ends inside entry") as caught:
        decode_bundle(data[:-1], tile)
    assert caught.value.index == 768 + len(leaves) - 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=6))
def test_the_files_are_those_of_the_tree_however_they_were_appended(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("log")
    writer = TileWriter(folder, durable=False)
    size = 0
    for group in groups:
        writer.append(some_leaves(group, size))
        size += group
        assert (writer.size, writer.root) == (size, root_of(size))
        check_files(folder, size)


def check_files(folder: Path, size: int) -> None:
    """Every required tile stands, holds what it must, and every other one is a part of it."""
    hashes = [[leaf_hash(leaf) for leaf in some_leaves(size)]]
    while len(hashes[-1]) >= WIDTH:
        below = hashes[-1]
        hashes.append(
            [
                subtree_root(below[i : i + WIDTH])
                for i in range(0, len(below) // WIDTH * WIDTH, WIDTH)
            ]
        )
    files = files_of(folder)
    assert {t.path for t in tiles_of(size)} <= set(files)
    for path, data in files.items():
        tile = parse_path(path)
        assert tile is not None
        assert tile.exists_in(size)
        span = slice(tile.index * WIDTH, tile.index * WIDTH + tile.width)
        if tile.level == ENTRIES:
            assert decode_bundle(data, tile) == some_leaves(size)[span]
        else:
            assert split_hashes(data) == hashes[tile.level][span]


def test_partial_tiles_stay_until_the_full_one_stands(tmp_path: Path) -> None:
    writer = TileWriter(tmp_path / "log", durable=False)
    writer.append(some_leaves(3))
    writer.append(some_leaves(4, 3))
    paths = set(files_of(tmp_path / "log"))
    assert {"tile/0/000.p/3", "tile/0/000.p/7", "tile/entries/000.p/3"} <= paths
    writer.append(some_leaves(249, 7))
    assert set(files_of(tmp_path / "log")) == {t.path for t in tiles_of(256)}


def test_a_tree_above_256_full_tiles_has_a_third_level(tmp_path: Path) -> None:
    writer = TileWriter(tmp_path / "log", durable=False)
    leaf = b"x"
    for _ in range(256):
        writer.append([leaf] * 256)
    node = subtree_root([leaf_hash(leaf)] * 256)
    assert writer.root == subtree_root([node] * 256)
    assert (tmp_path / "log/tile/2/000.p/1").read_bytes() == writer.root
    assert TileWriter(tmp_path / "log", 65_536).root == writer.root


@pytest.mark.parametrize("size", [0, 1, 5, 255, 256, 257, 600])
def test_a_writer_goes_on_where_another_stopped(tmp_path: Path, size: int) -> None:
    first = TileWriter(tmp_path / "log", durable=False)
    first.append(some_leaves(size))
    second = TileWriter(tmp_path / "log", size)
    assert (second.size, second.root) == (size, root_of(size) if size else EMPTY)
    second.append(some_leaves(10, size))
    assert second.root == root_of(size + 10)
    check_files(tmp_path / "log", size + 10)


def test_a_writer_goes_back_to_a_smaller_size_that_was_safe(tmp_path: Path) -> None:
    writer = TileWriter(tmp_path / "log", durable=False)
    writer.append(some_leaves(250))
    writer.append(some_leaves(20, 250))
    assert not (tmp_path / "log/tile/0/000.p").exists()
    again = TileWriter(tmp_path / "log", 250)
    assert again.root == root_of(250)
    again.append(some_leaves(20, 250))
    assert again.root == writer.root
    check_files(tmp_path / "log", 270)


def test_a_crash_between_any_two_file_operations_leaves_the_older_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop `append` at each of its system calls in turn, then read the tree of 250 and go on."""
    real = {name: getattr(os, name) for name in ("open", "write", "replace", "rename", "unlink")}

    class Crash(BaseException):
        pass

    stop, done = 0, False
    while not done:
        folder = tmp_path / f"run{stop}" / "log"
        TileWriter(folder, durable=False).append(some_leaves(250))
        writer = TileWriter(folder, 250)
        left = stop

        def counted(name: str) -> Callable[..., object]:
            def call(*args: object, **named: object) -> object:
                nonlocal left
                if left == 0:
                    raise Crash
                left -= 1
                return real[name](*args, **named)

            return call

        with monkeypatch.context() as patch:
            for name in real:
                patch.setattr(os, name, counted(name))
            try:
                writer.append(some_leaves(300, 250))
                done = True
            except Crash:
                pass
        assert TileWriter(folder, 250).root == root_of(250)
        again = TileWriter(folder, 250)
        again.append(some_leaves(300, 250))
        assert again.root == root_of(550)
        check_files(folder, 550)
        stop += 1
    assert stop > 20


def test_nothing_but_finished_files_is_ever_in_the_folder(tmp_path: Path) -> None:
    writer = TileWriter(tmp_path / "log", scratch=tmp_path / "scratch")
    for n in range(12):
        writer.append(some_leaves(40, 40 * n))
    assert all(parse_path(p) for p in files_of(tmp_path / "log"))
    assert files_of(tmp_path / "scratch") == {}


def test_durable_files_are_synced_and_so_are_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    writer = TileWriter(tmp_path / "log")
    writer.append(some_leaves(256))
    for file in ("tile/entries/000", "tile/0/000", "tile/1/000.p/1"):
        assert str(tmp_path / "log" / file) in synced
    for folder in ("log", "log/tile", "log/tile/entries", "log/tile/0", "log/tile/1/000.p"):
        assert str(tmp_path / folder) in synced
    synced.clear()
    writer.append(some_leaves(256, 256))
    assert len(synced) == 6  # three files and their three folders
    synced.clear()
    TileWriter(tmp_path / "log", 512, durable=False).append(some_leaves(256, 512))
    assert synced == []


def test_a_broken_or_missing_file_is_found_when_a_writer_takes_up_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    TileWriter(folder, durable=False).append(some_leaves(5))
    bundle = folder / "tile/entries/000.p/5"
    good = bundle.read_bytes()
    bundle.write_bytes(good[:-1] + b"!")
    with pytest.raises(Invalid, match="does not fit"):
        TileWriter(folder, 5)
    bundle.write_bytes(good)
    (folder / "tile/0/000.p/5").unlink()
    with pytest.raises(Invalid, match="missing"):
        TileWriter(folder, 5)


def test_a_leaf_that_its_length_cannot_state_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    writer = TileWriter(tmp_path / "log")
    with pytest.raises(Malformed):
        writer.append([b"ok", bytes(65_536)])
    assert files_of(tmp_path / "log") == {}
    assert writer.size == 0
    writer.append([bytes(65_535)])
    tile = Tile(ENTRIES, 0, 1)
    assert decode_bundle(read_tile(tmp_path / "log", tile), tile) == [bytes(65_535)]


def test_random_bytes_never_break_the_bundle_reader() -> None:
    rng = random.Random(7)
    for _ in range(300):
        data = rng.randbytes(rng.randrange(40))
        tile = Tile(ENTRIES, 0, rng.randrange(1, 6))
        for read in (decode_bundle, cut):
            with contextlib.suppress(Invalid):
                part = read(data, tile)
                assert len(part) <= len(data)
