"""Disputes: a bond against a score or a missing citation, and what comes of it.

    open ──(answer)──> upheld | rejected | undecided

What the released truth shows is decided by recomputation when the challenge settles. The rest is
decided by the jurors who have no part in it, in a stated time, or by a decision of the DAO. Time
alone ends every dispute. The loser's bond pays the winner, never more, so whoever holds both keys
gains nothing; what nobody decided (no vote, or a tie) costs nobody a bond.

Shares that a dispute can still move are payable up to the advance only (`Challenge.contested`), and
neither the commons are granted nor is the challenge closed before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from danseo.core import challenge as life
from danseo.core import treasury
from danseo.core.challenge import Challenge, Clue, Dispute, Verdict
from danseo.core.errors import NotFound, WrongPhase
from danseo.core.ladder import climb
from danseo.core.reward import UNITS, Node
from danseo.core.terms import DisputeTerms

if TYPE_CHECKING:
    from danseo.core.state import State

MAX_OPEN: Final = 8
"""Disputes that one account can have open in a challenge at a time."""
DUE: Final = ("dispute", "undisputed")
"""What falls due: the end of a vote, and the last time at which a dispute can be opened."""


def terms_of(challenge: Challenge) -> DisputeTerms:
    """Return how this challenge is disputed, or raise `NotFound` where it cannot be."""
    if challenge.terms.dispute is None:
        raise NotFound(
            f"The terms of {challenge.id} know no disputes.",
            "Its opening says what can be disputed; later terms do not change it.",
        )
    return challenge.terms.dispute


def find(challenge: Challenge, dispute_id: int) -> Dispute:
    """Return a dispute by its id, or raise `NotFound`."""
    found = challenge.disputes.get(dispute_id)
    if found is None:
        raise NotFound(
            f"{challenge.id} has no dispute {dispute_id}.",
            "A dispute's id is the index of the entry that opened it.",
        )
    return found


def other_side(challenge: Challenge, dispute: Dispute) -> str:
    """Return against whom it is: the scorer of the verdict, or the author who did not cite."""
    return dispute.scorer or challenge.clues[dispute.clue].author


def voters(challenge: Challenge, dispute: Dispute) -> list[str]:
    """Return the jurors who may vote: all but those who would gain or lose by the outcome."""
    clues = [challenge.clues[c] for c in (dispute.clue, dispute.target) if c >= 0]
    recused = {dispute.by, other_side(challenge, dispute), *(c.author for c in clues)}
    recused.update(to for clue in clues for to, _ in clue.payees)
    return [juror for juror in challenge.terms.jurors if juror not in recused]


def all_voted(challenge: Challenge, dispute: Dispute) -> bool:
    """Say whether every juror who may vote has, and there is one."""
    return bool(dispute.votes) and all(
        juror in dispute.votes for juror in voters(challenge, dispute)
    )


def opened_until(challenge: Challenge) -> int:
    """Return until when a dispute can be opened; -1 where the settlement has yet to come."""
    return -1 if challenge.settled_at < 0 else challenge.settled_at + terms_of(challenge).window


def check_over(challenge: Challenge) -> None:
    """Raise `WrongPhase` while a dispute can still move shares that are settled."""
    if not challenge.contested:
        return
    if challenge.disputing:
        which = next(d.id for d in challenge.disputes.values() if d.status == "open")
        raise WrongPhase(f"Dispute {which} is open.", "Wait until it is decided.")
    raise WrongPhase(
        f"{challenge.id} can be disputed until {opened_until(challenge)}.", "Wait until then."
    )


# --- how a dispute goes on ----------------------------------------------------------------------


def begin(state: State, challenge: Challenge, dispute: Dispute) -> None:
    """Take a dispute that may be opened: lock the bond, and see who decides when."""
    bond = terms_of(challenge).bond
    treasury.hold(challenge, dispute.by, bond.asset, bond.amount, "dispute")
    challenge.disputes[dispute.id] = dispute
    challenge.disputes_of.setdefault(dispute.clue, []).append(dispute.id)
    challenge.disputing[dispute.by] = challenge.disputing.get(dispute.by, 0) + 1
    if dispute.about == "citation":
        _call_jury(state, challenge, dispute, dispute.opened_at)
    elif challenge.status == "settled":
        _recompute(state, challenge, [dispute], dispute.opened_at)


def answer(challenge: Challenge, dispute: Dispute, evidence: str) -> None:
    """Lock the other side's bond, too."""
    bond = terms_of(challenge).bond
    other = other_side(challenge, dispute)
    treasury.hold(challenge, other, bond.asset, bond.amount, "dispute")
    dispute.answer = evidence


