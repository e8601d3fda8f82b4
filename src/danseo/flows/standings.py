"""Tables that follow from the folded state: standings, shares, and what a next clue would earn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from danseo.core import dispute, onchain, reward, treasury
from danseo.core.challenge import Challenge, phase
from danseo.core.coin import decimals
from danseo.core.errors import Unavailable, Usage
from danseo.core.reward import Node
from danseo.core.terms import Terms
from danseo.core.words import money, utc

MANY = 50_000
"""Nodes from which on the kernel, compiled at its first use, is faster than plain Python."""


@dataclass(frozen=True, slots=True)
class Row:
    """One clue in the standings. Shares are out of 10^18, scores in parts per 10^9.

    `own` is what its step counts, `received` and `owed` what later ones pay it and it pays
    earlier ones; `jury` is what juries awarded it, grants included. `score` is None where no
    score is public; `step` is how far it moved the frontier.
    `total` = own + received - owed + jury.
    """

    clue: int
    author: str
    form: str
    cites: tuple[int, ...]
    status: str
    verdict: str
    score: int | None
    step: int
    units: int
    own: int
    received: int
    owed: int
    jury: int
    total: int
    duplicate_of: int


def rows(challenge: Challenge) -> list[Row]:
    """Return a row for each clue, in order of commitment."""
    parts = _breakdown(challenge)
    jury: dict[int, int] = {}
    for clue_id, node in treasury.award_nodes(challenge):
        jury[clue_id] = jury.get(clue_id, 0) + parts[node].share
    for one in challenge.rounds:
        for clue_id, grant in one.grants.items():
            jury[clue_id] = jury.get(clue_id, 0) + grant
    moved = _steps(challenge)
    found = []
    for clue in challenge.clues.values():
        part = parts[clue.node] if clue.node >= 0 else reward.Breakdown(0, 0, 0, 0)
        award = jury.get(clue.id, 0)
        score = clue.exact if clue.exact_known else clue.score if clue.verdict == "step" else None
        found.append(
            Row(
                clue=clue.id,
                author=clue.author,
                form=clue.form,
                cites=tuple(target for target, _ in clue.cites),
                status=clue.status,
                verdict=clue.verdict,
                score=score,
                step=moved.get(clue.id, 0),
                units=challenge.nodes[clue.node].units if clue.node >= 0 else 0,
                own=part.own,
                received=part.received,
                owed=part.owed,
                jury=award,
                total=part.share + award,
                duplicate_of=clue.duplicate_of,
            )
        )
    return found


def _breakdown(challenge: Challenge) -> list[reward.Breakdown]:
    """Return where each node's share comes from, by the compiled kernel where there are many."""
    nodes, rule = challenge.nodes, challenge.terms.rule()
    if len(nodes) < MANY:
        return reward.breakdown(nodes, rule)
    from danseo.flows import shares_fast  # late: its compiler takes a second to load

    try:
        known = shares_fast.shares(shares_fast.Graph.of(nodes), rule)
    except Unavailable:  # numba is not installed: the reference is slower, and equal
        return reward.breakdown(nodes, rule)
    return reward.breakdown(nodes, rule, [int(share) for share in known])


