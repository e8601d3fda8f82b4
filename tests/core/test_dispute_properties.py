"""What holds for any log whose people also dispute: at any time, in any way, to the very end.

The people of `test_fold_properties` go on doing random things; beside that they open, answer, vote,
count and let the DAO decide. All that held without disputes must hold with them: books, the money
equation, grants that are covered, refusals that change nothing, and an end that anyone can bring.
"""

from __future__ import annotations

import copy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from danseo.core import treasury
from danseo.core.dispute import decide
from tests.core.ledger import ETA, JURORS, SCORERS, TRUSTEES, Ledger, address, digest
from tests.core.test_fold_properties import EVERYONE, ROUNDS, AnyLog, picks, rarely

BOND, WINDOW, ANSWER, VOTE = 30, 300, 100, 200


class AnyCourt(AnyLog):
    """Any log, and disputes in it."""

    @initialize(
        bond=st.sampled_from([0, 100]),
        stake=st.sampled_from([0, 1, 10**6]),
        prize=st.sampled_from([0, 1, 9_999_991]),
        advance=st.sampled_from([0, 300_000_000, 10**9]),
        large=st.sampled_from([10**8, 10**9]),
        rest=st.sampled_from(["donors", "successor:ink-2"]),
    )
    def open(self, bond: int, stake: int, prize: int, advance: int, large: int, rest: str) -> None:
        self.hidden: dict[int, tuple[str, str]] = {}
        self.ledger = Ledger()
        self.ledger.draft(
            bond={"asset": "WON", "amount": str(bond)},
            stake={"asset": "WON", "amount": str(stake)},
            advance=advance,
            method_above=large,
            rounds=ROUNDS,
            remainder=rest,
            dispute={
                "bond": {"asset": "WON", "amount": str(BOND)},
                "window": WINDOW,
                "answer": ANSWER,
                "vote": VOTE,
            },
        )
        for who in SCORERS:
            self.ledger.deposit(who, stake or 1)
        for who in (*SCORERS, *TRUSTEES):
            self.ledger.say(who, "challenge.acknowledge", "ink")
        if prize:
            self.ledger.fund("donor-1", prize)

    def pick_dispute(self, pick: int) -> int:
        """Return the id of some dispute, mostly an open one."""
        opened = [d.id for d in self.challenge.disputes.values() if d.status == "open"]
        found = opened if opened and pick % 8 else [*self.challenge.disputes]
        return found[pick % len(found)]

    def pair(self, a: int, b: int) -> tuple[int, int]:
        """Return two clues, mostly such that the second could have built on the first."""
        final = [c for c in self.challenge.clues.values() if c.status == "final"]
        able = [(c.id, d.id) for d in final for c in final if 0 <= c.reveal < d.id]
        return able[a % len(able)] if able and b % 8 else (self.clue(a), self.clue(b))

    @rule(who=st.sampled_from(["contributor-1", "cheat-1"]), ahead=st.integers(1, 5))
    def make_a_step(self, who: str, ahead: int) -> None:
        """Bring a clue to its end at once, where the queue is clear: then it can be disputed."""
        clue, submission = self.fresh(who, same=False)
        if clue < 0:
            return
        self.attempt(self.ledger.revelation(who, clue, submission=submission))
        score = self.challenge.terms.value_curve().score(self.challenge.frontier) + ahead * ETA
        for scorer in SCORERS:
            self.attempt(self.ledger.verdict(scorer, clue, score))

    @rule(who=st.sampled_from(EVERYONE), pick=picks, scorer=st.sampled_from(SCORERS))
    def dispute_a_score(self, who: str, pick: int, scorer: str) -> None:
        said = [c.id for c in self.challenge.clues.values() if c.verdicts]
        clue = said[pick % len(said)] if said else self.clue(pick)
        self.put_down(who)
        self.attempt(
            self.ledger.entry(
                who, "dispute.open", "ink", about="score", clue=clue,
                scorer=address(scorer), evidence=digest("evidence"),
            )
        )  # fmt: skip

    @rule(who=st.sampled_from(EVERYONE), a=picks, b=picks, weight=st.integers(1, 10**9))
    def dispute_a_citation(self, who: str, a: int, b: int, weight: int) -> None:
        pair = self.pair(a, b)
        self.put_down(who)
        self.attempt(
            self.ledger.entry(
                who, "dispute.open", "ink", about="citation", clue=pair[1], target=pair[0],
                weight=weight, evidence=digest("evidence"),
            )
        )  # fmt: skip

    @precondition(lambda self: self.challenge.disputing)
    @rule(pick=picks, who=st.sampled_from(EVERYONE), stranger=rarely)
    def answer(self, pick: int, who: str, stranger: bool) -> None:
        dispute = self.challenge.disputes[self.pick_dispute(pick)]
        if not stranger:
            who = dispute.scorer or self.challenge.clues[dispute.clue].author
        self.put_down(who)
        body = {"dispute": dispute.id, "evidence": digest("counter-evidence")}
        self.attempt(self.ledger.entry(who, "dispute.answer", "ink", **body))

    @precondition(lambda self: self.challenge.disputing)
    @rule(pick=picks, early=rarely, votes=st.lists(st.booleans(), max_size=3))
    def vote_on_it(self, pick: int, early: bool, votes: list[bool]) -> None:
        dispute = self.challenge.disputes[self.pick_dispute(pick)]
        if not early and dispute.votes_from > self.ledger.now:
            self.ledger.at(dispute.votes_from)
        for juror, uphold in zip(JURORS, votes, strict=False):
            body = {"dispute": dispute.id, "uphold": uphold}
            self.attempt(self.ledger.entry(juror, "dispute.vote", "ink", **body))
        self.attempt(self.ledger.entry("stranger", "dispute.count", "ink", dispute=dispute.id))

    @rule(a=picks, answered=st.booleans(), uphold=st.booleans(), weight=st.integers(1, 10**9))
    def quarrel(self, a: int, answered: bool, uphold: bool, weight: int) -> None:
        """Bring a dispute over a citation from its opening to the count."""
        target, clue = self.pair(a, 1)
        self.dispute_a_citation("stranger", a, 1, weight)
        dispute = next(reversed(self.challenge.disputes.values()), None)
        if dispute is None or (dispute.target, dispute.clue, dispute.status) != (
            target, clue, "open",
        ):  # fmt: skip
            return
        if answered:
            self.answer(0, self.challenge.clues[clue].author, True)
        self.ledger.at(max(self.ledger.now, dispute.votes_from))
        for juror in JURORS:
            body = {"dispute": dispute.id, "uphold": uphold}
            self.attempt(self.ledger.entry(juror, "dispute.vote", "ink", **body))
        self.attempt(self.ledger.entry("stranger", "dispute.count", "ink", dispute=dispute.id))

    @rule(seconds=st.sampled_from([ANSWER, VOTE, WINDOW]))
    def wait_for_disputes(self, seconds: int) -> None:
        self.ledger.now += seconds
        assert self.attempt(self.ledger.entry("stranger", "tick"))

    def put_down(self, who: str) -> None:
        if self.challenge.status in ("open", "settled"):
            self.ledger.deposit(who, BOND)

    @invariant()
    @precondition(lambda self: hasattr(self, "ledger"))
    def disputes_are_accounted_for(self) -> None:
        found = self.challenge
        opened = [d for d in found.disputes.values() if d.status == "open"]
        assert sum(found.disputing.values()) == len(opened)
        held = sum(BOND * (1 + bool(d.answer)) for d in opened)
        assert found.books.total("WON", "dispute") == held
        assert all(0 <= d.won <= BOND for d in found.disputes.values())
        if found.status == "closed":
            assert not found.contested

    @invariant()
    @precondition(lambda self: hasattr(self, "ledger"))
    def the_dao_could_decide_any_of_them(self) -> None:
        """On a copy: a decision is no entry of these tests."""
        for dispute in [d.id for d in self.challenge.disputes.values() if d.status == "open"][:1]:
            for uphold in (True, False):
                after = copy.deepcopy(self.challenge)
                decide(after, dispute, uphold, self.ledger.now)
                treasury.audit(after)

    def bring_to_its_end(self) -> None:
        found = self.challenge
        super().bring_to_its_end()
        assert not found.contested
        assert not found.disputing
        assert found.books.total("WON", "dispute") == 0

    def judge(self) -> None:
        """Let the last dispute end before the jury meets: the commons and the close wait for it."""
        over = max(self.challenge.settled_at, self.ledger.now) + WINDOW + ANSWER + VOTE
        self.ledger.at(over)
        super().judge()


AnyCourt.TestCase.settings = settings(max_examples=40, stateful_step_count=60)
TestAnyCourt = AnyCourt.TestCase
