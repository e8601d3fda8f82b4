"""Contracts are what the terms say: anyone can deploy them, and nobody can attach others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from danseo.chain.client import Client
from danseo.core.entry import parse
from danseo.core.errors import Conflict, Unavailable, WrongPhase
from danseo.core.kinds.chain import Attach
from danseo.flows import admission, deploying, reading
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Hook
from danseo.log.source import FolderSource
from tests.flows import coined, played
from tests.flows.coined import COIN, ETH, Coined
from tests.flows.played import NAME, key_of


@contextmanager
def undeployed(folder: Path) -> Iterator[Coined]:
    """Yield the challenge opened on a chain that has no contract yet."""
    with coined.chain(folder / "chain") as client:

        def hooks(store: Blobs) -> tuple[Hook, ...]:
            return admission.hooks(store, lambda: coined.again(client))

        made = played.begin(folder, lambda body: body.update(coin=dict(COIN)), hooks)
        client.faucet(key_of("donor").address, 1000 * ETH)
        yield Coined(made, client)


def test_a_deployment_that_is_killed_at_every_transaction_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with undeployed(tmp_path) as stage:
        act, killed = Client._carry, 0

        def carry(self: Client, *args: object) -> object:
            act(self, *args)
            raise Unavailable("Killed.", "Run it again.")

        monkeypatch.setattr(Client, "_carry", carry)
        for _ in range(20):
            try:
                deploying.deploy(stage.desk, stage.client, key_of("donor"), NAME)
                break
            except Unavailable:
                killed += 1
        assert killed == 7  # five that are cloned, the factory, the contracts
        assert stage.client.nonce(key_of("donor").address) == killed
        assert stage.challenge.onchain is not None
        assert deploying.deploy(stage.desk, stage.client, key_of("donor"), NAME) is None


def test_contracts_can_be_deployed_by_anyone_and_are_the_same(tmp_path: Path) -> None:
    with coined.begin(tmp_path) as stage:
        found = stage.challenge.onchain.contracts
        pool = deploying.part(found, "pool")
        assert stage.client.call(pool, "coin") == found.coin
        assert stage.client.call(pool, "bond") == int(COIN["bond"])
        assert stage.client.call(deploying.part(found, "governor"), "guardian") == COIN["guardian"]
        anchor = deploying.part(found, "anchor")
        assert stage.client.call(anchor, "operator") == key_of("organiser").address


@pytest.mark.parametrize("part", ["pool", "stake", "factory", "tx", "block", "chain_id"])
def test_contracts_that_are_not_what_the_terms_say_are_refused(tmp_path: Path, part: str) -> None:
    with coined.begin(tmp_path) as stage:
        with FolderSource(stage.desk.log.home / "log") as source:
            found = list(reading.entries(source, 0, stage.desk.state.size))
        (entry,) = [e for e in found if e.kind == Attach.kind]
        deploying.check_attach(stage.client, stage.desk.state, entry)
        body = parse(entry.kind, entry.body)
        other = {
            "tx": "0" * 64,
            "block": body.block + 1,  # type: ignore[attr-defined]
            "chain_id": 1,
        }.get(part, key_of("donor").address)
        false = replace(entry, body={**entry.body, part: other})
        with pytest.raises(Conflict):
            deploying.check_attach(stage.client, stage.desk.state, false)


def test_a_challenge_without_a_coin_has_no_contracts(tmp_path: Path) -> None:
    made = played.begin(tmp_path)
    with pytest.raises(WrongPhase):
        deploying.config(made.desk.state, made.challenge)
    with pytest.raises(WrongPhase):
        deploying.attached(made.challenge)
