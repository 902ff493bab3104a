"""What a file with types says on the way to its contract is what the typed rows say."""

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline import findings, reading
from pipeline.findings import Table
from pipeline.infer import infer
from pipeline.infer.typed import gather_typed
from pipeline.profile import Profile
from pipeline.reading import Question

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

    seen, _, _ = gather_typed(rows)

    assert seen["at"].distinct == 50


def test_markers_are_counted_among_more_texts_than_are_kept() -> None:
    rows = pl.LazyFrame({"text": [f"a b {i}" for i in range(60_000)] + [" N/A ", "NA"] * 5})

    seen, _, _ = gather_typed(rows)

    assert seen["text"].markers == {" N/A ": 5, "NA": 5}
    assert seen["text"].values == 60_000


@pytest.mark.parametrize("text", [False, True])
def test_a_column_of_numbers_that_lacks_some_as_nan_may_be_empty(text: bool) -> None:
    rows = pl.LazyFrame({"x": [1.5, float("nan"), 2.5]})

    found = infer(rows, name="made", text=text, roles={}).column("x")

    assert (found.values, found.nullable) == (2, True)
