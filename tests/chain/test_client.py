"""The client against both kinds of node: reading, sending, refusals, time."""

from __future__ import annotations

import pytest

from danseo.chain import wallet
from danseo.chain.abi import Abi
from danseo.chain.client import Client, Contract
from danseo.chain.node import Node
from danseo.core.errors import (
    Conflict,
    Invalid,
    Malformed,
    NotCovered,
    NotFound,
    Refused,
    Unavailable,
    Usage,
    WrongPhase,
)
from danseo.log.signing import Key
from tests.chain.nodes import ETHER, GENESIS, KEY, OTHER, bell, load
from tests.chain.proxy import CUT, DEAF, PASS, proxy


def test_a_deployed_contract_is_its_artefact(chain: Client) -> None:
    contract = bell(chain)
    code = chain.code(contract.address)
    assert load("Bell").is_at(code)
    assert not load("Bell").is_at(code[:-1] + b"\x00")
    assert not load("Bell").is_at(b"")
    assert chain.call(contract, "owner") == KEY.address


def test_a_call_changes_the_chain_and_its_receipt_tells_how(chain: Client) -> None:
    contract = bell(chain)
    receipt = chain.send(KEY, contract, "ring", "once", b"\x01\x02", value=5)
    (event,) = receipt.events
    assert (event.name, event.block, event.tx) == ("Rang", receipt.block, receipt.tx)
    assert event.args == {"who": KEY.address, "number": 1, "text": "once", "data": b"\x01\x02"}
    assert chain.call(contract, "count") == 1
    assert chain.balance(contract.address) == 5
    assert chain.receipt(receipt.tx) == receipt
    assert 21_000 < receipt.gas < 100_000


def test_the_past_can_be_asked_for(chain: Client) -> None:
    contract = bell(chain)
    first = chain.send(KEY, contract, "ring", "", b"", value=1).block
    chain.send(KEY, contract, "ring", "", b"", value=1)
    assert chain.call(contract, "count", block=first) == 1
    assert chain.balance(contract.address, block=first) == 1
    assert chain.balance(contract.address, block=first - 1) == 0
    assert chain.code(contract.address, block=first - 2) == b""
    assert chain.block(first).number == first
    assert chain.headers(first, first + 5)[1].parent == chain.block(first).hash
    with pytest.raises(NotFound, match="no block"):
        chain.block(first + 100)


def test_events_come_in_order_and_only_of_the_blocks_asked_for(chain: Client) -> None:
    contract = bell(chain)
    chain.send(KEY, contract, "ring", "", b"")
    peal = chain.send(KEY, contract, "peal", 3).block
    chain.send(KEY, contract, "ring", "", b"")
    numbers = [e.args["number"] for e in chain.events([contract], 0, peal)]
    assert numbers == [1, 2, 3, 4]
    positions = [e.position for e in chain.events([contract], peal, peal)]
    assert positions == [0, 1, 2]
    assert chain.events([], 0, peal) == []
    assert chain.events_in([contract], "ab" * 32) in (None, [])


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        (0, WrongPhase, r"Bell refuses refuse: NothingToRing\(0x1a64.*, 0x0{63}7\)"),
        (1, Conflict, "refuses refuse: 'plain words'"),
        (2, WrongPhase, r"TooEarly\(\d+, \d+\)"),
        (3, Conflict, "Bell refuses refuse"),
        (4, Conflict, "a division by zero"),
        (5, Conflict, "a panic 0x1"),
    ],
)
def test_a_refusal_of_a_contract_is_told_by_name_and_costs_nothing(
    chain: Client, how: int, error: type[Refused], words: str
) -> None:
    contract = bell(chain)
    before = chain.balance(KEY.address)
    with pytest.raises(error, match=words):
        chain.send(KEY, contract, "refuse", how)
    with pytest.raises(error, match=words):
        chain.call(contract, "refuse", how, sender=KEY.address)
    assert chain.balance(KEY.address) == before


