"""The chain beside the log: a node of one's own, contracts, reports, anchors, submissions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from danseo.cli.options import As, Home, Json, Lang, Name, OutFile, Unsigned

group = typer.Typer(
    help="Deploy a challenge's contracts; carry the chain's facts into the log.",
    no_args_is_help=True,
)


@group.command("up")
def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port [a free one].")] = 0,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Start a node of your own, anvil, that lives on until `chain down`.

    Every command then uses it in place of the chain within this process.

    Example: danseo chain up
    """
    from danseo import app as wiring
    from danseo.chain import anvil
    from danseo.cli import show
    from danseo.cli.here import here

    with here(home) as at, show.working("starting anvil"):
        settings, simulated = at.settings, at.desk.state.clock == "simulated"
        begins = at.desk.now if simulated else None
        node = anvil.up(wiring.node_folder(settings), port, settings.anvil, begins)
    show.result(
        as_json,
        {"pid": node.pid, "url": node.url},
        f"A node answers at {node.url} (process {node.pid}).",
        "End it, and keep its chain: danseo chain down",
    )


@group.command("down")
def down(home: Home = None, as_json: Json = False) -> None:
    """End the node of your own; its chain is kept for the next `chain up`.

    Example: danseo chain down
    """
    from danseo import app as wiring
    from danseo.chain import anvil
    from danseo.cli import here, show

    folder = wiring.node_folder(here.chosen(home))
    anvil.down(folder)
    show.result(as_json, {"folder": str(folder)}, f"The node has ended; its chain is in {folder}.")


@group.command("status")
def status(home: Home = None, key: As = None, as_json: Json = False) -> None:
    """Show the chain, what stands on it for each challenge, and what is overdue.

    Example: danseo chain status
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet
    from danseo.flows import anchoring, notation

    with wallet(home, key) as w:
        client, head, final = w.client, w.client.head(), w.client.final()
        found: dict[str, Any] = {
            "node": client.name,
            "chain_id": client.chain_id,
            "development": client.development,
            "block": head.number,
            "final": final.number,
            "time": head.time,
            "challenges": {},
        }
        lines = [
            f"Chain {client.chain_id} at {client.name}, block {head.number}, "
            f"{notation.instant(head.time)}; final up to {final.number}."
        ]
        for challenge in w.at.desk.state.challenges.values():
            record = challenge.onchain
            if record is None or record.contracts.chain_id != client.chain_id:
                continue
            handed = anchoring.submissions(client, challenge)
            found["challenges"][challenge.id] = {
                "contracts": _fields(record.contracts),
                "reported": record.block - 1,
                "anchored": record.anchored,
                "submitted": [
                    {"hash": s.hash, "by": s.by, "deadline": s.deadline, "status": s.status}
                    for s in handed
                ],
            }
            lines += [
                f"{challenge.id}: pool {record.contracts.pool}, reported up to block "
                f"{record.block - 1}, "
                + (f"anchored at size {record.anchored}" if record.anchored else "no anchor yet"),
                *(
                    f"  {s.status}: {s.hash[:16]}... by {w.at.who(s.by)}, to be taken up until "
                    f"{notation.instant(s.deadline)}"
                    for s in handed
                ),
            ]
    if not found["challenges"]:
        lines.append("No challenge of this log has contracts on it: danseo chain deploy NAME")
    show.result(as_json, found, *lines)


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


@group.command("faucet")
def faucet(
    who: Annotated[
        list[str], typer.Argument(metavar="WHO...", help="Names of keys here, or addresses.")
    ],
    amount: Annotated[int, typer.Option(min=1, help="Whole ETH for each.")] = 100,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Give play money for gas and gifts, on a development chain.

    Example: danseo chain faucet operator donor-1
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet

    with wallet(home) as w:
        addresses = [w.at.address(one) for one in who]
        for address in addresses:
            w.client.faucet(address, amount * 10**18)
        names = ", ".join(w.at.who(a) for a in addresses)
    show.result(
        as_json, [{"who": a, "eth": str(amount)} for a in addresses],
        f"Gave {amount} ETH of play money to {names}.",
    )  # fmt: skip


@group.command("deploy")
def deploy(
    name: Name, home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False
) -> None:
    """Deploy a challenge's contracts by its terms, and attach them to it. Anyone may.

    Example: danseo chain deploy example
    """
    from danseo.cli import show
    from danseo.cli.here import receipt
    from danseo.cli.wallet import wallet
    from danseo.flows import deploying

    with wallet(home, key, lang) as w, show.working("deploying"):
        entry = deploying.deploy(w.at.desk, w.client, w.key, name)
        contracts = w.contracts(name)
    said = f"Attached by entry {entry.index}." if entry else "They were attached before."
    show.result(
        as_json,
        {"contracts": _fields(contracts), **(receipt(entry) if entry else {})},
        f"The contracts of {name} are on chain {contracts.chain_id}. {said}",
        *(f"  {part:9} {getattr(contracts, part)}" for part in deploying.PARTS),
    )


@group.command("observe")
def observe(
    name: Name, home: Home = None, key: As = None, lang: Lang = None, as_json: Json = False
) -> None:
    """Report to the log what a challenge's contracts did, up to a final block. Anyone may.

    Example: danseo chain observe example
    """
    from danseo.cli import show
    from danseo.cli.here import receipt
    from danseo.cli.wallet import wallet
    from danseo.flows import observing

    with wallet(home, key, lang) as w, show.working("reading the chain"):
        entries = observing.observe(w.at.desk, w.client, w.key, name)
        record = w.challenge(name).onchain
        block = record.block - 1 if record else -1
    numbers = ", ".join(str(entry.index) for entry in entries)
    show.result(
        as_json,
        {"block": block, "entries": [receipt(entry) for entry in entries]},
        f"Reported the chain up to block {block} by entry {numbers}."
        if entries
        else f"Nothing is new since block {block}.",
    )


@group.command("anchor")
def anchor(
    name: Name, unsigned: Unsigned = False, home: Home = None, key: As = None, as_json: Json = False
) -> None:
    """Anchor today's root of the log on chain, for good. For the log's operator.

    Example: danseo chain anchor example
    """
    from danseo.cli.wallet import wallet
    from danseo.flows import anchoring

    with wallet(home, key, unsigned=unsigned) as w:
        call = anchoring.anchor(w.at.desk, w.client, name)
        w.do(call)
    size, root = call.args
    w.tell(
        as_json,
        {"size": size, "root": root.hex()},
        f"Anchored the root of {size} entries: the log can never go back on them.",
    )


@group.command("sign")
def sign(
    name: Name,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The kind of entry.")],
    body: Annotated[Path, typer.Argument(metavar="BODY", help="A JSON file with its fields.")],
    out: OutFile,
    home: Home = None,
    key: As = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Sign an entry into a file, without the log, to hand it in on chain.

    Example: danseo chain sign example clue.retract body.json --out entry.json --key contributor-1
    """
    from danseo.cli import show
    from danseo.cli.here import here
    from danseo.core.errors import Usage
    from danseo.flows import anchoring

    try:
        fields = json.loads(body.read_text("utf-8"))
    except ValueError:
        raise Usage(f"{body} is no JSON.", "Write the entry's fields as one JSON object.") from None
    if out.exists():
        raise Usage(f"{out} exists.", "Choose another name.")
    with here(home, key, lang) as at:
        data = anchoring.sign(at.desk, at.key(), name, kind, fields, at.desk.korean)
    out.write_bytes(data)
    show.result(as_json, {"file": str(out), "bytes": len(data)}, f"Signed {kind} into {out}.")


