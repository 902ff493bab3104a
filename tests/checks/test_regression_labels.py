"""Numbers in the label that the other rows contradict."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from pipeline.checks.regression_labels import RegressionLabelError
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
ROWS = 1_500
WRONG = 120


def priced(wrong: int) -> pl.DataFrame:
    """A price that follows from size and place; the first rows have that of another row."""
    rng = np.random.default_rng(2)
    size, place = rng.uniform(1, 10, ROWS), rng.integers(3, size=ROWS)
    price = 100 * size * (1 + place) * rng.normal(1, 0.03, ROWS)
    price[:wrong] = rng.permutation(price)[:wrong]
    return pl.DataFrame({"size": size, "place": [f"place {code}" for code in place], "y": price})


PLANTED: dict[str, Callable[[int], Table]] = {
    "regression_label_error": lambda parts: made(priced(WRONG), parts=parts),
}


def test_prices_of_other_rows_are_told() -> None:
    (hit,) = hits(RegressionLabelError(), made(priced(WRONG), parts=2))

    assert hit.flags is not None
    told = {int(row.removeprefix("rows#")) for row in hit.flags["row_id"]}
    assert len(told & set(range(WRONG))) > 0.7 * len(told)
    assert len(told & set(range(WRONG))) > 0.5 * WRONG
    assert (hit.column, hit.severity) == ("y", "info")
    assert hit.flags["score"].is_sorted(descending=True)


def test_clean_prices_are_not_told() -> None:
    assert hits(RegressionLabelError(), made(priced(0))) == []


@pytest.mark.parametrize(
    "rows",
    [
        {"x": [1.0] * 1200},
        {"y": ["a", "b"] * 600, "x": [1.0] * 1200},
        {"y": [float(i) for i in range(999)], "x": [1.0] * 999},
        {"y": [float(i) for i in range(1200)], "id": [1] * 1200},
    ],
    ids=["no label", "classes", "few rows", "no feature"],
)
def test_it_is_not_asked_without_numbers_to_learn(make: Make, rows: dict[str, list[object]]) -> None:
    said = list(RegressionLabelError().hits(make(rows)))

    assert [type(each) for each in said] == [Skipped]


def test_a_label_that_nothing_tells_is_not_judged(make: Make) -> None:
    rng = np.random.default_rng(0)

    assert hits(RegressionLabelError(), make({"x": rng.normal(size=1200), "y": rng.normal(size=1200)})) == []


def test_missing_labels_are_left_out(make: Make) -> None:
    rows = priced(0).with_columns(y=pl.when(pl.int_range(pl.len()) >= 50).then("y"))

    assert list(RegressionLabelError().hits(make(rows))) == [Skipped(rows=50, why="a sample, or no label")]
