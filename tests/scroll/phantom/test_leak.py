"""A quick, small form of the leak test in benchmarks/phantom.py."""

import pytest

from benchmarks.phantom import Look, leak, look
from danseo.scroll.phantom.recipe import Recipe

SMALL = {"shape": (64, 144, 144), "core_um": 140.0, "letter_um": 320.0}


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    return [look(Recipe(seed=70 + k, **SMALL)) for k in range(3)]  # type: ignore[arg-type]


def test_brightness_hardly_tells_ink(looks: list[Look]) -> None:
    mean, highest, over_thickness, _ = leak(looks)
    assert sum(each.letters for each in looks) > 30
    assert 0.43 < mean < 0.57
    assert 0.43 < highest < 0.57
    assert 0.40 < over_thickness < 0.60


def test_decoys_are_what_hides_it(looks: list[Look]) -> None:
    assert leak(looks, decoys=False)[2] > leak(looks)[2] + 0.01
