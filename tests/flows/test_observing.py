"""What the chain says enters the log: all of it, in order, once, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from danseo.core import onchain
from danseo.core.entry import Entry, to_body
from danseo.core.errors import Conflict, Refused, Usage
from danseo.core.kinds.chain import Fact, Report
from danseo.flows import admission, deploying, observing, payouts
from danseo.flows.deploying import call_of
from tests.flows import coined
from tests.flows.coined import ETH, Coined
from tests.flows.played import NAME, key_of


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Coined]:
    """A challenge with contracts, and two gifts that no report has told of."""
    with coined.begin(tmp_path) as made:
        made.fund(3 * ETH)
        made.fund(4 * ETH, "organiser")
        yield made


def test_every_gift_is_booked_to_its_donor(stage: Coined) -> None:
    (entry,) = observing.observe(stage.desk, stage.client, key_of("contributor-1"), NAME)
    gifts = [(f.donor, f.amount) for f in stage.challenge.funds if f.asset == "ETH:18"]
    donors = [key_of(role).address for role in ("donor", "organiser")]
    assert gifts == list(zip(donors, [3 * ETH, 4 * ETH], strict=True))
    assert stage.challenge.onchain.complete == stage.client.final().number
    assert observing.observe(stage.desk, stage.client, key_of("donor"), NAME) == []
    assert entry.index == stage.desk.state.size - 1


def test_what_was_sent_past_the_pools_own_door_is_found(stage: Coined) -> None:
    pool = stage.challenge.onchain.contracts.pool
    stage.client.transfer(key_of("donor"), pool, ETH)
    observing.observe(stage.desk, stage.client, key_of("donor"), NAME)
    assert stage.challenge.received["ETH:18"] == 8 * ETH
    assert onchain.faults(stage.challenge) == []


def test_a_report_too_long_for_an_entry_is_cut_in_the_middle_of_a_block(
    stage: Coined, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stage.challenge.onchain.contracts
    size = stage.desk.state.size + 100
    stage.send(
        "donor", call_of(found, "pool", "publish", size, b"\1" * 32, b"\2" * 32, value=ETH // 10)
    )
    stage.send("trustee-1", call_of(found, "pool", "veto", size))  # two facts in one block
    monkeypatch.setattr(observing, "_ROOM", 1)
    done = observing.observe(stage.desk, stage.client, key_of("donor"), NAME)
    assert len(done) == 5
    assert stage.challenge.onchain.position == -1
    assert stage.challenge.received["ETH:18"] == 7 * ETH + ETH // 10
    assert [root.status for root in stage.challenge.onchain.roots] == ["vetoed"]
    assert onchain.faults(stage.challenge) == []


def test_a_size_that_no_log_can_have_does_not_stop_the_reports(stage: Coined) -> None:
    found = stage.challenge.onchain.contracts
    huge = call_of(found, "pool", "publish", 2**64 - 1, b"\1" * 32, b"\2" * 32, value=ETH // 10)
    stage.send("donor", huge)
    said = stage.carry_on()
    assert any("FALSE" in line for line in said)
    assert [root.size for root in stage.challenge.onchain.roots][:1] == [observing.LARGEST]
    (root, *_) = [r for r in payouts.check_roots(stage.desk, stage.client, NAME) if not r.right]
    assert root.size == 2**64 - 1
    stage.send("trustee-1", payouts.veto(stage.desk, stage.client, NAME, 2**64 - 1))


def _left_out(report: Report) -> Report:
    return replace(report, facts=report.facts[1:])


def _made_up(report: Report) -> Report:
    last = report.facts[-1]
    more = Fact(last.block, last.tx, last.position + 1, "received", last.account, last.asset, 1)
    return replace(report, facts=(*report.facts, more))


def _too_much(report: Report) -> Report:
    return replace(report, facts=(replace(report.facts[0], amount=9 * ETH), *report.facts[1:]))


def _richer(report: Report) -> Report:
    return replace(report, holdings=(replace(report.holdings[0], pool=9 * ETH),))


def _minted(report: Report) -> Report:
    return replace(report, supply=1)


def _another_hash(report: Report) -> Report:
    return replace(report, block_hash="0" * 64)


def _not_final(report: Report) -> Report:
    return replace(report, to_block=report.to_block + 1)


@pytest.mark.parametrize(
    "lie", [_left_out, _made_up, _too_much, _richer, _minted, _another_hash, _not_final]
)
def test_a_false_report_is_refused_by_the_host(stage: Coined, lie: Any) -> None:
    report = observing.next_report(stage.client, stage.challenge)
    before = stage.desk.state.size
    with pytest.raises(Conflict):
        stage.desk.say(key_of("donor"), lie(report), NAME)
    assert stage.desk.state.size == before
    stage.desk.say(key_of("donor"), report, NAME)


def test_a_report_is_false_to_whoever_asks_another_chain(stage: Coined, tmp_path: Path) -> None:
    report = observing.next_report(stage.client, stage.challenge)
    stage.fund(ETH)  # what this node knows does not matter: the entry ends at an earlier block
    entry = Entry(9, 9, "", Report.kind, NAME, 0, "", to_body(report))
    observing.check_report(stage.client, stage.desk.state, entry)
    stage.client.chain_id += 1
    with pytest.raises(Usage):
        observing.check_report(stage.client, stage.desk.state, entry)


def test_a_host_without_a_chain_takes_no_word_of_one(stage: Coined) -> None:
    report = observing.next_report(stage.client, stage.challenge)
    entry = Entry(9, 9, "", Report.kind, NAME, 0, "", to_body(report))
    with pytest.raises(Refused):
        admission.chain_says_so(None)(stage.desk.state, entry)


def test_a_real_chain_refuses_a_simulated_log(stage: Coined) -> None:
    stage.client.development = False
    with pytest.raises(Usage):
        deploying.follow(stage.desk, stage.client)
    entry = Entry(9, 9, "", Report.kind, NAME, 0, "", {})
    with pytest.raises(Usage):
        deploying.check_clock(stage.client, stage.desk.state)
    assert entry.kind == Report.kind
