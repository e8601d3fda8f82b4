"""How an entry travels: signed by its author, then wrapped by the sequencer into a leaf.

A leaf is canonical JSON with exactly these members:

    {"entry":{"author","body","challenge","kind","sequence","summary"},"index","signature","time"}

There is one byte string for each wrapped entry and one wrapped entry for each byte string. A fast
decoder takes what it is sure of; whatever it is not sure of goes to `core.canonical`, which decides
and names the fault. So the two can only differ where the fast one takes too much, and the tests
look for just that.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from danseo.core import canonical
from danseo.core.entry import MAX_BODY, MAX_LEAF, Entry
from danseo.core.errors import Malformed

_AGAIN: Final = "Encode it per RFC 8785, with exactly the members of the leaf."
_SIGNATURE_SIZE: Final = 65


@dataclass(frozen=True, slots=True)
class Signed:
    """An entry as its author hands it over. `signature` is r, s, v: 65 bytes, not yet checked."""

    author: str
    kind: str
    challenge: str
    sequence: int
    summary: str
    body: dict[str, Any]
    signature: bytes


def _json_type(levels: int) -> Any:
    """Return the type of canonical JSON nested at most `levels` deep: no float, no null."""
    integer = Annotated[int, msgspec.Meta(gt=-canonical.LIMIT, lt=canonical.LIMIT)]
    scalar: Any = str | bool | integer
    found = scalar
    for _ in range(levels):
        found = scalar | list.__class_getitem__(found) | dict.__class_getitem__((str, found))
    return found


if TYPE_CHECKING:
    _JSON = Any
else:
    _JSON = _json_type(5)  # what nests deeper takes the slow way
_Count = Annotated[int, msgspec.Meta(ge=0, lt=canonical.LIMIT)]


# The fields stand in the order of canonical JSON, so that encoding a struct is canonical too.
class _Frame(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    author: str
    body: dict[str, _JSON]
    challenge: str
    kind: str
    sequence: _Count
    summary: str


class _Leaf(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    entry: _Frame
    index: _Count
    signature: str
    time: _Count


class _Parcel(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    entry: _Frame
    signature: str


_encode = msgspec.json.Encoder(order="sorted").encode
_decode_leaf = msgspec.json.Decoder(_Leaf).decode
_decode_parcel = msgspec.json.Decoder(_Parcel).decode
_decode_object = msgspec.json.Decoder(dict[str, _JSON]).decode
_convert = msgspec.convert
_Raw = msgspec.Raw

# In compact JSON a quote before a colon ends a key, or stands escaped inside a string. So a body
# has good keys if every `":` ends a match of this; a string with `\":` in it takes the slow way.
_keys = re.compile(rb'"[a-z][a-z0-9_]{0,63}":').findall
_names = re.compile(
    r"(?:0x[0-9a-f]{40}|site:[0-9a-f]{32})"
    r" [a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){0,3}"
    r" (?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?)?"
).fullmatch


def wrap(index: int, time: int, signed: Signed) -> bytes:
    """Return the leaf of `signed` at `index` and `time`; raise `Malformed` where it has none."""
    return enter(index, time, signed)[0]


def enter(index: int, time: int, signed: Signed) -> tuple[bytes, Entry, bytes, bytes]:
    """Return the leaf of `signed`, and what `unwrap` says of it, at the cost of one decoding."""
    leaf = _Leaf(_frame(signed), index, f"0x{signed.signature.hex()}", time)
    data, (wrapped, signature, digest) = _write(leaf, _Leaf, _decode_leaf)
    return data, _entry(wrapped), signature, digest


def unwrap(leaf: bytes) -> tuple[Entry, bytes, bytes]:
    """Return the entry of a leaf, its signature and the SHA-256 of its canonical body.

    Raise `Malformed` for any bytes that are not the one form of a wrapped entry. The signature is
    65 bytes of the right shape; whether it is the author's is not asked here.
    """
    wrapped, signature, digest = _decode(leaf, _Leaf, _decode_leaf)
    return _entry(wrapped), signature, digest


def entry_of(leaf: bytes) -> Entry:
    """Return the entry of a leaf that `unwrap` has taken before, without checking it again."""
    try:
        return _entry(_decode_leaf(leaf))
    except ValueError:  # nested deeper than the fast type
        return unwrap(leaf)[0]


def read_object(data: bytes) -> dict[str, Any]:
    """Return the object whose canonical bytes are `data`; raise `Malformed` for any other bytes."""
    try:
        found: dict[str, Any] = _decode_object(data)
        if _encode(found) == data and len(_keys(data)) == data.count(b'":'):
            return found
    except (ValueError, RecursionError):
        pass  # the reference decides
    value = canonical.decode(data)
    if not isinstance(value, dict):
        raise Malformed("The JSON is no object.", "Write an object.")
    return value


def pack(signed: Signed) -> bytes:
    """Return the canonical bytes in which a signed entry is handed to the sequencer."""
    parcel = _Parcel(_frame(signed), f"0x{signed.signature.hex()}")
    return _write(parcel, _Parcel, _decode_parcel)[0]


def unpack(data: bytes) -> Signed:
    """Return the signed entry of `pack`'s bytes; raise `Malformed` for any others."""
    parcel, signature, _ = _decode(data, _Parcel, _decode_parcel)
    f = parcel.entry
    return Signed(f.author, f.kind, f.challenge, f.sequence, f.summary, f.body, signature)


