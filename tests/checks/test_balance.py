"""Balance: rare classes, a label of one class, columns that never vary."""

import math
from collections.abc import Callable

import polars as pl

from pipeline.checks.balance import ClassImbalance, ConstantColumn, SingleClassTarget
from pipeline.findings import Table
from pipeline.inspection import hits

Make = Callable[..., Table]


def test_a_class_below_the_share_is_told(make: Make) -> None:
    (hit,) = hits(ClassImbalance(), make({"x": [1] * 20, "y": [True] + [False] * 19}, parts=3))

    assert (hit.column, hit.rows, hit.observed) == ("y", 1, 0.05)
    assert "class true of y" in hit.message


def test_balanced_classes_are_not_told(make: Make) -> None:
    assert list(hits(ClassImbalance(), make({"x": [1, 2, 3], "y": [True, False, None]}))) == []


def test_the_share_is_of_the_labelled_rows(make: Make) -> None:
    table = make({"x": [1] * 8, "y": [True, False, *[None] * 6]})

    assert list(hits(ClassImbalance(minimum_share=0.4), table)) == []


def test_a_label_of_one_class_is_an_error(make: Make) -> None:
    (hit,) = hits(SingleClassTarget(), make({"x": [1, 2, 3], "y": ["no", "no", None]}))

    assert (hit.observed, hit.severity) == (1, "error")
    assert "(no)" in hit.message


def test_a_label_without_a_value_is_an_error(make: Make) -> None:
    (hit,) = hits(SingleClassTarget(), make({"x": [1, 2], "y": pl.Series([None, None], dtype=pl.Boolean)}))

    assert hit.observed == 0


def test_two_classes_are_enough(make: Make) -> None:
    assert list(hits(SingleClassTarget(), make({"x": [1, 2], "y": [0, 1]}, parts=2))) == []


def test_a_label_may_have_any_name(make: Make) -> None:
    table = make({"len": [1, 2], "y": [True, True]})

    assert [hit.column for hit in hits(ConstantColumn(), table)] == []
    assert len(list(hits(SingleClassTarget(), table))) == 1


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
