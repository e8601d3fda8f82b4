"""Lines of writing are found, however they slope, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, rotate

from danseo.core.errors import Unfit, Usage
from danseo.scroll.lettering import LETTERS, Page, page
from danseo.scroll.text.degrade import degrade, draw_wear
from danseo.scroll.text.lines import (
    LineOptions,
    TextLine,
    check_map,
    even_out,
    find_lines,
    letter_heights,
    strip_of,
)


def written(height: int, width: int, letter: int, seed: int, column: int | None = None) -> Page:
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(list(LETTERS), 300))
    return page(text, height, width, letter, rng, "DejaVu Sans", column_px=column)


def worn(ink: np.ndarray, letter: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return degrade(ink, letter, draw_wear(rng, 0.7), rng)


def found(values: np.ndarray, mask: np.ndarray | None = None) -> tuple[TextLine, ...]:
    values, inside = check_map(values, mask)
    ink = even_out(values, inside)
    return find_lines(ink, inside, letter_heights(ink, inside, LineOptions())[0])


@pytest.mark.parametrize(("letter", "seed"), [(30, 1), (50, 2), (90, 3)])
def test_lines_lie_on_the_letters_and_have_their_height(letter: int, seed: int) -> None:
    sheet = written(6 * letter, 20 * letter, letter, seed)
    lines = found(worn(sheet.mask, letter, seed))
    assert len(lines) == len(sheet.text.split()) == 3
    for letter_of in sheet.letters:
        u0, v0, u1, v1 = letter_of.box
        line = lines[letter_of.line]
        assert abs(line.middle((u0 + u1) / 2) - (v0 + v1) / 2) < 0.35 * letter
    assert 0.8 * letter < lines[0].letter_px < 1.3 * letter


def test_lines_that_slope_are_followed() -> None:
    sheet = written(260, 900, 40, 4)
    turned = rotate(sheet.mask.astype(np.float32), 2.0, order=1) > 0.5
    lines = found(worn(turned, 40, 4))
    assert len(lines) == len(sheet.text.split())
    (cv, cu), (dv, du) = (np.array(ink.shape) / 2 for ink in (sheet.mask, turned))
    sine, cosine = np.sin(np.radians(2)), np.cos(np.radians(2))
    for letter in sheet.letters:
        u0, v0, u1, v1 = letter.box
        right, down = (u0 + u1) / 2 - cu, (v0 + v1) / 2 - cv
        there = float(lines[letter.line].middle(du + cosine * right + sine * down))
        assert there == pytest.approx(dv + cosine * down - sine * right, abs=0.4 * 40)


def test_columns_are_told_apart_and_read_from_the_left() -> None:
    sheet = written(280, 1000, 40, 5, column=300)
    lines = found(worn(sheet.mask, 40, 5))
    assert [line.column for line in lines] == sorted(line.column for line in lines)
    assert len({line.column for line in lines}) == 2
    assert len(lines) == len(sheet.text.split())
    for letter in sheet.letters:
        u = (letter.box[0] + letter.box[2]) / 2
        line = lines[letter.line]
        assert line.u[0] - 20 <= u <= line.u[-1] + 20


def test_letters_outside_the_mask_make_no_line() -> None:
    sheet = written(260, 900, 40, 6)
    mask = np.ones(sheet.mask.shape, np.bool_)
    mask[:130] = False
    lines = found(worn(sheet.mask, 40, 6), mask)
    assert lines
    assert all(line.v.min() > 120 for line in lines)


def test_a_map_of_noise_has_no_height_that_stands_out_as_letters_do() -> None:
    rng = np.random.default_rng(3)
    noise = gaussian_filter(rng.standard_normal((200, 900)), 4)
    flat = np.full((200, 900), 0.3, np.float32)
    ink = even_out(*check_map(flat, None))
    assert letter_heights(ink, np.ones(ink.shape, np.bool_), LineOptions()) == ()
    values, mask = check_map((noise - noise.min()) / np.ptp(noise), None)
    sheet = worn(written(200, 900, 40, 3).mask, 40, 3)
    noisy = find_lines(even_out(values, mask), mask, 40)
    clear = find_lines(even_out(sheet, mask), mask, 40)
    length = [sum(line.u[-1] - line.u[0] for line in lines) for lines in (noisy, clear)]
    assert length[0] < 0.7 * length[1]


def test_a_strip_is_straight_and_of_the_asked_height() -> None:
    u, v = np.meshgrid(np.arange(400.0), np.arange(200.0))
    ink = (np.abs(v - (60 + 0.1 * u)) < 8).astype(np.float32)
    knots = np.arange(20.0, 380.0, 20.0)
    strip, at = strip_of(ink, TextLine(knots, 60 + 0.1 * knots, 64.0), 32, 48)
    assert strip.shape == (48, len(at))
    inside = strip[:, (at > 30) & (at < 370)]
    assert inside[23:25].min() > 0.9
    assert inside[:16].max() < 0.1
    assert inside[32:].max() < 0.1
    assert at[1] - at[0] == pytest.approx(2.0)


def test_evening_out_takes_the_networks_own_certainty_away() -> None:
    sheet = worn(written(200, 500, 40, 7).mask, 40, 7)
    mask = np.ones(sheet.shape, np.bool_)
    assert np.allclose(even_out(sheet, mask), even_out(0.2 + 0.5 * sheet, mask), atol=1e-4)


@pytest.mark.parametrize(
    ("values", "mask", "message"),
    [
        (np.zeros((4, 5, 6), np.float32), None, "two axes"),
        (np.zeros((4, 5), np.int32), None, "int32"),
        (np.full((4, 5), np.nan, np.float32), None, "20 values of the map are not numbers"),
        (np.full((4, 5), 3.0, np.float32), None, r"lie in 0\.\.1"),
        (np.zeros((4, 5), np.float32), np.zeros((4, 5), np.bool_), "mask is empty"),
        (np.zeros((4, 5), np.float32), np.ones((4, 6), np.bool_), r"\(4, 6\)"),
    ],
)
def test_what_is_no_map_is_refused(
    values: np.ndarray, mask: np.ndarray | None, message: str
) -> None:
    with pytest.raises(Unfit, match=message):
        check_map(values, mask)


def test_values_outside_the_mask_may_be_anything() -> None:
    values = np.array([[0.5, np.nan]], np.float32)
    known, inside = check_map(values, np.array([[True, False]]))
    assert known.tolist() == [[0.5, 0.0]]
    assert inside.tolist() == [[True, False]]


def test_sixteen_bits_are_read_over_their_range() -> None:
    known, _ = check_map(np.array([[0, 65535]], np.uint16), None)
    assert known.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("options", [{"smallest_px": 3}, {"largest_px": 10}, {"letter_px": 2}])
def test_letters_that_nobody_could_read_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(Usage):
        LineOptions(**options)
