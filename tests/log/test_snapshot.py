"""Snapshots give back the very state, or nothing."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from danseo.core.challenge import Challenge, Clue, Fund, JuryRound, Stake, Verdict
from danseo.core.reward import Node
from danseo.core.state import Person, State
from danseo.log import snapshot
from danseo.log.snapshot import Snapshot

ROOT = bytes(range(32))


def example(hint, depth=0):
    """A value of a type, with something in every container and integers beyond 64 bits."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return example(arguments[0], depth)
    if hint is str:
        return '단서 \u2028"'
    if hint is bool:
        return True
    if hint is int:
        return -(10**30) if depth % 2 else 2**200 + 1
    if origin is dict:
        return {example(arguments[0], depth): example(arguments[1], depth + 1)}
    if origin is list:
        return [example(arguments[0], depth + 1)]
    if origin is tuple and arguments[-1] is Ellipsis:
        return (example(arguments[0], depth + 1),)
    if origin is tuple:
        return tuple(example(a, depth + 1) for a in arguments)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        return hint(**{f.name: example(hints[f.name], depth + 1) for f in dataclasses.fields(hint)})
    inner = [a for a in arguments if a is not type(None)]
    return example(inner[0], depth)


def test_every_member_of_the_state_comes_back(tmp_path):
    state = example(State)
    assert state.challenges
    assert isinstance(next(iter(state.challenges.values())).clues, dict)
    snapshot.write(tmp_path / "snapshot", Snapshot(5, ROOT, state))
    assert snapshot.read(tmp_path / "snapshot") == Snapshot(5, ROOT, state)


def test_types_and_order_come_back_too():
    state = State()
    for name in ("b", "a", "c"):
        state.sequences[name] = 2**80
        state.people[name] = Person(name, nexts=[("k", 3)], adopted=("x", 2**70))
    back = snapshot.decode_state(snapshot.encode_state(state))
    assert list(back.sequences) == ["b", "a", "c"]
    assert type(back.people["a"].nexts[0]) is tuple
    assert snapshot.encode_state(back) == snapshot.encode_state(state)


def test_no_part_of_the_state_has_two_places():
    """What two members shared would come back as two: the types leave no room for it."""
    seen = []

    def mutable(hint, path):
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if dataclasses.is_dataclass(hint):
            if not hint.__dataclass_params__.frozen:
                seen.append((hint, path))
            for name, inner in typing.get_type_hints(hint).items():
                if typing.get_origin(inner) is not typing.ClassVar:
                    mutable(inner, f"{path}.{name}")
        elif origin is not None:
            for one in arguments:
                if one is not Ellipsis:
                    mutable(one, path)

    mutable(State, "state")
    types = [hint for hint, _ in seen]
    assert len(types) == len(set(types)), seen
    assert {Challenge, Clue, Verdict, Stake, JuryRound, Person} <= set(types)
    assert Node not in types
    assert Fund in types or dataclasses.is_dataclass(Fund)


@pytest.mark.parametrize("at", [0, 20, 80, 150, -1])
def test_a_damaged_snapshot_is_none(tmp_path, at):
    path = tmp_path / "snapshot"
    snapshot.write(path, Snapshot(5, ROOT, State(origin="log.example/x")))
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    read = snapshot.read(path)
    assert read is None or (read.size, read.root) != (5, ROOT)


def test_a_snapshot_of_other_code_is_none(tmp_path, monkeypatch):
    path = tmp_path / "snapshot"
    snapshot.write(path, Snapshot(5, ROOT, State()))
    monkeypatch.setattr(snapshot, "code_version", lambda: "other")
    assert snapshot.read(path) is None


def test_a_missing_snapshot_is_none(tmp_path):
    assert snapshot.read(tmp_path / "snapshot") is None


def test_the_version_of_the_code_follows_its_source():
    assert len(snapshot.code_version()) == 64
