"""What is kept with a model to watch it by: the past of its columns and answers, and what its answers are worth.

With it a batch costs one pass over its own rows: nothing is read of the rows that the model learnt from.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.drift import past, univariate
from pipeline.drift.confidence import CLASSES, Confidence
from pipeline.drift.cuts import Values
from pipeline.drift.direct_loss import SUPPORTED, DirectLoss
from pipeline.drift.estimate import Estimate
from pipeline.drift.joint import Joint
from pipeline.drift.past import Past, column
from pipeline.drift.streams import errors
from pipeline.drift.univariate import Tested
from pipeline.metrics import OF, Kind, Metric

FILE = "watch.json"
LIKELY = 0.01  # a distance that so many batches reach where nothing changed is the threshold that is told
METHODS = ("jensen_shannon",)  # the statistic of the drift report, so that both say the same


class Held(NamedTuple):
    """Rows whose labels are known: (N,) truth, (N, K) answers, their columns, and which of them is the time."""

    truth: np.ndarray
    answers: Values
    rows: pl.LazyFrame
    time: str | None = None


class Watch(Record):
    """The past of the features and of the answers, and for each metric what tells it without labels.

    `labels` is the past of the label alone, which no estimate may look at. `joint` is for all columns together, and
    `errors` are those of the held rows in the order of time: None and empty where there is none.
    """

    past: Past
    labels: Past
    target: Kind
    confidence: dict[Metric, Confidence] = Field(default_factory=dict)
    losses: dict[Metric, DirectLoss] = Field(default_factory=dict)
    joint: Joint | None = None
    errors: list[float] = Field(default_factory=list)

    @classmethod
    def learn(cls, learnt: Past, label: str, target: Kind, held: "Held") -> "Watch":
        """The past of all columns, the label's among them, and rows that the model had not learnt from."""
        y_N, a_NK, rows, _ = held
        known = learnt.only([name for name in learnt.columns if name != label])
        missed, _ = errors_of(target, held)
        whole = cls(past=known, labels=learnt.only([label]), target=target, errors=missed)
        if target in ("classes", "ordinal") and len(np.unique(y_N)) > 1 and a_NK.shape[1] <= CLASSES:
            metrics = OF[target].paired
            told = {name: Confidence.learn(y_N, a_NK, kind=target, metric=name) for name in metrics if name in TOLD}
            return whole.model_copy(update={"confidence": told})
        if target != "quantity":
            return whole
        bins, place_NF = [each.cut.bins for each in known.columns.values()], places(known, rows)
        losses = {name: DirectLoss.learn(y_N, a_NK[:, 0], place_NF, bins, metric=name) for name in SUPPORTED}
        return whole.model_copy(update={"losses": losses})

    @classmethod
    def of(cls, folder: Path) -> "Watch | None":
        """That of the model in `folder`; None of one that was trained without."""
        return cls.read(folder / FILE) if (folder / FILE).is_file() else None

    def tests(self, rows: pl.LazyFrame, *, blocks: int = 1, time: str | None = None) -> list[Tested]:
        """Each column of a batch beside its past, in so many blocks by the time."""
        return [
            test
            for known in (self.past, self.labels)
            for test in univariate.tests(known, past.count(known, rows, blocks=blocks, time=time), METHODS)
        ]

    def changed(self, held: "Held") -> dict[str, int]:
        """The row from which on, in the order of time, each detector tells that the errors of these rows are others."""
        missed, row_M = errors_of(self.target, held)
        if not (self.errors and missed):
            return {}
        binary, unit = errors.SCORED[self.target], float(np.std(self.errors)) or 1.0
        both = [np.array(each) / (1.0 if binary else unit) for each in (self.errors, missed)]
        return {name: row_M[place] for name, place in errors.changed(*both, binary=binary).items()}

    def estimate(self, metric: Metric, a_NK: Values, rows: pl.LazyFrame, *, seed: int = 0) -> Estimate | None:
        """The metric of rows without labels; None where nothing tells it. Rows without an answer are left out."""
        answered = np.isfinite(a_NK).all(axis=1)
        if not answered.any():
            return None
        if metric in self.confidence:
            return self.confidence[metric].estimate(a_NK[answered], seed=seed)
        if metric in self.losses and set(self.past.columns) <= set(rows.collect_schema().names()):
            return self.losses[metric].estimate(places(self.past, rows)[answered], seed=seed)
        return None


def chances(tested: Iterable[Tested]) -> dict[str, tuple[float, float]]:
    """Of each column: how likely its distance is where nothing changed, and from which one on it is beyond 1%."""
    return {test.column: (test.p, test.told(test.null(test.rows).beyond(LIKELY))) for test in tested}


def errors_of(target: Kind, held: Held) -> tuple[list[float], list[int]]:
    """Errors in the order of time, and their rows; none without a time, and of other kinds of label.

    Rows without an answer are left out, and of many some.
    """
    if held.time is None or target not in errors.SCORED:
        return [], []
    answered = np.asarray(np.isfinite(held.answers).all(axis=1))
    order_N = past.order_of(held.rows, len(answered), held.time)
    order_N = order_N[answered[order_N]]
    row_M = errors.thinned(order_N)[0]
    return errors.of(target, held.truth[row_M], held.answers[row_M]).astype(np.float64).tolist(), row_M.tolist()


TOLD: frozenset[Metric] = frozenset(("auc", "average_precision", "log_loss", "quadratic_weighted_kappa"))


def places(known: Past, rows: pl.LazyFrame) -> np.ndarray:
    """(N, F) the bin of each cell, by the columns of the past in their order."""
    each = [cut.cut.places(column(rows, name, cut.cut.kind)) for name, cut in known.columns.items()]
    return np.stack(each, axis=1) if each else np.empty((0, 0), np.int64)


def frame(rows: pl.LazyFrame, answers: Mapping[str, np.ndarray]) -> pl.LazyFrame:
    """The rows with what is answered of them as columns."""
    return rows.with_columns(pl.Series(name, value_N) for name, value_N in answers.items())
