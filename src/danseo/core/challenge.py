"""The life of a challenge: its clues in order of commitment, the ladder, the truth, the jury.

    draft -> open -> deadline -> reveals -> scores -> truth -> settled -> closed
      └──────┴──> cancelled (before the first commitment)

These functions write to a `Challenge` that the fold owns. What they may refuse, they refuse
before they write. Kinds of entries call them; time calls `pass_over`, `silence` and
`settle_attested`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from danseo.core import shamir
from danseo.core.ballot import Ballot, tally
from danseo.core.books import Books, Fund
from danseo.core.ladder import Step, climb
from danseo.core.onchain import Onchain
from danseo.core.reward import UNITS, Node, grantable, shares
from danseo.core.terms import Terms
from danseo.core.treasury import RECEIPTS, granted, received, record_shares, slash

SCORED_FORMS: Final = ("predictions", "method")
FORMS: Final = (*SCORED_FORMS, "tool", "data", "finding")


@dataclass(slots=True)
class Verdict:
    """What one scorer said of a clue: `step` with the score on the grid, `none` or `unfit`.

    `struck` says that a jury found it wrong where no truth can show it: it counts no more.
    """

    verdict: str
    score: int
    reproduced: bool
    index: int
    struck: bool = False


@dataclass(slots=True)
class Clue:
    """A clue from its commitment on. Its id is the index of its commitment in the log.

    `status` goes committed -> revealed -> final, or ends as lapsed or retracted. `verdict` is what
    counts once it is final: step, none, unfit, passed (over) or unscored. `score` is the published
    score of a step on the grid; `exact` is known when the truth is. The scorers' time runs from
    `ready_at`. `withheld` says that its exact score can never be known. -1 stands for "none yet".
    """

    id: int
    author: str
    commitment: str
    committed_at: int
    status: str = "committed"
    reveal: int = -1
    revealed_at: int = -1
    form: str = ""
    content: str = ""
    submission: str = ""
    licence: str = ""
    cites: tuple[tuple[int, int], ...] = ()
    payees: tuple[tuple[str, int], ...] = ()
    duplicate_of: int = -1
    ready_at: int = -1
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    verdict: str = ""
    score: int = 0
    reproduced: bool = False
    final_at: int = -1
    exact_known: bool = False
    exact: int | None = None
    withheld: bool = False
    node: int = -1
    newest: int = -1

    @property
    def scored(self) -> bool:
        """Return whether a scorer can score what this clue is made of."""
        return self.form in SCORED_FORMS


@dataclass(slots=True)
class Stake:
    """Whether the truth showed that a scorer published too high; the books say what he staked."""

    overstated: bool = False


@dataclass(slots=True)
class Attested:
    """A movement that the organiser attested, for a reversal; `reversed_by` is -1 before one."""

    asset: str
    source: str
    target: str
    amount: int
    fee: int = 0
    donor: str = ""
    reversed_by: int = -1


@dataclass(slots=True)
class Hold:
    """Since which entry, and until when, payouts to an account are held back."""

    index: int
    until: int


@dataclass(slots=True)
class JuryRound:
    """A round of the jury: ballots by juror, and once closed what each clue was awarded."""

    ballots: dict[str, Ballot] = field(default_factory=dict)
    closed: bool = False
    units: dict[int, int] = field(default_factory=dict)
    grants: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Dispute:
    """A bond against a score or a missing citation; `core.dispute` says how it goes on.

    `about` is score or citation. `scorer` is whose verdict is disputed; `target` and `weight` are
    the clue that should be cited and how much. Jurors vote from `votes_from` until `votes_until`.
    `status` goes from open to upheld, rejected or undecided; -1 stands for "none yet".
    """

    id: int
    by: str
    about: str
    clue: int
    evidence: str
    opened_at: int
    scorer: str = ""
    target: int = -1
    weight: int = 0
    answer: str = ""
    votes: dict[str, bool] = field(default_factory=dict)
    votes_from: int = -1
    votes_until: int = -1
    status: str = "open"
    decided_by: str = ""
    ended_at: int = -1
    won: int = 0


@dataclass(slots=True)
class Challenge:
    """The folded record of one challenge.

    `roles` maps those who may not win to why. `queue` holds all clues in order of commitment:
    those before `head` are over (final, lapsed or retracted), those before `ready` hide nothing.
    `scorables` are the final ones that a scorer can score; of the first `exact_next` the exact
    score is known. `accounts` is filled at settlement. `disputes_of` lists the disputes of a clue,
    `disputing` counts the open ones of an account. `contested` says that the settled shares can
    still move by a dispute. `refunds` is what comes back to whom at the end, `won` what
    disputes won on chain, `inherited` whose gifts a round before passed on, `attested` the
    organiser's entries of money by index, `accepted` who took the rules on.
    """

    id: str
    organiser: str
    terms: Terms
    index: int
    created_at: int
    roles: dict[str, str] = field(default_factory=dict)
    status: str = "draft"
    opened_at: int = -1
    acknowledged: dict[str, int] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    clues: dict[int, Clue] = field(default_factory=dict)
    commitments: dict[str, int] = field(default_factory=dict)
    submissions: dict[str, int] = field(default_factory=dict)
    queue: list[int] = field(default_factory=list)
    ready: int = 0
    head: int = 0
    scorables: list[int] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    frontier: int = 0
    released: dict[str, str] = field(default_factory=dict)
    key: str = ""
    exact_next: int = 0
    settled_by: str = ""
    settled_at: int = -1
    rounds: list[JuryRound] = field(default_factory=list)
    accounts: dict[str, int] = field(default_factory=dict)
    books: Books = field(default_factory=Books)
    funds: list[Fund] = field(default_factory=list)
    attested: dict[int, Attested] = field(default_factory=dict)
    stakes: dict[str, Stake] = field(default_factory=dict)
    refunds: dict[str, dict[str, int]] = field(default_factory=dict)
    won: dict[str, dict[str, int]] = field(default_factory=dict)
    inherited: dict[str, dict[str, int]] = field(default_factory=dict)
    closed_at: int = -1
    disputes: dict[int, Dispute] = field(default_factory=dict)
    disputes_of: dict[int, list[int]] = field(default_factory=dict)
    disputing: dict[str, int] = field(default_factory=dict)
    contested: bool = False
    accepted: dict[str, int] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    onchain: Onchain | None = None

    @property
    def received(self) -> dict[str, int]:
        """By asset, all that the pool received: gifts, forfeited bonds, surplus on chain."""
        return {
            asset: received(self, asset)
            for asset, moved in self.books.moved.items()
            if any(f"{source}>pool" in moved for source in RECEIPTS)
        }

    @property
    def paid(self) -> dict[str, dict[str, int]]:
        """By asset and account, what was paid, or declared payable on chain."""
        balances = self.books.balances.items()
        return {asset: groups["paid"] for asset, groups in balances if "paid" in groups}

    @property
    def deposited(self) -> dict[str, int]:
        """By asset, what was put down for bonds and stakes in all."""
        return self.books.flows("outside", "free")

    @property
    def forfeited(self) -> dict[str, int]:
        """By asset, what the pool got of lapsed bonds."""
        return self.books.flows("bond", "pool")

    @property
    def slashed(self) -> dict[str, int]:
        """By asset, what the pool got of stakes."""
        return self.books.flows("stake", "pool")

    @property
    def successor(self) -> dict[str, int]:
        """By asset, what was passed on to the round after."""
        return self.books.flows("pool", "successor")

    @property
    def coin_symbol(self) -> str:
        """The asset that is this challenge's own coin, or an empty string."""
        return self.terms.coin.symbol if self.terms.coin else ""

    def scorable(self) -> list[Clue]:
        """Return the final clues that a scorer can score, in order of commitment."""
        return [self.clues[i] for i in self.scorables]

    def head_clue(self) -> Clue | None:
        """Return the first clue in order of commitment that is not final, lapsed or retracted."""
        return self.clues[self.queue[self.head]] if self.head < len(self.queue) else None

    def role(self, identity: str) -> str:
        """Return the role that keeps `identity` from winning, or an empty string."""
        return self.roles.get(identity, "")


