"""Fingerprints: a hash of every row over sets of its columns, and which rows share one (used by the checks).

One streamed pass keeps 8 bytes a row and set, of many rows in temporary files; what repeats is then found by hash
partitions. So memory is for one partition, whatever the table's height.
"""

import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from mmap import MADV_DONTNEED, mmap
from operator import add
from typing import IO, Any, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.tables.frames import batches, compact

Positions: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]

BATCH_ROWS = 1 << 18
PARTITION_ROWS = 1 << 24  # sorted in memory with their positions: some 500 MB
READ_ROWS = 1 << 22
FIRST_BITS = 22  # a table of so many bits, one byte each, stays in the processor's cache
CELLS = 1 << 25  # compared by value at a time: some 500 MB
ANY_WIDTH = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """8 bytes a row for each set of columns, in the rows' order: in memory where the rows are few, else in files.

    `ends` has the position after the last row of each part. Null hashes as null and NaN as NaN, 0.0 as -0.0.
    """

    hashes: Mapping[str, Hashes]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, parts: Iterable[pl.LazyFrame], sets: Mapping[str, Sequence[str]]) -> "Fingerprints":
        """Hash every row of the parts over each set of columns (one at least), whatever their names, in one pass."""
        asked = [hashed.alias(name) for name, hashed in _together(sets).items()]
        ends, position = [], 0
        with ExitStack() as files:
            spools = {name: _Spool(files) for name in sets}
            for part in parts:
                for batch in batches(part.select(asked), BATCH_ROWS):
                    for name, spool in spools.items():
                        spool.add(batch[name].to_numpy())
                    position += batch.height
                ends.append(position)
            return cls(hashes={name: spool.all() for name, spool in spools.items()}, ends=tuple(ends))

    @property
    def height(self) -> int:
        """How many rows were hashed."""
        return self.ends[-1] if self.ends else 0

    def part(self, positions: Positions) -> Positions:
        """The number of the part in which each position lies."""
        return np.searchsorted(np.array(self.ends), positions, side="right")

    def read(self, name: str) -> Iterator[Hashes]:
        """The hashes of a set, in the rows' order, a stretch at a time."""
        for start in range(0, self.height, READ_ROWS):
            stretch = np.array(self.hashes[name][start : start + READ_ROWS])
            _let_go(self.hashes[name])
            yield stretch

    def at(self, name: str, positions: Positions) -> Hashes:
        """The hashes of a set at these positions; a file is read a stretch at a time."""
        hashes = self.hashes[name]
        if not isinstance(hashes, np.memmap):
            return hashes[positions]
        found = np.empty(positions.size, np.uint64)
        for start in range(0, self.height, READ_ROWS):
            inside = (positions >= start) & (positions < start + READ_ROWS)
            found[inside] = hashes[positions[inside]]
            _let_go(hashes)
        return found

    def repeated(self, name: str, *, at_most: int = ANY_WIDTH, differing: str | None = None) -> Iterator[Positions]:
        """Rising positions of the rows whose hash stands on another row too, with its rows together.

        A new array begins once one has `at_most` rows. With `differing`, only hashes whose rows differ in that set.
        """
        waiting: list[Positions] = []
        for hashes, positions in self._partitions(name):
            again = _repeated(hashes)
            found, shared = _sorted(positions[again], hashes[again])
            if differing is not None and found.size:
                found = found[_mixed(shared, self.at(differing, found))]
            waiting.append(found)
            if sum(each.size for each in waiting) >= at_most:
                yield np.sort(np.concatenate(waiting))
                waiting = []
        if any(each.size for each in waiting):
            yield np.sort(np.concatenate(waiting))

    def pairs(self, name: str, *, across: int | None = None) -> int:
        """How many pairs of rows share a hash; with `across`, one row before that position and one from it on."""
        found = 0
        for unordered, places in self._partitions(name):
            again = _repeated(unordered)
            positions, hashes = _sorted(places[again], unordered[again])
            starts = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))
            rows = np.diff(starts, append=hashes.size)
            if across is None:
                found += int((rows * (rows - 1) // 2).sum())
            elif starts.size:
                before = np.add.reduceat((positions < across).astype(np.int64), starts)
                found += int((before * (rows - before)).sum())
        return found

    def _partitions(self, name: str) -> Iterator[tuple[Hashes, Positions]]:
        """Hashes with their rising positions, a hash partition at a time."""
        count = max(1, -(-self.height // PARTITION_ROWS))
        if not self.height:
            return
        if count == 1:
            yield np.asarray(self.hashes[name]), np.arange(self.height)
            return
        for number in range(count):
            own: list[tuple[Hashes, Positions]] = []
            for stretch, hashes in enumerate(self.read(name)):
                inside = np.flatnonzero((hashes >> np.uint64(32)) % np.uint64(count) == number)
                own.append((hashes[inside], inside + stretch * READ_ROWS))
            if any(hashes.size for hashes, _ in own):
                yield np.concatenate([hashes for hashes, _ in own]), np.concatenate([places for _, places in own])


def columns_at(rows: pl.LazyFrame, positions: Positions, columns: Sequence[str]) -> pl.DataFrame:
    """The rows at these rising positions, in one streamed pass."""
    asked = rows.select(by_name(*columns))
    start, parts = 0, [pl.DataFrame(schema=asked.collect_schema())]
    for batch in batches(asked, BATCH_ROWS):
        low, high = np.searchsorted(positions, [start, start + batch.height])
        if low < high:
            parts.append(compact(batch[positions[low:high] - start]))
        start += batch.height
    return pl.concat(parts)


def rows_within(columns: int) -> int:
    """How many rows of so many columns may be compared at a time."""
    return max(1, CELLS // max(1, columns))


def _together(sets: Mapping[str, Sequence[str]]) -> dict[str, pl.Expr]:
    """The 64-bit hash of each set of columns.

    Each column is hashed by itself, with a seed of its name, and the hashes are added, those first that stand in most
    sets: sets that overlap share the work, as Polars computes equal expressions once. Adding is enough as what meets
    is compared by value.
    """
    often = Counter(name for columns in sets.values() for name in set(columns))
    ordered = {key: sorted(columns, key=lambda name: -often[name]) for key, columns in sets.items()}
    return {key: reduce(add, map(_hash, columns)) for key, columns in ordered.items()}


def _hash(name: str) -> pl.Expr:
    seed = zlib.crc32(name.encode())
    return by_name(name).hash(seed=seed)


class _Spool:
    """The hashes of a set as they come; more than `PARTITION_ROWS` of them are in a file that has no name, and goes
    with the array.
    """

    def __init__(self, files: ExitStack) -> None:
        self.files = files
        self.held: list[Hashes] = [np.empty(0, np.uint64)]
        self.rows = 0
        self.file: IO[bytes] | None = None

    def add(self, hashes: Hashes) -> None:
        self.held.append(hashes.copy())  # of the batch, nothing is to stay
        self.rows += hashes.size
        if self.rows > PARTITION_ROWS:
            self._write()

    def all(self) -> Hashes:
        """All of them, in their order."""
        if self.file is None:
            return np.concatenate(self.held)
        self._write()
        self.file.flush()
        return np.memmap(self.file, np.uint64, mode="r")

    def _write(self) -> None:
        if self.file is None:
            self.file = self.files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        for hashes in self.held:
            hashes.tofile(self.file)
        self.held = []


def _let_go(hashes: Hashes) -> None:
    """Hand back the memory of what was read of a file: it stays in the file."""
    if isinstance(hashes, np.memmap) and isinstance(hashes.base, mmap):
        hashes.base.madvise(MADV_DONTNEED)


def _repeated(hashes: Hashes) -> Positions:
    """Where the hashes stand that stand more than once, in rising order.

    Sorting tells which they are; a table of their first bits leaves few rows to be looked up among them.
    """
    ordered = np.sort(hashes)
    shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not shared.size:
        return np.empty(0, np.int64)
    first_bits = np.uint64(64 - FIRST_BITS)
    likely = np.zeros(1 << FIRST_BITS, np.bool_)
    likely[shared >> first_bits] = True
    starts = range(0, hashes.size, BATCH_ROWS)  # what is made of a stretch stays in the processor's cache
    places = np.concatenate([np.flatnonzero(likely[hashes[i : i + BATCH_ROWS] >> first_bits]) + i for i in starts])
    nearest = np.minimum(np.searchsorted(shared, hashes[places]), shared.size - 1)
    return places[shared[nearest] == hashes[places]]


def _sorted(positions: Positions, hashes: Hashes) -> tuple[Positions, Hashes]:
    """Hashes in rising order with their positions, equal hashes by position."""
    order = np.argsort(hashes, kind="stable")
    return positions[order], hashes[order]


def _mixed(ordered: Hashes, other: Hashes) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of the ordered hashes have rows with more than one hash in `other`."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    low, high = np.minimum.reduceat(other, starts), np.maximum.reduceat(other, starts)
    return np.repeat(low != high, np.diff(np.append(starts, ordered.size)))
