"""Models of the checks: what a fit must leave as it was."""

import warnings
from threading import Thread

import numpy as np
import polars as pl
import pytest

from pipeline.contract import Column
from pipeline.labels import confident, residuals

ROWS = 400
FEATURE = Column(name="x", dtype=pl.Float64(), nullable=False, role="feature", modality="numeric")


def fit() -> None:
    """As `label_error` and `regression_label_error` do, over texts, trees and boosted trees."""
    rng = np.random.default_rng(0)
    x_N = rng.normal(size=ROWS)
    fold_N = np.arange(ROWS) % 3
    rows = pl.DataFrame({"x": x_N})
    confident.probabilities(rows, [FEATURE], (x_N > 0).astype(np.int64), fold_N)
    residuals.expected(rows, [FEATURE], x_N, fold_N)


@pytest.mark.parametrize("threads", [1, 2])
def test_fits_leave_the_filters_of_warnings_as_they_were(threads: int) -> None:
    with warnings.catch_warnings():
        fit()  # modules that are imported add filters
    with warnings.catch_warnings():
        before = list(warnings.filters)
        working = [Thread(target=fit) for _ in range(threads)]
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()
        after = list(warnings.filters)

    assert after == before
