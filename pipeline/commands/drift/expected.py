"""What a change may cost: the score that a quick model of the old rows is to be expected to have on the new ones.

Where a column is the label, boosted trees are fitted to the old rows; what their answers are worth is told by folds
that they have not seen. Rows with labels among the new ones say whether that held, and where errors changed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.commands.drift.watched import Watched
from pipeline.contract import Column
from pipeline.drift.confidence import Confidence
from pipeline.drift.direct_loss import DirectLoss
from pipeline.drift.estimate import Estimate
from pipeline.drift.past import Past, blocks_of
from pipeline.drift.streams import errors
from pipeline.drift.watch import places
from pipeline.labels.confident import one_thread
from pipeline.metrics import Kind, Metric

ROWS = 20_000
FOLDS = 5
CLASSES = 20
MODEL = "boosted trees, fitted to the reference"


class Expected(Record):
    """The estimate; `live` is the metric of the new rows that have labels, `changed` where their errors changed.

    `reference` is the estimate of old rows that the model has not seen, `measured` their metric.
    """

    metric: Metric
    value: float
    low: float
    high: float
    reference: float
    measured: float | None
    method: str
    model: str = MODEL
    live: float | None = None
    changed: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Rows in the order of time, where there is one: bins, label (NaN where missing) and their place in the input."""

    place_NF: np.ndarray
    label: pl.Series
    row_N: np.ndarray


def expected(known: Past, label: Column, before: Watched, after: Watched) -> Expected | None:
    """The score to be expected; None of a label that is neither a number nor of a few classes."""
    features = known.only([name for name in known.columns if name != label.name])
    then, now = _rows(features, before, label.name), _rows(features, after, label.name)
    kind = label.label_kind
    if not features.columns or kind == "tags":
        return None
    with one_thread():
        found = _of_number(features, then, now) if kind == "quantity" else _of_classes(then, now)
    return found if found is None or known.ordered else found.model_copy(update={"changed": {}})


def _rows(known: Past, side: Watched, label: str) -> _Rows:
    """At most `ROWS`, evenly out of all; in order of time where that is one, else dealt out, as files may be sorted."""
    height = int(side.rows.select(pl.len()).collect().item())
    order_N = np.argsort(blocks_of(side.rows, height, max(height, 2), side.time), kind="stable")
    order_N = order_N if known.ordered else np.random.default_rng(0).permutation(height)
    chosen = order_N[np.linspace(0, height - 1, min(height, ROWS)).astype(np.int64)]
    cells = side.rows.select(by_name(label)).collect().to_series()[chosen]
    return _Rows(place_NF=places(known, side.rows)[chosen], label=cells, row_N=chosen)


def _of_classes(then: _Rows, now: _Rows) -> Expected | None:
    texts = then.label.cast(pl.String)
    classes = texts.drop_nulls().unique().sort().to_list()
    if not 2 <= len(classes) <= CLASSES:
        return None
    codes = {name: place for place, name in enumerate(classes)}
    known = texts.is_not_null().to_numpy()
    y_N = texts.drop_nulls().replace_strict(codes, return_dtype=pl.Int64).to_numpy()
    if min(np.bincount(y_N)) < FOLDS:
        return None
    p_NK, p_MK = _answers(then.place_NF[known], y_N, now.place_NF, classes=len(classes))
    told = Confidence.learn(y_N, p_NK, kind="classes", metric="auc")
    came = now.label.cast(pl.String).replace_strict(codes, default=None, return_dtype=pl.Int64)
    seen = came.is_not_null().to_numpy()
    y_M = came.drop_nulls().to_numpy()
    live = _metric("classes", "auc", y_M, p_MK[seen])
    wrong_N, wrong_M = p_NK.argmax(axis=1) != y_N, p_MK[seen].argmax(axis=1) != y_M
    return _made(told.estimate(p_MK), live, _changed(wrong_N, wrong_M, now.row_N[seen], binary=True))


def _of_number(known: Past, then: _Rows, now: _Rows) -> Expected | None:
    label_N, label_M = (side.label.cast(pl.Float64).fill_nan(None) for side in (then, now))
    filled, seen = label_N.is_not_null().to_numpy(), label_M.is_not_null().to_numpy()
    y_N, y_M = label_N.drop_nulls().to_numpy(), label_M.drop_nulls().to_numpy()
    if len(y_N) < FOLDS:
        return None
    a_N1, a_M1 = _answers(then.place_NF[filled], y_N, now.place_NF, classes=0)
    bins = [each.cut.bins for each in known.columns.values()]
    told = DirectLoss.learn(y_N, a_N1[:, 0], then.place_NF[filled], bins, metric="rmse")
    errors_N, errors_M = np.abs(y_N - a_N1[:, 0]), np.abs(y_M - a_M1[seen, 0])
    live = _metric("quantity", "rmse", y_M, a_M1[seen])
    spread = float(errors_N.std()) or 1.0
    changed = _changed(errors_N / spread, errors_M / spread, now.row_N[seen], binary=False)
    return _made(told.estimate(now.place_NF), live, changed)


def _answers(x_NF: np.ndarray, y_N: np.ndarray, x_MF: np.ndarray, *, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) of each row by a model that has not seen it, and (M, K) the mean of all of these models."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    own, other = np.zeros((len(y_N), max(classes, 1))), np.zeros((len(x_MF), max(classes, 1)))
    for fold in range(FOLDS):
        held = np.arange(len(y_N)) * FOLDS // len(y_N) == fold  # neighbours in time are alike: a fold is one stretch
        model: Any = made(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=0)
        model.fit(x_NF[~held], y_N[~held])
        columns = model.classes_.astype(np.int64) if classes else np.zeros(1, np.int64)
        told = model.predict_proba if classes else model.predict
        own[np.ix_(held, columns)] = told(x_NF[held]).reshape(held.sum(), -1)
        other[:, columns] += told(x_MF).reshape(len(x_MF), -1) / FOLDS
    return own, other


def _metric(kind: Kind, metric: Metric, y_N: np.ndarray, a_NK: np.ndarray) -> float | None:
    if len(np.unique(y_N)) < 2:
        return None
    return float(metrics.OF[kind].each[metric](y_N, a_NK, 0.5, np.ones((1, len(y_N))))[0])


def _changed(errors_N: np.ndarray, errors_M: np.ndarray, row_M: np.ndarray, *, binary: bool) -> dict[str, int]:
    """The first new row at which each detector tells that errors changed."""
    told = errors.changed(errors_N, errors_M, binary=binary)
    return {name: int(row_M[place]) for name, place in told.items()}


def _made(estimate: Estimate, live: float | None, changed: dict[str, int]) -> Expected:
    return Expected(**estimate.model_dump(), live=live, changed=changed)
