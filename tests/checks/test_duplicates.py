"""Duplicates: exact copies are told with their first row, rivals of a key or of a label all of them."""

import dataclasses
import math
import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from pipeline.checks.duplicates import (
    ConflictingLabels,
    DuplicateKey,
    DuplicateRowsButIds,
    DuplicateRowsExact,
    OverlapExact,
)
from pipeline.quality.findings import Hit, Skipped, Table
from pipeline.quality.inspection import hits
from pipeline.similar import fingerprints

from .conftest import made

Make = Callable[..., Table]


def people(rows: int = 60, *, seed: int = 1) -> dict[str, list[Any]]:
    """Rows that all differ, with an id, a label and two features that say much."""
    drawn = random.Random(seed)
    return {
        "id": list(range(rows)),
        "x": [drawn.random() for _ in range(rows)],
        "shop": [f"shop {drawn.randrange(10**6)}" for _ in range(rows)],
        "y": [("yes", "no")[drawn.randrange(2)] for _ in range(rows)],
    }


def again(rows: dict[str, list[Any]], row: int, **changed: Any) -> dict[str, list[Any]]:
    """The rows, with a row once more at the end, changed in some columns."""
    return {name: [*values, changed.get(name, values[row])] for name, values in rows.items()}


def first(rows: dict[str, list[Any]], count: int) -> dict[str, list[Any]]:
    return {name: values[:count] for name, values in rows.items()}


def with_reference(rows: dict[str, list[Any]], reference: dict[str, list[Any]], parts: int = 1) -> Table:
    return dataclasses.replace(made(rows, parts=parts), reference=made(reference))


