"""A challenge's file: TOML that an organiser writes, read into terms.

`EXAMPLE` is what `danseo init` writes and explains each key. Decimal numbers are read as decimals,
never as floats; amounts are whole numbers of an asset's smallest unit.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from danseo.core.coin import ETHER
from danseo.core.curve import BILLION
from danseo.core.entry import parse
from danseo.core.errors import Usage
from danseo.core.kinds.challenge import OpenChallenge
from danseo.core.reward import SHARES, UNITS
from danseo.core.terms import Terms
from danseo.flows.notation import is_duration, read_duration, read_money

_RATIO: Final = re.compile(r"([0-9]+)/([0-9]+)")
_FILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LATER: Final = "0" * 64
"""Stands for what is not known before the truth is encrypted and the blobs are stored."""
_TOKEN: Final = re.compile(r"0x[0-9a-f]{40}")
_PARTS: Final = (
    ("outflow", "outflow", "0.2"),
    ("guarded", "guarded_until", "0.5"),
    ("threshold", "threshold", "0.001"),
    ("quorum", "quorum", "0.1"),
)
_SPANS: Final = (
    ("window", "window", "3d"),
    ("voting_delay", "voting_delay", "4h"),
    ("voting_period", "voting_period", "1d"),
    ("timelock", "timelock_delay", "12h"),
    ("exit_delay", "exit_delay", "5d"),
    ("uptake", "uptake", "2d"),
    ("patience", "patience", "30d"),
    ("hold", "hold", "90d"),
)
"""Keys of [coin], the terms they become, and what holds where they are left out."""

EXAMPLE: Final = """\
# A challenge of danseo. `danseo challenge check FILE` says what is wrong or unwise.

[challenge]
name = "{name}"                 # in the log: a-z, 0-9 and -
title = "Say in one line what is hard"
description = "What is asked, what the data is, what counts as a clue."
licence = "CC-BY-4.0"           # of the public data (SPDX)
deadline = "30d"                # from the opening, or a date: 2030-01-31T12:00:00Z
data = ["public.csv"]           # files that everyone gets, beside this file
# rules = "rules.md"            # what contributors accept before their first clue
# follows = "earlier"           # the round before: what its DAO decided binds this one

[score]
scorer = "rmse-1"               # fbeta-1, auc-1, rmse-1, accuracy-1, cer-1
truth = "truth.csv"             # encrypted at the opening; keep it to yourself
step = 0.01                     # a clue must beat the best so far by this much
curve = [[1.00, 0], [0.00, 0.8]]  # [score, part of the reward]: from the baseline to the goal
# parameters = {{ }}            # the scorer's, if it takes any
# code = "my_scorer.py"         # a scorer of your own: HIGHER and score(submission, truth, ...)
# direction = "higher"          # only with `code`: is a higher score better?

[reward]
jury = 0.2                      # part that only the jury awards; the curve's end and it make 1
gamma = "1/2"                   # part of a step that flows back to what it stands on
theta = "1/2"                   # of that, what goes to all earlier steps; the rest to citations
advance = 0.3                   # part of a share payable before the truth is out
method_above = 1.0              # a step worth more than this must be a method that reproduces

[money]
bond = "0 KRW"                  # locked from commitment to reveal
stake = "0 KRW"                 # of each scorer
remainder = "donors"            # what is left: "donors", or "successor:NAME"

# [coin]                        # money in contracts, paid in and by a coin; leave it out for none
# symbol = "INK"
# assets = ["ETH"]              # that the pool takes; a token as "USDC:6=0x..."
# guardian = "guardian-1"       # may veto payouts while little coin is minted
# guarded = 0.5                 # ... until this part of all coin is: twice outflow and quorum
# guardian_until = "365d"       # ... or until then
# bond = "0.05 ETH"             # of whoever publishes a payout root
# window = "3d"                 # in which a root can be vetoed: longer than a vote
# outflow = 0.2                 # part of the pool, and of all coin, that leaves in one window
# threshold = 0.001             # part of all coin that may propose
# quorum = 0.1                  # part of all coin that must vote
# voting_delay = "4h"
# voting_period = "1d"
# timelock = "12h"              # from a vote to its effect
# exit_delay = "5d"             # for a stake that leaves by itself
# uptake = "2d"                 # for the log to take an entry up that was handed in on chain
# patience = "30d"              # how long such an entry may hold payouts up
# hold = "90d"                  # how long a payout can be held, once, with a reason

[windows]
reveal = "3d"                   # after a commitment
score = "2d"                    # for the scorers, each clue
truth = "7d"                    # for the trustees, after the last reveal

