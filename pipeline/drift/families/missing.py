"""The share of cells that are missing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import closed, opened, shares


@dataclass(frozen=True, kw_only=True)
class Missing:
    """By how much the share of missing cells differs.

    >>> cut, past, now = Cut(kind="numeric"), np.array([[10, 90]]), np.array([[60, 40]])
    >>> round(Missing().told(float(Missing().measure(cut, past, now)[0]), 100, 100), 9)
    0.5
    """

    name: ClassVar[str] = "missing_share"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric", "categorical")

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        missing_B1 = counts_BK[..., :1]
        return np.concatenate([missing_B1, counts_BK.sum(axis=-1, keepdims=True) - missing_B1], axis=-1)

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        return opened((shares(now_BK)[..., 0] - shares(past_BK)[..., 0]) ** 2)

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return closed(measure)
