"""The page about coin does what it says: its commands, in order, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from danseo.chain import anvil
from danseo.core.errors import Unavailable
from tests.cli.stage import Stage, run
from tests.cli.test_dao_page import commands, play
from tests.repo.tree import ROOT

PAGE = (ROOT / "docs" / "coin.md").read_text("utf-8")
NODE = ("chain up", "chain down")
"""What needs a node; `tests/chain/test_anvil.py` holds it where one is installed."""


def test_the_page_about_coin_leads_from_the_section_to_the_last_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = play(commands(PAGE), monkeypatch)
    assert "published the root of size" in said
    assert "waits: no more may leave in this window" in said
    assert "against the chain itself" in said
    stage = Stage(tmp_path / "prize")
    found = stage.do("pool show example")
    assert found["due"] == []
    assert all(root["right"] for root in found["roots"])
    eth = next(one for one in found["assets"] if one["asset"] == "ETH:18")
    assert int(eth["claimed"]) == int(eth["declared"]) > 0
    paid = {one["account"]: one["money"] for one in stage.do("shares example")["accounts"]}
    assert len(paid) == 2
    assert all(int(money["INK:18"]["paid"]) > 0 for money in paid.values())

    beside = re.findall(r"`danseo ([^`]*)`", " ".join(PAGE.split()))
    assert len(beside) >= 12
    for line in beside:
        if line.startswith("pool claim"):
            assert run(*line.split()).status == 3, "all is paid already"
        elif not line.startswith(NODE):
            play([f"danseo {line}"], monkeypatch)


def test_the_page_about_coin_can_be_followed_on_a_node_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        anvil.find()
    except Unavailable:
        pytest.skip("anvil is not installed: scripts/setup-anvil")
    monkeypatch.chdir(tmp_path)
    lines = commands(PAGE)
    deploy = lines.index("danseo chain deploy example")
    start = next(i for i, line in enumerate(lines) if line.startswith("danseo chain faucet"))
    until = lines.index("danseo pool show example")
    try:
        said = play([*lines[:start], "danseo chain up", *lines[start : until + 1]], monkeypatch)
    finally:
        run("chain", "down")
    assert start < deploy
    assert "into effect" in said
    assert "No challenge of this log has contracts on it" in run("chain", "status").out
    verified = run("verify", "prize")  # the node is down, and what lies beside is another chain
    assert verified.status == 0
    assert "to ask a chain: --chain" in verified.out
    asked = run("verify", "prize", "--chain", "prize/host/chain")
    assert asked.status == 5
    assert "contracts on chain 31337" in asked.err