PLANTED: dict[str, Callable[[int], Table]] = {
    "duplicate_rows_exact": lambda parts: made(
        {"x": [1.0, 1.0, 2.0, 3.0] * 7, "z": [i // 4 for i in range(28)]}, parts=parts
    ),
    "duplicate_rows_but_ids": lambda parts: made(again(people(), 7, id=99), parts=parts),
    "conflicting_labels": lambda parts: made(again(people(), 7, y="new"), parts=parts),
    "overlap_exact": lambda parts: with_reference(people(), first(people(), 5), parts),
}


def copies(table: Table) -> list[tuple[str | int, str | int]]:
    return [row for hit in hits(DuplicateRowsExact(), table) if hit.flags is not None for row in hit.flags.iter_rows()]


def rivals(table: Table) -> list[tuple[str | int, str]]:
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


def test_values_of_one_column_repeat_but_ids_do_not(make: Make) -> None:
    assert copies(make({"shop": ["north", "south", "north"]})) == []
    assert copies(make({"id": [7, 8, 7]})) == [("rows#2", "rows#0")]


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


def test_the_message_says_how_many_copies_cross_files(make: Make) -> None:
    rows = {"x": [1.0, 1.0, 2.0, 1.0], "y": [True, True, True, True]}

    (apart,), (together,) = hits(DuplicateRowsExact(), make(rows, parts=2)), hits(DuplicateRowsExact(), make(rows))

    assert apart.message == "2 rows equal an earlier row in every column, 1 of them one in another file"
    assert together.message == "2 rows equal an earlier row in every column"


def test_row_ids_may_be_positions(make: Make) -> None:
    table = make({"x": [1.0, 2.0, 1.0], "z": [1, 1, 1]})
    numbered = [part.with_columns(row_id=pl.int_range(pl.len())) for part in table.partitions.values()]

    assert copies(dataclasses.replace(table, partitions={"all": numbered[0]})) == [(2, 0)]


@pytest.mark.parametrize("name", ["^x$", "a b", "[1]", "value", "first", "position"])
def test_columns_may_have_any_name(name: str) -> None:
    rows: dict[str, list[Any]] = {name: [1, 2, 1, 1], "y": ["a", "b", "c", "c"], "id": [1, 2, 1, 1]}
    numbered = {"all": pl.DataFrame(rows).with_row_index("row_id").lazy()}
    table = dataclasses.replace(made(rows, key=[name]), partitions=numbered)

    assert rivals(table) == [(0, "1"), (2, "1"), (3, "1")]
    assert copies(table) == [(3, 2)]
    assert len(hits(ConflictingLabels(), table)) == 1


def test_many_partitions_of_hashes_give_the_same_copies(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [i * i % 293 for i in range(1000)]
    whole = copies(make({"x": values, "y": values}, parts=3))
    monkeypatch.setattr(fingerprints, "PARTITION_ROWS", 64)
    monkeypatch.setattr(fingerprints, "READ_ROWS", 50)
    monkeypatch.setattr(fingerprints, "CELLS", 40)

    earliest = {value: i for i, value in reversed(list(enumerate(values)))}
    expected = [(f"rows#{i}", f"rows#{earliest[v]}") for i, v in enumerate(values) if earliest[v] != i]
    assert copies(make({"x": values, "y": values}, parts=3)) == whole == expected


def test_rows_that_differ_in_id_and_stamp_alone_are_told_once(make: Make) -> None:
    table = make(again(again(people(), 7, id=99), 8))

    (hit,) = hits(DuplicateRowsButIds(), table)

    assert hit.flags is not None
    assert hit.flags.rows() == [("rows#60", "rows#7")]
    assert hit.message == "1 row equals an earlier row in all but id"


def test_rows_that_meet_by_chance_are_not_told(make: Make) -> None:
    drawn = random.Random(3)
    rows = {
        "id": range(500),
        "a": [drawn.randrange(40) for _ in range(500)],
        "b": [drawn.randrange(9) for _ in range(500)],
    }

    assert not hits(DuplicateRowsButIds(), make({name: list(values) for name, values in rows.items()}))


def test_without_ids_and_stamps_there_is_nothing_to_leave_out(make: Make) -> None:
    (said,) = DuplicateRowsButIds().hits(make({"x": [1, 1], "z": [1, 1]}))

    assert isinstance(said, Skipped)


@pytest.mark.parametrize("parts", [1, 3])
def test_rows_of_the_same_features_and_another_label_are_told(make: Make, parts: int) -> None:
    rows = {"x": [1.0, 2.0, 1.0, 1.0, 2.0, 3.0, 4.0], "shop": ["a"] * 7, "y": ["p", "p", "q", "p", None, "q", None]}

    (hit,) = hits(ConflictingLabels(), make(rows, parts=parts))

    assert hit.flags is not None
    assert hit.flags.rows() == [("rows#0", "p", 1 - 2 / 3), ("rows#2", "q", 1 - 1 / 3), ("rows#3", "p", 1 - 2 / 3)]
    assert (hit.observed, hit.severity) == (1 / 5, "warning")
    assert "any model is wrong on at least 1 of them" in hit.message


def test_features_that_are_equal_by_chance_are_no_conflict(make: Make) -> None:
    drawn = random.Random(7)
    rows = {name: [drawn.choice("pqr") for _ in range(200)] for name in ("a", "b", "c", "y")}

    assert not hits(ConflictingLabels(), make(rows))


def test_few_conflicts_are_worth_knowing_and_a_label_that_is_a_quantity_has_none(make: Make) -> None:
    (hit,) = hits(ConflictingLabels(), make(again(people(200), 7, y="new")))

    assert hit.severity == "info"
    assert not hits(ConflictingLabels(), make({"x": [1, 1], "y": [0.5, 0.7]}))


def test_rows_of_the_reference_are_told_with_their_row_there(make: Make) -> None:
    (hit,) = hits(OverlapExact(), with_reference(again(people(), 2, id=99), first(people(), 3)))

    assert hit.flags is not None
    assert hit.flags.rows() == [("rows#0", "rows#0"), ("rows#1", "rows#1"), ("rows#2", "rows#2"), ("rows#60", "rows#2")]
    assert hit.severity == "warning"


def test_rows_that_the_reference_holds_by_chance_are_worth_knowing(make: Make) -> None:
    drawn = random.Random(5)
    few = [
        {"a": [drawn.randrange(30) for _ in range(300)], "b": [drawn.randrange(30) for _ in range(300)]} for _ in "12"
    ]

    (hit,) = hits(OverlapExact(), with_reference(few[0], few[1]))

    assert hit.severity == "info"
    assert "by chance" in hit.message


def test_copies_within_the_table_are_no_overlap(make: Make) -> None:
    assert not hits(OverlapExact(), with_reference(again(people(), 3), people(20, seed=9)))


def test_rows_that_hold_little_are_equal_by_chance_and_none_is_hit(make: Make) -> None:
    chance = random.Random(4)
    rows = {name: [chance.choice(["a", "b", "c"]) for _ in range(400)] for name in ("class", "age", "sex", "y")}

    (hit,) = hits(DuplicateRowsExact(), make(rows))

    assert (hit.severity, hit.flags) == ("info", None)
    assert hit.rows is not None and hit.rows > 300
    assert "alike by chance" in hit.message


@pytest.mark.parametrize("columns", [12, 60])
def test_copies_of_rows_of_few_values_each_stand_out_where_the_columns_are_many(make: Make, columns: int) -> None:
    chance = random.Random(5)
    rows = pl.DataFrame({f"base {i}": [chance.choice("acgt") for _ in range(400)] for i in range(columns)})

    (hit,) = hits(DuplicateRowsExact(), make(pl.concat([rows, rows[3:5]])))

    assert hit.severity == "warning"
    assert hit.flags is not None
    assert hit.flags.rows() == [("rows#400", "rows#3"), ("rows#401", "rows#4")]
