"""Distinct texts: counted once, from the profile or from the rows, or on a sample that says so."""

from collections.abc import Callable

import polars as pl
import pytest

from pipeline.checks import values
from pipeline.checks.values import counted, every, texts
from pipeline.quality import findings
from pipeline.quality.findings import Skipped, Table

Make = Callable[..., Table]


def test_nulls_are_no_text_and_odd_names_are_names(make: Make) -> None:
    table = make({"*": ["a", None, "a", "b"], "^x$": ["c", "d", "c", None]})

    star, hat = (counted(table, column) for column in texts(table))

    assert star.counts.rows() == [("a", 2), ("b", 1)]
    assert hat.counts.rows() == [("c", 2), ("d", 1)]
    assert (star.left, star.rows) == (0, 3)


def test_numbers_and_ignored_columns_are_not_looked_at(make: Make) -> None:
    assert [c.name for c in texts(make({"n": [1], "spare": ["a"], "s": ["a"]}))] == ["s"]


def test_more_texts_than_the_profile_keeps_are_counted_over_all_rows(make: Make) -> None:
    table = make({"s": [str(i % 2000) for i in range(4000)]}, parts=3)

    (column,) = texts(table)

    assert counted(table, column).counts["rows"].to_list() == [2] * 2000
    assert counted(table, column) is counted(table, column)


def test_very_many_texts_are_looked_at_in_a_sample_that_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "SAMPLE_ROWS", 1000)
    monkeypatch.setattr(values, "SAMPLE_ROWS", 1000)
    monkeypatch.setattr(values, "MANY", 1500)
    table = make({"s": [str(i) for i in range(4000)]})

    (said,) = every(table, texts(table), lambda seen: [])

    assert isinstance(said, Skipped) and said.rows == 4000 - table.sample.height > 0
    assert "too many distinct texts in s" in said.why


def test_no_text_column_is_told(make: Make) -> None:
    assert list(every(make({"n": [1]}), [], lambda seen: [])) == [Skipped(why="no column of text")]


def test_categories_of_polars_are_text(make: Make) -> None:
    table = make(pl.DataFrame({"c": pl.Series(["a", "b", "a"], dtype=pl.Categorical)}))

    (column,) = texts(table)

    assert counted(table, column).counts.rows() == [("a", 2), ("b", 1)]
