"""Clues by command: publish, commit, reveal, show, reproduce, take back."""

from __future__ import annotations

from pathlib import Path

import pytest

from danseo.core.errors import NotAllowed
from tests.cli import stage as play
from tests.cli.stage import Stage


def test_a_published_clue_shows_all_that_was_said_of_it(opened: Stage) -> None:
    note = opened.home.parent / "note.md"
    note.write_text("Counted small primes.\n한국어도 됩니다.\n")
    extra = f"--description @{note} --licence MIT --cite 17:0.25 --cite 21 --file {note} "
    extra += "--payee contributor-1:1 --payee contributor-2:3"
    clue = play.publish(opened, "counted.csv", "contributor-2", extra)
    found = opened.do(f"clue show example {clue}")
    assert found["title"] == "counted.csv"
    assert found["description"] == note.read_text()
    assert (found["status"], found["form"], found["licence"]) == ("revealed", "predictions", "MIT")
    assert list(found["files"]) == ["counted.csv", "note.md"]
    assert found["cites"] == [{"clue": 17, "weight": "0.25"}, {"clue": 21, "weight": "0.75"}]
    assert [p["parts"] for p in found["payees"]] == [1, 3]
    cited = opened.do("clue show example 17")["cited_by"]
    assert cited == [{"clue": 21, "weight": "1"}, {"clue": clue, "weight": "0.25"}]


def test_a_final_clue_shows_who_scored_it_and_why(opened: Stage) -> None:
    found = opened.do("clue show example 17")
    assert (found["status"], found["verdict"], found["score"]) == ("final", "step", "0.62")
    assert [v["verdict"] for v in found["verdicts"]] == ["step", "step"]
    assert all("0.62" in v["reason"] for v in found["verdicts"])
    assert found["shares"]["total"] == str(304 * 10**15)
    shown = opened.run("clue show example 17").out
    assert "contributor-1" in shown
    assert "scorer-2 (entry 20): step 0.62" in shown


def test_the_files_of_a_clue_are_saved_as_they_were(opened: Stage, tmp_path: Path) -> None:
    opened.do(f"clue show example 17 --out {tmp_path}/clue")
    saved = (tmp_path / "clue" / "guess-1.csv").read_bytes()
    assert saved == (opened.home / "guess-1.csv").read_bytes()
    again = opened.refuse(f"clue show example 17 --out {tmp_path}/clue")
    assert again["status"] == 2


def test_a_committed_clue_hides_everything_until_it_is_revealed(opened: Stage) -> None:
    line = "clue commit example {home}/counted.csv --title 'All primes'"
    done = opened.do(line, "contributor-1")
    assert done["reveal"] is None
    hidden = opened.do(f"clue show example {done['clue']}")
    assert (hidden["status"], hidden["title"], hidden["files"]) == ("committed", "", {})
    assert "(not revealed)" in opened.run(f"clue show example {done['clue']}").out
    opened.do(f"clue reveal example {done['clue']}")
    assert opened.do(f"clue show example {done['clue']}")["title"] == "All primes"


def test_a_clue_whose_source_was_retracted_is_revealed_without_it(opened: Stage) -> None:
    line = "clue commit example {home}/counted.csv --title T --cite 21"
    clue = opened.do(line, "contributor-1")["clue"]
    opened.do("clue retract example 21")
    assert "retracted" in opened.refuse(f"clue reveal example {clue}")["message"]
    opened.do(f"clue reveal example {clue} --cite 17:0.5")
    found = opened.do(f"clue show example {clue}")
    assert found["cites"] == [{"clue": 17, "weight": "0.5"}]
    other = opened.do(line.replace("21", "17"), "contributor-1")["clue"]
    opened.do(f"clue reveal example {other} --no-cites")
    assert opened.do(f"clue show example {other}")["cites"] == []


def test_a_method_is_reproduced_to_the_byte(opened: Stage) -> None:
    extra = "--script {home}/count.py --seconds 60"
    clue = play.publish(opened, "counted.csv", "contributor-1", extra)
    assert opened.do(f"clue show example {clue}")["form"] == "method"
    assert opened.do(f"clue reproduce example {clue}")["identical"] is True


def test_a_method_that_gives_something_else_says_how_much(opened: Stage) -> None:
    (opened.home / "counted.csv").write_text("1\n" * 60)
    clue = play.publish(opened, "counted.csv", "contributor-1", "--script {home}/count.py")
    done = opened.do(f"clue reproduce example {clue}")
    assert done["identical"] is False
    assert 0 < float(done["differing"]) < 1
    assert "differ" in opened.run(f"clue reproduce example {clue}").out


