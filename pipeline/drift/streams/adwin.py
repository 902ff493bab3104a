"""Adaptive windowing (Bifet and Gavaldà 2007)."""

import math
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

BUCKETS = 5  # of each size: the paper's M
CHECKED = 32  # every so many errors it is asked for a cut
LEAST = 5  # errors on each side of a cut


class Bucket(NamedTuple):
    """Of so many rows the errors' sum, and the sum of squared distances from their mean."""

    rows: int
    total: float
    squares: float

    def joined(self, other: "Bucket") -> "Bucket":
        """Both in one."""
        rows = self.rows + other.rows
        apart = self.total / self.rows - other.total / other.rows
        between = apart**2 * self.rows * other.rows / rows
        return Bucket(rows, self.total + other.total, self.squares + other.squares + between)


class Adwin:
    """Keeps a window of errors, and drops its older part once the means of the two differ beyond chance.

    The window is a histogram whose buckets double with age. `delta`: the chance of a false alarm at a place, as the
    authors set it.

    >>> from pipeline.drift.streams import changes
    >>> changes(Adwin(), [0, 1, 0, 0] * 100 + [1, 1, 1, 0] * 100)[0] < 500, changes(Adwin(), [0, 1, 0, 0] * 200)
    (True, [])
    """

    name: ClassVar[str] = "adwin"

    def __init__(self, delta: float = 0.002) -> None:
        self.delta, self.seen = delta, 0
        self.rows: list[list[Bucket]] = [[]]  # of 1, 2, 4, ... errors, the newest first

    def add(self, error: float) -> bool:
        self.seen += 1
        self.rows[0].insert(0, Bucket(1, error, 0.0))
        self._compress()
        return self.seen % CHECKED == 0 and self._cut()

    def _compress(self) -> None:
        for place, row in enumerate(self.rows):
            if len(row) <= BUCKETS:
                return
            older = [row.pop(), row.pop()]
            if place + 1 == len(self.rows):
                self.rows.append([])
            self.rows[place + 1].insert(0, older[0].joined(older[1]))

    def _oldest_first(self) -> Iterator[Bucket]:
        for row in reversed(self.rows):
            yield from reversed(row)

    def _cut(self) -> bool:
        """Drop the oldest buckets for as long as some cut tells a change."""
        told = False
        while self._tells():
            told = True
            while not self.rows[-1]:
                self.rows.pop()
            self.rows[-1].pop()
            while len(self.rows) > 1 and not self.rows[-1]:
                self.rows.pop()
        return told

    def _tells(self) -> bool:
        buckets = list(self._oldest_first())
        if len(buckets) < 2:
            return False
        whole = buckets[0]
        for bucket in buckets[1:]:
            whole = whole.joined(bucket)
        variance, level = whole.squares / whole.rows, math.log(2 * math.log(max(whole.rows, 3)) / self.delta)
        count, total = 0, 0.0
        for bucket in buckets[:-1]:
            count, total = count + bucket.rows, total + bucket.total
            rest = whole.rows - count
            if min(count, rest) >= LEAST:
                unit = 1 / (count - LEAST + 1) + 1 / (rest - LEAST + 1)
                bound = math.sqrt(2 * unit * variance * level) + 2 / 3 * unit * level
                if abs(total / count - (whole.total - total) / rest) > bound:
                    return True
        return False
