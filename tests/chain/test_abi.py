"""ABIs against eth-abi, and against logs that lie."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from danseo.chain.abi import Abi
from danseo.core.errors import Invalid, Malformed
from danseo.log.signing import keccak256
from tests.chain.nodes import load

BELL = Abi("Bell", load("Bell").abi)
WHO = "0x" + "ab" * 20
TOPICS = [
    "0x" + keccak256(b"Rang(address,uint256,string,bytes)").hex(),
    "0x" + "00" * 12 + "ab" * 20,
    "0x" + "00" * 31 + "07",
]


def test_a_call_is_its_selector_and_its_arguments() -> None:
    data = BELL.call("ring", ["words", "0x0102"])
    assert data[:4] == keccak256(b"ring(string,bytes)")[:4]
    assert data[4:] == encode(["string", "bytes"], ["words", b"\x01\x02"])


def test_a_struct_stands_in_the_signature_by_its_fields() -> None:
    data = BELL.call("echo", [{"who": WHO, "pitch": 3}, []])
    assert data[:4] == keccak256(b"echo((address,uint256),bytes32[])")[:4]
    assert data[4:] == encode(["(address,uint256)", "bytes32[]"], [(WHO, 3), []])


def test_an_event_is_read_in_the_order_of_its_fields() -> None:
    known = BELL.event(TOPICS, encode(["string", "bytes"], ["hello", b"\x05"]))
    assert known == ("Rang", {"who": WHO, "number": 7, "text": "hello", "data": b"\x05"})
    assert known is not None
    assert list(known[1]) == ["who", "number", "text", "data"]


def test_a_text_that_is_no_text_stops_nobody() -> None:
    known = BELL.event(TOPICS, encode(["bytes", "bytes"], [b"\xff\xfe", b""]))
    assert known is not None
    assert known[1]["text"] == "\ufffd\ufffd"


def test_logs_of_other_layouts_are_none_of_the_contracts() -> None:
    assert BELL.event([], b"") is None
    assert BELL.event(["0x" + "11" * 32], b"") is None
    assert BELL.event(TOPICS[:2], b"") is None


def test_a_log_cut_short_is_invalid() -> None:
    with pytest.raises(Invalid, match="no answer of its kind"):
        BELL.event(TOPICS, b"\x00" * 31)


def test_an_answer_of_another_contract_is_invalid() -> None:
    with pytest.raises(Invalid, match="See that the right contract"):
        BELL.result("count", 0, b"\x01")


@pytest.mark.parametrize("args", [[2**256], [-1], ["1"], [None], [1.5]])
def test_what_does_not_fit_a_number_is_refused(args: list[object]) -> None:
    with pytest.raises(Malformed, match="does not take these arguments"):
        BELL.call("peal", args)


def test_a_constructor_takes_what_it_takes() -> None:
    assert BELL.construct([WHO]) == encode(["address"], [WHO])
    with pytest.raises(Malformed):
        BELL.construct([])
