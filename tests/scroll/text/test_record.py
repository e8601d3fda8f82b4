"""A transcript is written, read back and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Invalid, Unavailable
from danseo.scroll.text.record import picture, read_json, write_json, write_text
from danseo.scroll.text.transcribe import Line, Reading, Transcript

LETTERS = (
    Reading("Α", 0.91, (10, 10, 30, 34), (("Λ", 0.05), ("Δ", 0.02))),
    Reading("Ϲ", 0.31, (40, 10, 55, 34), (("Ο", 0.3),)),
)
TRANSCRIPT = Transcript(
    lines=(Line((8, 8, 120, 36), LETTERS, 0, ((31, 8, 39, 36), (60, 8, 110, 36))),),
    letter_px=24.0,
    fits=(("upright", 0.95), ("mirrored", 0.5)),
    margin=0.0,
    dot=0.5,
    warnings=("look out",),
)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write_json(TRANSCRIPT, tmp_path / "text.json")
    assert read_json(tmp_path / "text.json") == TRANSCRIPT
    record = json.loads((tmp_path / "text.json").read_text(encoding="utf-8"))
    assert record["lines"][0]["letters"][1]["char"] == "Ϲ"
    assert record["text"] == "Α[.]."


def test_the_text_is_a_row_a_line_and_an_empty_page_an_empty_file(tmp_path: Path) -> None:
    write_text(TRANSCRIPT, tmp_path / "text.txt")
    assert (tmp_path / "text.txt").read_text(encoding="utf-8") == "Α[.].\n"
    write_text(Transcript((), 0.0, (), 0.0, 0.5), tmp_path / "text.txt")
    assert (tmp_path / "text.txt").read_bytes() == b""


def test_a_file_that_is_no_transcript_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"none\.json"):
        read_json(tmp_path / "none.json")
    for text in ("{", "[]", '{"lines": [{"box": 1}]}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(Invalid, match=r"bad\.json is no transcript"):
            read_json(tmp_path / "bad.json")


def test_the_picture_shows_sure_and_unsure_letters_in_their_colours() -> None:
    drawn = np.asarray(picture(np.zeros((50, 130), np.float32), TRANSCRIPT))
    assert drawn.shape == (50, 130, 3)
    assert tuple(drawn[20, 10]) == (120, 200, 160)
    assert tuple(drawn[20, 40]) == (220, 170, 60)
    assert tuple(drawn[20, 60]) == (110, 120, 200)


def test_a_wide_map_is_drawn_smaller() -> None:
    large = Transcript(TRANSCRIPT.lines, 96.0, (), 0.0, 0.5)
    assert picture(np.zeros((200, 1000), np.float32), large).size == (500, 100)
