"""Entries of a clue: committed in time, revealed as committed, citing what stands, retracted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from danseo.core import treasury
from danseo.core.challenge import commitment_of
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotCovered,
    NotFound,
    Refused,
    WrongPhase,
)
from tests.core.ledger import (
    BOND,
    DEADLINE,
    PRIZE,
    REVEAL,
    SCORERS,
    START,
    TRUSTEES,
    Ledger,
    address,
    digest,
    site_person,
)

WHOLE = 10**9
ROLES = ("organiser", *SCORERS, *TRUSTEES)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open_challenge()
    return ledger


# --- committing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ROLES)
def test_whoever_may_know_the_truth_commits_to_nothing(ledger: Ledger, who: str) -> None:
    ledger.deposit(who, BOND)
    found = ledger.refuses(NotAllowed, address(who), ledger.commitment(who, "ink", "c"))
    assert who.split("-", maxsplit=1)[0] in found.message


def test_a_clue_can_be_committed_until_the_deadline_and_not_at_it(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", 2 * BOND)
    ledger.at(DEADLINE - 1)
    ledger.append(ledger.commitment("contributor-1", "ink", "c"))
    ledger.now = DEADLINE
    ledger.refuses(WrongPhase, DEADLINE, ledger.commitment("contributor-1", "ink", "d"))


def test_a_draft_takes_no_clue() -> None:
    ledger = Ledger()
    ledger.draft()
    ledger.deposit("contributor-1", BOND)
    ledger.refuses(WrongPhase, "ink is draft", ledger.commitment("contributor-1", "ink", "c"))


def test_a_bond_must_be_covered(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", BOND - 1)
    ledger.refuses(NotCovered, BOND - 1, ledger.commitment("contributor-1", "ink", "c"))
    ledger.deposit("contributor-1", 1)
    ledger.append(ledger.commitment("contributor-1", "ink", "c"))
    ledger.refuses(NotCovered, "has 0 WON", ledger.commitment("contributor-1", "ink", "d"))


def test_a_bond_of_another_asset_does_not_count(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", BOND, asset="ETH")
    ledger.refuses(NotCovered, "has 0 WON", ledger.commitment("contributor-1", "ink", "c"))


def test_the_same_commitment_stands_once(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", 2 * BOND)
    index = ledger.append(ledger.commitment("contributor-1", "ink", "c"))
    ledger.refuses(Conflict, f"entry {index}", ledger.commitment("contributor-1", "ink", "c"))


def test_whoever_repeats_anothers_commitment_keeps_nobody_out(ledger: Ledger) -> None:
    ledger.deposit("contributor-1", BOND)
    ledger.deposit("cheat-1", BOND)
    true = ledger.commitment("contributor-1", "ink", "c")
    copied = ledger.say("cheat-1", "clue.commit", "ink", **true.body)
    clue = ledger.append(replace(true, index=true.index + 1))
    ledger.reveal("contributor-1", clue, content="c")
    ledger.refuses(Conflict, f"clue {copied}", ledger.revelation("cheat-1", copied, content="c"))


def test_a_commitment_binds_each_of_its_parts() -> None:
    parts = ("ink", address("contributor-1"), digest("content"), digest("file"), digest("salt"))
    hashes = {commitment_of(*parts)}
    for i in range(len(parts)):
        hashes.add(commitment_of(*parts[:i], parts[i] + "x", *parts[i + 1 :]))
    hashes.add(commitment_of("in", "k" + parts[1], *parts[2:]))
    assert len(hashes) == len(parts) + 2


# --- revealing ----------------------------------------------------------------------------------


def test_a_revealed_clue_frees_its_bond(ledger: Ledger) -> None:
    clue = ledger.commit("contributor-1")
    assert treasury.balance(ledger.challenge(), address("contributor-1"), "WON") == 0
    ledger.reveal("contributor-1", clue)
    assert treasury.balance(ledger.challenge(), address("contributor-1"), "WON") == BOND
    assert ledger.clue(clue).status == "revealed"


def test_only_its_author_reveals_a_clue(ledger: Ledger) -> None:
    clue = ledger.commit("contributor-1")
    ledger.refuses(NotAllowed, f"Clue {clue}", ledger.revelation("contributor-2", clue))


def test_a_clue_that_was_never_committed_cannot_be_revealed(ledger: Ledger) -> None:
    ledger.refuses(NotFound, "clue 77", ledger.revelation("contributor-1", 77))


@pytest.mark.parametrize("field", ["salt", "content", "submission"])
def test_a_reveal_must_match_its_commitment(ledger: Ledger, field: str) -> None:
    clue = ledger.commit("contributor-1")
    honest = ledger.revelation("contributor-1", clue)
    other = {**honest.body, field: digest("something else")}
    ledger.refuses_to(Conflict, f"clue {clue}", "contributor-1", "clue.reveal", "ink", **other)


def test_a_place_in_the_order_cannot_be_filled_with_what_others_reveal(ledger: Ledger) -> None:
    held = ledger.commit("cheat-1", content="vague")
    good = ledger.publish("contributor-1", submission="the good file")
    ledger.refuses(
        Conflict,
        f"clue {held}",
        ledger.revelation("cheat-1", held, content="vague", submission="the good file"),
    )
    assert ledger.clue(good).duplicate_of == -1


def test_a_clue_is_revealed_once(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1")
    ledger.refuses(WrongPhase, "revealed", ledger.revelation("contributor-1", clue))
    ledger.score("ink", clue, "none")
    ledger.refuses(WrongPhase, "final", ledger.revelation("contributor-1", clue))


def test_a_reveal_comes_before_the_window_ends_and_not_at_it(ledger: Ledger) -> None:
    early, late = ledger.commit("contributor-1"), ledger.commit("contributor-2")
    ledger.at(START + REVEAL - 1)
    ledger.reveal("contributor-1", early)
    ledger.now = START + REVEAL
    found = ledger.refuses(WrongPhase, "lapsed", ledger.revelation("contributor-2", late))
    assert str(START + REVEAL) in found.remedy


def test_a_clue_of_the_last_second_can_be_revealed_after_the_deadline(ledger: Ledger) -> None:
    ledger.at(DEADLINE - 1)
    clue = ledger.commit("contributor-1")
    ledger.at(DEADLINE + REVEAL - 2)
    ledger.reveal("contributor-1", clue)


def test_a_lapsed_bond_goes_to_the_pool(ledger: Ledger) -> None:
    ledger.commit("contributor-1")
    ledger.wait(REVEAL)
    assert ledger.challenge().received == {"WON": PRIZE + BOND}
    assert ledger.challenge().forfeited == {"WON": BOND}
    ledger.audit()


# --- citing -------------------------------------------------------------------------------------


def test_a_citation_names_a_clue_that_stands(ledger: Ledger) -> None:
    hidden = ledger.commit("contributor-1")
    lapsed = hidden
    gone = ledger.publish("contributor-1")
    ledger.say("contributor-1", "clue.retract", "ink", clue=gone)
    mine = ledger.commit("contributor-2")
    later = ledger.publish("contributor-3")

    def refuses(error: type[Refused], names: object, target: int) -> None:
        entry = ledger.revelation("contributor-2", mine, cites=[(target, 1)])
        ledger.refuses(error, names, entry)

    refuses(Conflict, f"cites {mine}", mine)
    refuses(Conflict, f"cites {later}", later)
    refuses(Conflict, "cites 9007199254740991", 2**53 - 1)
    refuses(NotFound, "no clue 0", 0)
    refuses(NotFound, f"Clue {hidden} is committed", hidden)
    refuses(NotFound, f"Clue {gone} is retracted", gone)
    ledger.at(START + REVEAL - 1)
    ledger.now += 1
    fresh = ledger.commit("contributor-2")
    ledger.refuses(
        NotFound,
        f"Clue {lapsed} is lapsed",
        ledger.revelation("contributor-2", fresh, cites=[(lapsed, 1)]),
    )


def test_a_clue_is_cited_once_and_within_the_whole(ledger: Ledger) -> None:
    a, b = ledger.publish("contributor-1"), ledger.publish("contributor-1")
    mine = ledger.commit("contributor-2")
    ledger.refuses(
        Conflict, f"Clue {a}", ledger.revelation("contributor-2", mine, cites=[(a, 1), (a, 2)])
    )
    ledger.refuses(
        NotCovered,
        WHOLE + 1,
        ledger.revelation("contributor-2", mine, cites=[(a, WHOLE), (b, 1)]),
    )
    ledger.refuses(
        Malformed, "weight is 0", ledger.revelation("contributor-2", mine, cites=[(a, 0)])
    )
    ledger.reveal("contributor-2", mine, cites=[(a, WHOLE - 1), (b, 1)])


def test_a_citation_of_a_clue_that_is_retracted_later_pays_nobody(ledger: Ledger) -> None:
    gone = ledger.publish("contributor-1")
    kept = ledger.publish("contributor-1")
    clue = ledger.publish("contributor-2", cites=[(gone, WHOLE // 2), (kept, WHOLE // 2)])
    ledger.say("contributor-1", "clue.retract", "ink", clue=gone)
    ledger.score("ink", kept, 520_000_000)
    ledger.score("ink", clue, 560_000_000)
    nodes = ledger.challenge().nodes
    assert [node.cites for node in nodes] == [(), ((0, WHOLE // 2),)]
    ledger.audit()


def test_whoever_cites_it_a_passed_or_unfit_clue_is_a_node(ledger: Ledger) -> None:
    unfit = ledger.step("contributor-1", "unfit")
    clue = ledger.step("contributor-2", 520_000_000, cites=[(unfit, WHOLE)])
    assert ledger.challenge().nodes[ledger.clue(clue).node].cites == ((0, WHOLE),)
    ledger.audit()


# --- payees -------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ROLES)
def test_whoever_may_know_the_truth_is_no_payee(ledger: Ledger, who: str) -> None:
    clue = ledger.commit("contributor-1")
    ledger.refuses(
        NotAllowed, address(who), ledger.revelation("contributor-1", clue, payees=[(who, 1)])
    )


def test_a_scorers_later_key_is_no_payee_either() -> None:
    ledger = Ledger()
    for who in (*SCORERS, *TRUSTEES):
        ledger.say(who, "key.sealing", x25519=digest(who))
    ledger.say("scorer-1", "key.next", next=address("scorer-1b"))
    ledger.open_challenge(deadline=START + 10**7)
    ledger.wait(7 * 24 * 3600)
    ledger.say("scorer-1b", "key.rotate", identity=address("scorer-1"))
    clue = ledger.commit("contributor-1")
    ledger.refuses(
        NotAllowed,
        address("scorer-1"),
        ledger.revelation("contributor-1", clue, payees=[("scorer-1b", 1)]),
    )
    ledger.deposit("scorer-1b", BOND)
    ledger.refuses(NotAllowed, address("scorer-1"), ledger.commitment("scorer-1b", "ink", "c"))


def test_payees_are_named_once_and_are_few(ledger: Ledger) -> None:
    clue = ledger.commit("contributor-1")
    twice = [("contributor-2", 1), ("contributor-2", 2)]
    ledger.refuses(
        Conflict,
        address("contributor-2"),
        ledger.revelation("contributor-1", clue, payees=twice),
    )
    many = [(f"contributor-{i}", 1) for i in range(17)]
    ledger.refuses(Malformed, "17 payees", ledger.revelation("contributor-1", clue, payees=many))
    ledger.reveal("contributor-1", clue, payees=many[:16])


def test_payees_share_to_the_last_unit(ledger: Ledger) -> None:
    person = site_person("without a wallet")
    payees = [("contributor-1", 1), ("contributor-2", 1), (person, 1)]
    ledger.step("contributor-1", 520_000_000, payees=payees)
    shares = treasury.account_shares(ledger.challenge())
    (whole,) = treasury.clue_shares(ledger.challenge()).values()
    assert sum(shares.values()) == whole
    assert max(shares.values()) - min(shares.values()) <= 1
    assert set(shares) == {address("contributor-1"), address("contributor-2"), person}


# --- copies -------------------------------------------------------------------------------------


def test_the_first_committed_is_the_original_whoever_reveals_first(ledger: Ledger) -> None:
    first = ledger.commit("contributor-1", content="one", submission="file")
    second = ledger.commit("contributor-2", content="two", submission="file")
    ledger.reveal("contributor-2", second, content="two", submission="file")
    assert ledger.clue(second).duplicate_of == -1
    ledger.reveal("contributor-1", first, content="one", submission="file")
    assert ledger.clue(second).duplicate_of == first
    assert ledger.clue(first).duplicate_of == -1


def test_a_copy_of_a_retracted_clue_stays_a_copy(ledger: Ledger) -> None:
    first = ledger.publish("contributor-1", submission="file")
    ledger.say("contributor-1", "clue.retract", "ink", clue=first)
    copy = ledger.publish("cheat-1", submission="file")
    assert ledger.clue(copy).duplicate_of == first


# --- retracting ---------------------------------------------------------------------------------


def test_only_its_author_retracts_a_clue(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1")
    ledger.refuses_to(NotAllowed, f"Clue {clue}", "contributor-2", "clue.retract", "ink", clue=clue)
    ledger.refuses_to(NotFound, "clue 3", "contributor-2", "clue.retract", "ink", clue=3)


def test_a_clue_that_is_being_scored_is_not_retracted(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1")
    ledger.append(ledger.verdict("scorer-1", clue, "none"))
    ledger.refuses_to(WrongPhase, "being scored", "contributor-1", "clue.retract", "ink", clue=clue)
    ledger.append(ledger.verdict("scorer-2", clue, "none"))
    ledger.refuses_to(WrongPhase, "final", "contributor-1", "clue.retract", "ink", clue=clue)


def test_a_retracted_clue_is_neither_scored_nor_retracted_again(ledger: Ledger) -> None:
    clue = ledger.publish("contributor-1")
    ledger.say("contributor-1", "clue.retract", "ink", clue=clue)
    ledger.refuses_to(WrongPhase, "retracted", "contributor-1", "clue.retract", "ink", clue=clue)
    ledger.refuses(WrongPhase, "retracted", ledger.verdict("scorer-1", clue, "none"))


def test_retracting_unseen_costs_the_bond_as_lapsing_does(ledger: Ledger) -> None:
    clue = ledger.commit("contributor-1")
    ledger.say("contributor-1", "clue.retract", "ink", clue=clue)
    assert ledger.challenge().forfeited == {"WON": BOND}
    ledger.wait(REVEAL)
    assert ledger.challenge().forfeited == {"WON": BOND}
    ledger.audit()


def test_whoever_commits_to_many_and_reveals_the_best_pays_for_each(ledger: Ledger) -> None:
    clues = [ledger.commit("cheat-1") for _ in range(10)]
    ledger.reveal("cheat-1", clues[7])
    ledger.wait(REVEAL)
    assert ledger.challenge().forfeited == {"WON": 9 * BOND}
    assert ledger.challenge().received == {"WON": PRIZE + 9 * BOND}


def test_who_has_not_accepted_the_rules_commits_to_nothing() -> None:
    ledger = Ledger()
    ledger.open_challenge(rules=digest("rules"))
    ledger.deposit("contributor-1", BOND)
    entry = ledger.commitment("contributor-1", "ink", "content")
    ledger.refuses(NotAllowed, "has not accepted the rules", entry)
    other = {"rules": digest("other rules")}
    ledger.refuses_to(Conflict, digest("rules"), "contributor-1", "rules.accept", "ink", **other)
    index = ledger.say("contributor-1", "rules.accept", "ink", rules=digest("rules"))
    ledger.refuses_to(
        Conflict, index, "contributor-1", "rules.accept", "ink", rules=digest("rules")
    )
    ledger.commit("contributor-1")


def test_there_are_no_rules_to_accept_where_the_opening_names_none() -> None:
    ledger = Ledger()
    ledger.open_challenge()
    body = {"rules": digest("rules")}
    ledger.refuses_to(NotFound, "no rules", "contributor-1", "rules.accept", "ink", **body)
