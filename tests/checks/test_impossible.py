"""Impossible values: lone zeros, lost signs, what a plain name rules out."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.checks.impossible import ImpossibleValue, finite, points, possible, quantile
from pipeline.profile import profile
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
DIAMONDS = Path(__file__).parents[3] / "shared" / "data" / "demos" / "diamonds.csv.gz"

LENGTHS = [4.0 + i % 50 / 10 for i in range(200)]
PLANTED: dict[str, Callable[[int], Table]] = {
    "impossible_value": lambda parts: made({"size": [*LENGTHS, 0.0], "x": [*LENGTHS, 5.0]}, parts=parts),
}


def told(table: Table) -> dict[str | None, tuple[int, list[str]]]:
    found = hits(ImpossibleValue(), table)
    return {hit.column: (hit.rows, [] if hit.flags is None else hit.flags["row_id"].to_list()) for hit in found}


def test_a_lone_zero_far_below_all_else_is_told(make: Make) -> None:
    assert told(make({"size": [0.0, *LENGTHS]}, parts=3)) == {"size": (1, ["rows#0"])}


@pytest.mark.parametrize("values", [[0, 1, 2, 3] * 60, [0, *[1] * 100, *[2] * 100], [0.0, *np.linspace(0.01, 9, 200)]])
def test_a_zero_among_small_numbers_is_not_told(make: Make, values: list[float]) -> None:
    assert told(make({"rooms": values})) == {}


def test_many_zeros_are_no_error(make: Make) -> None:
    assert told(make({"size": [*LENGTHS, *[0.0] * 100]})) == {}


def test_a_lost_sign_is_told_and_repaired(make: Make) -> None:
    (hit,) = hits(ImpossibleValue(), make({"size": [*LENGTHS, -5.5]}))

    assert hit.flags is not None
    assert hit.flags.row(0) == ("rows#200", "-5.5", 1.0, "5.5")


@pytest.mark.parametrize(("lost", "told"), [(5, 5), (6, 0)])
def test_signs_are_lost_in_at_most_one_row_in_twenty(make: Make, lost: int, told: int) -> None:
    values = [float(50 + i % 20) for i in range(100 - lost)] + [-float(50 + i) for i in range(lost)]

    assert sum(hit.rows for hit in hits(ImpossibleValue(), make({"x": values}))) == told


def test_negative_numbers_of_a_column_around_zero_are_not_told(make: Make) -> None:
    assert told(make({"delay": [float(i) for i in range(-2, 300)]})) == {}


@pytest.mark.parametrize(
    ("name", "usual", "odd"),
    [
        ("age", range(1, 100), 200),
        ("PatientAge", range(1, 100), -3),
        ("humid", range(1, 100), 130),
        ("lat", range(-80, 19), 95),
        ("weight", range(1, 100), -1),
    ],
)
def test_what_a_plain_name_rules_out_is_told(make: Make, name: str, usual: range, odd: int) -> None:
    assert told(make({name: [*usual, odd]})) == {name: (1, [f"rows#{len(usual)}"])}


@pytest.mark.parametrize("name", ["house_age", "age_days", "value", "weighting", "percent_change"])
def test_a_name_that_says_less_rules_out_nothing(name: str) -> None:
    assert possible(name) is None


def test_a_name_that_many_rows_break_means_something_else(make: Make) -> None:
    assert told(make({"age": [*range(300)]})) == {}


def test_missing_and_infinite_numbers_are_not_looked_at(make: Make) -> None:
    assert told(make({"size": [*LENGTHS, None, math.nan, math.inf, -math.inf]})) == {}


def test_any_column_name_is_a_name(make: Make) -> None:
    for name in ("[1]", "a b", "len"):
        assert told(make({name: [*LENGTHS, 0.0], "x": [1] * 201})) == {name: (1, ["rows#200"])}


def test_points_are_the_values_and_their_rows() -> None:
    frame = pl.LazyFrame({"x": [-2.5, 0.0, 0.0, 3.0, None, math.nan]})

    values, counts = points(profile(frame, {"x": "numeric"}).columns["x"])  # type: ignore[arg-type]

    assert (values.tolist(), counts.tolist()) == ([-2.5, 0.0, 3.0], [1, 2, 1])
    assert quantile(values, counts, 0.5) == 0.0


def test_finite_is_null_where_a_number_is_not() -> None:
    frame = pl.DataFrame({"x": [1.0, math.nan, math.inf, None]})

    assert frame.select(finite("x")).to_series().to_list() == [1.0, None, None, None]


@pytest.mark.skipif(not DIAMONDS.is_file(), reason="shared/data is absent")
def test_the_known_zeros_of_the_diamonds_are_told_and_no_others(make: Make) -> None:
    frame = pl.read_csv(DIAMONDS).rename({"y": "depth_y"})

    rows = {name: count for name, (count, _) in told(make(frame)).items()}

    assert rows == {"x": 8, "depth_y": 7, "z": 20}
