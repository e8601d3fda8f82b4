"""A chain for tests of the contracts: pyrevm, in memory, thousands of calls a second.

Gas is not measured here: pyrevm keeps what one call touched warm for the next. Tests of gas use
py-evm, through the embedded chain.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyrevm
import pytest

from danseo.chain import artefacts
from danseo.chain.abi import Abi
from danseo.chain.artefacts import Artefact
from danseo.log.signing import keccak256

ETH = "0x" + "0" * 40
BEGIN = 1_800_000_000
MOCKS = Path(__file__).parent / "artefacts"


class Refusal(Exception):
    """A call was reverted with this error and these values; "" where the contract gave none."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        super().__init__(name, values)
        self.name, self.values = name, values


@functools.cache
def load(name: str) -> Artefact:
    """Return a contract of the product or a mock."""
    mock = MOCKS / f"{name}.json"
    return artefacts.parse(json.loads(mock.read_bytes())) if mock.exists() else artefacts.load(name)


@functools.cache
def abi_of(name: str) -> Abi:
    return Abi(name, load(name).abi)


def account(number: int) -> str:
    """Return the address of somebody who has no code."""
    return f"0x{0xA0000000 + number:040x}"


DEPLOYER = account(0)


class World:
    """The chain. `time` is that of the block in which the next call stands."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="CANCUN")
        self.contracts: dict[str, Contract] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._time = 0
        self.time = BEGIN

    @property
    def time(self) -> int:
        return self._time

    @time.setter
    def time(self, seconds: int) -> None:
        self._time = seconds
        self.evm.set_block_env(
            pyrevm.BlockEnv(number=1 + seconds - BEGIN, timestamp=seconds, gas_limit=2**62)
        )

    def give(self, who: str, wei: int) -> None:
        self.evm.set_balance(who, self.evm.get_balance(who) + wei)

    def balance(self, who: str) -> int:
        return int(self.evm.get_balance(who))

    def deploy(self, name: str, *args: Any) -> Contract:
        data = load(name).bytecode + abi_of(name).construct(args)
        with self._undone_if_refused(name):
            address = self.evm.deploy(DEPLOYER, data)
        return self.at(name, str(address))

    def at(self, name: str, address: str) -> Contract:
        """Return the contract of this kind at an address."""
        contract = Contract(self, abi_of(name), address.lower())
        self.contracts[contract.address] = contract
        return contract

    def clone(self, name: str, of: Contract, address: str) -> Contract:
        """Put a minimal clone at a chosen address, as a factory with known addresses does."""
        code = bytes.fromhex(
            "363d3d373d3d3d363d73" + of.address[2:] + "5af43d82803e903d91602b57fd5bf3"
        )
        self.evm.insert_account_info(address, pyrevm.AccountInfo(nonce=1, code=code))
        return self.at(name, address)

    def message(
        self, abi: Abi, by: str, to: str, data: bytes, value: int, gas: int | None
    ) -> bytes:
        """Send a transaction; keep its events in `events`."""
        with self._undone_if_refused(abi.name):
            output = self.evm.message_call(by, to, data, value, gas)
        self.evm.reset_transient_storage()
        self.events = list(self._said())
        return bytes(output)

    def pay(self, by: str, to: str, wei: int) -> None:
        """Send bare ETH."""
        abi = self.contracts[to].abi if to in self.contracts else abi_of("PrizePool")
        self.message(abi, by, to, b"", wei, None)

    def next_address(self, count: int = 0) -> str:
        """Return where the next contract, or the one `count` later, will stand."""
        from rlp import encode

        nonce = self.evm.basic(DEPLOYER).nonce + count
        return "0x" + keccak256(encode([bytes.fromhex(DEPLOYER[2:]), nonce]))[12:].hex()

    @contextlib.contextmanager
    def _undone_if_refused(self, name: str) -> Iterator[None]:
        before = self.evm.snapshot()
        try:
            yield
        except RuntimeError as failure:
            self.evm.revert(before)
            found = re.search(r"output: 0x([0-9a-f]*)", str(failure))
            if found is None:
                raise Refusal(str(failure), ()) from None
            data = bytes.fromhex(found[1])
            names = [name, *(c.abi.name for c in self.contracts.values())]
            known = (abi_of(n).error(data) for n in names)
            raise Refusal(*next((k for k in known if k), (data.hex(), ()))) from None
        self.evm.commit()

    def _said(self) -> Iterator[tuple[str, dict[str, Any]]]:
        result = self.evm.result
        for log in result.logs if result else ():
            contract = self.contracts.get(log.address.lower())
            event = contract and contract.abi.event(log.topics, bytes(log.data[1]))
            if event:
                yield event


class Contract:
    """A deployed contract: `pool("publish", 3, ..., by=account(1), value=5)` sends, and returns."""

    def __init__(self, world: World, abi: Abi, address: str) -> None:
        self.world, self.abi, self.address = world, abi, address

    def __call__(
        self, method: str, *args: Any, by: str = DEPLOYER, value: int = 0, gas: int | None = None
    ) -> Any:
        fitted = [a.address if isinstance(a, Contract) else a for a in args]
        data = self.abi.call(method, fitted)
        output = self.world.message(self.abi, by, self.address, data, value, gas)
        return self.abi.result(method, len(args), output)


@contextlib.contextmanager
def refused(name: str, *values: Any) -> Iterator[None]:
    """Hold that a call within is refused with this error, and these values where any are given."""
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.name == name, caught.value
    if values:
        fitted = tuple(v.address if isinstance(v, Contract) else v for v in values)
        assert caught.value.values == fitted
