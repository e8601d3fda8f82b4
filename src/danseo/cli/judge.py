"""Scorers, trustees and jurors: score what waits, release the truth, vote and count."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from danseo.cli.options import As, Everyone, Home, Json, Lang, Name

truth = typer.Typer(help="Bring the hidden truth to light.", no_args_is_help=True)
jury = typer.Typer(help="Judge what no score can see.", no_args_is_help=True)

Round = Annotated[
    int | None, typer.Option("--round", min=0, help="Which round [the one held now].")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("score")(score)
    app.add_typer(truth, name="truth")
    app.add_typer(jury, name="jury")


def score(
    name: Name,
    every: Annotated[
        bool, typer.Option("--all", help="Score all that waits, not only the next clue.")
    ] = False,
    everyone: Everyone = False,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Score the next clue in the sandbox, and publish the verdict. For scorers.

    Example: danseo score example --all --key scorer-1
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core.errors import WrongPhase
    from danseo.flows import judging

    found: list[Any] = []
    end: WrongPhase | None = None
    with here(home, key, lang) as at, show.working("scoring") as tell:
        people = [s.who for s in at.desk.challenge(name).terms.scorers]
        keys = at.everyone(people, "scorer") if everyone else [at.key()]
        while True:
            before = len(found)
            for one in keys:
                try:
                    verdict = judging.score_next(at.desk, one, name, at.settings.method_cache, tell)
                    found.append((at.desk.state.identity(one.address), verdict))
                except WrongPhase as nothing:
                    end = nothing
            if not every or len(found) == before:
                break
        names = {who: at.who(who) for who, _ in found}
    if not found and not every and end:
        raise end
    show.result(
        as_json,
        [_verdict(who, verdict) for who, verdict in found],
        *(f"{names[who]}: clue {v.clue}: {v.verdict}. {v.reason}" for who, v in found),
        *([] if found else [f"Nothing waits. {end.message if end else ''}"]),
    )


def _verdict(who: str, verdict: Any) -> dict[str, Any]:
    from danseo.flows.notation import decimal

    return {
        "scorer": who,
        "clue": verdict.clue,
        "verdict": verdict.verdict,
        "score": None if verdict.score is None else decimal(verdict.score),
        "reason": verdict.reason,
        "entry": verdict.entry.index,
    }


@truth.command("release")
def release(
    name: Name,
    everyone: Everyone = False,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Publish your share of the truth's key, once every clue is final. For trustees.

    Example: danseo truth release example --key trustee-1
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import settling

    with here(home, key, lang) as at:
        challenge = at.desk.challenge(name)
        waiting = [t.who for t in challenge.terms.trustees if t.who not in challenge.released]
        keys = at.everyone(waiting, "trustee who has not released") if everyone else [at.key()]
        found: list[dict[str, Any]] = []
        for one in keys:
            if everyone and at.desk.challenge(name).key:
                break
            entry = settling.release(at.desk, one, name)
            found.append({"who": one.address, **receipt(entry)})
        known = bool(at.desk.challenge(name).key)
        names = ", ".join(at.who(at.desk.state.identity(f["who"])) for f in found)
    show.result(
        as_json,
        {"released": found, "known": known},
        f"{names} released the truth's key. "
        + (
            f"The truth is out. Anyone settles now: danseo tick {name}"
            if known
            else "More trustees are needed before the truth is known."
        ),
    )


@jury.command("show")
def show_jury(
    name: Name, number: Round = None, home: Home = None, key: As = None, as_json: Json = False
) -> None:
    """Show a jury round: the clues that can be judged, and who has voted.

    Example: danseo jury show example --key juror-1
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core.reward import UNITS
    from danseo.flows import clues, jury, notation
    from danseo.flows.notation import decimal

    with here(home, key) as at:
        juror = at.address(at.settings.key) if at.settings.key else ""
        at_round = jury.shown_round(at.desk, name) if number is None else number
        candidates = jury.candidates(at.desk, name, at_round, juror)
        challenge = at.desk.challenge(name)
        terms, one = challenge.terms.rounds[at_round], challenge.rounds[at_round]
        told = [(c, clues.find(at.desk, name, c)) for c in candidates]
        titles = {c: clues.title(at.desk, clue) for c, clue in told}
        voted = [at.who(who) for who in one.ballots]
        rows = [(c, titles[c], at.who(clue.author), clue.form) for c, clue in told]
    found: dict[str, Any] = {
        "round": at_round,
        "opens": terms.opens,
        "closes": terms.closes,
        "award": decimal(terms.units),
        "commons": str(terms.commons),
        "counted": one.closed,
        "voted": list(one.ballots),
        "candidates": [
            {"clue": c, "title": titles[c], "author": clue.author, "form": clue.form}
            for c, clue in told
        ],
        "awards": {str(c): decimal(units) for c, units in one.units.items()},
    }
    show.result(
        as_json,
        found,
        f"Jury round {at_round} of {name}, from {notation.instant(terms.opens)} until "
        f"{notation.instant(terms.closes)}: {notation.percent(terms.units, UNITS)} of the reward.",
        show.table("", ("Clue>", "Title", "By", "Form"), rows),
        f"Voted: {', '.join(voted) or 'nobody yet'}.",
        *(f"  clue {c} was awarded {units}" for c, units in found["awards"].items()),
    )


@jury.command("vote")
def vote(
    name: Name,
    comparisons: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMPARISON", help='"12 > 7" is twice as good, "12 >> 7" four times.'
        ),
    ] = None,
    clue: Annotated[
        list[int] | None,
        typer.Option(metavar="ID", help="A clue that deserves an award, compared with none."),
    ] = None,
    number: Round = None,
    reason: Annotated[str, typer.Option(help="Why; this is published.")] = "",
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Cast a ballot: say how many times better a clue is than another. For jurors.

    Example: danseo jury vote example "12 >> 7" --reason "Others built on it." --key juror-1
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.core.errors import Usage
    from danseo.flows import jury

    if not comparisons and not clue:
        raise Usage("The ballot is empty.", 'Compare clues, as in "12 > 7", or say --clue ID.')
    with here(home, key, lang) as at:
        pairs = [jury.comparison(text) for text in comparisons or ()]
        at_round = jury.open_round(at.desk, name) if number is None else number
        entry = jury.vote(at.desk, at.key(), name, at_round, pairs, clue or (), reason)
    show.result(
        as_json,
        {"round": at_round, **receipt(entry)},
        f"Voted in round {at_round} of {name} by entry {entry.index}. A later ballot replaces it.",
    )


@jury.command("count")
def count(
    name: Name,
    number: Annotated[int, typer.Argument(metavar="ROUND", help="The round, counted from 0.")],
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Count a jury round whose time is over, and make its awards. Anyone may.

    Example: danseo jury count example 0
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.core.reward import UNITS
    from danseo.flows import jury, notation
    from danseo.flows.notation import decimal

    with here(home, key, lang) as at:
        entry = jury.count(at.desk, at.key(at.desk.state.operator), name, number)
        awards = dict(at.desk.challenge(name).rounds[number].units)
    show.result(
        as_json,
        {"round": number, "awards": {str(c): decimal(u) for c, u in awards.items()}}
        | receipt(entry),
        f"Counted round {number} of {name} by entry {entry.index}.",
        *(f"  clue {c} is awarded {notation.percent(u, UNITS)}" for c, u in awards.items()),
        *([] if awards else ["  No clue was awarded anything."]),
    )
