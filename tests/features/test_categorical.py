"""Categories: vocabulary, unknown, missing, rare, and the way back."""

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.features.categorical import FIRST, MISSING, RARE, UNKNOWN, CategoricalEncoder, CategoricalSettings

TEXT = st.text(alphabet="ab€ -01", max_size=3)


def fitted(values: Sequence[str | None], minimum: int = 1, maximum: int = 100) -> CategoricalEncoder:
    settings = CategoricalSettings(minimum_count=minimum, maximum_size=maximum)
    return CategoricalEncoder.fit("x", pl.LazyFrame({"x": pl.Series(values, dtype=pl.String)}), settings)


def codes(encoder: CategoricalEncoder, values: Sequence[str | None]) -> list[int]:
    found: list[int] = encoder.encode(pl.Series(values, dtype=pl.String)).tolist()
    return found


def test_each_kind_of_value_has_its_code() -> None:
    encoder = fitted(["b", "b", "a", "a", "rare", None], minimum=2)

    assert codes(encoder, ["a", "b", "rare", None, "new"]) == [FIRST, FIRST + 1, RARE, MISSING, UNKNOWN]
    assert encoder.cardinality == 5


def test_values_past_the_maximum_size_are_rare_and_ties_go_by_text() -> None:
    encoder = fitted(["a", "c", "b", "b"], maximum=2)

    assert (encoder.vocabulary, encoder.rare) == (["a", "b"], ["c"])


def test_a_value_of_the_count_asked_for_is_in() -> None:
    assert fitted(["a"] * 3 + ["b"] * 2, minimum=3).vocabulary == ["a"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | TEXT, max_size=20), st.integers(1, 3))
def test_decoding_gives_the_vocabulary_back_and_null_for_the_rest(values: list[str | None], minimum: int) -> None:
    encoder = fitted(values, minimum)

    back = encoder.decode(encoder.encode(pl.Series(values, dtype=pl.String)))

    assert back.to_list() == [value if value in encoder.vocabulary else None for value in values]
    assert CategoricalEncoder.model_validate_json(encoder.model_dump_json()) == encoder


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | TEXT, max_size=20), st.lists(st.none() | TEXT, max_size=5))
def test_every_code_is_below_the_cardinality(values: list[str | None], later: list[str | None]) -> None:
    encoder = fitted(values, minimum=2)

    found = codes(encoder, values + later)

    assert all(0 <= code < encoder.cardinality for code in found)
    assert UNKNOWN not in found[: len(values)]


def test_a_column_of_nulls_has_no_vocabulary() -> None:
    encoder = fitted([None, None])

    assert codes(encoder, [None, "a"]) == [MISSING, UNKNOWN]
    assert encoder.cardinality == FIRST


def test_no_rows_give_no_codes() -> None:
    assert codes(fitted(["a"]), []) == []
    assert codes(fitted([]), ["a"]) == [UNKNOWN]


@pytest.mark.parametrize("name", ["len", "value", "rows", "count"])
def test_a_column_may_have_any_name(name: str) -> None:
    rows = pl.LazyFrame({name: ["a", "a", "b"]})

    assert CategoricalEncoder.fit(name, rows, CategoricalSettings(minimum_count=2)).vocabulary == ["a"]


def test_whole_numbers_and_booleans_are_categories_by_their_text() -> None:
    numbers = CategoricalEncoder.fit("x", pl.LazyFrame({"x": [10, 9]}), CategoricalSettings(minimum_count=1))
    booleans = CategoricalEncoder.fit("x", pl.LazyFrame({"x": [True, False]}), CategoricalSettings(minimum_count=1))

    assert numbers.vocabulary == ["10", "9"]
    assert booleans.encode(pl.Series([False, True, None])).tolist() == [FIRST, FIRST + 1, MISSING]
