"""Reference: what is not as in the table to compare with."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.checks.reference import (
    CHECKS,
    ClassBalanceChange,
    DistributionShift,
    MissingShareChange,
    RowCountChange,
    SchemaChanged,
    TrainServeSkew,
)
from pipeline.quality.findings import Check, Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
DIAMONDS = Path(__file__).parents[3] / "shared" / "data" / "demos" / "diamonds.csv.gz"
RANDOM = np.random.default_rng(2)
X = RANDOM.normal(10, 2, 600)
SHOPS = RANDOM.choice(["a", "b", "c"], 600).tolist()
BEFORE: dict[str, Any] = {"id": range(600), "x": X, "shop": SHOPS, "y": [i % 3 == 0 for i in range(600)]}


def against(parts: int = 1, **changes: Any) -> Table:
    """The reference's own rows with these columns changed, or left out where None, beside that reference."""
    rows = {name: values for name, values in {**BEFORE, **changes}.items() if values is not None}
    return dataclasses.replace(made(rows, parts=parts), reference=made(BEFORE, parts=2))


OTHER_X = [*X[:590], *(X[590:] + 1)]
PLANTED: dict[str, Callable[[int], Table]] = {
    "schema_changed": lambda parts: against(parts, shop=None, new=[1] * 600, x=["1"] * 600),
    "distribution_shift": lambda parts: against(parts, x=X + 4),
    "missing_share_change": lambda parts: against(parts, x=[*X[:500], *[None] * 100]),
    "row_count_change": lambda parts: dataclasses.replace(made(BEFORE, parts=parts), reference=made({"x": [1.0]})),
    "class_balance_change": lambda parts: against(parts, y=[True] * 300 + [False] * 300),
    "train_serve_skew": lambda parts: against(parts, x=OTHER_X),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_without_a_reference_nothing_is_asked(make: Make, kind: type[Check]) -> None:
    assert [type(said) for said in kind().hits(make(BEFORE))] == [Skipped]


@pytest.mark.parametrize("kind", CHECKS)
def test_the_references_own_rows_are_not_told(kind: type[Check]) -> None:
    assert hits(kind(), against()) == []


@pytest.mark.parametrize("kind", CHECKS)
def test_empty_tables_on_either_side_are_no_error(kind: type[Check]) -> None:
    full = made(BEFORE)
    empty = made(pl.DataFrame(BEFORE).clear())

    for table, reference in ((full, empty), (empty, full), (empty, empty)):
        list(kind().hits(dataclasses.replace(table, reference=reference)))


def test_columns_that_came_went_or_changed_are_told() -> None:
    found = hits(SchemaChanged(), against(shop=None, new=[1] * 600, x=["1"] * 600))

    assert {hit.column: (hit.observed, hit.threshold, hit.severity) for hit in found} == {
        "shop": ("absent", "String", "error"),
        "new": ("Int64", "absent", "warning"),
        "x": ("String", "Float64", "error"),
    }


def test_another_width_or_place_of_a_column_is_no_change() -> None:
    rows = pl.DataFrame(BEFORE).select(
        "y", "shop", pl.col("x").cast(pl.Float32), pl.col("id").cast(pl.Int8, strict=False)
    )

    assert hits(SchemaChanged(), dataclasses.replace(made(rows), reference=made(BEFORE))) == []


def test_a_mean_and_shares_that_moved_are_told() -> None:
    shops = ["a"] * 400 + ["b"] * 200

    found = {hit.column: hit.message for hit in hits(DistributionShift(), against(x=X + 4, shop=shops))}

    assert "+2.0 standard deviations" in found["x"]
    assert "'a' in 66.7% of the rows, and was" in found["shop"]


def test_another_draw_and_missing_rows_are_no_shift() -> None:
    assert hits(DistributionShift(), against(x=RANDOM.normal(10, 2, 600))) == []
    assert hits(DistributionShift(), against(x=[*X[:300], *[None] * 150, *[math.nan] * 150])) == []


@pytest.mark.parametrize(("missing", "told"), [(0, False), (3, False), (40, True), (600, True)])
def test_a_share_of_missing_rows_that_changed_is_told(missing: int, told: bool) -> None:
    found = hits(MissingShareChange(), against(x=[*X[missing:], *[math.nan] * missing]))

    assert [hit.column for hit in found] == (["x"] if told else [])


def test_twice_the_rows_are_worth_knowing(make: Make) -> None:
    small, large = make({"x": [1] * 10}), make({"x": [1] * 21})

    assert [hit.severity for hit in hits(RowCountChange(), dataclasses.replace(small, reference=large))] == ["info"]
    assert hits(RowCountChange(maximum_ratio=3), dataclasses.replace(large, reference=small)) == []


def test_other_shares_of_classes_are_told() -> None:
    (hit,) = hits(ClassBalanceChange(), against(y=[True] * 300 + [False] * 300))

    assert hit.column == "y"
    assert "was in 33.3%" in hit.message or "was in 66.7%" in hit.message


def test_unlabelled_rows_are_no_change_of_classes() -> None:
    assert hits(ClassBalanceChange(), against(y=[None] * 300 + [i % 3 == 0 for i in range(300)])) == []


def test_the_same_id_with_another_value_is_told_with_both() -> None:
    (hit,) = hits(TrainServeSkew(), against(parts=3, x=OTHER_X))

    assert hit.flags is not None
    assert (hit.column, hit.rows) == ("x", 10)
    assert hit.flags["row_id"].to_list() == [f"rows#{i}" for i in range(590, 600)]
    assert hit.flags.row(0)[1:] == (str(X[590] + 1), str(X[590]))


def test_numbers_that_differ_by_rounding_are_the_same() -> None:
    assert hits(TrainServeSkew(), against(x=X * (1 + 1e-9))) == []


@pytest.mark.parametrize("now", [None, math.nan, math.inf])
def test_a_value_that_is_gone_is_another(now: float | None) -> None:
    assert [hit.rows for hit in hits(TrainServeSkew(), against(x=[now, *X[1:]]))] == [1]


def test_what_is_missing_or_infinite_in_both_is_the_same() -> None:
    odd: dict[str, Any] = {"id": range(60), "x": [None, math.nan, math.inf] * 20}

    assert hits(TrainServeSkew(), dataclasses.replace(made(odd), reference=made(odd))) == []


def test_ids_that_name_no_row_are_not_joined() -> None:
    table = against(id=[7] * 600, x=OTHER_X)

    assert [type(said) for said in TrainServeSkew().hits(table)] == [Skipped]


@pytest.mark.skipif(not DIAMONDS.is_file(), reason="shared/data is absent")
@pytest.mark.parametrize("kind", CHECKS)
def test_two_halves_of_one_real_table_are_alike(kind: type[Check]) -> None:
    frame = pl.read_csv(DIAMONDS).rename({"y": "width", "price": "y"}).sample(fraction=1, shuffle=True, seed=1)

    assert hits(kind(), dataclasses.replace(made(frame[:27_000]), reference=made(frame[27_000:]))) == []


def test_a_column_called_before_is_a_column() -> None:
    rows: dict[str, list[Any]] = {"id": list(range(100)), "x": [float(i) for i in range(100)], "x before": [0.0] * 100}
    table = made(rows, key=["id"])

    assert hits(TrainServeSkew(), dataclasses.replace(table, reference=table)) == []
