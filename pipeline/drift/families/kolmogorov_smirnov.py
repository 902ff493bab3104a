"""The Kolmogorov-Smirnov distance of numbers (Smirnov 1939)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import closed, opened, shares


@dataclass(frozen=True, kw_only=True)
class KolmogorovSmirnov:
    """The largest gap between the two distribution functions, at the edges of some 40 quantile bins.

    >>> cut, past = Cut(kind="numeric", edges=[1, 2]), np.array([[5, 5, 0]])
    >>> measures = [KolmogorovSmirnov().measure(cut, past, np.array([now])) for now in ([5, 5, 0], [0, 10, 0])]
    >>> [round(KolmogorovSmirnov().told(float(each[0]), 10, 10), 9) for each in measures]
    [0.0, 0.5]
    """

    name: ClassVar[str] = "ks"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric",)

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return counts_BK[..., 1:]

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        gaps_BK = np.cumsum(shares(now_BK) - shares(past_BK), axis=-1)
        return opened(np.abs(gaps_BK).max(axis=-1) ** 2)

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return closed(measure)
