"""The terms of a challenge: what its organiser signs at the opening, and nobody changes after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from danseo.core.coin import Coin, check_coin
from danseo.core.curve import Curve
from danseo.core.entry import (
    SLUG,
    Amount,
    Asset,
    Author,
    Blob,
    Field,
    Hash,
    Range,
    Score,
    Sealed,
    Seconds,
    Time,
    Units,
)
from danseo.core.errors import Conflict, DanseoError
from danseo.core.reward import SHARES, UNITS, Rule

Direction = Annotated[str, Field("direction (higher or lower)", r"higher|lower")]
Remainder = Annotated[
    str, Field("remainder (donors or successor:NAME)", f"donors|successor:{SLUG}")
]
ScorerName = Annotated[str, Field("scorer (name-version)", r"[a-z][a-z0-9-]{0,62}-[0-9]{1,4}")]
Slug = Annotated[str, Field("challenge", SLUG)]
Small = Annotated[int, Range(0, 10**6)]

SCORERS: Final = 2
MAX_TRUSTEES: Final = 12


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of an asset, in its smallest unit."""

    asset: Asset
    amount: Amount


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the value curve: this score is worth these units."""

    score: Score
    units: Units


@dataclass(frozen=True, slots=True)
class Ratio:
    """A fraction of small integers."""

    numerator: Small
    denominator: Annotated[int, Range(1, 10**6)]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named integer that the scorer takes."""

    name: Annotated[str, Field("parameter name", r"[a-z][a-z0-9_]{0,31}")]
    value: Score


@dataclass(frozen=True, slots=True)
class Scorer:
    """One of the two who score: the truth's key, sealed to him."""

    who: Author
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class Trustee:
    """One who keeps a share of the truth's key: its hash in public, itself sealed to him."""

    who: Author
    commitment: Hash
    sealed: Sealed


@dataclass(frozen=True, slots=True)
class Truth:
    """The hidden truth: its ciphertext, and what proves that key and plaintext are the right ones.

    `plain` is the SHA-256 of a salt and the truth, `key` that of the 32-byte key.
    """

    cipher: Blob
    plain: Hash
    key: Hash


@dataclass(frozen=True, slots=True)
class Round:
    """A jury round: ballots from `opens` until `closes`; units and commons that it may award."""

    opens: Time
    closes: Time
    units: Units
    commons: Amount


@dataclass(frozen=True, slots=True)
class DisputeTerms:
    """What a dispute costs and how long it takes. Windows are in seconds.

    Disputes can be opened until `window` after the settlement. The other side has `answer` to put
    an equal bond down; then the jurors have `vote`.
    """

    bond: Money
    window: Seconds
    answer: Seconds
    vote: Seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that governs a challenge.

    Scores are in parts per 10^9 of the scorer's unit; windows in seconds; `eta` is the step that
    counts as progress. `advance` is the part of a share payable before settlement, per 10^9.
    A step of more than `method_above` units must be a method that reproduces.
    """

    about: Blob
    scorer: ScorerName
    parameters: tuple[Parameter, ...]
    direction: Direction
    eta: Annotated[int, Range(1, 10**15)]
    curve: tuple[Point, ...]
    jury_units: Units
    gamma: Ratio
    theta: Ratio
    bond: Money
    stake: Money
    deadline: Time
    reveal_window: Seconds
    score_window: Seconds
    truth_window: Seconds
    advance: Units
    method_above: Units
    scorers: tuple[Scorer, ...]
    trustees: tuple[Trustee, ...]
    threshold: Annotated[int, Range(2, MAX_TRUSTEES)]
    truth: Truth
    jurors: tuple[Author, ...]
    rounds: tuple[Round, ...]
    remainder: Remainder
    code: Blob | None = None
    """A scorer of the organiser's own, as a Python file; absent for one that ships with danseo."""
    dispute: DisputeTerms | None = None
    """How scores and missing citations are disputed; absent where they cannot be."""
    coin: Coin | None = None
    """What the contracts are deployed with; absent where the organiser keeps the money."""
    rules: Blob | None = None
    """Rules and licence that a contributor accepts (rules.accept) before the first clue."""
    follows: Slug | None = None
    """The round before, whose DAO may have decided the curve or the scorers of this one."""

    def assets(self) -> list[str]:
        """Return the assets that the terms name, the coin among them, each once."""
        coin = [*(one.asset for one in self.coin.assets), self.coin.symbol] if self.coin else []
        named = [self.bond.asset, self.stake.asset]
        named += [self.dispute.bond.asset] if self.dispute else []
        return list(dict.fromkeys([*coin, *named]))

    def value_curve(self) -> Curve:
        """Return V, from progress on the step grid to units."""
        points = tuple((p.score, p.units) for p in self.curve)
        return Curve(points, self.eta, self.direction == "higher")

    def rule(self) -> Rule:
        """Return the shoulders rule with this challenge's gamma and theta."""
        return Rule(
            (self.gamma.numerator, self.gamma.denominator),
            (self.theta.numerator, self.theta.denominator),
        )

    def roles(self) -> dict[str, str]:
        """Return who may not win, besides the organiser: identity -> role."""
        roles = {s.who: "scorer" for s in self.scorers}
        roles.update({t.who: "trustee" for t in self.trustees})
        return roles