@group.command("submit")
def submit(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed entry.")],
    unsigned: Unsigned = False,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Hand a signed entry in on chain that the log does not take; a bond comes back once it is in.

    Example: danseo chain submit example entry.json --key contributor-1
    """
    import hashlib

    from danseo.cli.wallet import wallet
    from danseo.flows import anchoring

    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    with wallet(home, key, unsigned=unsigned) as w:
        w.do(anchoring.submit(w.client, w.challenge(name), data))
    w.tell(
        as_json,
        {"hash": digest},
        f"Handed in {digest}. Until the log has taken it up, an overdue entry holds payouts up.",
    )


@group.command("include")
def include(
    name: Name,
    which: Annotated[
        str | None, typer.Argument(metavar="HASH", help="One submission [all that are open].")
    ] = None,
    home: Home = None,
    key: As = None,
    as_json: Json = False,
) -> None:
    """Take submitted entries up, anchor the log where that is yours, and prove them to be in it.

    Example: danseo chain include example
    """
    from danseo.cli import show
    from danseo.cli.wallet import wallet
    from danseo.core.errors import NotFound
    from danseo.flows import anchoring

    with wallet(home, key) as w:
        said = anchoring.take_up(w.at.desk, w.client, name)
        known = anchoring.submissions(w.client, w.challenge(name))
        mine = [s for s in known if which is None or s.hash.startswith(which.removeprefix("0x"))]
        if which is not None and not mine:
            raise NotFound(f"Nothing was handed in as {which}.", "`danseo chain status` lists it.")
        for one in mine:
            if one.status in ("open", "overdue"):
                said += _include(w, name, one)
    show.result(
        as_json,
        {"done": said, "transactions": w.made},
        *(said or ["No submission is open."]),
    )


def _include(w: Any, name: str, one: Any) -> list[str]:
    from danseo.core.errors import NotFound
    from danseo.flows import anchoring

    desk, client = w.at.desk, w.client
    try:
        if anchoring.must_anchor(desk, client, name, one):
            if desk.state.identity(w.address) != desk.state.operator:
                return [f"{one.hash[:16]}...: waits for an anchor of the log's operator"]
            w.do(anchoring.anchor(desk, client, name))
        w.do(anchoring.include(desk, client, name, one.hash))
    except NotFound as missing:
        return [f"{one.hash[:16]}...: {missing}"]
    return [f"{one.hash[:16]}...: proved to be in the log"]
