"""One client for every node: it reads, sends and waits, and says in words what a contract refuses.

Addresses are lower-case with 0x, hashes 64 hex digits without, amounts in the smallest unit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from danseo.chain import artefacts, refusals, wallet
from danseo.chain.abi import Abi
from danseo.chain.artefacts import Artefact
from danseo.chain.embedded import Embedded
from danseo.chain.node import Fault, Node
from danseo.core.errors import Invalid, NotFound, Unavailable, Usage
from danseo.log.signing import Key, keccak256

SPAN: Final = 2_000
"""Blocks that one request for events covers at first."""
BATCH: Final = 100
"""Headers that are asked for in one round trip."""
MOST_TIP: Final = 10**18
"""Wei that one transaction offers at most to whoever makes its block, whatever a node advises."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its number, its hash and its time in seconds since 1970."""

    number: int
    hash: str
    time: int


@dataclass(frozen=True, slots=True)
class Header:
    """A block with what ties it to the one before, and the bloom filter over its events."""

    block: Block
    parent: str
    bloom: int

    def may_hold(self, address: str) -> bool:
        """Return whether a contract may have said something in this block; False is certain."""
        digest = keccak256(bytes.fromhex(address[2:]))
        bits = (int.from_bytes(digest[n : n + 2], "big") & 2047 for n in (0, 2, 4))
        return all(self.bloom >> bit & 1 for bit in bits)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract of this artefact's `name` at `address`."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Event:
    """What a contract said: in block, transaction, and at this place among the block's logs."""

    name: str
    args: dict[str, Any]
    address: str
    block: int
    tx: str
    position: int
    block_hash: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a transaction that succeeded. `contract` is the address that it made, or ""."""

    tx: str
    block: int
    gas: int
    contract: str
    events: tuple[Event, ...]


class Client:
    """A chain as seen through one node."""

    def __init__(
        self,
        node: Node,
        confirmations: int | None = None,
        load: Callable[[str], Artefact] = artefacts.load,
        patience: float = 180,
    ) -> None:
        """Greet the node; `Unavailable` if it does not answer.

        `confirmations` says how many blocks must follow one on a development chain before it is
        final (by default none); a real chain says itself what is final. A transaction is waited
        for `patience` seconds.
        """
        self.node, self._load, self.patience = node, load, patience
        self._abis: dict[str, Abi] = {}
        self._span = SPAN
        self.chain_id = int(node.ask("eth_chainId"), 16)
        kind = str(node.ask("web3_clientVersion")).lower()
        self.embedded = kind.startswith("danseo/")
        self.development = self.embedded or kind.startswith(("anvil", "hardhat"))
        self._confirmations = confirmations or 0

    @classmethod
    def at(cls, url: str, confirmations: int | None = None, **options: Any) -> Client:
        """Return a client of the node at an http or https URL."""
        return cls(Node.at(url), confirmations, **options)

    @classmethod
    def on(cls, chain: Embedded, **options: Any) -> Client:
        """Return a client of an open embedded chain, which stays the caller's to close."""
        return cls(Node(chain, f"the embedded chain in {chain.folder}"), **options)

    @property
    def name(self) -> str:
        """The node's URL, without what may be secret in it."""
        return self.node.name

    def head(self) -> Block:
        """Return the newest block."""
        return self._block("latest")

    def final(self) -> Block:
        """Return the newest block that can no longer be undone."""
        if not self.development:
            return self._block("finalized")
        head = self.head()
        if not self._confirmations:
            return head
        return self.block(max(0, head.number - self._confirmations))

    def block(self, number: int) -> Block:
        """Return that block of the chain as it is now; `NotFound` if it is not made yet."""
        return self._block(hex(number))

    def balance(self, address: str, block: int | None = None) -> int:
        """Return the wei of an address, now or after a block."""
        return int(self.node.ask("eth_getBalance", address, _at(block)), 16)

    def code(self, address: str, block: int | None = None) -> bytes:
        """Return the code at an address; none where no contract stands."""
        return bytes.fromhex(self.node.ask("eth_getCode", address, _at(block))[2:])

    def nonce(self, address: str) -> int:
        """Return how many transactions of an address are on the chain or on their way."""
        return int(self.node.ask("eth_getTransactionCount", address, self._pending), 16)

    def call(
        self,
        contract: Contract,
        method: str,
        *args: Any,
        block: int | None = None,
        sender: str | None = None,
    ) -> Any:
        """Return what a method answers, now or after a block. Nothing is sent.

        Raise what `refusals` makes of a refusal, and `Invalid` where no such contract stands.
        """
        abi = self._abi(contract.name)
        asked = {"to": contract.address, "data": _hex(abi.call(method, args))}
        if sender is not None:
            asked["from"] = sender
        answer = self.node.attempt("eth_call", asked, _at(block))
        if isinstance(answer, Fault):
            raise self._refused(contract.name, method, answer)
        data = bytes.fromhex(answer[2:])
        if not data and not self.code(contract.address, block):
            raise Invalid(
                f"No contract stands at {contract.address} on chain {self.chain_id}.",
                "See that the node is on the right chain, and up to date.",
            )
        return abi.result(method, len(args), data)

    def call_all(
        self, calls: Sequence[tuple[Contract, str, Sequence[Any]]], block: int | None = None
    ) -> list[Any]:
        """Return what each (contract, method, arguments) answers, in one round trip."""
        requests = []
        for contract, method, args in calls:
            data = _hex(self._abi(contract.name).call(method, args))
            requests.append(("eth_call", ({"to": contract.address, "data": data}, _at(block))))
        answers = []
        for (contract, method, args), answer in zip(
            calls, self.node.attempt_all(requests), strict=True
        ):
            if isinstance(answer, Fault):
                raise self._refused(contract.name, method, answer)
            output = bytes.fromhex(answer[2:])
            answers.append(self._abi(contract.name).result(method, len(args), output))
        return answers

    def offer(self, sender: str) -> dict[str, Any]:
        """Return nonce, fees and chain of the next transaction of an address, in hex."""
        block = self.node.ask("eth_getBlockByNumber", "latest", False) or {}
        tip = int(self.node.ask("eth_maxPriorityFeePerGas"), 16)
        return {
            "type": "0x2",
            "chainId": hex(self.chain_id),
            "nonce": hex(self.nonce(sender)),
            "maxFeePerGas": hex(2 * int(block.get("baseFeePerGas") or "0x0", 16) + tip),
            "maxPriorityFeePerGas": hex(tip),
        }

    def encode(self, contract: Contract, method: str, args: Sequence[Any]) -> str:
        """Return the data of a call in hex."""
        return _hex(self._abi(contract.name).call(method, args))

    def prepare(
        self,
        contract: Contract,
        method: str,
        *args: Any,
        value: int = 0,
        sender: str,
        least_gas: int = 0,
    ) -> dict[str, Any]:
        """Return the unsigned transaction, tried first: what `eth_sendTransaction` of a wallet
        takes, numbers in hex. Raise what `refusals` makes of a refusal.

        `least_gas` is for calls that pass over what they have no gas for: a node's estimate is the
        least with which they do not fail, and so the least that they do.
        """
        data = self._abi(contract.name).call(method, args)
        ready = self._prepare(contract.name, method, sender, contract.address, data, value)
        return {**ready, "gas": hex(max(int(ready["gas"], 16), least_gas))}

    def send(
        self,
        key: Key,
        contract: Contract,
        method: str,
        *args: Any,
        value: int = 0,
        least_gas: int = 0,
    ) -> Receipt:
        """Try a call, then sign it, send it and wait until it is in a block; see `prepare`.

        Raise what `refusals` makes of a refusal, and `Unavailable` where the chain takes too long.
        """
        ready = self.prepare(
            contract, method, *args, value=value, sender=key.address, least_gas=least_gas
        )
        return self._carry(key, ready, contract.name, method)

    def deploy(self, key: Key, name: str, *args: Any) -> Receipt:
        """Put the contract of the artefact `name` on the chain; its address is in the receipt."""
        data = self._load(name).bytecode + self._abi(name).construct(args)
        ready = self._prepare(name, "constructor", key.address, "", data, 0)
        return self._carry(key, ready, name, "constructor")

    def transfer(self, key: Key, to: str, amount: int) -> Receipt:
        """Send `amount` wei to an address."""
        ready = self._prepare("", "transfer", key.address, to, b"", amount)
        return self._carry(key, ready, "", "transfer")

    def send_raw(self, raw: bytes) -> Receipt:
        """Send what was signed elsewhere, and wait until it is in a block."""
        return self._settle([self._broadcast(raw)], [raw], self.patience, "", "the transaction")

    def receipt(self, tx: str) -> Receipt | None:
        """Return what came of a transaction, or None while it is in no block.

        One that failed raises what `refusals` makes of it.
        """
        found = self.node.ask("eth_getTransactionReceipt", "0x" + tx)
        return None if found is None else self.read_receipt(found, "", "the transaction")

    def events(self, contracts: Sequence[Contract], first: int, last: int) -> list[Event]:
        """Return all events of these contracts in blocks first to last, in order.

        What a node will not give at once is asked for in parts.
        """
        found: list[Event] = []
        while first <= last and contracts:
            span = min(self._span, last - first + 1)
            wanted = {
                "address": [contract.address for contract in contracts],
                "fromBlock": hex(first),
                "toBlock": hex(first + span - 1),
            }
            answer = self.node.attempt("eth_getLogs", wanted)
            if isinstance(answer, Fault):
                if not answer.too_many or span == 1:
                    raise Unavailable(
                        f"The node at {self.name} gives no events of block {first} on: "
                        f"{answer.message}",
                        "Use another node.",
                    )
                self._span = max(1, span // 2)
                continue
            found += self._read_logs(contracts, answer)
            first += span
        return sorted(found, key=lambda event: (event.block, event.position))

    def events_in(self, contracts: Sequence[Contract], block_hash: str) -> list[Event] | None:
        """Return all events of these contracts in the block of this hash, in order.

        None where the node does not know the block, or no longer.
        """
        addresses = [contract.address for contract in contracts]
        wanted = {"address": addresses, "blockHash": "0x" + block_hash}
        answer = self.node.attempt("eth_getLogs", wanted)
        if isinstance(answer, Fault):
            return None
        return sorted(self._read_logs(contracts, answer), key=lambda event: event.position)

    def headers(self, first: int, last: int) -> list[Header]:
        """Return the headers of blocks first to last, fewer where the chain ends before."""
        asked = [("eth_getBlockByNumber", (hex(n), False)) for n in range(first, last + 1)]
        headers: list[Header] = []
        for start in range(0, len(asked), BATCH):
            for found in self.node.attempt_all(asked[start : start + BATCH]):
                if isinstance(found, Fault) or found is None:
                    return headers
                bloom = int(found["logsBloom"], 16)
                headers.append(Header(_block_of(found), found["parentHash"][2:], bloom))
        return headers

    def move_to(self, when: int) -> None:
        """Bring a development chain's newest block to `when` (Unix seconds) or later."""
        self._must_be_for_development("moves its clock")
        if self.head().time >= when:
            return
        if self.embedded:
            self.node.ask("evm_mine", hex(when))
            return
        self.node.ask("evm_setNextBlockTimestamp", hex(when))
        self.node.ask("evm_mine")

    def faucet(self, address: str, amount: int) -> None:
        """Give an address so many wei more, on a development chain."""
        self._must_be_for_development("gives money away")
        if self.embedded:
            self.node.ask("danseo_fund", address, hex(amount))
        else:
            total = self.balance(address) + amount
            self.node.ask("hardhat_setBalance", address, hex(total))

    @property
    def _pending(self) -> str:
        return "latest" if self.embedded else "pending"

    def _must_be_for_development(self, what: str) -> None:
        if not self.development:
            raise Usage(
                f"Chain {self.chain_id} at {self.name} is a real one: nobody {what} there.",
                "Do this on the embedded chain or on anvil.",
            )

    def _abi(self, name: str) -> Abi:
        abi = self._abis.get(name)
        if abi is None:
            abi = self._abis[name] = Abi(name, self._load(name).abi)
        return abi

    def _block(self, which: str) -> Block:
        found = self.node.attempt("eth_getBlockByNumber", which, False)
        if isinstance(found, Fault) or found is None:
            raise NotFound(
                f"The node at {self.name} has no block {which}.", "Wait until it is made."
            )
        return _block_of(found)

    def _refused(self, name: str, method: str, fault: Fault) -> Exception:
        known = [self._abi(name)] if name else []
        return refusals.of(name, method, fault, [*known, *self._abis.values()])

    def _prepare(
        self, name: str, method: str, sender: str, to: str, data: bytes, value: int
    ) -> dict[str, Any]:
        asked = {"from": sender, "data": _hex(data), "value": hex(value)}
        if to:
            asked["to"] = to
        gas = self.node.attempt("eth_estimateGas", asked)
        if isinstance(gas, Fault):
            raise self._refused(name, method, gas)
        if not self.embedded:  # the state may have moved on by the time that it is mined
            gas = hex(int(gas, 16) * 6 // 5)
        ready = self.offer(sender)
        tip = int(gas, 16) * int(ready["maxPriorityFeePerGas"], 16)
        if tip > MOST_TIP:
            raise refusals.too_greedy(self.name, tip)
        needed, has = value + int(gas, 16) * int(ready["maxFeePerGas"], 16), self.balance(sender)
        if has < needed:
            raise refusals.too_poor(sender, has, needed)
        return {**asked, **ready, "gas": gas}

    def _carry(self, key: Key, ready: dict[str, Any], name: str, method: str) -> Receipt:
        """Sign and send; where it lingers, offer more for the same nonce, so that one is taken."""
        raws: list[bytes] = []
        sent: list[str] = []
        for last in (False, False, True):
            raws.append(wallet.sign(key, ready))
            sent.append(self._broadcast(raws[-1], sent))
            try:
                return self._settle(sent, raws, self.patience / 3, name, method)
            except Unavailable:
                if last:
                    raise
            for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
                ready[fee] = hex(int(ready[fee], 16) * 5 // 4)
        raise Unavailable("Nothing was sent.", "Send it again.")  # pragma: no cover

    def _broadcast(self, raw: bytes, before: Sequence[str] = ()) -> str:
        """Hand a signed transaction to the node; return its hash. Twice is as good as once.

        `before` are those that were sent with the same nonce and a lower fee.
        """
        tx = wallet.hash_of(raw)
        answer = self.node.attempt("eth_sendRawTransaction", _hex(raw))
        if not isinstance(answer, Fault):
            return tx
        # A node that did take it, and whose answer was lost, calls it known or its nonce used.
        if "known" in answer.message or "already" in answer.message:
            return tx
        if before and "underpriced" in answer.message:
            return tx  # an earlier one stays in the queue
        for one in (tx, *before):
            if self.node.ask("eth_getTransactionReceipt", "0x" + one) is not None:
                return tx
        raise self._refused("", "the transaction", answer)

    def _settle(
        self, sent: list[str], raws: list[bytes], patience: float, name: str, method: str
    ) -> Receipt:
        """Wait for one of the transactions `sent`; hand the newest in again now and then."""
        for turn in turns(patience):
            for tx in sent:
                found = self.node.ask("eth_getTransactionReceipt", "0x" + tx)
                if found is not None:
                    return self.read_receipt(found, name, method)
            if turn % 20 == 19:
                self.node.attempt("eth_sendRawTransaction", _hex(raws[-1]))
        raise Unavailable(
            f"Transaction {sent[-1]} is in no block after {patience:.0f} seconds.",
            "It may still come: do the same again later, and what is done will not be done twice.",
        )

    def read_receipt(self, found: dict[str, Any], name: str, method: str) -> Receipt:
        """Return a node's receipt as ours; one that failed raises what `refusals` makes of it."""
        tx, number = found["transactionHash"][2:], int(found["blockNumber"], 16)
        if int(found["status"], 16) != 1:
            raise refusals.failed(tx, number, name, method)
        known = [Contract(n, log["address"].lower()) for n in self._abis for log in found["logs"]]
        made = found.get("contractAddress") or ""
        return Receipt(
            tx=tx,
            block=number,
            gas=int(found["gasUsed"], 16),
            contract=made.lower(),
            events=tuple(self._read_logs(known, found["logs"])),
        )

    def _read_logs(self, contracts: Sequence[Contract], logs: list[dict[str, Any]]) -> list[Event]:
        """Return the events of these contracts among `logs`; the first that knows one names it."""
        named: dict[str, list[str]] = {}
        for contract in contracts:
            named.setdefault(contract.address, []).append(contract.name)
        events = []
        for log in logs:
            address, data = log["address"].lower(), bytes.fromhex(log["data"][2:])
            if log.get("removed"):
                continue
            for name in named.get(address, ()):
                known = self._abi(name).event(log["topics"], data)
                if known is not None:
                    block, position = int(log["blockNumber"], 16), int(log["logIndex"], 16)
                    tx, block_hash = log["transactionHash"][2:], log["blockHash"][2:]
                    events.append(Event(*known, address, block, tx, position, block_hash))
                    break
        return events


def _block_of(found: dict[str, Any]) -> Block:
    return Block(int(found["number"], 16), found["hash"][2:], int(found["timestamp"], 16))


def turns(patience: float) -> Iterator[int]:
    """Yield 0, 1, 2, ... with growing pauses between, for `patience` seconds."""
    until, pause, turn = time.monotonic() + patience, 0.002, 0
    while True:
        yield turn
        if time.monotonic() + pause > until:
            return
        time.sleep(pause)
        turn, pause = turn + 1, min(pause * 1.5, 2.0)


def _at(block: int | None) -> str:
    return "latest" if block is None else hex(block)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
