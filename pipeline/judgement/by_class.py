"""How much of each class is found: the share of its rows that are answered so, on test, beside the other models.

Shapes: N rows, K classes, R resamples.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.artefacts import Record
from pipeline.features.target import Classes, Ordinal
from pipeline.judgement.case import CANDIDATE, Case
from pipeline.judgement.cost import answered
from pipeline.metrics.score import interval, mean


class ClassPair(Record):
    """How much more of the class the candidate finds than `model`, as shares of its rows."""

    model: str
    difference: float
    low: float
    high: float


class OneClass(Record):
    """One class: its rows on test, and the share of them that each model answers so."""

    name: str
    rows: int
    found: dict[str, float]
    paired: list[ClassPair]


def by_class(case: Case) -> list[OneClass] | None:
    """Every class that has rows, in the label's order; None for a label that has none."""
    target, y_N = case.target, case.truth["test"]
    if not isinstance(target, Classes | Ordinal):
        return None
    answers = case.answers["test"].items()
    right = {model: answered(target, a_NK, case.thresholds.get(model, 0.5)) == y_N for model, a_NK in answers}
    present = [(place, name) for place, name in enumerate(target.classes) if (y_N == place).any()]
    return [_one(name, y_N == place, right, case.w_RN) for place, name in present]


def _one(name: str, of_N: np.ndarray, right: Mapping[str, np.ndarray], w_RN: np.ndarray) -> OneClass:
    w_RC = w_RN[:, of_N]
    w_RC = w_RC[w_RC.any(axis=1)]  # a resample without a row of the class says nothing of it
    found = {model: mean(right_N[of_N], w_RC) for model, right_N in right.items()}
    pairs = {model: found[CANDIDATE] - share_R for model, share_R in found.items() if model != CANDIDATE}
    spread = {model: interval(gap_R[1:]) for model, gap_R in pairs.items()}
    return OneClass(
        name=name,
        rows=int(of_N.sum()),
        found={model: float(share_R[0]) for model, share_R in found.items()},
        paired=[
            ClassPair(model=model, difference=float(gap_R[0]), low=spread[model][0], high=spread[model][1])
            for model, gap_R in pairs.items()
        ],
    )
