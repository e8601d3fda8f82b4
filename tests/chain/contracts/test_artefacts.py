"""The committed artefacts are what the compiler makes of contracts/, to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import contracts
from scripts.pages import ROOT

AT_MOST = 24_576
"""Bytes that may stand at an address (EIP-170)."""

needs_compiler = pytest.mark.skipif(
    not contracts.installed(), reason="run `python -m scripts.contracts --install` first"
)


@pytest.fixture(scope="module")
def compiler() -> contracts.Compiler:
    return contracts.Compiler()


@needs_compiler
@pytest.mark.parametrize("file", contracts.files(), ids=lambda file: file.stem)
def test_compiling_again_gives_the_committed_bytes(
    file: Path, compiler: contracts.Compiler
) -> None:
    for path, text in contracts.pages(compiler, file).items():
        assert (ROOT / path).read_text(encoding="utf-8") == text


def test_every_artefact_comes_from_a_contract_that_is_still_there() -> None:
    names = {
        folder: {
            name
            for file in contracts.files()
            if (file.parent.name == "mocks") == (folder == contracts.MOCKS)
            for name in contracts.CONTRACT.findall(file.read_text(encoding="utf-8"))
        }
        for folder in (contracts.ARTEFACTS, contracts.MOCKS)
    }
    for folder, wanted in names.items():
        assert {path.stem for path in (ROOT / folder).glob("*.json")} == wanted


@pytest.mark.parametrize(
    "path", sorted((ROOT / contracts.ARTEFACTS).glob("*.json")), ids=lambda path: path.stem
)
def test_every_contract_fits_at_an_address(path: Path) -> None:
    assert 0 < len(bytes.fromhex(json.loads(path.read_text())["runtime"][2:])) <= AT_MOST


@needs_compiler
def test_a_warning_of_the_compiler_is_an_error(
    compiler: contracts.Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "CONTRACTS", tmp_path)
    file = tmp_path / "Sloppy.sol"
    text = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.28;\ncontract Sloppy {%s}\n"
    file.write_text(text % "")
    assert set(compiler.artefacts(file)) == {"Sloppy"}
    file.write_text(text % "function f() external { uint256 unused; }")
    with pytest.raises(ValueError, match="Unused local variable"):
        compiler.artefacts(file)


@needs_compiler
def test_one_changed_line_changes_the_bytes(
    compiler: contracts.Compiler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "CONTRACTS", tmp_path)
    (tmp_path / "mocks").mkdir()
    text = (ROOT / "contracts" / "mocks" / "Recipients.sol").read_text(encoding="utf-8")
    file = tmp_path / "mocks" / "Recipients.sol"
    for body, same in ((text, True), (text.replace("100000", "100001"), False)):
        file.write_text(body, encoding="utf-8")
        made = compiler.artefacts(file)["Bomb"]
        assert (made == (ROOT / contracts.MOCKS / "Bomb.json").read_text("utf-8")) is same
