"""A large log for the benchmarks: challenges with a thousand clues each, real keys and signatures.

Every entry is folded by the rules as it is made, so the log is one that a host could have written.
It is made once for each size and kept below `benchmarks/work/`.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import WORK
from danseo.core import canonical, shamir
from danseo.core.challenge import commitment_of
from danseo.core.entry import parse
from danseo.core.state import State, apply
from danseo.log.blobs import blob_path
from danseo.log.note import Checkpoint, Signer
from danseo.log.signing import Domain, Key, sign_entry
from danseo.log.tiles import CHECKPOINT, TileWriter
from danseo.log.wire import unwrap, wrap

ORIGIN: Final = "danseo.example/benchmark"
CHAIN: Final = 31337
CLUES: Final = 1000
"""Clues of a challenge."""
CONTRIBUTORS: Final = 200
FORMAT: Final = 3
"""Raise it when the log that is made here changes, so that older ones are made anew."""

_ETA: Final = 1_000_000
_BASELINE, _GOAL = 500_000_000, 900_000_000
_FAR: Final = 2**31 - 1
_GROUP: Final = 256


def log_of(size: int) -> Path:
    """Return the folder of a log of `size` entries, made on first use."""
    folder = WORK / f"log-{FORMAT}-{size}"
    if not (folder / CHECKPOINT).exists():
        shutil.rmtree(folder, ignore_errors=True)
        _Maker(folder, size).run()
    return folder


class _Maker:
    """Writes one log: each `say` signs, folds and adds an entry."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.state = State()
        self.rng = random.Random(20)
        self.now = 1_700_000_000
        self._domain = Domain(CHAIN, ORIGIN)
        self._signer = Signer(ORIGIN, sha256(b"log key").digest())
        self._writer = TileWriter(folder, durable=False)
        self._held: list[bytes] = []
        self._keys: dict[str, Key] = {}
        self._loose: list[Path] = []  # blobs that no entry names yet

    def run(self) -> None:
        self._genesis()
        for number in range(self.size):
            for _ in self._challenge(f"challenge-{number}"):
                if self.state.size == self.size:
                    self._finish()
                    return

    def key(self, role: str) -> Key:
        if role not in self._keys:
            self._keys[role] = Key(sha256(role.encode()).digest())
        return self._keys[role]

    def say(self, role: str, kind: str, challenge: str, body: dict[str, Any]) -> int:
        """Append an entry by `role` and return its index."""
        key = self.key(role)
        summary = parse(kind, body).summaries()[self.rng.random() < 0.5]
        sequence = self.state.next_sequence(key.address, challenge)
        signed = sign_entry(key, self._domain, kind, challenge, sequence, body, summary)
        self.now += self.rng.randrange(3)
        leaf = wrap(self.state.size, self.now, signed)
        apply(self.state, unwrap(leaf)[0])
        self._held.append(leaf)
        if kind in ("challenge.open", "clue.reveal", "score.publish"):
            self._loose.clear()
        if len(self._held) == _GROUP:
            self._flush()
        return self.state.size - 1

    def put(self, data: bytes) -> str:
        """Store a blob without the fsync that a host would wait for."""
        name = sha256(data).hexdigest()
        path = self.folder / blob_path(name)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            self._loose.append(path)
        return name

    def _flush(self) -> None:
        self._writer.append(self._held)
        self._held.clear()

    def _finish(self) -> None:
        self._flush()
        for path in self._loose:
            path.unlink()
        point = Checkpoint(ORIGIN, self._writer.size, self._writer.root)
        (self.folder / CHECKPOINT).write_bytes(point.sign(self._signer))

    def _genesis(self) -> None:
        body = {
            "origin": ORIGIN,
            "chain_id": CHAIN,
            "clock": "system",
            "log_key": self._signer.verifier.public.hex(),
        }
        self.say("operator", "log.genesis", "", body)
        for role in ("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3"):
            self.say(role, "key.sealing", "", {"x25519": _hash(f"sealing {role}")})

    def _challenge(self, name: str) -> Iterator[int]:
        """Play a challenge, and yield after each entry but the opening ones."""
        self.say("organiser", "challenge.open", name, {"terms": self._terms(name)})
        for scorer in ("scorer-1", "scorer-2"):
            yield self._deposit(scorer, 1000, name)
        for role in ("scorer-1", "scorer-2", "trustee-1", "trustee-2", "trustee-3"):
            yield self.say(role, "challenge.acknowledge", name, {})
        for n in range(CONTRIBUTORS):
            yield self._deposit(f"contributor-{n}", 100, name)
        frontier = 0
        clues: list[int] = []
        for n in range(CLUES):
            role = f"contributor-{self.rng.randrange(CONTRIBUTORS)}"
            steps = self.rng.random() < 0.1 and frontier < 390
            frontier += steps
            score = _BASELINE + frontier * _ETA if steps else None
            yield from self._clue(name, n, role, clues, score)
            if n % 50 == 0:
                yield self.say("anyone", "tick", "", {})

    def _clue(
        self, name: str, number: int, role: str, clues: list[int], score: int | None
    ) -> Iterator[int]:
        who, salt = self.key(role).address, _hash(f"salt {name} {number}")
        submission = self.put(f"predictions {name} {number}".encode())
        manifest = {
            "description": f"What I saw in part {number}. " * 6,
            "files": [{"path": "predictions.png", "sha256": submission, "size": 30}],
            "form": "predictions",
            "submission": "predictions.png",
            "title": f"A clue about part {number}",
        }
        content = self.put(canonical.encode(manifest))
        hashed = commitment_of(name, who, content, submission, salt)
        clue = self.say(role, "clue.commit", name, {"commitment": hashed})
        yield clue
        cited = self.rng.sample(clues[-50:], min(len(clues), self.rng.randrange(4)))
        yield self.say(
            role,
            "clue.reveal",
            name,
            {
                "clue": clue,
                "salt": salt,
                "content": content,
                "submission": submission,
                "form": "predictions",
                "licence": "CC-BY-4.0",
                "cites": [{"clue": c, "weight": 200_000_000} for c in sorted(cited)],
                "payees": [],
            },
        )
        clues.append(clue)
        body: dict[str, Any] = {"clue": clue, "verdict": "none", "reproduced": False}
        body["reason"] = self.put(b"scored by the rules of this challenge")
        if score is not None:
            body |= {"verdict": "step", "score": score}
        for scorer in ("scorer-1", "scorer-2"):
            yield self.say(scorer, "score.publish", name, body)

    def _deposit(self, role: str, amount: int, name: str) -> int:
        body = {
            "account": self.key(role).address,
            "asset": "WON",
            "amount": str(amount),
            "evidence": "transfer of the day",
        }
        return self.say("organiser", "money.deposit", name, body)

    def _terms(self, name: str) -> dict[str, Any]:
        key = _hash(f"truth key {name}")
        shares = shamir.split(int(key, 16), 2, 3, [int(_hash(f"line {name}"), 16)])
        trustees = [
            {
                "who": self.key(f"trustee-{x}").address,
                "commitment": shamir.commit(shamir.encode(x, y)),
                "sealed": "cd" * 48,
            }
            for x, y in enumerate(shares, 1)
        ]
        scorers = [self.key(f"scorer-{n}").address for n in (1, 2)]
        return {
            "about": self.put(f"about {name}".encode()),
            "scorer": "fbeta-1",
            "parameters": [{"name": "beta", "value": 500_000_000}],
            "direction": "higher",
            "eta": _ETA,
            "curve": [{"score": _BASELINE, "units": 0}, {"score": _GOAL, "units": 800_000_000}],
            "jury_units": 200_000_000,
            "gamma": {"numerator": 1, "denominator": 2},
            "theta": {"numerator": 1, "denominator": 2},
            "bond": {"asset": "WON", "amount": "100"},
            "stake": {"asset": "WON", "amount": "1000"},
            "deadline": _FAR,
            "reveal_window": 10**6,
            "score_window": 10**6,
            "truth_window": 10**6,
            "advance": 300_000_000,
            "method_above": 400_000_000,
            "scorers": [{"who": who, "sealed": "ab" * 48} for who in scorers],
            "trustees": trustees,
            "threshold": 2,
            "truth": {
                "cipher": self.put(f"cipher {name}".encode()),
                "plain": _hash(f"plain {name}"),
                "key": sha256(bytes.fromhex(key)).hexdigest(),
            },
            "jurors": [],
            "rounds": [],
            "remainder": "donors",
        }


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
