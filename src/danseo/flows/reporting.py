"""Fill the report page from a verified log: `report` verifies first, and shows what it found."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np

from danseo.core import canonical, treasury
from danseo.core.challenge import Challenge, Clue
from danseo.core.challenge import phase as phase_of
from danseo.core.errors import DanseoError
from danseo.core.reward import SHARES
from danseo.flows import clues as published
from danseo.flows import reading, settling, standings
from danseo.flows.auditing import Audit
from danseo.flows.report_page import render
from danseo.flows.report_view import (
    Account,
    ChainFacts,
    Gift,
    LogFacts,
    Money,
    Payment,
    Point,
    Pot,
    ReportView,
)
from danseo.flows.report_view import (
    Clue as ClueView,
)
from danseo.flows.report_words import PHASES, STATUS, TRUST, WORDS
from danseo.log.signing import checksummed
from danseo.log.source import Source
from danseo.scoring import arrays
from danseo.scoring.scorers import SCORERS
from danseo.scroll.fragments import ink

Names = Callable[[str], str]


def report(source: Source, audit: Audit, name: str, names: Names, language: str = "en") -> str:
    """Return the page of a challenge as HTML, in "en" or "ko".

    `audit` is what the verification of `source` found; `names` calls an address by a name.
    """
    challenge = audit.log.state.challenge(name)
    return render(_View(source, audit, challenge, names, language).view())


class _View:
    """Gathers what the page shows of one challenge."""

    def __init__(
        self, source: Source, audit: Audit, challenge: Challenge, names: Names, language: str
    ) -> None:
        self.source, self.audit, self.challenge = source, audit, challenge
        self.names, self.language = names, language
        self.about = canonical.decode(source.get(challenge.terms.about))

    def view(self) -> ReportView:
        log, terms, challenge = self.audit.log, self.challenge.terms, self.challenge
        scorer = SCORERS.get(terms.scorer)
        summary = ""
        if scorer:
            summary = scorer.summary_ko if self.language == "ko" else scorer.summary_en
        trust = TRUST[self.language]
        return ReportView(
            title=self.about["title"],
            challenge=challenge.id,
            description=self.about["description"].strip(),
            source=", ".join(f["path"] for f in self.about["data"]) + f" ({self.about['licence']})",
            language=self.language,
            phase=PHASES[self.language][phase_of(challenge, log.time)],
            metric=f"{terms.scorer}: {summary}" if summary else terms.scorer,
            opened=max(challenge.opened_at, challenge.created_at),
            deadline=terms.deadline,
            baseline=terms.curve[0].score,
            goal=terms.curve[-1].score,
            eta=terms.eta,
            log=LogFacts(log.origin, log.size, log.root.hex(), log.time, log.clock == "simulated"),
            clues=self.clues(),
            frontier=self.frontier(),
            curve=tuple((p.score, p.units) for p in terms.curve),
            pots=tuple(self.pot(asset) for asset in sorted(challenge.received)),
            gifts=tuple(
                Gift(f.time, self.names(f.donor), Money(f.asset, f.amount)) for f in challenge.funds
            ),
            commons=standings.equation(challenge).commons,
            checks=self.audit.checks,
            verify=(
                f"danseo verify {log.place}",
                f"danseo standings {challenge.id}",
                f"danseo shares {challenge.id}",
            ),
            proven=trust["proven"],
            recomputable=trust["recomputable"] if challenge.settled_by != "attested" else (),
            attested=self.attested(),
            colours=(ink.HIT, ink.FALSE, ink.MISSED),
            chain=self.chain(),
        )

    def chain(self) -> ChainFacts | None:
        """Return what the contracts paid, and to whom; None where there are none."""
        challenge, coin = self.challenge, self.challenge.terms.coin
        found = next((c for c in self.audit.chains if c.challenge == challenge.id), None)
        if found is None or coin is None:
            return None
        words = WORDS[self.language]
        rows = standings.holders(challenge)
        supply = sum(row.claimed.get(coin.symbol, 0) for row in rows) or 1
        return ChainFacts(
            chain_id=found.chain_id,
            pool=checksummed(found.pool),
            block=found.block,
            accounts=tuple(
                Account(
                    name=self.names(row.account),
                    coin=Money(coin.symbol, row.claimed.get(coin.symbol, 0)),
                    part=row.claimed.get(coin.symbol, 0) * SHARES // supply,
                    paid=_monies(row.claimed, coin.symbol),
                    open=_monies(row.claimable, ""),
                )
                for row in rows
            ),
            payments=tuple(
                Payment(self.names(p.account), Money(p.asset, p.amount), p.block, p.tx)
                for p in found.payments
            ),
            roots=tuple(
                (r.size, ("" if r.right else words["wrong"]) + words[r.status]) for r in found.roots
            ),
            alarms=found.alarms,
        )

    def attested(self) -> tuple[str, ...]:
        """Return what rests on somebody's word, and whose."""
        trust, challenge = TRUST[self.language], self.challenge
        said = trust["money"] if challenge.funds or challenge.deposited else ()
        if challenge.settled_by == "attested":
            said += trust["silent"]
        elif not challenge.settled_by:
            said += trust["scores"]
        return said + trust["truth"]

    def clues(self) -> tuple[ClueView, ...]:
        rows = {row.clue: row for row in standings.rows(self.challenge)}
        draw = self.painter()
        found = []
        for clue in self.challenge.clues.values():
            row = rows[clue.id]
            content = self.content(clue)
            found.append(
                ClueView(
                    clue=clue.id,
                    title=content.title if content else "",
                    author=self.names(clue.author),
                    form=clue.form,
                    cites=clue.cites,
                    score=row.score,
                    step=row.step,
                    status=self.status(clue),
                    own=row.own,
                    received=row.received,
                    owed=row.owed,
                    jury=row.jury,
                    total=row.total,
                    money=tuple(
                        Money(asset, received * row.total // SHARES)
                        for asset, received in sorted(self.challenge.received.items())
                    ),
                    description=content.description if content else "",
                    reason=self.reason(clue),
                    picture=draw(clue) if clue.scored else None,
                )
            )
        return tuple(found)

    def content(self, clue: Clue) -> published.Content | None:
        """Return what a clue says of itself; None where it was not revealed, or is withheld."""
        if not clue.content or clue.content in self.audit.log.state.withheld:
            return None
        return published.parse_content(self.source.get(clue.content), clue)

    def status(self, clue: Clue) -> str:
        words = STATUS[self.language]
        if clue.duplicate_of >= 0:
            return words["copy"].format(of=clue.duplicate_of)
        return words[clue.verdict or clue.status]

    def reason(self, clue: Clue) -> str:
        """Return what the scorer whose verdict came first said."""
        for verdict in clue.verdicts.values():
            (entry,) = reading.entries(self.source, verdict.index, verdict.index + 1)
            blob = entry.body["reason"]
            if blob not in self.audit.log.state.withheld:
                return self.source.get(blob).decode("utf-8", "replace")
        return ""

    def frontier(self) -> tuple[Point, ...]:
        return tuple(
            Point(c.final_at, c.score, c.id)
            for c in self.challenge.scorable()
            if c.verdict == "step"
        )

    def pot(self, asset: str) -> Pot:
        challenge = self.challenge
        paid = sum(challenge.paid.get(asset, {}).values())
        left = treasury.available(challenge, asset)
        if challenge.onchain and challenge.terms.coin and challenge.terms.coin.lists(asset):
            claimed = sum(challenge.onchain.claimed.get(asset, {}).values())
            paid, left = claimed, left + paid - claimed
        back = sum(self.challenge.refunds.get(asset, {}).values())
        return Pot(asset, self.challenge.received[asset], paid, left, back)

    def painter(self) -> Callable[[Clue], bytes | None]:
        """Return what paints a clue's prediction beside the truth, where both are pictures."""
        data = {f["path"]: f["sha256"] for f in self.about["data"]}
        if not self.challenge.key or "test_ct.npy" not in data:
            return lambda clue: None
        ct = arrays.read(self.source.get(data["test_ct.npy"]))
        with np.load(io.BytesIO(settling.released_truth(self.source.get, self.challenge))) as truth:
            label, mask = truth["label"], truth["mask"]

        def paint(clue: Clue) -> bytes | None:
            try:
                return ink.picture(ct, mask, label, arrays.read(self.source.get(clue.submission)))
            except (DanseoError, ValueError):
                return None  # an unfit submission has no picture; its reason stands beside it

        return paint


def _monies(amounts: dict[str, int], but: str) -> tuple[Money, ...]:
    return tuple(Money(a, n) for a, n in sorted(amounts.items()) if n and a != but)
