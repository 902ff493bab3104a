"""Humps: where a tail thickens again, and which column tells the rows of one."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from pipeline.checks.humps import CHANCE, group_of, hump
from pipeline.quality.findings import Table

Make = Callable[..., Table]
THIN = np.repeat([200.0, 100.0, 50.0, 4.0], 10)  # rows of ten values each, ever fewer away from the median
PLACES = np.arange(1.0, 41.0)


def test_a_tail_that_only_thins_out_has_no_hump() -> None:
    assert hump(PLACES, THIN, fence=15, width=10, most=1e9) is None


def test_the_hump_begins_where_the_rows_become_more() -> None:
    counts = np.append(THIN, np.full(15, 30.0))

    assert hump(np.arange(1.0, 56.0), counts, fence=15, width=10, most=1e9) == (40, 300, 40)


@pytest.mark.parametrize(("fence", "width", "most"), [(60, 10, 1e9), (15, 10, 100), (15, 0, 1e9), (15, 5, 1e9)])
def test_what_is_near_or_common_or_has_few_values_is_no_hump(fence: float, width: float, most: float) -> None:
    counts = np.append(THIN, np.full(15, 30.0))

    assert hump(np.arange(1.0, 56.0), counts, fence, width, most) is None


@pytest.mark.parametrize("rows", [1.0, 2.0])
def test_few_rows_are_a_hump_where_chance_would_not_make_them(rows: float) -> None:
    counts = np.append(np.ones(10), np.full(12, rows))
    distances = np.append(np.arange(1.0, 11.0), np.arange(40.0, 52.0))

    found = hump(distances, counts, fence=12, width=12, most=1e9)

    improbable = binomtest(0, int(12 * rows), alternative="less").pvalue < CHANCE
    assert (found == (10, int(12 * rows), 0)) == improbable


def test_the_column_whose_values_have_most_of_the_rows_tells_them(make: Make) -> None:
    far = [True] * 6 + [False] * 14
    table = make({"far": far, "^z$": ["hnl"] * 6 + ["bos"] * 14, "half": ["a", "b"] * 10, "id": far})

    assert group_of(table, "far", pl.col("far")) == "^z$"
    assert group_of(table, "half", pl.col("half") == "a") is None


def test_two_rows_of_a_value_and_ids_tell_nothing(make: Make) -> None:
    far = [True] * 2 + [False] * 18
    table = make({"far": far, "plane": ["p"] * 2 + ["q"] * 18, "id": far, "t": list(range(20))})

    assert group_of(table, "far", pl.col("far")) is None


def test_null_and_a_table_without_rows_tell_nothing(make: Make) -> None:
    schema = {"far": pl.Boolean, "plane": pl.String}

    for rows in (pl.DataFrame({"far": [None] * 5, "plane": [None] * 5}, schema=schema), pl.DataFrame(schema=schema)):
        assert group_of(make(rows), "far", pl.col("far")) is None
