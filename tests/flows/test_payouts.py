"""What the log owes is paid by the chain: the whole way, also when it is cut short anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from danseo.core import treasury
from danseo.flows import payouts
from tests.flows import coined
from tests.flows.coined import ETH, PAST, Coined
from tests.flows.played import NAME, key_of, shifted


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Coined]:
    """A challenge with contracts and nothing in its pool."""
    with coined.begin(tmp_path) as made:
        yield made


def test_money_goes_in_and_comes_out_again(stage: Coined) -> None:
    stage.fund(50 * ETH)
    stage.played.publish("contributor-1", shifted(10))
    stage.played.score_both()
    said = stage.carry_on()
    print(said)
    assert stage.challenge.received["ETH:18"] == 50 * ETH
    stage.played.wait(PAST)
    said = stage.carry_on()
    print(said)
    owed = treasury.owed(stage.challenge, "ETH:18")[key_of("contributor-1").address]
    assert owed.paid == stage.balance("contributor-1") > 0
    assert owed.payable == 0
    assert [r.right for r in payouts.check_roots(stage.desk, stage.client, NAME)] == [True]
    assert stage.carry_on() == []