def check_terms(terms: Terms, organiser: str, now: int) -> None:
    """Raise a refusal naming the first term that contradicts another."""
    _check_people(terms, organiser)
    _check_value(terms)
    for name in ("reveal_window", "score_window", "truth_window"):
        if getattr(terms, name) < 1:
            raise Conflict(f"terms.{name} is 0 seconds.", "Give people time to act.")
    if terms.deadline <= now:
        raise Conflict(
            f"terms.deadline is {terms.deadline}, and the log's clock stands at {now}.",
            "Put the deadline in the future.",
        )
    _check_rounds(terms, now)
    if terms.dispute:
        _check_dispute(terms.dispute, terms.stake)
    check_coin(terms)


def _check_people(terms: Terms, organiser: str) -> None:
    if len(terms.scorers) != SCORERS:
        raise Conflict(
            f"terms.scorers names {len(terms.scorers)} scorers.", f"Name exactly {SCORERS}."
        )
    if not terms.threshold <= len(terms.trustees) <= MAX_TRUSTEES:
        raise Conflict(
            f"{terms.threshold} of {len(terms.trustees)} trustees cannot release the truth.",
            f"Name at least {terms.threshold} and at most {MAX_TRUSTEES} trustees.",
        )
    held = [organiser, *(s.who for s in terms.scorers), *(t.who for t in terms.trustees)]
    for who in held:
        if held.count(who) > 1:
            raise Conflict(
                f"{who} holds two of the roles organiser, scorer, trustee.",
                "Give each role to another person.",
            )
    if len({t.commitment for t in terms.trustees}) < len(terms.trustees):
        raise Conflict(
            "Two trustees hold the same share of the truth's key.", "Deal one share to each."
        )
    if len(set(terms.jurors)) != len(terms.jurors):
        raise Conflict("terms.jurors names a juror twice.", "Name each juror once.")
    if terms.rounds and not terms.jurors:
        raise Conflict("There are jury rounds and no jurors.", "Name jurors, or no rounds.")


def _check_value(terms: Terms) -> None:
    if len({p.name for p in terms.parameters}) < len(terms.parameters):
        raise Conflict("terms.parameters names one twice.", "Give each parameter one value.")
    try:
        curve, _ = terms.value_curve(), terms.rule()
    except DanseoError as error:
        raise Conflict(error.message, error.remedy) from None
    goal = curve.points[-1][1]
    if goal + terms.jury_units != UNITS:
        raise Conflict(
            f"The goal is worth {goal} units and the jury has {terms.jury_units}.",
            f"Together they must be {UNITS}.",
        )


def _check_rounds(terms: Terms, now: int) -> None:
    before = now
    for i, one in enumerate(terms.rounds):
        if not before <= one.opens < one.closes:
            raise Conflict(
                f"Jury round {i} opens at {one.opens} and closes at {one.closes}.",
                f"From now ({now}) on, rounds follow one another, and each closes after it opens.",
            )
        if one.commons > SHARES:
            raise Conflict(
                f"Jury round {i} grants {one.commons} shares.", f"There are {SHARES} in all."
            )
        before = one.closes
    awarded = sum(one.units for one in terms.rounds)
    if awarded > terms.jury_units:
        raise Conflict(
            f"The jury rounds award {awarded} units of {terms.jury_units}.",
            "Raise jury_units or award less.",
        )


def _check_dispute(dispute: DisputeTerms, stake: Money) -> None:
    if dispute.bond.amount == 0:
        raise Conflict(
            "terms.dispute.bond is 0.", "Ask for a bond: a dispute that costs nothing never ends."
        )
    if stake.amount and stake.asset != dispute.bond.asset:
        raise Conflict(
            f"The bond of a dispute is in {dispute.bond.asset}, and the stake in {stake.asset}.",
            "Use one asset: a scorer answers a dispute with the stake.",
        )
    for name in ("window", "answer", "vote"):
        if getattr(dispute, name) < 1:
            raise Conflict(f"terms.dispute.{name} is 0 seconds.", "Give people time to act.")
