"""Mergeable summaries of columns: checks, drift, normalize and the reports read these instead of the rows.

`profile` summarises one partition in one streamed pass, `merge` joins two summaries. Both are pure, and
`merge` is exact, associative and commutative down to the bytes: one file or fifty, in any order, one machine
or many, the same answer. A profile's size depends on the columns, never on the rows.

What is missing: null, and NaN, which is counted apart (`nulls`, `nan`). Infinities are counted, and no other
number looks at them. Numbers are seen as float64: whole numbers above 2**53 are rounded. Timestamps are
numbers: whole seconds since 1970-01-01 UTC. Whatever else (booleans too) is categorical: text.
"""

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.sketch import Floats, Integers, Sketch, distinct_estimate

if TYPE_CHECKING:
    from pipeline.contract import Modality

Kind: TypeAlias = Literal["numeric", "timestamp", "categorical"]

CATEGORIES = 1024
BATCH_ROWS = 1 << 18  # at most 2**20: an Int128 holds sums of 2**20 squares of 53-bit mantissas, and a sign


class Numeric(Record):
    """A column of numbers, or of timestamps as seconds; what is not a count is of the finite values."""

    kind: Literal["numeric", "timestamp"]
    nulls: int = Field(ge=0)
    nan: int = Field(ge=0)
    positive_infinite: int = Field(ge=0)
    negative_infinite: int = Field(ge=0)
    min: float | None
    max: float | None
    sum: Fraction
    squares: Fraction
    sketch: Sketch

    @property
    def finite(self) -> int:
        """Rows with a finite number."""
        return self.sketch.total

    @property
    def zeros(self) -> int:
        """Rows that are exactly 0."""
        return self.sketch.buckets.get(0, 0)

    @property
    def infinite(self) -> int:
        """Rows that are infinite, of either sign."""
        return self.positive_infinite + self.negative_infinite

    @property
    def missing(self) -> int:
        """Rows that are null or NaN."""
        return self.nulls + self.nan

    @property
    def rows(self) -> int:
        """All rows."""
        return self.missing + self.infinite + self.finite

    @property
    def distinct(self) -> int:
        """How many finite values differ: exact up to 2048, then estimated within some 6%."""
        return self.sketch.distinct

    @property
    def mean(self) -> float | None:
        """The correctly rounded mean; null without finite values."""
        return float(self.sum / self.finite) if self.finite else None

    @property
    def variance(self) -> Fraction | None:
        """The population variance (divided by n), exactly."""
        count = self.finite
        return self.squares / count - (self.sum / count) ** 2 if count else None

    @property
    def std(self) -> float | None:
        """The population standard deviation; exactly 0 for a constant."""
        variance = self.variance
        if variance is None or variance < 2**1000:
            return None if variance is None else math.sqrt(variance)
        return float(math.isqrt(int(variance)))  # as a float the variance would overflow, its root does not

    def quantile(self, share: float) -> float | None:
        """The value of rank floor(share * (n - 1)), within `sketch.relative_error`; null without values."""
        found = self.sketch.quantile(share)
        if found is None or self.min is None or self.max is None:
            return None
        return min(max(found, self.min), self.max)

    @property
    def median(self) -> float | None:
        """The lower median."""
        return self.quantile(0.5)

    @property
    def iqr(self) -> float | None:
        """The distance between the quartiles."""
        low, high = self.quantile(0.25), self.quantile(0.75)
        return None if low is None or high is None else high - low

    def cdf(self, value: float) -> float:
        """The share of finite values at most `value` (its whole bucket counts); 0 without finite values."""
        return self.sketch.at_most(value) / self.finite if self.finite else 0.0

    def share(self, low: float, high: float) -> float:
        """The share of finite values in (low, high]."""
        return max(self.cdf(high) - self.cdf(low), 0.0)

    def summary(self) -> dict[str, float | str | None]:
        """The few numbers for people; `missing` and `distinct` are counts, moments in time are ISO text."""
        values = {"min": self.min, "max": self.max, "mean": self.mean}
        shown = {k: _iso(v) for k, v in values.items()} if self.kind == "timestamp" else values
        return {"missing": self.missing, "distinct": self.distinct, **shown}