def phase(challenge: Challenge, now: int) -> str:
    """Return where the challenge stands: a status, or what an open challenge waits for.

    draft, open, revealing, scoring, truth, recomputing, settled, closed or cancelled.
    """
    if challenge.status != "open":
        return challenge.status
    terms = challenge.terms
    if now < terms.deadline:
        return "open"
    if challenge.key:
        return "recomputing"
    if now < terms.deadline + terms.reveal_window:
        return "revealing"
    return "truth" if challenge.head == len(challenge.queue) else "scoring"


def commitment_of(challenge: str, author: str, content: str, submission: str, salt: str) -> str:
    """Return the hash that commits `author` to the blobs `content` and `submission`.

    `author` is an identity. SHA-256 over the five, each preceded by its length, so that no two
    different lists agree. Without the submission, its place in the order could be filled with what
    others reveal in the meantime. The salt (32 random bytes in hex) keeps both from being guessed.
    """
    parts = ("danseo clue v1", challenge, author, content, submission, salt)
    return hashlib.sha256("".join([f"{len(p)}:{p}" for p in parts]).encode()).hexdigest()


# --- the queue: clues become final in order of commitment ---------------------------------------


def advance(challenge: Challenge, now: int) -> list[int]:
    """Make final what can be final, from the head of the queue on.

    Return the clues whose scorers' time begins now, because nothing committed before them is
    hidden any more. Counted from there, and not from the head of the queue, so that slow scorers
    cannot stretch it by the number of clues: every clue is final one reveal window and one score
    window after the deadline at the latest.
    """
    began = _make_ready(challenge, now)
    while (clue := challenge.head_clue()) is not None:
        if clue.status in ("lapsed", "retracted"):
            challenge.head += 1
        elif clue.status == "committed":
            break
        elif not clue.scored:
            _make_final(challenge, clue, "unscored", now)
        elif len(clue.verdicts) == len(challenge.terms.scorers):
            _decide(challenge, clue, now)
        else:
            break
    return began


