"""The frame of an entry: who, when, in which order, about what; and what refusals leave behind."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from danseo.core.entry import Entry
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotFound,
    OutOfOrder,
    Refused,
    WrongPhase,
)
from danseo.core.state import State, apply
from tests.core.ledger import DEADLINE, REVEAL, START, Ledger, address, digest, terms


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open_challenge()
    return ledger


def test_a_replayed_entry_is_refused(ledger: Ledger) -> None:
    ledger.say("contributor-1", "key.payout", to=address("wallet"))
    entry = ledger.entries[-1]
    ledger.refuses(OutOfOrder, f"index {entry.index}", entry)
    moved = replace(entry, index=ledger.state.size)
    ledger.refuses(OutOfOrder, "sequence 0", moved)


def test_entries_cannot_change_places(ledger: Ledger) -> None:
    first = ledger.entry("contributor-1", "tick")
    second = replace(first, index=first.index + 1, sequence=first.sequence + 1)
    ledger.refuses(OutOfOrder, f"index {second.index}", second)
    ledger.append(first)
    ledger.append(second)


def test_a_sequence_has_no_gap(ledger: Ledger) -> None:
    entry = ledger.entry("contributor-1", "tick")
    ledger.refuses(OutOfOrder, "sequence 1", replace(entry, sequence=1))


def test_sequences_count_for_each_challenge_apart(ledger: Ledger) -> None:
    ledger.open_challenge("second")
    assert ledger.entry("organiser", "tick").sequence == 0
    assert ledger.entry("organiser", "challenge.cancel", "second").sequence == 4
    assert ledger.entry("organiser", "challenge.cancel", "third").sequence == 0


def test_time_never_goes_back(ledger: Ledger) -> None:
    ledger.wait(10)
    entry = ledger.entry("contributor-1", "tick")
    ledger.refuses(OutOfOrder, entry.time - 1, replace(entry, time=entry.time - 1))


def test_a_summary_says_what_the_body_does(ledger: Ledger) -> None:
    entry = ledger.entry("contributor-1", "key.payout", to=address("wallet"))
    lie = replace(entry, summary=entry.summary.replace(address("wallet"), address("other")))
    ledger.refuses(Malformed, repr(lie.summary), lie)
    ledger.refuses(Malformed, "''", replace(entry, summary=""))


def test_a_summary_may_be_korean(ledger: Ledger) -> None:
    entry = ledger.entry("contributor-1", "key.payout", to=address("wallet"))
    korean = f"내 지급금을 {address('wallet')}(으)로 받음"
    ledger.append(replace(entry, summary=korean))


def test_a_log_has_one_genesis_and_begins_with_it(ledger: Ledger) -> None:
    genesis = ledger.entries[0]
    ledger.refuses(OutOfOrder, "log.genesis", replace(genesis, index=ledger.state.size, sequence=1))
    empty = State()
    with pytest.raises(OutOfOrder, match="Entry 0 is of kind tick"):
        apply(empty, Entry(0, START, address("a"), "tick", "", 0, "Let time pass", {}))
    assert empty == State()


def test_what_concerns_the_log_names_no_challenge(ledger: Ledger) -> None:
    ledger.refuses_to(Malformed, "'ink'", "contributor-1", "tick", "ink")


def test_an_unknown_challenge_is_refused(ledger: Ledger) -> None:
    ledger.refuses_to(NotFound, "'inc'", "stranger", "challenge.close", "inc")
    ledger.refuses_to(NotFound, "''", "stranger", "challenge.close", "")


@pytest.mark.parametrize("name", ["", "-ink", "ink-", "Ink", "in k", "잉크", "a" * 65, "ink\n"])
def test_a_challenge_has_a_plain_name(ledger: Ledger, name: str) -> None:
    ledger.refuses_to(
        Malformed, repr(name[:80]), "organiser", "challenge.open", name, terms=terms()
    )


def test_a_name_is_taken_once(ledger: Ledger) -> None:
    ledger.refuses_to(Conflict, "'ink'", "organiser", "challenge.open", "ink", terms=terms())


def test_an_unknown_kind_is_refused(ledger: Ledger) -> None:
    ledger.refuses_to(Malformed, "'coin.mint'", "organiser", "coin.mint")


def test_a_refusal_lets_time_pass_and_does_nothing_else(ledger: Ledger) -> None:
    clue = ledger.commit("contributor-1")
    ledger.now = DEADLINE + REVEAL
    ledger.refuses_to(NotAllowed, "stranger"[:0], "stranger", "challenge.cancel", "ink",
                      reason=digest("why"))  # fmt: skip
    assert ledger.clue(clue).status == "lapsed"


def test_passing_time_in_two_steps_equals_passing_it_in_one(ledger: Ledger) -> None:
    for who in ("contributor-1", "contributor-2"):
        ledger.commit(who)
        ledger.publish(who)
        ledger.wait(777)
    for first in range(ledger.now, DEADLINE + 40_000, 2_503):
        one, two = copy.deepcopy(ledger.state), copy.deepcopy(ledger.state)
        two.pass_time(first)
        two.pass_time(DEADLINE + 40_000)
        one.pass_time(DEADLINE + 40_000)
        assert one == two


def test_folding_the_same_entries_again_gives_the_same_state(ledger: Ledger) -> None:
    ledger.step("contributor-1", 520_000_000)
    again = State()
    for entry in ledger.entries:
        apply(again, entry)
    assert again == ledger.state


def test_only_clock_advance_moves_a_simulated_clock() -> None:
    ledger = Ledger("simulated")
    ledger.now += 5
    ledger.refuses_to(OutOfOrder, START + 5, "stranger", "tick")
    ledger.refuses_to(NotAllowed, address("stranger"), "stranger", "clock.advance", to=START + 5)
    ledger.say("operator", "clock.advance", to=START + 5)
    ledger.say("stranger", "tick")
    assert ledger.state.now == START + 5


def test_a_clock_advances_to_the_time_that_its_entry_bears() -> None:
    ledger = Ledger("simulated")
    ledger.refuses_to(OutOfOrder, START, "operator", "clock.advance", to=START)
    ledger.refuses_to(OutOfOrder, START + 9, "operator", "clock.advance", to=START + 9)


def test_a_real_clock_is_not_advanced(ledger: Ledger) -> None:
    ledger.now += 5
    found = ledger.refuses_to(WrongPhase, "system", "operator", "clock.advance", to=START + 5)
    assert isinstance(found, Refused)
