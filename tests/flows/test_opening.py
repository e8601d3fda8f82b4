"""Tests of what an opening refuses before anything is published."""

from __future__ import annotations

from pathlib import Path

import pytest

from danseo.core.errors import Usage
from danseo.flows import opening, spec
from tests.flows.played import FILE, START, TRUTH, key_of

GOOD = "HIGHER = False\n\ndef score(submission, truth, parameters):\n    return 0\n"


DISPUTE = '[dispute]\nbond = "100 KRW"\nwindow = "7d"\nanswer = "3d"\nvote = "4d"\n\n'
COIN = """
[coin]
symbol = "INK"
guardian = "scorer-1"
bond = "0.001 ETH"
patience = "31d"
"""


def checked(folder: Path, scorer: str) -> list[str]:
    """Check the small challenge, with disputes and a scorer of the organiser's own."""
    file = DISPUTE + FILE.replace('scorer = "rmse-1"', 'code = "scorer.py"\ndirection = "lower"')
    (folder / "challenge.toml").write_text(file)
    (folder / "scorer.py").write_text(scorer)
    (folder / "public.csv").write_text("1\n")
    (folder / "truth.csv").write_text("".join(f"{n}\n" for n in TRUTH))
    draft = spec.read(folder / "challenge.toml", START, lambda role: key_of(role).address)
    return opening.check(draft, key_of("organiser").address, START)


def test_a_scorer_of_ones_own_that_runs_is_accepted(tmp_path: Path) -> None:
    assert checked(tmp_path, GOOD) == []


def test_a_scorer_that_fails_is_found_before_the_challenge_opens(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="positional arguments"):
        checked(tmp_path, GOOD.replace(", parameters", ""))


def test_a_scorer_may_refuse_the_truth_as_a_clue(tmp_path: Path) -> None:
    refusing = GOOD.replace("return 0", "raise Unfit('another form', 'no')")
    assert checked(tmp_path, "from danseo.core.errors import Unfit\n" + refusing) == []


def test_a_direction_against_the_scorers_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="HIGHER"):
        checked(tmp_path, GOOD.replace("False", "True"))


def test_what_is_unwise_about_money_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "challenge.toml").write_text(FILE + COIN)
    (tmp_path / "public.csv").write_text("1\n")
    (tmp_path / "truth.csv").write_text("".join(f"{n}\n" for n in TRUTH))
    draft = spec.read(tmp_path / "challenge.toml", START, lambda role: key_of(role).address)
    said = "\n".join(opening.check(draft, key_of("organiser").address, START))
    for warning in ("no [dispute]", "bond is 0.001 ETH", "for 31 days", "on their word"):
        assert warning in said
