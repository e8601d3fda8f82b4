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

from danseo.core import canonical, kinds, shamir, treasury
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
