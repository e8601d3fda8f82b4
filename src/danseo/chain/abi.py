"""A contract's ABI: calls and constructor arguments to bytes, results, events and errors back.

Going in, an address is a string in any case and bytes are `bytes` or hex with 0x. Coming out,
addresses are lower-case with 0x, integers are `int`, bytes are `bytes`, structs are tuples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from danseo.core.errors import Invalid, Malformed, NotFound
from danseo.log.signing import keccak256

Description = dict[str, Any]

_COMMON: Final[tuple[Description, ...]] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "reason", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)
"""What Solidity itself reverts with."""


class Abi:
    """What one contract understands. `name` is for messages."""

    __slots__ = ("_constructor", "_errors", "_events", "_methods", "name")

    def __init__(self, name: str, descriptions: Iterable[Description]) -> None:
        self.name = name
        self._methods: dict[str, list[Description]] = {}
        self._events: dict[str, Description] = {}
        self._errors = {_selector(error): error for error in _COMMON}
        self._constructor: list[Description] = []
        for described in descriptions:
            match described["type"]:
                case "function":
                    self._methods.setdefault(described["name"], []).append(described)
                case "event":
                    self._events["0x" + keccak256(_signature(described)).hex()] = described
                case "error":
                    self._errors[_selector(described)] = described
                case "constructor":
                    self._constructor = described["inputs"]

    def call(self, method: str, args: Sequence[Any]) -> bytes:
        """Return the data of a call; `NotFound` or `Malformed` where the contract has none such."""
        described = self._method(method, len(args))
        return _selector(described) + self._encode(method, described["inputs"], args)

    def result(self, method: str, count: int, data: bytes) -> Any:
        """Return what `method` (with `count` arguments) gave: None, one value, or a tuple."""
        outputs = self._method(method, count)["outputs"]
        values = self._decode(method, outputs, data)
        return values[0] if len(values) == 1 else (values or None)

    def construct(self, args: Sequence[Any]) -> bytes:
        """Return the constructor's arguments, which follow the bytecode of a deployment."""
        return self._encode("constructor", self._constructor, args)

    def event(self, topics: Sequence[str], data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Return name and arguments of a log's event, or None where this is none of the contract's.

        An indexed string, array or struct stands in the log as its hash alone: 32 bytes.
        """
        described = self._events.get(topics[0]) if topics else None
        if described is None:
            return None
        inputs, name = described["inputs"], described["name"]
        indexed = [i for i in inputs if i["indexed"]]
        if len(indexed) != len(topics) - 1:
            return None  # an event of that name and of another layout
        args: dict[str, Any] = {}
        for field, topic in zip(indexed, topics[1:], strict=True):
            whole = field["type"] if _fits_a_topic(field["type"]) else "bytes32"
            (args[field["name"]],) = self._decode(name, [{"type": whole}], bytes.fromhex(topic[2:]))
        plain = [i for i in inputs if not i["indexed"]]
        for field, value in zip(plain, self._decode(name, plain, data), strict=True):
            args[field["name"]] = value
        return name, {field["name"]: args[field["name"]] for field in inputs}

    def error(self, data: bytes) -> tuple[str, tuple[Any, ...]] | None:
        """Return name and values of the error that a contract reverted with, if it is known."""
        described = self._errors.get(data[:4])
        if described is None:
            return None
        try:
            return described["name"], self._decode(described["name"], described["inputs"], data[4:])
        except Invalid:
            return None

    def _method(self, name: str, count: int) -> Description:
        described = self._methods.get(name)
        if described is None:
            raise NotFound(
                f"The contract {self.name} has no method {name}.",
                f"It has {', '.join(sorted(self._methods))}.",
            )
        fitting = [d for d in described if len(d["inputs"]) == count]
        if len(fitting) != 1:
            raise Malformed(
                f"{self.name}.{name} cannot be called with {count} arguments.",
                f"It is {' or '.join(_signature(d).decode() for d in described)}.",
            )
        return fitting[0]

    def _encode(self, what: str, inputs: list[Description], args: Sequence[Any]) -> bytes:
        from eth_abi.abi import encode
        from eth_abi.exceptions import EncodingError

        types = [_type(i) for i in inputs]
        try:
            fitted = [_fit(i, a) for i, a in zip(inputs, args, strict=True)]
            return bytes(encode(types, fitted))
        except (EncodingError, ValueError, TypeError, OverflowError) as error:
            raise Malformed(
                f"{self.name}.{what} does not take these arguments: {error}",
                f"It takes {', '.join(types) or 'none'}.",
            ) from None

    def _decode(self, what: str, outputs: Sequence[Description], data: bytes) -> tuple[Any, ...]:
        from eth_abi.abi import decode
        from eth_abi.exceptions import DecodingError

        kinds = [_type(o) for o in outputs]
        try:
            values = decode(["bytes" if kind == "string" else kind for kind in kinds], data)
        except (DecodingError, ValueError, OverflowError):
            raise Invalid(
                f"{self.name}.{what} gave {len(data)} bytes that are no answer of its kind.",
                "See that the right contract stands at its address.",
            ) from None
        # Contracts do not check what calls itself a text, and one bad byte must stop no reader.
        return tuple(
            value.decode("utf-8", "replace") if kind == "string" else value
            for kind, value in zip(kinds, values, strict=True)
        )


def _type(described: Description) -> str:
    """Return a type as signatures write it, structs taken apart."""
    kind: str = described["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(c) for c in described['components'])}){kind[len('tuple') :]}"


def _signature(described: Description) -> bytes:
    return f"{described['name']}({','.join(_type(i) for i in described['inputs'])})".encode()


def _selector(described: Description) -> bytes:
    return keccak256(_signature(described))[:4]


def _fits_a_topic(kind: str) -> bool:
    return not kind.endswith("]") and kind not in ("string", "bytes") and "tuple" not in kind


def _fit(described: Description, value: Any) -> Any:
    """Return `value` as the encoder wants it: hex as bytes, structs given by name as tuples."""
    kind: str = described["type"]
    if kind.endswith("]"):
        one = {**described, "type": kind[: kind.rindex("[")]}
        return [_fit(one, v) for v in value]
    if kind == "tuple":
        parts = described["components"]
        given = [value[p["name"]] for p in parts] if isinstance(value, dict) else value
        return tuple(_fit(p, v) for p, v in zip(parts, given, strict=True))
    if kind.startswith("bytes") and isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x"))
    return value
