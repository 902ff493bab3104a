"""How far a measure goes where nothing changed, learnt from the past itself; from it p-values and thresholds.

Two things move a measure: that rows are drawn, which is simulated from the counts of the past, and that the world goes
up and down, which is how the past's own blocks differ from the rest of it, by as much as drawing does not explain.
Their means and variances add up (a random-effects model fitted by moments, as DerSimonian and Laird 1986). A measure is
quadratic, so it is taken for a scaled chi-square with matching mean and variance (Satterthwaite 1946), of which the
past gives but so many values: a new one against their mean is F (as Rao and Scott 1984 correct the chi-square of
clustered rows).

Shapes: B blocks, K bins, R simulated batches.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.artefacts import Record
from pipeline.drift.cuts import Cut, Values
from pipeline.drift.families import Family

SIMULATED = 200
LEAST_MEASURES = 3
LEAST_BLOCKS = 8  # so many at least, even where a batch is larger than an eighth of the past
FREEDOM = 4.0  # at most, of what the world does: few blocks tell too little of their tail. Of real days dealt out anew,
# on which nothing changed, it takes a third of the false alarms that their own moments leave
MANY = 1e6  # values, where they are simulated: their mean is as good as known


@dataclass(frozen=True, kw_only=True)
class Null:
    """The law of a measure where nothing changed: `mean` times an F of `freedom` and `freedom * values` degrees."""

    mean: float
    freedom: float
    values: float

    def p(self, measure: float) -> float:
        """How likely a measure so large is; 1 where it can only be 0, and is.

        >>> round(Null(mean=2.0, freedom=2.0, values=MANY).p(2.0), 3)
        0.368
        """
        from scipy.special import fdtrc

        if measure <= 0 or self.mean <= 0:
            return 1.0 if measure <= 0 else 0.0
        return float(fdtrc(self.freedom, self.freedom * self.values, measure / self.mean))

    def beyond(self, p: float) -> float:
        """The measure whose p-value is `p`."""
        from scipy.special import fdtri

        if self.mean <= 0:
            return 0.0
        return float(fdtri(self.freedom, self.freedom * self.values, 1 - p)) * self.mean


class Calibration(Record):
    """Mean and variance of a measure: of drawing for 1/n + 1/m = 1, and between blocks; `blocks` as seen."""

    drawing: tuple[float, float]
    between: tuple[float, float]
    blocks: int

    @classmethod
    def fitted(cls, measure_B: Values, unit_B: Values, drawing: tuple[float, float]) -> "Calibration":
        """From measures of blocks beside the rest, each of 1/n + 1/m = `unit_B`; fewer than three tell nothing."""
        if measure_B.size < LEAST_MEASURES:
            return cls(drawing=drawing, between=(0.0, 0.0), blocks=0)
        mean = float((measure_B - drawing[0] * unit_B).mean())
        variance = float(measure_B.var(ddof=1) - (drawing[1] * unit_B**2).mean())
        mean = max(mean, 0.0)
        return cls(drawing=drawing, between=(mean, max(variance, 2 * mean**2 / FREEDOM)), blocks=measure_B.size)

    def null(self, rows: float, past: float) -> Null:
        """The law for a batch of `rows` beside `past` rows."""
        unit = 1 / rows + 1 / past
        mean = self.between[0] + self.drawing[0] * unit
        variance = self.between[1] + self.drawing[1] * unit**2
        freedom = 2 * mean**2 / variance if variance > 0 else 1.0
        return Null(
            mean=mean,
            freedom=max(freedom, 1.0),  # as of any sum of weighted chi-squares
            values=self.blocks or MANY,
        )


class Drawn(NamedTuple):
    """(R, K) pairs of samples of one population: as many rows as the past has, and as a batch of `rows` has."""

    past: Values
    now: Values
    rows: int


def drawn(cut: Cut, total_K: Values, rows: int, *, seed: int = 0) -> Drawn:
    """The pairs; the population is the past, with what it has not seen yet."""
    random = np.random.default_rng(seed)
    expected_K = total_K + 0.5 / total_K.size  # a bin that was empty once may not be again
    if cut.kind == "categorical":
        expected_K[-1] += cut.novel * total_K.sum()
    shares_K = expected_K / expected_K.sum()
    past_RK = random.multinomial(int(total_K.sum()), shares_K, SIMULATED).astype(np.float64)
    now_RK = random.multinomial(rows, shares_K, SIMULATED).astype(np.float64)
    if cut.kind == "categorical":
        past_RK[:, -1] = 0  # what it has seen is not new
    return Drawn(past_RK, now_RK, rows)


def calibrate(family: Family, cut: Cut, past_BK: Values, samples: Drawn, *, ordered: bool) -> Calibration:
    """How `family` varies in the past (B, K) for batches as large as the samples; in no order by drawing alone."""
    measure_R, unit_R = measured(family, cut, samples.past, samples.now)
    scaled_R = measure_R / unit_R if measure_R.size else np.zeros(1)
    drawing = (float(scaled_R.mean()), float(scaled_R.var()))
    merged_BK = _merged(past_BK, samples.rows) if ordered else past_BK[:0]
    rest_BK = merged_BK.sum(axis=0) - merged_BK
    return Calibration.fitted(*measured(family, cut, rest_BK, merged_BK), drawing)


def measured(family: Family, cut: Cut, past_BK: Values, now_BK: Values) -> tuple[Values, Values]:
    """(B,) the measures, and 1/n + 1/m of the rows that each is of; without those that are of no row."""
    past, now = family.seen(cut, past_BK), family.seen(cut, now_BK)
    sizes = past.sum(axis=-1), now.sum(axis=-1)
    some_B = (sizes[0] > 0) & (sizes[1] > 0)
    past, now = past[some_B], now[some_B]
    return family.measure(cut, past, now), 1 / sizes[0][some_B] + 1 / sizes[1][some_B]


def _merged(past_BK: Values, rows: int) -> Values:
    """Blocks of some `rows` rows each, out of neighbours; `LEAST_BLOCKS` of them at least where there are so many."""
    together = round(rows / (past_BK.sum() / len(past_BK)))
    together = int(np.clip(together, 1, max(len(past_BK) // LEAST_BLOCKS, 1)))
    return np.add.reduceat(past_BK, np.arange(0, len(past_BK) - together + 1, together), axis=0)
