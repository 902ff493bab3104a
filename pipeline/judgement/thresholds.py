"""From which probability each model says yes, chosen on val: of two classes, and of tags one for all of them."""

from collections.abc import Collection, Mapping

import numpy as np

from pipeline.features.target import Classes, Tags, Target
from pipeline.judgement.cost import CostSettings, matrix, require_classes
from pipeline.metrics import classification, costs

HALF = 0.5


def chosen(
    y_N: np.ndarray,
    answers: Mapping[str, np.ndarray],
    target: Target,
    cost: CostSettings | None,
    decided: Collection[str] = (),
) -> dict[str, float]:
    """The threshold of each model by its answers to val: that of the best F1, or with `cost` the cheapest one.

    Of tags F1 is micro F1: that of all pairs of a row and a tag. What `decided` says is taken as it is.
    """
    cost_KK = None if cost is None else matrix(cost, require_classes(target))
    if isinstance(target, Tags):
        return {model: _of_tags(y_N, p_NK) for model, p_NK in answers.items()}
    if not isinstance(target, Classes):
        return {}
    return {m: HALF if m in decided else _of_classes(y_N, p_NK, cost_KK) for m, p_NK in answers.items()}


def _of_classes(y_N: np.ndarray, p_NK: np.ndarray, cost_KK: np.ndarray | None) -> float:
    if cost_KK is None or p_NK.shape[1] != 2:
        return classification.best_threshold(y_N, p_NK)
    return costs.cheapest_threshold(y_N, p_NK, cost_KK)


def _of_tags(y_NK: np.ndarray, p_NK: np.ndarray) -> float:
    p_P = p_NK.ravel()
    return classification.best_threshold(y_NK.ravel(), np.stack([1 - p_P, p_P], axis=1))
