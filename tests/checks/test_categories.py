"""Categories: variants of one value, too many or too rare values, new ones, words among yes and no."""

from collections.abc import Callable

import polars as pl
import pytest

from pipeline.checks.categories import (
    BoolDomain,
    DefaultValue,
    HighCardinality,
    RareCategory,
    StringVariants,
    UnseenCategory,
    variants,
)
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .cells import against, told
from .conftest import made

Make = Callable[..., Table]


def cities(parts: int = 1) -> Table:
    return made({"city": ["New York"] * 5 + ["Córdoba"] * 4 + ["new york ", "NEW-YORK", "Cordoba", None]}, parts=parts)


def answers(parts: int = 1) -> Table:
    return made({"paid": ["yes"] * 30 + ["no"] * 20 + ["Y", "yess", None]}, parts=parts)


def defaulted(parts: int = 1) -> Table:
    return made({"zip": ["01907"] * 40 + [f"{i:05}" for i in range(10_000, 10_200)]}, parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {
    "string_variants": cities,
    "bool_domain": answers,
    "default_value": defaulted,
    "high_cardinality": lambda parts: made({"name": [f"n{i}" for i in range(100)]}, parts=parts),
    "rare_category": lambda parts: made({"s": ["a"] * 100 + ["b", "c", "d"]}, parts=parts),
    "unseen_category": lambda parts: against(cities(parts), made({"city": ["New York", "Córdoba"] * 5})),
}


def test_variants_of_a_frequent_value_come_with_it() -> None:
    assert told(StringVariants(), cities()) == {
        "city": [(9, "new york ", "New York"), (10, "NEW-YORK", "New York"), (11, "Cordoba", "Córdoba")]
    }


@pytest.mark.parametrize(
    "values",
    [
        ["C", "C++", "C#"],  # signs that mean something
        ["A+", "A-", "a"],
        ["<=50K", ">50K", "50K"],
        ["1.5 mm", "15 mm", "1 5 mm"],  # punctuation between digits
        ["2024-01", "202401"],
        ["x", "X"],  # one letter is a sign
    ],
)
def test_what_tells_values_apart_is_no_variant(values: list[str]) -> None:
    assert variants(pl.DataFrame({"value": values, "rows": [3] * len(values)})) == {}


def test_a_column_of_names_has_no_variants(make: Make) -> None:
    assert told(StringVariants(), make({"name": ["McDonald", "Mcdonald", "Smith", "Jones"]})) == {}


def test_spaces_in_all_cells_are_no_variants(make: Make) -> None:
    assert told(StringVariants(), make({"s": [" a b", " c d"] * 5})) == {}


def test_words_among_yes_and_no_are_told_and_another_spelling_is_mended() -> None:
    assert told(BoolDomain(), answers()) == {"paid": [(50, "Y", "yes"), (51, "yess", None)]}


def test_markers_and_columns_with_a_third_answer_are_no_booleans_gone_wrong(make: Make) -> None:
    rows = {"a": ["yes", "no"] * 20 + ["n/a"] * 2, "b": ["yes", "no", "maybe"] * 14, "c": ["yes"] * 42}

    assert told(BoolDomain(), make(rows)) == {}


def test_a_value_that_repeats_among_unique_ones_is_a_default() -> None:
    assert told(DefaultValue(), defaulted()) == {"zip": [(i, "01907", None) for i in range(40)]}


def test_a_frequent_value_of_a_category_is_no_default(make: Make) -> None:
    assert told(DefaultValue(), make({"s": ["a"] * 400 + ["b", "c"] * 20})) == {}


def test_nearly_unique_categories_are_told_but_not_ids(make: Make) -> None:
    names = [f"n{i}" for i in range(100)]

    (hit,) = hits(HighCardinality(), make({"name": names, "id": names, "few": ["a", "b"] * 50}))

    assert (hit.column, hit.observed) == ("name", 1.0)


def test_many_rare_values_are_worth_knowing(make: Make) -> None:
    (hit,) = hits(RareCategory(), make({"s": ["a"] * 100 + ["b", "c", "d"], "t": ["a", "b"] * 51 + ["c"]}))

    assert (hit.column, hit.rows, hit.observed, hit.severity) == ("s", 3, 0.75, "info")


def test_values_that_the_reference_lacks_are_told_with_the_known_spelling(make: Make) -> None:
    table = against(make({"s": ["North", "NORTH", "East"]}), make({"s": ["North", "South"] * 3}))

    assert told(UnseenCategory(), table) == {"s": [(1, "NORTH", "North"), (2, "East", None)]}


def test_a_reference_of_unique_values_does_not_say_which_there_may_be(make: Make) -> None:
    assert told(UnseenCategory(), against(make({"s": ["d"]}), make({"s": ["a", "b", "c"]}))) == {}
