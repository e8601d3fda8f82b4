"""The watcher against reorganisations, restarts, gaps and limits: each event once and in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from danseo.chain import anvil
from danseo.chain.client import Client, Contract
from danseo.chain.node import Node
from danseo.chain.watcher import Cursor, Watcher
from danseo.core.errors import Invalid, Unavailable
from tests.chain.nodes import KEY, bell, load
from tests.chain.proxy import CUT, PASS, proxy


def watcher(client: Client, contract: Contract, number: int = 0, **options: Any) -> Watcher:
    return Watcher(client, [contract], Cursor.at(client.block(number)), **options)


def read(watching: Watcher) -> list[int]:
    """Return the numbers of all strokes that are final and not yet read."""
    numbers: list[int] = []
    while (stretch := watching.step()) is not None:
        numbers += [event.args["number"] for event in stretch.events]
    return numbers


def ring(client: Client, contract: Contract, times: int) -> None:
    for _ in range(times):
        client.send(KEY, contract, "ring", "", b"")


def reorganise(url: str, depth: int) -> None:
    Node.at(url).ask("anvil_reorg", depth, [])


def test_each_event_comes_once_and_in_order(chain: Client) -> None:
    contract = bell(chain)
    watching = watcher(chain, contract, stretch=3)
    ring(chain, contract, 7)
    chain.send(KEY, contract, "peal", 4)
    assert read(watching) == list(range(1, 12))
    assert read(watching) == []
    ring(chain, contract, 2)
    assert read(watching) == [12, 13]
    assert watching.cursor == Cursor.at(chain.head())


def test_events_of_other_contracts_are_not_read(chain: Client) -> None:
    contract, stranger = bell(chain), bell(chain)
    watching = watcher(chain, contract)
    ring(chain, stranger, 2)
    ring(chain, contract, 1)
    (stretch,) = iter(watching.step, None)
    assert [(e.address, e.args["number"]) for e in stretch.events] == [(contract.address, 1)]


def test_a_new_watcher_goes_on_from_a_stored_cursor(chain: Client) -> None:
    contract = bell(chain)
    first = watcher(chain, contract)
    ring(chain, contract, 3)
    assert read(first) == [1, 2, 3]
    ring(chain, contract, 2)
    assert read(Watcher(chain, [contract], first.cursor)) == [4, 5]


def test_what_is_not_final_is_not_read(fresh_anvil: str) -> None:
    client = Client.at(fresh_anvil, confirmations=3, load=load)
    contract = bell(client)
    watching = watcher(client, contract)
    ring(client, contract, 4)
    assert read(watching) == [1]
    ring(client, contract, 2)
    assert read(watching) == [2, 3]


@pytest.mark.parametrize("depth", [1, 3, 12])
def test_a_reorganisation_of_what_is_not_final_is_never_seen(fresh_anvil: str, depth: int) -> None:
    client = Client.at(fresh_anvil, confirmations=12, load=load)
    contract = bell(client)
    watching = watcher(client, contract)
    ring(client, contract, 20)
    before = read(watching)
    reorganise(fresh_anvil, depth)
    client.send(KEY, contract, "peal", 2)
    for _ in range(12):
        client.move_to(client.head().time + 1)
    standing = [e.args["number"] for e in client.events([contract], 0, client.final().number)]
    assert before + read(watching) == standing
    assert client.call(contract, "count") == standing[-1] == 22 - depth


def test_a_reorganisation_beyond_what_is_final_is_refused_in_clear_words(fresh_anvil: str) -> None:
    client = Client.at(fresh_anvil, load=load)
    contract = bell(client)
    watching = watcher(client, contract)
    ring(client, contract, 5)
    read(watching)
    reorganise(fresh_anvil, 3)
    with pytest.raises(Invalid, match=r"was \w{64} when it was read as final, and is \w{64} now"):
        watching.step()
    ring(client, contract, 2)
    with pytest.raises(Invalid, match="read as final"):
        watching.step()


@pytest.mark.usefixtures("anvil_url")
def test_a_watcher_goes_on_after_a_restart_of_its_node(tmp_path: Path) -> None:
    running = anvil.up(tmp_path)
    try:
        client = Client(Node.at(running.url, patience=0.2), load=load)
        contract = bell(client)
        watching = watcher(client, contract)
        ring(client, contract, 3)
        assert read(watching) == [1, 2, 3]
        ring(client, contract, 1)
    finally:
        anvil.down(tmp_path)
    naps = 0

    def wake(_: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 2:
            anvil.up(tmp_path, port=int(running.url.rpartition(":")[2]))

    resumed = Watcher(client, [contract], watching.cursor, sleep=wake)
    try:
        stretch = next(resumed.follow())
        assert [event.args["number"] for event in stretch.events] == [4]
        assert naps >= 2
    finally:
        anvil.down(tmp_path)


def test_a_node_that_lost_its_chain_is_not_taken_for_a_quiet_one(chain: Client) -> None:
    contract = bell(chain)
    beyond = Cursor(chain.head().number + 5, "ab" * 32)
    with pytest.raises(Unavailable, match="has been read before"):
        Watcher(chain, [contract], beyond).step()


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_node_that_fails_or_limits_every_nth_request_loses_nothing(
    fresh_anvil: str, every: int
) -> None:
    direct = Client.at(fresh_anvil, load=load)
    contract = bell(direct)
    ring(direct, contract, 12)
    faults = [429, 503, CUT, (-32005, "rate limit exceeded")]

    def plan(number: int, _: Any) -> Any:
        return faults[number // every % len(faults)] if number % every == 0 else PASS

    with proxy(fresh_anvil, plan) as url:
        client = Client(Node(Node.at(url).provider, url, sleep=lambda _: None), load=load)
        assert read(watcher(client, contract, stretch=4)) == list(range(1, 13))


def test_a_node_that_gives_few_events_at_once_is_asked_for_parts(fresh_anvil: str) -> None:
    direct = Client.at(fresh_anvil, load=load)
    contract = bell(direct)
    ring(direct, contract, 9)
    spans: list[int] = []

    def plan(_: int, request: Any) -> Any:
        if isinstance(request, dict) and request["method"] == "eth_getLogs":
            wanted = request["params"][0]
            spans.append(int(wanted["toBlock"], 16) - int(wanted["fromBlock"], 16) + 1)
            if spans[-1] > 3:
                return (-32005, "query returned more than 10000 results")
        return PASS

    with proxy(fresh_anvil, plan) as url:
        assert read(watcher(Client.at(url, load=load), contract)) == list(range(1, 10))
    assert spans[0] > 3
    assert spans[-1] <= 3


def test_a_node_that_leaves_events_out_is_found_by_the_filters_of_its_blocks(
    fresh_anvil: str,
) -> None:
    direct = Client.at(fresh_anvil, load=load)
    contract = bell(direct)
    ring(direct, contract, 3)

    def plan(_: int, request: Any) -> Any:
        if isinstance(request, dict) and "fromBlock" in str(request["params"]):
            return b'{"jsonrpc":"2.0","id":0,"result":[]}'
        return PASS

    with proxy(fresh_anvil, plan) as url:
        assert read(watcher(Client.at(url, load=load), contract)) == [1, 2, 3]


def test_blocks_that_change_while_they_are_read_are_read_again(fresh_anvil: str) -> None:
    client = Client.at(fresh_anvil, confirmations=2, load=load)
    contract = bell(client)
    ring(client, contract, 6)
    start = Cursor.at(client.block(1))
    cheated = 0

    def plan(_: int, request: Any) -> Any:
        nonlocal cheated
        if isinstance(request, dict) and request["method"] == "eth_getLogs" and not cheated:
            cheated = 1
            reorganise(fresh_anvil, 5)
            for _ in range(8):
                client.move_to(client.head().time + 1)
        return PASS

    with proxy(fresh_anvil, plan) as url:
        watching = Watcher(
            Client.at(url, confirmations=2, load=load), [contract], start, sleep=lambda _: None
        )
        assert read(watching) == [1]
    assert cheated
