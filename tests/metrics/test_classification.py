"""Every metric beside scikit-learn's, with weights and for more than two classes; intervals; the threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipeline import metrics
from pipeline.metrics import OF, Metric, Score, classification

LIMIT = 0.4
CLASSES = OF["classes"]
METRICS = tuple(CLASSES.each)


def drawn(rows: int, classes: int, seed: int = 0, decimals: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Labels with every class, and rounded probabilities, so that there are ties."""
    random = np.random.default_rng(seed)
    y_N = np.concatenate([np.arange(classes), random.integers(0, classes, rows - classes)])
    p_NK = random.dirichlet(np.ones(classes), rows) + np.eye(classes)[y_N] * 0.3
    p_NK = (p_NK / p_NK.sum(axis=1, keepdims=True)).round(decimals)
    p_NK[:, 0] = 1 - p_NK[:, 1:].sum(axis=1)
    return y_N, p_NK.clip(0, 1)


def by_scikit_learn(metric: Metric, y_N: np.ndarray, p_NK: np.ndarray, w_N: np.ndarray | None) -> float:
    """The reference value: of the second of two classes, the macro mean of more."""
    classes = p_NK.shape[1]
    two = classes == 2
    truth_NK = np.eye(classes)[y_N]
    said_N = (p_NK[:, 1] >= LIMIT).astype(int) if two else p_NK.argmax(axis=1)
    kept_NK = p_NK.clip(classification.EPSILON, 1)
    found: dict[str, float] = {
        "auc": reference.roc_auc_score(
            y_N if two else truth_NK, p_NK[:, 1] if two else p_NK, average="macro", sample_weight=w_N
        ),
        "average_precision": reference.average_precision_score(
            y_N if two else truth_NK, p_NK[:, 1] if two else p_NK, average="macro", sample_weight=w_N
        ),
        "log_loss": float(np.average(-np.log(kept_NK[np.arange(len(y_N)), y_N]), weights=w_N)),
        "accuracy": reference.accuracy_score(y_N, said_N, sample_weight=w_N),
        "brier": reference.brier_score_loss(
            truth_NK, p_NK / p_NK.sum(axis=1, keepdims=True), sample_weight=w_N, scale_by_half=True
        ),
    }
    kind = {"average": "binary" if two else "macro", "sample_weight": w_N, "zero_division": 0}
    found["precision"] = reference.precision_score(y_N, said_N, **kind)
    found["recall"] = reference.recall_score(y_N, said_N, **kind)
    found["f1"] = reference.f1_score(y_N, said_N, **kind)
    return found[metric]


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_that_of_scikit_learn(metric: Metric, classes: int) -> None:
    y_N, p_NK = drawn(200, classes)

    found = metrics.scores(CLASSES.values(y_N, p_NK, LIMIT))[metric]

    assert found.value == pytest.approx(by_scikit_learn(metric, y_N, p_NK, None), abs=1e-9)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("metric", METRICS)
def test_a_resample_is_scikit_learns_metric_with_its_weights(metric: Metric, classes: int) -> None:
    y_N, p_NK = drawn(120, classes, seed=1)
    w_RN = metrics.resamples(120, seed=3, count=4)

    found = CLASSES.values(y_N, p_NK, LIMIT, w_RN)[metric]

    expected = [by_scikit_learn(metric, y_N, p_NK, w_N.astype(float)) for w_N in w_RN]
    assert found == pytest.approx(expected, abs=1e-9)


def test_log_loss_is_that_of_scikit_learn() -> None:
    y_N, p_NK = drawn(200, 3, decimals=6)

    found = CLASSES.values(y_N, p_NK, LIMIT)["log_loss"][0]

    assert found == pytest.approx(reference.log_loss(y_N, p_NK), abs=1e-6)


