"""Pictures of a reading: gaps stay gaps, and tiles put together are the sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from danseo.scroll.reading import pictures
from danseo.scroll.reading.page import Letter
from danseo.scroll.surface import Surface

GREY = np.tile(np.arange(1300, dtype=np.uint16) % 256, (700, 1)).astype(np.uint8)


def test_a_gap_is_never_drawn_as_papyrus() -> None:
    mask = np.ones((40, 60), bool)
    mask[10:20, 5:15] = False
    drawn = pictures.papyrus(np.full((40, 60), 128, np.uint8), mask)
    red, blue = drawn[..., 0].astype(int), drawn[..., 2].astype(int)
    assert np.array_equal(blue > red, ~mask)


def test_ink_covers_where_it_is_likely_and_nothing_where_it_is_not() -> None:
    paper = np.full((1, 3, 3), 200, np.uint8)
    drawn = pictures.inked(paper, np.array([[0, 60, 255]], np.uint8))
    assert drawn[0, 0].tolist() == drawn[0, 1].tolist() == [200, 200, 200]
    assert drawn[0, 2, 0] < 160
    assert drawn[0, 2, 2] < 50


def test_tiles_put_together_are_the_sheet(tmp_path: Path) -> None:
    picture = pictures.papyrus(GREY, np.ones(GREY.shape, bool))
    ink = GREY[::-1].copy()
    sheet = pictures.write_sheet(tmp_path / "sheet", "sheet", picture, ink, 7.91)
    assert (sheet.width, sheet.height, sheet.levels) == (1300, 700, 3)
    whole = Image.new("RGBA", (1300, 700))
    for row in range(2):
        for column in range(3):
            tile = Image.open(tmp_path / "sheet" / "ink" / "0" / f"{row}-{column}.png")
            whole.paste(tile.convert("RGBA"), (512 * column, 512 * row))
    alpha = np.asarray(whole)[..., 3].astype(int)
    assert np.all(alpha[ink < 64] == 0)
    assert np.all(alpha[ink > 200] > 160)
    last = Image.open(tmp_path / "sheet" / "papyrus" / "2" / "0-0.jpg")
    assert last.size == (325, 175)
    middle = np.asarray(Image.open(tmp_path / "sheet" / "papyrus" / "0" / "0-1.jpg"), float)
    assert np.abs(middle - picture[:512, 512:1024]).mean() < 4


def test_a_long_sheet_is_cut_into_rows(tmp_path: Path) -> None:
    wide = np.full((100, 5000, 3), 180, np.uint8)
    letters = (Letter("Ω", 0, (4000, 30, 4060, 90), sure=True),)
    pictures.draw_rows(wide, tmp_path / "a.png")
    pictures.draw_rows(wide, tmp_path / "b.png", letters)
    plain, marked = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in "ab")
    assert plain.shape == (4 * 110 - 10, 1400, 4)
    rows, columns = np.nonzero((plain != marked).any(-1))
    assert 2 * 110 <= rows.min() <= rows.max() < 3 * 110
    assert 1150 < columns.min() <= columns.max() < 1300


def test_the_crossing_of_a_plane_is_between_rows() -> None:
    z, x = np.meshgrid(np.arange(5.0) * 4, np.arange(6.0), indexing="ij")
    xyz = np.stack([x + z / 4, np.full_like(x, 7), z], -1)
    xyz[:, 5] = np.nan
    points, winding = pictures.crossing(Surface(xyz, x / 10, 4, 8), 6.0)
    assert np.allclose(points[:5], [[i + 1.5, 7] for i in range(5)])
    assert np.allclose(winding[:5], np.arange(5) / 10)
    assert np.isnan(points[5]).all()


def test_a_map_marks_its_holes(tmp_path: Path) -> None:
    values = np.zeros((20, 30), np.float32)
    values[:, 10:20] = 1
    values[5:10, 25:] = np.nan
    pictures.draw_map(values, tmp_path / "map.png", 1)
    drawn = np.asarray(Image.open(tmp_path / "map.png").convert("RGB")).astype(int)
    factor = drawn.shape[1] // 30
    pale, dark, hole = (drawn[7 * factor + 2, c * factor + 2] for c in (2, 15, 27))
    assert pale.sum() > 650
    assert dark.sum() < 200
    assert hole[2] > hole[0]


@pytest.mark.parametrize("make", ["inked", "papyrus"])
def test_the_same_input_gives_the_same_bytes(tmp_path: Path, make: str) -> None:
    mask = GREY < 250
    picture = pictures.papyrus(GREY, mask)
    for name in ("a", "b"):
        drawn = pictures.inked(picture, GREY) if make == "inked" else picture
        pictures.draw_rows(drawn, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
