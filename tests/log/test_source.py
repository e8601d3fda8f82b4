"""A folder, a web server and a bundle give the same log, and none can do harm by what it holds."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from danseo.core.errors import Invalid, NotFound, Unavailable
from danseo.log import source as module
from danseo.log.blobs import blob_path
from danseo.log.bundle import write_bundle
from danseo.log.source import BundleSource, FolderSource, Source, WebSource, open_source
from danseo.log.tiles import CHECKPOINT, ENTRIES, Tile, tiles_of
from tests.log.loglet import Loglet, ten_entries


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Loglet:
    return ten_entries(tmp_path_factory.mktemp("ten"))


class Server(BaseHTTPRequestHandler):
    """Serves `content`, and misbehaves as `manner` says."""

    content: ClassVar[dict[str, bytes]] = {}
    manner: ClassVar[str] = ""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = self.path.removeprefix("/log/")
        self.asked.append(path)
        if self.manner == "failing once" and self.asked.count(path) == 1:
            self.send_error(503)
            return
        if self.manner == "failing" or path not in self.content:
            self.send_error(500 if self.manner == "failing" else 404)
            return
        data = self.content[path]
        self.send_response(200)
        if self.manner == "gzip":
            data = gzip.compress(data)
            self.send_header("Content-Encoding", "gzip")
        if self.manner == "broken gzip":
            self.send_header("Content-Encoding", "gzip")
        if self.manner != "endless":
            self.send_header("Content-Length", str(len(data) + (self.manner == "short")))
        self.end_headers()
        try:
            self.wfile.write(data)
            while self.manner == "endless":
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass  # the reader had enough

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(log: Loglet, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    Server.content, Server.manner = log.files(), ""
    Server.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/log/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["folder", "web", "bundle"])
def source(
    request: pytest.FixtureRequest, log: Loglet, url: str, tmp_path: Path
) -> Iterator[Source]:
    if request.param == "folder":
        place: str | Path = log.folder
    elif request.param == "web":
        place = url
    else:
        place = tmp_path / "bundle.zip"
        write_bundle(FolderSource(log.folder), place)
    with open_source(place) as opened:
        yield opened


def test_every_source_gives_the_same_files(source: Source, log: Loglet) -> None:
    content = log.files()
    assert source.read(CHECKPOINT, 1 << 16) == content[CHECKPOINT]
    for tile in tiles_of(10):
        assert source.tile(tile) == content[tile.path]
    (name,) = log.blobs.names()
    assert source.get(name) == content[blob_path(name)]
    assert b"".join(source.chunks(name)) == content[blob_path(name)]
    assert source.head(name, 5) == content[blob_path(name)][:5]
    assert source.has(name)


def test_what_is_missing_is_said_to_be_missing(source: Source) -> None:
    assert not source.has("ab" * 32)
    with pytest.raises(NotFound):
        source.get("ab" * 32)
    with pytest.raises(NotFound):
        source.read("tile/0/999", 10)
    with pytest.raises(Invalid, match=r"tile/entries/003 is missing") as caught:
        source.tile(Tile(ENTRIES, 3))
    assert caught.value.index == 768
    with pytest.raises(Invalid, match=r"tile/0/003\.p/7 is missing"):
        source.tile(Tile(0, 3, 7))


def test_no_more_is_read_than_may_be(source: Source, log: Loglet) -> None:
    size = len(log.files()[CHECKPOINT])
    assert len(source.read(CHECKPOINT, size)) == size
    with pytest.raises(Invalid, match="more than"):
        source.read(CHECKPOINT, size - 1)
    (name,) = log.blobs.names()
    with pytest.raises(Invalid, match="more than the 3 bytes"):
        source.get(name, limit=3)


def test_what_can_be_listed_is_listed(source: Source, log: Loglet) -> None:
    listed = source.files()
    if listed is None:
        assert isinstance(source, WebSource)
        return
    files = set(listed)
    if isinstance(source, BundleSource):
        assert files == {
            CHECKPOINT,
            *(t.path for t in tiles_of(10)),
            *(blob_path(n) for n in log.blobs.names()),
        }
    else:
        assert files == set(log.files())


def test_a_partial_tile_is_cut_from_the_full_one_where_only_that_is_left(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    for _ in range(299):
        log.tick()
    log.publish()
    source = FolderSource(log.folder)
    for level in (ENTRIES, 0):
        narrow, full = Tile(level, 0, 200), source.tile(Tile(level, 0))
        assert full.startswith(source.tile(narrow))
        assert len(source.tile(narrow)) < len(full)


def test_a_tile_of_the_wrong_length_is_refused_with_its_first_entry(tmp_path: Path) -> None:
    log = Loglet(tmp_path)
    log.publish()
    (log.folder / Tile(0, 0, 1).path).write_bytes(bytes(33))
    with pytest.raises(Invalid) as caught:
        FolderSource(log.folder).tile(Tile(0, 0, 1))
    assert caught.value.index == 0


# --- the web --------------------------------------------------------------------------------------


def test_a_compressed_answer_is_read(url: str, log: Loglet) -> None:
    Server.manner = "gzip"
    assert WebSource(url).read(CHECKPOINT, 1 << 16) == log.files()[CHECKPOINT]
    with pytest.raises(Invalid, match="more than"):
        WebSource(url).read(CHECKPOINT, 10)


def test_an_endless_answer_is_cut_off(url: str) -> None:
    Server.manner = "endless"
    with pytest.raises(Invalid, match="more than"):
        WebSource(url).read(CHECKPOINT, 1 << 16)
    assert WebSource(url).has("ab" * 32) is False


def test_a_server_that_fails_once_is_asked_again(url: str, log: Loglet) -> None:
    Server.manner = "failing once"
    assert WebSource(url).read(CHECKPOINT, 1 << 16) == log.files()[CHECKPOINT]
    assert Server.asked == [CHECKPOINT] * 2


@pytest.mark.parametrize("manner", ["failing", "short", "broken gzip"])
def test_a_server_that_keeps_failing_is_unavailable(url: str, manner: str) -> None:
    Server.manner = manner
    with pytest.raises(Unavailable, match=CHECKPOINT):
        WebSource(url).read(CHECKPOINT, 1 << 16)
    assert len(Server.asked) == 3


def test_a_missing_file_is_asked_for_once(url: str) -> None:
    with pytest.raises(NotFound):
        WebSource(url).read("tile/0/001", 10)
    assert Server.asked == ["tile/0/001"]


def test_nobody_at_the_address_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    with pytest.raises(Unavailable):
        WebSource("http://127.0.0.1:9/log").read(CHECKPOINT, 10)


# --- which place is what --------------------------------------------------------------------------


def test_a_home_stands_for_the_log_in_it(log: Loglet) -> None:
    assert open_source(log.folder.parent).place == str(log.folder)
    assert open_source(log.folder).place == str(log.folder)


def test_a_place_without_a_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing-here"):
        open_source(tmp_path / "nothing-here")


@pytest.mark.parametrize("place", ["ftp://danseo.example/log", "file:///etc", "gopher:x"])
def test_only_http_is_an_address(place: str) -> None:
    with pytest.raises(NotFound):
        open_source(place)
