"""The journal: whole records stand, torn ones do not, and nothing comes back from the dead."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core.errors import Invalid, NotFound
from danseo.core.merkle import EMPTY
from danseo.log.journal import Journal


def filled(path, leaves, base=7):
    journal = Journal.create(path, base, EMPTY)
    journal.append(leaves)
    journal.close()


def leaves_at(path):
    journal = Journal(path)
    journal.close()
    return journal.leaves


def test_what_was_appended_is_there_again(tmp_path):
    filled(tmp_path / "journal", [b"a", b"b" * 65_535])
    journal = Journal(tmp_path / "journal")
    assert (journal.base, journal.base_root) == (7, EMPTY)
    assert journal.leaves == [b"a", b"b" * 65_535]
    journal.append([b"c"])
    assert journal.leaves[-1] == b"c"
    journal.close()
    journal.close()
    assert leaves_at(tmp_path / "journal")[-1] == b"c"


@settings(max_examples=30)
@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5), st.data())
def test_a_journal_cut_at_any_byte_keeps_its_whole_records(tmp_path_factory, leaves, data):
    path = tmp_path_factory.mktemp("journal") / "journal"
    filled(path, [])
    start = path.stat().st_size
    filled(path, leaves)
    content = path.read_bytes()
    end = data.draw(st.integers(start, len(content)))
    path.write_bytes(content[:end] + data.draw(st.sampled_from([b"", b"\0" * 9])))
    sizes = [start]
    for leaf in leaves:
        sizes.append(sizes[-1] + 8 + len(leaf))
    whole = sum(size <= end for size in sizes) - 1
    assert leaves_at(path) == leaves[:whole]
    assert path.read_bytes() == content[: sizes[whole]]


def test_any_changed_byte_of_a_record_ends_the_journal_before_it(tmp_path):
    path = tmp_path / "journal"
    filled(path, [])
    start = path.stat().st_size
    filled(path, [b"one", b"two", b"six"])
    content = path.read_bytes()
    for at in range(start + 11, start + 22):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert leaves_at(path) == [b"one"]


def test_a_record_behind_a_torn_one_never_comes_back(tmp_path):
    path = tmp_path / "journal"
    filled(path, [b"one", b"two", b"six"])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"two", b"tw\0"))
    journal = Journal(path)
    journal.append([b"ten"])
    journal.close()
    assert leaves_at(path) == [b"one", b"ten"]


def test_any_changed_byte_of_the_header_is_found(tmp_path):
    path = tmp_path / "journal"
    filled(path, [])
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(Invalid):
            Journal(path)
        path.write_bytes(content[:at])
        with pytest.raises(Invalid):
            Journal(path)


def test_a_missing_journal_is_said(tmp_path):
    with pytest.raises(NotFound):
        Journal(tmp_path / "journal")


def test_a_new_journal_replaces_the_old_one_at_once(tmp_path):
    path = tmp_path / "journal"
    filled(path, [b"one"])
    journal = Journal.create(path, 8, b"r" * 32)
    assert (journal.base, journal.base_root, journal.leaves) == (8, b"r" * 32, [])
    journal.close()
    assert [p.name for p in tmp_path.iterdir()] == ["journal"]
