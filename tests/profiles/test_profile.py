import datetime as dt
import json
import math
import statistics
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipeline.profile as module
from pipeline.contract import Modality
from pipeline.profile import CATEGORIES, Categorical, Numeric, Profile, hashes_of, merge, profile
from pipeline.profile.sketch import text_hashes

COLUMNS: dict[str, Modality] = {"number": "numeric", "word": "categorical", "moment": "timestamp"}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.none() | st.floats(),
            "word": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
            "moment": st.none() | st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)),
        }
    ),
    max_size=12,
)
SCHEMA: Any = {"number": pl.Float64, "word": pl.String, "moment": pl.Datetime("us")}


def frame(rows: Any) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=SCHEMA)


def numeric(*values: Any, dtype: Any = None, modality: Any = "numeric") -> Numeric:
    made = profile(pl.LazyFrame({"x": pl.Series(values, dtype=dtype)}), {"x": modality}).columns["x"]
    assert isinstance(made, Numeric)
    return made


def categorical(*values: Any, dtype: Any = None) -> Categorical:
    made = profile(pl.LazyFrame({"x": pl.Series(values, dtype=dtype)}), {"x": "categorical"}).columns["x"]
    assert isinstance(made, Categorical)
    return made


def json_bytes(made: Profile) -> bytes:
    return json.dumps(made.model_dump(mode="json"), allow_nan=False).encode()


@given(ROWS, ROWS, ROWS)
@settings(max_examples=60, deadline=None)
def test_merge_is_exact_associative_and_commutative_to_the_byte(a: Any, b: Any, c: Any) -> None:
    parts = [profile(frame(rows), COLUMNS) for rows in (a, b, c)]
    whole = json_bytes(profile(frame(a + b + c), COLUMNS))

    assert json_bytes(merge(merge(parts[0], parts[1]), parts[2])) == whole
    assert json_bytes(merge(parts[2], merge(parts[1], parts[0]))) == whole
    assert merge(Profile(), parts[0]) == parts[0] == merge(parts[0], Profile())


