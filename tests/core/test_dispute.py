"""Disputes: who may open, answer and decide one, what it costs, and what it changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danseo.core import treasury
from danseo.core.challenge import Challenge, Dispute
from danseo.core.dispute import MAX_OPEN, add_citation, check_over, decide, voters, wrong_verdicts
from danseo.core.entry import Entry
from danseo.core.errors import (
    Conflict,
    Malformed,
    NotAllowed,
    NotCovered,
    NotFound,
    Refused,
    WrongPhase,
)
from danseo.core.reward import Node, shares
from tests.core.ledger import (
    BASELINE,
    ETA,
    JURORS,
    PER_STEP,
    PRIZE,
    SCORERS,
    SILENCE,
    STAKE,
    START,
    Ledger,
    address,
    digest,
    jury_round,
    terms,
)

DISPUTE_BOND, WINDOW, ANSWER, VOTE = 300, 4_000, 1_000, 2_000
HALF, WHOLE = 5 * 10**8, 10**9


def dispute_terms(**changes: Any) -> dict[str, Any]:
    """Return the terms of disputes as JSON."""
    bond = {"asset": "WON", "amount": str(DISPUTE_BOND)}
    return {"bond": bond, "window": WINDOW, "answer": ANSWER, "vote": VOTE, **changes}


class Court(Ledger):
    """A ledger whose people dispute things."""

    def open_court(self, **changes: Any) -> Challenge:
        """Open a challenge in which scores and citations can be disputed."""
        return self.open_challenge(**{"dispute": dispute_terms(), "method_above": WHOLE, **changes})

    def over_score(self, who: str, clue: int, scorer: str) -> Entry:
        """Return the entry that disputes a scorer's verdict."""
        return self.entry(
            who, "dispute.open", "ink",
            about="score", clue=clue, scorer=address(scorer), evidence=digest("evidence"),
        )  # fmt: skip

    def over_citation(self, who: str, clue: int, target: int, weight: int = HALF) -> Entry:
        """Return the entry that claims a missing citation."""
        return self.entry(
            who, "dispute.open", "ink",
            about="citation", clue=clue, target=target, weight=weight, evidence=digest("evidence"),
        )  # fmt: skip

    def raise_(self, entry: Entry, deposit: int = DISPUTE_BOND) -> int:
        """Open a dispute after a deposit of its bond, and return its id."""
        if deposit:
            self.deposit(entry.author, deposit)
        return self.say(entry.author, entry.kind, entry.challenge, **entry.body)

    def answer(self, who: str, dispute: int) -> Entry:
        """Return the entry that answers a dispute."""
        return self.entry(
            who, "dispute.answer", "ink", dispute=dispute, evidence=digest("counter-evidence")
        )

    def opinion(self, juror: str, dispute: int, uphold: bool) -> Entry:
        """Return a juror's vote."""
        return self.entry(juror, "dispute.vote", "ink", dispute=dispute, uphold=uphold)

    def vote(self, dispute: int, *upholds: bool | None) -> None:
        """Let time pass until jurors vote, and let each say so; None stays silent."""
        self.at(max(self.now, self.dispute(dispute).votes_from))
        for juror, uphold in zip(JURORS, upholds, strict=False):
            if uphold is not None:
                self.append(self.opinion(juror, dispute, uphold))

    def judge(self, dispute: int, *upholds: bool | None) -> str:
        """Let jurors vote and their time pass; return the outcome."""
        self.vote(dispute, *upholds)
        self.at(max(self.now, self.dispute(dispute).votes_until))
        return self.dispute(dispute).status

    def dispute(self, dispute: int) -> Dispute:
        """Return the folded record of a dispute."""
        return self.challenge().disputes[dispute]

    def purse(self, who: str) -> int:
        """Return what somebody can put down, as bond or stake."""
        return treasury.balance(self.challenge(), address(who), "WON")

    def stake(self, scorer: str) -> int:
        """Return what is left of a scorer's stake."""
        return treasury.staked(self.challenge(), address(scorer))


@pytest.fixture
def court() -> Court:
    found = Court()
    found.open_court()
    return found


def copied(court: Court) -> tuple[int, int]:
    """Let contributor-1 make a step and cheat-1 build on it without a word; return both clues."""
    first = court.step("contributor-1", BASELINE + 10 * ETA)
    second = court.step("cheat-1", BASELINE + 20 * ETA)
    return first, second


# --- scores that the truth shows -----------------------------------------------------------------


def test_a_stranger_catches_a_score_that_is_too_high_and_is_paid_the_scorers(court: Court) -> None:
    clue = court.publish("contributor-1")
    court.score("ink", clue, BASELINE + 20 * ETA)
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-1"))
    assert court.purse("stranger") == 0
    court.audit()
    court.settle({clue: BASELINE + 10 * ETA})
    assert (court.dispute(dispute).status, court.dispute(dispute).decided_by) == ("upheld", "truth")
    assert court.purse("stranger") == 2 * DISPUTE_BOND
    assert court.stake("scorer-1") == STAKE - DISPUTE_BOND
    assert court.stake("scorer-2") == STAKE
    court.audit()


