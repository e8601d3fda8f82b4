"""How long work shows itself."""

from __future__ import annotations

import pytest

from danseo.cli import pace
from danseo.cli.pace import Clock


class _Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_from_the_pace() -> None:
    watch = _Watch()
    clock = Clock(watch)
    assert clock.tell(0.0) is None
    watch.now += 10
    assert clock.tell(0.25) == pytest.approx(30)
    watch.now += 10
    assert clock.tell(0.5) == pytest.approx(20)


def test_what_was_kept_from_an_earlier_run_is_no_pace() -> None:
    watch = _Watch()
    clock = Clock(watch)
    watch.now += 0.1
    assert clock.tell(0.8) is None
    watch.now += 10
    assert clock.tell(0.9) == pytest.approx(10)


def test_without_a_terminal_a_line_comes_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = _Watch()
    monkeypatch.setattr("danseo.cli.pace.time.monotonic", watch)
    with pace.pace("read") as tell:
        for part in range(10):
            watch.now += 9
            tell(part / 10, "ink: tile \x1b[31m")
        tell.say("segment: done.")
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) - 1 <= 5
    assert lines[0].startswith("read: ")
    assert "left" in lines[-2]
    assert lines[-1] == "segment: done."
    assert not any("\x1b" in line for line in lines)


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with pace.pace("read", silent=True) as tell:
        tell(0.5, "ink")
        tell.say("x")
    assert capsys.readouterr() == ("", "")
