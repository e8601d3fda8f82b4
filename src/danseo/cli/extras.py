"""Commands that need more packages than danseo brings by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Tell of a package that is not installed, and which extra of danseo brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "danseo").partition(".")[0] == "danseo":
            raise
        from danseo.core.errors import Unavailable

        raise Unavailable(
            f"This needs the package {error.name}, which is not installed.",
            f"pip install 'danseo[{name}]'",
        ) from None
