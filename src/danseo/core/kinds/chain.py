"""Entries that say what the chain says: which contracts are a challenge's, and what they did.

Anyone may publish them, for anyone can check them against a node. The host does so before it
appends; here only form, order and gaplessness are checked, so that whatever the chain says can be
booked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from danseo.core import booking, dispute
from danseo.core.entry import Address, Asset, Body, Entry, Field, Hash, Index, Range, kind
from danseo.core.errors import Conflict, Malformed, NotFound, OutOfOrder, WrongPhase
from danseo.core.onchain import Contracts, Onchain
from danseo.core.state import State

Quantity = Annotated[int, Field("256-bit quantity", r"0|[1-9][0-9]{0,77}", int)]
"""An amount as the chain counts it: below 2^256, which may take 78 digits."""
ChainId = Annotated[int, Range(1, 2**53 - 1)]
Block = Annotated[int, Range(0, 2**53 - 1)]
Text = Annotated[str, Field("text", r"(?s:.{0,4000})")]
"""What the DAO said. A longer one, or one that is not UTF-8, is left out of the fact."""

NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "received": ("account", "asset", "amount"),
    "paid": ("account", "asset", "amount"),
    "published": ("account", "size", "root", "log_root"),
    "disputed": ("account", "size"),
    "vetoed": ("size",),
    "activated": ("size",),
    "deposited": ("account", "amount"),
    "released": ("account", "amount"),
    "slashed": ("account", "amount"),
    "exiting": ("account", "amount"),
    "withdrawn": ("account", "amount"),
    "anchored": ("size", "log_root"),
    "submitted": ("account", "root"),
    "included": ("root",),
    "dismissed": ("root",),
    "decided": (),
    "unlocked": (),
}
"""The facts that contracts report, and the fields that each must have.

`account` is the donor, the payee, the publisher, the disputant, the owner of a stake or the
submitter; `root` of a submission is the hash of the entry.
"""
What = Annotated[str, Field("fact (" + ", ".join(NEEDS) + ")", "|".join(NEEDS))]


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of a challenge's contracts. `position` is its place among the block's events."""

    block: Block
    tx: Hash
    position: Index
    what: What
    account: Address | None = None
    asset: Asset | None = None
    amount: Quantity | None = None
    size: Index | None = None
    root: Hash | None = None
    log_root: Hash | None = None
    text: Text | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """What pool and stake hold of an asset at the end of the report's last block."""

    asset: Asset
    pool: Quantity
    stake: Quantity


@kind("chain.attach")
@dataclass(frozen=True, slots=True)
class Attach(Body):
    """Name the contracts that were deployed for this challenge, by its terms."""

    english: ClassVar[str] = "Attach the pool {pool} on chain {chain_id} to this challenge"
    korean: ClassVar[str] = "이 챌린지에 체인 {chain_id}의 풀 {pool} 연결"

    chain_id: ChainId
    block: Block
    tx: Hash
    factory: Address
    pool: Address
    coin: Address
    governor: Address
    timelock: Address
    anchor: Address
    stake: Address

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        if challenge.terms.coin is None:
            raise WrongPhase(
                f"{challenge.id} has no coin.", "Only a challenge opened with one has contracts."
            )
        if challenge.onchain is not None:
            raise Conflict(
                f"{challenge.id} has the pool {challenge.onchain.contracts.pool}.",
                "A challenge is attached once.",
            )
        if challenge.status in ("closed", "cancelled"):
            raise WrongPhase(f"{challenge.id} is {challenge.status}.", "It needs no contracts.")
        parts = (self.pool, self.coin, self.governor, self.timelock, self.anchor, self.stake)
        for part in parts:
            if parts.count(part) > 1:
                raise Conflict(f"{part} is named for two contracts.", "Each has its own address.")
        for other in state.challenges.values():
            if other.onchain and other.onchain.contracts.pool == self.pool:
                raise Conflict(f"{self.pool} is the pool of {other.id}.", "Deploy another set.")

    def apply(self, state: State, entry: Entry) -> None:
        contracts = Contracts(
            self.chain_id, self.block, self.tx, self.factory, self.pool, self.coin,
            self.governor, self.timelock, self.anchor, self.stake,
        )  # fmt: skip
        state.challenges[entry.challenge].onchain = Onchain(contracts, self.block)


@kind("chain.report")
@dataclass(frozen=True, slots=True)
class Report(Body):
    """Everything that a challenge's contracts did in a range of final blocks, and what they hold.

    Reports follow one another without gaps. One that is not `complete` breaks off within its last
    block, for want of room: it says nothing of holdings, and the next begins in the same block.
    """

    english: ClassVar[str] = "Report {count} facts of the chain up to block {to_block}"
    korean: ClassVar[str] = "블록 {to_block}까지 체인의 사실 {count}건 보고"

    from_block: Block
    to_block: Block
    block_hash: Hash
    complete: bool
    facts: tuple[Fact, ...]
    holdings: tuple[Holding, ...]
    supply: Quantity

    def summary_fields(self) -> dict[str, Any]:
        return {"count": len(self.facts)}

    def check(self, state: State, entry: Entry) -> None:
        challenge = state.challenge(entry.challenge)
        coin, record = challenge.terms.coin, challenge.onchain
        if coin is None or record is None:
            raise NotFound(f"{challenge.id} has no contracts.", "Attach them first (chain.attach).")
        if self.from_block != record.block or self.to_block < self.from_block:
            raise OutOfOrder(
                f"The report is of blocks {self.from_block} to {self.to_block}.",
                f"The next one begins with block {record.block}.",
            )
        self.check_facts(record)
        listed = [one.asset for one in coin.assets] if self.complete else []
        if [one.asset for one in self.holdings] != listed:
            raise Malformed(
                f"The report says what is held of {[one.asset for one in self.holdings]}.",
                f"It must be of {listed}, in this order.",
            )

    def check_facts(self, record: Onchain) -> None:
        """Raise unless the facts are in order, inside the range, and say what they must."""
        before = (record.block, record.position)
        for number, fact in enumerate(self.facts):
            place = (fact.block, fact.position)
            if not before < place or fact.block > self.to_block:
                raise OutOfOrder(
                    f"Fact {number} is at {place}, after {before}, and the report ends with block "
                    f"{self.to_block}.",
                    "Report facts in the chain's order, each once.",
                )
            before = place
            for name in NEEDS[fact.what]:
                if getattr(fact, name) is None:
                    raise Malformed(
                        f"Fact {number} ({fact.what}) lacks {name!r}.", "Say what the event says."
                    )
        if not self.complete and before[0] != self.to_block:
            raise Malformed(
                f"The report breaks off in block {self.to_block}, after {before}.",
                "One that is not complete ends with a fact of its last block.",
            )

    def apply(self, state: State, entry: Entry) -> None:
        challenge = state.challenges[entry.challenge]
        for one in booking.book(state, challenge, self, entry):
            if one.dispute >= 0:
                dispute.decide(challenge, one.dispute, one.uphold, entry.time)
