"""The release of the truth: by the threshold of trustees, in time, or not at all."""

from __future__ import annotations

import pytest

from danseo.core import shamir
from danseo.core.challenge import phase
from danseo.core.errors import Conflict, Malformed, NotAllowed, WrongPhase
from tests.core.ledger import (
    ALL_FINAL,
    DEADLINE,
    KEY,
    REVEAL,
    SILENCE,
    TRUSTEES,
    TRUTH,
    Ledger,
    address,
    deal,
    digest,
    terms,
)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.open_challenge()
    return ledger


def test_any_two_of_three_trustees_release_the_truth() -> None:
    for pair in (TRUSTEES[:2], TRUSTEES[1:], TRUSTEES[::2]):
        ledger = Ledger()
        ledger.open_challenge()
        clue = ledger.step("contributor-1", 520_000_000)
        ledger.release(trustees=pair)
        assert ledger.challenge().key == KEY
        assert phase(ledger.challenge(), ledger.now) == "recomputing"
        ledger.append(ledger.exact({clue: 520_000_000}))
        assert ledger.challenge().status == "settled"


def test_a_lone_trustee_releases_nothing(ledger: Ledger) -> None:
    ledger.step("contributor-1", 520_000_000)
    ledger.release(trustees=["trustee-2"])
    assert ledger.challenge().key == ""
    assert ledger.challenge().status == "open"
    ledger.refuses(Conflict, address("trustee-2"), ledger.share("trustee-2"))
    assert ledger.challenge().key == ""


@pytest.mark.parametrize("who", ["organiser", "scorer-1", "contributor-1"])
def test_only_a_trustee_releases_a_share(ledger: Ledger, who: str) -> None:
    ledger.at(DEADLINE + REVEAL)
    ledger.refuses_to(NotAllowed, address(who), who, "truth.release", "ink", share=deal()[0])


def test_a_share_is_the_one_that_was_sealed(ledger: Ledger) -> None:
    ledger.at(DEADLINE + REVEAL)
    ledger.refuses(Conflict, "share", ledger.share("trustee-1", share=deal()[1]))
    x, y = shamir.decode(deal()[0])
    ledger.refuses(Conflict, "share", ledger.share("trustee-1", share=shamir.encode(x, y + 1)))
    outside = f"{x:02x}{shamir.PRIME:0132x}"
    ledger.refuses(Malformed, "x = 1", ledger.share("trustee-1", share=outside))
    ledger.refuses(Malformed, "x = 0", ledger.share("trustee-1", share="0" * 134))


def test_shares_wait_until_no_clue_can_come_any_more(ledger: Ledger) -> None:
    for time, now in ((DEADLINE - 1, "open"), (DEADLINE, "revealing")):
        ledger.at(time)
        ledger.refuses(WrongPhase, f"ink is {now}", ledger.share("trustee-1"))
    ledger.at(DEADLINE + REVEAL - 1)
    ledger.refuses(WrongPhase, "ink is revealing", ledger.share("trustee-1"))
    ledger.at(DEADLINE + REVEAL)
    ledger.append(ledger.share("trustee-1"))


def test_shares_wait_until_every_clue_is_final(ledger: Ledger) -> None:
    ledger.at(DEADLINE - 1)
    clue = ledger.commit("contributor-1")
    ledger.at(DEADLINE - 2 + REVEAL)
    ledger.reveal("contributor-1", clue)
    ledger.at(ALL_FINAL - 3)
    ledger.refuses(WrongPhase, "ink is scoring", ledger.share("trustee-1"))
    ledger.at(ALL_FINAL - 2)
    ledger.append(ledger.share("trustee-1"))


def test_a_draft_releases_nothing() -> None:
    ledger = Ledger()
    ledger.draft()
    ledger.at(DEADLINE + REVEAL)
    ledger.refuses(WrongPhase, "ink is draft", ledger.share("trustee-1"))


def test_without_a_clue_the_truth_settles_at_once(ledger: Ledger) -> None:
    ledger.publish("contributor-1", form="tool")
    ledger.release()
    assert ledger.challenge().status == "settled"
    assert ledger.challenge().settled_by == "truth"


