"""Chains to test on: the embedded one and anvil, each as a client with a bell to ring.

`chain` runs a test against both. All tests of a process share one anvil, and each finds it as it
began. Bell.sol is what the tests of this room need of a contract; the others are danseo's own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson
import pytest

from danseo.chain import anvil, artefacts
from danseo.chain.artefacts import Artefact
from danseo.chain.client import Client, Contract
from danseo.chain.embedded import open_chain
from danseo.chain.node import Node
from danseo.core.errors import Unavailable
from danseo.log.signing import Key

GENESIS: Final = 1_700_000_000
ETHER: Final = 10**18
KEY: Final = Key(b"\x01" * 32)
OTHER: Final = Key(b"\x02" * 32)


@functools.cache
def load(name: str) -> Artefact:
    """Return the artefact of a contract, Bell among them."""
    if name != "Bell":
        return artefacts.load(name)
    return artefacts.parse(orjson.loads(Path(__file__).with_name("Bell.json").read_bytes()))


def bell(client: Client) -> Contract:
    """Return a new bell, deployed by `KEY`, which gets money for it."""
    client.faucet(KEY.address, 100 * ETHER)
    return Contract("Bell", client.deploy(KEY, "Bell", KEY.address).contract)


@pytest.fixture(scope="session")
def anvil_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the one anvil of this process."""
    try:
        program = anvil.find()
    except Unavailable as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("anvil")
    running = anvil.up(folder, program=program, genesis_time=GENESIS)
    yield running.url
    anvil.down(folder)


@pytest.fixture
def fresh_anvil(anvil_url: str) -> Iterator[str]:
    """The URL of anvil, whose chain is put back after the test."""
    node = Node.at(anvil_url)
    before = node.ask("evm_snapshot")
    yield anvil_url
    node.ask("evm_revert", before)
    node.ask("anvil_setLoggingEnabled", False)


@pytest.fixture(params=["embedded", "anvil"])
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A client of an empty chain, once of each kind."""
    if request.param == "anvil":
        yield Client.at(request.getfixturevalue("fresh_anvil"), load=load)
        return
    with open_chain(tmp_path / "chain", GENESIS) as held:
        yield Client.on(held, load=load)
