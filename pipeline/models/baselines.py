"""What a model must beat: the answer that does not look, a linear model, and boosted trees, fitted on train alone.

They see the candidate's own tensors but for those of columns with a tensor of their own.
Shapes: N rows, D dense values, C codes, K answers a row.
"""

import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from pipeline.metrics import Kind

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Baseline: TypeAlias = Literal["majority", "logistic_regression", "mean", "ridge", "hist_gradient_boosting"]
OF: Mapping[Kind, tuple[Baseline, ...]] = {  # from the one that does not look to the strongest
    "classes": ("majority", "logistic_regression", "hist_gradient_boosting"),
    "quantity": ("mean", "ridge", "hist_gradient_boosting"),
}
LINEAR: Mapping[Kind, Baseline] = {"classes": "logistic_regression", "quantity": "ridge"}
LINEAR_STEPS = 1000
CATEGORIES = 255  # scikit-learn's trees take no more a column; one with more is taken as ordered codes
log = logging.getLogger(__name__)


def inputs(part: Mapping[str, np.ndarray]) -> np.ndarray:
    """(N, D + C) float32: dense values, then codes; a column of zeros where there are neither."""
    seen = np.concatenate([part["dense"], part["codes"].astype(np.float32)], axis=1)
    return seen if seen.shape[1] else np.zeros((len(seen), 1), dtype=np.float32)


def fit(train: Mapping[str, np.ndarray], y_N: np.ndarray, kind: Kind, seed: int) -> "dict[Baseline, BaseEstimator]":
    """Fit each baseline of this kind of target on the training rows."""
    from sklearn.exceptions import ConvergenceWarning

    dense, width = train["dense"].shape[1], train["codes"].shape[1]
    codes = list(range(dense, dense + width))
    few = [column for column in codes if train["codes"][:, column - dense].max() < CATEGORIES]
    x = inputs(train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is said below, and counts as it is
        fitted = {name: model.fit(x, y_N) for name, model in _models(kind, codes, few, seed).items()}
    steps = getattr(fitted[LINEAR[kind]][-1], "n_iter_", None)
    if steps is not None and np.max(steps) >= LINEAR_STEPS:
        log.warning("%s had not converged after %d steps: it may be a little better", LINEAR[kind], LINEAR_STEPS)
    return fitted


def answers(model: "BaseEstimator", x: np.ndarray) -> np.ndarray:
    """(N, K) float64: probabilities of classes, the value of a quantity."""
    if hasattr(model, "predict_proba"):
        p_NK: np.ndarray = model.predict_proba(x)
        return p_NK
    a_N1: np.ndarray = model.predict(x).astype(np.float64)[:, None]
    return a_N1


def _models(kind: Kind, codes: list[int], few: list[int], seed: int) -> dict[Baseline, Any]:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if kind == "classes":
        return {
            "majority": DummyClassifier(strategy="prior"),
            "logistic_regression": _linear(codes, LogisticRegression(max_iter=LINEAR_STEPS)),
            "hist_gradient_boosting": HistGradientBoostingClassifier(categorical_features=few, random_state=seed),
        }
    return {
        "mean": DummyRegressor(strategy="mean"),
        "ridge": _linear(codes, Ridge()),
        "hist_gradient_boosting": HistGradientBoostingRegressor(categorical_features=few, random_state=seed),
    }


def _linear(codes: list[int], model: "BaseEstimator") -> "BaseEstimator":
    """A linear model over scaled dense values and one-hot codes."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    one_hot = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    return make_pipeline(ColumnTransformer([("codes", one_hot, codes)], remainder="passthrough"), model)