def test_silent_trustees_leave_attested_scores_for_ever(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.at(SILENCE - 1)
    ledger.append(ledger.share("trustee-1"))
    assert ledger.challenge().status == "open"
    ledger.now = SILENCE
    ledger.refuses(WrongPhase, "ink is settled", ledger.share("trustee-2"))
    found = ledger.challenge()
    assert (found.status, found.settled_by, found.settled_at) == ("settled", "attested", SILENCE)
    assert ledger.clue(clue).verdict == "step"
    assert ledger.owed("contributor-1").payable == ledger.owed("contributor-1").entitled > 0
    ledger.say("stranger", "challenge.close", "ink")
    assert ledger.challenge().settled_by == "attested"
    ledger.audit()


def test_silence_falls_whenever_someone_looks(ledger: Ledger) -> None:
    ledger.at(SILENCE + 10**6)
    assert ledger.challenge().settled_at == SILENCE


def test_trustees_have_their_whole_time_however_slow_the_scorers_are(ledger: Ledger) -> None:
    """Else bribed scorers could delay the last clue until the truth comes too late."""
    ledger.at(DEADLINE - 1)
    clues = [ledger.publish("contributor-1") for _ in range(50)]
    for _ in range(49):
        head = ledger.challenge().head_clue()
        if head is None:
            break
        ledger.score("ink", head.id, "none")
        ledger.wait(SILENCE // 100)
    ledger.at(max(ledger.now, SILENCE - TRUTH))
    assert phase(ledger.challenge(), ledger.now) == "truth"
    ledger.at(SILENCE - 1)
    ledger.release(trustees=TRUSTEES[:2])
    ledger.append(ledger.exact(dict.fromkeys(clues, 505_000_000)))
    assert ledger.challenge().settled_by == "truth"


def test_once_the_key_is_out_silence_settles_nothing(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.release()
    ledger.at(SILENCE + 10)
    assert phase(ledger.challenge(), ledger.now) == "recomputing"
    ledger.append(ledger.exact({clue: 520_000_000}))
    assert ledger.challenge().settled_by == "truth"


def test_a_truth_that_nobody_can_recompute_does_not_lock_the_money_up(ledger: Ledger) -> None:
    clue = ledger.step("contributor-1", 520_000_000)
    ledger.release()
    ledger.at(SILENCE + TRUTH - 1)
    assert ledger.challenge().status == "open"
    ledger.at(SILENCE + TRUTH)
    assert ledger.challenge().settled_by == "attested"
    assert ledger.owed("contributor-1").payable == ledger.owed("contributor-1").entitled > 0
    ledger.refuses(WrongPhase, "settled", ledger.exact({clue: 520_000_000}))
    ledger.audit()


def inconsistent(good: int) -> dict[str, object]:
    """Return terms under which only the first `good` shares are of the stated key."""
    shares = [*deal()[:good], *deal(digest("another key"))[good:]]
    trustees = [
        {**trustee, "commitment": shamir.commit(share)}
        for trustee, share in zip(terms()["trustees"], shares, strict=True)
    ]
    return {"trustees": trustees}


def test_a_wrong_share_does_not_spoil_two_right_ones() -> None:
    ledger = Ledger()
    ledger.open_challenge(**inconsistent(2))
    ledger.at(DEADLINE + REVEAL)
    wrong = deal(digest("another key"))[2]
    ledger.append(ledger.share("trustee-3", share=wrong))
    ledger.append(ledger.share("trustee-1"))
    assert ledger.challenge().key == ""
    ledger.append(ledger.share("trustee-2"))
    assert ledger.challenge().key == KEY


def test_a_secret_too_large_for_a_key_is_no_key() -> None:
    shares = deal(f"{2**256:x}")
    trustees = [
        {**trustee, "commitment": shamir.commit(share)}
        for trustee, share in zip(terms()["trustees"], shares, strict=True)
    ]
    ledger = Ledger()
    ledger.open_challenge(trustees=trustees)
    ledger.at(DEADLINE + REVEAL)
    for trustee, share in zip(TRUSTEES, shares, strict=True):
        ledger.append(ledger.share(trustee, share=share))
    assert ledger.challenge().key == ""


def test_inconsistent_shares_give_no_key_and_end_in_silence() -> None:
    ledger = Ledger()
    ledger.open_challenge(**inconsistent(1))
    ledger.at(DEADLINE + REVEAL)
    ledger.append(ledger.share("trustee-1"))
    for i, trustee in enumerate(TRUSTEES[1:], 1):
        ledger.append(ledger.share(trustee, share=deal(digest("another key"))[i]))
    assert ledger.challenge().key == ""
    assert ledger.challenge().status == "open"
    ledger.at(SILENCE)
    assert ledger.challenge().settled_by == "attested"
