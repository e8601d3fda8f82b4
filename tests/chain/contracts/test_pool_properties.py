"""Anything in any order: a model in exact integers stands beside the deployed contracts.

Each rule first says what must happen, a refusal included, and then does it on the chain. At the end
of each run the challenge ends, and every wei and every unit leaves the contracts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import product
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from pyrevm import AccountInfo

from danseo.chain.tree import Leaf, Tree
from tests.chain.contracts.challenge import CAP, DAY, GUARDIAN, PARTS, Deployed
from tests.chain.evm import DEPLOYER, ETH, Contract, Refusal, World, account

Leaves = dict[tuple[str, str], int]
Owed = list[tuple[int, int, int]]
BOND = 1_001
WINDOW, UPTAKE, PATIENCE = 7 * DAY, 2 * DAY, 5 * DAY
PEOPLE = tuple(account(n) for n in range(10, 14))
STRANGER = PEOPLE[0]
WHO = st.sampled_from(PEOPLE)
NTH = st.integers(0, 63)
AMOUNT = st.sampled_from((1, 2, 7, 99, 100, 12_345, 10**18, 10**26))
MORE = st.lists(st.tuples(st.integers(0, 4), NTH, AMOUNT), min_size=1, max_size=4)


@dataclass(slots=True)
class Waiting:
    """A published root as the model sees it; `stamp` tells one publication from another."""

    leaves: Leaves
    publisher: str
    effective_at: int
    stamp: int
    disputer: str = ""


@dataclass(slots=True)
class Purse:
    """An asset of the pool. The last four count what happened in the window that `number` names."""

    holds: int = 0
    peak: int = 0
    number: int = -1
    allowed: int = 0
    given: int = 0
    paid: int = 0


@dataclass(slots=True)
class Held:
    """A stake: what is there, what went out, what was lost, what is leaving and when."""

    held: int = 0
    taken: int = 0
    lost: int = 0
    leaving: int = 0
    leaves_at: int = 0


@dataclass(slots=True)
class Model:
    """Everything that the contracts should know."""

    purses: dict[str, Purse]
    waiting: dict[int, Waiting] = field(default_factory=dict)
    effective: Leaves = field(default_factory=dict)
    size: int = 0
    struck_at: int = 0
    vetoed: set[int] = field(default_factory=set)
    claimed: Counter[tuple[str, str]] = field(default_factory=Counter)
    most: Counter[tuple[str, str]] = field(default_factory=Counter)
    credit: Counter[str] = field(default_factory=Counter)
    stakes: dict[str, Held] = field(default_factory=dict)
    submitted: dict[bytes, int] = field(default_factory=dict)
    put_down: int = 0
    given_back: int = 0


class Challenge(RuleBasedStateMachine):
    """The rules. Whoever calls is one of few people, one of whom may refuse ETH."""

    @initialize(
        outflow=st.sampled_from((PARTS // 10, PARTS // 3, PARTS)),
        staked=st.sampled_from(("ETH", "PlainToken", "FeeToken")),
    )
    def open(self, outflow: int, staked: str) -> None:
        """Deploy. The guardian serves 200 days; a stake leaves ten days after it says so."""
        world = self.world = World()
        tokens = [world.deploy(kind) for kind in ("PlainToken", "FeeToken")]
        self.tokens = {token.address: token for token in tokens}
        assets = {"ETH": ETH} | {token.abi.name: token.address for token in tokens}
        self.staked = assets[staked]
        self.c = Deployed(
            world, outflow=outflow, bond=BOND, assets=list(self.tokens), stakeAsset=self.staked,
            window=WINDOW, uptake=UPTAKE, patience=PATIENCE, guardedUntil=PARTS // 5,
        )  # fmt: skip
        self.pool, self.outflow = self.c.pool, outflow
        self.coin, self.stake = self.c.coin.address, self.c.stake.address
        self.lost = f"0x{int(self.stake, 16) ^ 1:040x}"
        self.refuser = world.deploy("Puppet")
        self.people = (*PEOPLE, self.refuser.address)
        for who, token in product(PEOPLE, tokens):
            world.give(who, 10**30)
            token("mint", who, 10**30)
            token("approve", self.pool, 2**200, by=who)
            token("approve", self.c.stake, 2**200, by=who)
        # An account without code, so that it can call: the DAO's word, without its votes.
        world.evm.insert_account_info(self.c.timelock.address, AccountInfo(nonce=1))
        self.refuser("set", True, False)
        self.m = Model({asset: Purse() for asset in (*assets.values(), self.coin)})
        self.stamp = 0

    # --- how a call is held against the model ------------------------------------------------

    def do(self, error: str, to: Contract, method: str, *args: Any, **how: Any) -> bool:
        """Call; it must be refused with `error`, or work where that is empty. Say if it worked."""
        said = ""
        try:
            to(method, *args, **how)
        except Refusal as refusal:
            said = refusal.name
        assert said == error, (method, args, how)
        return not said

    @property
    def now(self) -> int:
        return self.world.time

    def arrives(self, asset: str, amount: int) -> int:
        """Return what of a transfer arrives."""
        token = self.tokens.get(asset)
        return amount - amount // 100 if token and token.abi.name == "FeeToken" else amount

    def left(self, asset: str) -> int:
        """Return what may leave now; open the window if this is its first payment."""
        purse, number = self.m.purses[asset], self.now // WINDOW
        if purse.number != number:
            if asset == self.coin:
                cap, there = -(-self.outflow * CAP // PARTS), CAP - purse.holds
            else:
                purse.peak = max(purse.peak, purse.holds)
                cap, there = -(-self.outflow * purse.peak // PARTS), purse.holds
            purse.number, purse.allowed, purse.given, purse.paid = number, min(cap, there), 0, 0
        return purse.allowed + purse.given - purse.paid

    def pays(self, pair: tuple[str, str], cumulative: int) -> int:
        """Book what a claim of this leaf pays, and return it: 0 where nothing may leave."""
        account_, asset = pair
        amount = min(cumulative - self.m.claimed[pair], self.left(asset))
        if asset == ETH and self.refuses(account_):
            return 0
        self.m.claimed[pair] += amount
        purse = self.m.purses[asset]
        purse.paid += amount
        purse.holds += amount if asset == self.coin else -amount
        return amount

    def refuses(self, who: str) -> bool:
        return who == self.refuser.address and bool(self.refuser("refuses"))

    def bond_to(self, who: str, amount: int) -> None:
        if self.refuses(who):
            self.m.credit[who] += amount
        else:
            self.m.given_back += amount

    # --- money in -----------------------------------------------------------------------------

    @rule(who=WHO, nth=NTH, amount=AMOUNT)
    def fund(self, who: str, nth: int, amount: int) -> None:
        asset = (ETH, *self.tokens)[nth % 3]
        value = amount if asset == ETH else 0
        self.do("", self.pool, "fund", asset, amount, by=who, value=value)
        self.m.purses[asset].holds += self.arrives(asset, amount)

    @rule(who=WHO, amount=AMOUNT)
    def send_bare(self, who: str, amount: int) -> None:
        self.world.pay(who, self.pool.address, amount)
        self.m.purses[ETH].holds += amount

    @rule(who=WHO, nth=NTH, amount=AMOUNT)
    def slip_in(self, who: str, nth: int, amount: int) -> None:
        """Send past `fund`: a bare transfer, or ETH by a contract that dies."""
        asset = (ETH, *self.tokens)[nth % 3]
        if asset == ETH:
            self.world.give(self.pool.address, amount)
        else:
            self.tokens[asset]("transfer", self.pool, amount, by=who)
        purse, arrived = self.m.purses[asset], self.arrives(asset, amount)
        purse.holds += arrived
        purse.given += arrived if purse.number == self.now // WINDOW else 0

    # --- roots --------------------------------------------------------------------------------

    @rule(
        who=st.integers(0, 4),
        jump=st.sampled_from((1, 1, 2, 10, 2**64 - 1)),
        more=MORE,
        fresh=st.booleans(),
    )
    def publish(self, who: int, jump: int, more: Owed, fresh: bool) -> None:
        """Owe more than was claimed so far, or forget everybody and owe a thief alone."""
        leaves: Leaves = {} if fresh else dict(self.m.claimed)
        assets = (ETH, *self.tokens, self.coin, self.stake, self.lost)
        for person, nth, amount in more:
            pair = (self.people[person], assets[nth % len(assets)])
            leaves[pair] = leaves.get(pair, 0) + amount
        size, publisher = min(self.m.size + jump, 2**64 - 1), self.people[who]
        error = "AlreadyPending" if size in self.m.waiting else ""
        error = "StaleSize" if size <= self.m.size else error
        root = Tree(Leaf(*pair, amount) for pair, amount in leaves.items()).root
        if self.publishes(error, publisher, size, root):
            self.stamp += 1
            self.m.waiting[size] = Waiting(leaves, publisher, self.now + WINDOW, self.stamp)
            self.m.put_down += BOND

    @rule(
        jump=st.sampled_from((1, 2, 10, 2**63)),
        more=MORE,
        fresh=st.booleans(),
        claims=st.lists(NTH, max_size=4),
    )
    def let_stand(self, jump: int, more: Owed, fresh: bool, claims: list[int]) -> None:
        """Publish, and nobody minds: the root takes effect if nothing else stands in its way."""
        size = min(self.m.size + jump, 2**64 - 1)
        self.publish(0, jump, more, fresh)
        if size in self.m.waiting:
            self.world.time = max(self.now, self.m.waiting[size].effective_at)
            self.activate(sorted(self.m.waiting).index(size))
        for nth in claims if self.m.effective else ():
            self.claim(nth, STRANGER)

    def publishes(self, error: str, who: str, size: int, root: bytes) -> bool:
        return self.acts(error, who, self.pool, "publish", size, bytes(32), root, value=BOND)

    def acts(self, error: str, who: str, to: Contract, method: str, *args: Any, **how: Any) -> bool:
        """Call as somebody, who may be the contract that refuses ETH."""
        if who != self.refuser.address:
            return self.do(error, to, method, *args, by=who, **how)
        data = to.abi.call(method, args)
        return self.do(error, self.refuser, "act", to.address, data, by=STRANGER, **how)

    @precondition(lambda self: self.m.waiting)
    @rule(who=st.integers(0, 4), nth=NTH)
    def dispute(self, who: int, nth: int) -> None:
        size = self.nth_size(nth)
        its, disputer = self.m.waiting[size], self.people[who]
        error = "AlreadyDisputed" if its.disputer else ""
        error = "WindowOver" if self.now >= its.effective_at else error
        if self.acts(error, disputer, self.pool, "dispute", size, value=BOND):
            its.disputer = disputer
            self.m.put_down += BOND

    def nth_size(self, nth: int) -> int:
        sizes = sorted(self.m.waiting)
        return sizes[nth % len(sizes)]

    @precondition(lambda self: self.m.waiting)
    @rule(by=st.sampled_from(("guardian", "dao", "stranger")), nth=NTH)
    def veto(self, by: str, nth: int) -> None:
        size = self.nth_size(nth)
        its = self.m.waiting[size]
        error = "WindowOver" if self.now >= its.effective_at else ""
        if self.do(self.may_veto(by) or error, self.pool, "veto", size, by=self.caller(by)):
            del self.m.waiting[size]
            self.m.vetoed.add(its.stamp)
            kept = -(-BOND // 2) if its.disputer else BOND
            self.m.purses[ETH].holds += kept
            self.m.given_back += kept
            if its.disputer:
                self.bond_to(its.disputer, 2 * BOND - kept)

    def may_veto(self, by: str) -> str:
        minted, term = self.m.purses[self.coin].holds, self.c.config["guardianTerm"]
        guards = by == "guardian" and self.now < term and minted < CAP // 5
        return "" if by == "dao" or guards else "MayNotVeto"

    def caller(self, by: str) -> str:
        return {"guardian": GUARDIAN, "dao": self.c.timelock.address, "stranger": STRANGER}[by]

    @precondition(lambda self: self.m.size)
    @rule(by=st.sampled_from(("guardian", "dao", "stranger")))
    def strike(self, by: str) -> None:
        """Veto the root in effect."""
        if self.do(self.may_veto(by), self.pool, "veto", self.m.size, by=self.caller(by)):
            self.m.size, self.m.effective, self.m.struck_at = 0, {}, self.now

    @precondition(lambda self: self.m.waiting)
    @rule(nth=NTH)
    def activate(self, nth: int) -> None:
        size = self.nth_size(nth)
        its = self.m.waiting[size]
        error = "EntryOverdue" if self.overdue() else ""
        error = "Overtaken" if its.effective_at <= self.m.struck_at else error
        error = "StaleSize" if size <= self.m.size else error
        error = "WindowOpen" if self.now < its.effective_at else error
        if self.do(error, self.pool, "activate", size, by=STRANGER):
            assert its.stamp not in self.m.vetoed
            self.m.size, self.m.effective = size, its.leaves
            for pair, amount in its.leaves.items():
                self.m.most[pair] = max(self.m.most[pair], amount)
            self.ends(size)

    def ends(self, size: int) -> None:
        its = self.m.waiting.pop(size)
        self.bond_to(its.publisher, 2 * BOND if its.disputer else BOND)

    @precondition(lambda self: self.m.waiting)
    @rule(nth=NTH)
    def reclaim(self, nth: int) -> None:
        size = self.nth_size(nth)
        its = self.m.waiting[size]
        stale = size <= self.m.size or its.effective_at <= self.m.struck_at
        error = "" if stale else "NotStale"
        error = "WindowOpen" if self.now < its.effective_at else error
        if self.do(error, self.pool, "reclaim", size, by=STRANGER):
            self.ends(size)

    @rule()
    def change_of_mind(self) -> None:
        """Let the contract that refuses ETH take it, or refuse it again; collect what waits."""
        self.refuser("set", not self.refuser("refuses"), False)
        self.collect()

    def collect(self) -> None:
        owed = self.m.credit[self.refuser.address]
        error = "PaymentRefused" if self.refuses(self.refuser.address) else ""
        error = error if owed else "NothingToCollect"
        if self.do(error, self.pool, "collect", self.refuser, by=STRANGER):
            self.m.given_back += owed
            self.m.credit.clear()

    # --- money out ----------------------------------------------------------------------------

    @precondition(lambda self: self.m.effective)
    @rule(nth=NTH, by=WHO)
    def claim(self, nth: int, by: str) -> None:
        pairs = list(self.m.effective)
        pair = pairs[nth % len(pairs)]
        if pair[1] not in self.m.purses:
            return
        cumulative, proof = self.m.effective[pair], self.tree().proof(nth % len(pairs))
        if cumulative <= self.m.claimed[pair]:
            error = "NothingToClaim"
        elif not self.peek(pair[1]):
            error = "OverOutflow"
        elif pair[1] == ETH and self.refuses(pair[0]):
            error = "PaymentRefused"
        else:
            error = ""
            self.pays(pair, cumulative)
        before = self.balance(pair)
        assert self.do(error, self.pool, "claim", *pair, cumulative, proof, by=by) == (not error)
        if not error:
            assert self.balance(pair) > before

    def peek(self, asset: str) -> int:
        """Return what may leave now, as a call that is refused sees it: no window opens."""
        purse = self.m.purses[asset]
        kept = (purse.peak, purse.number, purse.allowed, purse.given, purse.paid)
        left = self.left(asset)
        purse.peak, purse.number, purse.allowed, purse.given, purse.paid = kept
        return left

    def balance(self, pair: tuple[str, str]) -> int:
        who, asset = pair
        if asset == ETH:
            return self.world.balance(who)
        token = self.c.coin if asset == self.coin else self.tokens[asset]
        return int(token("balanceOf", who))

    def tree(self) -> Tree:
        return Tree(Leaf(*pair, amount) for pair, amount in self.m.effective.items())

    @precondition(lambda self: self.m.effective)
    @rule(chosen=st.sets(st.integers(0, 15), min_size=1, max_size=6))
    def pay_batch(self, chosen: set[int]) -> None:
        pairs = list(self.m.effective)
        places = [i for i in chosen if i < len(pairs) and pairs[i][1] in self.m.purses]
        if not places:
            return
        leaves, proof, flags = self.tree().multiproof(places)
        failed = []
        for leaf in leaves:
            pair = (leaf.account, leaf.asset)
            self.left(leaf.asset)  # a batch opens the window, whoever is paid
            due = leaf.cumulative > self.m.claimed[pair]
            if due and not self.pays(pair, leaf.cumulative):
                failed.append(leaf.account)
        rows = [(leaf.account, leaf.asset, leaf.cumulative) for leaf in leaves]
        self.do("", self.pool, "payBatch", rows, proof, flags, by=STRANGER)
        said = [args["account"] for name, args in self.world.events if name == "PaymentFailed"]
        assert said == failed

    # --- stakes -------------------------------------------------------------------------------

    @rule(who=WHO, by=WHO, amount=AMOUNT)
    def deposit(self, who: str, by: str, amount: int) -> None:
        value = amount if self.staked == ETH else 0
        self.do("", self.c.stake, "deposit", who, amount, by=by, value=value)
        self.m.stakes.setdefault(who, Held()).held += self.arrives(self.staked, amount)

    @precondition(lambda self: self.m.effective)
    @rule(nth=NTH)
    def release_or_slash(self, nth: int) -> None:
        pairs = [p for p in self.m.effective if p[1] in (self.stake, self.lost)]
        if not pairs:
            return
        pair = pairs[nth % len(pairs)]
        cumulative, its = self.m.effective[pair], self.m.stakes.get(pair[0], Held())
        proof = self.tree().proof(list(self.m.effective).index(pair))
        releases = pair[1] == self.stake
        done = its.taken if releases else its.lost
        amount = min(its.held, max(0, cumulative - done))
        error = "" if amount else "NothingDue"
        method = "release" if releases else "slash"
        if self.do(error, self.c.stake, method, pair[0], cumulative, proof, by=STRANGER):
            its.held -= amount
            if releases:
                its.taken += amount
            else:
                self.slashed(its, amount)

    def slashed(self, its: Held, amount: int) -> None:
        its.lost += amount
        self.m.purses[self.staked].holds += self.arrives(self.staked, amount)

    @precondition(lambda self: self.m.stakes)
    @rule(who=WHO, amount=AMOUNT, dao=st.booleans())
    def slash_by_decision(self, who: str, amount: int, dao: bool) -> None:
        its = self.m.stakes.get(who, Held())
        error = "NotSoMuch" if amount > its.held else ""
        error = error if dao else "NotTheTimelock"
        by = self.c.timelock.address if dao else who
        if self.do(error, self.c.stake, "slashByDecision", who, amount, 7, by=by):
            its.held -= amount
            self.slashed(its, amount)

    @precondition(lambda self: self.m.stakes)
    @rule(who=WHO, amount=AMOUNT)
    def exit(self, who: str, amount: int) -> None:
        its = self.m.stakes.get(who, Held())
        error = "NotSoMuch" if amount > its.held else ""
        if self.do(error, self.c.stake, "exit", amount, by=who):
            its.leaving = amount
            its.leaves_at = max(self.now + self.c.config["exitDelay"], self.c.config["exitsFrom"])

    @precondition(lambda self: any(its.leaving for its in self.m.stakes.values()))
    @rule(who=WHO)
    def withdraw(self, who: str) -> None:
        its = self.m.stakes.get(who, Held())
        error = "TooEarly" if self.now < its.leaves_at else ""
        error = error if its.leaving else "NotLeaving"
        if self.do(error, self.c.stake, "withdraw", by=who):
            amount = min(its.leaving, its.held)
            its.held, its.taken, its.leaving = its.held - amount, its.taken + amount, 0

    # --- the log's anchor ---------------------------------------------------------------------

    @rule(who=WHO, text=st.sampled_from((b"a", b"b", b"c")))
    def submit(self, who: str, text: bytes) -> None:
        name = sha256(text).digest()
        error = "AlreadySubmitted" if name in self.m.submitted else ""
        if self.do(error, self.c.anchor, "submit", text, by=who, value=BOND):
            self.m.submitted[name] = self.now + UPTAKE
            self.settled(2)

    @precondition(lambda self: self.m.submitted)
    @rule(most=st.integers(0, 3))
    def settle(self, most: int) -> None:
        self.do("", self.c.anchor, "settle", most, by=STRANGER)
        self.settled(most)

    def settled(self, most: int) -> None:
        lapsed = [n for n, due in self.m.submitted.items() if self.now > due + PATIENCE]
        for name in lapsed[:most]:
            del self.m.submitted[name]
            self.m.purses[ETH].holds += BOND

    @precondition(lambda self: self.m.submitted)
    @rule(nth=NTH, by=st.sampled_from(("guardian", "dao", "stranger")))
    def dismiss(self, nth: int, by: str) -> None:
        names = list(self.m.submitted)
        error = "MayNotDismiss" if self.may_veto(by) else ""
        if self.do(error, self.c.anchor, "dismiss", names[nth % len(names)], by=self.caller(by)):
            del self.m.submitted[names[nth % len(names)]]
            self.m.purses[ETH].holds += BOND

    def overdue(self) -> bool:
        return any(due < self.now <= due + PATIENCE for due in self.m.submitted.values())

    # --- time ---------------------------------------------------------------------------------

    @rule(nth=NTH, past=st.sampled_from((-1, 0, 1)))
    def jump(self, nth: int, past: int) -> None:
        """Go to an edge of something, a second before it or one past it."""
        edges = [w.effective_at for w in self.m.waiting.values()]
        edges += [(self.now // WINDOW + 1) * WINDOW, self.c.config["guardianTerm"]]
        edges += [due + late for due in self.m.submitted.values() for late in (0, PATIENCE)]
        edges += [its.leaves_at for its in self.m.stakes.values() if its.leaving]
        edges = sorted({edge + past for edge in edges if edge + past > self.now})
        if edges:
            self.world.time = edges[nth % len(edges)] if nth % 2 else edges[0]

    # --- what holds at every moment -----------------------------------------------------------

    @invariant()
    def the_pool_holds_what_came_in_less_what_went_out(self) -> None:
        bonds = self.m.put_down - self.m.given_back
        assert self.pool("escrow") == bonds
        assert self.world.balance(self.pool.address) == self.m.purses[ETH].holds + bonds
        for asset, token in self.tokens.items():
            assert token("balanceOf", self.pool) == self.m.purses[asset].holds

    @invariant()
    def escrow_is_what_is_owed_of_bonds(self) -> None:
        waiting = sum(2 if its.disputer else 1 for its in self.m.waiting.values())
        owed = waiting * BOND + self.m.credit.total()
        assert self.m.put_down - self.m.given_back == owed

    @invariant()
    def nobody_had_more_than_a_root_in_effect_gave(self) -> None:
        for pair, had in self.m.claimed.items():
            assert self.pool("claimed", *pair) == had <= self.m.most[pair]

    @invariant()
    def no_more_leaves_in_a_window_than_may(self) -> None:
        for asset, purse in self.m.purses.items():
            assert purse.paid <= purse.allowed + purse.given
            assert self.pool("leaving", asset) == self.peek(asset)

    @invariant()
    def the_coin_is_what_was_claimed_of_it(self) -> None:
        supply = self.c.coin("totalSupply")
        minted = sum(had for (_, asset), had in self.m.claimed.items() if asset == self.coin)
        assert supply == minted == self.m.purses[self.coin].holds <= CAP

    @invariant()
    def the_stake_holds_what_its_accounts_have(self) -> None:
        held = sum(its.held for its in self.m.stakes.values())
        if self.staked == ETH:
            assert self.world.balance(self.stake) == held
        else:
            assert self.tokens[self.staked]("balanceOf", self.stake) == held
        for who, its in self.m.stakes.items():
            values = (its.held, its.taken, its.lost, its.leaving, its.leaves_at)
            assert tuple(self.c.stake("accounts", who)) == values

    @invariant()
    def the_anchor_says_what_is_overdue(self) -> None:
        assert self.c.anchor("overdue") == self.overdue()
        assert self.world.balance(self.c.anchor.address) == len(self.m.submitted) * BOND

    # --- the end ------------------------------------------------------------------------------

    def teardown(self) -> None:
        """End the challenge: everything leaves, to the last wei, whatever was done before."""
        if hasattr(self, "m"):
            self.take_stakes_out()
            self.clear_roots()
            self.pay_everything_out()

    def take_stakes_out(self) -> None:
        self.world.time += PATIENCE + UPTAKE + 1
        self.settle(3)
        for who, its in self.m.stakes.items():
            if its.held:
                self.exit(who, its.held)
                self.slash_by_decision(who, -(-its.held // 3), dao=True)  # less than asked is left
                self.world.time = its.leaves_at
                self.withdraw(who)
        assert self.held_by(self.c.stake, self.staked) == 0
        assert self.held_by(self.c.anchor, ETH) == 0

    def clear_roots(self) -> None:
        """Strike what is in effect and give every bond back that nobody lost."""
        if self.m.size:
            self.strike("dao")
        self.world.time += WINDOW
        for size in sorted(self.m.waiting):
            place = sorted(self.m.waiting).index(size)
            if self.m.waiting[size].effective_at <= self.m.struck_at or size <= self.m.size:
                self.reclaim(place)
            else:
                self.activate(place)
        if self.refuser("refuses"):
            self.change_of_mind()
        assert self.pool("escrow") == 0
        if self.m.size:
            self.strike("dao")

    def pay_everything_out(self) -> None:
        last = account(99)
        leaves = {(last, asset): self.m.purses[asset].holds for asset in (ETH, *self.tokens)}
        tree = Tree(Leaf(*pair, amount) for pair, amount in leaves.items())
        self.world.give(DEPLOYER, BOND)
        self.pool("publish", 1, bytes(32), tree.root, value=BOND)
        self.world.time += WINDOW
        self.pool("activate", 1)
        for place, (pair, amount) in enumerate(leaves.items()):
            for _ in range(-(-PARTS // self.outflow)):
                if self.pool("claimed", *pair) < amount:
                    self.pool("claim", *pair, amount, tree.proof(place))
                self.world.time += WINDOW
            assert self.held_by(self.pool, pair[1]) == 0

    def held_by(self, contract: Contract, asset: str) -> int:
        return self.balance((contract.address, asset))


TestChallenge = Challenge.TestCase
TestChallenge.settings = settings(max_examples=80, stateful_step_count=40)