def _make_ready(challenge: Challenge, now: int) -> list[int]:
    began = []
    while challenge.ready < len(challenge.queue):
        clue = challenge.clues[challenge.queue[challenge.ready]]
        if clue.status == "committed":
            break
        challenge.ready += 1
        if clue.status == "revealed" and clue.scored:
            clue.ready_at = now
            began.append(clue.id)
    return began


def pass_over(challenge: Challenge, clue_id: int, now: int) -> None:
    """Pass over a clue whose scorers were late: it is final, and scored at settlement.

    A verdict that came in time still says whether its method was reproduced: one scorer's silence
    must not cost the author a large step.
    """
    clue = challenge.clues[clue_id]
    if clue.status == "revealed":
        clue.reproduced = is_reproduced(clue)
        _make_final(challenge, clue, "passed", now)


def units_of_step(challenge: Challenge, score: int) -> int:
    """Return the units that a step to `score` would mint from today's frontier."""
    curve = challenge.terms.value_curve()
    return curve.value(curve.progress(score)) - curve.value(challenge.frontier)


def _decide(challenge: Challenge, clue: Clue, now: int) -> None:
    """Two scorers have spoken; where they differ, the lower counts."""
    verdicts = list(clue.verdicts.values())
    clue.reproduced = is_reproduced(clue)
    if any(v.verdict == "unfit" for v in verdicts):
        _make_final(challenge, clue, "unfit", now)
        return
    if any(v.verdict == "none" for v in verdicts):
        _make_final(challenge, clue, "none", now)
        return
    curve = challenge.terms.value_curve()
    lowest = min(verdicts, key=lambda v: curve.progress(v.score))
    units = units_of_step(challenge, lowest.score)
    challenge.frontier = curve.progress(lowest.score)
    clue.score = lowest.score
    _make_final(challenge, clue, "step", now, units)


def is_reproduced(clue: Clue) -> bool:
    """Say whether this is a method that some scorer reproduced, and none failed to.

    Where no scorer spoke, nobody has: otherwise a method that cannot be rerun at all, so that its
    scorers stay silent, would pass for one that was.
    """
    said = [v.reproduced for v in clue.verdicts.values() if not v.struck]
    return clue.form == "method" and bool(said) and all(said)


