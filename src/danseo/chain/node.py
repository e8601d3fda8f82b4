"""Asking a node over JSON-RPC: retries with growing pauses, batches, and errors one can act on.

A node is reached over HTTP by web3's provider, or is the embedded chain in this process. What a
node refuses comes back as a `Fault`; what it is too busy for is asked again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from danseo.chain.answers import fits, plain
from danseo.core.errors import Unavailable, Usage

Request = tuple[str, tuple[Any, ...]]

_BUSY_CODES: Final = frozenset({-32005, -32016, -32029, 429})
_BUSY: Final = re.compile(r"rate.?limit|too many requests|capacity|try again|timed? ?out", re.I)
_MANY: Final = re.compile(
    r"(more than|exceed\w*|too (many|large|wide|big)|limit\w*|max\w*)\b.*"
    r"\b(results?|logs?|(block )?ranges?|blocks|size)"
    r"|(range|response|result)\w* .*(too|exceed|large|limit)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a node answered in place of a result. `data` is what a contract reverted with."""

    code: int
    message: str
    data: bytes = b""

    @property
    def too_many(self) -> bool:
        """Whether the node would answer for fewer blocks."""
        return bool(_MANY.search(self.message))

    @property
    def busy(self) -> bool:
        """Whether the same request may do later."""
        return not self.too_many and (self.code in _BUSY_CODES or bool(_BUSY.search(self.message)))


_UNREACHED: Final = Fault(429, "it was not reached")
"""What stands for an answer that never came and may come later."""


class Provider(Protocol):
    """What web3's providers and the embedded chain have in common."""

    def make_request(self, method: Any, params: Any) -> Any:
        """Return the JSON-RPC answer: {"result": ...} or {"error": ...}."""


class Node:
    """A node and how often it is asked. `name` is its URL without what may be secret in it."""

    def __init__(
        self,
        provider: Provider,
        name: str,
        patience: float = 30,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ask a busy node again for `patience` seconds of pauses in all."""
        self.provider, self.name = provider, name
        self._patience, self._sleep = patience, sleep

    @classmethod
    def at(cls, url: str, patience: float = 30, timeout: float = 30) -> Node:
        """Return the node at an http or https URL; `Usage` for any other."""
        try:
            parts = urlsplit(url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # half an IPv6 address, a port that is none
            whole = False
        if not whole:
            raise Usage("The URL of a node starts with http:// or https://.", "Mend it.")
        from web3 import HTTPProvider

        # Whoever was named is asked, and nobody to whom that one points.
        kwargs = {"timeout": timeout, "allow_redirects": False}
        provider = HTTPProvider(url, request_kwargs=kwargs, exception_retry_configuration=None)
        return cls(provider, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", patience)

    def ask(self, method: str, *params: Any) -> Any:
        """Return the result; raise `Unavailable` where the node gives none."""
        answer = self.attempt(method, *params)
        if isinstance(answer, Fault):
            raise self._refusal(method, answer)
        return answer

    def attempt(self, method: str, *params: Any) -> Any:
        """Return the result, or the `Fault` that is no matter of waiting."""
        for pause in self._pauses():
            answer: Any = _UNREACHED
            with self._reached():
                answer = _read(self.provider.make_request(method, list(params)))
            if not (isinstance(answer, Fault) and answer.busy):
                return self._sound(method, answer)
            self._sleep(pause)
        with self._reached(last=True):
            answer = _read(self.provider.make_request(method, list(params)))
        return self._sound(method, answer)

    def attempt_all(self, requests: Sequence[Request]) -> list[Any]:
        """Return the result or the `Fault` of each request, in order, in one round trip."""
        batch = getattr(self.provider, "make_batch_request", None)
        if batch is None or not requests:
            return [self.attempt(method, *params) for method, params in requests]
        wanted = [(method, list(params)) for method, params in requests]
        answers: Any = None
        for pause in (*self._pauses(), None):
            with self._reached(last=pause is None):
                answers = batch(wanted)
                if isinstance(answers, list) and len(answers) == len(wanted):
                    break
            if pause is not None:
                self._sleep(pause)
        if not isinstance(answers, list) or len(answers) != len(wanted):
            raise Unavailable(
                f"The node at {self.name} does not answer {len(wanted)} requests at once.",
                "Ask for fewer at once, or use another node.",
            )
        read = [_read(answer) for answer in answers]
        return [
            self.attempt(method, *params)
            if isinstance(one, Fault) and one.busy
            else self._sound(method, one)
            for one, (method, params) in zip(read, requests, strict=True)
        ]

    def _sound(self, method: str, answer: Any) -> Any:
        """Return an answer; raise `Unavailable` where it is a result of another form."""
        if isinstance(answer, Fault) or fits(method, answer):
            return answer
        raise Unavailable(
            f"The node at {self.name} answers {method} with {plain(repr(answer)[:80])}.",
            "That is no answer of its kind: use another node.",
        )

    def _pauses(self) -> Iterator[float]:
        """Yield growing pauses in seconds until the patience is used up."""
        pause, spent = 0.1, 0.0
        while spent + pause <= self._patience:
            yield pause
            spent, pause = spent + pause, min(2 * pause, 5.0)

    @contextmanager
    def _reached(self, last: bool = False) -> Iterator[None]:
        """Let what may pass by pass, except the last time; say of the rest where it happened."""
        from requests import HTTPError, RequestException

        try:
            yield
        except HTTPError as error:
            status = 0 if error.response is None else error.response.status_code
            if last or status not in (408, 425, 429, 500, 502, 503, 504):
                raise self._unreached(f"answers with HTTP status {status}") from None
        except (RequestException, OSError) as error:
            if last:
                raise self._unreached(f"cannot be reached ({type(error).__name__})") from None
        except ValueError:
            if last:
                raise self._unreached("does not answer in JSON") from None

    def _unreached(self, how: str) -> Unavailable:
        return Unavailable(
            f"The node at {self.name} {how}.", "See that it runs and that its URL is right."
        )

    def _refusal(self, method: str, fault: Fault) -> Unavailable:
        return Unavailable(
            f"The node at {self.name} does not answer {method}: {fault.message} ({fault.code})",
            "Wait, or use another node.",
        )


def _read(answer: Any) -> Any:
    """Return the result of a JSON-RPC answer, or its fault."""
    if not isinstance(answer, dict):
        return Fault(0, "The answer is no JSON-RPC.")
    if "error" not in answer or answer["error"] is None:
        return answer.get("result")
    error = answer["error"]
    if not isinstance(error, dict):
        return Fault(0, plain(error))
    code, data = error.get("code"), error.get("data")
    if isinstance(data, dict):  # some nodes nest it
        data = data.get("data")
    try:
        raw = bytes.fromhex(data[2:]) if isinstance(data, str) else b""
    except ValueError:
        raw = b""
    return Fault(code if isinstance(code, int) else 0, plain(error.get("message", "")), raw)
