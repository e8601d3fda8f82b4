"""What strangers say of the chain to break the host that checks it, and nodes that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from danseo.core.errors import Conflict, Malformed, OutOfOrder, Refused
from danseo.core.kinds.chain import Report
from danseo.flows import observing
from tests.flows import coined
from tests.flows.coined import ETH, Coined
from tests.flows.played import NAME, key_of


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coined]:
    """A challenge with contracts, and a gift that no report has told of."""
    with coined.begin(tmp_path_factory.mktemp("stage")) as made:
        made.fund(ETH)
        yield made


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda r: replace(r, holdings=()), Malformed),
        (lambda r: replace(r, holdings=(*r.holdings, *r.holdings)), Malformed),
        (lambda r: replace(r, from_block=0), OutOfOrder),
        (lambda r: replace(r, from_block=0, to_block=0, facts=()), OutOfOrder),
        (lambda r: replace(r, from_block=2**53 - 1), OutOfOrder),
        (lambda r: replace(r, to_block=0), OutOfOrder),
        (lambda r: replace(r, complete=False, facts=(), holdings=()), Malformed),
    ],
)
def test_a_report_that_no_log_takes_is_refused_before_any_node_is_asked(
    stage: Coined,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Report], Report],
    error: type[Refused],
) -> None:
    report = observing.next_report(stage.client, stage.challenge)
    assert report is not None

    def asked(*_: object) -> None:
        pytest.fail("the node was asked")

    monkeypatch.setattr(observing, "check_report", asked)
    with pytest.raises(error):
        stage.desk.say(key_of("contributor-1"), change(report), NAME)


def test_a_chain_that_lost_what_was_reported_is_not_read_on(tmp_path: Path) -> None:
    with coined.begin(tmp_path) as stage:
        stage.fund(ETH)
        report = observing.next_report(stage.client, stage.challenge)
        assert report is not None
        stage.desk.say(key_of("donor"), report, NAME)
        record = stage.challenge.onchain
        stage.fund(ETH)
        later = observing.next_report(stage.client, stage.challenge)
        assert later is not None
        record.block_hash = "0" * 64  # as if it had been another chain's
        with pytest.raises(Conflict, match="lost its chain"):
            observing.next_report(stage.client, stage.challenge)
        with pytest.raises(Conflict, match="lost its chain"):
            stage.desk.say(key_of("donor"), later, NAME)
