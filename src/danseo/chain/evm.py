"""Ethereum inside this process: py-evm on eth-tester's chain, asked as a node is asked.

Nothing in it is left to chance or to a clock: the same genesis time and the same transactions at
the same times give the same blocks, hash for hash. `Evm.answer` knows the part of JSON-RPC that
`chain.client` speaks. Numbers travel as hex strings, as they do to any node.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from danseo.core.errors import Refused, Usage
from danseo.log.signing import Key, keccak256

CHAIN_ID: Final = 131_277_322_940_537
"""What eth-tester calls its chain. It is below 2^53, so that JavaScript can hold it."""
FAUCET: Final = Key(keccak256(b"danseo: the faucet of every embedded chain"))
"""It owns all money of the genesis. Everybody can know its key: the money is worth nothing."""
WEALTH: Final = 10**9 * 10**18
GAS_LIMIT: Final = 30_000_000
TIP: Final = 10**9

_NO_ONE: Final = bytes(20)


class Evm:
    """A chain of its own. Each call of `mine` makes one block."""

    def __init__(self, genesis_time: int, database: dict[bytes, bytes] | None = None) -> None:
        """Begin a chain at `genesis_time`, or go on with one that `database` was made from."""
        from eth.db.atomic import AtomicDB
        from eth.db.backends.memory import MemoryDB
        from eth_tester.backends.pyevm import main as tester

        state = {"balance": WEALTH, "nonce": 0, "code": b"", "storage": {}}
        _, self._chain = tester.setup_tester_chain(
            tester.get_default_genesis_params(
                {"timestamp": genesis_time, "gas_limit": GAS_LIMIT, "extra_data": b"danseo"}
            ),
            {_raw(FAUCET.address): state},
        )
        if database is not None:
            self._chain = type(self._chain)(AtomicDB(MemoryDB(database)))
        self._known: dict[bytes, tuple[int, int]] = {}
        self._logs: list[list[dict[str, Any]]] = []
        self._methods = _methods(self)

    @property
    def database(self) -> dict[bytes, bytes]:
        """All that the chain is made of, by hash."""
        store: dict[bytes, bytes] = self._chain.chaindb.db.wrapped_db.kv_store
        return store

    @property
    def number(self) -> int:
        """The number of the newest block."""
        return int(self._chain.header.block_number) - 1

    @property
    def time(self) -> int:
        """The time of the newest block in seconds since 1970."""
        return int(self._header("latest").timestamp)

    @property
    def hash(self) -> bytes:
        """The 32-byte hash of the newest block."""
        return bytes(self._header("latest").hash)

    def mine(self, transactions: Sequence[bytes], time: int) -> bytes:
        """Put signed transactions into one block of this time; return its hash.

        Raise `Refused` for one that no block can take (its nonce, its signature, its fee, money
        that is not there), `Usage` for a time that is not after the newest block's. Nothing has
        changed then. A transaction that fails in its contract is taken, as anywhere.
        """
        from eth.exceptions import PyEVMError
        from eth_utils.exceptions import ValidationError
        from rlp.exceptions import RLPException

        before = self._chain.header
        if time <= self.time:
            raise Usage(f"A block of time {time} cannot follow {self.time}.", "Time only grows.")
        self._chain.header = before.copy(timestamp=time)
        try:
            builder = self._chain.get_vm().get_transaction_builder()
            for raw in transactions:
                self._chain.apply_transaction(builder.decode(raw))
            block = self._chain.mine_block()
        except (PyEVMError, ValidationError, RLPException, ValueError, TypeError) as error:
            self._chain.header = before
            raise Refused(
                f"The chain takes no such transaction: {error}", "Make it anew and sign it again."
            ) from None
        return bytes(block.hash)

    def answer(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        """Return the JSON-RPC answer of a node: {"result": ...} or {"error": ...}."""
        known = self._methods.get(method)
        if known is None:
            return fault(-32601, f"The embedded chain has no method {method}.")
        from eth.exceptions import PyEVMError

        try:
            result = known(*params)
        except PyEVMError as error:  # a block that is not there, money that is not there
            return fault(-32000, str(error))
        return result if isinstance(result, dict) and "error" in result else {"result": result}

    def block(self, which: str, _full: bool = False) -> dict[str, Any] | None:
        """Return `eth_getBlockByNumber`: None where there is no such block."""
        header = self._header(which)
        if header is None:
            return None
        return {
            "number": hex(header.block_number),
            "hash": _hex(header.hash),
            "parentHash": _hex(header.parent_hash),
            "timestamp": hex(header.timestamp),
            "baseFeePerGas": hex(header.base_fee_per_gas),
            "logsBloom": f"0x{header.bloom:0512x}",
            "gasUsed": hex(header.gas_used),
            "gasLimit": hex(header.gas_limit),
        }

    def state(self, which: str) -> Any:
        """Return the accounts as they were after that block."""
        header = self._header(which)
        if header is None:
            raise Usage(f"There is no block {which}.", f"The newest is {self.number}.")
        return self._chain.get_vm(header).state

    def call(self, call: dict[str, Any], which: str = "latest") -> Any:
        """Return `eth_call`: the output, or an error that carries the contract's own data."""
        done, _ = self._try(call, self._header(which))
        return _failure(done) if done.is_error else _hex(done.output)

    def estimate(self, call: dict[str, Any]) -> Any:
        """Return `eth_estimateGas` in the next block, with half as much again for safety."""
        # py-evm would give the next block the time of the machine's clock.
        done, base = self._try(call, self._chain.header.copy(timestamp=self.time + 1))
        if done.is_error:
            return _failure(done)
        used = base + GAS_LIMIT - int(done.get_gas_remaining())
        return hex(min(GAS_LIMIT, used + used // 2 + 30_000))

    def receipt(self, transaction: str) -> dict[str, Any] | None:
        """Return `eth_getTransactionReceipt`: None where the chain has no such transaction."""
        self._read_on()
        number, place = self._known.get(_raw(transaction), (-1, -1))
        if number < 0:
            return None
        block = self._chain.get_canonical_block_by_number(number)
        receipts = block.get_receipts(self._chain.chaindb)
        sent, receipt = block.transactions[place], receipts[place]
        used = receipt.gas_used - (receipts[place - 1].gas_used if place else 0)
        return {
            "transactionHash": transaction.lower(),
            "blockNumber": hex(number),
            "blockHash": _hex(block.hash),
            "status": hex(int.from_bytes(receipt.state_root, "big")),
            "gasUsed": hex(used),
            "contractAddress": None if sent.to else _hex(_contract_of(sent)),
            "logs": [e for e in self._logs[number] if e["transactionHash"] == transaction.lower()],
        }

    def logs(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """Return `eth_getLogs` for a range of blocks, or one by its hash."""
        self._read_on()
        if "blockHash" in wanted:
            first = last = self._chain.get_block_header_by_hash(
                _raw(wanted["blockHash"])
            ).block_number
        else:
            ends = (wanted.get(end, "latest") for end in ("fromBlock", "toBlock"))
            first, last = (self._number(end) for end in ends)
        named = wanted.get("address", [])
        addresses = {a.lower() for a in ([named] if isinstance(named, str) else named)}
        found = (log for block in self._logs[first : last + 1] for log in block)
        return [log for log in found if not addresses or log["address"] in addresses]

    def _number(self, which: str) -> int:
        if which in ("latest", "safe", "finalized", "pending"):
            return self.number
        return 0 if which == "earliest" else int(which, 16)

    def _header(self, which: str) -> Any:
        number = self._number(which)
        if number > self.number:
            return None
        return self._chain.get_canonical_block_header_by_number(number)

    def _try(self, call: dict[str, Any], header: Any) -> tuple[Any, int]:
        """Run a message on a copy of the state; return what came of it, and its gas before it ran.

        It runs as a message, not as a transaction: whoever asks pays nothing for asking.
        """
        from eth.vm.message import Message

        vm = self._chain.get_vm(header)
        state: Any = vm.state
        sender: Any = _raw(call.get("from", _hex(_NO_ONE)))
        to: Any = _raw(call.get("to") or "0x")
        data = _raw(call.get("data", "0x"))
        value = int(call.get("value", "0x0"), 16)
        context = state.get_transaction_context_class()(gas_price=0, origin=sender)
        created: Any = None if to else _created(sender, state.get_nonce(sender))
        code = state.get_code(to) if to else data
        message = Message(
            gas=GAS_LIMIT,
            to=to,
            sender=sender,
            value=value,
            data=data if to else b"",
            code=code,
            create_address=created,
        )
        state.lock_changes()
        for warm in (sender, to or created, header.coinbase):
            state.mark_address_warm(warm)
        kind = state.computation_class
        run = kind.apply_message if to else kind.apply_create_message
        tokens = sum(4 if byte else 1 for byte in data)
        base = max(21_000 + 4 * tokens, 21_000) + (0 if to else 32_000 + len(data) // 16 + 2)
        return run(state, message, context), max(base, 21_000 + 10 * tokens)

    def _read_on(self) -> None:
        """Note transactions and logs of the blocks that have not been read yet."""
        for number in range(len(self._logs), self.number + 1):
            block = self._chain.get_canonical_block_by_number(number)
            self._logs.append(list(self._logs_of(block)))
            for place, sent in enumerate(block.transactions):
                self._known[bytes(sent.hash)] = (number, place)

    def _logs_of(self, block: Any) -> Iterator[dict[str, Any]]:
        position = 0
        if not block.transactions:
            return
        receipts = block.get_receipts(self._chain.chaindb)
        for sent, receipt in zip(block.transactions, receipts, strict=True):
            for log in receipt.logs:
                yield {
                    "address": _hex(log.address),
                    "topics": [f"0x{topic:064x}" for topic in log.topics],
                    "data": _hex(log.data),
                    "blockNumber": hex(block.number),
                    "blockHash": _hex(block.hash),
                    "transactionHash": _hex(sent.hash),
                    "logIndex": hex(position),
                }
                position += 1


def fault(code: int, message: str, data: str = "") -> dict[str, Any]:
    """Return the error of a JSON-RPC answer."""
    error: dict[str, Any] = {"code": code, "message": message}
    return {"error": error | ({"data": data} if data else {})}


def _methods(evm: Evm) -> dict[str, Any]:
    return {
        "web3_clientVersion": lambda: "danseo/embedded",
        "eth_chainId": lambda: hex(CHAIN_ID),
        "eth_blockNumber": lambda: hex(evm.number),
        "eth_getBlockByNumber": evm.block,
        "eth_getBalance": lambda who, at: hex(evm.state(at).get_balance(_raw(who))),
        "eth_getCode": lambda who, at: _hex(evm.state(at).get_code(_raw(who))),
        "eth_getTransactionCount": lambda who, at: hex(evm.state(at).get_nonce(_raw(who))),
        "eth_getStorageAt": lambda who, slot, at: (
            f"0x{evm.state(at).get_storage(_raw(who), int(slot, 16)):064x}"
        ),
        "eth_call": evm.call,
        "eth_estimateGas": lambda call, _at="latest": evm.estimate(call),
        "eth_maxPriorityFeePerGas": lambda: hex(TIP),
        "eth_getTransactionReceipt": evm.receipt,
        "eth_getLogs": evm.logs,
    }


def _failure(done: Any) -> dict[str, Any]:
    output = bytes(done.output)
    if output:
        return fault(3, "execution reverted", _hex(output))
    kind = type(done.error).__name__
    return fault(3, "execution reverted" if kind == "Revert" else f"execution failed: {kind}")


def _contract_of(sent: Any) -> bytes:
    return _created(sent.sender, sent.nonce)


def _created(sender: bytes, nonce: int) -> bytes:
    import rlp

    return keccak256(rlp.encode([sender, nonce]))[12:]


def _hex(data: bytes) -> str:
    return "0x" + bytes(data).hex()


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
