"""What people could try with votes, with the guardian's word, and with the timelock."""

from __future__ import annotations

import pytest

from danseo.log.signing import keccak256
from tests.chain.contracts.challenge import (
    CAP,
    DAY,
    DEFEATED,
    EXECUTED,
    FOR,
    GUARDIAN,
    PARTS,
    SUCCEEDED,
    UNIT,
    Deployed,
    Proposal,
)
from tests.chain.evm import ETH, Refusal, account, refused

HONEST, BUYER, SELLER, THIEF = account(10), account(11), account(12), account(13)
QUORUM = CAP // 20


@pytest.fixture
def dao() -> Deployed:
    """Return a challenge whose coin is unlocked, with three holders of a quorum each."""
    found = Deployed()
    for who in (HONEST, BUYER, SELLER):
        found.mint(who, QUORUM)
    found.carry(found.coin, "unlock", by=HONEST)
    return found


def says(dao: Deployed, text: str, by: str) -> Proposal:
    return dao.propose([(dao.anchor, dao.data(dao.anchor, "decide", text))], text, by)


# Votes that are bought, lent or found


def test_coin_that_is_bought_after_the_snapshot_votes_for_its_seller_alone(dao: Deployed) -> None:
    proposal = says(dao, "bought", BUYER)
    dao.world.time = dao.governor("proposalSnapshot", proposal.id) + 1
    dao.coin("transfer", BUYER, QUORUM, by=SELLER)
    proposal.vote(BUYER, FOR)
    proposal.vote(SELLER, FOR)
    _, votes_for, _ = dao.governor("proposalVotes", proposal.id)
    assert votes_for == 2 * QUORUM  # each counts what he had


def test_coin_that_is_lent_within_the_second_of_the_snapshot_does_not_vote(dao: Deployed) -> None:
    """What a flash loan brings is gone before anyone can ask for the votes of that second."""
    proposal = says(dao, "lent", HONEST)
    dao.world.time = dao.governor("proposalSnapshot", proposal.id)
    dao.coin("transfer", BUYER, QUORUM, by=SELLER)
    dao.coin("transfer", SELLER, QUORUM, by=BUYER)
    proposal.vote(BUYER, FOR)
    _, votes_for, _ = dao.governor("proposalVotes", proposal.id)
    assert votes_for == QUORUM


def test_lent_coin_does_not_reach_the_threshold_in_the_second_in_which_it_is_lent() -> None:
    dao = Deployed()
    dao.mint(HONEST, QUORUM)
    dao.carry(dao.coin, "unlock", by=HONEST)
    dao.coin("transfer", THIEF, QUORUM, by=HONEST)
    with refused("GovernorInsufficientProposerVotes", THIEF, 0, dao.config["threshold"]):
        says(dao, "lent", THIEF)


def test_who_sells_after_he_voted_leaves_no_second_vote_behind(dao: Deployed) -> None:
    proposal = says(dao, "twice", SELLER)
    proposal.vote(SELLER, FOR)
    dao.coin("transfer", THIEF, QUORUM, by=SELLER)
    dao.world.time += 1
    proposal.vote(THIEF, FOR)
    _, votes_for, _ = dao.governor("proposalVotes", proposal.id)
    assert votes_for == QUORUM
    with refused("GovernorAlreadyCastVote", SELLER):
        proposal.vote(SELLER, FOR)


def test_locked_coin_can_be_neither_sold_nor_lent() -> None:
    dao = Deployed()
    dao.mint(SELLER, QUORUM)
    dao.coin("approve", BUYER, QUORUM, by=SELLER)
    with refused("Locked"):
        dao.coin("transferFrom", SELLER, BUYER, QUORUM, by=BUYER)


def test_the_first_finder_with_every_vote_still_cannot_pay_himself() -> None:
    """He is the DAO above the quorum, and nothing that the DAO can call moves the pool's money."""
    dao = Deployed()
    dao.mint(THIEF, 10 * QUORUM)
    dao.pool("fund", ETH, UNIT, by=dao.rich(60), value=UNIT)
    before = dao.world.balance(dao.pool.address)
    for method, args in (
        ("claim", (THIEF, ETH, UNIT, [])),
        ("veto", (9_999,)),
        ("reclaim", (9_999,)),
        ("collect", (THIEF,)),
    ):
        action = (dao.pool, dao.data(dao.pool, method, *args))
        proposal = dao.propose([action], f"{method} {dao.world.time}", THIEF)
        proposal.vote(THIEF, FOR)
        proposal.queue()
        dao.world.time += dao.config["timelockDelay"]
        with pytest.raises(Refusal, match=r"NotInTheRoot|NotPending|NothingToCollect"):
            proposal.execute()
    assert dao.world.balance(dao.pool.address) == before


# False roots and sleeping voters


