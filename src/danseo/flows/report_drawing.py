"""The drawings of the report as SVG: the graph of clues and the frontier.

Coordinates are in pixels, worked out in floats: they place marks, and no money hangs on them.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

COLUMN: Final = 236
ROW: Final = 132
_LABEL_EMS: Final = 13.5
_NOTE_EMS: Final = 16.0


@dataclass(frozen=True, slots=True)
class Vertex:
    """A clue in the graph. `part` is its total share, from 0 to 1; `note` stands under its name,
    `hover` is told in full."""

    clue: int
    name: str
    note: str
    hover: str
    part: float
    cites: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the frontier: a time in seconds, a score, and what to write beside it."""

    time: int
    score: float
    name: str
    hover: str


@dataclass(slots=True)
class _Place:
    """A vertex, or the bend of an edge that passes a layer (`vertex` None)."""

    layer: int
    vertex: Vertex | None
    row: float = 0.0
    x: float = 0.0
    y: float = 0.0


def graph(vertices: Sequence[Vertex], label: str) -> str:
    """Return the graph of clues: who stands on whom runs from right to left.

    A clue stands one column right of the last one that it cites. Edges bend around columns that
    they pass. Clues without an edge stand below a line. Circles grow with the share, lines with
    the weight.
    """
    tied = {c for v in vertices for c, _ in v.cites} | {v.clue for v in vertices if v.cites}
    places, edges = _layers([vertex for vertex in vertices if vertex.clue in tied])
    columns: list[list[_Place]] = [
        [] for _ in range(1 + max((p.layer for p in places), default=-1))
    ]
    for place in places:
        columns[place.layer].append(place)
    _order(columns, edges)
    tallest = max(map(len, columns), default=0)
    for column in columns:
        for slot, place in enumerate(column):
            place.x = COLUMN * (place.layer + 0.5)
            place.y = 48 + ROW * (slot + (tallest - len(column)) / 2)
    alone = [_Place(0, vertex) for vertex in vertices if vertex.clue not in tied]
    across = max(len(columns), min(4, len(alone)))
    for slot, place in enumerate(alone):
        place.x = COLUMN * (slot % across + 0.5)
        place.y = 48 + ROW * (tallest + slot // across)
    rows = tallest + math.ceil(len(alone) / across)
    width, height = COLUMN * across, ROW * rows + 12
    body = [_edge(chain, weight) for chain, weight in edges]
    body += [_weight(chain, weight) for chain, weight in edges]
    if alone and edges:
        y = ROW * tallest + 4
        body.append(f'<line class="grid" x1="0" y1="{y}" x2="{width}" y2="{y}"/>')
    body += [_vertex(place, place.vertex) for place in [*places, *alone] if place.vertex]
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}">'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="11" '
        'markerHeight="11" markerUnits="userSpaceOnUse" orient="auto">'
        '<path class="tip" d="M0 0 10 5 0 10z"/></marker></defs>' + "".join(body) + "</svg>"
    )


_Edges = list[tuple[list[_Place], float]]


def _layers(vertices: Sequence[Vertex]) -> tuple[list[_Place], _Edges]:
    """Return all places, and each edge as the chain of places from citer to cited."""
    by_clue: dict[int, _Place] = {}
    for vertex in vertices:
        below = [by_clue[c].layer for c, _ in vertex.cites if c in by_clue]
        by_clue[vertex.clue] = _Place(1 + max(below, default=-1), vertex)
    places, edges = list(by_clue.values()), _Edges()
    for vertex in vertices:
        for cited, weight in vertex.cites:
            if cited not in by_clue:
                continue
            start, end = by_clue[vertex.clue], by_clue[cited]
            bends = [_Place(layer, None) for layer in range(start.layer - 1, end.layer, -1)]
            places += bends
            edges.append(([start, *bends, end], weight))
    return places, edges


def _order(columns: list[list[_Place]], edges: _Edges) -> None:
    """Sort each column so that edges cross little: by the mean row of neighbours, to and fro."""
    near: dict[int, list[_Place]] = {}
    for chain, _ in edges:
        for one, other in pairwise(chain):
            near.setdefault(id(one), []).append(other)
            near.setdefault(id(other), []).append(one)
    for column in columns:
        _number(column)
    for sweep in range(8):
        step = 1 if sweep % 2 else -1
        for column in columns[::step]:
            column.sort(key=lambda place: _mean_row(place, near.get(id(place), []), step))
            _number(column)


