"""Look the contracts over with Slither: `python -m scripts.slither`, or `make slither`.

Each finding of high or medium impact must be explained in docs/slither.md, by the name of the check
and the place; what is not explained, or is explained and no longer found, fails. Slither stands in
a virtual environment of its own below build/, since it is no part of the product.

Slither asks for a `solc` to execute. There is none: `scripts/solc-for-slither` calls this module
with `--solc`, which answers as solc would, from the compiler that compiles the contracts.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any, Final

from scripts import contracts
from scripts.pages import ROOT

VERSION: Final = "0.11.6"
HOME: Final = ROOT / "build" / "slither"
WORDS: Final = ROOT / "docs" / "slither.md"
UNIT: Final = "ChallengeFactory.sol"
"""It imports every contract of the product."""
ROW: Final = re.compile(r"^\| `([a-z0-9-]+)` \| `([\w.]+)` \| (.+) \|$", re.MULTILINE)


def findings() -> dict[tuple[str, str], str]:
    """Return what Slither finds of high or medium impact: (check, place) -> what it says."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [
            str(HOME / "bin" / "slither"), UNIT, "--json", str(answer), "--exclude-informational",
            "--exclude-low", "--exclude-optimization", "--filter-paths", "node_modules",
            "--solc", str(ROOT / "scripts" / "solc-for-slither"),
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=contracts.CONTRACTS, check=False, capture_output=True, text=True
        )
        if not answer.exists():
            raise ValueError(done.stderr)
        said = json.loads(answer.read_text(encoding="utf-8"))
    if not said["success"]:
        raise ValueError(said["error"])
    return {
        (one["check"], _place(one)): one["description"].strip()
        for one in said["results"].get("detectors", [])
    }


def explained() -> dict[tuple[str, str], str]:
    """Return what docs/slither.md explains: (check, place) -> why."""
    rows = ROW.findall(WORDS.read_text(encoding="utf-8"))
    return {(check, place): why for check, place, why in rows}


def _place(finding: dict[str, Any]) -> str:
    """Return contract and function that a finding is about."""
    first = finding["elements"][0]
    while first["type"] not in ("function", "contract"):
        first = first["type_specific_fields"]["parent"]
    if first["type"] == "contract":
        return str(first["name"])
    return f"{first['type_specific_fields']['parent']['name']}.{first['name']}"


def answer_as_solc(arguments: list[str]) -> int:
    """Answer `--version`, or compile a file to combined JSON without bytecode, as solc does."""
    compiler = contracts.Compiler()
    if "--version" in arguments:
        print(f"solc, the solidity compiler commandline interface\nVersion: {compiler.version}")
        return 0
    unit = next(a for a in arguments if a.endswith(".sol"))
    wanted = {"": ["ast"], "*": ["abi", "devdoc", "userdoc", "evm.methodIdentifiers"]}
    said = compiler.compile(unit, {"outputSelection": {"*": wanted}, "evmVersion": "cancun"})
    print(json.dumps(_combined(said, compiler.version)))
    return 0


def _combined(said: dict[str, Any], version: str) -> dict[str, Any]:
    sources = sorted(said["sources"].items(), key=lambda item: int(item[1]["id"]))
    made = {
        f"{file}:{name}": {
            "abi": one["abi"],
            "bin": "",
            "bin-runtime": "",
            "srcmap": "",
            "srcmap-runtime": "",
            "devdoc": one["devdoc"],
            "userdoc": one["userdoc"],
            "hashes": one["evm"]["methodIdentifiers"],
        }
        for file, found in said["contracts"].items()
        for name, one in found.items()
    }
    return {
        "contracts": made,
        "sourceList": [name for name, _ in sources],
        "sources": {name: {"AST": source["ast"]} for name, source in sources},
        "version": version,
    }


def _install() -> None:
    if not (HOME / "bin" / "slither").exists():
        venv.create(HOME, with_pip=True)
        pip = [str(HOME / "bin" / "pip"), "install", "--quiet", f"slither-analyzer=={VERSION}"]
        subprocess.run(pip, check=True)


def main(arguments: list[str]) -> int:
    """Compare what is found with what is explained; return 0 where they are the same."""
    if arguments[:1] == ["--solc"]:
        return answer_as_solc(arguments[1:])
    if amiss := contracts.install():
        print(amiss)
        return 1
    _install()
    found, words = findings(), explained()
    for key in sorted(found.keys() - words.keys()):
        print(f"Not explained in docs/slither.md: {key[0]} at {key[1]}\n{found[key]}\n")
    for check, place in sorted(words.keys() - found.keys()):
        print(f"Explained in docs/slither.md and no longer found: {check} at {place}")
    print(f"{len(found)} findings of high or medium impact.")
    return int(found.keys() != words.keys())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
