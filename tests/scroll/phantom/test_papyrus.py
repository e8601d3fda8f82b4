import numpy as np

from danseo.scroll.phantom.papyrus import SCALE, stuff
from danseo.scroll.phantom.recipe import Recipe

RECIPE = Recipe(seed=5)
DEEP = 9


def _changes(density: np.ndarray, axis: int) -> float:
    return float(np.abs(np.diff(density.astype(float), axis=axis)).mean())


def test_fibres_run_along_the_writing_inside_and_down_the_page_outside() -> None:
    density = stuff(RECIPE, 0, 96, 96, DEEP)
    inner, outer = density[:, :, : DEEP - 3], density[:, :, DEEP + 4 :]
    assert _changes(inner, axis=1) < 0.8 * _changes(inner, axis=0)
    assert _changes(outer, axis=0) < 0.8 * _changes(outer, axis=1)


def test_a_slab_is_the_same_whichever_slab_asks() -> None:
    whole = stuff(RECIPE, -3, 20, 40, DEEP)
    assert np.array_equal(stuff(RECIPE, 4, 6, 40, DEEP), whole[7:13])
    assert whole.std() > 0


def test_density_is_about_one_and_without_contrast_it_is_one() -> None:
    assert abs(stuff(RECIPE, 0, 64, 900, DEEP).mean() / SCALE - 1) < 0.08
    plain = stuff(Recipe(seed=5, contrast=0), 0, 8, 30, DEEP)
    assert (plain == SCALE).all()


def test_another_seed_is_another_papyrus() -> None:
    assert not np.array_equal(stuff(RECIPE, 0, 8, 8, 4), stuff(Recipe(seed=6), 0, 8, 8, 4))
