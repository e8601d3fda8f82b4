"""The DAO of a challenge: propose, vote, queue, execute; delegate; the guardian's own way."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from danseo.cli.options import As, Home, Json, Name, Unsigned, Who

group = typer.Typer(help="Govern a challenge: holders of its coin decide.", no_args_is_help=True)

Which = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help="Its number as `dao show` lists it, or its id.")
]
Words = Annotated[
    list[str],
    typer.Argument(metavar="ACTION", help="What to do, as in: veto 12. `dao actions` lists them."),
]


@group.command("actions")
def actions(as_json: Json = False) -> None:
    """List what can be proposed by name, and what each action takes.

    Example: danseo dao actions
    """
    from danseo.cli import show
    from danseo.flows import governing

    rows = list(governing.ACTIONS.items())
    show.result(as_json, dict(rows), show.table("", ("Action", "Takes"), rows))


@group.command("show")
def show_dao(
    name: Name,
    which: Annotated[
        str | None, typer.Argument(metavar="PROPOSAL", help="One proposal, in full.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show the rules of the DAO, who holds votes, and every proposal with its state.

    Example: danseo dao show example
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet
    from danseo.flows import governing

    with wallet(home) as w:
        contracts = w.contracts(name)
        if which is not None:
            one = governing.find(w.client, contracts, which)
            show.result(as_json, _proposal(one), *_lines(w.at, name, one))
            return
        rules = governing.rules(w.client, contracts)
        proposals = governing.proposals(w.client, contracts)
        guarded = governing.guarded(w.client, contracts)
        holders = governing.voters(w.client, contracts)
        who = w.at.who
        parts = [
            _rules(rules),
            show.table(
                "Votes", ("Who", "Votes>"), [(who(a), _units(n)) for a, n in holders.items()]
            )
            if holders
            else "Nobody holds votes yet: coin is minted when its owner is paid.",
            show.table(
                "Proposals",
                ("No>", "State", "For>", "Against>", "Abstain>", "Does", "Why"),
                [
                    (p.number, p.state, _units(p.votes_for), _units(p.votes_against),
                     _units(p.votes_abstain), w.at.people(p.does), p.why)
                    for p in proposals
                ],
            )
            if proposals
            else f"Nothing is proposed. `danseo dao actions` lists what can be: "
            f"danseo dao propose {name} ACTION --why TEXT",
            *(f"Proposal {p.number}: {said}" for p in proposals if (said := _then(name, p))),
        ]  # fmt: skip
        if guarded:
            rows = [(g.number, g.status, w.at.people(g.does)) for g in guarded]
            parts.append(show.table("By the guardian", ("No>", "State", "Does"), rows))
    found = {
        "rules": {
            name: value if isinstance(value := getattr(rules, name), bool) else str(value)
            for name in rules.__dataclass_fields__
        },
        "votes": {a: str(n) for a, n in holders.items()},
        "proposals": [_proposal(p) for p in proposals],
        "guarded": [_guarded(g) for g in guarded],
    }
    show.result(as_json, found, *parts)


@group.command("propose")
def propose(
    name: Name,
    words: Words,
    why: Annotated[str, typer.Option(help="Why; this is published with the proposal.")],
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Propose something by name. Voting begins after the voting delay.

    Example: danseo dao propose example veto 41 --why "It pays a copy." --key contributor-1
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import governing, notation, payouts

    with wallet(home, key, unsigned=unsigned) as w:
        contracts = w.contracts(name)
        act = governing.action(contracts, words, w.at.address)
        if words[0] == "veto":  # a slip in the size would cost a vote and strike nothing
            payouts.standing(w.at.desk, w.client, name, int(words[1]))
        w.do(governing.propose(contracts, w.address, act, why))
        if unsigned:
            w.tell(as_json, {})
            return
        one = governing.proposals(w.client, contracts)[-1]
    w.tell(
        as_json,
        _proposal(one),
        f"Proposal {one.number}: {one.does}. Votes count from "
        f"{notation.instant(one.votes_from)} until {notation.instant(one.votes_until)}.",
        f"Then: danseo dao vote {name} {one.number} for",
    )


@group.command("vote")
def vote(
    name: Name,
    which: Which,
    how: Annotated[str, typer.Argument(metavar="for|against|abstain", help="Your vote.")],
    reason: Annotated[str, typer.Option(help="Why; this is published.")] = "",
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Vote on a proposal, with the votes that you held when voting began.

    Example: danseo dao vote example 1 for --reason "I recomputed it." --key contributor-1
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import governing

    with wallet(home, key, unsigned=unsigned) as w:
        contracts = w.contracts(name)
        one = governing.find(w.client, contracts, which)
        w.do(governing.vote(contracts, one, how, reason))
        one = governing.find(w.client, contracts, str(one.id))
    w.tell(
        as_json,
        _proposal(one),
        f"Voted {how} on proposal {one.number}: {_units(one.votes_for)} for, "
        f"{_units(one.votes_against)} against; {_units(one.quorum)} are needed.",
    )


@group.command("queue")
def queue(
    name: Name,
    which: Which,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Queue a proposal that won, so that the timelock's delay begins. Anyone may.

    Example: danseo dao queue example 1 --key contributor-1
    """
    from danseo.flows import notation

    _advance("queue", name, which, unsigned, (home, key), as_json, lambda one: (
        f"Proposal {one.number} can be executed from {notation.instant(one.ready)}."
    ))  # fmt: skip


