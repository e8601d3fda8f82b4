import os
from pathlib import Path

import numpy as np
import pytest

from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.writing import draw_decoys, write_sheet

RECIPE = Recipe(seed=4, letter_um=320, torn=0)
SHAPE = (140, 900)
STENCILS = Path(os.environ.get("DANSEO_DATA", "/nowhere")) / "scroll" / "ink_stencils"


def test_what_is_written_can_be_read_from_the_letters() -> None:
    sheet = write_sheet(RECIPE, "ΜΗΝΙΝ ΑΕΙΔΕ", *SHAPE)
    rows = sheet.text.split("\n")
    assert rows[0].startswith("ΜΗΝΙΝΑΕΙΔΕΜΗΝΙΝ")
    for letter in sheet.letters:
        u0, v0, u1, v1 = letter.box
        assert 0 <= u0 < u1 <= SHAPE[1]
        assert 0 <= v0 < v1 <= SHAPE[0]
        assert sheet.masks.ink[v0:v1, u0:u1].any()
    assert "".join(rows) == "".join(e.char for e in sheet.letters)


def test_a_letter_that_a_tear_took_is_not_in_the_truth() -> None:
    whole = write_sheet(RECIPE, "ΜΗΝΙΝ", *SHAPE)
    torn = write_sheet(Recipe(seed=4, letter_um=320, torn=0.5), "ΜΗΝΙΝ", *SHAPE)
    assert 0 < len(torn.letters) < len(whole.letters)
    for letter in torn.letters:
        u0, v0, u1, v1 = letter.box
        ink, gone = (m[v0:v1, u0:u1] for m in (torn.masks.ink, torn.masks.torn))
        assert (ink & ~gone).sum() >= 0.7 * ink.sum()


def test_decoys_cover_about_the_part_asked_for_and_never_ink() -> None:
    assert abs(draw_decoys(RECIPE, *SHAPE, 40).mean() - RECIPE.decoys) < 0.08
    sheet = write_sheet(RECIPE, "ΜΗΝΙΝ", *SHAPE)
    assert sheet.masks.decoy.any()
    assert not (sheet.masks.decoy & sheet.masks.ink).any()
    assert not draw_decoys(Recipe(decoys=0), *SHAPE, 40).any()


def test_the_hand_changes_with_the_seed_and_not_without() -> None:
    first = write_sheet(RECIPE, "ΜΗΝΙΝ", *SHAPE).masks.ink
    assert np.array_equal(first, write_sheet(RECIPE, "ΜΗΝΙΝ", *SHAPE).masks.ink)
    other = write_sheet(Recipe(seed=5, letter_um=320, torn=0), "ΜΗΝΙΝ", *SHAPE).masks.ink
    assert not np.array_equal(first, other)


@pytest.mark.skipif(not STENCILS.exists(), reason="DANSEO_DATA holds no scroll/ink_stencils")
def test_a_picture_of_handwriting_gives_ink_and_no_text() -> None:
    sheet = write_sheet(RECIPE, min(STENCILS.glob("*.png")), *SHAPE)
    assert sheet.masks.ink.any()
    assert sheet.text == ""
