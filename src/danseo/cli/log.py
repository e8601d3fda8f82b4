"""The log itself: begin it, look at it, serve it, verify it, keep it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from danseo.cli.options import As, Home, Json, Lang, NoPassword

group = typer.Typer(help="Show, export, serve and keep the log.", no_args_is_help=True)
clock = typer.Typer(help="Move a simulated clock.", no_args_is_help=True)

_KEYS = (
    "danseo key new scorer-1    # ... and everyone whom the file names",
    "danseo key register --key scorer-1    # ... and every scorer and trustee",
)
"""What comes after `init` where it made no people."""


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("init")(init)
    app.command("doctor")(doctor)
    app.add_typer(group, name="log")
    app.add_typer(clock, name="clock")
    app.command("tick")(tick)
    app.command("verify")(verify)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to begin it in.")],
    origin: Annotated[
        str | None, typer.Option(help="The log's name for ever, as in prizes.example/log.")
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Time moves only by `danseo clock advance`.")
    ] = False,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="Where a simulated clock starts.")
    ] = None,
    chain_id: Annotated[
        int | None, typer.Option(help="The chain that signatures are bound to [1; 31337].")
    ] = None,
    operator: Annotated[str, typer.Option(help="The name of the operator's key.")] = "operator",
    people: Annotated[
        bool, typer.Option("--people", help="Make unencrypted keys for the example's people.")
    ] = False,
    no_password: NoPassword = False,
    as_json: Json = False,
) -> None:
    """Begin a log in a folder, with an operator's key and an example challenge.

    Example: danseo init prize --simulated --people
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.core.errors import Usage
    from danseo.flows import founding, notation
    from danseo.flows.acting import Desk
    from danseo.log import keys

    settings = here.chosen(str(folder))
    origin = (
        origin
        or f"localhost/{''.join(c if c.isalnum() else '-' for c in folder.resolve().name.lower())}"
    )
    chain = chain_id if chain_id is not None else 31337 if simulated else 1
    begins = notation.read_instant(start) if start else None
    if people and not simulated:
        raise Usage("The example's people have keys without a password.", "Add --simulated.")
    founding.check_new(folder, origin, chain, simulated, begins)
    ring = wiring.keyring(settings)
    if operator in keys.names(ring):
        key = wiring.load_key(settings, operator, here.ask_password)
    else:
        password = here.new_password(settings, operator, no_password or people)
        key = keys.create(ring, operator, password)
    store = wiring.blobs(settings)
    with founding.begin(
        folder, store, key, origin=origin, chain_id=chain, simulated=simulated, start=begins
    ) as log:
        desk = Desk(log, store, folder / "host")
        made = founding.example_people(desk, ring) if people else []
        found = {
            "home": str(folder),
            "origin": origin,
            "chain_id": chain,
            "clock": desk.state.clock,
            "time": desk.now,
            "operator": key.address,
            "people": made,
            "files": [str(path) for path in founding.write_example(folder)],
        }
    next_steps = [
        f"export DANSEO_HOME={folder}",
        *([] if people else _KEYS),
        f"danseo challenge check {folder}/challenge.toml",
        f"danseo challenge open {folder}/challenge.toml",
    ]
    show.result(
        as_json,
        found,
        f"Began the log {origin} in {folder}, on a {found['clock']} clock, at "
        f"{notation.instant(desk.now)}.",
        f"{operator} operates it. {folder}/challenge.toml is an example.",
        *([f"Made keys for {', '.join(made)}."] if made else []),
        "Next:",
        *(f"  {step}" for step in next_steps),
    )


def doctor(home: Home = None, as_json: Json = False) -> None:
    """Say what this machine has and lacks, and which settings are in force.

    Example: danseo doctor
    """
    from danseo.cli import checkup, here, show
    from danseo.core.errors import Unavailable

    findings = checkup.look(here.chosen(home))
    rows = [(f.what, f.state, f.detail, f.remedy) for f in findings]
    show.result(
        as_json,
        [{"what": w, "state": s, "detail": d, "remedy": r} for w, s, d, r in rows],
        show.table("", ("What", "State", "Found", "What to do"), rows),
    )
    if any(f.state == "missing" for f in findings):
        raise typer.Exit(Unavailable.status)