@group.command("execute")
def execute(
    name: Name,
    which: Which,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Execute a queued proposal once its delay is over. Anyone may.

    Example: danseo dao execute example 1 --key contributor-1
    """
    _advance("execute", name, which, unsigned, (home, key), as_json, lambda one: (
        f"Executed proposal {one.number}: {one.does}. The log reads it: danseo chain observe {name}"
    ))  # fmt: skip


@group.command("cancel")
def cancel(
    name: Name,
    which: Which,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Take your own proposal back before voting begins.

    Example: danseo dao cancel example 1 --key contributor-1
    """
    _advance("cancel", name, which, unsigned, (home, key), as_json, lambda one: (
        f"Proposal {one.number} is cancelled."
    ))  # fmt: skip


def _advance(
    function: str,
    name: str,
    which: str,
    unsigned: bool,
    options: tuple[str | None, str | None],
    as_json: bool,
    say: Any,
) -> None:
    from danseo.cli.wallet import wallet
    from danseo.flows import governing

    home, key = options
    with wallet(home, key, unsigned=unsigned) as w:
        contracts = w.contracts(name)
        one = governing.find(w.client, contracts, which)
        w.do(governing.act_on(contracts, one, function))
        one = governing.find(w.client, contracts, str(one.id))
    w.tell(as_json, _proposal(one), say(one))


@group.command("delegate")
def delegate(
    name: Name,
    who: Who,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Let somebody else vote with your coin; name yourself to take that back.

    Example: danseo dao delegate example contributor-2 --key contributor-1
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import governing

    with wallet(home, key, unsigned=unsigned) as w:
        to = w.at.address(who)
        w.do(governing.delegate(w.contracts(name), to))
        said = w.at.who(to)
    w.tell(as_json, {"to": to}, f"{said} votes with your coin.")


@group.command("guard")
def guard(
    name: Name,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="ACTION", help="What to schedule, as in: veto 12."),
    ] = None,
    execute_one: Annotated[
        str | None, typer.Option("--execute", metavar="NO", help="Execute one. Anyone may.")
    ] = None,
    cancel_one: Annotated[
        str | None, typer.Option("--cancel", metavar="NO", help="Take one back.")
    ] = None,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Schedule, execute or take back what the guardian does while little coin is minted.

    Example: danseo dao guard example decide "The data has moved." --key guardian
    """
    from danseo.cli.wallet import wallet
    from danseo.core.errors import Usage
    from danseo.flows import governing, notation

    if sum(map(bool, (words, execute_one, cancel_one))) != 1:
        raise Usage(
            "What the guardian does was not said.",
            "Name an action, as in `veto 12`, or say --execute NO or --cancel NO.",
        )
    with wallet(home, key, unsigned=unsigned) as w:
        contracts = w.contracts(name)
        known = governing.guarded(w.client, contracts)
        if words:
            act = governing.action(contracts, words, w.at.address)
            salt = len(known).to_bytes(32, "big")
            w.do(governing.guard(contracts, act, salt))
            number = str(len(known) + 1)
        else:
            number = execute_one or cancel_one or ""
            one = governing.find_guarded(known, number)
            make = governing.execute_guarded if execute_one else governing.unguard
            w.do(make(contracts, one))
        if unsigned:
            w.tell(as_json, {})
            return
        one = governing.find_guarded(governing.guarded(w.client, contracts), number)
    then = f", from {notation.instant(one.ready)} on" if one.ready else ""
    w.tell(as_json, _guarded(one), f"{one.number}: {one.does} ({one.status}{then}).")


def _units(amount: int) -> str:
    """Return an amount of coin in units, to hundredths."""
    hundredths = amount // 10**16
    return f"{hundredths // 100:,}.{hundredths % 100:02d}".removesuffix(".00")


def _proposal(one: Any) -> dict[str, Any]:
    return {
        "number": one.number,
        "id": str(one.id),
        "state": one.state,
        "proposer": one.proposer,
        "does": one.does,
        "why": one.why,
        "for": str(one.votes_for),
        "against": str(one.votes_against),
        "abstain": str(one.votes_abstain),
        "quorum": str(one.quorum),
        "votes_from": one.votes_from,
        "votes_until": one.votes_until,
        "ready": one.ready,
    }


def _guarded(one: Any) -> dict[str, Any]:
    return {
        "number": one.number,
        "operation": f"0x{one.operation.hex()}",
        "does": one.does,
        "status": one.status,
        "ready": one.ready,
    }


def _lines(at: Any, name: str, one: Any) -> list[str]:
    from danseo.flows.notation import instant

    return [
        f"Proposal {one.number} of {name} by {at.who(one.proposer)}: {one.state}",
        f"  does      {at.people(one.does)}",
        f"  why       {one.why}",
        f"  votes     {_units(one.votes_for)} for, {_units(one.votes_against)} against, "
        f"{_units(one.votes_abstain)} abstain; {_units(one.quorum)} for or abstain are needed",
        f"  voting    from {instant(one.votes_from)} until {instant(one.votes_until)}",
        *([f"  execute   from {instant(one.ready)}"] if one.ready else []),
        f"  id        {one.id}",
        *([f"  next      {said}"] if (said := _then(name, one)) else []),
    ]


def _then(name: str, one: Any) -> str:
    """Return what comes next for a proposal, and when; empty where nothing does."""
    from danseo.flows.notation import instant

    run = f"danseo dao {{}} {name} {one.number}"
    return {
        "pending": f"from {instant(one.votes_from)}: {run.format('vote')} for",
        "active": f"until {instant(one.votes_until)}: {run.format('vote')} for",
        "succeeded": run.format("queue"),
        "queued": f"from {instant(one.ready)}: {run.format('execute')}",
    }.get(one.state, "")


def _rules(rules: Any) -> str:
    from danseo.flows.notation import instant

    guardian = f"serves until {instant(rules.guardian_term)} at most"
    return (
        f"Proposing takes {_units(rules.threshold)} votes, a quorum {_units(rules.quorum)}; "
        f"{_units(rules.minted)} are minted. Voting begins after {_span(rules.voting_delay)} and "
        f"lasts {_span(rules.voting_period)}; execution waits {_span(rules.timelock_delay)}. "
        f"The guardian {guardian if rules.guarded else 'serves no more'}."
    )


def _span(seconds: int) -> str:
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {name}{'s' * (seconds != size)}"
    return f"{seconds} seconds"
