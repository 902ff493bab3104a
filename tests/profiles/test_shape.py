"""The shape of a column: every row in a bin, at most twenty of them, and only values that were all counted."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.profile import profile
from pipeline.profile.columns import CATEGORIES, Categorical, Numeric
from pipeline.profile.shape import BINS, Histogram, histogram, top


def summary(values: list[Any], kind: str = "numeric", dtype: pl.DataType | None = None) -> Numeric | Categorical:
    return profile(pl.LazyFrame({"x": pl.Series(values, dtype=dtype)}), {"x": kind}).columns["x"]  # type: ignore[dict-item]


def test_numbers_fall_into_bins_of_one_width() -> None:
    made = histogram(summary([0.0, 0.4, 1.0, 10.0, 20.0]))

    assert made == Histogram(start=0.0, width=1.0, rows=[3, *[0] * 8, 1, *[0] * 9, 1])


def test_bins_agree_with_numpy() -> None:
    values = np.random.default_rng(1).normal(size=5000)

    made = histogram(summary(values.tolist()))

    assert made is not None
    expected, _ = np.histogram(values, bins=BINS)
    assert np.abs(np.array(made.rows) - expected).max() <= 50  # 5000 rows in buckets of up to 1.6%


@pytest.mark.parametrize(("high", "bins", "width"), [(12, 12, 1.0), (31, 16, 2.0), (200, 20, 10.0)])
def test_whole_numbers_fall_into_bins_that_hold_as_many_each(high: int, bins: int, width: float) -> None:
    made = histogram(summary(list(range(1, high + 1))), whole=True)

    assert made is not None
    assert (made.start, made.width, len(made.rows)) == (0.5, width, bins)
    assert set(made.rows[:-1]) == {int(width)}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@example([1.7976931348623155e308, -9.461542815064838e306])
def test_every_value_is_in_one_bin(values: list[float]) -> None:
    made = histogram(summary(values))

    assert made is None or (sum(made.rows), min(made.rows) >= 0) == (len(values), True)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_every_whole_number_is_in_one_bin(values: list[int]) -> None:
    made = histogram(summary(values, dtype=pl.Int64()), whole=True)

    assert made is not None
    assert sum(made.rows) == len(values)
    assert len(made.rows) <= BINS


def test_one_value_is_one_bin() -> None:
    assert histogram(summary([7.5, 7.5])) == Histogram(start=7.5, width=0.0, rows=[2])


def test_moments_start_at_iso_text() -> None:
    made = histogram(summary([date(2024, 1, 1), date(2024, 1, 21)], "timestamp"))

    assert made is not None
    assert (made.start, made.width) == ("2024-01-01T00:00:00+00:00", 86400.0)


@pytest.mark.parametrize("values", [[], [None, None], [float("nan")], [float("inf")]])
def test_no_finite_value_has_no_histogram(values: list[float | None]) -> None:
    assert histogram(summary(values, dtype=pl.Float64())) is None


def test_top_has_the_most_frequent_first_and_none_that_stands_once() -> None:
    assert top(summary(["b", "a", "a", "b", "c", None], "categorical")) == [("a", 2), ("b", 2)]


def test_top_is_short_and_clipped() -> None:
    values = [f"{'long ' * 40}{at}" for at in range(9)] * 2

    made = top(summary(values, "categorical"))

    assert made is not None
    assert [len(value) for value, _ in made] == [81] * 5


def test_top_is_none_where_not_every_value_was_counted() -> None:
    assert top(summary([str(at) for at in range(CATEGORIES + 1)] * 2, "categorical")) is None


def test_numbers_have_no_top_and_categories_no_histogram() -> None:
    assert top(summary([1.0, 1.0])) is None
    assert histogram(summary(["a", "a"], "categorical")) is None
