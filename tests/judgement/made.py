"""A case made by hand: answers and truth of test alone, for parts that look at no rows."""

from types import SimpleNamespace
from typing import cast

import numpy as np

from pipeline import metrics
from pipeline.contract import Contract
from pipeline.features.target import Target
from pipeline.judgement.case import Case
from pipeline.predictor import Predictor


def case(target: Target, y_N: np.ndarray, answers: dict[str, np.ndarray], **thresholds: float) -> Case:
    """The same truth and answers on val and test; the model itself knows nothing but its target."""
    model = SimpleNamespace(preprocessor=SimpleNamespace(target=target))
    return Case(
        model=cast(Predictor, model),
        contract=cast(Contract, None),
        rows={},
        past={},
        truth={"val": y_N, "test": y_N},
        answers={"val": answers, "test": answers},
        thresholds=thresholds,
        w_RN=metrics.resamples(len(y_N), seed=0),
        seed=0,
    )


def two(p_N: np.ndarray) -> np.ndarray:
    """(N, 2) of the probability of the second class."""
    return np.stack([1 - p_N, p_N], axis=1)
