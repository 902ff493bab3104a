"""The history: one row per batch, column and measure, whole after a kill."""

import os

import polars as pl

from pipeline import artefacts, monitor
from pipeline.monitor import history
from pipeline.reports import history as chart
from pipeline.workspace import Workspace

APRIL, MAY = "2024-04.csv.gz", "2024-05.csv.gz"


def of(workspace: Workspace) -> pl.DataFrame:
    """All of it."""
    return artefacts.scan_parquet(workspace.history).collect()


def test_each_batch_column_and_measure_is_one_row(watched_once: Workspace) -> None:
    told = of(watched_once)

    assert told.select("batch", "column", "measure").is_duplicated().sum() == 0
    record = monitor.records(watched_once)[1]
    effects = told.filter(pl.col("batch") == MAY, pl.col("measure") == "effect")
    seen = {column.column: column.effect for column in record.drift.columns if column}
    assert seen.items() <= dict(zip(effects["column"], effects["value"], strict=True)).items()
    assert {"prediction", "slow"} <= set(effects["column"])
    [auc] = told.filter(pl.col("batch") == MAY, pl.col("measure") == "live.auc")["value"]
    assert record.live is not None
    assert auc == record.live.champion["auc"].value
    asked = told.filter(pl.col("measure") == "retrain").sort("batch")
    assert asked.select("batch", "value").rows() == [(APRIL, 0.0), (MAY, 1.0)]


def test_what_a_killed_run_left_out_is_made_up_for(watched: Workspace) -> None:
    whole = of(watched)
    (watched.history / f"{APRIL}.parquet").unlink()
    (watched.history / "2023-01.csv.parquet").write_bytes(b"of a batch whose record was deleted")

    history.keep(watched)

    assert of(watched).equals(whole)


def test_what_is_there_is_not_written_again(watched: Workspace) -> None:
    path = watched.history / f"{APRIL}.parquet"
    before = path.stat().st_mtime_ns

    history.keep(watched)
    assert path.stat().st_mtime_ns == before

    os.utime(watched.monitoring / f"{APRIL}.json")
    history.keep(watched)
    assert path.stat().st_mtime_ns > before


def test_the_columns_that_were_farthest_away_are_drawn_first(watched_once: Workspace) -> None:
    effects = of(watched_once).filter(pl.col("measure") == "effect")
    farthest = {column: max(effects.filter(pl.col("column") == column)["value"]) for column in effects["column"]}

    drawn = chart.drawn(of(watched_once))

    heights = [farthest[column] for column, _ in drawn]
    assert heights == sorted(heights, reverse=True)
    assert {"distance", "shop"} < {column for column, _ in drawn[:4]}  # what was moved in May
    assert all("<svg" in picture for _, picture in drawn)
    assert chart.drawn(of(watched_once).filter(pl.col("batch") == MAY)) == []