@pytest.mark.parametrize("said", ["none", "unfit", BASELINE + 5 * ETA])
def test_an_author_whose_score_is_too_low_is_paid_the_scorers(
    court: Court, said: str | int
) -> None:
    """The lower of two counts, so that one scorer can hold a clue down: that has its price, too."""
    clue = court.publish("contributor-1")
    court.score("ink", clue, said, BASELINE + 10 * ETA)
    court.raise_(court.over_score("contributor-1", clue, "scorer-1"))
    before = court.purse("contributor-1")
    court.settle({clue: BASELINE + 10 * ETA})
    assert court.purse("contributor-1") == before + 2 * DISPUTE_BOND
    assert court.stake("scorer-1") == STAKE - DISPUTE_BOND
    court.audit()


@pytest.mark.parametrize(
    ("said", "exact"),
    [
        (BASELINE + 10 * ETA, BASELINE + 10 * ETA + 7),
        ("none", BASELINE + ETA - 1),
        ("none", BASELINE - 7),
        ("unfit", None),
    ],
)
def test_who_disputes_a_right_score_loses_the_bond_to_the_scorer(
    court: Court, said: str | int, exact: int | None
) -> None:
    clue = court.publish("contributor-1")
    court.score("ink", clue, said)
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-1"))
    court.settle({clue: exact})
    assert court.dispute(dispute).status == "rejected"
    assert court.purse("stranger") == 0
    assert court.purse("scorer-1") == DISPUTE_BOND
    assert court.stake("scorer-1") == STAKE
    court.audit()


def test_a_scorer_who_answers_stakes_an_equal_bond_and_not_the_stake(court: Court) -> None:
    clue = court.publish("contributor-1")
    court.score("ink", clue, BASELINE + 20 * ETA)
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-1"))
    court.deposit("scorer-1", DISPUTE_BOND)
    court.append(court.answer("scorer-1", dispute))
    court.audit()
    court.settle({clue: BASELINE + 10 * ETA})
    assert court.purse("stranger") == 2 * DISPUTE_BOND
    assert court.purse("scorer-1") == 0
    assert court.stake("scorer-1") == STAKE


def test_what_was_paid_too_much_comes_from_the_stake_before_the_one_who_disputed(
    court: Court,
) -> None:
    """Or a false scorer would save his stake by a dispute with himself."""
    clue = court.publish("contributor-1")
    court.score("ink", clue, BASELINE + 40 * ETA)
    court.pay("contributor-1", court.owed("contributor-1").payable)
    dispute = court.raise_(court.over_score("friend", clue, "scorer-1"))
    court.settle({clue: BASELINE})
    assert court.challenge().slashed == {"WON": 2 * STAKE}
    assert court.dispute(dispute).status == "upheld"
    assert court.purse("friend") == DISPUTE_BOND
    assert court.stake("scorer-1") == 0
    court.audit()


def test_no_more_is_paid_than_what_is_left_of_a_stake() -> None:
    court = Court()
    court.open_court(stake={"asset": "WON", "amount": "100"})
    clue = court.publish("contributor-1")
    court.score("ink", clue, "none")
    court.raise_(court.over_score("stranger", clue, "scorer-1"))
    court.settle({clue: BASELINE + 10 * ETA})
    assert court.purse("stranger") == DISPUTE_BOND + 100
    assert court.stake("scorer-1") == 0
    court.audit()


def test_after_the_settlement_a_score_is_decided_at_once(court: Court) -> None:
    clue = court.publish("contributor-1")
    court.score("ink", clue, "none")
    court.settle({clue: BASELINE + 10 * ETA})
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-2"))
    assert court.dispute(dispute).status == "upheld"
    assert court.purse("stranger") == 2 * DISPUTE_BOND
    court.audit()


def test_a_method_that_was_denied_its_rerun_is_left_to_the_jury() -> None:
    court = Court()
    court.open_court(method_above=PER_STEP)
    clue = court.publish("contributor-1", form="method")
    court.append(court.verdict("scorer-1", clue, "unfit"))
    court.append(court.verdict("scorer-2", clue, BASELINE + 10 * ETA, reproduced=True))
    dispute = court.raise_(court.over_score("contributor-1", clue, "scorer-1"))
    court.settle({clue: BASELINE + 10 * ETA})
    assert court.clue(clue).verdict == "none"
    assert court.dispute(dispute).status == "open"
    assert court.judge(dispute, True, True, False) == "upheld"
    assert (court.clue(clue).verdict, court.clue(clue).reproduced) == ("step", True)
    assert court.challenge().nodes[0].units == 10 * PER_STEP
    assert court.owed("contributor-1").shares == 10 * PER_STEP * 10**9
    court.audit()


def test_a_scorer_may_not_publish_below_a_frontier_that_others_put_too_high(court: Court) -> None:
    """So "none" is right on that day, though the truth later makes it a step."""
    high = court.step("contributor-1", BASELINE + 30 * ETA)
    clue = court.step("contributor-2", "none")
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-1"))
    court.settle({high: BASELINE + 10 * ETA, clue: BASELINE + 20 * ETA})
    assert court.clue(clue).verdict == "step"
    assert court.dispute(dispute).status == "rejected"


def test_a_step_that_was_too_large_only_from_the_frontier_of_its_day_was_rightly_unfit() -> None:
    court = Court()
    court.open_court(method_above=3 * PER_STEP)
    held_down = court.publish("contributor-1")
    court.score("ink", held_down, "none", BASELINE + 2 * ETA)
    clue = court.step("contributor-2", "unfit")
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-2"))
    court.settle({held_down: BASELINE + 2 * ETA, clue: BASELINE + 4 * ETA})
    assert court.clue(clue).verdict == "step"
    assert court.dispute(dispute).status == "rejected"


