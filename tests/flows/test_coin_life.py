"""The whole life of a challenge in coin, on both chains, with its organiser gone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from danseo.core import onchain, treasury
from danseo.core.errors import Conflict
from danseo.flows import auditing, governing, jury, opening, payouts, reading, settling, spec
from danseo.log.source import open_source
from tests.flows import living
from tests.flows.coined import ETH, PAST
from tests.flows.living import FEE, ROOT_BOND, Living
from tests.flows.played import DAY, NAME, key_of

PEOPLE = ("contributor-1", "contributor-2", "contributor-3")
CURVE = "[[10, 0], [0, 0.8]]"


@pytest.mark.parametrize("kind", living.CHAINS)
def test_a_challenge_lives_from_its_opening_to_the_last_wei_without_its_organiser(
    kind: str, tmp_path: Path
) -> None:
    with living.begin(kind, tmp_path, token=True) as stage:
        opened = stage.desk.state.size
        stage.fund(40 * ETH + 1)
        stage.fund_token(1_000_003, "donor-2")
        clues = _earn(stage)
        _advance(stage)
        _thief(stage)
        _claim(stage)
        _follow(stage)
        _end(stage, clues)
        _nothing_is_left(stage)
        _organiser_is_gone(stage, opened)
        with open_source(tmp_path / "home" / "log") as source:
            audit = auditing.audit(source, workers=1, chain=stage.client)
        assert audit.alarms == []
        assert audit.chains[0].node


def _earn(stage: Living) -> list[int]:
    first = stage.earn("contributor-1", 10)
    second = stage.earn("contributor-2", 4, first)
    tool = stage.played.publish("contributor-3", [1, 2, 3], form="tool")
    return [first, second, tool]


def _advance(stage: Living) -> None:
    before = {role: stage.balance(role) for role in PEOPLE}
    stage.pay()
    assert stage.challenge.received == {"ETH:18": 40 * ETH + 1, FEE: 990_003}
    for asset in ("ETH:18", FEE):
        owed = treasury.owed(stage.challenge, asset)
        for role in PEOPLE[:2]:
            one = owed[key_of(role).address]
            assert one.paid == one.entitled * 3 // 10 > 0
            held = stage.balance(role) - before[role] if asset != FEE else 0
            assert asset == FEE or held == one.paid
    fees = {r: treasury.owed(stage.challenge, FEE)[key_of(r).address].paid for r in PEOPLE[:2]}
    assert {r: stage.token_of(key_of(r).address) for r in fees} == {
        r: paid - paid // 100 for r, paid in fees.items()
    }
    assert stage.record.supply > 0


def _thief(stage: Living) -> None:
    size = stage.steal()
    stage.send("watcher", payouts.dispute(stage.desk, stage.client, NAME, size))
    watcher, thief = stage.balance("watcher"), stage.balance("thief")
    stage.vote_through(PEOPLE[:2], ("veto", str(size)), ("next-curve", CURVE))
    assert stage.balance("watcher") == watcher + ROOT_BOND + ROOT_BOND // 2
    assert stage.balance("thief") == thief
    assert not [r for r in payouts.check_roots(stage.desk, stage.client, NAME) if not r.right]


def _claim(stage: Living) -> None:
    """A late gift; a right root; a relayer claims for somebody who has not a wei to pay gas."""
    stage.fund(2 * ETH, "donor-2")
    stage.carry_on("watcher")
    stage.wait(PAST)
    payouts.activate(stage.desk, stage.client, NAME).send(stage.client, key_of("relayer"))
    who = key_of("contributor-1").address
    before, nonce = stage.balance("contributor-1"), stage.client.nonce(who)
    calls = payouts.claim(stage.client, stage.desk.state, stage.challenge, who)
    stage.send("relayer", *calls)
    owed = treasury.owed(stage.challenge, "ETH:18")[who]
    assert stage.balance("contributor-1") > before
    assert stage.client.nonce(who) == nonce
    stage.carry_on("watcher")
    claimed = stage.record.claimed["ETH:18"]
    assert claimed[who] == owed.paid


def _follow(stage: Living) -> None:
    """What the DAO decided binds the round after, whoever opens it."""
    (decided,) = stage.record.decisions
    assert decided.curve == ((10 * 10**9, 0), (0, 8 * 10**8))
    draft = spec.read(
        stage.played.folder / "challenge.toml", stage.desk.now, lambda r: key_of(r).address
    )
    draft = dataclasses.replace(draft, name="guess-again")
    draft.body["follows"] = NAME
    size = stage.desk.state.size
    with pytest.raises(Conflict, match="curve"):
        opening.open_challenge(stage.desk, key_of("newcomer"), draft)
    assert stage.desk.state.size == size
    draft.body["curve"] = governing.curve(CURVE)
    opening.open_challenge(stage.desk, key_of("newcomer"), draft)
    assert stage.desk.challenge("guess-again").terms.follows == NAME


def _end(stage: Living, clues: list[int]) -> None:
    stage.settle()
    assert stage.challenge.settled_by == "truth"
    stage.until(21 * DAY)
    for juror in ("juror-1", "juror-2"):
        jury.vote(stage.desk, key_of(juror), NAME, 0, [], [clues[2]], "It helped.")
    stage.until(25 * DAY + 1)
    done = settling.move_on(stage.desk, key_of("relayer"), NAME)
    assert done[-1] == "closed the challenge"
    stage.take_stakes()
    stage.pay(times=2)
    assert stage.carry_on("watcher") == []


def _nothing_is_left(stage: Living) -> None:
    assert set(stage.left().values()) == {0}, stage.left()
    challenge = stage.challenge
    assert onchain.faults(challenge) == []
    for asset in ("ETH:18", FEE, challenge.coin_symbol):
        owed = treasury.owed(challenge, asset)
        assert not any(one.payable for one in owed.values())
        assert all(one.paid >= one.entitled for one in owed.values())
        paid = {who: one.paid for who, one in owed.items() if one.paid}
        assert paid == stage.record.claimed[asset]
        assert asset == challenge.coin_symbol or sum(paid.values()) == challenge.received[asset]
    assert all(key_of(d).address in stage.record.claimed["ETH:18"] for d in ("donor", "donor-2"))


def _organiser_is_gone(stage: Living, opened: int) -> None:
    """On chain it never acted; in the log it only let the simulated time pass."""
    organiser = key_of("organiser").address
    assert stage.client.nonce(organiser) == 0
    with open_source(stage.played.folder / "home" / "log") as source:
        said = list(reading.entries(source, opened, stage.desk.state.size))
    kinds = {e.kind for e in said if e.author == organiser}
    assert kinds == {"clock.advance"}
