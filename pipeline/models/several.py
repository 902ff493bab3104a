"""Baselines that are several models: one a tag, one a quantile, or one with the quantiles of its misses.

Shapes: N rows, F features, K tags or quantiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np


@dataclass
class EachTag:
    """One copy of a classifier for each tag by itself; a tag that all rows have, or none, is answered as it is."""

    model: Any  # scikit-learn has no types
    models: list[Any] = field(default_factory=list)

    def fit(self, x_NF: np.ndarray, y_NK: np.ndarray) -> Self:
        """Fit them."""
        from sklearn.base import clone
        from sklearn.dummy import DummyClassifier

        alone = DummyClassifier(strategy="prior")
        kinds = (self.model if 0 < y_N.mean() < 1 else alone for y_N in y_NK.T)
        self.models = [clone(kind).fit(x_NF, y_N) for kind, y_N in zip(kinds, y_NK.T, strict=True)]
        return self

    def predict_proba(self, x_NF: np.ndarray) -> np.ndarray:
        """(N, K) the probability of each tag."""
        return np.stack(
            [model.predict_proba(x_NF)[:, model.classes_ == 1].sum(axis=1) for model in self.models], axis=1
        )


@dataclass
class EachQuantile:
    """A model for each quantile; what crosses is put in order."""

    models: Sequence[Any]

    def fit(self, x_NF: np.ndarray, y_N: np.ndarray) -> Self:
        """Fit them."""
        for model in self.models:
            model.fit(x_NF, y_N)
        return self

    def predict(self, x_NF: np.ndarray) -> np.ndarray:
        """(N, K) the quantiles, in order."""
        return np.sort(np.stack([model.predict(x_NF) for model in self.models], axis=1), axis=1)


@dataclass
class WithMisses:
    """A model of the mean, and around it the quantiles of what it misses on its training rows: the same everywhere."""

    model: Any
    quantiles: Sequence[float]
    miss_K: np.ndarray = field(default_factory=lambda: np.empty(0))

    def fit(self, x_NF: np.ndarray, y_N: np.ndarray) -> Self:
        """Fit it, and see what it misses."""
        self.miss_K = np.quantile(y_N - self.model.fit(x_NF, y_N).predict(x_NF), self.quantiles)
        return self

    def predict(self, x_NF: np.ndarray) -> np.ndarray:
        """(N, K) the quantiles, in order."""
        told_NK: np.ndarray = self.model.predict(x_NF)[:, None] + self.miss_K
        return told_NK