def test_a_certain_error_costs_much_and_not_everything() -> None:
    found = CLASSES.values(np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]), 0.5)["log_loss"][0]

    assert found == pytest.approx(-np.log(classification.EPSILON) / 2)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])), min_size=1, max_size=30))
def test_every_value_is_a_share_or_a_loss(rows: list[tuple[bool, float]]) -> None:
    y_N = np.array([int(hit) for hit, _ in rows])
    p_NK = np.array([[1 - p, p] for _, p in rows])

    found = CLASSES.values(y_N, p_NK, LIMIT, metrics.resamples(len(rows), 0, 5))

    for name, value_R in found.items():
        assert np.isfinite(value_R).all()
        assert (value_R >= 0).all()
        assert (value_R <= (20 if name == "log_loss" else 1 + 1e-12)).all()


@pytest.mark.parametrize("hit", [0, 1])
def test_one_class_alone_has_no_auc_but_a_coins(hit: int) -> None:
    y_N, p_NK = np.full(3, hit), np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])

    found = CLASSES.values(y_N, p_NK, 0.5)

    assert found["auc"][0] == 0.5
    assert found["recall"][0] == pytest.approx(2 / 3 if hit else 0)


def test_a_class_without_rows_does_not_count_in_the_mean() -> None:
    y_N, p_NK = drawn(100, 2, decimals=6)
    with_third_NK = np.column_stack([p_NK, np.zeros(100)])

    found = CLASSES.values(y_N, with_third_NK, 0.5)

    both_sides = [reference.roc_auc_score(y_N == k, p_NK[:, k]) for k in (0, 1)]
    assert found["auc"][0] == pytest.approx(np.mean(both_sides))
    assert found["recall"][0] == pytest.approx(
        reference.recall_score(y_N, with_third_NK.argmax(axis=1), average="macro")
    )


def test_resamples_draw_as_many_rows_as_there_are() -> None:
    w_RN = metrics.resamples(50, seed=1, count=20)

    assert w_RN.shape == (21, 50)
    assert (w_RN[0] == 1).all()
    assert (w_RN.sum(axis=1) == 50).all()


def test_resamples_are_those_of_their_seed() -> None:
    assert (metrics.resamples(50, 1, 5) == metrics.resamples(50, 1, 5)).all()
    assert (metrics.resamples(50, 1, 5) != metrics.resamples(50, 2, 5)).any()


