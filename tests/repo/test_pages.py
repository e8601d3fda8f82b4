"""The makers of generated pages: what the code says reaches the page, and a stale page is named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
import typer.main

from danseo.core import entry
from danseo.core.entry import Amount, Blob, Body, Index, Range
from scripts import pages, reference


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a body."""

    of: Index


@dataclass(frozen=True, slots=True)
class Made(Body):
    """A kind made up for this test.

    More of it.
    """

    english = "Make {amount}"
    korean = "{amount} 만들기"

    amount: Amount
    few: Annotated[int, Range(0, 7)]
    sure: bool
    parts: tuple[Part, ...]
    reason: Blob | None = None
    """Why it was made."""


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(entry, "KINDS", {"made.up": Made})
    return reference.entries_page()


@pytest.mark.parametrize(
    "row",
    [
        "| [`made.up`](#madeup) | challenge | A kind made up for this test. |",
        "| `amount` | amount |  |",
        "| `few` | integer, 0 to 7 |  |",
        "| `sure` | true or false |  |",
        "| `parts` | array of [Part](#part) |  |",
        "| `reason` | blob, *optional* | Why it was made. |",
        "### Part\n\nA part of a body.\n\n| Field | Type |\n| --- | --- |\n| `of` | index |",
        "- English: `Make {amount}`\n- Korean: `{amount} 만들기`",
        "| index | integer from 0 to 9007199254740991 |",
    ],
)
def test_a_kind_reaches_the_page_field_by_field(entries: str, row: str) -> None:
    assert row in entries


def test_two_parts_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclass(frozen=True)(type("Part", (), {"__annotations__": {}, "__doc__": "x"}))
    clash = type("Clash", (Body,), {"__annotations__": {"a": Part, "b": other}, "__doc__": "x"})
    monkeypatch.setattr(entry, "KINDS", {"clash": dataclass(frozen=True)(clash)})
    with pytest.raises(TypeError, match="called Part"):
        reference.entries_page()


def test_a_command_reaches_the_page_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer(rich_markup_mode="rich")

    @app.callback()
    def root() -> None:
        """Do [bold]everything[/bold]."""

    @app.command()
    def make(
        what: Annotated[str, typer.Argument(help="What to make.")],
        count: Annotated[int, typer.Option("--count", "-c", help="How many | how few.")] = 3,
        dry: Annotated[bool, typer.Option("--dry", help="Only say it.")] = False,
    ) -> None:
        """Make [cyan]things[/]."""

    @app.command(hidden=True)
    def secret() -> None:
        """Not told."""

    page = reference.commands_page(typer.main.get_command(app))
    assert "## danseo\n\nDo everything.\n" in page
    assert "## danseo make\n\nMake things.\n" in page
    assert "| `WHAT` | required | What to make. |" in page
    assert "| `--count`, `-c` | `3` | How many \\| how few. |" in page
    assert "| `--dry` |  | Only say it. |" in page
    assert "secret" not in page


def test_the_settings_page_has_a_row_for_each() -> None:
    assert "| `DANSEO_LANG` | `en` | en or ko | " in reference.settings_page()


def test_the_errors_page_draws_the_tree_and_gives_each_its_status() -> None:
    page = reference.errors_page()
    assert "    ├── Refused " in page
    assert "## Usage\n\nExit status 2. " in page


def test_a_stale_page_is_named_with_its_command_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    made = {Path("docs/one.md"): "new\n"}
    assert pages.publish(made, "make docs", check=True) == 1
    assert "docs/one.md is stale: run `make docs`" in capsys.readouterr().out
    assert not (tmp_path / "docs").exists()
    assert pages.publish(made, "make docs", check=False) == 0
    assert (tmp_path / "docs/one.md").read_text() == "new\n"
    assert pages.publish(made, "make docs", check=True) == 0
    assert "stale" not in capsys.readouterr().out


def test_pages_are_the_same_each_time_they_are_made() -> None:
    assert reference.pages() == reference.pages()
