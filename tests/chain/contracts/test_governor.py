"""The Governor: an ordinary one, with a quorum of the cap and a guardian at the beginning."""

from __future__ import annotations

from typing import Any

import pytest

from danseo.log.signing import keccak256
from tests.chain.contracts.challenge import (
    ABSTAIN,
    ACTIVE,
    AGAINST,
    CANCELED,
    CAP,
    DAY,
    DEFEATED,
    EXECUTED,
    FOR,
    GUARDIAN,
    OPERATOR,
    PENDING,
    QUEUED,
    SUCCEEDED,
    Deployed,
    Proposal,
)
from tests.chain.evm import ETH, account, refused

VOTER, SECOND, POOR, STRANGER = account(10), account(11), account(12), account(13)
QUORUM = CAP // 20


@pytest.fixture
def dao() -> Deployed:
    """Return a challenge in which one voter has just the quorum and another a tenth of that."""
    found = Deployed()
    found.mint(VOTER, QUORUM)
    found.mint(SECOND, QUORUM // 10)
    return found


def says(dao: Deployed, text: str = "next.scorer a", by: str = VOTER) -> Proposal:
    decide = dao.data(dao.anchor, "decide", text)
    return dao.propose([(dao.anchor, decide)], text, by)


# Ordinary Governor tools


def test_a_proposal_goes_its_way_and_each_step_only_in_its_time(dao: Deployed) -> None:
    proposal = says(dao)
    begun = dao.world.time
    assert dao.governor("proposalSnapshot", proposal.id) == begun + DAY
    assert dao.governor("proposalDeadline", proposal.id) == begun + 4 * DAY
    assert dao.governor("proposalProposer", proposal.id) == VOTER
    dao.world.time = begun + DAY
    assert proposal.state == PENDING
    with refused("GovernorUnexpectedProposalState"):
        dao.governor("castVote", proposal.id, FOR, by=VOTER)
    dao.world.time += 1
    assert proposal.state == ACTIVE
    dao.world.time = begun + 4 * DAY
    dao.governor("castVote", proposal.id, FOR, by=VOTER)  # in the last second
    with refused("GovernorAlreadyCastVote", VOTER):
        dao.governor("castVote", proposal.id, FOR, by=VOTER)
    with refused("GovernorUnexpectedProposalState"):
        dao.governor("queue", *proposal.named)
    dao.world.time += 1
    assert proposal.state == SUCCEEDED
    with refused("GovernorUnexpectedProposalState"):
        dao.governor("castVote", proposal.id, FOR, by=SECOND)
    with refused("GovernorUnexpectedProposalState"):
        proposal.execute()
    dao.governor("queue", *proposal.named, by=STRANGER)
    assert proposal.state == QUEUED
    assert dao.governor("proposalEta", proposal.id) == dao.world.time + DAY
    dao.world.time += DAY - 1
    with refused("TimelockUnexpectedOperationState"):
        proposal.execute()
    dao.world.time += 1
    dao.governor("execute", *proposal.named, by=STRANGER)
    assert ("Decided", {"text": "next.scorer a"}) in dao.world.events
    assert proposal.state == EXECUTED
    with refused("GovernorUnexpectedProposalState"):
        proposal.execute()


def test_tools_find_the_clock_the_counting_and_the_interfaces(dao: Deployed) -> None:
    assert dao.governor("CLOCK_MODE") == "mode=timestamp"
    assert dao.governor("clock") == dao.world.time == dao.coin("clock")
    assert dao.governor("COUNTING_MODE") == "support=bravo&quorum=for,abstain"
    assert dao.governor("version") == "1"
    proposal = says(dao)
    assert dao.governor("proposalNeedsQueuing", proposal.id)
    assert dao.governor("supportsInterface", bytes.fromhex("01ffc9a7"))  # ERC-165
    assert dao.governor("supportsInterface", _interface())
    assert not dao.governor("supportsInterface", b"\xff" * 4)


def _interface() -> bytes:
    """Return the id of OpenZeppelin's IGovernor: the XOR of its selectors, ERC-6372 apart."""
    signatures = (
        "name()",
        "version()",
        "COUNTING_MODE()",
        "hashProposal(address[],uint256[],bytes[],bytes32)",
        "getProposalId(address[],uint256[],bytes[],bytes32)",
        "state(uint256)",
        "proposalThreshold()",
        "proposalSnapshot(uint256)",
        "proposalDeadline(uint256)",
        "proposalProposer(uint256)",
        "proposalEta(uint256)",
        "proposalNeedsQueuing(uint256)",
        "votingDelay()",
        "votingPeriod()",
        "quorum(uint256)",
        "getVotes(address,uint256)",
        "getVotesWithParams(address,uint256,bytes)",
        "hasVoted(uint256,address)",
        "propose(address[],uint256[],bytes[],string)",
        "queue(address[],uint256[],bytes[],bytes32)",
        "execute(address[],uint256[],bytes[],bytes32)",
        "cancel(address[],uint256[],bytes[],bytes32)",
        "castVote(uint256,uint8)",
        "castVoteWithReason(uint256,uint8,string)",
        "castVoteWithReasonAndParams(uint256,uint8,string,bytes)",
        "castVoteBySig(uint256,uint8,address,bytes)",
        "castVoteWithReasonAndParamsBySig(uint256,uint8,address,string,bytes,bytes)",
    )
    found = 0
    for signature in signatures:
        found ^= int.from_bytes(keccak256(signature.encode())[:4], "big")
    return found.to_bytes(4, "big")


def test_a_vote_can_carry_its_reason(dao: Deployed) -> None:
    proposal = says(dao)
    dao.world.time += DAY + 1
    dao.governor("castVoteWithReason", proposal.id, FOR, "it helps", by=VOTER)
    name, args = dao.last_event
    assert name == "VoteCast"
    assert (args["voter"], args["weight"], args["reason"]) == (VOTER, QUORUM, "it helps")
    assert dao.governor("proposalVotes", proposal.id) == (0, QUORUM, 0)


def test_a_proposer_takes_his_proposal_back_before_the_vote_and_nobody_else(dao: Deployed) -> None:
    proposal = says(dao)
    with refused("GovernorUnableToCancel", proposal.id, SECOND):
        dao.governor("cancel", *proposal.named, by=SECOND)
    dao.governor("cancel", *proposal.named, by=VOTER)
    assert proposal.state == CANCELED
    late = says(dao, "next.scorer b")
    dao.world.time += DAY + 1
    with refused("GovernorUnableToCancel", late.id, VOTER):
        dao.governor("cancel", *late.named, by=VOTER)


def test_who_has_less_than_the_threshold_proposes_nothing(dao: Deployed) -> None:
    threshold = dao.config["threshold"]
    dao.mint(POOR, threshold - 1)
    with refused("GovernorInsufficientProposerVotes", POOR, threshold - 1, threshold):
        says(dao, by=POOR)
    dao.mint(POOR, 1)
    says(dao, by=POOR)


def test_coin_counts_from_the_second_after_it_came(dao: Deployed) -> None:
    dao.owe(POOR, dao.coin.address, CAP // 100)
    dao.pool("claim", POOR, dao.coin.address, CAP // 100, dao.proof(POOR, dao.coin.address))
    with refused("GovernorInsufficientProposerVotes", POOR, 0, dao.config["threshold"]):
        says(dao, by=POOR)
    dao.world.time += 1
    says(dao, by=POOR)


def test_coin_that_came_after_the_snapshot_does_not_vote(dao: Deployed) -> None:
    dao.owe(POOR, dao.coin.address, CAP // 2)
    proposal = says(dao)
    dao.world.time += DAY + 1
    dao.pool("claim", POOR, dao.coin.address, CAP // 2, dao.proof(POOR, dao.coin.address))
    dao.world.time += 1
    proposal.vote(POOR, AGAINST)
    assert dao.governor("proposalVotes", proposal.id) == (0, 0, 0)


# Front-running


def test_a_proposal_that_names_its_proposer_is_his_alone(dao: Deployed) -> None:
    text = f"next.scorer a\n#proposer={VOTER}"
    with refused("GovernorRestrictedProposer", SECOND):
        says(dao, text, by=SECOND)
    assert says(dao, text).state == PENDING


def test_a_thief_can_occupy_a_proposal_that_names_nobody(dao: Deployed) -> None:
    says(dao, "next.scorer a", by=SECOND)  # why tools append the suffix
    with refused("GovernorUnexpectedProposalState"):
        says(dao, "next.scorer a", by=VOTER)


@pytest.mark.parametrize("suffix", ["{0}\n", "{0}00", "0xzz"])
def test_a_suffix_that_names_nobody_binds_nobody(dao: Deployed, suffix: str) -> None:
    says(dao, "next.scorer a #proposer=" + suffix.format(VOTER), by=SECOND)


# Quorum


def test_quorum_is_a_part_of_the_cap_however_little_is_minted(dao: Deployed) -> None:
    assert dao.governor("quorum", dao.world.time) == QUORUM
    assert dao.governor("quorum", 0) == QUORUM
    assert dao.coin("totalSupply") == QUORUM + QUORUM // 10


def test_the_first_finder_with_every_coin_decides_nothing_below_the_quorum() -> None:
    dao = Deployed()
    dao.mint(VOTER, QUORUM - 1)
    assert dao.coin("totalSupply") == QUORUM - 1
    proposal = says(dao)
    proposal.vote(VOTER, FOR)
    proposal.close()
    assert proposal.state == DEFEATED
    with refused("GovernorUnexpectedProposalState"):
        dao.governor("queue", *proposal.named)
    dao.mint(VOTER, 1)
    again = says(dao, "once more")
    again.vote(VOTER, FOR)
    again.close()
    assert again.state == SUCCEEDED


def test_who_abstains_helps_the_quorum_and_who_is_against_does_not() -> None:
    for support, state in ((ABSTAIN, SUCCEEDED), (AGAINST, DEFEATED)):
        dao = Deployed()
        dao.mint(VOTER, QUORUM - 1)
        dao.mint(SECOND, 1)
        proposal = says(dao)
        proposal.vote(VOTER, FOR)
        proposal.vote(SECOND, support)
        proposal.close()
        assert proposal.state == state


def test_a_tie_is_lost(dao: Deployed) -> None:
    dao.mint(SECOND, QUORUM - QUORUM // 10)
    proposal = says(dao)
    proposal.vote(VOTER, FOR)
    proposal.vote(SECOND, AGAINST)
    proposal.close()
    assert proposal.state == DEFEATED


def test_sleeping_voters_let_nothing_through() -> None:
    dao = Deployed()
    dao.mint(VOTER, CAP // 2)
    dao.mint(SECOND, QUORUM - 1)
    proposal = says(dao, by=SECOND)
    proposal.vote(SECOND, FOR)
    proposal.close()
    assert proposal.state == DEFEATED


# What the DAO does


def test_the_dao_vetoes_a_false_root_within_its_window(dao: Deployed) -> None:
    thief = dao.rich(20)
    dao.pool("publish", 999, bytes(32), b"\1" * 32, by=thief, value=dao.config["bond"])
    dao.carry(dao.pool, "veto", 999, by=VOTER)
    assert ("Vetoed", {"size": 999, "by": dao.timelock.address}) in dao.world.events
    dao.world.time += 7 * DAY
    with refused("NotPending", 999):
        dao.pool("activate", 999)


def test_the_dao_unlocks_the_coin_and_nobody_else_does(dao: Deployed) -> None:
    for who in (VOTER, GUARDIAN, OPERATOR):
        with refused("NotTheTimelock", who):
            dao.coin("unlock", by=who)
    with refused("Locked"):
        dao.coin("transfer", SECOND, 5, by=VOTER)
    dao.carry(dao.coin, "unlock", by=VOTER)
    dao.coin("transfer", SECOND, 5, by=VOTER)
    assert dao.coin("balanceOf", VOTER) == QUORUM - 5


def test_one_proposal_can_do_many_things_and_all_or_none(dao: Deployed) -> None:
    unlock = (dao.coin, dao.data(dao.coin, "unlock"))
    decide = (dao.anchor, dao.data(dao.anchor, "decide", "next.curve 0:0 1:10"))
    veto = (dao.pool, dao.data(dao.pool, "veto", 77))
    for actions, works in (((decide, unlock, veto), False), ((decide, unlock), True)):
        proposal = dao.propose(actions, f"{works}", VOTER)
        proposal.vote(VOTER, FOR)
        proposal.queue()
        dao.world.time += DAY
        if works:
            proposal.execute()
        else:
            with refused("NotPending"):
                proposal.execute()
        assert dao.coin("unlocked") is works


def test_anyone_executes_at_the_timelock_as_well(dao: Deployed) -> None:
    proposal = says(dao)
    proposal.vote(VOTER, FOR)
    proposal.queue()
    dao.world.time += DAY
    description = proposal.named[3]
    salt = bytes(
        a ^ b
        for a, b in zip(
            bytes.fromhex(dao.governor.address[2:]) + bytes(12), description, strict=True
        )
    )
    dao.timelock("executeBatch", *proposal.calls, bytes(32), salt, by=STRANGER)
    assert proposal.state == EXECUTED


def test_the_dao_changes_its_own_pace_but_never_past_the_window(dao: Deployed) -> None:
    dao.carry(dao.governor, "setVotingPeriod", 5 * DAY - 1, by=VOTER)
    assert dao.governor("votingPeriod") == 5 * DAY - 1
    with refused("SlowerThanTheWindow", 7 * DAY, 7 * DAY):
        dao.carry(dao.governor, "setVotingPeriod", 5 * DAY, by=VOTER)
    with refused("SlowerThanTheWindow", 7 * DAY, 7 * DAY):
        dao.carry(dao.governor, "setVotingDelay", DAY + 1, by=VOTER)


def test_the_timelock_can_be_shortened_by_the_dao_and_never_lengthened(dao: Deployed) -> None:
    with refused("TimelockUnauthorizedCaller", VOTER):
        dao.timelock("updateDelay", 0, by=VOTER)
    with refused("DelayMayNotGrow", DAY, DAY + 1):
        dao.carry(dao.timelock, "updateDelay", DAY + 1, by=VOTER)
    dao.carry(dao.timelock, "updateDelay", DAY - 1, by=VOTER)
    assert dao.timelock("getMinDelay") == DAY - 1


def test_the_governor_keeps_its_one_timelock(dao: Deployed) -> None:
    with refused("OneTimelock", dao.timelock):
        dao.carry(dao.governor, "updateTimelock", account(66), by=VOTER)


def test_nobody_but_the_governor_schedules_or_cancels(dao: Deployed) -> None:
    decide = dao.data(dao.anchor, "decide", "mine")
    for who in (VOTER, GUARDIAN, OPERATOR):
        with refused("AccessControlUnauthorizedAccount"):
            dao.timelock(
                "schedule", dao.anchor.address, 0, decide, bytes(32), bytes(32), DAY, by=who
            )
    proposal = says(dao)
    proposal.vote(VOTER, FOR)
    proposal.queue()
    operation = dao.timelock("hashOperationBatch", *proposal.calls, bytes(32), bytes(32))
    with refused("AccessControlUnauthorizedAccount"):
        dao.timelock("cancel", operation, by=GUARDIAN)


# The guardian


def guarding(
    dao: Deployed, *actions: tuple[Any, bytes], by: str = GUARDIAN, salt: int = 0
) -> bytes:
    targets = [target if isinstance(target, str) else target.address for target, _ in actions]
    calls = [data for _, data in actions]
    found = dao.governor(
        "guard", targets, [0] * len(actions), calls, salt.to_bytes(32, "big"), by=by
    )
    assert isinstance(found, bytes)
    return found


def test_the_guardian_acts_through_the_same_timelock_with_its_full_delay() -> None:
    dao = Deployed()
    dismissal = (dao.anchor, dao.data(dao.anchor, "setOperator", account(30)))
    operation = guarding(dao, dismissal)
    told = dict(dao.world.events)["Guarded"]
    assert (told["operation"], told["guardian"]) == (operation, GUARDIAN)
    calls = (told["targets"], told["values"], told["calldatas"], bytes(32), told["salt"])
    dao.world.time += DAY - 1
    with refused("TimelockUnexpectedOperationState"):
        dao.timelock("executeBatch", *calls)
    dao.world.time += 1
    dao.timelock("executeBatch", *calls, by=STRANGER)
    assert dao.anchor("operator") == account(30)


def test_only_the_guardian_guards_and_only_in_his_term() -> None:
    dao = Deployed()
    act = (dao.anchor, dao.data(dao.anchor, "decide", "x"))
    for who in (OPERATOR, STRANGER, ETH):
        with refused("NotTheGuardian", who):
            guarding(dao, act, by=who)
    dao.world.time = dao.config["guardianTerm"] - 1
    guarding(dao, act)
    dao.world.time += 1
    assert not dao.governor("guards", GUARDIAN)
    with refused("NotTheGuardian", GUARDIAN):
        guarding(dao, act, salt=1)


def test_the_guardian_is_done_when_the_stated_part_is_minted() -> None:
    dao = Deployed()
    act = (dao.anchor, dao.data(dao.anchor, "decide", "x"))
    dao.mint(VOTER, CAP // 10 - 1)
    guarding(dao, act)
    dao.mint(VOTER, 1)
    assert dao.world.time < dao.config["guardianTerm"]
    with refused("NotTheGuardian", GUARDIAN):
        guarding(dao, act, salt=1)


def test_a_challenge_without_a_guardian_has_none() -> None:
    dao = Deployed(guardian=ETH)
    assert not dao.governor("guards", ETH)
    with refused("NotTheGuardian", ETH):
        guarding(dao, (dao.anchor, dao.data(dao.anchor, "decide", "x")), by=ETH)


def test_the_guardian_cannot_make_himself_the_dao() -> None:
    dao = Deployed()
    role = keccak256(b"PROPOSER_ROLE")
    grant = (dao.timelock, dao.data(dao.timelock, "grantRole", role, GUARDIAN))
    faster = (dao.governor, dao.data(dao.governor, "setVotingDelay", 0))
    harmless = (dao.anchor, dao.data(dao.anchor, "decide", "x"))
    for forbidden in (grant, faster):
        with refused("BeyondTheGuardian", forbidden[0]):
            guarding(dao, harmless, forbidden)


def test_a_guardian_cannot_stand_in_the_way_of_a_proposal(dao: Deployed) -> None:
    proposal = says(dao)
    salt = int(dao.governor.address, 16) << 96 ^ int.from_bytes(proposal.named[3], "big")
    guarding(dao, (dao.anchor, proposal.calls[2][0]), salt=salt)
    proposal.vote(VOTER, FOR)
    proposal.queue()
    assert proposal.state == QUEUED


def test_what_the_guardian_began_can_be_taken_back_by_him_and_after_his_term_by_anyone() -> None:
    dao = Deployed()
    act = (dao.anchor, dao.data(dao.anchor, "decide", "x"))
    first, second = guarding(dao, act), guarding(dao, act, salt=1)
    with refused("NotTheGuardian", STRANGER):
        dao.governor("unguard", first, by=STRANGER)
    dao.governor("unguard", first, by=GUARDIAN)
    assert not dao.timelock("isOperation", first)
    with refused("NotGuarded", first):
        dao.governor("unguard", first, by=GUARDIAN)
    dao.world.time = dao.config["guardianTerm"]
    dao.governor("unguard", second, by=STRANGER)
    assert not dao.timelock("isOperation", second)


def test_nobody_takes_back_what_the_dao_queued(dao: Deployed) -> None:
    proposal = says(dao)
    proposal.vote(VOTER, FOR)
    proposal.queue()
    operation = next(a["id"] for n, a in dao.world.events if n == "CallScheduled")
    dao.world.time = dao.config["guardianTerm"]
    with refused("NotGuarded", operation):
        dao.governor("unguard", operation, by=GUARDIAN)
    assert proposal.state == QUEUED
