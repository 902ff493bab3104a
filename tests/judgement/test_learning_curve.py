"""Would more data help: what is trained on, what is compared, and what is said of it."""

import numpy as np
import pytest

from pipeline.errors import SettingsError
from pipeline.judgement.learning_curve import LearningCurveSettings, ahead, learning_curve
from pipeline.judgement.record import Diagnosis
from pipeline.judgement.settings import EvaluateSettings
from pipeline.stages import again, evaluate
from pipeline.workspace import Workspace, parse_section
from tests.judgement.planted import ROWS, planted

SETTINGS = LearningCurveSettings()


def noisy(truth: np.ndarray, noise: float) -> np.ndarray:
    """(N, 2) probabilities that tell the truth as well as the noise lets them."""
    logit = 2 * truth - 1 + np.random.default_rng(0).normal(0, noise, len(truth))
    p = 1 / (1 + np.exp(-logit))
    return np.stack([1 - p, p], axis=1)


def test_fewer_rows_are_some_of_those_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    case, asked = planted(monkeypatch, lambda size, weight, shop: size + weight), []

    def retrain(chosen: np.ndarray) -> np.ndarray:
        asked.append(chosen)
        return case.own("val")

    found = learning_curve(case, SETTINGS, retrain)

    assert found is not None
    quarter, half = asked
    assert [point.rows for point in found.points] == [ROWS // 4, ROWS // 2, ROWS]
    assert set(quarter) < set(half)
    assert list(half) == sorted(set(half))
    assert (found.gain.difference, found.gain.low, found.ahead) == (0, 0, None)
    assert "is not shown" in found.words


def test_a_model_that_still_learns_wants_more_data(monkeypatch: pytest.MonkeyPatch) -> None:
    case = planted(monkeypatch, lambda size, weight, shop: 9 * (size + weight))
    noise = iter((8.0, 4.0))

    found = learning_curve(case, SETTINGS, lambda chosen: noisy(case.truth["val"], next(noise)))

    assert found is not None
    assert found.gain.low > 0
    assert found.ahead is not None and 0 < found.ahead <= found.gain.difference
    assert "more data would help" in found.words


def test_with_too_few_rows_nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    case = planted(monkeypatch, lambda size, weight, shop: size)

    assert learning_curve(case, LearningCurveSettings(shares=[0.1]), lambda chosen: pytest.fail("trained")) is None


def test_gains_that_shrink_go_on_to_shrink() -> None:
    assert ahead([100, 200, 400], [2.0, 1.0, 0.5], "rmse") == pytest.approx(0.25)
    assert ahead([100, 200, 400], [0.6, 0.7, 0.69], "auc") is None
    assert ahead([200, 400], [0.6, 0.7], "auc") is None
    assert ahead([100, 200, 400], [0.6, 0.61, 0.71], "auc") == pytest.approx(0.1)  # no gain grows


def test_by_itself_it_is_off_and_true_is_enough_to_ask_for_it() -> None:
    assert parse_section(EvaluateSettings, {}).learning_curve is None
    assert parse_section(EvaluateSettings, {"learning_curve": True}).learning_curve == SETTINGS
    with pytest.raises(SettingsError, match=r"evaluate\.learning_curve\.shares"):
        parse_section(EvaluateSettings, {"learning_curve": {"shares": [1.0]}})


def test_a_workspace_that_asks_for_it_gets_it(trained: Workspace) -> None:
    trained.params_file.write_text(trained.params_file.read_text().replace("{resamples: 50}", "{learning_curve: true}"))
    before = (trained.candidate / "weights.safetensors").read_bytes()
    workspace = Workspace.open(trained.root)

    evaluate.run(workspace)

    found = Diagnosis.read(workspace.diagnosis).learning_curve
    assert found is not None
    assert [point.rows for point in found.points] == [102, 203, 406]
    assert (trained.candidate / "weights.safetensors").read_bytes() == before


def test_all_rows_again_give_the_candidate_again(trained_once: Workspace) -> None:
    from pipeline import artefacts
    from pipeline.predictor import Predictor

    tensors = {
        name: artefacts.read_tensors(trained_once.normalized / f"{name}.safetensors") for name in ("train", "val")
    }
    retrain = again.on_fewer(trained_once, tensors)  # type: ignore[arg-type]

    assert retrain is not None
    val = artefacts.scan_parquet(trained_once.split / "val.parquet").collect()
    own = Predictor.load(trained_once.candidate).answers(val)
    np.testing.assert_array_equal(retrain(np.arange(len(tensors["train"]["label"]))), own)
