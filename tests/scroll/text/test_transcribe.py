"""Letters that are there are read, and none is read where there are none."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, rotate

from danseo.core.errors import Unfit, Usage
from danseo.scroll.lettering import LETTERS, Page, page
from danseo.scroll.text.degrade import Wear, degrade, draw_wear
from danseo.scroll.text.glyphs import GlyphNet, load_glyphs
from danseo.scroll.text.measure import score
from danseo.scroll.text.transcribe import Line, Reading, TextOptions, Transcript, transcribe

LIGHT = Wear(0.03, 0.02, 0.2, 0.05, 0.12, 0.04, 0.02, 0.0, 8.0, 0.5)


@cache
def net() -> GlyphNet:
    torch.set_num_threads(1)
    return load_glyphs()


def sheet(
    letter: int, seed: int, wear: Wear = LIGHT, lines: float = 2.2
) -> tuple[Page, np.ndarray]:
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(list(LETTERS), 300))
    written = page(text, round(lines * 1.55 * letter), 18 * letter, letter, rng, "DejaVu Sans")
    return written, degrade(written.mask, letter, wear, rng)


def read(values: np.ndarray, mask: np.ndarray | None = None, **options: object) -> Transcript:
    return transcribe(values, mask, TextOptions(**options), net())  # type: ignore[arg-type]


@pytest.mark.parametrize("letter", [30, 60, 90])
def test_a_light_page_is_read_at_any_size(letter: int) -> None:
    written, values = sheet(letter, letter)
    got = read(values)
    result = score(written.text.split(), got.text().split("\n"))
    assert result.letters > 25
    assert result.cer < 0.08
    assert got.letter_px == pytest.approx(letter, rel=0.15)
    assert got.warnings == ()


def test_boxes_of_what_was_read_lie_on_the_letters() -> None:
    written, values = sheet(50, 2)
    got = read(values).letters
    near = 0
    for letter in written.letters:
        best = min(got, key=lambda r: abs(r.box[0] - letter.box[0]) + abs(r.box[1] - letter.box[1]))
        near += max(abs(a - b) for a, b in zip(best.box, letter.box, strict=True)) < 10
    assert near > 0.9 * len(written.letters)


def test_sixteen_bits_read_as_floats_do() -> None:
    _, values = sheet(40, 3)
    whole = read(np.rint(values * 65535).astype(np.uint16), look_around=False)
    assert whole.text() == read(values, look_around=False).text()
    assert whole.text()


@pytest.mark.parametrize("seed", range(4))
def test_a_scroll_without_ink_is_not_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    empty = np.zeros((160, 900), np.bool_)
    got = read(degrade(empty, 40, draw_wear(rng, 1.0), rng), look_around=False)
    assert len(got.letters) <= 1
    if not got.lines:
        assert "No writing was found" in got.warnings[0]


def test_noise_of_any_grain_is_not_read() -> None:
    rng = np.random.default_rng(1)
    for grain in (0.0, 2.0, 6.0, 15.0):
        noise = gaussian_filter(rng.standard_normal((160, 800)), grain)
        values = (noise - noise.min()) / np.ptp(noise)
        assert len(read(values, look_around=False).letters) <= 1


def test_an_even_map_has_no_letters_and_says_so() -> None:
    got = read(np.full((200, 500), 0.4, np.float32))
    assert (got.lines, got.text()) == ((), "")
    assert "No writing was found" in got.warnings[0]


@pytest.mark.parametrize(
    ("lies", "flip", "words"),
    [
        ("mirrored", (1, -1), "reversed order"),
        ("turned", (-1, -1), "z runs up"),
        ("upended", (-1, 1), "reversed order"),
    ],
)
def test_a_page_that_lies_wrong_is_named_and_not_turned(
    lies: str, flip: tuple[int, int], words: str
) -> None:
    written, values = sheet(40, 5)
    wrong = np.ascontiguousarray(values[:: flip[0], :: flip[1]])
    got = read(wrong)
    assert max(got.fits, key=lambda fit: fit[1])[0] == lies
    assert got.margin > 0.1
    assert words in got.warnings[0]
    assert "Nothing was turned" in got.warnings[0]
    right = read(wrong, lies=lies)
    assert right.warnings == ()
    assert score(written.text.split(), right.text().split("\n")).cer < 0.08
    u0, v0, u1, v1 = right.lines[0].letters[0].box
    first = written.letters[0].box
    there = np.zeros(values.shape, np.bool_)
    there[v0:v1, u0:u1] = True
    assert there[:: flip[0], :: flip[1]][first[1] : first[3], first[0] : first[2]].mean() > 0.7


def test_a_page_that_cannot_be_read_as_it_lies_says_how_it_can() -> None:
    rng = np.random.default_rng(11)
    written = page("ΑΓΕΑΡΓΥΑΓΑΤΡΕΑΓ", 70, 700, 40, rng, "DejaVu Sans")
    turned = np.ascontiguousarray(degrade(written.mask, 40, LIGHT, rng)[::-1, ::-1])
    got = read(turned)
    assert "upside down" in got.warnings[0].lower()
    assert "lies='turned'" in got.warnings[0]
    assert score(written.text.split(), [read(turned, lies="turned").text()]).cer < 0.1


def test_a_sloping_page_is_read() -> None:
    written, values = sheet(40, 6)
    tilted = np.clip(rotate(values, 1.5, order=1, cval=float(np.median(values))), 0, 1)
    got = read(tilted, look_around=False)
    assert score(written.text.split(), got.text().split("\n")).cer < 0.15


def test_a_hole_in_the_sheet_is_shown_in_brackets() -> None:
    written, values = sheet(40, 7, lines=1.2)
    assert len(written.text.split()) == 1
    hole = (written.letters[4].box[0] - 2, written.letters[6].box[2] + 2)
    mask = np.ones(values.shape, np.bool_)
    mask[:, hole[0] : hole[1]] = False
    values[:, hole[0] : hole[1]] = np.nan
    got = read(values, mask, look_around=False)
    text = got.text()
    assert "[...]" in text or "[..]" in text or "[....]" in text
    before, _, after = text.partition("[")
    assert before == written.text[:4]
    assert after.lstrip(".").startswith("]" + written.text[7:9])


def test_letters_that_are_not_sure_are_dots() -> None:
    letters = tuple(
        Reading(char, sure, (20 * k, 0, 20 * k + 15, 20), ())
        for k, (char, sure) in enumerate([("Α", 0.9), ("Β", 0.6), ("Γ", 0.3)])
    )
    line = Line((0, 0, 60, 20), letters)
    assert line.text() == "ΑΒ."
    assert line.text(0.7) == "Α.."
    assert line.text(underdots=True) == "ΑΒ\N{COMBINING DOT BELOW}."


def test_two_pages_of_the_same_letters_read_alike_in_any_order() -> None:
    _, values = sheet(40, 8)
    assert read(values, look_around=False) == read(values.copy(), look_around=False)


def test_a_map_smaller_than_a_letter_says_so() -> None:
    got = read(np.random.default_rng(1).random((10, 300), dtype=np.float32))
    assert got.lines == ()
    assert "smaller than a letter" in got.warnings[0]


@pytest.mark.parametrize("options", [{"dot": 2.0}, {"lies": "sideways"}])
def test_options_without_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(Usage):
        TextOptions(**options)  # type: ignore[arg-type]


def test_a_map_that_is_none_is_refused() -> None:
    with pytest.raises(Unfit, match="not numbers"):
        read(np.full((60, 60), np.nan, np.float32))


def test_progress_ends_with_what_was_found() -> None:
    _, values = sheet(40, 9)
    told: list[tuple[float, str]] = []
    transcribe(values, None, TextOptions(), net(), lambda done, what: told.append((done, what)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == 1.0
    assert "letters on 2 lines" in told[-1][1]
