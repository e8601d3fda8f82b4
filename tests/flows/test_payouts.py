"""What the log owes is paid by the chain: the whole way, also when it is cut short anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from danseo.chain import wallet
from danseo.chain.client import Client
from danseo.core import onchain, treasury
from danseo.core.errors import Conflict, NotCovered, Unavailable, WrongPhase
from danseo.flows import anchoring, deploying, payouts, settling
from danseo.flows.acting import Desk
from danseo.flows.deploying import Call
from tests.chain.nodes import anvil_url, fresh_anvil
from tests.flows import coined
from tests.flows.coined import ETH, PAST, Coined
from tests.flows.played import DAY, NAME, key_of, shifted

__all__ = ["anvil_url", "fresh_anvil"]
PEOPLE = ("contributor-1", "contributor-2", "contributor-3")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Coined]:
    """A challenge with contracts and nothing in its pool."""
    with coined.begin(tmp_path) as made:
        yield made


@pytest.fixture(params=["embedded", "anvil"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Coined]:
    """The same, once within this process and once on a node."""
    url = request.getfixturevalue("fresh_anvil") if request.param == "anvil" else ""
    with coined.begin(tmp_path, url=url) as made:
        yield made


def play(stage: Coined) -> None:
    """Let three people earn something, and money come in."""
    stage.fund(50 * ETH)
    for role, error in zip(PEOPLE, (10, 6, 3), strict=True):
        stage.played.publish(role, shifted(error))
        stage.played.score_both()


def test_money_goes_in_and_comes_out_again(either: Coined) -> None:
    stage = either
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


def test_the_gas_that_a_node_estimates_for_a_batch_pays_everybody(either: Coined) -> None:
    """Who sends a batch by a wallet of his own, which asks for no more, pays nobody by halves."""
    stage, key = either, key_of("donor")
    play(stage)
    stage.carry_on()
    stage.played.wait(PAST)
    deploying.follow(stage.desk, stage.client)
    payouts.activate(stage.desk, stage.client, NAME).send(stage.client, key)
    (call,) = payouts.pay(stage.client, stage.desk.state, stage.challenge)
    ready = replace(call, least_gas=0).prepare(stage.client, key.address)
    asked = {name: ready[name] for name in ("from", "to", "data", "value")}
    gas = stage.client.node.ask("eth_estimateGas", asked)
    stage.client.send_raw(wallet.sign(key, {**ready, "gas": gas}))
    assert payouts.dues(stage.client, stage.desk.state, stage.challenge) == []
    assert all(stage.balance(role) for role in PEOPLE)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_payout_that_is_killed_at_every_step_pays_everybody_once(
    either: Coined, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    stage = either
    play(stage)
    monkeypatch.setattr(payouts, "BATCH", 1)
    killer = _Killer(before)
    monkeypatch.setattr(Client, "send", killer.mortal(Client.send))
    monkeypatch.setattr(Desk, "say", killer.mortal(Desk.say))
    for _ in range(3):
        assert any(_survives(stage, killer) for _ in range(40)), "it never gets on"
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


def test_what_may_not_leave_in_one_window_leaves_in_later_ones(tmp_path: Path) -> None:
    def narrow(coin: dict[str, Any]) -> None:
        coin["outflow"] = 2 * 10**8

    with coined.begin(tmp_path, narrow) as stage:
        play(stage)
        runs = 0
        while not runs or stage.challenge.onchain.declared[-1:] == [] or stage.carry_on():
            stage.carry_on()
            stage.played.wait(PAST)
            runs += 1
            assert runs < 12
        for role in PEOPLE:
            owed = treasury.owed(stage.challenge, "ETH:18")[key_of(role).address]
            assert owed.paid == stage.balance(role) > 0
        assert runs > 2


def test_a_false_root_in_effect_is_struck_and_the_right_one_pays(stage: Coined) -> None:
    play(stage)
    size = stage.desk.state.size + 5
    pool = deploying.part(stage.challenge.onchain.contracts, "pool")
    false = Call(pool, "publish", (size, bytes(31) + b"1", bytes(31) + b"2"), ETH // 10)
    stage.send("donor", false)
    stage.carry_on("organiser")  # publishes the right one as well
    stage.played.wait(PAST)
    stage.send("donor", Call(pool, "activate", (size,)))
    said = stage.carry_on("organiser")
    assert f"ALARM: the root of size {size} in effect is FALSE" in said
    assert not any(stage.balance(role) for role in PEOPLE)
    stage.send("trustee-1", payouts.veto(stage.desk, stage.client, NAME, size))
    for _ in range(3):  # give the void one back, publish it anew, put it into effect
        stage.carry_on("organiser")
        stage.played.wait(PAST)
    assert all(stage.balance(role) for role in PEOPLE)
    assert stage.carry_on("organiser") == []


def test_a_right_root_is_not_vetoed_disputed_or_published_twice(stage: Coined) -> None:
    play(stage)
    with pytest.raises(WrongPhase):
        payouts.publish(stage.desk, stage.client, NAME)
    stage.carry_on()
    (root,) = payouts.check_roots(stage.desk, stage.client, NAME)
    for act in (payouts.veto, payouts.dispute):
        with pytest.raises(Conflict):
            act(stage.desk, stage.client, NAME, root.size)
    with pytest.raises(Conflict):
        payouts.publish(stage.desk, stage.client, NAME)
    with pytest.raises(WrongPhase):
        payouts.activate(stage.desk, stage.client, NAME)
    with pytest.raises(NotCovered):
        payouts.claim(stage.client, stage.desk.state, stage.challenge, key_of("donor").address)


def test_an_overdue_entry_holds_payouts_up_until_it_is_taken_up(stage: Coined) -> None:
    play(stage)
    stage.carry_on()
    data = anchoring.sign(stage.desk, key_of("donor"), "", "tick", {}, False)
    stage.send("donor", anchoring.submit(stage.client, stage.challenge, data))
    stage.played.wait(PAST)
    assert any(line.startswith("waits for the log to take up") for line in stage.carry_on())
    (said,) = anchoring.take_up(stage.desk, stage.client, NAME)
    assert "taken up" in said
    (one,) = anchoring.submissions(stage.client, stage.challenge)
    stage.send("organiser", anchoring.anchor(stage.desk, stage.client, NAME))
    stage.send("donor", anchoring.include(stage.desk, stage.client, NAME, one.hash))
    stage.carry_on()
    assert all(stage.balance(role) for role in PEOPLE)


def test_a_challenge_lives_and_pays_to_the_last_wei_without_its_organiser(stage: Coined) -> None:
    play(stage)
    stage.played.publish("contributor-1", shifted(1), form="data")
    gave = 50 * ETH
    mine = stage.balance("donor")
    for _ in range(16):
        stage.played.wait(PAST)
        if stage.desk.now > stage.challenge.terms.deadline + DAY and not stage.challenge.key:
            stage.played.release("trustee-1", "trustee-2")
        settling.move_on(stage.desk, key_of("contributor-2"), NAME)
        stage.carry_on("organiser")  # whose key is anyone's here: it only pays for gas
    assert stage.challenge.status == "closed"
    assert stage.challenge.settled_by == "truth"
    pool = stage.challenge.onchain.contracts.pool
    assert stage.client.balance(pool) == 0
    back = stage.balance("donor") - mine
    assert sum(stage.balance(role) for role in PEOPLE) + back == gave
    assert back > 0
    assert onchain.faults(stage.challenge) == []
    treasury.audit(stage.challenge)
