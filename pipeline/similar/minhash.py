"""Texts that nearly say the same: MinHash and locality-sensitive hashing of shingles, then their true similarity.

Sources: Broder 1997 (the share of equal minima estimates the Jaccard similarity of two sets); Leskovec, Rajaraman,
Ullman, Mining of Massive Datasets, chapter 3 (bands: sets of similarity s meet with 1 - (1 - s**rows)**bands).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl

Positions: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
Minima: TypeAlias = np.ndarray[Any, np.dtype[np.uint32]]

SHINGLE = 4  # characters: a letter mistyped in a text of 40 leaves a Jaccard of 0.81
BANDS, ROWS = 16, 5  # of sets at a similarity of 0.8, 1 pair in 600 never meets
SEED = 7
WINDOW = 16  # neighbours in a band's bucket that a text is compared with: bounds what one text in many versions costs
LARGEST_BUCKET = 1 << 62
TEXT_BITS = np.uint64(40)  # a key holds a text's number above so many bits of a shingle's hash
CHUNK_SHINGLES = 1 << 15  # stay within the processor's cache
CHUNK_PAIRS = 1 << 15
DOUBT = 0.15  # three standard errors of a similarity of 0.8 estimated from 80 minima


@dataclass(frozen=True, kw_only=True)
class Shingles:
    """The set of shingles of each text: `hashes` in one row, those of text i from `starts[i]` to `starts[i + 1]`."""

    hashes: Hashes
    starts: Positions

    @property
    def sizes(self) -> Positions:
        """How many shingles each text has."""
        return np.diff(self.starts)

    @classmethod
    def of(cls, texts: pl.Series) -> "Shingles":
        """The sets of `SHINGLE` successive characters; a shorter text is filled up with spaces, null as no text."""
        filled = texts.fill_null("").str.pad_end(SHINGLE)
        lengths = filled.str.len_chars().to_numpy().astype(np.int64)
        letters = np.frombuffer("".join(filled.to_list()).encode("utf-32-le"), np.uint32).astype(np.uint64)
        counts = lengths - SHINGLE + 1
        at = ranges(np.cumsum(lengths) - lengths, counts)
        hashes = np.zeros(at.size, np.uint64)
        for offset in range(SHINGLE):
            hashes = hashes * np.uint64(0x100000001B3) + letters[at + offset]
        numbers = np.repeat(np.arange(counts.size, dtype=np.uint64), counts)
        keys = each_once((numbers << TEXT_BITS) | (mixed(hashes) >> (np.uint64(64) - TEXT_BITS)))
        starts = np.searchsorted(keys, np.arange(counts.size + 1, dtype=np.uint64) << TEXT_BITS)
        return cls(hashes=mixed(keys << (np.uint64(64) - TEXT_BITS)), starts=starts)


def near_texts(texts: pl.Series, threshold: float) -> pl.DataFrame:
    """The pairs of texts of a Jaccard similarity from `threshold` on: first < second (positions), similarity.

    The texts should differ, and be normalised. A pair at 0.8 is missed once in 600 times, one at 0.9 never; of a
    text in very many versions each is compared with its `WINDOW` next ones alone.

    >>> texts = pl.Series(["the quick brown fox jumps over", "a fox", "the quick brown fox jumps, over"])
    >>> near_texts(texts, 0.7).select("first", "second").rows()
    [(0, 2)]
    """
    shingles = Shingles.of(texts)
    minima = signatures(shingles, BANDS * ROWS)
    first, second = candidates(minima, shingles, threshold)
    similarity = jaccard(shingles, first, second)
    pairs = pl.DataFrame({"first": first, "second": second, "similarity": similarity})
    return pairs.filter(pl.col("similarity") >= threshold)


def signatures(shingles: Shingles, count: int) -> Minima:
    """The least hash of each text under each of `count` hash functions (N, count), its upper 32 bits."""
    factors = np.random.default_rng(SEED).integers(0, 2**64, count, np.uint64) | np.uint64(1)
    minima = np.empty((shingles.sizes.size, count), np.uint32)
    for low, high in _chunks(shingles.starts):
        own = shingles.hashes[shingles.starts[low] : shingles.starts[high]]
        starts = shingles.starts[low:high] - shingles.starts[low]
        hashed = np.empty_like(own)
        for place, factor in enumerate(factors):
            np.multiply(own, factor, out=hashed)
            minima[low:high, place] = np.minimum.reduceat(hashed, starts) >> np.uint64(32)
    return minima


def candidates(minima: Minima, shingles: Shingles, threshold: float) -> tuple[Positions, Positions]:
    """The pairs (first < second) that share a band of minima and may reach `threshold` by what is known so far."""
    found, sizes = [np.empty(0, np.uint64)], shingles.sizes
    for start in range(0, minima.shape[1], ROWS):
        for first, second in in_buckets(_band(minima[:, start : start + ROWS]), window=WINDOW):
            few, many = np.sort([sizes[first], sizes[second]], axis=0)
            near = np.flatnonzero(few >= threshold * many)
            near = near[_estimated(minima, first[near], second[near]) >= threshold - DOUBT]
            found.append((first[near].astype(np.uint64) << np.uint64(32)) | second[near].astype(np.uint64))
    keys = each_once(np.concatenate(found))
    return (keys >> np.uint64(32)).astype(np.int64), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def in_buckets(keys: Hashes, *, window: int, largest: int = LARGEST_BUCKET) -> Iterator[tuple[Positions, Positions]]:
    """The pairs (first < second) of positions with an equal key, each with its `window` next ones at most.

    A key that is on more than `largest` positions makes no pair.
    """
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
    sizes = np.diff(starts, append=keys.size)
    shared = np.repeat((sizes > 1) & (sizes <= largest), sizes)
    order, ordered = order[shared], keys[order[shared]]
    for distance in range(1, window + 1):
        places = np.flatnonzero(ordered[distance:] == ordered[:-distance])
        if not places.size:
            return
        yield order[places], order[places + distance]


def jaccard(shingles: Shingles, first: Positions, second: Positions) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The true Jaccard similarity of each pair of texts: shared shingles by all shingles of both."""
    sizes = shingles.sizes
    shared = np.zeros(first.size, np.int64)
    for start in range(0, first.size, CHUNK_PAIRS):
        pair = np.arange(min(CHUNK_PAIRS, first.size - start), dtype=np.uint64)
        keys = []
        for side in (first, second):
            texts = side[start : start + CHUNK_PAIRS]
            own = shingles.hashes[ranges(shingles.starts[texts], sizes[texts])]
            keys.append((np.repeat(pair, sizes[texts]) << TEXT_BITS) | (own >> (np.uint64(64) - TEXT_BITS)))
        ordered = np.sort(np.concatenate(keys))
        twice = (ordered[1:][ordered[1:] == ordered[:-1]] >> TEXT_BITS).astype(np.int64)
        shared[start : start + pair.size] = np.bincount(twice, minlength=pair.size)
    return shared / (sizes[first] + sizes[second] - shared)