@given(
    exacts=st.lists(st.none() | st.integers(-3 * ETA, 45 * ETA), min_size=1, max_size=6),
    liar=st.sampled_from(["", *SCORERS]),
    lie=st.sampled_from(["none", "unfit", 1, 5]),
    limit=st.sampled_from([PER_STEP * 3, WHOLE]),
    late=st.integers(0, 6),
)
@settings(max_examples=60, deadline=None)
def test_a_scorer_who_follows_the_exact_ladder_is_never_found_wrong(
    exacts: list[int | None], liar: str, lie: str | int, limit: int, late: int
) -> None:
    """Whatever the other scorer does: lie high or low, or come too late."""
    court = Court()
    found = court.open_court(method_above=limit)
    curve, best, truth = found.terms.value_curve(), 0, {}
    for number, ahead in enumerate(exacts):
        clue = court.publish("contributor-1")
        exact = None if ahead is None else BASELINE + ahead
        truth[clue] = exact
        honest, best = honest_verdict(court, exact, best)
        for scorer in SCORERS:
            said: str | int = honest
            if scorer == liar:
                said = lie if isinstance(lie, str) else curve.score(found.frontier) + lie * ETA
            if scorer == liar and number == late:
                continue
            try:
                court.append(court.verdict(scorer, clue, said))
            except Refused:  # a lie beyond the limit
                court.append(court.verdict(scorer, clue, "none"))
        if number == late and liar:
            court.wait(5_000)
    court.settle(truth)
    for (_, scorer), wrong in wrong_verdicts(found):
        assert not (wrong and scorer in [address(s) for s in SCORERS if s != liar])


def honest_verdict(court: Court, exact: int | None, best: int) -> tuple[str | int, int]:
    """Return what the exact score makes of a clue of predictions, and the exact best after it."""
    found = court.challenge()
    terms, curve = found.terms, found.terms.value_curve()
    if exact is None:
        return "unfit", best
    progress = curve.progress(exact)
    after, eta = curve.grid(progress), terms.eta
    if progress - best < eta:
        return "none", best
    units = curve.value(after) - curve.value(curve.grid(best))
    counts = units <= terms.method_above
    if after <= found.frontier:
        return "none", progress if counts else best
    if max(units, curve.value(after) - curve.value(found.frontier)) > terms.method_above:
        return "unfit", progress if counts else best
    return curve.score(after), progress


# --- missing citations ---------------------------------------------------------------------------


def test_a_stranger_catches_a_missing_citation(court: Court) -> None:
    first, second = copied(court)
    court.settle({first: BASELINE + 10 * ETA, second: BASELINE + 20 * ETA})
    before = court.owed("contributor-1").shares
    dispute = court.raise_(court.over_citation("stranger", second, first, WHOLE))
    assert court.judge(dispute, True, True, False) == "upheld"
    assert court.purse("stranger") == DISPUTE_BOND
    nodes = court.challenge().nodes
    assert [n.cites for n in nodes] == [(), ((0, WHOLE),)]
    assert [n.units for n in nodes] == [10 * PER_STEP, 10 * PER_STEP]
    gained = court.owed("contributor-1").shares - before
    assert gained == (10 * PER_STEP) ** 2 // 4  # gamma (1 - theta) M_k M_i
    assert sum(court.challenge().accounts.values()) == sum(shares(nodes))
    court.audit()


def test_the_author_who_answered_pays_for_the_citation_that_was_missing(court: Court) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("contributor-1", second, first))
    court.deposit("cheat-1", DISPUTE_BOND)
    before = court.purse("contributor-1"), court.purse("cheat-1")
    court.append(court.answer("cheat-1", dispute))
    court.audit()
    assert court.judge(dispute, True, True, True) == "upheld"
    after = court.purse("contributor-1"), court.purse("cheat-1")
    assert after == (before[0] + 2 * DISPUTE_BOND, before[1] - DISPUTE_BOND)
    court.audit()


@pytest.mark.parametrize("answered", [True, False])
def test_a_false_accuser_pays_the_author(court: Court, answered: bool) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    if answered:
        court.deposit("cheat-1", DISPUTE_BOND)
        court.append(court.answer("cheat-1", dispute))
    before = court.purse("cheat-1") + (DISPUTE_BOND if answered else 0)
    nodes = list(court.challenge().nodes)
    assert court.judge(dispute, False, False, True) == "rejected"
    assert (court.purse("stranger"), court.purse("cheat-1")) == (0, before + DISPUTE_BOND)
    assert court.challenge().nodes == nodes
    court.audit()


@pytest.mark.parametrize("votes", [(True, False), (), (None, None, None)])
def test_what_nobody_decides_costs_nobody_a_bond_and_changes_nothing(
    court: Court, votes: tuple[bool | None, ...]
) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    court.deposit("cheat-1", DISPUTE_BOND)
    before = court.purse("stranger") + DISPUTE_BOND, court.purse("cheat-1")
    court.append(court.answer("cheat-1", dispute))
    nodes = list(court.challenge().nodes)
    assert court.judge(dispute, *votes) == "undecided"
    assert (court.purse("stranger"), court.purse("cheat-1")) == before
    assert court.challenge().nodes == nodes
    court.audit()