def _mean_row(place: _Place, near: list[_Place], step: int) -> float:
    rows = [other.row for other in near if (place.layer - other.layer) * step > 0]
    return sum(rows) / len(rows) if rows else place.row


def _number(column: list[_Place]) -> None:
    for slot, place in enumerate(column):
        place.row = slot - (len(column) - 1) / 2


def _radius(vertex: Vertex) -> float:
    return 7 + 40 * math.sqrt(min(1.0, max(0.0, vertex.part)))


def _edge(chain: list[_Place], weight: float) -> str:
    start, end = chain[0], chain[-1]
    reach = (_radius(end.vertex) if end.vertex else 0) + 5
    x, y = start.x - (_radius(start.vertex) if start.vertex else 0), start.y
    path = f"M{x:.1f} {y:.1f}"
    for place in chain[1:]:
        to = place.x + (reach if place is end else 0)
        bend = (x - to) / 2
        path += f"C{x - bend:.1f} {y:.1f} {to + bend:.1f} {place.y:.1f} {to:.1f} {place.y:.1f}"
        x, y = to, place.y
    return (
        f'<path class="edge" d="{path}" stroke-width="{1.2 + 5 * weight:.1f}" '
        'marker-end="url(#tip)"/>'
    )


def _weight(chain: list[_Place], weight: float) -> str:
    """Return the weight, written in the gap to the left of the citer."""
    start, following = chain[0], chain[1]
    x, y = start.x - COLUMN / 2, (start.y + following.y) / 2
    text = f"{weight * 100:.0f} %" if weight >= 0.005 else "&lt; 1 %"
    return (
        f'<text class="quiet halo" x="{x:.0f}" y="{y - 5:.0f}" text-anchor="middle">{text}</text>'
    )


def _vertex(place: _Place, vertex: Vertex) -> str:
    radius = _radius(vertex)
    small = "" if vertex.part > 0 else " small"
    top = place.y + radius + 18
    rows = wrap(vertex.name, _LABEL_EMS, 2)
    note = "".join(wrap(vertex.note, _NOTE_EMS, 1))
    text = "".join(
        f'<text class="name halo" x="{place.x:.0f}" y="{top + 17 * i:.0f}" '
        f'text-anchor="middle">{escape(row)}</text>'
        for i, row in enumerate(rows)
    )
    return (
        f"<g><title>{escape(vertex.hover)}</title>"
        f'<circle class="node{small}" cx="{place.x:.1f}" cy="{place.y:.1f}" r="{radius:.1f}"/>'
        f'{text}<text class="quiet halo" x="{place.x:.0f}" y="{top + 17 * len(rows):.0f}" '
        f'text-anchor="middle">{escape(note)}</text></g>'
    )


def wrap(text: str, ems: float, rows: int) -> list[str]:
    """Return `text` in at most `rows` rows of at most `ems` widths of a Korean letter.

    >>> wrap("Ink is darker than what surrounds it", 9, 2)
    ['Ink is darker', 'than what surr…']
    """
    found: list[str] = []
    line = ""
    words = text.split()
    while words:
        word = words.pop(0)
        longer = f"{line} {word}".strip()
        if _ems(longer) <= ems:
            line = longer
            continue
        if len(found) == rows - 1 or not line:
            line = longer
            if len(found) < rows - 1:
                cut = _cut(line, ems)
                found.append(cut)
                words.insert(0, line[len(cut) :])
                line = ""
                continue
            kept = _cut(line, ems - 0.6)
            return [*found, f"{kept.rstrip()}…"]
        found.append(line)
        line = ""
        words.insert(0, word)
    return [*found, line] if line else found


def _ems(text: str) -> float:
    return sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.56 for c in text)


def _cut(text: str, ems: float) -> str:
    end = 1
    while end < len(text) and _ems(text[: end + 1]) <= ems:
        end += 1
    return text[:end]


