"""One challenge from opening to close through the use cases, as people would play it."""

import pytest

from danseo.core import treasury
from danseo.core.errors import Conflict, Invalid, NotAllowed, NotCovered, Usage, WrongPhase
from danseo.core.kinds.score import ExactScore, PublishExact
from danseo.flows import auditing, clues, jury, money, settling, shares_fast, spec, standings
from danseo.flows.acting import Desk
from danseo.log.sequencer import Sequencer
from danseo.log.source import open_source

from .played import DAY, NAME, begin, key_of, shifted


@pytest.fixture
def played(tmp_path):
    game = begin(tmp_path)
    yield game
    game.desk.log.close()


def test_a_challenge_runs_from_opening_to_close_without_its_organiser(played):
    first = played.publish("contributor-1", shifted(15))
    assert [v.verdict for v in played.score_both()] == ["step", "step"]
    tool = played.publish("contributor-3", [1, 2, 3], form="tool")
    second = played.publish("contributor-2", shifted(4), first, tool)
    played.score_both()
    copy = played.publish("contributor-3", shifted(4))
    assert [v.verdict for v in played.score_both()] == ["none", "none"]
    money.fund(
        played.desk, key_of("organiser"), NAME, key_of("donor").address, "KRW", 500_000, "late"
    )
    played.wait(12 * DAY)
    played.release("trustee-2", "trustee-3")
    anyone = key_of("donor")
    assert settling.move_on(played.desk, anyone, NAME) == ["published exact scores and settled"]
    played.wait(8 * DAY)
    for juror in ("juror-1", "juror-2"):
        jury.vote(played.desk, key_of(juror), NAME, 0, [], [tool], "It made the second step easy.")
    played.wait(5 * DAY)
    done = settling.move_on(played.desk, anyone, NAME)
    assert done == ["counted jury round 0", "closed the challenge"]

    table = {row.clue: row for row in standings.rows(played.challenge)}
    assert played.challenge.settled_by == "truth"
    assert table[copy].total == 0
    assert table[copy].duplicate_of == second
    assert table[first].received > 0
    assert table[second].owed > 0
    assert table[tool].jury > 0
    for row in table.values():
        assert row.total == row.own + row.received - row.owed + row.jury
    owed = treasury.owed(played.challenge, "KRW")
    assert owed[key_of("contributor-1").address].payable > 0
    for payment in money.due(played.desk, NAME):
        money.pay(played.desk, key_of("organiser"), NAME, payment, "transfer")
    assert money.due(played.desk, NAME) == []
    treasury.audit(played.challenge)


def test_a_commitment_is_not_public_before_its_reveal(played):
    made = played.making(shifted(3))
    done = clues.commit(played.desk, key_of("contributor-1"), NAME, made)
    digest = clues._sha256(made.main)
    assert not played.desk.blobs.has(digest)
    clues.reveal(played.desk, key_of("contributor-1"), NAME, done.clue)
    assert played.desk.blobs.has(digest)


def test_publishing_again_after_a_crash_reveals_what_was_committed(played):
    made = played.making(shifted(3))
    begun = clues.commit(played.desk, key_of("contributor-1"), NAME, made)
    done = clues.publish(played.desk, key_of("contributor-1"), NAME, made)
    assert done.clue == begun.clue
    assert [c.status for c in played.challenge.clues.values()] == ["revealed"]
    again = clues.publish(played.desk, key_of("contributor-1"), NAME, made)
    assert again.clue != begun.clue


def test_whoever_may_know_the_truth_cannot_publish_a_clue(played):
    for role in ("organiser", "scorer-1", "trustee-2"):
        with pytest.raises((NotAllowed, NotCovered)) as refusal:
            played.publish(role, shifted(1))
        assert refusal.type is NotAllowed


def test_false_exact_scores_are_refused_before_they_reach_the_log(played):
    clue = played.publish("contributor-1", shifted(15))
    played.score_both()
    played.wait(12 * DAY)
    played.release("trustee-1", "trustee-3")
    size = played.desk.log.state.size
    lie = PublishExact((ExactScore(clue, 0),))
    with pytest.raises(Conflict, match="15000000000"):
        played.desk.say(key_of("contributor-1"), lie, NAME)
    assert played.desk.log.state.size == size


def test_a_lone_trustee_opens_nothing(played):
    played.publish("contributor-1", shifted(15))
    played.score_both()
    played.wait(12 * DAY)
    played.release("trustee-1")
    assert not played.challenge.key
    assert settling.move_on(played.desk, key_of("donor"), NAME) == []


def test_nothing_is_scored_before_earlier_commitments_are_revealed(played):
    clues.commit(played.desk, key_of("contributor-1"), NAME, played.making(shifted(2)))
    played.publish("contributor-2", shifted(9))
    with pytest.raises(WrongPhase, match="not revealed"):
        played.score("scorer-1")


def test_a_played_challenge_verifies_from_its_files_alone(played):
    played.publish("contributor-1", shifted(15))
    played.score_both()
    played.wait(12 * DAY)
    played.release("trustee-1", "trustee-3")
    settling.move_on(played.desk, key_of("donor"), NAME)
    with open_source(played.folder / "home" / "log") as source:
        done = auditing.audit(source, workers=1)
    assert done.log.size == played.desk.state.size
    assert [t.recomputed for t in done.challenges] == [1]
    assert done.log.state == played.desk.state


def test_a_false_exact_score_in_a_log_is_found_with_its_index(played):
    clue = played.publish("contributor-1", shifted(15))
    played.score_both()
    played.wait(12 * DAY)
    played.release("trustee-1", "trustee-3")
    home = played.folder / "home"
    played.desk.log.close()
    with Sequencer(home) as careless:  # a host that asks nothing beyond the rules
        desk = Desk(careless, played.desk.blobs, home / "host")
        lie = desk.say(key_of("donor"), PublishExact((ExactScore(clue, 10**9),)), NAME)
    with open_source(home / "log") as source, pytest.raises(Invalid) as fault:
        auditing.audit(source, workers=1)
    assert fault.value.index == lie.index


def test_a_public_file_must_have_a_name_that_every_method_can_be_given(played):
    (played.folder / "my data.csv").write_text("1\n")
    file = played.folder / "challenge.toml"
    file.write_text(file.read_text().replace('"public.csv"', '"my data.csv"'))
    with pytest.raises(Usage, match="my data"):
        spec.read(file, played.desk.now, lambda role: key_of(role).address)


def test_a_large_challenge_is_reckoned_by_the_kernel_and_equal(played, monkeypatch):
    first = played.publish("contributor-1", shifted(15))
    played.score_both()
    played.publish("contributor-2", shifted(4), first)
    played.score_both()
    plain = standings.rows(played.challenge)
    called = []
    kernel = shares_fast.shares
    monkeypatch.setattr(standings, "MANY", 1)
    monkeypatch.setattr(shares_fast, "shares", lambda *a: called.append(1) or kernel(*a))
    assert standings.rows(played.challenge) == plain
    assert called