def test_a_citation_that_was_added_survives_the_settlement(court: Court) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    assert court.judge(dispute, True, True, True) == "upheld"
    court.settle({first: BASELINE + 5 * ETA, second: BASELINE + 30 * ETA})
    assert [n.cites for n in court.challenge().nodes] == [(), ((0, HALF),)]
    assert [n.units for n in court.challenge().nodes] == [5 * PER_STEP, 25 * PER_STEP]
    assert court.clue(second).cites == ((first, HALF),)
    court.audit()


def test_other_citations_are_scaled_down_alike_where_the_whole_is_reached(court: Court) -> None:
    a, b, c = (court.step(f"contributor-{i}", BASELINE + i * ETA) for i in (1, 2, 3))
    last = court.step("cheat-1", BASELINE + 9 * ETA, cites=[(a, 600_000_000), (b, 300_000_000)])
    dispute = court.raise_(court.over_citation("stranger", last, c, 400_000_000))
    assert court.judge(dispute, True, True, True) == "upheld"
    scaled = ((a, 400_000_000), (b, 200_000_000), (c, 400_000_000))
    assert court.clue(last).cites == scaled
    assert court.challenge().nodes[3].cites == tuple((i, w) for i, (_, w) in enumerate(scaled))
    court.audit()


def test_a_citation_points_to_the_node_that_was_newest_when_the_citer_became_final() -> None:
    court = Court()
    court.open_court(rounds=[
        jury_round(START + 1000, START + 2000, 50_000_000),
        jury_round(START + 3000, START + 4000, 50_000_000),
    ])  # fmt: skip
    tool = court.publish("contributor-1", form="tool")
    for number, begins in ((0, 1000), (1, 3000)):
        if number:
            citer = court.step("cheat-1", BASELINE + ETA)
        court.at(START + begins)
        court.append(court.ballot("juror-1", [tool], number=number))
        court.at(START + begins + 1000)
        court.say("stranger", "jury.close", "ink", round=number)
    assert court.clue(tool).newest == 3
    dispute = court.raise_(court.over_citation("stranger", citer, tool))
    assert court.judge(dispute, True, None, None) == "upheld"
    assert court.challenge().nodes[court.clue(citer).node].cites == ((1, HALF),)
    court.audit()


def test_a_larger_weight_can_be_claimed_where_the_citation_is_a_token(court: Court) -> None:
    first = court.step("contributor-1", BASELINE + 10 * ETA)
    second = court.step("cheat-1", BASELINE + 20 * ETA, cites=[(first, 1)])
    court.deposit("stranger", DISPUTE_BOND)
    court.refuses(Conflict, "weight 1 of", court.over_citation("stranger", second, first, 1))
    dispute = court.raise_(court.over_citation("stranger", second, first), 0)
    assert court.judge(dispute, True, True, True) == "upheld"
    assert court.clue(second).cites == ((first, HALF),)


@given(
    weights=st.lists(st.integers(1, 10**9), max_size=5),
    target=st.integers(0, 5),
    weight=st.integers(1, 10**9) | st.just(10**9),
)
@settings(max_examples=60, deadline=None)
def test_weights_stay_within_the_whole_and_nothing_of_the_others_grows(
    weights: list[int], target: int, weight: int
) -> None:
    court = Court()
    found = court.open_court()
    cited = [court.step(f"contributor-{i}", BASELINE + (i + 1) * ETA) for i in range(6)]
    parts = [max(1, w * 10**9 // max(sum(weights), 10**9)) for w in weights]
    while sum(parts) > 10**9:
        parts[parts.index(max(parts))] -= 1
    given_ = dict(zip(cited, parts, strict=False))
    last = court.step("cheat-1", BASELINE + 9 * ETA, cites=list(given_.items()))
    before = list(found.nodes)
    add_citation(found, court.clue(last), cited[target], weight)
    cites = dict(court.clue(last).cites)
    assert cites[cited[target]] == max(weight, given_.get(cited[target], 0))
    assert sum(cites.values()) <= 10**9
    assert all(w <= given_[c] for c, w in cites.items() if c != cited[target])
    assert found.nodes[:-1] == before[:-1]
    assert (found.nodes[-1].units, found.nodes[-1].position) == (before[-1].units, 6)
    court.audit()


# --- what is refused -----------------------------------------------------------------------------


def test_a_challenge_whose_terms_are_silent_knows_no_disputes() -> None:
    court = Court()
    court.open_challenge()
    first, second = copied(court)
    court.refuses(NotFound, "no disputes", court.over_citation("stranger", second, first))
    court.refuses(NotFound, "no dispute 7", court.answer("cheat-1", 7))
    court.settle({first: BASELINE + 10 * ETA, second: BASELINE + 20 * ETA})
    assert not court.challenge().contested
    court.say("stranger", "challenge.close", "ink")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"bond": {"asset": "WON", "amount": "0"}}, "bond is 0"),
        ({"bond": {"asset": "ETH", "amount": "5"}}, "in ETH"),
        ({"window": 0}, "window"),
        ({"answer": 0}, "answer"),
        ({"vote": 0}, "vote"),
    ],
)
def test_terms_of_disputes_must_make_sense(changes: dict[str, Any], names: str) -> None:
    court = Court()
    court.draft()  # so that all sealing keys are there
    entry = court.entry("organiser", "challenge.open", "other", terms={
        **terms(), "dispute": dispute_terms(**changes),
    })  # fmt: skip
    court.refuses(Conflict, names, entry)


