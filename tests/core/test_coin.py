"""The terms of a coin that contradict one another, and the units that stand to everyone's name."""

from __future__ import annotations

from typing import Any

import pytest

from danseo.core.coin import CAP, UNIT, coin_units, decimals
from danseo.core.errors import Conflict
from danseo.core.words import money
from tests.core.ledger import (
    DAY,
    DOLLAR,
    ETH,
    ETHER,
    INK,
    SILENCE,
    TRUTH,
    CoinLedger,
    address,
    coin,
    jury_round,
    terms,
)  # fmt: skip

IN_ETH = {"asset": ETH, "amount": "100"}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"window": 2 * DAY + DAY // 2}, "veto by vote"),
        ({"exit_delay": 3 * DAY}, "stake leaves"),
        ({"exits_from": SILENCE + TRUTH - 1}, "at risk"),
        ({"assets": []}, "0 assets"),
        ({"assets": [{"asset": ETH, "token": ETHER}] * 2}, "twice"),
        ({"assets": [{"asset": "USDC:6", "token": ETHER}]}, "zero address"),
        (
            {"assets": [{"asset": "A:6", "token": DOLLAR}, {"asset": "A:7", "token": ETHER[:-1] + "1"}]},  # noqa: E501
            "twice",
        ),
        ({"symbol": ETH}, "symbol is ETH:18"),
        ({"symbol": "INK"}, "symbol is INK"),
        ({"symbol": "INK:6"}, "symbol is INK:6"),
        ({"outflow": 0}, "outflow is 0"),
        ({"quorum": 0}, "quorum is 0"),
        ({"bond": "0"}, "bond is 0"),
    ],
)  # fmt: skip
def test_terms_that_contradict_one_another_are_refused(changes: dict[str, Any], names: str) -> None:
    ledger = CoinLedger()
    for who in ("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3"):
        ledger.say(who, "key.sealing", x25519="ab" * 32)
    body = terms(coin=coin(**changes), bond=IN_ETH, stake=IN_ETH)
    ledger.refuses_to(Conflict, names, "organiser", "challenge.open", "ink", terms=body)


@pytest.mark.parametrize(
    ("bond", "stake", "names"),
    [("KRW", ETH, "stake in ETH:18"), (INK, INK, "the coin itself"), (ETH, "USDC:6", "in USDC:6")],
)
def test_bonds_and_stakes_are_of_one_asset(bond: str, stake: str, names: str) -> None:
    ledger = CoinLedger()
    for who in ("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3"):
        ledger.say(who, "key.sealing", x25519="ab" * 32)
    body = terms(
        coin=coin(),
        bond={"asset": bond, "amount": "1"},
        stake={"asset": stake, "amount": "1"},
    )
    ledger.refuses_to(Conflict, names, "organiser", "challenge.open", "ink", terms=body)


def test_units_are_split_over_payees_and_none_is_lost() -> None:
    ledger = CoinLedger()
    ledger.open_challenge()
    ledger.step("contributor-1", 530_000_000, payees=[("a", 1), ("b", 1), ("c", 1)])
    units = coin_units(ledger.challenge())
    assert sum(units.values()) == 60_000_000 * UNIT
    assert max(units.values()) - min(units.values()) <= 1
    assert set(units) == {address(who) for who in "abc"}


def test_units_follow_the_parts_of_the_payees() -> None:
    ledger = CoinLedger()
    ledger.open_challenge()
    ledger.step("contributor-1", 530_000_000, payees=[("a", 3), ("b", 1)])
    units = coin_units(ledger.challenge())
    assert units == {address("a"): 45_000_000 * UNIT, address("b"): 15_000_000 * UNIT}


def test_a_jurys_award_is_units_and_its_grant_is_none() -> None:
    ledger = CoinLedger()
    ledger.open_challenge(rounds=[jury_round(SILENCE, SILENCE + 1, 10**8, 10**18)])
    clue = ledger.step("contributor-1", 600_000_000)
    tool = ledger.publish("contributor-2", form="tool")
    ledger.step("contributor-3", 700_000_000)
    exact = {c.id: c.score for c in ledger.challenge().scorable()}
    ledger.settle({clue: 600_000_000, **exact})
    ledger.at(SILENCE)
    ledger.append(ledger.ballot("juror-1", [tool]))
    ledger.at(SILENCE + 1)
    ledger.say("stranger", "jury.close", "ink", round=0)
    assert sum(ledger.challenge().rounds[0].grants.values()) > 0
    units = coin_units(ledger.challenge())
    assert units[address("contributor-2")] == 10**8 * UNIT
    assert sum(units.values()) == (200_000_000 + 200_000_000 + 10**8) * UNIT <= CAP


def test_amounts_are_written_in_whole_coins() -> None:
    assert money(1, ETH) == "0.000000000000000001 ETH"
    assert money(1_234 * 10**18 + 5 * 10**17, ETH) == "1,234.5 ETH"
    assert money(-15 * 10**5, "USDC:6") == "-1.5 USDC"
    assert money(10_000, "KRW") == "10,000 KRW"
    assert decimals("X:31") == 0
