"""A quantile sketch that merges exactly: buckets are runs of floating-point bits (used by profile)."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Self, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.artefacts import Record

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Integers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
HashSource: TypeAlias = Callable[[], list[int]]

BUCKETS = 2048  # 64 an octave (a quantile within 0.8%) for values that fill 32 octaves, finer for fewer
HASHES = 256  # a k-minimum-values estimate from k hashes errs by 1/sqrt(k - 2): 6%
STEP = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio
WORD = 8
HEADS = np.array([(1 << 8 * size) - 1 for size in range(WORD + 1)], np.uint64)  # the first bytes of a word
HASHED_BYTES = 1 << 20  # at a time: with fewer, threads wait for one another's short calls
LARGEST = int(np.finfo(np.float64).max.view(np.int64))
MAGNITUDE = np.int64(2**63 - 1)


class Sketch(Record):
    """How many finite values lie in each bucket.

    A value's bucket is the bit pattern of its magnitude without the last `level` bits, plus one, with the
    value's sign; zero has bucket 0. So buckets are in the order of values, split every octave evenly, and
    need no logarithm. `level` is the least that keeps at most `BUCKETS` buckets; at level 0 a bucket is a
    value. Beyond level 0 the smallest `hashes` of the distinct values say how many there are.
    Source: DDSketch with the linearly interpolated mapping (Masson, Rim, Lee 2019, VLDB 12(12)) and the
    uniform collapse of UDDSketch (Epicoco et al. 2020), which makes the level, and so merging, independent
    of the order.

    >>> Sketch.of(np.array([1.0, 2.0, 4.0]), np.array([1, 1, 8])).quantile(0.5)
    4.0
    """

    level: int = Field(ge=0, le=63)
    buckets: dict[int, int]
    hashes: list[int] = Field(default_factory=list)

    @classmethod
    def of(cls, values: Floats, counts: Integers) -> Self:
        """The sketch of finite values, each once, that occur `counts` times (V, V)."""
        index = bucket_of(values)
        return cls.finest(index, counts, level=0, hashes=lambda: smallest_hashes(index))

    @classmethod
    def finest(cls, index: Integers, counts: Integers, *, level: int, hashes: HashSource) -> Self:
        """The sketch of buckets at `level`, or at the finest level above that keeps `BUCKETS` of them."""
        index, counts = _summed(index, counts)
        drop = bisect_left(range(64 - level), True, key=lambda drop: _changes(coarser(index, drop)) < BUCKETS)
        index, counts = _summed(coarser(index, drop), counts)
        buckets = dict(zip(index.tolist(), counts.tolist(), strict=True))
        return cls(level=level + drop, buckets=buckets, hashes=hashes() if level + drop else [])

    def merged(self, other: "Sketch") -> "Sketch":
        """The sketch of both sketches' values."""
        level = max(self.level, other.level)
        parts = [sketch.arrays(level) for sketch in (self, other)]
        index, counts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return Sketch.finest(
            index, counts, level=level, hashes=lambda: sorted({*self._hashes(), *other._hashes()})[:HASHES]
        )

    def arrays(self, level: int | None = None) -> tuple[Integers, Integers]:
        """Buckets in rising order and their counts (B, B), at this level or a coarser one."""
        index = np.fromiter(self.buckets, np.int64, len(self.buckets))
        counts = np.fromiter(self.buckets.values(), np.int64, len(self.buckets))
        return _summed(coarser(index, (self.level if level is None else level) - self.level), counts)

    @property
    def total(self) -> int:
        """How many values there are."""
        return sum(self.buckets.values())

    @property
    def distinct(self) -> int:
        """How many values differ: exact at level 0, else estimated within some 6%."""
        return distinct_estimate(self.hashes) if self.level else len(self.buckets)

    @property
    def relative_error(self) -> float:
        """How far a quantile may lie from the true one, as a share of it (subnormal floats aside)."""
        return 2.0 ** (self.level - 53) if self.level else 0.0

    def quantile(self, share: float) -> float | None:
        """The value of rank floor(share * (n - 1)), within `relative_error`; null without values."""
        index, counts = self.arrays()
        if not index.size:
            return None
        rank = math.floor(share * (self.total - 1))
        return self._middle(int(index[np.searchsorted(np.cumsum(counts), rank, side="right")]))

    def at_most(self, value: float) -> int:
        """How many values are at most `value`, whose own bucket counts as a whole."""
        if math.isinf(value):
            return self.total if value > 0 else 0
        index, counts = self.arrays()
        bucket = coarser(bucket_of(np.array([value])), self.level)[0]
        return int(counts[: np.searchsorted(index, bucket, side="right")].sum())

    def _hashes(self) -> list[int]:
        return self.hashes if self.level else smallest_hashes(self.arrays()[0])

    def _middle(self, bucket: int) -> float:
        """The middle of a bucket's values; at level 0, the value."""
        if bucket == 0:
            return 0.0
        low = (abs(bucket) - 1) << self.level
        high = min(low + (1 << self.level) - 1, LARGEST)
        first, last = np.array([low, high], np.int64).view(np.float64)
        return math.copysign(float(first + (last - first) / 2), bucket)


