"""A challenge's contracts: made from its terms, attached to the log, found again, called.

Nothing is remembered but in the log and on the chain. Where the contracts stand follows from the
factory, the challenge and its terms alone, so anyone may deploy them for anyone, and whoever
checks an attachment works out the same addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from danseo.core.challenge import Challenge
from danseo.core.coin import CAP, ETHER
from danseo.core.entry import Entry, parse
from danseo.core.errors import Conflict, Invalid, NotFound, Usage, WrongPhase
from danseo.core.kinds.chain import Attach
from danseo.core.onchain import Contracts
from danseo.core.reward import UNITS
from danseo.core.state import SIMULATED, State
from danseo.flows.acting import Desk
from danseo.log.sequencer import Appended
from danseo.log.signing import Key, keccak256

if TYPE_CHECKING:
    from danseo.chain.client import Client, Contract, Receipt

PARTS: Final = ("pool", "coin", "governor", "timelock", "anchor", "stake")
"""A challenge's contracts, in the order of the factory."""
ARTEFACTS: Final = {
    "pool": "PrizePool",
    "coin": "ProgressCoin",
    "governor": "ChallengeGovernor",
    "timelock": "ChallengeTimelock",
    "anchor": "LogAnchor",
    "stake": "Stake",
}
FACTORY: Final = "ChallengeFactory"
_CLONED: Final = ("coin", "governor", "timelock", "anchor", "stake")
_LOOK_BACK: Final = 64
"""How many of a key's last contracts are looked through for a factory that a crash left behind."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a contract, to be sent by a key or signed elsewhere. `value` is in wei.

    `least_gas` is what it needs to do all that it can: see `Client.prepare`.
    """

    contract: Contract
    method: str
    args: tuple[Any, ...] = ()
    value: int = 0
    least_gas: int = 0

    def send(self, client: Client, key: Key) -> Receipt:
        """Try it, send it, and wait until it is in a block."""
        return client.send(
            key,
            self.contract,
            self.method,
            *self.args,
            value=self.value,
            least_gas=self.least_gas,
        )

    def prepare(self, client: Client, sender: str) -> dict[str, Any]:
        """Return the unsigned transaction, tried first, as a wallet takes it."""
        return client.prepare(
            self.contract,
            self.method,
            *self.args,
            value=self.value,
            sender=sender,
            least_gas=self.least_gas,
        )

    def encode(self) -> bytes:
        """Return the call's data."""
        from danseo.chain import artefacts
        from danseo.chain.abi import Abi

        name = self.contract.name
        return Abi(name, artefacts.load(name).abi).call(self.method, self.args)


def follow(desk: Desk, client: Client) -> None:
    """Bring a chain that has no clock of its own to the log's time; see `check_clock`."""
    check_clock(client, desk.state)
    if desk.state.clock == SIMULATED or client.embedded:
        client.move_to(desk.now)


def attached(challenge: Challenge) -> Contracts:
    """Return where a challenge's contracts are, or raise `WrongPhase`."""
    if challenge.onchain is None:
        raise WrongPhase(
            f"{challenge.id} has no contracts yet.",
            "Deploy them: `danseo chain deploy`."
            if challenge.terms.coin
            else "It was opened without a coin.",
        )
    return challenge.onchain.contracts


def contracts(client: Client, challenge: Challenge) -> Contracts:
    """Return where a challenge's contracts are on this very chain."""
    found = attached(challenge)
    if found.chain_id != client.chain_id:
        raise Usage(
            f"The contracts of {challenge.id} are on chain {found.chain_id}, and this is "
            f"{client.chain_id}.",
            "Start your node again with `danseo chain up`, or name one in DANSEO_CHAIN_URL.",
        )
    return found


def part(found: Contracts, name: str) -> Contract:
    """Return one of a challenge's contracts, to be called: one of `PARTS`."""
    from danseo.chain.client import Contract

    return Contract(ARTEFACTS[name], getattr(found, name))


def config(state: State, challenge: Challenge) -> dict[str, Any]:
    """Return what the factory is told, from the terms alone."""
    terms = challenge.terms
    coin = terms.coin
    if coin is None:
        raise WrongPhase(
            f"{challenge.id} was opened without a coin.", "Only terms with one have contracts."
        )
    return {
        "name": challenge.id,
        "symbol": coin.symbol.partition(":")[0],
        "operator": state.operator,
        "guardian": coin.guardian,
        "assets": [one.token for one in coin.assets],
        "stakeAsset": coin.token(terms.bond.asset) or ETHER,
        "bond": coin.bond,
        "window": coin.window,
        "outflow": coin.outflow,
        "guardedUntil": coin.guarded_until,
        "guardianTerm": coin.guardian_term,
        "threshold": CAP * coin.threshold // UNITS,
        "quorum": coin.quorum,
        "votingDelay": coin.voting_delay,
        "votingPeriod": coin.voting_period,
        "timelockDelay": coin.timelock_delay,
        "exitDelay": coin.exit_delay,
        "exitsFrom": coin.exits_from,
        "uptake": coin.uptake,
        "patience": coin.patience,
    }


def id_of(state: State, challenge: Challenge) -> bytes:
    """Return the 32 bytes that name a challenge to a factory: its log, name and opening."""
    return keccak256(f"danseo {state.origin}\n{challenge.id}\n{challenge.index}".encode())


