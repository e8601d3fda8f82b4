"""danseo: open a hard problem, and pay for every clue."""

__version__ = "0.1.0"
