"""The prize pool on chain: fund it, publish what it owes, check it, dispute it, pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from danseo.cli.options import As, Home, Json, Lang, Money, Name, Unsigned, Who

group = typer.Typer(
    help="Fund a challenge's pool, and pay from it what the log owes.", no_args_is_help=True
)

Size = Annotated[
    int, typer.Argument(metavar="SIZE", help="The log's size that the payout root is of.")
]


@group.command("show")
def show_pool(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Show what the pool holds, owes and has paid, by which transactions, and every root.

    Example: danseo pool show example
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet
    from danseo.core.words import money
    from danseo.flows import payouts
    from danseo.flows.notation import short_money

    with wallet(home) as w:
        challenge = w.challenge(name)
        purses, coin = payouts.purses(w.client, challenge), challenge.coin_symbol
        roots = payouts.check_roots(w.at.desk, w.client, name)
        dues = payouts.dues(w.client, w.at.desk.state, challenge)
        paid = payouts.payments(w.client, challenge)
        paid_rows = [
            (w.at.who(p.account), short_money(p.amount, p.asset), p.block, f"0x{p.tx}")
            for p in paid
        ]
        due_rows = [(d.how, w.at.who(d.account), money(d.amount, d.asset)) for d in dues]
        root_rows = [_root_row(w.at.who, one) for one in roots]
    waits = any(one.right and not one.active for one in roots)
    found = {
        "assets": [
            {
                "asset": p.asset,
                **({"minted": str(p.holds)} if p.asset == coin else {"holds": str(p.holds)}),
                "received": str(p.received),
                "declared": str(p.declared),
                "claimed": str(p.claimed),
            }
            for p in purses
        ],
        "roots": [_root(one) for one in roots],
        "due": [
            {"how": d.how, "account": d.account, "asset": d.asset, "amount": str(d.amount)}
            for d in dues
        ],
        "paid": [
            {
                "account": p.account,
                "asset": p.asset,
                "amount": str(p.amount),
                "block": p.block,
                "tx": p.tx,
            }
            for p in paid
        ],
    }
    rows = [
        [money(n, p.asset) for n in (p.holds, p.received, p.declared, p.claimed)]
        for p in purses
        if p.asset != coin
    ]
    minted = [
        f"Of the coin {short_money(p.declared, p.asset)} are declared and "
        f"{short_money(p.holds, p.asset)} minted; a claim mints it."
        for p in purses
        if p.asset == coin
    ]
    show.result(
        as_json,
        found,
        show.table(f"The pool of {name}", ("Holds>", "Received>", "Declared>", "Claimed>"), rows),
        *minted,
        show.table("Roots", ("Size>", "State", "Right", "By", "In effect from"), root_rows)
        if root_rows
        else f"No payout root stands yet. To declare and publish one: danseo pool run {name}",
        *(
            [show.table("Paid", ("To", "Amount>", "Block>", "Transaction"), paid_rows)]
            if paid
            else []
        ),
        show.table("Due by the root in effect", ("How", "Who", "Amount>"), due_rows)
        if dues
        else "Nothing is due by the root in effect.",
        *_alarms(name, roots),
        *([f"A root waits; when its time has come: danseo pool run {name}"] if waits else []),
    )


def _root(one: Any) -> dict[str, Any]:
    return {
        "size": one.size,
        "root": one.root,
        "right": one.right,
        "in_effect": one.active,
        "publisher": one.publisher,
        "disputer": one.disputer,
        "effective_at": one.effective_at,
    }


def _alarms(name: str, roots: list[Any]) -> list[str]:
    """Return what to do about each false root."""
    said = []
    for one in roots:
        if not one.right:
            disputes = (
                "" if one.active or one.disputer else f"danseo pool dispute {name} {one.size}, "
            )
            said.append(
                f"The root of size {one.size} is FALSE. To strike it: {disputes}then "
                f"danseo dao propose {name} veto {one.size}; the guardian: "
                f"danseo pool veto {name} {one.size}"
            )
    return said


def _root_row(who: Callable[[str], str], one: Any) -> tuple[object, ...]:
    from danseo.flows.notation import instant

    state = "in effect" if one.active else "disputed" if one.disputer else "waits"
    when = "" if one.active else instant(one.effective_at)
    return one.size, state, "yes" if one.right else "FALSE", who(one.publisher), when


@group.command("fund")
def fund(
    name: Name,
    amount: Money,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Give money to the pool. Nobody can take it out but those whom the log owes it.

    Example: danseo pool fund example "50 ETH" --key donor-1
    """
    from danseo.cli.wallet import wallet
    from danseo.core.words import money
    from danseo.flows import payouts

    with wallet(home, key, unsigned=unsigned) as w:
        challenge = w.challenge(name)
        asset, number = payouts.read_amount(challenge, amount)
        w.do(*payouts.fund(w.client, challenge, w.address, asset, number))
    w.tell(
        as_json,
        {"asset": asset, "amount": str(number)},
        f"Gave {money(number, asset)} to the pool of {name}.",
        f"The log books it: danseo chain observe {name}",
    )


