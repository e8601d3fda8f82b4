"""Keys that succeed one another, where money goes, and people without a wallet."""

from __future__ import annotations

import pytest

from danseo.core import treasury
from danseo.core.errors import Conflict, Malformed, NotAllowed, NotFound, WrongPhase
from danseo.core.kinds.identity import DELAY
from tests.core.ledger import (
    BOND,
    DEADLINE,
    REVEAL,
    SCORERS,
    START,
    TRUSTEES,
    Ledger,
    address,
    digest,
    site_person,
)

LATE = START + 3 * DELAY
"""A deadline that leaves time for keys to take effect."""
PERSON = site_person("someone")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def rotate(ledger: Ledger, old: str, new: str, identity: str) -> None:
    """Let `new` take over from `old`, after the delay."""
    ledger.say(old, "key.next", next=address(new))
    ledger.wait(DELAY)
    ledger.say(new, "key.rotate", identity=address(identity))


# --- keys and addresses -------------------------------------------------------------------------


def test_a_key_or_an_address_is_registered_once(ledger: Ledger) -> None:
    ledger.say("scorer-1", "key.sealing", x25519=digest("k"))
    ledger.refuses_to(Conflict, "sealing", "scorer-1", "key.sealing", x25519=digest("k"))
    ledger.say("scorer-1", "key.sealing", x25519=digest("k2"))
    ledger.say("scorer-1", "key.payout", to=address("wallet"))
    ledger.refuses_to(Conflict, address("wallet"), "scorer-1", "key.payout", to=address("wallet"))
    assert ledger.state.people[address("scorer-1")].sealing == digest("k2")


def test_a_registered_key_takes_over_after_seven_days(ledger: Ledger) -> None:
    ledger.say("a", "key.next", next=address("b"))
    ledger.wait(DELAY - 1)
    ledger.refuses_to(WrongPhase, START + DELAY, "b", "key.rotate", identity=address("a"))
    ledger.wait(1)
    index = ledger.say("b", "key.rotate", identity=address("a"))
    ledger.refuses_to(NotAllowed, f"entry {index}", "a", "tick")
    assert ledger.state.identity(address("b")) == address("a")


def test_only_the_registered_key_takes_over(ledger: Ledger) -> None:
    ledger.refuses_to(NotFound, address("a"), "b", "key.rotate", identity=address("a"))
    ledger.say("a", "key.next", next=address("b"))
    ledger.wait(DELAY)
    ledger.refuses_to(NotAllowed, address("thief"), "thief", "key.rotate", identity=address("a"))


def test_what_a_thief_registered_is_void_once_the_owner_has_rotated(ledger: Ledger) -> None:
    ledger.say("a", "key.next", next=address("b"))
    ledger.wait(DELAY - 1)
    ledger.say("a", "key.next", next=address("thief"))
    ledger.wait(1)
    ledger.say("b", "key.rotate", identity=address("a"))
    ledger.wait(DELAY)
    ledger.refuses_to(NotAllowed, address("thief"), "thief", "key.rotate", identity=address("a"))


def test_a_key_with_a_past_takes_over_from_nobody(ledger: Ledger) -> None:
    ledger.open_challenge(deadline=LATE)
    ledger.refuses_to(Conflict, address("a"), "a", "key.next", next=address("a"))
    ledger.say("b", "tick")
    ledger.publish("c")
    for used in ("b", "c", "organiser", "scorer-1"):
        ledger.refuses_to(Conflict, address(used), "a", "key.next", next=address(used))
    rotate(ledger, "a", "d", "a")
    for used in ("a", "d"):
        ledger.refuses_to(Conflict, address(used), "x", "key.next", next=address(used))
    ledger.say("x", "key.next", next=address("y"))
    ledger.refuses_to(Conflict, address("y"), "x", "key.next", next=address("y"))
    ledger.wait(DELAY)
    ledger.deposit("y", BOND)
    ledger.append(ledger.commitment("y", "ink", "c"))
    ledger.refuses_to(Conflict, address("y"), "y", "key.rotate", identity=address("x"))


