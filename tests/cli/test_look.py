"""Standings, shares and forecasts by command."""

from __future__ import annotations

from pathlib import Path

from danseo.core.reward import SHARES
from danseo.flows.notation import percent
from tests.cli.stage import Stage


def test_standings_say_where_each_share_comes_from(settled: Stage) -> None:
    first, second, third = settled.do("standings example")
    assert (first["verdict"], second["verdict"], third["verdict"]) == ("step", "step", "unscored")
    assert int(first["received"]) == int(second["owed"]) > 0
    for row in (first, second, third):
        own, received, owed, jury, total = (
            int(row[part]) for part in ("own", "received", "owed", "jury", "total")
        )
        assert total == own + received - owed + jury
    assert second["cites"] == [17]
    shown = settled.run("standings example").out
    assert "contributor-2" in shown
    assert percent(int(first["total"])) in shown


def test_a_clue_that_is_not_final_shows_no_score(opened: Stage) -> None:
    row = opened.do("standings example")[1]
    assert (row["status"], row["score"], row["total"]) == ("revealed", None, "0")


def test_shares_add_up_to_the_whole_and_money_to_the_pot(settled: Stage) -> None:
    found = settled.do("shares example")
    assert sum(int(part) for part in found["equation"].values()) == SHARES
    held = {a["account"]: int(a["shares"]) for a in found["accounts"]}
    assert sum(held.values()) == int(found["equation"]["held"])
    assert list(held.values()) == sorted(held.values(), reverse=True)
    entitled = [int(a["money"]["KRW"]["entitled"]) for a in found["accounts"]]
    assert sum(entitled) <= int(found["received"]["KRW"])
    settled.do("challenge pay example")
    after = settled.do("shares example")["accounts"][0]["money"]["KRW"]
    assert (after["payable"], after["paid"]) == ("0", after["entitled"])
    assert "not yet earned" in settled.run("shares example").out


def test_a_pool_without_money_still_shows_shares(opened: Stage) -> None:
    opened.do("challenge fund example donor-1 '70 USDC'")
    (account, *_) = opened.do("shares example")["accounts"]
    assert set(account["money"]) == {"KRW", "USDC"}


def test_a_report_is_one_page_about_a_verified_challenge(settled: Stage, tmp_path: Path) -> None:
    settled.do(f"report example --out {tmp_path}/report.html")
    page = (tmp_path / "report.html").read_text()
    assert "How many primes divide each number?" in page
    assert "contributor-2" in page
    korean = settled.run(f"report example --out {tmp_path}/ko.html --lang ko")
    assert korean.status == 0
    assert (tmp_path / "ko.html").read_text() != page
    assert settled.refuse(f"report nothing --out {tmp_path}/x.html")["error"] == "NotFound"
    assert settled.refuse(f"report example --out {tmp_path}/absent/x.html")["status"] == 2
    assert not (tmp_path / "x.html").exists()


def test_a_forecast_is_what_the_step_would_then_earn(opened: Stage) -> None:
    alone = opened.do("simulate example 0.43")
    cited = opened.do("simulate example 0.43 --then 0.2")
    assert alone["units"] == "0.152"
    assert int(cited["later_share"]) > int(cited["share"]) == int(alone["share"])
    opened.do("score example --all --everyone")
    row = opened.do("standings example")[1]
    assert int(row["total"]) == int(alone["share"])


def test_a_forecast_of_no_step_earns_nothing(opened: Stage) -> None:
    assert opened.do("simulate example 0.9")["share"] == "0"
    assert "no step" in opened.run("simulate example 0.9").out


def test_a_forecast_without_sense_is_refused(opened: Stage) -> None:
    assert opened.refuse("simulate example good")["status"] == 2
    assert opened.refuse("simulate example 0.4 --cite 21")["status"] == 2
    assert opened.refuse("simulate example 0.4 --cite 17:2")["status"] == 2
