"""Ink from layers: a small network that sees at most half a millimetre around each point."""