@group.command("run")
def run(
    name: Name, home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False
) -> None:
    """Do all that can be done now: report, declare, publish, put into effect, pay. Anyone may.

    Run it as often as you like, also after it was cut short: nobody is paid twice.

    Example: danseo pool run example
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet
    from danseo.flows import payouts

    with wallet(home, key, lang) as w, show.working("paying what is owed"):
        said = payouts.carry_on(w.at.desk, w.client, w.key, name)
        lines = [w.at.people(line) for line in said]
    show.result(as_json, {"done": said}, *(lines or ["Nothing is to be done."]))


@group.command("declare")
def declare(
    name: Name, home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False
) -> None:
    """Make payable in the log what the challenge owes now. Anyone may.

    Example: danseo pool declare example
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import payouts

    with here(home, key, lang) as at:
        entry = payouts.declare(at.desk, at.key(at.desk.state.operator), name)
    size = entry.index + 1
    show.result(
        as_json,
        {"size": size, **receipt(entry)},
        f"Declared the payout of size {size}. Its root: danseo pool publish {name}",
    )


@group.command("publish")
def publish(
    name: Name, unsigned: Unsigned = False, home: Home = None, key: As = None, as_json: Json = False
) -> None:
    """Publish the root of the newest declared payout, with a bond that comes back. Anyone may.

    Example: danseo pool publish example
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import payouts

    with wallet(home, key, unsigned=unsigned) as w:
        call = payouts.publish(w.at.desk, w.client, name)
        w.do(call)
    size, _, root = call.args
    w.tell(
        as_json,
        {"size": size, "root": root.hex()},
        f"Published the root of size {size}. Whoever finds it false can have it vetoed in its "
        f"window; then: danseo pool activate {name}",
    )


@group.command("check")
def check(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Compare every payout root on chain with what the log gives; fail where one is false.

    Example: danseo pool check example
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet
    from danseo.core.errors import Invalid
    from danseo.flows import payouts

    with wallet(home) as w:
        roots = payouts.check_roots(w.at.desk, w.client, name)
        rows = [_root_row(w.at.who, one) for one in roots]
    show.result(
        as_json,
        [_root(one) for one in roots],
        show.table("", ("Size>", "State", "Right", "By", "In effect from"), rows)
        if roots
        else f"No payout root of {name} is on the chain.",
        *_alarms(name, roots),
    )
    if not all(one.right for one in roots):
        raise typer.Exit(Invalid.status)


@group.command("dispute")
def dispute(
    name: Name,
    size: Size,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Put a bond down against a false root: if it is vetoed, half its publisher's bond is yours.

    Example: danseo pool dispute example 41 --key contributor-1
    """
    from danseo.flows import payouts

    def call(w: Any) -> Any:
        return payouts.dispute(w.at.desk, w.client, name, size)

    then = f"Disputed the root of size {size}. Now it must be vetoed: danseo dao propose {name} "
    _act(call, (home, key, unsigned), as_json, size, f"{then}veto {size}")


