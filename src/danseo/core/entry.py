"""What an entry is: its frame, the fields a body can have, and the register of kinds.

A *kind* is a frozen dataclass of fields, registered with `@kind`. From its annotations the module
builds a strict parser: every field present and well-formed, no field too many. The kind adds what
the rules demand: `check` raises a refusal and touches nothing, `apply` writes and cannot fail.
"""

from __future__ import annotations

import dataclasses
import re
import string
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from danseo.core.errors import Malformed
from danseo.core.reward import UNITS

if TYPE_CHECKING:
    from danseo.core.state import State

MAX_BODY: Final = 60_000
"""Bytes that a canonical body may have."""
MAX_LEAF: Final = 65_535
"""Bytes that a wrapped entry may have: tlog-tiles counts in 16 bits."""
SLUG: Final = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
"""The name of a challenge."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the sequencer wrapped it, its signature already checked.

    `time` is in seconds since 1970-01-01 UTC. `sequence` counts from 0 for each author and
    challenge. `challenge` is empty for what concerns the log as a whole.
    """

    index: int
    time: int
    author: str
    kind: str
    challenge: str
    sequence: int
    summary: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """How a string is checked and what it becomes."""

    name: str
    pattern: str
    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str


# Every one of these is a string in the body.
Address = Annotated[str, Field("address", r"0x[0-9a-f]{40}")]
Author = Annotated[str, Field("author", r"0x[0-9a-f]{40}|site:[0-9a-f]{32}")]
Hash = Annotated[str, Field("SHA-256", r"[0-9a-f]{64}")]
Blob = Annotated[str, Field("blob", r"[0-9a-f]{64}")]
Key32 = Annotated[str, Field("32-byte key", r"[0-9a-f]{64}")]
Sealed = Annotated[str, Field("sealed box", r"(?:[0-9a-f]{2}){48,512}")]
Share = Annotated[str, Field("Shamir share", r"[0-9a-f]{134}")]
Asset = Annotated[str, Field("asset", r"[A-Z][A-Z0-9.:-]{0,63}")]
Line = Annotated[
    str, Field("line", r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]{0,200}")
]
Licence = Annotated[str, Field("SPDX licence", r"[A-Za-z0-9.+-]{1,64}")]
Amount = Annotated[int, Field("amount", r"0|[1-9][0-9]{0,76}", int)]
"""An amount in the smallest unit (wei, satoshi, won), or a number of shares."""


@dataclass(frozen=True, slots=True)
class Range:
    """The bounds of an integer, both inside."""

    low: int
    high: int


Time = Annotated[int, Range(0, 2**40)]
Seconds = Annotated[int, Range(0, 2**31)]
Index = Annotated[int, Range(0, 2**53 - 1)]
Units = Annotated[int, Range(0, UNITS)]
Parts = Annotated[int, Range(1, UNITS)]
Score = Annotated[int, Range(-(2**53) + 1, 2**53 - 1)]
"""A score in parts per billion of the scorer's unit."""


class Body:
    """The base of every kind. Subclasses are frozen dataclasses registered with `@kind`."""

    kind: ClassVar[str]
    scope: ClassVar[str] = "challenge"
    """`challenge`: the frame names an existing challenge. `log`: the frame's challenge is empty.
    `opening`: the frame names a challenge that does not exist yet."""
    english: ClassVar[str]
    korean: ClassVar[str]
    named: ClassVar[tuple[str, ...]]
    """The fields that the two templates name; `@kind` finds them."""

    def summary_fields(self) -> dict[str, Any]:
        """Return what the templates may name beyond the fields themselves."""
        return {}

    def check(self, state: State, entry: Entry) -> None:
        """Raise a `Refused` where the rules do not take `entry`. Write nothing."""
        raise TypeError(f"{type(self).__name__} has no check")

    def apply(self, state: State, entry: Entry) -> None:
        """Write what `entry` changes. Called after `check` and never fails."""
        raise TypeError(f"{type(self).__name__} has no apply")

    def summaries(self) -> tuple[str, str]:
        """Return the one line that the author signs, in English and in Korean.

        A field's value stands in it whole or cut to a stated length; line breaks cannot.
        """
        values = self._named()
        return self.english.format_map(values), self.korean.format_map(values)

    def says(self, summary: str) -> bool:
        """Return whether `summary` is one of the two lines."""
        values = self._named()
        if summary == self.english.format_map(values):
            return True
        return summary == self.korean.format_map(values)

    def _named(self) -> dict[str, Any]:
        """Return what the templates name."""
        values = {name: getattr(self, name) for name in self.named}
        values.update(self.summary_fields())
        return values


