"""Publish a clue: commit to it, reveal it, take it back, read it.

Blobs are public as soon as they are stored, so until the reveal a clue's files lie in the host's
private drafts. The salt is saved there before the commitment is sent: without it nothing could be
revealed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danseo.core import canonical
from danseo.core.challenge import SCORED_FORMS, Clue, commitment_of
from danseo.core.entry import parse, to_body
from danseo.core.errors import Invalid, Malformed, NotFound, Refused, Unfit, Usage
from danseo.core.kinds.clue import Cite, Commit, Payee, Retract, Reveal
from danseo.core.reward import UNITS
from danseo.flows.acting import Desk
from danseo.flows.notation import billionths
from danseo.log.blobs import MAX_MANIFEST, blob_path, parse_blob_path
from danseo.log.files import sync_files, sync_folders
from danseo.log.sequencer import Appended
from danseo.log.signing import Key
from danseo.scoring.method import MAX_SCRIPT, Method, method
from danseo.scoring.scorers import SCORERS

MANIFEST = "clue.json"
_DRAFT = "draft.json"
_RESERVED = (MANIFEST, _DRAFT)


@dataclass(frozen=True, slots=True)
class Making:
    """What a contributor hands in.

    `main` is the file that counts: the prediction, or what makes a tool or data set. `script` and
    `requirements` (pinned) make it a method: `script` defines `entry(data, out)` and writes a file
    of the name of `main`. `more` are further files.
    """

    title: str
    description: str
    form: str
    licence: str
    main: Path
    more: tuple[Path, ...] = ()
    script: Path | None = None
    entry: str = "main"
    requirements: tuple[str, ...] = ()
    seconds: int = 600

    def files(self) -> list[Path]:
        """Return every file, the main one first; raise `Usage` where two share a name."""
        files = [self.main, *([self.script] if self.script else []), *self.more]
        names = [f.name for f in files]
        for name in names:
            if names.count(name) > 1:
                raise Usage(f"Two files are called {name}.", "Rename one.")
        for file in files:
            if not file.is_file():
                raise Usage(f"There is no file {file}.", "Check the path.")
            if file.name in _RESERVED:
                raise Usage(f"A file is called {file.name}.", "Rename it: a draft has one as well.")
        return files

    def manifest(self) -> dict[str, Any]:
        """Return the description that the clue's content blob holds."""
        files = [
            {"path": f.name, "sha256": _sha256(f), "size": f.stat().st_size} for f in self.files()
        ]
        manifest: dict[str, Any] = {
            "title": self.title,
            "description": self.description,
            "form": self.form,
            "submission": self.main.name,
            "files": files,
        }
        if self.script:
            manifest["method"] = {
                "script": self.script.name,
                "entry": self.entry,
                "output": self.main.name,
                "requirements": list(self.requirements),
                "seconds": self.seconds,
            }
        return manifest


@dataclass(frozen=True, slots=True)
class Published:
    """A clue that was committed, and revealed where `reveal` says so."""

    clue: int
    commit: Appended
    reveal: Appended | None


@dataclass(frozen=True, slots=True)
class Content:
    """A published clue's description, read from its content blob."""

    title: str
    description: str
    submission: str
    files: dict[str, str]
    method: dict[str, Any] | None


