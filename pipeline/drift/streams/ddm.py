"""The drift detection method (Gama et al. 2004)."""

import math
from typing import ClassVar

LEAST = 30  # errors before the first alarm, and deviations above the best: both as in the paper
DEVIATIONS = 3.0


class Ddm:
    """Errors are 0 or 1: their share falls for as long as nothing changes, and an alarm is three deviations above it.

    >>> from pipeline.drift.streams import changes
    >>> changes(Ddm(), [0, 0, 0, 1] * 100 + [1] * 50) != [], changes(Ddm(), [0, 0, 0, 1] * 200)
    (True, [])
    """

    name: ClassVar[str] = "ddm"

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.count, self.wrong = 0, 0.0
        self.best = (math.inf, math.inf)  # the least share with its deviation

    def add(self, error: float) -> bool:
        self.count, self.wrong = self.count + 1, self.wrong + error
        share = self.wrong / self.count
        deviation = math.sqrt(share * (1 - share) / self.count)
        if self.count < LEAST:
            return False
        if share + deviation < sum(self.best) and self.wrong:
            self.best = (share, deviation)
        told = share + deviation > self.best[0] + DEVIATIONS * self.best[1]
        if told:
            self._forget()
        return told
