"""A small challenge for tests of the use cases: guess ten numbers, lower error is better.

Everything is real but the size: keys, log, blobs, sandbox. The clock is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danseo.core.kinds.clue import Cite
from danseo.core.kinds.log import AdvanceClock
from danseo.flows import admission, clues, judging, money, opening, settling, spec
from danseo.flows.acting import Desk
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Hook, Sequencer
from danseo.log.signing import Key

START = 1_800_000_000
DAY = 86400
NAME = "guess"
TRUTH = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]

FILE = """
[challenge]
name = "guess"
title = "Guess ten numbers"
description = "Lower error is better."
licence = "CC0-1.0"
deadline = "10d"
data = ["public.csv"]

[score]
scorer = "rmse-1"
truth = "truth.csv"
step = 0.5
curve = [[20, 0], [0, 0.8]]

[reward]
jury = 0.2

[money]
bond = "100 KRW"
stake = "10_000 KRW"

[windows]
reveal = "1d"
score = "2d"
truth = "3d"

[people]
scorers = ["scorer-1", "scorer-2"]
trustees = ["trustee-1", "trustee-2", "trustee-3"]
jurors = ["juror-1", "juror-2"]

[[round]]
opens = "20d"
closes = "25d"
award = 0.2
commons = 0.1
"""

ROLES = (
    "organiser",
    "scorer-1",
    "scorer-2",
    "trustee-1",
    "trustee-2",
    "trustee-3",
    "juror-1",
    "juror-2",
    "contributor-1",
    "contributor-2",
    "contributor-3",
    "donor",
    "donor-2",
    "watcher",
    "thief",
    "relayer",
    "newcomer",
    "site",
)


def key_of(role: str) -> Key:
    """Return the fixed key of a role."""
    return Key((ROLES.index(role) + 1).to_bytes(32, "big"))


@dataclass
class Played:
    """A home with the challenge opened, and what a test does in it."""

    desk: Desk
    folder: Path

    def wait(self, seconds: int) -> None:
        """Advance the simulated clock."""
        self.desk.say(key_of("organiser"), AdvanceClock(self.desk.now + seconds))

    def making(
        self, guess: list[int], title: str = "A guess", form: str = "predictions"
    ) -> clues.Making:
        """Return a clue whose main file holds `guess`."""
        path = self.folder / f"guess-{abs(hash((tuple(guess), title)))}.csv"
        path.write_text("\n".join(map(str, guess)) + "\n")
        return clues.Making(title, "Numbers.", form, "CC0-1.0", path)

    def publish(self, role: str, guess: list[int], *cites: int, form: str = "predictions") -> int:
        """Publish a clue, cites sharing the whole, and return its id."""
        weight = 10**9 // max(1, len(cites))
        made = self.making(guess, f"By {role} {len(self.challenge.clues)}", form)
        shares = [Cite(c, weight) for c in cites]
        return clues.publish(self.desk, key_of(role), NAME, made, shares).clue

    def score(self, role: str) -> judging.Verdict:
        """Let a scorer score what waits for them."""
        return judging.score_next(self.desk, key_of(role), NAME, self.folder / "cache", print)

    def score_both(self) -> list[judging.Verdict]:
        """Let both scorers score what waits."""
        return [self.score("scorer-1"), self.score("scorer-2")]

    def release(self, *trustees: str) -> None:
        """Let trustees release their shares."""
        for trustee in trustees:
            settling.release(self.desk, key_of(trustee), NAME)

    @property
    def challenge(self):
        return self.desk.challenge(NAME)


def shifted(by: int) -> list[int]:
    """Return the truth, each number off by `by`: an error of exactly `by`."""
    return [n + by for n in TRUTH]


def begin(
    folder: Path,
    change: Callable[[dict[str, Any]], None] = lambda body: None,
    hooks: Callable[[Blobs], tuple[Hook, ...]] = admission.hooks,
) -> Played:
    """Return a home in `folder` with the challenge open and paid for.

    `change` may alter the terms before they are signed.
    """
    played = draw_up(folder, change, hooks)
    pay_in(played)
    for role in ROLES[1:6]:
        opening.acknowledge(played.desk, key_of(role), NAME)
    organiser, donor = key_of("organiser"), key_of("donor").address
    money.fund(played.desk, organiser, NAME, donor, "KRW", 1_000_000, "transfer 1")
    return played


def draw_up(
    folder: Path,
    change: Callable[[dict[str, Any]], None] = lambda body: None,
    hooks: Callable[[Blobs], tuple[Hook, ...]] = admission.hooks,
    site: str = "",
) -> Played:
    """Return a home in `folder` with the challenge published, and no role taken up yet.

    `site` is the address that signs for people without a wallet.
    """
    home = folder / "home"
    log = Sequencer.create(
        home,
        origin="test.danseo/log",
        chain_id=31337,
        operator=key_of("organiser"),
        clock="simulated",
        site=site,
        start=START,
    )
    store = Blobs(home / "log" / "blobs", scratch=home / "host" / "scratch")
    log.close()
    log = Sequencer(home, hooks=hooks(store))
    desk = Desk(log, store, home / "host")
    (folder / "public.csv").write_text("1\n2\n")
    (folder / "truth.csv").write_text("\n".join(map(str, TRUTH)) + "\n")
    (folder / "challenge.toml").write_text(FILE)
    for role in ROLES[1:6]:
        opening.register_sealing(desk, key_of(role))
    draft = spec.read(folder / "challenge.toml", desk.now, lambda role: key_of(role).address)
    change(draft.body)
    opening.open_challenge(desk, key_of("organiser"), draft)
    return Played(desk, folder)


def pay_in(played: Played) -> None:
    """Let the organiser enter everybody's deposits."""
    organiser = key_of("organiser")
    for roles, amount in ((ROLES[1:3], 10_000), (ROLES[8:11], 1000)):
        for role in roles:
            who = key_of(role).address
            money.deposit(played.desk, organiser, NAME, who, "KRW", amount, "cash")
