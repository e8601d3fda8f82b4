"""One byte string for each wrapped entry, and nothing else is taken."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from danseo.core import canonical
from danseo.core.entry import MAX_BODY, MAX_LEAF, Entry
from danseo.core.errors import Malformed, Refused
from danseo.log import wire
from danseo.log.wire import Signed, body_hash, pack, unpack, unwrap, wrap

AUTHOR = "0x" + "a1" * 20
SIGNATURE = bytes(range(64)) + b"\x1b"
BODY = {"commitment": "ab" * 32, "bond": "1000", "cites": [{"clue": 3, "weight": 5}], "open": True}


def signed(**changes: Any) -> Signed:
    fields: dict[str, Any] = {
        "author": AUTHOR,
        "kind": "clue.commit",
        "challenge": "read-the-ink",
        "sequence": 4,
        "summary": "단서를 맡긴다. Commit a clue.",
        "body": BODY,
        "signature": SIGNATURE,
    }
    return Signed(**{**fields, **changes})


LEAF = wrap(7, 1_700_000_000, signed())

# Text that touches every escape and every width of UTF-8.
TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from('"\\/\b\f\n\r\t\x00\x1f\x7f\u2028é단🜚:,{}[]'),
    ),
    max_size=12,
)
KEY = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
JSON = st.recursive(
    st.one_of(
        TEXT, st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from([0, 1, -1])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=3)),
    max_leaves=12,
)
BODIES = st.dictionaries(KEY, JSON, max_size=5)


def by_reference(data: bytes) -> Any:
    """What `core.canonical` makes of a leaf's bytes, or None where it refuses them."""
    try:
        return canonical.decode(data)
    except Malformed:
        return None


def test_a_leaf_has_exactly_the_published_members() -> None:
    value = json.loads(LEAF)
    assert list(value) == ["entry", "index", "signature", "time"]
    assert list(value["entry"]) == ["author", "body", "challenge", "kind", "sequence", "summary"]
    assert value["signature"] == "0x" + SIGNATURE.hex()
    assert canonical.decode(LEAF) == value


def test_unwrapping_gives_back_what_was_wrapped() -> None:
    entry, signature, digest = unwrap(LEAF)
    assert entry == Entry(
        index=7,
        time=1_700_000_000,
        author=AUTHOR,
        kind="clue.commit",
        challenge="read-the-ink",
        sequence=4,
        summary="단서를 맡긴다. Commit a clue.",
        body=BODY,
    )
    assert signature == SIGNATURE
    assert digest == sha256(canonical.encode(BODY)).digest() == body_hash(BODY)


@given(BODIES, TEXT, st.integers(0, 2**53 - 1))
def test_the_fast_encoder_gives_the_bytes_of_the_reference(
    body: dict[str, Any], summary: str, number: int
) -> None:
    leaf = wrap(number, number, signed(body=body, summary=summary))
    frame = {
        "author": AUTHOR,
        "body": body,
        "challenge": "read-the-ink",
        "kind": "clue.commit",
        "sequence": 4,
        "summary": summary,
    }
    assert leaf == canonical.encode(
        {"entry": frame, "index": number, "signature": "0x" + SIGNATURE.hex(), "time": number}
    )
    entry, _, digest = unwrap(leaf)
    assert (entry.body, entry.summary) == (body, summary)
    assert digest == body_hash(body)


def test_every_character_is_escaped_as_in_the_reference() -> None:
    for start in range(0, 0x110000, 0x400):
        points = range(start, start + 0x400)
        text = "".join(chr(c) for c in points if not 0xD800 <= c <= 0xDFFF)
        assert wire._encode(text) == canonical.encode(text), hex(start)


@settings(max_examples=300)
@given(st.data())
def test_mutated_bytes_are_refused_or_are_canonical(data: st.DataObject) -> None:
    leaf = bytearray(LEAF)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(leaf) - 1))
        what = data.draw(st.sampled_from(["flip", "drop", "insert", "copy"]))
        if what == "flip":
            leaf[at] ^= 1 << data.draw(st.integers(0, 7))
        elif what == "drop":
            del leaf[at]
        elif what == "insert":
            leaf.insert(at, data.draw(st.integers(0, 255)))
        else:
            end = min(len(leaf), at + data.draw(st.integers(1, 30)))
            leaf[at:at] = leaf[at:end]
    only_the_reference_form(bytes(leaf))


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=60), TEXT.map(str.encode)))
@example(b"")
@example(b"[" * 100_000)
@example(b'{"entry":' * 5000)
def test_any_bytes_are_refused_and_never_break_the_decoder(data: bytes) -> None:
    with pytest.raises(Malformed):
        unwrap(data)
    with pytest.raises(Malformed):
        unpack(data)


def only_the_reference_form(data: bytes) -> None:
    """Assert that `data` is refused, or that reference and fast decoder agree on it."""
    try:
        entry, signature, digest = unwrap(data)
    except Refused:
        return
    value = by_reference(data)
    assert value is not None
    assert value["entry"]["body"] == entry.body
    assert digest == body_hash(entry.body)
    assert signature.hex() == value["signature"][2:]


