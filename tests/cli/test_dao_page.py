"""The page for newcomers to DAOs does what it says: its commands, in order, in an empty folder."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from danseo.core.errors import Conflict
from tests.cli.stage import Stage, false_root, run
from tests.repo.tree import ROOT

PAGE = (ROOT / "docs" / "dao.md").read_text("utf-8")
FIRST, _, STRIKE = PAGE.partition("## Strike a false payout")


def commands(text: str) -> list[str]:
    """Return the commands of a text's fenced blocks, and what is for the shell between them."""
    fenced = "".join(re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    parts = re.split(r"^(danseo .*)$", fenced, flags=re.MULTILINE)
    return [part.strip() for part in parts if part.strip()]


def play(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run commands in this process, and what else a shell does in a shell; return what they say."""
    said = ""
    for line in lines:
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            monkeypatch.setenv(name, value)
        if not line.startswith("danseo "):
            subprocess.run(["bash", "-euc", line], check=True)
            continue
        ran = run(*shlex.split(line)[1:])
        assert ran.status == 0, f"{line}: {ran.err}"
        said += ran.out
    return said


def test_the_page_about_the_dao_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = play(commands(FIRST), monkeypatch)
    assert "Proposal 1: LogAnchor.decide(" in said
    assert "Executed proposal 1" in said
    stage = Stage(tmp_path / "prize")
    assert {c["challenge"] for c in stage.do("challenge list")} == {"example", "example-2"}
    text = (stage.home / "challenge.toml").read_text().replace('"example"', '"example-3"')
    old = text.replace('# follows = "earlier"', 'follows = "example"')
    (stage.home / "old.toml").write_text(old)
    assert stage.refuse("challenge open {home}/old.toml")["error"] == Conflict.__name__

    size = str(false_root(stage, "guardian"))
    assert f"{size}" in stage.run("pool check example").out
    acts = [line.replace("41", size) for line in commands(STRIKE)]
    assert acts[0] == "danseo pool check example"
    play(acts[1:], monkeypatch)

    beside = re.findall(r"`danseo ([^`]*)`", PAGE.replace("\n", " "))
    assert len(beside) >= 6
    for line in beside:
        if "--execute" in line:
            stage.do("clock advance 13h")
        play([f"danseo {line}"], monkeypatch)
