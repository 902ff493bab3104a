"""The Wasserstein distance of numbers, in spreads of the past (Vaserstein 1969)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import shares


@dataclass(frozen=True, kw_only=True)
class Wasserstein:
    """The area between the two distribution functions within the past's range, over its interquartile range.

    >>> cut = Cut(kind="numeric", edges=[0, 1, 2, 3])
    >>> past, now = np.array([[1, 1, 1, 1, 0]]), np.array([[0, 1, 1, 2, 0]])
    >>> Wasserstein().measure(cut, past, past).tolist(), Wasserstein().measure(cut, past, now).tolist()
    ([0.0], [0.09765625])
    """

    name: ClassVar[str] = "wasserstein"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric",)

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return counts_BK[..., 1:]

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        if len(cut.edges) < 2:
            return np.zeros(now_BK.shape[0])
        edges = np.array(cut.edges)
        gaps_BK = np.abs(np.cumsum(shares(now_BK) - shares(past_BK), axis=-1))[..., : edges.size]
        area_B = ((gaps_BK[..., 1:] + gaps_BK[..., :-1]) / 2 * np.diff(edges)).sum(axis=-1)
        return (area_B / _spread(edges)) ** 2

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return float(measure**0.5)


def _spread(edges: Values) -> float:
    """Between the quartiles of the edges, which are quantiles; of the range where these are one."""
    low, high = np.quantile(edges, [0.25, 0.75], method="lower")
    return float(high - low) or float(edges[-1] - edges[0])