# What a body may not hold. Each is put into an otherwise good leaf.
@pytest.mark.parametrize(
    "member",
    [
        '"a":1.0',
        '"a":0.5',
        '"a":1e3',
        '"a":1E400',
        '"a":null',
        '"a":[null]',
        '"a":NaN',
        '"a":-0',
        '"a":01',
        '"a":9007199254740992',
        '"a":-9007199254740992',
        '"a":18446744073709551616',
        '"a":1' + "0" * 400,
        '"a":1,"a":1',
        '"a":1,"a":2',
        '"b":1,"a":2',
        '"a": 1',
        '"a":1 ',
        '"a":"\\u0041"',
        '"a":"\\/"',
        '"a":"\\u001F"',
        '"a":"\\u000a"',
        '"a":"\\ud800"',
        '"a":"\\udc00\\ud800"',
        '"A":1',
        '"1":1',
        '"":1',
        '"a-b":1',
        '"단":1',
        '"a\\u0062":1',
        f'"{"a" * 65}":1',
        '"a":{"B":1}',
        '"a":[{"b":{"C":1}}]',
        '"a":tru',
        '"a":"\n"',
        '"a":' + "[" * 20 + "]" * 20,
    ],
)
def test_a_body_out_of_canonical_form_is_refused(member: str) -> None:
    text = LEAF.decode()
    start = text.index('"body":{') + len('"body":{')
    data = f"{text[:start]}{member}{text[text.index('}', text.index(']', start)) :]}".encode()
    good = data.replace(member.encode(), b'"a":1')
    assert unwrap(good)[0].body == {"a": 1}
    with pytest.raises(Malformed):
        unwrap(data)
    assert by_reference(data) is None


@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_bytes_that_are_not_utf8_are_refused(raw: bytes) -> None:
    data = LEAF.replace("단서".encode(), raw)
    assert data != LEAF
    with pytest.raises(Malformed):
        unwrap(data)


@pytest.mark.parametrize("text", ['\\":', 'x\\":', '"a":', '","b":"', "\\", '"a\\":1'])
def test_text_that_looks_like_a_key_is_taken_as_text(text: str) -> None:
    leaf = wrap(0, 0, signed(body={"text": text}))
    assert unwrap(leaf)[0].body == {"text": text}


def test_a_body_may_nest_as_deep_as_the_reference_allows_and_no_deeper() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return {"a": value}

    deepest = max(n for n in range(30) if takes(nested(n)))
    assert deepest == 13  # in the leaf, the body's members are three levels down, of 16
    leaf = wrap(0, 0, signed(body=nested(deepest)))
    assert unwrap(leaf)[0].body == nested(deepest)


def takes(body: dict[str, Any]) -> bool:
    try:
        wrap(0, 0, signed(body=body))
    except Malformed:
        return False
    return True


@pytest.mark.parametrize(
    "changes",
    [
        {"author": "0x" + "A1" * 20},
        {"author": "0x" + "a1" * 19},
        {"author": "site:short"},
        {"author": "site:" + "a" * 32 + "\n"},
        {"kind": "Clue"},
        {"kind": "clue."},
        {"kind": ""},
        {"challenge": "Read"},
        {"challenge": "a b"},
        {"challenge": "-a"},
        {"sequence": -1},
        {"sequence": 2**53},
        {"sequence": True},
        {"sequence": 1.0},
        {"summary": "half \ud800"},
        {"summary": 3},
        {"body": {"a": 0.5}},
        {"body": {"a": None}},
        {"body": {"a": b"bytes"}},
        {"body": {1: "a"}},
        {"body": {"a": 2**53}},
        {"body": []},
        {"signature": bytes(64)},
        {"signature": bytes(66)},
        {"signature": b""},
    ],
)
def test_an_entry_without_a_canonical_form_is_not_wrapped(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        wrap(0, 0, signed(**changes))
    with pytest.raises(Malformed):
        pack(signed(**changes))


@pytest.mark.parametrize(("index", "time"), [(-1, 0), (0, -1), (2**53, 0), (0, 2**53)])
def test_index_and_time_are_counts(index: int, time: int) -> None:
    with pytest.raises(Malformed):
        wrap(index, time, signed())


@pytest.mark.parametrize(
    "bend",
    [
        lambda v: v.pop("time"),
        lambda v: v.update(extra=1),
        lambda v: v["entry"].pop("summary"),
        lambda v: v["entry"].update(extra="x"),
        lambda v: v.update(index="7"),
        lambda v: v.update(index=True),
        lambda v: v.update(signature=v["signature"].upper()),
        lambda v: v.update(signature=v["signature"][2:] + "00"),
        lambda v: v.update(signature="0x " + v["signature"][3:]),
        lambda v: v.update(entry=[]),
        lambda v: v["entry"].update(body="{}"),
    ],
)
def test_a_leaf_with_other_members_is_refused(bend: Any) -> None:
    value = json.loads(LEAF)
    bend(value)
    with pytest.raises(Malformed):
        unwrap(canonical.encode(value))


def test_a_body_and_a_leaf_have_their_greatest_size() -> None:
    room = MAX_BODY - len(canonical.encode({"a": ""}))
    leaf = wrap(0, 0, signed(body={"a": "x" * room}))
    assert unwrap(leaf)[0].body["a"] == "x" * room
    with pytest.raises(Malformed, match=f"{MAX_BODY + 1} bytes"):
        wrap(0, 0, signed(body={"a": "x" * (room + 1)}))
    with pytest.raises(Malformed, match="a leaf has at most"):
        wrap(0, 0, signed(summary="x" * MAX_LEAF))


def test_a_parcel_is_the_same_entry_without_index_and_time() -> None:
    data = pack(signed())
    assert unpack(data) == signed()
    with pytest.raises(Malformed):
        unwrap(data)
    with pytest.raises(Malformed):
        unpack(LEAF)


def test_a_tuple_is_wrapped_as_the_array_it_stands_for() -> None:
    assert wrap(0, 0, signed(body={"a": (1, 2)})) == wrap(0, 0, signed(body={"a": [1, 2]}))


def test_an_error_says_what_is_wrong_and_what_to_do() -> None:
    with pytest.raises(Malformed, match=r"\$\.entry\.body\.a is a float \(0\.5\)") as caught:
        wrap(0, 0, signed(body={"a": 0.5}))
    assert caught.value.remedy
