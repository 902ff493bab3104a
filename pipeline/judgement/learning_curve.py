"""Would more data help? The candidate's training once more on fewer of its rows, each judged on val.

Fewer rows are drawn at random, each time some of those before, so that points differ by their number alone. Val is
where a training stops, so that all scores are a bit too good, and by as much.
"""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.judgement.case import Case
from pipeline.metrics import At, Kind, Metric, Paired, Score, Values
from pipeline.wording import count, number

FEWEST_ROWS = 32
Retrain = Callable[[np.ndarray], np.ndarray]  # (S,) rows of train, in their order → (N, K) answers on val


class LearningCurveSettings(BaseModel):
    """Which shares of train are trained on once more: with `learning_curve: true` a quarter and a half.

    It costs as many trainings, so by itself it is off; there is none of a training that starts from other weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    shares: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default=[0.25, 0.5], min_length=1, description="of train's rows; the whole is the candidate itself"
    )


class Point(Record):
    """The main metric on val after a training on so many rows."""

    rows: int
    score: Score


class LearningCurve(Record):
    """The points, from the fewest rows to all, and how much better all are than the most of the fewer."""

    metric: Metric
    val_rows: int
    points: list[Point]
    gain: Paired
    ahead: float | None

    @property
    def words(self) -> str:
        """Whether more data would help, in a sentence."""
        fewer, whole = self.points[-2:]
        said = self.metric.replace("_", " ")
        seen = (
            f"{count(whole.rows, 'row')} instead of {fewer.rows:,} make the {said} on val better by "
            f"{number(self.gain.difference)} (95% interval {number(self.gain.low)} to {number(self.gain.high)})"
        )
        if self.gain.low <= 0:
            return f"{seen}: that more data would help is not shown."
        next_step = f"; as much again would bring about {number(self.ahead)}" if self.ahead else ""
        return f"{seen}: more data would help{next_step}."


def learning_curve(case: Case, settings: LearningCurveSettings, retrain: Retrain) -> LearningCurve | None:
    """Train on each share, and compare on val; None where train has too few rows."""
    rows, y_N, measures = len(case.truth["train"]), case.truth["val"], metrics.OF[case.target.kind]
    sizes = sorted({round(share * rows) for share in settings.shares})
    if sizes[0] < FEWEST_ROWS or sizes[-1] >= rows:
        return None
    order = np.random.default_rng(case.seed).permutation(rows)
    told = [retrain(np.sort(order[:size])) for size in sizes] + [case.own("val")]
    w_RN = metrics.resamples(len(y_N), case.seed)
    values = [_values(case.target.kind, y_N, a_NK, case.target.at, w_RN) for a_NK in told]
    scores = [metrics.scores(each)[measures.main] for each in values]
    return LearningCurve(
        metric=measures.main,
        val_rows=len(y_N),
        points=[Point(rows=size, score=score) for size, score in zip([*sizes, rows], scores, strict=True)],
        gain=metrics.paired(f"{sizes[-1]} rows", measures.main, values[-1], values[-2]),
        ahead=ahead([*sizes, rows], [score.value for score in scores], measures.main),
    )


def _values(kind: Kind, y_N: np.ndarray, a_NK: np.ndarray, at: At, w_RN: np.ndarray) -> Values:
    main = metrics.OF[kind].main
    return {main: metrics.OF[kind].each[main](y_N, a_NK, at, w_RN.astype(np.float64))}


def ahead(rows: Sequence[int], scores: Sequence[float], metric: Metric) -> float | None:
    """What a next step as large as the last might bring: gains that shrink go on to shrink as much.

    None where the last two steps were no gains. A step is a factor of rows; those of unlike factors are set to one.

    >>> round(ahead([100, 200, 400], [0.6, 0.7, 0.75], "auc"), 3)
    0.025
    """
    if len(rows) < 3:
        return None
    sign = -1.0 if metric in metrics.LOWER_IS_BETTER else 1.0
    before, last = (sign * (scores[at + 1] - scores[at]) / np.log(rows[at + 1] / rows[at]) for at in (-3, -2))
    if before <= 0 or last <= 0:
        return None
    return float(last * min(1.0, last / before) * np.log(rows[-1] / rows[-2]))