def test_an_identity_goes_through_many_keys(ledger: Ledger) -> None:
    rotate(ledger, "a", "b", "a")
    rotate(ledger, "b", "c", "a")
    assert ledger.state.identity(address("c")) == address("a")
    assert ledger.state.identity(address("b")) == address("a")
    for gone in ("a", "b"):
        ledger.refuses_to(NotAllowed, address(gone), gone, "tick")
    ledger.say("c", "tick")
    assert ledger.state.next_sequence(address("c"), "") == 2


def test_a_retired_key_cannot_be_taken_over_from(ledger: Ledger) -> None:
    rotate(ledger, "a", "b", "a")
    ledger.refuses_to(NotFound, address("b"), "c", "key.rotate", identity=address("b"))


def test_a_rotation_in_the_middle_of_everything(ledger: Ledger) -> None:
    """Roles, bonds, clues, payees and stakes belong to the identity, whatever key signs."""
    people = ("organiser", "contributor-1", *SCORERS, *TRUSTEES)
    for who in people:
        ledger.say(who, "key.next", next=address(f"{who}'"))
    ledger.open_challenge(deadline=LATE)
    clue = ledger.commit("contributor-1")
    other = ledger.publish("contributor-2", payees=[("contributor-1", 1)])
    ledger.at(START + REVEAL - 1)
    ledger.reveal("contributor-1", clue)
    held = ledger.publish("contributor-1")
    ledger.at(START + DELAY)
    assert ledger.clue(held).verdict == "passed"
    mine = ledger.publish("contributor-1")
    for who in people:
        ledger.say(f"{who}'", "key.rotate", identity=address(who))
    ledger.refuses(NotAllowed, address("scorer-1"), ledger.verdict("scorer-1", mine, "none"))
    for scorer in SCORERS:
        ledger.append(ledger.verdict(f"{scorer}'", mine, 520_000_000))
    late = ledger.publish("contributor-1'", cites=[(mine, 10**9)])
    assert ledger.clue(late).author == address("contributor-1")
    ledger.say("contributor-1'", "clue.retract", "ink", clue=late)
    ledger.at(LATE + REVEAL)
    for trustee, share in (("trustee-1'", "trustee-1"), ("trustee-3'", "trustee-3")):
        ledger.append(ledger.share(trustee, share=ledger.share(share).body["share"]))
    ledger.append(ledger.exact({clue: None, other: 510_000_000, held: None, mine: 525_000_000}))
    account = address("contributor-1")
    assert set(treasury.account_shares(ledger.challenge())) == {account}
    assert ledger.state.payout_address(account) == address("contributor-1'")
    ledger.refuses_to(
        NotAllowed, address("organiser"), "organiser", "money.pay", "ink",
        account=account, to=account, asset="WON", amount="1", evidence="",
    )  # fmt: skip
    ledger.say(
        "organiser'", "money.pay", "ink",
        account=account, to=address("contributor-1'"), asset="WON", amount="1", evidence="",
    )  # fmt: skip
    ledger.say("stranger", "challenge.close", "ink")
    assert treasury.balance(ledger.challenge(), address("scorer-1"), "WON") == 1_000
    ledger.audit()


def test_a_deposit_for_a_new_key_is_its_identitys(ledger: Ledger) -> None:
    ledger.open_challenge(deadline=LATE)
    rotate(ledger, "contributor-1", "contributor-1'", "contributor-1")
    ledger.deposit("contributor-1'", BOND)
    ledger.append(ledger.commitment("contributor-1'", "ink", "c"))


def test_a_rotation_halfway_through_a_clue_keeps_it_revealable(ledger: Ledger) -> None:
    ledger.open_challenge(deadline=LATE)
    ledger.say("contributor-1", "key.next", next=address("b"))
    ledger.wait(DELAY)
    clue = ledger.commit("contributor-1")
    ledger.say("b", "key.rotate", identity=address("contributor-1"))
    ledger.refuses(NotAllowed, address("contributor-1"), ledger.revelation("contributor-1", clue))
    ledger.reveal("b", clue)
    assert ledger.clue(clue).status == "revealed"


# --- where money goes ---------------------------------------------------------------------------


