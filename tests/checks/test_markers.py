"""Null markers in disguise: words, cells that would not parse, numbers and dates."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipeline.checks.markers import MixedNullTokens
from pipeline.checks.schema import DtypeMismatch
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
DATA = Path(__file__).parents[3] / "shared" / "data"
CHECK = MixedNullTokens()

PLANTED: dict[str, Callable[[int], Table]] = {
    "mixed_null_tokens": lambda parts: made({"s": ["a", "N/A", "b", " ", "?", "c"]}, parts=parts)
}


@pytest.mark.parametrize("word", ["?", "-", "N/A", "n/a", " #N/A ", "NULL", "NaN", "nan", "", "   ", "Missing", "\\N"])
def test_a_word_for_nothing_is_told(make: Make, word: str) -> None:
    (hit,) = hits(CHECK, make({"*": ["a", word, "b"]}))

    assert hit.flags is not None
    assert hit.flags.select("row_id", "value").rows() == [("rows#1", word)]
    assert (hit.column, hit.severity) == ("*", "warning")


@pytest.mark.parametrize("word", ["None", "unknown", "NA"])
def test_a_word_that_may_be_an_answer_is_for_information(make: Make, word: str) -> None:
    (hit,) = hits(CHECK, make({"s": ["abc", word, "b"]}))

    assert (hit.rows, hit.severity) == (1, "info")


def test_namibia_and_people_called_nan_are_no_markers(make: Make) -> None:
    rows = {"country": ["DE", "FR", "NA", "US", "GB", "IT"], "name": ["Nan", "Eve", "Bo", "Al", "Ida", "Max"]}

    assert hits(CHECK, make(rows)) == []


def test_words_are_found_among_very_many_values(make: Make) -> None:
    table = make({"s": [f"value {i}" for i in range(3000)] + ["N/A", "  ", "none"]})

    (hit,) = hits(CHECK, table)

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == ["rows#3000", "rows#3001"]


def test_a_cell_of_a_number_that_holds_a_marker_is_flagged(make: Make) -> None:
    table = make({"x": [1, None, None]}, unparsed=[("rows#1", "x", "n/a"), ("rows#2", "x", "seven")])

    (hit,) = hits(CHECK, table)

    assert hit.flags is not None
    assert hit.flags.select("row_id", "value").rows() == [("rows#1", "n/a")]


@pytest.mark.parametrize("sign", ["***", " * ", "_", "~", "- -", "…", "$ -"])
def test_signs_alone_stand_for_nothing_among_numbers_and_for_themselves_among_words(make: Make, sign: str) -> None:
    table = make({"x": [1, None], "s": ["a", sign]}, unparsed=[("rows#1", "x", sign)])

    (hit,) = hits(CHECK, table)

    assert (hit.column, hit.message) == ("x", f"x holds `{sign}` in 1 row, for `not known`")
    assert hits(DtypeMismatch(), table) == []


@pytest.mark.parametrize("cell", ["∞", "½", "\ufffd", "!a"])
def test_signs_that_say_a_number_or_were_lost_are_no_markers(make: Make, cell: str) -> None:
    table = make({"x": [1, None]}, unparsed=[("rows#1", "x", cell)])

    assert hits(CHECK, table) == []
    assert [hit.rows for hit in hits(DtypeMismatch(), table)] == [1]


@pytest.mark.parametrize("sentinel", [-999, 999, 9999, -99])
def test_a_number_far_from_all_others_that_repeats_is_told(make: Make, sentinel: int) -> None:
    (hit,) = hits(CHECK, make({"age": [*range(20, 60), *[sentinel] * 5]}, parts=3))

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == [f"rows#{i}" for i in range(40, 45)]
    assert f"age is {sentinel} in 5 rows" in hit.message


def test_minus_one_stands_out_of_counts_alone(make: Make) -> None:
    counts = [*range(30), *[-1] * 5]
    degrees = [*range(-5, 30), *[-1] * 5]

    assert [hit.rows for hit in hits(CHECK, make({"days": counts}))] == [5]
    assert hits(CHECK, make({"degrees": degrees, "sign": [-1, 1] * 20})) == []


@pytest.mark.parametrize("hours", [[*range(1, 99), *[99] * 9], [*range(500, 1000), 999, 999, 999, 999, 999]])
def test_a_number_at_the_end_of_a_range_is_none(make: Make, hours: list[int]) -> None:
    assert hits(CHECK, make({"hours": hours})) == []


def test_one_far_number_is_an_outlier_and_no_marker(make: Make) -> None:
    assert hits(CHECK, make({"age": [*range(20, 60), 999]})) == []


@pytest.mark.parametrize("day", [date(1900, 1, 1), date(1970, 1, 1), date(9999, 12, 31)])
@pytest.mark.parametrize("dtype", [pl.Date(), pl.Datetime("us")])
def test_a_day_that_stands_for_nothing_is_told(make: Make, day: date, dtype: pl.DataType) -> None:
    days = [date(2015, 1, 1) + timedelta(days=30 * i) for i in range(40)] + [day] * 5

    (hit,) = hits(CHECK, make(pl.DataFrame({"joined": pl.Series(days).cast(dtype)})))

    assert hit.rows == 5
    assert f"joined is {day}" in hit.message


def test_numbers_with_nan_and_without_any_other_value_are_no_error(make: Make) -> None:
    assert hits(CHECK, make({"x": [float("nan"), -999.0, None], "only": [-999.0] * 3})) == []


def test_the_time_axis_is_not_asked_here(make: Make) -> None:
    assert hits(CHECK, make({"t": [datetime(2024, 1, i) for i in range(1, 20)] + [datetime(1970, 1, 1)] * 5})) == []


def test_adult_has_three_columns_with_question_marks_and_a_cap(make: Make) -> None:
    path = DATA / "tables" / "adult" / "train.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    rows = pl.read_csv(path, has_header=False).with_columns(pl.col(pl.String).str.strip_chars()).drop_nulls()

    found = {hit.column: hit.rows for hit in hits(CHECK, make(rows))}

    assert {name: found[name] for name in ("column_1", "column_6", "column_13")} == {
        "column_1": 1836,
        "column_6": 1843,
        "column_13": 583,
    }


def test_diamonds_have_no_markers(make: Make) -> None:
    path = DATA / "demos" / "diamonds.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not here")

    assert hits(CHECK, make(pl.read_csv(path))) == []
