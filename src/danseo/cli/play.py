"""The play behind `danseo demo`: one whole challenge on a simulated clock, by ordinary commands.

Each line that it shows is a command that anyone can type; it runs the very same code. Only the
time is simulated: keys, files, signatures, the sandbox and the log are real.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console

from danseo import settings as configuration
from danseo.cli import show
from danseo.core.errors import DanseoError, Unavailable, Usage

if TYPE_CHECKING:
    from danseo.flows.acting import Desk
    from danseo.scroll import ink

NAME: Final = "read-the-ink"
START: Final = "2030-01-01T00:00:00Z"
ORIGIN: Final = "demo.danseo/log"
MARK: Final = ".danseo-demo"

SCORERS: Final = ("scorer-1", "scorer-2")
TRUSTEES: Final = ("trustee-1", "trustee-2", "trustee-3")
JURORS: Final = ("juror-1", "juror-2", "juror-3")
CONTRIBUTORS: Final = (
    "darkness",
    "observer",
    "toolmaker",
    "local",
    "learner",
    "combiner",
    "copycat",
    "latecomer",
    "silent",
)
DONORS: Final = ("donor-1", "donor-2")

CHALLENGE: Final = """\
[challenge]
name = "{name}"
title = "Read the ink"
description = '''
Find the ink in a picture of charred papyrus, made from X-ray CT. Learn on one fragment, whose ink
is known from an infrared photograph; predict the other, whose ink is hidden.
Input: {source}.
'''
licence = "{licence}"
deadline = "30d"
data = [{data}]

[score]
scorer = "fbeta-1"              # F-beta over papyrus pixels, with beta 0.5
truth = "truth.npz"
step = 0.002
curve = [[{baseline}, 0], [{goal}, 0.8]]

[reward]
jury = 0.2

[money]
bond = "10_000 KRW"
stake = "500_000 KRW"

[windows]
reveal = "2d"
score = "3d"
truth = "7d"

[people]
scorers = [{scorers}]
trustees = [{trustees}]
threshold = 2
jurors = [{jurors}]

