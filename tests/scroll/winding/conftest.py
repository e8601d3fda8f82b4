"""One roll of each sense, made once."""

from __future__ import annotations

import pytest

from danseo.scroll.surface import Surface
from danseo.scroll.volume import Volume
from danseo.scroll.winding.sheets import Report, segment
from tests.scroll.winding.rolls import Roll, save


@pytest.fixture(scope="session", params=[1, -1], ids=["outward", "inward"])
def rolled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Roll, Volume]:
    """A roll of either sense, and its volume."""
    roll = Roll(request.param)
    return roll, save(tmp_path_factory.mktemp("roll"), roll.density())


@pytest.fixture(scope="session")
def found(rolled: tuple[Roll, Volume]) -> tuple[Surface, Report]:
    """What `segment` makes of it."""
    return segment(rolled[1])