@given(st.lists(st.floats(-1e150, 1e150), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_moments_are_exact(values: Any) -> None:
    made = numeric(*values, dtype=pl.Float64)
    exact = [Fraction(v) for v in values]

    assert made.sum == sum(exact)
    assert made.mean == float(statistics.mean(exact))
    assert made.variance == statistics.pvariance(exact)
    assert (made.min, made.max) == (min(values), max(values))


@pytest.mark.parametrize("parts", [1, 2, 7, 50])
def test_one_file_or_fifty_in_any_order(parts: Any) -> None:
    random = np.random.default_rng(parts)
    whole = pl.DataFrame(
        {
            "number": random.normal(1e6, 1, 20_000),
            "word": random.integers(0, 5000, 20_000).astype(str),
            "moment": pl.from_epoch(pl.Series(random.integers(0, 2**31, 20_000))),
        }
    )
    bounds = np.linspace(0, whole.height, parts + 1).astype(int)

    made = [profile(whole[a:b].lazy(), COLUMNS) for a, b in pairwise(bounds)]
    random.shuffle(made)

    assert json_bytes(reduce(merge, made)) == json_bytes(profile(whole.lazy(), COLUMNS))


def test_batches_of_the_stream_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pl.LazyFrame({"number": np.random.default_rng(0).normal(size=5000), "word": ["a", "b"] * 2500})
    expected = profile(whole, COLUMNS)

    monkeypatch.setattr(module, "BATCH_ROWS", 333)

    assert profile(whole, COLUMNS) == expected
    assert expected.rows == 5000


def test_json_round_trip_keeps_every_byte(tmp_path: Path) -> None:
    rows = frame([{"number": math.nan, "word": "b", "moment": None}, {"number": 0.1, "word": "a", "moment": None}])
    made = profile(rows, COLUMNS)

    made.write(tmp_path / "profile.json")
    read = Profile.read(tmp_path / "profile.json")
    read.write(tmp_path / "again.json")

    assert read == made
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "profile.json").read_bytes()
    assert list(made.columns) == ["moment", "number", "word"]
    assert list(made.model_dump()["columns"]["word"]["counts"]) == ["a", "b"]


def test_size_does_not_grow_with_rows() -> None:
    def size(rows: int) -> int:
        random = np.random.default_rng(0)
        data = {"number": random.normal(size=rows), "word": random.integers(0, 10**9, rows).astype(str)}
        return len(json_bytes(profile(pl.LazyFrame(data), COLUMNS)))

    assert size(200_000) < 1.2 * size(20_000) < 250_000


def test_missing_is_null_or_nan_and_infinities_are_apart() -> None:
    made = numeric(None, math.nan, -math.nan, math.inf, -math.inf, -math.inf, 0.0, -0.0, 4.0)

    assert (made.nulls, made.nan, made.missing, made.rows) == (1, 2, 3, 9)
    assert (made.positive_infinite, made.negative_infinite, made.infinite) == (1, 2, 3)
    assert (made.finite, made.zeros, made.distinct) == (3, 2, 2)
    assert made.summary() == {"missing": 3, "distinct": 2, "min": 0.0, "max": 4.0, "mean": 4 / 3}


def test_negative_zero_is_zero_to_the_byte() -> None:
    assert json.dumps(numeric(-0.0).model_dump(mode="json")) == json.dumps(numeric(0.0).model_dump(mode="json"))


@pytest.mark.parametrize("values", [[], [None, None], [math.nan], [math.inf]])
def test_no_finite_value_gives_nulls(values: Any) -> None:
    made = numeric(*values, dtype=pl.Float64)

    assert [made.min, made.mean, made.std, made.variance, made.median, made.iqr] == [None] * 6
    assert made.summary()["distinct"] == 0
    assert made.cdf(0.0) == 0.0


def test_constants_have_no_spread() -> None:
    made = numeric(*[0.1] * 1000)

    assert (made.mean, made.std, made.iqr, made.distinct) == (0.1, 0.0, 0.0, 1)


def test_statistics_that_normalisation_fits() -> None:
    values = np.random.default_rng(0).normal(10, 3, 1001)

    made = numeric(*values)

    assert made.mean == pytest.approx(values.mean(), rel=1e-14)
    assert made.std == pytest.approx(values.std(), rel=1e-12)
    assert made.median == np.median(values)
    assert made.iqr == np.quantile(values, 0.75) - np.quantile(values, 0.25)
    assert (made.min, made.max) == (values.min(), values.max())


def test_spread_far_from_zero_and_at_the_ends_of_floats() -> None:
    assert numeric(1e15, 1e15 + 1, 1e15 + 2).std == pytest.approx(math.sqrt(2 / 3), rel=1e-15)
    assert numeric(-1e308, 1e308).std == pytest.approx(1e308)
    assert numeric(5e-324, 5e-324).mean == 5e-324


@pytest.mark.parametrize(
    ("values", "dtype", "mean"),
    [
        ([2**63 - 1, -(2**63)], pl.Int64, 0.0),
        ([2**64 - 1], pl.UInt64, 2.0**64),
        ([2**100], pl.Int128, 2.0**100),
        ([Decimal("1.25"), Decimal("0.75")], pl.Decimal(10, 2), 1.0),
        ([True, True, False, False], pl.Boolean, 0.5),
        ([1.5, 2.5], pl.Float32, 2.0),
        ([None], pl.Null, None),
    ],
)
def test_every_type_of_number(values: Any, dtype: Any, mean: Any) -> None:
    assert numeric(*values, dtype=dtype).mean == mean


@pytest.mark.parametrize(
    ("value", "dtype", "shown"),
    [
        (dt.date(2013, 1, 2), pl.Date, "2013-01-02T00:00:00+00:00"),
        (dt.datetime(2013, 1, 2, 3, 4, 5, 999), pl.Datetime("ms"), "2013-01-02T03:04:05+00:00"),
        (dt.datetime(2013, 1, 2, 3, 4, 5), pl.Datetime("ns"), "2013-01-02T03:04:05+00:00"),
        (
            dt.datetime(2013, 1, 2, tzinfo=dt.UTC),
            pl.Datetime("us", "America/New_York"),
            "2013-01-02T00:00:00+00:00",
        ),
        (dt.time(0, 1, 40), pl.Time, "1970-01-01T00:01:40+00:00"),
        (dt.timedelta(seconds=100), pl.Duration("us"), "1970-01-01T00:01:40+00:00"),
    ],
)
def test_every_type_of_time_is_seconds(value: Any, dtype: Any, shown: Any) -> None:
    made = numeric(value, None, dtype=dtype, modality="timestamp")

    assert made.kind == "timestamp"
    assert made.summary() == {"missing": 1, "distinct": 1, "min": shown, "max": shown, "mean": shown}


@pytest.mark.parametrize(
    ("values", "dtype", "counts"),
    [
        (["b", "a", None, ""], pl.String, {"": 1, "a": 1, "b": 1}),
        ([True, None, False, True], pl.Boolean, {"false": 1, "true": 2}),
        ([3, 3], pl.Int64, {"3": 2}),
        (["x"], pl.Categorical, {"x": 1}),
        (["x"], pl.Enum(["x", "y"]), {"x": 1}),
        ([b"\xff"], pl.Binary, {"ff": 1}),
        ([[1, 2], None], pl.List(pl.Int64), {'{"x":[1,2]}': 1}),
        ([None], pl.Null, {}),
        ([], pl.String, {}),
    ],
)
def test_every_type_of_category(values: Any, dtype: Any, counts: Any) -> None:
    made = categorical(*values, dtype=dtype)

    assert made.counts == counts
    assert made.nulls == made.missing == values.count(None)
    assert made.rows == len(values)


def test_many_categories_keep_a_fair_draw_with_exact_counts() -> None:
    values = [str(i) for i in range(20_000)] + ["7"] * 3

    made = categorical(*values)

    assert len(made.counts) == CATEGORIES
    assert made.other == 20_003 - sum(made.counts.values())
    assert made.distinct == pytest.approx(20_000, rel=0.1)
    rising = sorted({*zip(hashes_of(values), values, strict=True)})
    assert set(made.counts) == {value for _, value in rising[:CATEGORIES]}


def test_distinct_categories_are_exact_up_to_the_limit() -> None:
    assert categorical(*map(str, range(CATEGORIES))).summary()["distinct"] == CATEGORIES


def test_hash_is_the_same_in_every_process() -> None:
    code = "from pipeline.profile import hashes_of; print(*hashes_of(['É']))"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert [int(printed)] == hashes_of(["É"]) == [hash_by_hand("É")]


def hash_by_hand(text: str) -> int:
    """The sum of the text's words, mixed with their places, in whole numbers."""
    data = text.encode()
    words = [int.from_bytes(data[start : start + 8], "little") for start in range(0, len(data), 8)]
    return mix_by_hand(sum(mix_by_hand(word + place * STEP) for place, word in enumerate(words)) + len(data))


STEP = 0x9E3779B97F4A7C15


def mix_by_hand(bits: int) -> int:
    """SplitMix64, as its paper writes it."""
    bits = (bits + STEP) % 2**64
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EB % 2**64
    return bits ^ bits >> 31


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=8))
def test_text_is_hashed_alike_alone_and_among_others(texts: list[str]) -> None:
    assert text_hashes(pl.Series(texts, dtype=pl.String)).tolist() == [hash_by_hand(text) for text in texts]


