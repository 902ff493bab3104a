"""Whether the candidate is better than each of several models, in words, with all of them asked at once.

Shapes: R resamples, M models.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.metrics.score import COVERAGE, IN_UNIT, LOWER_IS_BETTER, Metric, Values
from pipeline.wording import number


class Verdict(Record):
    """The candidate against `model`: a positive difference favours it.

    Of all intervals of the `compared` models together 95% hold the truth at once, so that who asks often enough finds
    nothing by chance; `p_value` is of no difference at all, corrected alike.
    """

    model: str
    metric: Metric
    word: Literal["better", "not shown to be better", "worse"]
    difference: float
    low: float
    high: float
    p_value: float
    compared: int = Field(ge=1)

    @property
    def words(self) -> str:
        """The answer, and by how much."""
        amount, low, high = (_signed(value) for value in (self.difference, self.low, self.high))
        several = f", corrected for {self.compared} comparisons" if self.compared > 1 else ""
        return f"{self.word} than {self.model}: {self.metric} {amount} ({low} to {high}{several})"


def signed(metric: Metric, value: float) -> str:
    """A difference as it is told: of a metric in the label's unit three digits, of all others four decimals.

    >>> signed("auc", -0.0123), signed("rmse", 1234.5), signed("log_loss", -1e-9)
    ('-0.0123', '+1,234', '+0.0000')
    """
    if metric in IN_UNIT:
        return f"{'-' if value < 0 else '+'}{number(abs(value))}"
    return f"{round(value, 4) + 0.0:+.4f}"


def verdicts(metric: Metric, own: Values, others: Mapping[str, Values]) -> list[Verdict]:
    """The candidate against each other model, on the same rows and the same resamples.

    Intervals are those of the largest studentised distance from the truth over all models (max-T; Westfall & Young
    1993, Romano & Wolf 2005): as the models share their resamples, they are narrower than Bonferroni's.
    """
    if not others:
        return []
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    gap_MR = np.stack([sign * (own[metric] - other[metric]) for other in others.values()])
    gap_M, drawn_MR = gap_MR[:, 0], gap_MR[:, 1:]
    error_M = drawn_MR.std(axis=1, ddof=1)
    largest_R = _studentised(np.abs(drawn_MR - gap_M[:, None]), error_M[:, None]).max(axis=0)
    width_M = np.quantile(largest_R, COVERAGE) * error_M
    far_M = _studentised(np.abs(gap_M), error_M)
    p_M = (1 + (largest_R >= far_M[:, None]).sum(axis=1)) / (1 + len(largest_R))
    return [
        Verdict(
            model=model,
            metric=metric,
            word=_word(gap - width, gap + width),
            difference=float(gap),
            low=float(gap - width),
            high=float(gap + width),
            p_value=float(p),
            compared=len(others),
        )
        for model, gap, width, p in zip(others, gap_M, width_M, p_M, strict=True)
    ]


def _studentised(distance: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Distances in standard errors; 0 where two models answer alike."""
    return np.divide(distance, error, out=np.zeros_like(distance), where=error > 0)


def _word(low: float, high: float) -> Literal["better", "not shown to be better", "worse"]:
    if low > 0:
        return "better"
    return "worse" if high < 0 else "not shown to be better"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"