def test_a_dispute_needs_its_bond(court: Court) -> None:
    first, second = copied(court)
    court.deposit("poor", DISPUTE_BOND - 1)
    court.refuses(NotCovered, "299", court.over_citation("poor", second, first))
    dispute = court.raise_(court.over_citation("stranger", second, first))
    court.refuses(NotCovered, "100 WON", court.answer("cheat-1", dispute))


def test_a_dispute_names_what_it_is_about_and_nothing_else(court: Court) -> None:
    first, second = copied(court)
    court.deposit("stranger", DISPUTE_BOND)
    good = court.over_citation("stranger", second, first).body
    score = court.over_score("stranger", second, "scorer-1").body
    for body, names in (
        ({k: v for k, v in good.items() if k != "target"}, "lacks 'target'"),
        ({k: v for k, v in good.items() if k != "weight"}, "lacks 'weight'"),
        ({**good, "scorer": address("scorer-1")}, "has 'scorer'"),
        ({k: v for k, v in score.items() if k != "scorer"}, "lacks 'scorer'"),
        ({**score, "target": first}, "has 'target'"),
        ({**score, "about": "root"}, "root"),
        ({**good, "weight": 0}, "weight"),
    ):
        court.refuses_to(Malformed, names, "stranger", "dispute.open", "ink", **body)


def test_only_what_there_is_can_be_disputed(court: Court) -> None:
    first, second = copied(court)
    waiting = court.publish("contributor-2")
    court.deposit("stranger", DISPUTE_BOND)
    court.refuses(NotFound, "no clue 1", court.over_citation("stranger", second, 1))
    court.refuses(NotFound, "no clue 1", court.over_score("stranger", 1, "scorer-1"))
    court.refuses(NotFound, "no verdict", court.over_score("stranger", first, "juror-1"))
    court.refuses(NotFound, "no verdict", court.over_score("stranger", waiting, "scorer-1"))
    court.refuses(WrongPhase, "revealed", court.over_citation("stranger", waiting, first))


def test_a_clue_owes_nothing_to_what_was_published_after_it_was_committed(court: Court) -> None:
    early = court.commit("contributor-1")
    late = court.publish("contributor-2")
    court.reveal("contributor-1", early)
    for clue in (early, late):
        court.score("ink", clue, "none")
    court.deposit("stranger", DISPUTE_BOND)
    court.refuses(Conflict, "after clue", court.over_citation("stranger", late, early))
    court.refuses(Conflict, "after clue", court.over_citation("stranger", early, late))
    court.refuses(Conflict, "after clue", court.over_citation("stranger", late, late))


def test_nobody_disputes_himself(court: Court) -> None:
    first, second = copied(court)
    for who in ("cheat-1", "scorer-1"):
        court.deposit(who, DISPUTE_BOND)
    court.refuses(NotAllowed, "is by", court.over_citation("cheat-1", second, first))
    court.refuses(NotAllowed, "is by", court.over_score("scorer-1", second, "scorer-1"))
    court.raise_(court.over_score("scorer-1", second, "scorer-2"), 0)


def test_the_same_is_disputed_once(court: Court) -> None:
    first, second = copied(court)
    for who in ("stranger", "friend"):
        court.deposit(who, 5 * DISPUTE_BOND)
    open_one = court.raise_(court.over_citation("stranger", second, first), 0)
    again = court.over_citation("friend", second, first)
    court.refuses(Conflict, f"Dispute {open_one}", again)
    court.refuses(
        Conflict, f"Dispute {open_one}", court.over_citation("stranger", second, first, 7)
    )
    assert court.judge(open_one, True, True, True) == "upheld"
    court.refuses(Conflict, "cites", court.over_citation("friend", second, first))
    over_score = court.raise_(court.over_score("stranger", second, "scorer-1"), 0)
    twice = court.over_score("friend", second, "scorer-1")
    court.refuses(Conflict, f"Dispute {over_score}", twice)
    court.settle({first: BASELINE + 10 * ETA, second: BASELINE + 20 * ETA})
    assert court.dispute(over_score).status == "rejected"
    court.refuses(Conflict, "rejected", court.over_score("friend", second, "scorer-1"))


def test_a_friends_claim_that_asks_too_much_bars_no_honest_one(court: Court) -> None:
    first, second = copied(court)
    shield = court.raise_(court.over_citation("friend", second, first, WHOLE))
    beside = court.raise_(court.over_citation("stranger", second, first, HALF))
    assert court.judge(shield, False, False, False) == "rejected"
    court.deposit("contributor-2", DISPUTE_BOND)
    barred = court.over_citation("contributor-2", second, first, WHOLE)
    court.refuses(Conflict, "too much", barred)
    court.vote(beside)
    assert court.dispute(beside).status == "undecided"
    honest = court.raise_(court.over_citation("contributor-2", second, first, HALF), 0)
    assert court.judge(honest, True, True, True) == "upheld"


