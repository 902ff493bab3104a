"""Curves: files alone, no repository looked for, nothing sent."""

from pathlib import Path

import pytest

from pipeline.models.curves import Curves


def test_each_metric_is_a_file_with_a_row_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with Curves(tmp_path / "curves") as live:
        for loss in (0.5, 0.25):
            live.log_metric("train/loss", loss)
            live.next_step()

    lines = (tmp_path / "curves" / "plots" / "metrics" / "train" / "loss.tsv").read_text().split()
    assert lines == ["step", "loss", "0", "0.5", "1", "0.25"]
    assert {path.name for path in tmp_path.iterdir()} == {"curves"}


def test_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("DVC_STUDIO_TOKEN", "made-up")

    with Curves(tmp_path / "curves") as live:
        live.log_metric("train/loss", 1.0)
        live.next_step()
