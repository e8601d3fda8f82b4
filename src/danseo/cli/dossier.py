"""What `danseo clue show` shows: everything about one clue."""

from __future__ import annotations

from typing import Any

from danseo.cli.here import Here
from danseo.core.challenge import Challenge, Clue
from danseo.core.errors import DanseoError
from danseo.flows import clues, notation, reading, standings
from danseo.flows.notation import decimal
from danseo.log.source import Source


def found(at: Here, source: Source, name: str, clue_id: int) -> dict[str, Any]:
    """Return everything there is to say of a clue, for JSON. Shares are strings, out of 10^18."""
    challenge, clue = at.desk.challenge(name), clues.find(at.desk, name, clue_id)
    row = next(row for row in standings.rows(challenge) if row.clue == clue_id)
    return {
        "clue": clue_id,
        "challenge": name,
        "author": clue.author,
        "status": clue.status,
        "verdict": clue.verdict,
        "score": None if row.score is None else decimal(row.score),
        "form": clue.form,
        "licence": clue.licence,
        **_content(at, clue),
        "committed": clue.committed_at,
        "revealed": clue.revealed_at,
        "final": clue.final_at,
        "duplicate_of": clue.duplicate_of if clue.duplicate_of >= 0 else None,
        "reproduced": clue.reproduced,
        "cites": [{"clue": c, "weight": decimal(w)} for c, w in clue.cites],
        "cited_by": _cited_by(challenge, clue_id),
        "payees": [{"who": who, "parts": parts} for who, parts in clue.payees],
        "verdicts": _verdicts(at, source, clue),
        "jury": [
            {"round": number, "units": decimal(one.units.get(clue_id, 0))}
            for number, one in enumerate(challenge.rounds)
            if clue_id in one.units or clue_id in one.grants
        ],
        "units": decimal(row.units),
        "shares": {
            part: str(getattr(row, part)) for part in ("own", "received", "owed", "jury", "total")
        },
    }


def parts(at: Here, found: dict[str, Any]) -> list[Any]:
    """Return the same for people."""
    head = [
        f"Clue {found['clue']} of {found['challenge']}: {found.get('title') or '(not revealed)'}",
        found["description"],
        f"By {at.who(found['author'])}, {found['form'] or 'form unknown'}, {found['licence']}.",
        f"It is {found['status']}" + (f": {found['verdict']}" if found["verdict"] else "") + ".",
    ]
    if found["score"] is not None:
        head.append(f"Score {found['score']}, worth {found['units']} of the reward.")
    if found["duplicate_of"] is not None:
        head.append(f"A copy of clue {found['duplicate_of']}.")
    if found["unreadable"]:
        head.append(f"Its description cannot be read: {found['unreadable']}")
    lines: list[Any] = [line for line in head if line]
    lines += [f"  file {name}  {blob}" for name, blob in found["files"].items()]
    lines += [f"  cites clue {c['clue']} with weight {c['weight']}" for c in found["cites"]]
    lines += [f"  cited by clue {c['clue']} with weight {c['weight']}" for c in found["cited_by"]]
    lines += [f"  pays {at.who(p['who'])}: {p['parts']} parts" for p in found["payees"]]
    for verdict in found["verdicts"]:
        score = f" {verdict['score']}" if verdict["score"] is not None else ""
        lines.append(
            f"  {at.who(verdict['scorer'])} (entry {verdict['entry']}): "
            f"{verdict['verdict']}{score}. {verdict['reason']}"
        )
    lines += [f"  jury round {j['round']}: {j['units']} of the reward" for j in found["jury"]]
    part = {name: notation.percent(int(share)) for name, share in found["shares"].items()}
    lines.append(
        f"Share {part['total']} = {part['own']} own step + {part['received']} from later ones "
        f"- {part['owed']} to earlier ones + {part['jury']} jury."
    )
    return lines


def _content(at: Here, clue: Clue) -> dict[str, Any]:
    told: dict[str, Any] = {
        "title": "",
        "description": "",
        "files": {},
        "method": None,
        "unreadable": "",
    }
    if clue.content:
        try:
            content = clues.content(at.desk, clue)
        except DanseoError as error:
            told["unreadable"] = error.message
        else:
            told |= {
                "title": content.title,
                "description": content.description,
                "files": content.files,
                "method": content.method,
            }
    return told


def _cited_by(challenge: Challenge, clue_id: int) -> list[dict[str, Any]]:
    return [
        {"clue": other.id, "weight": decimal(weight)}
        for other in challenge.clues.values()
        for target, weight in other.cites
        if target == clue_id
    ]


def _verdicts(at: Here, source: Source, clue: Clue) -> list[dict[str, Any]]:
    told = []
    for who, verdict in clue.verdicts.items():
        (entry,) = reading.entries(source, verdict.index, verdict.index + 1)
        reason = reading.text(at.desk.blobs, entry.body["reason"], at.desk.state.withheld)
        told.append(
            {
                "scorer": who,
                "verdict": verdict.verdict,
                "score": decimal(verdict.score) if verdict.verdict == "step" else None,
                "reproduced": verdict.reproduced,
                "entry": verdict.index,
                "reason": reason,
            }
        )
    return told