def test_the_dao_strikes_a_false_root_that_took_effect_while_everyone_slept() -> None:
    dao = Deployed(guardianTerm=0, outflow=PARTS // 10)
    dao.mint(HONEST, QUORUM)
    dao.pool("fund", ETH, 100, by=dao.rich(60), value=100)
    dao.owe(THIEF, ETH, 100)
    dao.pool("claim", THIEF, ETH, 100, dao.proof(THIEF, ETH))
    dao.carry(dao.pool, "veto", dao.pool("size"), by=HONEST)
    dao.world.time += dao.config["window"]
    with refused("NotInTheRoot"):
        dao.pool("claim", THIEF, ETH, 100, dao.proof(THIEF, ETH))
    assert dao.pool("claimed", THIEF, ETH) == 10


def test_a_veto_that_is_proposed_in_time_comes_in_time_and_one_day_later_does_not() -> None:
    for late, works in ((0, True), (2 * DAY, False)):
        dao = Deployed(guardianTerm=0)
        dao.mint(HONEST, QUORUM)
        dao.pool("publish", 999, bytes(32), b"\x01" * 32, by=dao.rich(60), value=UNIT)
        dao.world.time += late
        if works:
            dao.carry(dao.pool, "veto", 999, by=HONEST)
        else:
            with refused("WindowOver"):
                dao.carry(dao.pool, "veto", 999, by=HONEST)


def test_between_guardian_and_quorum_nobody_can_veto() -> None:
    """A guardian whose power ends below the quorum leaves a gap: let guarded exceed it by far."""
    dao = Deployed(guardedUntil=PARTS // 100, quorum=PARTS // 10)
    dao.mint(HONEST, CAP // 50)
    dao.pool("publish", 999, bytes(32), b"\x01" * 32, by=dao.rich(60), value=UNIT)
    with refused("MayNotVeto", GUARDIAN):
        dao.pool("veto", 999, by=GUARDIAN)
    proposal = dao.propose([(dao.pool, dao.data(dao.pool, "veto", 999))], "veto", HONEST)
    proposal.vote(HONEST, FOR)
    proposal.close()
    assert proposal.state == DEFEATED


# The timelock


def test_an_operation_is_executed_once(dao: Deployed) -> None:
    proposal = says(dao, "once", HONEST)
    proposal.vote(HONEST, FOR)
    proposal.queue()
    dao.world.time += dao.config["timelockDelay"]
    salt = bytes(
        a ^ b
        for a, b in zip(
            bytes.fromhex(dao.governor.address[2:]) + bytes(12), keccak256(b"once"), strict=True
        )
    )
    dao.timelock("executeBatch", *proposal.calls, bytes(32), salt, by=THIEF)
    with refused("TimelockUnexpectedOperationState"):
        dao.timelock("executeBatch", *proposal.calls, bytes(32), salt, by=THIEF)
    assert proposal.state == EXECUTED
    with refused("GovernorUnexpectedProposalState"):
        proposal.execute()


def test_the_same_decision_can_be_proposed_again_only_in_other_words(dao: Deployed) -> None:
    proposal = says(dao, "again", HONEST)
    proposal.vote(HONEST, FOR)
    proposal.close()
    assert proposal.state == SUCCEEDED
    with refused("GovernorUnexpectedProposalState"):
        says(dao, "again", HONEST)


def test_a_proposal_of_one_challenge_is_none_of_another() -> None:
    one = Deployed()
    one.mint(HONEST, QUORUM)
    proposal = says(one, "here", HONEST)
    proposal.vote(HONEST, FOR)
    proposal.close()
    addresses = one.factory("deploy", b"\x07" * 32, one.config)
    other = one.world.at("ChallengeGovernor", addresses[2])
    with refused("GovernorNonexistentProposal"):
        other("queue", *proposal.named)


# The guardian


def test_what_the_guardian_schedules_cannot_reach_the_dao_by_any_detour() -> None:
    """Timelock and Governor obey themselves alone, so a call through a third contract is nobody."""
    dao = Deployed()
    puppet = dao.world.deploy("Puppet")
    grant = dao.data(dao.timelock, "grantRole", keccak256(b"PROPOSER_ROLE"), GUARDIAN)
    act = puppet.abi.call("act", (dao.timelock.address, grant))
    dao.governor("guard", [puppet.address], [0], [act], bytes(32), by=GUARDIAN)
    salt = next(args["salt"] for name, args in dao.world.events if name == "Guarded")
    dao.world.time += dao.config["timelockDelay"]
    with refused("AccessControlUnauthorizedAccount"):
        dao.timelock("executeBatch", [puppet.address], [0], [act], bytes(32), salt)


def test_a_guardian_s_operation_is_executed_once() -> None:
    dao = Deployed()
    calls = ([dao.anchor.address], [0], [dao.data(dao.anchor, "decide", "x")])
    dao.governor("guard", *calls, bytes(32), by=GUARDIAN)
    salt = next(args["salt"] for name, args in dao.world.events if name == "Guarded")
    dao.world.time += dao.config["timelockDelay"]
    dao.timelock("executeBatch", *calls, bytes(32), salt)
    for again in (
        lambda: dao.timelock("executeBatch", *calls, bytes(32), salt),
        lambda: dao.governor("guard", *calls, bytes(32), by=GUARDIAN),
    ):
        with refused("TimelockUnexpectedOperationState"):
            again()