def test_a_clue_without_a_method_is_not_reproduced(opened: Stage) -> None:
    assert opened.refuse("clue reproduce example 17")["status"] == 4


def test_a_clue_is_taken_back_by_its_author_before_it_is_scored(opened: Stage) -> None:
    assert opened.refuse("clue retract example 21", "contributor-1")["error"] == "NotAllowed"
    opened.do("clue retract example 21")
    assert opened.do("clue show example 21")["status"] == "retracted"
    assert opened.refuse("clue retract example 21")["error"] == "WrongPhase"


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ("--cite 18", 3),
        ("--cite 99", 3),
        ("--cite first", 2),
        ("--cite 17 --cite 17:0.5", 2),
        ("--cite 17:0.7 --cite 21:0.4", 2),
        ("--cite 17:1 --cite 21", 2),
        ("--cite 17:0", 2),
        ("--cite 17:0.00000000001", 2),
        ("--payee scorer-1:1", 3),
        ("--payee contributor-1", 2),
        ("--payee nobody:1", 3),
        ("--payee contributor-1:0", 3),
        ("--licence 'no licence'", 3),
        ("--form method", 2),
        ("--form poem", 3),
        ("--script {home}/count.py --form tool", 2),
        ("--script {home}/count.py --require numpy", 4),
        ("--script {home}/count.py --entry 'no name'", 4),
        ("--file {home}/nothing", 2),
        ("--file {home}/counted.csv", 2),
        ("--description @{home}/nothing", 2),
    ],
)
def test_what_could_not_be_revealed_is_not_committed(
    opened: Stage, extra: str, status: int
) -> None:
    line = f"clue publish example {{home}}/counted.csv --title T {extra}"
    assert opened.refuse(line, "contributor-1")["status"] == status


def test_a_file_that_the_scorer_does_not_take_is_refused(opened: Stage) -> None:
    line = "clue publish example {home}/count.py --title T"
    assert opened.refuse(line, "contributor-1")["error"] == "Unfit"


def test_whoever_may_know_the_truth_publishes_no_clue(opened: Stage) -> None:
    line = "clue publish example {home}/counted.csv --title T"
    for who in ("scorer-1", "trustee-3", "operator"):
        assert opened.refuse(line, who)["error"] == "NotAllowed"


def test_a_clue_cannot_be_revealed_where_it_was_not_committed(opened: Stage) -> None:
    line = "clue commit example {home}/counted.csv --title T"
    clue = opened.do(line, "contributor-1")["clue"]
    (opened.home / "host" / "drafts").rename(opened.home.parent / "drafts")
    refused = opened.refuse(f"clue reveal example {clue}")
    assert "draft" in refused["message"]


def test_a_draft_that_changed_is_not_revealed(opened: Stage) -> None:
    line = "clue commit example {home}/counted.csv --title T"
    clue = opened.do(line, "contributor-1")["clue"]
    (draft,) = (opened.home / "host" / "drafts" / "example").glob("*/counted.csv")
    draft.write_text("1\n")
    assert opened.refuse(f"clue reveal example {clue}")["status"] == 5


def test_a_title_from_a_stranger_cannot_steer_the_terminal(opened: Stage) -> None:
    (opened.home / "x.csv").write_bytes((opened.home / "counted.csv").read_bytes())
    line = "clue publish example {home}/x.csv --title '\x1b[2J[red]T'"
    clue = opened.do(line, "contributor-1")["clue"]
    shown = opened.run(f"clue show example {clue}").out
    assert "\x1b" not in shown
    assert "[2J[red]T" in shown


def test_rules_are_read_and_accepted_before_the_first_clue(begun: Stage) -> None:
    (begun.home / "rules.md").write_text("Be kind.\n")
    file = begun.home / "challenge.toml"
    text = file.read_text().replace("[score]", 'rules = "rules.md"\n\n[score]', 1)
    file.write_text(text)
    play.open_example(begun)
    line = "clue publish example {home}/guess-1.csv --title 'Even'"
    assert begun.run(line, "contributor-1").status == NotAllowed.status
    assert begun.do("clue accept example --read")["text"] == "Be kind.\n"
    begun.do("clue accept example", "contributor-1")
    begun.do(line, "contributor-1")
    assert begun.refuse("clue accept example", "contributor-1")["error"] == "Conflict"
    assert begun.run("clue accept example --read").out == "Be kind.\n"