def test_the_other_side_alone_answers_once_and_in_time(court: Court) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    for who in ("cheat-1", "contributor-1", "stranger"):
        court.deposit(who, DISPUTE_BOND)
    for who in ("contributor-1", "stranger", "scorer-1"):
        court.refuses(NotAllowed, address("cheat-1"), court.answer(who, dispute))
    court.append(court.answer("cheat-1", dispute))
    court.deposit("cheat-1", DISPUTE_BOND)
    court.refuses(Conflict, "answered", court.answer("cheat-1", dispute))
    other = court.raise_(court.over_citation("friend", second, first, 7))
    court.at(court.now + ANSWER)
    court.refuses(WrongPhase, "until", court.answer("cheat-1", other))


def test_only_jurors_without_a_part_in_it_vote() -> None:
    court = Court()
    court.open_court(jurors=[address(j) for j in (*JURORS, "juror-4", "juror-5", "scorer-1")])
    first = court.step("juror-1", BASELINE + ETA, payees=[("juror-2", 1)])
    second = court.step("juror-3", BASELINE + 2 * ETA)
    dispute = court.raise_(court.over_citation("juror-4", second, first))
    able = voters(court.challenge(), court.dispute(dispute))
    assert able == [address("juror-5"), address("scorer-1")]
    court.at(court.dispute(dispute).votes_from)
    for who in ("juror-1", "juror-2", "juror-3", "juror-4"):
        court.refuses(NotAllowed, "recused", court.opinion(who, dispute, True))
    court.refuses(NotAllowed, "no juror", court.opinion("stranger", dispute, True))
    court.append(court.opinion("juror-5", dispute, True))
    over_score = court.raise_(court.over_score("stranger", second, "scorer-1"))
    scored = voters(court.challenge(), court.dispute(over_score))
    assert address("scorer-1") not in scored


def test_jurors_vote_after_the_answer_and_within_their_time(court: Court) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    found = court.dispute(dispute)
    assert (found.votes_from, found.votes_until) == (START + ANSWER, START + ANSWER + VOTE)
    court.at(found.votes_from - 1)
    court.refuses(WrongPhase, found.votes_from, court.opinion("juror-1", dispute, True))
    court.at(found.votes_from)
    court.append(court.opinion("juror-1", dispute, True))
    court.append(court.opinion("juror-1", dispute, False))
    court.now = found.votes_until
    court.refuses(WrongPhase, "is rejected", court.opinion("juror-2", dispute, True))


def test_a_dispute_is_counted_early_only_when_every_juror_has_voted(court: Court) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    count = ("stranger", "dispute.count", "ink")
    court.refuses_to(WrongPhase, "0 of 3 jurors", *count, dispute=dispute)
    court.vote(dispute, True, False)
    court.refuses_to(WrongPhase, "2 of 3 jurors", *count, dispute=dispute)
    court.append(court.opinion("juror-3", dispute, True))
    court.say(*count, dispute=dispute)
    assert court.dispute(dispute).status == "upheld"
    court.refuses_to(WrongPhase, "upheld", *count, dispute=dispute)
    court.wait(VOTE)
    assert court.purse("stranger") == DISPUTE_BOND


def test_no_juror_votes_on_a_score_that_the_truth_will_show(court: Court) -> None:
    clue = court.step("contributor-1", BASELINE + ETA)
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-1"))
    court.wait(ANSWER)
    court.refuses(WrongPhase, "before the settlement", court.opinion("juror-1", dispute, True))
    assert not decide(court.challenge(), dispute, True, court.now)
    assert court.dispute(dispute).status == "open"


def test_one_account_has_few_disputes_open_at_a_time(court: Court) -> None:
    clues = [court.step(f"contributor-{i}", BASELINE + i * ETA) for i in range(1, MAX_OPEN + 3)]
    court.deposit("stranger", (MAX_OPEN + 1) * DISPUTE_BOND)
    opened = [
        court.raise_(court.over_citation("stranger", clues[i], clues[0]), 0)
        for i in range(1, MAX_OPEN + 1)
    ]
    more = court.over_citation("stranger", clues[-1], clues[0])
    court.refuses(NotAllowed, "8 disputes", more)
    court.judge(opened[0], False)
    court.raise_(court.over_citation("stranger", clues[-1], clues[0]), 0)


# --- time, settlement, close ---------------------------------------------------------------------


def test_nothing_is_disputed_once_its_time_after_the_settlement_is_over(court: Court) -> None:
    first, second = copied(court)
    court.settle({first: BASELINE + 10 * ETA, second: BASELINE + 20 * ETA})
    until = court.challenge().settled_at + WINDOW
    court.at(until - 1)
    court.raise_(court.over_citation("stranger", second, first))
    court.at(until)
    court.deposit("friend", DISPUTE_BOND)
    court.refuses(WrongPhase, until, court.over_citation("friend", second, first, 7))


def test_the_challenge_closes_only_when_nothing_can_be_disputed_any_more(court: Court) -> None:
    first, second = copied(court)
    court.settle({first: BASELINE + 10 * ETA, second: BASELINE + 20 * ETA})
    until = court.challenge().settled_at + WINDOW
    close = ("stranger", "challenge.close", "ink")
    court.refuses_to(WrongPhase, until, *close)
    court.at(until - 1)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    court.at(until)
    court.refuses_to(WrongPhase, f"Dispute {dispute}", *close)
    court.at(court.dispute(dispute).votes_until)
    court.say(*close)
    court.refuses(WrongPhase, "closed", court.over_citation("stranger", second, first))


