"""Records to link: rows as the values of their fields, the pairs of them worth comparing, and how alike these are.

Legend: N rows, F fields, P pairs, L levels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipeline.similar.minhash import Hashes, Positions, each_once, in_buckets, mixed

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Levels: TypeAlias = np.ndarray[Any, np.dtype[np.int8]]

ABSENT, SAME, CLOSE, AKIN, OTHER = range(-1, 4)
LEVELS = 4
CLOSE_FROM, AKIN_FROM = 0.75, 0.5  # one edit in four characters, and in two
RARE = 2  # a mistyped value stands in a row or two; two frequent values that look alike are two values
BLOCK_ROWS = 24
PAIRS_A_KEY = 1 << 20
PAIRS = 1 << 21
CHARACTERS = 64  # a value is compared by its first ones


@dataclass(frozen=True, kw_only=True)
class Records:
    """The rows to link: each cell's value as a number in `texts` (-1: none), and in how many rows its field has it."""

    codes_NF: Positions
    counts_NF: Positions
    texts: list[str]

    @classmethod
    def of(cls, fields: pl.DataFrame) -> "Records":
        """The records of a frame of texts; a field that never repeats a value, or has one alone, is left out."""
        columns = [
            column.alias("value") for column in fields.iter_columns()
        ]  # a series' name may be taken as a pattern
        told = [column for column in columns if column.n_unique() - (column.null_count() > 0) > 1]
        told = [column for column in told if column.drop_nulls().n_unique() < column.len() - column.null_count()]
        if not told:
            nothing = np.empty((fields.height, 0), np.int64)
            return cls(codes_NF=nothing, counts_NF=nothing, texts=[])
        values = pl.concat([column.str.slice(0, CHARACTERS) for column in told])
        codes = values.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
        codes_NF = codes.reshape(len(told), -1).T
        counts = [np.bincount(codes + 1)[codes + 1] for codes in codes_NF.T]
        return cls(
            codes_NF=codes_NF, counts_NF=np.stack(counts, axis=1), texts=values.unique().drop_nulls().sort().to_list()
        )

    @property
    def height(self) -> int:
        """How many rows there are."""
        return self.codes_NF.shape[0]


def candidates(records: Records) -> tuple[Positions, Positions]:
    """The pairs to compare: those in a small block; of too many, those with the most equal fields."""
    block = int(np.clip(PAIRS_A_KEY // max(records.height, 1), 3, BLOCK_ROWS))
    found = [np.empty(0, np.uint64)]
    for keys, rows in _blocking_keys(records.codes_NF):
        for first, second in in_buckets(keys, window=block, largest=block):
            found.append((rows[first].astype(np.uint64) << np.uint64(32)) | rows[second].astype(np.uint64))
    pairs = each_once(np.concatenate(found))
    first, second = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    if first.size > PAIRS:
        equal = (records.codes_NF[first] == records.codes_NF[second]).sum(axis=1)
        best = np.sort(np.argpartition(-equal, PAIRS)[:PAIRS])
        return first[best], second[best]
    return first, second


def _blocking_keys(codes_NF: Positions) -> Iterator[tuple[Hashes, Positions]]:
    """Keys of the rows that have one: each field's value, and each two fields' values in either order."""
    for left, right in combinations_with_replacement(range(codes_NF.shape[1]), 2):
        rows = np.flatnonzero((codes_NF[:, left] >= 0) & (codes_NF[:, right] >= 0))
        one, other = (mixed(codes_NF[rows, field].astype(np.uint64)) for field in (left, right))
        yield (one + other if left != right else one), rows


def compared(records: Records, first: Positions, second: Positions) -> Floats:
    """How alike each field of each pair is (P, F): 1 where equal or swapped with another, 0 where other, NaN unknown.

    In between: 1 - optimal string alignment distance / length, for a value that is rare in its field.
    """
    ours_PF, theirs_PF = records.codes_NF[first], records.codes_NF[second]
    rarer_PF = np.minimum(records.counts_NF[first], records.counts_NF[second])
    alike_PF = np.where(ours_PF == theirs_PF, 1.0, 0.0)
    alike_PF[(ours_PF < 0) | (theirs_PF < 0)] = np.nan
    for field in range(alike_PF.shape[1]):
        unequal = np.flatnonzero((alike_PF[:, field] == 0) & (rarer_PF[:, field] <= RARE))
        alike_PF[unequal, field] = _text_similarity(records.texts, ours_PF[unequal, field], theirs_PF[unequal, field])
    for left, right in combinations(range(alike_PF.shape[1]), 2):
        crossed = np.flatnonzero((ours_PF[:, left] == theirs_PF[:, right]) & (alike_PF[:, left] < 1))
        swapped = crossed[(ours_PF[crossed, right] == theirs_PF[crossed, left])]
        alike_PF[np.ix_(swapped, [left, right])] = CLOSE_FROM
    return alike_PF


def _text_similarity(texts: list[str], one: Positions, other: Positions) -> Floats:
    """1 - distance / length of each pair of values; 0 below `AKIN_FROM`. Each two values are compared once."""
    low, high = np.minimum(one, other).astype(np.uint64), np.maximum(one, other).astype(np.uint64)
    pairs, inverse = np.unique((low << np.uint64(32)) | high, return_inverse=True)
    left = [texts[code] for code in (pairs >> np.uint64(32)).tolist()]
    right = [texts[code] for code in (pairs & np.uint64(0xFFFFFFFF)).tolist()]
    if not left:
        return np.empty(0)
    found = process.cpdist(left, right, scorer=OSA.normalized_similarity, score_cutoff=AKIN_FROM, dtype=np.float64)
    return np.asarray(found)[inverse]


def levels_of(alike_PF: Floats) -> Levels:
    """The level of each field of each pair."""
    steps = [np.isnan(alike_PF), alike_PF == 1, alike_PF >= CLOSE_FROM, alike_PF >= AKIN_FROM]
    return np.select(steps, [ABSENT, SAME, CLOSE, AKIN], OTHER).astype(np.int8)


def equal_pairs(codes_NF: Positions) -> int:
    """How many pairs of rows are equal in all these fields."""
    known = codes_NF[(codes_NF >= 0).all(axis=1)].astype(np.uint64)
    keys = np.sort(mixed(known[:, 0]) + known[:, -1])
    rows = np.diff(np.flatnonzero(np.diff(keys, prepend=~keys[:1], append=~keys[-1:])))
    return int((rows * (rows - 1) // 2).sum())