KINDS: dict[str, type[Body]] = {}
"""Every kind of entry by its name. `danseo.core.kinds` fills it when imported."""

Parser = Callable[[Any], Any]
_PARSERS: dict[type, Parser] = {}


_B = typing.TypeVar("_B", bound=type[Body])


def kind(name: str) -> Callable[[_B], _B]:
    """Register a frozen dataclass as the body of entries of kind `name`."""

    def register(cls: _B) -> _B:
        if name in KINDS:
            raise TypeError(f"The kind {name} is defined twice.")
        cls.kind = name
        templates = string.Formatter().parse(cls.english + cls.korean)
        used = {field for _, field, _, _ in templates}
        cls.named = tuple(f.name for f in dataclasses.fields(cls) if f.name in used)  # type: ignore[arg-type]
        KINDS[name] = cls
        return cls

    return register


def parse(name: str, body: Any) -> Body:
    """Return the body of kind `name`, or raise `Malformed` naming the field and its value."""
    cls = KINDS.get(name)
    if cls is None:
        known = ", ".join(sorted(KINDS))
        raise Malformed(f"There is no kind {name!r} of entry.", f"The kinds are {known}.")
    try:
        parsed: Body = _parser(cls)(body)
    except Malformed as refusal:
        raise _within(name, refusal) from None
    return parsed


def to_body(value: Any) -> Any:
    """Return the plain JSON of a body: the inverse of `parse`."""
    out = {}
    for name, write, optional in _writers(type(value)):
        member = getattr(value, name)
        if not (optional and member is None):
            out[name] = write(member)
    return out


def blobs(body: Any) -> Iterator[str]:
    """Yield each blob that a body names, in the order of its fields."""
    for name, hint in _blob_fields(type(body)):
        yield from _blobs_of(hint, getattr(body, name))


def blobs_in(name: str, body: dict[str, Any]) -> list[str]:
    """Return what `blobs(parse(name, body))` yields, for a body that is known to parse."""
    return _blobs_in(_blob_fields(KINDS[name]), body)


def _blobs_in(fields: list[tuple[str, Any]], body: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, hint in fields:
        member = body.get(name)
        if member is None:
            continue
        if hint == Blob:
            found.append(member)
            continue
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
        for one in member if inner is not hint else [member]:
            found += [one] if inner == Blob else _blobs_in(_blob_fields(inner), one)
    return found


def _blobs_of(hint: Any, member: Any) -> Iterator[str]:
    if member is None:
        return
    if hint == Blob:
        yield member
    elif typing.get_origin(hint) is tuple:
        for one in member:
            yield from _blobs_of(typing.get_args(hint)[0], one)
    else:
        yield from blobs(member)


_BLOBS: dict[type, list[tuple[str, Any]]] = {}


def _blob_fields(cls: Any) -> list[tuple[str, Any]]:
    """Return the name and type of each field that can hold a blob, itself or within."""
    found = _BLOBS.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls, include_extras=True)
        fields = [(f.name, _required(hints[f.name])) for f in dataclasses.fields(cls)]
        found = _BLOBS[cls] = [(name, hint) for name, hint in fields if _holds_blob(hint)]
    return found


def _holds_blob(hint: Any) -> bool:
    if typing.get_origin(hint) is tuple:
        return _holds_blob(typing.get_args(hint)[0])
    return hint == Blob or (dataclasses.is_dataclass(hint) and bool(_blob_fields(hint)))


