"""Canonical JSON: one byte string for each value, and a refusal for everything else."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core.canonical import LIMIT, decode, encode
from danseo.core.errors import Malformed

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
values = st.recursive(
    st.booleans() | st.integers(-LIMIT + 1, LIMIT - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_encoded_decodes_to_itself(value: Any) -> None:
    assert decode(encode(value)) == value


@given(values)
def test_it_is_json_that_anyone_reads(value: Any) -> None:
    assert json.loads(encode(value)) == value


def test_the_order_of_members_does_not_matter() -> None:
    assert encode({"b": 1, "a": 2, "a_1": 3}) == encode({"a_1": 3, "a": 2, "b": 1})


def test_strings_are_escaped_as_rfc_8785_says() -> None:
    text = '"\\\b\f\n\r\t\x00\x1f\x7f/\u2028é단😀'
    assert encode(text).decode() == ('"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f/\u2028é단😀"')


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1}\n', b"\xef\xbb\xbf1", b'{"a":1,"a":1}', b"01",
        b"-0", b"+1", b"1.0", b"1e2", b"NaN", b"Infinity", b"-Infinity", b"null", b'{"a":null}',
        b'"\\u0061"', b'"\\/"', b'"\\u001F"', b'"\\ud800"', b'"\xff"', b"", b"{", b"[1,]", b"1 2",
        b'{"A":1}', b'{"":1}', b'{"\xc3\xa9":1}', b'{"a b":1}', b"9007199254740992",
        b"-9007199254740992", b"9" * 5000, b"[" * 100_000, b"[" * 18 + b"]" * 18,
    ],
)  # fmt: skip
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        decode(data)
    assert caught.value.remedy


def test_deep_nesting_is_refused_where_the_recursion_limit_was_raised() -> None:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(Malformed, match="nested"):
            decode(b"[" * 60_000)
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, "null"), (1.0, "1.0"), (float("nan"), "nan"), ({"a": [0, 2**53]}, "$.a[1] is 9007"),
        ({"a": {"B": 1}}, "$.a has the key 'B'"), ({1: 2}, "key 1"), (b"x", "bytes"),
        ("\udc00", "surrogate"), ({"a" * 65: 1}, "key"),
    ],
)  # fmt: skip
def test_a_value_without_canonical_form_is_named(value: Any, names: str) -> None:
    with pytest.raises(Malformed) as caught:
        encode(value)
    assert names in caught.value.message


def test_a_number_too_long_to_print_is_refused_like_any_other() -> None:
    with pytest.raises(Malformed, match="16610 bits"):
        encode([-(10**5000)])


def test_the_limits_themselves_are_inside() -> None:
    assert decode(encode([LIMIT - 1, 1 - LIMIT])) == [LIMIT - 1, 1 - LIMIT]
    nested: Any = 0
    for _ in range(16):
        nested = [nested]
    assert decode(encode(nested)) == nested
    with pytest.raises(Malformed, match="deeper"):
        encode([nested])


@given(st.binary(max_size=60) | values.map(lambda v: json.dumps(v).encode()))
def test_whatever_decodes_is_canonical(data: bytes) -> None:
    try:
        value = decode(data)
    except Malformed:
        return
    assert encode(value) == data
