"""Entries that bring the truth to light: the trustees' shares of its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from danseo.core import challenge as life
from danseo.core import dispute, shamir
from danseo.core.challenge import phase
from danseo.core.entry import Body, Entry, Share, kind
from danseo.core.errors import Conflict, NotAllowed, WrongPhase
from danseo.core.state import State


@kind("truth.release")
@dataclass(frozen=True, slots=True)
class Release(Body):
    """A trustee publishes their share. The threshold's last share gives the key of the truth."""

    english: ClassVar[str] = "Release my share of the truth: {share:.16}"
    korean: ClassVar[str] = "정답 키의 내 조각 공개: {share:.16}"

    share: Share

    def check(self, state: State, entry: Entry) -> None:
        challenge, who = state.challenge(entry.challenge), state.identity(entry.author)
        trustee = next((t for t in challenge.terms.trustees if t.who == who), None)
        if trustee is None:
            raise NotAllowed(
                f"{who} is no trustee of {challenge.id}.", "Only a trustee releases a share."
            )
        now = phase(challenge, state.now)
        if now != "truth":
            raise WrongPhase(
                f"{challenge.id} is {now}.",
                "Shares are released after the deadline, when every clue is final.",
            )
        if who in challenge.released:
            raise Conflict(f"{who} has released this share.", "Nothing is left to do.")
        if shamir.commit(self.share) != trustee.commitment:
            raise Conflict(
                "The share does not match the hash that the opening states.",
                "Release the very share that was sealed to you.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        life.release(challenge, state.identity(entry.author), self.share, entry.time)
        if challenge.status == "settled":
            dispute.settled(state, challenge)