def test_money_goes_where_its_owner_says(ledger: Ledger) -> None:
    assert ledger.state.payout_address(address("a")) == address("a")
    rotate(ledger, "a", "b", "a")
    assert ledger.state.payout_address(address("a")) == address("b")
    ledger.say("b", "key.payout", to=address("wallet"))
    assert ledger.state.payout_address(address("a")) == address("wallet")


def test_a_payee_who_later_takes_over_an_identity_is_paid_with_it(ledger: Ledger) -> None:
    ledger.open_challenge(deadline=LATE)
    clue = ledger.publish("contributor-1", payees=[("b", 1)])
    ledger.score("ink", clue, 520_000_000)
    rotate(ledger, "a", "b", "a")
    rotate(ledger, "b", "c", "a")
    assert ledger.owed("b").payable > 0
    assert ledger.state.payout_address(address("b")) == address("c")


def test_a_person_without_a_wallet_waits_for_a_key(ledger: Ledger) -> None:
    assert ledger.state.payout_address(PERSON) == ""
    ledger.say(PERSON, "key.offer", address=address("wallet"))
    ledger.say("wallet", "key.adopt", person=PERSON)
    ledger.wait(DELAY - 1)
    assert ledger.state.payout_address(PERSON) == ""
    ledger.wait(1)
    assert ledger.state.payout_address(PERSON) == address("wallet")


def test_only_the_offered_key_adopts_and_only_once(ledger: Ledger) -> None:
    ledger.refuses_to(NotAllowed, PERSON, "wallet", "key.adopt", person=PERSON)
    ledger.say(PERSON, "key.offer", address=address("wallet"))
    ledger.refuses_to(NotAllowed, address("thief"), "thief", "key.adopt", person=PERSON)
    ledger.say("wallet", "key.adopt", person=PERSON)
    ledger.refuses_to(NotAllowed, PERSON, "wallet", "key.adopt", person=PERSON)


def test_the_person_objects_within_seven_days(ledger: Ledger) -> None:
    ledger.refuses_to(NotFound, address("thief"), PERSON, "key.object", address=address("thief"))
    ledger.say(PERSON, "key.offer", address=address("thief"))
    ledger.say("thief", "key.adopt", person=PERSON)
    ledger.refuses_to(NotFound, address("other"), PERSON, "key.object", address=address("other"))
    ledger.wait(DELAY - 1)
    ledger.say(PERSON, "key.object", address=address("thief"))
    ledger.wait(1)
    assert ledger.state.payout_address(PERSON) == ""


def test_an_adoption_that_took_effect_stands_for_good(ledger: Ledger) -> None:
    ledger.say(PERSON, "key.offer", address=address("wallet"))
    ledger.say("wallet", "key.adopt", person=PERSON)
    ledger.wait(DELAY)
    ledger.refuses_to(WrongPhase, START + DELAY, PERSON, "key.object", address=address("wallet"))
    ledger.refuses_to(Conflict, address("wallet"), PERSON, "key.offer", address=address("thief"))


def test_the_site_cannot_send_a_persons_money_anywhere_at_once(ledger: Ledger) -> None:
    ledger.refuses_to(NotAllowed, "site", PERSON, "key.payout", to=address("thief"))
    ledger.refuses_to(NotAllowed, "wallet", PERSON, "key.next", next=address("thief"))
    ledger.refuses_to(Malformed, PERSON, "thief", "key.rotate", identity=PERSON)


def test_a_person_with_a_wallet_adopts_nothing(ledger: Ledger) -> None:
    ledger.refuses_to(NotAllowed, "wallet", "a", "key.offer", address=address("b"))


def test_a_person_without_a_wallet_is_paid_at_the_adopted_key(ledger: Ledger) -> None:
    ledger.open_challenge()
    clue = ledger.publish(PERSON)
    ledger.score("ink", clue, 520_000_000)
    pay = {"account": PERSON, "asset": "WON", "amount": "1", "evidence": ""}
    ledger.refuses_to(
        Conflict, "no key", "organiser", "money.pay", "ink", to=address("wallet"), **pay
    )
    ledger.say(PERSON, "key.offer", address=address("wallet"))
    ledger.say("wallet", "key.adopt", person=PERSON)
    ledger.wait(DELAY)
    assert ledger.now > DEADLINE
    ledger.say("organiser", "money.pay", "ink", to=address("wallet"), **pay)
