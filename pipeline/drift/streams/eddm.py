"""The early drift detection method (Baena-García et al. 2006)."""

import math
from typing import ClassVar

LEAST = 30  # wrong answers before the first alarm, and the share of the best: both as in the paper
BETA = 0.9


class Eddm:
    """Errors are 0 or 1: while nothing changes wrong answers are as far apart as ever, and an alarm is 0.9 of that.

    >>> from pipeline.drift.streams import changes
    >>> changes(Eddm(), [0, 0, 0, 1] * 100 + [1] * 500) != [], changes(Eddm(), [0, 0, 0, 1] * 200)
    (True, [])
    """

    name: ClassVar[str] = "eddm"

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.since, self.count, self.mean, self.squares, self.best = 0, 0, 0.0, 0.0, 0.0

    def add(self, error: float) -> bool:
        self.since += 1
        if not error:
            return False
        gap, self.since = self.since, 0
        self.count += 1
        apart = gap - self.mean
        self.mean += apart / self.count
        self.squares += apart * (gap - self.mean)
        reach = self.mean + 2 * math.sqrt(self.squares / self.count)
        if self.count < LEAST:
            return False
        self.best = max(self.best, reach)
        told = reach < BETA * self.best
        if told:
            self._forget()
        return told