@pytest.mark.parametrize("at_once", [1, 7 * 90, 1 << 23])
def test_values_are_the_same_in_chunks_of_any_size(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    y_N, p_NK = drawn(90, 3)
    w_RN = metrics.resamples(90, 0, 30)
    whole = {name: CLASSES.each[name](y_N, p_NK, LIMIT, w_RN.astype(np.float64)) for name in METRICS}
    monkeypatch.setattr(metrics, "CELLS_AT_ONCE", at_once)

    found = CLASSES.values(y_N, p_NK, LIMIT, w_RN)

    for name in METRICS:
        assert found[name] == pytest.approx(whole[name], rel=1e-12)


def test_the_interval_is_that_of_the_resamples_quantiles() -> None:
    y_N, p_NK = drawn(300, 2)
    found = CLASSES.values(y_N, p_NK, LIMIT, metrics.resamples(300, 0))

    score = metrics.scores(found)["auc"]

    assert (score.low, score.high) == tuple(np.quantile(found["auc"][1:], [0.025, 0.975]))
    assert score.low is not None and score.high is not None
    assert score.low < score.value < score.high


def test_the_interval_covers_the_accuracy_of_a_binomial_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    w_RN = metrics.resamples(200, 0)
    covered = 0
    for _ in range(200):
        right = random.random(200) < 0.8
        values_R = (w_RN @ right.astype(float)) / 200
        low, high = np.quantile(values_R[1:], [0.025, 0.975])
        covered += bool(low <= 0.8 <= high)

    assert 175 <= covered <= 199  # 190 expected; binomial, beyond 4 standard deviations below


@pytest.mark.parametrize(("metric", "better"), [("auc", 1), ("log_loss", 1), ("brier", 1), ("f1", 1)])
def test_a_positive_difference_favours_the_candidate_whatever_the_metric(metric: Metric, better: int) -> None:
    y_N, good_NK = drawn(300, 2)
    poor_NK = np.full_like(good_NK, 0.5)
    w_RN = metrics.resamples(300, 0, 50)
    own, other = (CLASSES.values(y_N, p, LIMIT, w_RN) for p in (good_NK, poor_NK))

    pair = metrics.paired("other", metric, own, other)

    assert pair.difference > 0
    assert pair.low <= pair.difference <= pair.high
    assert pair.resamples == 50
    assert metrics.paired("other", metric, other, own).difference == pytest.approx(-pair.difference)


def test_a_model_against_itself_differs_by_nothing() -> None:
    y_N, p_NK = drawn(100, 2)
    own = CLASSES.values(y_N, p_NK, LIMIT, metrics.resamples(100, 0, 50))

    pair = metrics.paired("itself", "auc", own, own)

    assert (pair.difference, pair.low, pair.high) == (0, 0, 0)


def test_pairing_is_narrower_than_two_intervals() -> None:
    y_N, p_NK = drawn(300, 2)
    near_NK = p_NK * 0.98 + 0.01
    near_NK[::10] = 0.5
    w_RN = metrics.resamples(300, 0)
    own, other = (CLASSES.values(y_N, p, LIMIT, w_RN) for p in (p_NK, near_NK))

    pair = metrics.paired("near", "auc", own, other)

    alone = metrics.scores(own)["auc"]
    assert alone.low is not None and alone.high is not None
    assert pair.high - pair.low < alone.high - alone.low


def test_the_threshold_has_the_best_f1_of_all() -> None:
    y_N, p_NK = drawn(200, 2)

    threshold = classification.best_threshold(y_N, p_NK)

    f1 = [reference.f1_score(y_N, p_NK[:, 1] >= t, zero_division=0) for t in np.unique(p_NK[:, 1])]
    assert reference.f1_score(y_N, p_NK[:, 1] >= threshold, zero_division=0) == max(f1)


def test_the_threshold_lies_between_what_was_told() -> None:
    high = 0.9
    y_N, told = np.array([1, 0, 0]), np.array([high, 0.5, 0.1])
    assert classification.best_threshold(y_N, np.stack([1 - told, told], axis=1)) == pytest.approx(0.7)

    told[1] = np.nextafter(high, 0)
    assert classification.best_threshold(y_N, np.stack([1 - told, told], axis=1)) == high


def test_the_threshold_of_ties_takes_all_of_them() -> None:
    y_N, told = np.array([1, 0, 1, 0]), np.array([0.7, 0.7, 0.7, 0.1])

    assert classification.best_threshold(y_N, np.stack([1 - told, told], axis=1)) == pytest.approx(0.4)


def test_one_answer_to_all_rows_is_that_of_the_class_of_most() -> None:
    y_N, p_NK = np.array([1, 0, 0, 0]), np.array([[0.75, 0.25]] * 4)

    assert (classification.answers(p_NK, classification.best_threshold(y_N, p_NK)) == 0).all()


def test_more_classes_have_no_threshold() -> None:
    y_N, p_NK = drawn(20, 3)

    assert classification.best_threshold(y_N, p_NK) == 0.5
    assert (classification.answers(p_NK, 0.99) == p_NK.argmax(axis=1)).all()


def test_an_answer_at_the_threshold_is_yes() -> None:
    assert classification.answers(np.array([[0.6, 0.4], [0.61, 0.39]]), 0.4).tolist() == [1, 0]


def test_a_score_survives_json() -> None:
    score = Score(value=0.1 + 0.2, low=None, high=1.0)

    assert Score.model_validate_json(score.model_dump_json()) == score
