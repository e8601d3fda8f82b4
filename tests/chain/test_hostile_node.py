"""A node that lies, breaks or begs: what it answers breaks nobody and costs no key its money."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

import pytest

from danseo.chain.client import MOST_TIP, Client, Contract
from danseo.chain.node import Fault, Node
from danseo.core.errors import DanseoError, Unavailable
from tests.chain.nodes import KEY, OTHER

HASH: Final = "0x" + "a" * 64
POOL: Final = Contract("PrizePool", "0x" + "1" * 40)
BLOCK: Final = {
    "number": "0x5",
    "hash": HASH,
    "parentHash": HASH,
    "timestamp": "0x5",
    "logsBloom": "0x",
    "baseFeePerGas": "0x1",
}
SOUND: Final[dict[str, Any]] = {
    "eth_chainId": "0x1",
    "web3_clientVersion": "a real one",
    "eth_getBlockByNumber": BLOCK,
    "eth_getBalance": hex(10**20),
    "eth_estimateGas": "0x5208",
    "eth_maxPriorityFeePerGas": "0x1",
    "eth_getTransactionCount": "0x0",
    "eth_getTransactionReceipt": None,
    "eth_sendRawTransaction": HASH,
}


class Liar:
    """A node that answers soundly but for what a test tells it, and keeps what it is sent."""

    def __init__(self, **lies: Any) -> None:
        self.lies, self.sent = lies, 0

    def make_request(self, method: str, _params: Any) -> Any:
        self.sent += method == "eth_sendRawTransaction"
        return self.lies.get(method, {"result": SOUND.get(method)})


def believing(liar: Liar) -> Client:
    """Return a client that greeted the node before it lied."""
    node = Node(Liar(), "the test", 0.2, lambda _: None)
    client = Client(node, patience=0.01)
    node.provider = liar
    return client


JUNK: Final[list[Any]] = [
    {},
    {"result": None},
    {"result": {}},
    {"result": "junk"},
    {"result": []},
    {"result": 5},
    {"result": "0x"},
    {"result": "0x" + "f" * 70},
    {"result": [None]},
    {"result": [{}]},
    {"result": {"number": None}},
    {"result": {**BLOCK, "hash": 5}},
    {"error": {"code": None, "message": None}},
    {"error": {"code": [], "message": {}, "data": 5}},
    "<html>",
]
ASKED: Final[dict[str, tuple[str, Callable[[Client], Any]]]] = {
    "block": ("eth_getBlockByNumber", lambda c: c.head()),
    "headers": ("eth_getBlockByNumber", lambda c: c.headers(1, 2)),
    "balance": ("eth_getBalance", lambda c: c.balance(KEY.address)),
    "code": ("eth_getCode", lambda c: c.code(KEY.address)),
    "nonce": ("eth_getTransactionCount", lambda c: c.nonce(KEY.address)),
    "events": ("eth_getLogs", lambda c: c.events([POOL], 1, 2)),
    "call": ("eth_call", lambda c: c.call(POOL, "size")),
    "calls": ("eth_call", lambda c: c.call_all([(POOL, "size", ())])),
    "receipt": ("eth_getTransactionReceipt", lambda c: c.receipt("a" * 64)),
    "gas": ("eth_estimateGas", lambda c: c.transfer(KEY, OTHER.address, 1)),
    "tip": ("eth_maxPriorityFeePerGas", lambda c: c.transfer(KEY, OTHER.address, 1)),
    "sending": ("eth_sendRawTransaction", lambda c: c.transfer(KEY, OTHER.address, 1)),
}


@pytest.mark.parametrize("what", ASKED)
def test_junk_in_place_of_an_answer_ends_in_a_clear_error(what: str) -> None:
    method, ask = ASKED[what]
    refused = 0
    for junk in JUNK:
        try:
            ask(believing(Liar(**{method: junk})))
        except DanseoError as error:  # anything else fails the test
            refused += bool(error.remedy)
    assert refused >= 9


def test_a_node_that_begs_for_a_tip_gets_nothing_signed() -> None:
    for price in (MOST_TIP // 21_000, 10**18, 2**255):
        liar = Liar(eth_maxPriorityFeePerGas={"result": hex(price)})
        with pytest.raises(Unavailable, match="tip"):
            believing(liar).transfer(KEY, OTHER.address, 1)
        assert liar.sent == 0


def test_a_node_that_says_that_much_gas_is_needed_gets_nothing_signed() -> None:
    liar = Liar(eth_estimateGas={"result": "0xffffffffffffffff"})
    with pytest.raises(DanseoError):
        believing(liar).transfer(KEY, OTHER.address, 1)
    assert liar.sent == 0


def test_the_words_of_a_node_are_short_and_obeyed_by_no_terminal() -> None:
    said = {"error": {"code": 3, "message": "\x1b]0;owned\x07" + "x" * 10**6}}
    answer = Node(Liar(eth_call=said), "the test").attempt("eth_call")
    assert isinstance(answer, Fault)
    assert len(answer.message) <= 500
    assert answer.message.isprintable()


@contextmanager
def serving(status: int, body: bytes = b"", **headers: str) -> Iterator[tuple[str, list[str]]]:
    """Serve one answer to everything; give the URL, and the list of the paths that were asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_nobody_is_asked_to_whom_a_node_only_points(status: int) -> None:
    with (
        serving(200, b'{"result":"0x1"}') as (elsewhere, asked),
        serving(status, Location=f"{elsewhere}/stolen") as (url, _),
    ):
        node = Node.at(url, patience=0.05)
        with pytest.raises(Unavailable, match="JSON"):
            node.ask("eth_chainId")
        assert asked == []


def test_a_page_in_place_of_json_is_named() -> None:
    with serving(200, b"<html>Welcome</html>") as (url, _):
        node = Node.at(url, patience=0.05)
        with pytest.raises(Unavailable, match="JSON"):
            node.ask("eth_chainId")