def citations(texts: Sequence[str]) -> tuple[Cite, ...]:
    """Read citations, each "ID" or "ID:WEIGHT" with a decimal weight; all together at most 1.

    Those without a weight share equally what the others leave.

    >>> citations(["7:0.5", "9"])
    (Cite(clue=7, weight=500000000), Cite(clue=9, weight=500000000))
    """
    given: dict[int, int | None] = {}
    for text in texts:
        number, colon, weight = text.partition(":")
        if not _is_number(number) or int(number) in given:
            raise Usage(f"The citation {text!r} makes no sense.", "Write ID or ID:WEIGHT, once.")
        given[int(number)] = billionths(weight) if colon else None
    rest = UNITS - sum(weight or 0 for weight in given.values())
    bare = sum(weight is None for weight in given.values())
    if rest < bare or any(weight is not None and weight <= 0 for weight in given.values()):
        raise Usage(
            f"The weights of {', '.join(texts)} do not fit.",
            "Each is above 0, and together they are at most 1.",
        )
    return tuple(Cite(c, rest // bare if w is None else w) for c, w in given.items())


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 16  # below 2^53, as a log holds it


def payees(texts: Sequence[str], resolve: Callable[[str], str]) -> tuple[Payee, ...]:
    """Read payees, each "WHO:PARTS"; `resolve` gives the identity of a name."""
    found = []
    for text in texts:
        who, colon, parts = text.rpartition(":")
        if not (who and colon and _is_number(parts)):
            raise Usage(f"The payee {text!r} makes no sense.", "Write WHO:PARTS, as in me:2.")
        found.append(Payee(resolve(who), int(parts)))
    return tuple(found)


def commit(
    desk: Desk,
    key: Key,
    name: str,
    making: Making,
    cites: Sequence[Cite] = (),
    payees: Sequence[Payee] = (),
) -> Published:
    """Commit to a clue. Its files, salt and citations are saved as a draft first."""
    _check_fit(desk, name, making)
    _check_reveal(desk, name, making, cites, payees)
    described = making.manifest()
    submission = next(
        f["sha256"] for f in described["files"] if f["path"] == described["submission"]
    )
    manifest = canonical.encode(described)
    content = hashlib.sha256(manifest).hexdigest()
    salt = secrets.token_hex(32)
    author = desk.state.identity(key.address)
    commitment = commitment_of(name, author, content, submission, salt)
    folder = _drafts(desk, name) / commitment
    draft = {
        "challenge": name,
        "author": author,
        "salt": salt,
        "content": content,
        "form": making.form,
        "licence": making.licence,
        "cites": [[c.clue, c.weight] for c in cites],
        "payees": [[p.to, p.parts] for p in payees],
    }
    _save_draft(folder, draft, manifest, making.files())
    try:
        receipt = desk.say(key, Commit(commitment), name)
    except Refused:
        shutil.rmtree(folder)
        raise
    return Published(receipt.index, receipt, None)


def reveal(
    desk: Desk, key: Key, name: str, clue_id: int, cites: Sequence[Cite] | None = None
) -> Appended:
    """Publish a committed clue from its draft: its files become blobs that the entry names.

    `cites` stand in place of those of the draft, one of which may have been retracted since.
    """
    clue = find(desk, name, clue_id)
    folder = _drafts(desk, name) / clue.commitment
    try:
        draft = json.loads((folder / _DRAFT).read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(
            f"There is no draft of clue {clue_id} at {folder}.",
            "Reveal it on the machine where it was committed, or bring the draft back.",
        ) from None
    manifest = (folder / MANIFEST).read_bytes()
    described = json.loads(manifest)
    by_name = {file["path"]: file["sha256"] for file in described["files"]}
    with desk.storing() as store:
        for path, digest in by_name.items():
            if store.put_file(folder / path) != digest:
                raise Invalid(f"{folder / path} changed since it was committed.", "Bring it back.")
        body = Reveal(
            clue=clue_id,
            salt=draft["salt"],
            content=store.put(manifest),
            submission=by_name[described["submission"]],
            form=draft["form"],
            licence=draft["licence"],
            cites=tuple(Cite(c, w) for c, w in draft["cites"]) if cites is None else tuple(cites),
            payees=tuple(Payee(to, parts) for to, parts in draft["payees"]),
        )
        return desk.say(key, body, name)


def publish(
    desk: Desk,
    key: Key,
    name: str,
    making: Making,
    cites: Sequence[Cite] = (),
    payees: Sequence[Payee] = (),
) -> Published:
    """Commit to a clue and reveal it at once.

    Where an earlier try stopped between the two, its commitment is revealed: a second one would
    cost a second bond, and the first would keep all later clues waiting.
    """
    begun = _begun(desk, key, name, making)
    if begun is not None:
        committed = Appended(begun.id, begun.committed_at)
        return Published(begun.id, committed, reveal(desk, key, name, begun.id, cites))
    done = commit(desk, key, name, making, cites, payees)
    return Published(done.clue, done.commit, reveal(desk, key, name, done.clue))


def _begun(desk: Desk, key: Key, name: str, making: Making) -> Clue | None:
    """Return this author's unrevealed clue with the same content, where its draft lies here."""
    author = desk.state.identity(key.address)
    content = hashlib.sha256(canonical.encode(making.manifest())).hexdigest()
    for clue in reversed(desk.challenge(name).clues.values()):
        if clue.status == "committed" and clue.author == author:
            file = _drafts(desk, name) / clue.commitment / _DRAFT
            if file.is_file() and json.loads(file.read_text("utf-8"))["content"] == content:
                return clue
    return None


def retract(desk: Desk, key: Key, name: str, clue_id: int) -> Appended:
    """Take a clue back before it is final."""
    return desk.say(key, Retract(clue_id), name)


def find(desk: Desk, name: str, clue_id: int) -> Clue:
    """Return the folded record of a clue, or raise `NotFound`."""
    clue = desk.challenge(name).clues.get(clue_id)
    if clue is None:
        known = ", ".join(str(i) for i in desk.challenge(name).clues) or "none yet"
        raise NotFound(f"{name} has no clue {clue_id}.", f"Its clues are: {known}.")
    return clue


def content(desk: Desk, clue: Clue) -> Content:
    """Return what a revealed clue says of itself; raise `Unfit` where it is not well-formed."""
    return parse_content(desk.blobs.get(clue.content), clue)


def title(desk: Desk, clue: Clue) -> str:
    """Return a clue's title, or why there is none to read."""
    if not clue.content:
        return "(not revealed)"
    try:
        return content(desk, clue).title
    except (NotFound, Unfit):
        return "(cannot be read)"


def parse_content(data: bytes, clue: Clue) -> Content:
    """Read a content blob, and check it against what the reveal entry says.

    Strangers write it: whatever it holds, it is well-formed or raises `Unfit`, the same everywhere.
    """
    if len(data) > MAX_MANIFEST:
        raise Unfit(
            f"The description of clue {clue.id} has {len(data)} bytes.",
            f"It may have {MAX_MANIFEST}.",
        )
    try:
        found, form = _describe(canonical.decode(data))
        agrees = form == clue.form and found.files[found.submission] == clue.submission
    except (KeyError, TypeError, AttributeError, Malformed) as error:
        raise Unfit(
            f"Clue {clue.id} is not described well: {error!r:.300}.", "Publish it anew."
        ) from None
    if not agrees:
        raise Unfit(
            f"The description of clue {clue.id} names another file or form than its entry.",
            "Publish it anew.",
        )
    return found


def _describe(described: Any) -> tuple[Content, str]:
    """Return what a stranger's description says, and the form that it names."""
    files = {_text(f["path"]): _blob(f["sha256"]) for f in described["files"]}
    if len(files) < len(described["files"]):
        raise Malformed("Two files have one name.", "Rename one.")
    method = described.get("method")
    if not isinstance(method, dict | None):
        raise Malformed(f"The method is {method!r:.80}.", "Describe it by an object.")
    found = Content(
        title=" ".join(_text(described["title"]).split()),
        description=_text(described["description"]),
        submission=_text(described["submission"]),
        files=files,
        method=method,
    )
    return found, _text(described["form"])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{value!r:.80} is no text.", "Write a string.")
    return value


def _blob(value: Any) -> str:
    name = _text(value)
    if parse_blob_path(blob_path(name)) is None:
        raise Malformed(f"{name!r:.80} is no SHA-256.", "Name a file by its hash.")
    return name


def method_of(desk: Desk, found: Content) -> Method:
    """Return the method that a clue publishes; raise `Unfit` where it has none, or a bad one."""
    if not found.method:
        raise Unfit("The clue has no method.", "Only a clue of form 'method' can be reproduced.")
    manifest = dict(found.method)
    script = manifest.pop("script", "")
    if not isinstance(script, str) or script not in found.files:
        raise Unfit(f"The clue has no file {script!r:.80}.", "Name the method's script.")
    blob = found.files[script]
    if blob in desk.state.withheld:
        raise Unfit(
            f"The script {script!r} is withheld.", "Publish a method whose script may stay."
        )
    if desk.blobs.size(blob) > MAX_SCRIPT:
        raise Unfit(f"The script {script!r} is too long.", f"It may have {MAX_SCRIPT} bytes.")
    return method(desk.blobs.get(blob), manifest)


def _check_fit(desk: Desk, name: str, making: Making) -> None:
    """Refuse before anything is signed what no scorer would take."""
    challenge = desk.challenge(name)
    if (making.form == "method") != (making.script is not None):
        raise Usage(
            f"A clue of form {making.form!r} has {'a' if making.script else 'no'} script.",
            "Give --script with the form 'method', and only with it.",
        )
    making.files()
    if making.script:
        manifest = making.manifest()["method"]
        del manifest["script"]
        method(making.script.read_bytes(), manifest)
    scorer = SCORERS.get(challenge.terms.scorer)
    if making.form in SCORED_FORMS and scorer and making.main.suffix not in scorer.suffixes:
        raise Unfit(
            f"The submission is {making.main.name}.",
            f"{scorer.name} takes {', '.join(scorer.suffixes)}.",
        )


def _check_reveal(
    desk: Desk, name: str, making: Making, cites: Sequence[Cite], payees: Sequence[Payee]
) -> None:
    """Refuse before the commitment, with its bond, what no reveal could publish."""
    body = Reveal(
        clue=desk.state.size,
        salt="0" * 64,
        content="0" * 64,
        submission="0" * 64,
        form=making.form,
        licence=making.licence,
        cites=tuple(cites),
        payees=tuple(payees),
    )
    parse(Reveal.kind, to_body(body))
    challenge = desk.challenge(name)
    body.check_cites(challenge)
    body.check_payees(desk.state, challenge)


def _drafts(desk: Desk, name: str) -> Path:
    return desk.private / "drafts" / name


def _save_draft(
    folder: Path, draft: dict[str, Any], manifest: bytes, files: Sequence[Path]
) -> None:
    """Save everything that the reveal needs; the folder appears whole or not at all."""
    half = folder.with_name(f"{folder.name}.half")
    half.mkdir(parents=True, mode=0o700)
    for file in files:
        shutil.copyfile(file, half / file.name)
    (half / MANIFEST).write_bytes(manifest)
    (half / _DRAFT).write_text(json.dumps(draft, indent=1), "utf-8")
    sync_files(list(half.iterdir()))
    sync_folders([half])
    half.rename(folder)
    sync_folders([folder.parent, folder.parent.parent, folder.parent.parent.parent])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