@group.command("show")
def log_show(
    index: Annotated[
        int | None, typer.Argument(metavar="INDEX", help="One entry, in full.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the last entries to list.")] = 20,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the last entries, or show one in full with the proof that the log contains it.

    Example: danseo log show 12
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.flows import notation, reading

    settings = here.chosen(home)
    name_of = wiring.name_of(settings)
    with wiring.source(settings) as source:
        if index is not None:
            _one_entry(reading.proven(source, index), name_of, as_json)
            return
        size = reading.checkpoint(source)[0].size
        found = list(reading.entries(source, max(0, size - last), size))
    show.result(
        as_json,
        [_entry(entry) for entry in found],
        show.table(
            "",
            ("Entry>", "Time", "Who", "Challenge", "Kind", "Summary"),
            [
                (
                    e.index,
                    notation.instant(e.time),
                    here.called(name_of, e.author),
                    e.challenge,
                    e.kind,
                    e.summary,
                )
                for e in found
            ],
        ),
    )


def _entry(entry: Any) -> dict[str, Any]:
    return {field: getattr(entry, field) for field in entry.__dataclass_fields__}


def _one_entry(found: Any, name_of: Any, as_json: bool) -> None:
    import json

    from danseo.cli import here, show
    from danseo.flows import notation

    entry = found.entry
    proof = [node.hex() for node in found.proof]
    show.result(
        as_json,
        {
            **_entry(entry),
            "signature": found.signature,
            "leaf": found.leaf.hex(),
            "proof": proof,
            "size": found.size,
            "root": found.root.hex(),
        },
        f"Entry {entry.index}: {entry.kind}" + (f" in {entry.challenge}" * bool(entry.challenge)),
        f"  signed      {entry.summary}",
        f"  by          {here.called(name_of, entry.author)} ({entry.author}), "
        f"sequence {entry.sequence}",
        f"  at          {notation.instant(entry.time)}",
        f"  signature   {found.signature}",
        f"  leaf        {found.leaf.hex()}",
        json.dumps(entry.body, ensure_ascii=False, indent=2),
        f"Contained in the tree of {found.size} entries with root {found.root.hex()}; proof:",
        *(f"  {node}" for node in proof),
    )


@group.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle to write.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write the whole log with its blobs into one file, for an audit without a network.

    Example: danseo log export prize.danseo
    """
    from danseo import app as wiring
    from danseo.cli import here, show
    from danseo.core.errors import Usage
    from danseo.log.bundle import write_bundle

    if file.exists():
        raise Usage(f"{file} exists.", "Choose another name.")
    if not file.absolute().parent.is_dir():
        raise Usage(f"There is no folder {file.absolute().parent}.", "Make it first.")
    with wiring.source(here.chosen(home)) as source, show.working("copying the log"):
        size = write_bundle(source, file)
    length = file.stat().st_size
    show.result(
        as_json,
        {"file": str(file), "entries": size, "bytes": length},
        f"Wrote {size} entries and their blobs to {file} ({length:,} bytes).",
        f"Anyone can check it: danseo verify {file}",
    )


@group.command("host")
def host(home: Home = None) -> None:
    """Own the log and serve it to every command on this machine, until Ctrl-C.

    Example: danseo log host
    """
    from danseo import app as wiring
    from danseo.cli import here, show

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = here.chosen(home)
    with wiring.serving(settings) as desk:
        show.result(
            False,
            None,
            f"Serving {desk.state.origin} ({desk.state.size} entries) from {settings.home}. "
            "Ctrl-C ends it.",
        )
        stop.wait()
    show.result(False, None, "The log is closed; nothing was lost.")


@group.command("withhold")
def withhold(
    blob: Annotated[str, typer.Argument(metavar="BLOB", help="The blob's SHA-256.")],
    reason: Annotated[str, typer.Option(help="Why it must go; this is published.")],
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Stop serving a blob that law or privacy forbids: an entry says why, then it is deleted.

    Example: danseo log withhold 9f86d081... --reason "It names a person."
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import keeping

    with here(home, key, lang) as at:
        entry = keeping.withhold(at.desk, at.key(at.desk.state.operator), blob, reason)
    show.result(
        as_json,
        {"blob": blob, **receipt(entry)},
        f"Withheld {blob[:16]}... by entry {entry.index}; its content is deleted here.",
    )


@group.command("rotate")
def rotate(home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False) -> None:
    """Change the key that signs the log's checkpoints. Readers follow it by the log itself.

    Example: danseo log rotate
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.flows import keeping

    with here(home, key, lang) as at:
        entry, public = keeping.rotate_log_key(
            at.desk, at.key(at.desk.state.operator), at.settings.home / "host"
        )
    show.result(
        as_json,
        {"log_key": public, **receipt(entry)},
        f"From entry {entry.index} on, {public} signs checkpoints. Back host/ up.",
    )


@clock.command("advance")
def advance(
    by: Annotated[
        str | None, typer.Argument(metavar="DURATION", help="How far: 90s, 30m, 36h, 3d, 2w.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="DATE", help="Or the time to go to.")] = None,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Move the clock of a simulated log forward. A log on the system's clock refuses it.

    Example: danseo clock advance 3d
    """
    from danseo.cli import show
    from danseo.cli.here import here, receipt
    from danseo.core.errors import Usage
    from danseo.flows import keeping, notation

    if (by is None) == (to is None):
        raise Usage("Where to is not clear.", "Give a duration, as in 3d, or --to a date.")
    with here(home, key, lang) as at:
        goal = at.desk.now + notation.read_duration(by) if by else notation.read_instant(to or "")
        entry = keeping.advance_clock(at.desk, at.key(at.desk.state.operator), goal)
    show.result(as_json, receipt(entry), f"The clock stands at {notation.instant(entry.time)}.")


def tick(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One challenge; or every one.")
    ] = None,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Do what anyone may do now: let windows pass, settle, count the jury, close.

    Example: danseo tick example
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.flows import notation, settling

    with here(home, key, lang) as at, show.working("moving on"):
        names = [at.desk.challenge(name).id] if name else sorted(at.desk.state.challenges)
        signer = at.key(at.desk.state.operator)
        done = {one: settling.move_on(at.desk, signer, one) for one in names}
        now = at.desk.now
    lines = [f"{one}: {words}" for one, acts in done.items() for words in acts]
    show.result(
        as_json,
        {"time": now, "done": done},
        *(lines or [f"Nothing is due at {notation.instant(now)}."]),
    )


def verify(
    place: Annotated[
        str, typer.Argument(metavar="PLACE", help="A folder, an http(s) address or a bundle.")
    ],
    saved: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A checkpoint that you saved: the log must extend it."),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check no signature again that this checkpoint covers."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep today's checkpoint for next time.")
    ] = None,
    no_scores: Annotated[
        bool, typer.Option("--no-scores", help="Do not run the scorers again.")
    ] = False,
    chain: Annotated[
        str,
        typer.Option(
            metavar="URL|DIR",
            help="A node, or an embedded chain's folder, to compare with [DANSEO_CHAIN_URL].",
        ),
    ] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes to use [DANSEO_WORKERS].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute everything: hashes, signatures, rules, scores, shares and books.

    Example: danseo verify prize --save prize.checkpoint
    """
    from dataclasses import replace

    from danseo.cli import audit, here, show
    from danseo.core.errors import Invalid

    settings = here.chosen()
    report = audit.run(
        place,
        [audit.read_saved(path) for path in saved or ()],
        save,
        since=audit.read_saved(since) if since else None,
        scores=not no_scores,
        settings=replace(settings, workers=workers or settings.workers),
        chain=chain,
    )
    show.result(as_json, audit.found(report), *audit.lines(report, save))
    if report.alarms:
        raise Invalid(report.alarms[0], "The log is whole; what it tells of the chain is not well.")
