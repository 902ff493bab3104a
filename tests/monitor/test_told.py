"""What is said of a batch that drifted: in what, how much, since when, of what use, and what the checks find anew."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import artefacts, monitor
from pipeline.drift import past
from pipeline.drift.columns import ColumnDrift, DriftReport, used
from pipeline.drift.watch import Watch
from pipeline.monitor import told
from pipeline.quality.findings import Finding
from pipeline.workspace import Workspace

MAY = "2024-05.csv.gz"


def drift(column: str, *, drifted: bool) -> ColumnDrift:
    shares = {"reference_missing": 0.0, "batch_missing": 0.0}
    return ColumnDrift(
        column=column, modality="numeric", effect=0.5, statistic="", p=0.0, p_adjusted=0.0, drifted=drifted, **shares
    )


def finding(check: str, column: str) -> Finding:
    return Finding(
        check=check, severity="warning", column=column, rows=3, fraction=0.3, observed=None, threshold=None,
        message=f"{check} in {column}", suggestion="", examples=["row 1"], policy="warn",
    )  # fmt: skip


def test_a_column_that_moved_within_the_batch_is_told_with_its_moment_and_use() -> None:
    random = np.random.default_rng(0)
    x_N = random.normal(size=1600)
    x_N[800:] += 3
    rows = pl.LazyFrame({"x": x_N, "day": np.arange(1600), "row_id": [f"r{i}" for i in range(1600)]})
    old = pl.LazyFrame({"x": random.normal(size=4000)})
    known = past.learn(old, {"x": "numeric"}, in_order=True)
    kept = Watch(past=known, labels=known.only([]), target="quantity")
    tested = kept.tests(rows, blocks=16, time="day")
    report = DriftReport(columns=[drift("x", drifted=True)], drifted_share=1.0, prediction=None, label=None)

    [alarm] = told.drifted(tested, report, rows, time="day", uses={"x": 0.25})

    assert (alarm.column, alarm.used, alarm.start) == ("x", 0.25, "since 800")
    assert "without it the model loses 25%" in alarm.words
    assert alarm.examples and all(each.startswith("r") for each in alarm.examples)


def test_what_the_checks_found_already_at_training_is_no_drift(tmp_path: Path) -> None:
    folder = tmp_path
    known = finding("outlier", "x").model_dump()
    artefacts.write_json(folder / told.QUALITY_FILE, {"findings": [known]})

    alarms = told.broken([finding("outlier", "x"), finding("outlier", "y")], folder)

    assert [alarm.column for alarm in alarms] == ["y"]
    assert told.broken([finding("outlier", "y")], folder / "of a version without") == []


@pytest.mark.parametrize(("uses", "share"), [({"a": 0.3, "b": 0.1}, 0.75), ({"a": 0.0, "b": 0.2}, 0.0), ({}, None)])
def test_drift_weighs_what_the_model_uses(uses: dict[str, float], share: float | None) -> None:
    columns = [drift("a", drifted=True), drift("b", drifted=False)]

    assert used(columns, uses) == (None if share is None else pytest.approx(share))


def test_a_watched_batch_says_it_all(watched_once: Workspace) -> None:
    record = next(each for each in monitor.records(watched_once) if each.batch == MAY)

    assert {"distance", "shop"} <= {alarm.column for alarm in record.told.alarms}
    assert {test.method for test in record.told.together} == {"c2st", "mmd"}
    assert any(test.drift for test in record.told.together)
    together = record.decision.condition("together")
    assert together is not None and together.verdict == "off" and "c2st" in together.seen
