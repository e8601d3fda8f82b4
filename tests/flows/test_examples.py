"""The examples in the docstrings of flows are true."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["notation", "clues", "jury"])
def test_the_examples_in_docstrings_are_true(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"danseo.flows.{name}"))
    assert (found.failed, found.attempted > 0) == (0, True)