def _parser(hint: Any) -> Parser:
    """Return the parser of a type annotation, built once for each.

    It turns the plain JSON of a field into what the field holds, or raises `Malformed` with a
    message to which `_within` adds where that was, from the inside out.
    """
    found = _PARSERS.get(hint)
    if found is None:
        found = _PARSERS[hint] = _build(hint)
    return found


def _build(hint: Any) -> Parser:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        rule = typing.get_args(hint)[1]
        return _string(rule) if isinstance(rule, Field) else _integer(rule)
    if origin is tuple:
        return _array(_parser(typing.get_args(hint)[0]))
    if hint is bool:
        return _boolean
    if dataclasses.is_dataclass(hint):
        return _object(hint)
    raise TypeError(f"A body cannot hold {hint!r}.")


def _within(place: str, refusal: Malformed) -> Malformed:
    return Malformed(place + refusal.message, refusal.remedy)


def _string(rule: Field) -> Parser:
    match, read = re.compile(rule.pattern).fullmatch, rule.read
    plain = read is str

    def parse_string(value: Any) -> Any:
        if type(value) is not str or match(value) is None:
            raise Malformed(f" is {_show(value)}.", f"It must be {_a(rule.name)}.")
        return value if plain else read(value)

    return parse_string


def _integer(rule: Range) -> Parser:
    low, high = rule.low, rule.high

    def parse_integer(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise Malformed(f" is {_show(value)}.", f"It must be an integer from {low} to {high}.")
        return value

    return parse_integer


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise Malformed(f" is {_show(value)}.", "It must be true or false.")
    return value


def _array(parse_one: Parser) -> Parser:
    def parse_array(value: Any) -> Any:
        if type(value) is not list:
            raise Malformed(f" is {_show(value)}.", "It must be an array.")
        found = []
        try:
            for one in value:
                found.append(parse_one(one))
        except Malformed as refusal:
            raise _within(f"[{len(found)}]", refusal) from None
        return tuple(found)

    return parse_array


def _object(cls: Any) -> Parser:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = [
        (f.name, _parser(_required(hints[f.name])), f.default) for f in dataclasses.fields(cls)
    ]

    def parse_object(value: Any) -> Any:
        if type(value) is not dict:
            raise Malformed(f" is {_show(value)}.", "It must be an object.")
        found, absent = [], 0
        for name, parse_field, default in fields:
            try:
                found.append(parse_field(value[name]))
            except KeyError:
                if default is dataclasses.MISSING:
                    raise Malformed(f" lacks {name!r}.", "Every field must be there.") from None
                found.append(default)
                absent += 1
            except Malformed as refusal:
                raise _within(f".{name}", refusal) from None
        if len(found) - absent != len(value):
            extra = sorted(set(value) - {name for name, _, _ in fields})
            raise Malformed(f" has unknown fields {extra}.", "Leave them out.")
        return cls(*found)

    return parse_object


def _required(hint: Any) -> Any:
    """Return X for `X | None`: what is absent is left out, so null never parses."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        (kept,) = (a for a in typing.get_args(hint) if a is not type(None))
        return kept
    return hint


_WRITERS: dict[type, list[tuple[str, Callable[[Any], Any], bool]]] = {}


def _writers(cls: type) -> list[tuple[str, Callable[[Any], Any], bool]]:
    found = _WRITERS.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls, include_extras=True)
        found = _WRITERS[cls] = [
            (f.name, _writer(_required(hints[f.name])), f.default is None)
            for f in dataclasses.fields(cls)
        ]
    return found


def _writer(hint: Any) -> Callable[[Any], Any]:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        rule = typing.get_args(hint)[1]
        return rule.write if isinstance(rule, Field) else int
    if origin is tuple:
        write_one = _writer(typing.get_args(hint)[0])
        return lambda value: [write_one(one) for one in value]
    if hint is bool:
        return bool
    return to_body


def _show(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python prints no integer of more than 4300 digits
        text = "a number beyond all bounds"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouS" else f"a {noun}"
