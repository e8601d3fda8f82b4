"""Entries about people: keys that succeed one another, where money goes, keys to seal to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from danseo.core.entry import Address, Body, Entry, Field, Key32, kind
from danseo.core.errors import Conflict, NotAllowed, NotFound, WrongPhase
from danseo.core.state import State

DELAY: Final = 7 * 24 * 3600
"""Seconds before a registered or adopted key takes effect, so that its owner can act first."""

SitePerson = Annotated[str, Field("site person", r"site:[0-9a-f]{32}")]


def _check_unused(state: State, address: str) -> None:
    """Raise where the key has a past: rotations would tear what it did from who it then is."""
    known = address in state.retired or address in state.keys or address in state.people
    signed = address in state.sequences or any(
        address in challenge.sequences for challenge in state.challenges.values()
    )
    if known or signed:
        raise Conflict(f"The key {address} already belongs to someone.", "Make a fresh key.")


@kind("key.sealing")
@dataclass(frozen=True, slots=True)
class RegisterSealing(Body):
    """Register the X25519 key that others seal secrets to: a scorer's, a trustee's."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Register the sealing key {x25519:.16}"
    korean: ClassVar[str] = "봉인 키 {x25519:.16} 등록"

    x25519: Key32

    def check(self, state: State, entry: Entry) -> None:
        person = state.people.get(state.identity(entry.author))
        if person and person.sealing == self.x25519:
            raise Conflict("This sealing key is registered already.", "Nothing is left to do.")

    def apply(self, state: State, entry: Entry) -> None:
        state.person(state.identity(entry.author)).sealing = self.x25519


@kind("key.payout")
@dataclass(frozen=True, slots=True)
class SetPayout(Body):
    """Say where one's money goes, apart from the key that signs."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Send my money to {to}"
    korean: ClassVar[str] = "내 지급금을 {to}(으)로 받음"

    to: Address

    def check(self, state: State, entry: Entry) -> None:
        if entry.author.startswith("site:"):
            raise NotAllowed(
                "The site cannot say where a person's money goes.",
                "Adopt a key of your own (key.offer, key.adopt).",
            )
        person = state.people.get(state.identity(entry.author))
        if person and person.payout == self.to:
            raise Conflict(f"Your money goes to {self.to} already.", "Nothing is left to do.")

    def apply(self, state: State, entry: Entry) -> None:
        state.person(state.identity(entry.author)).payout = self.to


@kind("key.next")
@dataclass(frozen=True, slots=True)
class RegisterNext(Body):
    """Register the key that may take over; it may from seven days after this entry on."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Let the key {next} take over from mine after seven days"
    korean: ClassVar[str] = "7일 뒤부터 {next} 키가 내 키를 대신할 수 있음"

    next: Address

    def check(self, state: State, entry: Entry) -> None:
        if entry.author.startswith("site:"):
            raise NotAllowed("A person without a wallet has no key.", "Adopt a key of your own.")
        _check_unused(state, self.next)
        if self.next == entry.author:
            raise Conflict(f"The key {self.next} cannot succeed itself.", "Name another key.")
        person = state.people.get(state.identity(entry.author))
        if person and any(key == self.next for key, _ in person.nexts):
            raise Conflict(f"{self.next} is registered already.", "Wait until it may take over.")

    def apply(self, state: State, entry: Entry) -> None:
        person = state.person(state.identity(entry.author))
        person.nexts.append((self.next, entry.time + DELAY))


@kind("key.rotate")
@dataclass(frozen=True, slots=True)
class Rotate(Body):
    """Take over an identity, signed by the key that it registered as its next."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Take over the identity {identity} with this key"
    korean: ClassVar[str] = "이 키로 {identity} 신원을 이어받음"

    identity: Address

    def check(self, state: State, entry: Entry) -> None:
        person = state.people.get(self.identity)
        if person is None:
            raise NotFound(f"{self.identity} registered no next key.", "Register one first.")
        _check_unused(state, entry.author)
        times = [since for key, since in person.nexts if key == entry.author]
        if not times:
            raise NotAllowed(
                f"{self.identity} did not register {entry.author} as its next key.",
                "Sign with the registered key.",
            )
        if min(times) > state.now:
            raise WrongPhase(
                f"The key may take over from {min(times)} on; the log stands at {state.now}.",
                "Wait until then.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        person = state.person(self.identity)
        state.retired[person.key or self.identity] = entry.index
        state.keys[entry.author] = self.identity
        person.key = entry.author
        person.nexts.clear()


@kind("key.offer")
@dataclass(frozen=True, slots=True)
class OfferKey(Body):
    """A person without a wallet names an address of their own; the site signs."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Offer my shares to the key {address}"
    korean: ClassVar[str] = "내 몫을 {address} 키로 옮기겠다고 제안"

    address: Address

    def check(self, state: State, entry: Entry) -> None:
        if not entry.author.startswith("site:"):
            raise NotAllowed(
                "Only a person without a wallet adopts a key.", "Use key.next and key.rotate."
            )
        person = state.people.get(entry.author)
        if person and person.adopted[0] and person.adopted[1] <= state.now:
            raise Conflict(
                f"{entry.author} adopted {person.adopted[0]} for good.",
                "The site cannot move what it holds any more.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        state.person(entry.author).offered = self.address


@kind("key.adopt")
@dataclass(frozen=True, slots=True)
class Adopt(Body):
    """The offered key accepts: money of `person` goes to it after seven days without objection."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Receive what is owed to {person} with this key, after seven days"
    korean: ClassVar[str] = "7일 뒤부터 {person}의 몫을 이 키로 받음"

    person: SitePerson

    def check(self, state: State, entry: Entry) -> None:
        person = state.people.get(self.person)
        if person is None or person.offered != entry.author:
            raise NotAllowed(
                f"{self.person} did not offer anything to {entry.author}.",
                "Let the site sign key.offer first.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        person = state.person(self.person)
        person.adopted, person.offered = (entry.author, entry.time + DELAY), ""


@kind("key.object")
@dataclass(frozen=True, slots=True)
class ObjectAdoption(Body):
    """A person without a wallet stops an adoption that has not taken effect."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "I object: the key {address} is not mine"
    korean: ClassVar[str] = "이의 제기: {address}는 내 키가 아님"

    address: Address

    def check(self, state: State, entry: Entry) -> None:
        person = state.people.get(entry.author)
        if person is None or person.adopted[0] != self.address:
            raise NotFound(f"No adoption by {self.address} is under way.", "Check the address.")
        if person.adopted[1] <= state.now:
            raise WrongPhase(
                f"The adoption took effect at {person.adopted[1]}.", "Object within seven days."
            )

    def apply(self, state: State, entry: Entry) -> None:
        state.person(entry.author).adopted = ("", 0)