def test_a_transaction_that_fails_after_it_was_tried_is_no_success(chain: Client) -> None:
    contract = bell(chain)
    late = chain.head().time + 1_000
    ready = chain.prepare(contract, "ring", "", b"", sender=KEY.address)
    # What was tried is exchanged for a call that the contract refuses.
    ready["data"] = "0x" + Abi("Bell", load("Bell").abi).call("after_", [late]).hex()
    with pytest.raises(Conflict, match="failed in block"):
        chain.send_raw(wallet.sign(KEY, ready))
    assert chain.call(contract, "count") == 0


def test_what_a_wallet_elsewhere_signs_can_be_sent(chain: Client) -> None:
    contract = bell(chain)
    ready = chain.prepare(contract, "ring", "by hand", b"", sender=KEY.address)
    assert {"from", "to", "data", "value", "chainId", "gas", "nonce"} <= set(ready)
    assert int(ready["chainId"], 16) == chain.chain_id
    assert chain.call(contract, "count") == 0
    raw = wallet.sign(KEY, ready)
    receipt = chain.send_raw(raw)
    assert receipt.tx == wallet.hash_of(raw)
    assert chain.send_raw(raw) == receipt, "handed in twice, it is done once"
    assert chain.call(contract, "count") == 1


def test_money_moves_and_what_is_not_there_does_not(chain: Client) -> None:
    chain.faucet(KEY.address, 2 * ETHER)
    chain.transfer(KEY, OTHER.address, ETHER)
    assert chain.balance(OTHER.address) == ETHER
    assert ETHER // 2 < chain.balance(KEY.address) < ETHER
    with pytest.raises(NotCovered):
        chain.transfer(KEY, OTHER.address, 5 * ETHER)
    with pytest.raises(NotCovered, match="ETH and may need"):
        chain.transfer(Key(b"\x09" * 32), OTHER.address, 0)


def test_the_faucet_adds(chain: Client) -> None:
    for _ in range(2):
        chain.faucet(OTHER.address, 3)
    assert chain.balance(OTHER.address) == 6


def test_time_moves_as_far_as_it_is_told_and_never_back(chain: Client) -> None:
    contract = bell(chain)
    assert GENESIS <= chain.head().time < GENESIS + 10_000
    wanted = chain.head().time + 86_400 * 365
    with pytest.raises(WrongPhase, match="TooEarly"):
        chain.send(KEY, contract, "after_", wanted)
    chain.move_to(wanted)
    assert chain.head().time == wanted
    chain.send(KEY, contract, "after_", wanted)
    head = chain.head()
    chain.move_to(wanted - 5)
    assert chain.head() == head


def test_every_block_is_later_than_the_one_before(chain: Client) -> None:
    contract = bell(chain)
    for _ in range(3):
        chain.send(KEY, contract, "ring", "", b"")
    times = [header.block.time for header in chain.headers(1, chain.head().number)]
    assert times == sorted(times)


def test_structs_and_arrays_pass_both_ways(chain: Client) -> None:
    contract = bell(chain)
    note, words = (KEY.address, 5), [b"\x07" * 32, b"\x08" * 32]
    assert chain.call(contract, "echo", note, words) == (note, tuple(words))
    by_name = {"who": KEY.address.upper().replace("X", "x"), "pitch": 5}
    assert chain.call(contract, "echo", by_name, ["0x" + w.hex() for w in words])[0] == note


def test_many_questions_take_one_round_trip(chain: Client) -> None:
    contract = bell(chain)
    assert chain.call_all([(contract, "count", ()), (contract, "owner", ())]) == [0, KEY.address]
    with pytest.raises(WrongPhase, match="NothingToRing"):
        chain.call_all([(contract, "count", ()), (contract, "refuse", (0,))])


def test_a_question_to_no_contract_is_no_answer(chain: Client) -> None:
    with pytest.raises(Invalid, match="No contract stands"):
        chain.call(Contract("Bell", "0x" + "33" * 20), "count")


def test_what_a_contract_does_not_understand_is_not_sent(chain: Client) -> None:
    contract = Contract("Bell", "0x" + "33" * 20)
    with pytest.raises(NotFound, match="no method toll"):
        chain.call(contract, "toll")
    with pytest.raises(Malformed, match="cannot be called with 1 arguments"):
        chain.call(contract, "count", 1)
    with pytest.raises(Malformed, match="does not take these arguments"):
        chain.call(contract, "refuse", -1)


