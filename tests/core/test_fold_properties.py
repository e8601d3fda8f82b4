"""What holds for any log: random people do random things, allowed and forbidden, to the very end.

Every entry is either taken, and then all books balance, or refused, and then nothing but the time
has changed. Whatever happened, the challenge can be brought to its end by anyone, and the money
goes out to the last unit.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from danseo.core import treasury
from danseo.core.challenge import Challenge, Clue, candidates, phase
from danseo.core.entry import Entry
from danseo.core.errors import Refused
from danseo.core.reward import commons, shares
from danseo.core.state import State, apply
from tests.core.ledger import (
    BASELINE,
    DEADLINE,
    ETA,
    JURORS,
    REVEAL,
    SCORE,
    SCORERS,
    SILENCE,
    START,
    TRUSTEES,
    Ledger,
    address,
    digest,
    jury_round,
)

ROUNDS = [
    jury_round(START + 5_000, START + 30_000, 50_000_000),
    jury_round(SILENCE, SILENCE + 1_000, 100_000_000, 3 * 10**16),
    jury_round(SILENCE + 1_000, SILENCE + 2_000, 50_000_000, 10**18),
]
AUTHORS = ("contributor-1", "contributor-2", "cheat-1", "juror-1")
EVERYONE = (*AUTHORS, *SCORERS, *TRUSTEES, *JURORS, "organiser", "donor-1", "stranger")

authors = st.sampled_from((*AUTHORS, *AUTHORS, "scorer-1"))
forms = st.sampled_from(["predictions", "predictions", "predictions", "method", "tool"])
picks = st.integers(0, 2**30)
parts = st.integers(1, 10**9)
rarely = st.sampled_from([False, False, False, True])
amounts = st.integers(1, 30) | st.integers(1, 10**30) | st.just(10**76)


def truly(clue: Clue) -> int | None:
    """Return the exact score of a clue: often what was attested, else anything."""
    mixed = int(digest(clue.content)[:8], 16)
    if mixed % 7 == 0:
        return None
    return (clue.score or BASELINE) + 7 if mixed % 3 else BASELINE + mixed % 42 * ETA + 7


class AnyLog(RuleBasedStateMachine):
    """People do things in no sensible order; what they are told must be right every time."""

    @initialize(
        bond=st.sampled_from([0, 100]),
        stake=st.sampled_from([0, 1, 10**6]),
        prize=st.sampled_from([0, 1, 9_999_991]),
        advance=st.sampled_from([0, 300_000_000, 10**9]),
        large=st.sampled_from([0, 10**8, 10**9]),
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
        )
        for who in SCORERS:
            if stake:
                self.ledger.deposit(who, stake)
        for who in (*SCORERS, *TRUSTEES):
            self.ledger.say(who, "challenge.acknowledge", "ink")
        if prize:
            self.ledger.fund("donor-1", prize)

    @property
    def challenge(self) -> Challenge:
        return self.ledger.challenge()

    def clue(self, pick: int) -> int:
        """Return the id of some clue, mostly; sometimes of none."""
        queue = [*self.challenge.queue, 3]
        return queue[pick % len(queue)]

    def attempt(self, entry: Entry) -> bool:
        """Append an entry, or see that refusing it changes nothing."""
        state = self.ledger.state
        before = copy.deepcopy(state)
        try:
            self.ledger.append(entry)
        except Refused as caught:
            refusal = caught
        else:
            return True
        assert refusal.message
        assert refusal.remedy
        if state.now != before.now:
            before.pass_time(state.now)
        assert state == before
        return False

    # --- clues ------------------------------------------------------------------------------

    def fresh(self, who: str, same: bool) -> tuple[int, str]:
        """Commit to a clue where that is possible; return its id and what it submits."""
        bond = self.challenge.terms.bond.amount
        if bond and phase(self.challenge, self.ledger.now) == "open":
            self.ledger.deposit(who, bond)
        size = self.ledger.state.size
        submission = "the same file" if same else f"content {size}"
        entry = self.ledger.commitment(who, "ink", f"content {size}", submission)
        return (entry.index if self.attempt(entry) else -1), submission

    @rule(who=authors, same=rarely)
    def commit(self, who: str, same: bool) -> None:
        clue, submission = self.fresh(who, same)
        if clue >= 0:
            self.hidden[clue] = (who, submission)

    @rule(pick=picks, form=forms)
    def reveal(self, pick: int, form: str) -> None:
        if self.hidden:
            clue = sorted(self.hidden)[pick % len(self.hidden)]
            who, submission = self.hidden.pop(clue)
            self.attempt(self.ledger.revelation(who, clue, form=form, submission=submission))

    @rule(
        who=authors,
        form=forms,
        cites=st.lists(st.tuples(picks, parts), max_size=3),
        payees=st.lists(st.tuples(st.sampled_from(AUTHORS), parts), max_size=2),
        same=rarely,
    )
    def publish(
        self,
        who: str,
        form: str,
        cites: list[tuple[int, int]],
        payees: list[tuple[str, int]],
        same: bool,
    ) -> None:
        shown = [c.id for c in self.challenge.clues.values() if c.status in ("revealed", "final")]
        cited = {shown[p % len(shown)]: w // 3 + 1 for p, w in cites if shown}
        clue, submission = self.fresh(who, same)
        if clue >= 0:
            entry = self.ledger.revelation(
                who, clue, form=form, submission=submission,
                cites=list(cited.items()), payees=list(dict(payees).items()),
            )  # fmt: skip
            assert self.attempt(entry)

    @rule(pick=picks)
    def retract(self, pick: int) -> None:
        clue = self.clue(pick)
        found = self.challenge.clues.get(clue)
        who = found.author if found else "stranger"
        self.attempt(self.ledger.entry(who, "clue.retract", "ink", clue=clue))

    @rule(
        who=st.sampled_from(EVERYONE),
        pick=picks,
        cites=st.lists(st.tuples(picks, parts), max_size=3),
        payees=st.lists(st.tuples(st.sampled_from(EVERYONE), parts), max_size=2),
        verdict=st.integers(-1, 42).map(lambda n: BASELINE + n * ETA) | st.just("none"),
        trustee=st.sampled_from(TRUSTEES),
    )
    def meddle(
        self,
        who: str,
        pick: int,
        cites: list[tuple[int, int]],
        payees: list[tuple[str, int]],
        verdict: int | str,
        trustee: str,
    ) -> None:
        """Say what is mostly forbidden: nothing of it may leave a trace when it is."""
        clue = self.clue(pick)
        cited = [(self.clue(p), w) for p, w in cites]
        self.attempt(self.ledger.revelation(who, clue, cites=cited, payees=payees))
        self.attempt(self.ledger.verdict(who, clue, verdict))
        self.attempt(self.ledger.entry(who, "clue.retract", "ink", clue=clue))
        self.attempt(self.ledger.exact({clue: BASELINE}))
        self.attempt(self.ledger.share(trustee))
        self.attempt(self.ledger.entry("stranger", "challenge.close", "ink"))

    # --- scores and truth -------------------------------------------------------------------

    @rule(ahead=st.integers(0, 6), other=st.integers(-2, 2), lies=rarely, silent=rarely,
          miss=st.sampled_from(["", "", "", "none", "unfit"]))  # fmt: skip
    def score_the_head(self, ahead: int, other: int, lies: bool, silent: bool, miss: str) -> None:
        head, curve = self.challenge.head_clue(), self.challenge.terms.value_curve()
        if head is None:
            return
        first: int | str = miss or curve.score(self.challenge.frontier) + ahead * ETA
        second: int | str = first + other * ETA if lies and isinstance(first, int) else first
        for scorer, verdict in zip(SCORERS[: 1 if silent else 2], (first, second), strict=False):
            entry = self.ledger.verdict(scorer, head.id, verdict, reproduced=head.form == "method")
            if not self.attempt(entry):
                self.attempt(self.ledger.verdict(scorer, head.id, "none"))

    @precondition(lambda self: self.ledger.now >= DEADLINE + REVEAL)
    @rule(trustee=st.sampled_from(TRUSTEES))
    def release(self, trustee: str) -> None:
        self.attempt(self.ledger.share(trustee))

    @precondition(lambda self: self.challenge.key)
    @rule(many=st.integers(1, 5))
    def publish_exact(self, many: int) -> None:
        found = self.challenge
        todo = found.scorable()[found.exact_next :][:many]
        self.attempt(self.ledger.exact({clue.id: truly(clue) for clue in todo}))

    # --- money ------------------------------------------------------------------------------

    @rule(who=st.sampled_from(EVERYONE), amount=amounts, asset=st.sampled_from(["WON", "ETH"]),
          what=st.sampled_from(["fund", "deposit", "withdraw"]))  # fmt: skip
    def move_money(self, who: str, amount: int, asset: str, what: str) -> None:
        name = "donor" if what == "fund" else "account"
        body = {name: address(who), "asset": asset, "amount": str(amount), "evidence": ""}
        self.attempt(self.ledger.entry("organiser", f"money.{what}", "ink", **body))

    @rule(pick=picks, part=st.integers(1, 4), asset=st.sampled_from(["WON", "WON", "ETH"]))
    def pay(self, pick: int, part: int, asset: str) -> None:
        owed = treasury.owed(self.challenge, asset)
        if owed:
            who = sorted(owed)[pick % len(owed)]
            amount = -(-owed[who].payable // part)
            assert self.attempt(self.ledger.payment(who, max(1, amount), asset=asset)) == bool(
                amount
            )
            assert not self.attempt(self.ledger.payment(who, owed[who].payable + 1, asset=asset))

    # --- time, jury, end --------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 700, 2_000, SCORE]))
    def wait(self, seconds: int) -> None:
        self.ledger.now += seconds
        assert self.attempt(self.ledger.entry("stranger", "tick"))

    @rule(far=rarely)
    def wait_long(self, far: bool) -> None:
        ends = (START + 30_000, DEADLINE, DEADLINE + REVEAL, SILENCE, SILENCE + 1_000)
        later = [end for end in ends if end > self.ledger.now]
        if far and later:
            self.ledger.now = later[0]
            assert self.attempt(self.ledger.entry("stranger", "tick"))

    @rule(juror=st.sampled_from(JURORS), number=st.integers(0, 2), a=picks, b=picks,
          k=st.integers(-4, 4))  # fmt: skip
    def vote(self, juror: str, number: int, a: int, b: int, k: int) -> None:
        able = candidates(self.challenge, number) or [0]
        first, second = able[a % len(able)], able[b % len(able)]
        ballot = (
            self.ledger.ballot(juror, [first], number=number)
            if first == second
            else self.ledger.ballot(juror, [first, second], (first, second, k), number=number)
        )
        self.attempt(ballot)

    @rule(number=st.integers(0, 3))
    def count(self, number: int) -> None:
        self.attempt(self.ledger.entry("stranger", "jury.close", "ink", round=number))

    @rule(who=st.sampled_from(["organiser", "stranger"]), really=rarely)
    def cancel(self, who: str, really: bool) -> None:
        if really or self.challenge.clues:
            reason = digest("why")
            self.attempt(self.ledger.entry(who, "challenge.cancel", "ink", reason=reason))

    # --- what always holds ------------------------------------------------------------------

    @invariant()
    @precondition(lambda self: hasattr(self, "ledger"))
    def books_balance(self) -> None:
        self.ledger.audit()
        found = self.challenge
        for asset in found.books.balances:
            for group in ("free", "bond", "stake", "paid", "pool"):
                assert min(found.books.owners(asset, group).values(), default=0) >= 0
        granted = sum(sum(one.grants.values()) for one in found.rounds)
        by_node = shares(found.nodes, found.terms.rule())
        assert granted <= commons(found.nodes, by_node)
        assert sum(treasury.account_shares(found).values()) == sum(by_node) + granted <= 10**18

    @invariant()
    @precondition(lambda self: hasattr(self, "ledger"))
    def clues_are_in_order(self) -> None:
        found = self.challenge
        over = [found.clues[i].status for i in found.queue[: found.head]]
        assert set(over) <= {"final", "lapsed", "retracted"}
        nodes = [found.clues[i].node for i in found.queue[: found.head]]
        final = [n for n in nodes if n >= 0]
        assert final == sorted(final)
        assert found.head <= found.ready <= len(found.queue)
        if found.status == "settled":
            assert found.head == len(found.queue)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.fold_again()
            self.bring_to_its_end()

    def fold_again(self) -> None:
        """The same entries give the same state, whatever was refused between them."""
        again = State()
        for entry in self.ledger.entries:
            apply(again, entry)
        again.pass_time(self.ledger.state.now)
        assert again == self.ledger.state

    def bring_to_its_end(self) -> None:
        """Strangers, trustees and jurors bring any challenge to its end; all money goes out."""
        ledger, found = self.ledger, self.challenge
        for scorer in SCORERS * 5:
            if head := found.head_clue():
                step = found.terms.value_curve().score(found.frontier) + 7 * ETA
                self.attempt(ledger.verdict(scorer, head.id, step, reproduced=True))
        self.pay_all()
        if found.status == "open":
            ledger.at(max(ledger.now, SILENCE if found.key else SILENCE - 1))
            for trustee in TRUSTEES:
                if not found.key and found.status == "open":
                    self.attempt(ledger.share(trustee))
        if found.status == "open":
            todo = found.scorable()[found.exact_next :]
            ledger.append(ledger.exact({clue.id: truly(clue) for clue in todo}))
        if found.status == "settled":
            self.judge()
            ledger.say("stranger", "challenge.close", "ink")
        assert found.status in ("closed", "cancelled")
        for _ in range(3):  # odd units may fall due only after others are paid
            self.pay_all()
        for asset in found.received:
            assert treasury.available(found, asset) == 0

    def judge(self) -> None:
        for number, one in enumerate(self.challenge.rounds):
            terms = self.challenge.terms.rounds[number]
            self.ledger.at(max(self.ledger.now, terms.opens))
            able = candidates(self.challenge, number)[:3]
            for juror in JURORS:
                pairs = [(able[0], other, 2) for other in able[1:]]
                self.attempt(self.ledger.ballot(juror, able, *pairs, number=number))
            self.ledger.at(max(self.ledger.now, terms.closes))
            if not one.closed:
                self.ledger.say("stranger", "jury.close", "ink", round=number)
            self.ledger.audit()

    def pay_all(self) -> None:
        for asset in self.challenge.received:
            for who in treasury.owed(self.challenge, asset):
                payable = treasury.owed(self.challenge, asset)[who].payable
                if payable:
                    self.ledger.pay(who, payable, asset=asset)
        self.ledger.audit()


AnyLog.TestCase.settings = settings(max_examples=40, stateful_step_count=50)
TestAnyLog = AnyLog.TestCase


def lines_of(run: Callable[[], object]) -> int:
    """Return how many lines of Python `run` executes, each round of a loop counted."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


