"""Pearson's chi-square of homogeneity (Pearson 1911)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import present, shares


@dataclass(frozen=True, kw_only=True)
class ChiSquare:
    """The squared differences of the shares, each over the share that both have together.

    >>> cut, past, now = Cut(kind="categorical"), np.array([[50, 50]]), np.array([[70, 30]])
    >>> round(ChiSquare().told(float(ChiSquare().measure(cut, past, now)[0]), 100, 100), 3)
    8.333
    """

    name: ClassVar[str] = "chi_square"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric", "categorical")

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return present(cut, counts_BK)

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        pooled = shares(past_BK + now_BK)
        squared = (shares(now_BK) - shares(past_BK)) ** 2
        return np.divide(squared, pooled, out=np.zeros_like(squared), where=pooled > 0).sum(axis=-1)

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return measure / (1 / now_rows + 1 / past_rows)
