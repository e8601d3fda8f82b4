"""The parser of bodies: strict for every kind, the inverse of `to_body`, and never surprised."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import typing
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core import canonical, kinds
from danseo.core.entry import KINDS, Blob, Field, blobs, kind, parse, to_body
from danseo.core.errors import Malformed
from tests.core.ledger import Ledger, digest, terms

assert kinds


def json_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return the JSON values that a field of this type can have."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        rule = typing.get_args(hint)[1]
        if isinstance(rule, Field):
            return st.from_regex(rule.pattern, fullmatch=True)
        return st.integers(rule.low, rule.high)
    if origin is tuple:
        return st.lists(json_of(typing.get_args(hint)[0]), max_size=2)
    if hint is bool:
        return st.booleans()
    hints = typing.get_type_hints(hint, include_extras=True)
    required, optional = {}, {}
    for field in dataclasses.fields(hint):
        if field.default is None:
            (inner, _) = typing.get_args(hints[field.name])
            optional[field.name] = json_of(inner)
        else:
            required[field.name] = json_of(hints[field.name])
    return st.fixed_dictionaries(required, optional=optional)


bodies = st.sampled_from(sorted(KINDS)).flatmap(
    lambda name: st.tuples(st.just(name), json_of(KINDS[name]))
)
junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([-1, 2**53, 10**80, "0x", "", "00", "1.0", "-1", "A" * 100]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)  # fmt: skip


def test_every_kind_is_registered_once() -> None:
    for name, cls in KINDS.items():
        assert cls.kind == name
        assert dataclasses.is_dataclass(cls)
    with pytest.raises(TypeError, match="twice"):
        kind("tick")(KINDS["tick"])


@given(bodies)
def test_a_body_survives_parsing_and_writing(case: tuple[str, Any]) -> None:
    name, body = case
    parsed = parse(name, body)
    assert to_body(parsed) == body
    assert parse(name, to_body(parsed)) == parsed
    assert hash(parsed) == hash(parse(name, canonical.decode(canonical.encode(body))))


@given(bodies)
def test_every_body_has_a_line_in_two_languages(case: tuple[str, Any]) -> None:
    english, korean = parse(*case).summaries()
    assert english != korean
    for line in (english, korean):
        assert 0 < len(line) <= 400
        assert line.isprintable()


@given(bodies, junk, st.data())
def test_one_wrong_value_is_refused_or_right(
    case: tuple[str, Any], wrong: Any, data: st.DataObject
) -> None:
    name, body = case
    holder: Any = [copy.deepcopy(body)]
    spot: Any = 0
    node = holder
    while True:
        inner = node[spot]
        if not inner or not isinstance(inner, dict | list) or data.draw(st.booleans()):
            break
        node = inner
        spot = data.draw(
            st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))
        )
    node[spot] = wrong
    try:
        parsed = parse(name, holder[0])
    except Malformed as refusal:
        message = refusal.message
    else:
        assert to_body(parsed) == holder[0]
        return
    assert name in message


@given(st.sampled_from(sorted(KINDS)) | st.text(max_size=12), junk)
def test_whatever_comes_is_parsed_or_refused_as_malformed(name: str, body: Any) -> None:
    with contextlib.suppress(Malformed):
        parse(name, body)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"amount": 5}, "money.fund.amount is 5"),
        ({"amount": "5.0"}, "money.fund.amount is '5.0'"),
        ({"amount": "05"}, "'05'"),
        ({"amount": "-5"}, "'-5'"),
        ({"amount": "+5"}, "'+5'"),
        ({"amount": "5\n"}, "'5"),
        ({"amount": "٥"}, "'٥'"),
        ({"amount": "1" * 78}, "money.fund.amount is"),
        ({"amount": 0.5}, "0.5"),
        ({"amount": None}, "None"),
        ({"amount": True}, "True"),
        ({"donor": "0x" + "A" * 40}, "money.fund.donor"),
        ({"donor": "0x" + "a" * 39}, "money.fund.donor"),
        ({"asset": "won"}, "'won'"),
        ({"evidence": "two\nlines"}, "money.fund.evidence"),
        ({"evidence": "\u202eevil"}, "money.fund.evidence"),
        ({"evidence": "x" * 201}, "money.fund.evidence"),
        ({"note": "hello"}, "unknown fields ['note']"),
    ],
)
def test_a_bad_field_is_named_with_its_value(change: dict[str, Any], names: str) -> None:
    body = {"donor": f"0x{'a' * 40}", "asset": "WON", "amount": "5", "evidence": ""}
    assert to_body(parse("money.fund", body)) == body
    with pytest.raises(Malformed) as caught:
        parse("money.fund", {**body, **change})
    assert names in caught.value.message


def test_a_missing_field_is_named() -> None:
    with pytest.raises(Malformed, match=r"clue\.commit lacks 'commitment'"):
        parse("clue.commit", {})


def test_what_is_absent_is_left_out_and_never_null() -> None:
    body = {"clue": 1, "verdict": "none", "reproduced": False, "reason": digest("r")}
    assert "score" not in to_body(parse("score.publish", body))
    with pytest.raises(Malformed, match="score is None"):
        parse("score.publish", {**body, "score": None})


def test_a_number_too_long_to_print_is_refused_like_any_other() -> None:
    with pytest.raises(Malformed, match="beyond all bounds"):
        parse("clue.retract", {"clue": 10**5000})


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(Malformed, match="clue is True"):
        parse("clue.retract", {"clue": True})


def test_the_blobs_of_a_body_are_found_wherever_they_stand() -> None:
    opening = parse("challenge.open", {"terms": terms(code=digest("code"))})
    assert list(blobs(opening)) == [digest("about"), digest("cipher"), digest("code")]
    assert list(blobs(parse("challenge.open", {"terms": terms()}))) == [
        digest("about"),
        digest("cipher"),
    ]
    ledger = Ledger()
    ledger.open_challenge()
    clue = ledger.commit("contributor-1")
    reveal = ledger.revelation("contributor-1", clue, content="text", submission="file")
    assert list(blobs(parse(reveal.kind, reveal.body))) == [digest("text"), digest("file")]
    withheld = {"blob": digest("gone"), "reason": digest("why")}
    assert list(blobs(parse("blob.withhold", withheld))) == [digest("why")]


@given(bodies)
def test_no_blob_is_missed(case: tuple[str, Any]) -> None:
    def count(hint: Any, value: Any) -> int:
        if typing.get_origin(hint) is tuple:
            return sum(count(typing.get_args(hint)[0], one) for one in value)
        if not dataclasses.is_dataclass(hint):
            return int(hint == Blob)
        hints = typing.get_type_hints(hint, include_extras=True)
        found = {f.name: hints[f.name] for f in dataclasses.fields(hint)}
        return sum(
            count(typing.get_args(t)[0] if type(None) in typing.get_args(t) else t, value[n])
            for n, t in found.items()
            if n in value
        )

    name, body = case
    assert len(list(blobs(parse(name, body)))) == count(KINDS[name], body)
