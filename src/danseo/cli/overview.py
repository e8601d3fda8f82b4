"""What `danseo challenge show` shows: one challenge as a whole."""

from __future__ import annotations

from typing import Any

from danseo.cli import show
from danseo.cli.here import Here
from danseo.core import treasury
from danseo.core.challenge import Challenge, phase
from danseo.core.reward import UNITS
from danseo.flows import notation, opening
from danseo.flows.notation import decimal
from danseo.flows.standings import next_steps


def found(at: Here, name: str) -> dict[str, Any]:
    """Return everything there is to say of a challenge, for JSON."""
    challenge, now = at.desk.challenge(name), at.desk.now
    terms, curve = challenge.terms, challenge.terms.value_curve()
    about = opening.about(at.desk.blobs, challenge)
    reveals = terms.deadline + terms.reveal_window
    return {
        "challenge": name,
        "title": about.title,
        "description": about.description,
        "licence": about.licence,
        "files": about.files,
        "phase": phase(challenge, now),
        "now": now,
        "times": {
            "published": challenge.created_at,
            "opened": challenge.opened_at,
            "deadline": terms.deadline,
            "last reveal": reveals,
            "last score": reveals + terms.score_window,
            "truth": reveals + terms.score_window + terms.truth_window,
            "settled": challenge.settled_at,
            "closed": challenge.closed_at,
        },
        "people": _people(challenge),
        "scorer": terms.scorer,
        "direction": terms.direction,
        "step": decimal(terms.eta),
        "curve": [{"score": decimal(p.score), "part": decimal(p.units)} for p in terms.curve],
        "frontier": decimal(curve.score(challenge.frontier)),
        "reached": decimal(curve.value(challenge.frontier)),
        "pot": _pot(challenge),
        "rounds": [
            {
                "round": number,
                "opens": terms.rounds[number].opens,
                "closes": terms.rounds[number].closes,
                "award": decimal(terms.rounds[number].units),
                "commons": str(terms.rounds[number].commons),
                "ballots": len(one.ballots),
                "counted": one.closed,
            }
            for number, one in enumerate(challenge.rounds)
        ],
        "clues": _clues(challenge),
        "settled_by": challenge.settled_by,
        "next": [
            {"who": step.who, "what": step.what, "command": f"danseo {step.command}"}
            for step in next_steps(challenge, now)
        ],
    }


def parts(at: Here, found: dict[str, Any]) -> list[Any]:
    """Return the same for people."""
    now = found["now"]
    times = {what: t for what, t in found["times"].items() if t >= 0}
    lines: list[Any] = [
        f"{found['challenge']}: {found['title']}",
        found["description"],
        f"It is {found['phase']}; the log's clock stands at {notation.instant(now)}.",
        show.table("", ("What", "When"), [(w, notation.instant(t)) for w, t in times.items()]),
        show.table(
            "",
            ("Role", "Who", "Took it up", "Released the truth"),
            [
                (p["role"], at.who(p["who"]), _yes(p["acknowledged"]), _yes(p["released"]))
                for p in found["people"]
            ],
        ),
        f"Scored by {found['scorer']} ({found['direction']} is better, steps of {found['step']}). "
        f"Best so far {found['frontier']}, which is {_part(found['reached'])} of the reward.",
        show.table(
            "",
            ("Score>", "Part of the reward>"),
            [(p["score"], _part(p["part"])) for p in found["curve"]],
        ),
    ]
    if found["pot"]:
        paid = "Paid or declared>" if at.desk.challenge(found["challenge"]).onchain else "Paid>"
        lines.append(
            show.table(
                "",
                ("Received>", paid, "Left>"),
                [
                    tuple(
                        notation.money(int(p[n]), p["asset"]) for n in ("received", "paid", "left")
                    )
                    for p in found["pot"]
                ],
            )
        )
    if found["rounds"]:
        lines.append(
            show.table(
                "",
                ("Jury round>", "Opens", "Closes", "Award>", "Ballots>", "Counted"),
                [
                    (
                        r["round"],
                        notation.instant(r["opens"]),
                        notation.instant(r["closes"]),
                        _part(r["award"]),
                        r["ballots"],
                        _yes(r["counted"]),
                    )
                    for r in found["rounds"]
                ],
            )
        )
    states = ", ".join(
        f"{n} {status}{'s' * (status == 'step' and n != 1)}" for status, n in found["clues"].items()
    )
    lines.append(f"Clues: {states or 'none yet'}.")
    lines.append("Next:" if found["next"] else "Nothing is left to do.")
    lines += [
        f"  {at.people(step['who'])}: {step['what']}    {step['command']}" for step in found["next"]
    ]
    return lines


def _people(challenge: Challenge) -> list[dict[str, Any]]:
    held = [(challenge.organiser, "organiser"), *challenge.terms.roles().items()]
    held += [(juror, "juror") for juror in challenge.terms.jurors]
    return [
        {
            "who": who,
            "role": role,
            "acknowledged": who in challenge.acknowledged
            if role in ("scorer", "trustee")
            else None,
            "released": who in challenge.released if role == "trustee" else None,
        }
        for who, role in held
    ]


def _pot(challenge: Challenge) -> list[dict[str, str]]:
    return [
        {
            "asset": asset,
            "received": str(challenge.received[asset]),
            "paid": str(sum(challenge.paid.get(asset, {}).values())),
            "left": str(treasury.available(challenge, asset)),
        }
        for asset in sorted(challenge.received)
    ]


def _clues(challenge: Challenge) -> dict[str, int]:
    counted: dict[str, int] = {}
    for clue in challenge.clues.values():
        state = clue.verdict or clue.status
        counted[state] = counted.get(state, 0) + 1
    return counted


def _part(text: str) -> str:
    from danseo.flows.notation import billionths

    return notation.percent(billionths(text), UNITS)


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"
