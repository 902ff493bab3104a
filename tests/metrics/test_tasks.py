"""Metrics of ranks, quantiles and tags beside scikit-learn's, with weights, and where nothing can be said."""

import numpy as np
import pytest
from sklearn import metrics as reference

from pipeline.metrics import OF

RANDOM = np.random.default_rng(3)
ROWS = 200
W_RN = np.stack([np.ones(ROWS), RANDOM.integers(0, 4, ROWS)]).astype(np.float64)


def repeated(w_N: np.ndarray) -> np.ndarray:
    """Places of the rows, each as often as it is drawn."""
    return np.repeat(np.arange(ROWS), w_N.astype(np.int64))


def test_kappa_and_the_distance_of_ranks_are_scikit_learns() -> None:
    p_NK = RANDOM.dirichlet(np.ones(5) / 2, ROWS)
    y_N = (p_NK.argmax(axis=1) + RANDOM.integers(-1, 2, ROWS)).clip(0, 4)
    said_N = (p_NK.cumsum(axis=1) < 0.5).sum(axis=1)

    found = OF["ordinal"].values(y_N, p_NK, 0.5, W_RN)

    for resample, w_N in enumerate(W_RN):
        rows = repeated(w_N)
        kappa = reference.cohen_kappa_score(y_N[rows], said_N[rows], weights="quadratic")
        assert found["quadratic_weighted_kappa"][resample] == pytest.approx(kappa)
        assert found["rank_mae"][resample] == pytest.approx(reference.mean_absolute_error(y_N[rows], said_N[rows]))
        assert found["accuracy"][resample] == pytest.approx(reference.accuracy_score(y_N[rows], said_N[rows]))


def test_one_and_the_same_rank_has_no_kappa() -> None:
    p_NK = np.tile([0.0, 1.0, 0.0], (ROWS, 1))

    assert OF["ordinal"].main_score(np.ones(ROWS, dtype=np.int64), p_NK) == 0.0


def test_pinball_coverage_and_width() -> None:
    quantiles = (0.1, 0.5, 0.8)
    y_N = RANDOM.normal(size=ROWS)
    a_NK = np.sort(RANDOM.normal(size=(ROWS, 3)), axis=1)

    found = OF["quantiles"].values(y_N, a_NK, (0.0, *quantiles), W_RN)

    for resample, w_N in enumerate(W_RN):
        rows = repeated(w_N)
        y, a = y_N[rows], a_NK[rows]
        losses = [reference.mean_pinball_loss(y, a[:, k], alpha=q) for k, q in enumerate(quantiles)]
        held = ((a[:, 0] <= y) & (y <= a[:, 2])).mean()
        assert found["pinball"][resample] == pytest.approx(np.mean(losses))
        assert found["coverage_gap"][resample] == pytest.approx(abs(held - 0.7))
        assert found["interval_width"][resample] == pytest.approx((a[:, 2] - a[:, 0]).mean())
        assert found["mae"][resample] == pytest.approx(reference.mean_absolute_error(y, a[:, 1]))


def test_tags_are_scored_as_scikit_learn_scores_them() -> None:
    p_NK = RANDOM.uniform(size=(ROWS, 4))
    y_NK = RANDOM.uniform(size=(ROWS, 4)) < p_NK**2
    said_NK = p_NK >= 0.6

    found = OF["tags"].values(y_NK, p_NK, 0.6, W_RN)

    for resample, w_N in enumerate(W_RN):
        rows = repeated(w_N)
        y, said, p = y_NK[rows], said_NK[rows], p_NK[rows]
        expected = {
            "mean_average_precision": reference.average_precision_score(y, p, average="macro"),
            "micro_f1": reference.f1_score(y, said, average="micro"),
            "macro_f1": reference.f1_score(y, said, average="macro"),
            "subset_accuracy": reference.accuracy_score(y, said),
            "hamming_loss": reference.hamming_loss(y, said),
            "log_loss": np.mean([reference.log_loss(y[:, k], p[:, k], labels=[False, True]) for k in range(4)]),
        }
        assert {str(name): values[resample] for name, values in found.items()} == pytest.approx(expected)


def test_a_tag_that_no_row_has_is_left_out_of_the_mean() -> None:
    y_NK = np.array([[True, False], [False, False]])

    assert OF["tags"].main_score(y_NK, np.array([[0.9, 0.9], [0.1, 0.1]])) == 1.0
    assert OF["tags"].main_score(y_NK[1:], np.array([[0.9, 0.9]])) == 0.0
