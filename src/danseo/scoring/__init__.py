"""Scorers, and the sandbox that they and published methods run in."""
