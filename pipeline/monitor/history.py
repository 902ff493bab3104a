"""The history of what was watched: one row per batch, column and measure, monitoring/history/<batch>.parquet.

The records are the truth and are written first; what a killed run did not bring into the history is made up for at the
next batch. `pl.scan_parquet("monitoring/history/*.parquet")` reads all of it.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl

from pipeline import artefacts
from pipeline.monitor.record import MonitoringRecord, file_of, records
from pipeline.workspace import Workspace

SCHEMA = {
    "batch": pl.String,
    "monitored_at": pl.String,
    "champion": pl.String,
    "column": pl.String,
    "measure": pl.String,
    "value": pl.Float64,
}
WHOLE = ""  # the column of what is measured of the whole batch


def keep(workspace: Workspace) -> None:
    """Bring every record into the history that is not in it as it is now."""
    for record in records(workspace):
        path = workspace.history / f"{record.batch}.parquet"
        if not path.is_file() or path.stat().st_mtime_ns < file_of(workspace, record.batch).stat().st_mtime_ns:
            artefacts.write_parquet(path, of(record).lazy())
    _forget(workspace)


def _forget(workspace: Workspace) -> None:
    """Remove the history of records that are no longer there."""
    for path in workspace.history.glob("*.parquet"):
        if not file_of(workspace, path.stem).is_file():
            artefacts.remove(path)


def of(record: MonitoringRecord) -> pl.DataFrame:
    """(measures, 6): what one record says in numbers, of each column and of the whole batch; true is 1."""
    facts = {"batch": record.batch, "monitored_at": record.monitored_at, "champion": record.champion}
    rows = [{**facts, "column": column, "measure": measure, "value": value} for column, measure, value in told(record)]
    return pl.DataFrame(rows, schema=SCHEMA)


def told(record: MonitoringRecord) -> Iterator[tuple[str, str, float]]:
    """(column, measure, value) of a record."""
    compared = [*record.drift.columns, record.drift.prediction, record.drift.label]
    for one in compared:
        if one is not None:
            yield from ((one.column, name, value) for name, value in _numbers(one.model_dump()))
    whole: dict[str, Any] = {
        "rows": record.rows,
        "labelled": record.labelled,
        "findings": len(record.findings),
        "drifted_share": record.drift.drifted_share,
        "used_share": record.drift.used_share,
        "detectors_of_changed_errors": len(record.told.changed),
        "retrain": record.decision.retrain,
        "promoted": bool(record.outcome and record.outcome.promoted),
        "rolled_back": record.rollback is not None,
    }
    yield from ((WHOLE, name, value) for name, value in _numbers(whole))
    for test in record.told.together:
        yield from ((WHOLE, f"{test.method}.{name}", value) for name, value in _numbers(test.model_dump()))
    if record.estimate is not None:
        ends = record.estimate.model_dump(include={"value", "low", "high"})
        yield from ((WHOLE, f"estimate.{record.estimate.metric}.{name}", value) for name, value in _numbers(ends))
    for who, scores in (("live", record.live.champion), ("first", record.live.first)) if record.live else ():
        for metric, score in scores.items():
            ends = {"": score.value, ".low": score.low, ".high": score.high}
            yield from ((WHOLE, f"{who}.{metric}{end}", value) for end, value in _numbers(ends))


def _numbers(values: dict[str, Any]) -> Iterator[tuple[str, float]]:
    return ((name, float(value)) for name, value in values.items() if isinstance(value, bool | int | float))