def ranges(starts: Positions, counts: Positions) -> Positions:
    """The numbers from each start on, as many as its count, in one row.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)


def each_once(values: Hashes) -> Hashes:
    """The values in rising order, each once: np.unique takes a minute where this takes a second."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if ordered.size else ordered


def mixed(values: Hashes) -> Hashes:
    """Each value's bits well mixed (the finalizer of SplitMix64: Steele, Lea, Flood 2014): a bijection."""
    bits = values + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))


def _chunks(starts: Positions) -> Iterator[tuple[int, int]]:
    """Stretches of texts with some `CHUNK_SHINGLES` shingles."""
    low, last = 0, starts.size - 1
    while low < last:
        high = int(np.searchsorted(starts, starts[low] + CHUNK_SHINGLES))
        high = min(max(high, low + 1), last)
        yield low, high
        low = high


def _band(minima: Minima) -> Hashes:
    """One key for the minima of a band, of each text."""
    keys = np.zeros(minima.shape[0], np.uint64)
    for place in range(minima.shape[1]):
        minimum: Hashes = minima[:, place].astype(np.uint64)
        keys = mixed(keys ^ minimum)
    return keys


def _estimated(minima: Minima, first: Positions, second: Positions) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The share of equal minima of each pair."""
    found = np.empty(first.size)
    for start in range(0, first.size, CHUNK_PAIRS):
        span = slice(start, start + CHUNK_PAIRS)
        found[span] = (minima[first[span]] == minima[second[span]]).mean(axis=1)
    return found
