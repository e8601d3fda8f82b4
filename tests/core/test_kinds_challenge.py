"""Opening a challenge, taking its roles up, ending it."""

from __future__ import annotations

from typing import Any

import pytest

from danseo.core import shamir, treasury
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotCovered,
    NotFound,
    WrongPhase,
)
from tests.core.ledger import (
    BASELINE,
    DEADLINE,
    ETA,
    GOAL,
    JURORS,
    PRIZE,
    SCORERS,
    SILENCE,
    STAKE,
    START,
    TRUSTEES,
    Ledger,
    address,
    deal,
    digest,
    jury_round,
    terms,
)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def registered(ledger: Ledger) -> Ledger:
    for who in (*SCORERS, *TRUSTEES):
        ledger.say(who, "key.sealing", x25519=digest(f"sealing {who}"))
    return ledger


def scorer(who: str) -> dict[str, str]:
    return {"who": address(who), "sealed": "ab" * 48}


def trustee(who: str, share: int) -> dict[str, str]:
    return {
        "who": address(who),
        "commitment": shamir.commit(deal()[share]),
        "sealed": "cd" * 48,
    }


def line(*points: tuple[int, int]) -> list[dict[str, int]]:
    return [{"score": score, "units": units} for score, units in points]


# --- terms --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"scorers": [scorer("scorer-1")]}, "1 scorers"),
        ({"scorers": [scorer(f"scorer-{i}") for i in range(3)]}, "3 scorers"),
        ({"scorers": [scorer("scorer-1"), scorer("scorer-1")]}, address("scorer-1")),
        ({"scorers": [scorer("scorer-1"), scorer("organiser")]}, address("organiser")),
        ({"scorers": [scorer("scorer-1"), scorer("trustee-1")]}, address("trustee-1")),
        ({"trustees": [trustee("trustee-1", 0)]}, "2 of 1"),
        ({"threshold": 4}, "4 of 3"),
        ({"trustees": [trustee(t, 0) for t in TRUSTEES]}, "same share"),
        ({"jurors": [address("juror-1")] * 2}, "juror twice"),
        ({"jurors": [], "rounds": [jury_round(DEADLINE, DEADLINE + 1)]}, "no jurors"),
        ({"deadline": START}, START),
        ({"reveal_window": 0}, "reveal_window"),
        ({"score_window": 0}, "score_window"),
        ({"truth_window": 0}, "truth_window"),
        ({"jury_units": 199_999_999}, "199999999"),
        ({"curve": line((BASELINE, 0))}, "1 points"),
        ({"curve": line((BASELINE, 1), (GOAL, 800_000_000))}, "1 units"),
        ({"curve": line((GOAL, 0), (BASELINE, 800_000_000))}, BASELINE),
        ({"curve": line((BASELINE, 0), (GOAL + 1, 800_000_000))}, GOAL + 1),
        ({"direction": "lower"}, GOAL),
        (
            {"curve": line((BASELINE, 0), (BASELINE + ETA, 9), (GOAL, 8))},
            "falls from 9 to 8",
        ),
        ({"gamma": {"numerator": 3, "denominator": 2}}, "3/2"),
        ({"theta": {"numerator": 1, "denominator": 3}}, "give 6"),
        ({"rounds": [jury_round(START - 1, DEADLINE)]}, START - 1),
        ({"rounds": [jury_round(DEADLINE, DEADLINE)]}, DEADLINE),
        (
            {"rounds": [jury_round(DEADLINE, DEADLINE + 9), jury_round(DEADLINE + 8, SILENCE)]},
            "round 1",
        ),
        ({"rounds": [jury_round(DEADLINE, SILENCE, 200_000_001)]}, 200_000_001),
        (
            {"rounds": [jury_round(DEADLINE, SILENCE, 150_000_000),
                        jury_round(SILENCE, SILENCE + 1, 50_000_001)]},
            200_000_001,
        ),
        ({"rounds": [jury_round(DEADLINE, SILENCE, 0, 10**18 + 1)]}, 10**18 + 1),
        ({"parameters": [{"name": "beta", "value": 1}, {"name": "beta", "value": 2}]}, "twice"),
        ({"remainder": "successor:ink"}, "itself"),
    ],
)  # fmt: skip
def test_terms_that_contradict_one_another_are_refused(
    registered: Ledger, change: dict[str, Any], names: object
) -> None:
    registered.refuses_to(
        Conflict, names, "organiser", "challenge.open", "ink", terms=terms(**change)
    )
    assert registered.state.challenges == {}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"threshold": 1}, "threshold is 1"),
        ({"eta": 0}, "eta is 0"),
        ({"advance": 10**9 + 1}, "advance is 1000000001"),
        ({"direction": "up"}, "'up'"),
        ({"remainder": "organiser"}, "'organiser'"),
        ({"remainder": "successor:-"}, "successor"),
        ({"scorer": "fbeta"}, "'fbeta'"),
        ({"extra": 1}, "['extra']"),
        ({"bond": {"asset": "WON", "amount": 5}}, "amount is 5"),
    ],
)
def test_terms_that_are_ill_formed_are_refused(
    registered: Ledger, change: dict[str, Any], names: str
) -> None:
    registered.refuses_to(
        Malformed, names, "organiser", "challenge.open", "ink", terms=terms(**change)
    )


