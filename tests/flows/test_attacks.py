"""What cheats, thieves and crashes try against the use cases, and what becomes of it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from danseo.core import canonical
from danseo.core.challenge import commitment_of
from danseo.core.errors import NotFound, Unfit
from danseo.core.kinds.clue import Commit, Reveal
from danseo.flows import auditing, clues, judging, settling
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
