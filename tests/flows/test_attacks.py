"""What cheats, thieves and crashes try against the use cases, and what becomes of it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import Any

import pytest

from danseo.core import canonical
from danseo.core.challenge import commitment_of
from danseo.core.errors import Conflict, Invalid, NotFound, Unfit, Usage, WrongPhase
from danseo.core.kinds.challenge import Cancel
from danseo.core.kinds.clue import Commit, Reveal
from danseo.core.kinds.log import Withhold
from danseo.core.kinds.score import ExactScore, PublishExact
from danseo.flows import auditing, clues, keeping, settling, storing
from danseo.log.source import open_source

from .played import DAY, NAME, Played, begin, key_of, shifted

SALT = "5a" * 32


@pytest.fixture
def played(tmp_path):
    game = begin(tmp_path)
    yield game
    game.desk.log.close()


def good(submission: bytes, **changes: Any) -> dict[str, Any]:
    """Return the description of a clue whose one file is `submission`, with changes."""
    digest = hashlib.sha256(submission).hexdigest()
    files = [{"path": "guess.csv", "sha256": digest, "size": len(submission)}]
    described = {"title": "A guess", "description": "", "form": "predictions"}
    return described | {"submission": "guess.csv", "files": files} | changes


def commit_to(played: Played, role: str, content: bytes, submission: bytes) -> tuple[int, Any]:
    """Commit as a client of one's own making would; return the clue and what reveals it."""
    key = key_of(role)
    names = [hashlib.sha256(data).hexdigest() for data in (content, submission)]
    digest = commitment_of(NAME, key.address, *names, SALT)
    clue = played.desk.say(key, Commit(digest), NAME).index
    for data in (content, submission):
        played.desk.blobs.put(data)
    form = "predictions"
    return clue, lambda f=form: played.desk.say(
        key, Reveal(clue, SALT, *names, f, "CC0-1.0", (), ()), NAME
    )


def hand_in(played: Played, role: str, content: bytes, guess: list[int], form: str = "") -> int:
    """Publish a clue whose description is `content`, whatever that is."""
    submission = "".join(f"{n}\n" for n in guess).encode()
    clue, show = commit_to(played, role, content, submission)
    show(form or "predictions")
    return clue


def submission_of(guess: list[int]) -> bytes:
    return "".join(f"{n}\n" for n in guess).encode()


def settle(played: Played) -> None:
    played.wait(12 * DAY)
    played.release("trustee-2", "trustee-3")
    settling.move_on(played.desk, key_of("donor"), NAME)


def verified(played: Played) -> auditing.Audit:
    with open_source(played.folder / "home" / "log") as source:
        return auditing.audit(source, workers=1)


HOSTILE = {
    "not JSON": lambda right: b"\xff\x00",
    "no object": lambda right: b"[]",
    "files are a number": lambda right: canonical.encode({**right, "files": 7}),
    "a path is a number": lambda right: canonical.encode(
        {**right, "files": [{**right["files"][0], "path": 5}], "submission": 5}
    ),
    "a path is a list": lambda right: canonical.encode(
        {**right, "files": [{**right["files"][0], "path": ["a"]}]}
    ),
    "a file twice": lambda right: canonical.encode({**right, "files": right["files"] * 2}),
    "a hash that leads elsewhere": lambda right: canonical.encode(
        {**right, "files": [*right["files"], {"path": "b", "sha256": "../../host/log.key"}]}
    ),
    "a title that is an object": lambda right: canonical.encode({**right, "title": {"a": 1}}),
    "a method that is a text": lambda right: canonical.encode({**right, "method": "run me"}),
    "two megabytes": lambda right: canonical.encode({**right, "description": "x" * 2**21}),
}


@pytest.mark.parametrize("trick", HOSTILE)
def test_a_hostile_description_is_unfit_to_whoever_reads_it(played, trick):
    submission = submission_of(shifted(3))
    content = HOSTILE[trick](good(submission))
    clue = hand_in(played, "contributor-1", content, shifted(3))
    with pytest.raises(Unfit):
        clues.content(played.desk, clues.find(played.desk, NAME, clue))
    assert [v.verdict for v in played.score_both()] == ["unfit", "unfit"]


def test_hostile_descriptions_do_not_hold_up_the_settlement_of_others(played):
    for trick in ("not JSON", "a path is a number", "a path is a list"):
        content = HOSTILE[trick](good(submission_of(shifted(3))))
        hand_in(played, "contributor-1", content, shifted(3))
    honest = played.publish("contributor-2", shifted(4))
    settle(played)
    assert played.challenge.settled_by == "truth"
    assert played.challenge.clues[honest].verdict == "step"
    assert verified(played).challenges[0].recomputed == 4


@pytest.mark.parametrize("script", [["a"], "none.py", 5])
def test_a_method_that_names_no_script_of_its_own_is_unfit(played, script):
    submission = submission_of(shifted(3))
    method = {"script": script, "entry": "main", "output": "o.csv", "requirements": []}
    right = good(submission, form="method", method={**method, "seconds": 5})
    hand_in(played, "contributor-1", canonical.encode(right), shifted(3), "method")
    assert played.score("scorer-1").verdict in ("step", "unfit")
    assert not played.challenge.head_clue().verdicts[key_of("scorer-1").address].reproduced


