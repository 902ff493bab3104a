"""The statistics of one column, one file a family: from counts in the bins of its past, how far rows are from it.

Shapes: B blocks or batches, K bins. Each `measure` is quadratic in the difference, so that sampling alone makes it grow
by 1/n + 1/m on average; `told` is the statistic as its literature has it.

A distance that ends at 1 is measured on an open scale (`opened`): there a normal that moves by twice as much is twice
as far away, also where hardly a row is left in common, and no threshold lies beyond what can be reached.
"""

import math
from typing import ClassVar, Protocol

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values


class Family(Protocol):
    """One statistic."""

    name: ClassVar[str]
    kinds: ClassVar[tuple[Kind, ...]]

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        """(B, K) all counts → those of the bins that the statistic is of."""
        ...

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        """(B,) the squared distance of `now` from `past`, both as `seen` gives them, no row empty."""
        ...

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        """The statistic of a measure."""
        ...


def shares(counts_BK: Values) -> Values:
    """(B, K) each row's shares."""
    return counts_BK / counts_BK.sum(axis=-1, keepdims=True)


def present(cut: Cut, counts_BK: Values) -> Values:
    """(B, K) the counts of cells that hold something, of numbers in some ten bins."""
    filled_BK = counts_BK[..., 1:]
    size = filled_BK.shape[-1]
    if cut.kind != "numeric" or size <= COARSE:
        return filled_BK
    starts = np.arange(0, size, round(size / COARSE))
    return np.add.reduceat(filled_BK, starts, axis=-1)


def opened(squared_B: Values) -> Values:
    """(B,) squared distances of 0 to 1 on a scale without an end: -log(1 - d^2).

    Of the Kolmogorov-Smirnov distance of two normals of spread 1 it is their squared difference over 2 pi, within 5% up
    to a difference of 4, as erf(x)^2 is nearly 1 - exp(-4 x^2 / pi); of Hellinger's it is that of Bhattacharyya (1943).

    >>> opened(np.array([0.0, 0.19, 1.0])).round(2).tolist()
    [0.0, 0.21, 27.63]
    """
    return -np.log1p(-np.minimum(squared_B, 1 - 1e-12))


def closed(measure: float) -> float:
    """The distance, of 0 to 1, of an opened square.

    >>> round(closed(float(opened(np.array([0.25]))[0])), 9)
    0.5
    """
    return math.sqrt(-math.expm1(-measure))


COARSE = 12  # deciles and what lies beyond the past, as is usual for the stability index
