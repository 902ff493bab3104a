"""Each column of a batch beside its past by each statistic: how far, how large, how likely by chance; the verdict."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.artefacts import Record
from pipeline.drift.calibration import Drawn, Null, calibrate, drawn, measured
from pipeline.drift.columns import Correction, adjust
from pipeline.drift.cuts import Counts, Cut, Values
from pipeline.drift.families import Family
from pipeline.drift.families.chi_square import ChiSquare
from pipeline.drift.families.hellinger import Hellinger
from pipeline.drift.families.jensen_shannon import JensenShannon, divergence
from pipeline.drift.families.kolmogorov_smirnov import KolmogorovSmirnov
from pipeline.drift.families.mann_whitney import MannWhitney
from pipeline.drift.families.missing import Missing
from pipeline.drift.families.novel import Novel
from pipeline.drift.families.stability import Stability
from pipeline.drift.families.wasserstein import Wasserstein
from pipeline.drift.past import Past

FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        KolmogorovSmirnov(),
        MannWhitney(),
        Wasserstein(),
        JensenShannon(),
        Hellinger(),
        Stability(),
        ChiSquare(),
        Missing(),
        Novel(),
    )
}
USUAL = ("ks", "mann_whitney", "jensen_shannon", "missing_share", "new_categories")
FALSE_ALARMS = 0.01  # of batches
LEAST_EFFECT = 0.05  # a normal whose mean moves by an eighth of its standard deviation


class ColumnVerdict(Record):
    """One column by one statistic.

    `effect` is the Jensen-Shannon distance, less what drawing makes, of the bins that the statistic is of: of columns
    and statistics of any kind on one scale of 0 to 1. `threshold`: from this statistic on it is beyond chance, at the
    rate of false alarms that was asked, for all columns together. It is drift where the effect is large enough too.
    """

    column: str
    method: str
    statistic: float
    effect: float
    p_value: float
    threshold: float
    drift: bool


class Sides(NamedTuple):
    """A column's counts (B, K) in the past and now, and samples of the past."""

    cut: Cut
    past_BK: Values
    now_BK: Values
    samples: Drawn
    ordered: bool


class Tested:
    """A statistic of a column, not yet judged: that takes all of them."""

    def __init__(self, column: str, family: Family, sides: "Sides") -> None:
        cut = sides.cut
        self.column, self.family, self.cut = column, family, cut
        self.past_1K, self.now_BK = sides.past_BK.sum(axis=0, keepdims=True), sides.now_BK
        now_1K = self.now_BK.sum(axis=0, keepdims=True)
        seen = [family.seen(cut, counts) for counts in (self.past_1K, now_1K)]
        self.rows, self.past_rows = (int(counts.sum()) for counts in (seen[1], seen[0]))
        self.applies = bool(self.rows and self.past_rows) and not _alike(seen)
        self.measure, self.p, self.effect = 0.0, 1.0, 0.0
        if self.applies:
            self.calibration = calibrate(family, cut, sides.past_BK, sides.samples, ordered=sides.ordered)
            self.measure = float(measured(family, cut, self.past_1K, now_1K)[0][0])
            self.p = self.null(self.rows).p(self.measure)
            self.effect = _effect(seen, [family.seen(cut, drawn) for drawn in sides.samples[:2]])

    def null(self, rows: int) -> Null:
        """The law of the measure for so many rows."""
        return self.calibration.null(rows, self.past_rows)

    def told(self, measure: float) -> float:
        """The statistic of a measure."""
        return self.family.told(measure, max(self.rows, 1), max(self.past_rows, 1))


def tests(past: Past, now: Mapping[str, Counts], methods: Sequence[str] = USUAL) -> list[Tested]:
    """Each column of the past that the batch has by each method that is of its kind and has anything to look at."""
    return [test for test in _tests(past, now, methods) if test.applies]


def _tests(past: Past, now: Mapping[str, Counts], methods: Sequence[str]) -> Iterator[Tested]:
    for name, now_BK in now.items():
        cut, past_BK = past.columns[name].cut, past.columns[name].blocks
        samples = drawn(cut, past_BK.sum(axis=0), int(now_BK.sum()))
        sides = Sides(cut, past_BK, now_BK.astype(np.float64), samples, past.ordered)
        yield from (Tested(name, FAMILIES[m], sides) for m in methods if cut.kind in FAMILIES[m].kinds)


def level(ps: Sequence[float], false_alarms: float, correction: Correction = "benjamini_hochberg") -> float:
    """The p-value up to which tests are alarms, of all of them together: where nothing changed, a share `false_alarms`
    of batches has any.

    >>> level([0.001, 0.02, 0.9], 0.03), level([0.5, 0.9], 0.01)
    (0.02, 0.005)
    """
    adjusted = adjust(ps, correction)
    found = sum(p <= false_alarms for p in adjusted) if correction == "benjamini_hochberg" else 1
    return false_alarms * max(found, 1) / max(len(ps), 1)  # the step of the procedure at which it stopped


def judge(tested: Sequence[Tested], upto: float, least_effect: float = LEAST_EFFECT) -> list[ColumnVerdict]:
    """The verdicts: drift where p is at most `upto`, which is the `level` of all tests, and the effect large enough."""
    return [
        ColumnVerdict(
            column=test.column,
            method=test.family.name,
            statistic=test.told(test.measure),
            effect=test.effect,
            p_value=test.p,
            threshold=test.told(test.null(test.rows).beyond(upto)),
            drift=test.p <= upto and test.effect >= least_effect,
        )
        for test in tested
    ]


def _alike(seen: Sequence[Values]) -> bool:
    """Whether all rows of both sides are in one and the same bin: there is nothing to compare."""
    return int(np.count_nonzero(seen[0] + seen[1])) < 2


def _effect(seen: Sequence[Values], drawn: Sequence[Values]) -> float:
    """The Jensen-Shannon distance of both sides, less what draws of one population have on average."""
    past_RK, now_RK = drawn
    some_R = (past_RK.sum(axis=-1) > 0) & (now_RK.sum(axis=-1) > 0)
    chance = float(divergence(past_RK[some_R], now_RK[some_R]).mean()) if some_R.any() else 0.0
    return math.sqrt(max(float(divergence(*seen)[0]) - chance, 0.0))
