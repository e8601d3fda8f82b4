"""After the deadline: trustees release the truth, anyone publishes exact scores and moves it on.

Nobody needs the organiser for any of it. `move_on` does all that anyone may do now.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Final

from danseo.core import dispute
from danseo.core.challenge import Challenge, Clue, is_withheld
from danseo.core.errors import NotFound, Unavailable, Unfit
from danseo.core.kinds.challenge import Close
from danseo.core.kinds.dispute import CountDispute
from danseo.core.kinds.jury import CloseRound
from danseo.core.kinds.log import Tick
from danseo.core.kinds.score import ExactScore, PublishExact
from danseo.core.kinds.truth import Release
from danseo.flows import clues, opening
from danseo.flows.acting import Desk
from danseo.log.sealing import decrypt_truth
from danseo.log.sequencer import Appended
from danseo.log.signing import Key
from danseo.scoring import run

Get = Callable[[str], bytes]
"""Reads a blob by its hash."""

_CHUNK: Final = 500
"""Exact scores in one entry: well below the limit of a body."""


def release(desk: Desk, key: Key, name: str) -> Appended:
    """Publish a trustee's share of the truth's key."""
    return desk.say(key, Release(opening.share_of(desk, key, name)), name)


def released_truth(get: Get, challenge: Challenge) -> bytes:
    """Return the truth, now that its key is known; raise `Invalid` where it does not fit."""
    truth = challenge.terms.truth
    if not challenge.key:
        raise NotFound(f"The truth of {challenge.id} is not released.", "Wait for the trustees.")
    return decrypt_truth(get(truth.cipher), bytes.fromhex(challenge.key), truth.plain)


def exact_scores(get: Get, challenge: Challenge, wanted: list[Clue]) -> list[int | None]:
    """Return the exact score of each clue on the released truth, recomputed in the sandbox.

    None stands for a submission that is unfit.
    """
    terms = challenge.terms
    truth = released_truth(get, challenge)
    submissions: list[tuple[bytes | Path, str]] = []
    places = []
    scores: list[int | None] = [None] * len(wanted)
    for i, clue in enumerate(wanted):
        try:
            found = clues.parse_content(get(clue.content), clue)
        except Unfit:
            continue
        places.append(i)
        submissions.append((get(clue.submission), Path(found.submission).suffix))
    code = get(terms.code) if terms.code else None
    parameters = {p.name: p.value for p in terms.parameters}
    results = run.score_many(terms.scorer, submissions, truth, parameters, code)
    for i, result in zip(places, results, strict=True):
        if isinstance(result, Unavailable) and not code:
            raise result
        # A submission on which the organiser's own scorer fails has no score, for anybody ever;
        # it must not hold up the settlement of all others.
        scores[i] = result if isinstance(result, int) else None
    return scores


def settle(desk: Desk, key: Key, name: str) -> list[Appended]:
    """Recompute and publish every exact score that is still missing; the last one settles."""
    challenge = desk.challenge(name)
    todo = challenge.scorable()[challenge.exact_next :]
    gone = desk.state.withheld
    there = [clue for clue in todo if not is_withheld(challenge, clue, gone)]
    found = exact_scores(desk.blobs.get, challenge, there) if there else []
    scores = {clue.id: score for clue, score in zip(there, found, strict=True)}
    exact = [ExactScore(clue.id, scores.get(clue.id)) for clue in todo]
    return [
        desk.say(key, PublishExact(tuple(exact[i : i + _CHUNK])), name)
        for i in range(0, len(exact), _CHUNK)
    ]


def wrong_exact(
    get: Get, challenge: Challenge, stated: Sequence[ExactScore], withheld: Container[str]
) -> str:
    """Recompute exact scores; say in words which is the first that is wrong, or return ''.

    What cannot be recomputed, as it takes a blob of `withheld`, is passed over.
    """
    stated = [s for s in stated if not is_withheld(challenge, challenge.clues[s.clue], withheld)]
    wanted = [challenge.clues[s.clue] for s in stated]
    if not wanted:
        return ""
    for said, found in zip(stated, exact_scores(get, challenge, wanted), strict=True):
        if said.score != found:
            return (
                f"The exact score of clue {said.clue} of {challenge.id} is stated as "
                f"{said.score}, and {challenge.terms.scorer} gives {found}."
            )
    return ""


def close(desk: Desk, key: Key, name: str) -> Appended:
    """End a settled challenge whose jury rounds are all counted."""
    return desk.say(key, Close(), name)


def move_on(desk: Desk, key: Key, name: str) -> list[str]:
    """Do everything that anyone may do for a challenge now; return what was done, in words."""
    done = []
    while (step := next(_moves(desk, name), None)) is not None:
        words, act = step
        if act is None:
            settle(desk, key, name)
        else:
            desk.say(key, act, "" if isinstance(act, Tick) else name)
        done.append(words)
    return done


def _moves(
    desk: Desk, name: str
) -> Iterator[tuple[str, Tick | CountDispute | CloseRound | Close | None]]:
    """Yield the first thing that anyone may do now; None as act stands for `settle`."""
    state, challenge, now = desk.state, desk.challenge(name), desk.now
    if any(due[2] == name and due[0] <= now for due in state.due):
        yield "let time pass", Tick()
    if challenge.status == "open" and challenge.key:
        yield "published exact scores and settled", None
    for one in challenge.disputes.values():
        if one.status == "open" and dispute.all_voted(challenge, one):
            yield f"counted dispute {one.id}", CountDispute(one.id)
    for number, jury in enumerate(challenge.rounds):
        if not jury.closed:
            if may_count(challenge, number, now):
                yield f"counted jury round {number}", CloseRound(number)
            return
    if challenge.status == "settled" and not challenge.contested:
        yield "closed the challenge", Close()


def may_count(challenge: Challenge, number: int, now: int) -> bool:
    """Say whether jury round `number` can be counted at `now`."""
    terms = challenge.terms.rounds[number]
    head = challenge.head_clue()
    return (
        challenge.status in ("open", "settled")
        and now >= terms.closes
        and (not terms.commons or (challenge.status == "settled" and not challenge.contested))
        and (head is None or head.committed_at > terms.opens)
    )
