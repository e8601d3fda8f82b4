"""Stakes: in by anyone, out by the log's word or slowly by oneself, lost by root or decision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core.onchain import lost_asset
from tests.chain.contracts.challenge import CAP, DAY, GUARDIAN, OPERATOR, UNIT, Deployed
from tests.chain.evm import BEGIN, ETH, Contract, Refusal, World, account, refused

STAKER, OTHER, ANYONE, VOTER = account(20), account(21), account(22), account(23)
HELD, TAKEN, LOST, LEAVING, LEAVES_AT = range(5)


@pytest.fixture
def c() -> Deployed:
    found = Deployed()
    for number in (20, 21, 22):
        found.rich(number)
    return found


def deposit(c: Deployed, amount: int, who: str = STAKER, by: str = ANYONE) -> None:
    c.stake("deposit", who, amount, by=by, value=amount)


def of(c: Deployed, who: str = STAKER) -> tuple[int, ...]:
    found = c.stake("accounts", who)
    assert isinstance(found, tuple)
    return found


def may_take(c: Deployed, cumulative: int, who: str = STAKER) -> Callable[[], None]:
    """Let the root in effect say so; return the call that anyone makes then."""
    c.owe(who, c.stake.address, cumulative)
    proof = c.proof(who, c.stake.address)
    return lambda: c.stake("release", who, cumulative, proof, by=ANYONE)


def has_lost(c: Deployed, cumulative: int, who: str = STAKER) -> Callable[[], None]:
    asset = lost_asset(c.stake.address)
    c.owe(who, asset, cumulative)
    proof = c.proof(who, asset)
    return lambda: c.stake("slash", who, cumulative, proof, by=ANYONE)


def told(c: Deployed, name: str) -> dict[str, object]:
    return dict(c.world.events)[name]


# In


def test_anyone_puts_stake_down_for_anyone(c: Deployed) -> None:
    deposit(c, 70)
    assert c.last_event == ("Deposited", {"account": STAKER, "amount": 70})
    deposit(c, 30, by=OTHER)
    deposit(c, 5, who=OTHER)
    assert (of(c)[HELD], of(c, OTHER)[HELD]) == (100, 5)
    assert c.world.balance(c.stake.address) == 105


def test_a_deposit_of_another_value_of_nothing_or_for_nobody_is_refused(c: Deployed) -> None:
    with refused("WrongValue", 4, 5):
        c.stake("deposit", STAKER, 5, by=ANYONE, value=4)
    with refused("WrongValue", 5, 0):
        c.stake("deposit", STAKER, 0, by=ANYONE, value=5)
    with refused("NothingArrived", STAKER):
        deposit(c, 0)
    with refused("NobodyNamed"):
        deposit(c, 5, who=ETH)


# Out by the log's word


def test_the_root_in_effect_lets_an_account_take_out_what_it_says(c: Deployed) -> None:
    deposit(c, 100)
    take = may_take(c, 40)
    before = c.world.balance(STAKER)
    take()
    assert c.last_event == ("Released", {"account": STAKER, "amount": 40})
    assert c.world.balance(STAKER) == before + 40
    with refused("NothingDue", STAKER, 40):
        take()
    may_take(c, 55)()
    assert c.last_event == ("Released", {"account": STAKER, "amount": 15})
    assert of(c)[:3] == (45, 55, 0)


def test_no_other_proof_takes_anything_out(c: Deployed) -> None:
    deposit(c, 100)
    deposit(c, 100, who=OTHER)
    may_take(c, 40)
    proof = c.proof(STAKER, c.stake.address)
    for who, cumulative in ((STAKER, 41), (OTHER, 40)):
        with refused("NotInTheRoot", who, c.stake, cumulative):
            c.stake("release", who, cumulative, proof)
    with refused("NotInTheRoot", STAKER, lost_asset(c.stake.address), 40):
        c.stake("slash", STAKER, 40, proof)
    with refused("NotInTheRoot"):
        c.stake("release", STAKER, 40, [bytes(32)])


def test_a_root_that_only_waits_releases_nothing(c: Deployed) -> None:
    deposit(c, 100)
    take = may_take(c, 40)
    c.pool("publish", 90, bytes(32), b"\1" * 32, by=ANYONE, value=UNIT)
    take()
    assert of(c)[TAKEN] == 40


def test_a_leaf_of_the_stake_cannot_be_claimed_from_the_pool(c: Deployed) -> None:
    deposit(c, 100)
    may_take(c, 40)
    with refused(""):  # the stake contract has no balanceOf
        c.pool("claim", STAKER, c.stake.address, 40, c.proof(STAKER, c.stake.address))
    assert of(c)[HELD] == 100


def test_nobody_takes_out_more_than_was_put_down_for_him(c: Deployed) -> None:
    deposit(c, 100)
    deposit(c, 900, who=OTHER)
    take = may_take(c, 500)
    take()
    assert c.last_event == ("Released", {"account": STAKER, "amount": 100})
    with refused("NothingDue", STAKER, 500):
        take()
    assert c.world.balance(c.stake.address) == 900


def test_what_was_withdrawn_counts_as_taken_out(c: Deployed) -> None:
    deposit(c, 100)
    leave(c, 60)
    deposit(c, 60)
    with refused("NothingDue", STAKER, 60):
        may_take(c, 60)()
    may_take(c, 70)()
    assert of(c)[:2] == (90, 70)


# Lost


def test_the_root_in_effect_moves_what_is_lost_to_the_pool(c: Deployed) -> None:
    deposit(c, 100)
    before = c.world.balance(c.pool.address)
    slash = has_lost(c, 30)
    size = c.pool("size")
    slash()
    assert told(c, "Slashed") == {"account": STAKER, "amount": 30, "index": size}
    assert told(c, "Received") == {"donor": c.stake.address, "asset": ETH, "amount": 30}
    assert c.world.balance(c.pool.address) == before + 30
    with refused("NothingDue", STAKER, 30):
        slash()
    has_lost(c, 500)()
    assert told(c, "Slashed")["amount"] == 70
    assert of(c)[:3] == (0, 0, 100)


def test_what_could_not_be_slashed_yet_is_when_stake_comes(c: Deployed) -> None:
    deposit(c, 10)
    slash = has_lost(c, 30)
    slash()
    deposit(c, 100)
    slash()
    assert of(c)[:3] == (80, 0, 30)


def test_the_dao_slashes_by_decision_with_the_index_of_the_evidence(c: Deployed) -> None:
    deposit(c, 100)
    c.mint(VOTER, CAP // 10)
    with refused("NotSoMuch", STAKER, 101, 100):
        c.carry(c.stake, "slashByDecision", STAKER, 101, 7, by=VOTER)
    with refused("NotSoMuch", STAKER, 0, 100):
        c.carry(c.stake, "slashByDecision", STAKER, 0, 7, by=VOTER)
    c.carry(c.stake, "slashByDecision", STAKER, 60, 7, by=VOTER)
    assert told(c, "Slashed") == {"account": STAKER, "amount": 60, "index": 7}
    assert told(c, "Received")["amount"] == 60
    assert of(c)[:3] == (40, 0, 60)


def test_nobody_else_slashes_by_decision(c: Deployed) -> None:
    deposit(c, 100)
    for who in (STAKER, GUARDIAN, OPERATOR, ANYONE):
        with refused("NotTheTimelock", who):
            c.stake("slashByDecision", STAKER, 1, 7, by=who)


def test_what_the_dao_took_is_not_lost_twice(c: Deployed) -> None:
    deposit(c, 100)
    c.mint(VOTER, CAP // 10)
    c.carry(c.stake, "slashByDecision", STAKER, 60, 7, by=VOTER)
    with refused("NothingDue", STAKER, 60):
        has_lost(c, 60)()
    has_lost(c, 75)()
    assert of(c)[:3] == (25, 0, 75)


# Out by oneself


def leave(c: Deployed, amount: int) -> None:
    c.stake("exit", amount, by=STAKER)
    c.world.time = of(c)[LEAVES_AT]
    c.stake("withdraw", by=STAKER)


def test_an_exit_waits_its_delay_and_for_the_time_from_which_exits_are(c: Deployed) -> None:
    deposit(c, 100)
    delay, first = c.config["exitDelay"], c.config["exitsFrom"]
    for now, at in (
        (BEGIN, first),
        (first - delay, first),
        (first - delay + 1, first + 1),
        (first + DAY, first + DAY + delay),
    ):
        c.world.time = now
        c.stake("exit", 10, by=STAKER)
        assert c.last_event == ("ExitStarted", {"account": STAKER, "amount": 10, "leavesAt": at})
        c.world.time = at - 1
        with refused("TooEarly", STAKER, at):
            c.stake("withdraw", by=STAKER)
        c.world.time = at
        c.stake("withdraw", by=STAKER)
        assert c.last_event == ("Withdrawn", {"account": STAKER, "amount": 10})
    assert of(c)[:3] == (60, 40, 0)


def test_nobody_leaves_with_more_than_he_has_or_without_asking(c: Deployed) -> None:
    deposit(c, 100)
    with refused("NotSoMuch", STAKER, 101, 100):
        c.stake("exit", 101, by=STAKER)
    with refused("NotSoMuch", STAKER, 0, 100):
        c.stake("exit", 0, by=STAKER)
    with refused("NotSoMuch", OTHER, 1, 0):
        c.stake("exit", 1, by=OTHER)
    with refused("NotLeaving", STAKER):
        c.stake("withdraw", by=STAKER)
    leave(c, 100)
    with refused("NotLeaving", STAKER):
        c.stake("withdraw", by=STAKER)


def test_asking_again_replaces_what_was_asked_and_waits_anew(c: Deployed) -> None:
    deposit(c, 100)
    c.world.time = c.config["exitsFrom"]
    c.stake("exit", 100, by=STAKER)
    c.world.time += c.config["exitDelay"] - 1
    c.stake("exit", 30, by=STAKER)
    c.world.time += 1
    with refused("TooEarly"):
        c.stake("withdraw", by=STAKER)
    c.world.time += c.config["exitDelay"] - 1
    c.stake("withdraw", by=STAKER)
    assert of(c)[HELD] == 70


def test_stake_that_is_leaving_can_still_be_lost(c: Deployed) -> None:
    deposit(c, 100)
    c.stake("exit", 100, by=STAKER)
    has_lost(c, 80)()
    c.world.time = of(c)[LEAVES_AT]
    c.stake("withdraw", by=STAKER)
    assert c.last_event == ("Withdrawn", {"account": STAKER, "amount": 20})
    assert of(c)[:4] == (0, 20, 80, 0)


# Whoever cannot be paid, and who tries to be paid twice


def test_who_refuses_his_stake_hurts_only_himself(c: Deployed) -> None:
    stubborn = c.world.deploy("Puppet")
    stubborn("set", True, False)
    deposit(c, 100, who=stubborn.address)
    deposit(c, 100)
    may_take(c, 50, stubborn.address)
    may_take(c, 50)()
    proof = c.proof(stubborn.address, c.stake.address)
    with refused("Error", "refused"):
        c.stake("release", stubborn.address, 50, proof, by=ANYONE)
    assert of(c, stubborn.address)[:2] == (100, 0)
    stubborn("set", False, False)
    c.stake("release", stubborn.address, 50, proof, by=ANYONE)
    assert c.world.balance(stubborn.address) == 50


def test_a_recipient_cannot_come_back_in_while_he_is_paid(c: Deployed) -> None:
    thief = c.world.deploy("Puppet")
    deposit(c, 100, who=thief.address)
    deposit(c, 100)
    take = may_take(c, 50, thief.address)
    proof = c.proof(thief.address, c.stake.address)
    calls = [
        c.data(c.stake, "release", thief.address, 50, proof),
        c.data(c.stake, "withdraw"),
        c.data(c.stake, "deposit", thief.address, 0),
    ]
    thief("act", c.stake.address, c.data(c.stake, "exit", 20))
    c.world.time += 60 * DAY
    thief("whenPaid", c.stake.address, calls[1])
    take()
    assert not thief("worked")
    for data in (calls[0], calls[2]):
        thief("whenPaid", c.stake.address, data)
        thief("act", c.stake.address, c.data(c.stake, "exit", 5))
        c.world.time += 60 * DAY
        thief("act", c.stake.address, calls[1])
        assert not thief("worked")
    assert of(c, thief.address)[:2] == (40, 60)
    assert c.world.balance(c.stake.address) == 140


# Tokens


def with_token() -> tuple[Deployed, Contract]:
    world = World()
    token = world.deploy("TollToken")
    c = Deployed(world, assets=[token.address], stakeAsset=token.address)
    token("make", ANYONE, 10_000)
    token("approve", c.stake.address, 10_000, by=ANYONE)
    return c, token


def test_stakes_can_be_in_a_token() -> None:
    c, token = with_token()
    with refused("WrongValue", 1, 0):
        c.world.give(ANYONE, 1)
        c.stake("deposit", STAKER, 100, by=ANYONE, value=1)
    c.stake("deposit", STAKER, 100, by=ANYONE)
    may_take(c, 30)()
    has_lost(c, 50)()
    assert told(c, "Received") == {"donor": c.stake.address, "asset": token.address, "amount": 50}
    c.world.time = c.config["exitsFrom"]
    leave(c, 20)
    balances = [token("balanceOf", who) for who in (STAKER, c.pool.address, c.stake.address)]
    assert balances == [50, 50, 0]
    assert of(c)[:3] == (0, 50, 50)


def test_what_arrives_of_a_token_is_booked_and_not_what_was_said() -> None:
    c, token = with_token()
    token("setToll", True)
    c.stake("deposit", STAKER, 100, by=ANYONE)
    assert c.last_event[1] == {"account": STAKER, "amount": 90}
    has_lost(c, 90)()
    assert told(c, "Slashed")["amount"] == 90
    assert told(c, "Received")["amount"] == 81


def test_a_token_that_was_not_approved_is_no_deposit() -> None:
    c, token = with_token()
    token("make", OTHER, 100)
    with refused("ERC20InsufficientAllowance"):
        c.stake("deposit", STAKER, 100, by=OTHER)


# Together


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["deposit", "release", "slash", "exit", "withdraw", "wait"]),
        st.sampled_from([STAKER, OTHER]),
        st.integers(0, 300),
    ),
    max_size=30,
)


@settings(max_examples=100)
@given(STEPS)
def test_whatever_happens_nobody_gets_more_than_he_put_down(
    steps: list[tuple[str, str, int]],
) -> None:
    c = Deployed()
    c.rich(22)
    put: dict[str, int] = {STAKER: 0, OTHER: 0}
    for what, who, amount in steps:
        try:
            if what == "deposit":
                deposit(c, amount, who=who)
                put[who] += amount
            elif what == "release":
                may_take(c, of(c, who)[TAKEN] + amount, who)()
            elif what == "slash":
                has_lost(c, of(c, who)[LOST] + amount, who)()
            elif what == "wait":
                c.world.time += amount * DAY // 10
            else:
                c.stake(what, *([amount] if what == "exit" else []), by=who)
        except Refusal:
            pass  # what it refuses changes nothing, and the sums below show it
        held = 0
        for one, deposited in put.items():
            its = of(c, one)
            held += its[HELD]
            assert its[HELD] + its[TAKEN] + its[LOST] == deposited
            assert c.world.balance(one) == its[TAKEN]
        assert c.world.balance(c.stake.address) == held