def body_hash(body: dict[str, Any]) -> bytes:
    """Return the SHA-256 of a body's canonical form: what its author signs."""
    return sha256(canonical.encode(body)).digest()


def _entry(w: _Leaf) -> Entry:
    f = w.entry
    return Entry(w.index, w.time, f.author, f.kind, f.challenge, f.sequence, f.summary, f.body)


def _frame(s: Signed) -> _Frame:
    return _Frame(s.author, s.body, s.challenge, s.kind, s.sequence, s.summary)


def _write(value: Any, shape: type[Any], decode: Any) -> tuple[bytes, tuple[Any, bytes, bytes]]:
    """Return the canonical bytes of a struct, and what `_decode` says of them.

    Whoever reads them gets the same struct.
    """
    try:
        data: bytes = _encode(value)
        found = _decode(data, shape, decode)
        if found[0] == value:
            return data, found
    except (TypeError, ValueError, RecursionError, OverflowError, Malformed):
        pass  # the reference, which is slow, says what is wrong
    frame = {f: getattr(value.entry, f) for f in value.entry.__struct_fields__}
    members = {f: getattr(value, f) for f in value.__struct_fields__}
    data = canonical.encode({**members, "entry": frame})
    return data, _decode(data, shape, decode)


def _decode(data: bytes, shape: type[Any], decode: Any) -> tuple[Any, bytes, bytes]:
    """Return the struct, the signature and the body's hash of canonical `data`."""
    if len(data) > MAX_LEAF:
        raise Malformed(
            f"The entry has {len(data)} bytes; a leaf has at most {MAX_LEAF}.",
            "Put long content into a blob and name its hash.",
        )
    try:
        value = decode(data)
        members = value.entry.body
        body = _encode(members)
        value.entry.body = _Raw(body)
        sure = _encode(value) == data and len(_keys(body)) == body.count(b'":')
        value.entry.body = members
    except (ValueError, RecursionError):
        sure = False
    if not sure:
        value = _slowly(data, shape)
        body = canonical.encode(value.entry.body)
    if len(body) > MAX_BODY:
        raise Malformed(
            f"The body has {len(body)} bytes; it may have {MAX_BODY}.",
            "Put long content into a blob and name its hash.",
        )
    _check_names(value.entry.author, value.entry.kind, value.entry.challenge)
    text = value.signature
    try:
        signature = bytes.fromhex(text[2:])
    except ValueError:
        signature = b""
    if len(signature) != _SIGNATURE_SIZE or f"0x{signature.hex()}" != text:
        raise Malformed(
            f"The signature is {text[:140]!r}.", "It must be 0x and 130 lower-case hex digits."
        )
    return value, signature, sha256(body).digest()


@functools.lru_cache(maxsize=4096)
def _check_names(author: str, kind: str, challenge: str) -> None:
    """Raise `Malformed` where one of these is ill-formed. They recur, so what is good is kept."""
    if _names(f"{author} {kind} {challenge}") is None:
        raise Malformed(
            f"Author, kind or challenge is ill-formed: {author[:80]!r}, {kind[:80]!r}, "
            f"{challenge[:80]!r}.",
            "Use a lower-case address, a dotted kind and the challenge's name.",
        )


def _slowly(data: bytes, shape: type[Any]) -> Any:
    """Decode by the reference; raise `Malformed` with its reason."""
    value = canonical.decode(data)
    try:
        body = value["entry"]["body"]
        if isinstance(body, dict):
            value["entry"]["body"] = {}  # canonical already, perhaps nested deeper than _JSON
        found = _convert(value, shape)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise Malformed(f"Not a wrapped entry: {error}.", _AGAIN) from None
    found.entry.body = body
    return found