def test_the_work_for_an_entry_does_not_grow_with_the_log() -> None:
    """A log of 200,000 entries must fold in seconds: counted in lines, which no load disturbs."""
    ledger = Ledger()
    ledger.open_challenge()

    def publish(i: int) -> None:
        clue = ledger.commit(f"contributor-{i % 7}")
        ledger.reveal(f"contributor-{i % 7}", clue, submission="")
        copy = ledger.publish("cheat-1", submission="the same file", cites=[(clue, 1)])
        ledger.score("ink", clue, "none")
        ledger.score("ink", copy, BASELINE + (i + 1) * ETA if i < 20 else "unfit")
        ledger.fund("donor-1", 1)
        ledger.wait(1)

    counts = [lines_of(lambda i=i: publish(i)) for i in range(150)]  # type: ignore[misc]
    early, late = counts[25:50], counts[125:]
    assert sum(late) < 1.1 * sum(early)

    ledger.release()
    todo = ledger.challenge().scorables

    def exact(begin: int) -> None:
        ledger.append(ledger.exact(dict.fromkeys(todo[begin : begin + 20], BASELINE)))

    first, *_, last = [lines_of(lambda b=b: exact(b)) for b in range(0, 280, 20)]  # type: ignore[misc]
    assert last < 1.1 * first


def test_a_state_is_plain_data() -> None:
    """Snapshots keep it as JSON: records, dicts, lists, tuples, integers, strings, booleans."""
    ledger = Ledger()
    ledger.open_challenge(rounds=ROUNDS)
    clue = ledger.step("contributor-1", BASELINE + ETA)
    ledger.settle({clue: BASELINE + ETA})

    def plain(value: object) -> bool:
        if dataclasses.is_dataclass(value):
            return not hasattr(value, "__dict__") and all(
                plain(getattr(value, f.name)) for f in dataclasses.fields(value)
            )
        if isinstance(value, dict):
            return all(type(k) in (str, int) and plain(v) for k, v in value.items())
        if isinstance(value, list | tuple):
            return all(plain(one) for one in value)
        return value is None or type(value) in (int, str, bool)

    assert plain(ledger.state)
