"""The share of pairs in which a new number is the greater one (Mann and Whitney 1947)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import closed, opened, shares


@dataclass(frozen=True, kw_only=True)
class MannWhitney:
    """How much oftener a new number is above an old one than below: 0 as often, 1 all are on one side.

    It looks in one direction alone, and so sees small moves of all rows that statistics of any change do not.

    >>> cut, past = Cut(kind="numeric", edges=[1, 2]), np.array([[5, 5, 0]])
    >>> measures = [MannWhitney().measure(cut, past, np.array([now])) for now in ([5, 5, 0], [0, 10, 0], [0, 0, 9])]
    >>> [round(MannWhitney().told(float(each[0]), 10, 10), 9) for each in measures]
    [0.0, 0.5, 1.0]
    """

    name: ClassVar[str] = "mann_whitney"
    kinds: ClassVar[tuple[Kind, ...]] = ("numeric",)

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        return counts_BK[..., 1:]

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        past, now = shares(past_BK), shares(now_BK)
        below_BK = np.cumsum(past, axis=-1) - past / 2  # a tie is half a pair
        return opened((2 * (now * below_BK).sum(axis=-1) - 1) ** 2)

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return closed(measure)