# [dispute]                     # of a score or a missing citation; leave it out for none
# bond = "10_000 KRW"           # the loser's goes to the winner; in the stake's asset
# window = "7d"                 # after the settlement; the close and full pay wait for it
# answer = "3d"                 # for the other side
# vote = "4d"                   # then, for the jurors

[people]                        # names of keys here, or addresses
scorers = ["scorer-1", "scorer-2"]
trustees = ["trustee-1", "trustee-2", "trustee-3"]
threshold = 2                   # trustees who together release the truth
jurors = ["juror-1"]

[[round]]                       # of the jury; times count from the opening
opens = "35d"
closes = "42d"
award = 0.2                     # part of the reward
commons = 0.0                   # part of all shares that it may grant from the commons
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """A challenge as its file states it, before anything is encrypted, sealed or signed.

    `body` is the terms as plain JSON; what it cannot know yet are placeholders. `truth` is the
    file of the hidden truth, `data` the public files, `code` a scorer of the organiser's own,
    `rules` what contributors accept.
    """

    name: str
    body: dict[str, Any]
    about: dict[str, Any]
    data: tuple[Path, ...]
    truth: Path
    code: Path | None
    rules: Path | None = None

    def terms(self) -> Terms:
        """Return the terms as they stand, placeholders included; raise `Malformed` for bad ones."""
        opening = parse(OpenChallenge.kind, {"terms": self.body})
        return opening.terms  # type: ignore[attr-defined, no-any-return]


