"""The Kolmogorov-Smirnov distance of numbers (Smirnov 1939)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import shares


@dataclass(frozen=True, kw_only=True)
class KolmogorovSmirnov:
    """The largest gap between the two distribution functions, at the edges of some 40 quantile bins.

    >>> cut, past = Cut(kind="numeric", edges=[1, 2]), np.array([[5, 5, 0]])
    >>> [float(KolmogorovSmirnov().measure(cut, past, np.array([now]))[0]) for now in ([5, 5, 0], [0, 10, 0])]
    [0.0, 0.25]
    """

    name: ClassVar[str] = "ks"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric",)

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return counts_BK[..., 1:]

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        gaps_BK = np.cumsum(shares(now_BK) - shares(past_BK), axis=-1)
        return np.abs(gaps_BK).max(axis=-1) ** 2

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return float(measure**0.5)
