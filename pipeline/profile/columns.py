"""The summary of one column, of numbers or of categories, and how two are merged (used by profile)."""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Literal

import polars as pl
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.profile.sketch import Sketch, distinct_estimate, text_hashes

CATEGORIES = 1024


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
        return max(hashes_of(self.counts)) if self.other else None

    @property
    def distinct(self) -> int:
        """How many values differ: exact up to `CATEGORIES`, then estimated within some 3%."""
        return distinct_estimate(sorted(hashes_of(self.counts))) if self.other else len(self.counts)

    def summary(self) -> dict[str, float | str | None]:
        """The few numbers for people; `missing` and `distinct` are counts, the others null."""
        return {"missing": self.missing, "distinct": self.distinct, "min": None, "max": None, "mean": None}


def merge_columns(name: str, a: Numeric | Categorical, b: Numeric | Categorical) -> Numeric | Categorical:
    """The summary of both columns' rows; raises ValueError where their kinds differ."""
    if a.kind != b.kind:
        raise ValueError(f"a column must be of one kind in all partitions, got {a.kind} and {b.kind} ({name})")
    if isinstance(a, Numeric) and isinstance(b, Numeric):
        return _merge_numeric(a, b)
    assert isinstance(a, Categorical) and isinstance(b, Categorical)  # the kinds are equal
    counts = Counter(a.counts)
    counts.update(b.counts)
    return kept(counts, other=a.other + b.other, nulls=a.nulls + b.nulls)


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


def kept(counts: Mapping[str, int], *, other: int, nulls: int) -> Categorical:
    """The summary with the `CATEGORIES` values of smallest hash."""
    chosen = smallest(counts) if len(counts) > CATEGORIES else counts
    left = sum(counts.values()) - sum(chosen.values())
    return Categorical(nulls=nulls, counts=dict(sorted(chosen.items())), other=other + left)


def smallest(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of the `CATEGORIES` values of smallest hash."""
    hashed = zip(hashes_of(counts), counts, strict=True)
    return {value: counts[value] for _, value in heapq.nsmallest(CATEGORIES, hashed)}


def hashes_of(values: Iterable[str]) -> list[int]:
    """The 64-bit hash of each text, the same in every process."""
    hashes: list[int] = text_hashes(pl.Series(values=list(values), dtype=pl.String)).tolist()
    return hashes


def _iso(seconds: float | None) -> str | None:
    """Seconds as ISO text in UTC; null where no calendar reaches."""
    if seconds is None or abs(seconds) > 60_000_000_000:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(seconds))).isoformat()
