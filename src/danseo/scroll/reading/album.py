"""What the report shows of a reading: pictures, figures and gaps, gathered from the folders."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from danseo.scroll.reading import pictures
from danseo.scroll.reading.page import Letter, ReadingView, Sheet, StageView
from danseo.scroll.reading.stages import DISTORTION, INK, LAYERS, MASK, STAGES, TEXT, Outcome
from danseo.scroll.reading.words import WORDS

if TYPE_CHECKING:
    from danseo.scroll.volume import Volume

FOLDER: Final = "pictures"
_FACE: Final = 9
"""Layers from the innermost on that are shown: the written face and the ink that stands on it."""
_DISTORTED: Final = 0.05
"""Energy beyond 4 that is drawn darkest: lengths off by about 11 %."""
_MADE: Final = {
    "made": "made_here",
    "resumed": "made_here",
    "kept": "made_reused",
    "given": "given",
}

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def make_album(
    volume: Volume,
    out: Path,
    done: Mapping[str, Outcome],
    language: str,
    said: Mapping[str, str],
) -> ReadingView:
    """Draw every picture into `out/pictures` and return what the page shows.

    `said` are the options that the user set, by name.
    """
    album = _Album(volume, out, done, WORDS.get(language, WORDS["en"]))
    views = tuple(album.view(name) for name in STAGES)
    facts = [
        ("volume", volume.path.name),
        ("size", " × ".join(str(side) for side in volume.shape) + f", {volume.dtype}"),
        ("voxel", f"{volume.voxel_um:g} µm"),
        ("options", ", ".join(f"{k} {v}" for k, v in said.items()) or album.words["none_set"]),
    ]
    return ReadingView(
        volume.path.name,
        language,
        importlib.metadata.version("danseo"),
        tuple(album.figures),
        views,
        tuple(facts),
        album.sheet,
        album.letters,
    )


class _Album:
    """Draws stage after stage; what one stage reads, later ones draw upon."""

    def __init__(
        self, volume: Volume, out: Path, done: Mapping[str, Outcome], words: Mapping[str, str]
    ) -> None:
        self.volume = volume
        self.out = out
        self.done = done
        self.words = words
        self.figures: list[tuple[str, str]] = []
        self.sheet: Sheet | None = None
        self.letters: tuple[Letter, ...] | None = None
        self._papyrus: Bytes | None = None
        self._mask: Mask | None = None
        self._ink: Bytes | None = None

    def view(self, name: str) -> StageView:
        """Return one stage, its picture drawn; a stage that has not run is shown as such."""
        outcome = self.done.get(name)
        if outcome is None:
            if name == "text":
                self._tiles()
            return StageView(name, "")
        drawn = self.out / FOLDER / f"{name}.png"
        facts, gaps = _DRAW[name](self, outcome, drawn)
        seconds = self.words["seconds"].format(n=f"{outcome.seconds or 0:.0f}")
        made = self.words[_MADE[outcome.how]].format(seconds=seconds)
        if name == "text":
            self._tiles()
        picture = f"{FOLDER}/{name}.png" if drawn.exists() else ""
        return StageView(name, made, tuple(facts), tuple(gaps), picture)

    def segment(self, outcome: Outcome, drawn: Path) -> _Told:
        """Cross-sections, and how much of the grid has sheet."""
        from danseo.scroll.surface import read_surface

        surface = read_surface(outcome.folder)
        pictures.draw_sections(self.volume, surface, drawn)
        summary = outcome.summary or {}
        facts, gaps = _grid(surface)
        if surface.winding is not None and np.isfinite(surface.winding).any():
            turns = float(np.nanmax(surface.winding) - np.nanmin(surface.winding))
            self.figures.append(("windings", f"{turns:.1f}"))
        if "sense" in summary:
            side = self.words["inside" if summary["sense"] > 0 else "outside"]
            facts.append(("sense", side))
        if "pitch" in summary:
            um = summary["pitch"] * self.volume.voxel_um
            facts.append(("pitch", f"{summary['pitch']:.1f} {self.words['voxels']}, {um:.0f} µm"))
        if summary.get("missing_chunks"):
            gaps.append(("gap_chunks", f"{summary['missing_chunks']:,}"))
        return facts, gaps

    def flatten(self, outcome: Outcome, drawn: Path) -> _Told:
        """The map of distortion, where the stage told it."""
        from danseo.scroll.surface import read_surface

        facts, gaps = _grid(read_surface(outcome.folder))
        if (outcome.folder / DISTORTION).exists():
            import tifffile

            pictures.draw_map(tifffile.imread(outcome.folder / DISTORTION), drawn, _DISTORTED)
        summary = outcome.summary or {}
        if "energy" in summary:
            facts += [
                ("energy", f"{summary['energy']:.5f}"),
                ("area", f"{summary['area_mean']:.2%}, {summary['area_most']:.2%}"),
                ("angle", f"{summary['angle_mean']:.2f}°, {summary['angle_most']:.2f}°"),
                ("flips", f"{summary['flips']:,}"),
            ]
        return facts, gaps

    def render(self, outcome: Outcome, drawn: Path) -> _Told:
        """The unrolled sheet in rows."""
        from danseo.scroll.ink.predict import read_mask
        from danseo.scroll.volume import open_volume

        layers = open_volume(outcome.folder / LAYERS)
        self._mask = read_mask(outcome.folder / MASK)
        shown = max(1, layers.shape[0] * _FACE // 24)
        self._papyrus = pictures.papyrus(pictures.composite(layers, 0, shown), self._mask)
        pictures.draw_rows(self._papyrus, drawn)
        _, rows, columns = layers.shape
        self._sized(rows, columns)
        facts = [("pixels", f"{rows:,} × {columns:,}"), ("layer_count", str(layers.shape[0]))]
        return facts, self._holes()

    def ink(self, outcome: Outcome, drawn: Path) -> _Told:
        """The map of ink in rows."""
        from danseo.scroll.ink.predict import read_mask
        from danseo.scroll.reading.stages import read_ink

        probability = read_ink(outcome.folder / INK)
        self._ink = np.rint(probability * 255).astype(np.uint8)
        mask = outcome.folder / MASK
        own = read_mask(mask) if mask.exists() else np.ones(probability.shape, np.bool_)
        if self._mask is None or self._mask.shape != own.shape:
            self._mask, self._papyrus = own, None
            self._sized(*own.shape)
        pictures.draw_ink(self._ink, self._mask, drawn)
        likely = float((probability[self._mask] > 0.5).mean())
        return [("inked", f"{likely:.1%}")], self._holes()

    def text(self, outcome: Outcome, drawn: Path) -> _Told:
        """The letters over the ink."""
        from danseo.scroll.text.record import read_json

        found = read_json(outcome.folder / TEXT)
        self.letters = tuple(
            Letter(
                one.char if one.confidence >= found.dot else ".",
                number,
                (float(one.box[0]), float(one.box[1]), float(one.box[2]), float(one.box[3])),
                one.confidence >= max(0.85, found.dot),
            )
            for number, line in enumerate(found.lines)
            for one in line.letters
        )
        if self._ink is not None and self._mask is not None:
            paper = pictures.ink_on_paper(self._ink, self._mask)
            pictures.draw_rows(paper, drawn, self.letters)
        unsure = sum(not one.sure for one in self.letters)
        self.figures += [("letters", f"{len(self.letters):,}"), ("unsure", f"{unsure:,}")]
        facts = [("lines", f"{len(found.lines):,}"), ("letters", f"{len(self.letters):,}")]
        if self.letters:
            mean = sum(one.confidence for one in found.letters) / len(found.letters)
            facts.append(("confidence", f"{mean:.0%}"))
        return facts, [("warning", words) for words in found.warnings]

    def _sized(self, rows: int, columns: int) -> None:
        """Add the sheet's size and how much of it there is to the key figures."""
        keep = [one for one in self.figures if one[0] not in ("sheet_long", "covered")]
        side = self.volume.voxel_um / 1000
        whole = 1.0 if self._mask is None else float(self._mask.mean())
        size = f"{columns * side:.1f} × {rows * side:.1f} mm"
        self.figures = [("sheet_long", size), *keep, ("covered", f"{whole:.1%}")]

    def _holes(self) -> list[tuple[str, str]]:
        mask = self._mask
        if mask is None or mask.all():
            return []
        holes = int((~mask).sum())
        return [("gap_pixels", f"{holes:,} ({holes / mask.size:.1%})")]

    def _tiles(self) -> None:
        """Write the tiles of the sheet to zoom into, where there is a sheet to see."""
        papyrus = self._papyrus
        if papyrus is None:
            if self._ink is None or self._mask is None:
                return
            papyrus = pictures.papyrus(np.full(self._mask.shape, 205, np.uint8), self._mask)
        name = f"{FOLDER}/sheet"
        self.sheet = pictures.write_sheet(
            self.out / FOLDER / "sheet", name, papyrus, self._ink, self.volume.voxel_um
        )


_Told = tuple[list[tuple[str, str]], list[tuple[str, str]]]

_DRAW: Final[dict[str, Any]] = {
    "segment": _Album.segment,
    "flatten": _Album.flatten,
    "render": _Album.render,
    "ink": _Album.ink,
    "text": _Album.text,
}


def _grid(surface: Any) -> _Told:
    rows, columns = surface.shape
    points = int(surface.valid.sum())
    holes = rows * columns - points
    facts = [("grid", f"{rows:,} × {columns:,}"), ("valid", f"{points:,}")]
    gaps = [("gap_points", f"{holes:,} ({holes / (rows * columns):.1%})")] if holes else []
    return facts, gaps
