"""Disputes: of a score or a missing citation, with a bond; the loser's pays the winner."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from danseo.cli.options import As, ClueId, Home, Json, Lang, Name

if TYPE_CHECKING:
    from danseo.cli.here import Here
    from danseo.flows.disputing import Told

group = typer.Typer(
    help="Dispute a score or a missing citation; the loser's bond pays the winner.",
    no_args_is_help=True,
)

Dispute = Annotated[
    int, typer.Argument(metavar="DISPUTE", help="The dispute's number: the index of its opening.")
]
Evidence = Annotated[
    str, typer.Option("--evidence", metavar="TEXT", help="What shows it; this is published.")
]
EvidenceFile = Annotated[
    Path | None, typer.Option("--file", help="A file that shows it, instead of a text.")
]

_STAGES = {
    "answer": "the other side can answer",
    "wait": "jurors vote soon",
    "vote": "jurors vote",
    "truth": "waits for the truth",
    "count": "can be counted",
}


@group.command("open")
def open_dispute(
    name: Name,
    clue: ClueId,
    scorer: Annotated[
        str, typer.Option(metavar="WHO", help="The scorer whose verdict on the clue is wrong.")
    ] = "",
    must_cite: Annotated[
        str,
        typer.Option(
            metavar="ID:WEIGHT", help="The clue that it builds on, and how much at least."
        ),
    ] = "",
    evidence: Evidence = "",
    file: EvidenceFile = None,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Put down a bond against a score, or against a clue that lacks a citation. Anyone may.

    Example: danseo dispute open example 21 --must-cite 17:0.5 --evidence "Same code, renamed."

    Example: danseo dispute open example 21 --scorer scorer-1 --evidence "My rerun gives 0.41."
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.core.errors import Usage
    from danseo.flows import clues, disputing, notation

    if bool(scorer) == bool(must_cite):
        raise Usage(
            "A dispute is about a score or about a citation.",
            "Say --scorer WHO, or --must-cite ID:WEIGHT.",
        )
    if must_cite and ":" not in must_cite:
        raise Usage(
            f"{must_cite!r} says no weight.", "Write ID:WEIGHT, as in 17:0.5 for half of it."
        )
    shown = disputing.Evidence(evidence, file)
    with here(home, key, lang) as at:
        signer = at.key()
        if scorer:
            who = at.address(scorer)
            entry = disputing.over_score(at.desk, signer, name, clue, who, shown)
        else:
            (cite,) = clues.citations([must_cite])
            entry = disputing.over_citation(
                at.desk, signer, name, clue, cite.clue, cite.weight, shown
            )
        (found,) = [t for t in disputing.told(at.desk, name) if t.record.id == entry.index]
        bond = at.desk.challenge(name).terms.dispute
        against, title = at.who(found.against), found.title
    locked = notation.money(bond.bond.amount, bond.bond.asset) if bond else ""
    stage = found.record.status
    show.result(
        as_json,
        {"dispute": entry.index, "stage": found.stage, **receipt(entry)},
        f"Dispute {entry.index}: against {against}, over clue {clue} ({title}).",
        f"Your bond of {locked} is locked." if stage == "open" else f"It is {stage} at once.",
        *_goes_on(found),
    )


@group.command("answer")
def answer(
    name: Name,
    dispute: Dispute,
    evidence: Evidence = "",
    file: EvidenceFile = None,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Put down an equal bond and say why you are right. For the other side.

    Example: danseo dispute answer example 31 --evidence "Mine came first; see the log."
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import disputing

    with here(home, key, lang) as at:
        shown = disputing.Evidence(evidence, file)
        entry = disputing.answer(at.desk, at.key(), name, dispute, shown)
    show.result(
        as_json,
        {"dispute": dispute, **receipt(entry)},
        f"Answered dispute {dispute} by entry {entry.index}. Whoever is right gets both bonds.",
    )


@group.command("vote")
def vote(
    name: Name,
    dispute: Dispute,
    right: Annotated[
        bool | None,
        typer.Option("--right/--wrong", help="Whether what the dispute claims is right."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; this is published.")] = "",
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Say whether a disputed claim is right. For jurors; a later vote replaces it.

    Example: danseo dispute vote example 31 --right --reason "The code is the same."
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.core.errors import Usage
    from danseo.flows import disputing

    if right is None:
        raise Usage("A vote says which it is.", "Say --right or --wrong.")
    with here(home, key, lang) as at:
        entry = disputing.vote(at.desk, at.key(), name, dispute, right, reason)
    show.result(
        as_json,
        {"dispute": dispute, "right": right, **receipt(entry)},
        f"Voted in dispute {dispute} by entry {entry.index}: "
        f"the claim is {'right' if right else 'wrong'}.",
    )


@group.command("count")
def count(
    name: Name,
    dispute: Dispute,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """End a dispute on which all have voted, or whose time is over. Anyone may.

    Example: danseo dispute count example 31
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import disputing

    with here(home, key, lang) as at:
        signer = at.key(at.desk.state.operator)
        entry = disputing.count(at.desk, signer, name, dispute)
        (found,) = [t for t in disputing.told(at.desk, name) if t.record.id == dispute]
    show.result(
        as_json,
        {"dispute": dispute, "outcome": found.record.status, **receipt(entry)},
        f"Dispute {dispute} is {found.record.status}, {found.for_it} to {found.against_it}.",
    )


