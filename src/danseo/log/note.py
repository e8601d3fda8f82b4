"""Signed notes and the checkpoints of a log, as C2SP specifies them byte for byte.

A note (c2sp.org/signed-note) is a text that ends in a newline, a blank line, and signature lines:
an em dash, a space, the key's name, a space, and base64 of the key's ID and its Ed25519 signature
over the text. A checkpoint (c2sp.org/tlog-checkpoint) is a note whose text is the log's origin, its
size and its root, each on a line. Signatures of unknown keys are ignored, as the specification
demands, so that witnesses can add theirs and the log can change its key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from danseo.core.errors import Invalid
from danseo.core.merkle import HASH_SIZE

MAX_NOTE: Final = 1 << 16
"""Bytes that a note may have. The specification asks for at least 16 signatures."""

_ED25519: Final = b"\1"
_ID_SIZE: Final = 4
_KEY_SIZE: Final = 32
_SIGNATURE_SIZE: Final = 64
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_AGAIN: Final = "Fetch it again from the log; if it stays so, do not rely on it."


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name that its owner signs with."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public) != _KEY_SIZE:
            raise Invalid(
                f"The public key of {self.name} has {len(self.public)} bytes.", "It must have 32."
            )

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell this key from others of the same name."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_SIZE]

    def __str__(self) -> str:
        """Return the verifier key in the form that notes tools take."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(_ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Return the verifier of a `name+id+base64` string; raise `Invalid` for any other."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        key = _unbase64(encoded)
        if key is None or key[:1] != _ED25519:
            raise Invalid(f"{text[:120]!r} is no Ed25519 verifier key.", "Copy it again, whole.")
        verifier = cls(name, key[1:])
        if verifier.key_id.hex() != key_id:
            raise Invalid(f"The ID in {text[:120]!r} is not its key's.", "Copy it again, whole.")
        return verifier

    def accepts(self, text: str, signature: bytes) -> bool:
        """Return whether `signature` is this key's over `text`."""
        try:
            VerifyKey(self.public).verify(text.encode(), signature)
        except (BadSignatureError, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private Ed25519 key (32 bytes of seed) and the name that it signs with."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.seed) != _KEY_SIZE:
            raise Invalid(f"The seed of {self.name} has {len(self.seed)} bytes.", "It must be 32.")

    @property
    def verifier(self) -> Verifier:
        """The public side."""
        return Verifier(self.name, bytes(SigningKey(self.seed).verify_key))

    def line(self, text: str) -> str:
        """Return the signature line over `text`."""
        signature = SigningKey(self.seed).sign(text.encode()).signature
        return f"— {self.name} {_base64(self.verifier.key_id + signature)}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not yet verified."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A well-formed note whose signatures nobody has verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    def signers(self, known: Iterable[Verifier]) -> list[Verifier]:
        """Return the known keys that signed, in the order of the lines.

        Raise `Invalid` if a known key's signature does not verify. Unknown keys are ignored.
        """
        keys = {(v.name, v.key_id): v for v in known}
        found: list[Verifier] = []
        for line in self.signatures:
            key = keys.get((line.name, line.key_id))
            if key is None:
                continue
            if not key.accepts(self.text, line.signature):
                raise Invalid(f"The signature of {key.name} does not verify.", _AGAIN)
            if key not in found:
                found.append(key)
        return found


def parse_note(data: bytes) -> Note:
    """Return the note of its bytes; raise `Invalid` where they are not one."""
    if len(data) > MAX_NOTE:
        raise Invalid(f"The note has {len(data)} bytes, over {MAX_NOTE}.", _AGAIN)
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise Invalid("The note is not UTF-8.", _AGAIN) from None
    if _CONTROL.search(whole):
        raise Invalid("The note holds a control character.", _AGAIN)
    end = whole.rfind("\n\n") + 1
    text, lines = whole[:end], whole[end + 1 :]
    if not end or not lines.endswith("\n"):
        raise Invalid("The note has no signature lines after its last blank line.", _AGAIN)
    return Note(text, tuple(_signature(line) for line in lines[:-1].split("\n")))


def sign_note(text: str, signers: Sequence[Signer], lines: str = "") -> bytes:
    """Return the note of `text` with the signers' lines after `lines`, those of others."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise Invalid(f"A note cannot hold {text[:80]!r}.", "End it in a newline, in plain text.")
    if not signers and not lines:
        raise Invalid("A note needs a signature.", "Give a signer.")
    return f"{text}\n{lines}{''.join(s.line(text) for s in signers)}".encode()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its origin, its size and the root over all its entries."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that the log signs."""
        lines = (self.origin, str(self.size), _base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    def sign(self, *signers: Signer) -> bytes:
        """Return the signed note: the bytes of the log's file `checkpoint`."""
        return sign_note(self.text, signers)


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that a note's text states; raise `Invalid` where it states none."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise Invalid("The note is no checkpoint: it needs origin, size and root.", _AGAIN)
    origin, size, encoded, *extensions = lines
    root = _unbase64(encoded)
    if _SIZE.fullmatch(size) is None or root is None or len(root) != HASH_SIZE:
        raise Invalid(f"The checkpoint's size or root is ill-formed: {size}, {encoded}.", _AGAIN)
    return Checkpoint(origin, int(size), root, tuple(extensions))


def read_checkpoint(data: bytes, known: Iterable[Verifier]) -> Checkpoint:
    """Return the checkpoint of a note that at least one `known` key signed."""
    note = parse_note(data)
    if not note.signers(known):
        names = ", ".join(s.name for s in note.signatures)
        raise Invalid(f"No known key signed this checkpoint, only {names}.", _AGAIN)
    return parse_checkpoint(note.text)


def _check_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() for c in name) or _CONTROL.search(name):
        raise Invalid(f"A key cannot be called {name!r}.", "Use a name without spaces and '+'.")


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    blob = _unbase64(encoded)
    if dash != "—" or blob is None or len(blob) <= _ID_SIZE:
        raise Invalid(f"{line[:120]!r} is no signature line.", _AGAIN)
    _check_name(name)
    return Signature(name, blob[:_ID_SIZE], blob[_ID_SIZE:])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes | None:
    """Return what `text` encodes, or None unless it is the one encoding of it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if _base64(data) == text else None
