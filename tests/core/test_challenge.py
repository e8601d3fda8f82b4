"""The life of a challenge as a whole, and what cheats try on it."""

from __future__ import annotations

import pytest

from danseo.core import treasury
from danseo.core.challenge import phase
from danseo.core.errors import Conflict, NotCovered, WrongPhase
from tests.core.ledger import (
    ALL_FINAL,
    BASELINE,
    BOND,
    DEADLINE,
    ETA,
    PER_STEP,
    PRIZE,
    REVEAL,
    SCORE,
    SILENCE,
    STAKE,
    START,
    Ledger,
    address,
    jury_round,
)

WHOLE = 10**9


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open_challenge()
    return ledger


def test_a_challenge_passes_through_all_its_phases() -> None:
    ledger = Ledger()
    seen = []

    def look() -> None:
        now = phase(ledger.challenge(), ledger.now)
        if now not in seen:
            seen.append(now)

    ledger.draft()
    look()
    for who in ("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3"):
        ledger.say(who, "challenge.acknowledge", "ink")
    look()
    ledger.at(DEADLINE - 1)
    clue = ledger.publish("contributor-1")
    ledger.at(DEADLINE)
    look()
    ledger.score("ink", clue, 520_000_000)
    ledger.at(DEADLINE + REVEAL)
    look()
    ledger.release()
    look()
    ledger.append(ledger.exact({clue: 520_000_000}))
    look()
    ledger.say("stranger", "challenge.close", "ink")
    look()
    assert seen == [
        "draft", "open", "revealing", "truth", "recomputing", "settled", "closed",
    ]  # fmt: skip


def test_scoring_may_go_on_after_the_last_reveal(ledger: Ledger) -> None:
    ledger.at(DEADLINE - 1)
    clue = ledger.commit("contributor-1")
    ledger.at(DEADLINE + REVEAL - 2)
    ledger.reveal("contributor-1", clue)
    ledger.at(DEADLINE + REVEAL)
    assert phase(ledger.challenge(), ledger.now) == "scoring"
    ledger.at(ALL_FINAL)
    assert phase(ledger.challenge(), ledger.now) == "truth"


def test_two_challenges_on_one_log_do_not_touch(ledger: Ledger) -> None:
    ledger.open_challenge("second")
    a = ledger.step("contributor-1", 520_000_000)
    b = ledger.step("contributor-1", 540_000_000, name="second")
    assert list(ledger.challenge("ink").clues) == [a]
    assert list(ledger.challenge("second").clues) == [b]
    ledger.settle({a: 520_000_000})
    assert ledger.challenge("second").status == "open"
    assert ledger.challenge("second").frontier == 4 * ETA
    ledger.audit()


# --- the queue ----------------------------------------------------------------------------------


def test_whoever_commits_and_hides_blocks_others_for_one_reveal_window(ledger: Ledger) -> None:
    for i in range(20):
        ledger.commit(f"cheat-{i}")
    good = ledger.publish("contributor-1")
    ledger.at(START + REVEAL - 1)
    assert ledger.clue(good).status == "revealed"
    ledger.at(START + REVEAL)
    ledger.score("ink", good, 520_000_000)
    assert ledger.clue(good).verdict == "step"
    assert ledger.challenge().forfeited == {"WON": 20 * BOND}