def test_a_flood_of_disputes_delays_the_end_by_no_more_than_one(court: Court) -> None:
    """Whatever is opened at the last moment ends one answer and one vote after it."""
    clues = [court.step(f"contributor-{i}", BASELINE + (i + 1) * ETA) for i in range(12)]
    court.settle({c: BASELINE + (i + 1) * ETA for i, c in enumerate(clues)})
    until = court.challenge().settled_at + WINDOW
    court.at(until - 1)
    for i, clue in enumerate(clues[1:]):
        for target in clues[: clues.index(clue)]:
            court.raise_(court.over_citation(f"flooder-{i}-{target}", clue, target))
    assert len(court.challenge().disputes) == 66
    court.at(until - 1 + ANSWER + VOTE)
    court.say("stranger", "challenge.close", "ink")
    court.audit()


def test_no_more_than_the_advance_is_payable_while_shares_can_still_move(court: Court) -> None:
    first, second = copied(court)
    court.settle({first: BASELINE + 10 * ETA, second: BASELINE + 20 * ETA})
    entitled = court.owed("cheat-1").entitled
    assert court.owed("cheat-1").payable == entitled * 3 // 10
    court.at(court.challenge().settled_at + WINDOW)
    assert court.owed("cheat-1").payable == entitled
    court.pay("cheat-1", entitled)
    court.audit()


def test_what_was_paid_in_advance_is_not_reclaimed(court: Court) -> None:
    first = court.step("contributor-1", BASELINE + 10 * ETA)
    friend = court.step("friend", BASELINE + 11 * ETA)
    second = court.step("cheat-1", BASELINE + 40 * ETA, cites=[(friend, WHOLE)])
    paid = court.owed("friend").payable
    court.pay("friend", paid)
    dispute = court.raise_(court.over_citation("stranger", second, first, WHOLE))
    assert court.judge(dispute, True, True, True) == "upheld"
    assert court.clue(second).cites == ((first, WHOLE),)
    assert court.owed("friend").paid == paid
    court.audit()


def test_commons_are_granted_only_when_no_citation_can_be_added_any_more() -> None:
    court = Court()
    court.open_court(rounds=[jury_round(SILENCE, SILENCE + 1000, 0, 10**18)])
    first, second = copied(court)
    tool = court.publish("contributor-2", form="tool")
    court.at(SILENCE)
    assert court.challenge().settled_at == SILENCE
    dispute = court.raise_(court.over_citation("stranger", second, first))
    court.append(court.ballot("juror-1", [tool]))
    close = ("stranger", "jury.close", "ink")
    court.at(SILENCE + 1000)
    court.refuses_to(WrongPhase, f"Dispute {dispute}", *close, round=0)
    assert court.judge(dispute, True, True, True) == "upheld"
    court.refuses_to(WrongPhase, SILENCE + WINDOW, *close, round=0)
    court.at(SILENCE + WINDOW)
    court.say(*close, round=0)
    assert court.challenge().rounds[0].grants
    court.say("stranger", "challenge.close", "ink")
    court.audit()


def test_time_alone_ends_a_dispute_and_in_one_step_as_in_many() -> None:
    slow, fast = Court(), Court()
    for court in (slow, fast):
        court.open_court()
        first, second = copied(court)
        dispute = court.raise_(court.over_citation("stranger", second, first))
        court.vote(dispute, True)
    for seconds in (1, VOTE - 2, 1, 1, SILENCE):
        slow.state.pass_time(slow.state.now + seconds)
    fast.state.pass_time(slow.state.now)
    assert fast.dispute(dispute).status == "upheld"
    assert fast.state == slow.state


# --- where the truth stays hidden ----------------------------------------------------------------


def silent(court: Court, said: dict[str, int | str]) -> int:
    """Let scorers say different things of a clue, and return it."""
    clue = court.publish("contributor-1")
    for scorer, verdict in said.items():
        court.append(court.verdict(scorer, clue, verdict))
    return clue


def test_the_jury_decides_a_score_where_attested_ones_settle(court: Court) -> None:
    clue = silent(court, {"scorer-1": "none", "scorer-2": BASELINE + 10 * ETA})
    later = court.step("contributor-2", BASELINE + 15 * ETA)
    dispute = court.raise_(court.over_score("contributor-1", clue, "scorer-1"))
    before = court.purse("contributor-1")
    court.at(SILENCE)
    assert court.dispute(dispute).votes_from == SILENCE
    assert court.judge(dispute, True, True, False) == "upheld"
    assert court.purse("contributor-1") == before + 2 * DISPUTE_BOND
    assert court.stake("scorer-1") == STAKE - DISPUTE_BOND
    assert [n.units for n in court.challenge().nodes] == [10 * PER_STEP, 5 * PER_STEP]
    assert (court.clue(clue).verdict, court.clue(later).verdict) == ("step", "step")
    court.audit()


def test_a_verdict_that_the_jury_strikes_for_being_too_high_counts_no_more(court: Court) -> None:
    clue = silent(court, {"scorer-1": BASELINE + 30 * ETA, "scorer-2": BASELINE + 30 * ETA})
    later = court.step("contributor-2", BASELINE + 35 * ETA)
    court.at(SILENCE)
    for scorer in SCORERS:
        dispute = court.raise_(court.over_score("stranger", clue, scorer))
        assert court.judge(dispute, True, True, True) == "upheld"
    assert court.clue(clue).verdict == "none"
    assert [n.units for n in court.challenge().nodes] == [0, 35 * PER_STEP]
    assert court.clue(later).score == BASELINE + 35 * ETA
    assert court.owed("contributor-1").shares == 0
    court.audit()


