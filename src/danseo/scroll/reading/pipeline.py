"""`read`: a volume in, text out, through five stages, with a picture of each and a report.

A stage runs where its question was not answered yet. What someone else put into a stage's folder
is used as it is. However the reading ends, the report tells how far it came.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from danseo.core.errors import DanseoError, Usage
from danseo.scroll.reading import stages
from danseo.scroll.reading.stages import INK, LAYERS, MASK, STAGES, Outcome
from danseo.scroll.stage import Stage, alone

if TYPE_CHECKING:
    from danseo.scroll.volume import Volume

Progress = Callable[[float, str], None]

SHARES: Final = {"segment": 0.12, "flatten": 0.05, "render": 0.03, "ink": 0.72, "text": 0.06}
"""About which part of the time each stage takes, on a processor; the pictures take the rest."""


@dataclass(frozen=True)
class Request:
    """What to read, and how.

    `first` and `last` bound the stages that may run; those before `first` are taken as they lie.
    `use` names someone else's output for a stage. `options` holds each stage's options, and
    `weights` the files of weights for ink and text where not those of the package.
    """

    out: Path
    first: str = "segment"
    last: str = "text"
    use: Mapping[str, Path] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Path] = field(default_factory=dict)
    workers: int | str = 1
    force: bool = False
    language: str = "en"
    said: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (self.first, self.last, *self.use):
            stages.stage_named(name)
        if STAGES.index(self.first) > STAGES.index(self.last):
            raise Usage(
                f"{self.first} comes after {self.last}.", f"The order is {', '.join(STAGES)}."
            )


@dataclass(frozen=True, slots=True)
class Read:
    """What came of it: the stages in order, the report, and the text, None where not read."""

    outcomes: tuple[Outcome, ...]
    report: Path
    text: str | None


def read(
    volume: Volume,
    request: Request,
    progress: Progress | None = None,
    tell: Callable[[Outcome], None] | None = None,
) -> Read:
    """Run the stages that are asked for, then write pictures, report and text.

    `tell` hears of each stage as it ends. Where a stage fails, what there is by then is written
    before its error is raised.
    """
    share = progress or (lambda part, words: None)
    with alone(request.out):
        done: dict[str, Outcome] = {}
        try:
            for name in _needed(request):
                outcome = _one(name, volume, request, _part(share, name))
                if outcome is not None:
                    done[name] = outcome
                    if tell is not None:
                        tell(outcome)
        except DanseoError:
            if done:
                _write(volume, request, done, share)
            raise
        return _write(volume, request, done, share)


def _needed(request: Request) -> list[str]:
    """Return the stages to look at: what comes before an output that is given is not needed."""
    last = STAGES.index(request.last)
    given = [i for i, name in enumerate(STAGES) if name in request.use and i <= last]
    return [
        name
        for i, name in enumerate(STAGES[: last + 1])
        if not given or i >= max(given) or name in request.use or (request.out / name).is_dir()
    ]


def _one(name: str, volume: Volume, request: Request, progress: Progress) -> Outcome | None:
    folder = request.out / name
    given = [one for one in STAGES if one in request.use]
    if name in request.use:
        return stages.take(name, request.use[name], folder)
    before = STAGES.index(name) < STAGES.index(request.first)
    behind = bool(given) and STAGES.index(name) < STAGES.index(given[-1])
    if before or behind:
        return stages.kept(name, folder)
    if Stage(folder, name, {}).state == "foreign":
        return Outcome(name, folder, "given")
    progress(0.0, "begins")
    return _RUN[name](volume, request, progress)


def _segment(volume: Volume, request: Request, progress: Progress) -> Outcome:
    from danseo.scroll.winding.sheets import Options

    options = request.options.get("segment") or Options()
    return stages.segment(
        volume,
        request.out / "segment",
        options,
        progress,
        workers=request.workers,
        force=request.force,
    )


def _flatten(volume: Volume, request: Request, progress: Progress) -> Outcome:
    from danseo.scroll.flatten import Options

    return stages.flatten(
        _input(request, "segment"),
        request.out / "flatten",
        request.options.get("flatten") or Options(),
        progress,
        force=request.force,
    )


def _render(volume: Volume, request: Request, progress: Progress) -> Outcome:
    from danseo.scroll.render import Options

    return stages.render(
        volume,
        _input(request, "flatten"),
        request.out / "render",
        request.options.get("render") or Options(),
        progress,
        workers=request.workers,
        force=request.force,
    )


def _ink(volume: Volume, request: Request, progress: Progress) -> Outcome:
    from dataclasses import replace

    from danseo.scroll.ink.predict import Prediction

    rendered = _input(request, "render")
    options = request.options.get("ink") or Prediction()
    return stages.ink(
        rendered / LAYERS,
        rendered / MASK,
        request.out / "ink",
        replace(options, workers=request.workers),
        request.weights.get("ink"),
        progress,
        force=request.force,
    )


def _text(volume: Volume, request: Request, progress: Progress) -> Outcome:
    from danseo.scroll.text.transcribe import TextOptions

    found = _input(request, "ink")
    return stages.text(
        found / INK,
        found / MASK if (found / MASK).exists() else None,
        request.out / "text",
        request.options.get("text") or TextOptions(),
        request.weights.get("text"),
        progress,
        force=request.force,
    )


_RUN: Final[dict[str, Callable[[Any, Request, Progress], Outcome]]] = {
    "segment": _segment,
    "flatten": _flatten,
    "render": _render,
    "ink": _ink,
    "text": _text,
}


def _input(request: Request, name: str) -> Path:
    """Return the folder of the stage before; raise `Usage` where it holds no result."""
    folder = request.out / name
    if stages.kept(name, folder) is None:
        raise Usage(
            f"{folder} holds no result of {name}.",
            f"Begin earlier (--from {name}), or give one: --use {name}=PATH.",
        )
    return folder


def _part(progress: Progress, name: str) -> Progress:
    start = sum(SHARES[one] for one in STAGES[: STAGES.index(name)])
    return lambda part, words: progress(start + SHARES[name] * part, f"{name}: {words}")


def _write(volume: Volume, request: Request, done: dict[str, Outcome], progress: Progress) -> Read:
    """Write pictures, report and text of what is there."""
    from danseo.scroll.reading.album import make_album
    from danseo.scroll.reading.page import render as render_page

    progress(sum(SHARES.values()), "pictures")
    # Written whole each time: a picture of an older result must not stay.
    shutil.rmtree(request.out / "pictures", ignore_errors=True)
    view = make_album(volume, request.out, done, request.language, request.said)
    report = request.out / "report.html"
    _whole(report, render_page(view))
    text = None
    if "text" in done:
        from danseo.scroll.reading.stages import TEXT
        from danseo.scroll.text.record import read_json

        text = read_json(done["text"].folder / TEXT).text()
        _whole(request.out / "text.txt", text + "\n" if text else "")
    progress(1.0, "done")
    return Read(tuple(done.values()), report, text)


def _whole(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, "utf-8")
    draft.replace(path)
