"""Challenges by command: checked, opened, funded, paid, shown, ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import stage as play
from tests.cli.stage import Stage, run


def test_a_check_shows_warnings_and_the_value_curve(begun: Stage) -> None:
    found = begun.do("challenge check {home}/challenge.toml")
    assert found["curve"][0] == {"score": "1", "part": "0"}
    assert found["curve"][-1] == {"score": "0", "part": "0.8"}
    assert any("luck" in warning for warning in found["warnings"])
    shown = begun.run("challenge check {home}/challenge.toml").out
    assert "▁" in shown
    assert "80.00 %" in shown


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("step = 0.01 ", "stepp = 0.01 ", "score.step"),
        ('scorer = "rmse-1"', 'scorer = "rmse-9"', "score.scorer"),
        ("[1.00, 0]", "[1.005, 0]", "step grid"),
        ("jury = 0.2 ", "jury = 0.3 ", "jury"),
        ('"scorer-2"]', '"nobody"]', "nobody"),
        ('"scorer-2"]', '"scorer-1"]', "roles"),
        ('"truth.csv" ', '"no.csv" ', "no.csv"),
        ("[score]", "[score", "TOML"),
        ('deadline = "30d" ', 'deadline = "soon" ', "challenge.deadline"),
    ],
)
def test_a_bad_file_is_neither_approved_nor_opened(
    begun: Stage, old: str, new: str, said: str
) -> None:
    file = begun.home / "challenge.toml"
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    for act in ("check", "open"):
        refused = begun.refuse(f"challenge {act} {{home}}/challenge.toml")
        assert said in refused["message"]
        assert refused["status"] in (2, 3)


def test_a_challenge_opens_when_everyone_has_agreed(begun: Stage) -> None:
    begun.do("challenge open {home}/challenge.toml")
    shown = begun.do("challenge show example")
    assert shown["phase"] == "draft"
    assert len(shown["next"]) == 7
    deposit = f'danseo challenge deposit example {shown["people"][1]["who"]} "1000 KRW"'
    assert shown["next"][0]["command"] == deposit
    refused = begun.refuse("challenge acknowledge example", "scorer-1")
    assert refused["error"] == "NotCovered"
    for who in ("scorer-1", "scorer-2"):
        begun.do(f"challenge deposit example {who} '1000 KRW'")
    assert begun.do("challenge acknowledge example", "trustee-2")["status"] == "draft"
    assert begun.refuse("challenge acknowledge example", "trustee-2")["error"] == "Conflict"
    assert begun.refuse("challenge acknowledge example", "juror-1")["error"] == "NotAllowed"
    assert begun.do("challenge acknowledge example --everyone")["status"] == "open"
    assert begun.refuse("challenge acknowledge example --everyone")["error"] == "NotAllowed"


def test_a_name_is_used_once(opened: Stage) -> None:
    assert opened.refuse("challenge open {home}/challenge.toml")["error"] == "Conflict"


def test_deposits_are_handed_back_up_to_what_is_free(opened: Stage) -> None:
    opened.do("challenge withdraw example contributor-1 '400 KRW' --evidence 'transfer 3'")
    refused = opened.refuse("challenge withdraw example contributor-1 '200 KRW'")
    assert refused["error"] == "NotCovered"
    assert opened.refuse("challenge withdraw example scorer-1 '1 KRW'")["error"] == "NotCovered"


@pytest.mark.parametrize("amount", ["1000", "KRW", "-5 KRW", "1.5 KRW", "5 krw", ""])
def test_an_amount_without_sense_is_refused(opened: Stage, amount: str) -> None:
    assert opened.refuse(f"challenge fund example donor-1 '{amount}'")["status"] == 2


def test_only_the_organiser_enters_money(opened: Stage) -> None:
    line = "challenge fund example donor-1 '5 KRW'"
    assert opened.refuse(line, "donor-1")["error"] == "NotAllowed"
    assert opened.refuse("challenge fund example donor-1 '0 KRW'")["error"] == "Malformed"
    entry = opened.do("challenge fund example donor-1 '1_500 USD.CENT' --evidence 'receipt 9'")
    assert entry["amount"] == "1500"
    assert opened.do(f"log show {entry['entry']}")["body"]["evidence"] == "receipt 9"


def test_an_advance_is_payable_before_settlement_and_the_rest_after(settled: Stage) -> None:
    due = settled.do("challenge pay example --dry-run")
    amounts = {payment["amount"] for payment in due}
    assert all(payment["entry"] is None for payment in due)
    paid = settled.do("challenge pay example --evidence 'bank'")
    assert {payment["amount"] for payment in paid} == amounts
    assert settled.do("challenge pay example") == []
    assert "Nothing is payable" in settled.run("challenge pay example").out


def test_an_advance_is_a_part_of_what_is_owed(opened: Stage) -> None:
    (due,) = opened.do("challenge pay example --dry-run")
    assert due["amount"] == str(304_000 * 3 // 10)


def test_one_account_is_paid_a_part(settled: Stage) -> None:
    one = "challenge pay example --account contributor-2"
    (paid,) = settled.do(f"{one} --amount 1000")
    assert paid["amount"] == "1000"
    (rest,) = settled.do(one)
    assert int(rest["amount"]) > 0
    assert settled.refuse(one)["error"] == "NotCovered"
    assert settled.refuse("challenge pay example --account donor-1")["error"] == "NotFound"
    assert settled.refuse("challenge pay example --amount 5")["status"] == 2
    too_much = "challenge pay example --account contributor-1 --amount 999999999"
    assert settled.refuse(too_much)["error"] == "NotCovered"


def test_with_several_assets_the_account_says_which(settled: Stage) -> None:
    settled.do("challenge fund example donor-1 '1_000_000 USDC'")
    assert settled.refuse("challenge pay example --account contributor-1")["status"] == 2
    (paid,) = settled.do("challenge pay example --account contributor-1 --asset USDC")
    assert paid["asset"] == "USDC"
    assert {p["asset"] for p in settled.do("challenge pay example --asset KRW")} == {"KRW"}


def test_a_challenge_shows_everything_and_what_comes_next(opened: Stage) -> None:
    found = opened.do("challenge show example")
    assert found["phase"] == "open"
    assert found["frontier"] == "0.62"
    assert found["pot"] == [{"asset": "KRW", "received": "1000000", "paid": "0", "left": "1000000"}]
    assert found["clues"] == {"step": 1, "revealed": 1}
    assert {"who", "what", "command"} == set(found["next"][0])
    assert any(step["command"] == "danseo score example" for step in found["next"])
    shown = opened.run("challenge show example").out
    assert "scorer scorer-1: score clue 21" in shown
    assert "2030-01-31T00:00:00Z" in shown


def test_challenges_are_listed(opened: Stage) -> None:
    (one,) = opened.do("challenge list")
    assert (one["challenge"], one["phase"], one["clues"]) == ("example", "open", 2)
    assert one["received"] == {"KRW": "1000000"}
    assert "1,000,000 KRW" in opened.run("challenge list").out


def test_public_files_are_saved_as_published(opened: Stage, tmp_path: Path) -> None:
    opened.do(f"challenge data example --out {tmp_path}/data")
    assert (tmp_path / "data/public.csv").read_bytes() == (opened.home / "public.csv").read_bytes()
    assert opened.refuse(f"challenge data example --out {tmp_path}/data")["status"] == 2


def test_a_file_that_was_swapped_in_the_store_is_not_saved(opened: Stage, tmp_path: Path) -> None:
    (saved,) = opened.do(f"challenge data example --out {tmp_path}/data")
    blob = opened.home / "log" / "blobs" / saved["sha256"][:2] / saved["sha256"]
    blob.write_text("1\n")
    assert opened.refuse(f"challenge data example --out {tmp_path}/again")["status"] == 5
    assert not (tmp_path / "again" / "public.csv").exists()


def test_a_challenge_is_called_off_before_the_first_clue(begun: Stage) -> None:
    play.open_example(begun)
    line = "challenge cancel example --reason 'The data was wrong.'"
    assert begun.refuse(line, "donor-1")["error"] == "NotAllowed"
    assert begun.do(line)["status"] == "cancelled"
    (back,) = begun.do("challenge pay example")
    assert back["amount"] == "1000000"


def test_after_the_first_clue_it_cannot_be_called_off(opened: Stage) -> None:
    refused = opened.refuse("challenge cancel example --reason 'No.'")
    assert refused["error"] == "WrongPhase"


def test_a_challenge_closes_after_its_last_round(settled: Stage) -> None:
    assert settled.refuse("challenge close example")["error"] == "WrongPhase"
    settled.do("clock advance 9d")
    settled.do("jury count example 0")
    assert settled.do("challenge close example")["status"] == "closed"
    assert settled.do("challenge show example")["phase"] == "closed"


def test_an_unknown_challenge_is_answered_with_those_there_are(opened: Stage) -> None:
    refused = opened.refuse("challenge show nothing")
    assert (refused["status"], "example" in refused["remedy"]) == (3, True)


def test_a_file_whose_scorers_have_no_sealing_key_is_warned_of(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "bare")
    run("init", str(stage.home), "--simulated", "--no-password")
    for name in (*PEOPLE, "juror-1"):
        stage.do(f"key new {name} --no-password")
    stage.do("key register", "scorer-1")
    ran = stage.run("challenge check {home}/challenge.toml")
    assert ran.status == 0
    (said,) = [line for line in ran.out.splitlines() if "No sealing key" in line]
    assert "scorer-2, trustee-1, trustee-2, trustee-3" in said
    assert "scorer-1" not in said


def test_a_challenge_with_a_coin_says_what_comes_next_on_chain(coined: Stage) -> None:
    shown = [(s["who"], s["command"]) for s in coined.do("challenge show example")["next"]]
    assert ("anyone", "danseo pool run example") in shown
    assert ("anyone", 'danseo pool fund example "1 ETH"') in shown
    assert not any("challenge pay" in command for _, command in shown)
    coined.do("pool run example")
    shown = [(s["who"], s["command"]) for s in coined.do("challenge show example")["next"]]
    assert ("anyone", "danseo pool check example") in shown
    assert "50 ETH" in coined.run("challenge show example").out


PEOPLE = ("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3")
