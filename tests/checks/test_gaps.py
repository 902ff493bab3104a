"""Gaps: missing values, missing labels, and stretches of the time axis without a row."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import polars as pl
import pytest

from pipeline.checks.gaps import MissingLabel, MissingValues, Step, TimeGap, inferred_step
from pipeline.findings import Table
from pipeline.inspection import hits

Make = Callable[..., Table]
MONDAY = datetime(2024, 1, 1)


def every(hours: float, count: int, *, without: Callable[[datetime], bool] = lambda stamp: False) -> list[datetime]:
    stamps = [MONDAY + timedelta(hours=hours * i) for i in range(count)]
    return [stamp for stamp in stamps if not without(stamp)]


def at(make: Make, stamps: Sequence[datetime | None]) -> Table:
    return make(
        pl.DataFrame({"t": stamps, "y": [True] * len(stamps)}, schema={"t": pl.Datetime("us"), "y": pl.Boolean})
    )


def step(stamps: list[datetime]) -> str | None:
    return inferred_step(pl.LazyFrame({"t": stamps}), "t", 0.9)


def test_a_full_column_has_no_missing_values(make: Make) -> None:
    assert list(hits(MissingValues(), make({"x": [1.0, 2.0], "y": [True, None]}))) == []


@pytest.mark.parametrize("hole", [None, math.nan])
def test_null_and_nan_are_missing(make: Make, hole: float | None) -> None:
    (hit,) = hits(MissingValues(), make({"x": [1.0, hole, 3.0, 4.0], "s": ["a"] * 4, "y": [True] * 4}))

    assert (hit.column, hit.rows, hit.observed, hit.flags) == ("x", 1, 0.25, None)


def test_a_share_at_the_limit_is_tolerated(make: Make) -> None:
    table = make({"x": [1.0, None, 3.0, 4.0], "y": [True] * 4})

    assert list(hits(MissingValues(maximum_share=0.25), table)) == []
    assert len(list(hits(MissingValues(maximum_share=0.24), table))) == 1


def test_an_all_null_column_is_missing_in_all_rows(make: Make) -> None:
    unknown = pl.Series([None, None], dtype=pl.String)
    (hit,) = hits(MissingValues(), make({"x": [1, 2], "s": unknown, "y": [True, None]}))

    assert (hit.column, hit.observed) == ("s", 1.0)


def test_every_row_without_a_label_is_flagged(make: Make) -> None:
    (hit,) = hits(MissingLabel(), make({"x": [1, 2, 3], "y": [None, True, None]}, parts=2))

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == ["rows#0", "rows#2"]
    assert (hit.rows, hit.column) == (2, "y")


def test_labelled_rows_are_not_flagged(make: Make) -> None:
    assert list(hits(MissingLabel(), make({"x": [1, 2], "y": [True, False]}))) == []


def test_a_missing_day_of_daily_rows_is_a_gap(make: Make) -> None:
    table = at(make, every(24, 28, without=lambda stamp: stamp.day == 10))

    (hit,) = hits(TimeGap(), table)

    assert (hit.observed, hit.column) == (1, "t")
    assert hit.examples == ["after 2024-01-09 00:00:00 until 2024-01-11 00:00:00"]


def test_a_month_that_was_lost_is_a_gap_however_large_its_share(make: Make) -> None:
    table = at(make, every(24, 91, without=lambda stamp: stamp.month == 2))

    (hit,) = hits(TimeGap(), table)

    assert hit.observed == 29


def test_a_lost_week_of_hourly_rows_is_a_gap(make: Make) -> None:
    table = at(make, every(1, 24 * 28, without=lambda stamp: 8 <= stamp.day < 15))

    (hit,) = hits(TimeGap(), table)

    assert hit.observed == 7 * 24


def test_rows_in_every_step_have_no_gap(make: Make) -> None:
    assert list(hits(TimeGap(), at(make, every(1, 24 * 7)))) == []


def test_nights_and_weekends_are_no_gaps(make: Make) -> None:
    shut = every(1, 24 * 35, without=lambda stamp: not 8 <= stamp.hour < 18 or stamp.weekday() > 4)

    assert list(hits(TimeGap(), at(make, shut))) == []


@pytest.mark.parametrize(
    ("hours", "count", "found"),
    [(1 / 60, 300, "1m"), (0.25, 300, "15m"), (1, 300, "1h"), (24, 60, "1d"), (7 * 24, 30, "1w"), (30 * 24, 12, None)],
)
def test_the_step_is_that_of_the_rows(hours: float, count: int, found: str | None) -> None:
    assert step(every(hours, count)) == found


def test_one_stamp_and_no_stamp_have_no_step() -> None:
    assert step([MONDAY, MONDAY]) is None
    assert inferred_step(pl.LazyFrame({"t": []}, schema={"t": pl.Datetime("us")}), "t", 0.9) is None


def test_a_stated_step_is_taken(make: Make) -> None:
    stated: Step = "1h"

    (hit,) = hits(TimeGap(step=stated), at(make, [MONDAY, MONDAY + timedelta(hours=3)]))

    assert hit.observed == 2


def test_rows_without_a_time_are_passed_over(make: Make) -> None:
    assert list(hits(TimeGap(), at(make, [None, *every(24, 10), None]))) == []


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ms"), pl.Datetime("us", "Europe/Paris")])
def test_every_kind_of_time_axis_is_read(make: Make, dtype: pl.DataType) -> None:
    days = pl.Series("t", every(24, 28, without=lambda stamp: stamp.day == 10))
    times = (
        days.dt.replace_time_zone("Europe/Paris") if dtype == pl.Datetime("us", "Europe/Paris") else days.cast(dtype)
    )

    (hit,) = hits(TimeGap(), make({"t": times, "y": [True] * 27}))

    assert hit.observed == 1


def test_a_contract_without_a_time_axis_is_not_asked(make: Make) -> None:
    assert list(hits(TimeGap(), make({"x": [1, 2], "y": [True, False]}))) == []
