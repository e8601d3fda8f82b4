"""Canonical JSON: RFC 8785, restricted to what a log needs.

Objects with ASCII keys, arrays, strings, booleans, and integers of magnitude below 2^53. No null
and no floats: what is absent is left out, and numbers that could exceed 53 bits are decimal
strings. With ASCII keys, RFC 8785's order by UTF-16 code units is the order of the bytes.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from danseo.core.errors import Malformed

LIMIT: Final = 2**53
"""Integers in canonical JSON are smaller than this in magnitude."""

_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DEPTH: Final = 16
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def encode(value: Any) -> bytes:
    """Return the canonical bytes of `value`; raise `Malformed` where it has none.

    >>> encode({"b": [1, True], "a": "단서"}).decode()
    '{"a":"단서","b":[1,true]}'
    >>> encode({"score": 0.5})
    Traceback (most recent call last):
    danseo.core.errors.Malformed: $.score is a float (0.5). Use an integer or a decimal string.
    """
    _check(value, "$", 0)
    return _encode(value).encode()


def decode(data: bytes) -> Any:
    """Return the value whose canonical bytes are `data`; raise `Malformed` for any other bytes.

    >>> decode(b'{"a":1}')
    {'a': 1}
    >>> decode(b'{"a": 1}')
    Traceback (most recent call last):
    danseo.core.errors.Malformed: The JSON is not in canonical form. Encode it per RFC 8785.
    """
    if depth(data) > _DEPTH + 1:
        raise Malformed(f"The JSON is nested deeper than {_DEPTH}.", "Flatten it.")
    try:
        value = json.loads(data.decode("utf-8"), parse_float=_refuse_float)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"Not JSON in UTF-8: {error}.", "Encode it per RFC 8785.") from None
    if encode(value) != data:
        raise Malformed("The JSON is not in canonical form.", "Encode it per RFC 8785.")
    return value


def depth(data: bytes) -> int:
    """Return how deep JSON is nested, without reading it.

    Python's reader recurses in C. Where a library has raised the interpreter's recursion limit,
    deep nesting does not raise there: it crashes the process.

    >>> depth(b'{"a":[[1],"[[["]}')
    3
    """
    now = most = 0
    for token in _NESTING.findall(data):
        if token in b"[{":
            now += 1
            most = max(most, now)
        elif token in b"]}":
            now -= 1
    return most


def _refuse_float(text: str) -> Any:
    raise Malformed(f"A float ({text}).", "Use an integer or a decimal string.")


def _check(value: Any, path: str, depth: int) -> None:
    if depth > _DEPTH:
        raise Malformed(f"{path} is nested deeper than {_DEPTH}.", "Flatten it.")
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise Malformed(f"{path} holds half a surrogate pair.", "Use well-formed Unicode.")
    elif isinstance(value, bool):
        pass
    elif isinstance(value, int):
        if not -LIMIT < value < LIMIT:
            bits = value.bit_length()  # Python prints no integer of more than 4300 digits
            shown = str(value) if bits < 1000 else f"a number of {bits} bits"
            raise Malformed(f"{path} is {shown}, beyond 2^53.", "Use a decimal string.")
    elif isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                raise Malformed(f"{path} has the key {key!r}.", "Keys are [a-z][a-z0-9_]*.")
            _check(member, f"{path}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for i, member in enumerate(value):
            _check(member, f"{path}[{i}]", depth + 1)
    else:
        kind = "null" if value is None else f"a {type(value).__name__} ({value!r})"
        hint = "Leave it out." if value is None else "Use an integer or a decimal string."
        raise Malformed(f"{path} is {kind}.", hint)
