"""What the tests of this room share."""

from tests.chain.nodes import anvil_url, chain, fresh_anvil

__all__ = ["anvil_url", "chain", "fresh_anvil"]