def read(path: Path, now: int, resolve: Callable[[str], str]) -> Draft:
    """Read a challenge's file. Durations count from `now`; `resolve` gives a key's address.

    Raise `Usage` naming the key and the value that make no sense.
    """
    try:
        file = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        raise Usage(f"There is no file {path}.", "`danseo init` writes an example.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Usage(f"{path} is not TOML: {error}.", "Mend that line.") from None
    return _Reader(file, path, now, resolve).draft()


class _Reader:
    """Reads one file; every key it takes is checked off, so that a misspelt one is found."""

    def __init__(
        self, file: dict[str, Any], path: Path, now: int, resolve: Callable[[str], str]
    ) -> None:
        self.file, self.path, self.now, self.resolve = file, path, now, resolve
        self.used: set[tuple[str, str]] = set()

    def draft(self) -> Draft:
        code = self.get("score", "code", "", str)
        rules = self.get("challenge", "rules", "", str)
        draft = Draft(
            name=self.get("challenge", "name", None, str),
            body=self.body(bool(code)),
            about={
                "title": self.get("challenge", "title", None, str),
                "description": self.get("challenge", "description", None, str),
                "licence": self.get("challenge", "licence", None, str),
            },
            data=tuple(self.public(f) for f in self.get("challenge", "data", [], list)),
            truth=self.beside(self.get("score", "truth", None, str)),
            code=self.beside(code) if code else None,
            rules=self.beside(rules) if rules else None,
        )
        self.refuse_unknown()
        return draft

    def body(self, own_code: bool) -> dict[str, Any]:
        scorer = self.get("score", "scorer", "own-1" if own_code else None, str)
        body = {
            "about": _LATER,
            "scorer": scorer,
            "parameters": self.parameters(),
            "direction": self.direction(scorer, own_code),
            "eta": self.billionths("score", "step", None),
            "curve": self.curve(),
            "jury_units": self.billionths("reward", "jury", Decimal("0.2")),
            "gamma": self.ratio("reward", "gamma"),
            "theta": self.ratio("reward", "theta"),
            "bond": self.money("money", "bond"),
            "stake": self.money("money", "stake"),
            "deadline": self.time(self.get("challenge", "deadline", None), "challenge.deadline"),
            "advance": self.billionths("reward", "advance", Decimal("0.3")),
            "method_above": self.billionths("reward", "method_above", Decimal(1)),
            "threshold": self.get("people", "threshold", 2, int),
            "truth": {"cipher": _LATER, "plain": _LATER, "key": _LATER},
            "jurors": self.people("jurors"),
            "rounds": self.rounds(),
            "remainder": self.get("money", "remainder", "donors", str),
        }
        for window, default in (("reveal", "3d"), ("score", "2d"), ("truth", "7d")):
            body[f"{window}_window"] = read_duration(self.get("windows", window, default, str))
        sealed = "0" * 96
        body["scorers"] = [{"who": who, "sealed": sealed} for who in self.people("scorers")]
        body["trustees"] = [
            {"who": who, "commitment": f"{x:064x}", "sealed": sealed}
            for x, who in enumerate(self.people("trustees"), start=1)
        ]
        if own_code:
            body["code"] = _LATER
        if self.get("challenge", "rules", "", str):
            body["rules"] = _LATER
        if follows := self.get("challenge", "follows", "", str):
            body["follows"] = follows
        if "dispute" in self.file:
            body["dispute"] = self.dispute()
        if "coin" in self.file:
            body["coin"] = self.coin(body)
        return body

    def get(self, table: str, key: str, default: Any, kind: type | None = None) -> Any:
        """Return `table.key`, or `default`; None as default makes it a must."""
        self.used.add((table, key))
        section = self.file.get(table, {})
        if not isinstance(section, dict):
            raise Usage(f"{table} is not a table.", f"Write [{table}] and its keys below it.")
        if key not in section:
            if default is None:
                raise Usage(f"{self.path.name} lacks {table}.{key}.", "`danseo init` shows it.")
            return default
        value = section[key]
        if kind and (not isinstance(value, kind) or isinstance(value, bool)):
            raise Usage(f"{table}.{key} is {value!r}.", f"It must be a {kind.__name__}.")
        return value

    def dispute(self) -> dict[str, Any]:
        self.get("dispute", "bond", None, str)
        windows = {
            name: read_duration(self.get("dispute", name, default, str))
            for name, default in (("window", "7d"), ("answer", "3d"), ("vote", "4d"))
        }
        return {"bond": self.money("dispute", "bond"), **windows}

    def coin(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the terms of the contracts. Stakes can leave once nothing can cost them any more,
        and a month after."""
        until = self.get("coin", "guardian_until", "365d")
        coin: dict[str, Any] = {
            "symbol": self.symbol(),
            "assets": [{"asset": name, "token": token} for name, token in self.listed()],
            "guardian": self.resolve(self.get("coin", "guardian", None, str)),
            "bond": self.wei("bond", "0.05 ETH"),
            "guardian_term": self.time(until, "coin.guardian_until"),
        }
        for key, name, part in _PARTS:
            coin[name] = self.billionths("coin", key, Decimal(part))
        for key, name, span in _SPANS:
            coin[name] = read_duration(self.get("coin", key, span, str))
        windows = [body[f"{one}_window"] for one in ("reveal", "score", "truth", "truth")]
        disputes = body.get("dispute", {})
        windows += [disputes.get(one, 0) for one in ("window", "answer", "vote")]
        coin["exits_from"] = body["deadline"] + sum(windows) + 30 * 86_400
        return coin

    def symbol(self) -> str:
        name: str = self.get("coin", "symbol", None, str)
        return name if ":" in name else f"{name}:18"

    def listed(self) -> list[tuple[str, str]]:
        """Return (asset, token) of what the pool takes."""
        found = []
        for one in self.get("coin", "assets", ["ETH"], list):
            name, _, token = str(one).partition("=")
            if name in ("ETH", "ETH:18") and not token:
                found.append(("ETH:18", ETHER))
            elif _TOKEN.fullmatch(token.lower()) and ":" in name:
                found.append((name, token.lower()))
            else:
                raise Usage(
                    f"coin.assets names {one!r}.", 'Write "ETH", or a token as in "USDC:6=0x...".'
                )
        return found

    def assets(self) -> list[str]:
        """Return the assets that the coin lists: they say their decimals."""
        return [name for name, _ in self.listed()] if "coin" in self.file else []

    def wei(self, key: str, default: str) -> str:
        text = self.get("coin", key, default, str)
        amount, asset = read_money(text, ["ETH:18"])
        if asset != "ETH:18":
            raise Usage(f"coin.{key} is {text!r}.", 'It is in ETH: "0.05 ETH".')
        return str(amount)

    def direction(self, scorer: str, own_code: bool) -> str:
        if own_code:
            return str(self.get("score", "direction", None, str))
        from danseo.scoring.scorers import SCORERS  # late: the rest here needs no numpy

        if scorer not in SCORERS:
            raise Usage(f"score.scorer is {scorer!r}.", f"Use one of {', '.join(sorted(SCORERS))}.")
        return "higher" if SCORERS[scorer].higher else "lower"

    def parameters(self) -> list[dict[str, Any]]:
        given = self.get("score", "parameters", {}, dict)
        return [{"name": name, "value": given[name]} for name in sorted(given)]

    def curve(self) -> list[dict[str, int]]:
        points = self.get("score", "curve", None, list)
        if not all(isinstance(p, list) and len(p) == 2 for p in points):
            raise Usage(
                "score.curve is not a list of [score, part].", "As in [[0.5, 0], [0.9, 0.8]]."
            )
        return [
            {
                "score": self.scaled(score, "score.curve"),
                "units": self.scaled(part, "score.curve"),
            }
            for score, part in points
        ]

    def rounds(self) -> list[dict[str, Any]]:
        rounds = self.file.get("round", [])
        if not isinstance(rounds, list):
            raise Usage("round is not a list of tables.", "Write [[round]] for each one.")
        found = []
        for number, one in enumerate(rounds):
            where = f"round[{number}]"
            if not isinstance(one, dict):
                raise Usage(f"{where} is {one!r:.80}.", "Write [[round]] and its keys below it.")
            if unknown := sorted(set(one) - {"opens", "closes", "award", "commons"}):
                raise Usage(f"{where} has unknown keys {unknown}.", "Check their spelling.")
            for key in ("opens", "closes", "award"):
                if key not in one:
                    raise Usage(f"{where} lacks {key}.", "`danseo init` shows it.")
            commons = self.scaled(one.get("commons", 0), f"{where}.commons") * (SHARES // UNITS)
            found.append(
                {
                    "opens": self.time(one["opens"], f"{where}.opens"),
                    "closes": self.time(one["closes"], f"{where}.closes"),
                    "units": self.scaled(one["award"], f"{where}.award"),
                    "commons": str(commons),
                }
            )
        return found

    def people(self, role: str) -> list[str]:
        names = self.get("people", role, [], list)
        return [self.resolve(str(name)) for name in names]

    def money(self, table: str, key: str) -> dict[str, str]:
        text, listed = self.get(table, key, "0 KRW", str), self.assets()
        try:
            amount, asset = read_money(text, listed)
        except Usage as error:
            raise Usage(f"{table}.{key} is {text!r}.", error.remedy) from None
        return {"asset": asset, "amount": str(amount)}

    def ratio(self, table: str, key: str) -> dict[str, int]:
        text = self.get(table, key, "1/2", str)
        found = _RATIO.fullmatch(text)
        if found is None:
            raise Usage(f"{table}.{key} is {text!r}.", 'Write a fraction: "1/2".')
        return {"numerator": int(found[1]), "denominator": int(found[2])}

    def billionths(self, table: str, key: str, default: Decimal | None) -> int:
        return self.scaled(self.get(table, key, default), f"{table}.{key}")

    def scaled(self, value: Any, where: str) -> int:
        """Return a decimal in parts per 10^9, exactly."""
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise Usage(f"{where} is {value!r}.", "It must be a number.")
        if not Decimal(value).is_finite() or abs(Decimal(value)) >= 10**18:
            raise Usage(f"{where} is no number below 10^18.", "Write a decimal, as in 0.25.")
        exact = Decimal(value) * BILLION
        if not exact.is_finite() or exact != exact.to_integral_value():
            raise Usage(f"{where} is {value}.", "At most nine decimal places are kept.")
        return int(exact)

    def time(self, value: Any, where: str) -> int:
        """Return a moment in seconds since 1970: a date as it stands, a duration from now."""
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise Usage(f"{where} is {value} in no time zone.", "Add Z, or an offset.")
            return int(value.timestamp())
        if isinstance(value, str):
            if is_duration(value):
                return self.now + read_duration(value)
            try:
                return self.time(datetime.fromisoformat(value), where)
            except ValueError:
                pass
        raise Usage(f"{where} is {value!r}.", 'Write "30d", or a date: 2030-01-31T12:00:00Z.')

    def beside(self, name: Any) -> Path:
        if not isinstance(name, str):
            raise Usage(f"{self.path.name} names the file {name!r:.80}.", "Write a name in quotes.")
        path = self.path.parent / name
        if not path.is_file():
            raise Usage(f"{self.path.name} names {name}, and there is no file {path}.", "Add it.")
        return path

    def public(self, name: Any) -> Path:
        """Return a public file, whose name must also be one in the sandbox of every method."""
        path = self.beside(name)
        if _FILE.fullmatch(path.name) is None:
            raise Usage(
                f"challenge.data names {name!r}.",
                "Use letters, digits, and . - _ in a file's name.",
            )
        return path

    def refuse_unknown(self) -> None:
        known = {table for table, _ in self.used} | {"round", "dispute"}
        for table, section in self.file.items():
            if table not in known:
                raise Usage(f"There is no table [{table}].", f"The tables are {sorted(known)}.")
            for key in section if isinstance(section, dict) else ():
                if (table, key) not in self.used:
                    keys = sorted(k for t, k in self.used if t == table)
                    raise Usage(f"There is no key {table}.{key}.", f"The keys are {keys}.")
