"""Anchors that never go back, entries that nobody can leave out, decisions that are told."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import pytest

from danseo.core import merkle
from danseo.core.entry import MAX_LEAF, parse
from danseo.log import wire
from danseo.log.signing import Domain, Key, sign_entry
from danseo.log.wire import Signed
from tests.chain.contracts.challenge import (
    CAP,
    DAY,
    GUARDIAN,
    OPERATOR,
    UNIT,
    Deployed,
)
from tests.chain.evm import ETH, Contract, account, refused

DOMAIN = Domain(31337, "danseo.example/log")
STRANGER, OTHER, VOTER = account(20), account(21), account(22)
TIME = 1_800_000_123
MOST = 2**256 - 1


def signed(number: int) -> Signed:
    """Return a true entry of somebody, in English or in Korean."""
    key = Key((number + 1).to_bytes(32, "big"))
    summary = parse("tick", {}).summaries()[number % 2]
    return sign_entry(key, DOMAIN, "tick", "", number, {}, summary)


@dataclass
class Parcel:
    """A signed entry as the contract takes it apart, and the log's leaf of it."""

    signed: Signed

    @property
    def data(self) -> bytes:
        return wire.pack(self.signed)

    @property
    def hash(self) -> bytes:
        return sha256(self.data).digest()

    @property
    def signature(self) -> str:
        return f"0x{self.signed.signature.hex()}"

    @property
    def entry(self) -> bytes:
        end = f',"signature":"{self.signature}"}}'.encode()
        assert self.data.startswith(b'{"entry":')
        assert self.data.endswith(end)
        return self.data[len(b'{"entry":') : -len(end)]

    def leaf(self, index: int) -> bytes:
        return wire.wrap(index, TIME + index, self.signed)


class Log:
    """A log of true leaves, with the roots and proofs that it would give."""

    def __init__(self, size: int) -> None:
        self.parcels = [Parcel(signed(i)) for i in range(size)]
        self.leaves = [merkle.leaf_hash(p.leaf(i)) for i, p in enumerate(self.parcels)]

    def root(self, size: int) -> bytes:
        return merkle.range_root(0, size, merkle.nodes_of(self.leaves))

    def proof(self, index: int, size: int) -> list[bytes]:
        return merkle.inclusion_proof(index, size, merkle.nodes_of(self.leaves))


LOG = Log(40)


@pytest.fixture
def c() -> Deployed:
    found = Deployed()
    found.rich(20)
    found.rich(21)
    return found


def submit(c: Deployed, data: bytes, by: str = STRANGER) -> bytes:
    found = c.anchor("submit", data, by=by, value=c.config["bond"])
    assert isinstance(found, bytes)
    return found


def include(c: Deployed, place: int, known: int, **changes: object) -> None:
    """Prove that an entry stands in the log at `place`, by its root of size `known`.

    `changes` spoil a part of the proof.
    """
    parcel = LOG.parcels[place]
    parts = {
        "hash": parcel.hash,
        "entry": parcel.entry,
        "signature": parcel.signature,
        "index": place,
        "time": TIME + place,
        "size": known,
        "proof": LOG.proof(place, known),
    } | changes
    c.anchor("include", *parts.values(), by=OTHER)


def overdue(c: Deployed) -> bool:
    return bool(c.anchor("overdue"))


# Anchors


def test_the_operator_anchors_greater_and_greater_sizes(c: Deployed) -> None:
    for size in (1, 2, 40):
        c.anchor("anchor", size, LOG.root(size), by=OPERATOR)
        assert c.last_event == ("Anchored", {"size": size, "root": LOG.root(size)})
        assert c.anchor("size") == size
    assert [c.anchor("rootAt", size) for size in (2, 3)] == [LOG.root(2), bytes(32)]


