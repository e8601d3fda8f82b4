"""What a contract refuses, in danseo's own errors: the custom error by name, with its values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from danseo.chain.abi import Abi
from danseo.chain.node import Fault
from danseo.core.errors import Conflict, NotAllowed, NotCovered, NotFound, Refused, WrongPhase

_KINDS: Final = (
    (r"^Already", Conflict, "Look at what stands on the chain now."),
    (
        r"Insufficient|TooMuch|Outflow|Exceed|Wrong(Bond|Value)|NothingArrived|AboveCap|Short",
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
_PANICS: Final = {0x11: "an overflow", 0x12: "a division by zero", 0x32: "an index out of range"}


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
        return NotCovered(
            f"The sender cannot pay for {method}: {fault.message}.",
            "Let its address have more ETH.",
        )
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
        f"{address} has {has} wei and may need {needed} for gas and value.",
        "Let it have more ETH.",
    )


def _spoken(name: str, method: str, error: str, values: tuple[Any, ...]) -> Refused:
    if error == "Error":
        return _refusal(name, method, repr(values[0]), values[0])
    if error == "Panic":
        return _refusal(name, method, _PANICS.get(values[0], f"a panic {values[0]:#x}"), error)
    shown = ", ".join("0x" + v.hex() if isinstance(v, bytes) else str(v) for v in values)
    return _refusal(name, method, f"{error}({shown})", error)


def _refusal(name: str, method: str, why: str, clue: str) -> Refused:
    _, kind, remedy = next(row for row in _KINDS if re.search(row[0], clue))
    who = f"The contract {name}" if name else "The chain"
    return kind(f"{who} refuses {method}: {why}", remedy)