def _make_final(challenge: Challenge, clue: Clue, verdict: str, now: int, units: int = 0) -> None:
    cites = []
    for target, weight in clue.cites:
        cited = challenge.clues[target]
        if cited.newest >= 0:  # a target that was retracted has no node
            cites.append((cited.newest, weight))
    clue.status, clue.verdict, clue.final_at = "final", verdict, now
    clue.node = clue.newest = len(challenge.nodes)
    challenge.nodes.append(Node(units, len(challenge.nodes), tuple(cites)))
    challenge.head += 1
    if clue.scored:
        challenge.scorables.append(clue.id)


# --- the truth ----------------------------------------------------------------------------------


def release(challenge: Challenge, trustee: str, share: str, now: int) -> None:
    """Take a trustee's share; once some k of them give the committed key, the key is known."""
    challenge.released[trustee] = share
    for some in combinations(challenge.released.values(), challenge.terms.threshold):
        if share in some and (key := _key_from(some)):
            if hashlib.sha256(bytes.fromhex(key)).hexdigest() != challenge.terms.truth.key:
                continue
            challenge.key = key
            if not challenge.scorables:
                _settle(challenge, now)
            return


def _key_from(some: tuple[str, ...]) -> str:
    secret = shamir.combine(dict(shamir.decode(share) for share in some))
    return f"{secret:064x}" if secret < 2**256 else ""


def is_withheld(challenge: Challenge, clue: Clue, withheld: Container[str]) -> bool:
    """Say whether nobody can score a clue any more: what that takes is no longer served."""
    terms = challenge.terms
    needed = (clue.content, clue.submission, terms.truth.cipher, terms.code)
    return any(blob in withheld for blob in needed if blob)


def note_exact(
    challenge: Challenge,
    exact: list[tuple[int, int | None]],
    now: int,
    withheld: Container[str] = (),
) -> None:
    """Take exact scores of the next scorable clues (None: unfit); the last one settles."""
    for clue_id, score in exact:
        clue = challenge.clues[clue_id]
        clue.exact_known, clue.exact = True, score
        clue.withheld = is_withheld(challenge, clue, withheld)
    challenge.exact_next += len(exact)
    if challenge.exact_next == len(challenge.scorables):
        _settle(challenge, now)


def silence(challenge: Challenge, now: int) -> bool:
    """The trustees' time is over: without the truth, attested scores stand for ever.

    By then every clue is final. Return whether the truth is out and exact scores are still missing.
    """
    if challenge.key:
        return True
    settle_attested(challenge, now)
    return False


def settle_attested(challenge: Challenge, now: int) -> None:
    """Let attested scores stand for ever.

    Also where the truth is out and nobody could recompute: a submission that an organiser's own
    scorer cannot digest must not lock the money up.
    """
    challenge.settled_by, challenge.status, challenge.settled_at = "attested", "settled", now
    record_shares(challenge)


def _settle(challenge: Challenge, now: int) -> None:
    refold(challenge)
    challenge.settled_by, challenge.status, challenge.settled_at = "truth", "settled", now
    record_shares(challenge)
    slash(challenge)


def refold(challenge: Challenge) -> None:
    """Refold the ladder over exact scores, and name the scorers who published too high.

    A clue whose files were withheld keeps its attested score: no operator shall cost an author a
    step, or a scorer the stake, by taking from everyone what would prove it.
    """
    challenge.frontier, best = 0, 0
    for clue in challenge.scorable():
        if clue.withheld:
            step = exact_step(challenge, clue, attested(challenge, clue), best)
        else:
            step = exact_step(challenge, clue, clue.exact, best)
            _judge_scorers(challenge, clue, step)
        node = challenge.nodes[clue.node]
        challenge.nodes[clue.node] = Node(step.units if step else 0, node.position, node.cites)
        if step:
            best, challenge.frontier = step.best, step.after
            clue.verdict, clue.score = "step", challenge.terms.value_curve().score(step.after)
        else:
            unfit = clue.exact is None and not clue.withheld
            clue.verdict, clue.score = "unfit" if unfit else "none", 0


