"""What people mistype about coin: refused with a reason and a remedy, and nothing is changed."""

from __future__ import annotations

import pytest

from tests.cli.stage import Stage

NOBODY = "0x" + "0" * 40
LONG = "9" * 5000


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("pool fund example '1 ETH'", "nobody"),
        ("pool fund example '1 ETH'", NOBODY),
        (f"pool fund example '{LONG} ETH'", "donor-1"),
        ("pool fund example '-1 ETH'", "donor-1"),
        ("pool fund example '1,5 ETH'", "donor-1"),
        ("pool fund example '1e400 ETH'", "donor-1"),
        ("pool fund example ETH", "donor-1"),
        ("pool fund exampel '1 ETH'", "donor-1"),
        ("pool fund example '99999999 ETH'", "donor-1"),
        (f"pool dispute example {LONG}", "donor-1"),
        ("pool dispute example -1", "donor-1"),
        ("pool veto example 7", "donor-1"),
        ("pool activate example 99", "donor-1"),
        ("pool publish example", "donor-1"),
        ("pool claim example nobody", "donor-1"),
        (f"pool claim example {NOBODY}", "donor-1"),
        ("pool hold example nobody --reason r --evidence e", ""),
        ("stake deposit example '0 ETH'", "contributor-1"),
        ("stake release example '999999 ETH'", "contributor-1"),
        ("stake exit example 'all'", "contributor-1"),
        ("stake withdraw example", "contributor-1"),
        ("dao vote example 1 maybe", "donor-1"),
        (f"dao show example {LONG}", ""),
        ("chain include example 0xzz", ""),
        ("chain submit example {home}/nothing.json", "donor-1"),
        ("chain submit example {home}", "donor-1"),
        ("chain faucet 0x12", ""),
        (f"chain faucet donor-1 --amount {LONG}", ""),
        ("chain deploy exampel", ""),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    coined: Stage, line: str, key: str
) -> None:
    refused = coined.refuse(line, key)
    assert refused["status"] in (2, 3, 4, 5, 6)
    assert refused["message"]
    assert refused["remedy"]


@pytest.mark.parametrize(
    "line",
    [
        "chain deploy example",
        "chain observe example",
        "chain anchor example",
        "chain include example",
        "pool check example",
        "pool fund example '1 ETH'",
        "pool declare example",
        "pool publish example",
        "pool pay example",
        "stake deposit example '1 ETH'",
        "stake exit example '1 ETH'",
        "dao show example",
    ],
)
def test_a_challenge_without_coin_is_told_so(opened: Stage, line: str) -> None:
    refused = opened.run(f"{line} --json", "contributor-1")
    assert refused.status in (2, 3)
    assert refused.error["remedy"]


@pytest.mark.parametrize(
    "url", ["localhost:8545", "ftp://127.0.0.1", "http://", "://", "http://[::1", "http://a:b"]
)
def test_a_node_is_named_by_a_whole_url(
    coined: Stage, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DANSEO_CHAIN_URL", url)
    refused = coined.refuse("chain status")
    assert refused["error"] == "Usage"


def test_a_node_that_is_not_there_is_named_without_its_secret(
    coined: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DANSEO_CHAIN_URL", "http://me:pass-word@127.0.0.1:1/token")
    monkeypatch.setattr("danseo.chain.node.Node._pauses", lambda _: iter(()))
    ran = coined.run("chain status")
    assert ran.status != 0
    assert "pass-word" not in ran.err + ran.out
    assert "token" not in ran.err + ran.out
