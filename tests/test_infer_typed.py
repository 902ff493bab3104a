"""What a file with types says on the way to its contract is what the typed rows say."""

import dataclasses
import math
from datetime import datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.commands import reading
from pipeline.commands.reading import Question
from pipeline.infer import infer
from pipeline.infer.typed import gather_typed
from pipeline.profile import Profile
from pipeline.quality import findings
from pipeline.quality.findings import Table

ROWS = 6000


def table(folder: Path) -> Table:
    start = datetime(2024, 1, 1)
    rows = pl.DataFrame(
        {
            "number": [None if i % 7 == 0 else float("nan") if i % 11 == 0 else i / 3 for i in range(ROWS)],
            "whole": [i % 5 for i in range(ROWS)],
            "few": [["red", "blue", "NA", None][i % 4] for i in range(ROWS)],
            "many": [f"word {i % 2500}" for i in range(ROWS)],
            "day": [f"{start + timedelta(days=i % 300):%Y-%m-%d}" for i in range(ROWS)],
            "at": [start + timedelta(milliseconds=i) for i in range(ROWS)],
            "yes": [i % 3 == 0 for i in range(ROWS)],
            "list": [[i] for i in range(ROWS)],
        }
    )
    rows.write_parquet(folder / "a.parquet")
    question = Question(paths=[str(folder / "a.parquet")], roles={"whole": "label"})
    return reading.read(question.paths, question, None, reading.Settings(), folder / "scratch").table


@pytest.mark.parametrize("sample_rows", [500, findings.SAMPLE_ROWS])
def test_profile_and_sample_are_those_of_the_typed_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample_rows: int
) -> None:
    monkeypatch.setattr(findings, "SAMPLE_ROWS", sample_rows)
    made = table(tmp_path)

    anew = dataclasses.replace(made, summarised=Profile(), drawn=None)

    assert {"number", "many", "at", "yes"} <= set(made.summarised.columns)
    assert made.profile == anew.profile
    assert_frame_equal(made.sample, anew.sample)


def test_moments_within_a_second_are_counted_as_they_are() -> None:
    start = datetime(2024, 1, 1)
    rows = pl.LazyFrame({"at": [start + timedelta(milliseconds=i) for i in range(50)]})

    seen = gather_typed(rows).evidence

    assert seen["at"].distinct == 50


def test_markers_are_counted_among_more_texts_than_are_kept() -> None:
    rows = pl.LazyFrame({"text": [f"a b {i}" for i in range(60_000)] + [" N/A ", "NA"] * 5})

    seen = gather_typed(rows).evidence

    assert seen["text"].markers == {" N/A ": 5, "NA": 5}
    assert seen["text"].values == 60_000


@pytest.mark.parametrize("text", [False, True])
def test_a_column_of_numbers_that_lacks_some_as_nan_may_be_empty(text: bool) -> None:
    rows = pl.LazyFrame({"x": [1.5, float("nan"), 2.5]})

    found = infer(rows, name="made", text=text, roles={}).column("x")

    assert (found.values, found.nullable) == (2, True)


def test_the_most_cells_that_a_row_lacks_are_told() -> None:
    rows = pl.LazyFrame(
        {"row_id": [0, 1, 2], "a": [1.0, math.nan, None], "b": ["x", None, "y"], "c": [True, None, None], "d": [1] * 3}
    )
    assert gather_typed(rows).lacking == 3
    assert gather_typed(rows.select("row_id", "d")).lacking == 0
    assert gather_typed(rows.clear()).lacking == 0


def test_the_most_cells_lacking_are_not_told_where_typing_may_empty_more() -> None:
    rows = pl.LazyFrame({"row_id": range(4), "day": ["2024-01-01", "2024-01-02", "2024-01-03", None]})
    assert infer(rows, name="x", text=False, roles={}).lacking is None
    assert infer(rows.with_columns(pl.col("day").str.to_date()), name="x", text=False, roles={}).lacking == 1
    assert infer(rows.with_columns(pl.lit("N/A").alias("b")), name="x", text=False, roles={}).lacking is None


@pytest.mark.parametrize("values", [[b"a", None, b"b"], [time(1), None, time(2)], [None, None, None]])
def test_rows_of_columns_without_a_summary_are_drawn_too(values: list[object]) -> None:
    typed = gather_typed(pl.LazyFrame({"row_id": [0, 1, 2], "x": values}), pl.col("row_id") > 0)

    assert typed.drawn is not None
    assert typed.drawn["row_id"].to_list() == [1, 2]
    assert typed.lacking == 1
