"""Compile contracts/: `python -m scripts.contracts [--check | --install] [NAME ...]`.

The compiler is the npm package `solc`: JavaScript and WebAssembly, run here in mini-racer, so that
compiling needs no Node. npm alone fetches it and OpenZeppelin's sources, once (`--install` does no
more than that, and says so where there is no npm). Every file is compiled by itself with what it
imports, so that the bytecode of one contract does not hang on the others. A warning is an error.
`NAME` is a file's name without its ending; with none, all are compiled.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from scripts.pages import ROOT, publish

CONTRACTS: Final = ROOT / "contracts"
PACKAGES: Final = CONTRACTS / "node_modules"
ARTEFACTS: Final = Path("src/danseo/chain/artefacts")
MOCKS: Final = Path("tests/chain/artefacts")
RUNS: Final = 1_000_000
"""How often the optimiser supposes that each piece of code runs: cheap calls, dearer deployment."""
FEWER_RUNS: Final = {"ChallengeGovernor": 200}
"""Files whose contract would pass the 24,576 bytes that may stand at an address."""
IMPORT: Final = re.compile(r'^import\s[^"]*"([^"]+)"\s*;', re.MULTILINE)
CONTRACT: Final = re.compile(r"^contract\s+(\w+)", re.MULTILINE)


class Compiler:
    """The compiler of `node_modules`, ready to run."""

    def __init__(self) -> None:
        """Load it; this takes about a second."""
        import py_mini_racer

        source = (PACKAGES / "solc" / "soljson.js").read_text(encoding="utf-8")
        self._context = py_mini_racer.MiniRacer()
        self._context.eval(source)
        self._context.eval(
            "var compile = Module.cwrap('solidity_compile', 'string', "
            "['string', 'number', 'number']);"
            "var version = Module.cwrap('solidity_version', 'string', []);"
            "var reset = Module.cwrap('solidity_reset', null, []);"
        )
        self.version: str = str(self._context.call("version"))

    def artefacts(self, file: Path) -> dict[str, str]:
        """Return the text of the artefact of each contract in `file`, by the contract's name.

        Raise `ValueError` with what the compiler says if it says anything at all.
        """
        names = CONTRACT.findall(file.read_text(encoding="utf-8"))
        if not names:
            return {}
        unit = file.relative_to(CONTRACTS).as_posix()
        settings = _settings(file.stem)
        answer = self.compile(unit, {**settings, "outputSelection": {unit: {"*": list(OUTPUTS)}}})
        return {
            name: _text(name, answer["contracts"][unit][name], self.version, settings)
            for name in names
        }

    def compile(self, unit: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the compiler's answer for a file of contracts/ and all that it imports.

        Raise `ValueError` with what the compiler says if it says anything at all.
        """
        request = {"language": "Solidity", "sources": _sources(unit), "settings": settings}
        answer: dict[str, Any] = json.loads(
            str(self._context.call("compile", json.dumps(request), 0, 0))
        )
        self._context.eval("reset()")
        said = [e["formattedMessage"] for e in answer.get("errors", []) if _is_ours(e)]
        if said:
            raise ValueError("\n".join(said))
        return answer


OUTPUTS: Final = (
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
)


def files(names: Iterable[str] = ()) -> list[Path]:
    """Return the files of contracts/ to compile: all, or those named; `ValueError` for others."""
    found = sorted(CONTRACTS.glob("*.sol")) + sorted((CONTRACTS / "mocks").glob("*.sol"))
    wanted = set(names)
    strange = wanted - {file.stem for file in found}
    if strange:
        raise ValueError(f"contracts/ holds no {', '.join(sorted(strange))}.")
    return [file for file in found if not wanted or file.stem in wanted]


def pages(compiler: Compiler, file: Path) -> dict[Path, str]:
    """Return what compiling `file` writes: path below the root -> text."""
    folder = MOCKS if file.parent.name == "mocks" else ARTEFACTS
    return {folder / f"{name}.json": text for name, text in compiler.artefacts(file).items()}


def installed() -> bool:
    """Return whether compiler and sources are there, in the versions that the lock names."""
    seen = PACKAGES / ".package-lock.json"
    if not seen.exists():
        return False
    locked = json.loads((CONTRACTS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    have = json.loads(seen.read_text(encoding="utf-8"))["packages"]
    return {k: v["version"] for k, v in locked.items() if k} == {
        k: v["version"] for k, v in have.items() if k
    }


def install() -> str:
    """Fetch compiler and sources with npm unless they are there; return what is amiss, or ""."""
    if installed():
        return ""
    if shutil.which("npm") is None:
        why = "npm fetches the compiler of the contracts."
        done = subprocess.run([ROOT / "scripts/install-package", "npm", why], check=False)
        if done.returncode:
            return "The contracts cannot be compiled here; they need not be: artefacts are kept."
    command = ["npm", "ci", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=CONTRACTS, check=False)
    return "" if done.returncode == 0 else "npm could not fetch the compiler: see above."


def _is_ours(error: dict[str, Any]) -> bool:
    """Return whether something is amiss in our files, not a mere warning for those we import."""
    place = error.get("sourceLocation") or {"file": ""}
    return error["severity"] == "error" or not place["file"].startswith("@")


def _settings(stem: str) -> dict[str, Any]:
    return {
        "evmVersion": "cancun",
        "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
        "optimizer": {"enabled": True, "runs": FEWER_RUNS.get(stem, RUNS)},
        "viaIR": True,
    }


def _sources(unit: str) -> dict[str, dict[str, str]]:
    """Return `unit` and all that it imports, by the names that the compiler gives them."""
    texts: dict[str, str] = {}
    waiting = [unit]
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        folder = PACKAGES if name.startswith("@") else CONTRACTS
        texts[name] = (folder / name).read_text(encoding="utf-8")
        for target in IMPORT.findall(texts[name]):
            beside = posixpath.join(posixpath.dirname(name), target)
            waiting.append(posixpath.normpath(beside) if target.startswith(".") else target)
    return {name: {"content": texts[name]} for name in sorted(texts)}


def _text(name: str, output: dict[str, Any], version: str, settings: dict[str, Any]) -> str:
    """Return the artefact's JSON; immutables are sorted places, without the compiler's numbers."""
    deployed = output["evm"]["deployedBytecode"]
    places = [place for group in deployed["immutableReferences"].values() for place in group]
    record = {
        "contract": name,
        "abi": output["abi"],
        "bytecode": "0x" + output["evm"]["bytecode"]["object"],
        "runtime": "0x" + deployed["object"],
        "immutables": sorted(places, key=lambda place: int(place["start"])),
        "solc": version,
        "settings": settings,
    }
    return json.dumps(record, indent=1, sort_keys=False) + "\n"


def main(arguments: list[str]) -> int:
    """Compile and write the artefacts, or with --check say which are stale."""
    options = {a for a in arguments if a.startswith("-")}
    if strange := options - {"--check", "--install"}:
        print(f"There is no option {min(strange)}. There are --check and --install.")
        return 2
    amiss = install()
    if amiss or "--install" in options:
        print(amiss, end="\n" if amiss else "")
        return 0 if "--install" in options else 1
    result, compiler = 0, Compiler()
    try:
        for file in files(set(arguments) - options):
            made = pages(compiler, file)
            result |= publish(made, "python -m scripts.contracts", "--check" in options)
            for path, text in made.items():
                size = len(json.loads(text)["runtime"]) // 2 - 1
                print(f"{path.stem}: {size:,} bytes")
    except ValueError as error:
        print(error)
        return 1
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
