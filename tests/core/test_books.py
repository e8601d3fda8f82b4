"""Double entry: whatever is posted, all accounts of an asset add up to nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from danseo.core.books import Books
from danseo.core.errors import Invalid, Malformed

ACCOUNTS = ("outside", "pool", "free:a", "free:b", "bond:a", "paid:site:b")
postings = st.lists(
    st.tuples(
        st.sampled_from(["KRW", "ETH:18"]),
        st.sampled_from(ACCOUNTS),
        st.sampled_from(ACCOUNTS),
        st.integers(0, 50) | st.integers(0, 10**77),
    ),
    max_size=30,
)


@given(postings)
def test_all_accounts_add_up_to_nothing_after_any_postings(
    made: list[tuple[str, str, str, int]],
) -> None:
    books = Books()
    for posting in made:
        books.post(*posting)
    books.check("here")
    for asset in ("KRW", "ETH:18"):
        assert sum(books.balance(asset, account) for account in ACCOUNTS) == 0
        for account in ACCOUNTS:
            gave = sum(n for a, s, _, n in made if (a, s) == (asset, account))
            took = sum(n for a, _, t, n in made if (a, t) == (asset, account))
            assert books.balance(asset, account) == took - gave


@given(postings, st.data())
def test_a_balance_that_was_edited_is_found(
    made: list[tuple[str, str, str, int]], data: st.DataObject
) -> None:
    books = Books()
    books.post("KRW", "outside", "free:a", 5)
    for posting in made:
        books.post(*posting)
    group = data.draw(st.sampled_from(sorted(books.balances["KRW"])))
    owner = data.draw(st.sampled_from(sorted(books.balances["KRW"][group])))
    books.balances["KRW"][group][owner] += 1
    with pytest.raises(Invalid, match="KRW do not add up here"):
        books.check("here")


def test_two_edits_that_cancel_out_are_found() -> None:
    books = Books()
    books.post("KRW", "outside", "free:a", 5)
    books.balances["KRW"]["free"]["a"] -= 1
    books.balances["KRW"]["outside"][""] += 1
    with pytest.raises(Invalid):
        books.check("here")


def test_less_than_nothing_cannot_be_posted() -> None:
    books = Books()
    with pytest.raises(Malformed, match="-1 KRW"):
        books.post("KRW", "outside", "pool", -1)
    assert books == Books()


def test_what_has_moved_is_counted_apart_from_what_is_there() -> None:
    books = Books()
    books.post("KRW", "outside", "pool", 5)
    books.post("KRW", "pool", "outside", 5)
    assert books.flow("KRW", "outside", "pool") == 5
    assert books.flows("pool", "outside") == {"KRW": 5}
    assert books.balance("KRW", "pool") == books.total("KRW", "outside") == 0
