"""Challenges: check, open, take up roles, money, look, end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from danseo.cli.options import (
    As,
    Everyone,
    Evidence,
    Home,
    Json,
    Lang,
    Money,
    Name,
    OutFolder,
    Who,
)

if TYPE_CHECKING:
    from danseo.cli.here import Here
    from danseo.log.sequencer import Appended
    from danseo.log.signing import Key

group = typer.Typer(help="Open challenges, and see to their money.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The challenge's file (TOML).")]


@group.command("check")
def check(file: File, home: Home = None, key: As = None, as_json: Json = False) -> None:
    """Say what is wrong or unwise in a challenge's file, and what its value curve pays.

    Example: danseo challenge check challenge.toml
    """
    from danseo import app as wiring
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core.reward import UNITS
    from danseo.flows import notation, opening, spec
    from danseo.flows.standings import curve_points

    with here(home, key) as at:
        now = at.desk.now
        draft = spec.read(file, now, lambda who: wiring.address_of(at.settings, who))
        warnings = opening.check(draft, at.organiser(), now)
        warnings += [at.people(warning) for warning in opening.unsealed(at.desk, draft)]
    points = curve_points(draft.terms())
    show.result(
        as_json,
        {
            "name": draft.name,
            "warnings": warnings,
            "curve": [
                {"score": notation.decimal(s), "part": notation.decimal(u)} for s, u in points
            ],
        },
        f"{draft.name}: nothing contradicts itself.",
        *(f"warning: {warning}" for warning in warnings),
        f"Value curve  {spark([units for _, units in points])}",
        show.table(
            "",
            ("Score>", "Part of the reward>"),
            [(notation.decimal(s), notation.percent(u, UNITS)) for s, u in points],
        ),
    )


def spark(values: list[int]) -> str:
    """Return values as a line of bars.

    >>> spark([0, 5, 10])
    '▁▅█'
    """
    bars, most = "▁▂▃▄▅▆▇█", max([*values, 1])
    return "".join(bars[(2 * value * 7 + most) // (2 * most)] for value in values)


@group.command("open")
def open_challenge(
    file: File, home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False
) -> None:
    """Publish a challenge: its truth is encrypted, and sealed to scorers and trustees.

    Example: danseo challenge open challenge.toml
    """
    from danseo import app as wiring
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import opening, spec

    with here(home, key, lang) as at:
        draft = spec.read(file, at.desk.now, lambda who: wiring.address_of(at.settings, who))
        entry = opening.open_challenge(at.desk, at.key(at.desk.state.operator), draft)
        people = list(at.desk.challenge(draft.name).terms.roles())
        names = ", ".join(at.who(who) for who in people)
    show.result(
        as_json,
        {"challenge": draft.name, **receipt(entry)},
        f"Published {draft.name} by entry {entry.index}. Keep {draft.truth} to yourself.",
        f"It opens when each of {names} has run: danseo challenge acknowledge {draft.name}",
    )


@group.command("acknowledge")
def acknowledge(
    name: Name,
    everyone: Everyone = False,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Take up your role as scorer or trustee, after checking what was sealed to you.

    Example: danseo challenge acknowledge example --key scorer-1
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import opening

    with here(home, key, lang) as at:
        challenge = at.desk.challenge(name)
        waiting = [who for who in challenge.terms.roles() if who not in challenge.acknowledged]
        keys = (
            at.everyone(waiting, "scorer or trustee who has not agreed") if everyone else [at.key()]
        )
        found = []
        for one in keys:
            entry = opening.acknowledge(at.desk, one, name)
            found.append({"who": one.address, **receipt(entry)})
        status = at.desk.challenge(name).status
        names = ", ".join(at.who(one.address) for one in keys)
    show.result(
        as_json,
        {"acknowledged": found, "status": status},
        f"{names} took up their role in {name}, which is now {status}.",
    )


@group.command("accept")
def accept(
    name: Name,
    read: Annotated[bool, typer.Option("--read", help="Print the rules, accept nothing.")] = False,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Accept the rules of a challenge, before your first clue in it.

    Example: danseo challenge accept example --read
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import opening

    with here(home, key, lang) as at:
        challenge = at.desk.challenge(name)
        text = opening.rules(at.desk.blobs, challenge)
        if read:
            show.result(as_json, {"rules": challenge.terms.rules, "text": text}, text)
            return
        entry = opening.accept_rules(at.desk, at.key(), name)
    show.result(
        as_json,
        {"rules": challenge.terms.rules, **receipt(entry)},
        f"You accepted the rules of {name} (entry {entry.index}).",
    )


@group.command("deposit")
def deposit(
    name: Name,
    who: Who,
    amount: Money,
    evidence: Evidence = "",
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Enter money that someone handed in for bonds or a stake. It stays theirs.

    Example: danseo challenge deposit example scorer-1 "500_000 KRW"
    """
    _enter("deposit", name, who, amount, evidence, (home, key, lang), as_json)


