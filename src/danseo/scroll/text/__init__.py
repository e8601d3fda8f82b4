"""A map of ink probability in, lines and letters out."""
