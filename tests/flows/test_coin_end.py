"""Every way in which a challenge in coin ends: who is paid what, and nothing stays behind."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from danseo.core import onchain, treasury
from danseo.core.kinds.clue import Payee
from danseo.core.kinds.identity import Adopt, OfferKey, RegisterNext, Rotate
from danseo.core.kinds.score import PublishScore
from danseo.flows import clues, deploying, observing, opening, payouts, settling, spec, staking
from danseo.log.signing import Domain, sign_entry
from tests.flows import living
from tests.flows.coined import COIN, ETH, PAST
from tests.flows.living import BOND, FEE, STAKE, Living
from tests.flows.played import DAY, NAME, key_of, shifted

both = pytest.mark.parametrize("kind", living.CHAINS)
ASSET = "ETH:18"


def no_jury(body: dict[str, Any]) -> None:
    """Leave the jury out, so that a challenge can be closed once it is settled."""
    body["rounds"], body["jurors"] = [], []


def to_successor(body: dict[str, Any]) -> None:
    """Leave the rest to the round after."""
    no_jury(body)
    body["remainder"] = "successor:guess-next"


def address(role: str) -> str:
    return key_of(role).address


def close(stage: Living, role: str = "watcher") -> None:
    """Let a stranger move a challenge without a jury to its end."""
    settling.move_on(stage.desk, key_of(role), NAME)
    assert stage.challenge.status == "closed"


def over(stage: Living) -> None:
    """Let everybody take the stakes out and be paid; check that nothing is left anywhere."""
    stage.take_stakes()
    rounds = 0
    while stage.pay():
        rounds += 1
        assert rounds < 5
    assert set(stage.left().values()) == {0}, stage.left()
    assert onchain.faults(stage.challenge) == []
    treasury.audit(stage.challenge)
    came = stage.challenge.received[ASSET] + stage.challenge.slashed.get(ASSET, 0)
    assert sum(stage.record.claimed[ASSET].values()) == came


@both
def test_the_rest_goes_back_to_donors_by_receipt_and_so_does_what_comes_too_late(
    kind: str, tmp_path: Path
) -> None:
    with living.begin(kind, tmp_path) as stage:
        gave = {"donor": 7 * ETH + 3, "donor-2": 2 * ETH + 1}
        for role, amount in gave.items():
            stage.fund(amount, role)
        stage.earn("contributor-1", 10)
        lost = clues.commit(  # and never shown: its bond is the pool's
            stage.desk, key_of("contributor-2"), NAME, stage.played.making(shifted(2))
        )
        stage.settle()
        assert stage.challenge.status == "settled"
        assert stage.challenge.clues[lost.clue].status == "lapsed"
        assert stage.challenge.forfeited == {ASSET: BOND}
        stage.fund(ETH, "relayer")  # after the settlement: all are paid of it as of the rest
        observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
        gave["relayer"] = ETH
        stage.pay(times=2)  # with it the bond reaches the pool
        stage.close()
        total = sum(gave.values()) + BOND
        assert stage.challenge.received[ASSET] == total
        earned = treasury.owed(stage.challenge, ASSET)[address("contributor-1")].entitled
        assert (
            earned
            == total * treasury.account_shares(stage.challenge)[address("contributor-1")] // 10**18
        )
        back = dict(stage.challenge.refunds[ASSET])
        assert set(back) == {address(role) for role in gave}
        assert sum(back.values()) == total - earned
        for role, amount in gave.items():
            fair = (total - earned) * amount // sum(gave.values())
            assert 0 <= back[address(role)] - fair <= 1
        before = {role: stage.balance(role) for role in gave}
        stage.pay()
        assert {r: stage.balance(r) - before[r] for r in ("donor", "donor-2", "relayer")} == {
            role: back[address(role)] for role in gave
        }
        stage.fund(ETH, "donor")  # after the close: it goes where the rest went
        over(stage)
        entitled = treasury.owed(stage.challenge, ASSET)[address("contributor-1")].entitled
        assert entitled > earned
        assert stage.record.claimed[ASSET][address("contributor-1")] == entitled
        gone = {role: stage.record.claimed[ASSET][address(role)] for role in gave}
        assert sum(gone.values()) == total + ETH - entitled
        assert gone["donor"] > back[address("donor")]


@both
def test_the_rest_arrives_in_the_successors_pool_and_is_booked_there(
    kind: str, tmp_path: Path
) -> None:
    with living.begin(kind, tmp_path, to_successor) as stage:
        stage.fund(9 * ETH)
        stage.earn("contributor-1", 10)
        open_next(stage, "organiser")
        stage.settle()
        over(stage)
        rest = stage.challenge.successor[ASSET]
        assert 5 * ETH < rest < 9 * ETH
        following = stage.desk.challenge("guess-next")
        assert stage.client.balance(onchain.of(following).contracts.pool) == rest
        observing.observe(stage.desk, stage.client, key_of("watcher"), "guess-next")
        following = stage.desk.challenge("guess-next")
        assert following.received == {ASSET: rest}
        assert following.funds == []
        assert onchain.faults(following) == []
        opening.cancel(stage.desk, key_of("organiser"), "guess-next", "There is no next round.")
        stage.wait(PAST)
        before = stage.balance("donor")
        pay_next(stage)
        assert stage.balance("donor") == before + rest  # of whom it came at first
        assert stage.client.balance(onchain.of(following).contracts.pool) == 0


def test_whoever_takes_the_successors_name_gets_nothing(tmp_path: Path) -> None:
    with living.begin("embedded", tmp_path, to_successor) as stage:
        stage.fund(9 * ETH)
        stage.earn("contributor-1", 10)
        open_next(stage, "thief")
        stage.settle()
        before = stage.balance("donor")
        stage.take_stakes()
        stage.pay()
        rest = stage.challenge.successor[ASSET]
        following = stage.desk.challenge("guess-next")
        assert stage.client.balance(onchain.of(following).contracts.pool) == 0
        assert stage.client.balance(stage.record.contracts.pool) == rest > 0
        stage.wait(10 * DAY)
        over(stage)
        assert stage.balance("donor") == before + rest


def open_next(stage: Living, organiser: str) -> None:
    """Open the round after, with contracts of its own."""
    file = stage.played.folder / "challenge.toml"
    draft = spec.read(file, stage.desk.now, lambda role: key_of(role).address)
    draft = dataclasses.replace(draft, name="guess-next")
    draft.body.update(coin=dict(COIN), bond=_ether(BOND), stake=_ether(STAKE), follows=NAME)
    opening.open_challenge(stage.desk, key_of(organiser), draft)
    deploying.deploy(stage.desk, stage.client, key_of("relayer"), "guess-next")


def pay_next(stage: Living) -> None:
    """Pay what the round after owes, a window later again."""
    for _ in range(2):
        payouts.carry_on(stage.desk, stage.client, key_of("watcher"), "guess-next")
        stage.wait(PAST)
    payouts.carry_on(stage.desk, stage.client, key_of("watcher"), "guess-next")


def _ether(amount: int) -> dict[str, str]:
    return {"asset": ASSET, "amount": str(amount)}


@both
def test_a_challenge_that_is_cancelled_gives_everybody_all_of_it_back(
    kind: str, tmp_path: Path
) -> None:
    with living.begin(kind, tmp_path, token=True) as stage:
        before = {role: stage.balance(role) for role in ("donor-2", "watcher")}
        stage.fund(3 * ETH + 1, "donor")
        stage.fund(ETH // 7, "donor-2")
        stage.fund_token(1000, "donor")
        observing.observe(stage.desk, stage.client, key_of("relayer"), NAME)
        opening.cancel(stage.desk, key_of("organiser"), NAME, "The data are wrong.")
        over(stage)
        claimed = stage.record.claimed
        assert claimed[ASSET] == {address("donor"): 3 * ETH + 1, address("donor-2"): ETH // 7}
        assert claimed[FEE] == {address("donor"): 990}
        assert stage.record.released[address("scorer-1")] == STAKE
        assert stage.client.nonce(address("donor-2")) == 1
        assert before["donor-2"] - stage.balance("donor-2") < ETH // 1000  # its gas alone


@both
def test_silent_trustees_do_not_hold_anybodys_money_up(kind: str, tmp_path: Path) -> None:
    with living.begin(kind, tmp_path, no_jury) as stage:
        stage.fund(5 * ETH)
        stage.earn("contributor-1", 10)
        stage.pay()
        advance = stage.record.claimed[ASSET][address("contributor-1")]
        stage.until(16 * DAY + 3600)
        close(stage)
        assert stage.challenge.settled_by == "attested"
        over(stage)
        share = treasury.account_shares(stage.challenge)[address("contributor-1")]
        assert stage.record.claimed[ASSET][address("contributor-1")] == 5 * ETH * share // 10**18
        assert 3 * advance < 5 * ETH * share // 10**18
        assert stage.record.released[address("scorer-2")] == STAKE


@both
def test_one_held_one_without_a_wallet_and_one_with_a_new_key_are_all_paid_in_the_end(
    kind: str, tmp_path: Path
) -> None:
    with living.begin(kind, tmp_path, no_jury) as stage:
        desk, person = stage.desk, f"site:{'a' * 32}"
        stage.fund(10 * ETH)
        stage.earn("contributor-1", 10)
        held = payouts.hold(
            desk, key_of("organiser"), NAME, address("contributor-1"), "A tax form.", "1" * 64
        )
        stage.earn("contributor-2", 6)
        made = stage.played.making(shifted(3))
        parts = (Payee(person, 1), Payee(address("contributor-3"), 1))
        clues.publish(desk, key_of("contributor-3"), NAME, made, [], parts)
        stage.played.score_both()
        desk.say(key_of("contributor-2"), RegisterNext(address("newcomer")))
        stage.pay()
        first = dict(stage.record.claimed[ASSET])
        assert set(first) == {address("contributor-2"), address("contributor-3")}

        _offer(stage, person)
        desk.say(key_of("relayer"), Adopt(person))
        stage.wait(7 * DAY)
        desk.say(key_of("newcomer"), Rotate(address("contributor-2")))
        stage.heirs["contributor-2"] = "newcomer"
        stage.settle()
        stage.pay()
        second = stage.record.claimed[ASSET]
        assert second[address("contributor-2")] == first[address("contributor-2")]
        owed = treasury.owed(stage.challenge, ASSET)
        rotated = owed[address("contributor-2")]
        assert rotated.paid == rotated.entitled
        assert second[address("newcomer")] == rotated.paid - first[address("contributor-2")] > 0
        assert second[address("relayer")] == owed[person].entitled > 0
        assert address("contributor-1") not in second
        assert stage.client.balance(stage.record.contracts.pool) > 0

        until = stage.challenge.holds[address("contributor-1")].until
        assert stage.challenge.holds[address("contributor-1")].index == held.index
        stage.wait(until - desk.now + 1)
        over(stage)
        owed = treasury.owed(stage.challenge, ASSET)[address("contributor-1")]
        assert stage.record.claimed[ASSET][address("contributor-1")] == owed.entitled > 0


def _offer(stage: Living, person: str) -> None:
    """Let the site sign that a person without a wallet chose an address."""
    state, body = stage.desk.state, OfferKey(address("relayer"))
    signed = sign_entry(
        key_of("site"),
        Domain(state.chain_id, state.origin),
        OfferKey.kind,
        "",
        stage.desk.log.sequence_of(person, ""),
        {"address": body.address},
        body.summaries()[0],
        author=person,
    )
    (result,) = stage.desk.log.append([signed])
    assert not isinstance(result, Exception), result


@both
def test_the_stakes_of_scorers_who_overstated_make_good_what_was_paid_on_it(
    kind: str, tmp_path: Path
) -> None:
    with living.begin(kind, tmp_path, no_jury) as stage:
        stage.fund(10 * ETH)
        poor = stage.played.publish("contributor-1", shifted(19))
        for scorer in ("scorer-1", "scorer-2"):
            with stage.desk.storing() as store:
                lie = PublishScore(poor, "step", False, store.put(b"Splendid."), 10**9)
                stage.desk.say(key_of(scorer), lie, NAME)
        stage.pay()
        advance = stage.record.claimed[ASSET][address("contributor-1")]
        stage.earn("contributor-2", 3)
        stage.settle()
        owed = treasury.owed(stage.challenge, ASSET)
        too_much = advance - owed[address("contributor-1")].entitled
        slashed = stage.challenge.slashed[ASSET]
        assert 0 < slashed <= too_much
        assert stage.client.balance(stage.record.contracts.stake) > 2 * STAKE  # not moved yet
        close(stage)
        over(stage)
        assert sum(stage.record.slashed.values()) == slashed
        for scorer in ("scorer-1", "scorer-2"):
            mine = stage.record.slashed[address(scorer)]
            assert stage.record.released[address(scorer)] == STAKE - mine
        owed = treasury.owed(stage.challenge, ASSET)
        honest = owed[address("contributor-2")]
        assert stage.record.claimed[ASSET][address("contributor-2")] == honest.entitled > 4 * ETH
        assert stage.record.claimed[ASSET][address("contributor-1")] == advance


@both
def test_whoever_goes_without_the_logs_word_takes_the_stake_and_no_more(
    kind: str, tmp_path: Path
) -> None:
    with living.begin(kind, tmp_path, no_jury) as stage:
        stage.fund(ETH)
        stage.earn("contributor-1", 10)
        stage.settle()
        stage.until(60 * DAY + 60)
        held = staking.held(stage.client, stage.challenge, address("contributor-3")).held
        stage.send("contributor-3", staking.leave(stage.client, stage.challenge, held))
        stage.wait(6 * DAY)
        stage.send("contributor-3", staking.withdraw(stage.client, stage.challenge))
        observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
        assert stage.record.withdrawn == {address("contributor-3"): 10 * BOND}
        over(stage)
        assert address("contributor-3") not in stage.record.released
