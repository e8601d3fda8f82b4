"""The DAO of a challenge: propose by name, vote, queue, execute; and the guardian's own way.

Everything shown is read from the chain. A proposal is known here by its number, counted from 1 in
the chain's order, or by its id; so is what the guardian scheduled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from danseo.core import canonical
from danseo.core.coin import CAP
from danseo.core.errors import NotFound, Usage
from danseo.core.onchain import Contracts
from danseo.flows import deploying
from danseo.flows.deploying import ARTEFACTS, PARTS, Call, call_of
from danseo.flows.notation import billionths, read_duration
from danseo.log.signing import keccak256

if TYPE_CHECKING:
    from danseo.chain.client import Client, Event

STATES: Final = (
    "pending", "active", "cancelled", "defeated", "succeeded", "queued", "expired", "executed",
)  # fmt: skip
"""`IGovernor.ProposalState`, in its order."""
SUPPORT: Final = {"against": 0, "for": 1, "abstain": 2}
ACTIONS: Final = {
    "veto": "SIZE: strike a payout root that waits",
    "unlock": "nothing: lets the coin be transferred",
    "next-curve": 'CURVE, as in "[[1.0, 0], [0, 0.8]]": the value curve of the round that follows',
    "next-scorer": "NAME-VERSION: the scorer program of the round that follows",
    "next-scorers": "A B: the two people who score the round that follows",
    "settle-dispute": "ID uphold|reject: decide a dispute",
    "decide": "TEXT: say anything that the log should keep",
    "slash": "ACCOUNT AMOUNT INDEX: move stake to the pool; entry INDEX of the log says why",
    "dismiss": "HASH: a submitted entry that the log need not take up",
    "threshold": "PART of the cap that proposing takes",
    "voting-delay": "DURATION",
    "voting-period": "DURATION",
    "timelock-delay": "DURATION, shorter than now",
    "operator": "ACCOUNT that anchors the log from now on",
}
"""What can be proposed by name, and what each takes."""
_PROPOSER: Final = "#proposer="
_SCHEDULED: Final = ("unknown", "waiting", "ready", "done")
"""`TimelockController.OperationState`, in its order."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The calls of a proposal, or of an operation of the timelock."""

    targets: tuple[str, ...]
    values: tuple[int, ...]
    payloads: tuple[bytes, ...]

    @property
    def fields(self) -> tuple[tuple[str, ...], tuple[int, ...], tuple[bytes, ...]]:
        """The three, as contracts take them."""
        return self.targets, self.values, self.payloads


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as the chain has it. Votes are in the coin's smallest unit, times in seconds.

    `does` says in words what it does, `why` is its proposer's text. `ready` is when it can be
    executed once it is queued, or 0.
    """

    number: int
    id: int
    proposer: str
    does: str
    why: str
    batch: Batch
    description: str
    state: str
    votes_for: int
    votes_against: int
    votes_abstain: int
    quorum: int
    votes_from: int
    votes_until: int
    ready: int


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the guardian scheduled. `status` is waiting, ready, done or unknown (taken back)."""

    number: int
    operation: bytes
    does: str
    batch: Batch
    salt: bytes
    status: str
    ready: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How a challenge's DAO votes now: votes in the coin's smallest unit, times in seconds.

    `guarded` says whether the guardian serves still; he does until `guardian_term` at most.
    """

    threshold: int
    quorum: int
    voting_delay: int
    voting_period: int
    timelock_delay: int
    minted: int
    guardian: str
    guardian_term: int
    guarded: bool


# --- what can be proposed -------------------------------------------------------------------------


def action(found: Contracts, said: Sequence[str], resolve: Callable[[str], str]) -> Call:
    """Return the call that an action's words stand for; raise `Usage` for words that make none.

    `resolve` gives the address of a name.
    """
    name, *rest = said or [""]
    if name not in ACTIONS:
        raise Usage(f"{name!r} is nothing to propose.", f"Propose one of {', '.join(ACTIONS)}.")
    try:
        return _calls(found, resolve)[name](*rest)
    except (TypeError, ValueError):
        raise Usage(
            f"{' '.join(said)!r} cannot be proposed.", f"`{name}` takes {ACTIONS[name]}."
        ) from None


def _calls(found: Contracts, resolve: Callable[[str], str]) -> dict[str, Callable[..., Call]]:
    """Return how to make each action's call from its words."""

    def decide(text: str) -> Call:
        return call_of(found, "anchor", "decide", text)

    def following(**what: Any) -> Call:
        return decide(canonical.encode({"next": what}).decode())

    def settle(which: str, how: str) -> Call:
        said = {"dispute": int(which), "uphold": {"uphold": True, "reject": False}[how]}
        return decide(canonical.encode(said).decode())

    def slash(who: str, amount: str, index: str) -> Call:
        how_much = int(amount.replace("_", ""))
        return call_of(found, "stake", "slashByDecision", resolve(who), how_much, int(index))

    def governor(method: str, value: int) -> Call:
        return call_of(found, "governor", method, value)

    return {
        "veto": lambda size: call_of(found, "pool", "veto", int(size)),
        "unlock": lambda: call_of(found, "coin", "unlock"),
        "next-curve": lambda text: following(curve=curve(text)),
        "next-scorer": lambda scorer: following(scorer=scorer),
        "next-scorers": lambda a, b: following(scorers=sorted([resolve(a), resolve(b)])),
        "settle-dispute": settle,
        "decide": decide,
        "slash": slash,
        "dismiss": lambda entry: call_of(found, "anchor", "dismiss", bytes.fromhex(entry)),
        "threshold": lambda part: governor("setProposalThreshold", CAP * billionths(part) // 10**9),
        "voting-delay": lambda text: governor("setVotingDelay", read_duration(text)),
        "voting-period": lambda text: governor("setVotingPeriod", read_duration(text)),
        "timelock-delay": lambda t: call_of(found, "timelock", "updateDelay", read_duration(t)),
        "operator": lambda who: call_of(found, "anchor", "setOperator", resolve(who)),
    }


def curve(text: str) -> list[dict[str, int]]:
    """Return the points of a value curve as terms state them, from `[[score, part], ...]`.

    >>> curve("[[1.0, 0], [0, 0.8]]")[1]
    {'score': 0, 'units': 800000000}
    """
    import json

    try:
        points = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        return [
            {"score": billionths(str(score)), "units": billionths(str(part))}
            for score, part in points
        ]
    except (ValueError, TypeError):
        raise Usage(
            f"{text!r} is no curve.", 'Write points of [score, part]: "[[1.0, 0], [0, 0.8]]".'
        ) from None


# --- calls ----------------------------------------------------------------------------------------


def propose(found: Contracts, who: str, act: Call, why: str) -> Call:
    """Return the call by which `who` proposes an act.

    The suffix keeps anyone else from proposing the same first, so as to cancel it.
    """
    batch = ([act.contract.address], [act.value], [act.encode()])
    description = f"{why.strip()}\n\n{_PROPOSER}{who}"
    return call_of(found, "governor", "propose", *batch, description)


def vote(found: Contracts, proposal: Proposal, how: str, reason: str = "") -> Call:
    """Return the call that votes for, against or abstains; raise `Usage` for another word."""
    if how not in SUPPORT:
        raise Usage(f"{how!r} is no vote.", f"Vote {', '.join(SUPPORT)}.")
    args = (proposal.id, SUPPORT[how], reason)
    return call_of(found, "governor", "castVoteWithReason", *args)


def act_on(found: Contracts, proposal: Proposal, method: str) -> Call:
    """Return the call that queues, executes or cancels a proposal: `method` says which."""
    digest = keccak256(proposal.description.encode())
    return call_of(found, "governor", method, *proposal.batch.fields, digest)


def delegate(found: Contracts, to: str) -> Call:
    """Return the call that lets `to` vote with the caller's coin."""
    return call_of(found, "coin", "delegate", to)


def guard(found: Contracts, act: Call, salt: bytes) -> Call:
    """Return the call by which the guardian schedules an act; `salt` tells it from an equal one."""
    batch = ([act.contract.address], [act.value], [act.encode()])
    return call_of(found, "governor", "guard", *batch, salt)


def execute_guarded(found: Contracts, one: Guarded) -> Call:
    """Return the call that executes what the guardian scheduled. Anyone may, after the delay."""
    args = (*one.batch.fields, bytes(32), one.salt)
    return call_of(found, "timelock", "executeBatch", *args)


def unguard(found: Contracts, one: Guarded) -> Call:
    """Return the call that takes back what the guardian scheduled."""
    return call_of(found, "governor", "unguard", one.operation)


# --- what stands ----------------------------------------------------------------------------------


def rules(client: Client, found: Contracts) -> Rules:
    """Return how the DAO votes now."""
    governor, timelock = deploying.part(found, "governor"), deploying.part(found, "timelock")
    guardian = client.call(governor, "guardian")
    answers = client.call_all(
        [
            (governor, "proposalThreshold", ()),
            (governor, "quorum", (0,)),
            (governor, "votingDelay", ()),
            (governor, "votingPeriod", ()),
            (timelock, "getMinDelay", ()),
            (deploying.part(found, "coin"), "totalSupply", ()),
            (governor, "guardianTerm", ()),
            (governor, "guards", (guardian,)),
        ]
    )
    threshold, quorum, delay, period, lock, minted, term, serves = answers
    return Rules(threshold, quorum, delay, period, lock, minted, guardian, term, serves)


def voters(client: Client, found: Contracts) -> dict[str, int]:
    """Return who has how many votes, the most first."""
    coin, head = deploying.part(found, "coin"), client.head().number
    changed = [
        event.args["delegate"]
        for event in client.events([coin], found.block, head)
        if event.name == "DelegateVotesChanged"
    ]
    people = list(dict.fromkeys(changed))
    votes = client.call_all([(coin, "getVotes", (who,)) for who in people]) if people else []
    some = [(who, n) for who, n in zip(people, votes, strict=True) if n]
    return dict(sorted(some, key=lambda one: -one[1]))


def proposals(client: Client, found: Contracts) -> list[Proposal]:
    """Return every proposal, in the chain's order."""
    governor, head = deploying.part(found, "governor"), client.head().number
    made = [
        event
        for event in client.events([governor], found.block, head)
        if event.name == "ProposalCreated"
    ]
    return [_proposal(client, found, number, event) for number, event in enumerate(made, 1)]


def find(client: Client, found: Contracts, which: str) -> Proposal:
    """Return a proposal by its number or its id."""
    known = proposals(client, found)
    for one in known:
        if which in (str(one.number), str(one.id)):
            return one
    raise NotFound(f"There is no proposal {which}.", f"There are {len(known)}, counted from 1.")


def guarded(client: Client, found: Contracts) -> list[Guarded]:
    """Return what the guardian scheduled, in the chain's order."""
    governor, timelock = deploying.part(found, "governor"), deploying.part(found, "timelock")
    head = client.head().number
    made = [e for e in client.events([governor], found.block, head) if e.name == "Guarded"]
    one_by_one = []
    for number, event in enumerate(made, 1):
        args, operation = event.args, event.args["operation"]
        batch = Batch(tuple(args["targets"]), tuple(args["values"]), tuple(args["calldatas"]))
        state, ready = client.call_all(
            [
                (timelock, "getOperationState", (operation,)),
                (timelock, "getTimestamp", (operation,)),
            ]
        )
        does, status = describe(found, batch), _SCHEDULED[state]
        one_by_one.append(
            Guarded(number, operation, does, batch, args["salt"], status, ready if state else 0)
        )
    return one_by_one


def find_guarded(known: Sequence[Guarded], which: str) -> Guarded:
    """Return what the guardian scheduled under a number."""
    for one in known:
        if which == str(one.number):
            return one
    raise NotFound(f"The guardian has scheduled no {which}.", f"There are {len(known)}, from 1.")


def _proposal(client: Client, found: Contracts, number: int, event: Event) -> Proposal:
    governor, args = deploying.part(found, "governor"), event.args
    which, batch = args["proposalId"], Batch(args["targets"], args["values"], args["calldatas"])
    state, (against, support, abstain), ready, quorum = client.call_all(
        [
            (governor, "state", (which,)),
            (governor, "proposalVotes", (which,)),
            (governor, "proposalEta", (which,)),
            (governor, "quorum", (args["voteStart"],)),
        ]
    )
    text = args["description"]
    return Proposal(
        number, which, args["proposer"], describe(found, batch), _why(text), batch, text,
        STATES[state], support, against, abstain, quorum, args["voteStart"], args["voteEnd"], ready,
    )  # fmt: skip


def _why(description: str) -> str:
    return description.rpartition(_PROPOSER)[0].strip() or description


def describe(found: Contracts, batch: Batch) -> str:
    """Return what the calls of a batch do, in words, from their very bytes: texts may lie."""
    from danseo.chain import artefacts
    from danseo.chain.abi import Abi

    parts = {getattr(found, name): ARTEFACTS[name] for name in PARTS}
    said = []
    for target, value, payload in zip(*batch.fields, strict=True):
        name = parts.get(target, "")
        known = None
        if name:
            # A call is laid out as a custom error is: selector, then arguments.
            methods = [{**d, "type": "error"} for d in artefacts.load(name).abi if _is_method(d)]
            known = Abi(name, methods).error(payload)
        shown = f"{name}.{_called(*known)}" if known else f"{target} 0x{payload.hex()}"
        said.append(f"{shown} with {value} wei" if value else shown)
    return "; ".join(said)


def _is_method(described: dict[str, Any]) -> bool:
    return bool(described["type"] == "function")


def _called(method: str, args: tuple[Any, ...]) -> str:
    shown = ["0x" + a.hex() if isinstance(a, bytes) else str(a) for a in args]
    return f"{method}({', '.join(shown)})"
