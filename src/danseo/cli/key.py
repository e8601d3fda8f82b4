"""People's keys: make, show, save, register, and let one succeed another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from danseo.cli.options import As, Home, Json, Lang, NoPassword

group = typer.Typer(help="Make and keep people's keys.", no_args_is_help=True)

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The key's name here.")]


@group.command("new")
def new(
    name: KeyName, no_password: NoPassword = False, home: Home = None, as_json: Json = False
) -> None:
    """Make a key, encrypted under a password.

    Example: danseo key new contributor-1
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.core.errors import Usage
    from danseo.log import keys
    from danseo.log.signing import checksummed

    settings = here.chosen(home)
    if name in keys.names(wiring.keyring(settings)):
        raise Usage(f"There is a key called {name!r} already.", "Choose another name.")
    password = here.new_password(settings, name, no_password)
    key = keys.create(wiring.keyring(settings), name, password)
    show.result(
        as_json,
        {"name": name, "address": key.address, "encrypted": password is not None},
        f"Made the key {name}: {checksummed(key.address)}",
        f"Keep a copy elsewhere: danseo key backup {name} FOLDER",
    )


@group.command("list")
def list_keys(home: Home = None, as_json: Json = False) -> None:
    """List the keys in this home.

    Example: danseo key list
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.log import keys
    from danseo.log.signing import checksummed

    folder = wiring.keyring(here.chosen(home))
    cards = [keys.show(folder, name) for name in keys.names(folder)]
    show.result(
        as_json,
        [{"name": c.name, "address": c.address, "encrypted": c.encrypted} for c in cards],
        show.table(
            "",
            ("Name", "Address", "Encrypted"),
            [(c.name, checksummed(c.address), "yes" if c.encrypted else "no") for c in cards],
        ),
    )


@group.command("show")
def show_key(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The key's name; or the chosen one.")
    ] = None,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Show a key's public side, and what it may do in the log. Never its secret.

    Example: danseo key show scorer-1
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.core.errors import Usage
    from danseo.log import keys
    from danseo.log.signing import checksummed

    settings = here.chosen(home, key)
    called = name or settings.key
    if not called:
        raise Usage("Which key is not clear.", "Name one; `danseo key list` lists them.")
    card = keys.show(wiring.keyring(settings), called)
    found: dict[str, Any] = {
        "name": card.name,
        "address": card.address,
        "sealing": card.sealing,
        "encrypted": card.encrypted,
        "rights": [],
    }
    if (settings.home / "host" / "journal").exists():
        with wiring.desk(settings) as desk:
            from danseo.flows import people

            found["rights"] = people.rights(desk, card.address, card.sealing)
    show.result(
        as_json,
        found,
        f"{card.name}: {checksummed(card.address)}",
        f"  sealing key {card.sealing}",
        f"  {'encrypted' if card.encrypted else 'not encrypted'}",
        *(f"  {line}" for line in found["rights"]),
    )


@group.command("backup")
def backup(
    name: KeyName,
    to: Annotated[Path, typer.Argument(metavar="TO", help="A new file, or a folder.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Copy a key's file elsewhere. An encrypted key stays encrypted.

    Example: danseo key backup operator /media/stick
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.log import keys

    saved = keys.backup(wiring.keyring(here.chosen(home)), name, to)
    show.result(as_json, {"name": name, "file": str(saved)}, f"Copied {name} to {saved}.")


@group.command("restore")
def restore(
    name: KeyName,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A backup, or a wallet's keyfile (version 3).")
    ],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take up a key from its backup, or from an Ethereum wallet's keyfile.

    Example: danseo key restore operator /media/stick/operator.json
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.log import keys
    from danseo.log.signing import checksummed

    settings = here.chosen(home)
    password = None
    if keys.is_encrypted(file, name):
        password = wiring.saved_password(settings) or here.ask_password(name)
    key = keys.restore(wiring.keyring(settings), name, file, password)
    show.result(
        as_json,
        {"name": name, "address": key.address},
        f"Restored the key {name}: {checksummed(key.address)}",
    )


@group.command("register")
def register(home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False) -> None:
    """Publish the key that others seal secrets to. Scorers and trustees need it.

    Example: danseo key register --key scorer-1
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import opening

    with here(home, key, lang) as at:
        entry = opening.register_sealing(at.desk, at.key())
    if entry is None:
        show.result(as_json, {"entry": None}, "It is registered already.")
        return
    show.result(as_json, receipt(entry), f"Registered by entry {entry.index}.")


@group.command("payout")
def payout(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where your money goes.")],
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Say where your money goes, apart from the key that signs.

    Example: danseo key payout 0x52908400098527886E0F7030069857D2E4169EE7 --key contributor-1
    """
    from danseo import app as wiring
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import people

    with here(home, key, lang) as at:
        to = wiring.address_of(at.settings, address)
        entry = people.set_payout(at.desk, at.key(), to)
        shown = at.who(to)
    show.result(
        as_json, {"to": to, **receipt(entry)}, f"From entry {entry.index} on, it goes to {shown}."
    )


@group.command("rotate")
def rotate(
    following: Annotated[
        str, typer.Argument(metavar="NEXT", help="The key that takes over: its name here.")
    ],
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Let another key take over: register it, and seven days later repeat the command.

    Example: danseo key rotate contributor-1-new --key contributor-1
    """
    from danseo import app as wiring
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import notation, people

    with here(home, key, lang) as at:
        done = people.rotate(
            at.desk,
            at.key,
            at.address(at.settings.key) if at.settings.key else at.key().address,
            wiring.address_of(at.settings, following),
            lambda: at.key_called(following),
        )
    show.result(
        as_json,
        {"rotated": done.rotated, "since": done.since, **receipt(done.entry)},
        f"{following} has taken over. Act with it from now on; the old key can do nothing more."
        if done.rotated
        else f"Registered {following}. Repeat this command after {notation.instant(done.since)}.",
    )