def test_a_description_that_names_a_file_which_is_not_there_is_refused(played):
    """Otherwise one contributor could make the whole log fail for every reader."""
    submission = submission_of(shifted(3))
    right = good(submission)
    right["files"].append({"path": "more", "sha256": "ab" * 32, "size": 1})
    size = played.desk.state.size
    with pytest.raises(NotFound, match="abab"):
        hand_in(played, "contributor-1", canonical.encode(right), shifted(3))
    assert played.desk.state.size == size + 1  # the commitment


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_blob_that_another_came_to_name_is_not_taken_back(played):
    """A scorer whose verdict is refused takes his reason back, unless it is another's as well."""

    def refused_too_late() -> None:
        with played.desk.storing() as store:
            store.put(b"the same words")
            played.desk.say(key_of("organiser"), Cancel(sha256(b"the same words")), NAME)
            raise WrongPhase("too late", "")

    with pytest.raises(WrongPhase):
        refused_too_late()
    assert played.desk.blobs.has(sha256(b"the same words"))


def test_what_a_killed_command_left_in_public_is_taken_back(played):
    child = os.fork()
    if not child:
        with played.desk.storing() as store:
            store.put(b"nobody comes to name this")
            os._exit(0)  # as SIGKILL: nothing is tidied
    os.waitpid(child, 0)
    with open_source(played.folder / "home" / "log") as source, pytest.raises(Invalid):
        auditing.audit(source, workers=1)
    storing.tidy(played.desk.log, played.desk.blobs, played.desk.private)
    assert verified(played).log.size == played.desk.state.size


def test_an_interrupted_command_leaves_nothing_in_public(played):

    def interrupted() -> None:
        with played.desk.storing() as store:
            store.put(b"nobody comes to name this")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not played.desk.blobs.has(sha256(b"nobody comes to name this"))


def withhold(played: Played, blob: str) -> None:
    keeping.withhold(played.desk, key_of("organiser"), blob, "It names a person.")


@pytest.mark.parametrize("what", ["submission", "content"])
def test_withholding_a_step_costs_neither_its_author_nor_its_scorers(played, what):
    clue = played.publish("contributor-1", shifted(4))
    played.score_both()
    units = played.challenge.nodes[0].units
    withhold(played, getattr(played.challenge.clues[clue], what))
    settle(played)
    assert played.challenge.settled_by == "truth"
    assert played.challenge.nodes[0].units == units > 0
    assert not any(stake.overstated for stake in played.challenge.stakes.values())
    (trust,) = verified(played).challenges
    assert trust.recomputed == 0
    assert any("withheld" in line for line in trust.attested)


def test_no_exact_score_is_stated_for_what_is_withheld(played):
    clue = played.publish("contributor-1", shifted(4))
    played.score_both()
    withhold(played, played.challenge.clues[clue].submission)
    played.wait(12 * DAY)
    played.release("trustee-2", "trustee-3")
    lie = PublishExact((ExactScore(clue, 0),))
    with pytest.raises(Conflict, match="withheld"):
        played.desk.say(key_of("donor"), lie, NAME)


@pytest.mark.parametrize("what", ["submission", "content"])
def test_a_log_verifies_where_a_file_was_withheld_after_the_settlement(played, what):
    clue = played.publish("contributor-1", shifted(4))
    played.score_both()
    settle(played)
    assert verified(played).challenges[0].recomputed == 1
    withhold(played, getattr(played.challenge.clues[clue], what))
    assert verified(played).challenges[0].recomputed == 0


def test_what_is_withheld_before_it_is_scored_holds_nobody_up(played):
    clue = played.publish("contributor-1", shifted(4))
    withhold(played, played.challenge.clues[clue].submission)
    assert [v.verdict for v in played.score_both()] == ["unfit", "unfit"]


def test_with_a_withheld_description_go_the_files_that_it_alone_names(played):
    made = played.making(shifted(4), "With more")
    alone, shared = played.folder / "alone.txt", played.folder / "shared.txt"
    alone.write_text("of one clue")
    shared.write_text("of both")
    key, first = key_of("contributor-1"), dataclasses.replace(made, more=(alone, shared))
    clue = clues.publish(played.desk, key, NAME, first).clue
    other = dataclasses.replace(played.making(shifted(5), "Too"), more=(shared,))
    clues.publish(played.desk, key, NAME, other)
    withhold(played, played.challenge.clues[clue].content)
    assert not played.desk.blobs.has(sha256(b"of one clue"))
    assert played.desk.blobs.has(sha256(b"of both"))
    verified(played)


def test_what_was_withheld_is_not_published_again(played):
    clue = played.publish("contributor-1", shifted(4))
    blob = played.challenge.clues[clue].submission
    withhold(played, blob)
    with pytest.raises(Conflict, match="withheld"):
        played.publish("contributor-2", shifted(4))
    assert not played.desk.blobs.has(blob)


def test_a_withholding_that_a_crash_cut_short_is_completed_by_repeating_it(played):
    clue = played.publish("contributor-1", shifted(4))
    blob = played.challenge.clues[clue].submission
    played.desk.say(key_of("organiser"), Withhold(blob, played.desk.blobs.put(b"why")))
    size = played.desk.state.size
    withhold(played, blob)
    assert not played.desk.blobs.has(blob)
    assert played.desk.state.size == size


@pytest.mark.parametrize("name", ["clue.json", "draft.json"])
def test_a_file_that_would_overwrite_its_own_draft_is_refused(played, name):
    file = played.folder / name
    file.write_text("1\n")
    made = dataclasses.replace(played.making(shifted(4)), more=(file,))
    size = played.desk.state.size
    with pytest.raises(Usage, match=name):
        clues.publish(played.desk, key_of("contributor-1"), NAME, made)
    assert played.desk.state.size == size


def test_a_torn_memory_of_a_score_is_made_anew(played):
    played.publish("contributor-1", shifted(4))
    played.score("scorer-1")
    (memory,) = (played.desk.private / "scores").rglob("*.json")
    memory.write_text("[40000")
    played.publish("contributor-2", shifted(2))
    played.score("scorer-2")
    assert played.score("scorer-1").verdict == "step"
