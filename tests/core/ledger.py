"""A small language for tests: people who say things to a log, without keys and signatures.

    ledger = Ledger()
    ledger.open_challenge("ink")
    clue = ledger.publish("contributor-1", "ink")
    ledger.score("ink", clue, 520_000_000)

People are roles ("organiser", "scorer-1", "contributor-1"); `address` gives each a fixed address.
Every entry goes through `danseo.core.state.apply` in the form in which a log holds it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import pytest

from danseo.core import canonical, kinds, onchain, shamir, treasury
from danseo.core.challenge import Challenge, Clue, commitment_of
from danseo.core.entry import Entry, parse
from danseo.core.errors import Refused
from danseo.core.state import State, apply

assert kinds  # importing it registers every kind

START = 1_000_000
DEADLINE = START + 100_000
REVEAL, SCORE, TRUTH = 10_000, 5_000, 20_000
ALL_FINAL = DEADLINE + REVEAL + SCORE
SILENCE = ALL_FINAL + TRUTH
BOND, STAKE, PRIZE = 100, 1_000, 10_000_000
ETA = 10_000_000
BASELINE, GOAL = 500_000_000, 900_000_000
PER_STEP = 20_000_000
"""Units of one step of the grid: 800,000,000 over 40 steps."""

SCORERS = ("scorer-1", "scorer-2")
TRUSTEES = ("trustee-1", "trustee-2", "trustee-3")
JURORS = ("juror-1", "juror-2", "juror-3")
KEY = sha256(b"the key of the truth").hexdigest()


def address(name: str) -> str:
    """Return the address of a role; an address stands for itself."""
    return name if name.startswith(("0x", "site:")) else f"0x{digest(name)[:40]}"


def site_person(name: str) -> str:
    """Return the identity of someone without a wallet."""
    return f"site:{digest(name)[:32]}"


def digest(text: str) -> str:
    """Return a hash in hex: a blob, a salt, a key, whatever a test needs one for."""
    return sha256(text.encode()).hexdigest()


def deal(key: str = KEY, threshold: int = 2) -> list[str]:
    """Return one share of the key for each trustee."""
    coefficients = [int(digest(f"coefficient {i}"), 16) for i in range(threshold - 1)]
    values = shamir.split(int(key, 16), threshold, len(TRUSTEES), coefficients)
    return [shamir.encode(x, y) for x, y in enumerate(values, 1)]


def terms(**changes: Any) -> dict[str, Any]:
    """Return the terms of a challenge as JSON, with `changes` instead of the usual."""
    found: dict[str, Any] = {
        "about": digest("about"),
        "scorer": "fbeta-1",
        "parameters": [{"name": "beta", "value": 500_000_000}],
        "direction": "higher",
        "eta": ETA,
        "curve": [{"score": BASELINE, "units": 0}, {"score": GOAL, "units": 800_000_000}],
        "jury_units": 200_000_000,
        "gamma": {"numerator": 1, "denominator": 2},
        "theta": {"numerator": 1, "denominator": 2},
        "bond": {"asset": "WON", "amount": str(BOND)},
        "stake": {"asset": "WON", "amount": str(STAKE)},
        "deadline": DEADLINE,
        "reveal_window": REVEAL,
        "score_window": SCORE,
        "truth_window": TRUTH,
        "advance": 300_000_000,
        "method_above": 400_000_000,
        "scorers": [{"who": address(s), "sealed": "ab" * 48} for s in SCORERS],
        "trustees": [
            {"who": address(t), "commitment": shamir.commit(share), "sealed": "cd" * 48}
            for t, share in zip(TRUSTEES, deal(), strict=True)
        ],
        "threshold": 2,
        "truth": {
            "cipher": digest("cipher"),
            "plain": digest("plain"),
            "key": sha256(bytes.fromhex(KEY)).hexdigest(),
        },
        "jurors": [address(j) for j in JURORS],
        "rounds": [],
        "remainder": "donors",
    }
    return {**found, **changes}


def jury_round(opens: int, closes: int, units: int = 0, commons: int = 0) -> dict[str, Any]:
    """Return a jury round as JSON."""
    return {"opens": opens, "closes": closes, "units": units, "commons": str(commons)}


class Ledger:
    """A log as it is being written: `state` is its fold, `entries` what was accepted."""

    def __init__(self, clock: str = "system") -> None:
        self.state = State()
        self.entries: list[Entry] = []
        self.now = START
        self.say(
            "operator",
            "log.genesis",
            origin="danseo.example/log",
            chain_id=31337,
            clock=clock,
            log_key=digest("log key"),
            site=address("site"),
        )

    # --- entries ------------------------------------------------------------------------------

    def entry(self, who: str, kind: str, challenge: str = "", /, **body: Any) -> Entry:
        """Return the entry that `who` would append now; a body that no kind takes, too."""
        author = address(who)
        plain = canonical.decode(canonical.encode(body))
        try:
            summary = parse(kind, plain).summaries()[0]
        except Refused:
            summary = ""
        sequence = self.state.next_sequence(author, challenge)
        return Entry(self.state.size, self.now, author, kind, challenge, sequence, summary, plain)

    def append(self, entry: Entry) -> int:
        """Fold an entry in, and return its index."""
        apply(self.state, entry)
        self.entries.append(entry)
        return entry.index

    def say(self, who: str, kind: str, challenge: str = "", /, **body: Any) -> int:
        """Append what `who` says, and return its index."""
        return self.append(self.entry(who, kind, challenge, **body))

    def refuses(self, error: type[Refused], names: object, entry: Entry) -> Refused:
        """Hold that the fold refuses `entry` by just this error, whose message holds `names`, that
        it says what to do, and that nothing but the time has changed."""
        before = copy.deepcopy(self.state)
        with pytest.raises(Refused) as caught:
            apply(self.state, entry)
        found = caught.value
        assert type(found) is error, f"{type(found).__name__}: {found}"
        assert str(names) in found.message, found.message
        assert found.remedy, f"no remedy: {found.message}"
        if self.state.now != before.now:
            assert self.state.clock == "system", "a refused entry moved a simulated clock"
            assert self.state.now == entry.time
            before.pass_time(entry.time)
        assert self.state == before
        return found

    def refuses_to(
        self, error: type[Refused], names: object, who: str, kind: str, about: str = "", /, **b: Any
    ) -> Refused:
        """Hold that `who` may not say this now."""
        return self.refuses(error, names, self.entry(who, kind, about, **b))

    # --- time ---------------------------------------------------------------------------------

    def at(self, time: int) -> None:
        """Let the time be `time`, and say so in the log."""
        self.now = time
        if self.state.clock == "simulated":
            self.say("operator", "clock.advance", to=time)
        else:
            self.say("operator", "tick")

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.at(self.now + seconds)

    # --- a challenge --------------------------------------------------------------------------

    def challenge(self, name: str = "ink") -> Challenge:
        """Return the folded record of a challenge."""
        return self.state.challenge(name)

    def clue(self, clue: int, name: str = "ink") -> Clue:
        """Return the folded record of a clue."""
        return self.challenge(name).clues[clue]

    def draft(self, name: str = "ink", **changes: Any) -> None:
        """Publish a challenge that waits for its scorers and trustees, stakes deposited."""
        for who in (*SCORERS, *TRUSTEES):
            person = self.state.people.get(address(who))
            if person is None or not person.sealing:
                self.say(who, "key.sealing", x25519=digest(f"sealing {who}"))
        self.say("organiser", "challenge.open", name, terms=terms(**changes))
        for who in SCORERS:
            self.deposit(who, STAKE, name)

    def open_challenge(self, name: str = "ink", prize: int = PRIZE, **changes: Any) -> Challenge:
        """Open a challenge with a prize of `prize` won by donor-1."""
        self.draft(name, **changes)
        for who in (*SCORERS, *TRUSTEES):
            self.say(who, "challenge.acknowledge", name)
        if prize:
            self.fund("donor-1", prize, name)
        return self.challenge(name)

    def deposit(self, who: str, amount: int, name: str = "ink", asset: str = "WON") -> int:
        """Let the organiser attest a deposit."""
        return self._money("deposit", name, account=address(who), asset=asset, amount=str(amount))

    def fund(self, who: str, amount: int, name: str = "ink", asset: str = "WON") -> int:
        """Let the organiser attest a donation."""
        return self._money("fund", name, donor=address(who), asset=asset, amount=str(amount))

    def pay(self, who: str, amount: int, name: str = "ink", asset: str = "WON") -> int:
        """Let the organiser pay an account at its own address."""
        return self.append(self.payment(who, amount, name, asset))

    def payment(self, who: str, amount: int, name: str = "ink", asset: str = "WON") -> Entry:
        """Return the entry of a payment."""
        account = address(who)
        to = self.state.payout_address(account) or address(who)
        return self.entry(
            "organiser", "money.pay", name,
            account=account, to=to, asset=asset, amount=str(amount), evidence="",
        )  # fmt: skip

    def _money(self, what: str, name: str, **body: Any) -> int:
        return self.say("organiser", f"money.{what}", name, evidence="receipt 1", **body)

    def commit(self, who: str, name: str = "ink", content: str = "", submission: str = "") -> int:
        """Commit to a clue, deposit its bond first where it is missing, and return its id.

        What it holds is made from its place in the log where it is not given.
        """
        challenge, identity = self.challenge(name), self.state.identity(address(who))
        bond = challenge.terms.bond
        missing = bond.amount - treasury.balance(challenge, identity, bond.asset)
        if missing > 0:
            self.deposit(identity, missing, name, bond.asset)
        content = content or f"content {self.state.size}"
        return self.append(self.commitment(who, name, content, submission or content))

    def commitment(self, who: str, name: str, content: str, submission: str = "") -> Entry:
        """Return the entry that commits to a clue; its salt is made from the content."""
        identity = self.state.identity(address(who))
        hashed = commitment_of(
            name, identity, digest(content), digest(submission or content), digest(f"s {content}")
        )
        return self.entry(who, "clue.commit", name, commitment=hashed)

    def reveal(self, who: str, clue: int, name: str = "ink", **changes: Any) -> int:
        """Reveal a clue that `commit` made."""
        return self.append(self.revelation(who, clue, name, **changes))

    def revelation(
        self,
        who: str,
        clue: int,
        name: str = "ink",
        *,
        content: str = "",
        submission: str = "",
        form: str = "predictions",
        cites: Sequence[tuple[int, int]] = (),
        payees: Sequence[tuple[str, int]] = (),
    ) -> Entry:
        """Return the entry that reveals a clue that `commit` made."""
        content = content or f"content {clue}"
        return self.entry(
            who,
            "clue.reveal",
            name,
            clue=clue,
            salt=digest(f"s {content}"),
            content=digest(content),
            submission=digest(submission or content),
            form=form,
            licence="CC-BY-4.0",
            cites=[{"clue": c, "weight": w} for c, w in cites],
            payees=[{"to": address(to), "parts": parts} for to, parts in payees],
        )

    def publish(self, who: str, name: str = "ink", *, submission: str = "", **changes: Any) -> int:
        """Commit to a clue and reveal it at once; return its id."""
        clue = self.commit(who, name, submission=submission)
        self.reveal(who, clue, name, submission=submission, **changes)
        return clue

    # --- scores, truth, jury ------------------------------------------------------------------

    def verdict(
        self, scorer: str, clue: int, score: int | str, name: str = "ink", reproduced: bool = False
    ) -> Entry:
        """Return the entry of a scorer's verdict: a step's score, "none" or "unfit"."""
        body: dict[str, Any] = {"clue": clue, "reason": digest("why"), "reproduced": reproduced}
        if isinstance(score, int):
            body |= {"verdict": "step", "score": score}
        else:
            body |= {"verdict": score}
        return self.entry(scorer, "score.publish", name, **body)

    def score(
        self, name: str, clue: int, score: int | str, *others: int | str, reproduced: bool = False
    ) -> None:
        """Let both scorers speak: alike, or the second as `others` says."""
        for scorer, said in zip(SCORERS, (score, *others, score), strict=False):
            self.append(self.verdict(scorer, clue, said, name, reproduced))

    def step(self, who: str, score: int | str, name: str = "ink", **changes: Any) -> int:
        """Publish a clue and let both scorers score it; return its id."""
        clue = self.publish(who, name, **changes)
        self.score(name, clue, score, reproduced=changes.get("form") == "method")
        return clue

    def share(self, trustee: str, name: str = "ink", share: str = "") -> Entry:
        """Return the entry that releases a trustee's share."""
        share = share or deal()[TRUSTEES.index(trustee)]
        return self.entry(trustee, "truth.release", name, share=share)

    def release(self, name: str = "ink", trustees: Sequence[str] = TRUSTEES[:2]) -> None:
        """Go on to the time of the truth, and let these trustees release it."""
        if self.now < DEADLINE + REVEAL:
            self.at(DEADLINE + REVEAL)
        for trustee in trustees:
            self.append(self.share(trustee, name))

    def exact(self, scores: Mapping[int, int | None], name: str = "ink") -> Entry:
        """Return the entry of exact scores, None for what cannot be scored."""
        listed = [
            {"clue": clue, **({} if score is None else {"score": score})}
            for clue, score in scores.items()
        ]
        return self.entry("stranger", "score.exact", name, scores=listed)

    def settle(self, scores: Mapping[int, int | None], name: str = "ink") -> None:
        """Release the truth and publish exact scores of all clues that can be scored."""
        self.release(name)
        if scores:
            self.append(self.exact(scores, name))

    def ballot(
        self,
        juror: str,
        clues: Sequence[int],
        *pairs: tuple[int, int, int],
        number: int = 0,
        name: str = "ink",
    ) -> Entry:
        """Return a juror's ballot; pairs are (better, worse, doublings)."""
        listed = [{"better": a, "worse": b, "doublings": k} for a, b, k in pairs]
        return self.entry(juror, "jury.ballot", name, round=number, clues=list(clues), pairs=listed)

    # --- books --------------------------------------------------------------------------------

    def owed(self, who: str, name: str = "ink", asset: str = "WON") -> treasury.Owed:
        """Return what stands to somebody's name."""
        found = treasury.owed(self.challenge(name), asset).get(address(who))
        return found or treasury.Owed(0, 0, 0, 0)

    def audit(self) -> None:
        """Hold that all books balance and that what is payable is covered, exactly at the end."""
        for challenge in self.state.challenges.values():
            treasury.audit(challenge)
            for asset in challenge.received:
                payable = sum(o.payable for o in treasury.owed(challenge, asset).values())
                assert 0 <= payable <= treasury.available(challenge, asset)


