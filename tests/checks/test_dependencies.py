"""Functional dependencies: found where they nearly hold, told by the cell that is wrong, silent elsewhere."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.checks.dependencies import FunctionalDependency
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .cells import told
from .conftest import made

Make = Callable[..., Table]
CITIES = {f"1{i:04}": (f"city {chr(97 + i)}", f"state {i % 3}", f"mayor {i}") for i in range(18)}


def towns(rows: int = 360) -> dict[str, list[Any]]:
    codes = [list(CITIES)[i % 18] for i in range(rows)]
    columns = zip(*(CITIES[code] for code in codes), strict=True)
    return {
        "zip": codes,
        **{name: list(values) for name, values in zip(("city", "state", "mayor"), columns, strict=True)},
    }


def broken(parts: int = 1) -> Table:
    rows = towns()
    rows["city"][5], rows["state"][7], rows["mayor"][9] = "cty f", "state 0", None
    return made(rows, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"functional_dependency": broken}


def test_cells_that_break_a_dependency_come_with_the_value_of_the_others() -> None:
    assert told(FunctionalDependency(), broken()) == {
        "city": [(5, "cty f", "city f")],
        "state": [(7, "state 0", "state 1")],
        "mayor": [(9, None, "mayor 9")],
    }


def test_a_dependency_that_one_row_in_twenty_breaks_by_any_other_value_is_one(make: Make) -> None:
    draw, rows = random.Random(5), towns(720)
    wrong = sorted(draw.sample(range(720), 36))
    right = {place: rows["mayor"][place] for place in wrong}
    for place in wrong:
        rows["mayor"][place] = draw.choice([mayor for *_, mayor in CITIES.values() if mayor != right[place]])

    found = told(FunctionalDependency(), make(rows, parts=3))

    assert found == {"mayor": [(place, rows["mayor"][place], right[place]) for place in wrong]}


def test_the_column_that_no_other_agrees_with_is_the_wrong_one(make: Make) -> None:
    rows = towns()
    rows = {"zip": rows["zip"], "area": rows["state"]}
    rows["region"] = [f"region {area}" for area in rows["area"]]
    rows["zip"][3] = "10004"  # was 10003: area 0, now of another area

    found = told(FunctionalDependency(), make(rows))

    assert found == {"zip": [(3, "10004", None)]}


def test_clean_dependencies_are_not_told(make: Make) -> None:
    assert told(FunctionalDependency(), make(towns())) == {}


def test_columns_that_do_not_follow_are_not_told(make: Make) -> None:
    draw = random.Random(3)
    rows = {
        "a": [draw.choice("abcdef") for _ in range(600)],
        "b": [draw.choice("xyz") for _ in range(600)],
        "nearly_constant": ["n"] * 590 + ["o"] * 10,
        "nearly_unique": [str(i // 1.2) for i in range(600)],
        "count": [draw.randrange(5) for _ in range(600)],
    }

    assert told(FunctionalDependency(), make(rows)) == {}


def test_a_second_column_that_explains_the_difference_is_no_error(make: Make) -> None:
    rows = towns(720)
    rows["tax"] = [f"{state} {'B' if i % 40 == 7 else 'A'}" for i, state in enumerate(rows["state"])]
    rows["kind"] = ["exempt" if i % 40 == 7 else f"kind {i % 5}" for i in range(720)]

    assert told(FunctionalDependency(), make(rows)) == {}


def test_a_plane_that_was_sold_is_no_error(make: Make) -> None:
    rows = {"plane": [f"p{i % 20}" for i in range(1000)], "carrier": [f"c{i % 20 % 4}" for i in range(1000)]}
    for i in (0, 20, 40, 60):
        rows["carrier"][i] = "c1"

    assert told(FunctionalDependency(), make(rows)) == {}


def test_the_label_is_no_dependent_and_a_measure_no_determinant(make: Make) -> None:
    rows = towns()
    rows |= {"y": [value.replace("2", "1") if i == 2 else value for i, value in enumerate(rows["state"])]}
    rows |= {"number": [int(code) for code in rows["zip"]]}
    del rows["zip"], rows["mayor"], rows["city"]

    assert told(FunctionalDependency(), make(rows)) == {}


def test_odd_names_are_names(make: Make) -> None:
    rows = towns()
    rows["city"][5] = "cty f"
    table = make({"*": rows["zip"], "^x$": rows["city"]})  # made selects by "*": both

    assert told(FunctionalDependency(), table) == {"^x$": [(5, "cty f", "city f")]}


def test_two_columns_are_needed(make: Make) -> None:
    assert list(FunctionalDependency().hits(make({"a": ["x", "y"] * 9}))) == [
        Skipped(why="no two columns whose values repeat")
    ]


@pytest.mark.parametrize("parts", [1, 5])
def test_the_finding_says_how_nearly_it_holds(parts: int) -> None:
    found = {hit.column: hit for hit in hits(FunctionalDependency(), broken(parts))}

    assert found["state"].message == "rows with the same city, mayor or zip have one state, but not in 1 row"
    assert (found["state"].observed, found["state"].threshold) == (1.0, 0.95)  # a slip counts as agreeing
