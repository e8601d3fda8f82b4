"""A phantom: a made-up charred scroll, of which everything is known."""
