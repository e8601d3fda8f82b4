"""Whatever a chain is said to have done, the log can book it and goes on.

Reports here are well-formed and mostly false: amounts up to 10^78, money out of nowhere, claims of
what nobody declared, decisions about anything. A host with a node refuses those, but a log may have
an evil host, and a fold that broke would stop everybody for good. So whatever passes its check is
applied without an error, books add up, and no payout that was declared ever changes.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from danseo.core import onchain, treasury
from danseo.core.challenge import Challenge
from danseo.core.entry import Entry
from danseo.core.errors import Refused
from danseo.core.kinds.chain import NEEDS
from danseo.core.onchain import Onchain
from danseo.core.state import State, apply
from tests.core.ledger import (
    BASELINE,
    BOND,
    DAY,
    DEADLINE,
    ETA,
    ETH,
    INK,
    JURORS,
    PARTS,
    REVEAL,
    SCORERS,
    SILENCE,
    TRUSTEES,
    TRUTH,
    USDC,
    CoinLedger,
    address,
    coin,
    digest,
)  # fmt: skip

AUTHORS = ("contributor-1", "contributor-2", "cheat-1")
PEOPLE = (*AUTHORS, *SCORERS, "donor-1", "organiser", "stranger", "juror-1")
DISPUTE = {"bond": {"asset": ETH, "amount": "30"}, "window": 300, "answer": 100, "vote": 200}

picks = st.integers(0, 2**30)
people = st.sampled_from(PEOPLE)
amounts = st.integers(0, 300) | st.integers(0, 2**256 - 1) | st.just(10**78 - 1)
assets = st.sampled_from([ETH, ETH, USDC, INK, "KRW", "ZZZ:9"])
accounts = people.map(address) | st.sampled_from(
    [
        "0x" + "0" * 40,
        "0x" + "f" * 40,
        *(address(f"{part} of {name}") for part in PARTS for name in ("ink", "ink-2")),
    ]
)
whats = st.sampled_from(sorted(NEEDS)) | st.sampled_from(
    ["received", "paid", "deposited", "withdrawn", "slashed", "released", "decided"]
)
words = st.sampled_from(
    [
        "", "\0", "null", "[]", '"next"', '{"next":[]}', '{"next":{"curve":[[]]}}',
        '{"next":{"curve":[{"score":0,"units":0}]}}', '{"next":{"scorer":[]}}',
        '{"next":{"scorers":[[]]}}', '{"dispute":true}', '{"dispute":9007199254740991}',
        '{"dispute":-1,"uphold":true}', "[" * 4000, "\ud7ff" * 4000,
    ]
)  # fmt: skip


class AnyChain(RuleBasedStateMachine):
    """People act in the log; the chain is said to have done anything at all."""

    @initialize(
        advance=st.sampled_from([0, 300_000_000, 10**9]),
        rest=st.sampled_from(["donors", "successor:ink-2", "successor:nowhere"]),
        back=st.sampled_from(["donors", "successor:ink"]),
    )
    def open(self, advance: int, rest: str, back: str) -> None:
        self.ledger = CoinLedger()
        coined = coin(exits_from=SILENCE + TRUTH + 600)
        self.ledger.open_challenge(advance=advance, remainder=rest, dispute=DISPUTE, coin=coined)
        self.ledger.open_challenge("ink-2", prize=0, advance=advance, remainder=back)
        for who in AUTHORS:
            self.ledger.deposit(who, 5 * BOND)
        self.said: dict[tuple[str, int], list[tuple[str, str, int]]] = {}
        self.totals: dict[tuple[str, str, str], int] = {}

    def attempt(self, entry: Entry) -> bool:
        """Append an entry, or see that refusing it changes nothing but the time."""
        before = copy.deepcopy(self.ledger.state)
        try:
            self.ledger.append(entry)
        except Refused as caught:
            refusal = caught
        else:
            return True
        assert refusal.message
        assert refusal.remedy
        before.pass_time(self.ledger.state.now)
        assert before == self.ledger.state
        return False

    def say(self, who: str, kind: str, name: str = "ink", /, **body: Any) -> bool:
        return self.attempt(self.ledger.entry(who, kind, name, **body))

    def record(self, name: str) -> Onchain:
        found = self.ledger.challenge(name).onchain
        assert found is not None
        return found

    # --- what the chain is said to have done ---------------------------------------------------

    @rule(
        data=st.data(), many=st.integers(1, 4), whole=st.booleans(),
        name=st.sampled_from(["ink", "ink", "ink-2"]), lies=st.booleans(),
    )  # fmt: skip
    def report(self, data: st.DataObject, many: int, whole: bool, name: str, lies: bool) -> None:
        record = self.record(name)
        sizes = st.sampled_from([0, 1, 2**53 - 1, *record.declared])
        facts: list[dict[str, Any]] = []
        for _ in range(many):
            what = data.draw(whats)
            fact: dict[str, Any] = {
                "block": record.block, "position": record.position + 1 + len(facts),
                "tx": digest(f"{what}"), "what": what,
            }  # fmt: skip
            draws: dict[str, Any] = {
                "account": accounts, "asset": assets, "amount": amounts.map(str), "size": sizes,
            }  # fmt: skip
            for field in NEEDS[what]:
                fact[field] = data.draw(draws[field]) if field in draws else digest(field)
            if what == "decided":
                fact["text"] = data.draw(words | self.decisions(name))
            facts.append(fact)
        more: dict[str, Any] = {"to_block": record.block, "facts": facts, "complete": whole}
        if not whole:
            more["holdings"] = []
        elif lies:
            held = [(a, data.draw(amounts), data.draw(amounts)) for a in (ETH, USDC)]
            more["holdings"] = [
                {"asset": a, "pool": str(pool), "stake": str(stake)} for a, pool, stake in held
            ]
            more["supply"] = str(data.draw(amounts))
        assert self.attempt(self.ledger.reporting(name, **more)), "the chain cannot be refused"

    def put_down(self, who: str, amount: int) -> None:
        """Let the chain say that somebody put a deposit down."""
        record = self.record("ink")
        fact = {
            "block": record.block, "position": record.position + 1, "tx": digest("tx"),
            "what": "deposited", "account": address(who), "amount": str(amount),
        }  # fmt: skip
        some = {"to_block": record.block, "facts": [fact], "complete": False, "holdings": []}
        assert self.attempt(self.ledger.reporting(**some))

    def decisions(self, name: str) -> st.SearchStrategy[str]:
        disputes = self.ledger.challenge(name).disputes.values()
        ids = [d.id for d in disputes if d.status == "open"] or [0]
        return st.builds(
            lambda dispute, uphold: json.dumps(
                {"dispute": dispute, "uphold": uphold}, separators=(",", ":")
            ),
            st.sampled_from(ids),
            st.booleans(),
        )

    # --- what people do ------------------------------------------------------------------------

    @rule(who=people, name=st.sampled_from(["ink", "ink", "ink-2"]))
    def declare(self, who: str, name: str) -> None:
        if self.say(who, "payout.declare", name):
            size = self.ledger.state.size
            self.said[name, size] = onchain.leaves_at(self.ledger.challenge(name), size)

    @rule(who=people, amount=st.integers(0, 300) | st.just(2**250))
    def release(self, who: str, amount: int) -> None:
        self.say(who, "stake.release", asset=ETH, amount=str(amount))

    @rule(who=people, free=st.booleans(), by=st.sampled_from(["organiser", "cheat-1"]))
    def hold(self, who: str, free: bool, by: str) -> None:
        body = {"account": address(who), "evidence": digest("evidence")}
        if free:
            self.say(by, "payout.free", **body)
        else:
            self.say(by, "payout.hold", **body, reason=digest("reason"))

    @rule(who=people, to=accounts)
    def be_paid_elsewhere(self, who: str, to: str) -> None:
        self.say(who, "key.payout", "", to=to)

    @rule(who=st.sampled_from(AUTHORS), ahead=st.integers(1, 5), to=accounts, cite=picks)
    def make_a_step(self, who: str, ahead: int, to: str, cite: int) -> None:
        found = self.ledger.challenge()
        entry = self.ledger.commitment(who, "ink", f"content {self.ledger.state.size}")
        if not self.attempt(entry):
            return
        final = [c.id for c in found.clues.values() if c.status == "final"]
        cites = [(final[cite % len(final)], 10**8)] if final and cite % 2 else []
        entry = self.ledger.revelation(
            who, entry.index, payees=[(to, 1), (who, 2)] if cite % 3 else [], cites=cites
        )
        if not self.attempt(entry):
            return
        score = BASELINE + (found.frontier // ETA + ahead) * ETA
        for scorer in SCORERS:
            if not self.attempt(self.ledger.verdict(scorer, entry.body["clue"], score)):
                self.attempt(self.ledger.verdict(scorer, entry.body["clue"], "none"))

    @rule(who=people, pick=picks, scorer=st.sampled_from(SCORERS), answer=st.booleans())
    def dispute(self, who: str, pick: int, scorer: str, answer: bool) -> None:
        found = self.ledger.challenge()
        self.put_down(who, 60)
        clues = [c.id for c in found.clues.values() if c.verdicts] or [0]
        clue, evidence = clues[pick % len(clues)], digest("evidence")
        target = clues[pick // 7 % len(clues)]
        body = (
            {"about": "score", "scorer": address(scorer)}
            if pick % 2
            else {"about": "citation", "target": target, "weight": 1 + pick % 10**9}
        )
        if self.say(who, "dispute.open", clue=clue, evidence=evidence, **body) and answer:
            other = found.clues[clue].author if body["about"] == "citation" else scorer
            self.put_down(other, 60)
            self.say(other, "dispute.answer", dispute=max(found.disputes), evidence=evidence)

    @rule(pick=picks, votes=st.lists(st.booleans(), max_size=3))
    def vote(self, pick: int, votes: list[bool]) -> None:
        found = self.ledger.challenge()
        ids = [*found.disputes] or [0]
        which = ids[pick % len(ids)]
        if which in found.disputes:
            self.ledger.now = max(self.ledger.now, found.disputes[which].votes_from)
        for juror, uphold in zip(JURORS, votes, strict=False):
            self.say(juror, "dispute.vote", dispute=which, uphold=uphold)

    # --- time and the end ----------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 100, 300, 5_000, 31 * DAY]))
    def wait(self, seconds: int) -> None:
        if self.ledger.now + seconds < DEADLINE or self.ledger.now >= DEADLINE:
            self.ledger.now += seconds
            assert self.say("stranger", "tick", "")

    @rule(honest=st.booleans(), more=st.integers(-60, 60))
    def end(self, honest: bool, more: int) -> None:
        found = self.ledger.challenge()
        if found.status == "open" and honest:
            self.ledger.now = max(self.ledger.now, DEADLINE + REVEAL)
            for trustee in TRUSTEES:
                self.attempt(self.ledger.share(trustee))
            if found.key:
                exact = {c.id: (c.score or BASELINE) + more * ETA for c in found.scorable()}
                self.attempt(self.ledger.exact(exact))
        elif found.status == "open":
            self.ledger.now = max(self.ledger.now, SILENCE)
            self.say("stranger", "tick", "")
        for name in ("ink", "ink-2"):
            self.say("stranger", "challenge.close", name)

    @rule(name=st.sampled_from(["ink", "ink-2"]), really=st.integers(0, 3))
    def cancel(self, name: str, really: int) -> None:
        if not really:
            self.say("organiser", "challenge.cancel", name, reason=digest("why"))

    # --- what always holds ---------------------------------------------------------------------

    @invariant()
    @precondition(lambda self: hasattr(self, "ledger"))
    def books_add_up(self) -> None:
        for found in self.ledger.state.challenges.values():
            treasury.audit(found)
            assert all(isinstance(line, str) for line in onchain.faults(found))
            for asset in (ETH, USDC, INK):
                payable = sum(o.payable for o in treasury.owed(found, asset).values())
                assert 0 <= payable <= max(0, treasury.available(found, asset))
            assert found.books.total(INK, "paid") <= treasury.CAP

    @invariant()
    @precondition(lambda self: hasattr(self, "ledger"))
    def what_was_declared_stays(self) -> None:
        for (name, size), leaves in self.said.items():
            assert onchain.leaves_at(self.ledger.challenge(name), size) == leaves
        for name, size in self.said:
            self._only_grows(self.ledger.challenge(name), size)

    def _only_grows(self, found: Challenge, size: int) -> None:
        for account, token, total in onchain.leaves_at(found, size):
            place = found.id, account, token
            if size == found.onchain.declared[-1]:  # type: ignore[union-attr]
                assert total >= self.totals.get(place, 0)
                self.totals[place] = total

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            again = State()
            for entry in self.ledger.entries:
                apply(again, entry)
            again.pass_time(self.ledger.state.now)
            assert again == self.ledger.state


AnyChain.TestCase.settings = settings(max_examples=25, stateful_step_count=50)
TestAnyChain = AnyChain.TestCase
