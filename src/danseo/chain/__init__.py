"""The chain: one client for every node, the contracts, payout trees, a watcher."""
