"""What the log owes is paid by the chain: the whole way, also when it is cut short anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from danseo.chain.client import Client
from danseo.core import onchain, treasury
from danseo.core.errors import Unavailable
from danseo.flows import payouts
from danseo.flows.acting import Desk
from tests.flows import coined
from tests.flows.coined import ETH, PAST, Coined
from tests.flows.played import NAME, key_of, shifted

PEOPLE = ("contributor-1", "contributor-2", "contributor-3")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Coined]:
    """A challenge with contracts and nothing in its pool."""
    with coined.begin(tmp_path) as made:
        yield made


def play(stage: Coined) -> None:
    """Let three people earn something, and money come in."""
    stage.fund(50 * ETH)
    for role, error in zip(PEOPLE, (10, 6, 3), strict=True):
        stage.played.publish(role, shifted(error))
        stage.played.score_both()


def test_money_goes_in_and_comes_out_again(stage: Coined) -> None:
    play(stage)
    stage.carry_on()
    assert stage.challenge.received["ETH:18"] == 50 * ETH
    stage.played.wait(PAST)
    stage.carry_on()
    for role in PEOPLE:
        owed = treasury.owed(stage.challenge, "ETH:18")[key_of(role).address]
        assert owed.paid == stage.balance(role) > 0
        assert owed.payable == 0
    assert [r.right for r in payouts.check_roots(stage.desk, stage.client, NAME)] == [True]
    assert onchain.faults(stage.challenge) == []
    assert stage.carry_on() == []


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_payout_that_is_killed_at_every_step_pays_everybody_once(
    stage: Coined, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    play(stage)
    monkeypatch.setattr(payouts, "BATCH", 1)
    killer = _Killer(before)
    monkeypatch.setattr(Client, "send", killer.mortal(Client.send))
    monkeypatch.setattr(Desk, "say", killer.mortal(Desk.say))
    for _ in range(3):
        while not _survives(stage, killer):
            pass
        killer.off = True
        stage.played.wait(PAST)
        killer.off = False
    assert killer.killed >= 8
    total = sum(stage.balance(role) for role in PEOPLE)
    owed = treasury.owed(stage.challenge, "ETH:18")
    assert {r: stage.balance(r) for r in PEOPLE} == {
        r: owed[key_of(r).address].paid for r in PEOPLE
    }
    assert all(owed[key_of(r).address].payable == 0 < stage.balance(r) for r in PEOPLE)
    assert stage.client.balance(stage.challenge.onchain.contracts.pool) == 50 * ETH - total
    assert onchain.faults(stage.challenge) == []
    assert stage.carry_on() == []


class _Killer:
    """Kills each act once: before it happens, or after it has and nobody heard of it."""

    def __init__(self, before: bool) -> None:
        self.before, self.off, self.killed = before, False, 0
        self.spared = self.seen = 0

    def mortal(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*args: Any, **named: Any) -> Any:
            if self.off:
                return act(*args, **named)
            self.seen += 1
            if self.seen <= self.spared:
                return act(*args, **named)
            if not self.before:
                act(*args, **named)
            self.killed += 1
            self.spared = 1 if self.before else 0  # the same act is let through the next time
            self.seen = 0
            raise Unavailable("Killed.", "Run it again.")

        return acting


def _survives(stage: Coined, killer: _Killer) -> bool:
    killer.seen = 0
    try:
        stage.carry_on()
    except Unavailable:
        return False
    return True
