"""Clues: commit, reveal, look, reproduce, take back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from danseo.cli.options import As, Cites, ClueId, Home, Json, Lang, Name

if TYPE_CHECKING:
    from danseo.flows.acting import Desk
    from danseo.flows.clues import Making, Published
    from danseo.log.sequencer import Appended
    from danseo.log.signing import Key

group = typer.Typer(help="Publish clues, and read those of others.", no_args_is_help=True)

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="What counts: the prediction, the tool, the data.")
]
Title = Annotated[str, typer.Option(help="One line that says what it is.")]
Description = Annotated[
    str, typer.Option(metavar="TEXT|@FILE", help="What you did and found; @FILE reads a file.")
]
Form = Annotated[
    str | None,
    typer.Option(help="predictions, method, tool, data or finding [by whether --script is given]."),
]
Licence = Annotated[str, typer.Option(help="Under which anyone may use it (SPDX).")]
Script = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A Python file that makes FILE anew: it is a method."),
]
Require = Annotated[
    list[str] | None, typer.Option(metavar="PIN", help="A package of the script: numpy==2.4.0.")
]
EntryPoint = Annotated[str, typer.Option("--entry", help="The script's function (data, out).")]
Seconds = Annotated[int, typer.Option(min=1, help="How long the script may run.")]
More = Annotated[
    list[Path] | None, typer.Option("--file", metavar="MORE", help="A further file to publish.")
]
Payees = Annotated[
    list[str] | None,
    typer.Option("--payee", metavar="WHO:PARTS", help="Who is paid, in what part of the parts."),
]


@group.command("publish")
def publish(
    name: Name,
    file: File,
    title: Title,
    description: Description = "",
    form: Form = None,
    licence: Licence = "CC-BY-4.0",
    cite: Cites = None,
    script: Script = None,
    require: Require = None,
    entry: EntryPoint = "main",
    seconds: Seconds = 600,
    more: More = None,
    payee: Payees = None,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Publish a clue: commit to it, and reveal it at once.

    Example: danseo clue publish example guess-1.csv --title "Even numbers have two" --key me
    """
    from danseo.flows import clues

    made = _making(file, title, description, form, licence, script, require, entry, seconds, more)
    _hand_in(clues.publish, name, made, cite, payee, (home, key, lang), as_json)


