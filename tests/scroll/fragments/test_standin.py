"""The stand-in: the same on every machine, and of the shape of the real thing."""

import hashlib

import numpy as np

from danseo.scroll.fragments import photographs, standin


def test_the_same_seed_gives_the_same_bytes_on_every_machine():
    train, test = standin.pair(seed=1, width=160)
    whole = b"".join(a.tobytes() for one in (train, test) for a in (one.ct, one.mask, one.label))
    assert hashlib.sha256(whole).hexdigest() == DIGEST


DIGEST = "efb2322ae6f2e3e08f350628b00b07c144d05600b53e6d3da3434fe56ffb7598"


def test_another_seed_gives_another_fragment():
    one, other = (standin.pair(seed=seed, width=160)[0] for seed in (1, 2))
    assert not np.array_equal(one.label, other.label)


def test_the_two_fragments_are_not_one_fragment_twice():
    train, test = standin.pair(width=160)
    assert not np.array_equal(train.label, test.label)


def test_ink_lies_on_papyrus_alone_and_on_a_sixth_of_it():
    for one in standin.pair():
        assert one.ct.shape == one.mask.shape == one.label.shape == (960, photographs.WIDTH)
        assert one.ct.dtype == np.uint8
        assert not one.label[~one.mask].any()
        assert not one.ct[~one.mask].any()
        assert 0.14 < one.label[one.mask].mean() < 0.22
        assert 0.6 < one.mask.mean() < 0.95


def test_ink_is_darker_than_papyrus_on_average_and_overlaps_with_it():
    for one in standin.pair(width=320):
        ink, bare = one.ct[one.label], one.ct[one.mask & ~one.label]
        assert ink.mean() < bare.mean()
        assert (bare < np.median(ink)).mean() > 0.05
