"""The real fragments: the label from infrared, and what its absence does."""

from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Unavailable
from danseo.scroll.fragments import ink, photographs

from .played import score

DATA = Path(__file__).parents[2].parent / "shared" / "data"
real = pytest.mark.skipif(
    photographs.folder(DATA) is None,
    reason="the real fragments are not here: ../shared/data/scroll/fragments",
)


def test_ink_is_found_where_infrared_is_darker_than_its_surroundings():
    light = np.full((200, 200), 150, dtype=np.uint8)
    light[90:110, 40:160] = 90
    found = photographs.ink_in_infrared(light, np.ones((200, 200), dtype=bool))
    assert found[95:105, 50:150].all()
    assert not found[:80].any()
    assert not found[120:].any()


def test_a_slow_change_of_light_is_not_ink():
    light = np.linspace(120, 180, 400).astype(np.uint8)[:, None].repeat(300, axis=1)
    assert not photographs.ink_in_infrared(light, np.ones(light.shape, dtype=bool)).any()


def test_nothing_off_the_papyrus_is_ink_or_dims_the_edge():
    light = np.full((120, 120), 150, dtype=np.uint8)
    lit = np.zeros((120, 120), dtype=bool)
    lit[20:100, 20:100] = True
    light[~lit] = 0
    assert not photographs.ink_in_infrared(light, lit).any()


def test_a_box_sum_is_the_sum_over_the_box():
    values = np.random.default_rng(0).integers(0, 99, (9, 7))
    around = np.pad(values, 2)
    slow = [[around[y : y + 5, x : x + 5].sum() for x in range(7)] for y in range(9)]
    assert np.array_equal(photographs.box_sum(values, 2), slow)


def test_a_folder_without_the_pictures_is_named(tmp_path):
    with pytest.raises(Unavailable, match=str(tmp_path)):
        photographs.read(tmp_path, 2)


def test_a_torn_picture_is_named(tmp_path):
    place = tmp_path / "scroll" / "fragments"
    place.mkdir(parents=True)
    for n in (2, 3):
        for kind in ("composite", "ir"):
            (place / f"f{n}_{kind}.webp").write_bytes(b"RIFF but no picture")
    with pytest.raises(Unavailable, match="f2_composite"):
        photographs.read(tmp_path, 2)


@real
def test_the_real_fragments_have_ink_on_a_sixth_of_their_papyrus():
    for number, height in ((photographs.TRAIN, 998), (photographs.TEST, 928)):
        one = photographs.read(DATA, number)
        assert one.ct.shape == one.mask.shape == one.label.shape == (height, photographs.WIDTH)
        assert not one.label[~one.mask].any()
        assert 0.14 < one.label[one.mask].mean() < 0.22


@real
def test_local_darkness_beats_plain_darkness_on_the_real_fragments(tmp_path):
    inputs = ink.prepare(tmp_path, DATA)
    assert "real" in inputs.source
    assert float(inputs.baseline) < score("darkness", inputs) < score("local", inputs)
