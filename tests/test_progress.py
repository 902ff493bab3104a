"""Reports on their way to the screen: lines in a log, a bar in a terminal above which what is to be read stays."""

import sys

import pytest

from pipeline import progress

WORDS = "epoch 1 of 2\n  warning [dead]: all\n        do:   less"


def test_in_a_log_every_line_is_said() -> None:
    said: list[str] = []

    with progress.shown(said.append):
        progress.report(0.5, WORDS)

    assert said == ["  epoch 1 of 2\n    warning [dead]: all\n          do:   less"]


def test_in_a_terminal_what_is_under_the_first_line_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    with progress.shown(lambda _: None):
        progress.report(0.5, WORDS)
        progress.report(0.9, "epoch 2 of 2")

    lines = capsys.readouterr().out.split("\n")
    assert sum("  warning [dead]: all" in line for line in lines) == 1
    assert sum("        do:   less" in line for line in lines) == 1


def test_nobody_hears_what_is_muted() -> None:
    said: list[str] = []

    with progress.shown(said.append), progress.muted():
        progress.report(0.5, WORDS)

    assert said == []
