"""Asking a node: what is asked again, what is not, and what is said when patience ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from danseo.chain.node import Fault, Node
from danseo.core.errors import Unavailable


class Scripted:
    """A node that answers what it was told to, one after another."""

    def __init__(self, *answers: Any) -> None:
        self._answers: Iterator[Any] = iter(answers)
        self.asked = 0

    def make_request(self, _method: str, _params: Any) -> Any:
        self.asked += 1
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def error(code: int, message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


def asking(*answers: Any, patience: float = 30) -> tuple[Node, Scripted, list[float]]:
    naps: list[float] = []
    scripted = Scripted(*answers)
    return Node(scripted, "the test", patience, naps.append), scripted, naps


BUSY = [
    error(-32005, "daily request count exceeded, request rate limited"),
    error(429, "slow down"),
    error(-32000, "Too Many Requests"),
    error(-32603, "request timed out"),
    ConnectionResetError("reset"),
    TimeoutError(),
]


@pytest.mark.parametrize("fault", BUSY, ids=str)
def test_a_busy_node_is_asked_again_after_growing_pauses(fault: Any) -> None:
    node, scripted, naps = asking(fault, fault, fault, {"result": "0x1"})
    assert node.ask("eth_blockNumber") == "0x1"
    assert scripted.asked == 4
    assert naps == sorted(naps)
    assert len(set(naps)) == 3


@pytest.mark.parametrize("fault", BUSY, ids=str)
def test_patience_ends_with_an_error_that_names_the_node(fault: Any) -> None:
    node, _, naps = asking(*[fault] * 50, patience=5)
    with pytest.raises(Unavailable, match="the test"):
        node.ask("eth_blockNumber")
    assert sum(naps) <= 5


@pytest.mark.parametrize(
    "message",
    [
        "query returned more than 10000 results",
        "block range is too large, max is 1k blocks",
        "exceed maximum block range: 5000",
        "Log response size exceeded.",
        "eth_getLogs is limited to a 10,000 range",
        "range 5001 exceeds the limit of 5000",
    ],
)
def test_too_much_at_once_is_not_asked_again_but_told(message: str) -> None:
    node, scripted, _ = asking(error(-32005, message))
    answer = node.attempt("eth_getLogs")
    assert isinstance(answer, Fault)
    assert answer.too_many
    assert scripted.asked == 1


def test_a_refusal_keeps_what_the_contract_said() -> None:
    for data in ("0x12345678", {"data": "0x12345678"}):
        node, scripted, _ = asking(error(3, "execution reverted", data=data))
        assert node.attempt("eth_call") == Fault(3, "execution reverted", bytes.fromhex("12345678"))
        assert scripted.asked == 1


@pytest.mark.parametrize("junk", ["text", None, 5, [], error(1, "m", data="0xzz")])
def test_junk_is_no_result(junk: Any) -> None:
    node, _, _ = asking(junk)
    assert isinstance(node.attempt("eth_call"), Fault)


def test_a_null_error_is_none() -> None:
    node, _, _ = asking({"result": 5, "error": None})
    assert node.ask("evm_mine") == 5


def test_many_requests_are_answered_in_order_even_without_batches() -> None:
    node, _, _ = asking({"result": 1}, error(3, "no"), {"result": 3})
    one, two, three = node.attempt_all([("a", ()), ("b", ()), ("c", ())])
    assert (one, three) == (1, 3)
    assert isinstance(two, Fault)
    assert node.attempt_all([]) == []
