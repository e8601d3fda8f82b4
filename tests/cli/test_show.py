"""How results look."""

from __future__ import annotations

import doctest
import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.cli import challenge, show


def test_the_examples_in_docstrings_are_true() -> None:
    for module in (show, challenge):
        found = doctest.testmod(module)
        assert (found.failed, found.attempted > 0) == (0, True)


@given(st.text())
def test_no_text_of_a_stranger_steers_the_terminal(text: str) -> None:
    shown = show.plain(text)
    assert len(shown) == len(text)
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in shown)
    assert not any("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for c in shown)


def test_a_table_is_never_cut_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    address = "0x" + "ab" * 20
    show.result(False, None, show.table("", ["A", "B>", "C"], [(address, 7, "[bold]x")]))
    assert address in out.getvalue()
    assert "[bold]x" in out.getvalue()


def test_times_in_refusals_become_dates_and_amounts_stay() -> None:
    text = "It closed at 1893456000; 1893456000 KRW is payable, not 1893456001."
    assert show.dated(text) == (
        "It closed at 2030-01-01T00:00:00Z; 1893456000 KRW is payable, not 1893456001."
    )
