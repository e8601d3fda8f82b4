"""The report: whole, strict, in two languages, and safe whatever a name holds."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from danseo.core.errors import Usage
from danseo.scroll.reading.page import Letter, ReadingView, Sheet, StageView, render
from danseo.scroll.reading.words import WORDS

SHEET = Sheet(
    "pictures/sheet", 900, 300, 512, 2, 7.91, {"papyrus": "jpg", "ink": "png"}, "long.jpg"
)
LETTERS = (
    Letter("Ω", 1, (5, 60, 40, 90), sure=False),
    Letter("Α", 0, (50, 5, 90, 40), sure=True),
    Letter("Μ", 0, (5, 5, 40, 40), sure=True),
    Letter(".", 1, (50, 60, 90, 90), sure=False),
)
VIEW = ReadingView(
    "scroll.zarr",
    "en",
    "0.1",
    (("windings", "4.2"),),
    (
        StageView("segment", "computed", (("grid", "3 × 4"),), (), "pictures/segment.png"),
        StageView("render", "kept", (), (("gap_pixels", "7 (0.1%)"),), "pictures/render.png"),
        StageView("text", ""),
    ),
    (("volume", "scroll.zarr"),),
    SHEET,
    LETTERS,
)


class _Reader(HTMLParser):
    """Collects tags and checks that they close in order."""

    EMPTY = frozenset({"meta", "img", "input", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", WORDS)
def test_the_page_is_well_formed_and_asks_nobody(language: str) -> None:
    page = render(replace(VIEW, language=language))
    found = _Reader(page)
    assert found.open == []
    assert not re.search(r"https?://|//cdn", page)
    assert dict(found.tags[0][1])["lang"] == language
    pictures = [dict(attrs) for tag, attrs in found.tags if tag == "img"]
    assert len(pictures) == 3
    assert all(one["alt"] for one in pictures)
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = {a["aria-labelledby"] for _, a in found.tags if "aria-labelledby" in a}
    assert named <= set(ids)


def test_only_its_own_script_and_style_may_run() -> None:
    page = render(VIEW)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    for tag in ("script", "style"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]


def test_lines_stand_in_reading_order_and_unsure_letters_are_marked() -> None:
    page = render(VIEW)
    assert '<li lang="grc">ΜΑ</li><li lang="grc"><span class="unsure">Ω</span>.</li>' in page


def test_letters_reach_the_viewer_as_they_are() -> None:
    (data,) = re.findall(r'id="sheet-data">(.*?)</script>', render(VIEW))
    found = json.loads(data)
    assert found["letters"][1] == ["Α", 50, 5, 90, 40, 1]
    assert found["suffix"] == {"papyrus": "jpg", "ink": "png"}


def test_a_gap_is_told_as_a_gap() -> None:
    assert '<dd class="hole">7 (0.1%)</dd>' in render(VIEW)


def test_what_has_not_run_is_said() -> None:
    page = render(replace(VIEW, letters=None))
    assert "The text stage has not run: the reading stopped after 3. Render." in page
    assert "No letter was read." in render(replace(VIEW, letters=()))


def test_without_a_sheet_there_is_no_viewer_and_no_script() -> None:
    page = render(replace(VIEW, sheet=None, letters=None))
    assert "<script" not in page
    assert "<canvas" not in page


def test_a_name_cannot_break_out() -> None:
    evil = '</script><script>alert(1)</script>"&'
    letters = (Letter("</script>", 0, (0, 0, 1, 1), sure=True),)
    page = render(replace(VIEW, name=evil, letters=letters))
    assert _Reader(page).open == []
    assert "alert(1)</script>" not in page


def test_every_phrase_is_there_in_both_languages() -> None:
    fields = {
        language: {k: sorted(re.findall(r"\{(\w+)\}", v)) for k, v in words.items()}
        for language, words in WORDS.items()
    }
    assert fields["en"] == fields["ko"]


def test_a_language_that_it_does_not_speak_is_refused() -> None:
    with pytest.raises(Usage, match="'la'"):
        render(replace(VIEW, language="la"))
