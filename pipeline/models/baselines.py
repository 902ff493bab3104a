"""What a model must beat: the answer that does not look, a linear model, and boosted trees, fitted on train alone.

They see the candidate's own tensors but for those of columns with a tensor of their own.
Shapes: N rows, D dense values, C codes, K answers a row.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from pipeline.metrics import Kind
from pipeline.models.several import EachQuantile, EachTag, WithMisses

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Baseline: TypeAlias = Literal[
    "majority",
    "logistic_regression",
    "mean",
    "train_quantiles",
    "persistence",
    "seasonal_naive",
    "ridge",
    "hist_gradient_boosting",
]
OF: Mapping[Kind, tuple[Baseline, ...]] = {  # from the one that does not look to the strongest
    "classes": ("majority", "logistic_regression", "hist_gradient_boosting"),
    "quantity": ("mean", "ridge", "hist_gradient_boosting"),
    "ordinal": ("majority", "logistic_regression", "hist_gradient_boosting"),
    "quantiles": ("train_quantiles", "ridge", "hist_gradient_boosting"),
    "tags": ("majority", "logistic_regression", "hist_gradient_boosting"),
    "forecast": ("persistence", "seasonal_naive", "ridge"),  # see pipeline.models.forecasts
}
LINEAR: Mapping[Kind, Baseline] = {
    "classes": "logistic_regression",
    "quantity": "ridge",
    "ordinal": "logistic_regression",
    "quantiles": "ridge",
    "tags": "logistic_regression",
    "forecast": "ridge",
}
STEPWISE: frozenset[Kind] = frozenset(("classes", "ordinal", "tags"))  # whose linear model is fitted step by step
LINEAR_STEPS = 1000
CATEGORIES = 255  # scikit-learn's trees take no more a column; one with more is taken as ordered codes
log = logging.getLogger(__name__)


def inputs(part: Mapping[str, np.ndarray]) -> np.ndarray:
    """(N, D + C) float32: dense values, then codes; a column of zeros where there are neither."""
    seen = np.concatenate([part["dense"], part["codes"].astype(np.float32)], axis=1)
    return seen if seen.shape[1] else np.zeros((len(seen), 1), dtype=np.float32)


def fit(
    train: Mapping[str, np.ndarray], y_N: np.ndarray, kind: Kind, seed: int, *, quantiles: Sequence[float] = ()
) -> "dict[Baseline, Any]":
    """Fit each baseline of this kind of target on the training rows; of tags `y_N` is (N, K) bool."""
    from sklearn.exceptions import ConvergenceWarning

    dense, width = train["dense"].shape[1], train["codes"].shape[1]
    codes = list(range(dense, dense + width))
    few = [column for column in codes if train["codes"][:, column - dense].max() < CATEGORIES]
    x = inputs(train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is said below, and counts as it is
        fitted = {name: model.fit(x, y_N) for name, model in _models(kind, codes, few, seed, quantiles).items()}
    if kind in STEPWISE and _steps(fitted[LINEAR[kind]]) >= LINEAR_STEPS:
        log.warning("%s had not converged after %d steps: it may be a little better", LINEAR[kind], LINEAR_STEPS)
    return fitted


def answers(model: Any, x: np.ndarray) -> np.ndarray:
    """(N, K) float64: probabilities of classes or tags, the value of a quantity, or its quantiles."""
    if hasattr(model, "predict_proba"):
        p_NK: np.ndarray = model.predict_proba(x)
        return p_NK
    a_NK: np.ndarray = model.predict(x).astype(np.float64)
    return a_NK if a_NK.ndim == 2 else a_NK[:, None]


def _models(kind: Kind, codes: list[int], few: list[int], seed: int, quantiles: Sequence[float]) -> dict[Baseline, Any]:
    if kind == "quantiles":
        return _of_quantiles(codes, few, seed, quantiles)
    if kind == "quantity":
        return _of_quantity(codes, few, seed)
    alone = _of_classes(codes, few, seed)
    return {name: EachTag(model) for name, model in alone.items()} if kind == "tags" else alone


def _of_classes(codes: list[int], few: list[int], seed: int) -> dict[Baseline, Any]:
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    return {
        "majority": DummyClassifier(strategy="prior"),
        "logistic_regression": _linear(codes, LogisticRegression(max_iter=LINEAR_STEPS)),
        "hist_gradient_boosting": HistGradientBoostingClassifier(categorical_features=few, random_state=seed),
    }


def _of_quantity(codes: list[int], few: list[int], seed: int) -> dict[Baseline, Any]:
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge

    return {
        "mean": DummyRegressor(strategy="mean"),
        "ridge": _linear(codes, Ridge()),
        "hist_gradient_boosting": HistGradientBoostingRegressor(categorical_features=few, random_state=seed),
    }


def _of_quantiles(codes: list[int], few: list[int], seed: int, quantiles: Sequence[float]) -> dict[Baseline, Any]:
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = partial(HistGradientBoostingRegressor, loss="quantile", categorical_features=few, random_state=seed)
    return {
        "train_quantiles": EachQuantile([DummyRegressor(strategy="quantile", quantile=q) for q in quantiles]),
        "ridge": WithMisses(_of_quantity(codes, few, seed)["ridge"], quantiles),
        "hist_gradient_boosting": EachQuantile([trees(quantile=q) for q in quantiles]),
    }


def _steps(model: Any) -> int:
    """How many steps a linear model took, of several the most."""
    if isinstance(model, EachTag):
        return max((_steps(each) for each in model.models), default=0)
    return int(np.max(getattr(model[-1] if hasattr(model, "steps") else model, "n_iter_", 0)))


def _linear(codes: list[int], model: "BaseEstimator") -> "BaseEstimator":
    """A linear model over scaled dense values and one-hot codes."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    one_hot = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    return make_pipeline(ColumnTransformer([("codes", one_hot, codes)], remainder="passthrough"), model)
