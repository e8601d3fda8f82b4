"""The solver, against a dense solution and a known field."""

from __future__ import annotations

import numpy as np

from danseo.scroll.winding.solve import solve


def _dense(weight, data, right):
    """The same system, written out."""
    n = weight.size
    index = np.arange(n).reshape(weight.shape)
    matrix = np.diag(data.ravel().astype(float))
    for axis in range(3):
        a = np.take(index, range(weight.shape[axis] - 1), axis).ravel()
        b = np.take(index, range(1, weight.shape[axis]), axis).ravel()
        wa, wb = weight.ravel()[a].astype(float), weight.ravel()[b].astype(float)
        c = 2 * wa * wb / (wa + wb)
        np.add.at(matrix, (a, a), c)
        np.add.at(matrix, (b, b), c)
        np.add.at(matrix, (a, b), -c)
        np.add.at(matrix, (b, a), -c)
    return np.linalg.solve(matrix, right.ravel().astype(float)).reshape(weight.shape)


def test_it_agrees_with_a_dense_solution_for_weights_over_three_decades() -> None:
    rng = np.random.default_rng(0)
    shape = (7, 9, 10)
    weight = (10 ** rng.uniform(-3, 0, shape)).astype(np.float32)
    data = (rng.uniform(0, 1, shape) < 0.1).astype(np.float32) + np.float32(1e-4)
    right = rng.normal(size=shape).astype(np.float32)
    found = solve(weight, data, right, np.zeros(shape, np.float32), 1e-6, 200)
    wanted = _dense(weight, data, right)
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_the_work_does_not_grow_with_the_grid() -> None:
    for n in (16, 48):
        shape = (n, n, n)
        weight = np.ones(shape, np.float32)
        data = np.full(shape, 1e-6, np.float32)
        truth = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        for axis in range(3):
            truth = np.cumsum(truth, axis=axis) / n
        truth -= truth.mean()
        right = _applied(truth, 1e-6)
        found = solve(weight, data, right, np.zeros(shape, np.float32), 1e-4, 25)
        assert np.abs(found - truth).max() < 0.02 * np.ptp(truth)


def _applied(f, data):
    out = data * f
    for axis in range(3):
        flow = np.diff(f, axis=axis)
        pad = [(0, 0)] * 3
        pad[axis] = (1, 1)
        out -= np.diff(np.pad(flow, pad), axis=axis)
    return out.astype(np.float32)
