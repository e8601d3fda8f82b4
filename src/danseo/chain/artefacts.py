"""The compiled contracts that are packed with danseo: ABI and bytecode, one JSON file each."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any

import orjson

from danseo.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Artefact:
    """A compiled contract.

    `bytecode` is what a deployment sends, less the constructor's arguments; `runtime` is what then
    stands at the address, with zeros at the places that `immutables` lists as (start, length).
    """

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    runtime: bytes
    immutables: tuple[tuple[int, int], ...]

    def is_at(self, code: bytes) -> bool:
        """Return whether `code` is this contract's, whatever its immutables hold."""
        if len(code) != len(self.runtime):
            return False
        blank = bytearray(code)
        for start, length in self.immutables:
            blank[start : start + length] = bytes(length)
        return bytes(blank) == self.runtime


@functools.cache
def load(name: str) -> Artefact:
    """Return the artefact of the contract `name`; raise `NotFound` if danseo packs none."""
    file = resources.files("danseo.chain").joinpath("artefacts", f"{name}.json")
    if not name.isidentifier() or not file.is_file():
        raise NotFound(
            f"danseo packs no contract {name!r}.", f"It packs {', '.join(names()) or 'none'}."
        )
    return parse(orjson.loads(file.read_bytes()))


def parse(record: dict[str, Any]) -> Artefact:
    """Return the artefact that a file's JSON holds."""
    return Artefact(
        name=record["contract"],
        abi=tuple(record["abi"]),
        bytecode=bytes.fromhex(record["bytecode"].removeprefix("0x")),
        runtime=bytes.fromhex(record["runtime"].removeprefix("0x")),
        immutables=_places(record["immutables"]),
    )


@functools.cache
def names() -> tuple[str, ...]:
    """Return the names of all packed contracts, sorted."""
    folder = resources.files("danseo.chain").joinpath("artefacts")
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))
    )


def _places(recorded: Any) -> tuple[tuple[int, int], ...]:
    """Return (start, length) of every immutable: solc lists them by the id of its declaration."""
    groups = recorded.values() if isinstance(recorded, dict) else [recorded]
    return tuple(sorted((p["start"], p["length"]) for group in groups for p in group))
