"""Disputes by command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli import stage as play
from tests.cli.stage import Stage

TERMS = """
[dispute]
bond = "200 KRW"
window = "2d"
answer = "1d"
vote = "2d"

[people]"""


@pytest.fixture(scope="module")
def _disputable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("disputable") / "prize"
    stage = play.begin(home)
    file = home / "challenge.toml"
    file.write_text(file.read_text().replace("\n[people]", TERMS, 1))
    play.open_example(stage)
    stage.do("challenge deposit example donor-1 '500 KRW'")
    play.publish(stage, "guess-1.csv", "contributor-1")
    stage.do("score example --everyone")
    play.publish(stage, "guess-2.csv", "contributor-2")
    stage.do("score example --everyone")
    return home


@pytest.fixture
def court(_disputable: Path, tmp_path: Path) -> Stage:
    """An open challenge that can be disputed: two steps, the second cites nothing."""
    shutil.copytree(_disputable, tmp_path / "prize")
    return Stage(tmp_path / "prize")


def clues(court: Stage) -> tuple[int, int]:
    first, second = [row["clue"] for row in court.do("standings example")]
    return first, second


def claim(court: Stage, weight: str = "0.5", key: str = "donor-1") -> int:
    first, second = clues(court)
    line = f"dispute open example {second} --must-cite {first}:{weight} --evidence 'The same.'"
    return int(court.do(line, key)["dispute"])


def test_a_missing_citation_is_claimed_answered_voted_on_and_added(court: Stage) -> None:
    first, second = clues(court)
    dispute = claim(court)
    court.do(f"dispute answer example {dispute} --evidence 'Never saw it.'", "contributor-2")
    assert court.do(f"dispute show example {dispute}")["stage"] == "wait"
    court.do("clock advance 1d")
    court.do(f"dispute vote example {dispute} --right --reason 'Look at line 3.'", "juror-1")
    shown = court.do(f"dispute show example {dispute}")
    assert (shown["stage"], shown["clue"], shown["target"]) == ("count", second, first)
    assert (shown["evidence"], shown["answer"]) == ("The same.", "Never saw it.")
    assert court.do(f"dispute count example {dispute}")["outcome"] == "upheld"
    found = court.do(f"dispute show example {dispute}")
    assert (found["outcome"], found["decided_by"], found["won"]) == ("upheld", "jury", "200")
    assert court.do("standings example")[1]["cites"] == [first]
    assert court.run("verify {home}/log --no-scores").status == 0


def test_a_score_is_claimed_to_be_wrong_and_waits_for_the_truth(court: Stage) -> None:
    _, second = clues(court)
    line = f"dispute open example {second} --scorer scorer-1 --evidence 'My run differs.'"
    dispute = court.do(line, "contributor-2")["dispute"]
    text = court.run(f"dispute show example {dispute}").out
    for words in (
        "guess-2.csv",
        "the verdict of scorer-1 is wrong",
        "My run differs.",
        "The truth",
    ):
        assert words in text
    court.do("clock advance 34d")
    court.do("truth release example --everyone")
    court.do("tick example")
    (found,) = court.do("dispute show example")
    assert (found["outcome"], found["decided_by"]) == ("rejected", "truth")
    assert "rejected by the truth" in court.run("dispute show example").out


def test_people_read_what_a_dispute_costs_and_what_comes_next(court: Stage) -> None:
    assert "200 KRW" in court.run("dispute show example").out
    first, second = clues(court)
    line = f"dispute open example {second} --must-cite {first}:0.5 --evidence 'The same.'"
    said = court.run(line, "donor-1").out
    for words in ("against contributor-2", "guess-2.csv", "200 KRW is locked", "can answer until"):
        assert words in said
    told = court.run("dispute show example").out
    assert "builds on clue" in told
    assert "guess-1.csv" in told
    assert "answer dispute" in court.run("challenge show example").out


@pytest.mark.parametrize(
    ("words", "key", "error"),
    [
        ("open example {second} --evidence x", "donor-1", "Usage"),
        ("open example {second} --must-cite {first} --evidence x", "donor-1", "Usage"),
        ("open example {second} --must-cite {first}:0.5", "donor-1", "Usage"),
        ("open example {second} --must-cite {first}:2 --evidence x", "donor-1", "Usage"),
        ("open example {second} --must-cite {first}:0.5 --file no.txt", "donor-1", "Usage"),
        ("open example {second} --must-cite {first}:0.5 --evidence x", "juror-1", "NotCovered"),
        ("open example {first} --must-cite {second}:0.5 --evidence x", "donor-1", "Conflict"),
        ("open example {first} --scorer juror-1 --evidence x", "donor-1", "NotFound"),
        ("answer example 3 --evidence x", "contributor-2", "NotFound"),
        ("vote example 3 --right", "juror-1", "NotFound"),
        ("vote example 3", "juror-1", "Usage"),
        ("count example 3", "", "NotFound"),
        ("show example 3", "", "NotFound"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(
    court: Stage, words: str, key: str, error: str
) -> None:
    first, second = clues(court)
    words = words.replace("{first}", str(first)).replace("{second}", str(second))
    refused = court.refuse(f"dispute {words}", key)
    assert refused["error"] == error
    assert refused["remedy"]


def test_a_challenge_without_disputes_says_so(opened: Stage) -> None:
    assert opened.do("dispute show example") == []
    assert "know no disputes" in opened.run("dispute show example").out
    line = "dispute open example 21 --must-cite 17:0.5 --evidence x"
    assert opened.refuse(line, "contributor-1")["error"] == "NotFound"


def test_tick_waits_with_the_close_for_the_last_dispute(court: Stage) -> None:
    court.do("clock advance 34d")
    court.do("truth release example --everyone")
    court.do("tick example")
    court.do("clock advance 1d")
    dispute = claim(court)
    court.do("clock advance 3d")
    assert court.do(f"dispute show example {dispute}")["outcome"] == "undecided"
    court.do("clock advance 30d")
    court.do("tick example")
    assert court.do("challenge show example")["phase"] == "closed"
