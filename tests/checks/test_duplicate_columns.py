"""Columns that tell the same: as they stand, in other words, or in all but a few rows."""

import dataclasses
import math
import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from pipeline.checks.duplicate_columns import AlmostDuplicateColumns, DuplicateColumns
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]


def columns(rows: int = 400) -> dict[str, list[Any]]:
    drawn = random.Random(2)
    return {
        "x": [drawn.random() for _ in range(rows)],
        "z": [drawn.random() for _ in range(rows)],
        "shop": [("north", "south", "east")[drawn.randrange(3)] for _ in range(rows)],
        "other": [("north", "south", "east")[drawn.randrange(3)] for _ in range(rows)],
    }


def but(values: list[Any], rows: int) -> list[Any]:
    """The values, with the last few changed."""
    return [*values[: len(values) - rows], *(-1.0 for _ in range(rows))]


PLANTED: dict[str, Callable[[int], Table]] = {
    "duplicate_columns": lambda parts: made(columns() | {"copy": columns()["x"]}, parts=parts),
    "almost_duplicate_columns": lambda parts: made(columns() | {"copy": but(columns()["x"], 3)}, parts=parts),
}


def told(check: DuplicateColumns | AlmostDuplicateColumns, table: Table) -> list[tuple[str | None, str]]:
    return [(hit.column, hit.severity) for hit in hits(check, table)]


def test_columns_that_differ_are_not_told(make: Make) -> None:
    assert told(DuplicateColumns(), make(columns())) == []
    assert told(AlmostDuplicateColumns(), make(columns())) == []


def test_a_copy_is_told_once_whatever_its_type(make: Make) -> None:
    whole = [i % 50 for i in range(400)]
    table = make(columns() | {"a": whole, "b": [float(v) for v in whole], "c": whole})

    assert told(DuplicateColumns(), table) == [("b", "warning"), ("c", "warning")]


def test_values_in_other_words_are_worth_knowing(make: Make) -> None:
    codes = {"north": 3, "south": 1, "east": 2}
    table = make(columns() | {"code": [codes[shop] for shop in columns()["shop"]]})

    (hit,) = hits(DuplicateColumns(), table)

    assert (hit.column, hit.severity) == ("code", "info")
    assert hit.message == "code tells the same as shop in other words (one to one) in all rows"


def test_columns_that_are_nearly_all_zero_or_null_are_not_alike(make: Make) -> None:
    table = make({"a": [0.0] * 397 + [1.0] * 3, "b": [1.0] * 3 + [0.0] * 397, "c": [None] * 399 + [2.0]})

    assert told(AlmostDuplicateColumns(), table) == []


def test_missing_values_and_nan_agree_with_each_other(make: Make) -> None:
    x = columns()["x"]
    table = make({"a": [None, *x[1:]], "b": [math.nan, *x[1:]]})

    assert told(DuplicateColumns(), table) == [("b", "warning")]


@pytest.mark.parametrize(("differing", "expected"), [(0, 0), (4, 1), (5, 0)])
def test_nearly_all_rows_means_ninety_nine_in_a_hundred(make: Make, differing: int, expected: int) -> None:
    found = hits(AlmostDuplicateColumns(), make(columns() | {"copy": but(columns()["x"], differing)}))

    assert len(found) == expected


def test_the_rows_that_differ_are_flagged_with_both_values(make: Make) -> None:
    (hit,) = hits(AlmostDuplicateColumns(), PLANTED["almost_duplicate_columns"](1))

    assert hit.flags is not None
    assert (hit.rows, hit.observed) == (3, 397 / 400)
    assert hit.flags["row_id"].to_list() == ["rows#397", "rows#398", "rows#399"]
    assert hit.flags["value"][0] == f"-1.0 ({columns()['x'][397]})"


@pytest.mark.parametrize("name", ["^copy$", "a b", "[1]", "telling 0"])
def test_columns_may_have_any_name(name: str) -> None:
    for check, copy in ((DuplicateColumns(), columns()["x"]), (AlmostDuplicateColumns(), but(columns()["x"], 2))):
        rows = columns() | {name: copy}
        table = dataclasses.replace(made(rows), partitions={"all": pl.DataFrame(rows).with_row_index("row_id").lazy()})

        assert told(check, table) == [(name, "warning")]


def test_a_few_rows_say_nothing(make: Make) -> None:
    assert told(DuplicateColumns(), make({"a": [1, 2, 3], "b": [1, 2, 3]})) == []


def test_large_whole_numbers_are_told_apart_to_the_last_digit() -> None:
    first = [2**60 + 256 * i for i in range(200)]
    rows = {"a": first, "b": [value + i % 7 for i, value in enumerate(first)]}

    assert list(hits(DuplicateColumns(), made(rows))) == []
    assert len(list(hits(DuplicateColumns(), made(rows | {"b": first})))) == 1
