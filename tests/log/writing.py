"""What tests of the writing side share: entries to append, and a strict look at what is public."""

from __future__ import annotations

from pathlib import Path

from danseo.core.merkle import Tree, leaf_hash
from danseo.core.state import State
from danseo.core.words import utc
from danseo.log import note, signing, tiles
from danseo.log.sequencer import Sequencer
from danseo.log.signing import Domain, Key
from danseo.log.source import FolderSource
from danseo.log.verify import verify
from danseo.log.wire import Signed

ORIGIN = "log.example/test"
CHAIN = 31337
DOMAIN = Domain(CHAIN, ORIGIN)
OPERATOR = Key(b"\x01" * 32)
OTHER = Key(b"\x02" * 32)
START = 1_700_000_000


def create(home: Path, clock: str = "simulated", **options) -> Sequencer:
    """A fresh log, begun at START."""
    options = {"start": START} | options
    return Sequencer.create(
        home, origin=ORIGIN, chain_id=CHAIN, operator=OPERATOR, clock=clock, **options
    )


def tick(sequence: int, key: Key = OPERATOR) -> Signed:
    """An entry that lets time pass. The operator's genesis has sequence 0."""
    return signing.sign_entry(key, DOMAIN, "tick", "", sequence, {}, "Let time pass")


def ticks(start: int, count: int, key: Key = OPERATOR) -> list[Signed]:
    return [tick(start + i, key) for i in range(count)]


def advance(sequence: int, to: int) -> Signed:
    summary = f"Advance the simulated clock to {utc(to)}"
    return signing.sign_entry(OPERATOR, DOMAIN, "clock.advance", "", sequence, {"to": to}, summary)


def sealing(sequence: int, key: Key, public: str) -> Signed:
    """An entry with a body, which the state remembers."""
    summary = f"Register the sealing key {public:.16}"
    body = {"x25519": public}
    return signing.sign_entry(key, DOMAIN, "key.sealing", "", sequence, body, summary)


def leaves_of(folder: Path) -> list[bytes]:
    """The leaves that the checkpoint in `folder` covers, after a check of all that is public."""
    text = note.parse_note((folder / "checkpoint").read_bytes()).text
    checkpoint = note.parse_checkpoint(text)
    leaves = []
    for tile in tiles.tiles_of(checkpoint.size):
        data = tiles.read_tile(folder, tile)
        if tile.level == tiles.ENTRIES:
            leaves += tiles.decode_bundle(data, tile)
    tree = Tree()
    tree.extend(map(leaf_hash, leaves))
    assert (tree.size, tree.root()) == (checkpoint.size, checkpoint.root)
    return leaves


def check_public(folder: Path) -> State:
    """Verify what is public, as a stranger would; return the state that it gives."""
    with FolderSource(folder) as source:
        return verify(source, workers=1).state
