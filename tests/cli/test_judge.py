"""Scorers, trustees and jurors by command."""

from __future__ import annotations

import pytest

from tests.cli import stage as play
from tests.cli.stage import Stage


def test_a_scorer_scores_the_next_clue_and_then_waits_for_the_other(opened: Stage) -> None:
    (verdict,) = opened.do("score example", "scorer-1")
    assert (verdict["clue"], verdict["verdict"], verdict["score"]) == (21, "step", "0.43")
    refused = opened.refuse("score example", "scorer-1")
    assert (refused["error"], "other scorer" in refused["remedy"]) == ("WrongPhase", True)
    assert opened.do("score example --all", "scorer-1") == []
    assert "Nothing waits" in opened.run("score example --all", "scorer-1").out


def test_both_scorers_take_turns_until_nothing_waits(opened: Stage) -> None:
    play.publish(opened, "counted.csv", "contributor-1")
    play.publish(opened, "guess-1.csv", "contributor-2")
    found = opened.do("score example --all --everyone")
    verdicts = [v["verdict"] for v in found]
    assert verdicts == ["step", "step", "step", "step", "none", "none"]
    assert len({v["scorer"] for v in found}) == 2


def test_what_cannot_be_scored_is_unfit_with_the_reason(opened: Stage) -> None:
    opened.do("score example --all --everyone")
    (opened.home / "bad.csv").write_text("1\n2\n")
    clue = play.publish(opened, "bad.csv", "contributor-1")
    first, _ = opened.do("score example --everyone")
    assert (first["verdict"], first["score"]) == ("unfit", None)
    told = opened.do(f"clue show example {clue}")["verdicts"][0]["reason"]
    assert "60" in told


def test_others_cannot_score(opened: Stage) -> None:
    assert opened.refuse("score example", "contributor-1")["error"] == "NotAllowed"
    assert opened.refuse("score example")["status"] == 2


def test_the_truth_stays_shut_until_every_clue_is_final(opened: Stage) -> None:
    assert opened.refuse("truth release example", "trustee-1")["error"] == "WrongPhase"
    opened.do("score example --all --everyone")
    opened.do("clock advance 34d")
    assert opened.refuse("truth release example", "juror-1")["error"] == "NotAllowed"
    first = opened.do("truth release example", "trustee-3")
    assert (len(first["released"]), first["known"]) == (1, False)
    assert opened.refuse("truth release example", "trustee-3")["error"] == "Conflict"
    rest = opened.do("truth release example --everyone")
    assert (len(rest["released"]), rest["known"]) == (1, True)


def test_jurors_see_the_candidates_vote_and_the_count_awards(settled: Stage) -> None:
    ahead = settled.do("jury show example")
    assert ahead["round"] == 0
    assert ahead["opens"] > 0
    assert ahead["candidates"] == settled.do("jury show example --round 0")["candidates"] != []
    assert settled.refuse("jury vote example --clue 25", "juror-1")["error"] == "NotFound"
    settled.do("clock advance 2d")
    shown = settled.do("jury show example", "juror-1")
    assert [c["clue"] for c in shown["candidates"]] == [25]
    assert "public.csv" in settled.run("jury show example", "juror-1").out
    settled.do("jury vote example --clue 25 --reason 'Others built on it.'", "juror-1")
    assert len(settled.do("jury show example")["voted"]) == 1
    assert settled.refuse("jury count example 0")["error"] == "WrongPhase"
    settled.do("clock advance 7d")
    assert settled.do("jury count example 0")["awards"] == {"25": "0.2"}
    found = settled.do("clue show example 25")
    assert found["jury"] == [{"round": 0, "units": "0.2"}]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("", 2),
        ("'25 better 21'", 2),
        ("--clue 17", 3),
        ("'25 > 21'", 3),
        ("'25 > 25'", 3),
        ("--clue 25 --round 7", 3),
    ],
)
def test_a_ballot_without_sense_is_refused_with_its_reason(
    settled: Stage, words: str, status: int
) -> None:
    settled.do("clock advance 2d")
    line = f"jury vote example {words} --reason 'Never published.'"
    assert settled.refuse(line, "juror-1")["status"] == status


def test_only_jurors_vote_and_only_in_time(settled: Stage) -> None:
    assert settled.refuse("jury vote example --clue 25", "juror-1")["error"] == "NotFound"
    settled.do("clock advance 2d")
    assert settled.refuse("jury vote example --clue 25", "donor-1")["error"] == "NotAllowed"
    assert settled.refuse("jury count example 7")["error"] == "NotFound"


def test_nobody_votes_for_himself(settled: Stage) -> None:
    settled.do("clock advance 2d")
    shown = settled.do("jury show example", "contributor-2")
    assert shown["candidates"] == []
