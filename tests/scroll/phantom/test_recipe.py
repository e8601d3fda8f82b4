import pytest

from danseo.core.errors import Usage
from danseo.scroll.phantom.recipe import Recipe


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(seed=7, shape=(64, 200, 210), ink_um=(5.0, 9.0), begins="inside", font="Avdira")
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(Usage, match="no parameter twist"):
        Recipe.from_json({"twist": 1})


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"shape": (8, 200, 200)}, "shape"),
        ({"voxel_um": 0.0}, "voxel_um"),
        ({"touching": 0.9}, "touching"),
        ({"crush": 0.7}, "crush"),
        ({"pitch_um": 100.0}, "pitch_um"),
        ({"begins": "middle"}, "begins"),
        ({"noise": -0.1}, "noise"),
        ({"noise": float("nan")}, "noise"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(bad: dict[str, object], said: str) -> None:
    with pytest.raises(Usage, match=said):
        Recipe(**bad)  # type: ignore[arg-type]


def test_what_one_purpose_draws_no_other_feels() -> None:
    recipe = Recipe(seed=3)
    assert recipe.rng("gap").normal() == recipe.rng("gap").normal()
    assert recipe.rng("gap").normal() != recipe.rng("ink").normal()
    assert recipe.salt("gap") != Recipe(seed=4).salt("gap")
