"""Sources that are to be one table need the same columns, of types that one column can hold."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import polars as pl
import pytest

from pipeline import readers
from pipeline.errors import DataError
from pipeline.readers import Source
from pipeline.readers.alike import common_type

BERLIN = pl.Datetime("us", "Europe/Berlin")


def source(name: str, **columns: Sequence[Any]) -> Source:
    return Source(name=name, frame=pl.LazyFrame(columns))


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        (pl.Int32(), pl.Int64(), pl.Int64()),
        (pl.Int64(), pl.Float64(), pl.Float64()),
        (pl.Boolean(), pl.Int64(), pl.Int64()),
        (pl.Date(), pl.Datetime("us"), pl.Datetime("us")),
        (pl.Int64(), pl.String(), pl.String()),
        (pl.Date(), pl.String(), pl.String()),
        (pl.Null(), pl.Binary(), pl.Binary()),
        (pl.Int64(), pl.Date(), None),
        (pl.Float64(), pl.Time(), None),
        (pl.Boolean(), pl.Datetime("us"), None),
        (pl.Int64(), pl.Binary(), None),
        (pl.String(), pl.Binary(), None),
        (pl.Datetime("us"), BERLIN, None),
        (pl.Date(), pl.Time(), None),
    ],
)
def test_a_type_holds_both_where_no_value_gets_another_meaning(
    a: pl.DataType, b: pl.DataType, both: pl.DataType | None
) -> None:
    assert (common_type(a, b), common_type(b, a)) == (both, both)


def test_types_that_no_type_holds_are_told_with_column_and_both_files() -> None:
    sources = [
        source("a", x=[None], y=["p"]),
        source("b", x=[1], y=["q"]),
        source("c", x=[1.5], y=["r"]),
        source("d", x=[date(2024, 1, 1)], y=["s"]),
    ]

    readers.require_one_type(sources[:3])
    with pytest.raises(DataError, match=r"^d: x: is Date here and Float64 in c; write the column as one type in all"):
        readers.require_one_type(sources)


def test_moments_with_and_without_a_zone_are_told_apart() -> None:
    moment = pl.Series("t", [datetime(2024, 1, 1)])
    zoned = Source(name="b", frame=moment.dt.replace_time_zone("UTC").to_frame().lazy())

    with pytest.raises(DataError, match=r"b: t: is Datetime\(.*'UTC'\) here and Datetime\(.*None\) in a;"):
        readers.require_one_type([source("a", t=moment.to_list()), zoned])


def test_columns_in_another_order_are_the_same() -> None:
    readers.require_same_columns([source("a", x=[1], y=[2]), source("b", y=[1], x=[2])])


@pytest.mark.parametrize(("columns", "told"), [("xyz", "z stands in one of them alone"), ("x", "y stands in one of")])
def test_a_column_of_one_source_alone_is_told(columns: str, told: str) -> None:
    with pytest.raises(DataError, match=f"^b: has other columns than a: {told}"):
        readers.require_same_columns([source("a", x=[1], y=[2]), source("b", **{name: [1] for name in columns})])
