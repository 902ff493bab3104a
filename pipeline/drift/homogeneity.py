"""Two samples counted over the same bins: how far apart are they, and could that be chance?

The effect is the Jensen-Shannon distance (base 2: 0 the same, 1 nothing in common; Lin 1991, Endres and
Schindelin 2003). Unlike the population stability index or the Kullback-Leibler divergence it stays finite
for an empty bin, so nothing is smoothed; unlike Cramer's V it does not shrink when one sample is much smaller
than the other; unlike the Kolmogorov-Smirnov distance it serves categories as well. For orientation, a normal
whose mean moves by 0.25 standard deviations has 0.10, by 0.5 it has 0.21 (population stability index 0.06,
0.25).

p is of the chi-square test of homogeneity (Pearson 1911). It takes rows as independent: where they are not
(all flights of an hour share its weather) it is too small, which is one more reason to ask for an effect.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Counts: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

STATISTIC = "Jensen-Shannon distance, chi-square p"
LEAST_EXPECTED = 5.0  # rows a bin must expect for the chi-square approximation (Cochran 1954)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a detector says: an effect in 0..1, and the p-value of no difference."""

    effect: float
    p: float
    statistic: str = STATISTIC


def compare_counts(reference: Sequence[float], batch: Sequence[float]) -> Comparison:
    """Compare counts over the same bins in the same order (K), (K); sparse neighbours are pooled first.

    A sample with no rows, or too few to fill two bins, gives effect 0 and p 1.

    >>> compare_counts([500, 500, 0], [50, 50, 0])
    Comparison(effect=0.0, p=1.0, statistic='Jensen-Shannon distance, chi-square p')
    >>> compare_counts([500, 500, 0], [0, 0, 100]).effect > 0.99
    True
    """
    table = pooled(np.array([reference, batch], np.float64))
    if table.shape[1] < 2:
        return Comparison(effect=0.0, p=1.0)
    from scipy.stats import chi2_contingency

    p = float(chi2_contingency(table, correction=False).pvalue)
    return Comparison(effect=math.sqrt(max(divergence(table) - noise(table), 0.0)), p=p)


def pooled(table: Counts) -> Counts:
    """Join neighbouring bins of a table (2, K) until each expects `LEAST_EXPECTED` rows in both samples.

    What is pooled depends on the bins' totals alone, so that it does not favour a difference.
    """
    rows = table.sum(axis=1)
    if not rows.all():
        return table[:, :0]
    enough = LEAST_EXPECTED * rows.sum() / rows.min()
    starts, filled = [0], 0.0
    for position, total in enumerate(table.sum(axis=0)):
        if filled >= enough:
            starts.append(position)
            filled = 0.0
        filled += float(total)
    if filled < enough and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(table, starts, axis=1)


def divergence(table: Counts) -> float:
    """The Jensen-Shannon divergence, in bits, between a table's two rows (2, K)."""
    shares = table / table.sum(axis=1, keepdims=True)
    middle = np.broadcast_to(shares.mean(axis=0), shares.shape)
    seen = shares > 0
    return max(float((shares[seen] * np.log2(shares[seen] / middle[seen])).sum() / 2), 0.0)


def noise(table: Counts) -> float:
    """The divergence, in bits, that two samples of one population show on average.

    It is (K - 1) (1/n + 1/m) / (8 ln 2), from the divergence's second-order term, which is a chi-square
    over 8 (as Miller 1955 does for entropy).
    """
    return float((table.shape[1] - 1) * (1 / table.sum(axis=1)).sum() / (8 * math.log(2)))
