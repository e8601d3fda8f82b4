"""What `danseo demo` shows beside playing."""

import json
from pathlib import Path

import pytest

from danseo.cli import main

AWARDS = """award_round,goal,amount_text,amount_usd,clue_and_people,link
"Prizes (May, 2023)",Second,"$300",300,A second clue,https://example.invalid/2
"Prizes (April, 2023)",First,"$100",100,A first clue,https://example.invalid/1
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "credit"
    folder.mkdir()
    (folder / "vesuvius_prizes_2023-2024.csv").write_text(AWARDS)
    return tmp_path


def test_past_prizes_are_one_json_document(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--history", "vesuvius", "--data", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    first, second = found["awards"]
    assert (first["clue"], first["paid"]) == ("A first clue", "10000")
    assert int(first["received"]) > 0
    assert int(second["owed"]) > 0
    assert found["notes"]


def test_json_without_a_history_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo"), "--json"]) == 2
    assert not (tmp_path / "demo").exists()
    assert "--history" in capsys.readouterr().err


def test_an_unknown_history_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--history", "other", "--data", str(data)]) == 2
    assert "vesuvius" in capsys.readouterr().err


def test_an_unknown_input_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo"), "--input", "parchment"]) == 2
    assert not (tmp_path / "demo").exists()
    assert "parchment" in capsys.readouterr().err
