"""Settings: defaults that work, and refusals that name variable, value and what is allowed."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from danseo import settings
from danseo.core.errors import Usage
from tests.repo.tree import sources

EXPORTS = {"player.py", "tiles.py"}
"""The demo plays a user: it exports DANSEO_HOME for the commands that it types, and restores it.
A worker process of the scroll tells numerical libraries how many threads it may have."""


def test_with_nothing_set_every_setting_has_a_default_that_works() -> None:
    found = settings.load({})
    assert found.home == Path()
    assert found.data is None
    assert found.key == ""
    assert found.password_file is None
    assert found.blobs == ""
    assert found.workers >= 1
    assert found.lang == "en"
    assert found.lock_timeout == 30
    assert found.method_cache == Path("host/methods")
    assert found.chain_url == ""
    assert found.confirmations == 0
    assert found.anvil is None


def test_every_setting_fills_one_field_and_every_field_has_a_setting() -> None:
    fields = [field.name for field in dataclasses.fields(settings.Settings)]
    assert [setting.field for setting in settings.SETTINGS] == fields


def test_what_is_set_is_parsed() -> None:
    found = settings.load(
        {
            "DANSEO_HOME": "/srv/ink",
            "DANSEO_DATA": "fragments",
            "DANSEO_KEY": "scorer-a",
            "DANSEO_PASSWORD_FILE": "/run/secrets/pass",
            "DANSEO_BLOBS": "s3://bucket/blobs",
            "DANSEO_WORKERS": "3",
            "DANSEO_LANG": "ko",
            "DANSEO_LOCK_TIMEOUT": "0",
            "DANSEO_CHAIN_URL": "http://127.0.0.1:8545",
            "DANSEO_CONFIRMATIONS": "3",
            "DANSEO_ANVIL": "/opt/anvil",
        }
    )
    assert found == settings.Settings(
        home=Path("/srv/ink"),
        data=Path("fragments"),
        key="scorer-a",
        password_file=Path("/run/secrets/pass"),
        blobs="s3://bucket/blobs",
        workers=3,
        lang="ko",
        lock_timeout=0,
        method_cache=Path("/srv/ink/host/methods"),
        chain_url="http://127.0.0.1:8545",
        confirmations=3,
        anvil=Path("/opt/anvil"),
    )


def test_what_an_option_says_goes_before_the_variable() -> None:
    environ = {"DANSEO_HOME": "/srv/ink", "DANSEO_LANG": "ko"}
    found = settings.load(environ, {"DANSEO_HOME": "/srv/prize"})
    assert (found.home, found.lang) == (Path("/srv/prize"), "ko")
    assert found.method_cache == Path("/srv/prize/host/methods")
    assert environ["DANSEO_HOME"] == "/srv/ink"


def test_an_empty_variable_means_the_default() -> None:
    assert settings.load({s.name: "" for s in settings.SETTINGS}) == settings.load({})


def test_a_tilde_is_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/somebody")
    assert settings.load({"DANSEO_HOME": "~/ink"}).home == Path("/srv/somebody/ink")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DANSEO_HOME", "a\0b"),
        ("DANSEO_KEY", "../other"),
        ("DANSEO_KEY", "열쇠"),
        ("DANSEO_KEY", "two words"),
        ("DANSEO_BLOBS", "s3:/bucket"),
        ("DANSEO_WORKERS", "-1"),
        ("DANSEO_WORKERS", "1025"),
        ("DANSEO_WORKERS", "two"),
        ("DANSEO_WORKERS", "²"),
        ("DANSEO_LANG", "fr"),
        ("DANSEO_LOCK_TIMEOUT", "1.5"),
        ("DANSEO_CHAIN_URL", "localhost:8545"),
        ("DANSEO_CHAIN_URL", "http://"),
        ("DANSEO_CONFIRMATIONS", "10001"),
    ],
)
def test_a_bad_value_is_refused_by_name_value_and_what_is_allowed(name: str, value: str) -> None:
    setting = next(s for s in settings.SETTINGS if s.name == name)
    with pytest.raises(Usage) as refusal:
        settings.load({name: value})
    assert name in refusal.value.message
    assert repr(value) in refusal.value.message
    assert setting.allowed in refusal.value.remedy


@pytest.mark.parametrize(
    "place", ["blobs", "/srv/blobs", "s3://bucket/x", "memory://x", "simplecache::s3://bucket/x"]
)
def test_blobs_may_lie_at_any_path_or_address(place: str) -> None:
    assert settings.load({"DANSEO_BLOBS": place}).blobs == place


def test_unknown_variables_are_named_with_the_likeliest_meant() -> None:
    lines = settings.unknown({"DANSEO_HOM": "x", "DANSEO_ZZZZZZZZ": "", "PATH": "/bin"})
    assert lines == [
        "There is no setting DANSEO_HOM; did you mean DANSEO_HOME?",
        "There is no setting DANSEO_ZZZZZZZZ.",
    ]


def test_known_variables_are_not_called_unknown() -> None:
    assert settings.unknown({s.name: "x" for s in settings.SETTINGS}) == []


def test_no_other_module_reads_the_environment() -> None:
    readers = {
        f"{path.name}:{node.lineno}"
        for path, tree in sources()
        if path.name not in {"settings.py", *EXPORTS}
        for node in ast.walk(tree)
        if _reads_the_environment(node)
    }
    assert readers == set()


@pytest.mark.parametrize(
    "line", ["os.environ['X']", "os.getenv('X')", "environ.get('X')", "Option(envvar='X')"]
)
def test_the_check_above_sees_every_way_to_read_it(line: str) -> None:
    assert any(_reads_the_environment(node) for node in ast.walk(ast.parse(line)))


def _reads_the_environment(node: ast.AST) -> bool:
    names = {"environ", "environb", "getenv", "getenvb"}
    return (
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.Name) and node.id in {"environ", "getenv"})
        or (isinstance(node, ast.ImportFrom) and any(a.name in names for a in node.names))
        or (isinstance(node, ast.keyword) and node.arg == "envvar")
    )
