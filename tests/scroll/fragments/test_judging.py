"""The benchmark on real fragments judges fairly: bands apart, no look across the gap, no luck."""

import numpy as np
import pytest
import torch

from benchmarks import cube_ink, fragments
from benchmarks.fragment_learners import REACH, WIDEST, UNet
from danseo.scroll.fragments.methods import local, multiscale

SIZE = 400
MIDDLE = 200


def test_bands_hold_equal_papyrus():
    mask = np.zeros((1000, 50), bool)
    mask[100:500, :10] = True
    mask[500:900] = True
    band = fragments.band_of_row(mask)
    assert (np.diff(band) >= 0).all()
    share = np.bincount(band, mask.sum(axis=1)) / mask.sum()
    assert share == pytest.approx([0.25] * 4, abs=0.01)


def test_what_is_learned_lies_a_gap_away_from_what_is_judged():
    band = np.repeat(np.arange(4), 250)
    learned, judged = fragments.allowed(band, (1,)).nonzero()[0], (band == 1).nonzero()[0]
    assert np.abs(learned[:, None] - judged).min() == REACH + 1
    assert set(band[learned]) == {0, 2, 3}


@pytest.mark.parametrize("name", ["features", "local", "unet"])
def test_no_way_of_seeing_reaches_across_the_gap(name):
    rng = np.random.default_rng(1)
    mask = np.ones((SIZE, 64), bool)
    # No change of two pixels of equal sum moves the fragment's own mean; the spread stays too.
    ct = rng.integers(100, 200, mask.shape).astype(float)
    other = ct.copy()
    other[MIDDLE] = np.roll(ct[MIDDLE], 7)[::-1]
    before, after = (_seen(name, one, mask) for one in (ct, other))
    moved = np.abs(after - before).reshape(SIZE, -1).max(axis=1) > 1e-5
    far = np.abs(moved.nonzero()[0] - MIDDLE).max()
    assert 10 < far <= REACH


def _seen(name, ct, mask):
    if name == "features":
        return np.delete(multiscale.features(ct, mask), WIDEST, axis=1).reshape(*mask.shape, -1)
    if name == "local":
        return local.darkness(ct, mask)
    torch.manual_seed(0)
    net = UNet().eval()
    for layer in net.modules():
        if isinstance(layer, torch.nn.GroupNorm):
            # It looks at all of the patch: the light of the whole, not what lies where.
            layer.forward = lambda x: x
    with torch.no_grad():
        sheet = torch.tensor(ct / 50 - 3, dtype=torch.float32)
        return net(torch.stack([sheet] * 3)[None])[0, 0].numpy()


def test_an_interval_tells_a_gain_from_luck():
    rng = np.random.default_rng(2)
    truth = rng.random(20_000) < 0.2
    blocks = np.repeat(np.arange(50), 400)
    good, same, same_again = (
        truth ^ (rng.random(len(truth)) < wrong) for wrong in (0.05, 0.2, 0.2)
    )
    low, high = fragments.interval(good, same, truth, blocks)
    gain = fragments.fbeta(good, truth) - fragments.fbeta(same, truth)
    assert 0 < low < gain < high
    low, high = fragments.interval(same, same_again, truth, blocks)
    assert low < 0 < high


def test_areas_agree_with_the_pairs_counted_one_by_one():
    rng = np.random.default_rng(3)
    truth = rng.random(300) < 0.3
    score = np.round(rng.normal(size=300) + truth, 1)
    pairs = score[truth][:, None] - score[~truth]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert fragments.auc(score, truth) == pytest.approx(expected)
    value, ink = score.reshape(3, 10, 10), truth.reshape(3, 10, 10)
    area, _, _ = cube_ink.auc(value, ink, np.ones_like(ink))
    assert area == pytest.approx(expected, abs=0.005)


def test_a_published_clue_is_run_as_it_is():
    assert fragments.PUBLISHED in {one.name for one in fragments.ink.METHODS}
