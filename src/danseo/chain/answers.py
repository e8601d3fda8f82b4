"""What a node may answer: each result has the form that its method promises, or is refused.

A node is somebody else's program. What it says may be false, and other checks find that; but no
answer may break whoever asked, nor reach a terminal with control characters in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

_MOST: Final = 500
"""Characters of a node's words that are passed on."""

_Form = Callable[[Any], bool]


def fits(method: str, result: Any) -> bool:
    """Return whether `result` has the form that `method` promises; of others nothing is known.

    >>> fits("eth_getBalance", "0x5"), fits("eth_getBalance", None)
    (True, False)
    """
    form = _FORMS.get(method)
    return form is None or form(result)


def plain(words: Any) -> str:
    r"""Return what a node said as one short line that no terminal obeys.

    >>> plain("a\x1b[31m\nb")
    'a [31m b'
    """
    text = str(words)[:_MOST]
    return "".join(c if c.isprintable() else " " for c in text)


def _text(pattern: str) -> _Form:
    match = re.compile(pattern).fullmatch
    return lambda value: isinstance(value, str) and match(value) is not None


def _record(**fields: _Form) -> _Form:
    return lambda value: (
        isinstance(value, dict) and all(form(value.get(name)) for name, form in fields.items())
    )


def _list(form: _Form) -> _Form:
    return lambda value: isinstance(value, list) and all(form(one) for one in value)


def _perhaps(form: _Form) -> _Form:
    return lambda value: value is None or form(value)


_QUANTITY: Final = _text(r"0x[0-9a-fA-F]{1,64}")
_DATA: Final = _text(r"0x(?:[0-9a-fA-F]{2})*")
_HASH: Final = _text(r"0x[0-9a-fA-F]{64}")
_ADDRESS: Final = _text(r"0x[0-9a-fA-F]{40}")
_BLOCK: Final = _record(
    number=_QUANTITY,
    hash=_HASH,
    parentHash=_HASH,
    timestamp=_QUANTITY,
    logsBloom=_DATA,
    baseFeePerGas=_perhaps(_QUANTITY),
)
_LOG: Final = _record(
    address=_ADDRESS,
    topics=_list(_HASH),
    data=_DATA,
    blockNumber=_QUANTITY,
    blockHash=_HASH,
    transactionHash=_HASH,
    logIndex=_QUANTITY,
)
_RECEIPT: Final = _record(
    transactionHash=_HASH,
    blockNumber=_QUANTITY,
    status=_QUANTITY,
    gasUsed=_QUANTITY,
    contractAddress=_perhaps(_ADDRESS),
    logs=_list(_LOG),
)
_FORMS: Final[dict[str, _Form]] = {
    "eth_call": _DATA,
    "eth_chainId": _QUANTITY,
    "eth_estimateGas": _QUANTITY,
    "eth_getBalance": _QUANTITY,
    "eth_getBlockByNumber": _perhaps(_BLOCK),
    "eth_getCode": _DATA,
    "eth_getLogs": _list(_LOG),
    "eth_getTransactionCount": _QUANTITY,
    "eth_getTransactionReceipt": _perhaps(_RECEIPT),
    "eth_maxPriorityFeePerGas": _QUANTITY,
}