def bucket_of(values: Floats) -> Integers:
    """The bucket at level 0 of each value: a bijection, and in the values' order."""
    bits = (values + 0.0).view(np.int64)  # so that -0.0 is 0.0
    ordered = bits ^ ((bits >> np.int64(63)) & MAGNITUDE)  # of a negative number: its magnitude's complement
    found: Integers = ordered + (ordered > 0)
    return found


def coarser(index: Integers, levels: int) -> Integers:
    """The buckets that hold these buckets, some levels up."""
    positive = index > 0
    found: Integers = ((index - positive) >> levels) + positive
    return found


def mixed(bits: Hashes) -> Hashes:
    """Each 64-bit number spread evenly over all of them (the mixer of SplitMix64: Steele, Lea, Flood 2014)."""
    bits = bits + STEP
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    found: Hashes = bits ^ (bits >> np.uint64(31))
    return found


def text_hashes(values: pl.Series) -> Hashes:
    """A 64-bit hash of each text, none of them null: the same in every process, on every machine and version.

    The sum of each 8 bytes of its UTF-8 text, mixed with their place, and of its length; mixed.
    """
    lengths = values.str.len_bytes().to_numpy().astype(np.int64)
    hashes = lengths.astype(np.uint64)
    for rows in _blocks(lengths):
        hashes[rows] += _summed_words(values[rows], lengths[rows])
    return mixed(hashes)


def _blocks(lengths: Integers) -> Iterator[slice]:
    """Runs of rows with some `HASHED_BYTES` bytes each."""
    borders = np.searchsorted(np.cumsum(lengths), np.arange(0, lengths.sum() + 1, HASHED_BYTES))
    edges = sorted({0, *borders.tolist(), lengths.size})
    return (slice(low, high) for low, high in pairwise(edges))


def _summed_words(values: pl.Series, lengths: Integers) -> Hashes:
    """The sum over each text's words of 8 bytes, the last filled up with zeros."""
    text = values.str.join("").cast(pl.Binary).item() + bytes(WORD - 1)
    from_each = np.ndarray(len(text) - WORD + 1, "<u8", text, strides=(1,))  # the word that starts at each byte
    words = -(-lengths // WORD)
    ends, filled = np.cumsum(words), words > 0
    firsts, number = ends - words, np.arange(ends[-1])
    bits = from_each[WORD * number + np.repeat(np.cumsum(lengths) - lengths - WORD * firsts, words)]
    bits[ends[filled] - 1] &= HEADS[lengths[filled] - WORD * (words[filled] - 1)]
    bits = mixed(bits + STEP * (number - np.repeat(firsts, words)).view(np.uint64))
    hashes = np.zeros(lengths.size, np.uint64)
    hashes[filled] = np.add.reduceat(bits, firsts[filled]) if bits.size else 0
    return hashes


def smallest_hashes(index: Integers) -> list[int]:
    """The least hashes of level-0 buckets."""
    hashes = mixed(index.view(np.uint64))
    least = np.partition(hashes, HASHES - 1)[:HASHES] if hashes.size > HASHES else hashes
    found: list[int] = np.sort(least).tolist()
    return found


def distinct_estimate(smallest: list[int]) -> int:
    """Distinct values from their k smallest 64-bit hashes: (k - 1) / h_k, h in 0..1 (Beyer et al. 2007)."""
    return round((len(smallest) - 1) * 2**64 / max(smallest[-1], 1))


def _changes(ordered: Integers) -> int:
    return int(np.count_nonzero(np.diff(ordered)))


def _summed(index: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """Buckets in rising order, each once, with their summed counts."""
    if not index.size:
        return index, counts
    order = np.argsort(index, kind="stable")
    index, counts = index[order], counts[order]
    starts = np.flatnonzero(np.diff(index, prepend=index[0] - 1))
    return index[starts], np.add.reduceat(counts, starts)