def test_scorers_and_trustees_register_a_sealing_key_first(ledger: Ledger) -> None:
    for who in (*SCORERS, *TRUSTEES):
        ledger.refuses_to(
            NotFound, address(who), "organiser", "challenge.open", "ink", terms=terms()
        )
        ledger.say(who, "key.sealing", x25519=digest(who))
    ledger.say("organiser", "challenge.open", "ink", terms=terms())
    assert ledger.challenge().status == "draft"


# --- roles --------------------------------------------------------------------------------------


def test_a_challenge_opens_when_the_last_has_acknowledged(ledger: Ledger) -> None:
    ledger.draft()
    roles = (*TRUSTEES, *SCORERS)
    for who in roles:
        assert ledger.challenge().status == "draft"
        ledger.say(who, "challenge.acknowledge", "ink")
    assert ledger.challenge().status == "open"
    assert ledger.challenge().opened_at == START
    assert set(ledger.challenge().acknowledged) == {address(who) for who in roles}


@pytest.mark.parametrize("who", ["stranger", "organiser", *JURORS[:1]])
def test_only_those_named_acknowledge(ledger: Ledger, who: str) -> None:
    ledger.draft()
    ledger.refuses_to(NotAllowed, address(who), who, "challenge.acknowledge", "ink")


def test_a_role_is_taken_up_once(ledger: Ledger) -> None:
    ledger.draft()
    ledger.say("scorer-1", "challenge.acknowledge", "ink")
    ledger.refuses_to(Conflict, address("scorer-1"), "scorer-1", "challenge.acknowledge", "ink")


def test_a_stake_must_be_covered_and_is_locked(ledger: Ledger) -> None:
    ledger.draft(stake={"asset": "WON", "amount": str(STAKE + 1)})
    ledger.refuses_to(NotCovered, f"{STAKE + 1:,}", "scorer-1", "challenge.acknowledge", "ink")
    ledger.deposit("scorer-1", 1)
    ledger.say("scorer-1", "challenge.acknowledge", "ink")
    assert treasury.balance(ledger.challenge(), address("scorer-1"), "WON") == 0
    ledger.audit()


def test_a_draft_does_not_open_at_its_deadline(ledger: Ledger) -> None:
    ledger.draft()
    ledger.at(DEADLINE - 1)
    ledger.say("scorer-1", "challenge.acknowledge", "ink")
    ledger.now = DEADLINE
    ledger.refuses_to(WrongPhase, "deadline", "scorer-2", "challenge.acknowledge", "ink")


# --- cancelling ---------------------------------------------------------------------------------


def test_the_organiser_cancels_before_the_first_commitment(ledger: Ledger) -> None:
    ledger.open_challenge()
    ledger.say("organiser", "challenge.cancel", "ink", reason=digest("why"))
    assert ledger.challenge().status == "cancelled"
    assert ledger.owed("donor-1").payable == PRIZE
    assert treasury.balance(ledger.challenge(), address("scorer-1"), "WON") == STAKE
    ledger.audit()
    ledger.refuses_to(
        WrongPhase, "cancelled", "organiser", "challenge.cancel", "ink", reason=digest("why")
    )


def test_nothing_is_cancelled_after_the_first_commitment(ledger: Ledger) -> None:
    ledger.open_challenge()
    clue = ledger.publish("contributor-1")
    ledger.say("contributor-1", "clue.retract", "ink", clue=clue)
    ledger.refuses_to(
        WrongPhase, f"entry {clue}", "organiser", "challenge.cancel", "ink", reason=digest("w")
    )


