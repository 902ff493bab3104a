"""The temperature of answers: that of scikit-learn, kept where answers are too sure, and left where they are not."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from pipeline.features.target import Classes, Ordinal, Tags, Target
from pipeline.models import temperature
from pipeline.models.network import answered

ROWS = 4000
SURER = 3.0


def made(classes: int = 2, members: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, M, K), and a truth that was drawn by their probabilities."""
    random = np.random.default_rng(seed)
    logits_NK = random.normal(0, 1.5, (ROWS, classes))
    noise_NMK = random.normal(0, 0.05, (ROWS, members, classes)) * (members > 1)
    p_NK = np.exp(logits_NK) / np.exp(logits_NK).sum(axis=1, keepdims=True)
    return logits_NK[:, None] + noise_NMK, (p_NK.cumsum(axis=1) < random.random((ROWS, 1))).sum(axis=1)


def test_it_is_that_of_a_regression_on_the_log_odds() -> None:
    """Each row counts as one of the other class too, with the weight of the doubt."""
    logits_NMK, y_N = made()
    odds_N1 = SURER * (logits_NMK[:, 0, 1] - logits_NMK[:, 0, 0])[:, None]
    doubt = np.repeat([1 - 1 / (ROWS + 2), 1 / (ROWS + 2)], ROWS)
    both = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8)
    slope = both.fit(np.tile(odds_N1, (2, 1)), np.concatenate([y_N, 1 - y_N]), sample_weight=doubt).coef_[0, 0]

    found = temperature.fit(SURER * logits_NMK, y_N)

    assert found is not None
    assert found.fitted == pytest.approx(1 / slope, rel=1e-3)
    assert (found.value, found.rows) == (found.fitted, ROWS)
    assert found.after < found.before - temperature.LEAST_GAIN * found.error
    assert "kept" in found.words and "not" not in found.words


@pytest.mark.parametrize(("classes", "members"), [(2, 1), (4, 1), (3, 8)])
def test_answers_that_are_too_sure_become_the_shares_of_new_rows(classes: int, members: int) -> None:
    found = temperature.fit(*(SURER * part if part.ndim > 1 else part for part in made(classes, members)))
    logits_NMK, y_N = made(classes, members, seed=1)

    assert found is not None
    own = temperature.losses(SURER * logits_NMK, y_N)
    assert found.value == pytest.approx(SURER, rel=0.1)
    assert own(found.value).mean() < own(1.0).mean() - 0.05


@pytest.mark.parametrize("seed", range(5))
def test_answers_that_are_as_sure_as_they_ought_to_be_stay(seed: int) -> None:
    found = temperature.fit(*made(seed=seed))

    assert found is not None
    assert found.fitted == pytest.approx(1, rel=0.1)
    assert found.value == 1 or abs(found.value - 1) > 0.02  # what surely helps is no rounding
    assert found.value == 1 or found.after < found.before


@pytest.mark.parametrize("rows", [100, 1000])
def test_where_every_row_of_val_is_right_answers_are_not_made_surer_than_so_few_rows_can_say(rows: int) -> None:
    odds_N = np.random.default_rng(0).choice([-3.0, 3.0], rows)
    logits_NMK = np.stack([np.zeros(rows), odds_N], axis=1)[:, None]
    y_N = (odds_N > 0).astype(np.int64)

    found = temperature.fit(logits_NMK, y_N)

    assert found is not None
    surest = 1 / (1 + np.exp(3.0 / found.fitted))  # the probability of the other class
    assert surest == pytest.approx(1 / (rows + 2), rel=0.02)


def test_noise_makes_no_temperature() -> None:
    """Of answers that do not know, those that say the shares cannot be bettered."""
    random = np.random.default_rng(0)

    found = [temperature.fit(np.zeros((100, 1, 2)), random.integers(0, 2, 100)) for _ in range(20)]

    assert all(one is not None and one.value == 1 for one in found)


def test_tags_have_one_for_all() -> None:
    random = np.random.default_rng(0)
    logits_NMK = random.normal(0, 1.5, (ROWS, 1, 3))
    y_NK = random.random((ROWS, 3)) < 1 / (1 + np.exp(-logits_NMK[:, 0]))

    found = temperature.fit(SURER * logits_NMK, y_NK)

    assert found is not None
    assert found.value == pytest.approx(SURER, rel=0.1)


def test_of_many_rows_every_so_many_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    logits_NMK, y_N = made()
    monkeypatch.setattr(temperature, "CELLS", ROWS)

    found = temperature.fit(SURER * logits_NMK, y_N)

    assert found is not None
    assert found.rows == ROWS // 2


def test_with_few_rows_it_is_not_tried() -> None:
    logits_NMK, y_N = made()

    assert temperature.fit(logits_NMK[: temperature.FEWEST_ROWS - 1], y_N[: temperature.FEWEST_ROWS - 1]) is None


@pytest.mark.parametrize(
    "target",
    [
        Classes(column="y", classes=["a", "b"], temperature=2.0),
        Ordinal(column="y", classes=["a", "b"], shares=[0.5, 0.5], temperature=2.0),
        Tags(column="y", written=";", classes=["a", "b"], rare=[], temperature=2.0),
    ],
)
def test_answers_are_those_of_the_divided_logits(target: Target) -> None:
    logits_NMK = torch.tensor([[[0.0, 4.0]]])
    plain = target.model_copy(update={"temperature": 1.0})

    assert answered(logits_NMK, target).tolist() == answered(logits_NMK / 2, plain).tolist()
    assert type(target).model_validate_json(target.model_dump_json()) == target
    assert "temperature" not in plain.model_dump_json()
