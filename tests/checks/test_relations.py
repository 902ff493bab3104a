"""Relations: order of two columns, sums and products."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from pipeline.checks.relations import ColumnOrder, DerivedColumnConsistent, are_opposites
from pipeline.quality.findings import Table

from .cells import told
from .conftest import made

Make = Callable[..., Table]
START = datetime(2024, 1, 1)


def stays(parts: int = 1) -> Table:
    admitted = [START + timedelta(hours=7 * i) for i in range(200)]
    left = [moment + timedelta(hours=i % 50) for i, moment in enumerate(admitted)]
    left[12] -= timedelta(days=90)
    return made({"admitted": admitted, "left": [*left[:-1], None]}, parts=parts)


def bills(parts: int = 1) -> Table:
    net = [10 + i * 1.25 for i in range(200)]
    tax = [round(value * 0.19 + i % 3, 2) for i, value in enumerate(net)]
    gross = [round(a + b, 2) for a, b in zip(net, tax, strict=True)]
    return made({"net": net, "tax": tax, "gross": [*gross[:7], 1.0, *gross[8:]]}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"column_a_greater_than_b": stays, "derived_column_consistent": bills}


def test_an_end_before_its_start_is_told() -> None:
    (cells,) = told(ColumnOrder(), stays()).values()

    assert [row for row, _, _ in cells] == [12]


def test_numbers_are_in_order_by_their_names_alone(make: Make) -> None:
    rows = {"low": [1.0] * 99 + [5.0, math.nan], "high": [2.0] * 101, "other": [1.5] * 101}

    assert told(ColumnOrder(), make(rows)) == {"high": [(99, "2.0", None)]}


def test_moments_in_no_order_and_orders_that_hold_are_not_told(make: Make) -> None:
    a = [START + timedelta(hours=i * 37 % 100) for i in range(100)]
    b = [START + timedelta(hours=i * 53 % 100) for i in range(100)]

    assert told(ColumnOrder(), make({"a": a, "b": b})) == {}
    assert told(ColumnOrder(), make({"start": list(range(100)), "end": list(range(1, 101))})) == {}


@pytest.mark.parametrize(("low", "high"), [("end", "start"), ("start", "stop_end"), ("minimum", "maximal"), ("a", "b")])
def test_names_that_are_no_opposites(low: str, high: str) -> None:
    assert not are_opposites(low, high)


def test_a_sum_that_is_wrong_is_told_and_computed() -> None:
    # net 18.75, tax 0.19 · 18.75 + 1 rounded to cents
    assert told(DerivedColumnConsistent(), bills()) == {"gross": [(7, "1.0", "23.31")]}


def test_a_product_is_found_and_nothing_is_told_where_it_holds(make: Make) -> None:
    price, count = [round(2 + i * 0.37, 2) for i in range(120)], [2 + i % 7 for i in range(120)]
    total = [round(p * c, 2) for p, c in zip(price, count, strict=True)]
    rows = {"price": price, "count": count, "total": total}

    assert told(DerivedColumnConsistent(), make(rows)) == {}
    assert told(DerivedColumnConsistent(), make(rows | {"total": [*total[:-1], 0.5]})) == {
        "total": [(119, "0.5", str(round(price[-1] * count[-1], 2)))]
    }


def test_small_counts_that_agree_by_chance_are_no_rule(make: Make) -> None:
    rows = {"a": [i % 2 for i in range(300)], "b": [i % 3 % 2 for i in range(300)], "c": [0] * 300}

    assert told(DerivedColumnConsistent(), make(rows)) == {}


def test_what_holds_in_the_first_rows_alone_is_not_told() -> None:
    a, b = [float(i % 97 + 1) for i in range(9000)], [float(i % 89 + 1) for i in range(9000)]
    total = [x + y + (7 if i >= 3000 else 0) for i, (x, y) in enumerate(zip(a, b, strict=True))]

    assert told(DerivedColumnConsistent(), made({"a": a, "b": b, "total": total})) == {}
