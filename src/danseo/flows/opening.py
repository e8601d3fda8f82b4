"""Open a challenge: check its terms, encrypt and seal the truth, publish; take roles up."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from danseo.core import canonical, shamir
from danseo.core.challenge import Challenge
from danseo.core.entry import parse
from danseo.core.errors import (
    Invalid,
    Malformed,
    NotAllowed,
    NotFound,
    Unavailable,
    Usage,
)
from danseo.core.kinds.challenge import AcceptRules, Acknowledge, Cancel, OpenChallenge
from danseo.core.kinds.identity import RegisterSealing
from danseo.core.ladder import safe_eta
from danseo.core.terms import Terms, check_terms
from danseo.core.words import money
from danseo.flows.acting import Desk
from danseo.flows.notation import decimal
from danseo.flows.spec import Draft
from danseo.flows.storing import Store
from danseo.log.blobs import Blobs
from danseo.log.sealing import SealingKey, decrypt_truth, encrypt_truth, seal, unseal
from danseo.log.sequencer import Appended
from danseo.log.signing import Key
from danseo.scoring import run
from danseo.scoring.scorers import truth_points

_BOND: Final = 10**16
"""Wei, below which a bond is warned of: 0.01 ETH."""
_PATIENCE: Final = 30 * 86_400
_GUESSES: Final = 1000
"""Clues that `challenge check` expects when it looks at the size of the step."""


def check(draft: Draft, organiser: str, now: int) -> list[str]:
    """Raise where the terms contradict one another; return warnings where they are unwise."""
    terms = draft.terms()
    check_terms(terms, organiser, now)
    warnings = []
    if terms.value_curve().rewards_holding_back():
        warnings.append(
            "The value curve is more than 1.9 times as steep at its end as at its start: "
            "it pays to hold a clue back until others have made progress."
        )
    if draft.code:
        _rehearse(draft.code.read_bytes(), draft.truth, terms)
    points = 0 if draft.code else truth_points(terms.scorer, draft.truth.read_bytes())
    if points and (least := safe_eta(_GUESSES, points)) > terms.eta:
        warnings.append(
            f"With {_GUESSES} clues and a truth of {points} points, a step of "
            f"{decimal(terms.eta)} can be luck in more than 5 % of challenges; "
            f"{decimal(least)} cannot."
        )
    if not terms.rounds:
        warnings.append("There is no jury round: tools, data and findings will earn nothing.")
    if terms.stake.amount == 0:
        warnings.append("Scorers put down no stake: a false score costs them nothing.")
    if terms.bond.amount == 0:
        warnings.append("The bond is 0: whoever never reveals a clue loses nothing.")
    if terms.dispute is None:
        warnings.append(
            "There is no [dispute]: a false verdict costs its scorer nothing but the stake, and a "
            "missing citation stays missing."
        )
    return warnings + _coin_warnings(terms)


def _coin_warnings(terms: Terms) -> list[str]:
    """Return what is unwise in the terms of a coin; nothing where there is none."""
    coin = terms.coin
    if coin is None:
        return []
    warnings = []
    if coin.bond < _BOND:
        warnings.append(
            f"A payout root's bond is {money(coin.bond, 'ETH:18')}: false roots and entries handed "
            "in on chain cost next to nothing, so somebody has to look at each of them."
        )
    if coin.guarded_until < 2 * max(coin.outflow, coin.quorum):
        warnings.append(
            "One false root that nobody strikes in time can mint a thief so much coin that the "
            "guardian has no say and no quorum is left but his: guard until more than twice what "
            "leaves in a window, and than twice the quorum."
        )
    if coin.patience > _PATIENCE:
        warnings.append(
            f"An entry handed in on chain may hold payouts up for {coin.patience // 86_400} days, "
            "at the price of one bond; only the guardian or the DAO can dismiss it before."
        )
    if terms.dispute and coin.lists(terms.bond.asset):
        voting = coin.voting_delay + coin.voting_period + coin.timelock_delay
        if terms.dispute.answer + terms.dispute.vote < voting:
            warnings.append(
                "The DAO cannot decide a dispute: a vote takes longer than jurors have."
            )
    if not coin.lists(terms.stake.asset):
        warnings.append(
            f"Bonds and stakes are in {terms.stake.asset}, which the contracts do not hold: the "
            "organiser keeps them, on their word."
        )
    return warnings


def unsealed(desk: Desk, draft: Draft) -> list[str]:
    """Return a warning where scorers or trustees have not said yet how to seal a secret to them."""
    people = desk.state.people
    missing = [who for who in draft.terms().roles() if who not in people or not people[who].sealing]
    if not missing:
        return []
    names = ", ".join(missing)
    return [f"No sealing key is known of {names}: each runs `danseo key register` before it opens."]


def _rehearse(code: bytes, truth: Path, terms: Terms) -> None:
    """Run an organiser's own scorer on the truth, as if that were a clue; raise where it fails.

    The opening fixes the scorer by its hash, so a fault found later cannot be mended. That the
    scorer finds the truth unfit as a clue is no fault: it may come in another form.
    """
    parameters = {p.name: p.value for p in terms.parameters}
    clue = (truth.read_bytes(), truth.suffix)
    (outcome,) = run.score_many(terms.scorer, [clue], truth, parameters, code)
    if isinstance(outcome, Unavailable):
        raise Usage(outcome.message, "Mend the scorer now: once the challenge is open, nobody can.")
    if run.higher(terms.scorer, code) != (terms.direction == "higher"):
        raise Usage(
            f"score.direction is {terms.direction!r}, and the scorer's HIGHER says otherwise.",
            "Make the two agree.",
        )


def open_challenge(desk: Desk, key: Key, draft: Draft) -> Appended:
    """Encrypt and seal the truth, store the blobs, and publish the terms."""
    check(draft, desk.state.identity(key.address), desk.state.now)
    with desk.storing() as store:
        opening = parse(OpenChallenge.kind, {"terms": _terms(desk, draft, store)})
        return desk.say(key, opening, draft.name)


def _terms(desk: Desk, draft: Draft, store: Store) -> dict[str, Any]:
    """Return the terms with everything filled in that only now is known."""
    sealed = encrypt_truth(draft.truth.read_bytes())
    body = dict(draft.body)
    body["about"] = store.put(canonical.encode(_about(store, draft)))
    if draft.code:
        body["code"] = store.put_file(draft.code)
    if draft.rules:
        body["rules"] = store.put_file(draft.rules)
    body["truth"] = {
        "cipher": store.put(sealed.ciphertext),
        "plain": sealed.plain_hash,
        "key": _sha256(sealed.key),
    }
    body["scorers"] = [
        {"who": who, "sealed": seal(_sealing_key(desk, who), sealed.key)}
        for who in [s["who"] for s in body["scorers"]]
    ]
    trustees = [t["who"] for t in body["trustees"]]
    body["trustees"] = _deal(desk, trustees, body["threshold"], sealed.key)
    return body


def register_sealing(desk: Desk, key: Key) -> Appended | None:
    """Publish the key that others seal secrets to; None where it is published already."""
    public = SealingKey(key).public
    person = desk.state.people.get(desk.state.identity(key.address))
    if person and person.sealing == public:
        return None
    return desk.say(key, RegisterSealing(public))


def acknowledge(desk: Desk, key: Key, name: str) -> Appended:
    """Open what was sealed to this scorer or trustee, check it against its hash, and agree."""
    terms, who = desk.challenge(name).terms, desk.state.identity(key.address)
    if any(s.who == who for s in terms.scorers):
        truth_of(desk, key, name)
    elif any(t.who == who for t in terms.trustees):
        share_of(desk, key, name)
    return desk.say(key, Acknowledge(), name)


def rules(blobs: Blobs, challenge: Challenge) -> str:
    """Return the rules that contributors accept; raise `NotFound` where there are none."""
    if challenge.terms.rules is None:
        raise NotFound(f"{challenge.id} has no rules to accept.", "Commit to a clue at once.")
    return blobs.get(challenge.terms.rules).decode("utf-8", "replace")


def accept_rules(desk: Desk, key: Key, name: str) -> Appended:
    """Accept the rules of a challenge, once, before the first clue."""
    challenge = desk.challenge(name)
    rules(desk.blobs, challenge)  # nobody accepts what cannot be read
    return desk.say(key, AcceptRules(challenge.terms.rules or ""), name)


def cancel(desk: Desk, key: Key, name: str, reason: str) -> Appended:
    """Call a challenge off, with a published reason."""
    with desk.storing() as store:
        return desk.say(key, Cancel(store.put(reason.encode())), name)


@dataclass(frozen=True, slots=True)
class About:
    """What a challenge says of itself; `files` are its public data, name -> SHA-256."""

    title: str
    description: str
    licence: str
    files: dict[str, str]


def about(blobs: Blobs, challenge: Challenge) -> About:
    """Return what a challenge says of itself; raise `Invalid` where its blob is ill-formed."""
    data = blobs.get(challenge.terms.about)
    try:
        told = canonical.decode(data)
        files = {str(f["path"]): str(f["sha256"]) for f in told["data"]}
        return About(str(told["title"]), str(told["description"]), str(told["licence"]), files)
    except (KeyError, TypeError, AttributeError, Malformed) as error:
        raise Invalid(
            f"{challenge.id} is not described well: {error!r}.", "Ask its organiser."
        ) from None


def truth_of(desk: Desk, key: Key, name: str) -> bytes:
    """Return the hidden truth, as a scorer whom it was sealed to may see it."""
    terms, who = desk.challenge(name).terms, desk.state.identity(key.address)
    mine = next((s for s in terms.scorers if s.who == who), None)
    if mine is None:
        raise NotAllowed(f"{who} is no scorer of {name}.", "Act with a scorer's key.")
    secret = unseal(SealingKey(key), mine.sealed)
    if _sha256(secret) != terms.truth.key:
        raise Invalid(
            "The sealed key does not match the hash that the opening states.",
            "Do not acknowledge; tell the organiser.",
        )
    return decrypt_truth(desk.blobs.get(terms.truth.cipher), secret, terms.truth.plain)


def share_of(desk: Desk, key: Key, name: str) -> str:
    """Return the share of the truth's key that was sealed to a trustee."""
    terms, who = desk.challenge(name).terms, desk.state.identity(key.address)
    mine = next((t for t in terms.trustees if t.who == who), None)
    if mine is None:
        raise NotAllowed(f"{who} is no trustee of {name}.", "Act with a trustee's key.")
    share = unseal(SealingKey(key), mine.sealed).hex()
    if shamir.commit(share) != mine.commitment:
        raise Invalid(
            "The sealed share does not match the hash that the opening states.",
            "Do not acknowledge; tell the organiser.",
        )
    return share


def _deal(desk: Desk, trustees: list[str], threshold: int, key: bytes) -> list[dict[str, str]]:
    coefficients = [secrets.randbelow(shamir.PRIME) for _ in range(threshold - 1)]
    values = shamir.split(int.from_bytes(key, "big"), threshold, len(trustees), coefficients)
    dealt = []
    for x, (who, y) in enumerate(zip(trustees, values, strict=True), start=1):
        share = shamir.encode(x, y)
        sealed = seal(_sealing_key(desk, who), bytes.fromhex(share))
        dealt.append({"who": who, "commitment": shamir.commit(share), "sealed": sealed})
    return dealt


def _sealing_key(desk: Desk, who: str) -> str:
    person = desk.state.people.get(who)
    if person is None or not person.sealing:
        raise NotFound(
            f"{who} has registered no sealing key.", "They run `danseo key register` first."
        )
    return person.sealing


def _about(store: Store, draft: Draft) -> dict[str, Any]:
    about = dict(draft.about)
    about["data"] = [
        {"path": path.name, "sha256": store.put_file(path), "size": path.stat().st_size}
        for path in draft.data
    ]
    return about


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
