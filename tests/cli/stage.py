"""Runs commands as a user types them, and plays one small challenge through them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danseo import app as wiring
from danseo.cli import here, main
from danseo.flows import deploying

METHOD = """\
def main(data, out):
    numbers = [int(n) for n in (data / "public.csv").read_text().split()]
    primes = [p for p in range(2, 90) if all(p % q for q in range(2, p))]
    counts = [sum(n % p == 0 for p in primes) for n in numbers]
    (out / "counted.csv").write_text("".join(f"{count}\\n" for count in counts))
"""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The JSON document on stderr."""
        return json.loads(self.err)


@dataclass(frozen=True)
class Stage:
    """A home, and how to act in it. `{home}` in a line stands for its folder."""

    home: Path

    def run(self, line: str, key: str = "") -> Ran:
        """Run one command, whatever comes of it."""
        words = [word.replace("{home}", str(self.home)) for word in shlex.split(line)]
        if words[0] not in ("init", "verify"):
            words += ["--home", str(self.home)]
        return run(*words, *(["--key", key] if key else []))

    def do(self, line: str, key: str = "") -> Any:
        """Run a command that must succeed, and return the JSON that it prints."""
        ran = self.run(f"{line} --json", key)
        assert ran.status == 0, f"{line}: {ran.err}"
        assert ran.err == ""
        return ran.json

    def refuse(self, line: str, key: str = "") -> Any:
        """Run a command that must be refused and change nothing; return its error and status."""
        before = self.files()
        ran = self.run(f"{line} --json", key)
        assert ran.status != 0, f"{line} was taken: {ran.out}"
        assert ran.out == ""
        assert self.files() == before, f"{line} changed something"
        return ran.error | {"status": ran.status}

    def files(self) -> dict[str, str]:
        """Return the hash of every file that matters; a lock only tells who held it last."""
        return {
            str(path.relative_to(self.home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.home.rglob("*"))
            if path.is_file() and path.name != "lock"
        }


def run(*words: str) -> Ran:
    """Run `danseo WORDS` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    return Ran(status, out.getvalue(), err.getvalue())


def begin(home: Path) -> Stage:
    """Begin a log with the example and its people."""
    stage = Stage(home)
    stage.do(f"init {home} --simulated --people --start 2030-01-01")
    (home / "count.py").write_text(METHOD)
    (home / "counted.csv").write_bytes((home / "truth.csv").read_bytes())
    file = home / "challenge.toml"
    text = file.read_text().replace('bond = "0 KRW"', 'bond = "100 KRW"')
    file.write_text(text.replace('stake = "0 KRW"', 'stake = "1_000 KRW"'))
    return stage


def open_example(stage: Stage) -> None:
    """Open the example: roles taken up, money handed in."""
    stage.do("challenge open {home}/challenge.toml")
    for who, amount in (("scorer-1", 1000), ("scorer-2", 1000), ("contributor-1", 500)):
        stage.do(f"challenge deposit example {who} '{amount} KRW'")
    stage.do("challenge deposit example contributor-2 '500 KRW'")
    stage.do("challenge acknowledge example --everyone")
    stage.do("challenge fund example donor-1 '1_000_000 KRW'")


COIN = """
[coin]
symbol = "INK"
guardian = "guardian"
bond = "0.1 ETH"
outflow = 1
quorum = 0.05
threshold = 0.001
guarded = 0.5
"""


def with_coin(stage: Stage) -> None:
    """Open the example with bonds in ETH and a coin; deploy, fund, publish and score a clue."""
    stage.do("key new guardian --no-password")
    file = stage.home / "challenge.toml"
    text = file.read_text().replace("[windows]", COIN + "\n[windows]")
    text = text.replace('"100 KRW"', '"0.01 ETH"').replace('"1_000 KRW"', '"1 ETH"')
    file.write_text(text)
    stage.do("challenge open {home}/challenge.toml")
    people = "operator donor-1 scorer-1 scorer-2 contributor-1 contributor-2 guardian"
    stage.do(f"chain faucet {people} --amount 100")
    stage.do("chain deploy example")
    for who, amount in (("scorer-1", 1), ("scorer-2", 1), ("contributor-1", 2)):
        stage.do(f"stake deposit example '{amount} ETH'", who)
    stage.do("pool fund example '50 ETH'", "donor-1")
    stage.do("chain observe example")
    stage.do("challenge acknowledge example --everyone")
    publish(stage, "guess-1.csv", "contributor-1")
    stage.do("score example --everyone")


def false_root(stage: Stage, who: str) -> int:
    """Let a thief publish a root of his own for the next size that the log can have."""
    settings = here.chosen(str(stage.home))
    thief = wiring.load_key(settings, who, lambda name: "")
    with wiring.desk(settings) as desk, wiring.chain(settings) as client:
        found = deploying.contracts(client, desk.challenge("example"))
        size = desk.state.size + 1
        bond = client.call(deploying.part(found, "pool"), "bond")
        false = (size, b"\1" * 32, b"\2" * 32)
        deploying.call_of(found, "pool", "publish", *false, value=bond).send(client, thief)
    return size


def publish(stage: Stage, file: str, key: str, extra: str = "") -> int:
    """Publish a clue and return its id."""
    line = f"clue publish example {{home}}/{file} --title '{file}' {extra}"
    return int(stage.do(line, key)["clue"])


def settle(stage: Stage) -> None:
    """Let the deadline pass, release the truth and settle."""
    stage.do("clock advance 34d")
    stage.do("truth release example --everyone")
    stage.do("tick example")
