"""The file of a challenge with a coin: what it says in words becomes exact terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from danseo.core.coin import ETHER, check_coin, settled_by
from danseo.core.errors import Usage
from danseo.core.terms import Terms
from danseo.flows import spec

NOW = 1_000_000
DAY = 86_400
TOKEN = "0x" + "A1" * 20


def address(role: str) -> str:
    return f"0x{role.encode().hex():0>40}"


def uncommented(text: str, *tables: str) -> str:
    """Return the example with these tables in force, which it shows as comments."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith(("[", "# [")):
            inside = line.partition("]")[0].removeprefix("# [") in tables and line[0] == "#"
        lines.append(line.removeprefix("# ") if inside else line)
    return "\n".join(lines) + "\n"


def read(folder: Path, *tables: str, change: dict[str, str] | None = None) -> Terms:
    """Read the example, with these tables and these lines changed."""
    text = uncommented(spec.EXAMPLE.format(name="example"), *tables)
    for old, new in (change or {}).items():
        assert old in text
        text = text.replace(old, new, 1)
    for name in ("public.csv", "truth.csv", "rules.md"):
        (folder / name).write_text("1\n")
    (folder / "challenge.toml").write_text(text)
    return spec.read(folder / "challenge.toml", NOW, address).terms()


def test_the_example_has_no_coin_and_keeps_its_money_by_hand(tmp_path: Path) -> None:
    terms = read(tmp_path)
    assert (terms.coin, terms.rules, terms.follows, terms.dispute) == (None, None, None, None)
    assert terms.bond.asset == "KRW"


def test_what_the_example_says_of_a_coin_is_what_holds_without_it(tmp_path: Path) -> None:
    whole = read(tmp_path, "coin").coin
    least = 'symbol = "INK"\nguardian = "guardian-1"\n'
    text = spec.EXAMPLE.format(name="example") + f"\n[coin]\n{least}"
    (tmp_path / "challenge.toml").write_text(text)
    assert spec.read(tmp_path / "challenge.toml", NOW, address).terms().coin == whole
    assert whole is not None
    assert whole.symbol == "INK:18"
    assert [(one.asset, one.token) for one in whole.assets] == [("ETH:18", ETHER)]
    assert whole.guardian == address("guardian-1")
    assert whole.bond == 5 * 10**16
    assert (whole.outflow, whole.guarded_until) == (200_000_000, 500_000_000)
    assert (whole.threshold, whole.quorum) == (1_000_000, 100_000_000)
    assert whole.guardian_term == NOW + 365 * DAY
    assert (whole.window, whole.timelock_delay, whole.hold) == (3 * DAY, DAY // 2, 90 * DAY)


@pytest.mark.parametrize("tables", [("coin",), ("coin", "dispute")])
def test_the_example_with_its_coin_contradicts_nothing(
    tmp_path: Path, tables: tuple[str, ...]
) -> None:
    change = {'"0 KRW"                  # locked': '"0.01 ETH" # locked',
              '"0 KRW"                 # of': '"0.1 ETH" # of'}  # fmt: skip
    if "dispute" in tables:
        change['"10_000 KRW"'] = '"0.05 ETH"'
    terms = read(tmp_path, *tables, change=change)
    check_coin(terms)
    assert (terms.bond.asset, terms.bond.amount) == ("ETH:18", 10**16)
    assert (terms.stake.asset, terms.stake.amount) == ("ETH:18", 10**17)
    assert terms.coin is not None
    assert terms.coin.exits_from == settled_by(terms) + 30 * DAY
    assert terms.assets() == ["ETH:18", "INK:18"]


def test_tokens_are_listed_with_their_decimals(tmp_path: Path) -> None:
    terms = read(tmp_path, "coin", change={'["ETH"]': f'["ETH", "USDC:6={TOKEN}"]'})
    assert terms.coin is not None
    assert terms.coin.token("USDC:6") == TOKEN.lower()


def test_rules_and_the_round_before_are_named(tmp_path: Path) -> None:
    named = {'# rules = "rules.md"': 'rules = "rules.md"', '# follows = "e': 'follows = "e'}
    terms = read(tmp_path, change=named)
    assert terms.rules is not None
    assert terms.follows == "earlier"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({'["ETH"]': '["USDC"]'}, "coin.assets names 'USDC'"),
        ({'["ETH"]': '["USDC=0x12"]'}, "coin.assets names"),
        ({'["ETH"]': '["USDC:6=0x12"]'}, "coin.assets names"),
        ({'"0.05 ETH"': '"5 KRW"'}, "coin.bond is '5 KRW'"),
        ({'"0.05 ETH"': '"0.0000000000000000001 ETH"'}, "too fine"),
        ({"quorum = 0.1": "quorum = 0.12345678901"}, "coin.quorum is"),
        ({"outflow = 0.2": 'outflow = "half"'}, "coin.outflow is"),
        ({"timelock =": "time_lock ="}, "coin.time_lock"),
        ({'window = "3d"': 'window = "soon"'}, "'soon' is no duration"),
        ({'symbol = "INK"': ""}, "lacks coin.symbol"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, change: dict[str, str], says: str) -> None:
    with pytest.raises(Usage, match=says):
        read(tmp_path, "coin", change=change)


def test_bonds_are_as_fine_as_their_asset(tmp_path: Path) -> None:
    change: dict[str, Any] = {'"0 KRW"                  # locked': '"0.5 KRW" # locked'}
    with pytest.raises(Usage, match=r"money\.bond is '0\.5 KRW'"):
        read(tmp_path, "coin", change=change)
