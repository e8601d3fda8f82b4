"""What a contract refuses, in danseo's own errors: the custom error by name, with its values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from danseo.chain.abi import Abi
from danseo.chain.node import Fault
from danseo.core.errors import (
    Conflict,
    NotAllowed,
    NotCovered,
    NotFound,
    Refused,
    Unavailable,
    WrongPhase,
)
from danseo.core.words import money

_KINDS: Final = (
    (r"^Already", Conflict, "Look at what stands on the chain now."),
    (
        r"Insufficient|TooMuch|Outflow|Exceed|Wrong(Bond|Value)|NothingArrived|AboveCap|Short|Enough",
        NotCovered,
        "Let it have more, or ask for less.",
    ),
    (
        r"Unauthorized|MayNot|NotAllowed|^Only|Only[A-Z]|Restricted|InvalidSign|NotThe[A-Z]",
        NotAllowed,
        "Act as the one who may.",
    ),
    (
        r"NotIn|NotListed|NotAn?[A-Z]|Nonexistent|^No[A-Z]|Unknown",
        NotFound,
        "See that it stands in the log and on the chain by this name and amount.",
    ),
    (
        r"Early|Late|Window(Open|Over)|Overdue|Stale|Pending|Unexpected|Locked|Expired|NotReady"
        r"|NothingTo|Future|NotYet",
        WrongPhase,
        "Look at what stands on the chain now, and at its times.",
    ),
    (r"", Conflict, "Look at what stands on the chain now."),
)
"""By words in the name of an error: what it comes to, and what to do about it."""
_LARGE: Final = re.compile(r"[0-9]{13,}")
_STATES: Final = (
    ("pending", "Voting has not begun yet."),
    ("active", "Voting is going on."),
    ("cancelled", "Propose it anew."),
    ("defeated", "Propose it anew."),
    ("won", "Queue it: `danseo dao queue`."),
    ("expired", "Propose it anew."),
    ("queued", "Execute it once its delay is over: `danseo dao execute`."),
    ("executed", "It is done."),
)
"""What a proposal can be, in the Governor's order, and what to do about it."""
_PANICS: Final = {0x11: "an overflow", 0x12: "a division by zero", 0x32: "an index out of range"}


_ETH: Final = "ETH:18"
_MORE: Final = "Let it have more ETH; on a chain for development: `danseo chain faucet`."


def _wrong_state(values: tuple[Any, ...]) -> tuple[type[Refused], str, str]:
    state, remedy = (
        _STATES[values[1]] if values[1] < len(_STATES) else (f"in state {values[1]}", "")
    )
    return WrongPhase, f"The proposal is {state}.", f"{remedy} `danseo dao show` has its times."


def _too_few_votes(values: tuple[Any, ...]) -> tuple[type[Refused], str, str]:
    who, has, needed = values
    has, needed = (money(n, "votes:18") for n in (has, needed))
    remedy = "Let somebody with more propose it, or lend you theirs: `danseo dao delegate`."
    return NotCovered, f"{who} has {has}, and proposing takes {needed}.", remedy


def _voted(values: tuple[Any, ...]) -> tuple[type[Refused], str, str]:
    return Conflict, f"{values[0]} has voted on it already.", "A vote stands; nobody changes it."


def _too_early(values: tuple[Any, ...]) -> tuple[type[Refused], str, str]:
    remedy = "`danseo dao show` says from when on it can be executed."
    return WrongPhase, "The timelock does not let it through now.", remedy


def _not_leaving(values: tuple[Any, ...]) -> tuple[type[Refused], str, str]:
    remedy = "Ask first: `danseo stake exit`; then wait."
    return NotFound, f"{values[0]} has not asked for its stake.", remedy


_PLAIN: Final = {
    "GovernorUnexpectedProposalState": _wrong_state,
    "GovernorInsufficientProposerVotes": _too_few_votes,
    "GovernorAlreadyCastVote": _voted,
    "TimelockUnexpectedOperationState": _too_early,
    "NotLeaving": _not_leaving,
}
"""What people meet most often, in their words."""


def of(name: str, method: str, fault: Fault, known: Iterable[Abi]) -> Refused:
    """Return the error for a call of `method` that the contract `name` reverted, or the node did.

    `known` are the contracts whose errors may have come through: its own, and those it calls.
    """
    for abi in known:
        found = abi.error(fault.data)
        if found is not None:
            return _spoken(name, method, *found)
    if fault.data:
        return _refusal(name, method, f"an unknown error 0x{fault.data[:36].hex()}", "")
    if re.search(r"insufficient (funds|balance)|sender.*balance", fault.message, re.I):
        why = _LARGE.sub(lambda found: money(int(found[0]), _ETH), fault.message)
        return NotCovered(f"The sender cannot pay for {method}: {why}.", _MORE)
    return _refusal(name, method, fault.message or "it gives no reason", fault.message)


def failed(tx: str, block: int, name: str, method: str) -> Refused:
    """Return the error for a transaction that was taken into a block and failed there."""
    return Conflict(
        f"Transaction {tx} failed in block {block}: {name or 'the chain'} refused {method}.",
        "Something came before it. Do it again to hear the reason.",
    )


def too_poor(address: str, has: int, needed: int) -> Refused:
    """Return the error for a sender who cannot pay for gas and value (wei)."""
    return NotCovered(
        f"{address} has {money(has, _ETH)} and may need {money(needed, _ETH)} for gas and value.",
        _MORE,
    )


def too_greedy(node: str, tip: int) -> Unavailable:
    """Return the error for a node that advises a tip (wei) which nobody would give."""
    return Unavailable(
        f"The node at {node} asks for a tip of {money(tip, _ETH)} for one transaction.",
        "Nothing was signed. Use another node, or wait until the chain is calm.",
    )


def _spoken(name: str, method: str, error: str, values: tuple[Any, ...]) -> Refused:
    if error == "Error":
        return _refusal(name, method, repr(values[0]), values[0])
    if error == "Panic":
        return _refusal(name, method, _PANICS.get(values[0], f"a panic {values[0]:#x}"), error)
    if error in _PLAIN:
        kind, said, remedy = _PLAIN[error](values)
        return kind(said, remedy)
    shown = ", ".join("0x" + v.hex() if isinstance(v, bytes) else str(v) for v in values)
    return _refusal(name, method, f"{error}({shown})", error)


def _refusal(name: str, method: str, why: str, clue: str) -> Refused:
    _, kind, remedy = next(row for row in _KINDS if re.search(row[0], clue))
    who = f"The contract {name}" if name else "The chain"
    return kind(f"{who} refuses {method}: {why}", remedy)