class Categorical(Record):
    """A column of categories: exact counts of the `CATEGORIES` values of smallest hash, the rest as one.

    A value kept after merging was kept in each part, so its count is exact whatever the order of merging.
    """

    kind: Literal["categorical"] = "categorical"
    nulls: int = Field(ge=0)
    counts: dict[str, int]
    other: int = Field(ge=0)

    @property
    def missing(self) -> int:
        """Rows that are null."""
        return self.nulls

    @property
    def rows(self) -> int:
        """All rows."""
        return self.nulls + sum(self.counts.values()) + self.other

    @property
    def hash_limit(self) -> int | None:
        """The largest hash that is kept; null when every value is kept."""
        return max(map(stable_hash, self.counts)) if self.other else None

    @property
    def distinct(self) -> int:
        """How many values differ: exact up to `CATEGORIES`, then estimated within some 3%."""
        return distinct_estimate(sorted(map(stable_hash, self.counts))) if self.other else len(self.counts)

    def summary(self) -> dict[str, float | str | None]:
        """The few numbers for people; `missing` and `distinct` are counts, the others null."""
        return {"missing": self.missing, "distinct": self.distinct, "min": None, "max": None, "mean": None}


ColumnProfile: TypeAlias = Annotated[Numeric | Categorical, Field(discriminator="kind")]


class Profile(Record):
    """The summary of a partition; `write` and `read` are its JSON round trip. Profile() merges as nothing."""

    rows: int = Field(default=0, ge=0)
    columns: dict[str, ColumnProfile] = Field(default_factory=dict)


def profile(frame: pl.LazyFrame, columns: "Mapping[str, Modality]") -> Profile:
    """Summarise one partition in one streamed pass: memory is for some `BATCH_ROWS` rows, whatever comes.

    A column that the frame lacks is left out. The column's type has the last word on the modality: text under
    `numeric` is summarised as categorical, so that drift can say so.
    """
    schema = frame.collect_schema()
    kinds = {name: _kind(columns[name], schema[name]) for name in sorted(columns) if name in schema}
    if not kinds:
        return Profile(rows=int(frame.select(pl.len()).collect(engine="streaming").item()))
    values = frame.select(_values(name, kind, schema[name]).alias(name) for name, kind in kinds.items())
    parts = (
        _profile_batch(part, kinds)
        for batch in values.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)
        for part in batch.iter_slices(BATCH_ROWS)
    )
    empty = Profile(columns={name: _summary(kind, _NO_COUNTS) for name, kind in kinds.items()})
    return reduce(merge, parts, empty)


def merge(a: Profile, b: Profile) -> Profile:
    """The profile of both partitions' rows; raises ValueError where a column's kinds differ.

    >>> whole = pl.LazyFrame({"x": [1.5, None, 4.0]})
    >>> parts = [profile(whole.slice(start, 1), {"x": "numeric"}) for start in (2, 0, 1)]
    >>> merge(merge(parts[0], parts[1]), parts[2]) == profile(whole, {"x": "numeric"})
    True
    """
    columns: dict[str, Numeric | Categorical] = {}
    for name in sorted(a.columns.keys() | b.columns.keys()):
        present = [p.columns[name] for p in (a, b) if name in p.columns]
        columns[name] = present[0] if len(present) == 1 else _merge_columns(name, present[0], present[1])
    return Profile(rows=a.rows + b.rows, columns=columns)


def stable_hash(value: str) -> int:
    """64 bits of BLAKE2b of the text: the same in every process and version."""
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")


_NO_COUNTS = pl.DataFrame(schema={"value": pl.Null, "rows": pl.UInt32})


def _kind(modality: str, dtype: pl.DataType) -> Kind:
    if modality not in ("numeric", "timestamp"):
        return "categorical"
    if dtype == pl.Null:
        return "numeric" if modality == "numeric" else "timestamp"
    if dtype.is_temporal():
        return "timestamp"
    return "numeric" if dtype.is_numeric() or dtype == pl.Boolean else "categorical"


def _values(name: str, kind: Kind, dtype: pl.DataType) -> pl.Expr:
    """The column as float64 or as text."""
    column: pl.Expr = by_name(name)  # pl.col would take a name such as "*" as a pattern
    if kind == "categorical":
        if dtype == pl.Binary:
            return column.bin.encode("hex")
        if dtype.is_nested():
            return pl.when(column.is_not_null()).then(pl.struct(column).struct.json_encode())
        return column.cast(pl.String)
    if dtype in (pl.Date, pl.Datetime):
        column = column.cast(pl.Datetime("us") if dtype == pl.Date else dtype).dt.epoch("s")
    elif dtype == pl.Duration:
        column = column.dt.total_seconds()
    elif dtype == pl.Time:
        column = column.cast(pl.Int64) // 1_000_000_000
    return column.cast(pl.Float64)


