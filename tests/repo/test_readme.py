"""The README: its map of rooms is the tree, and its commands exist."""

from __future__ import annotations

import re

from tests.repo.tree import PACKAGE, ROOT, tracked

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _map() -> dict[str, str]:
    """Return path -> what the map says of it."""
    block = README.partition("## Map of rooms")[2].split("```")[1]
    found: dict[str, str] = {}
    parent = ""
    for line in block.strip("\n").splitlines():
        name, _, words = line.strip().partition(" ")
        if line.startswith(" "):
            found[parent + name] = words.strip()
        elif words:
            found[name] = words.strip()
        else:
            parent = name
    return found


def test_the_map_names_every_room_of_the_package_and_no_other() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0] for path in tracked() if PACKAGE in path.parents}
    rooms = {f"{r}/" if (PACKAGE / r).is_dir() else r for r in rooms - {"__init__.py", "py.typed"}}
    mapped = {name.removeprefix("src/danseo/") for name in _map() if name.startswith("src/")}
    assert mapped == rooms


def test_the_map_names_every_folder_of_the_repository() -> None:
    tops = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    folders = {f"{top}/" for top in tops if not top.startswith(".")} - {"src/"}
    mapped = {name for name in _map() if name.endswith("/") and not name.startswith("src/")}
    assert mapped == folders


def test_what_the_map_names_is_there_and_has_a_line() -> None:
    for name, words in _map().items():
        assert (ROOT / name).exists(), name
        assert len(words) > 10, name


def test_the_rooms_stand_in_the_order_of_the_layers_named_below_it() -> None:
    layers = re.search(r"downwards only: `(.*?)`", README)
    assert layers is not None
    named = set(re.findall(r"\w+", layers[1]))
    mapped = {name.removeprefix("src/danseo/").strip("/") for name in _map() if "src/" in name}
    assert named == {name.removesuffix(".py") for name in mapped} - {"settings", "__main__"}


def test_the_two_commands_are_there() -> None:
    commands = README.partition("## Two commands")[2].partition("\n## ")[0]
    assert re.findall(r"^    make (\w+)", commands, re.MULTILINE) == ["demo", "test"]


def test_it_speaks_english_and_korean() -> None:
    assert len(re.findall(r"[가-힣]+", README)) > 30
