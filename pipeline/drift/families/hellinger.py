"""The Hellinger distance (Hellinger 1909)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import closed, opened, present, shares


@dataclass(frozen=True, kw_only=True)
class Hellinger:
    """The Euclidean distance of the roots of the shares, over the root of 2: 0 the same, 1 nothing in common.

    >>> cut, past = Cut(kind="categorical"), np.array([[5, 5, 0]])
    >>> measures = [Hellinger().measure(cut, past, np.array([now])) for now in ([7, 7, 0], [0, 0, 7])]
    >>> [round(Hellinger().told(float(each[0]), 14, 10), 9) for each in measures]
    [0.0, 1.0]
    """

    name: ClassVar[str] = "hellinger"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric", "categorical")

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return present(cut, counts_BK)

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        return opened(((np.sqrt(shares(past_BK)) - np.sqrt(shares(now_BK))) ** 2).sum(axis=-1) / 2)

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return closed(measure)
