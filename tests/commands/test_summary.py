"""What is printed of the batches: a broken one is seen to be broken."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import monitor
from pipeline.commands import summary
from pipeline.quality.findings import Finding, Severity


def finding(severity: Severity, check: str, *examples: str) -> Finding:
    return Finding(
        check=check,
        severity=severity,
        column="price",
        rows=1,
        fraction=0.1,
        observed=None,
        threshold=None,
        message="price is wrong in 1 row",
        suggestion="mend it",
        examples=list(examples),
        policy="warn",
    )


def record(batch: str, *findings: Finding) -> Any:
    return SimpleNamespace(
        batch=batch,
        rows=500,
        champion="v1",
        live=None,
        drift=SimpleNamespace(columns=[]),
        decision=SimpleNamespace(retrain=False, reasons=["nothing has changed"]),
        outcome=None,
        findings=list(findings),
    )


BROKEN = record(
    "b1.csv",
    finding("error", "dtype_mismatch", "b1.csv#4: free\x1b[31m", "b1.csv#7: cheap"),
    finding("error", "value_range"),
    finding("warning", "z_score_outlier", "b1.csv#5: 900"),
    finding("info", "imbalance"),
)
SOUND = record("b2.csv", finding("info", "imbalance"))


def test_each_batch_is_shown_with_how_many_errors_and_warnings_it_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(monitor, "records", lambda workspace: [BROKEN, SOUND])
    summary.show_batches(SimpleNamespace(registry=tmp_path))  # type: ignore[arg-type]

    first, second = (line for line in capsys.readouterr().out.splitlines() if ".csv" in line)
    assert "2 errors, 1 warning" in first
    assert second.split("│")[3].strip() == "-"


def test_errors_are_told_with_their_first_example(capsys: pytest.CaptureFixture[str]) -> None:
    summary.show_errors([BROKEN, SOUND])

    assert capsys.readouterr().out.splitlines() == [
        r"b1.csv: error dtype_mismatch: price is wrong in 1 row (e.g. b1.csv#4: free\x1b[31m)",
        "b1.csv: error value_range: price is wrong in 1 row",
    ]
