"""Entries about the log: genesis, clock, key, withheld blobs."""

from __future__ import annotations

import pytest

from danseo.core.entry import Entry
from danseo.core.errors import Conflict, Malformed, NotAllowed
from danseo.core.state import State, apply
from tests.core.ledger import START, Ledger, address, digest, site_person


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_the_genesis_says_what_the_log_is(ledger: Ledger) -> None:
    state = ledger.state
    assert (state.origin, state.chain_id, state.clock) == ("danseo.example/log", 31337, "system")
    assert (state.operator, state.site) == (address("operator"), address("site"))
    assert state.log_keys == [(0, digest("log key"))]


def test_a_site_person_begins_no_log() -> None:
    body = {"origin": "a.b/c", "chain_id": 1, "clock": "system", "log_key": digest("k")}
    summary = "Begin the log a.b/c with a system clock"
    state = State()
    with pytest.raises(Malformed):
        apply(state, Entry(0, START, site_person("p"), "log.genesis", "", 0, summary, body))
    assert state.size == 0
    assert state.origin == ""


def test_anyone_may_tick(ledger: Ledger) -> None:
    ledger.now += 100
    ledger.say("stranger", "tick")
    assert ledger.state.now == START + 100


def test_only_the_operator_advances_the_clock() -> None:
    ledger = Ledger("simulated")
    ledger.now += 5
    ledger.refuses_to(NotAllowed, address("stranger"), "stranger", "clock.advance", to=START + 5)


def test_the_log_key_rotates_by_its_operator_to_a_fresh_one(ledger: Ledger) -> None:
    ledger.refuses_to(NotAllowed, address("stranger"), "stranger", "log.key", log_key=digest("k2"))
    index = ledger.say("operator", "log.key", log_key=digest("k2"))
    assert ledger.state.log_key == digest("k2")
    assert ledger.state.log_keys == [(0, digest("log key")), (index, digest("k2"))]
    ledger.refuses_to(
        Conflict, digest("log key")[:16], "operator", "log.key", log_key=digest("log key")
    )


@pytest.mark.parametrize("who", ["operator", "site"])
def test_operator_and_site_withhold_a_blob_once(ledger: Ledger, who: str) -> None:
    blob, reason = digest("blob"), digest("reason")
    index = ledger.say(who, "blob.withhold", blob=blob, reason=reason)
    assert ledger.state.withheld == {blob: index}
    ledger.refuses_to(Conflict, f"entry {index}", who, "blob.withhold", blob=blob, reason=reason)


def test_nobody_else_withholds_a_blob(ledger: Ledger) -> None:
    ledger.refuses_to(
        NotAllowed, address("stranger"), "stranger", "blob.withhold",
        blob=digest("blob"), reason=digest("reason"),
    )  # fmt: skip


def test_a_reason_cannot_withhold_itself(ledger: Ledger) -> None:
    ledger.refuses_to(
        Conflict, "reason", "operator", "blob.withhold", blob=digest("b"), reason=digest("b")
    )