def test_type_has_the_last_word_on_the_modality() -> None:
    rows = pl.LazyFrame({"n": ["1", "x"], "t": ["y", None], "d": [dt.date(2013, 1, 1)] * 2})

    made = profile(rows, {"n": "numeric", "t": "timestamp", "d": "numeric"})

    assert {name: column.kind for name, column in made.columns.items()} == {
        "d": "timestamp",
        "n": "categorical",
        "t": "categorical",
    }


def test_absent_columns_are_left_out_and_rows_counted_all_the_same() -> None:
    rows = pl.LazyFrame({"x": [1, 2, 3]})

    assert profile(rows, {"y": "numeric"}) == Profile(rows=3)
    assert list(profile(rows, {"y": "numeric", "x": "numeric"}).columns) == ["x"]


def test_columns_may_have_any_name() -> None:
    names = ["rows", "value", "count", "a b", "^x.*$", "*"]

    made = profile(pl.LazyFrame({name: [1] for name in names}), dict.fromkeys(names, "numeric"))

    assert [made.columns[name].summary()["mean"] for name in names] == [1.0] * len(names)


def test_empty_frame_profiles_as_nothing() -> None:
    made = profile(frame([]), COLUMNS)

    assert made.rows == 0
    assert [column.rows for column in made.columns.values()] == [0, 0, 0]


def test_kinds_that_differ_do_not_merge() -> None:
    parts = [profile(pl.LazyFrame({"x": [v]}), {"x": "numeric"}) for v in (1, "a")]

    with pytest.raises(ValueError, match=r"of one kind in all partitions, got numeric and categorical \(x\)"):
        merge(*parts)


def test_shares_of_intervals() -> None:
    made = numeric(0.0, 1.0, 2.0, 3.0)

    assert [made.cdf(x) for x in (-1.0, 0.0, 1.5, 3.0, math.inf)] == [0, 0.25, 0.5, 1, 1]
    assert made.share(0.0, 2.0) == 0.5
    assert made.share(2.0, 0.0) == 0.0
