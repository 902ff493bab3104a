"""The population stability index (Karakoulas 2004; Siddiqi 2006)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import present, shares

EMPTY = 0.5  # rows that are added to each bin, so that an empty one does not make it infinite (Jeffreys 1946)


@dataclass(frozen=True, kw_only=True)
class Stability:
    """The symmetrised Kullback-Leibler divergence over deciles or values; by custom 0.25 is a significant shift.

    >>> cut, past = Cut(kind="categorical"), np.array([[500, 500]])
    >>> Stability().measure(cut, past, np.array([[250, 750]])).round(2).tolist()
    [0.27]
    """

    name: ClassVar[str] = "psi"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric", "categorical")

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return present(cut, counts_BK)

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        past, now = shares(past_BK + EMPTY), shares(now_BK + EMPTY)
        return ((now - past) * np.log(now / past)).sum(axis=-1)

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return measure
