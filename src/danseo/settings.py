"""Every setting of danseo: its name, its default and what it does.

This is the only module that reads the environment. `docs/reference/settings.md` is made from
`SETTINGS`. A command-line option, where there is one, goes before the variable.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from danseo.core.errors import Usage

PREFIX: Final = "DANSEO_"
LANGUAGES: Final = ("en", "ko")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process, parsed. `load` makes it."""

    home: Path
    """The folder of this host: `log/`, `host/` and `keys/` lie in it."""
    data: Path | None
    """The folder of real fragments, or None: then the demo makes a stand-in."""
    key: str
    """The name of the key to act with, or "" where none was chosen."""
    password_file: Path | None
    """A file whose first line is the password of that key, or None: then it is asked for."""
    blobs: str
    """Where blobs lie: a path or an fsspec URL, or "" for beside the log."""
    workers: int
    """Processes that long work may use: at least 1."""
    lang: str
    """The language of summaries and pages: one of `LANGUAGES`."""
    lock_timeout: int
    """Seconds to wait for another process that holds the log."""
    method_cache: Path
    """The folder of environments that were built for published methods."""
    chain_url: str
    """The JSON-RPC address of a node, or "" for the embedded chain of `home`."""
    confirmations: int
    """Blocks that must stand upon one before it counts as final, on a development chain."""
    anvil: Path | None
    """The program anvil, or None: then that of scripts/setup-anvil, or the one on the PATH."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable of the environment. `read` parses its text or raises `ValueError`."""

    name: str
    default: str
    help: str
    allowed: str
    read: Callable[[str], Any]

    @property
    def field(self) -> str:
        """The member of `Settings` that it fills.

        >>> SETTINGS[0].name, SETTINGS[0].field
        ('DANSEO_HOME', 'home')
        """
        return self.name.removeprefix(PREFIX).lower()


def load(
    environ: Mapping[str, str] | None = None, given: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings that `environ` gives (by default, that of this process).

    `given` goes before it: what options of the command say, under the names of variables. An
    absent variable and an empty one both mean the default. Raise `Usage` for a bad value,
    naming the variable, the value and what is allowed.

    >>> load({"DANSEO_LANG": "ko"}).lang
    'ko'
    >>> load({"DANSEO_LANG": "fr"})
    Traceback (most recent call last):
    danseo.core.errors.Usage: DANSEO_LANG is 'fr'. It must be en or ko.
    """
    environ = {**(os.environ if environ is None else environ), **(given or {})}
    values = {setting.field: _read(setting, environ) for setting in SETTINGS}
    if values["method_cache"] is None:
        values["method_cache"] = values["home"] / "host" / "methods"
    return Settings(**values)


def unknown(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return a line for each `DANSEO_` variable that is none of ours, with the likeliest meant.

    >>> unknown({"DANSEO_LANGUAGE": "ko"})
    ['There is no setting DANSEO_LANGUAGE; did you mean DANSEO_LANG?']
    """
    environ = os.environ if environ is None else environ
    names = [setting.name for setting in SETTINGS]
    lines = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            lines.append(f"There is no setting {name}{hint}")
    return lines


def _read(setting: Setting, environ: Mapping[str, str]) -> Any:
    text = environ.get(setting.name) or setting.default
    try:
        return setting.read(text)
    except ValueError:
        raise Usage(f"{setting.name} is {text!r}.", f"It must be {setting.allowed}.") from None


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError(text)
    return Path(text).expanduser()


def _optional_path(text: str) -> Path | None:
    return _path(text) if text else None


def _key_name(text: str) -> str:
    # A name of a key becomes the name of a file: nothing that could leave its folder.
    if text and not (text.isascii() and text.replace("-", "").replace("_", "").isalnum()):
        raise ValueError(text)
    return text


def _location(text: str) -> str:
    # "s3:/bucket" would be taken for a local folder of that name, and silently filled.
    scheme, colon, rest = text.partition(":")
    if colon and len(scheme) > 1 and scheme.isalnum() and not rest.startswith(("//", ":")):
        raise ValueError(text)
    return text


def _node(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s]+", text):
        raise ValueError(text)
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(text)
        return int(text)

    return read


def _workers(text: str) -> int:
    count = _whole(0, 1024)(text)
    return count or len(os.sched_getaffinity(0))


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(text)
    return text


SETTINGS: Final = (
    Setting(
        "DANSEO_HOME",
        ".",
        "The folder of this host: `log/` is public, `host/` and `keys/` are private.",
        "the path of a folder",
        _path,
    ),
    Setting(
        "DANSEO_DATA",
        "",
        "The folder of real fragments that the demo reads. Empty: it generates a stand-in.",
        "the path of a folder",
        _optional_path,
    ),
    Setting(
        "DANSEO_KEY",
        "",
        "The name of the key to act with. Empty: the command asks for it as an option.",
        "letters, digits, hyphens and underscores",
        _key_name,
    ),
    Setting(
        "DANSEO_PASSWORD_FILE",
        "",
        "A file whose first line is the password of that key. Empty: the command asks. "
        "A password never stands on a command line.",
        "the path of a file",
        _optional_path,
    ),
    Setting(
        "DANSEO_BLOBS",
        "",
        "Where blobs are kept: a path or any fsspec URL, such as `s3://bucket/blobs`. "
        "Empty: beside the log.",
        "a path or a URL such as s3://bucket/blobs",
        _location,
    ),
    Setting(
        "DANSEO_WORKERS",
        "0",
        "How many processes long work may use. 0: as many as there are cores.",
        "a whole number from 0 to 1024",
        _workers,
    ),
    Setting(
        "DANSEO_LANG",
        "en",
        "The language of summaries: `en` or `ko`.",
        "en or ko",
        _language,
    ),
    Setting(
        "DANSEO_LOCK_TIMEOUT",
        "30",
        "How many seconds a command waits while another process holds the log.",
        "a whole number from 0 to 86400",
        _whole(0, 86_400),
    ),
    Setting(
        "DANSEO_METHOD_CACHE",
        "",
        "The folder of environments built for published methods. Empty: `host/methods` in the "
        "home.",
        "the path of a folder",
        _optional_path,
    ),
    Setting(
        "DANSEO_CHAIN_URL",
        "",
        "The JSON-RPC address of an EVM node. Empty: the node that `danseo chain up` started in "
        "the home, or else a chain within this process, kept in `host/chain`.",
        "an http or https address",
        _node,
    ),
    Setting(
        "DANSEO_CONFIRMATIONS",
        "0",
        "How many blocks must stand upon one before it counts as final, on a development chain "
        "such as anvil. A real chain says itself which are final.",
        "a whole number from 0 to 10000",
        _whole(0, 10_000),
    ),
    Setting(
        "DANSEO_ANVIL",
        "",
        "The program anvil, for `danseo chain up`. Empty: the one that scripts/setup-anvil "
        "installed, or that on the PATH.",
        "the path of a program",
        _optional_path,
    ),
)
"""Every setting, in the order of the reference page."""
