"""Many calls at once: each is done once and told in its place."""

from __future__ import annotations

import pytest

from danseo.chain.bulk import Call, send_all
from danseo.chain.client import Client, Receipt
from danseo.core.errors import Conflict, NotCovered, Unavailable
from danseo.log.signing import Key
from tests.chain.nodes import KEY, bell, load
from tests.chain.proxy import CUT, DEAF, PASS, proxy


def test_many_calls_are_done_in_order_and_one_that_fails_fails_alone(chain: Client) -> None:
    contract = bell(chain)
    calls: list[Call] = [(contract, "ring", (str(n), b"")) for n in range(7)]
    calls[3] = (contract, "refuse", (0,))
    told = list(send_all(chain, KEY, calls, gas=100_000, at_once=3))
    assert len(told) == 7
    assert isinstance(told.pop(3), Conflict)
    texts = [r.events[0].args["text"] for r in told if isinstance(r, Receipt)]
    assert texts == ["0", "1", "2", "4", "5", "6"]
    assert chain.call(contract, "count") == 6


def test_calls_are_taken_as_they_are_needed(chain: Client) -> None:
    contract, taken = bell(chain), 0

    def calls() -> object:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield contract, "ring", ("", b"")

    sending = send_all(chain, KEY, calls(), gas=100_000, at_once=5)  # type: ignore[arg-type]
    next(sending)
    assert taken == 5
    assert chain.call(contract, "count") == 5


def test_who_cannot_pay_for_all_sends_none(chain: Client) -> None:
    contract, poor = bell(chain), Key(b"\x08" * 32)
    with pytest.raises(NotCovered, match="ETH and may need"):
        list(send_all(chain, poor, [(contract, "ring", ("", b""))], gas=100_000))
    assert chain.call(contract, "count") == 0


@pytest.mark.parametrize("fate", [DEAF, CUT, 503])
def test_a_bad_line_does_nothing_twice(fresh_anvil: str, fate: str | int) -> None:
    contract = bell(Client.at(fresh_anvil, load=load))
    calls = [(contract, "ring", (str(n), b"")) for n in range(10)]
    with proxy(fresh_anvil, lambda n, _: fate if n % 3 == 2 else PASS) as url:
        client = Client.at(url, load=load)
        assert all(isinstance(r, Receipt) for r in send_all(client, KEY, calls, 100_000, 4))
    assert Client.at(fresh_anvil, load=load).call(contract, "count") == 10


def test_what_no_block_takes_is_told(fresh_anvil: str) -> None:
    client = Client.at(fresh_anvil, load=load, patience=0.3)
    contract = bell(client)
    client.node.ask("evm_setAutomine", False)
    try:
        with pytest.raises(Unavailable, match="took a part"):
            list(send_all(client, KEY, [(contract, "ring", ("", b""))], gas=100_000))
    finally:
        client.node.ask("anvil_dropAllTransactions")
        client.node.ask("evm_setAutomine", True)
