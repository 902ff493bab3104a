"""Every metric of a quantity beside scikit-learn's, with weights; what is the same everywhere; the paired sign."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipeline import metrics
from pipeline.metrics import OF, Metric, regression

QUANTITY = OF["quantity"]
TRAIN_MEAN = 90.0


def drawn(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Skewed labels, and answers that are near them; some are told exactly, some twice the same."""
    random = np.random.default_rng(seed)
    y_N = random.gamma(2.0, 50.0, rows).round()
    a_N = y_N + random.normal(0, 20, rows).round()
    return y_N, a_N[:, None]


def by_scikit_learn(metric: Metric, y_N: np.ndarray, a_N: np.ndarray, w_N: np.ndarray | None) -> float:
    repeated = np.ones(len(y_N), dtype=int) if w_N is None else w_N.astype(int)
    found = {
        "rmse": reference.root_mean_squared_error(y_N, a_N, sample_weight=w_N),
        "mae": reference.mean_absolute_error(y_N, a_N, sample_weight=w_N),
        "median_absolute_error": reference.median_absolute_error(y_N.repeat(repeated), a_N.repeat(repeated)),
        "r2": reference.r2_score(y_N, a_N, sample_weight=w_N),
        "skill": 1
        - reference.mean_squared_error(y_N, a_N, sample_weight=w_N)
        / reference.mean_squared_error(y_N, np.full(len(y_N), TRAIN_MEAN), sample_weight=w_N),
    }
    return float(found[metric])


@pytest.mark.parametrize("rows", [2, 3, 200])
@pytest.mark.parametrize("metric", QUANTITY.each)
def test_a_metric_is_that_of_scikit_learn(metric: Metric, rows: int) -> None:
    y_N, a_N1 = drawn(rows)

    found = metrics.scores(QUANTITY.values(y_N, a_N1, TRAIN_MEAN))[metric]

    assert found.value == pytest.approx(by_scikit_learn(metric, y_N, a_N1[:, 0], None), rel=1e-12)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("metric", QUANTITY.each)
def test_a_resample_is_scikit_learns_metric_with_its_weights(metric: Metric) -> None:
    y_N, a_N1 = drawn(121, seed=1)
    w_RN = metrics.resamples(121, seed=3, count=6)

    found = QUANTITY.values(y_N, a_N1, TRAIN_MEAN, w_RN)[metric]

    expected = [by_scikit_learn(metric, y_N, a_N1[:, 0], w_N.astype(float)) for w_N in w_RN]
    assert found == pytest.approx(expected, rel=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)), min_size=1, max_size=30))
def test_every_value_is_finite_and_errors_are_no_less_than_nothing(rows: list[tuple[float, float]]) -> None:
    y_N, a_N1 = np.array([y for y, _ in rows]), np.array([[a] for _, a in rows])

    found = QUANTITY.values(y_N, a_N1, TRAIN_MEAN, metrics.resamples(len(rows), 0, 5))

    for name, value_R in found.items():
        assert np.isfinite(value_R).all(), name
        assert (value_R >= 0).all() if name in metrics.IN_UNIT else (value_R <= 1).all()


def test_labels_that_are_all_the_same_leave_nothing_to_explain() -> None:
    y_N, a_N1 = np.full(5, 0.1), np.array([[0.1], [0.2], [0.3], [0.1], [0.1]])

    found = QUANTITY.values(y_N, a_N1, 0.1, metrics.resamples(5, 0, 3))

    assert found["r2"].tolist() == [0.0] * 4
    assert found["skill"].tolist() == [0.0] * 4
    assert found["rmse"][0] == pytest.approx(np.sqrt(0.05 / 5))


def test_the_mean_of_train_has_no_skill_and_the_mean_of_the_rows_no_r2() -> None:
    y_N, _ = drawn(50)

    of_train = QUANTITY.values(y_N, np.full((50, 1), TRAIN_MEAN), TRAIN_MEAN)
    of_rows = QUANTITY.values(y_N, np.full((50, 1), y_N.mean()), TRAIN_MEAN)

    assert of_train["skill"][0] == 0
    assert of_rows["r2"][0] == pytest.approx(0, abs=1e-12)


def test_large_numbers_keep_their_digits() -> None:
    y_N, a_N1 = drawn(100)

    near, far = (QUANTITY.values(y_N + shift, a_N1 + shift, TRAIN_MEAN + shift) for shift in (0.0, 2.0**40))

    for name in QUANTITY.each:
        assert far[name] == pytest.approx(near[name], rel=1e-9)


@pytest.mark.parametrize(("metric", "sign"), [("rmse", 1), ("mae", 1), ("median_absolute_error", 1), ("r2", 1)])
def test_what_is_nearer_to_the_truth_is_better_in_every_metric(metric: Metric, sign: int) -> None:
    y_N, a_N1 = drawn(80)
    w_RN = metrics.resamples(80, 0, 20)
    own = QUANTITY.values(y_N, y_N[:, None] + (a_N1 - y_N[:, None]) / 2, TRAIN_MEAN, w_RN)

    pair = metrics.paired("other", metric, own, QUANTITY.values(y_N, a_N1, TRAIN_MEAN, w_RN))

    assert pair.low > 0
    assert pair.low <= pair.difference * sign <= pair.high


def test_the_main_metric_is_the_rmse_and_tells_which_scores_are_of_a_quantity() -> None:
    y_N, a_N1 = drawn(40)

    assert QUANTITY.main_score(y_N, a_N1) == pytest.approx(reference.root_mean_squared_error(y_N, a_N1[:, 0]))
    assert set(regression.EACH) - metrics.LOWER_IS_BETTER == {"r2", "skill"}
