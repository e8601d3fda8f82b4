"""What a log says of the chain and the chain does not, found by whoever verifies it with a node."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from danseo.chain.client import Client
from danseo.chain.tree import Leaf, Tree
from danseo.core.coin import ETHER
from danseo.core.errors import Invalid
from danseo.core.kinds.chain import Attach, Fact, Report
from danseo.core.kinds.log import Tick
from danseo.flows import auditing, observing, payouts, reading
from danseo.flows.acting import Desk
from danseo.flows.auditing import Audit
from danseo.flows.deploying import Call
from danseo.log.blobs import Blobs
from danseo.log.sequencer import Sequencer
from danseo.log.source import open_source
from tests.cli.stage import run
from tests.flows import living
from tests.flows.coined import ETH, PAST
from tests.flows.living import ROOT_BOND, Living
from tests.flows.played import NAME, key_of


@pytest.fixture(scope="module", params=living.CHAINS)
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Living]:
    """A challenge that paid an advance, and two gifts that no report has told of yet."""
    with living.begin(request.param, tmp_path_factory.mktemp("told")) as stage:
        stage.fund(10 * ETH)
        stage.earn("contributor-1", 4)
        stage.pay()
        stage.fund(3 * ETH)
        stage.fund(4 * ETH, "donor-2")
        yield stage


@pytest.fixture(params=living.CHAINS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Living]:
    """The same, to do harm to."""
    with living.begin(request.param, tmp_path) as made:
        made.fund(10 * ETH)
        made.earn("contributor-1", 4)
        made.client.faucet(key_of("organiser").address, ETH)
        yield made


@contextmanager
def careless(stage: Living, folder: Path) -> Iterator[Desk]:
    """A copy of the log at a host that asks nothing beyond the rules, and no chain at all."""
    home = folder / "careless"
    shutil.copytree(stage.played.folder / "home", home)
    store = Blobs(home / "log" / "blobs", scratch=home / "host" / "scratch")
    with Sequencer(home) as log:
        yield Desk(log, store, home / "host")


def verified(home: Path, chain: Client | None) -> Audit:
    """Verify the log of a home, with a node or without."""
    with open_source(home / "log") as source:
        return auditing.audit(source, workers=1, chain=chain)


def _left_out(report: Report) -> Report:
    return replace(report, facts=report.facts[1:])


def _nothing_happened(report: Report) -> Report:
    return replace(report, facts=())


def _made_up(report: Report) -> Report:
    last = report.facts[-1]
    paid = ("paid", key_of("thief").address, last.asset, 1)
    return replace(
        report, facts=(*report.facts, Fact(last.block, last.tx, last.position + 1, *paid))
    )


def _larger(report: Report) -> Report:
    return replace(report, facts=(replace(report.facts[0], amount=9 * ETH), *report.facts[1:]))


def _another_donor(report: Report) -> Report:
    thief = replace(report.facts[0], account=key_of("thief").address)
    return replace(report, facts=(thief, *report.facts[1:]))


def _richer(report: Report) -> Report:
    (held,) = report.holdings
    return replace(report, holdings=(replace(held, pool=held.pool + 1),))


def _fuller_stake(report: Report) -> Report:
    (held,) = report.holdings
    return replace(report, holdings=(replace(held, stake=held.stake + 1),))


def _minted(report: Report) -> Report:
    return replace(report, supply=report.supply + 1)


def _another_hash(report: Report) -> Report:
    return replace(report, block_hash="0" * 64)


def _from_the_future(report: Report) -> Report:
    return replace(report, to_block=report.to_block + 1)


LIES = [
    _left_out,
    _nothing_happened,
    _made_up,
    _larger,
    _another_donor,
    _richer,
    _fuller_stake,
    _minted,
    _another_hash,
    _from_the_future,
]


@pytest.mark.parametrize("lie", LIES)
def test_what_a_careless_host_let_in_is_found_by_its_index(
    told: Living, tmp_path: Path, lie: Callable[[Report], Report]
) -> None:
    report = observing.next_report(told.client, told.challenge)
    assert report is not None
    with careless(told, tmp_path) as desk:
        entry = desk.say(key_of("thief"), lie(report), NAME)
        desk.say(key_of("thief"), Tick())
    with pytest.raises(Invalid, match=f"Entry {entry.index} is not what the chain says") as found:
        verified(tmp_path / "careless", told.client)
    assert found.value.index == entry.index
    audit = verified(tmp_path / "careless", None)
    assert not audit.chains[0].node
    assert any("by the log's host" in line for line in audit.challenges[0].attested)


def test_a_true_report_is_proven_with_a_node_and_attested_without(
    told: Living, tmp_path: Path
) -> None:
    report = observing.next_report(told.client, told.challenge)
    assert report is not None
    with careless(told, tmp_path) as desk:
        desk.say(key_of("thief"), report, NAME)
    for chain in (told.client, None):
        audit = verified(tmp_path / "careless", chain)
        assert audit.alarms == []
        assert audit.chains[0].node is (chain is not None)
        attested = [line for line in audit.challenges[0].attested if "by the log's host" in line]
        assert bool(attested) is (chain is None)
        assert [p.account for p in audit.chains[0].payments].count(
            key_of("contributor-1").address
        ) == 2
        assert [root.right for root in audit.chains[0].roots] == [True]


def test_contracts_that_the_terms_do_not_give_are_found(told: Living, tmp_path: Path) -> None:
    """A host that attaches a pool of its own is found out at the entry that attached it."""
    with open_source(told.played.folder / "home" / "log") as source:
        said = list(reading.entries(source, 0, told.desk.state.size))
    (attached,) = [e for e in said if e.kind == Attach.kind]
    asked = Asked(told.client, told.record.contracts.pool)
    with pytest.raises(Invalid) as found:
        verified(told.played.folder / "home", asked)
    assert found.value.index == attached.index


class Asked(Client):
    """A node at whose chain nothing stands at one address."""

    def __init__(self, client: Client, hidden: str) -> None:
        self.__dict__.update(client.__dict__)
        self.hidden = hidden

    def code(self, address: str, block: int | None = None) -> bytes:
        return b"" if address == self.hidden else super().code(address, block)


def test_a_false_root_in_effect_raises_an_alarm_and_so_does_what_was_claimed_by_it(
    stage: Living,
) -> None:
    home, thief = stage.played.folder / "home", key_of("thief").address
    leaf = Leaf(thief, ETHER, 2 * ETH)
    size = stage.desk.state.size
    pool = stage.part("pool")
    false = Call(pool, "publish", (size, b"\1" * 32, Tree([leaf]).root), ROOT_BOND)
    stage.send("thief", false)
    observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
    for chain in (stage.client, None):
        (alarm,) = verified(home, chain).alarms
        assert f"root of size {size} is FALSE and waits" in alarm
    stage.wait(PAST)
    stage.send("thief", Call(pool, "activate", (size,)))
    stage.send("thief", Call(pool, "claim", (thief, ETHER, 2 * ETH, [])))
    observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
    for chain in (stage.client, None):
        in_effect, claimed = verified(home, chain).alarms
        assert f"root of size {size} is FALSE and in effect" in in_effect
        assert f"{thief} claimed 2 ETH; 0 ETH were declared" in claimed
    assert run("verify", str(home / "log"), "--json").status == 5


def test_a_root_with_the_right_leaves_that_names_a_false_log_is_false(stage: Living) -> None:
    observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
    payouts.declare(stage.desk, key_of("watcher"), NAME)
    right = payouts.publish(stage.desk, stage.client, NAME)
    size, _, root = right.args
    stage.send("thief", replace(right, args=(size, b"\1" * 32, root)))
    (one,) = payouts.check_roots(stage.desk, stage.client, NAME)
    assert not one.right
    assert any("is FALSE" in line for line in stage.carry_on("watcher"))
    (alarm,) = verified(stage.played.folder / "home", stage.client).alarms
    assert f"size {size} is FALSE" in alarm


def test_an_anchor_of_what_the_log_never_was_is_found(stage: Living) -> None:
    size = stage.desk.state.size
    stage.send("organiser", Call(stage.part("anchor"), "anchor", (size, b"\7" * 32)))
    observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
    for chain in (stage.client, None):
        with pytest.raises(Invalid, match=f"root {'07' * 32} for size {size}"):
            verified(stage.played.folder / "home", chain)


def test_a_forked_log_is_found_by_the_anchor_that_its_readers_do_not_share(
    stage: Living, tmp_path: Path
) -> None:
    with careless(stage, tmp_path) as fork:  # the same log so far, told to somebody else
        fork.say(key_of("relayer"), Tick())
        stage.desk.say(key_of("watcher"), Tick())
        with open_source(stage.played.folder / "home" / "log") as source:
            root = reading.root_at(source, stage.desk.state.size)
        anchor = Call(stage.part("anchor"), "anchor", (stage.desk.state.size, root))
        stage.send("organiser", anchor)
        observing.observe(stage.desk, stage.client, key_of("watcher"), NAME)
        observing.observe(fork, stage.client, key_of("watcher"), NAME)
    assert verified(stage.played.folder / "home", stage.client).alarms == []
    for chain in (stage.client, None):
        with pytest.raises(Invalid, match="forked"):
            verified(tmp_path / "careless", chain)