@group.command("withdraw")
def withdraw(
    name: Name,
    who: Who,
    amount: Money,
    evidence: Evidence = "",
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Enter that a deposit, or a part of it, was handed back.

    Example: danseo challenge withdraw example scorer-1 "500_000 KRW"
    """
    _enter("withdraw", name, who, amount, evidence, (home, key, lang), as_json)


@group.command("fund")
def fund(
    name: Name,
    who: Who,
    amount: Money,
    evidence: Evidence = "",
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Enter a gift to the prize pool. It raises everybody's pay alike.

    Example: danseo challenge fund example donor-1 "10_000_000 KRW"
    """
    _enter("fund", name, who, amount, evidence, (home, key, lang), as_json)


_DONE = {
    "deposit": "{who} deposited {money}",
    "withdraw": "{money} of the deposit of {who} was returned",
    "fund": "{who} gave {money} to the pool",
}


def _enter(
    act: str,
    name: str,
    who: str,
    amount: str,
    evidence: str,
    options: tuple[str | None, str | None, str | None],
    as_json: bool,
) -> None:
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import money, notation

    with here(*options) as at:
        number, asset = notation.read_money(amount, at.desk.challenge(name).terms.assets())
        key = at.key(at.desk.challenge(name).organiser)
        account = at.address(who)
        entry = getattr(money, act)(at.desk, key, name, account, asset, number, evidence)
        said = _DONE[act].format(who=at.who(account), money=notation.money(number, asset))
    show.result(
        as_json,
        {"account": account, "asset": asset, "amount": str(number), **receipt(entry)},
        f"{said} (entry {entry.index}).",
    )


@group.command("pay")
def pay(
    name: Name,
    account: Annotated[
        str | None, typer.Option(metavar="WHO", help="Pay one account only.")
    ] = None,
    asset: Annotated[
        str | None, typer.Option(help="In which asset, where there are several.")
    ] = None,
    amount: Annotated[int | None, typer.Option(min=1, help="Not all, but so much.")] = None,
    evidence: Evidence = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be paid.")
    ] = False,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Enter payments: of everything that is payable, or to one account.

    Example: danseo challenge pay example --evidence "bank transfer 81"
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core.errors import Usage
    from danseo.flows import money, notation

    if account is None and amount is not None:
        raise Usage("--amount says how much, but not to whom.", "Add --account WHO.")
    with here(home, key, lang) as at:
        assets = sorted(at.desk.challenge(name).received)
        if account is None:
            due = [p for p in money.due(at.desk, name) if asset in (None, p.asset)]
        else:
            if asset is None and len(assets) != 1:
                raise Usage(f"{name} has received {assets}.", "Say --asset.")
            who = at.address(account)
            due = [money.payment_to(at.desk, name, who, asset or assets[0], amount)]
        entries: list[int | None] = [None] * len(due)
        if due and not dry_run:
            signer = at.key(at.desk.challenge(name).organiser)
            entries = [money.pay(at.desk, signer, name, p, evidence).index for p in due]
        rows = [
            (at.who(p.account), at.who(p.to), notation.money(p.amount, p.asset), e or "-")
            for p, e in zip(due, entries, strict=True)
        ]
    show.result(
        as_json,
        [
            {
                "account": p.account,
                "to": p.to,
                "asset": p.asset,
                "amount": str(p.amount),
                "entry": e,
            }
            for p, e in zip(due, entries, strict=True)
        ],
        show.table("Would pay" if dry_run else "Paid", ("Account", "To", "Amount>", "Entry>"), rows)
        if due
        else "Nothing is payable now.",
    )


@group.command("list")
def list_challenges(home: Home = None, as_json: Json = False) -> None:
    """List the challenges of this log.

    Example: danseo challenge list
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core.challenge import phase
    from danseo.flows import notation

    with here(home) as at:
        now = at.desk.now
        found: list[dict[str, Any]] = [
            {
                "challenge": c.id,
                "phase": phase(c, now),
                "deadline": c.terms.deadline,
                "clues": len(c.clues),
                "received": {asset: str(n) for asset, n in sorted(c.received.items())},
            }
            for c in at.desk.state.challenges.values()
        ]
    show.result(
        as_json,
        found,
        show.table(
            "",
            ("Challenge", "Phase", "Deadline", "Clues>", "Received>"),
            [
                (
                    c["challenge"],
                    c["phase"],
                    notation.instant(c["deadline"]),
                    c["clues"],
                    ", ".join(notation.money(int(n), a) for a, n in c["received"].items()),
                )
                for c in found
            ],
        ),
    )


@group.command("show")
def show_challenge(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Show where a challenge stands, and what can be done next, by whom.

    Example: danseo challenge show example
    """
    from danseo.cli import overview, show
    from danseo.cli.here import here

    with here(home) as at:
        found = overview.found(at, name)
        parts = [] if as_json else overview.parts(at, found)
    show.result(as_json, found, *parts)


@group.command("close")
def close(
    name: Name, home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False
) -> None:
    """End a settled challenge after its last jury round; what is left goes where it said.

    Example: danseo challenge close example
    """
    from danseo.flows import settling

    _end(lambda at, signer: settling.close(at.desk, signer, name), name, (home, key, lang), as_json)


@group.command("cancel")
def cancel(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; this is published.")],
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Call a challenge off before the first clue; the pool goes back.

    Example: danseo challenge cancel example --reason "The data was wrong."
    """
    from danseo.flows import opening

    def act(at: Here, signer: Key) -> Appended:
        return opening.cancel(at.desk, signer, name, reason)

    _end(act, name, (home, key, lang), as_json)


def _end(
    act: Callable[[Here, Key], Appended],
    name: str,
    options: tuple[str | None, str | None, str | None],
    as_json: bool,
) -> None:
    from danseo.cli import show
    from danseo.cli.here import here, receipt

    with here(*options) as at:
        entry = act(at, at.key(at.desk.challenge(name).organiser))
        status = at.desk.challenge(name).status
    show.result(
        as_json,
        {"challenge": name, "status": status, **receipt(entry)},
        f"{name} is {status} by entry {entry.index}.",
    )


@group.command("data")
def data(name: Name, out: OutFolder, home: Home = None, as_json: Json = False) -> None:
    """Save a challenge's public files, each checked against its hash.

    Example: danseo challenge data example --out data
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.flows import opening, reading

    with here(home) as at:
        files = opening.about(at.desk.blobs, at.desk.challenge(name)).files
        saved = reading.save(at.desk.blobs, files, out)
    show.result(
        as_json,
        [{"file": str(path), "sha256": h} for path, h in zip(saved, files.values(), strict=True)],
        *(f"Saved {path}" for path in saved),
    )
