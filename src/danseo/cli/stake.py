"""Stakes and bonds that lie on chain: put down, taken out by the log's word, or slowly without."""

from __future__ import annotations

from typing import Annotated

import typer

from danseo.cli.options import As, Home, Json, Lang, Money, Name, Unsigned

group = typer.Typer(help="Put bonds and stakes down on chain, and out again.", no_args_is_help=True)

For = Annotated[
    str | None, typer.Option("--for", metavar="WHO", help="For whom [the key's owner].")
]


@group.command("deposit")
def deposit(
    name: Name,
    amount: Money,
    who: For = None,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Put money down for bonds or a stake. `danseo chain observe` then books it in the log.

    Example: danseo stake deposit example "2 ETH" --key scorer-1
    """
    from danseo.cli.wallet import wallet
    from danseo.core.errors import Usage
    from danseo.core.words import money
    from danseo.flows import payouts, staking

    with wallet(home, key, unsigned=unsigned) as w:
        challenge = w.challenge(name)
        asset, number = payouts.read_amount(challenge, amount)
        takes, _ = staking.asset_of(challenge)
        if asset != takes:
            raise Usage(f"Stakes of {name} are in {takes}, not in {asset}.", "Put that down.")
        account = w.at.address(who) if who else w.address
        state = w.at.desk.state
        w.do(*staking.deposit(w.client, state, challenge, w.address, account, number))
        said = f"Put {money(number, asset)} down for {w.at.who(account)}."
    w.tell(
        as_json,
        {"account": account, "asset": asset, "amount": str(number)},
        said,
        f"The log books it: danseo chain observe {name}",
    )


@group.command("show")
def show_stake(name: Name, home: Home = None, as_json: Json = False) -> None:
    """Show what lies in the stake contract, by account, beside what the log books.

    Example: danseo stake show example
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet
    from danseo.core import treasury
    from danseo.core.words import money
    from danseo.flows import notation, staking

    with wallet(home) as w:
        challenge = w.challenge(name)
        asset, _ = staking.asset_of(challenge)
        found, rows = [], []
        for account in staking.accounts(w.client, challenge):
            one = staking.held(w.client, challenge, account)
            free = treasury.balance(challenge, account, asset)
            found.append(
                {
                    "account": account,
                    "asset": asset,
                    "held": str(one.held),
                    "free": str(free),
                    "taken": str(one.taken),
                    "lost": str(one.lost),
                    "leaving": str(one.leaving),
                    "leaves_at": one.leaves_at,
                }
            )
            when = notation.instant(one.leaves_at) if one.leaving else "-"
            shown = [money(n, asset) for n in (one.held, free, one.taken, one.lost)]
            rows.append((w.at.who(account), *shown, when))
    columns = ("Who", "Held>", "Free in the log>", "Taken out>", "Lost>", "Leaves at")
    show.result(as_json, found, show.table(f"Stakes of {name}", columns, rows))


@group.command("release")
def release(
    name: Name,
    amount: Money,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Ask in the log for your free deposit; the next payout lets it out of the contract.

    Example: danseo stake release example "1 ETH" --key scorer-1
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.core.words import money
    from danseo.flows import payouts, staking

    with here(home, key, lang) as at:
        asset, number = payouts.read_amount(at.desk.challenge(name), amount)
        entry = staking.release(at.desk, at.key(), name, number)
    show.result(
        as_json,
        {"asset": asset, "amount": str(number), **receipt(entry)},
        f"Asked for {money(number, asset)} by entry {entry.index}. The payout that carries it: "
        f"danseo pool run {name}",
    )


@group.command("exit")
def leave(
    name: Name,
    amount: Money,
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Ask the contract itself for your stake, without the log's word: slow, but sure.

    Example: danseo stake exit example "1 ETH" --key scorer-1
    """
    from danseo.cli.wallet import wallet
    from danseo.core.errors import NotCovered
    from danseo.core.words import money
    from danseo.flows import notation, payouts, staking

    with wallet(home, key, unsigned=unsigned) as w:
        challenge = w.challenge(name)
        asset, number = payouts.read_amount(challenge, amount)
        has = staking.held(w.client, challenge, w.address).held
        if number > has:
            raise NotCovered(
                f"{w.address} has {money(has, asset)} in the stake contract, not "
                f"{money(number, asset)}.",
                f"Ask for less; `danseo stake show {name}` lists what everyone has.",
            )
        w.do(staking.leave(w.client, challenge, number))
        leaves_at = staking.held(w.client, challenge, w.address).leaves_at
    w.tell(
        as_json,
        {"asset": asset, "amount": str(number), "leaves_at": leaves_at},
        f"It can be withdrawn from {notation.instant(leaves_at)} on: danseo stake withdraw {name}",
    )


@group.command("withdraw")
def withdraw(
    name: Name, unsigned: Unsigned = False, home: Home = None, key: As = None, as_json: Json = False
) -> None:
    """Take out what you asked for with `stake exit`, once the wait is over.

    Example: danseo stake withdraw example --key scorer-1
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import staking

    with wallet(home, key, unsigned=unsigned) as w:
        w.do(staking.withdraw(w.client, w.challenge(name)))
    w.tell(as_json, {}, "Your stake is with you.")
