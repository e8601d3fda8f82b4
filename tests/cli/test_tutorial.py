"""The tutorial does what it says: its commands, in order, in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.cli.stage import Stage
from tests.repo.tree import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
COMMANDS = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


def test_the_tutorial_leads_to_a_paid_clue_in_ten_commands(tmp_path: Path) -> None:
    lines = [line for line in COMMANDS.splitlines() if line.startswith("danseo ")]
    assert (len(lines), lines[-1]) == (11, "danseo verify prize")
    ran = _shell(COMMANDS, tmp_path)
    assert ran.returncode == 0, ran.stderr
    for said in ("0.62, worth 30.4 % of the reward", "304,000 KRW", "Verified as of"):
        assert said in ran.stdout
    stage = Stage(tmp_path / "prize")
    assert stage.do("clue show example 13")["verdict"] == "step"
    (account, *_) = stage.do("shares example")["accounts"]
    assert account["money"]["KRW"] == {"entitled": "304000", "paid": "304000", "payable": "0"}


def test_what_the_tutorial_mentions_beside_works_too(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "prize")
    lines = [line for line in COMMANDS.splitlines() if line.startswith("danseo ")]
    for line in lines[: lines.index("danseo clock advance 34d")]:
        assert stage.run(line.removeprefix("danseo ").replace("prize", "{home}")).status == 0
    publish = "clue publish example {home}/guess-2.csv --title 'Small primes' --cite 13"
    stage.do(publish, "contributor-2")
    stage.do("score example --everyone")
    rows = stage.do("standings example")
    assert [row["verdict"] for row in rows] == ["step", "step"]
    assert all(int(row["received"]) + int(row["owed"]) > 0 for row in rows)
    beside = [line.removeprefix("danseo ") for line in re.findall(r"`(danseo [^`]*)`", PAGE)]
    assert len(beside) >= 6
    for line in beside:
        if not line.startswith(("key new", "log host")):
            assert stage.run(line).status == 0, line


def _shell(commands: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run shell commands where `danseo` is this very code, stopping at the first that fails."""
    code = "import sys; from danseo.cli import main; sys.exit(main())"
    function = f'danseo() {{ {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"; }}\n'
    clean = {name: v for name, v in os.environ.items() if not name.startswith("DANSEO_")}
    return subprocess.run(
        ["bash", "-euc", function + commands],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