def attested(challenge: Challenge, clue: Clue) -> int | None:
    """Return the score that the scorers' verdicts give a clue, the lower of the two, or None.

    A verdict that was struck counts no more; where a scorer was late, there is none.
    """
    said = [v for v in clue.verdicts.values() if not v.struck]
    if len(clue.verdicts) < len(challenge.terms.scorers) or not said:
        return None
    if any(v.verdict != "step" for v in said):
        return None
    curve = challenge.terms.value_curve()
    return min((v.score for v in said), key=curve.progress)


def exact_step(challenge: Challenge, clue: Clue, exact: int | None, best: int) -> Step | None:
    """Return the step of a final clue of this exact score over the exact `best`, or None.

    A large one needs a method that reproduced. Folded over `scorable()`, each step's `best` the
    next one's, this is the ladder that counts in the end. A scorer who follows it over all clues,
    those passed over or outvoted too, is never found to have published too high.
    """
    if exact is None:
        return None
    curve = challenge.terms.value_curve()
    step = climb(curve, best, curve.progress(exact))
    if step and step.units > challenge.terms.method_above and not clue.reproduced:
        return None
    return step


def _judge_scorers(challenge: Challenge, clue: Clue, step: Step | None) -> None:
    """Note who published more than the truth bears out: a score above the exact one, or a part in
    an attested step that was none (say, of a copy of what they had called a miss)."""
    curve = challenge.terms.value_curve()
    true = 0 if clue.exact is None else curve.grid(curve.progress(clue.exact))
    if clue.verdict == "step" and step is None:
        true = 0
    for who, verdict in clue.verdicts.items():
        if verdict.verdict == "step" and curve.progress(verdict.score) > true:
            challenge.stakes[who].overstated = True


# --- the jury -----------------------------------------------------------------------------------


def candidates(challenge: Challenge, number: int) -> list[int]:
    """Return the clues that round `number` may award: final, fit, no copies, without a step."""
    opens = challenge.terms.rounds[number].opens
    return [
        c.id
        for c in challenge.clues.values()
        if c.status == "final"
        and c.verdict not in ("step", "unfit")
        and c.duplicate_of < 0
        and c.committed_at <= opens
    ]


def recused(challenge: Challenge, juror: str) -> set[int]:
    """Return the clues that `juror` may not judge: his own, and those that would pay him."""
    return {
        c.id
        for c in challenge.clues.values()
        if c.author == juror or any(to == juror for to, _ in c.payees)
    }


def close_round(challenge: Challenge, number: int) -> None:
    """Count the ballots of a round; mint its units and grant its part of the commons.

    A clue that the settlement has made a step since the ballots keeps its step and gets no award;
    what the ballots say of the others stands.
    """
    one, terms = challenge.rounds[number], challenge.terms.rounds[number]
    ballots = list(one.ballots.values())
    weights = tally(ballots, {b.juror: recused(challenge, b.juror) for b in ballots})
    eligible = set(candidates(challenge, number))
    weights = {clue: q for clue, q in weights.items() if clue in eligible}
    one.closed = True
    if not weights:
        return
    if terms.commons:
        now = shares(challenge.nodes, challenge.terms.rule())
        free = grantable(challenge.nodes, now, granted(challenge))
        one.grants = _split(min(terms.commons, free), weights)
    one.units = _split(terms.units, weights)
    position = len(challenge.nodes)
    for clue_id, units in one.units.items():
        clue = challenge.clues[clue_id]
        challenge.nodes.append(Node(units, position, ((clue.newest, UNITS),)))
        clue.newest = len(challenge.nodes) - 1
    if challenge.status == "settled":
        record_shares(challenge)


def _split(total: int, weights: dict[int, int]) -> dict[int, int]:
    """Return floor(total * q / 10^9) for each clue, leaving out those that get nothing."""
    parts = {clue: total * q // UNITS for clue, q in weights.items()}
    return {clue: part for clue, part in parts.items() if part}
