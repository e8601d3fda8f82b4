"""Reading what a log published: files keep to their folder, texts keep to what is public."""

from __future__ import annotations

from pathlib import Path

import pytest

from danseo.core.errors import Invalid, NotFound, Usage
from danseo.core.kinds.identity import RegisterSealing
from danseo.core.merkle import verify_inclusion
from danseo.flows import reading
from danseo.flows.acting import Desk
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Sequencer
from danseo.log.signing import Key
from danseo.log.source import FolderSource


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A store of its own."""
    return Blobs(tmp_path / "blobs", scratch=tmp_path / "scratch")


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/b", "..", ".", "", "a\0b"])
def test_no_name_of_a_file_leads_out_of_the_folder(blobs: Blobs, tmp_path: Path, name: str) -> None:
    good = blobs.put(b"good")
    with pytest.raises(Invalid):
        reading.save(blobs, {"first": good, name: good}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "evil").exists()


def test_nothing_is_overwritten(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(Usage, match="exists"):
        reading.save(blobs, {"new": blobs.put(b"a"), "mine": blobs.put(b"b")}, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_files_are_saved_under_their_names(blobs: Blobs, tmp_path: Path) -> None:
    saved = reading.save(blobs, {"b": blobs.put(b"2"), "a": blobs.put(b"1")}, tmp_path / "out")
    assert [(path.name, path.read_bytes()) for path in saved] == [("b", b"2"), ("a", b"1")]


def test_a_withheld_text_says_so_and_a_missing_one_is_an_error(blobs: Blobs) -> None:
    name = blobs.put("이유".encode())
    assert reading.text(blobs, name, {}) == "이유"
    blobs.delete(name)
    assert "entry 7" in reading.text(blobs, name, {name: 7})
    with pytest.raises(NotFound):
        reading.text(blobs, name, {})


def test_a_text_that_is_not_utf8_is_still_shown(blobs: Blobs) -> None:
    assert reading.text(blobs, blobs.put(b"\xff bad"), {}) == "\ufffd bad"


def test_the_root_of_every_earlier_size_can_be_read_from_the_tiles_of_today(tmp_path: Path) -> None:
    home = tmp_path / "home"
    keys = [Key(number.to_bytes(32, "big")) for number in range(1, 271)]
    with Sequencer.create(
        home, origin="test/log", chain_id=1, operator=keys[0], clock="system"
    ) as log:
        desk = Desk(log, Blobs(tmp_path / "blobs", scratch=tmp_path / "scratch"), home / "host")
        roots = {log.size: log.root}
        for key in keys[1:]:
            desk.say(key, RegisterSealing("1" * 64))
            roots[log.size] = log.root
        with FolderSource(home / "log") as source:
            assert {size: reading.root_at(source, size) for size in roots} == roots
            for size in (0, log.size + 1):
                with pytest.raises(NotFound):
                    reading.root_at(source, size)
            proven = reading.proven(source, 2, 260)
            verify_inclusion(proven.leaf, 2, 260, proven.proof, roots[260])
