import numpy as np

from danseo.scroll.phantom.recipe import Recipe
from danseo.scroll.phantom.relief import FINE, Masks, faces, reach, tear

SHAPE = (96, 400)
RECIPE = Recipe(seed=2, ink_um=(16, 16), roughness_um=0, torn=0)


def _masks(ink: np.ndarray, decoy: np.ndarray) -> Masks:
    return Masks(ink, decoy, np.zeros(SHAPE, dtype=bool))


def _patches() -> tuple[np.ndarray, np.ndarray]:
    ink, decoy = np.zeros(SHAPE, dtype=bool), np.zeros(SHAPE, dtype=bool)
    ink[20:80, 20:180] = True
    decoy[20:80, 220:380] = True
    return ink, decoy


def _within(face: np.ndarray, first: int, last: int) -> np.ndarray:
    return face[FINE * 25 : FINE * 75, FINE * (first + 5) : FINE * (last - 5)]


def test_ink_is_cracked_and_a_decoy_of_the_same_height_is_whole() -> None:
    inner, outer = faces(RECIPE, _masks(*_patches()), 0, SHAPE[0])
    up = -inner - RECIPE.thickness / 2
    ink, decoy = _within(up, 20, 180), _within(up, 220, 380)
    proud = 16 / RECIPE.voxel_um
    assert 0.1 < np.mean(ink < 0.05) < 0.5
    assert decoy.min() > 0.7 * proud
    assert abs(np.median(ink[ink > 0.05]) / proud - 1) < 0.15
    assert abs(np.median(decoy) / proud - 1) < 0.15
    assert np.allclose(outer, RECIPE.thickness / 2)


def test_ink_may_grow_thicker_along_the_sheet() -> None:
    recipe = Recipe(seed=2, ink_um=(4, 20), roughness_um=0, torn=0)
    everywhere = np.ones(SHAPE, dtype=bool)
    inner, _ = faces(recipe, _masks(everywhere, ~everywhere), 0, SHAPE[0])
    tall = [np.percentile(-part - recipe.thickness / 2, 90) for part in np.split(inner, 4, axis=1)]
    assert tall == sorted(tall)
    assert tall[-1] > 2 * tall[0]


def test_faces_join_without_a_seam_and_stay_within_reach() -> None:
    recipe = Recipe(seed=2, torn=0.05)
    ink, decoy = _patches()
    masks = Masks(ink, decoy, tear(recipe, *SHAPE))
    whole = faces(recipe, masks, 0, SHAPE[0])
    for face, part in zip(whole, faces(recipe, masks, 30, 10), strict=True):
        assert np.array_equal(face[FINE * 30 : FINE * 40], part)
        assert np.abs(face).max() < reach(recipe)


def test_a_torn_sheet_has_no_thickness_there() -> None:
    recipe = Recipe(seed=2, torn=0.1)
    torn = tear(recipe, *SHAPE)
    assert abs(torn.mean() - 0.1) < 0.01
    nothing = np.zeros(SHAPE, dtype=bool)
    inner, outer = faces(recipe, Masks(nothing, nothing, torn), 0, SHAPE[0])
    from scipy.ndimage import binary_erosion

    deep = np.kron(binary_erosion(torn, iterations=3), np.ones((FINE, FINE))) > 0
    assert deep.any()
    assert (inner[deep] > outer[deep]).all()
    assert (inner < outer).mean() > 0.8
