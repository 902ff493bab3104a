"""Kinds: words among numbers, numbers among words, numbers with a unit."""

import dataclasses
from collections.abc import Callable

import polars as pl
import pytest

from pipeline.checks.kinds import MixedTypesInColumn, NumbersAsText, quantities
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .cells import prose, told
from .conftest import made

Make = Callable[..., Table]


def numbers(parts: int = 1) -> Table:
    return made({"n": [str(i / 4) for i in range(60)] + ["twelve", "1e3", "N/A", None]}, parts=parts)


def volumes(parts: int = 1) -> Table:
    return made({"ounces": [f"{i}.0 oz" for i in range(12, 42)] + ["16.0 ounce", "n/a", None]}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"mixed_types_in_column": numbers, "numbers_as_text": volumes}


def test_a_word_among_numbers_is_told() -> None:
    assert told(MixedTypesInColumn(), numbers()) == {"n": [(60, "twelve", None)]}


def test_a_number_among_words_is_told(make: Make) -> None:
    assert told(MixedTypesInColumn(), make({"city": ["Rome", "Oslo"] * 60 + ["1200"]})) == {
        "city": [(120, "1200", None)]
    }


@pytest.mark.parametrize(
    "values", [["a", "1"] * 40, ["R2", "D2", "3"] * 30, ["5 oz"] * 40, ["1", "2", "?"] * 20, ["a"] * 5 + ["1"]]
)
def test_columns_of_both_codes_and_quantities_are_no_mix(make: Make, values: list[str]) -> None:
    assert told(MixedTypesInColumn(), make({"s": values})) == {}


def test_one_word_in_five_among_many_numbers_is_told_and_among_few_is_no_mix(make: Make) -> None:
    many, few = [str(i) for i in range(40)], [str(i % 12) for i in range(40)]

    assert told(MixedTypesInColumn(), make({"n": [*many, *["few"] * 9]})) == {
        "n": [(40 + i, "few", None) for i in range(9)]
    }
    assert told(MixedTypesInColumn(), make({"n": [*many, *["few"] * 11]})) == {}
    assert told(MixedTypesInColumn(), make({"n": [*few, *["K"] * 9]})) == {}
    assert told(MixedTypesInColumn(), make({"n": [*many, *["A12"] * 4]})) == {}


def test_a_column_of_one_unit_is_told_as_a_whole_and_another_unit_by_cell() -> None:
    whole, odd = hits(NumbersAsText(), volumes())

    assert (whole.severity, whole.rows, whole.flags, whole.observed) == ("info", 31, None, 2)
    assert odd.flags is not None and odd.flags["value"].to_list() == ["16.0 ounce"]


def test_a_sign_that_does_not_change_the_size_is_dropped(make: Make) -> None:
    values = [f"0.0{i}" for i in range(10, 60)] + ["0.05%", "0.03%"]

    assert told(NumbersAsText(), make({"abv": values})) == {"abv": [(50, "0.05%", "0.05"), (51, "0.03%", "0.03")]}


def test_a_number_of_another_size_is_left_to_a_person(make: Make) -> None:
    values = [f"0.0{i}" for i in range(10, 60)] + ["5%", "3%"]

    assert told(NumbersAsText(), make({"abv": values})) == {"abv": [(50, "5%", None), (51, "3%", None)]}


def test_numbers_within_cells_that_would_not_parse_are_suggested(make: Make) -> None:
    cells = [("rows#0", "x", "$1,200.50"), ("rows#1", "x", "much"), ("rows#2", "x", "12 kg"), ("rows#3", "x", "1000m")]

    found = told(NumbersAsText(), make({"x": [None, None, None, None, 1.0]}, unparsed=cells))

    assert found == {"x": [(0, "$1,200.50", "1200.50"), (2, "12 kg", "12")]}


@pytest.mark.parametrize("values", [["10A", "11B", "12C", "13D"] * 10, ["7 dwarfs"] * 30, ["1", "2"] * 20, ["M4"] * 30])
def test_seats_plain_numbers_and_counts_of_things_have_no_unit(make: Make, values: list[str]) -> None:
    assert told(NumbersAsText(), make({"s": values})) == {}


def test_free_text_holds_no_numbers_to_derive() -> None:
    assert told(NumbersAsText(), prose(["5 kg"] * 30)) == {}


def test_quantities_are_read_with_their_unit() -> None:
    cells = pl.DataFrame({"v": ["-3 °C", "1,234.5 km/h", "€ 5", "5 USD", ".5", "1.2.3", "oz", ""]})

    assert quantities(cells, pl.col("v")).select("number", "unit").rows() == [
        ("-3", "°c"), ("1234.5", "km/h"), ("5", "€"), ("5", "usd"), (".5", "")
    ]  # fmt: skip


def test_a_decimal_comma_beside_a_unit_is_read_and_kept(make: Make) -> None:
    weights = [f"{60 + i},5 kg" for i in range(30)] + ["148,2 lbs"]
    bare = [f"{60 + i},5" for i in range(30)] + ["71,25 kg"]

    assert told(NumbersAsText(), make({"w": weights}))["w"][-1] == (30, "148,2 lbs", None)
    assert told(NumbersAsText(), make({"w": bare}))["w"] == [(30, "71,25 kg", "71,25")]


def test_two_signs_and_digits_of_other_scripts_are_no_number() -> None:
    cells = ["12"] * 50 + [str(i) for i in range(50)] + ["--5", "\uff15", "7 kg"]

    assert told(NumbersAsText(), made({"w": cells}))["w"][-1] == (102, "7 kg", "7")


def test_a_decimal_comma_is_not_taken_for_thousands() -> None:
    table = made({"w": [float(i) for i in range(50)]}, unparsed=[("rows#3", "w", "3,500 kg")])
    columns = tuple(dataclasses.replace(column, format=",") for column in table.columns)
    comma = dataclasses.replace(table, contract=dataclasses.replace(table.contract, columns=columns))

    assert told(NumbersAsText(), table)["w"] == [(3, "3,500 kg", "3500")]
    assert told(NumbersAsText(), comma) == {}
