"""Pages of Greek majuscules: what is written, where, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from danseo.core.errors import Unavailable, Unfit, Usage
from danseo.scroll import lettering
from danseo.scroll.lettering import LETTERS, fonts, mask_from_picture, normalise, page


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_accents_case_spaces_and_final_sigma_are_normalised() -> None:
    assert normalise("Ὁ βίος βραχύς,\n ἡ δὲ ᾠδὴ μακρή·") == "ΟΒΙΟϹΒΡΑΧΥϹ\nΗΔΕΩΙΔΗΜΑΚΡΗ"


def test_iota_subscript_is_written_beside_and_variant_forms_are_letters() -> None:
    assert normalise("ᾳ ϐ ϑ ϕ ϖ ϰ ϱ ϲ ς σ Σ Ϲ") == "ΑΙΒΘΦΠΚΡϹϹϹϹϹ"


@given(st.lists(st.text(LETTERS, min_size=1), max_size=4).map("\n".join))
@settings(max_examples=50)
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(text) == text == normalise(text.lower())


def test_a_latin_letter_is_refused_with_its_place() -> None:
    with pytest.raises(Usage, match=r"'q' \(line 2, place 3\) is a Latin letter.*transliteration"):
        normalise("αβγ\nδεq")


def test_a_character_of_no_majuscule_is_named() -> None:
    with pytest.raises(Usage, match=r"'7' \(DIGIT SEVEN, line 1, place 2\) cannot be written"):
        normalise("α7")
    with pytest.raises(Usage, match="HANGUL"):
        normalise("단서")


def test_latin_is_transliterated_when_asked() -> None:
    assert normalise("mēnin aeide thea, Psychē", transliterate=True) == "ΜΗΝΙΝΑΕΙΔΕΘΕΑΨΥΧΗ"
    assert normalise("philosophía kaì αβγ", transliterate=True) == "ΦΙΛΟϹΟΦΙΑΚΑΙΑΒΓ"


def test_every_letter_is_drawn_in_every_font() -> None:
    assert fonts()
    for name in fonts():
        written = page(LETTERS, 40, 900, 24, rng(), name)
        assert written.text == LETTERS
        assert written.font == name
        glyphs = [_ink(written, k) for k in range(24)]
        sigma = LETTERS.index("Ϲ")
        others = [glyph.shape != glyphs[sigma].shape or (glyph != glyphs[sigma]).any() for glyph in
                  glyphs[:sigma] + glyphs[sigma + 1 :]]  # fmt: skip
        assert all(others), f"{name} draws a letter as another"


def test_a_box_is_the_exact_bound_of_its_letter() -> None:
    written = page("ΑΙΞΦΨ", 90, 500, 40, rng(3))
    assert len(written.letters) == 5
    outside = written.mask.copy()
    for letter in written.letters:
        u0, v0, u1, v1 = letter.box
        inside = written.mask[v0:v1, u0:u1]
        assert inside.any(axis=1)[[0, -1]].all()
        assert inside.any(axis=0)[[0, -1]].all()
        outside[v0:v1, u0:u1] = False
    assert not outside.any()


def test_letters_have_the_height_that_was_asked() -> None:
    for name in fonts():
        written = page("ΗΝΠΗΝΠΗΝΠ", 130, 1400, 60, rng(), name)
        tall = [v1 - v0 for _, v0, _, v1 in (letter.box for letter in written.letters)]
        assert 54 < float(np.median(tall)) < 70


def test_a_sheet_of_512_takes_two_lines_of_152() -> None:
    written = page("ΑΒΓΔ", 512, 900, 152, rng(), repeat=True)
    assert len(written.text.splitlines()) == 2


def test_a_line_break_begins_a_new_line_and_a_long_line_goes_on() -> None:
    written = page("αβ\n\nγδεζηθικλμ", 200, 200, 24, rng())
    rows = written.text.splitlines()
    assert rows[0] == "ΑΒ"
    assert len(rows) > 2
    assert "".join(rows[1:]) == "ΓΔΕΖΗΘΙΚΛΜ"
    assert written.rest == ""


def test_what_finds_no_room_is_told() -> None:
    written = page("αβγδεζηθικλμνξοπρστυφχψω", 40, 200, 24, rng())
    assert written.text + written.rest == LETTERS
    assert 3 < len(written.text) < 12


def test_a_text_is_written_again_until_the_page_is_full() -> None:
    once, again = (page("αβγ", 100, 400, 24, rng(), repeat=r) for r in (False, True))
    assert once.text == "ΑΒΓ"
    assert again.text.replace("\n", "").startswith("ΑΒΓΑΒΓΑΒΓ")
    assert again.rest == ""


def test_columns_are_read_one_after_the_other() -> None:
    written = page("ΑΙ", 150, 700, 24, rng(), repeat=True, column_px=180)
    starts = {letter.line: letter.box[0] for letter in reversed(written.letters)}
    lines = sorted(starts)
    assert lines == list(range(len(lines)))
    lefts = [starts[k] for k in lines]
    assert lefts == sorted(lefts)
    assert len({left // 100 for left in lefts}) >= 2


def test_the_same_seed_writes_the_same_page_and_another_seed_another() -> None:
    first, same, other = (page("ΑΙΞ", 60, 200, 30, rng(s)) for s in (5, 5, 6))
    assert (first.mask == same.mask).all()
    assert first.letters == same.letters
    assert (first.mask != other.mask).any()


def test_two_letters_of_one_page_are_not_alike() -> None:
    written = page("ΑΑ", 60, 200, 30, rng())
    one, two = _ink(written, 0), _ink(written, 1)
    assert one.shape != two.shape or (one != two).any()


def test_letters_do_not_run_into_each_other() -> None:
    written = page("ΑΜΤΩΛΥΦΨΞ", 300, 900, 60, rng(2), repeat=True)
    for before, after in zip(written.letters, written.letters[1:], strict=False):
        if before.line == after.line:
            assert before.box[2] < after.box[0]


def test_a_hairline_font_is_written_with_a_whole_pen() -> None:
    if "Aegean" not in fonts():
        pytest.skip("the Debian package fonts-ancient-scripts is not installed")
    written = page("ΙΙΙ", 130, 300, 60, rng(), "Aegean")
    widths = [int(_ink(written, k)[30].sum()) for k in range(3)]
    assert all(4 <= width <= 12 for width in widths)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((20, 300, 24), "no room for a letter"),
        ((300, 30, 24), "no room for a letter"),
        ((300, 300, 5), "too small to write"),
    ],
)
def test_a_page_without_room_is_refused(size: tuple[int, int, int], message: str) -> None:
    with pytest.raises(Usage, match=message):
        page("α", *size, rng())


def test_an_unknown_font_is_answered_with_those_that_are_there() -> None:
    with pytest.raises(Usage, match=r"no font 'Comic'.*DejaVu Sans"):
        page("α", 60, 200, 24, rng(), "Comic")


def test_a_text_without_letters_is_refused() -> None:
    with pytest.raises(Usage, match="no letter in the text"):
        page(" ,.\n", 60, 200, 24, rng())


def test_where_the_ancient_fonts_are_missing_another_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lettering, "_ANCIENT", tmp_path)
    assert page("ϲ", 60, 200, 24, rng()).font == "DejaVu Sans"


def test_a_picture_of_ink_becomes_a_mask_of_the_size_asked(tmp_path: Path) -> None:
    ink = np.zeros((300, 400), np.uint8)
    ink[100:140, 50:350] = 255
    Image.fromarray(ink).save(tmp_path / "ink.png")
    mask = mask_from_picture(tmp_path / "ink.png", 200, 1000, rng())
    assert mask.shape == (200, 1000)
    assert mask[:, :400].any()
    assert mask[:, 800:].any()
    assert (mask == mask_from_picture(tmp_path / "ink.png", 200, 1000, rng())).all()


def test_a_picture_without_ink_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(tmp_path / "black.png")
    with pytest.raises(Unfit, match=r"black\.png holds no ink"):
        mask_from_picture(tmp_path / "black.png", 20, 20, rng())
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(Unavailable, match=r"text\.png cannot be read"):
        mask_from_picture(tmp_path / "text.png", 20, 20, rng())


def _ink(written: lettering.Page, k: int) -> np.ndarray:
    u0, v0, u1, v1 = written.letters[k].box
    return written.mask[v0:v1, u0:u1]