ETH, USDC, INK = "ETH:18", "USDC:6", "INK:18"
ETHER, DOLLAR = "0x" + "0" * 40, "0x" + "d" * 40
PARTS = ("pool", "coin", "governor", "timelock", "anchor", "stake")
DAY = 86_400


def coin(**changes: Any) -> dict[str, Any]:
    """Return the terms of a coin as JSON, with `changes` instead of the usual."""
    found: dict[str, Any] = {
        "symbol": INK,
        "assets": [{"asset": ETH, "token": ETHER}, {"asset": USDC, "token": DOLLAR}],
        "guardian": address("guardian"),
        "bond": str(10**16),
        "window": 3 * DAY,
        "outflow": 500_000_000,
        "guarded_until": 50_000_000,
        "guardian_term": DEADLINE + 400 * DAY,
        "threshold": 1_000_000,
        "quorum": 100_000_000,
        "voting_delay": DAY,
        "voting_period": DAY,
        "timelock_delay": DAY // 2,
        "exit_delay": 5 * DAY,
        "exits_from": SILENCE + TRUTH,
        "uptake": DAY,
        "patience": 10 * DAY,
        "hold": 30 * DAY,
    }
    return {**found, **changes}


class CoinLedger(Ledger):
    """A log in whose challenges the chain says what came in: bonds and stakes are in ETH.

    `happen` lets the contracts do something; `report` tells the log of all that happened since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.block: dict[str, int] = {}
        self.facts: dict[str, list[dict[str, Any]]] = {}
        self.held: dict[str, dict[str, int]] = {}
        self.staked: dict[str, int] = {}
        self.minted: dict[str, int] = {}

    def part(self, part: str, name: str = "ink") -> str:
        """Return the address of one of a challenge's contracts."""
        return address(f"{part} of {name}")

    def attach(self, name: str = "ink") -> int:
        """Attach the contracts of a challenge, deployed in block 100."""
        self.block[name], self.facts[name], self.held[name] = 100, [], {}
        self.staked[name] = self.minted[name] = 0
        return self.append(self.attachment(name))

    def attachment(self, name: str = "ink", **changes: Any) -> Entry:
        """Return the entry that attaches the contracts of a challenge."""
        body = {part: self.part(part, name) for part in PARTS}
        tx, factory = digest("deployment"), address("factory")
        whole = {"chain_id": 31337, "block": 100, "tx": tx, "factory": factory, **body}
        return self.entry("stranger", "chain.attach", name, **{**whole, **changes})

    def happen(self, what: str, name: str = "ink", **fact: Any) -> None:
        """Let a challenge's contracts do something, in the block that comes."""
        self.block[name] += 1
        plain = {k: str(v) if k == "amount" else v for k, v in fact.items()}
        place = {"block": self.block[name], "tx": digest(f"tx {self.block}"), "position": 0}
        self.facts[name].append({**place, "what": what, **plain})
        self.move(name, what, int(fact.get("amount", 0)), str(fact.get("asset", ETH)))

    def move(self, name: str, what: str, amount: int, asset: str = ETH) -> None:
        """Let what the contracts hold change as it does when this happens."""
        held = self.held[name]
        if what == "received" or (what == "paid" and asset != INK):
            held[asset] = held.get(asset, 0) + (amount if what == "received" else -amount)
        elif what == "paid":
            self.minted[name] += amount
        elif what in ("deposited", "released", "withdrawn", "slashed"):
            self.staked[name] += amount if what == "deposited" else -amount

    def report(self, name: str = "ink") -> int:
        """Report all that has happened since the last report."""
        entry = self.reporting(name)
        index = self.append(entry)
        self.block[name], self.facts[name] = entry.body["to_block"], []
        return index

    def reporting(self, name: str = "ink", **changes: Any) -> Entry:
        """Return the entry that reports all that has happened."""
        record = self.challenge(name).onchain
        begins = record.block if record else 100
        held = self.held.get(name, {})
        body: dict[str, Any] = {
            "from_block": begins,
            "to_block": max(begins, self.block.get(name, 0)),
            "block_hash": digest(f"block {self.block}"),
            "complete": True,
            "facts": self.facts.get(name, []),
            "holdings": [
                {
                    "asset": asset,
                    "pool": str(held.get(asset, 0)),
                    "stake": str(self.staked.get(name, 0) if asset == ETH else 0),
                }
                for asset in (ETH, USDC)
            ],
            "supply": str(self.minted.get(name, 0)),
        }
        return self.entry("stranger", "chain.report", name, **{**body, **changes})

    def draft(self, name: str = "ink", **changes: Any) -> None:
        """Publish a challenge with a coin, attach its contracts, and deposit the stakes."""
        usual = {
            "bond": {"asset": ETH, "amount": str(BOND)},
            "stake": {"asset": ETH, "amount": str(STAKE)},
            "coin": coin(),
        }
        for who in (*SCORERS, *TRUSTEES):
            person = self.state.people.get(address(who))
            if person is None or not person.sealing:
                self.say(who, "key.sealing", x25519=digest(f"sealing {who}"))
        self.say("organiser", "challenge.open", name, terms=terms(**{**usual, **changes}))
        self.attach(name)
        for who in SCORERS:
            self.deposit(who, STAKE, name)

    def deposit(self, who: str, amount: int, name: str = "ink", asset: str = ETH) -> int:
        """Let somebody deposit in the stake contract, and report it."""
        self.happen("deposited", name, account=address(who), amount=amount)
        return self.report(name)

    def fund(self, who: str, amount: int, name: str = "ink", asset: str = ETH) -> int:
        """Let somebody give to the pool, and report it."""
        self.happen("received", name, account=address(who), asset=asset, amount=amount)
        return self.report(name)

    def declare(self, name: str = "ink") -> int:
        """Declare payable what is owed; return the size of the payout."""
        return self.say("stranger", "payout.declare", name) + 1

    def claim_all(self, size: int, name: str = "ink") -> None:
        """Let every leaf of a payout be claimed, as far as the contracts hold it, and report it."""
        record = self.challenge(name).onchain
        assert record is not None
        tokens = {ETHER: ETH, DOLLAR: USDC, record.contracts.coin: INK}
        stake = record.contracts.stake
        for account, token, total in onchain.leaves_at(self.challenge(name), size):
            if token in tokens:
                asset = tokens[token]
                more = total - record.claimed.get(asset, {}).get(account, 0)
                if more:
                    self.happen("paid", name, account=account, asset=asset, amount=more)
            elif token == stake:
                taken = record.released.get(account, 0) + record.withdrawn.get(account, 0)
                if total > taken:
                    self.happen("released", name, account=account, amount=total - taken)
            elif total > record.slashed.get(account, 0):
                more = total - record.slashed.get(account, 0)
                self.happen("slashed", name, account=account, amount=more)
                self.happen("received", name, account=stake, asset=ETH, amount=more)
        self.report(name)

    def owed(self, who: str, name: str = "ink", asset: str = ETH) -> treasury.Owed:
        """Return what stands to somebody's name."""
        return super().owed(who, name, asset)

    def audit(self) -> None:
        """Hold that all books balance, and that chain and log agree."""
        for challenge in self.state.challenges.values():
            treasury.audit(challenge)
            assert onchain.faults(challenge) == []
            for asset in challenge.terms.assets():
                payable = sum(o.payable for o in treasury.owed(challenge, asset).values())
                assert 0 <= payable <= treasury.available(challenge, asset)