@group.command("show")
def show_disputes(
    name: Name,
    dispute: Annotated[
        int | None, typer.Argument(metavar="DISPUTE", help="One of them [all].")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show the disputes of a challenge: who claims what, and what each waits for.

    Example: danseo dispute show example 31
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core import dispute as rules
    from danseo.flows import disputing, notation

    with here(home) as at:
        challenge = at.desk.challenge(name)
        if dispute is not None:
            rules.find(challenge, dispute)
        all_told = [t for t in disputing.told(at.desk, name) if dispute in (None, t.record.id)]
        found = [_found(at, told) for told in all_told]
        rows = [_row(at, told) for told in all_told]
        lines = _lines(at, all_told[0]) if dispute is not None else []
        terms = challenge.terms.dispute
        known = (
            f"A dispute in {name} costs a bond of "
            f"{notation.money(terms.bond.amount, terms.bond.asset)}; whoever is right gets it back."
            if terms
            else f"The terms of {name} know no disputes."
        )
    columns = ("Dispute>", "Clue>", "Title", "Claim", "By", "Against", "Stands")
    show.result(
        as_json,
        found[0] if dispute is not None else found,
        *([show.table("", columns, rows)] if rows else [f"Nothing is disputed in {name}."]),
        *(lines or [known]),
    )


def _row(at: Here, told: Told) -> tuple[object, ...]:
    one = told.record
    stands = _STAGES.get(told.stage, f"{told.stage} by {_decider(one.decided_by)}")
    sides = (at.who(one.by), at.who(told.against))
    return (one.id, one.clue, told.title, _claim(at, told), *sides, stands)


def _decider(by: str) -> str:
    return {"jury": "the jury", "truth": "the truth", "dao": "the DAO"}.get(by, by)


def _claim(at: Here, told: Told) -> str:
    from danseo.flows.notation import decimal

    one = told.record
    if one.about == "score":
        return f"the verdict of {at.who(one.scorer)} is wrong"
    return f"builds on clue {one.target} ({told.target_title}), by {decimal(one.weight)} at least"


def _lines(at: Here, told: Told) -> list[str]:
    """Return a dispute's evidence, votes and next step, for people."""
    from danseo.flows import disputing

    one = told.record
    reply = disputing.evidence_of(at.desk, one.answer)
    votes = ", ".join(f"{at.who(who)}: {'right' if v else 'wrong'}" for who, v in one.votes.items())
    return [
        f"Evidence: {disputing.evidence_of(at.desk, one.evidence)}",
        f"Answer: {reply or 'none'}",
        f"Votes: {votes or 'none'}; may vote: {', '.join(at.who(w) for w in told.voters) or '-'}",
        *_goes_on(told),
    ]


def _goes_on(told: Told) -> list[str]:
    """Return what comes next for a dispute and until when, in words."""
    from danseo.flows.notation import instant

    one = told.record
    if one.status != "open":
        return []
    lines = []
    if not one.answer:
        lines.append(f"The other side can answer until {instant(told.answer_until)}.")
    if one.votes_from < 0:
        lines.append("The truth decides it at the settlement, or the jury where it cannot.")
    else:
        lines.append(
            f"Jurors vote from {instant(one.votes_from)} until {instant(one.votes_until)}."
        )
    return lines


def _found(at: Here, told: Told) -> dict[str, Any]:
    """Return a dispute for JSON."""
    from danseo.flows import disputing
    from danseo.flows.notation import decimal

    one = told.record
    citation = one.about == "citation"
    return {
        "dispute": one.id,
        "about": one.about,
        "clue": one.clue,
        "title": told.title,
        "by": one.by,
        "against": told.against,
        "scorer": one.scorer or None,
        "target": one.target if citation else None,
        "weight": decimal(one.weight) if citation else None,
        "stage": told.stage,
        "outcome": None if one.status == "open" else one.status,
        "decided_by": one.decided_by or None,
        "won": str(one.won),
        "evidence": disputing.evidence_of(at.desk, one.evidence),
        "answer": disputing.evidence_of(at.desk, one.answer) or None,
        "votes": dict(one.votes),
        "voters": list(told.voters),
        "answer_until": told.answer_until,
        "votes_from": one.votes_from if one.votes_from >= 0 else None,
        "votes_until": one.votes_until if one.votes_until >= 0 else None,
    }
