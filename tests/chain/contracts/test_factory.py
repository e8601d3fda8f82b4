"""The factory: one transaction, known addresses, wired as stated, and nothing to run ahead of."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi import encode

from danseo.chain import artefacts
from danseo.chain.embedded import Embedded  # noqa: F401
from danseo.log.signing import keccak256
from tests.chain.contracts.challenge import (
    CAP,
    DAY,
    GUARDIAN,
    ID,
    KINDS,
    OPERATOR,
    PARTS,
    Deployed,
    config,
    make_factory,
)
from tests.chain.evm import BEGIN, ETH, World, account, refused

LARGEST_CODE, LARGEST_INITCODE = 24_576, 49_152
