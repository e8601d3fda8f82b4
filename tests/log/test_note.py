"""Notes and checkpoints against the published vectors, and against every changed byte."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core.errors import Invalid
from danseo.core.merkle import EMPTY
from danseo.log.note import (
    Checkpoint,
    Note,
    Signer,
    Verifier,
    parse_checkpoint,
    parse_note,
    read_checkpoint,
    sign_note,
)

# The vector of the reference implementation, golang.org/x/mod/sumdb/note.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = (
    f"{TEXT}\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()

# The example of c2sp.org/tlog-checkpoint.
EXAMPLE = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()

LOG = Signer("example.org/log", bytes(range(32)))
NEXT = Signer("example.org/log", bytes(range(1, 33)))
WITNESS = Signer("witness.example", bytes(range(2, 34)))
POINT = Checkpoint("example.org/log", 10, bytes(range(32)))


def test_the_reference_note_verifies_and_is_signed_byte_for_byte() -> None:
    verifier = Verifier.parse(VKEY)
    assert str(verifier) == VKEY
    note = parse_note(SIGNED)
    assert note.text == TEXT
    assert note.signers([verifier]) == [verifier]
    signer = Signer("PeterNeumann", SEED)
    assert signer.verifier == verifier
    assert sign_note(TEXT, [signer]) == SIGNED


def test_the_example_checkpoint_is_read_and_written_byte_for_byte() -> None:
    note = parse_note(EXAMPLE)
    point = parse_checkpoint(note.text)
    assert (point.origin, point.size) == ("example.com/behind-the-sofa", 20852163)
    assert point.root.hex().startswith("0ac5186a91863e8e")
    assert point.text == note.text
    assert [s.name for s in note.signatures] == ["example.com/behind-the-sofa"]


def test_every_part_and_every_change_of_a_verifier_key_is_refused() -> None:
    for i in range(len(VKEY) + 1):
        for j in range(i + 1, len(VKEY) + 1):
            if (i, j) != (0, len(VKEY)):
                with pytest.raises(Invalid):
                    Verifier.parse(VKEY[i:j])
    for i, c in enumerate(VKEY):
        with pytest.raises(Invalid):
            Verifier.parse(VKEY[:i] + chr(ord(c) + 1) + VKEY[i + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_verifier_key_of_other_length_or_kind_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Verifier.parse(text)


def test_every_flipped_bit_of_a_signed_note_is_found() -> None:
    data = POINT.sign(LOG)
    for at in range(len(data)):
        for bit in range(8):
            bent = bytearray(data)
            bent[at] ^= 1 << bit
            with pytest.raises(Invalid):
                read_checkpoint(bytes(bent), [LOG.verifier])


def test_every_missing_or_doubled_byte_of_a_signed_note_is_found() -> None:
    data = POINT.sign(LOG)
    for at in range(len(data)):
        for bent in (data[:at] + data[at + 1 :], data[:at], data[: at + 1] + data[at:]):
            with pytest.raises(Invalid):
                read_checkpoint(bent, [LOG.verifier])


def test_a_checkpoint_signed_by_old_and_new_key_is_taken_by_either() -> None:
    data = POINT.sign(LOG, NEXT)
    for known in ([LOG.verifier], [NEXT.verifier], [NEXT.verifier, LOG.verifier]):
        assert read_checkpoint(data, known) == POINT
    both = [NEXT.verifier, LOG.verifier]
    assert parse_note(data).signers(both) == [LOG.verifier, NEXT.verifier]


def test_a_witness_is_ignored_by_whoever_does_not_know_it() -> None:
    data = POINT.sign(LOG, WITNESS)
    assert read_checkpoint(data, [LOG.verifier]) == POINT
    with pytest.raises(Invalid, match="No known key"):
        read_checkpoint(POINT.sign(WITNESS), [LOG.verifier])


def test_a_false_signature_of_a_known_key_spoils_the_note() -> None:
    other = Checkpoint("example.org/log", 11, bytes(32))
    stolen = LOG.line(other.text)
    data = sign_note(POINT.text, [WITNESS], lines=stolen)
    with pytest.raises(Invalid, match="does not verify"):
        read_checkpoint(data, [LOG.verifier, WITNESS.verifier])


def test_a_key_of_the_same_name_with_another_id_is_unknown() -> None:
    assert LOG.verifier.key_id != NEXT.verifier.key_id
    with pytest.raises(Invalid, match="No known key"):
        read_checkpoint(POINT.sign(NEXT), [LOG.verifier])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\nno dash\n",
        SIGNED[:-1],
        SIGNED + b"\n",
        SIGNED.replace(b"\n\n", b"\n"),
        SIGNED.replace("— ".encode(), b"- "),
        SIGNED.replace("— ".encode(), "—  ".encode()),
        SIGNED.replace(b"you think", b"you\tthink"),
        SIGNED.replace(b"you think", b"you\xffthink"),
        SIGNED.replace(b"BwJnAM=", b"BwJnAM"),
        SIGNED.replace(b"BwJnAM=", b"BwJnAN="),
        SIGNED.replace(b"PeterNeumann", b"Peter+Neumann"),
        SIGNED + b"x" * (1 << 16),
    ],
)
def test_what_is_not_a_note_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_note(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n",
        "a\n1\n",
        "a\n1\nAAAA\n",
        "a\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n٣\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n",
        "a\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_checkpoint(text)


def test_the_empty_log_has_a_checkpoint_too() -> None:
    point = Checkpoint("example.org/log", 0, EMPTY)
    assert point.text == "example.org/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    assert read_checkpoint(point.sign(LOG), [LOG.verifier]) == point


def test_extension_lines_are_kept() -> None:
    point = Checkpoint("example.org/log", 1, bytes(32), ("one", "two"))
    assert parse_checkpoint(point.text) == point


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u3000b", "a\x00"])
def test_a_name_that_a_signature_line_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        Signer(name, bytes(32))


def test_a_signer_does_not_show_its_seed() -> None:
    assert LOG.seed.hex() not in repr(LOG)
    assert str(LOG.seed) not in repr(LOG)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_any_text_comes_back_from_a_note(line: str) -> None:
    text = f"{line}\n\n{line}\n"
    note = parse_note(sign_note(text, [LOG]))
    assert isinstance(note, Note)
    assert note.text == text
    assert note.signers([LOG.verifier]) == [LOG.verifier]


@given(st.binary(max_size=80))
def test_any_bytes_are_refused_and_never_break_the_parser(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_note(data)
