"""Wrong numbers in a label: how many there are by the rows that a model is surest of, and which."""

import numpy as np
import pytest

from pipeline.labels import residuals
from pipeline.labels.confident import Array
from pipeline.labels.residuals import Expected

ROWS = 4000


def answered(share: float, seed: int = 0) -> tuple[Expected, Array]:
    """What a model would say that knows all but a noise which grows with the answer; `share` of the labels is drawn
    from those of other rows."""
    rng = np.random.default_rng(seed)
    answer_N = rng.lognormal(7, 1, ROWS)
    usual_N = answer_N / 10
    y_N = answer_N + rng.laplace(0, 1, ROWS) * usual_N
    wrong = rng.permutation(ROWS)[: round(share * ROWS)]
    y_N[wrong] = rng.permutation(y_N)[: len(wrong)]
    return Expected(y_N=y_N, answer_N=answer_N, usual_N=usual_N), wrong


@pytest.mark.parametrize("share", [0.03, 0.05, 0.1])
def test_the_share_of_wrong_labels_is_seen_among_the_surest_rows(share: float) -> None:
    found, wrong = answered(share, seed=2)

    noise = residuals.noise(found, np.ones(ROWS, dtype=bool))

    assert noise is not None
    assert noise.share == pytest.approx(share, rel=0.2)
    told = residuals.doubtful(found, noise.share)
    assert np.isin(told, wrong).mean() > 0.8
    assert np.isin(wrong, told).mean() > 0.5
    assert (np.diff(found.doubts[told]) <= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_long_tails_of_clean_labels_are_no_errors(seed: int) -> None:
    found, _ = answered(0.0, seed)

    assert residuals.noise(found, np.ones(ROWS, dtype=bool)) is None


def test_a_model_that_knows_nothing_has_no_say() -> None:
    rng = np.random.default_rng(1)
    found = Expected(y_N=rng.normal(size=ROWS), answer_N=rng.normal(size=ROWS), usual_N=rng.uniform(1, 2, ROWS))

    assert residuals.noise(found, np.ones(ROWS, dtype=bool)) is None


def test_labels_of_one_value_and_no_row_to_judge_say_nothing() -> None:
    same = Expected(y_N=np.ones(9), answer_N=np.ones(9), usual_N=np.ones(9))

    assert residuals.noise(same, np.ones(9, dtype=bool)) is None
    assert residuals.noise(same, np.zeros(9, dtype=bool)) is None
    assert residuals.doubtful(same, 0.0).tolist() == []
