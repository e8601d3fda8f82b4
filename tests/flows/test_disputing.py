"""Disputes with everything real: keys, log, blobs, the scorer in its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from danseo.core import treasury
from danseo.core.challenge import phase
from danseo.core.errors import NotCovered, Usage, WrongPhase
from danseo.core.kinds.score import PublishScore
from danseo.flows import auditing, disputing, money, settling, spec
from danseo.flows.disputing import Evidence
from danseo.flows.standings import next_steps
from danseo.log.source import FolderSource
from tests.flows import played
from tests.flows.played import DAY, NAME, Played, key_of, shifted

DISPUTES = """
[dispute]
bond = "500 KRW"
window = "12d"
answer = "1d"
vote = "2d"
"""
BOND = 500


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    """A challenge that can be disputed, with two steps: clue 1 and one that does not cite it."""
    monkeypatch.setattr(played, "FILE", played.FILE + DISPUTES)
    found = played.begin(tmp_path)
    yield found
    found.desk.log.close()


def citation(play: Played, role: str, clue: int, target: int, weight: int = 5 * 10**8) -> int:
    """Claim a missing citation, and return the dispute's id."""
    text = Evidence(f"Clue {clue} uses clue {target}.")
    entry = disputing.over_citation(play.desk, key_of(role), NAME, clue, target, weight, text)
    return entry.index


def purse(play: Played, role: str) -> int:
    return treasury.balance(play.challenge, key_of(role).address, "KRW")


def stage(play: Played, dispute: int) -> str:
    (found,) = [t for t in disputing.told(play.desk, NAME) if t.record.id == dispute]
    return found.stage


def stored(play: Played) -> set[str]:
    folder = play.desk.log.home / "log" / "blobs"
    return {path.name for path in folder.rglob("*") if path.is_file()}


def two_steps(play: Played) -> tuple[int, int]:
    first = play.publish("contributor-1", shifted(8))
    play.score_both()
    second = play.publish("contributor-2", shifted(4))
    play.score_both()
    return first, second


def test_a_stranger_catches_a_false_score_and_is_paid_the_scorers(play: Played) -> None:
    clue = play.publish("contributor-1", shifted(8))
    with play.desk.storing() as store:
        why = store.put(b"No step.")
        false = PublishScore(clue, "none", False, why)
        play.desk.say(key_of("scorer-1"), false, NAME)
    play.score("scorer-2")
    liar = key_of("scorer-1").address
    dispute = disputing.over_score(
        play.desk, key_of("contributor-3"), NAME, clue, liar, Evidence("My own run gives 8.")
    ).index
    assert (stage(play, dispute), purse(play, "contributor-3")) == ("answer", 500)
    play.wait(2 * DAY)
    assert stage(play, dispute) == "truth"
    play.wait(10 * DAY)
    play.release("trustee-1", "trustee-2")
    assert "published exact scores and settled" in settling.move_on(
        play.desk, key_of("donor"), NAME
    )
    assert stage(play, dispute) == "upheld"
    assert purse(play, "contributor-3") == 1000 + BOND
    assert treasury.staked(play.challenge, liar) == 10_000 - BOND
    audit = auditing.audit(FolderSource(play.desk.log.home / "log"), workers=1)
    assert audit.challenges[0].settled_by == "truth"


def test_a_stranger_catches_a_missing_citation_and_anyone_moves_it_on(play: Played) -> None:
    first, second = two_steps(play)
    author = key_of("contributor-1").address
    before = treasury.owed(play.challenge, "KRW")[author].shares
    dispute = citation(play, "contributor-3", second, first)
    answered = Evidence("I never saw it.")
    disputing.answer(play.desk, key_of("contributor-2"), NAME, dispute, answered)
    assert stage(play, dispute) == "wait"
    play.wait(DAY)
    assert stage(play, dispute) == "vote"
    for juror in ("juror-1", "juror-2"):
        disputing.vote(play.desk, key_of(juror), NAME, dispute, True, "The same numbers.")
    assert stage(play, dispute) == "count"
    assert settling.move_on(play.desk, key_of("donor"), NAME) == [f"counted dispute {dispute}"]
    assert play.challenge.clues[second].cites == ((first, 5 * 10**8),)
    assert treasury.owed(play.challenge, "KRW")[author].shares > before
    assert (purse(play, "contributor-3"), purse(play, "contributor-2")) == (1500, 500)
    treasury.audit(play.challenge)


