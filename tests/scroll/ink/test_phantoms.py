"""What the network learns from and is judged by share no seed and no font."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from danseo.core.errors import Usage
from danseo.scroll.ink.phantoms import HELD_OUT, LAYERS, SEEDS, Kind, draw, make_samples, part_of
from danseo.scroll.lettering import fonts

LITTLE = Kind(shape=(96, 128, 128), letter_um=(420, 420), noise=(0.02, 0.02), ink_um=(16, 16))


def test_no_seed_is_of_two_parts() -> None:
    parts = [set(seeds) for seeds in SEEDS.values()]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_a_seed_of_no_part_is_refused() -> None:
    with pytest.raises(Usage, match="seed 5 is of no part"):
        part_of(5)


@pytest.mark.skipif(HELD_OUT not in fonts(), reason="the ancient scripts' fonts are not installed")
def test_the_font_of_test_phantoms_is_in_no_training() -> None:
    learned = {draw(seed)[0].font for seed in SEEDS["training"][:200]}
    learned |= {draw(seed)[0].font for seed in SEEDS["validation"][:50]}
    assert len(learned) > 3
    assert HELD_OUT not in learned
    assert {draw(seed)[0].font for seed in SEEDS["test"][:20]} == {HELD_OUT}


def test_recipes_stay_within_their_kind_and_differ() -> None:
    kind = Kind(ink_um=(8, 12), noise=(0.1, 0.2))
    recipes = [draw(seed, kind)[0] for seed in SEEDS["test"][:50]]
    assert all(8 <= r.ink_um[0] <= 12 and 0.1 <= r.noise <= 0.2 for r in recipes)
    assert len({r.pitch_um for r in recipes}) == 50
    assert draw(SEEDS["test"][0], kind) == draw(SEEDS["test"][0], kind)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phantoms")


def test_a_sample_has_the_written_face_first_and_is_centred(folder: Path) -> None:
    (sample,) = make_samples([SEEDS["training"][3]], folder, LITTLE)
    assert len(sample.layers) == LAYERS
    bright = sample.layers[:, sample.valid].mean(1)
    middle = float(bright[8:24].mean())
    assert middle > 1.5 * max(bright[5], bright[26])
    # Ink stands out of the inner face only: it fills what is air there, and not on the outer one.
    gain = sample.layers[:, sample.valid & sample.ink].mean(1) - bright
    assert gain[5:10].max() > 2 * np.abs(gain[22:27]).max()
    assert [p.name for p in folder.iterdir()] == [sample.name]


def test_a_sample_that_is_there_is_not_made_again(folder: Path) -> None:
    (first,) = make_samples([SEEDS["training"][3]], folder, LITTLE)
    stamp = (folder / first.name / "layers.npy").stat().st_mtime_ns
    told: list[float] = []
    make_samples([SEEDS["training"][3]], folder, LITTLE, lambda part, _: told.append(part))
    assert (folder / first.name / "layers.npy").stat().st_mtime_ns == stamp
    assert told == [1.0]
