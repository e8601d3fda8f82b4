"""The log's anchor on chain: roots that it can never go back on, and entries that it must take up.

Whoever finds a log shut hands the signed entry in on chain. While it is overdue no payout root
takes effect. It is cleared by the proof that the log contains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from danseo.core.challenge import Challenge
from danseo.core.entry import parse
from danseo.core.errors import DanseoError, NotFound
from danseo.flows import deploying, reading
from danseo.flows.acting import Desk
from danseo.flows.deploying import Call, call_of
from danseo.log import wire
from danseo.log.signing import Domain, Key, sign_entry
from danseo.log.source import FolderSource, Source
from danseo.log.tiles import WIDTH

if TYPE_CHECKING:
    from danseo.chain.client import Client

_HEAD: Final = b'{"entry":'
_MIDDLE: Final = b',"signature":"'
_SIGNATURE: Final = 132
"""Characters of a signature: 0x and 130 hex digits."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed entry that was handed in on chain. `status` is open, overdue, lapsed, included or
    dismissed; `deadline` is until when the log has to take it up."""

    hash: str
    by: str
    deadline: int
    data: bytes
    status: str


def anchor(desk: Desk, client: Client, name: str) -> Call:
    """Return the call by which the log's operator anchors today's root."""
    found = deploying.contracts(client, desk.challenge(name))
    with _source(desk) as source:
        head = reading.checkpoint(source)[0]
    return call_of(found, "anchor", "anchor", head.size, head.root)


def sign(desk: Desk, key: Key, name: str, kind: str, body: dict[str, Any], korean: bool) -> bytes:
    """Return a signed entry as bytes, without handing it to the log: what `submit` takes."""
    state, said = desk.state, parse(kind, body)
    signed = sign_entry(
        key,
        Domain(state.chain_id, state.origin),
        kind,
        name,
        desk.log.sequence_of(key.address, name),
        body,
        said.summaries()[int(korean)],
    )
    return wire.pack(signed)


def submit(client: Client, challenge: Challenge, data: bytes) -> Call:
    """Return the call that hands a signed entry in, with the bond that comes back once it is in."""
    wire.unpack(data)  # what no log could take up is refused here, before it costs a bond
    found = deploying.contracts(client, challenge)
    bond = client.call(deploying.part(found, "anchor"), "bond")
    return call_of(found, "anchor", "submit", data, value=bond)


def submissions(client: Client, challenge: Challenge) -> list[Submission]:
    """Return every entry that was ever handed in, in the chain's order, as it stands now."""
    found = deploying.contracts(client, challenge)
    part, head = deploying.part(found, "anchor"), client.head()
    patience = client.call(part, "patience")
    handed: dict[str, Submission] = {}
    for event in client.events([part], found.block, head.number):
        args = event.args
        if event.name == "Submitted":
            deadline = args["deadline"]
            status = "open" if head.time <= deadline else "overdue"
            status = "lapsed" if head.time > deadline + patience else status
            one = Submission(args["hash"].hex(), args["by"], deadline, args["entry"], status)
            handed[one.hash] = one
        elif event.name in ("Included", "Dismissed", "Lapsed"):
            one = handed[args["hash"].hex()]
            handed[one.hash] = Submission(
                one.hash, one.by, one.deadline, one.data, event.name.lower()
            )
    return list(handed.values())


def take_up(desk: Desk, client: Client, name: str) -> list[str]:
    """Append every entry that was handed in on chain and is not in the log; say what came of it."""
    said = []
    with _source(desk) as source:
        for one in submissions(client, desk.challenge(name)):
            if one.status in ("open", "overdue") and _index_of(source, one.data) < 0:
                (result,) = desk.log.append([wire.unpack(one.data)])
                outcome = (
                    f"refused: {result}"
                    if isinstance(result, DanseoError)
                    else f"taken up as entry {result.index}"
                )
                said.append(f"{one.hash[:16]}...: {outcome}")
    return said


def must_anchor(desk: Desk, client: Client, name: str, one: Submission) -> bool:
    """Say whether a submission is in the log, and beyond the newest anchor."""
    found = deploying.contracts(client, desk.challenge(name))
    with _source(desk) as source:
        index = _index_of(source, one.data)
    return index >= int(client.call(deploying.part(found, "anchor"), "size"))


def include(desk: Desk, client: Client, name: str, which: str) -> Call:
    """Return the call that proves a submitted entry to be in the log, by the newest anchor."""
    challenge = desk.challenge(name)
    found = deploying.contracts(client, challenge)
    one = _submission(client, challenge, which)
    size = client.call(deploying.part(found, "anchor"), "size")
    with _source(desk) as source:
        index = _index_of(source, one.data)
        if index < 0:
            raise NotFound(
                f"The log does not contain {one.hash}.", "Take it up: `danseo chain include`."
            )
        if index >= size:
            raise NotFound(
                f"The newest anchor is of size {size}, and the entry has index {index}.",
                "Let the log's operator anchor it: `danseo chain anchor`.",
            )
        proven = reading.proven(source, index, size)
    cut = len(one.data) - len(_MIDDLE) - _SIGNATURE - len(b'"}')
    frame, signature = one.data[len(_HEAD) : cut], one.data[cut + len(_MIDDLE) : -2].decode()
    args = (bytes.fromhex(one.hash), frame, signature, index, proven.entry.time, size)
    return call_of(found, "anchor", "include", *args, list(proven.proof))


def _submission(client: Client, challenge: Challenge, which: str) -> Submission:
    known = submissions(client, challenge)
    fitting = [one for one in known if one.hash.startswith(which.removeprefix("0x"))]
    if len(fitting) != 1:
        raise NotFound(
            f"{len(fitting)} entries that were handed in begin with {which}.",
            f"There are {', '.join(one.hash[:16] for one in known) or 'none'}.",
        )
    return fitting[0]


def _index_of(source: Source, data: bytes) -> int:
    """Return where a signed entry stands in the log, or -1."""
    wanted = sha256(data).digest()
    frame = data[len(_HEAD) : len(data) - len(_MIDDLE) - _SIGNATURE - 2]
    size = reading.checkpoint(source)[0].size
    for number in range(-(-size // WIDTH)):
        for offset, leaf in enumerate(reading.leaves(source, number)):
            if leaf.startswith(_HEAD + frame) and _as_submitted(leaf, len(frame)) == wanted:
                return number * WIDTH + offset
    return -1


def _as_submitted(leaf: bytes, length: int) -> bytes:
    """Return the hash under which a leaf's entry, of this length, would have been handed in."""
    frame = leaf[: len(_HEAD) + length]
    rest = leaf[len(frame) :]
    at = rest.index(_MIDDLE) + len(_MIDDLE)
    return sha256(frame + _MIDDLE + rest[at : at + _SIGNATURE] + b'"}').digest()


def _source(desk: Desk) -> FolderSource:
    return FolderSource(desk.log.home / "log", desk.blobs)