def frontier(
    marks: Sequence[Mark],
    span: tuple[int, int],
    baseline: float,
    goal: float,
    words: tuple[str, str, str],
    when: Callable[[int], str],
) -> str:
    """Return the best score over time as steps, from `baseline`, with the `goal` as a line.

    `span` are the times at both ends in seconds; `words` are the label, and the names of baseline
    and goal; `when` writes a time for the axis.
    """
    width, height, left, right, top, bottom = 1040, 400, 64, 24, 44, 48
    first, last = span[0], max(span[1], span[0] + 1, *(m.time for m in marks))
    values = [baseline, goal, *(m.score for m in marks)]
    low, high = min(values), max(values)
    margin = (high - low or 1) * 0.06
    low, high = low - margin, high + margin
    plot_left = left + 96

    def x(time: int) -> float:
        return plot_left + (width - right - plot_left) * (time - first) / (last - first)

    def y(score: float) -> float:
        return height - bottom - (height - bottom - top) * (score - low) / (high - low)

    body = [
        f'<line class="grid" x1="{left}" y1="{y(tick):.1f}" x2="{width - right}" '
        f'y2="{y(tick):.1f}"/><text class="quiet" x="{left - 10}" y="{y(tick) + 4:.1f}" '
        f'text-anchor="end">{tick:.{digits}f}</text>'
        for tick, digits in _ticks(low, high)
    ]
    for score, word in ((baseline, words[1]), (goal, words[2])):
        body.append(
            f'<line class="bound" x1="{left}" y1="{y(score):.1f}" x2="{width - right}" '
            f'y2="{y(score):.1f}"/><text class="quiet halo" x="{width - right}" '
            f'y="{y(score) - 7:.1f}" text-anchor="end">{escape(word)} {score:.3f}</text>'
        )
    path = f"M{x(first):.1f} {y(baseline):.1f}"
    for mark in marks:
        path += f"H{x(mark.time):.1f}V{y(mark.score):.1f}"
    final = y(marks[-1].score) if marks else y(baseline)
    end_x = x(marks[-1].time) if marks else x(first)
    body.append(f'<path class="after" d="M{end_x:.1f} {final:.1f}H{x(last):.1f}"/>')
    body.append(f'<path class="path" d="{path}"/>')
    body += _labels([(x(m.time), y(m.score), m) for m in marks], goal >= baseline)
    for i in range(5):
        time = first + (last - first) * i // 4
        anchor = "start" if i == 0 else "end" if i == 4 else "middle"
        body.append(
            f'<text class="quiet" x="{x(time):.0f}" y="{height - 14}" '
            f'text-anchor="{anchor}">{escape(when(time))}</text>'
        )
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(words[0])}">{"".join(body)}</svg>'
    )


def _labels(points: list[tuple[float, float, Mark]], rising: bool) -> list[str]:
    """Return dots and their labels. A staircase leaves the corner before each step free, so a
    label stands there; one that would touch the last moves on and is tied to its dot."""
    away = -1 if rising else 1
    found, last_x, last_y = [], -1e9, 0.0
    for x, y, mark in points:
        at = y - 10 if rising else y + 18
        if x - last_x < 190 and (last_y - at) * -away < 18 and (at - last_y) * away < 18:
            at = last_y + 18 * away
        if abs(at - y) > 24:
            found.append(
                f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{x - 8:.1f}" y2="{at:.1f}"/>'
            )
        found.append(
            f"<g><title>{escape(mark.hover)}</title>"
            f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="6"/><text class="halo" '
            f'x="{x - 10:.1f}" y="{at:.1f}" text-anchor="end">{escape(mark.name)}</text></g>'
        )
        last_x, last_y = x, at
    return found


def _ticks(low: float, high: float) -> list[tuple[float, int]]:
    """Return round values inside the range, with the digits that they need."""
    rough = (high - low) / 4
    power = math.floor(math.log10(rough))
    step = next(s for s in (1, 2, 5, 10) if s * 10.0**power >= rough) * 10.0**power
    digits = max(0, -math.floor(math.log10(step)))
    start = math.ceil(low / step)
    return [(n * step, digits) for n in range(start, math.floor(high / step) + 1)]