[[round]]
opens = "40d"
closes = "47d"
award = 0.2
commons = 0.05
"""

FINDING: Final = """\
Whoever masks out dark pixels as background removes ink with them: ink is among the darkest there
is. Take the picture's transparency as the mask of papyrus instead.
"""


def play(out: Path, data: Path | None, width: int) -> None:
    """Play the demo in the folder `out`."""
    with _environment("DANSEO_HOME", str(out)):
        Play(out, Console(highlight=False)).everything(data or configuration.load().data, width)


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable for the commands that the demo runs, as its user would by `export`."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@dataclass
class Play:
    """The demo: runs commands in-process and shows them as they are typed."""

    home: Path
    console: Console

    def everything(self, data: Path | None, width: int) -> None:
        """Play the challenge from an empty folder to the report."""
        from danseo.scroll import ink

        begun = time.monotonic()
        self._fresh_folder()
        inputs = ink.prepare(self.home / "files", data, width=width)
        self.say(f"Input: {inputs.source}.")
        self._open(inputs)
        clues = self._publish(inputs)
        self._finish(clues)
        self._look()
        self.say(f"Played in {time.monotonic() - begun:.0f} s. Open {self.home / 'report.html'}.")

    # --- the acts -------------------------------------------------------------------------------

    def _fresh_folder(self) -> None:
        if self.home.exists() and any(self.home.iterdir()):
            if not (self.home / MARK).exists():
                raise Usage(
                    f"{self.home} is not empty, and no demo made it.",
                    "Choose another folder with --out.",
                )
            shutil.rmtree(self.home)
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / MARK).touch()

    def _open(self, inputs: ink.Inputs) -> None:
        self.head("A log begins, on a simulated clock; people make their keys")
        self.say(f"[dim]$ export DANSEO_HOME={self.home}[/dim]")
        self.run(
            f"init {self.home} --simulated --start {START} --origin {ORIGIN} "
            "--operator organiser --no-password"
        )
        for name in (*SCORERS, *TRUSTEES, *JURORS, *CONTRIBUTORS, *DONORS):
            self.run(f"key new {name} --no-password", quiet=True)
        for name in (*SCORERS, *TRUSTEES):
            self.run("key register", key=name, quiet=True)
        self.head("The organiser opens the challenge; scorers and trustees take their roles up")
        file = self._write_challenge(inputs)
        self.run(f"challenge check {file}", key="organiser")
        self.run(f"challenge open {file}", key="organiser")
        for name in SCORERS:
            self.money("deposit", name, "500_000 KRW", quiet=True)
        for name in CONTRIBUTORS:
            self.money("deposit", name, "20_000 KRW", quiet=True)
        for name in (*SCORERS, *TRUSTEES):
            self.run(f"challenge acknowledge {NAME}", key=name, quiet=True)
        self.money("fund", DONORS[0], "10_000_000 KRW")

    def _write_challenge(self, inputs: ink.Inputs) -> Path:
        quoted = {
            "data": [path.name for path in inputs.public],
            "scorers": SCORERS,
            "trustees": TRUSTEES,
            "jurors": JURORS,
        }
        text = CHALLENGE.format(
            name=NAME,
            source=inputs.source,
            licence=inputs.licence,
            baseline=inputs.baseline,
            goal=inputs.goal,
            **{key: ", ".join(f'"{v}"' for v in values) for key, values in quoted.items()},
        )
        file = inputs.truth.parent / "challenge.toml"
        file.write_text(text, "utf-8")
        return file

    def _publish(self, inputs: ink.Inputs) -> dict[str, int]:
        self.head("Contributors publish clues; two scorers score each in the sandbox")
        from danseo.scroll import ink

        methods = {one.name: one for one in ink.METHODS}
        clues: dict[str, int] = {}
        work = self.home / "work"

        def publish(name: str, who: str, form: str, *cites: str) -> None:
            method = methods[name]
            folder = work / name
            clues[name] = self._publish_method(method, who, form, inputs, folder, clues, cites)

        publish("darkness", "darkness", "predictions")
        self.score()
        clues["finding"] = self._publish_finding(work / "finding")
        publish("multiscale", "toolmaker", "tool")
        publish("local", "local", "predictions", "darkness")
        self.score()
        self.run("clock advance 5d", key="organiser")
        publish("learned", "learner", "method", "local", "multiscale", "finding")
        self.score()
        self.run(f"clue reproduce {NAME} {clues['learned']}")
        self.run("clock advance 4d", key="organiser")
        publish("combined", "combiner", "predictions", "local", "learned")
        self.score()
        self.head("Not every clue is worth something")
        best = work / "combined" / "prediction.npy"
        clues["copy"] = self.publish_file(
            best, "copycat", "The best prediction, byte for byte", "predictions"
        )
        clues["nothing"] = self.publish_file(
            inputs.moves_nothing(work / "nothing"), "latecomer", "Papyrus is dark", "predictions"
        )
        clues["malformed"] = self.publish_file(
            inputs.malformed(work / "malformed"), "latecomer", "Half a prediction", "predictions"
        )
        self.refused(
            f"clue commit {NAME} {best} --title 'By a scorer' --licence CC-BY-4.0", key=SCORERS[0]
        )
        self.score()
        self.run(
            f"clue commit {NAME} {best} --title 'Never shown' --licence CC-BY-4.0", key="silent"
        )
        clues["silent"] = self.last_clue()
        return clues

    def _publish_method(
        self,
        method: ink.Method,
        who: str,
        form: str,
        inputs: ink.Inputs,
        folder: Path,
        clues: dict[str, int],
        cites: Sequence[str],
    ) -> int:
        """Let a contributor run a script on the public data, and publish what comes out."""
        folder.mkdir(parents=True)
        script = folder / method.script.name
        shutil.copyfile(method.script, script)
        cited = "".join(f" --cite {clues[name]}" for name in cites)
        if form == "tool":
            return self.publish_file(script, who, method.title, form, method.description, cited)
        prediction = self.compute(script, inputs.truth.parent, folder)
        extra = f" --file {script}"
        if form == "method":
            pins = "".join(f" --require {pin}" for pin in method.requirements())
            extra = f" --script {script}{pins} --seconds 300"
        return self.publish_file(
            prediction, who, method.title, form, method.description, cited + extra
        )

    def _publish_finding(self, folder: Path) -> int:
        folder.mkdir(parents=True)
        note = folder / "finding.md"
        note.write_text(FINDING, "utf-8")
        return self.publish_file(
            note, "observer", "Mask by transparency, not by darkness", "finding", FINDING
        )

    def _finish(self, clues: dict[str, int]) -> None:
        self.head("A late donation raises everybody's pay alike; an advance is paid")
        self.run(f"shares {NAME}")
        self.money("fund", DONORS[1], "5_000_000 KRW")
        self.run(f"shares {NAME}")
        self.run(f"challenge pay {NAME} --evidence 'bank transfer, advance'", key="organiser")
        self.head("The deadline passes; two of three trustees release the truth; anyone settles")
        self.run("clock advance 24d", key="organiser")
        self.run("tick", key=JURORS[0])
        self.run(f"truth release {NAME}", key=TRUSTEES[0])
        self.run(f"truth release {NAME}", key=TRUSTEES[2])
        self.run(f"tick {NAME}", key=CONTRIBUTORS[0])
        self.head("The jury awards what no score can see")
        self.run("clock advance 8d", key="organiser")
        self.run(f"jury show {NAME}", key=JURORS[0])
        tool, finding = clues["multiscale"], clues["finding"]
        ballots = (f"'{tool} >> {finding}'", f"'{tool} > {finding}'", f"'{tool} = {finding}'")
        for juror, ballot in zip(JURORS, ballots, strict=True):
            self.run(f"jury vote {NAME} {ballot} --reason 'Others built on it.'", key=juror)
        self.run("clock advance 7d", key="organiser")
        self.run(f"tick {NAME}", key=CONTRIBUTORS[1])
        self.run(f"challenge pay {NAME} --evidence 'bank transfer'", key="organiser")

    def _look(self) -> None:
        self.head("What came of it")
        self.run(f"standings {NAME}")
        self.run(f"challenge show {NAME}")
        self.head("Verify, don't trust")
        self.run(f"verify {self.home / 'log'} --save {self.home / 'checkpoint.saved'}")
        self.run(f"report {NAME} --out {self.home / 'report.html'}")

    # --- how it runs ----------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Say something that is not a command."""
        self.console.print(text, soft_wrap=True)

    def head(self, text: str) -> None:
        """Begin a new act."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def run(self, line: str, *, key: str = "", quiet: bool = False) -> None:
        """Show a command and run it; with `quiet`, without what it prints."""
        words = shlex.split(line)
        if key:
            words += ["--key", key]
        self.console.print(f"[dim]$ danseo {shlex.join(words)}[/dim]", soft_wrap=True)
        self._call(words, quiet)

    def refused(self, line: str, *, key: str) -> None:
        """Show a command that the rules refuse, and its refusal; fail where they take it."""
        try:
            self.run(line, key=key)
        except DanseoError as refusal:
            self.console.print(f"refused: {refusal}", soft_wrap=True)
            return
        raise Unavailable(f"`{line}` was not refused.", "Report this: a rule is broken.")

    def money(self, act: str, who: str, amount: str, *, quiet: bool = False) -> None:
        """Enter money with the organiser's key."""
        self.run(f"challenge {act} {NAME} {who} '{amount}'", key="organiser", quiet=quiet)

    def score(self) -> None:
        """Let both scorers score all that waits, in turn, until nothing does."""
        while True:
            with self._desk() as desk:
                head = desk.challenge(NAME).head_clue()
            if head is None or head.status != "revealed":
                return
            for scorer in SCORERS:
                self.run(f"score {NAME}", key=scorer)

    def publish_file(
        self, file: Path, who: str, title: str, form: str, description: str = "", extra: str = ""
    ) -> int:
        """Publish a clue and return its id."""
        told = shlex.quote(description or title)
        self.run(
            f"clue publish {NAME} {file} --title {shlex.quote(title)} --description {told} "
            f"--form {form} --licence CC-BY-4.0{extra}",
            key=who,
        )
        return self.last_clue()

    def last_clue(self) -> int:
        """Return the id of the clue that was committed last."""
        with self._desk() as desk:
            return desk.challenge(NAME).queue[-1]

    def compute(self, script: Path, data: Path, out: Path) -> Path:
        """Run a contributor's script on their own machine, as they would, and return its file."""
        self.console.print(
            f"[dim]$ python {script.name}    # by the contributor[/dim]", soft_wrap=True
        )
        code = (
            "import pathlib, runpy, sys; "
            "runpy.run_path(sys.argv[1])['main'](pathlib.Path(sys.argv[2]), "
            "pathlib.Path(sys.argv[3]))"
        )
        command = [sys.executable, "-c", code, str(script), str(data), str(out)]
        with self.console.status(f"{script.stem} computes"):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"{script.name} failed: {done.stderr.strip()[-2000:]}", "Report it.")
        return out / "prediction.npy"

    def _desk(self) -> contextlib.AbstractContextManager[Desk]:
        from danseo import app as wiring  # late: `danseo --help` opens no log

        return wiring.desk(configuration.load({"DANSEO_HOME": str(self.home)}))

    def _call(self, words: list[str], quiet: bool) -> None:
        from danseo.cli import app

        command = typer.main.get_command(app)
        with contextlib.ExitStack() as stack:
            if quiet:
                stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            command.main(words, prog_name="danseo", standalone_mode=False)