def settled(state: State, challenge: Challenge) -> None:
    """The challenge has just settled: decide what the truth shows, and call the jury for the rest.

    Stakes have paid by then for what was paid too much: a false scorer cannot save his stake from
    that by a dispute with himself.
    """
    if challenge.terms.dispute is None:
        return
    now = challenge.settled_at
    challenge.contested = True
    state.schedule(now + challenge.terms.dispute.window, challenge.id, "undisputed")
    if challenge.disputing:
        mine = [d for d in challenge.disputes.values() if d.about == "score" and d.status == "open"]
        _recompute(state, challenge, mine, now)


def fall_due(challenge: Challenge, what: str, dispute_id: int, now: int) -> None:
    """Let time do its part: count the votes of a dispute, or let disputes be over."""
    if what == "dispute":
        dispute = challenge.disputes[dispute_id]
        if dispute.status == "open":
            count(challenge, dispute, now)
    _let_rest(challenge, now)


def count(challenge: Challenge, dispute: Dispute, now: int) -> None:
    """End a dispute by the votes that were cast: the majority decides, a tie nothing."""
    balance = sum(1 if upheld else -1 for upheld in dispute.votes.values())
    outcome = "upheld" if balance > 0 else "rejected" if balance else "undecided"
    if outcome == "upheld":
        _take_effect(challenge, dispute)
    _end(challenge, dispute, outcome, "jury", now)


def decide(challenge: Challenge, dispute_id: int, uphold: bool, now: int) -> bool:
    """Let a decision of the DAO end a dispute; return whether there was one that it could end.

    What recomputation may yet decide, it cannot: a score before the settlement.
    """
    dispute = challenge.disputes.get(dispute_id)
    if dispute is None or dispute.status != "open" or dispute.votes_from < 0:
        return False
    if uphold:
        _take_effect(challenge, dispute)
    _end(challenge, dispute, "upheld" if uphold else "rejected", "dao", now)
    return True


def _call_jury(state: State, challenge: Challenge, dispute: Dispute, since: int) -> None:
    """Let the jurors vote once the time to answer is over."""
    terms = terms_of(challenge)
    dispute.votes_from = max(since, dispute.opened_at + terms.answer)
    dispute.votes_until = dispute.votes_from + terms.vote
    state.schedule(dispute.votes_until, challenge.id, "dispute", dispute.id)


def _recompute(state: State, challenge: Challenge, disputes: list[Dispute], now: int) -> None:
    """Decide what the truth shows of disputed scores; call the jury where it shows nothing."""
    shown = dict(wrong_verdicts(challenge)) if challenge.settled_by == "truth" else {}
    for dispute in disputes:
        wrong = shown.get((dispute.clue, dispute.scorer))
        if wrong is None:
            _call_jury(state, challenge, dispute, now)
        else:
            _end(challenge, dispute, "upheld" if wrong else "rejected", "truth", now)


def _end(challenge: Challenge, dispute: Dispute, outcome: str, by: str, now: int) -> None:
    """Close a dispute and move the bonds: all that is lost goes to the winner."""
    bond, other = terms_of(challenge).bond, other_side(challenge, dispute)
    answered = bond.amount if dispute.answer else 0
    if outcome != "rejected":
        treasury.give(challenge, dispute.by, bond.asset, bond.amount, "dispute")
    if outcome != "upheld":
        treasury.give(challenge, other, bond.asset, answered, "dispute")
    if outcome == "rejected":
        dispute.won = bond.amount
        treasury.win(challenge, dispute.by, other, bond.asset, bond.amount, "dispute")
    elif outcome == "upheld":
        what = "dispute" if answered else "stake"
        dispute.won = answered or _stake_left(challenge, dispute)
        treasury.win(challenge, other, dispute.by, bond.asset, dispute.won, what)
    dispute.status, dispute.decided_by, dispute.ended_at = outcome, by, now
    left = challenge.disputing.pop(dispute.by) - 1
    if left:
        challenge.disputing[dispute.by] = left
    _let_rest(challenge, now)


def _stake_left(challenge: Challenge, dispute: Dispute) -> int:
    """Return what a scorer who did not answer loses: as much as the bond, or all that is left of
    the stake."""
    return min(terms_of(challenge).bond.amount, treasury.staked(challenge, dispute.scorer))


def _let_rest(challenge: Challenge, now: int) -> None:
    """Let settled shares stand for good once no dispute is open and none can be opened."""
    if challenge.contested and not challenge.disputing and now >= opened_until(challenge):
        challenge.contested = False


# --- what the truth shows of a verdict ----------------------------------------------------------


