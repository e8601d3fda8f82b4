"""The play behind `danseo demo`: one whole challenge on a simulated clock, by ordinary commands.

Only the time is simulated: keys, files, signatures, sandbox, log and contracts are real.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from danseo import settings as configuration
from danseo.cli.player import Player, environment

if TYPE_CHECKING:
    from danseo.scroll.fragments import ink

NAME: Final = "read-the-ink"
START: Final = "2030-01-01T00:00:00Z"
ORIGIN: Final = "demo.danseo/log"

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
OTHERS: Final = ("guardian", "watcher", "thief")

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
bond = "0.01 ETH"
stake = "0.5 ETH"

[coin]
symbol = "INK"
assets = ["ETH"]
guardian = "guardian"
bond = "0.1 ETH"
window = "3d"
outflow = 0.25
guarded = 0.55
quorum = 0.02
voting_delay = "1h"
voting_period = "1d"
timelock = "12h"

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


def play(
    out: Path, data: Path | None, width: int, *, node: bool = False, phantom: bool = False
) -> None:
    """Play the demo in the folder `out`; with `node`, on a node that is started for it.

    With `phantom`, what is read are phantom scrolls, made for the occasion.
    """
    from danseo.cli.extras import extra

    with environment(DANSEO_HOME=str(out)), extra("scroll" if phantom else "demo"):
        acts = Play(out, Console(highlight=False))
        acts.everything(data or configuration.load().data, width, node, phantom)


class Play(Player):
    """The acts of the demo."""

    def everything(self, data: Path | None, width: int, node: bool, phantom: bool) -> None:
        """Play the challenge from an empty folder to the report."""
        from danseo.scroll.fragments import ink

        begun = time.monotonic()
        self.fresh_folder()
        if phantom:
            self.say("Two scrolls are made, rolled up, scanned and unrolled: a minute or two.")
        inputs = ink.prepare(self.home / "files", data, width=width, phantom=phantom)
        self.say(f"Input: {inputs.source}.")
        self._begin()
        with self._node() if node else contextlib.nullcontext():
            self._open(inputs)
            clues = self._publish(inputs)
            self._advance()
            self._false_root()
            self._settle(clues)
            self._pay()
            self._look()
        self.say(f"Played in {time.monotonic() - begun:.0f} s. Open {self.home / 'report.html'}.")

    # --- the acts -------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.head("A log begins, on a simulated clock; people make their keys")
        self.say(f"[dim]$ export DANSEO_HOME={self.home}[/dim]")
        self.run(
            f"init {self.home} --simulated --start {START} --origin {ORIGIN} "
            "--operator organiser --no-password"
        )
        for name in (*SCORERS, *TRUSTEES, *JURORS, *CONTRIBUTORS, *DONORS, *OTHERS):
            self.run(f"key new {name} --no-password", quiet=True)
        for name in (*SCORERS, *TRUSTEES):
            self.run("key register", key=name, quiet=True)

    @contextlib.contextmanager
    def _node(self) -> Iterator[None]:
        """Run a node of the demo's own for as long as it plays."""
        self.run("chain up")
        try:
            yield
        finally:
            self.run("chain down")

    def _open(self, inputs: ink.Inputs) -> None:
        self.head("The organiser opens the challenge; scorers and trustees take their roles up")
        file = self._write_challenge(inputs)
        self.run(f"challenge check {file}", key="organiser")
        self.run(f"challenge open {file}", key="organiser")
        self.head("Anyone deploys its contracts; donors fill the pool, and stakes are put down")
        self.run(
            f"chain faucet {' '.join(('organiser', *SCORERS, *CONTRIBUTORS, *DONORS, *OTHERS))}"
        )
        self.run(f"chain deploy {NAME}", key=DONORS[0])
        for name in SCORERS:
            self.run(f"stake deposit {NAME} '0.5 ETH'", key=name, quiet=True)
        for name in CONTRIBUTORS:
            self.run(f"stake deposit {NAME} '0.02 ETH'", key=name, quiet=True)
        self.run(f"pool fund {NAME} '20 ETH'", key=DONORS[0])
        self.run(f"chain observe {NAME}", key="organiser")
        for name in (*SCORERS, *TRUSTEES):
            self.run(f"challenge acknowledge {NAME}", key=name, quiet=True)

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
        from danseo.scroll.fragments import ink

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

    def _advance(self) -> None:
        self.head("A late donation raises everybody's pay alike; an advance is paid, in coin too")
        self.run(f"shares {NAME}")
        self.run(f"pool fund {NAME} '10 ETH'", key=DONORS[1])
        self.run(f"pool run {NAME}", key="watcher")
        self.run(f"shares {NAME}")
        self._pass("73h")
        self.run(f"pool run {NAME}", key="watcher")

    def _false_root(self) -> None:
        self.head("A thief publishes a root that pays him everything; a stranger catches it")
        size = self._steal()
        self.run(f"pool check {NAME}")
        self.run(f"pool dispute {NAME} {size}", key="watcher")
        self.head("The coin's holders veto it, and vote a new value curve for the next round")
        self._pass("1h")
        self.run(f"dao propose {NAME} veto {size} --why 'It pays a thief.'", key=CONTRIBUTORS[0])
        curve = "[[0.3, 0], [0.7, 0.8]]"
        self.run(
            f"dao propose {NAME} next-curve '{curve}' --why 'Ask for more.'", key=CONTRIBUTORS[3]
        )
        self._pass("2h")
        for number in (1, 2):
            for holder in self._holders():
                self.run(f"dao vote {NAME} {number} for", key=holder, quiet=True)
        self._pass("25h")
        for act in ("queue", "execute"):
            for number in (1, 2):
                self.run(f"dao {act} {NAME} {number}", key="watcher", quiet=act == "queue")
            if act == "queue":
                self._pass("13h")
        self.run(f"pool run {NAME}", key="watcher")
        self.run(f"dao show {NAME}")

    def _settle(self, clues: dict[str, int]) -> None:
        self.head("The deadline passes; two of three trustees release the truth; anyone settles")
        self._pass("24d")
        self.run("tick", key=JURORS[0])
        self.run(f"truth release {NAME}", key=TRUSTEES[0])
        self.run(f"truth release {NAME}", key=TRUSTEES[2])
        self.run(f"tick {NAME}", key=CONTRIBUTORS[0])
        self.head("The jury awards what no score can see")
        self._pass("8d")
        self.run(f"jury show {NAME}", key=JURORS[0])
        tool, finding = clues["multiscale"], clues["finding"]
        ballots = (f"'{tool} >> {finding}'", f"'{tool} > {finding}'", f"'{tool} = {finding}'")
        for juror, ballot in zip(JURORS, ballots, strict=True):
            self.run(f"jury vote {NAME} {ballot} --reason 'Others built on it.'", key=juror)
        self._pass("7d")
        self.run(f"tick {NAME}", key=CONTRIBUTORS[1])

    def _pay(self) -> None:
        self.head("A stranger pays everybody: publish, wait, activate, pay, to the last wei")
        for name in SCORERS:
            self.run(f"stake release {NAME} '0.5 ETH'", key=name, quiet=True)
        self.run(f"chain anchor {NAME}", key="organiser")
        self.run(f"pool run {NAME}", key="watcher")
        self.say("What may leave in one window is capped, against thieves; so it takes a few.")
        while self._owes():
            self._pass("73h")
            self.run(f"pool run {NAME}", key="watcher")
        self.run(f"pool show {NAME}")

    def _look(self) -> None:
        self.head("What came of it")
        self.run(f"standings {NAME}")
        self.run(f"challenge show {NAME}")
        self.run(f"shares {NAME}")
        self.head("Verify, don't trust")
        self.run(f"verify {self.home / 'log'} --save {self.home / 'checkpoint.saved'}")
        self.run(f"report {NAME} --out {self.home / 'report.html'}")

    # --- small things ---------------------------------------------------------------------------

    def _pass(self, duration: str) -> None:
        """Let time pass in the log, and so on its chain."""
        self.run(f"clock advance '{duration}'", key="organiser")

    def score(self) -> None:
        """Let both scorers score all that waits, in turn, until nothing does."""
        while True:
            with self.desk() as desk:
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
        with self.desk() as desk:
            return desk.challenge(NAME).queue[-1]

    def _holders(self) -> list[str]:
        """Return the contributors who hold coin, most first."""
        from danseo import app as wiring
        from danseo.flows import standings

        with self.desk() as desk:
            challenge = desk.challenge(NAME)
            symbol = challenge.terms.coin.symbol if challenge.terms.coin else ""
            rows = standings.holders(challenge)
        name_of = wiring.name_of(self._settings())
        return [name_of(row.account) for row in rows if row.claimed.get(symbol)]

    def _owes(self) -> bool:
        """Say whether somebody still has to be paid."""
        from danseo.core import onchain
        from danseo.flows import standings

        with self.desk() as desk:
            challenge = desk.challenge(NAME)
            undeclared = onchain.has_news(desk.state, challenge)
        rows = standings.holders(challenge)
        return undeclared or any(any(row.claimable.values()) for row in rows)

    def _steal(self) -> int:
        """Publish a false payout root with a thief's own tools; return the size it claims."""
        from danseo import app as wiring
        from danseo.chain.tree import Leaf, Tree
        from danseo.core.coin import ETHER
        from danseo.flows import deploying

        settings = self._settings()
        with self.desk() as desk, self.chain() as client:
            deploying.follow(desk, client)
            contracts = deploying.contracts(client, desk.challenge(NAME))
            pool, size = deploying.part(contracts, "pool"), desk.state.size
            thief = wiring.load_key(settings, "thief", lambda _: "")
            mine = Tree([Leaf(thief.address, ETHER, 10**24)]).root
            bond = client.call(pool, "bond")
            client.send(thief, pool, "publish", size, secrets.token_bytes(32), mine, value=bond)
        self.console.print(
            f"[dim](the thief calls PrizePool.publish({size}, ...) with tools of his own)[/dim]"
        )
        return size