@group.command("veto")
def veto(
    name: Name,
    size: Size,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Strike a false root as the guardian, while little coin is minted.

    Example: danseo pool veto example 41 --key guardian
    """
    from danseo.flows import payouts

    def call(w: Any) -> Any:
        return payouts.veto(w.at.desk, w.client, name, size)

    said = f"The root of size {size} is struck; the size is free for a right one."
    _act(call, (home, key, unsigned), as_json, size, said)


@group.command("activate")
def activate(
    name: Name,
    size: Annotated[
        int | None, typer.Argument(metavar="SIZE", help="Of which size [the greatest].")
    ] = None,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Put a right root into effect whose window is over; its bond goes back. Anyone may.

    Example: danseo pool activate example
    """
    from danseo.flows import payouts

    def call(w: Any) -> Any:
        return payouts.activate(w.at.desk, w.client, name, size)

    said = f"The root is in effect. Everyone can be paid: danseo pool pay {name}"
    _act(call, (home, key, unsigned), as_json, size, said)


def _act(
    call: Callable[[Any], Any],
    options: tuple[str | None, str | None, bool],
    as_json: bool,
    size: int | None,
    said: str,
) -> None:
    from danseo.cli.wallet import wallet

    home, key, unsigned = options
    with wallet(home, key, unsigned=unsigned) as w:
        made = call(w)
        w.do(made)
    w.tell(as_json, {"size": made.args[0] if size is None else size}, said)


@group.command("claim")
def claim(
    name: Name,
    who: Annotated[
        str | None, typer.Option("--for", metavar="WHO", help="For whom [the key's owner].")
    ] = None,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Pay one account what the root in effect gives it. Anyone may, for anyone.

    Example: danseo pool claim example --for contributor-1
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import payouts

    with wallet(home, key, unsigned=unsigned) as w:
        account = w.at.address(who) if who else w.at.desk.state.identity(w.address)
        w.do(*payouts.claim(w.client, w.at.desk.state, w.challenge(name), account))
        said = f"{w.at.who(account)} has what the root in effect gives."
    w.tell(as_json, {"account": account}, said)


@group.command("pay")
def pay(
    name: Name, unsigned: Unsigned = False, home: Home = None, key: As = None, as_json: Json = False
) -> None:
    """Pay everyone what the root in effect gives and they have not had, in batches. Anyone may.

    Example: danseo pool pay example
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import payouts

    with wallet(home, key, unsigned=unsigned) as w:
        state, challenge = w.at.desk.state, w.challenge(name)
        due = payouts.dues(w.client, state, challenge)
        w.do(*payouts.pay(w.client, state, challenge))
        left = payouts.dues(w.client, state, challenge)
    w.tell(
        as_json,
        {"due": len(due), "left": len(left)},
        f"Paid {len(due) - len(left)} of {len(due)} amounts that were due."
        if due
        else "Nothing is due by the root in effect.",
    )


@group.command("hold")
def hold(
    name: Name,
    who: Who,
    reason: Annotated[str, typer.Option(help="Why; this is published.")],
    evidence: Annotated[
        str, typer.Option(metavar="TEXT", help="What is known outside: only a salted hash is kept.")
    ] = "",
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Hold payouts to an account back for a stated time, while a check goes on outside.

    Example: danseo pool hold example contributor-1 --reason "Tax form is missing."
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import payouts
    from danseo.flows.notation import instant

    with here(home, key, lang) as at:
        account = at.address(who)
        salt, digest = payouts.salted(evidence)
        signer = at.key(at.desk.challenge(name).organiser)
        entry = payouts.hold(at.desk, signer, name, account, reason, digest)
        until, said = at.desk.challenge(name).holds[account].until, at.who(account)
    show.result(
        as_json,
        {"account": account, "until": until, "salt": salt, "evidence": digest, **receipt(entry)},
        f"Payouts to {said} are held until {instant(until)} by entry {entry.index}.",
        "What was declared before is paid all the same.",
        f"Keep the salt with your evidence: {salt}",
    )


@group.command("free")
def free(
    name: Name,
    who: Who,
    evidence: Annotated[
        str, typer.Option(metavar="TEXT", help="What is known outside: only a salted hash is kept.")
    ] = "",
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Let payouts to an account go on.

    Example: danseo pool free example contributor-1
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import payouts

    with here(home, key, lang) as at:
        account = at.address(who)
        salt, digest = payouts.salted(evidence)
        signer = at.key(at.desk.challenge(name).organiser)
        entry = payouts.free(at.desk, signer, name, account, digest)
        said = at.who(account)
    show.result(
        as_json,
        {"account": account, "salt": salt, "evidence": digest, **receipt(entry)},
        f"Payouts to {said} go on by entry {entry.index}.",
    )
