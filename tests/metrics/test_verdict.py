"""The answer in words: all models at once, as wide as to be wrong once in twenty times, and no wider than needed."""

import numpy as np
import pytest

from pipeline.metrics import Values
from pipeline.metrics.verdict import verdicts

RESAMPLES = 2000


def values(difference: float, seed: int, error: float = 1.0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(difference, error, RESAMPLES)
    return np.concatenate([[difference], drawn])


NONE: Values = {"auc": np.zeros(1 + RESAMPLES), "log_loss": np.zeros(1 + RESAMPLES)}


def test_each_model_has_its_word() -> None:
    others: dict[str, Values] = {
        "far_behind": {"auc": values(-5, 0)},
        "near": {"auc": values(-1, 1)},
        "far_ahead": {"auc": values(5, 2)},
    }

    found = {one.model: one for one in verdicts("auc", NONE, others)}

    assert [found[name].word for name in others] == ["better", "not shown to be better", "worse"]
    assert found["far_behind"].p_value < 0.05 < found["near"].p_value
    assert found["near"].words.startswith("not shown to be better than near: auc +1.00 (-1.")
    assert found["near"].words.endswith("corrected for 3 comparisons)")


def test_of_a_metric_that_is_better_lower_the_sign_is_turned() -> None:
    (one,) = verdicts("log_loss", NONE, {"ridge": {"log_loss": values(5, 0)}})

    assert (one.word, one.difference) == ("better", 5)
    assert "corrected" not in one.words


def test_one_comparison_has_the_plain_interval() -> None:
    (one,) = verdicts("auc", NONE, {"ridge": {"auc": values(-3, 0)}})

    assert [one.low, one.high] == pytest.approx([3 - 1.96, 3 + 1.96], abs=0.15)


def test_several_models_alike_are_corrected_as_one_and_others_as_many() -> None:
    """Bonferroni of 5: 2.576 standard errors; independent models need 2.569, the same model five times 1.96."""
    apart: dict[str, Values] = {f"m{i}": {"auc": values(0, i)} for i in range(5)}
    alike: dict[str, Values] = {f"m{i}": {"auc": values(0, 0)} for i in range(5)}

    wide, narrow = (verdicts("auc", NONE, others)[0].high for others in (apart, alike))

    assert wide == pytest.approx(2.57, abs=0.15)
    assert narrow == pytest.approx(1.96, abs=0.15)


def test_the_same_answers_are_not_shown_to_be_better() -> None:
    (one,) = verdicts("auc", NONE, {"twin": NONE})

    assert (one.word, one.low, one.high, one.p_value) == ("not shown to be better", 0, 0, 1)


def test_nobody_to_compare_with_is_no_verdict() -> None:
    assert verdicts("auc", NONE, {}) == []


def test_asking_five_times_finds_nothing_by_chance_more_often_than_once_in_twenty() -> None:
    random, false = np.random.default_rng(0), 0
    for _ in range(200):
        true_M = random.normal(size=5)  # what the sample shows where there is no difference
        drawn_MR = true_M[:, None] + random.normal(size=(5, 200))
        others: dict[str, Values] = {f"m{i}": {"auc": np.append(true_M[i], drawn_MR[i])} for i in range(5)}
        own: Values = {"auc": np.zeros(201)}
        false += any(one.word != "not shown to be better" for one in verdicts("auc", own, others))

    assert false <= 0.1 * 200  # by 95% intervals one by one it were 45
