"""Runs a published script as its author would, and scores it."""

import runpy

import numpy as np

from danseo.scroll.fragments import ink


def predict(name, inputs):
    """Return what the script `name` predicts from the public files."""
    method = next(m for m in ink.METHODS if m.name == name)
    out = inputs.truth.parent / name
    out.mkdir(exist_ok=True)
    runpy.run_path(str(method.script))["main"](inputs.truth.parent, out)
    return np.load(out / "prediction.npy")


def score(name, inputs):
    """Return its F0.5 against the hidden truth."""
    truth = np.load(inputs.truth)
    return ink.fbeta(predict(name, inputs), truth["label"], truth["mask"])
