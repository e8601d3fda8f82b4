"""Entries about the log itself: its beginning, its clock, its key, and blobs that had to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from danseo.core.entry import Address, Blob, Body, Entry, Field, Hash, Index, Key32, Time, kind
from danseo.core.errors import Conflict, Malformed
from danseo.core.state import State
from danseo.core.words import utc

Origin = Annotated[str, Field("log origin (a.name/path)", r"[a-z0-9][a-z0-9./_-]{0,99}")]
Clock = Annotated[str, Field("clock (system or simulated)", r"system|simulated")]


@kind("log.genesis")
@dataclass(frozen=True, slots=True)
class Genesis(Body):
    """The first entry: the log's origin, the chain its signatures are bound to, clock and key.

    `log_key` is the Ed25519 key of checkpoints; `site` the address that signs for people without
    a wallet, where the log has such a site.
    """

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Begin the log {origin} with a {clock} clock"
    korean: ClassVar[str] = "로그 {origin} 시작 ({clock} 시계)"

    origin: Origin
    chain_id: Index
    clock: Clock
    log_key: Key32
    site: Address | None = None

    def check(self, state: State, entry: Entry) -> None:
        if entry.author.startswith("site:"):
            raise Malformed("A site key begins no log.", "Sign the genesis with a key of your own.")

    def apply(self, state: State, entry: Entry) -> None:
        state.origin, state.chain_id, state.clock = self.origin, self.chain_id, self.clock
        state.operator, state.site = entry.author, self.site or ""
        state.log_key = self.log_key
        state.log_keys.append((entry.index, self.log_key))


@kind("tick")
@dataclass(frozen=True, slots=True)
class Tick(Body):
    """Nothing but the time: anyone may append it, so that windows pass without anyone's leave."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Let time pass"
    korean: ClassVar[str] = "시간 경과"

    def check(self, state: State, entry: Entry) -> None:
        pass

    def apply(self, state: State, entry: Entry) -> None:
        pass


@kind("clock.advance")
@dataclass(frozen=True, slots=True)
class AdvanceClock(Body):
    """Move a simulated clock forward; the entry bears the new time.

    The fold checks its author and time with the frame, before any time passes.
    """

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Advance the simulated clock to {to}"
    korean: ClassVar[str] = "모의 시계를 {to}(으)로 이동"

    to: Time

    def summary_fields(self) -> dict[str, Any]:
        return {"to": utc(self.to)}

    def check(self, state: State, entry: Entry) -> None:
        pass

    def apply(self, state: State, entry: Entry) -> None:
        pass


@kind("log.key")
@dataclass(frozen=True, slots=True)
class RotateLogKey(Body):
    """Sign checkpoints with another Ed25519 key from this entry on."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Rotate the log's key to {log_key:.16}"
    korean: ClassVar[str] = "로그 서명 키를 {log_key:.16}(으)로 교체"

    log_key: Key32

    def check(self, state: State, entry: Entry) -> None:
        state.check_operator(entry.author)
        if any(key == self.log_key for _, key in state.log_keys):
            raise Conflict(f"The key {self.log_key:.16} was used before.", "Make a fresh key.")

    def apply(self, state: State, entry: Entry) -> None:
        state.log_key = self.log_key
        state.log_keys.append((entry.index, self.log_key))


@kind("blob.withhold")
@dataclass(frozen=True, slots=True)
class Withhold(Body):
    """Say that a blob is no longer served, and why. Its hash stays in the log."""

    scope: ClassVar[str] = "log"
    english: ClassVar[str] = "Withhold the blob {blob:.16}"
    korean: ClassVar[str] = "블롭 {blob:.16} 비공개 처리"

    blob: Hash
    reason: Blob

    def check(self, state: State, entry: Entry) -> None:
        if state.identity(entry.author) not in (state.operator, state.site):
            state.check_operator(entry.author)
        if self.blob in state.withheld:
            raise Conflict(
                f"The blob {self.blob:.16} is withheld since entry {state.withheld[self.blob]}.",
                "Nothing is left to do.",
            )
        if self.blob == self.reason:
            raise Conflict("A reason cannot be the blob that it withholds.", "Publish a reason.")

    def apply(self, state: State, entry: Entry) -> None:
        state.withheld[self.blob] = entry.index