@group.command("commit")
def commit(
    name: Name,
    file: File,
    title: Title,
    description: Description = "",
    form: Form = None,
    licence: Licence = "CC-BY-4.0",
    cite: Cites = None,
    script: Script = None,
    require: Require = None,
    entry: EntryPoint = "main",
    seconds: Seconds = 600,
    more: More = None,
    payee: Payees = None,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Commit to a clue without showing it: its place in the order is fixed. Reveal it in time.

    Example: danseo clue commit example guess-1.csv --title "Even numbers have two" --key me
    """
    from danseo.flows import clues

    made = _making(file, title, description, form, licence, script, require, entry, seconds, more)
    _hand_in(clues.commit, name, made, cite, payee, (home, key, lang), as_json)


def _making(
    file: Path,
    title: str,
    description: str,
    form: str | None,
    licence: str,
    script: Path | None,
    require: list[str] | None,
    entry: str,
    seconds: int,
    more: list[Path] | None,
) -> Making:
    from danseo.core.errors import Usage
    from danseo.flows.clues import Making

    if description.startswith("@"):
        path = Path(description[1:])
        try:
            description = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise Usage(f"There is no text in {path}.", "Give a file in UTF-8.") from None
    return Making(
        title=title,
        description=description,
        form=form or ("method" if script else "predictions"),
        licence=licence,
        main=file,
        more=tuple(more or ()),
        script=script,
        entry=entry,
        requirements=tuple(require or ()),
        seconds=seconds,
    )


def _hand_in(
    act: Callable[..., Published],
    name: str,
    making: Making,
    cite: list[str] | None,
    payee: list[str] | None,
    options: tuple[str | None, str | None, str | None],
    as_json: bool,
) -> None:
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import clues, notation

    with here(*options) as at:
        cites = clues.citations(cite or ())
        payees = clues.payees(payee or (), at.address)
        done = act(at.desk, at.key(), name, making, cites, payees)
        until = done.commit.time + at.desk.challenge(name).terms.reveal_window
    shown = (
        f"Published clue {done.clue} of {name} (revealed by entry {done.reveal.index})."
        if done.reveal
        else f"Committed to clue {done.clue} of {name}. "
        f"Reveal it before {notation.instant(until)}: danseo clue reveal {name} {done.clue}"
    )
    show.result(
        as_json,
        {
            "clue": done.clue,
            "commit": receipt(done.commit),
            "reveal": receipt(done.reveal) if done.reveal else None,
        },
        shown,
    )


@group.command("reveal")
def reveal(
    name: Name,
    clue_id: ClueId,
    cite: Cites = None,
    no_cites: Annotated[
        bool, typer.Option("--no-cites", help="Cite nothing, whatever was planned.")
    ] = False,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Publish a clue that you committed to. Your bond comes back.

    With --cite it cites other clues than was planned at the commitment.

    Example: danseo clue reveal example 21 --key contributor-1
    """
    from danseo.flows import clues

    cites = clues.citations(cite or ()) if cite or no_cites else None

    def act(desk: Desk, signer: Key, challenge: str, clue: int) -> Appended:
        return clues.reveal(desk, signer, challenge, clue, cites)

    _act(act, "Revealed", name, clue_id, (home, key, lang), as_json)


@group.command("retract")
def retract(
    name: Name,
    clue_id: ClueId,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Take a clue back before it is final. It stays readable, and earns nothing.

    Example: danseo clue retract example 21 --key contributor-1
    """
    from danseo.flows import clues

    _act(clues.retract, "Retracted", name, clue_id, (home, key, lang), as_json)


def _act(
    act: Callable[[Desk, Key, str, int], Appended],
    word: str,
    name: str,
    clue_id: int,
    options: tuple[str | None, str | None, str | None],
    as_json: bool,
) -> None:
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import clues

    with here(*options) as at:
        author = clues.find(at.desk, name, clue_id).author
        entry = act(at.desk, at.key(author), name, clue_id)
    show.result(
        as_json,
        {"clue": clue_id, **receipt(entry)},
        f"{word} clue {clue_id} of {name} by entry {entry.index}.",
    )


@group.command("accept")
def accept(
    name: Name,
    read: Annotated[bool, typer.Option("--read", help="Only show the rules.")] = False,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Accept a challenge's rules and licence, once, before your first clue.

    Example: danseo clue accept example --key contributor-1
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import opening

    with here(home, key, lang) as at:
        challenge = at.desk.challenge(name)
        text = opening.rules(at.desk.blobs, challenge)
        entry = None if read else opening.accept_rules(at.desk, at.key(), name)
    show.result(
        as_json,
        {"rules": challenge.terms.rules, "text": text, **(receipt(entry) if entry else {})},
        text.rstrip(),
        *([f"Accepted by entry {entry.index}."] if entry else []),
    )


@group.command("show")
def show_clue(
    name: Name,
    clue_id: ClueId,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Save its files to this folder.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show everything about a clue: what it says, how it was scored, what it cites and earns.

    Example: danseo clue show example 21 --out clue-21
    """
    from danseo import app as wiring
    from danseo.cli import dossier, show
    from danseo.cli.here import here
    from danseo.flows import reading

    with here(home) as at, wiring.source(at.settings) as source:
        found = dossier.found(at, source, name, clue_id)
        saved = reading.save(at.desk.blobs, found["files"], out) if out else []
        parts = [] if as_json else dossier.parts(at, found)
    show.result(as_json, found, *parts, *(f"Saved {path}" for path in saved))


@group.command("reproduce")
def reproduce(name: Name, clue_id: ClueId, home: Home = None, as_json: Json = False) -> None:
    """Rerun a published method in the sandbox and compare. Anyone can; it sets nobody's pay.

    Example: danseo clue reproduce example 21
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core.curve import BILLION
    from danseo.flows import judging, notation
    from danseo.flows.notation import decimal

    with here(home) as at, show.working(f"rerunning the method of clue {clue_id}"):
        done = judging.reproduce(at.desk, name, clue_id, at.settings.method_cache)
    show.result(
        as_json,
        {
            "clue": clue_id,
            "identical": done.identical,
            "differing": decimal(done.differing),
            "seconds": f"{done.seconds:.3f}",
        },
        f"Clue {clue_id} reproduces its prediction exactly, in {done.seconds:.1f} s."
        if done.identical
        else f"Clue {clue_id} gives another prediction: "
        f"{notation.percent(done.differing, BILLION)} of its elements differ "
        f"({done.seconds:.1f} s).",
    )
