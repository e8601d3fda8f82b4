"""Tasks for the tests of tiles: importable, as a process or a cluster needs them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from danseo.core.errors import Invalid


@dataclass(frozen=True)
class Square:
    """Writes the square of a tile, and a line for each call."""

    folder: Path
    seconds: float = 0.0

    def __call__(self, tile: tuple[int, int]) -> int:
        time.sleep(self.seconds)
        (self.folder / f"{tile[0]}-{tile[1]}").write_text(str(tile[0] * tile[1]))
        self._note(tile)
        return tile[0] * tile[1]

    def calls(self) -> list[str]:
        """Return the tiles that were asked for, in order."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def _note(self, tile: tuple[int, int]) -> None:
        with (self.folder / "calls").open("a") as file:
            file.write(f"{tile}\n")


@dataclass(frozen=True)
class FailsAtFirst(Square):
    """Fails the first time for each tile."""

    def __call__(self, tile: tuple[int, int]) -> int:
        if str(tile) not in self.calls():
            self._note(tile)
            raise OSError("the disk was busy")
        return super().__call__(tile)


@dataclass(frozen=True)
class Fails(Square):
    """Fails for the tile (1, 1) always."""

    def __call__(self, tile: tuple[int, int]) -> int:
        if tile == (1, 1):
            self._note(tile)
            raise OSError("no luck")
        return super().__call__(tile)


@dataclass(frozen=True)
class FindsBadInput(Square):
    """Says of the tile (1, 1) that its input is bad."""

    def __call__(self, tile: tuple[int, int]) -> int:
        if tile == (1, 1):
            self._note(tile)
            raise Invalid("chunk 0/1 is cut short.", "Fetch it again.")
        return super().__call__(tile)


@dataclass(frozen=True)
class DiesAtFirst(Square):
    """Kills its process the first time that it meets the tile (1, 1)."""

    always: bool = False

    def __call__(self, tile: tuple[int, int]) -> int:
        if tile == (1, 1) and (self.always or "(1, 1)" not in self.calls()):
            self._note(tile)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(tile)
