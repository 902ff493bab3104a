"""What the candidate uses: how much worse it is without a column, and how good with that one alone.

A column is taken away by exchanging its cells among the rows (Breiman 2001; Fisher, Rudin & Dominici 2019): what it
is like stays, what it says of a row is gone. Columns that say the same stand in for each other, so that each by itself
may seem useless. Shapes: N rows, K answers a row, R resamples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.judgement.case import Case
from pipeline.judgement.probe import Probe, drawn
from pipeline.judgement.remark import Remark
from pipeline.metrics import LOWER_IS_BETTER, At, Kind, Metric
from pipeline.metrics.score import COVERAGE
from pipeline.wording import listed, share

NOT_FELT = 0.01  # of what the model knows: surely less is as good as nothing
ALL_ALONE = 0.9
RESAMPLES = 50
SPELT: Mapping[Metric, str] = {"auc": "AUC", "rmse": "RMSE", "r2": "R²"}


class ImportanceSettings(BaseModel):
    """How it is found what the candidate uses; `importance: false` leaves that out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int = Field(default=1000, ge=10, description="rows of test that are asked about, drawn by the seed")
    repeats: int = Field(default=3, ge=1, description="how often the cells of a column are exchanged")


class Use(Record):
    """How much of what the model knows is lost without the column, with its interval, and is left with it alone.

    All are shares of how much better its score is than that of one answer to all rows.
    """

    column: str
    lost: float
    low: float
    high: float
    alone: float


class Importance(Record):
    """The columns, from the one whose loss is felt most."""

    rows: int
    metric: Metric
    score: float
    blind: float
    columns: list[Use]
    remarks: list[Remark]


def importance(case: Case, settings: ImportanceSettings) -> Importance | None:
    """What the loss of each column costs on test; None of series, and where the model knows no more than nothing."""
    fitted, test = case.model.preprocessor, case.rows["test"]
    if fitted.series:
        return None
    questions = 2 * settings.repeats * len(fitted.encoders)
    chosen = drawn(test.height, settings.rows, case.seed, fitted, questions=questions)
    asked = Probe.of(case.model, test[chosen])
    scale = Scale.of(case, chosen, asked.answers())
    if not scale.known > 0:
        return None
    orders = _orders(len(chosen), case.seed, settings.repeats)
    shuffled = [replace(asked, inputs=asked.replaced(exchanged(asked, asked.columns, order))) for order in orders]
    found = [use(asked, scale, column, orders, shuffled) for column in asked.columns]
    columns = sorted(found, key=lambda one: -one.lost)
    told = [*remarks(columns, scale.metric)]
    return Importance(
        rows=len(chosen), metric=scale.metric, score=scale.score, blind=scale.blind, columns=columns, remarks=told
    )


@dataclass(frozen=True, kw_only=True)
class Scale:
    """By what answers are measured: 1 is what the model knows, 0 what one answer to all rows does.

    `own_R` (1 + R,): the score of its answers, of the rows as they are and of each resample.
    """

    kind: Kind
    metric: Metric
    y_N: np.ndarray
    at: At
    w_RN: np.ndarray
    own_R: np.ndarray
    blind: float

    @classmethod
    def of(cls, case: Case, chosen: np.ndarray, own_NK: np.ndarray) -> "Scale":
        """Of a model that answers the `chosen` rows of test so. They are drawn as all of test: alike ones together."""
        measures, at = metrics.OF[case.target.kind], case.target.at
        measure, y_N = measures.each[measures.main], case.truth["test"][chosen]
        w_RN = case.w_RN[: 1 + RESAMPLES, chosen].astype(np.float64)
        w_RN = w_RN[w_RN.any(axis=1)]  # a resample without any of the rows says nothing of them
        one_NK = np.broadcast_to(own_NK.mean(axis=0), own_NK.shape)
        blind = float(measure(y_N, one_NK, at, w_RN[:1])[0])
        own_R = measure(y_N, own_NK, at, w_RN)
        return cls(kind=case.target.kind, metric=measures.main, y_N=y_N, at=at, w_RN=w_RN, own_R=own_R, blind=blind)

    @property
    def score(self) -> float:
        return float(self.own_R[0])

    @property
    def known(self) -> float:
        """How much better it is than one answer to all."""
        return self._sign * (self.score - self.blind)

    def lost(self, a_NK: np.ndarray) -> np.ndarray:
        """(1 + R,) which share of what it knows the answers lack, of the rows and of each resample."""
        scores_R = metrics.OF[self.kind].each[self.metric](self.y_N, a_NK, self.at, self.w_RN)
        return self._sign * (self.own_R - scores_R) / self.known

    @property
    def _sign(self) -> float:
        return -1.0 if self.metric in LOWER_IS_BETTER else 1.0


def use(asked: Probe, scale: Scale, column: str, orders: Sequence[np.ndarray], shuffled: Sequence[Probe]) -> Use:
    """What the model does without the column, and with it alone: means over the orders of exchange.

    `shuffled`: the same rows by the same orders, with the cells of all columns exchanged.
    """
    own = {column: asked.block(column)}
    lost_R = np.mean([scale.lost(asked.answers(exchanged(asked, [column], order))) for order in orders], axis=0)
    alone = np.mean([scale.lost(each.answers(own))[0] for each in shuffled])
    low, high = np.quantile(lost_R[1:], [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Use(column=column, lost=float(lost_R[0]), low=float(low), high=float(high), alone=1 - float(alone))


def exchanged(asked: Probe, columns: Sequence[str], order_N: np.ndarray) -> dict[str, np.ndarray]:
    """The blocks of these columns, each row with those of another row: the same one for all columns."""
    return {column: asked.block(column)[order_N] for column in columns}


def _orders(rows: int, seed: int, repeats: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.permutation(rows) for _ in range(repeats)]


def remarks(columns: Sequence[Use], metric: Metric) -> Iterator[Remark]:
    """Which column carries all alone, and which ones are not felt; nothing of a model of one column."""
    if len(columns) < 2:
        return
    said, carrier = SPELT.get(metric, metric.replace("_", " ")), max(columns, key=lambda one: one.alone)
    if carrier.alone >= ALL_ALONE:
        yield Remark(
            name="carries_all",
            severity="warning",
            column=carrier.column,
            message=f"{carrier.column} alone gives {share(min(carrier.alone, 1.0))} of what the model knows ({said})",
            suggestion="look whether it is known when the model is asked: it may be the label in other words",
        )
    idle = [one.column for one in columns if one.high < NOT_FELT]
    if idle:
        each = "each of them" if len(idle) > 1 else "it"
        yield Remark(
            name="not_felt",
            severity="info",
            column=idle[0] if len(idle) == 1 else None,
            message=f"{listed(idle, 5)}: without {each} the {said} loses surely less than {share(NOT_FELT)} of what "
            "the model knows",
            suggestion="train without, one at a time: columns that say the same stand in for each other",
        )
