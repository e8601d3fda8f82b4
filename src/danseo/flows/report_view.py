"""What the report shows of a challenge, before it is laid out as a page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of an asset in its smallest unit."""

    asset: str
    amount: int


@dataclass(frozen=True, slots=True)
class Clue:
    """One clue. Shares are out of 10^18, `cites` are (clue, weight out of 10^9).

    `score` is in parts per billion, None where none is public; `step` is how far it moved the
    frontier, 0 for not at all. `status` and `reason` are lines for people. `picture` is a PNG of
    its prediction beside the truth.
    """

    clue: int
    title: str
    author: str
    form: str
    cites: tuple[tuple[int, int], ...]
    score: int | None
    step: int
    status: str
    own: int
    received: int
    owed: int
    jury: int
    total: int
    money: tuple[Money, ...] = ()
    description: str = ""
    reason: str = ""
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """The frontier from `time` on (seconds since 1970 UTC): `score` in parts per billion."""

    time: int
    score: int
    clue: int


@dataclass(frozen=True, slots=True)
class Pot:
    """What the pool has received, paid and still holds of an asset, in its smallest unit.

    `back` is the part that goes back to donors, as no clue earned it.
    """

    asset: str
    received: int
    paid: int
    left: int
    back: int = 0


@dataclass(frozen=True, slots=True)
class Gift:
    """A receipt of the pool: who gave what, when."""

    time: int
    donor: str
    money: Money


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment that the chain made: to whom, what, and the transaction that shows it."""

    account: str
    money: Money
    block: int
    tx: str


@dataclass(frozen=True, slots=True)
class Account:
    """What one account holds of the coin, was paid of each asset, and can still claim."""

    name: str
    coin: Money
    part: int
    paid: tuple[Money, ...]
    open: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """The contracts that pay, as the log reports them up to `block`.

    `part` of an account is what it holds of all coin minted, out of 10^18. `roots` are (size,
    what became of it). `alarms` are what a reader must know at once.
    """

    chain_id: int
    pool: str
    block: int
    accounts: tuple[Account, ...]
    payments: tuple[Payment, ...]
    roots: tuple[tuple[int, str], ...]
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The log that all of it was read from. `root` is hexadecimal; `time` is its clock."""

    origin: str
    size: int
    root: str
    time: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything that the page shows.

    `source` says what the data are. Scores are in parts per billion; `curve` gives (score, part
    of the reward out of 10^9); `colours` are those of the pictures for found, false and missed
    ink. `commons` is what no clue's share claims of what was minted, out of 10^18. `checks` are
    what `danseo verify` found to hold; `proven`, `recomputable` and `attested` sort what the page
    says by how far it can be trusted. `verify` are commands that check it all again.
    """

    title: str
    challenge: str
    description: str
    source: str
    language: str
    phase: str
    metric: str
    opened: int
    deadline: int
    baseline: int
    goal: int
    eta: int
    log: LogFacts
    clues: tuple[Clue, ...]
    frontier: tuple[Point, ...]
    curve: tuple[tuple[int, int], ...]
    pots: tuple[Pot, ...]
    gifts: tuple[Gift, ...]
    commons: int
    checks: tuple[str, ...]
    verify: tuple[str, ...]
    proven: tuple[str, ...]
    recomputable: tuple[str, ...]
    attested: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] = ()
    chain: ChainFacts | None = None
