"""The contracts that danseo packs."""

from __future__ import annotations

import pytest

from danseo.chain import artefacts
from danseo.chain.artefacts import Artefact
from danseo.core.errors import NotFound


@pytest.mark.parametrize("name", artefacts.names())
def test_every_packed_contract_can_be_deployed_and_known_again(name: str) -> None:
    artefact = artefacts.load(name)
    assert artefact.name == name
    assert len(artefact.runtime) <= 24_576, "the largest contract that a chain takes (EIP-170)"
    assert len(artefact.bytecode) <= 49_152, "the largest that it deploys (EIP-3860)"
    code = bytearray(artefact.runtime)
    for start, length in artefact.immutables:
        assert not any(code[start : start + length])
        code[start : start + length] = b"\x07" * length
    assert artefact.is_at(bytes(code))


def test_the_contracts_of_the_plan_are_packed() -> None:
    planned = {"PrizePool", "ProgressCoin", "ChallengeGovernor", "LogAnchor", "Stake"}
    assert planned | {"ChallengeFactory"} <= set(artefacts.names())


def test_what_differs_outside_the_immutables_is_another_contract() -> None:
    artefact = Artefact("A", (), b"", b"\x01\x00\x00\x02", ((1, 2),))
    assert artefact.is_at(b"\x01\x09\x09\x02")
    assert not artefact.is_at(b"\x01\x09\x09\x03")
    assert not artefact.is_at(b"\x01\x09\x09\x02\x00")


@pytest.mark.parametrize("name", ["Nothing", "../evm", "PrizePool.json", ""])
def test_a_contract_that_is_not_packed_is_told(name: str) -> None:
    with pytest.raises(NotFound, match=r"packs no contract .*PrizePool|It packs"):
        artefacts.load(name)
