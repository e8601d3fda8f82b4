"""Tables that follow from the log: standings, shares, and what a next clue would earn."""

from __future__ import annotations

from typing import Annotated

import typer

from danseo.cli.options import Cites, Home, Json, Lang, Name, OutFile


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("standings")(standings)
    app.command("shares")(shares)
    app.command("simulate")(simulate)
    app.command("report")(report)


def standings(name: Name, home: Home = None, as_json: Json = False) -> None:
    """List the clues of a challenge: what each scored, and where its share comes from.

    Example: danseo standings example
    """
    from dataclasses import asdict

    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.flows import notation
    from danseo.flows import standings as tables
    from danseo.flows.notation import decimal

    with here(home) as at:
        rows = tables.rows(at.desk.challenge(name))
        shown = [
            (
                r.clue,
                at.who(r.author),
                r.form,
                ", ".join(str(c) for c in r.cites),
                f"copy of {r.duplicate_of}" if r.duplicate_of >= 0 else r.verdict or r.status,
                "" if r.score is None else decimal(r.score),
                f"+{decimal(r.step)}" if r.step else "",
                *(notation.percent(n) for n in (r.own, r.received, r.owed, r.jury, r.total)),
            )
            for r in rows
        ]
    shares = ("own", "received", "owed", "jury", "total")
    found = [
        asdict(r)
        | {part: str(getattr(r, part)) for part in shares}
        | {
            "score": None if r.score is None else decimal(r.score),
            "step": decimal(r.step),
            "units": decimal(r.units),
        }
        for r in rows
    ]
    columns = ("Clue>", "By", "Form", "Cites", "Verdict", "Score>", "Step>")
    sums = ("Own step>", "From later>", "To earlier>", "Jury>", "Share>")
    show.result(as_json, found, show.table(name, (*columns, *sums), shown))


def shares(name: Name, home: Home = None, as_json: Json = False) -> None:
    """List the accounts of a challenge: shares, and what is owed, paid and payable.

    Example: danseo shares example
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core import treasury
    from danseo.core.reward import SHARES
    from danseo.flows import notation
    from danseo.flows import standings as tables

    with here(home) as at:
        challenge = at.desk.challenge(name)
        coin = challenge.terms.coin
        assets = [*sorted(challenge.received), *([coin.symbol] if coin else [])]
        by_asset = {a: treasury.owed(challenge, a) for a in assets}
        held = treasury.account_shares(challenge)
        known = {*held, *(who for owed in by_asset.values() for who in owed)}
        accounts = sorted(known, key=lambda who: (-held.get(who, 0), who))
        sums = tables.equation(challenge)
        found = {
            "accounts": [
                {
                    "account": who,
                    "shares": str(held.get(who, 0)),
                    "money": {
                        asset: {
                            part: str(getattr(owed[who], part))
                            for part in ("entitled", "paid", "payable")
                        }
                        for asset, owed in by_asset.items()
                        if who in owed
                    },
                }
                for who in accounts
            ],
            "received": {a: str(n) for a, n in sorted(challenge.received.items())},
            "equation": {
                "held": str(sums.held),
                "granted": str(sums.granted),
                "commons": str(sums.commons),
                "unminted": str(sums.unminted),
            },
        }
        rows = [
            (at.who(who), notation.percent(held.get(who, 0)), *money)
            for who in accounts
            for money in (
                [
                    tuple(
                        notation.short_money(n, a)
                        for n in (o[who].entitled, o[who].paid, o[who].payable)
                    )
                    for a, o in by_asset.items()
                    if who in o
                ]
                or [("-", "-", "-")]
            )
        ]
    columns = ("Account", "Share>", "Entitled>", "Declared>" if coin else "Paid>", "Payable>")
    show.result(
        as_json,
        found,
        show.table(name, columns, rows),
        f"{notation.percent(SHARES)} = {notation.percent(sums.held)} held "
        f"+ {notation.percent(sums.granted)} granted + {notation.percent(sums.commons)} commons "
        f"+ {notation.percent(sums.unminted)} not yet earned",
    )


def simulate(
    name: Name,
    score: Annotated[str, typer.Argument(metavar="SCORE", help="The score of the next clue.")],
    then: Annotated[
        str | None, typer.Option(metavar="SCORE", help="And of a later one that builds on it.")
    ] = None,
    cite: Cites = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Say what a clue of this score would earn: now, and when others go on from it.

    Example: danseo simulate example 0.4 --then 0.2
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.flows import clues, notation
    from danseo.flows import standings as tables

    later = None if then is None else notation.billionths(then)
    with here(home) as at:
        cites = tuple((c.clue, c.weight) for c in clues.citations(cite or ()))
        found = tables.simulate(at.desk.challenge(name), notation.billionths(score), cites, later)

    def said(share: int, money: dict[str, int]) -> str:
        sums = ", ".join(notation.money(amount, asset) for asset, amount in money.items())
        return notation.percent(share) + (f" of the pool: {sums}" if sums else " of the pool")

    show.result(
        as_json,
        {
            "units": notation.decimal(found.units),
            "share": str(found.share),
            "money": {a: str(n) for a, n in found.money.items()},
            "later_share": None if found.later_share is None else str(found.later_share),
            "later_money": {a: str(n) for a, n in found.later_money.items()},
        },
        f"A clue of {score} would make a step of {notation.decimal(found.units)} of the reward."
        if found.units
        else f"A clue of {score} would make no step.",
        f"Now: {said(found.share, found.money)}",
        *(
            [f"After one of {then} that cites it: {said(found.later_share, found.later_money)}"]
            if found.later_share is not None
            else []
        ),
    )


def report(
    name: Name,
    out: OutFile,
    log: Annotated[
        str, typer.Option(metavar="PLACE", help="A log elsewhere: folder, address or bundle.")
    ] = "",
    lang: Lang = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Verify the log, then write one self-contained page about a challenge.

    Example: danseo report example --out report.html
    """
    from danseo import app as wiring
    from danseo.cli import show
    from danseo.cli.here import called, chosen
    from danseo.core.errors import Usage
    from danseo.flows import auditing, reporting
    from danseo.log.source import open_source

    settings = chosen(home, lang=lang)
    names = wiring.name_of(settings)
    place = open_source(log) if log else wiring.source(settings)
    where = log or str(settings.home / "log")
    with (
        wiring.reader_chain(settings, "", where) as client,
        place as source,
        show.progress("verifying") as tell,
    ):
        audit = auditing.audit(
            source,
            workers=settings.workers,
            chain=client,
            chosen=bool(settings.chain_url),
            progress=tell,
        )
        page = reporting.report(source, audit, name, lambda who: called(names, who), settings.lang)
    try:
        out.write_text(page, "utf-8")
    except OSError as error:
        raise Usage(f"{out} cannot be written: {error.strerror}.", "Name another file.") from None
    show.result(as_json, {"file": str(out)}, f"Wrote {out}.")