def wrong_verdicts(challenge: Challenge) -> Iterator[tuple[tuple[int, str], bool]]:
    """Yield ((clue, scorer), wrong) for each verdict that the exact scores can judge.

    A scorer who follows the exact ladder over all clues (`challenge.exact_step`), and publishes no
    step below the frontier of his day, is never found wrong. From the first clue on whose files
    are withheld, or whose rerun a jury judged, nobody can recompute that ladder.
    """
    curve, best, frontier = challenge.terms.value_curve(), 0, 0
    for clue in challenge.scorable():
        if clue.withheld or _has_struck(clue):
            return
        for who, verdict in clue.verdicts.items():
            wrong = _is_wrong(challenge, clue, verdict, best, frontier)
            if wrong is not None:
                yield (clue.id, who), wrong
        if step := life.exact_step(challenge, clue, clue.exact, best):
            best = step.best
        said = life.attested(challenge, clue)
        if said is not None:
            frontier = max(frontier, curve.progress(said))


def _is_wrong(
    challenge: Challenge, clue: Clue, verdict: Verdict, best: int, frontier: int
) -> bool | None:
    """Say whether a verdict is not the one that follows from the exact score; None where that
    hangs on whether a method was reproduced, which a rerun must show."""
    curve = challenge.terms.value_curve()
    if clue.exact is None:
        return verdict.verdict != "unfit"
    step = climb(curve, best, curve.progress(clue.exact))
    if step is None or step.after <= frontier:
        return verdict.verdict != "none"
    right = verdict.verdict == "step" and verdict.score == curve.score(step.after)
    units = max(step.units, curve.value(step.after) - curve.value(frontier))
    if units <= challenge.terms.method_above:
        return not right
    if clue.form != "method":
        return verdict.verdict != "unfit"
    return None if right or verdict.verdict == "unfit" else True


# --- what an upheld dispute changes -------------------------------------------------------------


def _take_effect(challenge: Challenge, dispute: Dispute) -> None:
    clue = challenge.clues[dispute.clue]
    if dispute.about == "citation":
        add_citation(challenge, clue, dispute.target, dispute.weight)
    else:
        _strike(challenge, clue, dispute.scorer)
    if challenge.status == "settled":
        treasury.record_shares(challenge)


def add_citation(challenge: Challenge, clue: Clue, target: int, weight: int) -> None:
    """Let a final clue cite `target` with at least `weight`, as if it had done so at finality.

    The node keeps its place and its units. Where the weights would exceed the whole, those of the
    other citations are scaled down alike; one that comes to nothing goes.
    """
    pointed = _newest_before(challenge, clue.node)
    cites = {t: w for t, w in clue.cites if t in pointed}
    weight = max(weight, cites.pop(target, 0))
    rest, others = UNITS - weight, sum(cites.values())
    if others > rest:
        scaled = {t: w * rest // others for t, w in cites.items()}
        cites = {t: w for t, w in scaled.items() if w}
    cites[target] = weight
    clue.cites = tuple(cites.items())
    node = challenge.nodes[clue.node]
    at_nodes = tuple((pointed[t], w) for t, w in clue.cites)
    challenge.nodes[clue.node] = Node(node.units, node.position, at_nodes)


def _newest_before(challenge: Challenge, node: int) -> dict[int, int]:
    """Return for each clue the newest of its nodes that stood before `node` did."""
    own = {c.node: c.id for c in challenge.clues.values() if 0 <= c.node < node}
    own.update((n, c) for c, n in treasury.award_nodes(challenge) if n < node)
    return {own[n]: n for n in sorted(own)}


def _strike(challenge: Challenge, clue: Clue, scorer: str) -> None:
    """Let a verdict count no more that a jury found wrong, and refold the ladder without it."""
    clue.verdicts[scorer].struck = True
    clue.reproduced = life.is_reproduced(clue)
    if challenge.settled_by == "truth":
        life.refold(challenge)
    else:
        _refold_attested(challenge)


def _refold_attested(challenge: Challenge) -> None:
    """Refold the ladder over the verdicts that still count."""
    curve, limit = challenge.terms.value_curve(), challenge.terms.method_above
    challenge.frontier = 0
    for clue in challenge.scorable():
        score, units = life.attested(challenge, clue), -1
        if score is not None and curve.progress(score) > challenge.frontier:
            units = life.units_of_step(challenge, score)
        step = 0 <= units <= limit or (units > limit and clue.reproduced)
        node = challenge.nodes[clue.node]
        challenge.nodes[clue.node] = Node(units if step else 0, node.position, node.cites)
        if score is not None and step:
            challenge.frontier = curve.progress(score)
            clue.verdict, clue.score = "step", score
        elif clue.verdict == "step" or _has_struck(clue):
            unfit = any(v.verdict == "unfit" and not v.struck for v in clue.verdicts.values())
            clue.verdict, clue.score = "unfit" if unfit else "none", 0


def _has_struck(clue: Clue) -> bool:
    return any(v.struck for v in clue.verdicts.values())
