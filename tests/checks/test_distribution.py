"""Distribution: constants, fill-ins, skew, too few rows."""

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from pipeline.checks.distribution import (
    AlmostConstantColumn,
    ConstantColumn,
    MinRows,
    MostCommonValue,
    RegressionTargetSkew,
    Skew,
    skewness,
)
from pipeline.profile import Numeric, profile
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
RANDOM = np.random.default_rng(5)
SKEWED = RANDOM.lognormal(0, 2, 3000)
PLANTED: dict[str, Callable[[int], Table]] = {
    "constant_column": lambda parts: made({"x": [1] * 40}, parts=parts),
    "almost_constant_column": lambda parts: made({"x": [0] * 1999 + [1]}, parts=parts),
    "most_common_value": lambda parts: made({"x": [*range(200), *[77] * 20]}, parts=parts),
    "skew": lambda parts: made({"x": SKEWED.tolist()}, parts=parts),
    "regression_target_skew": lambda parts: made({"x": [1, 2] * 1500, "y": SKEWED.tolist()}, parts=parts),
    "min_rows": lambda parts: made({"x": [1, 2, 3]}, parts=parts),
}


def test_constant_and_empty_columns_are_told(make: Make) -> None:
    columns = {
        "one": [5, None, 5],
        "text": ["a", "a", "a"],
        "none": pl.Series([None, None, None], dtype=pl.String),
        "nan": [math.nan] * 3,
        "varied": [1.0, 1.0, 2.0],
        "flag": [True, None, False],
        "y": [True, True, True],
    }

    found = {hit.column: hit.observed for hit in hits(ConstantColumn(), make(columns, parts=2))}

    assert found == {"one": 1, "text": 1, "none": 0, "nan": 0}


def test_a_constant_that_differs_between_files_is_no_constant(make: Make) -> None:
    assert list(hits(ConstantColumn(), make({"x": [1, 1, 2, 2], "y": [True] * 4}, parts=2))) == []


def test_many_values_that_are_nearly_one_are_not_constant(make: Make) -> None:
    assert list(hits(ConstantColumn(), make({"x": [1.0, 1.0 + 2**-52], "y": [True, False]}))) == []


def test_whole_numbers_over_2_to_53_are_not_constant(make: Make) -> None:
    assert hits(ConstantColumn(), make({"x": [2**60, 2**60 + 1]})) == []


def test_a_table_without_features_is_skipped(make: Make) -> None:
    for check in (ConstantColumn(), AlmostConstantColumn(), MostCommonValue(), Skew(), RegressionTargetSkew()):
        assert [type(said) for said in check.hits(make({"id": [1, 2]}))] == [Skipped]


@pytest.mark.parametrize("odd", [1, 2, 3])
def test_a_column_of_nearly_one_value_is_told(make: Make, odd: int) -> None:
    found = hits(AlmostConstantColumn(), make({"x": ["a"] * (2000 - odd) + ["b"] * odd, "z": [None, True] * 1000}))

    assert [hit.column for hit in found] == (["x"] if odd < 2 else [])


def test_missing_rows_are_no_value(make: Make) -> None:
    assert hits(AlmostConstantColumn(), make({"x": [None] * 5000 + [1.0, 2.0, math.nan]})) == []


def test_a_fill_in_among_many_values_is_told_with_its_rows(make: Make) -> None:
    (hit,) = hits(MostCommonValue(), make({"x": [*range(1, 200), *[77] * 20, None]}, parts=3))

    assert (hit.column, hit.rows, hit.severity) == ("x", 21, "info")
    assert "x is 77 in 9.6% of its rows, 21 times as often as any other" in hit.message


def test_a_fill_in_is_told_where_the_profile_joins_values(make: Make) -> None:
    (hit,) = hits(MostCommonValue(), make({"x": [*RANDOM.uniform(1, 2, 5000), *[1.5] * 100]}))

    assert hit.rows == 100


def test_zeros_few_values_and_even_columns_are_not_told(make: Make) -> None:
    columns = {"rain": [0.0] * 150 + [i / 7 for i in range(1, 51)], "grade": [1, 2, 3, 3] * 50, "even": [*range(200)]}

    assert hits(MostCommonValue(), make(columns)) == []


def test_features_with_a_very_long_tail_are_told_together(make: Make) -> None:
    columns = {"a": SKEWED, "b": -SKEWED, "c": RANDOM.normal(0, 1, 3000), "y": SKEWED}

    (hit,) = hits(Skew(), make(columns))

    assert (hit.column, hit.severity) == (None, "info")
    assert "2 features have a very long tail" in hit.message


def test_a_skewed_label_is_told_by_its_long_side(make: Make) -> None:
    (hit,) = hits(RegressionTargetSkew(), make({"x": [1, 2] * 1500, "y": -SKEWED}))

    assert hit.column == "y"
    assert "its smallest values lead" in hit.message


def test_classes_and_even_labels_have_no_skew_to_tell(make: Make) -> None:
    assert [type(said) for said in RegressionTargetSkew().hits(make({"y": [0] * 99 + [1]}))] == [Skipped]
    assert hits(RegressionTargetSkew(), make({"y": [*range(100)]})) == []


@pytest.mark.parametrize("values", [SKEWED, RANDOM.normal(0, 1, 500), np.array([1.0]), np.array([1e308, -1e308, 0.0])])
def test_skewness_is_scipys(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Of many values within the sketch's error; 0 for a constant, and where the spread is no float."""
    column = profile(pl.LazyFrame({"x": values}), {"x": "numeric"}).columns["x"]
    assert isinstance(column, Numeric)

    expected = stats.skew(values) if values.size > 3 else 0.0

    assert skewness(column) == pytest.approx(expected, rel=0.02, abs=1e-9)


def test_too_few_rows_for_the_features_are_told(make: Make) -> None:
    (hit,) = hits(MinRows(), make({name: [1] * 45 for name in "abcde"}))

    assert (hit.observed, hit.threshold) == (45, 50)
    assert hits(MinRows(), make({name: [1] * 50 for name in "abcde"})) == []


def test_agreed_bounds_of_the_rows_are_kept(make: Make) -> None:
    table = make({"x": [1] * 100})

    assert [hit.threshold for hit in hits(MinRows(minimum_rows=101), table)] == [101]
    assert [hit.threshold for hit in hits(MinRows(maximum_rows=99), table)] == [99]


def test_no_rows_are_too_few(make: Make) -> None:
    (hit,) = hits(MinRows(), make({"x": pl.Series([], dtype=pl.Int64)}))

    assert (hit.observed, hit.severity, hit.message) == (0, "error", "there are no rows")


def test_a_sample_that_holds_one_of_the_values_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.quality.findings.SAMPLE_ROWS", 20)
    rows = [0.0] * 20_000 + [float(i) for i in range(1, 2501)]

    assert hits(MostCommonValue(), made({"x": rows})) == []
