"""Lost signs: few numbers of one sign among many of the other, of the same sizes; `impossible_value` tells them.

A quantity that goes through 0 has about as many small numbers of either sign there, so where few are of one sign, they
are smaller than the others. Few of the same sizes were right but for their sign, or mean the contrary (a return among
sales). Where many rows are of either sign, the column's own sizes cannot tell.

Shapes: V values in rising order, and how many rows have each.
"""

import math

import numpy as np

from pipeline.profile.sketch import Floats
from pipeline.quality.findings import Check

CHECKS: tuple[type[Check], ...] = ()  # `impossible_value` asks

SLIPS = 0.05  # 1 to 5% of the fields of ordinary databases are wrong (Redman 1998, CACM 41(2))
FEWEST_ROWS = 10  # of the rare sign: of fewer, the sizes agree too often by chance
FEWEST_VALUES = 5  # of the rare sign: fewer are markers
MARKER = 0.5  # of the rows of the rare sign: with one value it is a marker
SURELY = 1.358  # times sqrt(1/n + 1/m): two samples of one distribution differ by more in 5% (Smirnov 1948, table 1)
ALIKE = 0.1  # of either's rows: a smaller distance is none, however sure


def lost_sign(values_V: Floats, counts_V: Floats) -> int:
    """The sign (-1 or 1) that few rows have, with sizes like those of the others; 0 where there is none.

    >>> sizes = np.arange(1.0, 101.0)
    >>> values, counts = np.concatenate([-sizes[::-5], sizes]), np.repeat([1.0, 10.0], [20, 100])
    >>> lost_sign(values, counts), lost_sign(np.concatenate([-sizes[19::-1], sizes]), counts)
    (-1, 0)
    """
    rows = {sign: counts_V[np.sign(values_V) == sign] for sign in (-1, 1)}
    rare = min(rows, key=lambda sign: float(rows[sign].sum()))
    few, many = float(rows[rare].sum()), float(rows[-rare].sum())
    if few < FEWEST_ROWS or len(rows[rare]) < FEWEST_VALUES or few > SLIPS * float(counts_V.sum()):
        return 0
    if rows[rare].max() > MARKER * few:
        return 0
    alike = distance(values_V * rare, counts_V) <= max(ALIKE, SURELY * math.sqrt(1 / few + 1 / many))
    return rare if alike else 0


def distance(values_V: Floats, counts_V: Floats) -> float:
    """Kolmogorov and Smirnov's, between the sizes of the negative rows and those of the positive ones.

    >>> distance(np.array([-3.0, -1.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0, 3.0]))
    0.5
    """
    sizes, place_V = np.unique(np.abs(values_V), return_inverse=True)
    shares = []
    for sign in (-1, 1):
        rows = np.bincount(place_V, weights=np.where(np.sign(values_V) == sign, counts_V, 0), minlength=len(sizes))
        shares.append(np.cumsum(rows) / rows.sum())
    return float(np.abs(shares[0] - shares[1]).max())
