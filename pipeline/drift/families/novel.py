"""Categories that were never seen."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.drift.cuts import Cut, Kind, Values
from pipeline.drift.families import closed, opened, shares


@dataclass(frozen=True, kw_only=True)
class Novel:
    """The share of cells with a category that the past does not know; silent where it has too many to remember.

    >>> cut, past, now = Cut(kind="categorical"), np.array([[100, 0]]), np.array([[75, 25]])
    >>> round(Novel().told(float(Novel().measure(cut, past, now)[0]), 100, 100), 9)
    0.25
    """

    name: ClassVar[str] = "new_categories"
    kinds: ClassVar[tuple[Kind, ...]] = ("categorical",)

    def seen(self, cut: Cut, counts_BK: Values) -> Values:
        filled_BK = counts_BK[..., 1:]
        return np.stack([filled_BK[..., :-1].sum(axis=-1), filled_BK[..., -1]], axis=-1)

    def measure(self, cut: Cut, past_BK: Values, now_BK: Values) -> Values:
        return opened((shares(now_BK)[..., 1] - shares(past_BK)[..., 1]) ** 2)

    def told(self, measure: float, now_rows: int, past_rows: int) -> float:
        return closed(measure)
