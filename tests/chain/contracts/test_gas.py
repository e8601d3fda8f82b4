"""What calls of the pool cost in gas: the committed snapshot holds to the unit.

Where a change is meant, write it anew: `python -m tests.chain.contracts.test_gas`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import gas

SNAPSHOT = Path(__file__).parent / "gas.json"
LEAVES, BATCH = 1000, 100


@pytest.fixture(scope="module")
def measured() -> dict[str, int]:
    return gas.measure(LEAVES, BATCH)


def test_every_call_costs_what_the_snapshot_says(measured: dict[str, int]) -> None:
    assert measured == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_publishing_costs_the_same_whatever_it_pays(measured: dict[str, int]) -> None:
    """But for a few gas: a root's bytes of zero cost less than the others."""
    assert abs(measured["ERC-20: publish"] - measured["ETH: publish"]) < 200
    assert abs(gas.Payer(3, "ERC-20").again() - measured["ERC-20: publish"]) < 200


def test_a_batch_is_cheaper_for_each_payee_than_his_own_claim(measured: dict[str, int]) -> None:
    for asset in ("ERC-20", "ETH"):
        assert measured[f"{asset}: batch, first"] < 0.7 * measured[f"{asset}: claim, new holder"]
        later, claim = measured[f"{asset}: batch, later"], f"{asset}: claim, existing holder"
        assert later < 0.4 * measured[claim]


if __name__ == "__main__":
    text = json.dumps(gas.measure(LEAVES, BATCH), indent=1) + "\n"
    SNAPSHOT.write_text(text, encoding="utf-8")
