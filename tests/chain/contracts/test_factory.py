"""The factory: one transaction, known addresses, wired as stated, and nothing to run ahead of."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import encode

from danseo.chain import artefacts
from danseo.log.signing import keccak256
from tests.chain.contracts.challenge import (
    CAP,
    DAY,
    GUARDIAN,
    ID,
    KINDS,
    OPERATOR,
    PARTS,
    Deployed,
    config,
    make_factory,
)
from tests.chain.evm import DEPLOYER, ETH, World, account, refused

LARGEST_CODE, LARGEST_INITCODE, MOST_GAS = 24_576, 49_152, 16_777_216  # EIP-170, 3860, 7825
CONFIG = (
    "(string,string,address,address,address[],address,uint256,uint64,uint64,uint64,uint64,uint256,"
    "uint64,uint48,uint32,uint64,uint64,uint64,uint64,uint64)"
)


def test_the_contracts_stand_where_the_factory_predicted_them() -> None:
    factory = make_factory(World())
    predicted = factory("predict", ID, config())
    assert factory("deploy", ID, config(), by=account(7)) == predicted
    assert factory("predict", ID, config()) == predicted
    assert len(set(predicted)) == 6


def test_another_challenge_or_config_gets_other_contracts() -> None:
    factory = make_factory(World())
    sets = [
        factory("deploy", ID, config()),
        factory("deploy", bytes(32), config()),
        factory("deploy", ID, config(symbol="INC")),
        factory("deploy", ID, config(patience=5 * DAY + 1)),
    ]
    assert len({address for one in sets for address in one}) == 24


def test_the_same_contracts_are_not_deployed_twice() -> None:
    challenge = Deployed()
    with refused("AlreadyDeployed", ID, challenge.pool):
        challenge.factory("deploy", ID, challenge.config, by=account(9))


def test_the_deployment_is_told_with_the_hash_of_its_config() -> None:
    challenge = Deployed()
    name, args = challenge.last_event
    values = tuple(challenge.config.values())
    assert name == "Deployed"
    assert args["id"] == ID
    assert args["configHash"] == keccak256(encode([CONFIG], [values]))
    assert tuple(args[part] for part in KINDS) == challenge.addresses


def test_a_deployment_fits_into_one_transaction() -> None:
    factory = make_factory(World())
    factory("deploy", ID, config(assets=[account(i) for i in range(50, 58)]), gas=MOST_GAS // 2)


@pytest.mark.parametrize("name", [*KINDS.values(), "ChallengeFactory"])
def test_each_contract_fits_where_contracts_stand(name: str) -> None:
    artefact = artefacts.load(name)
    assert 0 < len(artefact.runtime) <= LARGEST_CODE
    assert len(artefact.bytecode) + 2048 <= LARGEST_INITCODE


def test_the_deployed_pool_is_the_packed_one() -> None:
    challenge = Deployed()
    code = bytes(challenge.world.evm.get_code(challenge.pool.address))
    assert artefacts.load("PrizePool").is_at(code[:-33])  # pyrevm pads what it hands out


def test_every_part_knows_the_others() -> None:
    c = Deployed(assets=[account(60)], stakeAsset=account(60))
    for part, getter, wanted in [
        (c.pool, "coin", c.coin.address),
        (c.pool, "timelock", c.timelock.address),
        (c.pool, "anchor", c.anchor.address),
        (c.pool, "stake", c.stake.address),
        (c.pool, "guardian", GUARDIAN),
        (c.pool, "bond", c.config["bond"]),
        (c.pool, "window", c.config["window"]),
        (c.pool, "outflow", c.config["outflow"]),
        (c.pool, "guardedUntil", c.config["guardedUntil"]),
        (c.pool, "guardianTerm", c.config["guardianTerm"]),
        (c.coin, "pool", c.pool.address),
        (c.coin, "timelock", c.timelock.address),
        (c.coin, "name", "scroll-1"),
        (c.coin, "symbol", "INK"),
        (c.governor, "name", "scroll-1"),
        (c.governor, "token", c.coin.address),
        (c.governor, "timelock", c.timelock.address),
        (c.governor, "guardian", GUARDIAN),
        (c.governor, "votingDelay", c.config["votingDelay"]),
        (c.governor, "votingPeriod", c.config["votingPeriod"]),
        (c.governor, "proposalThreshold", c.config["threshold"]),
        (c.governor, "window", c.config["window"]),
        (c.timelock, "getMinDelay", c.config["timelockDelay"]),
        (c.anchor, "operator", OPERATOR),
        (c.anchor, "timelock", c.timelock.address),
        (c.anchor, "governor", c.governor.address),
        (c.anchor, "pool", c.pool.address),
        (c.anchor, "bond", c.config["bond"]),
        (c.anchor, "uptake", c.config["uptake"]),
        (c.anchor, "patience", c.config["patience"]),
        (c.stake, "asset", account(60)),
        (c.stake, "pool", c.pool.address),
        (c.stake, "timelock", c.timelock.address),
        (c.stake, "exitDelay", c.config["exitDelay"]),
        (c.stake, "exitsFrom", c.config["exitsFrom"]),
    ]:
        assert part(getter) == wanted, getter
    assert c.pool("listed", account(60))
    assert not c.pool("listed", account(61))


def test_the_governor_alone_proposes_and_cancels_and_anyone_executes() -> None:
    c = Deployed()
    proposer, canceller, executor = (
        keccak256(f"{role}_ROLE".encode()) for role in ("PROPOSER", "CANCELLER", "EXECUTOR")
    )
    admin = bytes(32)
    everybody = (c.governor, c.timelock, c.pool, c.factory, GUARDIAN, OPERATOR, DEPLOYER, ETH)
    holders = {
        role: [who for who in everybody if c.timelock("hasRole", role, who)]
        for role in (proposer, canceller, executor, admin)
    }
    assert holders == {
        proposer: [c.governor],
        canceller: [c.governor],
        executor: [ETH],
        admin: [c.timelock],
    }


def rules_of(challenge: Deployed, part: str) -> tuple[Any, ...]:
    """Return what a thief would set a part up with: himself for everybody."""
    thief = account(66)
    return {
        "coin": ("x", "x", thief, thief),
        "governor": (
            ("x", thief, challenge.timelock.address, thief, PARTS, 2**40, 0, 1, 1, 1, DAY * 9),
        ),
        "timelock": (0, [thief], [thief], thief),
        "anchor": ((thief, thief, thief, thief, 0, 1, 1),),
        "stake": ((ETH, thief, thief, 0, 0),),
    }[part]


@pytest.mark.parametrize("part", ["coin", "governor", "timelock", "anchor", "stake"])
def test_neither_a_clone_nor_its_original_can_be_set_up_by_a_stranger(part: str) -> None:
    challenge = Deployed()
    rules = rules_of(challenge, part)
    with refused("InvalidInitialization"):
        getattr(challenge, part)("initialize", *rules, by=account(66))
    original = challenge.world.at(KINDS[part], challenge.factory(part))
    with refused("InvalidInitialization"):
        original("initialize", *rules, by=account(66))


@pytest.mark.parametrize(
    ("good", "bad", "error"),
    [
        ({"window": 5 * DAY + 1}, {"window": 5 * DAY}, "WindowTooShort"),
        ({"votingDelay": 3 * DAY - 1}, {"votingDelay": 3 * DAY}, "WindowTooShort"),
        ({"votingPeriod": 5 * DAY - 1}, {"votingPeriod": 5 * DAY}, "WindowTooShort"),
        ({"timelockDelay": 3 * DAY - 1}, {"timelockDelay": 3 * DAY}, "WindowTooShort"),
        ({"timelockDelay": 0}, {"timelockDelay": 2**64 - 1}, "WindowTooShort"),
        ({"outflow": PARTS}, {"outflow": PARTS + 1}, "NotParts"),
        ({"outflow": 1}, {"outflow": 0}, "NotParts"),
        ({"quorum": PARTS}, {"quorum": PARTS + 1}, "NotParts"),
        ({"quorum": 1}, {"quorum": 0}, "NotParts"),
        ({"guardedUntil": PARTS}, {"guardedUntil": PARTS + 1}, "NotParts"),
        ({"threshold": CAP}, {"threshold": CAP + 1}, "ThresholdAboveCap"),
        ({"window": 2**31}, {"window": 2**31 + 1}, "NotASpan"),
        ({"exitDelay": 2**31}, {"exitDelay": 2**31 + 1}, "NotASpan"),
        ({"uptake": 2**31}, {"uptake": 2**31 + 1}, "NotASpan"),
        ({"patience": 2**31}, {"patience": 2**31 + 1}, "NotASpan"),
        ({"guardian": ETH}, {"operator": ETH}, "NobodyOperates"),
        ({"votingPeriod": 1}, {"votingPeriod": 0}, "GovernorInvalidVotingPeriod"),
        (
            {"assets": [account(70), account(71)], "stakeAsset": account(71)},
            {"assets": [account(70), account(71)], "stakeAsset": account(72)},
            "StakeNotListed",
        ),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(
    good: dict[str, Any], bad: dict[str, Any], error: str
) -> None:
    factory = make_factory(World())
    factory.world.at("ChallengeGovernor", factory("governor"))  # so that its errors are known
    with refused(error):
        factory("deploy", ID, config(**bad))
    factory("deploy", ID, config(**good))


def test_money_sent_ahead_to_where_the_contracts_will_stand_does_not_stop_them() -> None:
    world = World()
    factory = make_factory(world)
    for address in factory("predict", ID, config()):
        world.give(address, 1)
    assert len(factory("deploy", ID, config())) == 6