def test_nobody_else_cancels(ledger: Ledger) -> None:
    ledger.draft()
    ledger.refuses_to(
        NotAllowed, address("scorer-1"), "scorer-1", "challenge.cancel", "ink", reason=digest("w")
    )
    ledger.open_challenge("second")
    ledger.at(DEADLINE)
    ledger.refuses_to(
        NotAllowed, "second", "donor-1", "challenge.cancel", "second", reason=digest("w")
    )


def test_anyone_cancels_a_draft_that_did_not_open_in_time(ledger: Ledger) -> None:
    ledger.draft()
    ledger.fund("donor-1", PRIZE)
    ledger.at(DEADLINE)
    ledger.say("donor-1", "challenge.cancel", "ink", reason=digest("w"))
    assert ledger.owed("donor-1").payable == PRIZE


def test_time_leaves_a_cancelled_challenge_alone(ledger: Ledger) -> None:
    ledger.open_challenge()
    ledger.say("organiser", "challenge.cancel", "ink", reason=digest("why"))
    ledger.at(SILENCE)
    assert ledger.challenge().status == "cancelled"
    assert ledger.challenge().settled_by == "cancelled"


# --- closing ------------------------------------------------------------------------------------


def test_anyone_moves_a_challenge_through_its_whole_life(ledger: Ledger) -> None:
    ledger.open_challenge(rounds=[jury_round(SILENCE, SILENCE + 10, 1000, 1000)])
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.refuses_to(WrongPhase, "ink is open", "stranger", "challenge.close", "ink")
    ledger.release()
    ledger.append(ledger.exact({clue: 520_000_000}))
    ledger.refuses_to(WrongPhase, "round 0", "stranger", "challenge.close", "ink")
    ledger.at(SILENCE + 10)
    ledger.say("stranger", "jury.close", "ink", round=0)
    ledger.say("stranger", "challenge.close", "ink")
    assert ledger.challenge().status == "closed"
    assert ledger.challenge().closed_at == SILENCE + 10
    ledger.refuses_to(WrongPhase, "ink is closed", "stranger", "challenge.close", "ink")


def test_a_challenge_without_any_clue_ends_too(ledger: Ledger) -> None:
    ledger.open_challenge()
    ledger.release()
    ledger.say("stranger", "challenge.close", "ink")
    assert ledger.owed("donor-1").payable == PRIZE
    ledger.audit()


@pytest.mark.parametrize("end", ["closed", "cancelled"])
def test_what_has_ended_takes_nothing_more(ledger: Ledger, end: str) -> None:
    ledger.open_challenge(rounds=[jury_round(SILENCE, SILENCE + 10)])
    clue = 0
    if end == "closed":
        clue = ledger.publish("contributor-1")
        ledger.at(SILENCE + 10)
        ledger.say("stranger", "jury.close", "ink", round=0)
        ledger.say("stranger", "challenge.close", "ink")
    else:
        ledger.say("organiser", "challenge.cancel", "ink", reason=digest("why"))

    refused = [
        ledger.commitment("contributor-1", "ink", "c"),
        ledger.share("trustee-1"),
        ledger.exact({clue: 0}),
        ledger.entry("organiser", "challenge.cancel", "ink", reason=digest("w")),
        ledger.entry("stranger", "challenge.close", "ink"),
        ledger.entry("stranger", "jury.close", "ink", round=0),
        ledger.ballot("juror-1", [clue]),
    ]
    money = {"asset": "WON", "amount": "5", "evidence": ""}
    who = address("donor-1")
    refused += [
        ledger.entry("organiser", "money.fund", "ink", donor=who, **money),
        ledger.entry("organiser", "money.deposit", "ink", account=who, **money),
    ]
    if end == "closed":
        refused += [
            ledger.revelation("contributor-1", clue),
            ledger.entry("contributor-1", "clue.retract", "ink", clue=clue),
            ledger.verdict("scorer-1", clue, "none"),
        ]
    for entry in refused:
        ledger.refuses(WrongPhase, "", entry)
    ledger.refuses_to(Conflict, address("scorer-1"), "scorer-1", "challenge.acknowledge", "ink")
    held = treasury.balance(ledger.challenge(), address("scorer-1"), "WON")
    ledger.say(
        "organiser", "money.withdraw", "ink",
        account=address("scorer-1"), asset="WON", amount=str(held), evidence="",
    )  # fmt: skip
    ledger.pay("donor-1", ledger.owed("donor-1").payable)
    assert treasury.available(ledger.challenge(), "WON") == 0
    ledger.audit()