def deploy(desk: Desk, client: Client, key: Key, name: str) -> Appended | None:
    """Deploy a challenge's contracts and attach them; None where both are done already.

    What a crash left half done is found on the chain and finished.
    """
    follow(desk, client)
    challenge = desk.challenge(name)
    if challenge.onchain is not None:
        contracts(client, challenge)
        return None
    wanted, called = config(desk.state, challenge), id_of(desk.state, challenge)
    factory = _factory(desk.state, client) or _make_factory(client, key)
    predicted = client.call(factory, "predict", called, wanted)
    if client.code(predicted[0]):
        block, tx = _deployed(client, factory, called)
    else:
        receipt = client.send(key, factory, "deploy", called, wanted)
        block, tx = receipt.block, receipt.tx
    return desk.say(
        key, Attach(client.chain_id, block, tx, factory.address, *predicted), challenge=name
    )


def check_attach(client: Client, state: State, entry: Entry) -> None:
    """Raise `Conflict` unless an entry attaches what the terms say, deployed where it says.

    A factory counts whose code is ours but for its immutables, each of which is ours as well.
    """
    body = parse(entry.kind, entry.body)
    if not isinstance(body, Attach):
        return
    check_clock(client, state)
    if body.chain_id != client.chain_id:
        raise Conflict(
            f"The entry attaches contracts on chain {body.chain_id}; this node is on "
            f"{client.chain_id}.",
            "Use a node of that chain.",
        )
    from danseo.chain.client import Contract

    challenge, factory = state.challenge(entry.challenge), Contract(FACTORY, body.factory)
    if not _is_factory(client, factory):
        raise Conflict(
            f"{body.factory} is not the factory of this version of danseo.",
            "Deploy with `danseo chain deploy`; verify older contracts with the version that made "
            "them.",
        )
    called = id_of(state, challenge)
    predicted = client.call(factory, "predict", called, config(state, challenge))
    named = tuple(getattr(body, name) for name in PARTS)
    if named != tuple(predicted) or not client.code(body.pool):
        raise Conflict(
            f"The contracts of {challenge.id} by its terms have the pool {predicted[0]}, not "
            f"{body.pool}.",
            "Deploy with `danseo chain deploy`.",
        )
    receipt = client.receipt(body.tx)
    made = [] if receipt is None else receipt.events
    if receipt is None or receipt.block != body.block or not _says_deployed(made, called):
        raise Conflict(
            f"Transaction {body.tx} in block {body.block} did not deploy {challenge.id}.",
            "Name the one that did.",
        )
    if body.block > client.final().number:
        raise Conflict(f"Block {body.block} is not final yet.", "Attach the contracts once it is.")


def check_clock(client: Client, state: State) -> None:
    """Raise `Usage` where a simulated log would stand on a real chain."""
    if state.clock == SIMULATED and not client.development:
        raise Usage(
            f"This log's clock is simulated, and chain {client.chain_id} is a real one.",
            "Use the embedded chain or anvil, or begin a log on the system's clock.",
        )


def _factory(state: State, client: Client) -> Contract | None:
    """Return a factory that some challenge of this log was deployed with, if it is ours."""
    from danseo.chain.client import Contract

    for challenge in state.challenges.values():
        if challenge.onchain and challenge.onchain.contracts.chain_id == client.chain_id:
            found = Contract(FACTORY, challenge.onchain.contracts.factory)
            if _is_factory(client, found):
                return found
    return None


def _make_factory(client: Client, key: Key) -> Contract:
    """Deploy the factory and what it clones, less what this key has deployed before."""
    from danseo.chain import artefacts
    from danseo.chain.client import Contract

    before = list(_made_by(client, key.address))

    def once(name: str, *args: str) -> str:
        for address, code in before:
            whole = name != FACTORY or _is_factory(client, Contract(FACTORY, address))
            if whole and artefacts.load(name).is_at(code):
                return address
        return client.deploy(key, name, *args).contract

    cloned = [once(ARTEFACTS[name]) for name in _CLONED]
    return Contract(FACTORY, once(FACTORY, *cloned))


def _made_by(client: Client, address: str) -> Iterator[tuple[str, bytes]]:
    """Yield address and code of the last contracts that an account has deployed, newest first."""
    import rlp

    raw, newest = bytes.fromhex(address[2:]), client.nonce(address)
    for nonce in range(newest - 1, max(-1, newest - 1 - _LOOK_BACK), -1):
        made = f"0x{keccak256(rlp.encode([raw, nonce]))[12:].hex()}"
        if code := client.code(made):
            yield made, code


def _is_factory(client: Client, factory: Contract) -> bool:
    from danseo.chain import artefacts
    from danseo.chain.client import Contract

    if not artefacts.load(FACTORY).is_at(client.code(factory.address)):
        return False
    for name in _CLONED:
        original = Contract(ARTEFACTS[name], client.call(factory, name))
        if not artefacts.load(original.name).is_at(client.code(original.address)):
            return False
    return True


def _deployed(client: Client, factory: Contract, called: bytes) -> tuple[int, str]:
    """Return block and transaction in which a factory deployed a challenge's contracts."""
    for event in client.events([factory], 0, client.head().number):
        if _says_deployed([event], called):
            return event.block, event.tx
    raise Invalid(
        f"The factory {factory.address} has deployed this challenge and does not say when.",
        "Use a node that has the chain's whole history.",
    )


def _says_deployed(events: Any, called: bytes) -> bool:
    return any(e.name == "Deployed" and e.args["id"] == called for e in events)


def call_of(found: Contracts, name: str, method: str, *args: Any, value: int = 0) -> Call:
    """Return a call of one of a challenge's contracts: one of `PARTS`."""
    return Call(part(found, name), method, args, value)


def listed_token(challenge: Challenge, asset: str) -> str:
    """Return the token of an asset that the pool of a challenge takes, or raise `NotFound`."""
    coin = challenge.terms.coin
    token = coin.token(asset) if coin else ""
    if not token:
        takes = ", ".join(one.asset for one in coin.assets) if coin else "nothing"
        raise NotFound(f"The pool of {challenge.id} takes no {asset}.", f"It takes {takes}.")
    return token
