"""The baselines of each kind of label: fitted on train alone, with whatever columns there are."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import OneHotEncoder

from pipeline import artefacts
from pipeline.metrics import Kind
from pipeline.models import baselines
from pipeline.workspace import Workspace


def tensors(workspace: Workspace, name: str) -> dict[str, np.ndarray]:
    return artefacts.read_tensors(workspace.normalized / f"{name}.safetensors")


def fitted_on(train: dict[str, np.ndarray]) -> dict[baselines.Baseline, Any]:
    return baselines.fit(train, train["label"], "classes", seed=0)


@pytest.mark.parametrize("without", ["dense", "codes"])
def test_baselines_do_without_dense_values_or_codes(without: str, trained_once: Workspace) -> None:
    train = tensors(trained_once, "train")
    train[without] = train[without][:, :0]

    fitted = fitted_on(train)

    assert all(model.predict_proba(baselines.inputs(train)).shape[1] == 2 for model in fitted.values())


def test_a_column_of_many_codes_is_taken_as_it_is(trained_once: Workspace) -> None:
    train = tensors(trained_once, "train")
    train["codes"] = np.arange(len(train["label"]))[:, None] * 3

    fitted = fitted_on(train)

    assert fitted["hist_gradient_boosting"].predict_proba(baselines.inputs(train)).shape[1] == 2


def test_a_linear_baseline_that_did_not_converge_is_named(
    trained_once: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(baselines, "LINEAR_STEPS", 2)

    with caplog.at_level(logging.WARNING):
        fitted_on(tensors(trained_once, "train"))

    assert "logistic_regression had not converged after 2 steps" in caplog.text


def test_the_linear_baseline_converges(trained_once: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fitted_on(tensors(trained_once, "train"))

    assert not caplog.text


def measured(rows: int = 300) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Three numbers, a code of four values, and a value that hangs on both."""
    random = np.random.default_rng(0)
    dense, codes = random.normal(size=(rows, 3)).astype(np.float32), random.integers(0, 4, (rows, 1))
    y_N = 100 + dense @ np.array([5.0, -3.0, 0.0]) + 7.0 * codes[:, 0] + random.normal(size=rows)
    return {"dense": dense, "codes": codes}, y_N


def test_the_baselines_of_a_quantity_are_those_of_scikit_learn() -> None:
    train, y_N = measured()

    fitted = baselines.fit(train, y_N, "quantity", seed=0)
    answers = {name: baselines.answers(model, baselines.inputs(train)) for name, model in fitted.items()}

    coded = np.hstack([OneHotEncoder().fit_transform(train["codes"]).toarray(), train["dense"]])
    assert tuple(fitted) == baselines.OF["quantity"]
    assert {answer.shape for answer in answers.values()} == {(300, 1)}
    assert answers["mean"] == pytest.approx(y_N.mean())
    assert answers["ridge"][:, 0] == pytest.approx(Ridge().fit(coded, y_N).predict(coded), rel=1e-5)


@pytest.mark.parametrize("kind", baselines.OF)
def test_where_no_column_can_be_seen_they_answer_without(kind: Kind) -> None:
    nothing: Mapping[str, Any] = {"dense": np.empty((40, 0), np.float32), "codes": np.empty((40, 0), np.int64)}
    y_N = np.arange(40) % 2
    truth = y_N[:, None].astype(bool) if kind == "tags" else y_N

    for model in baselines.fit(nothing, truth, kind, seed=0, quantiles=[0.5]).values():
        assert baselines.answers(model, baselines.inputs(nothing))[:, -1] == pytest.approx(0.5, abs=0.5001)


def test_quantiles_of_baselines_rise_and_hold_their_share_of_train() -> None:
    train, y_N = measured()
    quantiles = [0.1, 0.5, 0.9]

    fitted = baselines.fit(train, y_N, "quantiles", seed=0, quantiles=quantiles)

    for model in fitted.values():
        a_NK = baselines.answers(model, baselines.inputs(train))
        assert (np.diff(a_NK, axis=1) >= 0).all()
        assert (y_N[:, None] <= a_NK).mean(axis=0) == pytest.approx(quantiles, abs=0.06)


def test_each_tag_has_a_model_of_its_own_and_a_constant_one_is_answered() -> None:
    train, y_N = measured()
    y_NK = np.stack([y_N > 105, np.ones(300, dtype=bool), train["codes"][:, 0] == 2], axis=1)

    fitted = baselines.fit(train, y_NK, "tags", seed=0)

    alone = baselines.fit(train, y_NK[:, 2].astype(np.int64), "classes", seed=0)
    for name, model in fitted.items():
        p_NK = baselines.answers(model, baselines.inputs(train))
        assert p_NK.shape == (300, 3)
        assert p_NK[:, 1] == pytest.approx(1.0)
        assert p_NK[:, 2] == pytest.approx(baselines.answers(alone[name], baselines.inputs(train))[:, 1])
