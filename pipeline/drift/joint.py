"""What is kept to look at all columns of a batch together: rows of the past, and how far its stretches are apart."""

from typing import Self

import polars as pl

from pipeline.artefacts import Record
from pipeline.drift import classifier, mmd
from pipeline.drift.calibration import Calibration
from pipeline.drift.past import Past
from pipeline.drift.sample import Sample, draw
from pipeline.drift.whole import Whole


class Joint(Record):
    """Some rows of the past; `apart`: how far a classifier tells stretches of them from the rest."""

    sample: Sample
    apart: Calibration

    @classmethod
    def learn(cls, known: Past, rows: pl.LazyFrame, *, time: str | None = None) -> Self | None:
        """From the rows that the past was learnt from; None of a single column, which tells no more together."""
        if len(known.columns) < 2:
            return None
        sample = draw(known, rows, time=time)
        return cls(sample=sample, apart=classifier.calibrated(sample))

    def tests(self, known: Past, rows: pl.LazyFrame) -> list[Whole]:
        """The classifier and the mean discrepancy; none of rows that lack a column, which drifted by that."""
        names = list(self.sample.cuts)
        if not set(names) <= set(rows.collect_schema().names()):
            return []
        now = draw(known.only(names), rows, names=names)
        if not now.block:
            return []
        return [classifier.test(self.sample, now, self.apart), mmd.test(self.sample, now)]
