"""A transcript as files and as a picture: `text.json`, `text.txt`, and lines drawn on the map."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from danseo.core.errors import Invalid, Unavailable
from danseo.scroll.lettering import Box, fonts
from danseo.scroll.text.lines import check_map
from danseo.scroll.text.transcribe import Line, Reading, Transcript

if TYPE_CHECKING:
    from PIL import Image

_LINE: Final = (205, 92, 46)
_SURE: Final = (120, 200, 160)
_UNSURE: Final = (220, 170, 60)
_GAP: Final = (110, 120, 200)


def to_record(transcript: Transcript) -> dict[str, Any]:
    """Return all that was read as JSON values; boxes are u0, v0, u1, v1 in pixels of the map."""
    return {
        "text": transcript.text(),
        "letter_px": round(transcript.letter_px, 2),
        "dot": transcript.dot,
        "lies": {way: round(fit, 4) for way, fit in transcript.fits},
        "margin": round(transcript.margin, 4),
        "warnings": list(transcript.warnings),
        "lines": [
            {
                "box": list(line.box),
                "column": line.column,
                "text": line.text(transcript.dot),
                "gaps": [list(gap) for gap in line.gaps],
                "letters": [
                    {
                        "char": letter.char,
                        "confidence": letter.confidence,
                        "box": list(letter.box),
                        "alternatives": [list(other) for other in letter.alternatives],
                    }
                    for letter in line.letters
                ],
            }
            for line in transcript.lines
        ],
    }


def write_json(transcript: Transcript, path: Path) -> None:
    """Write all that was read, with confidence and alternatives of every letter."""
    text = json.dumps(to_record(transcript), ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def write_text(transcript: Transcript, path: Path, underdots: bool = False) -> None:
    """Write the text: one row a line, a dot for an illegible letter, brackets where sheet lacks.

    A page without writing gives an empty file.
    """
    text = transcript.text(underdots)
    path.write_text(text + "\n" if text else "", encoding="utf-8")


def read_json(path: Path) -> Transcript:
    """Return the transcript that `write_json` wrote; raise where there is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Transcript(
            lines=tuple(_line(row) for row in record["lines"]),
            letter_px=float(record["letter_px"]),
            fits=tuple((str(way), float(fit)) for way, fit in record["lies"].items()),
            margin=float(record["margin"]),
            dot=float(record["dot"]),
            warnings=tuple(map(str, record["warnings"])),
        )
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error}.", "Run the text stage first."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(
            f"{path} is no transcript: {error!r}.", "Run the text stage again."
        ) from error


def picture(
    probability: NDArray[Any], transcript: Transcript, mask: NDArray[np.bool_] | None = None
) -> Image.Image:
    """Return the map with its lines, and above each letter's box what was read there.

    Green is sure, yellow is not (a dot in the text), blue is a gap in the sheet. A wide map is
    shrunk so that its letters are some 48 pixels high.
    """
    from PIL import Image, ImageDraw, ImageFont

    values, _ = check_map(probability, mask)
    scale = min(1.0, 48 / transcript.letter_px) if transcript.letter_px else 1.0
    size = (max(1, round(values.shape[1] * scale)), max(1, round(values.shape[0] * scale)))
    grey = Image.fromarray((values * 255).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    canvas = grey.convert("RGB")
    draw = ImageDraw.Draw(canvas)
    face = ImageFont.truetype(
        str(fonts()["DejaVu Sans"]), max(8, round(0.4 * scale * transcript.letter_px))
    )
    for line in transcript.lines:
        draw.rectangle(_scaled(line.box, scale), outline=_LINE)
        for gap in line.gaps:
            draw.rectangle(_scaled(gap, scale), outline=_GAP)
        for letter in line.letters:
            colour = _SURE if letter.confidence >= transcript.dot else _UNSURE
            left, top, right, bottom = _scaled(letter.box, scale)
            draw.rectangle((left, top, right, bottom), outline=colour)
            draw.text(((left + right) // 2, top), letter.char, fill=colour, font=face, anchor="mb")
    return canvas


def _line(row: dict[str, Any]) -> Line:
    letters = tuple(
        Reading(
            char=str(letter["char"]),
            confidence=float(letter["confidence"]),
            box=_box(letter["box"]),
            alternatives=tuple((str(char), float(c)) for char, c in letter["alternatives"]),
        )
        for letter in row["letters"]
    )
    return Line(_box(row["box"]), letters, int(row["column"]), tuple(map(_box, row["gaps"])))


def _box(values: list[int]) -> Box:
    u0, v0, u1, v1 = values
    return (int(u0), int(v0), int(u1), int(v1))


def _scaled(box: Box, scale: float) -> Box:
    u0, v0, u1, v1 = (round(edge * scale) for edge in box)
    return (u0, v0, max(u0, u1), max(v0, v1))
