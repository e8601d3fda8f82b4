"""What contracts refuse, told in danseo's errors: by name, with values, and with what to do."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from danseo.chain import artefacts, refusals
from danseo.chain.abi import Abi
from danseo.chain.node import Fault
from danseo.core.errors import Conflict, NotAllowed, NotCovered, NotFound, Refused, WrongPhase
from danseo.log.signing import keccak256

WHO = "0x" + "ab" * 20
POOL = Abi("PrizePool", artefacts.load("PrizePool").abi)


def told(signature: str, *values: object) -> Refused:
    kinds = signature[signature.index("(") + 1 : -1]
    data = keccak256(signature.encode())[:4] + encode(kinds.split(",") if kinds else [], values)
    return refusals.of("PrizePool", "claim", Fault(3, "execution reverted", data), [POOL])


@pytest.mark.parametrize(
    ("signature", "values", "kind"),
    [
        ("NothingToClaim(address,address,uint256)", (WHO, WHO, 5), WrongPhase),
        ("WindowOpen(uint64,uint64)", (1, 2), WrongPhase),
        ("StaleSize(uint64,uint64)", (1, 2), WrongPhase),
        ("AlreadyPending(uint64,bytes32)", (1, b"\x01" * 32), Conflict),
        ("OverOutflow(address,uint256,uint256)", (WHO, 5, 3), NotCovered),
        ("WrongBond(uint256,uint256)", (5, 3), NotCovered),
        ("NotEnoughGas(uint256,uint256)", (5, 3), NotCovered),
        ("MayNotVeto(address)", (WHO,), NotAllowed),
        ("NotInTheRoot(address,address,uint256)", (WHO, WHO, 5), NotFound),
        ("NoRoot(uint64)", (5,), NotFound),
    ],
)
def test_an_error_of_the_pool_is_told_by_name_with_its_values(
    signature: str, values: tuple[object, ...], kind: type[Refused]
) -> None:
    refusal = told(signature, *values)
    assert type(refusal) is kind
    assert f"PrizePool refuses claim: {signature.partition('(')[0]}(" in refusal.message
    for value in values:
        assert (value.hex() if isinstance(value, bytes) else str(value)) in refusal.message
    assert refusal.remedy


GOVERNOR = Abi("ChallengeGovernor", artefacts.load("ChallengeGovernor").abi)


@pytest.mark.parametrize(
    ("signature", "values", "says"),
    [
        (
            "GovernorUnexpectedProposalState(uint256,uint8,bytes32)",
            (7, 0, b"\x02" * 32),
            "The proposal is pending. Voting has not begun yet.",
        ),
        (
            "GovernorInsufficientProposerVotes(address,uint256,uint256)",
            (WHO, 5 * 10**17, 10**24),
            f"{WHO} has 0.5 votes, and proposing takes 1,000,000 votes.",
        ),
        ("GovernorAlreadyCastVote(address)", (WHO,), f"{WHO} has voted on it already."),
    ],
)
def test_what_voters_meet_most_is_told_in_their_words(
    signature: str, values: tuple[object, ...], says: str
) -> None:
    kinds = signature[signature.index("(") + 1 : -1].split(",")
    data = keccak256(signature.encode())[:4] + encode(kinds, values)
    fault = Fault(3, "execution reverted", data)
    assert says in str(refusals.of("ChallengeGovernor", "propose", fault, [GOVERNOR]))


def test_a_node_that_counts_in_wei_is_told_in_ether() -> None:
    fault = Fault(-32000, "Insufficient funds: 34999940967879607360 < 1000000000000000000000000")
    said = refusals.of("", "fund", fault, []).message
    assert "34.99994096787960736 ETH < 1,000,000 ETH" in said


def test_an_unknown_error_is_shown_as_it_is() -> None:
    refusal = refusals.of("PrizePool", "claim", Fault(3, "reverted", b"\x01\x02\x03\x04"), [POOL])
    assert type(refusal) is Conflict
    assert "unknown error 0x01020304" in refusal.message


def test_a_known_error_with_broken_values_is_shown_as_it_is() -> None:
    data = keccak256(b"WrongBond(uint256,uint256)")[:4] + b"\x01"
    assert "unknown error" in refusals.of("P", "m", Fault(3, "", data), [POOL]).message


@pytest.mark.parametrize(
    "words",
    ["insufficient funds for gas * price + value", "sender doesn't have enough: balance 5"],
)
def test_a_sender_who_cannot_pay_is_not_blamed_on_the_contract(words: str) -> None:
    assert type(refusals.of("", "transfer", Fault(-32000, words), [])) is NotCovered