def test_a_chain_of_hidden_commitments_costs_a_bond_for_each_window(ledger: Ledger) -> None:
    """Each lapses on its own, so only those committed before a clue can hold it up."""
    ledger.commit("cheat-1")
    good = ledger.publish("contributor-1")
    for _ in range(3):
        ledger.wait(REVEAL // 4)
        ledger.commit("cheat-1")
    ledger.at(START + REVEAL)
    ledger.score("ink", good, 520_000_000)
    assert ledger.clue(good).verdict == "step"


def test_what_moves_is_final_in_order_of_commitment_not_of_reveal(ledger: Ledger) -> None:
    first, second = ledger.commit("contributor-1"), ledger.commit("contributor-2")
    ledger.reveal("contributor-2", second)
    ledger.reveal("contributor-1", first)
    ledger.score("ink", first, 520_000_000)
    ledger.refuses(Conflict, 520_000_000, ledger.verdict("scorer-1", second, 520_000_000))
    ledger.score("ink", second, "none")
    assert [ledger.clue(c).node for c in (first, second)] == [0, 1]


def test_whoever_copies_a_revealed_clue_comes_after_it(ledger: Ledger) -> None:
    good = ledger.publish("contributor-1", submission="the file")
    copy = ledger.publish("cheat-1", submission="the file")
    assert ledger.clue(copy).duplicate_of == good
    ledger.score("ink", good, 600_000_000)
    ledger.refuses(Conflict, 600_000_000, ledger.verdict("scorer-1", copy, 600_000_000))
    ledger.score("ink", copy, "none")
    ledger.settle({good: 605_000_000, copy: 605_000_000})
    assert ledger.owed("cheat-1").entitled == 0
    ledger.audit()


def test_a_clue_split_in_two_pays_nothing_more(ledger: Ledger) -> None:
    whole = Ledger()
    whole.open_challenge()
    one = whole.step("contributor-1", 600_000_000)
    a = ledger.step("contributor-1", 560_000_000)
    b = ledger.step("contributor-1", 600_000_000, cites=[(a, WHOLE)])
    for log, mine in ((ledger, b), (whole, one)):
        log.step("contributor-2", 700_000_000, cites=[(mine, WHOLE)])
    for who in ("contributor-1", "contributor-2"):
        assert abs(ledger.owed(who).shares - whole.owed(who).shares) <= 1
        assert ledger.owed(who).shares > 0


def test_a_chain_of_misses_that_cite_one_another_earns_nothing(ledger: Ledger) -> None:
    """What flows along citations pays a clue by the size of its own step, and a miss has none."""
    plain = Ledger()
    plain.open_challenge()
    for log, chain in ((plain, False), (ledger, True)):
        first = log.step("contributor-1", 560_000_000)
        for _ in range(5 if chain else 0):
            miss = log.step("cheat-1", "none", cites=[(first, WHOLE)])
            log.step("cheat-1", "none", cites=[(miss, WHOLE)])
        log.step("contributor-2", 600_000_000, cites=[(first, WHOLE)])
    assert ledger.owed("cheat-1").shares == 0
    for who in ("contributor-1", "contributor-2"):
        assert ledger.owed(who) == plain.owed(who)


def test_a_passed_over_clue_is_cited_at_its_node(ledger: Ledger) -> None:
    passed = ledger.publish("contributor-1")
    ledger.wait(SCORE)
    citer = ledger.step("contributor-2", 600_000_000, cites=[(passed, WHOLE)])
    alone = ledger.owed("contributor-2").shares
    ledger.settle({passed: 550_000_000, citer: 600_000_000})
    assert [node.cites for node in ledger.challenge().nodes] == [(), ((0, WHOLE),)]
    assert ledger.owed("contributor-1").shares > 5 * PER_STEP * WHOLE
    assert ledger.owed("contributor-2").shares < alone
    ledger.audit()


def test_retracting_what_others_cite_moves_money_to_nobody(ledger: Ledger) -> None:
    bait = ledger.publish("cheat-1")
    good = ledger.publish("contributor-1", cites=[(bait, WHOLE)])
    ledger.say("cheat-1", "clue.retract", "ink", clue=bait)
    ledger.score("ink", good, 600_000_000)
    assert treasury.account_shares(ledger.challenge()) == {
        address("contributor-1"): 10 * PER_STEP * WHOLE
    }


def test_a_retracted_head_lets_the_queue_move(ledger: Ledger) -> None:
    head = ledger.publish("contributor-1")
    tool = ledger.publish("contributor-2", form="tool")
    ledger.say("contributor-1", "clue.retract", "ink", clue=head)
    assert ledger.clue(tool).status == "final"
    ledger.wait(SCORE)
    assert ledger.clue(head).status == "retracted"


def test_whoever_donates_to_himself_gains_nothing(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 600_000_000)
    ledger.settle({clue: 600_000_000})
    before = ledger.owed("contributor-1").payable
    ledger.fund("contributor-1", PRIZE)
    ledger.say("stranger", "challenge.close", "ink")
    gained = ledger.owed("contributor-1").payable - before - PRIZE
    assert gained <= 0
    assert ledger.owed("contributor-1").payable + ledger.owed("donor-1").payable == 2 * PRIZE
    ledger.audit()


# --- scorers who lie ----------------------------------------------------------------------------


def bribed(ledger: Ledger) -> tuple[int, int]:
    """Open a challenge, let scorers attest a step of 10 and one of 16, and pay both in advance."""
    ledger.open_challenge()
    honest = ledger.step("contributor-1", BASELINE + 10 * ETA)
    false = ledger.step("cheat-1", BASELINE + 26 * ETA)
    for who in ("contributor-1", "cheat-1"):
        ledger.pay(who, ledger.owed(who).payable)
    return honest, false


def test_two_bribed_scorers_pay_from_their_stakes_for_what_was_paid_too_much() -> None:
    ledger, stake = Ledger(), PRIZE
    ledger.draft(stake={"asset": "WON", "amount": str(stake)})
    for who in ("scorer-1", "scorer-2"):
        ledger.deposit(who, stake)
    for who in ("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3"):
        ledger.say(who, "challenge.acknowledge", "ink")
    ledger.fund("donor-1", PRIZE)
    honest = ledger.step("contributor-1", BASELINE + 10 * ETA)
    false = ledger.step("cheat-1", BASELINE + 26 * ETA)
    ledger.pay("cheat-1", ledger.owed("cheat-1").payable)
    paid = ledger.owed("cheat-1").paid
    ledger.settle({honest: BASELINE + 10 * ETA, false: BASELINE + 10 * ETA})
    ledger.audit()
    stakes = ledger.challenge().stakes
    assert [s.overstated for s in stakes.values()] == [True, True]
    assert ledger.challenge().slashed == {"WON": paid}
    left = sum(treasury.staked(ledger.challenge(), who) for who in stakes)
    assert left == 2 * stake - paid
    assert ledger.owed("cheat-1").paid == paid
    assert ledger.owed("contributor-1").payable == PRIZE * 20 // 100
    ledger.say("stranger", "challenge.close", "ink")
    assert ledger.owed("donor-1").payable == PRIZE * 80 // 100
    ledger.audit()


def test_what_stakes_do_not_cover_comes_from_unspent_money() -> None:
    ledger = Ledger()
    honest, false = bribed(ledger)
    paid = {who: ledger.owed(who).paid for who in ("contributor-1", "cheat-1")}
    ledger.settle({honest: BASELINE + 10 * ETA, false: BASELINE})
    ledger.audit()
    assert ledger.challenge().slashed == {"WON": 2 * STAKE}
    assert ledger.owed("cheat-1").paid == paid["cheat-1"]
    owed = ledger.owed("contributor-1")
    assert owed.entitled == PRIZE * 20 // 100
    assert owed.payable == owed.entitled - paid["contributor-1"]
    ledger.pay("contributor-1", owed.payable)
    ledger.say("stranger", "challenge.close", "ink")
    rest = ledger.owed("donor-1").payable
    assert rest == PRIZE + 2 * STAKE - paid["cheat-1"] - owed.entitled
    ledger.pay("donor-1", rest)
    assert treasury.available(ledger.challenge(), "WON") == 0
    ledger.audit()


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 2, 1, 3, 1, 3)])
def test_what_unspent_money_does_not_cover_is_borne_by_all_alike(order: tuple[int, ...]) -> None:
    ledger = Ledger()
    ledger.open_challenge(advance=WHOLE, method_above=WHOLE, stake={"asset": "WON", "amount": "0"})
    false = ledger.step("cheat-1", BASELINE + 36 * ETA)
    clues = [ledger.publish(f"contributor-{i}") for i in (1, 2, 3)]
    for clue in clues:
        ledger.score("ink", clue, "none")
    ledger.pay("cheat-1", ledger.owed("cheat-1").payable)
    for i in (1, 2, 3):
        ledger.refuses(NotCovered, "0 WON", ledger.payment(f"contributor-{i}", 1))
    exact = [BASELINE + steps * ETA for steps in (10, 30, 40)]
    ledger.settle({false: BASELINE, **dict(zip(clues, exact, strict=True))})
    ledger.audit()
    held = treasury.available(ledger.challenge(), "WON")
    due = {i: ledger.owed(f"contributor-{i}").entitled for i in (1, 2, 3)}
    assert held < sum(due.values())
    for i in (*order, *order):  # the odd unit may fall due only after the others are paid
        payable = ledger.owed(f"contributor-{i}").payable
        if payable:
            ledger.pay(f"contributor-{i}", payable)
        ledger.audit()
    assert treasury.available(ledger.challenge(), "WON") == 0
    for i, entitled in due.items():
        assert abs(ledger.owed(f"contributor-{i}").paid - held * entitled // sum(due.values())) <= 2
    ledger.say("stranger", "challenge.close", "ink")
    ledger.audit()


def test_a_copy_attested_over_a_suppressed_clue_costs_the_scorers_their_stakes() -> None:
    """They call the honest clue a miss and attest its copy; both numbers are true ones."""
    ledger = Ledger()
    ledger.open_challenge()
    honest = ledger.step("contributor-1", "none")
    copy = ledger.step("cheat-1", BASELINE + 10 * ETA)
    ledger.pay("cheat-1", ledger.owed("cheat-1").payable)
    ledger.settle({honest: BASELINE + 10 * ETA, copy: BASELINE + 10 * ETA})
    assert ledger.challenge().slashed == {"WON": 2 * STAKE}
    assert ledger.owed("contributor-1").payable == PRIZE * 20 // 100
    ledger.audit()


def test_an_honest_scorer_beside_a_liar_keeps_his_stake() -> None:
    ledger = Ledger()
    ledger.open_challenge()
    a = ledger.publish("contributor-1")
    ledger.score("ink", a, BASELINE + 10 * ETA, BASELINE + 15 * ETA)
    b = ledger.publish("contributor-2")
    ledger.score("ink", b, BASELINE + 20 * ETA, "none")
    c = ledger.publish("contributor-3")
    ledger.score("ink", c, "none", BASELINE + 20 * ETA)
    ledger.pay("contributor-1", ledger.owed("contributor-1").payable)
    exact = [BASELINE + steps * ETA for steps in (10, 20, 20)]
    ledger.settle(dict(zip((a, b, c), exact, strict=True)))
    stakes = ledger.challenge().stakes
    assert [stakes[address(f"scorer-{i}")].overstated for i in (1, 2)] == [False, True]
    assert ledger.challenge().slashed == {}
    ledger.audit()


def test_scores_that_the_truth_bears_out_cost_nothing() -> None:
    ledger = Ledger()
    honest, good = bribed(ledger)
    ledger.settle({honest: BASELINE + 10 * ETA + 1, good: BASELINE + 27 * ETA - 1})
    assert ledger.challenge().slashed == {}
    assert not any(s.overstated for s in ledger.challenge().stakes.values())
    ledger.say("stranger", "challenge.close", "ink")
    assert treasury.balance(ledger.challenge(), address("scorer-1"), "WON") == STAKE


def test_a_late_donation_makes_good_what_bribed_scorers_cost() -> None:
    ledger = Ledger()
    honest, false = bribed(ledger)
    paid = ledger.owed("cheat-1").paid
    ledger.settle({honest: BASELINE + 10 * ETA, false: BASELINE})
    ledger.fund("donor-2", 10 * PRIZE)
    assert ledger.owed("contributor-1").entitled == 11 * PRIZE * 20 // 100
    assert ledger.owed("cheat-1").payable == 0
    assert ledger.owed("cheat-1").paid == paid
    ledger.audit()


def test_a_large_step_that_no_method_reproduces_is_none_when_the_truth_is_out() -> None:
    """Both scorers let it pass below the limit, or were silent: the truth does not pay it."""
    ledger = Ledger()
    ledger.open_challenge()
    leaked = ledger.publish("cheat-1")
    ledger.wait(SCORE)
    honest = ledger.step("contributor-1", BASELINE + 10 * ETA)
    ledger.settle({leaked: BASELINE + 40 * ETA, honest: BASELINE + 10 * ETA})
    assert (ledger.clue(leaked).verdict, ledger.clue(honest).verdict) == ("none", "step")
    assert ledger.owed("cheat-1").shares == 0
    ledger.audit()


def test_predictions_are_no_method_whatever_scorers_say_of_them() -> None:
    ledger = Ledger()
    ledger.open_challenge()
    clue = ledger.publish("cheat-1")
    ledger.score("ink", clue, BASELINE + 20 * ETA, reproduced=True)
    ledger.settle({clue: BASELINE + 40 * ETA})
    assert ledger.owed("cheat-1").shares == 0


# --- paying and settling ------------------------------------------------------------------------


def test_paying_just_before_settlement_gives_no_more_than_the_advance(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 600_000_000)
    ledger.release()
    entitled = ledger.owed("contributor-1").entitled
    ledger.refuses(NotCovered, 1, ledger.payment("contributor-1", entitled))
    ledger.pay("contributor-1", entitled * 3 // 10)
    ledger.append(ledger.exact({clue: 600_000_000}))
    assert ledger.owed("contributor-1").payable == entitled - entitled * 3 // 10


def test_an_advance_never_exceeds_what_later_clues_leave(ledger: Ledger) -> None:
    """Shares never fall as the list grows, so an advance stays within its part."""
    first = ledger.step("contributor-1", 520_000_000)
    for i, score in enumerate(range(540_000_000, 900_000_001, 40_000_000)):
        for who in ("contributor-1", f"other-{i}"):
            payable = ledger.owed(who).payable
            if payable:
                ledger.pay(who, payable)
        ledger.step(f"other-{i}", score, cites=[(first, WHOLE)] if i % 2 else [])
        ledger.audit()


def test_the_remainder_goes_to_donors_by_what_they_gave() -> None:
    ledger = Ledger()
    ledger.open_challenge(prize=0)
    for who, amount in (("donor-1", 1000), ("donor-2", 501), ("donor-1", 500), ("donor-3", 1)):
        ledger.fund(who, amount)
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.settle({clue: 520_000_000})
    ledger.say("stranger", "challenge.close", "ink")
    assert ledger.owed("contributor-1").payable == 2002 * 4 // 100
    back = [ledger.owed(f"donor-{i}").payable for i in (1, 2, 3)]
    assert sum(back) == 2002 - 80
    assert back == [1440, 481, 1]
    ledger.audit()


def test_the_remainder_goes_to_a_successor() -> None:
    ledger = Ledger()
    ledger.open_challenge(remainder="successor:ink-2")
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.settle({clue: 520_000_000})
    ledger.say("stranger", "challenge.close", "ink")
    assert ledger.challenge().successor == {"WON": PRIZE * 96 // 100}
    assert ledger.owed("donor-1").payable == 0
    ledger.pay("contributor-1", PRIZE * 4 // 100)
    assert treasury.available(ledger.challenge(), "WON") == 0
    ledger.audit()


def test_forfeited_bonds_without_a_donor_stay_and_are_accounted_for() -> None:
    ledger = Ledger()
    ledger.open_challenge(prize=0)
    ledger.commit("cheat-1")
    ledger.wait(REVEAL)
    ledger.release()
    ledger.say("stranger", "challenge.close", "ink")
    assert treasury.available(ledger.challenge(), "WON") == BOND
    ledger.audit()


def test_an_overpaid_donor_keeps_the_advance_and_gets_his_part_of_the_rest() -> None:
    ledger = Ledger()
    ledger.open_challenge(stake={"asset": "WON", "amount": "0"})
    ledger.fund("cheat-1", PRIZE)
    clue = ledger.step("cheat-1", BASELINE + 20 * ETA)
    advance = ledger.owed("cheat-1").payable
    ledger.pay("cheat-1", advance)
    ledger.settle({clue: BASELINE})
    ledger.say("stranger", "challenge.close", "ink")
    rest = 2 * PRIZE - advance
    assert ledger.owed("cheat-1").payable == rest // 2
    assert ledger.owed("donor-1").payable == rest // 2
    for who in ("cheat-1", "donor-1"):
        ledger.pay(who, rest // 2)
    assert treasury.available(ledger.challenge(), "WON") == 0
    ledger.audit()


def test_a_whole_challenge_pays_out_to_the_last_unit() -> None:
    ledger = Ledger()
    rounds = [jury_round(SILENCE, SILENCE + 10, 10**8, 10**17)]
    ledger.open_challenge(prize=9_999_991, rounds=rounds)
    ledger.fund("donor-2", 7)
    a = ledger.step("contributor-1", 520_000_000)
    tool = ledger.publish("contributor-2", form="tool", payees=[("contributor-1", 1), ("x", 2)])
    ledger.commit("contributor-3")
    ledger.wait(REVEAL)
    c = ledger.step("contributor-3", 700_000_000, cites=[(a, 333_333_333), (tool, 600_000_000)])
    ledger.settle({a: 521_234_567, c: 701_234_567})
    ledger.at(SILENCE)
    ledger.append(ledger.ballot("juror-1", [tool]))
    ledger.at(SILENCE + 10)
    ledger.say("stranger", "jury.close", "ink", round=0)
    ledger.say("stranger", "challenge.close", "ink")
    for who, owed in treasury.owed(ledger.challenge(), "WON").items():
        if owed.payable:
            ledger.pay(who, owed.payable)
    assert treasury.available(ledger.challenge(), "WON") == 0
    assert sum(ledger.challenge().paid["WON"].values()) == 9_999_991 + 7 + BOND
    ledger.audit()
    ledger.refuses_to(WrongPhase, "closed", "stranger", "challenge.close", "ink")
