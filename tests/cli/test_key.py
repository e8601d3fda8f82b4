"""Keys by command: made, kept, registered, succeeded; the secret is never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from danseo.log import keys
from tests.cli.stage import Stage, run

ADDRESS = "0x52908400098527886e0f7030069857d2e4169ee7"


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encrypt keys with less work than people need: tests try no passwords."""
    monkeypatch.setattr(keys.create, "__kwdefaults__", {"work": 2})
    monkeypatch.setattr(keys.restore, "__kwdefaults__", {"work": 2})


@pytest.fixture
def password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A password in the file that the setting names."""
    (tmp_path / "password").write_text("open sesame\nnot this\n")
    monkeypatch.setenv("DANSEO_PASSWORD_FILE", str(tmp_path / "password"))
    return "open sesame"


def test_a_new_key_is_encrypted_under_the_password(tmp_path: Path, password: str) -> None:
    made = Stage(tmp_path).do("key new someone")
    assert made["encrypted"] is True
    file = json.loads((tmp_path / "keys" / "someone.json").read_text())
    assert (
        Account.decrypt(file, password) == keys.load(tmp_path / "keys", "someone", password).secret
    )


def test_an_encrypted_key_signs_with_the_password_of_the_file(opened: Stage, password: str) -> None:
    made = opened.do("key new someone")
    registered = opened.do("key register", "someone")
    assert opened.do(f"log show {registered['entry']}")["author"] == made["address"]


def test_a_wrong_password_is_a_usage_error(opened: Stage, password: str, tmp_path: Path) -> None:
    opened.do("key new someone")
    (tmp_path / "password").write_text("wrong\n")
    assert opened.refuse("key register", "someone")["status"] == 2


def test_without_a_terminal_no_password_is_asked_for(tmp_path: Path) -> None:
    refused = Stage(tmp_path).refuse("key new someone")
    assert refused["status"] == 6
    assert "DANSEO_PASSWORD_FILE" in refused["remedy"]


@pytest.mark.parametrize("content", [None, ""])
def test_a_password_file_without_a_password_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("DANSEO_PASSWORD_FILE", str(file))
    refused = Stage(tmp_path).refuse("key new someone")
    assert (refused["status"], str(file) in refused["message"]) == (2, True)


def test_a_name_is_given_once(begun: Stage) -> None:
    assert begun.refuse("key new operator --no-password")["status"] == 2
    assert begun.refuse("key new ../evil --no-password")["status"] == 2


def test_keys_are_listed_by_name(begun: Stage) -> None:
    listed = begun.do("key list")
    assert [k["name"] for k in listed] == sorted(k["name"] for k in listed)
    assert "juror-1" in [k["name"] for k in listed]
    assert {k["encrypted"] for k in listed} == {False}
    assert listed[0]["address"] in begun.run("key list").out.lower()


def test_a_key_shows_what_it_may_do_and_never_its_secret(opened: Stage) -> None:
    shown = opened.do("key show scorer-1")
    assert "scorer of example" in shown["rights"]
    assert "sealing key registered in the log" in shown["rights"]
    assert "operates this log" in opened.do("key show", "operator")["rights"]
    secret = keys.load(opened.home / "keys", "scorer-1").secret.hex()
    assert secret not in opened.run("key show scorer-1").out + json.dumps(shown)


def test_a_key_is_shown_without_a_log_too(tmp_path: Path) -> None:
    Stage(tmp_path).do("key new someone --no-password")
    assert Stage(tmp_path).do("key show someone")["rights"] == []
    assert Stage(tmp_path).refuse("key show")["status"] == 2
    assert Stage(tmp_path).refuse("key show nobody")["status"] == 3


def test_a_backup_gives_the_same_key_back(opened: Stage, tmp_path: Path) -> None:
    saved = opened.do(f"key backup scorer-1 {tmp_path}")["file"]
    assert opened.refuse(f"key backup scorer-1 {tmp_path}")["status"] == 2
    fresh = Stage(tmp_path / "other")
    restored = fresh.do(f"key restore again {saved}")
    assert restored["address"] == opened.do("key show scorer-1")["address"]
    assert fresh.refuse(f"key restore again {saved}")["status"] == 2


def test_an_encrypted_backup_takes_its_password(tmp_path: Path, password: str) -> None:
    stage = Stage(tmp_path / "one")
    made = stage.do("key new someone")
    saved = stage.do(f"key backup someone {tmp_path / 'saved.json'}")["file"]
    assert Stage(tmp_path / "two").do(f"key restore me {saved}")["address"] == made["address"]


def test_a_sealing_key_is_registered_once(opened: Stage) -> None:
    assert opened.do("key register", "juror-1")["entry"] is not None
    before = opened.files()
    assert opened.do("key register", "juror-1") == {"entry": None}
    assert opened.files() == before


def test_money_goes_where_its_owner_says(settled: Stage) -> None:
    settled.do(f"key payout {ADDRESS.upper().replace('X', 'x')}", "contributor-1")
    due = settled.do("challenge pay example --dry-run")
    assert ADDRESS in [payment["to"] for payment in due]
    assert settled.refuse("key payout somewhere", "contributor-1")["status"] == 3


def test_a_key_takes_over_seven_days_after_it_was_registered(opened: Stage) -> None:
    opened.do("key new next --no-password")
    first = opened.do("key rotate next", "contributor-1")
    assert first["rotated"] is False
    early = opened.refuse("key rotate next", "contributor-1")
    assert early["error"] == "WrongPhase"
    opened.do("clock advance 7d")
    assert opened.do("key rotate next", "contributor-1")["rotated"] is True
    rights = opened.do("key show contributor-1")["rights"]
    assert "rotated away" in rights[0]
    line = "clue publish example {home}/counted.csv --title T"
    assert opened.refuse(line, "contributor-1")["error"] == "NotAllowed"
    opened.do(line, "next")


def test_a_command_takes_the_key_that_speaks_for_the_operator_now(opened: Stage) -> None:
    opened.do("key new zz --no-password")
    opened.do("key rotate zz", "operator")
    opened.do("clock advance 7d")
    opened.do("key rotate zz", "operator")
    entry = opened.do("clock advance 1d")["entry"]
    assert opened.do(f"log show {entry}")["author"] == opened.do("key show zz")["address"]


def test_the_time_of_a_refusal_is_shown_as_a_date(opened: Stage) -> None:
    opened.do("key new next --no-password")
    opened.do("key rotate next", "contributor-1")
    assert "from 2030-01-08T00:00:00Z" in opened.run("key rotate next", "contributor-1").err


def test_without_a_key_the_command_says_which_there_are(opened: Stage) -> None:
    refused = opened.refuse("key register")
    assert (refused["status"], "contributor-1" in refused["remedy"]) == (2, True)


def test_a_bad_name_of_a_key_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANSEO_KEY", "../x")
    ran = run("key", "list")
    assert (ran.status, "DANSEO_KEY" in ran.err) == (2, True)
