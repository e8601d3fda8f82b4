"""The rules: pure functions over integers, standard library only."""