def test_the_jury_may_find_an_attested_score_right(court: Court) -> None:
    clue = court.step("contributor-1", BASELINE + 10 * ETA)
    court.at(SILENCE)
    dispute = court.raise_(court.over_score("stranger", clue, "scorer-1"))
    nodes = list(court.challenge().nodes)
    assert court.judge(dispute, False, False) == "rejected"
    assert court.challenge().nodes == nodes == [Node(10 * PER_STEP, 0)]
    assert court.purse("scorer-1") == DISPUTE_BOND


def test_the_jury_decides_the_score_of_a_clue_that_was_withheld(court: Court) -> None:
    gone = court.publish("contributor-1", submission="gone")
    court.score("ink", gone, BASELINE + 30 * ETA)
    later = court.step("contributor-2", BASELINE + 35 * ETA)
    court.say("operator", "blob.withhold", blob=digest("gone"), reason=digest("law"))
    first = court.raise_(court.over_score("stranger", gone, "scorer-1"))
    second = court.raise_(court.over_score("friend", later, "scorer-1"))
    court.settle({gone: None, later: BASELINE + 36 * ETA})
    assert court.clue(gone).verdict == "step"
    assert {court.dispute(d).status for d in (first, second)} == {"open"}
    other = court.raise_(court.over_score("stranger", gone, "scorer-2"))
    for dispute in (first, other):
        assert court.judge(dispute, True, True, True) == "upheld"
    assert court.clue(gone).verdict == "none"
    assert [n.units for n in court.challenge().nodes] == [0, 36 * PER_STEP]
    assert court.dispute(second).status == "undecided"
    court.audit()


# --- the DAO -------------------------------------------------------------------------------------


@pytest.mark.parametrize("uphold", [True, False])
def test_a_decision_of_the_dao_ends_a_dispute(court: Court, uphold: bool) -> None:
    first, second = copied(court)
    dispute = court.raise_(court.over_citation("stranger", second, first))
    assert decide(court.challenge(), dispute, uphold, court.now)
    found = court.dispute(dispute)
    assert (found.status, found.decided_by) == ("upheld" if uphold else "rejected", "dao")
    assert bool(court.challenge().nodes[1].cites) == uphold
    assert not decide(court.challenge(), dispute, not uphold, court.now)
    assert not decide(court.challenge(), 10**6, True, court.now)
    court.wait(ANSWER + VOTE)
    assert found.decided_by == "dao"
    court.audit()


# --- what always holds ---------------------------------------------------------------------------

ACCOUNTS = ("cheat-1", "cheat-2", "contributor-1", "scorer-1", "scorer-2")


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whoever_holds_both_keys_gains_nothing_and_the_books_balance(data: st.DataObject) -> None:
    """Any people dispute anything in any way: bonds only change hands, and all is accounted for.

    Whatever set of keys one person holds, what he gains others lose; with both sides of a dispute
    in hand, he gains nothing.
    """
    court = Court()
    found = court.open_court(stake={"asset": "WON", "amount": "700"})
    clues = [
        court.step(who, BASELINE + (i + 1) * 5 * ETA)
        for i, who in enumerate(("contributor-1", "cheat-1", "cheat-2"))
    ]
    lies = data.draw(st.integers(-2, 2))
    if data.draw(st.booleans()):
        truth = {c: BASELINE + (i + 1) * 5 * ETA + lies * ETA for i, c in enumerate(clues)}
        court.settle(truth)
    for who in ACCOUNTS:
        court.deposit(who, 10 * DISPUTE_BOND)
    wealth = {who: _wealth(court, who) for who in ACCOUNTS}
    sides: set[str] = set()
    for _ in range(data.draw(st.integers(1, 6))):
        who = data.draw(st.sampled_from(ACCOUNTS))
        i, j = sorted((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))))
        if data.draw(st.booleans()):
            entry = court.over_score(who, clues[j], data.draw(st.sampled_from(SCORERS)))
        else:
            entry = court.over_citation(who, clues[j], clues[i], data.draw(st.integers(1, WHOLE)))
        try:
            dispute = court.append(entry)
        except Refused:
            continue
        one = court.dispute(dispute)
        other = one.scorer or court.clue(one.clue).author
        sides |= {one.by, other}
        if one.status == "open" and data.draw(st.booleans()):
            court.append(
                court.entry(other, "dispute.answer", "ink", dispute=dispute, evidence="0" * 64)
            )
        court.audit()
        if one.votes_from >= 0 and data.draw(st.booleans()):
            court.judge(
                dispute, *data.draw(st.lists(st.sampled_from([True, False, None]), max_size=3))
            )
            court.audit()
    if found.settled_at < 0:
        court.at(SILENCE)
    court.at(found.settled_at + WINDOW + ANSWER + VOTE)
    check_over(found)
    court.audit()
    now = {who: _wealth(court, who) for who in ACCOUNTS}
    both = [who for who in ACCOUNTS if address(who) in sides]
    assert sum(now[w] - wealth[w] for w in both) == 0
    assert all(now[w] == wealth[w] for w in ACCOUNTS if w not in both)
    assert not found.disputing
    assert sum(found.received.values()) == PRIZE


def _wealth(court: Court, who: str) -> int:
    return court.purse(who) + court.stake(who)