def test_an_anchor_never_goes_back(c: Deployed) -> None:
    c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    with refused("Backwards", 19, 20):
        c.anchor("anchor", 19, LOG.root(19), by=OPERATOR)
    with refused("Backwards", 20, 20):
        c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    with refused("Backwards", 0, 20):
        c.anchor("anchor", 0, LOG.root(19), by=OPERATOR)
    with refused("Forked", 20, LOG.root(20), LOG.root(19)):
        c.anchor("anchor", 20, LOG.root(19), by=OPERATOR)
    with refused("NoRoot", 21):
        c.anchor("anchor", 21, bytes(32), by=OPERATOR)
    assert c.anchor("rootAt", 20) == LOG.root(20)


def test_nobody_else_anchors(c: Deployed) -> None:
    for who in (STRANGER, GUARDIAN):
        with refused("NotTheOperator", who):
            c.anchor("anchor", 1, LOG.root(1), by=who)


def test_the_dao_names_another_operator_and_nobody_else_does(c: Deployed) -> None:
    c.mint(VOTER, CAP // 10)
    for who in (OPERATOR, GUARDIAN, VOTER):
        with refused("NotTheTimelock", who):
            c.anchor("setOperator", STRANGER, by=who)
    with refused("NoOperator"):
        c.carry(c.anchor, "setOperator", ETH, by=VOTER)
    c.carry(c.anchor, "setOperator", STRANGER, by=VOTER)
    c.anchor("anchor", 1, LOG.root(1), by=STRANGER)
    with refused("NotTheOperator", OPERATOR):
        c.anchor("anchor", 2, LOG.root(2), by=OPERATOR)


def test_what_the_dao_decides_is_told_and_nobody_else_decides(c: Deployed) -> None:
    c.mint(VOTER, CAP // 10)
    for who in (OPERATOR, GUARDIAN, VOTER):
        with refused("NotTheTimelock", who):
            c.anchor("decide", "next.scorer mine", by=who)
    c.carry(c.anchor, "decide", "next.scorer 다음", by=VOTER)
    assert ("Decided", {"text": "next.scorer 다음"}) in c.world.events


# Submissions


def test_a_submission_shows_the_whole_entry_and_takes_its_bond(c: Deployed) -> None:
    parcel = LOG.parcels[7]
    assert submit(c, parcel.data) == parcel.hash
    deadline = c.world.time + c.config["uptake"]
    assert c.last_event == (
        "Submitted",
        {"hash": parcel.hash, "by": STRANGER, "deadline": deadline, "entry": parcel.data},
    )
    assert c.world.balance(c.anchor.address) == UNIT


def test_a_submission_without_the_exact_bond_is_refused(c: Deployed) -> None:
    for value in (0, UNIT - 1, UNIT + 1):
        with refused("WrongBond", value, UNIT):
            c.anchor("submit", b"x", by=STRANGER, value=value)


def test_an_entry_is_as_long_as_the_log_takes_and_not_empty(c: Deployed) -> None:
    with refused("WrongLength", 0):
        submit(c, b"")
    with refused("WrongLength", MAX_LEAF + 1):
        submit(c, b"x" * (MAX_LEAF + 1))
    assert c.anchor("MAX_ENTRY") == MAX_LEAF
    submit(c, b"x" * MAX_LEAF)


def test_an_entry_is_submitted_once_at_a_time(c: Deployed) -> None:
    parcel = LOG.parcels[3]
    submit(c, parcel.data)
    with refused("AlreadySubmitted", parcel.hash):
        submit(c, parcel.data, by=OTHER)


def test_a_submission_is_overdue_from_the_second_after_its_deadline_until_patience_ends(
    c: Deployed,
) -> None:
    assert not overdue(c)
    submit(c, LOG.parcels[0].data)
    deadline = c.world.time + c.config["uptake"]
    end = deadline + c.config["patience"]
    for time, expected in (
        (deadline - 1, False),
        (deadline, False),
        (deadline + 1, True),
        (end, True),
        (end + 1, False),
    ):
        c.world.time = time
        assert overdue(c) is expected, time - deadline


def test_no_root_takes_effect_while_a_submission_is_overdue(c: Deployed) -> None:
    submit(c, LOG.parcels[5].data)
    c.pool("publish", 1, bytes(32), b"\1" * 32, by=STRANGER, value=UNIT)
    c.world.time += 7 * DAY  # the deadline was two days after submission, patience ends after seven
    with refused("EntryOverdue", c.anchor):
        c.pool("activate", 1)
    c.anchor("anchor", 6, LOG.root(6), by=OPERATOR)
    include(c, 5, 6)
    c.pool("activate", 1)
    assert c.pool("size") == 1


# Inclusion


@pytest.mark.parametrize("size", range(1, 41))
def test_every_leaf_of_a_real_log_is_proved_and_gives_the_bond_back(size: int) -> None:
    c = Deployed(bond=1000)
    c.world.give(STRANGER, 10**6)
    c.anchor("anchor", size, LOG.root(size), by=OPERATOR)
    for index in range(size):
        submit(c, LOG.parcels[index].data)
        include(c, index, size)
        hashed = LOG.parcels[index].hash
        assert c.last_event == ("Included", {"hash": hashed, "index": index})
        assert c.anchor("included", hashed) == index + 1
    assert c.world.balance(STRANGER) == 10**6
    assert c.world.balance(c.anchor.address) == 0
    assert c.anchor("first") == c.anchor("last") == bytes(32)


def test_a_long_entry_in_any_script_is_proved(c: Deployed) -> None:
    reason = '"}],"index":3,"signature":"0x' + "ab" * 65 + '"} 단서 \\ ' + "가" * 15_000
    true = signed(1)
    parcel = Parcel(
        Signed(true.author, "tick", "", 2**53 - 1, "tick", {"reason": reason}, true.signature)
    )
    index, time = 2**32 + 5, 2**40
    leaf = merkle.leaf_hash(wire.wrap(index, time, parcel.signed))
    size, root = index + 1, _alone(leaf, index)
    c.anchor("anchor", size, root, by=OPERATOR)
    submit(c, parcel.data)
    proof = [bytes(32)] * bin(index).count("1")
    c.anchor(
        "include", parcel.hash, parcel.entry, parcel.signature, index, time, size, proof, by=OTHER
    )
    assert c.anchor("included", parcel.hash) == index + 1


def _alone(leaf: bytes, index: int) -> bytes:
    """Return the root of a tree whose last leaf is this, and whose other subtrees hash to zero."""
    for _ in range(bin(index).count("1")):
        leaf = merkle.node_hash(bytes(32), leaf)
    return leaf


def test_an_inclusion_that_is_not_so_is_refused(c: Deployed) -> None:
    c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    submit(c, LOG.parcels[6].data)
    proof, parcel = LOG.proof(6, 20), LOG.parcels[6]
    flipped = [bytes([proof[0][0] ^ 1, *proof[0][1:]]), *proof[1:]]
    for changes in (
        {"index": 5},
        {"index": 7},
        {"index": 20},
        {"index": 6 + 32},
        {"time": TIME},
        {"proof": flipped},
        {"proof": proof[:-1]},
        {"proof": [*proof, bytes(32)]},
        {"proof": []},
        {"proof": proof[::-1]},
    ):
        with refused("NotInTheLog"):
            include(c, 6, 20, **changes)
    with refused("NotAnchored", 19):
        include(c, 6, 20, size=19)
    with refused("AnotherEntry"):
        include(c, 6, 20, entry=parcel.entry + b" ")
    with refused("AnotherEntry"):
        include(c, 6, 20, signature=LOG.parcels[5].signature)
    with refused("WrongLength", 131):
        include(c, 6, 20, signature=parcel.signature[:-1])
    with refused("NotSubmitted", LOG.parcels[5].hash):
        include(c, 5, 20)
    include(c, 6, 20)


def test_a_submission_is_not_split_in_another_place(c: Deployed) -> None:
    """Else an operator could clear an entry with a leaf that says something else."""
    parcel = LOG.parcels[2]
    submit(c, parcel.data)
    joint = f',"signature":"{parcel.signature}'
    entry, signature = parcel.entry + joint.encode()[:40], joint[40:]
    leaf = merkle.leaf_hash(
        b'{"entry":' + entry + b',"index":0,"signature":"' + signature.encode() + b'","time":1}'
    )
    c.anchor("anchor", 1, leaf, by=OPERATOR)
    with refused("WrongLength", len(signature)):
        c.anchor("include", parcel.hash, entry, signature, 0, 1, 1, [])


def test_what_was_included_is_not_submitted_again(c: Deployed) -> None:
    c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    submit(c, LOG.parcels[6].data)
    include(c, 6, 20)
    with refused("AlreadyIncluded", LOG.parcels[6].hash, 6):
        submit(c, LOG.parcels[6].data)
    with refused("NotSubmitted", LOG.parcels[6].hash):
        include(c, 6, 20)


def test_an_entry_included_late_is_included(c: Deployed) -> None:
    submit(c, LOG.parcels[6].data)
    c.world.time += 100 * DAY
    c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    include(c, 6, 20)
    assert c.world.balance(c.anchor.address) == 0


# Whoever cannot be paid


def puppet(c: Deployed, **behaviour: bool) -> Contract:
    found = c.world.deploy("Puppet")
    found("set", behaviour.get("refuses", False), behaviour.get("burns", False))
    return found


@pytest.mark.parametrize("fault", ["refuses", "burns"])
def test_who_refuses_his_bond_can_collect_it_later(c: Deployed, fault: str) -> None:
    stubborn = puppet(c, **{fault: True})
    data = c.data(c.anchor, "submit", LOG.parcels[6].data)
    stubborn("act", c.anchor.address, data, by=STRANGER, value=UNIT)
    c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    include(c, 6, 20)
    assert ("Credited", {"account": stubborn.address, "amount": UNIT}) in c.world.events
    if fault == "refuses":
        with refused("NotPaid", stubborn, UNIT):
            c.anchor("collect", stubborn.address)
    stubborn("set", False, False)
    c.anchor("collect", stubborn.address, by=OTHER)
    assert c.world.balance(stubborn.address) == UNIT
    with refused("NothingToCollect", stubborn):
        c.anchor("collect", stubborn.address)


def test_a_recipient_cannot_come_back_in_while_he_is_paid(c: Deployed) -> None:
    thief = puppet(c, refuses=True)
    submit(c, LOG.parcels[5].data)  # a bond to steal
    data = c.data(c.anchor, "submit", LOG.parcels[6].data)
    thief("act", c.anchor.address, data, by=STRANGER, value=UNIT)
    c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    include(c, 6, 20)
    thief("set", False, False)
    thief("whenPaid", c.anchor.address, c.data(c.anchor, "collect", thief.address))
    c.anchor("collect", thief.address)
    assert not thief("worked")
    assert c.world.balance(c.anchor.address) == c.world.balance(thief.address) == UNIT


# Dismissal, lapse, flood


def test_the_dao_dismisses_garbage_and_the_pool_gets_its_bond() -> None:
    c = Deployed(guardian=ETH)
    c.rich(20)
    c.mint(VOTER, CAP // 10)
    hashed = submit(c, b"garbage")
    before = c.world.balance(c.pool.address)
    c.carry(c.anchor, "dismiss", hashed, by=VOTER)
    told = dict(c.world.events)
    assert told["Dismissed"] == {"hash": hashed, "by": c.timelock.address}
    assert told["Received"] == {"donor": c.anchor.address, "asset": ETH, "amount": UNIT}
    assert c.world.balance(c.pool.address) == before + UNIT
    assert not overdue(c)


def test_the_guardian_dismisses_in_his_term_and_nobody_else_ever(c: Deployed) -> None:
    hashed, second = submit(c, b"garbage"), submit(c, b"more")
    for who in (STRANGER, OPERATOR):
        with refused("MayNotDismiss", who):
            c.anchor("dismiss", hashed, by=who)
    c.world.time = c.config["guardianTerm"] - 1
    c.anchor("dismiss", hashed, by=GUARDIAN)
    with refused("NotSubmitted", hashed):
        c.anchor("dismiss", hashed, by=GUARDIAN)
    c.world.time += 1
    with refused("MayNotDismiss", GUARDIAN):
        c.anchor("dismiss", second, by=GUARDIAN)


def test_the_guardian_dismisses_nothing_once_enough_is_minted(c: Deployed) -> None:
    c.mint(VOTER, CAP // 10)
    hashed = submit(c, b"garbage")
    with refused("MayNotDismiss", GUARDIAN):
        c.anchor("dismiss", hashed, by=GUARDIAN)


def test_what_was_dismissed_wrongly_can_be_submitted_again(c: Deployed) -> None:
    hashed = submit(c, LOG.parcels[1].data)
    c.anchor("dismiss", hashed, by=GUARDIAN)
    assert submit(c, LOG.parcels[1].data) == hashed
    c.world.time += c.config["uptake"] + 1
    assert overdue(c)


def test_garbage_cannot_lock_a_pool_and_its_bond_goes_there_by_anyones_call(c: Deployed) -> None:
    hashed = submit(c, b"garbage")
    c.world.time += c.config["uptake"] + c.config["patience"]
    assert c.anchor("settle", 9) == 0
    c.world.time += 1
    assert c.anchor("settle", 9, by=OTHER) == 1
    assert ("Lapsed", {"hash": hashed}) in c.world.events
    assert c.world.balance(c.pool.address) == UNIT
    assert c.world.balance(c.anchor.address) == 0
    with refused("NotSubmitted", hashed):
        c.anchor("dismiss", hashed, by=GUARDIAN)
    assert submit(c, b"garbage") == hashed


def test_a_flood_hides_no_true_submission_and_clears_itself_away(c: Deployed) -> None:
    look = c.anchor("LOOK")
    for i in range(3 * look):
        submit(c, b"garbage %d" % i)
    c.world.time += c.config["patience"]
    true = submit(c, LOG.parcels[0].data)
    c.world.time += c.config["uptake"] + 1  # the garbage has lapsed, the true one is overdue
    assert overdue(c)
    c.anchor("dismiss", true, by=GUARDIAN)
    assert overdue(c)  # more lapsed ones than it passes over: it will not say no
    assert c.anchor("settle", look) == look
    assert overdue(c)
    assert c.anchor("settle", look) == look
    assert not overdue(c)  # sixteen are left, and it passes over them
    submit(c, LOG.parcels[1].data)  # takes two more away
    assert c.anchor("settle", MOST) == look - 2
    assert c.world.balance(c.anchor.address) == UNIT


def test_asking_costs_no_more_behind_a_flood(c: Deployed) -> None:
    for i in range(200):
        submit(c, b"garbage %d" % i)
    c.world.time += c.config["uptake"] + c.config["patience"] + 1
    assert c.anchor("overdue", gas=200_000)


def test_submissions_can_go_in_any_order(c: Deployed) -> None:
    c.anchor("anchor", 20, LOG.root(20), by=OPERATOR)
    for i in range(5):
        submit(c, LOG.parcels[i].data)
        c.world.time += 10
    include(c, 2, 20)  # from the middle, the ends, the middle again, what is left
    include(c, 0, 20)
    include(c, 4, 20)
    assert c.anchor("first") == LOG.parcels[1].hash
    assert c.anchor("last") == LOG.parcels[3].hash
    submit(c, LOG.parcels[9].data)
    include(c, 3, 20)
    c.world.time += c.config["uptake"]
    assert overdue(c)
    include(c, 1, 20)
    assert not overdue(c)  # the ninth came later
    c.world.time += 1
    assert overdue(c)
    include(c, 9, 20)
    assert not overdue(c)
    assert c.anchor("first") == c.anchor("last") == bytes(32)
    assert c.world.balance(c.anchor.address) == 0


def test_a_challenge_without_bonds_works() -> None:
    free = Deployed(bond=0)
    hashed = free.anchor("submit", b"garbage", by=STRANGER)
    free.anchor("dismiss", hashed, by=GUARDIAN)
    free.anchor("submit", b"garbage", by=STRANGER)
    free.world.time += 30 * DAY
    assert free.anchor("settle", 1) == 1
