"""Missing: values, rows, labels and stamps that are not there."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from pipeline.checks.missing import (
    EmptyColumn,
    Freshness,
    MissingLabel,
    MissingShareColumn,
    MissingShareDataset,
    MissingShareRow,
    NanOrInf,
)
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
FULL = {name: [1.0, 2.0, 3.0, 4.0] for name in "abcd"}


def holed(parts: int = 1) -> Table:
    """Row 1 lacks three of four features, row 3 all of them."""
    rows: dict[str, list[Any]] = {name: [1.0, None, 3.0, None, *[5.0] * 6] for name in "abc"}
    return made(rows | {"d": [1.0, 2.0, 3.0, None, *[5.0] * 6]}, parts=parts)


def stale(parts: int = 1) -> Table:
    """The newest row is as old as that of the reference."""
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(3)]
    return replace(made({"t": days}, parts=parts), reference=made({"t": days}))


PLANTED: dict[str, Callable[[int], Table]] = {
    "missing_share_column": holed,
    "missing_share_row": holed,
    "missing_share_dataset": lambda parts: made({"a": [1, None, None], "b": [1, 2, None]}, parts=parts),
    "empty_column": lambda parts: made(pl.DataFrame({"x": [1, 2], "s": [None, None]}), parts=parts),
    "nan_or_inf": lambda parts: made({"x": [1.0, math.inf, math.nan, 4.0]}, parts=parts),
    "freshness": stale,
}


def test_a_full_column_has_no_missing_values(make: Make) -> None:
    assert hits(MissingShareColumn(), make({"x": [1.0, 2.0], "y": [True, None]})) == []


@pytest.mark.parametrize("hole", [None, math.nan])
def test_null_and_nan_are_missing(make: Make, hole: float | None) -> None:
    (hit,) = hits(MissingShareColumn(), make({"x": [1.0, hole, 3.0, 4.0], "s": ["a"] * 4, "y": [True] * 4}))

    assert (hit.column, hit.rows, hit.observed, hit.flags) == ("x", 1, 0.25, None)


def test_a_share_at_the_limit_is_tolerated(make: Make) -> None:
    table = make({"x": [1.0, None, 3.0, 4.0], "y": [True] * 4})

    assert hits(MissingShareColumn(maximum_share=0.25), table) == []
    assert len(hits(MissingShareColumn(maximum_share=0.24), table)) == 1


def test_a_column_without_any_value_is_empty_and_told_once(make: Make) -> None:
    table = make({"x": [1, 2], "s": pl.Series([None, None], dtype=pl.String), "y": [True, None]})

    (hit,) = hits(EmptyColumn(), table)

    assert (hit.column, hit.rows, hit.observed) == ("s", 2, 1.0)
    assert hits(MissingShareColumn(), table) == []


def test_an_empty_column_of_role_ignore_is_only_worth_knowing(make: Make) -> None:
    (hit,) = hits(EmptyColumn(), make(pl.DataFrame({"x": [1, 2], "spare": [None, None]})))

    assert (hit.column, hit.severity) == ("spare", "info")


@pytest.mark.parametrize("check", [EmptyColumn(), MissingShareColumn(), MissingShareDataset(), MissingShareRow()])
def test_no_rows_lack_nothing(make: Make, check: EmptyColumn) -> None:
    assert hits(check, make(pl.DataFrame(FULL).clear())) == []


def test_rows_that_lack_most_features_are_flagged() -> None:
    (hit,) = hits(MissingShareRow(), holed())

    assert hit.flags is not None
    assert hit.flags.select("row_id", "value").rows() == [("rows#1", "3 of 4 missing"), ("rows#3", "4 of 4 missing")]
    assert (hit.severity, "missing in 2 rows, and all of them in 1" in hit.message) == ("warning", True)


def test_rows_that_have_something_are_for_information(make: Make) -> None:
    rows: dict[str, list[Any]] = {name: [None, 1.0, 2.0, 3.0] for name in "abc"}

    (hit,) = hits(MissingShareRow(), make(rows | {"d": [1.0, 2.0, 3.0, 4.0]}))

    assert (hit.rows, hit.severity) == (1, "info")


def test_columns_that_most_rows_lack_make_no_row_empty(make: Make) -> None:
    rows = {f"sparse {i}": [1, None, None, None] for i in range(9)} | FULL

    assert hits(MissingShareRow(), make(rows)) == []


def test_few_features_make_no_row_mostly_empty(make: Make) -> None:
    (said,) = MissingShareRow().hits(make({"a": [1, None], "b": [1, None]}))

    assert said == Skipped(why="fewer than 4 features have a value in most rows")


def test_a_table_with_many_holes_is_told(make: Make) -> None:
    (hit,) = hits(MissingShareDataset(maximum_share=0.1), holed())

    assert hit.observed == 7 / 40
    assert "most in a, b, c" in hit.message
    assert hits(MissingShareDataset(), make(FULL)) == []


def test_every_row_without_a_label_is_flagged(make: Make) -> None:
    (hit,) = hits(MissingLabel(), make({"x": [1, 2, 3], "y": [None, True, None]}, parts=2))

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == ["rows#0", "rows#2"]
    assert (hit.rows, hit.column) == (2, "y")


def test_labelled_rows_are_not_flagged(make: Make) -> None:
    assert hits(MissingLabel(), make({"x": [1, 2], "y": [True, False]})) == []


def test_infinite_values_and_nan_are_flagged_and_null_is_not(make: Make) -> None:
    (hit,) = hits(NanOrInf(), make({"x": [1.0, math.inf, None, math.nan, -math.inf], "n": [1, 2, 3, 4, 5]}))

    assert hit.flags is not None
    assert hit.flags.select("row_id", "value").rows() == [("rows#1", "inf"), ("rows#3", "NaN"), ("rows#4", "-inf")]
    assert hit.severity == "warning"


def test_nan_alone_is_for_information(make: Make) -> None:
    (hit,) = hits(NanOrInf(), make({"*": [1.0, math.nan]}))

    assert (hit.rows, hit.severity) == (1, "info")


def test_a_batch_that_ends_where_the_reference_does_is_stale(make: Make) -> None:
    (hit,) = hits(Freshness(), stale())

    assert hit.observed == "2024-01-03 00:00:00"
    newer = make({"t": [datetime(2024, 1, 4)]})
    assert hits(Freshness(), replace(newer, reference=stale())) == []


@pytest.mark.parametrize(("hours", "told"), [(24, 0), (23, 1)])
def test_the_age_is_that_of_the_newest_row(make: Make, hours: float, told: int) -> None:
    table = make({"t": [datetime(2024, 1, 1), datetime(2024, 1, 3), None]})

    found = hits(Freshness(maximum_age_hours=hours, as_of=datetime(2024, 1, 4, tzinfo=UTC)), table)

    assert [hit.observed for hit in found] == [24.0] * told


def test_without_reference_or_age_nobody_knows_what_is_stale(make: Make) -> None:
    (said,) = Freshness().hits(make({"t": [datetime(2024, 1, 1)]}))

    assert isinstance(said, Skipped)
