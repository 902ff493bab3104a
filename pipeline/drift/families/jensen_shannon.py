"""The Jensen-Shannon distance (Lin 1991; Endres and Schindelin 2003)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import closed, opened, present, shares


@dataclass(frozen=True, kw_only=True)
class JensenShannon:
    """The root of the divergence in bits over deciles or values: 0 the same, 1 nothing in common.

    >>> cut, past = Cut(kind="categorical"), np.array([[5, 5, 0]])
    >>> measures = [JensenShannon().measure(cut, past, np.array([now])) for now in ([7, 7, 0], [0, 0, 7])]
    >>> [round(JensenShannon().told(float(each[0]), 14, 10), 9) for each in measures]
    [0.0, 1.0]
    """

    name: ClassVar[str] = "jensen_shannon"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric", "categorical")

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return present(cut, counts_BK)

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        return opened(divergence(past_BK, now_BK))

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return closed(measure)


def divergence(past_BK: Values, now_BK: Values) -> Values:
    """(B,) in bits, of counts."""
    past, now = np.broadcast_arrays(shares(past_BK), shares(now_BK))
    middle = (past + now) / 2
    ratios = [np.divide(side, middle, out=np.ones_like(side), where=side > 0) for side in (past, now)]
    bits_BK = past * np.log2(ratios[0]) + now * np.log2(ratios[1])
    return np.maximum(bits_BK.sum(axis=-1) / 2, 0.0)
