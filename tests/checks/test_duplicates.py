"""Duplicates: exact copies are told with their first row, rivals of a key all of them."""

import math
from collections.abc import Callable

import polars as pl
import pytest

from pipeline.checks.duplicates import DuplicateKey, DuplicateRowsExact
from pipeline.findings import Hit, Table
from pipeline.inspection import hits

Make = Callable[..., Table]


def copies(table: Table) -> list[tuple[str, str]]:
    return [row for hit in hits(DuplicateRowsExact(), table) if hit.flags is not None for row in hit.flags.iter_rows()]


def rivals(table: Table) -> list[tuple[str, str]]:
    return [row for hit in hits(DuplicateKey(), table) if hit.flags is not None for row in hit.flags.iter_rows()]


def test_rows_that_all_differ_are_no_duplicates(make: Make) -> None:
    table = make({"id": [1, 2, 3], "x": [1.0, 1.0, 2.0], "y": [True, True, True]}, key=["id"])

    assert copies(table) == []
    assert rivals(table) == []


def test_each_later_copy_is_told_with_the_first_row(make: Make) -> None:
    table = make({"x": [1.0, 2.0, 1.0, 1.0], "y": [True, False, True, True]})

    assert copies(table) == [("rows#2", "rows#0"), ("rows#3", "rows#0")]


def test_null_equals_null_nan_equals_nan_and_zero_has_no_sign(make: Make) -> None:
    table = make({"x": [math.nan, math.nan, 0.0, -0.0], "y": [None, None, True, True]})

    assert copies(table) == [("rows#1", "rows#0"), ("rows#3", "rows#2")]


def test_null_and_nan_are_not_the_same(make: Make) -> None:
    table = make({"x": [None, math.nan, 0.0], "y": [True, True, True]})

    assert copies(table) == []


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_copy_in_another_file_is_found(make: Make, parts: int) -> None:
    table = make({"x": [1.0, 2.0, 3.0, 1.0], "y": [True, False, True, True]}, parts=parts)

    assert copies(table) == [("rows#3", "rows#0")]


def test_the_hit_counts_and_shows_the_copies(make: Make) -> None:
    table = make({"x": [1.0, 1.0, 1.0, 2.0], "y": [True, True, True, True]})

    (hit,) = hits(DuplicateRowsExact(), table)

    assert (hit.rows, hit.observed, hit.column) == (2, 0.5, None)


@pytest.mark.parametrize("parts", [1, 3])
def test_all_rows_that_claim_one_key_with_other_content_are_rivals(make: Make, parts: int) -> None:
    table = make({"id": [7, 8, 7], "x": [1.0, 1.0, 2.0], "y": [True, True, True]}, key=["id"], parts=parts)

    assert rivals(table) == [("rows#0", "7"), ("rows#2", "7")]


def test_exact_copies_are_no_rivals(make: Make) -> None:
    table = make({"id": [7, 7], "x": [1.0, 1.0], "y": [True, True]}, key=["id"])

    assert rivals(table) == []


def test_a_copy_of_a_rival_is_a_rival(make: Make) -> None:
    table = make({"id": [7, 7, 7], "x": [1.0, 1.0, 2.0], "y": [True, True, True]}, key=["id"])

    assert [row for row, _ in rivals(table)] == ["rows#0", "rows#1", "rows#2"]


def test_rows_without_a_key_are_no_rivals(make: Make) -> None:
    table = make({"id": [None, None, 3], "x": [1.0, 2.0, 3.0], "y": [True, True, True]}, key=["id"])

    assert rivals(table) == []


def test_a_key_of_several_columns_is_told_as_they_stand(make: Make) -> None:
    rows = {"id": [1, 1, 1], "g": ["a", "a", "b"], "x": [1.0, 2.0, 1.0], "y": [True, True, True]}

    assert rivals(make(rows, key=["id", "g"])) == [("rows#0", "1 a"), ("rows#1", "1 a")]


def test_a_contract_without_a_key_is_not_asked(make: Make) -> None:
    assert rivals(make({"x": [1.0, 2.0], "y": [True, True]})) == []


def test_an_empty_table_has_no_duplicates(make: Make) -> None:
    empty = pl.DataFrame(schema={"id": pl.Int64, "x": pl.Float64, "y": pl.Boolean})
    found: list[Hit] = [*hits(DuplicateRowsExact(), make(empty)), *hits(DuplicateKey(), make(empty, key=["id"]))]

    assert found == []