def test_final_is_behind_the_head_by_the_confirmations(fresh_anvil: str) -> None:
    client = Client.at(fresh_anvil, confirmations=2, load=load)
    assert client.final().number == 0
    for n in range(1, 6):
        client.move_to(client.head().time + n)
    assert client.final().number == client.head().number - 2


def test_a_lost_answer_sends_nothing_twice(fresh_anvil: str) -> None:
    contract = bell(Client.at(fresh_anvil, load=load))
    lost: list[str] = []

    def plan(_: int, request: dict[str, object]) -> str:
        if request["method"] == "eth_sendRawTransaction" and len(lost) < 2:
            lost.append(str(request["params"]))
            return DEAF
        return PASS

    with proxy(fresh_anvil, plan) as url:  # type: ignore[arg-type]
        Client.at(url, load=load).send(KEY, contract, "ring", "", b"")
    assert len(lost) == 2
    assert lost[0] == lost[1]
    assert Client.at(fresh_anvil, load=load).call(contract, "count") == 1


def test_a_transaction_that_lingers_is_offered_more_for_and_done_once(fresh_anvil: str) -> None:
    client = Client.at(fresh_anvil, load=load, patience=1.5)
    contract, node = bell(client), Node.at(fresh_anvil)
    node.ask("evm_setAutomine", False)
    seen: list[str] = []

    def plan(_: int, request: dict[str, object]) -> str:
        if request["method"] == "eth_sendRawTransaction":
            raw = str(request["params"])
            if raw not in seen:
                seen.append(raw)
                if len(seen) == 3:
                    node.ask("evm_setAutomine", True)
        return PASS

    try:
        with proxy(fresh_anvil, plan) as url:  # type: ignore[arg-type]
            Client.at(url, load=load, patience=1.5).send(KEY, contract, "ring", "", b"")
    finally:
        node.ask("evm_setAutomine", True)
    assert len(seen) == 3
    assert client.call(contract, "count") == 1


def test_a_transaction_that_no_block_takes_is_said_to_be_under_way(fresh_anvil: str) -> None:
    client = Client.at(fresh_anvil, load=load, patience=0.3)
    contract, node = bell(client), Node.at(fresh_anvil)
    node.ask("evm_setAutomine", False)
    try:
        with pytest.raises(Unavailable, match="in no block after"):
            client.send(KEY, contract, "ring", "", b"")
    finally:
        node.ask("anvil_dropAllTransactions")
        node.ask("evm_setAutomine", True)


def test_a_real_chain_gives_no_money_and_keeps_its_own_time(fresh_anvil: str) -> None:
    def plan(_: int, request: dict[str, object]) -> object:
        if request["method"] == "web3_clientVersion":
            return b'{"jsonrpc":"2.0","id":0,"result":"Geth/v1.16"}'
        return PASS

    with proxy(fresh_anvil, plan) as url:  # type: ignore[arg-type]
        client = Client.at(url, load=load)
        assert not client.development
        for forbidden in (lambda: client.faucet(KEY.address, 1), lambda: client.move_to(2**40)):
            with pytest.raises(Usage, match="is a real one"):
                forbidden()
        assert client.final().number == client._block("finalized").number


def test_a_node_that_is_away_is_named_without_its_secret() -> None:
    url = "http://someone:secret-word@127.0.0.1:9/v3/secret-key"
    with pytest.raises(Unavailable, match=r"http://127.0.0.1:9 cannot be reached") as caught:
        Client(Node.at(url, patience=0))
    assert "secret" not in str(caught.value)


def test_only_http_is_spoken() -> None:
    for url in ("ws://127.0.0.1:8545", "file:///etc/hosts", "127.0.0.1:8545", ""):
        with pytest.raises(Usage, match="http"):
            Client.at(url)


def test_a_cut_line_is_tried_again(fresh_anvil: str) -> None:
    with proxy(fresh_anvil, lambda n, _: CUT if n < 2 else PASS) as url:
        assert Client.at(url).chain_id == 31337
