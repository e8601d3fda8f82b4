"""A small scroll, weights that know nothing, and one whole reading of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scroll.reading.small import Small, make_small


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A phantom of 1.6 Mvoxels, read once from beginning to end."""
    pytest.importorskip("torch")
    pytest.importorskip("zarr")
    return make_small(tmp_path_factory.mktemp("small"))


@pytest.fixture
def elsewhere(small: Small, tmp_path: Path) -> Small:
    """The same scroll and reading, in a folder that a test may change."""
    return small.copied(tmp_path)