def _steps(challenge: Challenge) -> dict[int, int]:
    """Return how far each step moved the published frontier, in parts per 10^9."""
    curve, reached, moved = challenge.terms.value_curve(), 0, {}
    for clue in challenge.scorable():
        if clue.verdict == "step":
            progress = curve.progress(clue.score)
            moved[clue.id] = progress - reached
            reached = progress
    return moved


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a clue would earn: now, and when others go on. Shares out of 10^18, money by asset."""

    units: int
    share: int
    later_share: int | None
    money: dict[str, int]
    later_money: dict[str, int]


def simulate(
    challenge: Challenge,
    score: int,
    cites: tuple[tuple[int, int], ...] = (),
    then: int | None = None,
) -> Forecast:
    """Return what a clue of `score` would earn now, and if a later one that cites it makes `then`.

    Both scores are in parts per 10^9; `cites` are (clue, weight). It stands at the end of today's
    list of final clues.
    """
    curve, rule = challenge.terms.value_curve(), challenge.terms.rule()
    progress = curve.grid(curve.progress(score))
    nodes = list(challenge.nodes)
    targets = []
    for clue_id, weight in cites:
        clue = challenge.clues.get(clue_id)
        if clue is None or clue.newest < 0:
            raise Usage(f"Clue {clue_id} is not final.", "Simulate citations of final clues.")
        targets.append((clue.newest, weight))
    gained = max(0, curve.value(progress) - curve.value(challenge.frontier))
    mine = len(nodes)
    nodes.append(Node(gained, mine, tuple(targets)))
    now = reward.shares(nodes, rule)[mine]
    later = None
    if then is not None:
        before = max(challenge.frontier, progress)
        further = curve.grid(curve.progress(then))
        more = max(0, curve.value(further) - curve.value(before))
        nodes.append(Node(more, mine + 1, ((mine, reward.UNITS),)))
        later = reward.shares(nodes, rule)[mine]
    return Forecast(
        units=gained,
        share=now,
        later_share=later,
        money=_money(challenge, now),
        later_money=_money(challenge, later or 0),
    )


def _money(challenge: Challenge, share: int) -> dict[str, int]:
    return {a: r * share // reward.SHARES for a, r in sorted(challenge.received.items())}


def curve_points(terms: Terms, count: int = 10) -> list[tuple[int, int]]:
    """Return (score, units) along the value curve, from baseline to goal, on the step grid."""
    curve = terms.value_curve()
    steps = curve.progress(curve.points[-1][0]) // curve.eta
    at = sorted({i * steps // count * curve.eta for i in range(count + 1)})
    return [(curve.score(progress), curve.value(progress)) for progress in at]


@dataclass(frozen=True, slots=True)
class Equation:
    """The four parts of the money equation, together 10^18 shares.

    `held` are the shares of clues, `granted` those that juries granted from the commons, `commons`
    what nobody claims, `unminted` what no step or award has reached yet.
    """

    held: int
    granted: int
    commons: int
    unminted: int


def equation(challenge: Challenge) -> Equation:
    """Return where all shares of a challenge are now."""
    by_node = reward.shares(challenge.nodes, challenge.terms.rule())
    granted = treasury.granted(challenge)
    held = sum(by_node)
    free = reward.commons(challenge.nodes, by_node) - granted
    minted = sum(node.units for node in challenge.nodes)
    unminted = reward.SHARES // reward.UNITS * (reward.UNITS - minted)
    return Equation(held, granted, free, unminted)


@dataclass(frozen=True, slots=True)
class Holder:
    """An address that the pool pays: what it has taken of each asset, and what it still can take.

    Amounts count in the asset's smallest unit; the coin is one of the assets.
    """

    account: str
    claimed: dict[str, int]
    claimable: dict[str, int]


def holders(challenge: Challenge) -> list[Holder]:
    """Return every address that a payout names, those with most coin first; none without a coin."""
    record, coin = challenge.onchain, challenge.terms.coin
    if record is None or coin is None:
        return []
    assets = [coin.symbol, *(one.asset for one in coin.assets)]
    leaves = {a: record.leaves.get(onchain.token_of(challenge, a), {}) for a in assets}
    found = {a for asset in assets for a in (*leaves[asset], *record.claimed.get(asset, {}))}
    rows = []
    for account in found:
        claimed = {a: record.claimed.get(a, {}).get(account, 0) for a in assets}
        declared = {a: leaves[a].get(account, [(0, 0)])[-1][1] for a in assets}
        claimable = {a: max(0, declared[a] - claimed[a]) for a in assets}
        rows.append(Holder(account, claimed, claimable))
    return sorted(
        rows, key=lambda r: (-r.claimed[coin.symbol], -sum(r.claimable.values()), r.account)
    )


@dataclass(frozen=True, slots=True)
class Next:
    """Something that can be done now: by whom, what, and the command for it."""

    who: str
    what: str
    command: str


def next_steps(challenge: Challenge, now: int) -> list[Next]:
    """Return what can be done next for a challenge, and by whom."""
    name, terms = challenge.id, challenge.terms
    where = phase(challenge, now)
    steps = []
    if where == "draft":
        steps += _stake_steps(challenge)
        for who, role in terms.roles().items():
            if who not in challenge.acknowledged:
                steps.append(
                    Next(f"{role} {who}", "take the role up", f"challenge acknowledge {name}")
                )
    if where == "open":
        steps.append(Next("anyone without a role", "publish a clue", f"clue publish {name} ..."))
        if not terms.coin:
            steps.append(
                Next("the organiser", "enter a gift to the pool", f"challenge fund {name} ...")
            )
    if where in ("open", "revealing", "scoring"):
        steps += _scoring_steps(challenge, now)
    if where == "truth":
        for trustee in terms.trustees:
            if trustee.who not in challenge.released:
                steps.append(
                    Next(f"trustee {trustee.who}", "release the truth", f"truth release {name}")
                )
    if where == "recomputing":
        steps.append(Next("anyone", "recompute exact scores and settle", f"tick {name}"))
    if where in ("open", "revealing", "scoring", "truth", "recomputing", "settled"):
        steps += _jury_steps(challenge, now)
    steps += _dispute_steps(challenge, now)
    by_hand = [a for a in challenge.received if not (terms.coin and terms.coin.lists(a))]
    if _payable(challenge, by_hand):
        steps.append(Next("the organiser", "pay what is payable", f"challenge pay {name}"))
    return steps + _coin_steps(challenge, where)


def _stake_steps(challenge: Challenge) -> list[Next]:
    """Return what scorers lack of the stake without which they cannot take their role up."""
    name, terms = challenge.id, challenge.terms
    asset, least = terms.stake.asset, terms.stake.amount
    amount = f'"{money(least, asset).replace(",", "")}"'
    steps = []
    for scorer in terms.scorers:
        if treasury.balance(challenge, scorer.who, asset) >= least:
            continue
        if scorer.who in challenge.acknowledged:
            continue
        if terms.coin and terms.coin.lists(asset):
            command = f"stake deposit {name} {amount}"
            steps.append(Next(f"scorer {scorer.who}", "put the stake down", command))
        else:
            what, command = "enter the stake", f"challenge deposit {name} {scorer.who} {amount}"
            steps.append(Next("the organiser", f"{what} of {scorer.who}", command))
    return steps


def _payable(challenge: Challenge, assets: Iterable[str]) -> bool:
    return any(o.payable for asset in assets for o in treasury.owed(challenge, asset).values())


def _coin_steps(challenge: Challenge, where: str) -> list[Next]:
    """Return what a challenge that pays in contracts waits for, as far as the log knows."""
    name, terms, record = challenge.id, challenge.terms, challenge.onchain
    coin = terms.coin
    if coin is None or where == "cancelled":
        return []
    if record is None:
        return [Next("anyone", "deploy the contracts", f"chain deploy {name}")]
    steps = []
    if where in ("draft", "open"):
        first = money(10 ** decimals(coin.assets[0].asset), coin.assets[0].asset)
        steps.append(Next("anyone", "give to the pool", f'pool fund {name} "{first}"'))
    if _payable(challenge, [coin.symbol, *(one.asset for one in coin.assets)]):
        steps.append(Next("anyone", "declare and publish what is owed", f"pool run {name}"))
    waiting = [str(r.size) for r in record.roots if r.status == "published"]
    if waiting:
        what = f"see whether the payout root of size {waiting[-1]} is right"
        steps.append(Next("anyone", what, f"pool check {name}"))
    if any(amount for one in holders(challenge) for amount in one.claimable.values()):
        what = "pay what is declared, once its root's window is over"
        steps.append(Next("anyone", what, f"pool run {name}"))
    if record.supply:
        steps.append(Next("holders of the coin", "propose and vote", f"dao show {name}"))
    return [*steps, Next("anyone", "report what the chain did", f"chain observe {name}")]


def _scoring_steps(challenge: Challenge, now: int) -> list[Next]:
    head, terms, name = challenge.head_clue(), challenge.terms, challenge.id
    if head is None:
        return []
    if head.status == "committed":
        until = head.committed_at + terms.reveal_window
        if now >= until:
            return [Next("anyone", f"let clue {head.id} lapse", f"tick {name}")]
        return [Next(head.author, f"reveal clue {head.id}", f"clue reveal {name} {head.id}")]
    return [
        Next(f"scorer {s.who}", f"score clue {head.id}", f"score {name}")
        for s in terms.scorers
        if s.who not in head.verdicts
    ]


def _jury_steps(challenge: Challenge, now: int) -> list[Next]:
    name, steps = challenge.id, []
    for number, (one, terms) in enumerate(
        zip(challenge.rounds, challenge.terms.rounds, strict=True)
    ):
        if one.closed:
            continue
        if terms.opens <= now < terms.closes:
            for juror in challenge.terms.jurors:
                if juror not in one.ballots:
                    steps.append(
                        Next(f"juror {juror}", f"vote in round {number}", f"jury vote {name} ...")
                    )
        elif now >= terms.closes and not (terms.commons and challenge.contested):
            steps.append(Next("anyone", f"count jury round {number}", f"tick {name}"))
    settled = challenge.status == "settled" and not challenge.contested
    if settled and all(one.closed for one in challenge.rounds):
        steps.append(Next("anyone", "close the challenge", f"tick {name}"))
    return steps


def _dispute_steps(challenge: Challenge, now: int) -> list[Next]:
    """Return what open disputes wait for, and until when settled shares can be disputed."""
    if challenge.terms.dispute is None:
        return []
    name, steps = challenge.id, []
    for one in challenge.disputes.values():
        if one.status != "open":
            continue
        if not one.answer and now < one.opened_at + challenge.terms.dispute.answer:
            other, what = dispute.other_side(challenge, one), f"answer dispute {one.id}"
            steps.append(Next(other, what, f"dispute answer {name} {one.id} ..."))
        if dispute.all_voted(challenge, one) or 0 <= one.votes_until <= now:
            steps.append(Next("anyone", f"count dispute {one.id}", f"tick {name}"))
        elif 0 <= one.votes_from <= now:
            for juror in dispute.voters(challenge, one):
                if juror not in one.votes:
                    what = f"vote in dispute {one.id}"
                    steps.append(Next(f"juror {juror}", what, f"dispute vote {name} {one.id} ..."))
    if challenge.contested and now < (until := dispute.opened_until(challenge)):
        what = f"dispute a score or a missing citation, until {utc(until)}"
        steps.append(Next("anyone", what, f"dispute open {name} ..."))
    return steps
