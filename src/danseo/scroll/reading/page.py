"""`report.html`: what was read, the unrolled sheet to zoom into, and each stage's figures.

The page lies beside its pictures, asks nothing of any server and works from a folder. Its one
script moves the sheet; without it one long picture stands there instead.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

from danseo.core.errors import Usage
from danseo.scroll.reading.words import WORDS


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that was read: `box` is (x0, y0, x1, y1) in pixels of the sheet."""

    char: str
    line: int
    box: tuple[float, float, float, float]
    sure: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """The unrolled sheet as tiles: `folder/LAYER/LEVEL/ROW-COL.SUFFIX`, beside the page.

    `um` is the side of a pixel, 0 where unknown; `suffix` names the layers that there are and
    how their tiles end; `plain` is the one long picture, `width` and `height` its size in pixels.
    """

    folder: str
    width: int
    height: int
    tile: int
    levels: int
    um: float
    suffix: dict[str, str]
    plain: str


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage: how it came about, its figures (a key of the words, and a value), its gaps."""

    name: str
    made: str
    facts: tuple[tuple[str, str], ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()
    picture: str = ""


@dataclass(frozen=True, slots=True)
class ReadingView:
    """All that the page shows. `letters` is None where the text stage has not run."""

    name: str
    language: str
    version: str
    figures: tuple[tuple[str, str], ...]
    stages: tuple[StageView, ...]
    made: tuple[tuple[str, str], ...]
    sheet: Sheet | None = None
    letters: tuple[Letter, ...] | None = None


def render(view: ReadingView) -> str:
    """Return the page as HTML; raise `Usage` for a language that it does not speak."""
    if view.language not in WORDS:
        raise Usage(
            f"There is no report in {view.language!r}.", f"Choose one of {', '.join(WORDS)}."
        )
    return _Page(view).html()


class _Page:
    """The page in the making: a method for each section, top to bottom."""

    def __init__(self, view: ReadingView) -> None:
        self.view = view
        self.words = WORDS[view.language]

    def say(self, key: str, **values: object) -> str:
        """Return a phrase of the page's language, escaped, its values too."""
        return escape(self.words[key].format(**values) if values else self.words[key])

    def html(self) -> str:
        """Return the whole page."""
        view = self.view
        script, style = _asset("viewer.js"), _asset("page.css")
        title = self.say("title" if view.letters else "title_unread", name=view.name)
        # Nothing may be fetched but pictures beside the page, nothing may run but its own script.
        policy = (
            f"default-src 'none'; img-src 'self' file: data:; style-src '{_hash(style)}'; "
            f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
        )
        sections = [self.sheet(), self.text(), self.stages(), self.how()]
        run = f"<script>{script}</script>\n" if view.sheet else ""
        return (
            f'<!doctype html>\n<html lang="{view.language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{title} · danseo</title>\n<style>{style}</style>\n</head>\n<body>\n"
            f'<a class="skip" href="#main">{self.say("skip")}</a>\n'
            f"{self.header(title)}\n"
            '<main id="main">\n' + "\n".join(sections) + "\n</main>\n"
            f"<footer><p>{self.say('footer', version=view.version)}</p></footer>\n"
            f"{run}</body>\n</html>\n"
        )

    def header(self, title: str) -> str:
        """Return what was read, and the key figures."""
        return (
            f'<header><p class="brand">danseo · 단서</p><h1>{title}</h1>'
            f'<p class="lead">{self.say("lead")}</p>'
            f'<dl class="figures">{self._pairs(self.view.figures, wrap=True)}</dl></header>'
        )

    def sheet(self) -> str:
        """Return the zoomable sheet, and the plain picture that stands there without script."""
        sheet = self.view.sheet
        if sheet is None:
            return ""
        long_alt, name = self.say("sheet_long_alt"), self.say("sheet_name")
        return (
            f'<section aria-labelledby="sheet-title"><h2 id="sheet-title">{self.say("sheet")}</h2>'
            f"<p>{self.say('sheet_note')}</p>"
            f'<div class="long" id="plain" tabindex="0" role="region" aria-label="{long_alt}">'
            f'<img src="{escape(sheet.plain)}" alt="{long_alt}" loading="lazy"></div>'
            f'<div class="viewer" id="viewer" role="group" aria-label="{name}" hidden>'
            f"{self._tools()}"
            f'<canvas id="sheet" tabindex="0" role="application" aria-label="{name}" '
            'aria-describedby="place"></canvas>'
            '<canvas id="map" aria-hidden="true"></canvas>'
            f'<output id="place"></output></div>{self._key()}'
            f'<script type="application/json" id="sheet-data">{self._data(sheet)}</script>'
            "</section>"
        )

    def text(self) -> str:
        """Return the transcript, a line of the sheet a line."""
        letters = self.view.letters
        if letters is None:
            last = [stage.name for stage in self.view.stages if stage.made]
            name = self.words[_TITLES[last[-1]]].partition(":")[0] if last else "-"
            body = f"<p>{self.say('not_read', stage=name)}</p>"
        elif not letters:
            body = f"<p>{self.say('no_text')}</p>"
        else:
            lines = "".join(f'<li lang="grc">{row}</li>' for row in _lines(letters))
            body = f'<p>{self.say("text_note")}</p><ol class="transcript">{lines}</ol>'
        title = self.say("text_title")
        return f'<section aria-labelledby="text"><h2 id="text">{title}</h2>{body}</section>'

    def stages(self) -> str:
        """Return each stage: how it was made, its figures and gaps, its picture."""
        shown = "".join(self._stage(stage) for stage in self.view.stages)
        title = self.say("stages")
        return f'<section aria-labelledby="stages"><h2 id="stages">{title}</h2>{shown}</section>'

    def how(self) -> str:
        """Return what the page was made from."""
        pairs = self._pairs(self.view.made)
        title = self.say("how")
        return (
            f'<section aria-labelledby="how"><h2 id="how">{title}</h2>'
            f'<dl class="facts">{pairs}</dl></section>'
        )

    def _stage(self, stage: StageView) -> str:
        title = self.say(_TITLES[stage.name])
        pairs = self._pairs((("made", stage.made or self.words["failed"]), *stage.facts))
        holes = self._pairs(stage.gaps, mark="hole")
        picture = ""
        if stage.picture:
            alt = self.say(f"{stage.name}_alt")
            note = self.say(_NOTES[stage.name])
            picture = (
                f'<figure><div class="picture" tabindex="0" role="region" aria-label="{alt}">'
                f'<img src="{escape(stage.picture)}" alt="{alt}" loading="lazy"></div>'
                f"<figcaption>{note}</figcaption></figure>"
            )
        facts = f'<dl class="facts">{pairs}{holes}</dl>'
        return f'<div class="stage"><h3>{title}</h3>{facts}{picture}</div>'

    def _pairs(
        self, pairs: Sequence[tuple[str, str]], *, mark: str = "", wrap: bool = False
    ) -> str:
        kind = f' class="{mark}"' if mark else ""
        rows = [f"<dt>{self.say(key)}</dt><dd{kind}>{escape(value)}</dd>" for key, value in pairs]
        return "".join(f"<div>{row}</div>" if wrap else row for row in rows)

    def _tools(self) -> str:
        sheet = self.view.sheet
        layers = [*(sheet.suffix if sheet else ()), *(["text"] if self.view.letters else [])]
        boxes = "".join(
            f'<label><input type="checkbox" id="layer-{name}" checked>{self.say(name)}</label>'
            for name in layers
        )
        moves = "".join(self._button(act, face) for act, face in _MOVES)
        zooms = "".join(self._button(act, face) for act, face in _ZOOMS)
        sizes = "".join(
            f'<button type="button" data-act="{act}">{self.say(act)}</button>' for act in _SIZES
        )
        return (
            f'<div class="tools"><fieldset><legend>{self.say("layers")}</legend>{boxes}</fieldset>'
            f"<fieldset><legend>{self.say('zoom')}</legend>{zooms}{sizes}</fieldset>"
            f"<fieldset><legend>{self.say('move')}</legend>{moves}</fieldset></div>"
        )

    def _button(self, act: str, face: str) -> str:
        name = self.say(act)
        return (
            f'<button type="button" data-act="{act}" aria-label="{name}" title="{name}">{face}'
            "</button>"
        )

    def _key(self) -> str:
        sheet = self.view.sheet
        rows = [("none", "no_sheet")]
        rows += [("ink", "ink_key")] if sheet and "ink" in sheet.suffix else []
        rows += [("letter", "letter_key")] if self.view.letters else []
        return (
            '<ul class="key">'
            + "".join(f'<li><i class="{mark}"></i>{self.say(key)}</li>' for mark, key in rows)
            + "</ul>"
        )

    def _data(self, sheet: Sheet) -> str:
        letters = self.view.letters or ()
        found = {
            "folder": sheet.folder,
            "width": sheet.width,
            "height": sheet.height,
            "tile": sheet.tile,
            "levels": sheet.levels,
            "um": sheet.um,
            "suffix": sheet.suffix,
            "layers": [*sheet.suffix, "text"],
            "letters": [[one.char, *one.box, int(one.sure)] for one in letters],
            "place": self.words["place" if sheet.um else "place_unknown"],
        }
        # No letter and no path may end the element that holds them.
        return json.dumps(found, ensure_ascii=False).replace("<", "\\u003c")


_TITLES = {
    "segment": "segment",
    "flatten": "flatten",
    "render": "render",
    "ink": "ink_stage",
    "text": "text_stage",
}
_NOTES = {
    "segment": "segment_note",
    "flatten": "flatten_note",
    "render": "render_note",
    "ink": "ink_note",
    "text": "text_stage_note",
}
_MOVES = (("left", "←"), ("right", "→"), ("up", "↑"), ("down", "↓"))
_ZOOMS = (("in", "+"), ("out", "−"))
_SIZES = ("whole", "column", "full")


def _lines(letters: Sequence[Letter]) -> list[str]:
    """Return the lines of the transcript as HTML, unsure letters marked."""
    rows: dict[int, list[str]] = {}
    for one in sorted(letters, key=lambda letter: (letter.line, letter.box[0])):
        char = escape(one.char)
        rows.setdefault(one.line, []).append(
            char if one.sure or char == "." else f'<span class="unsure">{char}</span>'
        )
    return ["".join(row) for _, row in sorted(rows.items())]


def _asset(name: str) -> str:
    return resources.files("danseo.scroll.reading").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
