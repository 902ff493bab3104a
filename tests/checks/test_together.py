"""Missing values that go together, with each other or with what another column says."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from pipeline.checks.together import MissingnessCorrelated, association, associations, cramers_v, phi
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
CHECK = MissingnessCorrelated()


def joined(parts: int = 1) -> Table:
    """Two columns of one join lack in 40 of 400 rows, and a third by chance."""
    chance = random.Random(3)
    rows: dict[str, list[Any]] = {
        "seats": [None if i % 10 == 0 else i for i in range(400)],
        "engine": [None if i % 10 == 0 else "jet" for i in range(400)],
        "wind": [None if chance.random() < 0.1 else i % 7 for i in range(400)],
    }
    return made(rows, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"missingness_correlated": joined}


def test_columns_that_lack_in_the_same_rows_are_one_finding() -> None:
    (hit,) = hits(CHECK, joined())

    assert hit.observed == pytest.approx(1.0)
    assert hit.message == "seats, engine are missing in the same rows, all of them in 40 rows"


def test_holes_by_chance_go_with_nothing(make: Make) -> None:
    chance = random.Random(5)
    rows = {name: [None if chance.random() < 0.2 else chance.random() for _ in range(500)] for name in "abcd"}

    assert hits(CHECK, make(rows)) == []


def test_holes_that_a_label_tells_are_a_warning(make: Make) -> None:
    labels = [i % 4 == 0 for i in range(400)]
    (hit,) = hits(CHECK, make({"paid": [None if label else 1.5 * i for i, label in enumerate(labels)], "y": labels}))

    assert (hit.column, hit.severity) == ("paid", "warning")
    assert "depends on y" in hit.message


def test_holes_that_a_number_tells_are_for_information(make: Make) -> None:
    speed = [float(i * 37 % 101) for i in range(500)]
    (hit,) = hits(CHECK, make({"speed": speed, "gust": [None if v < 60 else v + 9 for v in speed]}))

    assert (hit.column, hit.severity) == ("gust", "info")
    assert "depends on speed" in hit.message


def test_a_few_holes_say_nothing(make: Make) -> None:
    rows = {name: [None if i < 29 else i for i in range(400)] for name in "ab"}

    assert hits(CHECK, make(rows)) == []


def test_phi_is_pearsons_r_of_the_indicators() -> None:
    drawn = np.random.default_rng(1).random((500, 3)) < 0.3
    drawn[:, 2] |= drawn[:, 0]

    assert phi(drawn, np.ones(500)) + np.eye(3) == pytest.approx(np.corrcoef(drawn.T.astype(float)))


def test_v_is_the_bias_corrected_one() -> None:
    a = pl.Series(["a"] * 60 + ["b"] * 40)
    b = pl.Series(["x"] * 45 + ["y"] * 15 + ["x"] * 10 + ["z"] * 30)
    counts = np.array([[45, 15, 0], [10, 0, 30]])
    chi2 = stats.chi2_contingency(counts, correction=False).statistic
    corrected = max(0, chi2 / 100 - 2 / 99)

    assert cramers_v(a, b) == pytest.approx(np.sqrt(corrected / (2 - 1 / 99 - 1)))


def test_v_of_independent_columns_is_0() -> None:
    assert cramers_v(pl.Series([0, 0, 1, 1] * 25), pl.Series([0, 1, 0, 1] * 25)) == 0.0


def test_a_value_may_be_called_as_it_likes() -> None:
    x = [None if i % 4 == 0 else float(i) for i in range(1000)]
    rows: dict[str, list[Any]] = {"k": ["a", "b", "c", "a"] * 250, "x": x}

    assert [hit.column for hit in hits(CHECK, made(rows))] == ["x"]


def test_v_is_the_same_each_time() -> None:
    drawn = np.random.default_rng(3).integers(0, 12, (2, 4000))
    a, b = (pl.Series(values).cast(pl.String) for values in drawn)

    assert len({cramers_v(a, b) for _ in range(30)}) == 1


def test_v_of_too_few_rows_is_0() -> None:
    assert cramers_v(pl.Series([1, 2]), pl.Series(["x", "y"])) == 0.0
    assert cramers_v(pl.Series([], dtype=pl.Int64), pl.Series([], dtype=pl.String)) == 0.0


def test_what_is_known_in_a_few_rows_tells_nothing() -> None:
    random.seed(1)
    rows: dict[str, list[Any]] = {"x": [None if random.random() < 0.3 else random.random() for _ in range(1000)]}
    for sparse in range(10):
        rows[f"s{sparse}"] = [random.choice([0, 1]) if i % 160 == sparse else None for i in range(1000)]

    assert [hit for hit in hits(CHECK, made(rows)) if hit.column == "x"] == []


def test_all_columns_at_once_are_as_one_by_one() -> None:
    rng = np.random.default_rng(4)
    lacks = rng.random((500, 3)) < (0.1, 0.5, 0.01)
    by = np.where(rng.random(500) < 0.3, lacks[:, 1] * 2, rng.integers(-1, 5, 500))

    found = associations(lacks, by, minimum_rows=30)

    known = by >= 0
    one_by_one = [association(lacks[known, column].astype(np.int64), by[known]) for column in (0, 1)]
    assert found == pytest.approx([*one_by_one, 0.0])  # of the third too few rows lack
    assert associations(lacks, np.full(500, -1), minimum_rows=30).tolist() == [0.0] * 3