def show_history(name: str, data: Path | None, as_json: bool) -> None:
    """Print what earlier prizes would have received from later ones."""
    if name != "vesuvius":
        raise Usage(f"There is no history {name!r}.", "There is one: vesuvius.")
    from danseo.flows.history import history

    data = data or configuration.load().data
    if data is None:
        raise Unavailable(
            "The prizes are in a data folder, and none was given.", "Give --data, or DANSEO_DATA."
        )
    found = history(data / "credit" / "vesuvius_prizes_2023-2024.csv")
    rows = [
        (line.award.day, line.award.clue, line.own, line.received, line.owed, line.total)
        for line in found.lines
    ]
    columns = ("day", "clue", "paid", "received", "owed", "total")
    show.result(
        as_json,
        {
            "unit": "cent",
            "awards": [dict(zip(columns, map(str, row), strict=True)) for row in rows],
            "paid": str(found.paid),
            "commons": str(found.commons),
            "notes": list(found.notes),
        },
        show.table(
            "Prizes of the Vesuvius Challenge under the shoulders rule, in dollars",
            ("Date", "Clue", "Paid>", "From later>", "To earlier>", "Would be>"),
            [(day, clue, *map(_dollars, amounts)) for day, clue, *amounts in rows],
        ),
        f"Paid in all {_dollars(found.paid)}; commons {_dollars(found.commons)}.",
        *(f"- {note}" for note in found.notes),
    )


def _dollars(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02d}"
