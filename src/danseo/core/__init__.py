"""The rules: pure functions over integers, standard library only."""

from danseo.core import kinds as kinds