def test_a_tick_ends_a_dispute_that_nobody_votes_on(play: Played) -> None:
    first, second = two_steps(play)
    dispute = citation(play, "contributor-3", second, first)
    play.wait(3 * DAY)
    assert stage(play, dispute) == "undecided"
    assert purse(play, "contributor-3") == 1000


def test_what_time_has_ended_is_not_counted_again(play: Played) -> None:
    first, second = two_steps(play)
    dispute = citation(play, "contributor-3", second, first)
    play.wait(3 * DAY)
    with pytest.raises(WrongPhase, match="undecided"):
        disputing.count(play.desk, key_of("donor"), NAME, dispute)


def test_a_challenge_closes_by_itself_only_when_nothing_can_be_disputed(play: Played) -> None:
    first, second = two_steps(play)
    organiser, stranger = key_of("organiser"), key_of("donor")
    play.wait(12 * DAY)
    play.release("trustee-1", "trustee-2")
    settling.move_on(play.desk, stranger, NAME)
    settled = play.challenge.settled_at
    play.wait(settled + 12 * DAY - 1 - play.desk.now)
    dispute = citation(play, "contributor-3", second, first)
    play.wait(14 * DAY)
    assert play.challenge.disputes[dispute].status == "undecided"
    assert money.due(play.desk, NAME)
    done = settling.move_on(play.desk, stranger, NAME)
    assert done == ["counted jury round 0", "closed the challenge"]
    for payment in money.due(play.desk, NAME):
        money.pay(play.desk, organiser, NAME, payment, "transfer 2")
    assert phase(play.challenge, play.desk.now) == "closed"
    treasury.audit(play.challenge)


def test_what_comes_next_names_the_sides_of_a_dispute(play: Played) -> None:
    first, second = two_steps(play)
    dispute = citation(play, "contributor-3", second, first)
    steps = [(s.who, s.what) for s in next_steps(play.challenge, play.desk.now)]
    assert (key_of("contributor-2").address, f"answer dispute {dispute}") in steps
    play.wait(DAY)
    steps = [(s.who, s.what) for s in next_steps(play.challenge, play.desk.now)]
    assert (f"juror {key_of('juror-1').address}", f"vote in dispute {dispute}") in steps


def test_evidence_is_a_text_or_a_file_and_goes_where_the_dispute_is_refused(
    play: Played, tmp_path: Path
) -> None:
    first, second = two_steps(play)
    file = tmp_path / "shot.bin"
    file.write_bytes(b"\0\1\2")
    for bad in (Evidence(), Evidence("text", file), Evidence(file=tmp_path / "none")):
        with pytest.raises(Usage):
            disputing.over_citation(play.desk, key_of("contributor-3"), NAME, second, first, 1, bad)
    blobs = stored(play)
    with pytest.raises(NotCovered):
        disputing.over_citation(
            play.desk, key_of("donor"), NAME, second, first, 1, Evidence(file=file)
        )
    assert stored(play) == blobs
    disputing.over_citation(
        play.desk, key_of("contributor-3"), NAME, second, first, 1, Evidence(file=file)
    )
    (told,) = disputing.told(play.desk, NAME)
    assert disputing.evidence_of(play.desk, told.record.evidence).startswith("(file ")
    assert disputing.evidence_of(play.desk, told.record.answer) == ""


def test_the_file_of_a_challenge_names_the_terms_of_disputes(tmp_path: Path) -> None:
    for name in ("public.csv", "truth.csv"):
        (tmp_path / name).write_text("1\n")
    file = tmp_path / "challenge.toml"

    def terms(text: str) -> object:
        file.write_text(played.FILE + text)
        draft = spec.read(file, played.START, lambda role: key_of(role).address)
        return draft.terms().dispute

    assert terms("") is None
    made = terms('[dispute]\nbond = "5 KRW"\n')
    assert made == spec.read(file, 0, lambda role: key_of(role).address).terms().dispute
    assert str(made).count(str(7 * DAY)) == 1
    for wrong in (
        "[dispute]\n",
        '[dispute]\nbond = "x"\n',
        '[dispute]\nbond = "5 KRW"\nbonds = 1\n',
    ):
        with pytest.raises(Usage, match="dispute"):
            terms(wrong)