def _profile_batch(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> Profile:
    """Count each column's distinct values, all columns at once; everything else follows from those counts."""
    counted = frame.select(
        by_name(name).alias("value").value_counts(name="rows").implode().alias(name) for name in kinds
    )
    columns = {name: _summary(kind, counted[name][0].struct.unnest()) for name, kind in kinds.items()}
    return Profile(rows=frame.height, columns=columns)


def _summary(kind: Kind, counted: pl.DataFrame) -> Numeric | Categorical:
    if kind == "categorical":
        return _categorical(counted)
    return _numeric(kind, counted)


def _categorical(counted: pl.DataFrame) -> Categorical:
    present = counted.drop_nulls("value")
    counts = dict(zip(present["value"].to_list(), present["rows"].to_list(), strict=True))
    return _kept(counts, other=0, nulls=_rows(counted, pl.col("value").is_null()))


def _kept(counts: Mapping[str, int], *, other: int, nulls: int) -> Categorical:
    kept = (
        list(counts)
        if len(counts) <= CATEGORIES
        else heapq.nsmallest(CATEGORIES, counts, key=lambda value: (stable_hash(value), value))
    )
    chosen = {value: counts[value] for value in sorted(kept)}
    return Categorical(nulls=nulls, counts=chosen, other=other + sum(counts.values()) - sum(chosen.values()))


def _numeric(kind: Literal["numeric", "timestamp"], counted: pl.DataFrame) -> Numeric:
    table = counted.cast({"value": pl.Float64, "rows": pl.Int64})
    value = pl.col("value")
    finite = table.filter(value.is_finite())
    values = finite["value"].to_numpy() + 0.0  # so that -0.0 is 0.0
    counts = finite["rows"].to_numpy()
    total, squares = _exact_sums(values, counts)
    return Numeric(
        kind=kind,
        nulls=_rows(table, value.is_null()),
        nan=_rows(table, value.is_nan()),
        positive_infinite=_rows(table, value == math.inf),
        negative_infinite=_rows(table, value == -math.inf),
        min=float(values.min()) if values.size else None,
        max=float(values.max()) if values.size else None,
        sum=total,
        squares=squares,
        sketch=Sketch.of(values, counts),
    )


def _rows(counted: pl.DataFrame, of: pl.Expr) -> int:
    return int(counted.filter(of)["rows"].sum())


def _exact_sums(values: Floats, counts: Integers) -> tuple[Fraction, Fraction]:
    """The sum of the values and of their squares, without rounding: whole mantissas summed by exponent."""
    fractions, exponents = np.frexp(values)
    mantissa = pl.col("mantissa")
    sums = (
        pl.DataFrame({"exponent": exponents, "mantissa": np.ldexp(fractions, 53).astype(np.int64), "rows": counts})
        .with_columns(pl.col("mantissa", "rows").cast(pl.Int128))
        .group_by("exponent")
        .agg(
            (mantissa * pl.col("rows")).sum().alias("total"),
            (mantissa * mantissa * pl.col("rows")).sum().alias("squares"),
        )
    )
    totals, squares = Fraction(0), Fraction(0)
    for exponent, total, square in sums.iter_rows():
        unit = Fraction(2) ** (exponent - 53)
        totals, squares = totals + total * unit, squares + square * unit**2
    return totals, squares


def _merge_columns(name: str, a: Numeric | Categorical, b: Numeric | Categorical) -> Numeric | Categorical:
    if a.kind != b.kind:
        raise ValueError(f"a column must be of one kind in all partitions, got {a.kind} and {b.kind} ({name})")
    if isinstance(a, Numeric) and isinstance(b, Numeric):
        return _merge_numeric(a, b)
    assert isinstance(a, Categorical) and isinstance(b, Categorical)  # the kinds are equal
    counts = Counter(a.counts)
    counts.update(b.counts)
    return _kept(counts, other=a.other + b.other, nulls=a.nulls + b.nulls)


def _merge_numeric(a: Numeric, b: Numeric) -> Numeric:
    return Numeric(
        kind=a.kind,
        nulls=a.nulls + b.nulls,
        nan=a.nan + b.nan,
        positive_infinite=a.positive_infinite + b.positive_infinite,
        negative_infinite=a.negative_infinite + b.negative_infinite,
        min=min((m for m in (a.min, b.min) if m is not None), default=None),
        max=max((m for m in (a.max, b.max) if m is not None), default=None),
        sum=a.sum + b.sum,
        squares=a.squares + b.squares,
        sketch=a.sketch.merged(b.sketch),
    )


def _iso(seconds: float | None) -> str | None:
    """Seconds as ISO text in UTC; null where no calendar reaches."""
    if seconds is None or abs(seconds) > 60_000_000_000:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds))).isoformat()
